"""The durable record of a log in one SQLite file (WAL, `synchronous=FULL`).

Guarantees that a commit is in the file, with all its entries, the new head and the index of its
leaves, before `append` returns, and is there wholly or not at all after a crash or power cut; and
that the head only moves from where the caller saw it. It does not guard against somebody who
edits the file: that is what `fsck` finds, by hashing everything again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from registry.errors import (
    EntryCorrupt,
    HeadMoved,
    StoreCorrupt,
    StoreExists,
    StoreFailed,
    StoreForeign,
    StoreMissing,
)
from registry.limits import HASH_BYTES
from registry.storage import Block, Commit, LeafKnown, leafindex
from registry.storage.commits import entries_between, entries_of
from registry.storage.leafindex import LeafIndex, Recent
from registry.storage.sqlitefile import named_errors
from registry.storage.thinning import Thinning
from registry.storage.tilefiles import sync
from registry.tlog.merkle import EMPTY_ROOT, Frontier, leaf_hashes

FILE: Final = "log.sqlite"
FORMAT: Final = 2

_Row = tuple[Any, ...]  # STRICT tables keep the types of the columns

_SCHEMA: Final = (
    """
CREATE TABLE log (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    format INTEGER NOT NULL,
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    frontier BLOB NOT NULL,
    integrated INTEGER NOT NULL
) STRICT;
CREATE TABLE commits (
    start INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    root BLOB NOT NULL,
    time INTEGER NOT NULL,
    entries BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    time INTEGER NOT NULL,
    note BLOB NOT NULL
) STRICT;
"""
    + leafindex.SCHEMA
)


class SqliteStore:
    """A `Store`. One writing connection and one reading connection, each behind its lock."""

    def __init__(self, folder: Path, *, origin: str | None = None, read_only: bool = False) -> None:
        """Open; raises `StoreMissing`, `StoreForeign`, `StoreCorrupt`, `StoreFailed`."""
        path = folder / FILE
        self.name = folder.name
        self._folder = folder
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._recent = Recent()
        self._index = LeafIndex(self._recent, _leaves_in)
        self._thinning = Thinning("checkpoints", "?")
        if not path.is_file():
            raise StoreMissing(store=self.name)
        with self._named():
            self._writer = None if read_only else _connect(path)
            self._reader = _connect(path, read_only=True)
            row = self._reader.execute("SELECT format, origin FROM log").fetchone()
            if row is None or row[0] != FORMAT:
                self.close()
                raise StoreCorrupt(store=self.name, reason="its format is unknown")
        self.origin = str(row[1])
        if origin is not None and self.origin != origin:
            self.close()
            raise StoreForeign(store=self.name, found=self.origin, expected=origin)
        if not read_only:
            try:
                # What cannot be read stops the first append, with the same error; a damaged log
                # must be open to those who repair it.
                with suppress(EntryCorrupt), self._snapshot() as read:
                    self._catch_up(read)
            except BaseException:
                self.close()
                raise

    @classmethod
    def create(cls, folder: Path, origin: str) -> None:
        """Make an empty log; raises `StoreExists`, `StoreFull`, `StoreFailed`."""
        path, unfinished = folder / FILE, folder / f".{FILE}.new"
        if path.exists():
            raise StoreExists(store=folder.name)
        with named_errors(folder.name, folder):
            folder.mkdir(parents=True, exist_ok=True)
            unfinished.unlink(missing_ok=True)
            connection = sqlite3.connect(unfinished, isolation_level=None)
            try:
                connection.execute("PRAGMA page_size = 16384")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO log VALUES (1, ?, ?, 0, ?, ?, 0)",
                    (FORMAT, origin, EMPTY_ROOT, Frontier().to_bytes()),
                )
                connection.execute("COMMIT")
            finally:
                connection.close()
            # A store is there whole or not at all.
            unfinished.rename(path)
            sync(folder)

    # --- the head and its commits ---

    def head(self) -> Frontier:
        size, root, data = self._one("SELECT size, root, frontier FROM log")
        frontier = Frontier.from_bytes(data)
        if frontier.size != size or frontier.root() != root:
            raise StoreCorrupt(store=self.name, reason="its head does not hash to its root")
        return frontier

    def append(self, commit: Commit) -> None:
        before, after = commit.before, commit.after
        root = after.root()
        first = before.size
        with self._indexing() as write:
            # The compare-and-swap: no signature is made over a root that did not pass here.
            moved = write.execute(
                "UPDATE log SET size = ?, root = ?, frontier = ? WHERE size = ? AND root = ?",
                (after.size, root, after.to_bytes(), before.size, before.root()),
            )
            if moved.rowcount != 1:
                raise HeadMoved(origin=self.origin)
            if self._index.any_known(write, commit.leaves, first):
                raise LeafKnown
            self._index.take(write, commit.leaves, first)
            write.execute(
                "INSERT INTO commits VALUES (?, ?, ?, ?, ?)",
                (first, after.size - first, root, commit.time, commit.bundle),
            )
        self._index.committed(commit.leaves)

    def find(self, leaves: Sequence[bytes]) -> dict[bytes, int]:
        leaves = [leaf for leaf in leaves if len(leaf) == HASH_BYTES]  # the others stand nowhere
        # The recent ones first: what is moved to a run meanwhile is found there.
        found = self._recent.find(leaves) if self._writer is not None else {}
        missing = [leaf for leaf in leaves if leaf not in found]
        if missing:
            with self._snapshot() as read:
                if self._writer is None:
                    self._catch_up(read)
                    found = self._recent.find(missing)
                    missing = [leaf for leaf in missing if leaf not in found]
                found |= leafindex.find_in_runs(read, missing)
        return found

    def _catch_up(self, read: sqlite3.Connection) -> None:
        """Another process writes: take in what it has committed since."""
        start = leafindex.indexed(read)
        if start != self._recent.start:
            self._recent.replace(start, [])
        self._recent.add(_leaves_in(read, self._recent.end))

    def blocks(self, start: int = 0, limit: int = 100) -> list[Block]:
        rows = self._all(
            "SELECT start, count, root, time FROM commits WHERE start >= "
            "COALESCE((SELECT MAX(start) FROM commits WHERE start <= ?), 0) ORDER BY start LIMIT ?",
            (start, limit),
        )
        return [block for row in rows if (block := Block(*row)).end > start]

    def root_at(self, size: int) -> bytes | None:
        if size == 0:
            return EMPTY_ROOT
        rows = self._all(
            "SELECT start + count, root FROM commits WHERE start < ? ORDER BY start DESC LIMIT 1",
            (size,),
        )
        return bytes(rows[0][1]) if rows and rows[0][0] == size else None

    def entries(self, start: int, end: int) -> Iterator[tuple[int, list[bytes]]]:
        position = start
        while position < end:
            # A query a commit: an open cursor would keep the WAL from being checkpointed.
            rows = self._all(
                "SELECT start, count, entries FROM commits WHERE start <= ? "
                "ORDER BY start DESC LIMIT 1",
                (position,),
            )
            wanted = entries_between(rows[0] if rows else None, position, end, store=self.name)
            yield position, wanted
            position += len(wanted)

    # --- what was made of them ---

    def integrated(self) -> int:
        return int(self._one("SELECT integrated FROM log")[0])

    def set_integrated(self, size: int) -> None:
        with self._transaction() as write:
            write.execute("UPDATE log SET integrated = ?", (size,))

    def published(self) -> bytes | None:
        rows = self._all("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1")
        return bytes(rows[0][0]) if rows else None

    def published_at(self, size: int) -> bytes | None:
        rows = self._all("SELECT note FROM checkpoints WHERE size = ?", (size,))
        return (bytes(rows[0][0]) or None) if rows else None

    def publish(self, size: int, root: bytes, note: bytes, time: int) -> None:
        with self._transaction() as write:
            write.execute(
                "INSERT INTO checkpoints VALUES (?, ?, ?, ?) "
                "ON CONFLICT (size) DO UPDATE SET note = excluded.note, time = excluded.time "
                "WHERE root = excluded.root",
                (size, root, time, note),
            )
            self._thinning.after_publishing(write.execute)

    # --- for fsck ---

    def checkpoints(self) -> Iterator[tuple[int, bytes, bytes]]:
        last = -1
        while rows := self._all(
            "SELECT size, root, note FROM checkpoints WHERE size > ? ORDER BY size LIMIT 256",
            (last,),
        ):
            for size, root, note in rows:
                yield int(size), bytes(root), bytes(note)
            last = rows[-1][0]

    def indexed(self) -> int:
        with self._reading() as read:
            return leafindex.indexed(read)

    def index(self) -> Iterator[list[tuple[bytes, int]]]:
        """The stored index of leaves, in pages; the newest leaves are indexed in memory alone."""
        with self._named():
            read = _connect(self._folder / FILE, read_only=True)
            try:
                read.execute("BEGIN")  # runs come and go while a writer is at work
                yield from leafindex.all_rows(read)
            finally:
                read.close()

    def damage(self) -> str | None:
        """What SQLite itself finds wrong with its file, or None."""
        try:
            with self._reading() as read:
                rows = read.execute("PRAGMA quick_check(1)").fetchall()
        except (StoreCorrupt, StoreFailed) as error:
            return str(error.params["reason"])
        return None if rows == [("ok",)] else str(rows[0][0])

    def close(self) -> None:
        with self._write_lock, self._read_lock:
            # The last connection to close tidies the WAL away, and only a writing one can.
            self._reader.close()
            if self._writer is not None:
                self._writer.close()

    # --- connections ---

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._write_lock, self._named():
            writer = self._writer
            if writer is None:
                raise StoreFailed(store=self.name, reason="it was opened for reading only")
            writer.execute("BEGIN IMMEDIATE")
            try:
                yield writer
                writer.execute("COMMIT")
            finally:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")

    @contextmanager
    def _indexing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that changes the index of leaves, which must know how it ended."""
        try:
            with self._transaction() as write:
                yield write
        except BaseException:
            self._index.reset()
            raise

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several queries that see one state."""
        with self._reading() as read:
            read.execute("BEGIN")
            try:
                yield read
            finally:
                if read.in_transaction:
                    read.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._read_lock, self._named():
            yield self._reader

    @contextmanager
    def _named(self) -> Iterator[None]:
        with named_errors(self.name, self._folder):
            yield

    def _all(self, query: str, parameters: _Row = ()) -> list[_Row]:
        with self._reading() as read:
            return read.execute(query, parameters).fetchall()

    def _one(self, query: str) -> _Row:
        rows = self._all(query)
        if len(rows) != 1:
            raise StoreCorrupt(store=self.name, reason="it has no head")
        return rows[0]


def _leaves_in(connection: sqlite3.Connection, start: int) -> list[bytes]:
    """The leaf hashes of the record from `start` on, where a commit begins."""
    found: list[bytes] = []
    for row in connection.execute(
        "SELECT start, count, entries FROM commits WHERE start >= ? ORDER BY start", (start,)
    ):
        found += leaf_hashes(entries_of(row))
    return found


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=5.0,
    )
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cache_size = -8192")  # 8 MiB: rows are read once, or by their place
    return connection
