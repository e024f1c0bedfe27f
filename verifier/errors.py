"""Why a desk refuses, cannot know, or cannot work: one class a cause.

`exit_code` carries the answer: REJECTED and MALFORMED causes reject a presentation, UNDETERMINED
ones leave it undecided, and ENVIRONMENT ones stop the desk itself and decide nothing.
"""

from __future__ import annotations

from schemas.errors import ExitCode, ZhenglianError


class VerifierError(ZhenglianError):
    """Root of every error of the desk."""

    code = "ZL-VERIFIER"
    message = "The desk cannot do this."
    hint = "See the message for the cause."


# What a presentation can be refused for, beyond what credentials and registry name themselves


class RequestUnknown(VerifierError):
    """The nonce belongs to no request of this desk."""

    code = "ZL-REQUEST-UNKNOWN"
    exit_code = ExitCode.REJECTED
    message = "The presentation answers no request of this desk."
    hint = "Show the citizen a request of this desk and ask for an answer to that one."


class RequestAnswered(VerifierError):
    """The request was answered before: this is a replay, or a second copy."""

    code = "ZL-REQUEST-ANSWERED"
    exit_code = ExitCode.REJECTED
    message = "This request was already answered; a presentation counts once."
    hint = "Make a new request and ask the citizen to answer it."


class RequestClosed(VerifierError):
    """The request expired before its answer came."""

    code = "ZL-REQUEST-CLOSED"
    exit_code = ExitCode.REJECTED
    message = "The request expired at {expired} and this answer came later."
    hint = "Make a new request and ask the citizen to answer it."


class PresentationShape(VerifierError):
    """Not one presentation with one credential."""

    code = "ZL-PRESENTATION-SHAPE"
    exit_code = ExitCode.MALFORMED
    message = "This is not a presentation that a desk can read: {reason}."
    hint = "Ask the citizen to show the answer again."


class CredentialOther(VerifierError):
    """Another credential type than the one asked for."""

    code = "ZL-CREDENTIAL-OTHER"
    exit_code = ExitCode.REJECTED
    message = "The presentation holds another kind of credential than the one asked for."
    hint = "Ask the citizen to choose the credential that the request names."


class ClaimsMissing(VerifierError):
    """The holder shows less than was asked for."""

    code = "ZL-CLAIMS-MISSING"
    exit_code = ExitCode.REJECTED
    message = "The answer leaves out {count} of the claims that were asked for: {names}."
    hint = "The citizen may refuse. Without these claims the desk cannot go on."


class ClaimsExcess(VerifierError):
    """The holder shows more than the desk asked for; the desk must not read it."""

    code = "ZL-CLAIMS-EXCESS"
    exit_code = ExitCode.REJECTED
    message = "The answer shows {count} claims that nobody asked for: {names}."
    hint = "They were not read. Ask the citizen's wallet for an answer to this request only."


# What keeps the desk itself from working


class DeskMissing(VerifierError):
    """No desk was set up in this home."""

    code = "ZL-DESK-MISSING"
    exit_code = ExitCode.USAGE
    message = "There is no desk in {home}."
    hint = "Set one up with `zl verifier init`."


class DeskExists(VerifierError):
    """A desk stands here already."""

    code = "ZL-DESK-EXISTS"
    exit_code = ExitCode.USAGE
    message = "There is a desk in {home} already."
    hint = "Choose another home with ZL_HOME. A desk's key and journal are never overwritten."


class DeskPassphrase(VerifierError):
    """The passphrase does not open the desk's key. Not REJECTED: nothing was verified."""

    code = "ZL-DESK-PASSPHRASE"
    exit_code = ExitCode.USAGE
    message = "The passphrase does not open this desk's key."
    hint = "Nothing was decided. Try again; each wrong try makes the next one wait longer."


class BundleMissing(VerifierError):
    """The desk never synchronised."""

    code = "ZL-DESK-UNSYNCED"
    exit_code = ExitCode.UNDETERMINED
    message = "This desk holds no trust bundle, so it knows nothing that it could verify against."
    hint = "Run `zl verifier sync`, or import one with `zl verifier sync --file BUNDLE`."


class BundleUnusable(VerifierError):
    """The bundle on this desk's own disk does not verify; that says nothing of a presentation."""

    code = "ZL-DESK-BUNDLE"
    message = "This desk's trust bundle cannot be used ({code}): {reason}"
    hint = "Nothing was decided. Fetch it again with `zl verifier sync`."


class BundleRollback(VerifierError):
    """An older bundle would make the desk forget revocations that it knows."""

    code = "ZL-DESK-ROLLBACK"
    exit_code = ExitCode.REJECTED
    message = (
        "The offered trust bundle (main chain size {offered}) is older than this desk's ({held})."
    )
    hint = "It was not taken. Fetch a newer one."


class JournalLocked(VerifierError):
    """Another process holds the journal for writing."""

    code = "ZL-JOURNAL-LOCKED"
    message = "Another process is writing this desk's journal."
    hint = "Wait until it has finished, then try again."


class JournalFull(VerifierError):
    """The disk has no room for the access record, so nothing may be read."""

    code = "ZL-JOURNAL-FULL"
    message = "There is no room on the disk to record this access, so the claims are not shown."
    hint = "Free some room and scan again. Nothing that was recorded is lost."


class JournalCorrupt(VerifierError):
    """SQLite refuses the journal file."""

    code = "ZL-JOURNAL-CORRUPT"
    message = "The desk's journal is damaged: {reason}."
    hint = "Restore a backup. It holds open requests and access records not yet on the chain."


class AccessChainMissing(VerifierError):
    """The network has no chain for access records, so no look can be accounted for."""

    code = "ZL-ACCESS-CHAIN-MISSING"
    message = "The network has no side chain for access records, so nothing may be read."
    hint = "Ask the registry's operator to register one, then synchronise."


class EntitlementUnknown(VerifierError):
    """The chain gives this desk no such entitlement."""

    code = "ZL-ENTITLEMENT-UNKNOWN"
    exit_code = ExitCode.USAGE
    message = "The chain holds no entitlement {entitlement!r} for this desk."
    hint = "`zl verifier entitlements` lists what this desk may ask for."


class RequestExcess(VerifierError):
    """The desk asks for more than it may."""

    code = "ZL-REQUEST-EXCESS"
    exit_code = ExitCode.USAGE
    message = "The entitlement {entitlement!r} does not cover {names}."
    hint = "Ask for less, or have the entitlement changed on the chain."


class FileUnusable(VerifierError):
    """A file that was named cannot be read or written."""

    code = "ZL-DESK-FILE"
    message = "The file {path} cannot be used: {reason}."
    hint = "Check the path and its permissions."
