"""Entries have one spelling, and the table decides what may be said."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.dids import did_document
from credentials.keys import PrivateKey
from registry.errors import EntryKindUnknown, EntryMalformed, GenesisInvalid
from registry.ledger.entries import (
    _canonical,
    access_entry,
    anchor_entry,
    anchor_leaf_hash,
    make_entry,
    parse_entry,
    status_entry,
)
from registry.ledger.genesis import Genesis, GenesisNode
from registry.ledger.kinds import KINDS, heads_fit
from registry.ledger.members import (
    MAX_SAFE_INTEGER,
    decode_digest,
    decode_time,
    document_digest,
    encode_digest,
)
from registry.limits import MAX_ENTRY_BYTES, MAX_GENESIS_BYTES, MAX_SIDE_CHAINS
from registry.tlog.merkle import leaf_hash
from registry.tlog.note import ED25519, ED25519_COSIGNATURE, ML_DSA_44, NoteSigner

NETWORK = "test.example"
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
ISSUER = "did:web:issuer.example"


def node(number: int, *, seed: int | None = None) -> GenesisNode:
    name = f"n{number}"
    key = bytes([seed or number]) * 32
    signer = NoteSigner.from_seed(f"{NETWORK}/nodes/{name}", key, ED25519_COSIGNATURE)
    return GenesisNode(name, {"zh-CN": "节点", "en": "Node"}, signer.key.encode())


def genesis(**changes: Any) -> Genesis:
    log = NoteSigner.from_seed(f"{NETWORK}/main", bytes([99]) * 32, ED25519)
    values: dict[str, Any] = {
        "network": NETWORK,
        "operator": "did:key:zDnaeSomething",
        "log_key": log.key.encode(),
        "nodes": tuple(node(n + 1) for n in range(4)),
        "quorum": 3,
        "created": NOW,
        **changes,
    }
    return Genesis.create(**values)


def verifier_entry(**changes: Any) -> dict[str, Any]:
    key = PrivateKey.from_seed("P-256", b"a verifier of tests").public_key
    did = "did:web:desk.example"
    return {
        "kind": "verifier",
        "v": 1,
        "did": did,
        "name": {"zh-CN": "窗口", "en": "Counter"},
        "document": did_document(did, {"k": key}),
        "from": "2026-01-01T00:00:00Z",
        "to": None,
        **changes,
    }


def test_an_entry_is_its_canonical_bytes() -> None:
    entry = anchor_entry(ISSUER, bytes(32))
    assert parse_entry(entry.raw) == entry
    assert entry.leaf_hash == leaf_hash(entry.raw)
    assert entry.raw == rfc8785.dumps(json.loads(entry.raw))


def test_an_anchors_leaf_is_rebuilt_from_issuer_and_anchor() -> None:
    anchor = bytes(range(32))
    assert anchor_leaf_hash(ISSUER, anchor) == anchor_entry(ISSUER, anchor).leaf_hash
    assert anchor_leaf_hash(ISSUER + "2", anchor) != anchor_entry(ISSUER, anchor).leaf_hash


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw + b"\n",
        lambda raw: raw.replace(b":", b": ", 1),
        lambda raw: raw.replace(b'"v":1', b'"v":1.0'),
        lambda raw: raw.replace(b'"v":1', b'"v":1,"v":1'),
        lambda raw: raw.replace(b'{"anchor"', b'{"x":1,"anchor"'),
        lambda raw: raw.replace(b"issuer.example", b"issuer\\u002eexample"),
        lambda raw: b"[" + raw + b"]",
        lambda raw: raw[:-1],
        lambda raw: b"",
        lambda raw: b"\xff" + raw,
        lambda raw: b"[" * 4000 + b"]" * 4000,
        lambda raw: raw.replace(b"did:web:issuer.example", b"\\ud800"),
        lambda raw: b'{"kind":"anchor","v":NaN}',
        lambda raw: b'{"kind":"anchor","v":1e999}',
    ],
)
def test_other_spellings_are_refused(spoil: Any) -> None:
    with pytest.raises(EntryMalformed):
        parse_entry(spoil(anchor_entry(ISSUER, bytes(32)).raw))


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(raw: bytes) -> None:
    with pytest.raises(EntryMalformed):
        parse_entry(raw)


@settings(max_examples=200)
@given(st.integers(0, 1000), st.integers(0, 255))
def test_a_changed_byte_never_gives_the_same_leaf(position: int, value: int) -> None:
    raw = bytearray(anchor_entry(ISSUER, bytes(range(32))).raw)
    position %= len(raw)
    if raw[position] == value:
        return
    original = anchor_entry(ISSUER, bytes(range(32))).leaf_hash
    raw[position] = value
    with suppress(EntryMalformed):
        assert parse_entry(bytes(raw)).leaf_hash != original


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(max_codepoint=127), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=300)
@given(JSON_VALUES)
def test_the_fast_way_to_canonical_ascii_is_rfc8785(value: Any) -> None:
    canonical = rfc8785.dumps(value)
    assert canonical.isascii()
    assert _canonical(value) == canonical


def test_unknown_kinds_and_versions_are_refused() -> None:
    for body in (
        {"kind": "wish", "v": 1},
        {"kind": "anchor", "v": 2, "issuer": ISSUER, "anchor": encode_digest(bytes(32))},
        {"kind": "anchor", "v": True, "issuer": ISSUER, "anchor": encode_digest(bytes(32))},
        {"v": 1},
        {"kind": ["anchor"], "v": 1},
    ):
        with pytest.raises(EntryKindUnknown):
            parse_entry(rfc8785.dumps(body))


def test_an_entry_has_at_most_8_kib() -> None:
    with pytest.raises(EntryMalformed):
        parse_entry(rfc8785.dumps({"kind": "anchor", "v": 1, "x": "a" * MAX_ENTRY_BYTES}))


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": 1},
        {"did": "did:web:another.example"},
        {"did": "https://desk.example"},
        {"name": {"en": "Counter"}},
        {"name": {"zh-CN": "窗口", "en": "Coun\nter"}},
        {"name": {"zh-CN": "窗口", "en": "x" * 401}},
        {"from": "2026-01-01"},
        {"from": "2026-13-01T00:00:00Z"},
        {"from": "2026-01-01T00:00:00.000Z"},
        {"to": "2025-01-01T00:00:00Z"},
        {"to": 5},
        {"document": {}},
        {"document": {"id": "did:web:desk.example", "verificationMethod": []}},
    ],
)
def test_members_are_what_they_must_be(changes: dict[str, Any]) -> None:
    with pytest.raises(EntryMalformed):
        parse_entry(rfc8785.dumps(verifier_entry(**changes)))


def test_a_verifier_entry_passes_and_its_members_are_all_needed() -> None:
    whole = verifier_entry()
    parse_entry(rfc8785.dumps(whole))
    for member in set(whole) - {"kind", "v"}:
        with pytest.raises(EntryMalformed):
            parse_entry(rfc8785.dumps({k: v for k, v in whole.items() if k != member}))


def test_digests_and_times_have_one_spelling() -> None:
    assert decode_digest(encode_digest(b"abc")) == b"abc"
    for text in ("", "abc", "uYW J", "uYWJj=", "uYWJ+", "uYWK"[:-1] + "L", "zabc"):
        with pytest.raises(ValueError, match="not"):
            decode_digest(text, 32)
    with pytest.raises(ValueError, match="canonical"):
        decode_digest("uYR")  # spare bits
    with pytest.raises(ValueError, match="canonical"):
        decode_time("2026-1-01T00:00:00Z")


def test_side_chain_entries() -> None:
    document = {"id": "https://issuer.example/status/1", "n": [1, "二"]}
    status = status_entry(ISSUER, document["id"], document_digest(document), NOW)
    assert status["time"] == "2026-11-22T09:00:00Z"
    assert access_entry("did:web:desk.example", bytes(32)).kind == "access"
    with pytest.raises(EntryMalformed):
        anchor_entry(ISSUER, bytes(31))
    with pytest.raises(EntryMalformed):
        status_entry(ISSUER, "ftp://issuer.example", document_digest(document), NOW)
    with pytest.raises(EntryMalformed):
        make_entry("status", issuer=ISSUER, list=document["id"], digest="u" + "A" * 43, time="x")


def test_every_kind_says_who_may_write_it_where() -> None:
    for kind in KINDS.values():
        assert kind.chains
        assert kind.owner is None or kind.owner in kind.members


def test_genesis_survives_its_file(tmp_path: Path) -> None:
    made = genesis()
    made.save(tmp_path / "genesis.json")
    assert Genesis.load(tmp_path / "genesis.json") == made
    assert made.policy.check  # the policy parses
    with pytest.raises(FileExistsError):
        made.save(tmp_path / "genesis.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"quorum": 2},  # two quorums of 2 in 4 share nobody
        {"quorum": 5},
        {"quorum": 0},
        {"nodes": ()},
        {"nodes": (node(1), node(1), node(2), node(3))},
        {"nodes": (node(1), node(2, seed=1), node(3), node(4))},  # one key under two names
        {"network": "other.example"},
        {"network": "UPPER"},
        {"operator": "operator"},
        {"log_key": node(1).vkey},
    ],
)
def test_a_genesis_that_does_not_protect_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(GenesisInvalid):
        genesis(**changes)


def test_a_damaged_genesis_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    raw = genesis().entry.raw
    for spoiled in (b"", raw[:-5], raw.replace(b'"quorum":3', b'"quorum":2'), b"\x00" * 9000):
        path.write_bytes(spoiled)
        with pytest.raises(GenesisInvalid):
            Genesis.load(path)
    with pytest.raises(GenesisInvalid):
        Genesis.load(tmp_path / "absent.json")


# --- keys of ML-DSA-44 ------------------------------------------------------------------------


def ml_dsa(name: str, seed: int) -> str:
    return NoteSigner.from_seed(f"{NETWORK}/{name}", bytes([seed]) * 32, ML_DSA_44).key.encode()


def both(number: int, *, name: str | None = None, seed: int = 0) -> GenesisNode:
    one = node(number)
    return replace(one, ml_dsa_key=ml_dsa(name or f"nodes/n{number}", seed or number))


def test_a_genesis_names_both_kinds_of_keys(tmp_path: Path) -> None:
    nodes = tuple(both(n + 1) for n in range(16))
    made = genesis(nodes=nodes, quorum=11, log_ml_dsa_key=ml_dsa("main", 99))
    assert MAX_ENTRY_BYTES < len(made.entry.raw) <= MAX_GENESIS_BYTES
    made.save(tmp_path / "genesis.json")
    assert Genesis.load(tmp_path / "genesis.json") == made
    assert [key.type for key in made.log_keys] == [ED25519, ML_DSA_44]
    assert all(len(one.keys) == 2 for one in made.nodes)
    assert len(made.policy.groups) == 17
    assert len(made.post_quantum_policy.witnesses) == 16
    assert {key.type for key in made.post_quantum_policy.logs} == {ML_DSA_44}


def test_without_them_it_works_as_before() -> None:
    made = genesis()
    assert [key.type for key in made.log_keys] == [ED25519]
    with pytest.raises(GenesisInvalid):
        _ = made.post_quantum_policy
    some = genesis(nodes=(both(1), node(2), node(3), node(4)))
    assert set(some.policy.groups) == {"n1", "nodes"}


@pytest.mark.parametrize(
    "changes",
    [
        {"log_ml_dsa_key": ml_dsa("else", 99)},  # named like another log
        {"log_ml_dsa_key": node(9).vkey},
        {"nodes": (both(1, name="nodes/n2"), node(2), node(3), node(4))},
        {"nodes": (both(1), both(2, seed=1), node(3), node(4))},  # one key under two names
        {
            "nodes": (both(1, seed=99), node(2), node(3), node(4)),
            "log_ml_dsa_key": ml_dsa("main", 99),
        },
    ],
)
def test_ml_dsa_keys_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(GenesisInvalid):
        genesis(**changes)


def test_nothing_but_the_genesis_may_be_as_large() -> None:
    raw = rfc8785.dumps({"kind": "resource", "v": 1, "x": "a" * MAX_ENTRY_BYTES})
    with pytest.raises(EntryMalformed, match="more than"):
        parse_entry(raw)
    with pytest.raises(EntryMalformed, match="more than"):
        parse_entry(rfc8785.dumps({"kind": "genesis", "v": 1, "x": "a" * MAX_GENESIS_BYTES}))


@pytest.mark.parametrize("length", [20, 80, 120, 190, 1000])
def test_what_fits_into_a_checkpoint_is_told_before(length: int) -> None:
    """By the largest numbers: it must fit at the end of the chain's life, too."""

    def origins(count: int) -> list[str]:
        part = "a" * 60
        start = [f"n/{number:03d}" for number in range(count)]
        return [(one + f"/{part}" * 20)[:length].rstrip("/") for one in start]

    most = max(count for count in range(100) if heads_fit(origins(count)))
    assert most == MAX_SIDE_CHAINS or length > 80
    named = origins(most)
    made = make_entry(
        "checkpoint",
        origin=named[-1],
        size=MAX_SAFE_INTEGER,
        root=encode_digest(bytes(32)),
        start=MAX_SAFE_INTEGER - 1,
        end=MAX_SAFE_INTEGER,
        subtree=encode_digest(bytes(32)),
        rules={"count": MAX_SAFE_INTEGER, "last": MAX_SAFE_INTEGER},
        heads=dict.fromkeys(named, MAX_SAFE_INTEGER),
        lists=document_digest({}),
    )
    assert len(made.raw) <= MAX_ENTRY_BYTES
