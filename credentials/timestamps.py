"""Points in time as XML Schema writes them.

`created`, `expires`, `validFrom` and `validUntil` are `xsd:dateTimeStamp`: the time zone is
required (VCDM 2.0 §4.9, VC-DI §2.1), because a time without one means another instant at every
desk. Nothing here reads a clock.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_SHAPE: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-](0\d|1[0-3]):[0-5]\d|[+-]14:00)", re.ASCII
)


def parse_timestamp(text: object) -> datetime | None:
    """The aware instant that dateTimeStamp `text` names, or None if it is not one.

    Years outside 0001-9999 and the hour 24, which XML Schema permits, are refused: no credential
    needs them and readers disagree on them. Digits beyond microseconds are cut off.
    """
    if not isinstance(text, str) or not _SHAPE.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # the thirtieth of February
        return None


def format_timestamp(instant: datetime) -> str:
    """`instant` in UTC with whole seconds and `Z`, the form that CBOR-LD compresses best."""
    if instant.tzinfo is None:
        raise ValueError("a naive datetime names no instant")
    return instant.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
