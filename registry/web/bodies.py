"""Reading request bodies without letting a stranger fill the memory."""

from __future__ import annotations

from fastapi import Request


class TooLarge(Exception):
    """The body is longer than the limit; nothing beyond it was read."""


async def read_body(request: Request, limit: int) -> bytes:
    """The body of `request`, at most `limit` bytes; raises TooLarge."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge
    return bytes(body)
