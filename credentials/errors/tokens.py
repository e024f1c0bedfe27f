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
