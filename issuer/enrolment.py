"""Enrolment: from a citizen's own statement to one the authority confirmed.

An application comes online, signed by the fresh P-256 key that the credential will be bound to, or
from an operator at the counter. Its form is checked before anyone is asked. Then the authority
says yes or no; a copy of its register never comes here. While it cannot be reached the application
is kept and asked again, later and later; it is never approved for want of an answer.

Not promised: that the person who applied is the person described. Online, that rests on the
transaction code, which goes to the contact the authorities hold and not to the applicant's device.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from credentials.errors import CredentialError
from credentials.jose import parse_compact
from credentials.keys import PublicKey
from issuer.authority.client import AuthorityAnswer
from issuer.authority.errors import AuthorityBusy
from issuer.credential import Evidence, Placement, compose
from issuer.errors import (
    ApplicationForged,
    ApplicationMalformed,
    ApplicationReplayed,
    ApplicationsTooFrequent,
    IssuerError,
    RecordUnknown,
    TooManyWaiting,
)
from issuer.journal import record
from issuer.office import Office
from issuer.schema import applications, spent
from issuer.times import moment_of, stamp
from schemas.resident_identity.rules import CHINA_STANDARD_TIME
from schemas.scenario import Scenario
from schemas.violations import SchemaViolation

APPLICATION_TYPE: Final = "zl-application+jwt"
FIELDS: Final = ("name", "citizenNumber", "sex", "birthDate", "ethnicity", "division")
MAX_APPLICATION: Final = 8192
"""Characters of a signed application; an honest one has some 900."""
MAX_JTI: Final = 128
# How far the clock of an applicant's device may be off; the `jti` is remembered for as long.
FRESHNESS: Final = timedelta(minutes=5)
# Unanswered applications are rows on the disk that any stranger can cause.
MAX_WAITING: Final = 10_000
# Every online application is good for five guesses at a transaction code, by whoever knows the
# citizen's data. Ten a day leave a guesser one chance in 20,000, and an honest applicant plenty.
# Whoever spends them all sends the citizen to the counter for a day; that is the lesser harm.
MAX_ONLINE_A_DAY: Final = 10

FIRST_RETRY: Final = timedelta(seconds=5)
LAST_RETRY: Final = timedelta(minutes=10)

REFUSED_BY_AUTHORITY: Final = "not-confirmed"


class Authority(Protocol):
    """Whoever confirms a citizen's data: `issuer.authority.client.AuthorityClient`."""

    def check(self, person: Mapping[str, str]) -> AuthorityAnswer:
        """Raises an `IssuerError` when nothing is known: `AuthorityUnreachable` and its like."""
        ...


@dataclass(frozen=True)
class Asked:
    """The state of an application after asking; `trouble` says why it still waits."""

    state: str
    trouble: IssuerError | None = None


@dataclass(frozen=True)
class Application:
    """An application as the issuer knows it. `data` is personal: decrypted when asked for."""

    id: str
    channel: str
    state: str
    reason: str | None
    masked_name: str
    created: str
    updated: str
    holder_key: str | None = field(repr=False)
    evidence: Evidence | None = field(repr=False)


class Enrolment:
    def __init__(self, office: Office, scenario: Scenario, authority: Authority) -> None:
        self._office = office
        self._scenario = scenario
        self._authority = authority

    def receive_online(self, token: str) -> str:
        """Check and keep a signed application; returns its id. Nobody was asked yet.

        Raises `ApplicationMalformed`, `ApplicationForged`, `ApplicationReplayed`,
        `ApplicationsTooFrequent`, `TooManyWaiting`.
        """
        now = self._office.clock()
        key, payload = self._open(token)
        issued = payload.get("iat")
        jti = payload.get("jti")
        if payload.get("aud") != self._office.settings.public_url:
            raise ApplicationForged(reason="it is addressed to another issuer")
        if not isinstance(jti, str) or not 16 <= len(jti) <= MAX_JTI:
            raise ApplicationMalformed(field="jti", rule="16 to 128 characters")
        if type(issued) is not int:
            raise ApplicationMalformed(field="iat", rule="seconds since 1970")
        if abs(now.timestamp() - issued) > FRESHNESS.total_seconds():
            raise ApplicationReplayed
        data = self.check_form(payload.get("application"))
        tag = self._office.sealer.tag("application", key.multikey(), jti)
        return self._keep(data, channel="online", holder_key=key.multikey(), spend=tag)

    def receive_at_counter(self, data: object, *, actor: str) -> str:
        """Check and keep an application that an operator took down; returns its id."""
        checked = self.check_form(data)
        return self._keep(checked, channel="counter", holder_key=None, actor=actor)

    def check_form(self, data: object) -> dict[str, str]:
        """The six fields, each of its form and agreeing with the others.

        Raises `ApplicationMalformed` with the field and the rule, never the value.
        """
        if not isinstance(data, Mapping):
            raise ApplicationMalformed(field="application", rule="an object")
        if not set(data) <= set(FIELDS):
            raise ApplicationMalformed(field="application", rule="no further fields")
        for name in FIELDS:
            if not isinstance(data.get(name), str) or not data[name]:
                raise ApplicationMalformed(field=name, rule="required")
        checked = {name: str(data[name]) for name in FIELDS}
        try:
            born = date.fromisoformat(checked["birthDate"])
        except ValueError:
            # `from None`: the cause's message would quote the date.
            raise ApplicationMalformed(field="birthDate", rule="date") from None
        now = self._office.clock()
        if born > now.astimezone(CHINA_STANDARD_TIME).date():
            raise ApplicationMalformed(field="birthDate", rule="not in the future")
        # The credential that would come of it must be one we could sign.
        rehearsal = compose(
            self._scenario,
            issuer=self._office.settings.did,
            holder=self._office.keys.credential.public_key,
            application=checked,
            evidence=Evidence(self._office.settings.authority.did, stamp(now), _ANY_DIGEST),
            revocation=Placement(self._office.settings.status_url(1), 0),
            suspension=Placement(self._office.settings.status_url(2), 0),
            valid_from=now,
            valid_until=now + timedelta(days=1),
        )
        try:
            self._scenario.validate_issued(rehearsal)
        except SchemaViolation as error:
            subject = "/credentialSubject/"
            named = error.pointer.removeprefix(subject)
            if not error.pointer.startswith(subject) or named not in FIELDS:
                raise
            raise ApplicationMalformed(field=named, rule=error.rule) from None
        return checked

    def ask(self, application: str) -> Asked:
        """Ask the authority about a waiting application.

        When nothing was learned the application waits on, the next question is scheduled, and
        the answer holds the error.
        """
        with self._office.store.read() as connection:
            row = find(connection, application)
            if row.state != "waiting":
                return Asked(str(row.state))
        data = self.data(application)
        try:
            answer = self._authority.check(data)
        except IssuerError as error:
            # No answer is not a refusal, whatever kept it away.
            asked_for = error.params["seconds"] if isinstance(error, AuthorityBusy) else 0
            self._postpone(application, at_least=timedelta(seconds=int(str(asked_for))))
            return Asked("waiting", error)
        now = stamp(self._office.clock())
        state = "approved" if answer.passed else "refused"
        with self._office.store.write() as connection:
            connection.execute(
                update(applications)
                .where(applications.c.id == application, applications.c.state == "waiting")
                .values(
                    state=state,
                    reason=None if answer.passed else REFUSED_BY_AUTHORITY,
                    updated=now,
                    next_ask=None,
                    authority=answer.authority,
                    checked_at=stamp(answer.checked_at),
                    reply_digest=answer.reply_digest,
                    reply=answer.reply,
                )
            )
            return Asked(str(find(connection, application).state))

    def due(self, *, everything: bool = False) -> list[str]:
        """Waiting applications whose next question is due, and approved ones without an offer."""
        now = stamp(self._office.clock())
        waiting = applications.c.state == "waiting"
        if not everything:
            waiting &= or_(applications.c.next_ask.is_(None), applications.c.next_ask <= now)
        query = (
            select(applications.c.id)
            .where(or_(waiting, applications.c.state == "approved"))
            .order_by(applications.c.created)
            .limit(1000)
        )
        with self._office.store.read() as connection:
            return list(connection.execute(query).scalars())

    def data(self, application: str) -> dict[str, str]:
        """The personal data of an application. Raises `RecordUnknown`, `RecordSealBroken`."""
        with self._office.store.read() as connection:
            row = find(connection, application)
        opened = self._office.sealer.open("applications", application, row.sealed)
        return {str(k): str(v) for k, v in json.loads(opened).items()}

    def _open(self, token: str) -> tuple[PublicKey, Mapping[str, Any]]:
        if len(token) > MAX_APPLICATION:
            raise ApplicationMalformed(field="application", rule="too long")
        try:
            unverified = parse_compact(token, typ=APPLICATION_TYPE)
            # The key is the applicant's own word: fresh, and proved by this signature alone.
            key = unverified.header_jwk()
            if key.type != "P-256":
                raise ApplicationMalformed(field="jwk", rule="P-256")
            return key, unverified.verify(key).payload
        except CredentialError as error:
            raise ApplicationForged(reason=error.code) from error

    def _keep(
        self,
        data: Mapping[str, str],
        *,
        channel: str,
        holder_key: str | None,
        spend: bytes | None = None,
        actor: str | None = None,
    ) -> str:
        office = self._office
        application = office.new_id()
        now = office.clock()
        person = office.sealer.tag("person", data["citizenNumber"])
        sealed = office.sealer.seal(
            "applications", application, json.dumps(data, ensure_ascii=False).encode()
        )
        with office.store.write() as connection:
            waiting = connection.execute(
                select(func.count()).where(applications.c.state == "waiting")
            ).scalar_one()
            if waiting >= MAX_WAITING:
                raise TooManyWaiting
            if spend is not None and not spend_once(connection, spend, now + 2 * FRESHNESS):
                raise ApplicationReplayed
            if channel == "online" and _online_today(connection, person, now) >= MAX_ONLINE_A_DAY:
                raise ApplicationsTooFrequent
            connection.execute(
                insert(applications).values(
                    id=application,
                    channel=channel,
                    state="waiting",
                    masked_name=mask_name(data["name"]),
                    person_tag=person,
                    holder_key=holder_key,
                    created=stamp(now),
                    updated=stamp(now),
                    sealed=sealed,
                )
            )
            if actor is not None:
                record(
                    connection,
                    time=stamp(now),
                    actor=actor,
                    action="enrol",
                    target=application,
                    reason=None,
                )
        return application

    def _postpone(self, application: str, *, at_least: timedelta) -> None:
        with self._office.store.write() as connection:
            asked = find(connection, application).asked + 1
            delay = max(min(FIRST_RETRY * 2 ** min(asked - 1, 16), LAST_RETRY), at_least)
            connection.execute(
                update(applications)
                .where(applications.c.id == application)
                .values(asked=asked, next_ask=stamp(self._office.clock() + delay))
            )


# A digest of nothing in particular, in the form that the schema asks for.
_ANY_DIGEST: Final = "uEiA" + "A" * 43


def find(connection: Connection, application: str) -> Any:
    """The row of an application. Raises `RecordUnknown`."""
    row = connection.execute(select(applications).where(applications.c.id == application)).first()
    if row is None:
        raise RecordUnknown(record="application")
    return row


def _online_today(connection: Connection, person: bytes, now: datetime) -> int:
    query = select(func.count()).where(
        applications.c.person_tag == person,
        applications.c.channel == "online",
        applications.c.created > stamp(now - timedelta(days=1)),
    )
    return int(connection.execute(query).scalar_one())


def view(row: Any) -> Application:
    evidence = (
        Evidence(row.authority, row.checked_at, row.reply_digest)
        if row.authority is not None and row.state != "refused"
        else None
    )
    return Application(
        id=row.id,
        channel=row.channel,
        state=row.state,
        reason=row.reason,
        masked_name=row.masked_name,
        created=row.created,
        updated=row.updated,
        holder_key=row.holder_key,
        evidence=evidence,
    )


def spend_once(connection: Connection, digest: bytes, expires: datetime) -> bool:
    """Remember `digest` until `expires`; False when it was remembered already."""
    done = connection.execute(
        sqlite_insert(spent).values(digest=digest, expires=stamp(expires)).on_conflict_do_nothing()
    )
    return done.rowcount == 1


def forget_spent(connection: Connection, now: datetime) -> None:
    connection.execute(delete(spent).where(spent.c.expires < stamp(now)))


def mask_name(name: str) -> str:
    """The first character and a star for each further one, at most three."""
    return name[:1] + "*" * min(max(len(name) - 1, 1), 3)


def expired(text: str, now: datetime) -> bool:
    return moment_of(text) <= now
