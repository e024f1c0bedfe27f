"""Connections that keep a server waiting, or talk without saying anything, are ended.

Guaranteed: a connection is closed when, for `PATIENCE_S` to twice that, it has sent no whole
request head and no answer is owed to it; and when more than `MAX_FRAMING_BYTES` of a request are
not its body. So slow or endless heads, chunk extensions and trailers cost a bounded time and a
bounded memory each. How long and how large a body may be is decided where it is read.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

PATIENCE_S: Final = 15.0
MAX_FRAMING_BYTES: Final = 256 * 1024
"""Request line, headers, and what chunked transfer adds to a body."""


class Patient(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, which by itself waits for a head without end, in time and in bytes."""

    _framing = 0
    _watch: asyncio.TimerHandle | None = None
    _seen: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch = self.loop.call_later(PATIENCE_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._framing += len(data)
        super().data_received(data)
        if self._framing > MAX_FRAMING_BYTES:
            self.transport.close()

    def on_body(self, body: bytes) -> None:
        self._framing -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._framing = 0
        super().on_message_complete()

    def _look(self) -> None:
        answered = self.cycle is None or self.cycle.response_complete
        if answered and self.cycle is self._seen:
            self.transport.close()
            return
        self._seen = self.cycle
        self._watch = self.loop.call_later(PATIENCE_S, self._look)
