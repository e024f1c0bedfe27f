"""Counts for charts: entries by chain, kind and day, read out of the logs.

A day is that of the seal (UTC): the time that the submitter signed, which nodes hold to within
minutes of the clock. Everything here is made from the chains and can be made again: delete the
file, and the next start counts anew. It proves nothing; whoever doubts a number counts entries.

Beside the counts it keeps where the main chain's rules stand, and which entry names which digest,
so that a reader can look up a digest that no leaf hash can be rebuilt from.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from registry.engine.view import LogView
from registry.errors import RegistryError
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.kinds import GOVERNANCE_KINDS
from registry.storage.sqlitefile import SqliteFile

FILE: Final = "summary.sqlite"
MAX_PAGE: Final = 500
_PAGE: Final = 8192
_FORMAT: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cursors (
    origin TEXT PRIMARY KEY, scanned INTEGER NOT NULL, root BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS counts (
    origin TEXT NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (origin, day, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rules (
    idx INTEGER PRIMARY KEY, kind TEXT NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS digests (
    digest TEXT NOT NULL, origin TEXT NOT NULL, idx INTEGER NOT NULL, kind TEXT NOT NULL,
    PRIMARY KEY (digest, origin, idx)
) STRICT, WITHOUT ROWID;
"""
# Canonical JSON sorts its members, so these prefixes are the kinds: no other kind has the member.
_ANCHOR: Final = b'{"anchor":"'
_ACCESS: Final = b'{"commitment":"'
_SEAL: Final = b'{"count":'
_SEAL_DAY: Final = re.compile(rb'"time":"(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\dZ","v":1}\Z')


class Summary:
    """The counts of one network. Thread-safe."""

    def __init__(self, folder: Path | None = None) -> None:
        """In a file of `folder`, or in memory."""
        path = None if folder is None else folder / FILE
        # It can be made again.
        self._file = SqliteFile(path, "", synchronous="OFF", name=FILE)
        with self._file.reading() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _FORMAT):
                for table in ("cursors", "counts", "rules", "digests"):
                    db.execute(f"DROP TABLE IF EXISTS {table}")
            db.executescript(_SCHEMA)
            db.execute(f"PRAGMA user_version = {_FORMAT}")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    # Counting

    def scanned(self, origin: str) -> int:
        """How many entries of the chain were counted: up to its last whole submission."""
        with self._file.reading() as db:
            row = db.execute("SELECT scanned FROM cursors WHERE origin = ?", (origin,)).fetchone()
        return int(row[0]) if row else 0

    def catch_up(self, view: LogView, size: int | None = None, *, pages: int | None = None) -> bool:
        """Count entries up to `size` (default: all), at most `pages` pages; True when done.

        A chain that is no longer the one that was counted (a restored home) is counted anew.
        """
        origin, done = view.origin, 0
        size = view.size if size is None else min(size, view.size)
        self._check_same(view)
        while (start := self.scanned(origin)) < size:
            if pages is not None and done >= pages:
                return False
            if not self._scan(view, start, min(size, start + _PAGE)):
                return True  # what is left has no seal yet
            done += 1
        return True

    def _check_same(self, view: LogView) -> None:
        with self._file.transaction() as db:
            row = db.execute(
                "SELECT scanned, root FROM cursors WHERE origin = ?", (view.origin,)
            ).fetchone()
            if row is None:
                return
            scanned, root = int(row[0]), bytes(row[1])
            if scanned <= view.size and view.root_at(scanned) == root:
                return
            db.execute("DELETE FROM cursors WHERE origin = ?", (view.origin,))
            db.execute("DELETE FROM counts WHERE origin = ?", (view.origin,))
            db.execute("DELETE FROM digests WHERE origin = ?", (view.origin,))
            if view.origin.endswith("/main"):
                db.execute("DELETE FROM rules")

    def _scan(self, view: LogView, start: int, end: int) -> bool:
        """Count the whole submissions in [start, end); False when there is none."""
        counts: Counter[tuple[str, str]] = Counter()
        open_kinds: Counter[str] = Counter()
        found: list[tuple[int, Entry]] = []
        rules: list[tuple[int, Entry]] = []
        position = start
        for index, raw in enumerate(view.iterate(start, end), start):
            if raw.startswith(_ANCHOR):
                open_kinds["anchor"] += 1
            elif raw.startswith(_ACCESS):
                open_kinds["access"] += 1
            elif raw.startswith(_SEAL):
                day = _day(raw)
                for kind, count in open_kinds.items():
                    counts[day, kind] += count
                counts[day, "seal"] += 1
                open_kinds.clear()
                found += rules
                rules.clear()
                position = index + 1
            else:
                entry = parse_entry(raw)
                open_kinds[entry.kind] += 1
                if entry.kind != "checkpoint":
                    rules.append((index, entry))
        if position == start:
            return False
        root = view.root_at(position)
        origin = view.origin
        with self._file.transaction() as db:
            db.executemany(
                "INSERT INTO counts VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET count = count + excluded.count",
                [(origin, day, kind, count) for (day, kind), count in counts.items()],
            )
            for index, entry in found:
                _keep(db, origin, index, entry)
            db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", (origin, position, root))
        return True

    # Reading

    def counts(self, since: str = "") -> list[dict[str, Any]]:
        """Entries by chain, day and kind from the day `since` on, oldest first."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT origin, day, kind, count FROM counts WHERE day >= ? "
                "ORDER BY day, origin, kind",
                (since,),
            ).fetchall()
        return [
            {"origin": origin, "day": day, "kind": kind, "count": count}
            for origin, day, kind, count in rows
        ]

    def totals(self) -> list[dict[str, Any]]:
        """Entries by chain and kind."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT origin, kind, sum(count), min(day), max(day) FROM counts "
                "GROUP BY origin, kind ORDER BY origin, kind"
            ).fetchall()
        return [
            {"origin": origin, "kind": kind, "count": count, "first": first, "last": last}
            for origin, kind, count, first, last in rows
        ]

    def rules(self, after: int = -1, limit: int = MAX_PAGE) -> list[tuple[int, str]]:
        """The main chain's rules behind index `after`, as (index, text of the entry)."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT idx, data FROM rules WHERE idx > ? ORDER BY idx LIMIT ?",
                (after, min(limit, MAX_PAGE)),
            ).fetchall()
        return [(index, bytes(data).decode()) for index, data in rows]

    def find(self, digest: str) -> list[dict[str, Any]]:
        """The entries that name a digest, newest first."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT origin, idx, kind FROM digests WHERE digest = ? "
                "ORDER BY idx DESC LIMIT 100",
                (digest,),
            ).fetchall()
        return [{"origin": origin, "index": index, "kind": kind} for origin, index, kind in rows]


def _keep(db: sqlite3.Connection, origin: str, index: int, entry: Entry) -> None:
    if entry.kind in GOVERNANCE_KINDS:
        db.execute("INSERT OR REPLACE INTO rules VALUES (?, ?, ?)", (index, entry.kind, entry.raw))
    digest = entry.body.get("digest")
    if isinstance(digest, str):
        db.execute(
            "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)",
            (digest, origin, index, entry.kind),
        )


def _day(raw: bytes) -> str:
    match = _SEAL_DAY.search(raw)
    if match:
        return match[1].decode()
    return str(parse_entry(raw)["time"])[:10]


class SummaryKeeper:
    """Keeps a `Summary` up with chains that grow. Whoever reads waits for a few pages at most; a
    long rest is counted in a thread of its own."""

    def __init__(self, summary: Summary, *, pages: int = 4) -> None:
        self._summary = summary
        self._pages = pages
        self._turn = threading.Lock()

    def refresh(self, views: Callable[[], Mapping[str, LogView]]) -> bool:
        """Count on for a moment; True when all is counted. Others do not wait for it."""
        if not self._turn.acquire(blocking=False):
            return False
        done = False
        try:
            done = self._count(views())
        finally:
            if done:
                self._turn.release()
            else:
                # The turn goes to the thread, so nobody else counts meanwhile.
                threading.Thread(
                    target=self._rest, args=(views,), name="counting", daemon=True
                ).start()
        return done

    def _rest(self, views: Callable[[], Mapping[str, LogView]]) -> None:
        try:
            while not self._count(views()):
                pass
        finally:
            self._turn.release()

    def _count(self, views: Mapping[str, LogView]) -> bool:
        done = True
        for view in views.values():
            with suppress(RegistryError):  # damage is `verify`'s to tell; a closed summary ends it
                done = self._summary.catch_up(view, pages=self._pages) and done
        return done
