"""The entries of the chains: what may stand in a leaf, and the one table that says so.

An entry is a JSON object in canonical form (RFC 8785) of at most 8 KiB with a `kind` and a
version `v`. Its bytes are its identity: parsing re-encodes and compares, so there is exactly one
byte string for every entry, and a leaf hash can be rebuilt from an entry's content alone.

Guaranteed: an `Entry` obeys the table. Not said by it: that its submitter may write it
(`registry.governance`), or that it stands on a chain (`registry.proofs`, `registry.trust`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Generic, Self, TypeVar, overload

import rfc8785

from credentials.dids import ASSERTION, DidDocument, did_key
from credentials.errors import CredentialError
from credentials.keys import PublicKey
from registry import merkle
from registry.errors import EntryKindUnknown, EntryMalformed, KeyMalformed
from registry.limits import MAX_ENTRY_BYTES, MAX_GENESIS_BYTES, MAX_POLICY_TEXT
from registry.note import ED25519, ED25519_COSIGNATURE, ML_DSA_44, VerifierKey
from registry.spelling import COUNT, HASH, PLAIN, SIGNATURE, TIME, Spelling
from schemas.digests import SHA2_256_HEADER, digest_multibase

MAX_TEXT: Final = 400  # characters of a text for people
MAX_NAME: Final = 512  # characters of a DID, URL or origin
MAX_KEY: Final = 2560  # characters of a verifier key; that of ML-DSA-44 takes 1,752 and its name
MAX_DEPTH: Final = 16  # nesting; a DID document needs 5
MIN_INTERVAL_MS: Final = 10
MAX_INTERVAL_MS: Final = 24 * 60 * 60 * 1000
MAX_ANCHOR_DELAY_S: Final = 30 * 24 * 60 * 60
MAX_SAFE_INTEGER: Final = 2**53 - 1  # I-JSON


class Purpose(StrEnum):
    """What a chain is for; it decides which kinds it takes."""

    MAIN = "main"
    ANCHORS = "anchors"
    STATUS = "status"
    ACCESS = "access"


# Encodings


def encode_digest(digest: bytes) -> str:
    """Multibase base64url without padding: `u` and the text."""
    return "u" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def decode_digest(text: str, length: int | None = None) -> bytes:
    """The bytes behind `encode_digest`; ValueError for any other spelling."""
    if not text.startswith("u"):
        raise ValueError("not multibase base64url")
    body = text[1:]
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64url") from error
    if encode_digest(raw) != text:
        raise ValueError("not canonical base64url")
    if length is not None and len(raw) != length:
        raise ValueError(f"not {length} bytes")
    return raw


def encode_time(moment: datetime) -> str:
    """`2026-11-22T09:00:00Z`: UTC, whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def decode_time(text: str) -> datetime:
    """The moment behind `encode_time`; ValueError for any other spelling."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("not canonical") from error
    if moment.tzinfo is not UTC or encode_time(moment) != text:
        raise ValueError("not canonical")
    return moment


def document_digest(document: Mapping[str, Any]) -> str:
    """The digest of a JSON document: `digestMultibase` of its canonical form."""
    return digest_multibase(rfc8785.dumps(dict(document)))


# Checks of single members: True when the value is allowed

Check = Callable[[Any], bool]

_DID = re.compile(r"did:(?:web|key):[A-Za-z0-9._:%-]{1,400}")
_ORIGIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,126}[a-z0-9])?(?:/[a-z0-9](?:[a-z0-9-]{0,62}))+")
_NETWORK = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,126}[a-z0-9])?")
_URL = re.compile(r"https?://[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]{1,500}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,126}")
_POINTER = re.compile(r"(?:/(?:[^~/\x00-\x1f]|~[01]){1,80}){1,16}")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62})")
_LANGUAGES = frozenset({"zh-CN", "en"})


def _matches(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _passes(decode: Callable[[str], object]) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            decode(value)
        except ValueError:
            return False
        return True

    return check


def _list_of(check: Check, *, least: int, most: int) -> Check:
    def run(value: Any) -> bool:
        return (
            isinstance(value, list)
            and least <= len(value) <= most
            and all(check(item) for item in value)
            and len({json.dumps(item, sort_keys=True) for item in value}) == len(value)
        )

    return run


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _one_of(*values: str) -> Check:
    return lambda value: isinstance(value, str) and value in values


def is_text(value: Any) -> bool:
    """A line for people: no control characters, neither empty nor padded."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_TEXT
        and value.strip() == value
        and value.isprintable()
    )


def is_texts(value: Any) -> bool:
    """A text in both languages of the interface."""
    return (
        isinstance(value, dict)
        and set(value) == _LANGUAGES
        and all(is_text(text) for text in value.values())
    )


def is_size(value: Any) -> bool:
    """A tree size or index: an integer, never a boolean."""
    return type(value) is int and 0 <= value <= MAX_SAFE_INTEGER


def is_count(value: Any) -> bool:
    """A number of things that are there."""
    return is_size(value) and value >= 1


def is_key_name(value: Any) -> bool:
    """The URL of a verification method, which whoever resolves it judges."""
    return isinstance(value, str) and 0 < len(value) <= 2 * MAX_NAME


def _multihash(text: str) -> bytes:
    raw = decode_digest(text, 34)
    if not raw.startswith(SHA2_256_HEADER):
        raise ValueError("not SHA2-256")
    return raw


def _signature(text: str) -> bytes:
    raw = decode_digest(text)
    if len(raw) not in (64, 96):  # Ed25519 and P-256; P-384
        raise ValueError("no signature has this length")
    return raw


is_did: Final = _matches(_DID)
is_origin: Final = _matches(_ORIGIN)
is_network: Final = _matches(_NETWORK)
is_url: Final = _matches(_URL)
is_name: Final = _matches(_NAME)
is_slug: Final = _matches(_SLUG)
is_pointer: Final = _matches(_POINTER)
is_time: Final = _passes(decode_time)
is_hash: Final = _passes(lambda text: decode_digest(text, 32))
is_digest: Final = _passes(_multihash)
is_signature: Final = _passes(_signature)


def _is_vkey(signature_type: int) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, str) or len(value) > MAX_KEY:
            return False
        try:
            key = VerifierKey.parse(value)
        except KeyMalformed:
            return False
        return key.type == signature_type and is_name(key.name)

    return check


is_log_key: Final = _is_vkey(ED25519)
is_node_key: Final = _is_vkey(ED25519_COSIGNATURE)
is_ml_dsa_key: Final = _is_vkey(ML_DSA_44)


def is_did_document(value: Any) -> bool:
    """A DID document that the kernel accepts, with at least one key for assertions."""
    try:
        return bool(DidDocument.parse(value).relationships[ASSERTION])
    except CredentialError:
        return False


def approver_key(did: str) -> PublicKey:
    """The Ed25519 key that a node approves contracts with; ValueError for anything else."""
    try:
        key = PublicKey.from_multikey(did.removeprefix("did:key:"))
    except CredentialError as error:
        raise ValueError("not a key") from error
    if key.type != "Ed25519" or did_key(key) != did:
        raise ValueError("not a did:key of Ed25519")
    return key


is_approver: Final = _passes(approver_key)


def _is_node(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"name", "title", "vkey"} <= set(value)
        and set(value) <= {"name", "title", "vkey", "mlDsaKey", "approver"}
        and is_name(value["name"])
        and is_texts(value["title"])
        and is_node_key(value["vkey"])
        and ("mlDsaKey" not in value or is_ml_dsa_key(value["mlDsaKey"]))
        and ("approver" not in value or is_approver(value["approver"]))
    )


def _is_batch(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"interval", "size"}
        and is_size(value["interval"])
        and MIN_INTERVAL_MS <= value["interval"] <= MAX_INTERVAL_MS
        and is_size(value["size"])
        and value["size"] >= 1
    )


def _is_approval(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"node", "sig"}
        and is_name(value["node"])
        and is_signature(value["sig"])
    )


def _is_policy(value: Any) -> bool:
    # Whether Cedar can read it is judged with the other rules: `registry.contracts`.
    return isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) <= MAX_POLICY_TEXT


def _is_prefix(value: Any) -> bool:
    return is_url(value) and value.endswith("/") and value.count("/") > 2


# The table


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


def _are_heads(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= 64
        and all(is_origin(origin) and is_size(index) for origin, index in value.items())
    )


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
            "nodes": _list_of(_is_node, least=1, most=16),
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
            "purpose": _one_of(Purpose.ANCHORS, Purpose.STATUS, Purpose.ACCESS),
            "scenario": is_name,
            "batch": _is_batch,
            "maxAnchorDelay": lambda value: is_size(value) and 1 <= value <= MAX_ANCHOR_DELAY_S,
            "epoch": lambda value: is_size(value) and value >= 1,
            "previous": _or_null(is_origin),
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
            "types": _list_of(is_name, least=1, most=32),
            "chains": _list_of(is_origin, least=1, most=32),
            "from": is_time,
            "to": _or_null(is_time),
        },
        optional={"statusLists": _list_of(_is_prefix, least=1, most=8)},
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
            "to": _or_null(is_time),
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
            "claims": _list_of(is_pointer, least=1, most=64),
            "purpose": is_texts,
            "legalBasis": is_texts,
            "from": is_time,
            "to": _or_null(is_time),
        },
        rule=_period_rule,
    ),
    Kind(
        "resource",
        _MAIN,
        "registerResource",
        {"role": _one_of("schema", "context"), "url": is_url, "digest": is_digest},
    ),
    Kind(
        "contract",
        _MAIN,
        "replaceContract",
        {
            "name": is_slug,
            "version": lambda value: is_size(value) and value >= 1,
            "policy": _is_policy,
            "activates": is_size,
            "replaces": _or_null(is_size),
            "approvals": _list_of(_is_approval, least=0, most=16),
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


# Spellings of the kinds that stand in nearly every leaf

_SPELT: Final[Mapping[Check, str]] = {
    is_did: _DID.pattern,
    is_hash: HASH,
    is_time: TIME,
    is_signature: SIGNATURE,
    is_count: COUNT,
    is_key_name: PLAIN,
}
_PREFIX: Final = 6
_SPELLINGS: Final[Mapping[bytes, Spelling]] = {
    spelling.prefix[:_PREFIX]: spelling
    for kind in (KINDS["anchor"], KINDS["access"], KINDS["seal"])
    for spelling in [
        Spelling(kind.name, {name: _SPELT[check] for name, check in kind.members.items()})
    ]
}


# Entries

_T = TypeVar("_T")


class _Lazy(Generic[_T]):
    """A value made when it is first asked for. `cached_property` takes a lock before Python 3.12,
    which costs more than most of what is made here; made twice, it is the same."""

    def __init__(self, make: Callable[[Any], _T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, entry: None, owner: type) -> Self: ...
    @overload
    def __get__(self, entry: object, owner: type) -> _T: ...
    def __get__(self, entry: object | None, owner: type) -> Self | _T:
        if entry is None:
            return self
        value = entry.__dict__[self._name] = self._make(entry)
        return value


@dataclass(frozen=True)
class Entry:
    """A checked entry: its kind, and the exact bytes that stand in the leaf."""

    kind: str
    raw: bytes
    _found: Mapping[str, Any] | re.Match[bytes] = field(repr=False, compare=False)

    @_Lazy
    def body(self) -> Mapping[str, Any]:
        """What the bytes say; made when it is asked for."""
        found = self._found
        return _SPELLINGS[self.raw[:_PREFIX]].body(found) if isinstance(found, re.Match) else found

    @_Lazy
    def leaf_hash(self) -> bytes:
        """RFC 6962 §2.1: SHA-256(0x00 || entry)."""
        return merkle.leaf_hash(self.raw)

    def __getitem__(self, member: str) -> Any:
        return self.body[member]


def _refuse_number(_: str) -> Any:
    raise ValueError("no entry holds such a number")


def _parse_integer(text: str) -> int:
    number = int(text)
    if abs(number) > MAX_SAFE_INTEGER:
        raise ValueError("not an integer that every reader understands")
    return number


_DECODER: Final = json.JSONDecoder(
    parse_int=_parse_integer, parse_float=_refuse_number, parse_constant=_refuse_number
)


def _canonical(body: Any) -> bytes:
    """RFC 8785 of a value whose canonical text is ASCII and which holds no fractions.

    There the only differences between it and `json.dumps` are order and spaces; ten times faster.
    """
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def parse_entry(raw: bytes) -> Entry:
    """The entry in `raw`, or EntryMalformed / EntryKindUnknown. Only canonical bytes pass."""
    spelling = _SPELLINGS.get(raw[:_PREFIX])
    if spelling is not None:
        match = spelling.match(raw)
        if match is not None:
            return Entry(spelling.kind, raw, match)
    return parse_entry_slowly(raw)


def parse_entry_slowly(raw: bytes) -> Entry:
    """`parse_entry` for every kind and every fault; what says what an entry is."""
    if len(raw) > MAX_GENESIS_BYTES:
        raise EntryMalformed(reason=f"more than {MAX_ENTRY_BYTES} bytes")
    try:
        body = _DECODER.decode(raw.decode())
        _check_depth(body)
        canonical = _canonical(body) if raw.isascii() else rfc8785.dumps(body)
    except (ValueError, RecursionError, rfc8785.CanonicalizationError) as error:
        raise EntryMalformed(reason="not JSON in canonical form") from error
    if canonical != raw or not isinstance(body, dict):
        # Catches repeated members, spaces, other orders and other spellings of one value.
        raise EntryMalformed(reason="not JSON in canonical form")
    if len(raw) > MAX_ENTRY_BYTES and body.get("kind") != "genesis":
        raise EntryMalformed(reason=f"more than {MAX_ENTRY_BYTES} bytes")
    _check_body(body)
    return Entry(body["kind"], raw, body)


def make_entry(kind: str, /, **members: Any) -> Entry:
    """A new entry of `kind`. Members named like Python keywords: pass them by `**{...}`."""
    body = {"kind": kind, "v": 1, **members}
    try:
        raw = rfc8785.dumps(body)
    except (ValueError, RecursionError, rfc8785.CanonicalizationError) as error:
        raise EntryMalformed(reason="not expressible as canonical JSON") from error
    return parse_entry(raw)


def _check_depth(value: Any, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _check_depth(item, depth + 1)


def _check_body(body: Mapping[str, Any]) -> None:
    name = body.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        shown = name if is_name(name) else "?"
        raise EntryKindUnknown(kind=shown)
    if type(body.get("v")) is not int or body["v"] != 1:
        raise EntryKindUnknown(kind=f"{name}, another version")
    missing = sorted(kind.members.keys() - body.keys())
    if missing:
        raise EntryMalformed(reason=f"{name}: {missing[0]} is missing")
    optional = kind.optional.keys() & body.keys()
    if len(body) != len(kind.members) + 2 + len(optional):
        raise EntryMalformed(reason=f"{name}: it has members that its kind does not define")
    for member, check in kind.members.items():
        if not check(body[member]):
            raise EntryMalformed(reason=f"{name}: {member} is not what it must be")
    for member in optional:
        if not kind.optional[member](body[member]):
            raise EntryMalformed(reason=f"{name}: {member} is not what it must be")
    wrong = kind.rule(body)
    if wrong:
        raise EntryMalformed(reason=f"{name}: {wrong}")


# The entries of the side chains


def anchor_entry(issuer: str, anchor: bytes) -> Entry:
    """The record of a credential: nothing in it but its issuer and the 32-byte anchor."""
    return make_entry("anchor", issuer=issuer, anchor=encode_digest(anchor))


def anchor_leaf_hash(issuer: str, anchor: bytes) -> bytes:
    """The leaf hash of the anchor of a credential, rebuilt from the credential alone."""
    return anchor_entry(issuer, anchor).leaf_hash


def status_entry(issuer: str, list_url: str, digest: str, time: datetime) -> Entry:
    """The record of a status list credential; `digest` is `document_digest` of it."""
    return make_entry("status", issuer=issuer, list=list_url, digest=digest, time=encode_time(time))


def access_entry(verifier: str, commitment: bytes) -> Entry:
    """The salted commitment of an access record."""
    return make_entry("access", verifier=verifier, commitment=encode_digest(commitment))
