"""Offers: a pre-authorized code for the wallet, a transaction code by another channel.

OpenID4VCI 1.0 §3.5, §4.1.1, §6. The pre-authorized code is 256 random bits and stands in the offer,
so it may be seen by whoever sees the applicant's screen. The transaction code is six random digits
that never stand in the offer, an answer or a log; five wrong ones lock the offer, so guessing
succeeds once in 200,000 offers (and `issuer.enrolment` bounds how many a stranger can cause). Both
die with the offer, and with the first use.

The store keeps a digest of the one and a keyed tag of the other: a stolen store opens no offer.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, insert, select, update

from issuer.enrolment import expired, find
from issuer.errors import (
    OfferInvalid,
    TransactionCodeMissing,
    TransactionCodeWrong,
    TransitionForbidden,
)
from issuer.journal import record
from issuer.notify import Notifier
from issuer.office import Office
from issuer.schema import applications, offers, tokens
from issuer.times import moment_of, stamp

PRE_AUTHORIZED_GRANT: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
TX_CODE_DIGITS: Final = 6
MAX_FAILURES: Final = 5
TOKEN_LIFETIME: Final = timedelta(minutes=5)
_OFFER_SCHEME: Final = "openid-credential-offer://?credential_offer="


@dataclass(frozen=True)
class Offer:
    """An open offer. Its text is for the applicant's eyes; worthless without the other code."""

    application: str
    text: str = field(repr=False)
    expires: datetime


@dataclass(frozen=True)
class AccessToken:
    text: str = field(repr=False)
    lifetime: timedelta


class Offers:
    def __init__(self, office: Office, notifier: Notifier, configuration: str) -> None:
        self._office = office
        self._notifier = notifier
        self._configuration = configuration

    def first(self, application: str, *, actor: str | None = None) -> Offer | None:
        """The first offer of an approved application, or the one that another thread just made.

        The worker and a request may both come upon one approval; two offers would leave the
        applicant with the one that was withdrawn.
        """
        try:
            return self._make(application, frozenset({"approved"}), actor)
        except TransitionForbidden as error:
            if error.params["state"] != "offered":
                raise
            return self.current(application)

    def make(self, application: str, *, actor: str | None = None) -> Offer:
        """A new offer for an approved application; earlier open offers are withdrawn.

        Raises `TransitionForbidden` unless the application is approved or already offered.
        """
        return self._make(application, frozenset({"approved", "offered"}), actor)

    def _make(self, application: str, allowed: frozenset[str], actor: str | None) -> Offer:
        office = self._office
        code = office.new_secret()
        tx_code = (
            f"{int.from_bytes(office.random(8), 'big') % 10**TX_CODE_DIGITS:0{TX_CODE_DIGITS}}"
        )
        offer_id = office.new_id()
        now = office.clock()
        expires = now + timedelta(minutes=office.settings.offer_minutes)
        text = _OFFER_SCHEME + quote(
            json.dumps(self._content(code), separators=(",", ":")), safe=""
        )
        with office.store.write() as connection:
            row = find(connection, application)
            if row.state not in allowed:
                raise TransitionForbidden(record=application, state=row.state, wanted="offered")
            connection.execute(
                update(offers)
                .where(offers.c.application == application, offers.c.state == "open")
                .values(state="withdrawn")
            )
            connection.execute(
                insert(offers).values(
                    id=offer_id,
                    application=application,
                    code_digest=sha256(code.encode()).digest(),
                    tx_tag=office.sealer.tag("tx-code", offer_id, tx_code),
                    state="open",
                    failures=0,
                    created=stamp(now),
                    expires=stamp(expires),
                    sealed=office.sealer.seal("offers", offer_id, text.encode()),
                )
            )
            self._set_state(connection, application, "offered", now)
            if actor is not None:
                record(
                    connection,
                    time=stamp(now),
                    actor=actor,
                    action="offer",
                    target=application,
                    reason=None,
                )
            # Last before the commit: an offer whose code cannot be delivered is not made.
            self._notifier.deliver(application, tx_code, expires)
        return Offer(application, text, moment_of(stamp(expires)))

    def current(self, application: str) -> Offer | None:
        """The open, unexpired offer of an application."""
        query = (
            select(offers)
            .where(offers.c.application == application, offers.c.state == "open")
            .order_by(offers.c.created.desc())
            .limit(1)
        )
        with self._office.store.read() as connection:
            row = connection.execute(query).first()
        if row is None or expired(row.expires, self._office.clock()):
            return None
        text = self._office.sealer.open("offers", row.id, row.sealed).decode()
        return Offer(application, text, moment_of(row.expires))

    def redeem(self, code: str, tx_code: str | None) -> AccessToken:
        """Exchange the two codes for an access token (OpenID4VCI §6.1).

        Raises `OfferInvalid`, `TransactionCodeMissing`, `TransactionCodeWrong`.
        """
        office = self._office
        now = office.clock()
        with office.store.write() as connection:
            row = connection.execute(
                select(offers).where(offers.c.code_digest == sha256(code.encode()).digest())
            ).first()
            if row is None or row.state != "open" or expired(row.expires, now):
                raise OfferInvalid
            if tx_code is None:
                raise TransactionCodeMissing
            left = self._count_failure(connection, row, tx_code)
            if left is None:
                token = self._grant(connection, row, now)
        # Raised out here: inside, it would roll the count of failures back.
        if left is not None:
            if left == 0:
                self._notifier.withdraw(row.application)
                raise OfferInvalid
            raise TransactionCodeWrong(left=left)
        self._notifier.withdraw(row.application)
        return AccessToken(token, TOKEN_LIFETIME)

    def lapse(self) -> None:
        """Close the offers that have expired, and forget their codes where they still wait."""
        query = select(offers.c.id, offers.c.application).where(
            offers.c.state == "open", offers.c.expires <= stamp(self._office.clock())
        )
        with self._office.store.write() as connection:
            expired_offers = connection.execute(query).all()
            for row in expired_offers:
                connection.execute(
                    update(offers).where(offers.c.id == row.id).values(state="lapsed")
                )
        for row in expired_offers:
            if self.current(row.application) is None:
                self._notifier.withdraw(row.application)

    def _count_failure(self, connection: Connection, row: Any, tx_code: str) -> int | None:
        """None if the code is right, else how many more tries there are."""
        tag = self._office.sealer.tag("tx-code", row.id, tx_code)
        if hmac.compare_digest(tag, row.tx_tag):
            return None
        failures = int(row.failures) + 1
        connection.execute(
            update(offers)
            .where(offers.c.id == row.id)
            .values(failures=failures, state="locked" if failures >= MAX_FAILURES else "open")
        )
        return max(0, MAX_FAILURES - failures)

    def _grant(self, connection: Connection, row: Any, now: datetime) -> str:
        token = self._office.new_secret()
        connection.execute(update(offers).where(offers.c.id == row.id).values(state="used"))
        connection.execute(
            insert(tokens).values(
                digest=sha256(token.encode()).digest(),
                application=row.application,
                offer=row.id,
                expires=stamp(now + TOKEN_LIFETIME),
            )
        )
        return token

    def _content(self, code: str) -> dict[str, Any]:
        return {
            "credential_issuer": self._office.settings.public_url,
            "credential_configuration_ids": [self._configuration],
            "grants": {
                PRE_AUTHORIZED_GRANT: {
                    "pre-authorized_code": code,
                    "tx_code": {"input_mode": "numeric", "length": TX_CODE_DIGITS},
                }
            },
        }

    @staticmethod
    def _set_state(connection: Connection, application: str, state: str, now: datetime) -> None:
        connection.execute(
            update(applications)
            .where(applications.c.id == application)
            .values(state=state, updated=stamp(now))
        )
