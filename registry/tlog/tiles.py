"""Tiles and entry bundles as c2sp.org/tlog-tiles lays them out, and compact anchor proofs.

Pure format: paths, widths, contents. A tile read from anywhere is only bytes until its hashes
lead to the root of a verified checkpoint; `TileReader` turns tiles into proofs and the verifier
of the proof checks them against the root.

**Compact anchor proof** (ours): 5 bytes of leaf index, big-endian, then either no hash or the 8
sibling hashes (32 bytes each, leaf to top) that lead from the leaf to the hash of its full
level-0 tile: 5 or 261 bytes. Whoever checks it holds the hashes of full tiles (the level-1
tiles) and the leaf hashes of the last, partial tile from a verified trust bundle. The index
fits 2^40 leaves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Final

from registry.errors import (
    BundleMalformed,
    InclusionInvalid,
    ProofMalformed,
    TileCorrupt,
    TilePathMalformed,
)
from registry.limits import HASH_BYTES
from registry.tlog.merkle import EMPTY_ROOT, leaf_hash, root_from_inclusion, root_of

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
TILE_BYTES: Final = WIDTH * HASH_BYTES
MAX_LEVEL: Final = 63  # tlog-tiles, "Merkle Tree"

INDEX_BYTES: Final = 5
COMPACT_PROOF_BYTES: Final = INDEX_BYTES + HEIGHT * HASH_BYTES

_PATH: Final = re.compile(
    # Eighteen digits are more than a log of 2^63 entries has tiles.
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?",
    re.ASCII,
)


def encode_index(index: int) -> str:
    """1234067 is `x001/x234/067` (tlog-tiles, "Merkle Tree")."""
    path = f"{index % 1000:03d}"
    while index := index // 1000:
        path = f"x{index % 1000:03d}/{path}"
    return path


@dataclass(frozen=True)
class Tile:
    """The tile `index` at `level`, of which `width` hashes exist (256: it is full).

    Level -1 is the bundle of entries beside the level-0 tile of the same index and width.
    """

    level: int
    index: int
    width: int = WIDTH

    ENTRIES = -1

    @property
    def path(self) -> str:
        level = "entries" if self.level == self.ENTRIES else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{encode_index(self.index)}{partial}"

    @property
    def full(self) -> Tile:
        return Tile(self.level, self.index)

    @property
    def start(self) -> int:
        """Of the leaves (or entries) under it, the first."""
        return self.index << (HEIGHT * (max(self.level, 0) + 1))

    @classmethod
    def parse(cls, path: str) -> Tile:
        """Raises `TilePathMalformed` for anything but the one spelling of a tile's path."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise TilePathMalformed(reason="it has another form")
        level = cls.ENTRIES if match[1] == "entries" else int(match[1])
        tile = cls(
            level,
            int(match[2].replace("/", "").replace("x", "")),
            int(match[3]) if match[3] else WIDTH,
        )
        if tile.path != path or level > MAX_LEVEL or (match[3] and tile.width >= WIDTH):
            raise TilePathMalformed(reason="a number has leading zeroes or is too large")
        return tile


def bundle_of(index: int, width: int = WIDTH) -> Tile:
    return Tile(Tile.ENTRIES, index, width)


def width_at(level: int, index: int, size: int) -> int:
    """How many hashes the tile has in a tree of `size` leaves: 0 (it must not exist) to 256."""
    count = size >> (HEIGHT * max(level, 0))
    return max(0, min(WIDTH, count - index * WIDTH))


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """The tiles of a tree of `size` leaves that differ from those at `since`, level by level.

    A tile that was full at `since` is not repeated; a partial tile is, under its new width.
    Bundles are not listed: they have the shape of level 0.
    """
    level = 0
    while count := size >> (HEIGHT * level):
        before = since >> (HEIGHT * level)
        if count != before:
            for index in range(before // WIDTH, (count + WIDTH - 1) // WIDTH):
                yield Tile(level, index, width_at(level, index, size))
        level += 1


def split_hashes(data: bytes) -> list[bytes]:
    return [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]


def parse_tile(tile: Tile, data: bytes) -> list[bytes]:
    """The hashes of `tile`; raises `TileCorrupt` when the length does not fit its width."""
    if len(data) != tile.width * HASH_BYTES:
        raise TileCorrupt(path=tile.path)
    return split_hashes(data)


def tree_of(hashes: Sequence[bytes]) -> list[Sequence[bytes]]:
    """All rows of the tree over a full tile's hashes: 256 of them, 128, …, and the tile's hash.

    Of a tile that is not full: the hashes of those subtrees that are complete.
    """
    rows: list[Sequence[bytes]] = [hashes]
    while len(row := rows[-1]) > 1:
        nodes = iter(row)
        rows.append([sha256(b"\x01" + a + b).digest() for a, b in zip(nodes, nodes, strict=False)])
    return rows


# --- entry bundles -------------------------------------------------------------------------


def frame_entries(entries: Iterable[bytes]) -> list[bytes]:
    """Entries, each behind its big-endian u16 length (tlog-tiles, "Log entries")."""
    return [len(entry).to_bytes(2, "big") + entry for entry in entries]


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """`frame_entries`, joined."""
    return b"".join(frame_entries(entries))


def decode_bundle(data: bytes, count: int | None = None) -> list[bytes]:
    """The entries of a bundle; raises `BundleMalformed` when cut off or not `count` of them."""
    entries = []
    position, end = 0, len(data)
    while position < end:
        begin = position + 2
        position = begin + int.from_bytes(data[begin - 2 : begin], "big")
        if position > end or begin > end:
            raise BundleMalformed(reason="it is cut off")
        entries.append(data[begin:position])
    if count is not None and len(entries) != count:
        raise BundleMalformed(reason="it has another number of entries")
    return entries


# --- reading hashes from tiles -------------------------------------------------------------


@dataclass(frozen=True)
class TileReader:
    """A `merkle.HashReader` for the tree of `size` leaves over a source of tiles.

    `hashes(tile)` gives the hashes of a tile of this very width, or of a wider one.
    """

    size: int
    hashes: Callable[[Tile], Sequence[bytes]]

    def subtree(self, level: int, index: int) -> bytes:
        tile_level, inner = divmod(level, HEIGHT)
        first = index << inner  # in units of the tile's hashes
        tile_index, offset = divmod(first, WIDTH)
        tile = Tile(tile_level, tile_index, width_at(tile_level, tile_index, self.size))
        end = offset + (1 << inner)
        found = self.hashes(tile) if end <= tile.width else ()
        if len(found) < end:
            raise TileCorrupt(path=tile.path)
        return root_of(found[offset:end])


@dataclass
class TileStack:
    """Builds all tiles of a growing tree; holds only the unfinished tile of each level."""

    size: int = 0
    levels: list[list[bytes]] = field(default_factory=list)

    def extend(
        self, leaves: Iterable[bytes], full: Sequence[bytes] | None = None
    ) -> Iterator[tuple[Tile, list[bytes]]]:
        """Append leaf hashes; yields every tile that becomes full. Exhaust the iterator.

        `full`: the hashes of the level-0 tiles that become full, where they are known already.
        """
        pending = leaves if isinstance(leaves, list) else list(leaves)
        known = iter(full) if full is not None else None
        position = 0
        while position < len(pending):
            if not self.levels:
                self.levels.append([])
            part = pending[position : position + WIDTH - len(self.levels[0])]
            position += len(part)
            self.size += len(part)
            self.levels[0] += part
            level = 0
            while len(hashes := self.levels[level]) == WIDTH:
                self.levels[level] = []
                yield Tile(level, (self.size >> (HEIGHT * (level + 1))) - 1), hashes
                level += 1
                if level == len(self.levels):
                    self.levels.append([])
                done = next(known) if known is not None and level == 1 else root_of(hashes)
                self.levels[level].append(done)

    def partials(self) -> Iterator[tuple[Tile, list[bytes]]]:
        """The unfinished tiles that exist at this size; a tile without hashes does not."""
        for level, hashes in enumerate(self.levels):
            if hashes:
                index = self.size >> (HEIGHT * (level + 1))
                yield Tile(level, index, len(hashes)), list(hashes)

    def root(self) -> bytes:
        result: bytes | None = None
        for hashes in self.levels:
            # The right edge so far is shorter than any hash of this level: it comes last.
            row = hashes if result is None else [*hashes, result]
            if row:
                result = root_of(row)
        return EMPTY_ROOT if result is None else result

    def copy(self) -> TileStack:
        return TileStack(self.size, [list(level) for level in self.levels])


# --- compact anchor proofs -----------------------------------------------------------------


@dataclass(frozen=True)
class CompactProof:
    """Leaf index, and the 8 siblings up to the tile's hash or none (see the module)."""

    index: int
    siblings: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.index < 1 << (8 * INDEX_BYTES):
            raise ProofMalformed(reason="the index does not fit 5 bytes")
        if len(self.siblings) not in {0, HEIGHT}:
            raise ProofMalformed(reason="it has neither 0 nor 8 hashes")
        if any(len(h) != HASH_BYTES for h in self.siblings):
            raise ProofMalformed(reason="a hash does not have 32 bytes")

    @cached_property
    def tile_index(self) -> int:
        """Which level-0 tile the leaf lies in: the position of that tile's hash in level 1."""
        return self.index >> HEIGHT

    @classmethod
    def build(cls, index: int, tile_leaves: Sequence[bytes]) -> CompactProof:
        """From the leaf hashes of the leaf's level-0 tile; without siblings while it is partial."""
        if len(tile_leaves) < WIDTH:
            return cls(index)
        return cls.from_tree(index, tree_of(tile_leaves[:WIDTH]))

    @classmethod
    def from_tree(cls, index: int, tree: Sequence[Sequence[bytes]]) -> CompactProof:
        """From the `tree_of` the leaf's full level-0 tile."""
        leaf = index % WIDTH
        return cls(index, tuple(tree[k][(leaf >> k) ^ 1] for k in range(HEIGHT)))

    def encode(self) -> bytes:
        return self.index.to_bytes(INDEX_BYTES, "big") + b"".join(self.siblings)

    @classmethod
    def decode(cls, data: bytes) -> CompactProof:
        """Raises `ProofMalformed`."""
        if len(data) not in {INDEX_BYTES, COMPACT_PROOF_BYTES}:
            raise ProofMalformed(reason="it has neither 5 nor 261 bytes")
        return cls(
            int.from_bytes(data[:INDEX_BYTES], "big"), tuple(split_hashes(data[INDEX_BYTES:]))
        )

    def check_tile_hash(self, leaf: bytes, tile_hash: bytes) -> None:
        """Check against the hash of the full level-0 tile `tile_index`; raises `InclusionInvalid`.

        A proof without siblings cannot be checked so: it was made while the tile was partial,
        and `ProofMalformed` tells the caller to ask for a newer one.
        """
        if not self.siblings:
            raise ProofMalformed(reason="it was made before its tile was full")
        if root_from_inclusion(self.index % WIDTH, WIDTH, leaf, self.siblings) != tile_hash:
            raise InclusionInvalid(reason="it leads to another tile hash")

    def check_tile_leaves(self, leaf: bytes, tile_leaves: Sequence[bytes]) -> None:
        """Check against leaf hashes of level-0 tile `tile_index`; raises `InclusionInvalid`.

        `tile_leaves` may be the partial tile of a trust bundle; siblings are not needed then.
        """
        position = self.index % WIDTH
        if position >= len(tile_leaves):
            raise InclusionInvalid(reason="the tile does not reach to its index")
        if tile_leaves[position] != leaf:
            raise InclusionInvalid(reason="another entry stands at its index")


def compact_proofs(tile_index: int, tile_leaves: Sequence[bytes]) -> list[CompactProof]:
    """The proofs of all leaves of one full level-0 tile at once, for bulk issuance."""
    first = tile_index * WIDTH
    if len(tile_leaves) < WIDTH:
        return [CompactProof(first + leaf) for leaf in range(len(tile_leaves))]
    tree = tree_of(tile_leaves)
    return [CompactProof.from_tree(first + leaf, tree) for leaf in range(WIDTH)]


def encode_compact_proofs(tile_index: int, tree: Sequence[Sequence[bytes]]) -> list[bytes]:
    """The encoded proofs of all leaves of a full level-0 tile, from its `tree_of`.

    Neighbours share the upper part of their paths, so it is put together once, from the top.
    """
    paths = [b""]
    for row in reversed(tree[:HEIGHT]):
        paths = [row[node ^ 1] + paths[node >> 1] for node in range(len(row))]
    first = tile_index * WIDTH
    return [index.to_bytes(INDEX_BYTES, "big") + path for index, path in enumerate(paths, first)]


def check_bundle(bundle: Tile, data: bytes, leaves: Sequence[bytes]) -> list[bytes]:
    """The entries of `bundle`, checked against the leaf hashes of its level-0 tile.

    Raises `BundleMalformed` or `TileCorrupt`.
    """
    entries = decode_bundle(data, bundle.width)
    for entry, leaf in zip(entries, leaves, strict=False):
        if leaf_hash(entry) != leaf:
            raise TileCorrupt(path=bundle.path)
    if len(leaves) < len(entries):
        raise TileCorrupt(path=bundle.path)
    return entries
