"""Reading the answers of servers that may be hostile: bounded, whatever they are packed in.

A packed answer of some kilobytes can unpack to gigabytes before anybody has counted a byte. So
clients ask for plain answers (`PLAIN`) and take no others; but for entry bundles, which a log may
pack without being asked (tlog-tiles, "Log entries"). Those are unpacked here, up to their limit.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import httpx

PLAIN: Final[Mapping[str, str]] = {"Accept-Encoding": "identity"}
"""Headers of a client that uses `read_answer`."""
EITHER: Final[Mapping[str, str]] = {"Accept-Encoding": "identity, gzip;q=0.5"}
"""Headers of a request for a bundle: plain is preferred, it costs both sides less."""

LONGEST_S: Final = 60.0
"""Seconds for a whole answer: a server that drips bytes would hold its client for ever."""
_GZIP: Final = 31  # zlib's window bits: a header of gzip is expected


class AnswerUnfit(Exception):
    """An answer that is not read; `reason` is a phrase of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = reason


def read_answer(
    answer: httpx.Response,
    limit: int,
    *,
    packed: bool = False,
    seconds: float = LONGEST_S,
    clock: Callable[[], float] = time.monotonic,
) -> bytes:
    """The body of a streamed answer, at most `limit` bytes within `seconds`.

    `packed`: it may be gzip. Raises AnswerUnfit, httpx.HTTPError.
    """
    end = clock() + seconds
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        chunks = answer.iter_bytes()
    elif packed and encoding in {"gzip", "x-gzip"}:
        chunks = _unpacked(answer, limit)
    else:
        raise AnswerUnfit("its answer is packed")
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise AnswerUnfit("its answer is too large")
        if clock() > end:
            raise AnswerUnfit("its answer takes too long")
    return bytes(body)


def _unpacked(answer: httpx.Response, limit: int) -> Iterator[bytes]:
    """What is packed in an answer, never more than `limit` bytes at once."""
    unpacker = zlib.decompressobj(_GZIP)
    begun = False
    try:
        for packed in answer.iter_raw():
            data = packed
            yield b""  # an empty member gives nothing, and takes time
            while data:
                if unpacker.eof:  # RFC 1952 §2.2: one member may follow another
                    unpacker = zlib.decompressobj(_GZIP)
                begun = True
                yield unpacker.decompress(data, limit + 1)
                data = unpacker.unconsumed_tail or unpacker.unused_data
    except zlib.error as error:
        raise AnswerUnfit("its answer is not gzip") from error
    if begun and not unpacker.eof:
        raise AnswerUnfit("its answer is cut off")
