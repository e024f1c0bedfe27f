"""What a node keeps: the mirror of every chain, how far it was checked, and what it cosigned.

One SQLite file with synchronous=FULL and one writer. What a batch of entries adds is one
transaction: entries, tiles, index, the progress of the checks, and the cosignature, if there is
one. So a crash leaves neither unchecked entries nor a cosignature over what is not mirrored.
`cosign` is the compare-and-persist of tlog-witness: the stored size moves from exactly the old one
to the new one, durably, or not at all.

How a chain is mirrored is `registry.nodes.chain_mirror`'s. Others may look into the file while the
node has it: `read_cosigned`, `registry.nodes.refusals.read_refusals`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from registry.contracts.following import Progress
from registry.errors import StoreFailed, StoreForeign, StoreVersion
from registry.ledger.entries import Entry
from registry.ledger.members import decode_time, encode_time
from registry.nodes.chain_mirror import CHAIN_TABLES, ChainMirror, Growth
from registry.nodes.refusals import (
    REFUSAL_TABLE,
    REFUSALS,
    Refusal,
    keep_refusal,
    looking,
    refusal_of,
)
from registry.storage.lock import FolderLock
from registry.storage.sqlitefile import named_errors
from registry.tlog.merkle import Frontier
from registry.witnessing.witness import Cosigned

MIRROR_FILE: Final = "node.sqlite"
FORMAT: Final = 2
_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
{CHAIN_TABLES}
CREATE TABLE IF NOT EXISTS published (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, time INTEGER NOT NULL, note BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS documents (digest TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL,
    note BLOB NOT NULL, time INTEGER NOT NULL
) STRICT;
{REFUSAL_TABLE}
"""


class NodeStore:
    """The store of one node. Writers take turns (`Node` has the lock); readers need not wait."""

    def __init__(self, path: Path, origin: str) -> None:
        """Open or create the file for the network whose main chain is `origin`.

        Raises StoreLocked while another process has it: two could cosign two trees.
        """
        self.name: Final = path.name
        self._path = path
        self._lock = FolderLock(path.parent)
        self._reading = threading.Lock()
        self._growing: dict[str, Growth] = {}
        self.mirrors: Final[dict[str, ChainMirror]] = {}
        self._db = self._reader = None
        try:
            with self.translated():
                self._db = _connect(path)
                (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if tables and version != FORMAT:
                    raise StoreVersion(store=self.name, found=version, known=FORMAT)
                self._db.executescript(f"{_SCHEMA} PRAGMA user_version = {FORMAT};")
                self._db.execute("INSERT OR IGNORE INTO meta VALUES ('origin', ?)", (origin,))
                self._reader = _connect(path)
                self._reader.execute("PRAGMA query_only = ON")
            found = self.meta("origin")
            if found != origin:
                raise StoreForeign(store=self.name, found=found, expected=origin)
            for chain, name in self._all("SELECT id, origin FROM chains"):
                self.mirrors[name] = ChainMirror(self._all, chain, name)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        with self._reading:
            if self._reader is not None:
                self._reader.close()
        if self._db is not None:
            self._db.close()
        self._lock.release()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """SQLite's errors as ours, for whoever writes within a transaction of his own."""
        with named_errors(self.name, self._path.parent):
            yield

    @property
    def _writer(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreFailed(store=self.name, reason="it is closed")
        return self._db

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._reading, self.translated():
            if self._reader is None:
                raise StoreFailed(store=self.name, reason="it is closed")
            return self._reader.execute(query, values).fetchall()

    def begin(self) -> None:
        """Start a transaction; `commit` or `rollback` ends it."""
        with self.translated():
            self._writer.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make durable what was written, and let the mirrors show it; all or nothing.

        When it raises, the mirrors show what is on the disk: a commit that was written may have
        been answered by an error all the same.
        """
        try:
            with self.translated():
                self._writer.execute("COMMIT")
        except BaseException:
            if not self._writer.in_transaction and self._landed():
                self._show()
            self.rollback()
            raise
        self._show()

    def _landed(self) -> bool:
        """Whether what was kept is on the disk."""
        sizes = dict(self._all("SELECT id, size FROM chains"))
        return all(sizes.get(one.chain) == one.stack.size for one in self._growing.values())

    def _show(self) -> None:
        grown, self._growing = self._growing, {}
        for origin, growth in grown.items():
            mirror = self.mirrors.get(origin)
            if mirror is None:
                mirror = ChainMirror(self._all, growth.chain, origin)
            mirror.view.advance(growth.stack)
            self.mirrors[origin] = mirror

    def rollback(self) -> None:
        """Forget what was written; also when nothing was begun."""
        self._growing.clear()
        with self.translated():
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")

    @property
    def open_transaction(self) -> bool:
        """Whether one was begun and not ended."""
        return self._writer.in_transaction

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable when it ends. Within another one: a part of that."""
        if self._writer.in_transaction:
            yield
            return
        self.begin()
        try:
            with self.translated():
                yield
            self.commit()
        except BaseException:
            self.rollback()
            raise

    # The mirror

    def keep(self, origin: str, index: int, leaves: Sequence[Entry]) -> None:
        """Mirror a submission whose first leaf is `index` of its chain, within a transaction.

        ChainInvalid, now or later, when a leaf stands on the chain already: a replay.
        """
        growth = self._growing.get(origin)
        if growth is None:
            growth = self._growing[origin] = self._grow(origin)
        growth.add(leaves)

    def register(self, origins: Iterable[str]) -> None:
        """Begin chains that have no entries yet, within a transaction."""
        for origin in origins:
            if origin not in self.mirrors and origin not in self._growing:
                self._growing[origin] = self._grow(origin)

    def _grow(self, origin: str) -> Growth:
        mirror = self.mirrors.get(origin)
        if mirror is not None:
            return Growth.of(self._writer, mirror)
        return Growth.of_new(self._writer, origin)

    def save_progress(self, progress: dict[str, Progress]) -> None:
        """Finish what was kept, and record how far it was checked; within the transaction."""
        for origin, growth in self._growing.items():
            growth.finish()
            chain = progress[origin]
            if growth.stack.size != chain.size:
                raise StoreFailed(store=self.name, reason="the mirror has a gap")
            self._writer.execute(
                "UPDATE chains SET size = ?, root = ?, frontier = ?, sealed = ? WHERE id = ?",
                (
                    chain.size,
                    chain.frontier.root(),
                    chain.frontier.to_bytes(),
                    encode_time(chain.sealed) if chain.sealed else None,
                    growth.chain,
                ),
            )
        self._writer.executemany(
            "UPDATE chains SET head = ? WHERE origin = ?",
            [(chain.head, origin) for origin, chain in progress.items()],
        )

    def progress(self) -> dict[str, Progress]:
        """How far each chain was checked; without the newest status lists."""
        found: dict[str, Progress] = {}
        for origin, frontier, sealed, head in self._all(
            "SELECT origin, frontier, sealed, head FROM chains"
        ):
            moment: datetime | None = decode_time(sealed) if sealed else None
            found[origin] = Progress(Frontier.from_bytes(frontier), moment, head=head)
        return found

    # What others published

    def published(self, origin: str) -> bytes | None:
        """The newest checkpoint of a chain that was published, and checked before it was kept."""
        rows = self._all("SELECT note FROM published WHERE origin = ?", (origin,))
        return bytes(rows[0][0]) if rows else None

    def publish(self, origin: str, size: int, time: int, note: bytes) -> bool:
        """Keep a checkpoint unless a newer one is kept: larger, or of the same size and later."""
        with self.transaction():
            moved = self._writer.execute(
                "INSERT INTO published VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE SET "
                "size = excluded.size, time = excluded.time, note = excluded.note "
                "WHERE (excluded.size, excluded.time) > (size, time)",
                (origin, size, time, note),
            )
            return moved.rowcount == 1

    def document(self, digest: str) -> bytes | None:
        """A status list credential by its digest."""
        rows = self._all("SELECT data FROM documents WHERE digest = ?", (digest,))
        return bytes(rows[0][0]) if rows else None

    def keep_document(self, digest: str, data: bytes) -> None:
        """Keep a document that was checked against its digest."""
        with self.transaction():
            self._writer.execute("INSERT OR IGNORE INTO documents VALUES (?, ?)", (digest, data))

    def has_document(self, digest: str) -> bool:
        return bool(self._all("SELECT 1 FROM documents WHERE digest = ?", (digest,)))

    # What was cosigned

    def cosigned(self, origin: str) -> Cosigned:
        """The latest cosigned checkpoint of `origin`; of size 0 before the first."""
        rows = self._all("SELECT size, root, note, time FROM cosigned WHERE origin = ?", (origin,))
        return Cosigned(*rows[0]) if rows else Cosigned()

    def cosign(self, origin: str, old: Cosigned, new: Cosigned) -> bool:
        """Move the record from exactly `old` to `new`, durably; False when it is elsewhere.

        Commits the transaction that is open, if there is one: the checked entries and the
        cosignature over them become durable together.
        """
        joined = self._writer.in_transaction
        with self.transaction(), self.translated():
            if old.note:
                moved = self._writer.execute(
                    "UPDATE cosigned SET size = ?, root = ?, note = ?, time = ? "
                    "WHERE origin = ? AND size = ? AND root = ?",
                    (new.size, new.root, new.note, new.time, origin, old.size, old.root),
                )
            else:
                moved = self._writer.execute(
                    "INSERT OR IGNORE INTO cosigned VALUES (?, ?, ?, ?, ?)",
                    (origin, new.size, new.root, new.note, new.time),
                )
        if joined:
            self.commit()
        return moved.rowcount == 1

    # What was refused

    def record_refusal(
        self,
        time: datetime,
        code: str,
        reason: str,
        note: bytes,
        *,
        origin: str | None = None,
        index: int | None = None,
        leaves: Sequence[bytes] = (),
    ) -> None:
        """Keep a log-signed checkpoint that was refused, with the leaves that are at fault.

        The same refusal of the same checkpoint is kept once: a log asks again and again.
        """
        with self.transaction():
            keep_refusal(
                self._writer, time, code, reason, note, origin=origin, index=index, leaves=leaves
            )

    def refusals(self, limit: int = 100) -> list[Refusal]:
        """The refusals on record, newest first."""
        return [refusal_of(row) for row in self._all(REFUSALS, (limit,))]

    # Small things

    def meta(self, name: str) -> str | None:
        """A small value under a name."""
        rows = self._all("SELECT value FROM meta WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def set_meta(self, name: str, value: str | None) -> None:
        """Set a small value durably, or remove it."""
        with self.transaction():
            if value is None:
                self._writer.execute("DELETE FROM meta WHERE name = ?", (name,))
            else:
                self._writer.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def read_cosigned(folder: Path, origin: str) -> Cosigned:
    """What a node whose store is in `folder` has cosigned of a log last."""
    with looking(folder / MIRROR_FILE) as db:
        row = db.execute(
            "SELECT size, root, note, time FROM cosigned WHERE origin = ?", (origin,)
        ).fetchone()
        return Cosigned(*row) if row else Cosigned()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=2, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cache_size = -32768")  # 32 MiB: the inner pages of a large index
    return connection
