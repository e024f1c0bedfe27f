"""The issuer's Bitstring Status Lists: which bit is whose, and the signed lists desks rely on.

A credential gets a random unused bit in one revocation list and one suspension list, so a bit's
place says nothing about when or to whom it was given (Bitstring Status List §5.1). A list that is
three quarters full is followed by a new one, before finding a free bit gets slow.

Bits change in the transaction of what they mean; signing follows, in one go for many changes. The
signed document, its digest and the entry for the chain are stored together, so a crash between
flipping and publishing loses nothing: the list stays `dirty` until it is signed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, func, insert, or_, select, update

from credentials.proofs import add_proof
from credentials.status import MIN_ENTRIES, StatusList, random_index, status_list_credential
from issuer.credential import Placement
from issuer.errors import StatusListUnknown
from issuer.office import Office
from issuer.schema import credentials, outbox, status_lists
from issuer.times import moment_of, stamp
from registry.ledger.entries import status_entry
from registry.ledger.members import document_digest

Purpose = Literal["revocation", "suspension"]
_PURPOSES: Final[tuple[Purpose, ...]] = ("revocation", "suspension")

_FILL_LIMIT: Final = 0.75


class _Draw:
    """Chance from a source of random bytes; 64 bits leave no bias worth naming."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random

    def randrange(self, stop: int, /) -> int:
        return int.from_bytes(self._random(8), "big") % stop


def ensure_lists(office: Office, connection: Connection) -> None:
    """One list of each purpose, at least."""
    for purpose in _PURPOSES:
        if _newest(connection, purpose) is None:
            _open_list(office, connection, purpose)


def allocate(office: Office, connection: Connection, purpose: Purpose) -> tuple[int, Placement]:
    """A random unused bit: the list's number, and its place for the credential."""
    row = _newest(connection, purpose)
    if row is None or row.used >= row.size * _FILL_LIMIT:
        row = _open_list(office, connection, purpose)
    list_column = credentials.c[f"{purpose}_list"]
    index_column = credentials.c[f"{purpose}_index"]

    def is_taken(index: int) -> bool:
        query = select(func.count()).where(list_column == row.number, index_column == index)
        return bool(connection.execute(query).scalar_one())

    index = random_index(row.size, is_taken, _Draw(office.random))
    connection.execute(
        update(status_lists)
        .where(status_lists.c.number == row.number)
        .values(used=status_lists.c.used + 1)
    )
    return row.number, Placement(row.url, index)


def set_bits(connection: Connection, number: int, indices: Iterable[int], *, value: bool) -> None:
    """Flip bits of one list; it is dirty until `sign_dirty`."""
    bits = StatusList.decode(_row(connection, number).bits)
    bits.set_many(indices, value)
    connection.execute(
        update(status_lists)
        .where(status_lists.c.number == number)
        .values(bits=bits.encode(), dirty=True)
    )


def sign_dirty(office: Office, *, everything: bool = False) -> list[int]:
    """Sign the lists that changed, or whose signature grew old; returns their numbers."""
    now = office.clock()
    old = stamp(now - timedelta(hours=office.settings.status_refresh_hours))
    wanted = or_(
        status_lists.c.dirty, status_lists.c.document.is_(None), status_lists.c.signed <= old
    )
    signed = []
    with office.store.write() as connection:
        query = select(status_lists).order_by(status_lists.c.number)
        for row in connection.execute(query if everything else query.where(wanted)).all():
            _sign(office, connection, row, now)
            signed.append(row.number)
    return signed


def document(office: Office, number: int) -> str:
    """The signed list, as JSON text. Raises `StatusListUnknown`."""
    with office.store.read() as connection:
        row = _row(connection, number)
    if row.document is None:
        raise StatusListUnknown(number=number)
    return str(row.document)


def _sign(office: Office, connection: Connection, row: Any, now: datetime) -> None:
    # A later version of one list never has the same or an earlier time than the one before.
    if row.signed is not None:
        now = max(now, moment_of(row.signed) + timedelta(seconds=1))
    unsigned = status_list_credential(
        StatusList.decode(row.bits),
        url=row.url,
        issuer=office.settings.did,
        purpose=row.purpose,
        valid_from=now,
    )
    signed = add_proof(
        unsigned,
        cryptosuite="eddsa-rdfc-2022",
        signer=office.keys.status,
        verification_method=office.keys.status_method,
        created=now,
    )
    digest = document_digest(signed)
    entry = status_entry(office.settings.did, row.url, digest, now)
    connection.execute(
        update(status_lists)
        .where(status_lists.c.number == row.number)
        .values(
            document=json.dumps(signed, ensure_ascii=False),
            digest=digest,
            signed=stamp(now),
            dirty=False,
        )
    )
    # An older version that never reached the chain need not reach it any more.
    connection.execute(
        update(outbox)
        .where(
            outbox.c.kind == "status",
            outbox.c.subject == str(row.number),
            outbox.c.state == "pending",
        )
        .values(state="superseded")
    )
    connection.execute(
        insert(outbox).values(
            kind="status",
            subject=str(row.number),
            origin=office.settings.status_origin,
            entry=entry.raw.decode(),
            state="pending",
            attempts=0,
            created=stamp(now),
        )
    )


def _row(connection: Connection, number: int) -> Any:
    row = connection.execute(select(status_lists).where(status_lists.c.number == number)).first()
    if row is None:
        raise StatusListUnknown(number=number)
    return row


def _newest(connection: Connection, purpose: str) -> Any:
    return connection.execute(
        select(status_lists)
        .where(status_lists.c.purpose == purpose)
        .order_by(status_lists.c.number.desc())
        .limit(1)
    ).first()


def _open_list(office: Office, connection: Connection, purpose: str) -> Any:
    number = (connection.execute(select(func.max(status_lists.c.number))).scalar() or 0) + 1
    connection.execute(
        insert(status_lists).values(
            number=number,
            purpose=purpose,
            url=office.settings.status_url(number),
            size=MIN_ENTRIES,
            used=0,
            bits=StatusList.empty(MIN_ENTRIES).encode(),
            dirty=True,
        )
    )
    return _row(connection, number)
