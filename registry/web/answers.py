"""Reading the answers of servers that may be hostile: bounded, and never unpacked.

A packed answer of some kilobytes can unpack to gigabytes before anybody has counted a byte. So
clients ask for plain answers (`PLAIN`) and take no others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import httpx

PLAIN: Final[Mapping[str, str]] = {"Accept-Encoding": "identity"}
"""Headers of a client that uses `read_answer`."""

LONGEST_S: Final = 60.0
"""Seconds for a whole answer: a server that drips bytes would hold its client for ever."""


class AnswerUnfit(Exception):
    """An answer that is not read; `reason` is a phrase of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = reason


def read_answer(
    answer: httpx.Response,
    limit: int,
    *,
    seconds: float = LONGEST_S,
    clock: Callable[[], float] = time.monotonic,
) -> bytes:
    """The body of a streamed answer, at most `limit` bytes within `seconds`.

    Raises AnswerUnfit, httpx.HTTPError.
    """
    end = clock() + seconds
    if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise AnswerUnfit("its answer is packed")
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > limit:
            raise AnswerUnfit("its answer is too large")
        if clock() > end:
            raise AnswerUnfit("its answer takes too long")
    return bytes(body)
