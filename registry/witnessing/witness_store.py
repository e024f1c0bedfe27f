"""The durable record of a witness: one SQLite file, `synchronous=FULL`, for any number of logs.

`cosign` is tlog-witness' atomic compare-and-persist: one transaction moves the record from exactly
the old checkpoint to the new one, or not at all. Thread-safe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from registry.witnessing.record_file import RecordFile
from registry.witnessing.witness import Cosigned

WITNESS_FILE: Final = "witness.sqlite"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL,
    note BLOB NOT NULL, time INTEGER NOT NULL
) STRICT;
"""


class WitnessStore(RecordFile):
    """A `registry.witnessing.witness.Record` in a file."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises StoreLocked, StoreFull, StoreFailed."""
        super().__init__(path, _SCHEMA)

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
