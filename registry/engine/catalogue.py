"""What the sequencer looks up again and again: rules, checkpoints, status lists, by position.

Everything in it is read out of the logs and can be read out again: delete the file, and the next
start rebuilds it. It decides nothing; nodes and bundles check what is made of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from registry.engine.view import LogView
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.kinds import GOVERNANCE_KINDS
from registry.ledger.members import decode_time, encode_time
from registry.storage.sqlitefile import SqliteFile

FILE: Final = "catalogue.sqlite"
PASSED_OVER: Final = frozenset({"anchor", "access"})
"""Kinds in which there is nothing to look up: by far the most entries."""
_PAGE: Final = 4096
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cursors (
    origin TEXT PRIMARY KEY, scanned INTEGER NOT NULL, sealed TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS rules (idx INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS checkpoints (
    idx INTEGER PRIMARY KEY, origin TEXT NOT NULL, size INTEGER NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS checkpoints_by_origin ON checkpoints (origin, idx);
CREATE TABLE IF NOT EXISTS status (
    origin TEXT NOT NULL, idx INTEGER NOT NULL, url TEXT NOT NULL, digest TEXT NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (origin, idx)
) STRICT;
CREATE INDEX IF NOT EXISTS status_by_list ON status (origin, url, idx);
CREATE INDEX IF NOT EXISTS status_by_digest ON status (digest);
"""


class Catalogue:
    """The look-up tables of one registry. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        # It can be rebuilt.
        self._file = SqliteFile(folder / FILE, _SCHEMA, synchronous="NORMAL")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def scanned(self, origin: str) -> int:
        """How many entries of the chain were read."""
        with self._file.reading() as db:
            row = db.execute("SELECT scanned FROM cursors WHERE origin = ?", (origin,)).fetchone()
        return int(row[0]) if row else 0

    def catch_up(self, view: LogView, size: int) -> list[tuple[int, Entry]]:
        """Read entries up to `size` of the chain. Returns the new governance entries."""
        origin = view.origin
        found: list[tuple[int, Entry]] = []
        while (start := self.scanned(origin)) < size:
            end = min(size, start + _PAGE)
            # Read and parsed before the file is taken: whoever looks something up does not wait.
            entries = [
                (index, parse_entry(raw))
                for index, raw in enumerate(view.iterate(start, end), start)
                # By far the most, and nothing to look up in them.
                if not (b'"kind":"anchor"' in raw or b'"kind":"access"' in raw)
            ]
            if self.take(origin, start, end, entries):  # else another thread has read them
                found += ((at, entry) for at, entry in entries if entry.kind in GOVERNANCE_KINDS)
        return found

    def take(self, origin: str, start: int, end: int, entries: Sequence[tuple[int, Entry]]) -> bool:
        """Take in [start, end) of a chain, of which `entries` are all but `PASSED_OVER` kinds.

        For whoever has parsed them anyway; False when the catalogue does not stand at `start`.
        """
        with self._file.transaction() as db:
            if self.scanned(origin) != start:
                return False
            self._take(db, origin, entries, end)
        return True

    def _take(
        self,
        db: sqlite3.Connection,
        origin: str,
        entries: Iterable[tuple[int, Entry]],
        end: int,
    ) -> None:
        sealed = self.sealed(origin)
        for index, entry in entries:
            raw = entry.raw
            if entry.kind in GOVERNANCE_KINDS:
                db.execute("INSERT OR REPLACE INTO rules VALUES (?, ?)", (index, raw))
            elif entry.kind == "checkpoint":
                db.execute(
                    "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)",
                    (index, entry["origin"], entry["size"], raw),
                )
            elif entry.kind == "status":
                db.execute(
                    "INSERT OR REPLACE INTO status VALUES (?, ?, ?, ?, ?)",
                    (origin, index, entry["list"], entry["digest"], raw),
                )
            elif entry.kind == "seal":
                moment = decode_time(entry["time"])
                sealed = moment if sealed is None else max(sealed, moment)
        db.execute(
            "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)",
            (origin, end, encode_time(sealed) if sealed else None),
        )

    def sealed(self, origin: str) -> datetime | None:
        """The latest time of a seal that was read."""
        with self._file.reading() as db:
            row = db.execute("SELECT sealed FROM cursors WHERE origin = ?", (origin,)).fetchone()
        return decode_time(row[0]) if row and row[0] else None

    def rules(self, below: int, start: int = 0) -> list[tuple[int, Entry]]:
        """Governance entries [start, below) of the main chain, in order."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT idx, data FROM rules WHERE idx >= ? AND idx < ? ORDER BY idx",
                (start, below),
            ).fetchall()
        return [(index, parse_entry(data)) for index, data in rows]

    def checkpoint(self, below: int, origin: str | None = None) -> tuple[int, Entry] | None:
        """The newest checkpoint entry (of a side chain) with an index below `below`."""
        query, values = "SELECT idx, data FROM checkpoints WHERE idx < ?", [below]
        clause: list[str] = []
        if origin is not None:
            query, clause = query + " AND origin = ?", [origin]
        with self._file.reading() as db:
            row = db.execute(query + " ORDER BY idx DESC LIMIT 1", (*values, *clause)).fetchone()
        return (row[0], parse_entry(row[1])) if row else None

    def covering(self, origin: str, index: int, below: int) -> tuple[int, Entry] | None:
        """The first checkpoint entry of a side chain that covers its entry `index`."""
        with self._file.reading() as db:
            row = db.execute(
                "SELECT idx, data FROM checkpoints WHERE origin = ? AND size > ? AND idx < ? "
                "ORDER BY idx LIMIT 1",
                (origin, index, below),
            ).fetchone()
        return (row[0], parse_entry(row[1])) if row else None

    def blocks(self, limit: int, before: int | None = None) -> list[tuple[int, Entry]]:
        """Checkpoint entries, newest first."""
        end = 2**62 if before is None else before
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT idx, data FROM checkpoints WHERE idx < ? ORDER BY idx DESC LIMIT ?",
                (end, limit),
            ).fetchall()
        return [(index, parse_entry(data)) for index, data in rows]

    def lists(self, origin: str, below: int) -> dict[str, tuple[int, Entry]]:
        """The newest status entry of each list among the chain's first `below` entries."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT url, max(idx), data FROM status WHERE origin = ? AND idx < ? GROUP BY url",
                (origin, below),
            ).fetchall()
        return {url: (index, parse_entry(data)) for url, index, data in rows}

    def digests(self, origin: str) -> list[str]:
        """The digests that status entries of the chain name."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT DISTINCT digest FROM status WHERE origin = ?", (origin,)
            ).fetchall()
        return [str(row[0]) for row in rows]

    def has_digest(self, digest: str) -> bool:
        """Whether a status entry names this digest."""
        with self._file.reading() as db:
            row = db.execute("SELECT 1 FROM status WHERE digest = ? LIMIT 1", (digest,)).fetchone()
        return row is not None
