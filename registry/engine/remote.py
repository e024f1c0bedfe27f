"""A log at an address, read under a root that was verified: nothing leaves it unproved.

It is a `registry.engine.view.LogView` whose tiles and entries come from a server: each tile is
checked against the tile above it, up to the right edge, which must lead to the root. So one path of
tiles serves any number of proofs, and whoever holds one of these views can only ask for what
belongs to the tree that a quorum has cosigned.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from registry.engine.view import LogView, load_edge
from registry.errors import EntryUnknown, TileMissing
from registry.storage import Block
from registry.tlog.tiles import WIDTH, Tile, decode_bundle, width_at

Fetch = Callable[[Tile], bytes]
"""A tile or bundle of the log as the server has it; raises EntryUnknown for what it has not."""

_KEPT_TILES: Final = 512  # full tiles, 8 KiB each


class TileCache:
    """Full tiles as they were fetched, unchecked: they never change, so a larger tree needs them
    no second time."""

    def __init__(self) -> None:
        self._tiles: OrderedDict[tuple[str, Tile], bytes] = OrderedDict()

    def get(self, origin: str, tile: Tile) -> bytes | None:
        """What is held of it."""
        return self._tiles.get((origin, tile))

    def put(self, origin: str, tile: Tile, data: bytes) -> None:
        """Hold it, and let go of the oldest."""
        self._tiles[origin, tile] = data
        if len(self._tiles) > _KEPT_TILES:
            self._tiles.popitem(last=False)

    def drop(self, origin: str) -> None:
        """Forget a chain: something in it did not verify."""
        for key in [key for key in self._tiles if key[0] == origin]:
            del self._tiles[key]


class _Remote:
    """The server's side of one log, as `registry.engine.view.Record` and `TileSource`."""

    def __init__(self, origin: str, size: int, root: bytes, fetch: Fetch, cache: TileCache) -> None:
        self._origin = origin
        self._size = size
        self._root = root
        self._fetch = fetch
        self._cache = cache

    @property
    def origin(self) -> str:
        return self._origin

    def read(self, tile: Tile) -> bytes:
        kept = tile.width == WIDTH and tile.level != Tile.ENTRIES
        held = self._cache.get(self._origin, tile) if kept else None
        if held is not None:
            return held
        try:
            data = self._fetch(tile)
        except EntryUnknown as error:
            raise TileMissing(path=tile.path) from error
        if kept:
            self._cache.put(self._origin, tile, data)
        return data

    def entries(self, start: int, end: int) -> Iterator[tuple[int, list[bytes]]]:
        for index in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
            # As wide as the tree has it: that is the one that surely exists.
            width = width_at(0, index, self._size)
            rows = self._bundle(Tile(Tile.ENTRIES, index, width))
            first = max(start, index * WIDTH)
            yield first, rows[first - index * WIDTH : end - index * WIDTH]

    def _bundle(self, bundle: Tile) -> list[bytes]:
        try:
            return decode_bundle(self.read(bundle), bundle.width)
        except TileMissing:
            if bundle.width == WIDTH:
                raise
            # The log has grown, and may have only the full one (tlog-tiles, "Partial Tiles").
            return self._bundle(bundle.full)[: bundle.width]

    def find(self, leaves: Sequence[bytes]) -> dict[bytes, int]:
        return {}

    def blocks(self, start: int = 0, limit: int = 100) -> list[Block]:
        return []

    def root_at(self, size: int) -> bytes | None:
        return self._root if size == self._size else None

    def integrated(self) -> int:
        return self._size

    def close(self) -> None:
        """Nothing is held."""


def remote_view(origin: str, size: int, root: bytes, fetch: Fetch, cache: TileCache) -> LogView:
    """The log of `origin` under a verified `root`; raises TileCorrupt and what `fetch` raises."""
    remote = _Remote(origin, size, root, fetch, cache)
    return LogView(remote, remote, load_edge(remote, remote))
