"""Merkle trees as RFC 6962 §2.1 (and RFC 9162 §2.1) define them, over SHA-256.

Guarantees that a verified inclusion proof binds a leaf to a root, and a verified consistency
proof binds an older root to a newer one, against whoever serves proofs. It does not say that a
root is the log's: a proof means nothing without a checkpoint that was verified by its signatures.

Leaves enter as *leaf hashes*; nothing here sees the data of an entry except `leaf_hash`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol

from registry.errors import ConsistencyInvalid, InclusionInvalid, StoreCorrupt
from registry.limits import HASH_BYTES, MAX_TREE_SIZE

EMPTY_ROOT: Final = sha256(b"").digest()
_TILE: Final = 256  # leaves under a level-0 tile (tlog-tiles)


def leaf_hash(entry: bytes) -> bytes:
    """MTH({d}) = SHA-256(0x00 || d)."""
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of each."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """MTH of a list of leaf hashes (RFC 6962 §2.1); the empty list has the hash of nothing."""
    if not leaf_hashes:
        return EMPTY_ROOT
    level = leaf_hashes
    while len(level) > 1:
        # An odd last node moves up unchanged: the split at the largest power of two makes it so.
        nodes = iter(level)
        paired = [sha256(b"\x01" + a + b).digest() for a, b in zip(nodes, nodes, strict=False)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


class HashReader(Protocol):
    """Hashes of complete subtrees: `subtree(k, i)` covers leaves [i·2^k, (i+1)·2^k)."""

    def subtree(self, level: int, index: int) -> bytes: ...


def complete_subtrees(begin: int, end: int) -> list[tuple[int, int]]:
    """The fewest complete, aligned subtrees (level, index) that cover leaves [begin, end)."""
    cover = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        cover.append((level, begin >> level))
        begin += 1 << level
    return cover


def _fold(hashes: Sequence[bytes]) -> bytes:
    """The root over subtrees of falling size, from left to right."""
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


def range_root(begin: int, end: int, reader: HashReader) -> bytes:
    """MTH(D[begin:end]), where `begin` is aligned as RFC 6962 §2.1 splits do it."""
    if begin == end:
        return EMPTY_ROOT
    return _fold([reader.subtree(level, index) for level, index in complete_subtrees(begin, end)])


def inclusion_proof(index: int, size: int, reader: HashReader, level: int = 0) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 §2.1.1: sibling hashes from the leaf to the root.

    With a `level`, only the part above the complete subtree of 2^level leaves that `index` is in.
    """
    if not 0 <= index < size <= MAX_TREE_SIZE:
        raise InclusionInvalid(reason="the index does not lie below the size")
    if ((index >> level) + 1) << level > size:
        raise InclusionInvalid(reason="the tree has no such complete subtree")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1 << level:
        split = begin + (1 << ((end - begin - 1).bit_length() - 1))
        if index < split:
            path.append(range_root(split, end, reader))
            end = split
        else:
            path.append(range_root(begin, split, reader))
            begin = split
    path.reverse()
    return path


def consistency_proof(old: int, new: int, reader: HashReader) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 §2.1.2; empty when the sizes are equal or `old` is 0."""
    if not 0 <= old <= new <= MAX_TREE_SIZE:
        raise ConsistencyInvalid(reason="the older size is greater than the newer")
    if old in {0, new}:
        return []
    path: list[bytes] = []
    begin, end = 0, new
    known = True  # the older root is known to the verifier while we stay on the left edge
    while end != old:
        split = begin + (1 << ((end - begin - 1).bit_length() - 1))
        if old <= split:
            path.append(range_root(split, end, reader))
            end = split
        else:
            path.append(range_root(begin, split, reader))
            begin = split
            known = False
    if not known:
        path.append(range_root(begin, end, reader))
    path.reverse()
    return path


def _well_formed(hashes: Iterable[bytes]) -> bool:
    return all(len(h) == HASH_BYTES for h in hashes)


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that `proof` leads to (RFC 9162 §2.1.3.2); raises `InclusionInvalid`.

    The result is worth nothing until it equals the root of a verified checkpoint.
    """
    if not 0 <= index < size <= MAX_TREE_SIZE:
        raise InclusionInvalid(reason="the index does not lie below the size")
    if not _well_formed((leaf, *proof)):
        raise InclusionInvalid(reason="a hash does not have 32 bytes")
    node, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise InclusionInvalid(reason="the proof is too long")
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise InclusionInvalid(reason="the proof is too short")
    return result


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` stands at `index` under `root`; raises `InclusionInvalid`."""
    if root_from_inclusion(index, size, leaf, proof) != root:
        raise InclusionInvalid(reason="it leads to another root")


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of `old` leaves is a prefix of that of `new` (RFC 9162 §2.1.4.2).

    `old` = 0 is refused: from nothing, nothing follows. Who may start from nothing (a witness
    that sees a log for the first time) decides so itself.
    """
    if not 0 < old <= new <= MAX_TREE_SIZE:
        raise ConsistencyInvalid(reason="the sizes do not fit")
    if old == new:
        if proof:
            raise ConsistencyInvalid(reason="the proof is too long")
        if old_root != new_root:
            raise ConsistencyInvalid(reason="two roots for one size")
        return
    if not _well_formed((old_root, new_root, *proof)):
        raise ConsistencyInvalid(reason="a hash does not have 32 bytes")
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)  # a power of two: the older root is itself the first node
    if not path:
        raise ConsistencyInvalid(reason="the proof is too short")
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    from_old = from_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ConsistencyInvalid(reason="the proof is too long")
        if node & 1 or node == last:
            from_old = node_hash(sibling, from_old)
            from_new = node_hash(sibling, from_new)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            from_new = node_hash(from_new, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise ConsistencyInvalid(reason="the proof is too short")
    if from_old != old_root:
        raise ConsistencyInvalid(reason="it does not lead to the older root")
    if from_new != new_root:
        raise ConsistencyInvalid(reason="it does not lead to the newer root")


@dataclass
class Frontier:
    """The right edge of a growing tree: one hash for each set bit of `size`, largest first.

    Appending needs nothing else, so a log commits in constant memory.
    """

    size: int = 0
    nodes: list[bytes] = field(default_factory=list)

    def copy(self) -> Frontier:
        return Frontier(self.size, list(self.nodes))

    def append(self, leaf: bytes) -> None:
        self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> list[bytes]:
        """Append leaf hashes; returns the hashes of the level-0 tiles that became full, in order.

        Whoever writes tiles need not hash them again.
        """
        pending = leaves if isinstance(leaves, list | tuple) else list(leaves)
        nodes, size, position = self.nodes, self.size, 0
        full = []
        while position < len(pending):
            # The largest aligned subtree that comes next, up to a tile, hashed level by level:
            # most hashes of a long run are made in one go.
            count = min(1 << ((len(pending) - position).bit_length() - 1), _TILE)
            if size:
                count = min(count, size & -size)
            result = root_of(pending[position : position + count])
            if count == _TILE:
                full.append(result)
            width, carry = count, size // count
            while carry & 1:
                result = sha256(b"\x01" + nodes.pop() + result).digest()
                carry >>= 1
                width <<= 1
                if width == _TILE:
                    full.append(result)
            nodes.append(result)
            size += count
            position += count
        self.size = size
        return full

    def root(self) -> bytes:
        return _fold(self.nodes) if self.nodes else EMPTY_ROOT

    def to_bytes(self) -> bytes:
        """8 bytes of size, then the hashes."""
        return self.size.to_bytes(8, "big") + b"".join(self.nodes)

    @classmethod
    def from_bytes(cls, data: bytes) -> Frontier:
        """Raises `StoreCorrupt` when length and size disagree."""
        size = int.from_bytes(data[:8], "big")
        if len(data) != 8 + HASH_BYTES * size.bit_count():
            raise StoreCorrupt(store="frontier", reason="its length does not fit its size")
        return cls(size, [data[i : i + HASH_BYTES] for i in range(8, len(data), HASH_BYTES)])


@dataclass(frozen=True)
class LeafReader:
    """A `HashReader` over leaf hashes in memory, for small trees and tests."""

    leaves: Sequence[bytes]

    def subtree(self, level: int, index: int) -> bytes:
        return root_of(self.leaves[index << level : (index + 1) << level])
