"""Reading the answers of servers that may be hostile: bounded, and never unpacked.

A packed answer of some kilobytes can unpack to gigabytes before anybody has counted a byte. So
clients ask for plain answers (`PLAIN`) and take no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx

PLAIN: Final[Mapping[str, str]] = {"Accept-Encoding": "identity"}
"""Headers of a client that uses `read_answer`."""


class AnswerUnfit(Exception):
    """An answer that is not read; `reason` is a phrase of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = reason


def read_answer(answer: httpx.Response, limit: int) -> bytes:
    """The body of a streamed answer, at most `limit` bytes. Raises AnswerUnfit, httpx.HTTPError."""
    if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise AnswerUnfit("its answer is packed")
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > limit:
            raise AnswerUnfit("its answer is too large")
    return bytes(body)
