"""Anchoring: what must stand on the chain gets there, once, however often this process dies.

The outbox rows were written in the transactions of what they speak of, with the entry's exact
bytes. The registry answers a repeated submission of the same entries with the indices it gave
before, so a row whose answer was lost is simply sent again. A batch of which it knows a part is
refused with the places of that part; then the two parts are sent apart.

Nothing here is urgent for correctness: a credential whose anchor is pending is undetermined at the
desks, never accepted without it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from sqlalchemy import func, select, update

from credentials.keys import Signer
from issuer.office import Office
from issuer.schema import outbox, status_lists
from issuer.times import stamp
from registry.errors import EntriesDuplicate, RegistryError, RegistryUnreachable
from registry.ledger.entries import Entry, parse_entry

MAX_BATCH: Final = 255
# The chain takes a status entry only while its time is near the seal's (ten minutes); one that
# waited longer is signed again, with the time of now.
STATUS_FRESHNESS: Final = timedelta(minutes=5)


class Receipt(Protocol):
    @property
    def origin(self) -> str: ...

    @property
    def indices(self) -> Sequence[int]: ...


class Registry(Protocol):
    """What the issuer needs of `registry.client.RegistryClient`."""

    def submit(
        self, origin: str, entries: Sequence[Entry], signer: Signer, key_url: str
    ) -> Receipt: ...

    def put_status_list(self, document: Mapping[str, Any]) -> object: ...


@dataclass(frozen=True)
class Sent:
    """What one round did. `trouble` is the code of the first error, if there was one."""

    anchored: int
    published: int
    pending: int
    trouble: str | None


class Anchoring:
    def __init__(self, office: Office, registry: Callable[[], Registry]) -> None:
        """`registry` connects when it is first needed: an unreachable one stops nothing else."""
        self._office = office
        self._connect = registry
        # Two threads of one process need not race; two processes may, at no harm.
        self._turn = threading.Lock()

    def pending(self) -> int:
        with self._office.store.read() as connection:
            return int(
                connection.execute(
                    select(func.count()).select_from(outbox).where(outbox.c.state == "pending")
                ).scalar_one()
            )

    def stale_lists(self) -> bool:
        """Mark lists dirty whose pending entry has become too old for the chain."""
        old = stamp(self._office.clock() - STATUS_FRESHNESS)
        with self._office.store.write() as connection:
            numbers = connection.execute(
                select(outbox.c.subject).where(
                    outbox.c.kind == "status", outbox.c.state == "pending", outbox.c.created <= old
                )
            ).scalars()
            wanted = [int(number) for number in numbers]
            if wanted:
                connection.execute(
                    update(status_lists).where(status_lists.c.number.in_(wanted)).values(dirty=True)
                )
        return bool(wanted)

    def send(self) -> Sent:
        """Send everything pending. Raises only what the store raises; the rest is in `trouble`."""
        with self._turn:
            anchored = published = 0
            trouble: str | None = None
            after = 0
            while rows := self._batch(after):
                after = rows[-1].id
                try:
                    self._submit(rows)
                except RegistryError as error:
                    trouble = trouble or error.code
                    self._note_failure(rows, error.code)
                    if isinstance(error, RegistryUnreachable):
                        break
                    continue
                anchored += sum(row.kind == "anchor" for row in rows)
                published += sum(row.kind == "status" for row in rows)
            return Sent(anchored, published, self.pending(), trouble)

    def _batch(self, after: int) -> list[Any]:
        """The next pending rows of one chain and kind, oldest first."""
        query = (
            select(outbox)
            .where(outbox.c.state == "pending", outbox.c.id > after)
            .order_by(outbox.c.id)
            .limit(MAX_BATCH)
        )
        with self._office.store.read() as connection:
            rows = list(connection.execute(query))
        # Up to the first row that differs: the next round begins there. A list that the chain
        # refuses must not hold up anchors.
        for position, row in enumerate(rows):
            if (row.origin, row.kind) != (rows[0].origin, rows[0].kind):
                return rows[:position]
        return rows

    def _submit(self, rows: Sequence[Any]) -> None:
        """Bring a batch to the chain, also when a part of it is there already."""
        try:
            self._submit_once(rows)
        except EntriesDuplicate as error:
            positions = error.params.get("positions")
            known = frozenset(positions if isinstance(positions, list) else ())
            parts = [
                [row for place, row in enumerate(rows) if (place in known) is wanted]
                for wanted in (True, False)
            ]
            if not all(parts):
                raise
            for part in parts:
                self._submit_once(part)

    def _submit_once(self, rows: Sequence[Any]) -> None:
        office = self._office
        registry = self._connect()
        # The list itself first: whoever reads the entry must be able to fetch what it names.
        for row in rows:
            if row.kind == "status":
                registry.put_status_list(self._list(int(row.subject)))
        receipt = registry.submit(
            rows[0].origin,
            [parse_entry(row.entry.encode()) for row in rows],
            office.keys.status,
            office.keys.status_method,
        )
        now = stamp(office.clock())
        with office.store.write() as connection:
            for row, index in zip(rows, receipt.indices, strict=False):
                connection.execute(
                    update(outbox)
                    .where(outbox.c.id == row.id)
                    # Where it stands: a later epoch of the chain, if that was closed.
                    .values(
                        state="done",
                        origin=receipt.origin,
                        position=index,
                        done=now,
                        last_error=None,
                    )
                )

    def _list(self, number: int) -> Mapping[str, Any]:
        with self._office.store.read() as connection:
            text = connection.execute(
                select(status_lists.c.document).where(status_lists.c.number == number)
            ).scalar_one()
        return dict(json.loads(text))

    def _note_failure(self, rows: Sequence[Any], code: str) -> None:
        with self._office.store.write() as connection:
            connection.execute(
                update(outbox)
                .where(outbox.c.id.in_([row.id for row in rows]), outbox.c.state == "pending")
                .values(attempts=outbox.c.attempts + 1, last_error=code)
            )
