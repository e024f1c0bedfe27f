"""What the wallet shows: frozen values in the reader's language, ready for a screen or for JSON.

A view holds nothing that still has to be checked. `RequestView` and `OfferView` carry the object
they were made from, so that what is answered is what was shown; the wallet checks that object
once more before it acts, because a trust bundle can change between the two.

`to_json` gives the form that `--json` prints: the members in camel case, times in RFC 3339.
Personal values appear in it only where the caller asked for them (`reveal`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from credentials.exchange import CredentialOffer, VerifiedRequest


INTERNAL: Final = MappingProxyType({"internal": True})
"""Marks members that are not for output."""


class CredentialState(StrEnum):
    """What the wallet knows of one credential, by its newest trust bundle."""

    VALID = "valid"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    UNKNOWN = "unknown"  # never shown as revoked: the list is missing or too new


class AnchorState(StrEnum):
    ANCHORED = "anchored"
    PENDING = "pending"  # not yet under a checkpoint that this wallet has seen


class HistoryKind(StrEnum):
    APPLICATION = "application"
    ISSUANCE = "issuance"
    PRESENTATION = "presentation"
    REFUSAL = "refusal"
    RECEIPT = "receipt"
    REMOVAL = "removal"


class Outcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    PENDING = "pending"  # begun; the process ended or the other side did not answer


class ReceiptState(StrEnum):
    """The promise of a department to put the access record on the chain."""

    NONE = "none"  # no receipt was handed over
    PENDING = "pending"  # not on the chain, and the promised time is not over
    RECORDED = "recorded"  # on the access side chain, under a cosigned checkpoint
    MISSING = "missing"  # the promised time is over and the chain does not have it
    UNKNOWN = "unknown"  # a receipt is held; the registry could not be asked


class WarningKind(StrEnum):
    UNKNOWN_VERIFIER = "unknown-verifier"
    NO_ENTITLEMENT = "no-entitlement"
    EXCEEDS_ENTITLEMENT = "exceeds-entitlement"
    PURPOSE_DIFFERS = "purpose-differs"
    NO_CREDENTIAL = "no-credential"
    CREDENTIAL_NOT_VALID = "credential-not-valid"
    NOT_ANCHORED = "not-anchored"
    OLD_TRUST_BUNDLE = "old-trust-bundle"


@dataclass(frozen=True)
class ClaimView:
    """One claim. `value` is None where it is not to be shown (hidden, or not asked to reveal)."""

    pointer: str
    label: str
    value: str | None = field(default=None, repr=False)
    sensitive: bool = False
    mandatory: bool = False


@dataclass(frozen=True)
class WarningView:
    """`blocking`: the wallet refuses to answer. `needs_override`: it answers only when told so."""

    kind: WarningKind
    text: str
    blocking: bool = False
    needs_override: bool = False


@dataclass(frozen=True)
class IssuerView:
    did: str
    name: str
    url: str
    types: tuple[str, ...]


@dataclass(frozen=True)
class CredentialView:
    id: str
    scenario: str
    title: str
    issuer_did: str
    issuer_name: str
    valid_from: datetime
    valid_until: datetime | None
    received: datetime
    state: CredentialState
    state_text: str
    state_as_of: datetime | None
    anchor: AnchorState
    anchor_text: str
    anchor_index: int | None
    claims: tuple[ClaimView, ...]


@dataclass(frozen=True)
class ApplicationView:
    """An application sent to an issuer. `offer` is the text to accept, when there is one."""

    id: str
    issuer_did: str
    issuer_name: str
    title: str
    sent: datetime
    state: str
    state_text: str
    offer: str | None = field(repr=False)
    offer_expires: datetime | None


@dataclass(frozen=True)
class OfferView:
    issuer_did: str
    issuer_name: str
    issuer_url: str
    title: str
    credential_type: str
    needs_tx_code: bool
    tx_code_length: int | None
    tx_code_numeric: bool
    resumed: bool  # a former try was interrupted after the code was used; no code is needed
    offer: CredentialOffer = field(repr=False, compare=False, metadata=INTERNAL)


@dataclass(frozen=True)
class CandidateView:
    """A credential that can answer a request, with what it would show and withhold."""

    credential_id: str
    title: str
    issuer_name: str
    state: CredentialState
    state_text: str
    shown: tuple[ClaimView, ...]
    hidden: tuple[ClaimView, ...]
    warnings: tuple[WarningView, ...]


@dataclass(frozen=True)
class RequestView:
    """A verified request as the consent screen shows it.

    `shown` and `hidden` are those of the first candidate; each candidate has its own.
    `always_shown` is what no presentation can withhold (issuer, validity, status …).
    """

    verifier_did: str
    verifier_name: str
    purpose: str
    legal_basis: str | None
    entitlement: str | None
    entitlement_purpose: str | None
    credential_title: str
    requested: tuple[ClaimView, ...]
    exceeding: tuple[ClaimView, ...]
    shown: tuple[ClaimView, ...]
    hidden: tuple[ClaimView, ...]
    always_shown: tuple[ClaimView, ...]
    warnings: tuple[WarningView, ...]
    candidates: tuple[CandidateView, ...]
    expires: datetime
    trust_as_of: datetime
    request: VerifiedRequest = field(repr=False, compare=False, metadata=INTERNAL)

    @property
    def answerable(self) -> bool:
        """Whether any answer is possible (perhaps after an override)."""
        return bool(self.candidates) and not any(w.blocking for w in self.warnings)

    @property
    def needs_override(self) -> bool:
        return any(w.needs_override for w in self.warnings)


@dataclass(frozen=True)
class PresentationReady:
    """A presentation for one department and one nonce. It may be shown until `expires`."""

    history_id: int
    credential_id: str
    verifier_did: str
    verifier_name: str
    shown: tuple[str, ...]
    document: Mapping[str, Any] = field(repr=False, metadata=INTERNAL)
    qr_text: str = field(repr=False)
    expires: datetime

    def png(self) -> bytes:
        """The code as a picture."""
        from credentials.qr import draw

        return draw(self.qr_text, "png")

    def svg(self) -> str:
        from credentials.qr import draw

        return draw(self.qr_text, "svg")

    def terminal(self) -> str:
        """The code in half blocks, dark on light."""
        from credentials.qr import draw

        return draw(self.qr_text, "terminal")


@dataclass(frozen=True)
class HistoryEntry:
    """One transaction, failed ones too. Claim names, never values.

    `error` is the stable code of what went wrong. `receipt` is meaningful for presentations.
    """

    id: int
    time: datetime
    kind: HistoryKind
    outcome: Outcome
    kind_text: str
    outcome_text: str
    party_did: str | None
    party_name: str | None
    title: str | None
    purpose: str | None
    legal_basis: str | None
    entitlement: str | None
    claims: tuple[str, ...]
    claim_labels: tuple[str, ...]
    error: str | None
    error_text: str | None
    receipt: ReceiptState


@dataclass(frozen=True)
class ReceiptView:
    """A department's signed promise, checked and matched to a presentation in the history."""

    history_id: int
    verifier_did: str
    verifier_name: str
    claim_labels: tuple[str, ...]
    purpose: str
    time: datetime
    promise_by: datetime
    state: ReceiptState


@dataclass(frozen=True)
class AuditEntry:
    """Who looked: one presentation with the state of its access record on the chain."""

    history_id: int
    verifier_did: str
    verifier_name: str
    purpose: str
    legal_basis: str | None
    entitlement: str | None
    claims: tuple[str, ...]
    claim_labels: tuple[str, ...]
    time: datetime
    state: ReceiptState
    state_text: str
    promise_by: datetime | None
    chain_index: int | None
    checked: datetime | None


@dataclass(frozen=True)
class RefreshReport:
    """What a refresh brought. `problems` are sentences for the reader; empty when all went well."""

    trust_as_of: datetime
    credentials: int
    anchored: int
    changed: tuple[CredentialView, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class WalletStatus:
    registry_url: str
    network: str
    trust_as_of: datetime | None
    credentials: int
    applications: int


def to_json(value: object) -> Any:
    """A view, or a tuple of them, as plain JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            _camel(member.name): to_json(getattr(value, member.name))
            for member in fields(value)
            if not member.metadata.get("internal")
        }
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
