"""Who may do what: the state that the main chain's entries lead to, and the permissions it gives.

Everybody replays the same entries in the same order and comes to the same state: sequencer,
nodes, desks and wallets. Later entries for one DID, entitlement or resource replace earlier ones,
so an accreditation ends by being recorded again with `to`. What was allowed before stays
allowed: a period is judged at the time of the thing judged.

Guaranteed: `Governance.permit` passes only what accreditations in force allow. It relies on the
caller for the order of entries and for the seal (`registry.submission.check_seal`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from credentials.dids import ChainResolver, DocumentResolver, KeyResolver, Resolver
from registry.entries import (
    GOVERNANCE_KINDS,
    KINDS,
    Entry,
    Purpose,
    Submitter,
    decode_time,
    document_digest,
)
from registry.errors import ChainInvalid, NotPermitted
from registry.genesis import Genesis
from registry.note import VerifierKey
from registry.submission import Submission, check_seal

STATUS_TIME_TOLERANCE: Final = timedelta(minutes=10)
"""A status entry's time may differ so much from its seal's: else a list could claim any age."""


@dataclass(frozen=True)
class _Period:
    start: datetime
    end: datetime | None

    def covers(self, moment: datetime) -> bool:
        return self.start <= moment and (self.end is None or moment < self.end)


@dataclass(frozen=True)
class Accreditation:
    """An issuer or verifier that the operator has accredited, and where the chain says so."""

    index: int
    did: str
    name: Mapping[str, str]
    document: Mapping[str, Any]
    period: _Period
    types: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()

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
    period: _Period

    def covers(self, moment: datetime) -> bool:
        """Whether the entitlement was in force at `moment`."""
        return self.period.covers(moment)


@dataclass(frozen=True)
class SideChain:
    """A registered side chain."""

    index: int
    origin: str
    log_key: VerifierKey
    purpose: Purpose
    scenario: str


@dataclass(frozen=True)
class Resource:
    """A schema or context and the digest that its bytes must have."""

    index: int
    role: str
    url: str
    digest: str


class Governance:
    """The state after some entries of the main chain. Feed it by `apply`, in order."""

    def __init__(self, genesis: Genesis) -> None:
        self.genesis: Final = genesis
        self.chains: dict[str, SideChain] = {}
        self.issuers: dict[str, Accreditation] = {}
        self.verifiers: dict[str, Accreditation] = {}
        self.entitlements: dict[str, Entitlement] = {}
        self.resources: dict[str, Resource] = {}
        self.count = 0
        self.last: int | None = None

    @classmethod
    def replay(cls, genesis: Genesis, entries: Iterable[tuple[int, Entry]]) -> Governance:
        """The state after `entries` (index, entry), which start with the genesis."""
        state = cls(genesis)
        for index, entry in entries:
            state.apply(index, entry)
        return state

    @property
    def head(self) -> dict[str, int | None]:
        """How many governance entries there are and where the last one stands.

        Side-chain checkpoints on the main chain carry it. So whoever shows one of them must show
        all governance entries before it, or be caught.
        """
        return {"count": self.count, "last": self.last}

    def apply(self, index: int, entry: Entry) -> None:
        """Take in the entry at `index` of the main chain; raises ChainInvalid if it cannot follow.

        Entries of other kinds change nothing.
        """
        if entry.kind not in GOVERNANCE_KINDS:
            return
        wrong = self._conflict(index, entry)
        if wrong:
            raise ChainInvalid(origin=self.genesis.origin, index=index, reason=wrong)
        body = entry.body
        match entry.kind:
            case "chain":
                self.chains[body["origin"]] = SideChain(
                    index,
                    body["origin"],
                    VerifierKey.parse(body["logKey"]),
                    Purpose(body["purpose"]),
                    body["scenario"],
                )
            case "issuer":
                self.issuers[body["did"]] = _accreditation(index, body)
            case "verifier":
                self.verifiers[body["did"]] = _accreditation(index, body)
            case "entitlement":
                self.entitlements[body["id"]] = _entitlement(index, body)
            case "resource":
                self.resources[body["url"]] = Resource(
                    index, body["role"], body["url"], body["digest"]
                )
        self.count += 1
        self.last = index
        self.__dict__.pop("resolver", None)

    def in_force(self, index: int, entry: Entry) -> bool:
        """Whether the entry at `index` still counts, and was not replaced by a later one."""
        held: Accreditation | Entitlement | Resource | None = None
        match entry.kind:
            case "issuer":
                held = self.issuers.get(entry["did"])
            case "verifier":
                held = self.verifiers.get(entry["did"])
            case "entitlement":
                held = self.entitlements.get(entry["id"])
            case "resource":
                held = self.resources.get(entry["url"])
        return held is None or held.index == index

    def _conflict(self, index: int, entry: Entry) -> str | None:
        body = entry.body
        if (index == 0) != (entry.kind == "genesis"):
            return "the genesis is entry 0, and only that"
        match entry.kind:
            case "genesis" if entry.raw != self.genesis.entry.raw:
                return "another genesis than the pinned one"
            case "chain":
                keys = [self.genesis.log_key, *(node.vkey for node in self.genesis.nodes)]
                taken = {VerifierKey.parse(key).public for key in keys}
                taken |= {chain.log_key.public for chain in self.chains.values()}
                if body["origin"] in self.chains or body["origin"] == self.genesis.origin:
                    return "the chain is registered already"
                if not body["origin"].startswith(self.genesis.network + "/"):
                    return "the chain lies outside the network"
                if VerifierKey.parse(body["logKey"]).public in taken:
                    return "the chain's key serves another one"
            case "issuer":
                if body["did"] in self.verifiers or body["did"] == self.genesis.operator:
                    return "the DID has another role"
                unknown = sorted(set(body["chains"]) - self.chains.keys())
                if unknown:
                    return f"{unknown[0]} is not registered"
            case "verifier":
                if body["did"] in self.issuers or body["did"] == self.genesis.operator:
                    return "the DID has another role"
            case "entitlement":
                known = self.entitlements.get(body["id"])
                if body["verifier"] not in self.verifiers:
                    return "its verifier is not accredited"
                if known is not None and known.verifier != body["verifier"]:
                    return "the entitlement belongs to another verifier"
        return None

    @cached_property
    def resolver(self) -> Resolver:
        """Keys of did:key, and of issuers and verifiers from their accredited DID documents."""
        holders = [*self.issuers.values(), *self.verifiers.values()]
        return ChainResolver(KeyResolver(), DocumentResolver(holder.document for holder in holders))

    def purpose_of(self, origin: str) -> Purpose | None:
        """What the chain `origin` is for; None if there is none."""
        if origin == self.genesis.origin:
            return Purpose.MAIN
        chain = self.chains.get(origin)
        return chain.purpose if chain else None

    def permit(self, submission: Submission) -> None:
        """Pass a submission that may stand on its chain next.

        Raises NotPermitted, and SealInvalid when its seal does not verify.
        """
        origin, submitter, moment = submission.origin, submission.submitter, submission.time

        def refuse(reason: str) -> NotPermitted:
            return NotPermitted(submitter=submitter, origin=origin, reason=reason)

        purpose = self.purpose_of(origin)
        if purpose is None:
            raise refuse("there is no such chain")
        for entry in submission.entries:
            kind = KINDS[entry.kind]
            if purpose not in kind.chains:
                raise refuse(f"the chain does not take entries of kind {entry.kind}")
            if kind.owner is not None and entry[kind.owner] != submitter:
                raise refuse(f"the {kind.owner} of an entry is somebody else")
            wrong = self._standing(kind.submitter, origin, submitter, moment)
            if wrong:
                raise refuse(wrong)
            if entry.kind == "status":
                drift = abs(decode_time(entry["time"]) - moment)
                if drift > STATUS_TIME_TOLERANCE:
                    raise refuse("the time of a status entry is not that of its seal")
        check_seal(submission, self.resolver)

    def _standing(
        self, role: Submitter, origin: str, submitter: str, moment: datetime
    ) -> str | None:
        if role is Submitter.OPERATOR:
            return None if submitter == self.genesis.operator else "it is not the operator"
        held = self.issuers if role is Submitter.ISSUER else self.verifiers
        accreditation = held.get(submitter)
        if accreditation is None:
            return f"it is not an accredited {role}"
        if not accreditation.covers(moment):
            return "its accreditation was not in force when it sealed"
        if role is Submitter.ISSUER and origin not in accreditation.chains:
            return "its accreditation does not include this chain"
        return None


def _period(body: Mapping[str, Any]) -> _Period:
    end = body["to"]
    return _Period(decode_time(body["from"]), None if end is None else decode_time(end))


def _accreditation(index: int, body: Mapping[str, Any]) -> Accreditation:
    return Accreditation(
        index,
        body["did"],
        body["name"],
        body["document"],
        _period(body),
        tuple(body.get("types", ())),
        tuple(body.get("chains", ())),
    )


def _entitlement(index: int, body: Mapping[str, Any]) -> Entitlement:
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


def lists_digest(lists: Mapping[str, tuple[int, Entry]]) -> str:
    """The digest by which a checkpoint entry names the newest status entry of each list.

    So whoever shows that checkpoint cannot pass an older status list for the newest.
    """
    return document_digest(
        {
            "lists": [
                {"list": url, "index": index, "digest": entry["digest"]}
                for url, (index, entry) in sorted(lists.items())
            ]
        }
    )
