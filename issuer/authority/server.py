"""The authority over HTTPS: `POST /verify` takes a signed question, answers a signed yes or no.

Errors are `{"error": <word>}` with the words of `QuestionRefused.reason`: no values, no details
about a person, nothing that the database or the library said. `GET /health` says that the server
runs. What is logged of a request is its outcome; uvicorn's own access log is off.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from issuer.authority.errors import (
    AuthorityAddressUnavailable,
    QuestionLimited,
    QuestionRefused,
)
from issuer.authority.home import OpenAuthority
from issuer.authority.messages import ANSWER_MEDIA, MAX_MESSAGE, REQUEST_MEDIA
from issuer.authority.service import Authority
from schemas.errors import ZhenglianError

CONNECTIONS_LIMIT: Final = 200
"""More open connections than this are answered 503: threads and memory are bounded."""
KEEP_ALIVE_SECONDS: Final = 5

_log = logging.getLogger("zhenglian.authority")


def build_app(authority: Authority) -> FastAPI:
    """The application; it serves no description of itself."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.post("/verify")
    async def verify(request: Request) -> Response:
        if request.headers.get("Content-Type") != REQUEST_MEDIA:
            return _error(415, "malformed")
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_MESSAGE:
                return _error(413, "malformed")
        if not body.isascii():
            return _error(400, "malformed")
        try:
            # The ledger waits for the disk: not on the loop that serves everyone.
            reply = await run_in_threadpool(authority.answer, body.decode("ascii"))
        except QuestionRefused as error:
            _log.info("question refused: %s", error.code)
            response = _error(error.status, error.reason)
            if isinstance(error, QuestionLimited):
                response.headers["Retry-After"] = str(error.params["seconds"])
            return response
        except ZhenglianError as error:
            _log.error("question not answered: %s", error.code)
            return _error(503, "unavailable")
        return Response(reply, media_type=ANSWER_MEDIA, headers={"Cache-Control": "no-store"})

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "authority": authority.did}

    return app


class AuthorityServer:
    """A bound address and what serves it. `run` returns when `stop` was called or on a signal."""

    def __init__(self, opened: OpenAuthority, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Binds at once; port 0 takes a free one. Raises `AuthorityAddressUnavailable`."""
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family, backlog=128)
        except (OSError, OverflowError) as error:
            raise AuthorityAddressUnavailable(host=host, port=port) from error
        # asyncio does this only for sockets that name their protocol; without it every answer
        # waits 40 ms for an acknowledgement.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"https://{shown}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            build_app(opened.authority),
            ssl_certfile=opened.certificate,
            ssl_keyfile=opened.certificate_key,
            ssl_keyfile_password=opened.certificate_passphrase,
            # Its access log would be harmless here, its error log may quote requests.
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS_LIMIT,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=KEEP_ALIVE_SECONDS,
            lifespan="off",
            ws="none",
        )
        config.load()
        if config.ssl is None:
            raise RuntimeError("uvicorn made no TLS context")
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
        self._server = _Announcing(config)

    def run(self, listening: Callable[[str], None] = lambda url: None) -> None:  # noqa: ARG005
        """Serve; `listening` is called with the URL as soon as requests are answered."""
        self._server.announce = lambda: listening(self.url)
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        self._server.should_exit = True


class _Announcing(uvicorn.Server):
    """uvicorn's server, which says when it has started."""

    announce: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self.announce()


def _error(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status_code=status)
