"""The durable record of a witness: one SQLite file, `synchronous=FULL`, for any number of logs.

`cosign` is tlog-witness' atomic compare-and-persist: one transaction moves the record from exactly
the old checkpoint to the new one, or not at all. The file is held exclusively, since a second
process on it could make one witness cosign two trees. Thread-safe.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from registry.ledger.members import encode_time
from registry.storage.sqlitefile import SqliteFile
from registry.witnessing.witness import Cosigned

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
    """A `registry.witnessing.witness.Record` in a file."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises StoreLocked, StoreFull, StoreFailed."""
        self._file = SqliteFile(path, _SCHEMA, exclusive=True)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def cosigned(self, origin: str) -> Cosigned:
        """The latest cosigned checkpoint of a log; of size 0 before the first."""
        with self._file.reading() as db:
            row = db.execute(
                "SELECT size, root, note, time FROM cosigned WHERE origin = ?", (origin,)
            ).fetchone()
        return Cosigned(*row) if row else Cosigned()

    def cosign(self, origin: str, old: Cosigned, new: Cosigned) -> bool:
        """Move the record from exactly `old` to `new`, durably; False when it is elsewhere."""
        with self._file.transaction() as db:
            if old.note:
                moved = db.execute(
                    "UPDATE cosigned SET size = ?, root = ?, note = ?, time = ? "
                    "WHERE origin = ? AND size = ? AND root = ?",
                    (new.size, new.root, new.note, new.time, origin, old.size, old.root),
                )
            else:
                moved = db.execute(
                    "INSERT OR IGNORE INTO cosigned VALUES (?, ?, ?, ?, ?)",
                    (origin, new.size, new.root, new.note, new.time),
                )
            return moved.rowcount == 1

    def record_refusal(self, time: datetime, reason: str, note: bytes) -> None:
        """Keep a checkpoint that its log signed and that was refused: it may be evidence."""
        with self._file.transaction() as db:
            db.execute(
                "INSERT INTO refusals (time, reason, note) VALUES (?, ?, ?)",
                (encode_time(time), reason, note),
            )
            db.execute(
                "DELETE FROM refusals WHERE id <= (SELECT max(id) FROM refusals) - ?",
                (_MAX_REFUSALS,),
            )

    def refusals(self) -> list[dict[str, str]]:
        """The refusals on record, newest first: time and reason."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT time, reason FROM refusals ORDER BY id DESC LIMIT 100"
            ).fetchall()
        return [{"time": time, "reason": reason} for time, reason in rows]
