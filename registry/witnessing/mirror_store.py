"""What a mirror keeps of foreign logs: one SQLite file, `synchronous=FULL`. Thread-safe.

Entries are kept as the bundles that readers fetch, beside their leaf hashes, one transaction a
package. Of each tile the widest version is kept; narrower ones are its beginning. So there is no
state between "stored" and "not stored", and a mirror that is killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from registry.limits import HASH_BYTES
from registry.tlog.merkle import EMPTY_ROOT
from registry.tlog.tiles import WIDTH, Tile
from registry.witnessing.record_file import RecordFile
from registry.witnessing.witness import Cosigned

MIRROR_FILE: Final = "copies.sqlite"
MAX_PENDING: Final = 16
"""Pending checkpoints that an upload may still refer to (tlog-mirror: the last several)."""
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
"""


@dataclass(frozen=True)
class Mirrored:
    """The mirror checkpoint of a log; no `note`: none yet."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: bytes = b""


class MirrorStore(RecordFile):
    """Pending checkpoints (a `registry.witnessing.witness.Record`), entries, tiles, mirror
    checkpoints."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises StoreLocked, StoreFull, StoreFailed."""
        super().__init__(path, _SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable when it ends; one at a time."""
        with self._file.transaction():
            yield

    # Pending checkpoints

    def cosigned(self, origin: str) -> Cosigned:
        """The pending checkpoint of a log; of size 0 before the first."""
        with self._file.reading() as db:
            row = db.execute(
                "SELECT size, root, note, time FROM pending WHERE origin = ? "
                "ORDER BY size DESC LIMIT 1",
                (origin,),
            ).fetchone()
        return Cosigned(*row) if row else Cosigned()

    def cosign(self, origin: str, old: Cosigned, new: Cosigned) -> bool:
        """Move the pending checkpoint from exactly `old` to `new`, durably; else False."""
        with self._file.transaction() as db:
            now = self.cosigned(origin)
            if (now.size, now.root, bool(now.note)) != (old.size, old.root, bool(old.note)):
                return False
            db.execute(
                "INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?, ?)",
                (origin, new.size, new.root, new.note, new.time),
            )
            db.execute(
                "DELETE FROM pending WHERE origin = ? AND size NOT IN (SELECT size FROM pending "
                "WHERE origin = ? ORDER BY size DESC LIMIT ?)",
                (origin, origin, MAX_PENDING),
            )
            return True

    def pending_at(self, origin: str, size: int) -> Cosigned | None:
        """The pending checkpoint of this size, if it is still known."""
        with self._file.reading() as db:
            row = db.execute(
                "SELECT size, root, note, time FROM pending WHERE origin = ? AND size = ?",
                (origin, size),
            ).fetchone()
        return Cosigned(*row) if row else None

    # Entries and tiles

    def next(self, origin: str) -> int:
        """The index of the first entry that is not stored."""
        with self._file.reading() as db:
            row = db.execute("SELECT next FROM stored WHERE origin = ?", (origin,)).fetchone()
        return int(row[0]) if row else 0

    def save(self, origin: str, index: int, bundle: bytes, leaves: bytes) -> None:
        """Keep a bundle and its leaf hashes, unless as much of it is there; moves `next`."""
        with self._file.transaction() as db:
            held = self.widest(origin, Tile(0, index))
            if held is None or len(held) < len(leaves):
                for level, data in ((0, leaves), (Tile.ENTRIES, bundle)):
                    db.execute(
                        "INSERT OR REPLACE INTO tiles VALUES (?, ?, ?, ?)",
                        (origin, level, index, data),
                    )
            end = index * WIDTH + len(leaves) // HASH_BYTES
            db.execute(
                "INSERT INTO stored VALUES (?, ?) "
                "ON CONFLICT (origin) DO UPDATE SET next = max(next, excluded.next)",
                (origin, end),
            )

    def widest(self, origin: str, tile: Tile) -> bytes | None:
        """The widest version of a tile or bundle that is kept."""
        with self._file.reading() as db:
            row = db.execute(
                "SELECT data FROM tiles WHERE origin = ? AND level = ? AND idx = ?",
                (origin, tile.level, tile.index),
            ).fetchone()
        return bytes(row[0]) if row else None

    # The mirror checkpoint

    def mirrored(self, origin: str) -> Mirrored:
        """The mirror checkpoint of a log; of size 0 before the first."""
        with self._file.reading() as db:
            row = db.execute(
                "SELECT size, root, note FROM mirrored WHERE origin = ?", (origin,)
            ).fetchone()
        return Mirrored(*row) if row else Mirrored()

    def advance(self, origin: str, new: Mirrored, tiles: Iterable[tuple[Tile, bytes]]) -> bool:
        """Make `new` the mirror checkpoint, with its tiles above level 0, unless a larger one is.

        Durable when it returns; False when it stayed where it was.
        """
        with self._file.transaction() as db:
            if self.mirrored(origin).size > new.size:
                return False
            for tile, data in tiles:
                db.execute(
                    "INSERT OR REPLACE INTO tiles VALUES (?, ?, ?, ?)",
                    (origin, tile.level, tile.index, data),
                )
            db.execute(
                "INSERT OR REPLACE INTO mirrored VALUES (?, ?, ?, ?)",
                (origin, new.size, new.root, new.note),
            )
            return True
