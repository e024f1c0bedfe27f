"""The mirror of a chain in a node's store: how it is written, and how it is read.

Entries lie in bundles and hashes in tiles, as c2sp.org/tlog-tiles serves them, under their chain,
level and index. `Growth` appends within a transaction of the store's writer; `ChainMirror` reads
beside it what is durable.

Guaranteed: no leaf stands on one chain twice. Not that entries may be where they are, nor that
what is read still hashes to the root: `registry.contracts.following` judges what is appended,
`registry.engine.view.LogView` checks what is read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Self

from registry.engine.view import LogView, load_edge
from registry.errors import BundleMalformed, ChainInvalid, EntryCorrupt, TileMissing
from registry.ledger.entries import Entry
from registry.limits import HASH_BYTES
from registry.storage import Block
from registry.tlog.merkle import EMPTY_ROOT, Frontier
from registry.tlog.tiles import WIDTH, Tile, TileStack, bundle_of, decode_bundle, encode_bundle

CHAIN_TABLES: Final = """
CREATE TABLE IF NOT EXISTS chains (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
    root BLOB NOT NULL, frontier BLOB NOT NULL, sealed TEXT, head INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS tiles (
    chain INTEGER NOT NULL, level INTEGER NOT NULL, idx INTEGER NOT NULL,
    width INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (chain, level, idx)
) STRICT;
CREATE TABLE IF NOT EXISTS leaves (
    chain INTEGER NOT NULL, leaf BLOB NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (chain, leaf)
) STRICT, WITHOUT ROWID;
"""
_FLUSH: Final = 8192  # entries held in memory before they are written: a few MiB

Select = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""The rows that a query with these values gives, of what is durable."""


class ChainMirror:
    """One mirrored chain, as a `registry.engine.view.Record` and its `TileSource`.

    `view` shows what was durable when the mirror was made, and grows by its `advance`.
    """

    def __init__(self, select: Select, chain: int, origin: str) -> None:
        """`chain` is the number of the chain in the tables. Raises TileMissing, TileCorrupt."""
        self.chain: Final = chain
        self._select = select
        self._origin = origin
        self.view: Final = LogView(self, self, load_edge(self, self))

    @property
    def origin(self) -> str:
        return self._origin

    def _size_and_root(self) -> tuple[int, bytes]:
        [(size, root)] = self._select("SELECT size, root FROM chains WHERE id = ?", (self.chain,))
        return int(size), bytes(root)

    def integrated(self) -> int:
        return self._size_and_root()[0]

    def root_at(self, size: int) -> bytes | None:
        held, root = self._size_and_root()
        return root if held == size else None

    def read(self, tile: Tile) -> bytes:
        rows = self._select(
            "SELECT width, data FROM tiles WHERE chain = ? AND level = ? AND idx = ?",
            (self.chain, tile.level, tile.index),
        )
        if not rows or rows[0][0] < tile.width:
            raise TileMissing(path=tile.path)
        width, data = rows[0]
        if width == tile.width:
            return bytes(data)
        if tile.level == Tile.ENTRIES:
            return encode_bundle(decode_bundle(data, width)[: tile.width])
        return bytes(data[: tile.width * HASH_BYTES])

    def entries(self, start: int, end: int) -> Iterator[tuple[int, list[bytes]]]:
        position = start
        while position < end:
            index = position // WIDTH
            wanted = min(end, (index + 1) * WIDTH) - index * WIDTH
            try:
                rows = decode_bundle(self.read(bundle_of(index, wanted)), wanted)
            except (BundleMalformed, TileMissing) as error:
                raise EntryCorrupt(index=position) from error
            part = rows[position - index * WIDTH :]
            yield position, part
            position += len(part)

    def find(self, leaves: Sequence[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for leaf in leaves:
            for (position,) in self._select(
                "SELECT position FROM leaves WHERE chain = ? AND leaf = ?", (self.chain, leaf)
            ):
                found[leaf] = position
        return found

    def blocks(self, start: int = 0, limit: int = 100) -> list[Block]:
        """None: how the sequencer grouped its commits is not on the chain."""
        return []

    def close(self) -> None:
        """Nothing: the store is closed by whoever opened it."""


class Growth:
    """What one transaction appends to one chain: it begins in it, and `finish` ends it there.

    Raises SQLite's errors as they are; the store knows whose file it is.
    """

    def __init__(
        self, db: sqlite3.Connection, chain: int, origin: str, stack: TileStack, tail: list[bytes]
    ) -> None:
        """`stack` is the right edge so far, `tail` the entries of the unfinished bundle."""
        self._db = db
        self.chain = chain
        self.origin = origin
        self.stack = stack
        self._tail = tail
        self._rows: list[bytes] = []
        self._leaves: list[bytes] = []

    @classmethod
    def of_new(cls, db: sqlite3.Connection, origin: str) -> Self:
        """Of a chain that is not mirrored yet: it begins, without entries."""
        made = db.execute(
            "INSERT INTO chains (origin, size, root, frontier) VALUES (?, 0, ?, ?)",
            (origin, EMPTY_ROOT, Frontier().to_bytes()),
        )
        return cls(db, int(made.lastrowid or 0), origin, TileStack(), [])

    @classmethod
    def of(cls, db: sqlite3.Connection, mirror: ChainMirror) -> Self:
        """Of a chain that is mirrored. Raises EntryCorrupt, TileCorrupt for what it builds on."""
        edge = mirror.view.edge()
        tail = mirror.view.entries(edge.size - edge.size % WIDTH, edge.size)
        return cls(db, mirror.chain, mirror.origin, edge, tail)

    def add(self, leaves: Sequence[Entry]) -> None:
        """Append entries. ChainInvalid, now or later, when one stands on the chain already."""
        self._rows += [leaf.raw for leaf in leaves]
        self._leaves += [leaf.leaf_hash for leaf in leaves]
        if len(self._rows) >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        first, rows, leaves = self.stack.size, self._rows, self._leaves
        if not rows:
            return
        self._rows, self._leaves = [], []
        # In the order of the index: neighbours share its pages.
        order = sorted(range(len(leaves)), key=leaves.__getitem__)
        try:
            self._db.executemany(
                "INSERT INTO leaves (leaf, position, chain) VALUES (?, ?, ?)",
                [(leaves[at], first + at, self.chain) for at in order],
            )
        except sqlite3.IntegrityError as error:
            raise self._repeated(first, leaves, rows) from error
        written: list[tuple[int, int, int, int, bytes]] = [
            (self.chain, tile.level, tile.index, tile.width, b"".join(hashes))
            for tile, hashes in self.stack.extend(leaves)
        ]
        whole = self._tail + rows
        full = len(whole) // WIDTH
        index = first // WIDTH
        for number in range(full):
            bundle = encode_bundle(whole[number * WIDTH : (number + 1) * WIDTH])
            written.append((self.chain, Tile.ENTRIES, index + number, WIDTH, bundle))
        self._tail = whole[full * WIDTH :]
        self._write(written)

    def _repeated(self, first: int, leaves: Sequence[bytes], rows: Sequence[bytes]) -> ChainInvalid:
        seen: set[bytes] = set()
        at = 0
        for at, leaf in enumerate(leaves):  # noqa: B007 - where it stops is what is asked
            held = self._db.execute(
                "SELECT position FROM leaves WHERE chain = ? AND leaf = ?", (self.chain, leaf)
            ).fetchone()
            # Rows of this very attempt that went in before the one that failed do not count.
            if leaf in seen or (held is not None and held[0] < first):
                break
            seen.add(leaf)
        error = ChainInvalid(
            origin=self.origin, index=first + at, reason="the entry is on the chain already"
        )
        error.evidence = (rows[at],)
        return error

    def finish(self) -> None:
        """Write everything, the unfinished tiles and bundle too. Raises ChainInvalid (`add`)."""
        self._flush()
        written: list[tuple[int, int, int, int, bytes]] = [
            (self.chain, tile.level, tile.index, tile.width, b"".join(hashes))
            for tile, hashes in self.stack.partials()
        ]
        if self._tail:
            tail = bundle_of(self.stack.size // WIDTH, len(self._tail))
            bundle = encode_bundle(self._tail)
            written.append((self.chain, tail.level, tail.index, tail.width, bundle))
        self._write(written)

    def _write(self, rows: list[tuple[int, int, int, int, bytes]]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO tiles VALUES (?, ?, ?, ?, ?)", rows)
