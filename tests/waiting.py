"""Waiting, with an end to it, for what other threads and processes do in their own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Far more than any of it takes: a machine may be busy with something else. Only a defect waits
# so long.
PATIENCE_S = 90.0


def until(
    ask: Callable[[], T],
    done: Callable[[T], object] = bool,
    *,
    seconds: float = PATIENCE_S,
    pause: float = 0.05,
) -> T:
    """The first answer that `done` is content with; AssertionError with the last one in the end."""
    end = time.monotonic() + seconds
    while not done(found := ask()):
        assert time.monotonic() < end, f"waited {seconds:g} s in vain, the last was: {found!r}"
        time.sleep(pause)
    return found
