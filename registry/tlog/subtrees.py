"""Subtrees of a Merkle tree, and proofs that a tree contains one.

draft-ietf-plants-merkle-tree-certs-03 §4: a subtree is a run of leaves [start, end) that lies in
one complete subtree of an RFC 6962 tree from its left edge on. Mirrors take in entries by them, and
witnesses sign them. A verified proof binds a subtree's hash to the root of a tree; as everywhere,
the root means nothing without its checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence

from registry.errors import ConsistencyInvalid
from registry.limits import HASH_BYTES, MAX_PROOF_HASHES, MAX_TREE_SIZE
from registry.tlog.merkle import HashReader, node_hash, range_root


def is_subtree(start: int, end: int) -> bool:
    """§4.1: `start` is a multiple of the smallest power of two that is at least the length."""
    if not 0 <= start < end <= MAX_TREE_SIZE:
        return False
    return start & ((1 << (end - start - 1).bit_length()) - 1) == 0


def subtree_root(start: int, end: int, reader: HashReader) -> bytes:
    """MTH(D[start:end])."""
    return range_root(start, end, reader)


def subtree_consistency_proof(start: int, end: int, size: int, reader: HashReader) -> list[bytes]:
    """SUBTREE_PROOF(start, end, D[size]) of §4.4.1, leaf side first.

    With start = 0 it is the consistency proof of RFC 6962 from `end` to `size`.
    """
    if not is_subtree(start, end) or end > size:
        raise ConsistencyInvalid(reason="it is no subtree of the tree")
    path: list[bytes] = []
    begin, stop = 0, size
    known = True
    while (begin, stop) != (start, end):
        split = begin + (1 << ((stop - begin - 1).bit_length() - 1))
        if end <= split:
            path.append(range_root(split, stop, reader))
            stop = split
        elif start >= split:
            path.append(range_root(begin, split, reader))
            begin = split
        else:
            # The subtree crosses the split, so it begins where this tree does: its left part is
            # whole, and what remains is the right part of it.
            path.append(range_root(begin, split, reader))
            begin = start = split
            known = False
    if not known:
        path.append(range_root(begin, stop, reader))
    path.reverse()
    return path


def verify_subtree_consistency(
    start: int, end: int, size: int, digest: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree under `root` has the subtree [start, end) with hash `digest` (§4.4.3).

    Raises `ConsistencyInvalid`.
    """
    if not is_subtree(start, end) or not end <= size <= MAX_TREE_SIZE:
        raise ConsistencyInvalid(reason="it is no subtree of the tree")
    if len(proof) > MAX_PROOF_HASHES or any(len(h) != HASH_BYTES for h in (digest, root, *proof)):
        raise ConsistencyInvalid(reason="a hash does not have 32 bytes")
    first, last, top = start, end - 1, size - 1
    path = list(proof)
    if last == top:
        # The subtree ends where the tree does: it is a whole node of the tree.
        while first != last:
            first, last, top = first >> 1, last >> 1, top >> 1
    else:
        while first != last and last & 1:
            first, last, top = first >> 1, last >> 1, top >> 1
    if first == last:
        # The subtree's own hash is the node that the path begins with.
        from_part = from_tree = digest
    else:
        if not path:
            raise ConsistencyInvalid(reason="the proof is too short")
        from_part = from_tree = path.pop(0)
    for sibling in path:
        if top == 0:
            raise ConsistencyInvalid(reason="the proof is too long")
        if last & 1 or last == top:
            if first < last:
                from_part = node_hash(sibling, from_part)
            from_tree = node_hash(sibling, from_tree)
            while not last & 1:
                first, last, top = first >> 1, last >> 1, top >> 1
        else:
            from_tree = node_hash(from_tree, sibling)
        first, last, top = first >> 1, last >> 1, top >> 1
    if top:
        raise ConsistencyInvalid(reason="the proof is too short")
    if from_part != digest:
        raise ConsistencyInvalid(reason="it does not lead to the subtree")
    if from_tree != root:
        raise ConsistencyInvalid(reason="it does not lead to the tree")
