"""The operator's list: what the store tells without its data key.

States, dates, list positions and masked names; nothing else of a person is readable here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from issuer.enrolment import Application, find, view
from issuer.errors import RecordUnknown
from issuer.journal import JournalEntry, read
from issuer.schema import applications, credentials, outbox
from issuer.settings import Settings
from issuer.store import Store


@dataclass(frozen=True)
class IssuedCredential:
    """A credential as the operator's list shows it: nothing of the person but the masked name."""

    id: str
    application: str
    type: str
    state: str
    reason: str | None
    masked_name: str
    created: str
    updated: str
    valid_from: str
    valid_until: str
    anchor: str
    anchor_position: int | None  # None while the anchor is pending
    revocation: tuple[int, int] = field(repr=False)
    suspension: tuple[int, int] = field(repr=False)


class Records:
    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    @contextmanager
    def at(cls, home: Path) -> Iterator[Records]:
        """The records of the issuer in `home`; needs no passphrase. Raises `NotInitialised`."""
        Settings.load(home)
        store = Store(home)
        try:
            yield cls(store)
        finally:
            store.close()

    def credentials(
        self, *, state: str | None = None, limit: int = 1000
    ) -> tuple[IssuedCredential, ...]:
        """Newest first."""
        query = _with_position().order_by(credentials.c.created.desc()).limit(limit)
        if state is not None:
            query = query.where(credentials.c.state == state)
        with self._store.read() as connection:
            return tuple(_view(row) for row in connection.execute(query))

    def applications(
        self, *, state: str | None = None, limit: int = 1000
    ) -> tuple[Application, ...]:
        """Newest first."""
        query = select(applications).order_by(applications.c.created.desc()).limit(limit)
        if state is not None:
            query = query.where(applications.c.state == state)
        with self._store.read() as connection:
            return tuple(view(row) for row in connection.execute(query))

    def waiting(self) -> int:
        """How many applications wait for the authority."""
        query = select(func.count()).where(applications.c.state == "waiting")
        with self._store.read() as connection:
            return int(connection.execute(query).scalar_one())

    def application(self, application: str) -> Application:
        """Raises `RecordUnknown`."""
        with self._store.read() as connection:
            return view(find(connection, application))

    def credential(self, credential_id: str) -> IssuedCredential:
        """Raises `RecordUnknown`."""
        query = _with_position().where(credentials.c.id == credential_id)
        with self._store.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise RecordUnknown(record=credential_id)
        return _view(row)

    def journal(self) -> tuple[JournalEntry, ...]:
        """Every operator action, its chain verified. Raises `AuditChainBroken`."""
        with self._store.read() as connection:
            return tuple(read(connection))


def _with_position() -> Any:
    joined = credentials.outerjoin(
        outbox, (outbox.c.kind == "anchor") & (outbox.c.subject == credentials.c.id)
    )
    return select(credentials, outbox.c.position).select_from(joined)


def _view(row: Any) -> IssuedCredential:
    return IssuedCredential(
        id=row.id,
        application=row.application,
        type=row.type,
        state=row.state,
        reason=row.reason,
        masked_name=row.masked_name,
        created=row.created,
        updated=row.updated,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        anchor=row.anchor,
        anchor_position=row.position,
        revocation=(row.revocation_list, row.revocation_index),
        suspension=(row.suspension_list, row.suspension_index),
    )
