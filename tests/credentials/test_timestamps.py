"""Timestamps: the same instant back, and nothing that readers could take for another."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.timestamps import format_timestamp, parse_timestamp


@given(
    st.datetimes(
        min_value=datetime(1, 1, 2),
        max_value=datetime(9999, 12, 30),
    ),
    st.integers(-14 * 60, 14 * 60),
)
def test_timestamps_return_the_same_instant(moment: datetime, minutes: int) -> None:
    instant = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_timestamp(instant.isoformat()) == instant
    assert parse_timestamp(format_timestamp(instant)) == instant
    assert format_timestamp(instant).endswith("Z")
    assert len(format_timestamp(instant)) == 20


@pytest.mark.parametrize("text", ["２０２６-11-22T00:00:00Z", "2026-11-22T00:00:00z", "", None, 5,
                                  "2026-W47-7T00:00:00Z", "20261122T000000Z",
                                  "2026-11-22T00:00:00.Z", "2026-11-22T00:00:60Z"])  # fmt: skip
def test_what_is_no_timestamp(text: object) -> None:
    assert parse_timestamp(text) is None


def test_a_naive_time_is_not_written() -> None:
    with pytest.raises(ValueError, match="naive"):
        format_timestamp(datetime(2026, 11, 22))
