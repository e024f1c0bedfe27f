"""The time claims of signed tokens: `exp`, `nbf` and `iat`, checked against the caller's clock.

Guarantee: a token that has run out, is not in force yet, or claims to come from the future does
not pass, and a time that is not a number of seconds is an error, never "no limit".

Source: RFC 7519 §2 (NumericDate), §4.1.4 to §4.1.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from credentials.errors import JwsMalformed, TokenExpired, TokenFromFuture, TokenNotYetValid
from schemas.errors import Phrase

_LATEST: Final = 253_402_300_799  # the end of the year 9999, beyond which no datetime reaches


def seconds(now: datetime) -> float:
    """`now` in seconds since 1970. Raises ValueError for a time without a zone."""
    if now.tzinfo is None:
        raise ValueError("a naive datetime names no instant")
    return now.timestamp()


def numeric_date(claims: Mapping[str, Any], name: str) -> float | None:
    """The time claim `name` in seconds since 1970, if it is there. Raises JwsMalformed."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value <= _LATEST:
        raise JwsMalformed(reason=Phrase("{name} is not a time in seconds", name=name))
    return float(value)


def instant(claims: Mapping[str, Any], name: str) -> datetime | None:
    """The time claim `name`, if it is there. Raises JwsMalformed."""
    value = numeric_date(claims, name)
    return None if value is None else datetime.fromtimestamp(value, UTC)


def check_times(claims: Mapping[str, Any], now: datetime, skew_s: float = 0) -> None:
    """Raise unless the token is in force at `now`, `skew_s` seconds of clock difference allowed.

    Raises TokenExpired, TokenNotYetValid, TokenFromFuture, JwsMalformed.
    """
    at = seconds(now)
    expires = numeric_date(claims, "exp")
    if expires is not None and at - skew_s >= expires:
        raise TokenExpired
    begins = numeric_date(claims, "nbf")
    if begins is not None and at + skew_s < begins:
        raise TokenNotYetValid
    made = numeric_date(claims, "iat")
    if made is not None and at + skew_s < made:
        raise TokenFromFuture
