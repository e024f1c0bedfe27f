"""The durable record of a witness: one SQLite file, `synchronous=FULL`, for any number of logs.

`cosign` is tlog-witness' atomic compare-and-persist: one transaction moves the record from exactly
the old checkpoint to the new one, or not at all. The file is held exclusively, since a second
process on it could make one witness cosign two trees. Thread-safe.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from registry.entries import encode_time
from registry.errors import StoreFailed, StoreFull, StoreLocked
from registry.witness import Cosigned

WITNESS_FILE: Final = "witness.sqlite"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL,
    note BLOB NOT NULL, time INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS refusals (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, reason TEXT NOT NULL, note BLOB NOT NULL
) STRICT;
"""
_MAX_REFUSALS: Final = 1000  # evidence is kept, but an angry log must not fill the disk


class WitnessStore:
    """A `registry.witness.Record` in a file."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises StoreLocked, StoreFull, StoreFailed."""
        self._name = path.name
        self._lock = threading.Lock()
        with self._translated():
            self._db = sqlite3.connect(
                path, timeout=2, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
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
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def cosigned(self, origin: str) -> Cosigned:
        """The latest cosigned checkpoint of a log; of size 0 before the first."""
        with self._lock, self._translated():
            row = self._db.execute(
                "SELECT size, root, note, time FROM cosigned WHERE origin = ?", (origin,)
            ).fetchone()
        return Cosigned(*row) if row else Cosigned()

    def cosign(self, origin: str, old: Cosigned, new: Cosigned) -> bool:
        """Move the record from exactly `old` to `new`, durably; False when it is elsewhere."""
        with self._transaction():
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
        """Keep a checkpoint that its log signed and that was refused: it may be evidence."""
        with self._transaction():
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
        with self._lock, self._translated():
            rows = self._db.execute(
                "SELECT time, reason FROM refusals ORDER BY id DESC LIMIT 100"
            ).fetchall()
        return [{"time": time, "reason": reason} for time, reason in rows]
