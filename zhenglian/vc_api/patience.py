"""Connections that make the server wait are ended, so that nobody can take all of them.

Guarantee: a connection is closed when, for `PATIENCE_SECONDS` to twice that, it has sent no whole
request head and no answer is owed to it; also one that goes on sending what was refused, which is
discarded meanwhile. How long a body may take is limited where it is read
(`zhenglian.vc_api.app`), how long a head may be by h11 (64 KiB).
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

PATIENCE_SECONDS: Final = 10
"""The clients are on this machine."""


class Impatient(H11Protocol):
    """uvicorn's HTTP/1.1, which by itself waits for a first request without end."""

    _watch: asyncio.TimerHandle | None = None
    _seen: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch = self.loop.call_later(PATIENCE_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        answered = self.cycle is None or self.cycle.response_complete
        if answered and self.cycle is self._seen:
            # Not `close`: TLS would wait for the other side to say goodbye.
            self.transport.abort()
            return
        self._seen = self.cycle
        self._watch = self.loop.call_later(PATIENCE_SECONDS, self._look)
