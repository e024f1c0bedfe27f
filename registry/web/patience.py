"""What a connection to a server of this project may cost, and how it ends.

Guaranteed, against anyone who can connect: a head has at most `MAX_HEAD_BYTES` and `MAX_HEADERS`
(431); framing beyond the body, such as chunk sizes and trailers, at most `MAX_FRAMING_BYTES`; at
most `MAX_PIPELINED` requests wait behind one that is being answered. A connection is ended when,
for `PATIENCE_S` to twice that, it has sent no whole head and no answer is owed to it; when a body
arrives more slowly than `MIN_BODY_BYTES` in `PATIENCE_S` (408); when it has taken no byte of an
answer for so long; and at once when `SPARE_CONNECTIONS` are there beyond the limit of the server.
What is no HTTP is answered 400, but never in the place of an answer that is still owed.

Not guaranteed: that one who takes an answer byte by byte, or sends a body at the slowest pace, is
ended: it keeps one connection, with bounded memory. How long a body may be is decided where it is
read; some readers give it less time, too.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

PATIENCE_S: Final = 15.0
HANDSHAKE_S: Final = 10.0
"""For TLS to be agreed upon, and for its end (`registry.web.serving`)."""
MIN_BODY_BYTES: Final = 64 * 1024
"""4 kB a second: any link that carries a video call does thirty times that."""
MAX_HEAD_BYTES: Final = 32 * 1024
"""Request line and headers; the longest of ours, with an access token, stay below 4 kB."""
MAX_HEADERS: Final = 128
MAX_FRAMING_BYTES: Final = 256 * 1024
"""Request line, headers, and what chunked transfer adds to a body."""
MAX_PIPELINED: Final = 16
"""Each takes some kB; one read of the socket could hold ten thousand."""
SPARE_CONNECTIONS: Final = 64
"""Beyond a server's limit these are told 503; more are ended unheard."""

_BAD_REQUEST: Final = 400
_TIMEOUT: Final = 408
_HEAD_TOO_LARGE: Final = 431


class _Refused(Exception):
    """Ends parsing: what was sent is not read on."""


class Patient(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, which by itself waits for a head without end, in time and in bytes."""

    _framing = 0  # bytes of this request that are not its body
    _head = 0  # bytes of this head that were parsed
    _in_head = True
    _received = 0  # bytes since the last look
    _resumed = 0  # times that the peer has taken enough of an answer
    _refusal = 0  # the status with which reading ended
    _watch: asyncio.TimerHandle | None = None
    _seen: RequestResponseCycle | None = None
    _unsent = (0, 0)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        limit = self.limit_concurrency
        if limit is not None and len(self.connections) > limit + SPARE_CONNECTIONS:
            transport.abort()
            return
        self._watch = self.loop.call_later(PATIENCE_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusal or self.transport.is_closing():
            return
        self._framing += len(data)
        self._received += len(data)
        super().data_received(data)
        if self._refusal:
            return
        if self._in_head and self._framing > MAX_HEAD_BYTES:
            self._refuse(_HEAD_TOO_LARGE)
        elif self._framing > MAX_FRAMING_BYTES:
            self._refuse(_BAD_REQUEST)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0
        self._in_head = True
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _Refused

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            self._count(len(name) + len(value) + 4)
            if len(self.headers) >= MAX_HEADERS:
                self._too_large()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._framing -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._framing = 0
        self._in_head = True
        super().on_message_complete()

    def resume_writing(self) -> None:
        self._resumed += 1
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn when the parser gave up, also because of an exception of ours."""
        self._refuse(_BAD_REQUEST)

    def _count(self, length: int) -> None:
        self._head += length
        if self._head > MAX_HEAD_BYTES:
            self._too_large()

    def _too_large(self) -> None:
        self._refuse(_HEAD_TOO_LARGE)
        raise _Refused

    def _refuse(self, status: int) -> None:
        """Read no more. What is owed is answered first; then this, or nothing more."""
        if self._refusal:
            return
        self._refusal = status
        last = self.cycle
        if last is None or last.response_complete:
            self._answer(status)
        elif not last.more_body:  # whole requests are being answered, garbage follows
            last.keep_alive = False
        elif not last.response_started and not self.pipeline:
            self._answer(status)
        else:
            # In the middle of an answer, or behind others: nothing true can be said here.
            self.transport.close()

    def _answer(self, status: int) -> None:
        head = b"content-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head)
        self.transport.close()

    def _look(self) -> None:
        cycle, seen, received = self.cycle, self._seen, self._received
        before, self._unsent = self._unsent, (self.transport.get_write_buffer_size(), self._resumed)
        self._seen, self._received = cycle, 0
        owed = cycle is not None and not cycle.response_complete
        if self._unsent[0]:
            over = self._unsent == before
        elif not owed:
            over = cycle is seen
        else:
            over = False
            slow = received < MIN_BODY_BYTES and not self.flow.read_paused
            if cycle is seen and cycle.more_body and slow:
                self._refuse(_TIMEOUT)
        if over or self.transport.is_closing():
            # Not `close`: TLS would wait for the other side to say goodbye.
            self.transport.abort()
            return
        self._watch = self.loop.call_later(PATIENCE_S, self._look)
