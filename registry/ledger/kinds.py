"""The kinds of entries: where each may stand, what it holds, and the rule over the whole of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from registry.ledger.members import (
    MAX_ANCHOR_DELAY_S,
    MAX_SAFE_INTEGER,
    Check,
    Purpose,
    approver_key,
    decode_time,
    is_approval,
    is_batch,
    is_count,
    is_did,
    is_did_document,
    is_digest,
    is_hash,
    is_key_name,
    is_log_key,
    is_ml_dsa_key,
    is_name,
    is_network,
    is_node,
    is_origin,
    is_pointer,
    is_policy,
    is_prefix,
    is_signature,
    is_size,
    is_slug,
    is_texts,
    is_time,
    is_url,
    list_of,
    one_of,
    or_null,
)
from registry.limits import MAX_ENTRY_BYTES, MAX_SIDE_CHAINS
from registry.tlog.note import VerifierKey


def _no_rule(_: Mapping[str, Any]) -> str | None:
    return None


@dataclass(frozen=True)
class Kind:
    """One kind: where it may stand, what the contracts are asked about it, what it holds.

    `action` is what they must allow its submitter; None: no matter of contracts.
    `owner` is the member whose DID must be the submitter's own (anchors, status, access).
    `optional` members may be absent.
    `rule` sees the whole body after its members passed, and says what is wrong, if anything.
    """

    name: str
    chains: frozenset[Purpose]
    action: str | None
    members: Mapping[str, Check]
    owner: str | None = None
    optional: Mapping[str, Check] = field(default_factory=dict)
    rule: Callable[[Mapping[str, Any]], str | None] = field(default=_no_rule)


def _genesis_rule(body: Mapping[str, Any]) -> str | None:
    nodes, quorum = body["nodes"], body["quorum"]
    if not 3 * quorum > 2 * len(nodes) or quorum > len(nodes):
        # Any two quorums must share more nodes than may fail, else a fork needs no miracle.
        return "quorum: more than two thirds of the nodes are needed"
    for member in ("name", "vkey"):
        if len({node[member] for node in nodes}) != len(nodes):
            return f"nodes: {member} repeats"
    keys = [VerifierKey.parse(node["vkey"]).public for node in nodes]
    keys.append(VerifierKey.parse(body["logKey"]).public)
    for party in (body, *nodes):
        if "mlDsaKey" in party:
            keys.append(VerifierKey.parse(party["mlDsaKey"]).public)
    if any(not _one_name(node.get("mlDsaKey"), node["vkey"]) for node in nodes):
        return "nodes: a mlDsaKey of another name"
    # Another statement, another key.
    keys += [approver_key(node["approver"]).raw for node in nodes if "approver" in node]
    if len(set(keys)) != len(keys):
        return "nodes: one public key under two names"
    if body["origin"] != body["network"] + "/main":
        return "origin: not the main chain of the network"
    return _log_key_rule(body)


def _chain_rule(body: Mapping[str, Any]) -> str | None:
    if (body["epoch"] == 1) != (body["previous"] is None):
        return "epoch, previous: the first epoch follows none, and every other one does"
    if body["previous"] == body["origin"]:
        return "previous: a chain cannot follow itself"
    if body["maxAnchorDelay"] * 1000 < body["batch"]["interval"]:
        return "maxAnchorDelay: shorter than the interval between checkpoints"
    return _log_key_rule(body)


def _contract_rule(body: Mapping[str, Any]) -> str | None:
    if (body["version"] == 1) != (body["replaces"] is None):
        return "version, replaces: the first version replaces none, and every other one does"
    nodes = [approval["node"] for approval in body["approvals"]]
    if nodes != sorted(set(nodes)):
        return "approvals: not one a node, in order"
    return None


def _log_key_rule(body: Mapping[str, Any]) -> str | None:
    if VerifierKey.parse(body["logKey"]).name != body["origin"]:
        return "logKey: not named like its log"  # tlog-checkpoint
    if not _one_name(body.get("mlDsaKey"), body["logKey"]):
        return "mlDsaKey: not named like its log"
    return None


def _one_name(second: str | None, first: str) -> bool:
    """Whether a party's further key bears the name of its first."""
    return second is None or VerifierKey.parse(second).name == VerifierKey.parse(first).name


def _period_rule(body: Mapping[str, Any]) -> str | None:
    if body["to"] is not None and not decode_time(body["from"]) <= decode_time(body["to"]):
        return "to: before from"
    return None


def _accreditation_rule(body: Mapping[str, Any]) -> str | None:
    if body["document"]["id"] != body["did"]:
        return "document: of another DID"
    return _period_rule(body)


def _checkpoint_rule(body: Mapping[str, Any]) -> str | None:
    if not body["start"] < body["end"] == body["size"]:
        return "start, end, size: not a batch that ends at its size"
    rules = body["rules"]
    if (rules["count"] == 0) != (rules["last"] is None):
        return "rules: count and last contradict each other"
    return None


def _is_rules_head(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"count", "last"}
        and is_size(value["count"])
        and (value["last"] is None or is_size(value["last"]))
    )


def heads_fit(origins: Collection[str]) -> bool:
    """Whether a checkpoint entry can name the latest checkpoints of all these side chains."""
    named = sum(len(f'"{origin}":{MAX_SAFE_INTEGER},') for origin in origins)
    own = max(map(len, origins), default=0)
    room = MAX_ENTRY_BYTES - _CHECKPOINT_BYTES
    return len(origins) <= MAX_SIDE_CHAINS and named + own <= room


def _are_heads(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MAX_SIDE_CHAINS
        and all(is_origin(origin) and is_size(index) for origin, index in value.items())
    )


_CHECKPOINT_BYTES: Final = 512  # of a checkpoint entry at most, but its origin and heads
_MAIN = frozenset({Purpose.MAIN})

_TABLE = (
    Kind(
        "genesis",
        _MAIN,
        None,
        {
            "network": is_network,
            "origin": is_origin,
            "operator": is_did,
            "logKey": is_log_key,
            "nodes": list_of(is_node, least=1, most=16),
            "quorum": lambda value: type(value) is int and value >= 1,
            "created": is_time,
        },
        optional={"mlDsaKey": is_ml_dsa_key},
        rule=_genesis_rule,
    ),
    Kind(
        "chain",
        _MAIN,
        "registerChain",
        {
            "origin": is_origin,
            "logKey": is_log_key,
            "purpose": one_of(Purpose.ANCHORS, Purpose.STATUS, Purpose.ACCESS),
            "scenario": is_name,
            "batch": is_batch,
            "maxAnchorDelay": lambda value: is_size(value) and 1 <= value <= MAX_ANCHOR_DELAY_S,
            "epoch": lambda value: is_size(value) and value >= 1,
            "previous": or_null(is_origin),
        },
        optional={"mlDsaKey": is_ml_dsa_key},
        rule=_chain_rule,
    ),
    Kind(
        "issuer",
        _MAIN,
        "accreditIssuer",
        {
            "did": is_did,
            "name": is_texts,
            "document": is_did_document,
            "types": list_of(is_name, least=1, most=32),
            "chains": list_of(is_origin, least=1, most=32),
            "from": is_time,
            "to": or_null(is_time),
        },
        optional={"statusLists": list_of(is_prefix, least=1, most=8)},
        rule=_accreditation_rule,
    ),
    Kind(
        "verifier",
        _MAIN,
        "accreditVerifier",
        {
            "did": is_did,
            "name": is_texts,
            "document": is_did_document,
            "from": is_time,
            "to": or_null(is_time),
        },
        rule=_accreditation_rule,
    ),
    Kind(
        "entitlement",
        _MAIN,
        "entitle",
        {
            "id": is_name,
            "verifier": is_did,
            "credentialType": is_name,
            "claims": list_of(is_pointer, least=1, most=64),
            "purpose": is_texts,
            "legalBasis": is_texts,
            "from": is_time,
            "to": or_null(is_time),
        },
        rule=_period_rule,
    ),
    Kind(
        "resource",
        _MAIN,
        "registerResource",
        {"role": one_of("schema", "context"), "url": is_url, "digest": is_digest},
    ),
    Kind(
        "contract",
        _MAIN,
        "replaceContract",
        {
            "name": is_slug,
            "version": lambda value: is_size(value) and value >= 1,
            "policy": is_policy,
            "activates": is_size,
            "replaces": or_null(is_size),
            "approvals": list_of(is_approval, least=0, most=16),
        },
        rule=_contract_rule,
    ),
    Kind(
        "checkpoint",
        _MAIN,
        None,
        {
            "origin": is_origin,
            "size": is_size,
            "root": is_hash,
            "start": is_size,
            "end": is_size,
            "subtree": is_hash,
            "rules": _is_rules_head,
            "heads": _are_heads,
            "lists": is_digest,
        },
        rule=_checkpoint_rule,
    ),
    Kind(
        "anchor",
        frozenset({Purpose.ANCHORS}),
        "anchor",
        {"issuer": is_did, "anchor": is_hash},
        owner="issuer",
    ),
    Kind(
        "status",
        frozenset({Purpose.ANCHORS, Purpose.STATUS}),
        "publishStatus",
        {"issuer": is_did, "list": is_url, "digest": is_digest, "time": is_time},
        owner="issuer",
    ),
    Kind(
        "access",
        frozenset({Purpose.ACCESS}),
        "recordAccess",
        {"verifier": is_did, "commitment": is_hash},
        owner="verifier",
    ),
    Kind(
        "seal",
        frozenset(Purpose),
        None,
        {
            "submitter": is_did,
            "count": is_count,
            "root": is_hash,
            "time": is_time,
            "key": is_key_name,
            "sig": is_signature,
        },
    ),
)
KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _TABLE}
GOVERNANCE_KINDS: Final = frozenset(
    {"genesis", "chain", "issuer", "verifier", "entitlement", "resource", "contract"}
)
"""The kinds that say who may do what; a trust bundle must carry all of them."""
