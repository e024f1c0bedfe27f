"""What the main chain records about parties, chains and resources, as values.

Each says where the chain says so (`index`). Whether it is in force at a moment is a question to
its period; what may follow from it is decided by `registry.contracts.governance`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.ledger.members import Purpose, decode_time
from registry.tlog.note import VerifierKey


@dataclass(frozen=True)
class Period:
    """From `start` on, until `end` if there is one."""

    start: datetime
    end: datetime | None

    def covers(self, moment: datetime) -> bool:
        """Whether `moment` lies in it."""
        return self.start <= moment and (self.end is None or moment < self.end)


@dataclass(frozen=True)
class Accreditation:
    """An issuer or verifier that the operator has accredited, and where the chain says so."""

    index: int
    did: str
    name: Mapping[str, str]
    document: Mapping[str, Any]
    period: Period
    types: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()
    status_lists: tuple[str, ...] = ()
    """Where its status lists must stand; empty: anywhere that is nobody else's."""

    def covers(self, moment: datetime) -> bool:
        """Whether the accreditation was in force at `moment`."""
        return self.period.covers(moment)


@dataclass(frozen=True)
class Entitlement:
    """What a verifier may ask for, and why."""

    index: int
    id: str
    verifier: str
    credential_type: str
    claims: tuple[str, ...]
    purpose: Mapping[str, str]
    legal_basis: Mapping[str, str]
    period: Period

    def covers(self, moment: datetime) -> bool:
        """Whether the entitlement was in force at `moment`."""
        return self.period.covers(moment)


@dataclass(frozen=True)
class SideChain:
    """A registered side chain: one epoch of a line of chains that follow each other.

    Its sequencer checkpoints it on the main chain at least every `batch_interval_ms` once it
    grew, and as soon as `batch_size` entries wait. An entry that waits for longer than
    `max_anchor_delay_s` is cause for alarm.
    """

    index: int
    origin: str
    log_key: VerifierKey
    purpose: Purpose
    scenario: str
    batch_interval_ms: int
    batch_size: int
    max_anchor_delay_s: int
    epoch: int
    previous: str | None
    line: str
    """The origin of the first epoch, by which accreditations may name all of them."""
    successor: str | None = None
    ml_dsa_key: VerifierKey | None = None

    @property
    def log_keys(self) -> tuple[VerifierKey, ...]:
        """The keys by which its log signs; either one will do."""
        return (self.log_key,) if self.ml_dsa_key is None else (self.log_key, self.ml_dsa_key)

    @property
    def closed(self) -> bool:
        """Whether a next epoch has closed it: nothing may be added, and all stays provable."""
        return self.successor is not None


@dataclass(frozen=True)
class Resource:
    """A schema or context and the digest that its bytes must have."""

    index: int
    role: str
    url: str
    digest: str


def _period(body: Mapping[str, Any]) -> Period:
    end = body["to"]
    return Period(decode_time(body["from"]), None if end is None else decode_time(end))


def accreditation(index: int, body: Mapping[str, Any]) -> Accreditation:
    """What an issuer or verifier entry says."""
    return Accreditation(
        index,
        body["did"],
        body["name"],
        body["document"],
        _period(body),
        tuple(body.get("types", ())),
        tuple(body.get("chains", ())),
        tuple(body.get("statusLists", ())),
    )


def entitlement(index: int, body: Mapping[str, Any]) -> Entitlement:
    """What an entitlement entry says."""
    return Entitlement(
        index,
        body["id"],
        body["verifier"],
        body["credentialType"],
        tuple(body["claims"]),
        body["purpose"],
        body["legalBasis"],
        _period(body),
    )
