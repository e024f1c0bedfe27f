"""Reading a log: tiles, bundles, entries and proofs of what has been integrated.

Guarantees that nothing is handed out that does not hash to the committed root: a tile is checked
against the tile above it, up to the right edge of the tree, which is checked against the root in
the durable record when it is loaded. A damaged file raises `TileCorrupt` or `EntryCorrupt`.

It says nothing about *which* root the world has agreed on; that is in the published checkpoint.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, Protocol

from registry.errors import BundleMalformed, EntryCorrupt, OutOfRange, TileCorrupt, TileMissing
from registry.storage import Block
from registry.tlog import merkle
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.merkle import leaf_hash, root_of
from registry.tlog.tiles import (
    HEIGHT,
    WIDTH,
    CompactProof,
    Tile,
    TileStack,
    check_bundle,
    encode_bundle,
    encode_compact_proofs,
    parse_tile,
    tree_of,
    width_at,
)

_Tree = Sequence[Sequence[bytes]]

_MANY: Final = 16  # proofs of one tile, from which on all of them are made at once
_CACHED_TILES: Final = 1024  # 511 hashes each: about 40 MiB


class Record(Protocol):
    """What a view needs of a durable record; every `Store` has it, and so has a node's mirror."""

    @property
    def origin(self) -> str: ...

    def entries(self, start: int, end: int) -> Iterator[tuple[int, list[bytes]]]: ...

    def find(self, leaves: Sequence[bytes]) -> dict[bytes, int]: ...

    def blocks(self, start: int = 0, limit: int = 100) -> list[Block]: ...

    def root_at(self, size: int) -> bytes | None: ...

    def integrated(self) -> int: ...

    def close(self) -> None: ...


class TileSource(Protocol):
    """Where a view reads tiles and bundles; what it reads is checked."""

    def read(self, tile: Tile) -> bytes:
        """Raises `TileMissing`."""
        ...


class LogView:
    """Thread-safe. `size` and `root` are those of the newest tree whose tiles are all written."""

    def __init__(self, store: Record, files: TileSource, stack: TileStack) -> None:
        """`stack` must be the verified right edge of the integrated tree (see `load_edge`)."""
        self._store = store
        self._files = files
        self._edge = stack
        self._edge_trees: tuple[TileStack, dict[int, _Tree]] = (stack, {})
        self._cache: OrderedDict[Tile, _Tree] = OrderedDict()
        self._cache_lock = threading.Lock()

    @property
    def origin(self) -> str:
        return self._store.origin

    @property
    def size(self) -> int:
        return self._edge.size

    @property
    def checkpoint(self) -> Checkpoint:
        """The integrated tree, unsigned."""
        edge = self._edge
        return Checkpoint(self.origin, edge.size, edge.root())

    def edge(self) -> TileStack:
        """A copy of the right edge, to build on."""
        return self._edge.copy()

    def advance(self, stack: TileStack) -> None:
        """Show the tree up to `stack`, whose tiles are durably written."""
        self._edge = stack

    def refresh(self) -> bool:
        """Show what another process has integrated since; True when there is more.

        For views beside a writer. Raises what `load_edge` raises; then all stays as it is.
        """
        if self._store.integrated() <= self.size:
            return False
        self.advance(load_edge(self._store, self._files))
        return True

    def close(self) -> None:
        """Release the store of a view that `Log.open_view` made."""
        self._store.close()

    # --- tiles and bundles ---

    def hashes(self, tile: Tile) -> Sequence[bytes]:
        """The hashes of a tile, checked; raises `TileMissing` and `TileCorrupt`."""
        edge = self._edge
        width = width_at(tile.level, tile.index, edge.size)
        if tile.level < 0 or tile.width > width:
            raise TileMissing(path=tile.path)
        if width < WIDTH:
            return edge.levels[tile.level][: tile.width]
        full = self._tree(tile.full)[0]
        return full if tile.width == WIDTH else full[: tile.width]

    def _tree(self, tile: Tile) -> _Tree:
        """The tree under a full tile's hash, checked against the tile above."""
        with self._cache_lock:
            if tile in self._cache:
                self._cache.move_to_end(tile)
                return self._cache[tile]
        tree = tree_of(parse_tile(tile, self._files.read(tile)))
        above, position = divmod(tile.index, WIDTH)
        parents = self.hashes(Tile(tile.level + 1, above, position + 1))
        if tree[-1][0] != parents[position]:
            raise TileCorrupt(path=tile.path)
        with self._cache_lock:
            self._cache[tile] = tree
            if len(self._cache) > _CACHED_TILES:
                self._cache.popitem(last=False)
        return tree

    def subtree(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree (`merkle.HashReader`) of the integrated tree."""
        tile_level, inner = divmod(level, HEIGHT)
        tile_index, offset = divmod(index << inner, WIDTH)
        edge = self._edge
        width = width_at(tile_level, tile_index, edge.size)
        if width == WIDTH:
            return self._tree(Tile(tile_level, tile_index))[inner][offset >> inner]
        if offset + (1 << inner) > width:
            raise TileMissing(path=Tile(tile_level, tile_index, offset + (1 << inner)).path)
        return self._edge_tree(edge, tile_level)[inner][offset >> inner]

    def _edge_tree(self, edge: TileStack, level: int) -> _Tree:
        """What is complete of the tree under an unfinished tile: nearly every proof asks for it."""
        of, trees = self._edge_trees
        if of is not edge:
            trees = {}
            self._edge_trees = (edge, trees)
        if level not in trees:
            trees[level] = tree_of(edge.levels[level])
        return trees[level]

    def tile(self, tile: Tile) -> bytes:
        """The bytes to serve under `tile.path`, of a tile or a bundle of entries."""
        if tile.level == Tile.ENTRIES:
            return self._bundle(tile)
        return b"".join(self.hashes(tile))

    def _bundle(self, bundle: Tile) -> bytes:
        leaves = self.hashes(Tile(0, bundle.index, bundle.width))
        if bundle.width == width_at(0, bundle.index, self.size):
            try:
                data = self._files.read(bundle)
                check_bundle(bundle, data, leaves)
                return data
            except BundleMalformed as error:
                raise TileCorrupt(path=bundle.path) from error
            except TileMissing:
                if bundle.width == WIDTH:
                    raise
                # The tree grew meanwhile and the partial file is gone.
        first = bundle.index * WIDTH
        return encode_bundle(self.entries(first, first + bundle.width))

    # --- entries ---

    def _check_range(self, what: str, start: int, end: int) -> None:
        size = self.size
        if not 0 <= start <= end <= size:
            raise OutOfRange(what=what, asked=end if start <= end else start, size=size)

    def entries(self, start: int, end: int) -> list[bytes]:
        """Entries [start, end), checked against their leaf hashes.

        Raises `OutOfRange`, `EntryCorrupt` and `TileCorrupt`.
        """
        return list(self.iterate(start, end))

    def iterate(self, start: int, end: int) -> Iterator[bytes]:
        """Like `entries`, in constant memory."""
        self._check_range("Entry", start, end)
        for first, batch in self._store.entries(start, end):
            leaves = self.leaf_hashes(first, first + len(batch))
            for index, (entry, leaf) in enumerate(zip(batch, leaves, strict=True), first):
                if leaf_hash(entry) != leaf:
                    raise EntryCorrupt(index=index)
                yield entry

    def entry(self, index: int) -> bytes:
        self._check_range("Entry", index, index + 1)
        return self.entries(index, index + 1)[0]

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes [start, end) from the level-0 tiles."""
        return self.level_hashes(0, start, end)

    def level_hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes [start, end) of tile level `level` (1: the hashes of full level-0 tiles)."""
        count = self.size >> (HEIGHT * level)
        if not 0 <= start <= end <= count:
            raise OutOfRange(what="Hash", asked=end, size=count)
        found: list[bytes] = []
        for index in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
            low, high = max(start - index * WIDTH, 0), min(end - index * WIDTH, WIDTH)
            found += self.hashes(Tile(level, index, high))[low:]
        return found

    def index_of(self, leaf: bytes) -> int | None:
        """Where a leaf hash stands, or None; only what is integrated is found."""
        index = self._store.find([leaf]).get(leaf)
        return index if index is not None and index < self.size else None

    def blocks(self, start: int = 0, limit: int = 100) -> list[Block]:
        return self._store.blocks(start, limit)

    # --- proofs ---

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` entries."""
        self._check_range("Tree size", 0, size)
        return merkle.range_root(0, size, self)

    def subtree_root(self, start: int, end: int) -> bytes:
        """MTH over the leaf hashes [start, end) alone, as a seal or a batch commits to them."""
        return root_of(self.leaf_hashes(start, end))

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        self._check_range("Tree size", 0, size)
        if not 0 <= index < size:
            raise OutOfRange(what="Entry", asked=index, size=size)
        path: list[bytes] = []
        level, node = 0, index
        # As long as the tile around the node is full, it has the next 8 siblings.
        while width_at(level, tile := node // WIDTH, size) == WIDTH:
            tree, offset = self._tree(Tile(level, tile)), node % WIDTH
            path += [tree[k][(offset >> k) ^ 1] for k in range(HEIGHT)]
            level, node = level + 1, tile
        return path + merkle.inclusion_proof(index, size, self, HEIGHT * level)

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        self._check_range("Tree size", 0, new)
        if not 0 <= old <= new:
            raise OutOfRange(what="Tree size", asked=old, size=new)
        return merkle.consistency_proof(old, new, self)

    def compact_proof(self, index: int, size: int | None = None) -> CompactProof:
        """The compact anchor proof of entry `index` in the tree of `size` (default: all)."""
        size = self.size if size is None else size
        self._check_range("Tree size", 0, size)
        if not 0 <= index < size:
            raise OutOfRange(what="Entry", asked=index, size=size)
        tile = index // WIDTH
        if width_at(0, tile, size) < WIDTH:
            return CompactProof(index)
        return CompactProof.from_tree(index, self._tree(Tile(0, tile)))

    def compact_proofs(self, indices: Sequence[int]) -> dict[int, bytes]:
        """The encoded compact proofs of many entries, given in order, in the tree of all."""
        found: dict[int, bytes] = {}
        for tile, group in groupby(indices, key=lambda index: index // WIDTH):
            wanted = list(group)
            self._check_range("Entry", wanted[0], wanted[-1] + 1)
            if width_at(0, tile, self.size) < WIDTH:
                found.update((index, CompactProof(index).encode()) for index in wanted)
                continue
            tree = self._tree(Tile(0, tile))
            if len(wanted) < _MANY:
                for index in wanted:
                    found[index] = CompactProof.from_tree(index, tree).encode()
                continue
            whole = encode_compact_proofs(tile, tree)
            if len(wanted) == WIDTH:
                found.update(zip(wanted, whole, strict=True))
            else:
                found.update((index, whole[index % WIDTH]) for index in wanted)
        return found


def load_edge(store: Record, files: TileSource) -> TileStack:
    """The right edge of the integrated tree from its partial tiles, checked against the record.

    Raises `TileMissing` and `TileCorrupt`.
    """
    size = store.integrated()
    levels: list[list[bytes]] = []
    last = Tile(0, 0)
    for level in range(max(1, (size.bit_length() + HEIGHT - 1) // HEIGHT)):
        index = size >> (HEIGHT * (level + 1))
        width = width_at(level, index, size)
        last = Tile(level, index, width)
        levels.append(_read_edge(last, files) if width else [])
    stack = TileStack(size, levels)
    if stack.root() != store.root_at(size):
        raise TileCorrupt(path=last.path)
    return stack


def _read_edge(tile: Tile, files: TileSource) -> list[bytes]:
    try:
        return parse_tile(tile, files.read(tile))
    except TileMissing:
        # A writer that was killed had filled the tile, and had not come to say so.
        return parse_tile(tile.full, files.read(tile.full))[: tile.width]
