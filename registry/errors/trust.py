"""Proofs of anchors, trust bundles, and what they say of a credential."""

from __future__ import annotations

from registry.errors.base import RegistryError
from schemas.errors import ExitCode


class AnchorInvalid(RegistryError):
    """A proof that contradicts the cosigned chain: this leaf is not where the proof says."""

    code = "ZL-ANCHOR-INVALID"
    exit_code = ExitCode.REJECTED
    message = "The anchor proof does not lead to the cosigned chain: {reason}."
    hint = "Do not rely on the credential. Its holder can fetch a fresh proof."


class AnchorUnknown(RegistryError):
    """The trust bundle cannot tell: the anchor is newer than it, or the proof is too old."""

    code = "ZL-ANCHOR-UNKNOWN"
    exit_code = ExitCode.UNDETERMINED
    message = "This trust bundle cannot tell whether the anchor is on the chain: {reason}."
    hint = "Synchronize the trust bundle, or ask the holder to refresh the anchor proof."


class BundleCorrupt(RegistryError):
    """The bundle's container or one of its files is damaged, missing, foreign or too large."""

    code = "ZL-BUNDLE-CORRUPT"
    exit_code = ExitCode.MALFORMED
    message = "The trust bundle is damaged at {part}: {reason}."
    hint = "Fetch or copy it again. Keep using the bundle that you have until then."


class BundleForged(RegistryError):
    """A well-formed bundle whose contents do not verify against the pinned genesis."""

    code = "ZL-BUNDLE-FORGED"
    exit_code = ExitCode.REJECTED
    message = "The trust bundle does not verify at {part}: {reason}."
    hint = "Do not use it. Fetch one from the registry itself, and tell its operator."


class HistoryRewritten(RegistryError):
    """Two bundles that a quorum cosigned contradict each other; see `registry.trust.continuity`."""

    code = "ZL-BUNDLE-REWRITTEN"
    exit_code = ExitCode.REJECTED
    message = (
        "The offered trust bundle contradicts the one held: its chain {chain} does not begin with "
        "the {size} entries that a quorum cosigned before."
    )
    hint = (
        "It was not taken, but kept as `contradiction.zltrust` beside the one held. Together they "
        "are evidence (`zl registry evidence OLD NEW`): tell the departments."
    )
    evidence: bytes = b""
    """The offered bundle, where the caller does not have it."""


class BundleStale(RegistryError):
    """The bundle is too old for what it does not say to mean anything."""

    code = "ZL-BUNDLE-STALE"
    exit_code = ExitCode.UNDETERMINED
    message = "The trust bundle is of {as_of}, older than the {days} days allowed."
    hint = "Synchronise, or import a newer trust bundle, and verify again."


class ClockBehind(BundleStale):
    """This machine's clock is before the bundle's time, so no age can be told."""

    code = "ZL-CLOCK-BEHIND"
    message = "This machine's clock is behind the trust bundle of {as_of}; one of them is wrong."
    hint = "Set the clock, then verify again. Nothing was decided."


class IssuerNotAccredited(RegistryError):
    """The chain accredits no such issuer for this type at that time."""

    code = "ZL-ISSUER-UNACCREDITED"
    exit_code = ExitCode.REJECTED
    message = "The chain does not accredit {issuer} to issue this credential."
    hint = "Do not rely on it. Ask the citizen for a credential of an accredited issuer."


class DigestMismatch(RegistryError):
    """A schema or context is not the one whose digest the chain records."""

    code = "ZL-RESOURCE-DIGEST"
    exit_code = ExitCode.REJECTED
    message = "The digest of {what} is not the one on record."
    hint = (
        "The credential refers to another schema or context than this program knows. Update both."
    )


class ResourceUnknown(RegistryError):
    """The bundle records no digest for a schema or context."""

    code = "ZL-RESOURCE-UNKNOWN"
    exit_code = ExitCode.REJECTED
    message = "The chain records no digest for {what}."
    hint = "The registry's operator must record it before credentials can use it."


class CredentialRevoked(RegistryError):
    """The issuer revoked the credential, for good."""

    code = "ZL-STATUS-REVOKED"
    exit_code = ExitCode.REJECTED
    message = "The issuer revoked this credential (status list of {as_of})."
    hint = "The citizen must ask the issuer for a new credential."


class CredentialSuspended(RegistryError):
    """The issuer suspended the credential."""

    code = "ZL-STATUS-SUSPENDED"
    exit_code = ExitCode.REJECTED
    message = "The issuer suspended this credential (status list of {as_of})."
    hint = "A suspension can be lifted: synchronise later, or ask the issuer."


class StatusUnknown(RegistryError):
    """The bundle holds no list for the credential; that says nothing about the credential."""

    code = "ZL-STATUS-UNKNOWN"
    exit_code = ExitCode.UNDETERMINED
    message = (
        "The trust bundle holds no status list for this credential, so its status is not known."
    )
    hint = "Synchronise and verify again. This does not mean that it was revoked."


class StatusStale(RegistryError):
    """The list is too old to say that a credential is *not* revoked."""

    code = "ZL-STATUS-STALE"
    exit_code = ExitCode.UNDETERMINED
    message = "The status list is of {as_of}, older than the {hours} hours allowed."
    hint = "Synchronise and verify again. This does not mean that the credential was revoked."


class StatusListForeign(RegistryError):
    """The list was signed by another issuer than the credential's."""

    code = "ZL-STATUS-FOREIGN"
    exit_code = ExitCode.REJECTED
    message = "The status list of this credential was signed by another issuer."
    hint = "Do not rely on the credential; tell its issuer."


class AnchorAbsent(RegistryError):
    """The presentation carries no anchor proof."""

    code = "ZL-ANCHOR-ABSENT"
    exit_code = ExitCode.UNDETERMINED
    message = "The presentation carries no proof that the credential is on the chain."
    hint = "Ask the citizen to refresh the wallet, then to answer a new request."


class EntitlementMissing(RegistryError):
    """The chain does not hold this entitlement for this department, type and time."""

    code = "ZL-ENTITLEMENT-MISSING"
    exit_code = ExitCode.REJECTED
    message = "The chain does not entitle this department to ask under {entitlement!r}."
    hint = "Nothing may be read. Ask the registry's operator about the entitlement."


class EntitlementExceeded(RegistryError):
    """More was asked for than the entitlement covers."""

    code = "ZL-ENTITLEMENT-EXCEEDED"
    exit_code = ExitCode.REJECTED
    message = "The entitlement does not cover {names}."
    hint = "Nothing may be read. Ask for less, or have the entitlement changed on the chain."


class RegistryNotNamed(RegistryError):
    """No address was given, and none is on file."""

    code = "ZL-REGISTRY-NOT-NAMED"
    exit_code = ExitCode.USAGE
    message = "No address of a registry is known here."
    hint = "Name it with --registry, set ZL_REGISTRY, or run `zl registry serve` from this home."
