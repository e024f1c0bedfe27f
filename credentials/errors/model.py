"""The data model, and presentations."""

from __future__ import annotations

from credentials.errors.base import CredentialError
from credentials.errors.proofs import ChallengeMismatch, DomainMismatch, ProofExpired
from schemas.errors import ExitCode

# The data model


class ModelViolation(CredentialError):
    """A credential or presentation breaks a rule of the VC Data Model 2.0."""

    code = "ZL-MODEL"
    message = "The document breaks the data model at {pointer}: {reason}."
    hint = "Its issuer must correct it and sign it again."


class CredentialNotYetValid(CredentialError):
    """`validFrom` lies ahead."""

    code = "ZL-CREDENTIAL-NOT-YET-VALID"
    exit_code = ExitCode.REJECTED
    message = "The credential becomes valid on {valid_from}."
    hint = "Present it again from that day on."


class CredentialExpired(CredentialError):
    """`validUntil` has passed."""

    code = "ZL-CREDENTIAL-EXPIRED"
    exit_code = ExitCode.REJECTED
    message = "The credential was valid until {valid_until}."
    hint = "Its holder must apply for a new one."


class RelatedResourceMismatch(CredentialError):
    """The issuer tied the credential to another resource than the one that is held here."""

    code = "ZL-MODEL-RESOURCE"
    exit_code = ExitCode.REJECTED
    message = "The resource named at {pointer} is not the one that the issuer meant."
    hint = "Ask the issuer which version it used; update this program if that one is newer."


# Presentations


class AudienceMismatch(DomainMismatch):
    """The presentation was made for another department."""

    code = "ZL-PRESENTATION-AUDIENCE"
    message = "The presentation was made for someone else."
    hint = "It cannot be used here. Show this desk's own request to the citizen's wallet."


class NonceMismatch(ChallengeMismatch):
    """The presentation answers another request."""

    code = "ZL-PRESENTATION-NONCE"
    message = "The presentation answers another request than this one."
    hint = "It may be a copy of an earlier presentation. Make a new request."


class PresentationExpired(ProofExpired):
    """The presentation is older than it may be."""

    code = "ZL-PRESENTATION-EXPIRED"
    message = "The presentation is too old; it was good until {expires}."
    hint = "Ask the citizen to present again."


class PresentationUnfit(CredentialError):
    """What was asked to be put into one presentation does not fit together."""

    code = "ZL-PRESENTATION-UNFIT"
    exit_code = ExitCode.USAGE
    message = "The presentation cannot be made: {reason}."
    hint = "Present the credentials one by one."


class HolderMismatch(CredentialError):
    """The credential's subject is not who signed the presentation."""

    code = "ZL-PRESENTATION-HOLDER"
    exit_code = ExitCode.REJECTED
    message = "The credential was not issued to whoever presents it."
    hint = "Someone presents another's credential. Do not rely on it."
