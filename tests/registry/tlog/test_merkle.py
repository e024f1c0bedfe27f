"""RFC 6962 trees: the published vectors, and a naive tree written from the definition."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import ConsistencyInvalid, InclusionInvalid, StoreCorrupt
from registry.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    LeafReader,
    complete_subtrees,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    range_root,
    root_of,
    verify_consistency,
    verify_inclusion,
)

ROOT = Path(__file__).resolve().parents[3]
VECTORS = Path(os.environ.get("ZL_VECTORS", ROOT.parent / "shared" / "vectors")) / "rfc6962-merkle"


def cases(kind: str) -> list[Any]:
    files = sorted((VECTORS / kind).rglob("*.json"))
    if not files:
        return [pytest.param(None, marks=pytest.mark.skip(reason="no vectors at ZL_VECTORS"))]
    return [pytest.param(f, id=str(f.relative_to(VECTORS))) for f in files]


def decoded(value: str | None) -> bytes:
    return base64.b64decode(value or "")


@pytest.mark.parametrize("file", cases("inclusion"))
def test_inclusion_vector(file: Path) -> None:
    case = json.loads(file.read_text())
    arguments = (
        case["leafIdx"],
        case["treeSize"],
        decoded(case["leafHash"]),
        [decoded(h) for h in case["proof"] or []],
        decoded(case["root"]),
    )
    if case["wantErr"]:
        with pytest.raises(InclusionInvalid):
            verify_inclusion(*arguments)
    else:
        verify_inclusion(*arguments)


@pytest.mark.parametrize("file", cases("consistency"))
def test_consistency_vector(file: Path) -> None:
    case = json.loads(file.read_text())
    arguments = (
        case["size1"],
        case["size2"],
        decoded(case["root1"]),
        decoded(case["root2"]),
        [decoded(h) for h in case["proof"] or []],
    )
    if case["wantErr"]:
        with pytest.raises(ConsistencyInvalid):
            verify_consistency(*arguments)
    else:
        verify_consistency(*arguments)


@pytest.mark.skipif(not VECTORS.is_dir(), reason="no vectors at ZL_VECTORS")
def test_all_vectors_are_there() -> None:
    assert len(cases("inclusion")) == 98
    assert len(cases("consistency")) == 98


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(m: int, leaves: list[bytes], complete: bool = True) -> list[bytes]:
    if m == len(leaves):
        return [] if complete else [naive_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_proof(m, leaves[:k], complete), naive_root(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], False), naive_root(leaves[:k])]


LEAVES = [leaf_hash(i.to_bytes(2, "big")) for i in range(70)]


@pytest.mark.parametrize("size", range(71))
def test_roots_and_proofs_match_the_definition(size: int) -> None:
    leaves = LEAVES[:size]
    reader = LeafReader(leaves)
    root = naive_root(leaves)
    assert root_of(leaves) == root
    assert range_root(0, size, reader) == root
    for index in range(size):
        proof = inclusion_proof(index, size, reader)
        assert proof == naive_path(index, leaves)
        verify_inclusion(index, size, leaves[index], proof, root)
    for old in range(1, size + 1):
        proof = consistency_proof(old, size, reader)
        assert proof == naive_proof(old, leaves)
        verify_consistency(old, size, naive_root(leaves[:old]), root, proof)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.data())
def test_any_changed_bit_breaks_a_proof(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    reader = LeafReader(LEAVES[:size])
    root = root_of(LEAVES[:size])
    proof = inclusion_proof(index, size, reader)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, 255))
        changed = (int.from_bytes(proof[at], "big") ^ (1 << bit)).to_bytes(32, "big")
        with pytest.raises(InclusionInvalid):
            verify_inclusion(
                index, size, LEAVES[index], [*proof[:at], changed, *proof[at + 1 :]], root
            )
    with pytest.raises(InclusionInvalid):
        verify_inclusion(index, size, leaf_hash(b"another"), proof, root)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20), max_size=8))
def test_frontier_grows_to_the_same_root(steps: list[int]) -> None:
    frontier = Frontier()
    done = 0
    for step in steps:
        batch = [leaf_hash(b"%d" % i) for i in range(done, done + step)]
        frontier.extend(batch)
        done += step
        assert Frontier.from_bytes(frontier.to_bytes()) == frontier
    assert frontier.size == done
    assert frontier.root() == naive_root([leaf_hash(b"%d" % i) for i in range(done)])


def test_a_cut_frontier_is_refused() -> None:
    frontier = Frontier()
    frontier.extend(LEAVES[:5])
    with pytest.raises(StoreCorrupt):
        Frontier.from_bytes(frontier.to_bytes()[:-1])


def test_complete_subtrees_cover_without_gap() -> None:
    for end in range(1, 40):
        at = 0
        for level, index in complete_subtrees(0, end):
            assert index << level == at
            at += 1 << level
        assert at == end


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 5), (6, 5), (-1, 5)])
def test_consistency_from_nothing_or_backwards_is_refused(old: int, new: int) -> None:
    with pytest.raises(ConsistencyInvalid):
        verify_consistency(old, new, EMPTY_ROOT, root_of(LEAVES[:5]), [])


def test_sizes_outside_the_tree_are_refused() -> None:
    reader = LeafReader(LEAVES[:5])
    with pytest.raises(InclusionInvalid):
        inclusion_proof(5, 5, reader)
    with pytest.raises(ConsistencyInvalid):
        consistency_proof(6, 5, reader)
