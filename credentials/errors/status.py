"""Status lists."""

from __future__ import annotations

from credentials.errors.base import CredentialError
from schemas.errors import ExitCode


class StatusEntryMalformed(CredentialError):
    """A credentialStatus entry that breaks Bitstring Status List 1.0 §2.1."""

    code = "ZL-STATUS-ENTRY"
    message = "The status entry is malformed: {reason}."
    hint = "Its issuer must correct and issue the credential again."


class StatusTypeUnsupported(CredentialError):
    """A kind of status that this software cannot look up; ignoring it could hide a revocation."""

    code = "ZL-STATUS-TYPE"
    exit_code = ExitCode.UNDETERMINED
    message = "The credential states its status in a way that is not supported."
    hint = "Whether it is revoked cannot be known here. Ask its issuer."


class StatusListMalformed(CredentialError):
    """A status list credential that breaks Bitstring Status List 1.0 §2.2."""

    code = "ZL-STATUS-LIST"
    message = "The status list is malformed: {reason}."
    hint = "Fetch the list again; if that fails, tell its issuer."


class StatusListTooShort(StatusListMalformed):
    """STATUS_LIST_LENGTH_ERROR: too few entries to hide one among them."""

    code = "ZL-STATUS-LIST-LENGTH"
    message = "The status list has {entries} entries; at least {minimum} are required."


class StatusIndexOutOfRange(CredentialError):
    """RANGE_ERROR: an index that the list does not have."""

    code = "ZL-STATUS-RANGE"
    exit_code = ExitCode.UNDETERMINED
    message = "The status list does not reach the credential's index."
    hint = "The list may be outdated or another one. Fetch it again."


class StatusPurposeMismatch(CredentialError):
    """STATUS_VERIFICATION_ERROR: the list speaks about something else than the entry."""

    code = "ZL-STATUS-PURPOSE"
    exit_code = ExitCode.UNDETERMINED
    message = "The status list does not state the purpose {purpose!r}."
    hint = "The list is not the one that the credential means. Tell the issuer."


class StatusListMismatch(CredentialError):
    """A list whose address is not the one that the entry names."""

    code = "ZL-STATUS-OTHER-LIST"
    exit_code = ExitCode.UNDETERMINED
    message = "The status list is not the one that the credential names."
    hint = "Fetch the list that the credential names."


class StatusListFull(CredentialError):
    """No free index is left for another credential."""

    code = "ZL-STATUS-LIST-FULL"
    exit_code = ExitCode.ENVIRONMENT
    message = "The status list has no free index left."
    hint = "Open a new status list."
