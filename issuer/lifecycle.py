"""The life of issued credentials: revoke (final), suspend, reinstate; and opening a record.

A change is one transaction for all the credentials it names: states, bits, and the operator
journal. Either all change or none. It is valid here at once and known at the desks when the list
is signed, anchored and fetched; a desk says how old its knowledge is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, select, update

from issuer.enrolment import find
from issuer.errors import ReasonUnknown, RecordUnknown, TransitionForbidden
from issuer.journal import record
from issuer.office import Office
from issuer.schema import credentials
from issuer.statuslists import Purpose, set_bits
from issuer.times import stamp

Action = Literal["revoke", "suspend", "reinstate"]


@dataclass(frozen=True)
class _Rule:
    comes_from: tuple[str, ...]
    leads_to: str
    purpose: Purpose
    bit: bool
    reasons: tuple[str, ...]


# The reasons are codes for the journal; the published list shows a bit and nothing else.
_RULES: Final[dict[Action, _Rule]] = {
    "revoke": _Rule(
        ("active", "suspended"),
        "revoked",
        "revocation",
        True,
        ("holder-request", "key-lost", "data-wrong", "superseded", "deceased", "fraud"),
    ),
    "suspend": _Rule(
        ("active",), "suspended", "suspension", True, ("holder-request", "under-review", "key-lost")
    ),
    "reinstate": _Rule(
        ("suspended",),
        "active",
        "suspension",
        False,
        ("holder-request", "review-closed", "key-found"),
    ),
}


def reasons(action: Action) -> tuple[str, ...]:
    return _RULES[action].reasons


class Lifecycle:
    def __init__(self, office: Office) -> None:
        self._office = office

    def change(self, action: Action, ids: Sequence[str], *, reason: str, actor: str) -> None:
        """Revoke, suspend or reinstate every credential of `ids`, or none.

        Raises `ReasonUnknown`, `RecordUnknown`, `TransitionForbidden`.
        """
        rule = _RULES[action]
        if reason not in rule.reasons:
            raise ReasonUnknown(reason=reason, allowed=", ".join(rule.reasons))
        now = stamp(self._office.clock())
        flipped: dict[int, list[int]] = {}
        with self._office.store.write() as connection:
            for credential_id in dict.fromkeys(ids):
                row = _find(connection, credential_id)
                if row.state not in rule.comes_from:
                    raise TransitionForbidden(
                        record=credential_id, state=row.state, wanted=rule.leads_to
                    )
                number = row._mapping[f"{rule.purpose}_list"]
                flipped.setdefault(number, []).append(row._mapping[f"{rule.purpose}_index"])
                connection.execute(
                    update(credentials)
                    .where(credentials.c.id == credential_id)
                    .values(state=rule.leads_to, reason=reason, updated=now)
                )
                record(
                    connection,
                    time=now,
                    actor=actor,
                    action=action,
                    target=credential_id,
                    reason=reason,
                )
            for number, indices in flipped.items():
                set_bits(connection, number, indices, value=rule.bit)

    def open_record(self, record_id: str, *, actor: str) -> dict[str, Any]:
        """The personal content of a credential or application; the look is journalled first.

        Raises `RecordUnknown`, `RecordSealBroken`.
        """
        office = self._office
        with office.store.write() as connection:
            row = connection.execute(
                select(credentials.c.sealed).where(credentials.c.id == record_id)
            ).first()
            table = "credentials" if row is not None else "applications"
            sealed = row.sealed if row is not None else find(connection, record_id).sealed
            record(
                connection,
                time=stamp(office.clock()),
                actor=actor,
                action="show",
                target=record_id,
                reason=None,
            )
        return dict(json.loads(office.sealer.open(table, record_id, sealed)))


def _find(connection: Connection, credential_id: str) -> Any:
    row = connection.execute(select(credentials).where(credentials.c.id == credential_id)).first()
    if row is None:
        raise RecordUnknown(record=credential_id)
    return row
