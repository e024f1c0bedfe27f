"""Data Integrity proofs and selective disclosure."""

from __future__ import annotations

from credentials.errors.base import CredentialError
from schemas.errors import ExitCode

# Data Integrity proofs


class ProofMissing(CredentialError):
    """A document without a proof where one is required."""

    code = "ZL-PROOF-MISSING"
    exit_code = ExitCode.REJECTED
    message = "The document is not signed."
    hint = "Ask for a signed one. Nothing in an unsigned document can be relied on."


class ProofTypeUnknown(CredentialError):
    """A proof of a kind that is not understood; it is never skipped."""

    code = "ZL-PROOF-TYPE"
    message = "The document carries a proof of an unknown kind."
    hint = "Ask for a document with a Data Integrity proof."


class ProofPurposeMismatch(CredentialError):
    """A proof made for one purpose was presented for another."""

    code = "ZL-PROOF-PURPOSE"
    exit_code = ExitCode.REJECTED
    message = "The proof was not made for the purpose {expected}."
    hint = "A proof made for another purpose cannot stand in for this one."


class ProofExpired(CredentialError):
    """`expires` of the proof has passed."""

    code = "ZL-PROOF-EXPIRED"
    exit_code = ExitCode.REJECTED
    message = "The proof expired on {expires}."
    hint = "Ask for a fresh one."


class ProofFromFuture(CredentialError):
    """`created` of the proof lies further ahead than clocks may differ."""

    code = "ZL-PROOF-FUTURE"
    exit_code = ExitCode.REJECTED
    message = "The proof says that it was made in the future."
    hint = "Check the clock of this computer, then that of the signer."


class DomainMismatch(CredentialError):
    """The proof was made for another domain, or for none."""

    code = "ZL-PROOF-DOMAIN"
    exit_code = ExitCode.REJECTED
    message = "The proof was not made for this recipient."
    hint = "It may have been meant for someone else. Ask for one made for you."


class ChallengeMismatch(CredentialError):
    """The proof answers another challenge, or none."""

    code = "ZL-PROOF-CHALLENGE"
    exit_code = ExitCode.REJECTED
    message = "The proof does not answer the challenge that was set."
    hint = "It may be a copy of an earlier answer. Ask for a fresh one."


class CryptosuiteKeyMismatch(CredentialError):
    """The cryptosuite cannot be used with a key of this type."""

    code = "ZL-CRYPTOSUITE-KEY"
    exit_code = ExitCode.REJECTED
    message = "The cryptosuite {cryptosuite} does not work with a key of type {key_type}."
    hint = "Sign with a key of the type that the cryptosuite asks for."


# Selective disclosure (ecdsa-sd-2023)


class PointerInvalid(CredentialError):
    """Not a JSON pointer (RFC 6901)."""

    code = "ZL-POINTER-INVALID"
    message = "{pointer!r} is not a JSON pointer."
    hint = "A pointer looks like /credentialSubject/name."


class PointerUnknown(CredentialError):
    """A JSON pointer that names nothing in the document."""

    code = "ZL-POINTER-UNKNOWN"
    message = "The pointer {pointer!r} names nothing in the document."
    hint = "Ask only for claims that the credential holds."


class PointerNotSelectable(CredentialError):
    """A JSON pointer into something that is signed as a whole, or that no statement is made of."""

    code = "ZL-POINTER-NOT-SELECTABLE"
    message = "What {pointer!r} names cannot be shown by itself."
    hint = "Point at the whole value: the list, the text with its language, the JSON value."


class NothingDisclosed(CredentialError):
    """A derivation without selective and mandatory pointers would show nothing."""

    code = "ZL-NOTHING-DISCLOSED"
    message = "Nothing was selected to be shown."
    hint = "Select at least one claim."


class SignatureCountMismatch(CredentialError):
    """An ecdsa-sd proof has more or fewer signatures than there are statements to cover."""

    code = "ZL-SIGNATURE-COUNT"
    exit_code = ExitCode.REJECTED
    message = "The proof carries {signatures} signatures for {statements} statements."
    hint = "Something was added to or removed from the credential. Do not rely on it."
