"""The validity period of a credential."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from credentials.errors import CredentialExpired, CredentialNotYetValid, ModelViolation
from credentials.model.members import instant
from credentials.model.versions import model_of
from credentials.timestamps import format_timestamp

_NO_SKEW: Final = timedelta(0)


def validity_period(document: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """From when to when the document is valid; None where it does not say. Raises ModelViolation.

    VCDM §4.9: `validFrom` and `validUntil` are dateTimeStamp values, and the credential is valid
    at both ends. A document of 1.1 says `issuanceDate` and `expirationDate`; should it say both,
    the shorter period counts.
    """
    start, end = instant(document, "validFrom"), instant(document, "validUntil")
    if model_of(document) == "1.1":
        starts = [time for time in (start, instant(document, "issuanceDate")) if time]
        ends = [time for time in (end, instant(document, "expirationDate")) if time]
        start, end = max(starts, default=None), min(ends, default=None)
    return start, end


def check_order(document: Mapping[str, Any], end_name: str) -> None:
    """§4.9: the end does not lie before the start. Raises ModelViolation."""
    start, end = validity_period(document)
    if start is not None and end is not None and start > end:
        raise ModelViolation(pointer=f"/{end_name}", reason="it lies before validFrom")


def check_validity(document: Mapping[str, Any], now: datetime, skew: timedelta = _NO_SKEW) -> None:
    """Raise CredentialNotYetValid or CredentialExpired unless `now` lies in the period.

    `skew` widens the period at both ends by how far clocks may differ.
    """
    start, end = validity_period(document)
    if start is not None and now + skew < start:
        raise CredentialNotYetValid(valid_from=format_timestamp(start))
    if end is not None and now - skew > end:
        raise CredentialExpired(valid_until=format_timestamp(end))
