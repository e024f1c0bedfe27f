"""`POST /<origin>/add`: the way from the wire to the door, for thousands of submissions a second.

It stands before the router: a body is read, handed to the door, and answered when the door says
so, with no thread and no request object for each. Answers that come from one commit wake the
event loop once.

Guaranteed: every request gets the answer to its own submission. A body is bounded in bytes and in
time, all bodies together in bytes, so that neither a large nor a slow sender stops the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from registry.errors import LogBusy, RegistryError, SubmissionMalformed
from registry.ledger.submission import MAX_SUBMISSION_BYTES
from registry.reading.reader_api import error_answer
from registry.sequencing.door import Added, Answer, Door

BODY_S: Final = 20.0
"""Seconds for a body that does not come at once: 4 MiB in that time is a slow line."""
MAX_ARRIVING_BYTES: Final = 64 * 1024 * 1024
"""Of all bodies that have come in part."""

_METHOD: Final = "POST"
_PATH: Final = "/add"
_JSON: Final = (b"content-type", b"application/json")


class Disconnected(Exception):
    """The sender has gone before its submission was whole."""


class Answers:
    """Brings answers from other threads into an event loop, with one wake-up for all there are."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: Final = loop
        self._ready: deque[tuple[asyncio.Future[Added], Answer]] = deque()
        self._woken = False

    def put(self, waiting: asyncio.Future[Added], answer: Answer) -> None:
        """From any thread: `answer` is for `waiting`."""
        self._ready.append((waiting, answer))
        if not self._woken:
            self._woken = True
            if not self.loop.is_closed():
                self.loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        self._woken = False  # before the look: what comes after it wakes again
        while self._ready:
            waiting, answer = self._ready.popleft()
            if waiting.done():  # its server ends
                continue
            if isinstance(answer, BaseException):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)


class AddRoute:
    """The route, in front of the application `app`."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door
        self._answers: Answers | None = None
        self._arriving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if (
            scope["type"] != "http"
            or scope["method"] != _METHOD
            or not scope["path"].endswith(_PATH)
        ):
            await self._app(scope, receive, send)
            return
        origin = scope["path"][1 : -len(_PATH)]
        try:
            added = await self._add(origin, await self._read(origin, receive))
        except Disconnected:
            return
        except RegistryError as error:
            await error_answer(error)(scope, receive, send)
            return
        indices = ",".join(map(str, added.indices))
        repeated = "true" if added.repeated else "false"
        body = f'{{"indices":[{indices}],"repeated":{repeated}}}'.encode()
        await send(
            {
                "type": "http.response.start",
                "status": 200 if added.repeated else 201,
                "headers": [_JSON, (b"content-length", b"%d" % len(body))],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _add(self, origin: str, body: bytes) -> Added:
        loop = asyncio.get_running_loop()
        answers = self._answers
        if answers is None or answers.loop is not loop:
            answers = self._answers = Answers(loop)
        waiting: asyncio.Future[Added] = loop.create_future()
        self._door.submit(origin, body, partial(answers.put, waiting))
        return await waiting

    async def _read(self, origin: str, receive: Receive) -> bytes:
        message = await receive()
        body: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body"):
            if len(body) > MAX_SUBMISSION_BYTES:
                raise SubmissionMalformed(reason="it is too large")
            return body
        try:
            async with asyncio.timeout(BODY_S):
                return await self._read_on(origin, receive, body, message["type"])
        except TimeoutError as error:
            raise SubmissionMalformed(reason="it came too slowly") from error

    async def _read_on(self, origin: str, receive: Receive, start: bytes, kind: str) -> bytes:
        body = bytearray()
        more = True
        chunk = start
        try:
            while True:
                if kind != "http.request":
                    raise Disconnected
                body += chunk
                self._arriving += len(chunk)
                if len(body) > MAX_SUBMISSION_BYTES:
                    raise SubmissionMalformed(reason="it is too large")
                if not more:
                    return bytes(body)
                if self._arriving > MAX_ARRIVING_BYTES:
                    raise LogBusy(origin=origin, pending=0)
                message = await receive()
                kind, chunk = message["type"], message.get("body", b"")
                more = bool(message.get("more_body"))
        finally:
            self._arriving -= len(body)
