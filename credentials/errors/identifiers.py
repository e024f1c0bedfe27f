"""DIDs, and who controls which key."""

from __future__ import annotations

from credentials.errors.base import CredentialError
from schemas.errors import ExitCode


class DidMalformed(CredentialError):
    """Not a DID or DID URL, or a did:key or did:web that breaks its method's rules."""

    code = "ZL-DID-MALFORMED"
    message = "The identifier is not a well-formed DID: {reason}."
    hint = "Check that it was copied completely."


class DidMethodUnsupported(CredentialError):
    """A DID method that no resolver here understands."""

    code = "ZL-DID-METHOD"
    exit_code = ExitCode.UNDETERMINED
    message = "Identifiers of the kind did:{method} are not supported."
    hint = "Only did:key and did:web are understood."


class DidUnknown(CredentialError):
    """A DID for which no document is at hand. Documents are never fetched."""

    code = "ZL-DID-UNKNOWN"
    exit_code = ExitCode.UNDETERMINED
    message = "Nothing is known about {did}."
    hint = (
        "Bring the trust bundle up to date; "
        "if the identifier stays unknown, its owner is not accredited."
    )


class DidDocumentMalformed(CredentialError):
    """A DID document that breaks DID Core, Controlled Identifiers or our limits."""

    code = "ZL-DID-DOCUMENT"
    message = "The DID document is malformed: {reason}."
    hint = "Its owner must publish a corrected one."


class VerificationMethodUnknown(CredentialError):
    """The DID is known and has no such key."""

    code = "ZL-KEY-UNKNOWN"
    exit_code = ExitCode.REJECTED
    message = "{did} has no key of the name that was used."
    hint = "The key may be newer than the trust bundle. Bring it up to date and try again."


class RelationshipMissing(CredentialError):
    """The key exists and its owner did not authorize it for this use."""

    code = "ZL-KEY-NOT-AUTHORIZED"
    exit_code = ExitCode.REJECTED
    message = "The key may not be used for {relationship}."
    hint = "Its owner did not authorize the key for this use. Do not rely on the data."


class VerificationMethodRetired(CredentialError):
    """The key had expired or was revoked when the proof was made, or is by now."""

    code = "ZL-KEY-RETIRED"
    exit_code = ExitCode.REJECTED
    message = "The key was no longer valid."
    hint = "Ask for the data signed with the owner's current key."


class ControllerMismatch(CredentialError):
    """Who signed is not who the document says it is from."""

    code = "ZL-CONTROLLER-MISMATCH"
    exit_code = ExitCode.REJECTED
    message = "The key that signed does not belong to the {role} that the document names."
    hint = "Someone signed in another's name. Do not rely on the data."


class DidDeactivated(CredentialError):
    """The identifier's owner ended its use."""

    code = "ZL-DID-DEACTIVATED"
    exit_code = ExitCode.REJECTED
    message = "{did} was deactivated by its owner."
    hint = "Ask its owner for data under the identifier now in use."


# did:webvh


class WebvhLogInvalid(CredentialError):
    """An entry of a did:webvh log breaks a rule; then nothing in the log counts."""

    code = "ZL-WEBVH-LOG"
    exit_code = ExitCode.REJECTED
    message = "Entry {entry} of the identifier's log is not valid: {reason}."
    hint = "Fetch the log again; if it stays so, it was altered, or its owner made a mistake."


class WebvhWitnessesUnknown(CredentialError):
    """The log needs witnesses, and their proofs were not brought along."""

    code = "ZL-WEBVH-WITNESSES-UNKNOWN"
    exit_code = ExitCode.UNDETERMINED
    message = "The identifier's log needs witnesses, and their proofs are not at hand."
    hint = "Fetch did-witness.json, which is published beside the log."


class WebvhWitnessesMissing(CredentialError):
    """Fewer witnesses confirmed an entry than the log itself demands."""

    code = "ZL-WEBVH-WITNESSES"
    exit_code = ExitCode.REJECTED
    message = "{count} of {threshold} required witnesses confirmed entry {entry} of the log."
    hint = "Fetch log and witness proofs again; an entry without its witnesses does not count."


class WebvhVersionUnknown(CredentialError):
    """The log has no such version."""

    code = "ZL-WEBVH-VERSION"
    exit_code = ExitCode.UNDETERMINED
    message = "The log of {did} has no version of that id, number or time."
    hint = "The version may be newer than the log. Fetch the log again."
