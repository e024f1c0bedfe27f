"""From commits to tiles: what is committed becomes what is shown.

Guarantees that the view moves only to heads whose commit was confirmed, only after all tiles and
bundles under them are durably written, and only when these lead to the root in the record. When
it fails, the view stays where it was, and the next attempt begins from there.

It is no source of truth: everything it writes can be made again from the record.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Final

from registry.engine.head import Head
from registry.engine.unwritten import Run
from registry.engine.view import LogView
from registry.errors import StoreCorrupt
from registry.storage import Store, Tiles
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.merkle import Frontier, leaf_hashes
from registry.tlog.tiles import WIDTH, Tile, TileStack, bundle_of, frame_entries, width_at

_WRITE_TILES: Final = 512  # at a time, while integrating: about 12 MiB of memory


class Integrator:
    """Writes tiles, and moves the `view` that it owns. Thread-safe."""

    def __init__(self, store: Store, files: Tiles, head: Head, edge: TileStack) -> None:
        """`edge` must be the verified right edge of the integrated tree (see `load_edge`)."""
        self._store = store
        self._files = files
        self._head = head
        self._edge = Run(0, (), ())  # the entries of the bundle that was written last, not full
        self._integrating = threading.Lock()
        self.view = LogView(store, files, edge)

    def integrate(self) -> Checkpoint:
        """Write the tiles of the committed head durably and show it in `view`.

        Returns the head, unsigned. Raises `StoreFull`, `StoreFailed`, `StoreCorrupt`; then
        `view` stays where it was, and the next call tries again.
        """
        with self._integrating:
            head = self._head.confirmed()
            stack = self.view.edge()
            if head.size != stack.size:
                self._advance(head, stack)
            return Checkpoint(self._store.origin, head.size, head.root())

    def rebuild(self) -> Checkpoint:
        """Write every tile and bundle anew from the record, after damage to files.

        The unfinished ones in the width of every published checkpoint, too: readers hold earlier
        ones, and a folder or bucket cuts nothing for them (tlog-tiles, "Partial Tiles").

        Raises what `integrate` raises; with `StoreCorrupt` the record itself is damaged.
        """
        with self._integrating:
            self._head.unwritten.clear()
            self._edge = Run(0, (), ())
            sizes = [size for size, _, _ in self._store.checkpoints()]
            self._advance(self._head.confirmed(), TileStack(), sizes, replace=True)
            return self.view.checkpoint

    def _advance(
        self,
        head: Frontier,
        stack: TileStack,
        earlier: Sequence[int] = (),
        *,
        replace: bool = False,
    ) -> None:
        self._write(self._build(stack, head, earlier), replace)
        if stack.root() != head.root():
            raise StoreCorrupt(store=self._store.name, reason="its entries do not hash to its head")
        self._store.set_integrated(head.size)
        self.view.advance(stack)
        self._head.unwritten.forget(stack.size)

    def _build(
        self, stack: TileStack, head: Frontier, earlier: Sequence[int]
    ) -> Iterator[tuple[Tile, bytes]]:
        """The tiles and bundles from `stack` to `head`, in order; moves `stack`.

        Those that are not full also as trees of `earlier` sizes have them.
        """
        index = stack.size // WIDTH
        bundle: list[bytes] = []
        for run in self._runs(index * WIDTH, stack.size, head.size):
            skip = max(stack.size - run.start, 0)
            leaves = run.leaves[skip:] if skip else run.leaves
            for tile, hashes in stack.extend(leaves, None if skip else run.full):
                yield tile, b"".join(hashes)
            position = 0
            while position < len(run.framed):
                part = run.framed[position : position + WIDTH - len(bundle)]
                position += len(part)
                bundle += part
                if len(bundle) == WIDTH:
                    yield bundle_of(index), b"".join(bundle)
                    index, bundle = index + 1, []
        for width in _widths(bundle_of(index, len(bundle)), earlier):
            yield bundle_of(index, width), b"".join(bundle[:width])
        for tile, hashes in stack.partials():
            for width in _widths(tile, earlier):
                yield Tile(tile.level, tile.index, width), b"".join(hashes[:width])
        self._edge = Run(index * WIDTH, bundle, ())

    def _runs(self, start: int, size: int, end: int) -> Iterator[Run]:
        """The entries [start, end), from memory as far as possible, else from the record.

        `start`: where the bundle begins that the entry at `size` belongs into.
        """
        if (self._edge.start, self._edge.end) == (start, size):
            yield self._edge
            start = size
        kept = self._head.unwritten.between(start, end)
        first = kept[0].start if kept else end
        for position, batch in self._store.entries(start, first):
            yield Run(position, frame_entries(batch), leaf_hashes(batch))
        yield from kept

    def _write(self, tiles: Iterator[tuple[Tile, bytes]], replace: bool) -> None:
        chunk: list[tuple[Tile, bytes]] = []
        for item in tiles:
            chunk.append(item)
            if len(chunk) == _WRITE_TILES:
                self._write_chunk(chunk, replace)
                chunk = []
        self._write_chunk(chunk, replace)

    def _write_chunk(self, chunk: list[tuple[Tile, bytes]], replace: bool) -> None:
        self._files.write(chunk, replace=replace)
        self._files.drop_partials(tile for tile, _ in chunk)


def _widths(tile: Tile, earlier: Sequence[int]) -> list[int]:
    """The widths in which an unfinished tile or bundle is written; a tile of none is not."""
    before = {width_at(tile.level, tile.index, size) for size in earlier}
    return sorted(width for width in {*before, tile.width} if 0 < width <= tile.width)
