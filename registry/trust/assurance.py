"""What a credential is worth by a trust bundle: the checks that wallet and desk share.

Each check raises the error that says why the credential fails (`exit_code` REJECTED or
MALFORMED) or why nobody can know (UNDETERMINED), and returns what it learned otherwise. A bundle
is a picture of the chain at one time: what it says holds for that time, and what it *lacks*
proves nothing once it is old. So absence rejects only while the bundle is fresh.

The checks expect a credential whose issuer signature was verified; they say nothing about
signatures or holders. They use neither network nor clock: the caller gives the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from credentials.anchor import anchor_of
from credentials.canonical import Canonicalizer
from credentials.model import check_validity, issuer_id, validity_period
from credentials.proofs import verify_credential
from credentials.status import StatusEntry, StatusListContent, parse_status_list, status_entries
from registry.errors import (
    AnchorAbsent,
    AnchorUnknown,
    BundleStale,
    ClockBehind,
    ContractForbids,
    CredentialRevoked,
    CredentialSuspended,
    DigestMismatch,
    EntitlementExceeded,
    EntitlementMissing,
    IssuerNotAccredited,
    ResourceUnknown,
    StatusListForeign,
    StatusStale,
    StatusUnknown,
)
from registry.ledger.entries import anchor_leaf_hash
from registry.limits import MAX_CLOCK_SKEW_S
from registry.trust import Accreditation, AnchorFound, Entitlement, TrustBundle
from schemas.digests import digest_multibase
from schemas.errors import Phrase
from schemas.scenario import Scenario, scenario_for_types

SKEW: Final = timedelta(seconds=60)
"""Clocks of counters and phones differ by this much; a validity bound is stretched by it."""

BEHIND: Final = timedelta(seconds=MAX_CLOCK_SKEW_S)
"""How far this machine's clock may be behind the quorum's."""


@dataclass(frozen=True)
class Policy:
    """How old knowledge may be before it stops deciding."""

    max_bundle_age: timedelta = timedelta(days=7)
    max_status_age: timedelta = timedelta(hours=24)


@dataclass(frozen=True)
class StatusKnowledge:
    """No bit was set in the newest lists that the chain had at this time.

    The time is the bundle's, not the lists' own: a list that nobody had to change for a month is
    still the newest, and the checkpoint proves it.
    """

    as_of: datetime | None


@dataclass
class Assurance:
    """The checks against one bundle. Decoded status lists are kept: they belong to the bundle."""

    bundle: TrustBundle
    canonicalizer: Canonicalizer
    policy: Policy = field(default_factory=Policy)
    _lists: dict[str, StatusListContent] = field(default_factory=dict, repr=False)
    _digests: dict[str, str] = field(default_factory=dict, repr=False)

    def check_bundle(self, now: datetime) -> datetime:
        """The time of the bundle's quorum. Raises `BundleStale`, `ClockBehind`."""
        # With a clock that was set back, every bundle and every status list would stay fresh.
        if self.bundle.time - now > BEHIND:
            raise ClockBehind(as_of=_minute(self.bundle.time))
        if now - self.bundle.time > self.policy.max_bundle_age:
            raise BundleStale(as_of=_day(self.bundle.time), days=self.policy.max_bundle_age.days)
        return self.bundle.time

    def absent(self, now: datetime, error: Exception) -> Exception:
        """`error`, unless the bundle is too old for its silence to mean anything."""
        try:
            self.check_bundle(now)
        except BundleStale as stale:
            return stale
        return error

    def check_issuer(self, credential: Mapping[str, Any], now: datetime) -> Accreditation:
        """The issuer was accredited for this type when the credential began to be valid."""
        did = issuer_id(credential)
        accreditation = self.bundle.issuer(did)
        if accreditation is None:
            raise self.absent(now, IssuerNotAccredited(issuer=did))
        scenario = scenario_for_types(credential["type"])
        start, _end = validity_period(credential)
        at = start or now
        if scenario.credential_type not in accreditation.types or not accreditation.covers(at):
            raise self.absent(now, IssuerNotAccredited(issuer=did))
        if not self.bundle.allows_issue(accreditation, scenario.credential_type, at):
            raise self.absent(
                now,
                ContractForbids(
                    action="issue",
                    party=did,
                    reason=Phrase("credentials of {type}", type=scenario.credential_type),
                ),
            )
        return accreditation

    def check_schema(self, credential: Mapping[str, Any]) -> Scenario:
        """Schema and contexts are those whose digests the chain records, and the data fits.

        Raises `DigestMismatch`, or the scenario's own `SchemaViolation`.
        """
        scenario = scenario_for_types(credential["type"])
        named = credential.get("credentialSchema")
        if not isinstance(named, Mapping) or named.get("id") != scenario.schema_url:
            raise DigestMismatch(what="credentialSchema")
        if named.get("digestMultibase") != scenario.schema_digest:
            raise DigestMismatch(what=scenario.schema_url)
        self._check_digest(scenario.schema_url, scenario.schema_digest)
        for url in credential["@context"]:
            self._check_digest(url, self._context_digest(url))
        scenario.validate(credential)
        return scenario

    def _context_digest(self, url: str) -> str:
        known = self._digests.get(url)
        if known is None:
            data = self.canonicalizer.contexts.record(url).data
            known = self._digests[url] = digest_multibase(data)
        return known

    def _check_digest(self, url: str, digest: str) -> None:
        recorded = self.bundle.digest_of(url)
        if recorded is None:
            raise ResourceUnknown(what=url)
        if recorded != digest:
            raise DigestMismatch(what=url)

    def check_validity(self, credential: Mapping[str, Any], now: datetime) -> datetime | None:
        """`now` lies in the validity period, give or take `SKEW`. Returns its end."""
        check_validity(credential, now, SKEW)
        return validity_period(credential)[1]

    def check_status(self, credential: Mapping[str, Any], now: datetime) -> StatusKnowledge:
        """No status bit is set, by lists that are young enough to decide.

        A set bit rejects whatever the list's age: revocation is final, and a suspension that was
        lifted since is found out by the next sync. Not knowing is never called revoked.
        """
        entries = status_entries(credential)
        if not entries:
            return StatusKnowledge(None)
        as_of = self.bundle.time
        for entry in entries:
            if self._status_list(credential, entry).is_set(entry):
                if entry.purpose == "revocation":
                    raise CredentialRevoked(as_of=_minute(as_of))
                raise CredentialSuspended(as_of=_minute(as_of))
        if now - as_of > self.policy.max_status_age:
            raise StatusStale(
                as_of=_minute(as_of),
                hours=int(self.policy.max_status_age.total_seconds() // 3600),
            )
        return StatusKnowledge(as_of)

    def _status_list(self, credential: Mapping[str, Any], entry: StatusEntry) -> StatusListContent:
        issuer = issuer_id(credential)
        known = self._lists.get(entry.list_url)
        snapshot = self.bundle.status_list(entry.list_url)
        if snapshot is None:
            raise StatusUnknown
        # BSL §3.2: only the credential's own issuer can speak about it.
        if snapshot.issuer != issuer:
            raise StatusListForeign
        if known is None:
            verified = verify_credential(
                snapshot.credential,
                resolver=self.bundle.resolver,
                now=self.bundle.time,
                canonicalizer=self.canonicalizer,
            )
            if verified.issuer != issuer:
                raise StatusListForeign
            known = self._lists[entry.list_url] = parse_status_list(verified.document)
        return known

    def check_anchor(
        self, credential: Mapping[str, Any], proof: bytes | None, now: datetime
    ) -> AnchorFound:
        """The credential's digest is on its side chain, under a checkpoint that 3 of 4 cosigned.

        `proof` is the compact anchor proof (DESIGN: leaf index and siblings). Raises
        `AnchorAbsent` when there is none, `AnchorInvalid` when it is wrong, `AnchorUnknown`
        when the credential is newer than the bundle.
        """
        if proof is None:
            raise AnchorAbsent
        accreditation = self.bundle.issuer(issuer_id(credential))
        if accreditation is None:
            raise self.absent(now, IssuerNotAccredited(issuer=issuer_id(credential)))
        scenario = scenario_for_types(credential["type"])
        origin = self.bundle.origin_for(scenario.side_chain)
        if origin is None or not self.bundle.includes(accreditation, origin):
            raise self.absent(now, AnchorUnknown(reason="its issuer has no chain for it"))
        leaf = anchor_leaf_hash(accreditation.did, anchor_of(credential))
        return self.bundle.anchor(origin, leaf, proof)

    def check_entitlement(
        self,
        verifier: str,
        entitlement_id: str,
        credential_type: str,
        claims: Sequence[str],
        now: datetime,
    ) -> Entitlement:
        """The chain entitles `verifier` to these claims (JSON pointers) at this time."""
        entitlement = self.bundle.entitlement(entitlement_id)
        if (
            entitlement is None
            or entitlement.verifier != verifier
            or entitlement.credential_type != credential_type
            or not entitlement.covers(now)
        ):
            raise self.absent(now, EntitlementMissing(entitlement=entitlement_id))
        beyond = [claim for claim in claims if claim not in entitlement.claims]
        if beyond:
            raise EntitlementExceeded(names=", ".join(beyond))
        if not self.bundle.allows_claims(entitlement, tuple(claims), now):
            raise self.absent(
                now,
                ContractForbids(
                    action="requestClaims",
                    party=verifier,
                    reason=Phrase("by {entitlement}", entitlement=entitlement_id),
                ),
            )
        return entitlement


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
