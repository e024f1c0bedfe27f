"""What a node keeps: the mirror of every chain, how far it was checked, and what it cosigned.

One SQLite file with synchronous=FULL. `cosign` is the compare-and-persist of tlog-witness: the
stored size moves from exactly the old one to the new one in one durable transaction, or not at
all. Entries of the mirror are written in the same transaction as the progress over them, so a
crash leaves neither unchecked entries nor unmirrored progress.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from registry.entries import GOVERNANCE_KINDS, Entry, decode_time, encode_time, parse_entry
from registry.errors import ChainInvalid, StoreFailed, StoreForeign, StoreFull, StoreLocked
from registry.following import Progress
from registry.merkle import EMPTY_ROOT, Frontier

MIRROR_FILE: Final = "node.sqlite"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS entries (
    origin TEXT NOT NULL, idx INTEGER NOT NULL, kind TEXT NOT NULL,
    leaf BLOB NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (origin, idx), UNIQUE (origin, leaf)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS progress (
    origin TEXT PRIMARY KEY, frontier BLOB NOT NULL, sealed TEXT, head INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS lists (
    origin TEXT NOT NULL, url TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (origin, url)
) STRICT;
CREATE TABLE IF NOT EXISTS governance (idx INTEGER PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL,
    note BLOB NOT NULL, time INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS refusals (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, reason TEXT NOT NULL, note BLOB NOT NULL
) STRICT;
"""
_MAX_REFUSALS: Final = 1000  # evidence is kept, but an angry log must not fill the disk


@dataclass(frozen=True)
class Cosigned:
    """The latest checkpoint that the node has cosigned."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: bytes = b""
    time: int = 0


class NodeStore:
    """The store of one node. Its callers take turns (`Node` has the lock)."""

    def __init__(self, path: Path, origin: str) -> None:
        """Open or create the file for the network whose main chain is `origin`."""
        self._name = path.name
        self._db = sqlite3.connect(path, timeout=2, isolation_level=None, check_same_thread=False)
        with self._translated():
            # A second process on one node's store could make it cosign two trees.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('origin', ?)", (origin,))
            (found,) = self._db.execute("SELECT value FROM meta WHERE name = 'origin'").fetchone()
        if found != origin:
            self.close()
            raise StoreForeign(store=self._name, found=found, expected=origin)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "locked" in text:
                raise StoreLocked(store=self._name) from error
            if "full" in text:
                raise StoreFull(store=self._name) from error
            raise StoreFailed(store=self._name, reason="SQLite reports an error") from error
        except sqlite3.DatabaseError as error:
            raise StoreFailed(store=self._name, reason="the file is damaged") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable when it ends."""
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    # The mirror

    def keep(self, origin: str, index: int, entry: Entry) -> None:
        """Mirror an entry. ChainInvalid when it stands on the chain already: a replay."""
        try:
            self._db.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?)",
                (origin, index, entry.kind, entry.leaf_hash, entry.raw),
            )
        except sqlite3.IntegrityError as error:
            raise ChainInvalid(
                origin=origin, index=index, reason="the entry is on the chain already"
            ) from error
        if entry.kind in GOVERNANCE_KINDS:
            self._db.execute("INSERT INTO governance VALUES (?)", (index,))

    def entries(self, origin: str, start: int, end: int) -> Iterator[bytes]:
        """Mirrored entries [start, end), as far as they are there."""
        with self._translated():
            for (data,) in self._db.execute(
                "SELECT data FROM entries WHERE origin = ? AND idx >= ? AND idx < ? ORDER BY idx",
                (origin, start, end),
            ):
                yield data

    def governance(self, origin: str) -> Iterator[tuple[int, Entry]]:
        """The entries that say who may do what."""
        with self._translated():
            for index, data in self._db.execute(
                "SELECT idx, data FROM governance JOIN entries USING (idx) "
                "WHERE origin = ? ORDER BY idx",
                (origin,),
            ):
                yield index, parse_entry(data)

    def progress(self) -> dict[str, Progress]:
        """How far each chain was checked."""
        found: dict[str, Progress] = {}
        with self._translated():
            for origin, frontier, sealed, head in self._db.execute("SELECT * FROM progress"):
                moment: datetime | None = decode_time(sealed) if sealed else None
                found[origin] = Progress(Frontier.from_bytes(frontier), moment, head=head)
            for origin, url, index, data in self._db.execute(
                "SELECT origin, url, idx, data FROM lists JOIN entries USING (origin, idx)"
            ):
                found[origin].lists[url] = (index, parse_entry(data))
        return found

    def save_progress(self, progress: dict[str, Progress]) -> None:
        """To be called in the transaction that kept the entries."""
        for origin, chain in progress.items():
            sealed = encode_time(chain.sealed) if chain.sealed else None
            self._db.execute(
                "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?)",
                (origin, chain.frontier.to_bytes(), sealed, chain.head),
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO lists VALUES (?, ?, ?)",
                [(origin, url, index) for url, (index, _) in chain.lists.items()],
            )

    # What was cosigned

    def cosigned(self, origin: str) -> Cosigned:
        """The latest cosigned checkpoint of `origin`; of size 0 before the first."""
        with self._translated():
            row = self._db.execute(
                "SELECT size, root, note, time FROM cosigned WHERE origin = ?", (origin,)
            ).fetchone()
        return Cosigned(*row) if row else Cosigned()

    def cosign(self, origin: str, old: Cosigned, new: Cosigned) -> bool:
        """Move the record from exactly `old` to `new`, durably; False when it is elsewhere."""
        with self.transaction():
            if old.note:
                moved = self._db.execute(
                    "UPDATE cosigned SET size = ?, root = ?, note = ?, time = ? "
                    "WHERE origin = ? AND size = ? AND root = ?",
                    (new.size, new.root, new.note, new.time, origin, old.size, old.root),
                )
            else:
                moved = self._db.execute(
                    "INSERT OR IGNORE INTO cosigned VALUES (?, ?, ?, ?, ?)",
                    (origin, new.size, new.root, new.note, new.time),
                )
            return moved.rowcount == 1

    def record_refusal(self, time: datetime, reason: str, note: bytes) -> None:
        """Keep a log-signed checkpoint that was refused: it may be evidence."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO refusals (time, reason, note) VALUES (?, ?, ?)",
                (encode_time(time), reason, note),
            )
            self._db.execute(
                "DELETE FROM refusals WHERE id <= (SELECT max(id) FROM refusals) - ?",
                (_MAX_REFUSALS,),
            )

    def refusals(self) -> list[dict[str, str]]:
        """The refusals on record, newest first: time and reason."""
        with self._translated():
            rows = self._db.execute("SELECT time, reason FROM refusals ORDER BY id DESC LIMIT 100")
            return [{"time": time, "reason": reason} for time, reason in rows]
