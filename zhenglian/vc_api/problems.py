"""Errors as problem details (RFC 9457): the types that the specifications name, and our codes.

A problem tells what the error class says and nothing of the document: the parameters of errors
hold no values (`schemas.errors`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from credentials.errors import (
    ChallengeMismatch,
    ContextUnknown,
    CredentialExpired,
    CredentialNotYetValid,
    DocumentRefused,
    DomainMismatch,
    JsonMalformed,
    LimitExceeded,
    ModelViolation,
    StatusEntryMalformed,
    StatusListMalformed,
)
from schemas.errors import LONGEST_PARAMETER, ExitCode, ZhenglianError
from zhenglian.vc_api.errors import (
    AddressUnknown,
    BodyMalformed,
    BodyTooLarge,
    MethodUnknown,
    OptionUnknown,
    StatusOutOfReach,
    TooManyIssued,
)

MEDIA_TYPE: Final = "application/problem+json"

_MODEL: Final = "https://www.w3.org/TR/vc-data-model#"
_INTEGRITY: Final = "https://w3id.org/security#"
_STATUS: Final = "https://www.w3.org/ns/credentials/status-list#"

# VCDM §7.4, VC-DI §4.7, Bitstring Status List §3.5. The first class that fits decides.
_TYPES: Final[tuple[tuple[type[ZhenglianError], str], ...]] = (
    (JsonMalformed, _MODEL + "PARSING_ERROR"),
    (BodyMalformed, _MODEL + "PARSING_ERROR"),
    (ModelViolation, _MODEL + "MALFORMED_VALUE_ERROR"),
    (CredentialExpired, _MODEL + "RANGE_ERROR"),
    (CredentialNotYetValid, _MODEL + "RANGE_ERROR"),
    (DocumentRefused, _INTEGRITY + "DATA_LOSS_DETECTION_ERROR"),
    (DomainMismatch, _INTEGRITY + "INVALID_DOMAIN_ERROR"),
    (ChallengeMismatch, _INTEGRITY + "INVALID_CHALLENGE_ERROR"),
    (StatusOutOfReach, _STATUS + "STATUS_RETRIEVAL_ERROR"),
    (StatusEntryMalformed, _STATUS + "MALFORMED_VALUE_ERROR"),
    (StatusListMalformed, _STATUS + "MALFORMED_VALUE_ERROR"),
)

_STATUSES: Final[tuple[tuple[type[ZhenglianError], int], ...]] = (
    (AddressUnknown, 404),
    (MethodUnknown, 405),
    (BodyTooLarge, 413),
    (LimitExceeded, 413),
    (BodyMalformed, 400),
    (JsonMalformed, 400),
    (OptionUnknown, 400),
    (TooManyIssued, 503),
    (ContextUnknown, 422),
)


def http_status(error: ZhenglianError) -> int:
    """400 for what is malformed or does not hold, 413 for what is too large, 422 for what is
    well formed and cannot be judged or done here."""
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return 422 if error.exit_code == ExitCode.UNDETERMINED else 400


def problem(error: ZhenglianError, default: str) -> dict[str, Any]:
    """The problem details of `error`; `default` is the operation's own type of error."""
    kind = next((name for cause, name in _TYPES if isinstance(error, cause)), _INTEGRITY + default)
    told = error.diagnostics()
    found: dict[str, Any] = {
        "type": kind,
        "title": told["message"],
        "status": http_status(error),
        "detail": told["hint"],
        "code": told["code"],
    }
    found |= {name: _plain(value) for name, value in _extra(error.params).items()}
    return found


def _extra(params: Mapping[str, object]) -> dict[str, object]:
    """Where in the document it is, for programs (RFC 9457 §3.2)."""
    # Left out when too long, for half a pointer points elsewhere.
    return {
        name: params[name]
        for name in ("pointer", "term", "limit")
        if name in params and len(str(params[name])) <= LONGEST_PARAMETER
    }


def _plain(value: object) -> object:
    return value if isinstance(value, int) else str(value)
