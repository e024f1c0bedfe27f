"""What a mirror keeps of foreign logs: one SQLite file, `synchronous=FULL`. Thread-safe.

Entries are kept as the bundles that readers fetch, beside their leaf hashes, one transaction a
package. Of each tile the widest version is kept; narrower ones are its beginning. So there is no
state between "stored" and "not stored", and a mirror that is killed goes on where it was.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from registry.entries import encode_time
from registry.errors import StoreFailed, StoreFull, StoreLocked
from registry.limits import HASH_BYTES
from registry.merkle import EMPTY_ROOT
from registry.tiles import WIDTH, Tile
from registry.witness import Cosigned

MIRROR_FILE: Final = "copies.sqlite"
MAX_PENDING: Final = 16
"""Pending checkpoints that an upload may still refer to (tlog-mirror: the last several)."""
_MAX_REFUSALS: Final = 1000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS pending (
    origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL,
    note BLOB NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (origin, size)
) STRICT;
CREATE TABLE IF NOT EXISTS mirrored (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS stored (origin TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tiles (
    origin TEXT NOT NULL, level INTEGER NOT NULL, idx INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (origin, level, idx)
) STRICT;
CREATE TABLE IF NOT EXISTS refusals (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, reason TEXT NOT NULL, note BLOB NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class Mirrored:
    """The mirror checkpoint of a log; no `note`: none yet."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: bytes = b""


class MirrorStore:
    """Pending checkpoints (a `registry.witness.Record`), entries, tiles, mirror checkpoints."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises StoreLocked, StoreFull, StoreFailed."""
        self._name = path.name
        self._lock = threading.RLock()
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
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable when it ends; one at a time."""
        with self._lock, self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._translated():
            yield self._db

    # Pending checkpoints

    def cosigned(self, origin: str) -> Cosigned:
        """The pending checkpoint of a log; of size 0 before the first."""
        with self._reading() as db:
            row = db.execute(
                "SELECT size, root, note, time FROM pending WHERE origin = ? "
                "ORDER BY size DESC LIMIT 1",
                (origin,),
            ).fetchone()
        return Cosigned(*row) if row else Cosigned()

    def cosign(self, origin: str, old: Cosigned, new: Cosigned) -> bool:
        """Move the pending checkpoint from exactly `old` to `new`, durably; else False."""
        with self.transaction():
            now = self.cosigned(origin)
            if (now.size, now.root, bool(now.note)) != (old.size, old.root, bool(old.note)):
                return False
            self._db.execute(
                "INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?, ?)",
                (origin, new.size, new.root, new.note, new.time),
            )
            self._db.execute(
                "DELETE FROM pending WHERE origin = ? AND size NOT IN (SELECT size FROM pending "
                "WHERE origin = ? ORDER BY size DESC LIMIT ?)",
                (origin, origin, MAX_PENDING),
            )
            return True

    def pending_at(self, origin: str, size: int) -> Cosigned | None:
        """The pending checkpoint of this size, if it is still known."""
        with self._reading() as db:
            row = db.execute(
                "SELECT size, root, note, time FROM pending WHERE origin = ? AND size = ?",
                (origin, size),
            ).fetchone()
        return Cosigned(*row) if row else None

    def record_refusal(self, time: datetime, reason: str, note: bytes) -> None:
        """Keep a checkpoint that its log signed and that was refused: it may be evidence."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO refusals (time, reason, note) VALUES (?, ?, ?)",
                (encode_time(time), reason, note),
            )
            self._db.execute(
                "DELETE FROM refusals WHERE id <= (SELECT max(id) FROM refusals) - ?",
                (_MAX_REFUSALS,),
            )

    # Entries and tiles

    def next(self, origin: str) -> int:
        """The index of the first entry that is not stored."""
        with self._reading() as db:
            row = db.execute("SELECT next FROM stored WHERE origin = ?", (origin,)).fetchone()
        return int(row[0]) if row else 0

    def save(self, origin: str, index: int, bundle: bytes, leaves: bytes) -> None:
        """Keep a bundle and its leaf hashes, unless as much of it is there; moves `next`."""
        with self.transaction():
            held = self.widest(origin, Tile(0, index))
            if held is None or len(held) < len(leaves):
                for level, data in ((0, leaves), (Tile.ENTRIES, bundle)):
                    self._db.execute(
                        "INSERT OR REPLACE INTO tiles VALUES (?, ?, ?, ?)",
                        (origin, level, index, data),
                    )
            end = index * WIDTH + len(leaves) // HASH_BYTES
            self._db.execute(
                "INSERT INTO stored VALUES (?, ?) "
                "ON CONFLICT (origin) DO UPDATE SET next = max(next, excluded.next)",
                (origin, end),
            )

    def widest(self, origin: str, tile: Tile) -> bytes | None:
        """The widest version of a tile or bundle that is kept."""
        with self._reading() as db:
            row = db.execute(
                "SELECT data FROM tiles WHERE origin = ? AND level = ? AND idx = ?",
                (origin, tile.level, tile.index),
            ).fetchone()
        return bytes(row[0]) if row else None

    # The mirror checkpoint

    def mirrored(self, origin: str) -> Mirrored:
        """The mirror checkpoint of a log; of size 0 before the first."""
        with self._reading() as db:
            row = db.execute(
                "SELECT size, root, note FROM mirrored WHERE origin = ?", (origin,)
            ).fetchone()
        return Mirrored(*row) if row else Mirrored()

    def advance(self, origin: str, new: Mirrored, tiles: Iterable[tuple[Tile, bytes]]) -> bool:
        """Make `new` the mirror checkpoint, with its tiles above level 0, unless a larger one is.

        Durable when it returns; False when it stayed where it was.
        """
        with self.transaction():
            if self.mirrored(origin).size > new.size:
                return False
            for tile, data in tiles:
                self._db.execute(
                    "INSERT OR REPLACE INTO tiles VALUES (?, ?, ?, ?)",
                    (origin, tile.level, tile.index, data),
                )
            self._db.execute(
                "INSERT OR REPLACE INTO mirrored VALUES (?, ?, ?, ?)",
                (origin, new.size, new.root, new.note),
            )
            return True
