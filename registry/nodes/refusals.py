"""What a node refused to cosign: the record of it, readable from outside while the node runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from registry.errors import StoreFailed, StoreMissing
from registry.tlog.tiles import decode_bundle

REFUSALS: Final = (
    "SELECT id, time, code, reason, origin, idx, note, leaves FROM refusals "
    "ORDER BY id DESC LIMIT ?"
)


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
