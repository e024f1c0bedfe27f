"""What the files of a witness and of a mirror have alike: one process's alone, and refusals.

The file is held exclusively, since a second process on it could make one party vouch for two
trees. Thread-safe.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from registry.ledger.members import encode_time
from registry.storage.sqlitefile import SqliteFile

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS refusals (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, reason TEXT NOT NULL, note BLOB NOT NULL
) STRICT;
"""
_MAX_REFUSALS: Final = 1000  # evidence is kept, but an angry log must not fill the disk


class RecordFile:
    """A SQLite file, `synchronous=FULL`, with tables of its own beside the refusals."""

    def __init__(self, path: Path, schema: str) -> None:
        """Open or create it. Raises StoreLocked, StoreFull, StoreFailed."""
        self._file = SqliteFile(path, schema + _SCHEMA, exclusive=True)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def record_refusal(self, time: datetime, reason: str, note: bytes) -> None:
        """Keep a checkpoint that its log signed and that was refused: it may be evidence.

        The same refusal of the same checkpoint is kept once: anybody can hand in one that is
        published with a proof that is none, and must not drive out what is there.
        """
        with self._file.transaction() as db:
            for (held,) in db.execute("SELECT note FROM refusals WHERE reason = ?", (reason,)):
                if held.partition(b"\n\n")[0] == note.partition(b"\n\n")[0]:
                    return
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
