"""Signed tokens."""

from __future__ import annotations

from credentials.errors.base import CredentialError
from schemas.errors import ExitCode


class JwsMalformed(CredentialError):
    """Not a compact JWS that this kernel reads."""

    code = "ZL-JWS-MALFORMED"
    message = "The signed token is malformed: {reason}."
    hint = "Check that the token was copied completely."


class JwsAlgorithmRefused(CredentialError):
    """`none`, an unknown algorithm, or one that does not belong to the key."""

    code = "ZL-JWS-ALGORITHM"
    exit_code = ExitCode.REJECTED
    message = "The token's algorithm is not allowed, or does not fit the key."
    hint = "Do not rely on the token."


class JwsTypeMismatch(CredentialError):
    """A token made for one use was presented for another (RFC 8725 §3.11)."""

    code = "ZL-JWS-TYPE"
    exit_code = ExitCode.REJECTED
    message = "The token is not of the expected kind {expected}."
    hint = "A token made for another use cannot stand in for this one."


class JweMalformed(CredentialError):
    """Not a compact JWE that this kernel reads."""

    code = "ZL-JWE-MALFORMED"
    message = "The encrypted message is malformed: {reason}."
    hint = "Check that the message was copied completely."


class JweRefused(CredentialError):
    """An algorithm, header member or ephemeral key that is not allowed."""

    code = "ZL-JWE-REFUSED"
    exit_code = ExitCode.REJECTED
    message = "The encrypted message is refused: {reason}."
    hint = "Only ECDH-ES on P-256 with A128GCM or A256GCM is taken, and nothing compressed."


class JweUndecipherable(CredentialError):
    """No key of ours opens it, or it was altered: which of the two is not told."""

    code = "ZL-JWE-UNDECIPHERABLE"
    exit_code = ExitCode.REJECTED
    message = "The encrypted message cannot be decrypted."
    hint = "Ask for it again, encrypted to the key of the newest request."


class JweKeyUnfit(CredentialError):
    """Not a key that a message can be encrypted to."""

    code = "ZL-JWE-KEY"
    message = "The encryption key cannot be used: {reason}."
    hint = "Offer a P-256 key as a JWK for ECDH-ES."
