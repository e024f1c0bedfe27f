"""Who can show the chains to an export or a restoration: an address, a node's copy, a home.

Nothing that they show is believed before it leads to a checkpoint of the pinned genesis; see
`registry.archive`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from registry.engine.view import LogView, load_edge
from registry.errors import EntryUnknown, OriginUnknown, RegistryUnreachable
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.genesis import Genesis
from registry.limits import MAX_TLOG_PROOF_BYTES
from registry.reading.documents import read_document
from registry.reading.reader import ChainReader
from registry.reading.sources import HttpSource
from registry.storage import Store, Tiles
from registry.storage.places import Places
from registry.tlog.proofs import TlogProof
from registry.tlog.tiles import Tile

_PAGE: Final = 4096


class AddressHolder:
    """Whoever serves the reading routes at an address."""

    def __init__(self, source: HttpSource) -> None:
        self.source: Final = source

    def entries(self, origin: str, start: int, end: int) -> Iterable[bytes]:
        return self.source(origin, start, end)

    def tile(self, origin: str, tile: Tile) -> list[bytes]:
        return self.source.tile(origin, tile)

    def checkpoint(self, origin: str) -> bytes | None:
        return self.source.checkpoint(origin)

    def commitment(self, origin: str) -> bytes | None:
        return self.source._get(f"{origin}/cosigned", MAX_TLOG_PROOF_BYTES)

    def document(self, digest: str) -> bytes | None:
        try:
            return self.source.document(digest)
        except RegistryUnreachable:
            return None  # an archive without a list is still one; readers then know no status


class ReaderHolder:
    """A copy that this process has open."""

    def __init__(self, reader: ChainReader) -> None:
        self._reader = reader

    def entries(self, origin: str, start: int, end: int) -> Iterable[bytes]:
        return self._reader.view(origin).iterate(start, end)

    def tile(self, origin: str, tile: Tile) -> list[bytes]:
        return list(self._reader.view(origin).hashes(tile))

    def checkpoint(self, origin: str) -> bytes | None:
        try:
            return self._reader.checkpoint(origin)
        except EntryUnknown:
            return None

    def commitment(self, origin: str) -> bytes | None:
        try:
            return self._reader.side_proof(origin)
        except EntryUnknown:
            return None

    def document(self, digest: str) -> bytes | None:
        return self._reader.document(digest)


class HomeHolder:
    """A sequencer's home, read beside whoever writes it."""

    def __init__(self, home: Path, genesis: Genesis) -> None:
        self._genesis = genesis
        self._places = Places.load(home, genesis.network)
        self._stores: dict[str, Store] = {}
        self._views: dict[str, LogView] = {}

    def close(self) -> None:
        """Let go of the stores."""
        for store in self._stores.values():
            store.close()
        self._places.close()

    def view(self, origin: str) -> LogView:
        """The chain as it is when it is first asked for."""
        if origin not in self._views:
            if not origin.startswith(self._genesis.network + "/"):
                raise OriginUnknown(origin=origin)
            store, tiles = self._places.read(origin), self._places.tiles(origin)
            self._stores[origin] = store
            self._views[origin] = LogView(store, tiles, load_edge(store, tiles))
        return self._views[origin]

    def store(self, origin: str) -> Store:
        """The record of a chain, for whoever closes it."""
        return self._places.read(origin)

    def tiles(self, origin: str) -> Tiles:
        """The tiles of a chain."""
        return self._places.tiles(origin)

    def entries(self, origin: str, start: int, end: int) -> Iterable[bytes]:
        return self.view(origin).iterate(start, end)

    def tile(self, origin: str, tile: Tile) -> list[bytes]:
        return list(self.view(origin).hashes(tile))

    def checkpoint(self, origin: str) -> bytes | None:
        self.view(origin)
        return self._stores[origin].published()

    def commitment(self, origin: str) -> bytes | None:
        note = self.checkpoint(self._genesis.origin)
        if note is None:
            return None
        size = self._genesis.policy.check(note, origin=self._genesis.origin).size
        main = self.view(self._genesis.origin)
        for stop in range(size, 0, -_PAGE):
            first = max(0, stop - _PAGE)
            found = _newest(main.iterate(first, stop), first, origin)
            if found is not None:
                index, entry = found
                path = tuple(main.inclusion_proof(index, size))
                return TlogProof(index, path, note, entry.raw).encode()
        return None

    def document(self, digest: str) -> bytes | None:
        return read_document(self._places.tiles(self._genesis.origin), digest)


def _newest(rows: Iterable[bytes], first: int, origin: str) -> tuple[int, Entry] | None:
    found = None
    for index, raw in enumerate(rows, first):
        if b'"kind":"checkpoint"' in raw:
            entry = parse_entry(raw)
            if entry.kind == "checkpoint" and entry["origin"] == origin:
                found = (index, entry)
    return found


@contextmanager
def home_holder(home: Path, genesis: Genesis) -> Iterator[HomeHolder]:
    """A home, closed afterwards."""
    holder = HomeHolder(home, genesis)
    try:
        yield holder
    finally:
        holder.close()
