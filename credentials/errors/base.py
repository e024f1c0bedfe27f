"""Causes that every part of the kernel shares, and the root of them all."""

from __future__ import annotations

from schemas.errors import ExitCode, ZhenglianError


class CredentialError(ZhenglianError):
    """Root of every error of the kernel."""

    code = "ZL-CREDENTIAL"
    exit_code = ExitCode.MALFORMED
    message = "The credential data cannot be used."
    hint = "Ask whoever produced it for a fresh copy."


class LimitExceeded(CredentialError):
    """Something is larger than its named limit (`credentials.limits`)."""

    code = "ZL-LIMIT"
    message = "The {what} exceeds the limit of {limit}."
    hint = "The data was refused before it could cost more; it is not a document of normal size."


class SignatureInvalid(CredentialError):
    """A signature does not verify under the key that is named for it."""

    code = "ZL-SIGNATURE-INVALID"
    exit_code = ExitCode.REJECTED
    message = "The signature does not match the data."
    hint = "The data was changed after it was signed, or another key signed it. Do not rely on it."


class ProofMalformed(CredentialError):
    """A proof's own structure is wrong, whatever it signs."""

    code = "ZL-PROOF-MALFORMED"
    message = "The proof is malformed: {reason}."
    hint = "Ask the issuer or holder to produce the proof again."


class CryptosuiteUnknown(CredentialError):
    """The proof names a cryptosuite that is not in the suite table."""

    code = "ZL-CRYPTOSUITE-UNKNOWN"
    message = "The cryptosuite {cryptosuite!r} is not supported."
    hint = "Ask for a credential with a supported cryptosuite."


class CryptosuiteExperimental(CryptosuiteUnknown):
    """A suite whose specification is still a draft, where the caller did not admit those."""

    code = "ZL-CRYPTOSUITE-EXPERIMENTAL"
    message = "The cryptosuite {cryptosuite!r} is experimental and not accepted here."


class CryptosuiteLegacy(CryptosuiteUnknown):
    """A suite that others replaced, where the caller did not admit those."""

    code = "ZL-CRYPTOSUITE-LEGACY"
    message = "The cryptosuite {cryptosuite!r} is of the past and not accepted here."
    hint = "Ask for a credential with a present cryptosuite."


class SuiteOptionsRefused(CredentialError):
    """Options of one cryptosuite met another, or those of one step another step.

    When verifying: what they demand cannot be judged on this document, so it is not verified.
    """

    code = "ZL-CRYPTOSUITE-OPTIONS"
    exit_code = ExitCode.REJECTED
    message = "The cryptosuite {cryptosuite} does not have what was asked of it."
    hint = "Ask only for what the cryptosuite of the document has."
