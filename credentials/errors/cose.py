"""COSE messages and enveloped credentials (VC-JOSE-COSE)."""

from __future__ import annotations

from credentials.errors.base import CredentialError
from schemas.errors import ExitCode


class CoseMalformed(CredentialError):
    """Not a COSE_Sign1 message that this kernel reads (RFC 9052 §4.2)."""

    code = "ZL-COSE-MALFORMED"
    message = "The signed COSE message is malformed: {reason}."
    hint = "Check that it was copied completely."


class CoseAlgorithmRefused(CredentialError):
    """An unknown algorithm, or one that does not belong to the key."""

    code = "ZL-COSE-ALGORITHM"
    exit_code = ExitCode.REJECTED
    message = "The algorithm of the COSE message is not allowed, or does not fit the key."
    hint = "Do not rely on the message."


class CoseTypeMismatch(CredentialError):
    """A message made for one use was presented for another (RFC 9596)."""

    code = "ZL-COSE-TYPE"
    exit_code = ExitCode.REJECTED
    message = "The COSE message is not of the expected kind {expected}."
    hint = "A message made for another use cannot stand in for this one."


class EnvelopeMalformed(CredentialError):
    """Not an enveloped credential or presentation (VCDM 2.0 §4.14)."""

    code = "ZL-ENVELOPE"
    message = "The envelope is malformed: {reason}."
    hint = "Ask whoever made it for a fresh one."


class SecuredDocumentRefused(CredentialError):
    """A JOSE or COSE header or claim that contradicts the document inside (VC-JOSE-COSE §3)."""

    code = "ZL-SECURED-DOCUMENT"
    message = "What is signed does not fit how it was signed: {reason}."
    hint = "Its issuer or holder must sign it again, correctly."


class StatusListExpired(CredentialError):
    """A status list whose own time is over: it says nothing about now."""

    code = "ZL-STATUS-LIST-EXPIRED"
    exit_code = ExitCode.UNDETERMINED
    message = "The status list has expired."
    hint = "Fetch the list again. Until then, whether the credential is revoked is not known."
