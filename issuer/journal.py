"""The operator journal: who did what to which record, when and why.

Each entry seals those before: `digest = SHA-256(previous || JCS(entry))`. An edited, removed or
reordered entry breaks the chain at its place. Whoever can write the store can still recompute the
whole chain or cut its end; compare the last digest with a copy kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import rfc8785
from sqlalchemy import Connection, insert, select

from issuer.errors import AuditChainBroken
from issuer.schema import journal

_START: Final = bytes(32)
_SEALED: Final = ("sequence", "time", "actor", "action", "target", "reason")


@dataclass(frozen=True)
class JournalEntry:
    sequence: int
    time: str
    actor: str
    action: str
    target: str
    reason: str | None
    digest: bytes


def record(
    connection: Connection, *, time: str, actor: str, action: str, target: str, reason: str | None
) -> None:
    """Append one entry, in the transaction of what it speaks of."""
    last = connection.execute(
        select(journal.c.sequence, journal.c.digest).order_by(journal.c.sequence.desc()).limit(1)
    ).first()
    sequence, previous = (last.sequence + 1, last.digest) if last else (1, _START)
    entry = {
        "sequence": sequence,
        "time": time,
        "actor": actor,
        "action": action,
        "target": target,
        "reason": reason,
    }
    connection.execute(
        insert(journal).values(**entry, previous=previous, digest=_digest(previous, entry))
    )


def read(connection: Connection) -> Iterator[JournalEntry]:
    """Every entry, oldest first. Raises `AuditChainBroken` at the first that does not follow."""
    previous, expected = _START, 1
    for row in connection.execute(select(journal).order_by(journal.c.sequence)):
        entry = {name: row._mapping[name] for name in _SEALED}
        if (
            row.sequence != expected
            or row.previous != previous
            or row.digest != _digest(previous, entry)
        ):
            raise AuditChainBroken(sequence=expected)
        yield JournalEntry(**entry, digest=row.digest)
        previous, expected = row.digest, expected + 1


def _digest(previous: bytes, entry: dict[str, Any]) -> bytes:
    return sha256(previous + rfc8785.dumps(entry)).digest()
