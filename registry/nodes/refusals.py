"""What a node refused to cosign: the record of it, readable from outside while the node runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from registry.errors import StoreFailed, StoreMissing
from registry.ledger.members import encode_time
from registry.tlog.tiles import decode_bundle, encode_bundle

REFUSAL_TABLE: Final = """
CREATE TABLE IF NOT EXISTS refusals (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL,
    origin TEXT, idx INTEGER, note BLOB NOT NULL, leaves BLOB NOT NULL
) STRICT;
"""
REFUSALS: Final = (
    "SELECT id, time, code, reason, origin, idx, note, leaves FROM refusals "
    "ORDER BY id DESC LIMIT ?"
)
_MAX_REFUSALS: Final = 1000  # evidence is kept, but an angry log must not fill the disk
_MAX_EVIDENCE: Final = 256 * 1024  # bytes of leaves kept with a refusal
_MAX_LEAF: Final = 2**16 - 1  # bytes, as a bundle can have them


@dataclass(frozen=True)
class Refusal:
    """What a node would not cosign: why, the note that the log had signed, and the leaves."""

    number: int
    time: str
    code: str
    reason: str
    origin: str | None
    index: int | None
    note: bytes
    leaves: tuple[bytes, ...]


def refusal_of(row: tuple[Any, ...]) -> Refusal:
    """The refusal in a row of `REFUSALS`."""
    return Refusal(
        number=row[0],
        time=row[1],
        code=row[2],
        reason=row[3],
        origin=row[4],
        index=row[5],
        note=row[6],
        leaves=tuple(decode_bundle(row[7])),
    )


def keep_refusal(
    db: sqlite3.Connection,
    time: datetime,
    code: str,
    reason: str,
    note: bytes,
    *,
    origin: str | None,
    index: int | None,
    leaves: Sequence[bytes],
) -> None:
    """Write a refusal, within a transaction, unless the same one of the same checkpoint is kept.

    `index` is where on the chain `origin` the fault was found, `leaves` are those that show it.
    Raises sqlite3.Error.
    """
    for (held,) in db.execute("SELECT note FROM refusals WHERE reason = ?", (reason,)):
        if held.partition(b"\n\n")[0] == note.partition(b"\n\n")[0]:
            return
    kept: list[bytes] = []
    for leaf in leaves:
        if sum(map(len, kept)) + len(leaf) <= _MAX_EVIDENCE and len(leaf) <= _MAX_LEAF:
            kept.append(leaf)
    db.execute(
        "INSERT INTO refusals (time, code, reason, origin, idx, note, leaves) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (encode_time(time), code, reason, origin, index, note, encode_bundle(kept)),
    )
    db.execute(
        "DELETE FROM refusals WHERE id <= (SELECT max(id) FROM refusals) - ?", (_MAX_REFUSALS,)
    )


def read_refusals(store: Path, limit: int = 100) -> list[Refusal]:
    """The refusals in the store of a node, newest first; it may be running."""
    with looking(store) as db:
        return [refusal_of(row) for row in db.execute(REFUSALS, (limit,))]


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """A node's store for a look from outside. Raises StoreMissing, StoreFailed."""
    if not path.is_file():
        raise StoreMissing(store=path.parent.name)
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)
        ) as db:
            yield db
    except sqlite3.Error as error:
        raise StoreFailed(store=path.name, reason="SQLite reports an error") from error
