"""Subtrees and their proofs: every subtree of small trees, and every way to break a proof."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import ConsistencyInvalid
from registry.tlog.merkle import LeafReader, consistency_proof, inclusion_proof, root_of
from registry.tlog.subtrees import (
    is_subtree,
    subtree_consistency_proof,
    subtree_root,
    verify_subtree_consistency,
)

LEAVES = [sha256(bytes([i])).digest() for i in range(64)]
READER = LeafReader(LEAVES)


def subtrees(size: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(size) for b in range(a + 1, size + 1) if is_subtree(a, b)]


def test_which_runs_are_subtrees() -> None:
    # draft-ietf-plants-merkle-tree-certs-03 §4.1
    assert is_subtree(0, 13)
    assert is_subtree(8, 13)
    assert is_subtree(5, 6)
    assert not is_subtree(4, 9)
    assert not is_subtree(3, 5)
    assert not is_subtree(5, 5)
    assert not is_subtree(-1, 2)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 14, 33])
def test_every_subtree_of_a_tree(size: int) -> None:
    root = root_of(LEAVES[:size])
    for start, end in subtrees(size):
        digest = subtree_root(start, end, READER)
        assert digest == root_of(LEAVES[start:end])
        proof = subtree_consistency_proof(start, end, size, READER)
        verify_subtree_consistency(start, end, size, digest, root, proof)
        if start == 0:
            assert proof == consistency_proof(end, size, READER)
        if end == start + 1:
            assert proof == inclusion_proof(start, size, READER)
        for broken in ([*proof, root], proof[:-1], [bytes(32), *proof[1:]]):
            if broken != proof:
                with pytest.raises(ConsistencyInvalid):
                    verify_subtree_consistency(start, end, size, digest, root, broken)
        with pytest.raises(ConsistencyInvalid):
            verify_subtree_consistency(start, end, size, bytes(32), root, proof)
        with pytest.raises(ConsistencyInvalid):
            verify_subtree_consistency(start, end, size, digest, bytes(32), proof)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_proof_holds_for_its_own_subtree_only(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 64))
    start, end = data.draw(st.sampled_from(subtrees(size)))
    other = data.draw(st.sampled_from(subtrees(size)))
    proof = subtree_consistency_proof(start, end, size, READER)
    root, digest = root_of(LEAVES[:size]), root_of(LEAVES[start:end])
    if other == (start, end):
        verify_subtree_consistency(*other, size, digest, root, proof)
    else:
        with pytest.raises(ConsistencyInvalid):
            verify_subtree_consistency(*other, size, digest, root, proof)


def test_what_is_no_subtree_has_no_proof() -> None:
    with pytest.raises(ConsistencyInvalid):
        subtree_consistency_proof(3, 5, 8, READER)
    with pytest.raises(ConsistencyInvalid):
        subtree_consistency_proof(0, 9, 8, READER)
    with pytest.raises(ConsistencyInvalid):
        verify_subtree_consistency(0, 1, 1, b"short", bytes(32), [])
