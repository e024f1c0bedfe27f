"""The authority over HTTPS: `POST /verify` takes a signed question, answers a signed yes or no.

Errors are `{"error": <word>}` with the words of `QuestionRefused.reason`: no values, no details
about a person, nothing that the database or the library said. `GET /health` says that the server
runs. What is logged of a request is its outcome; uvicorn's own access log is off.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from typing import Final

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
from registry.web.serving import Server, configure, listen, tls_context
from schemas.errors import ZhenglianError

CONNECTIONS_LIMIT: Final = 200
"""More open connections than this are answered 503: threads and memory are bounded."""

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
            listening = listen(host, port)
        except (OSError, OverflowError) as error:
            raise AuthorityAddressUnavailable(host=host, port=port) from error
        tls = tls_context(
            opened.certificate,
            opened.certificate_key,
            opened.certificate_passphrase,
            least=ssl.TLSVersion.TLSv1_3,
        )
        app = build_app(opened.authority)
        self._server = Server(configure(app, connections=CONNECTIONS_LIMIT, tls=tls), listening)
        self.url = self._server.url

    def run(self, listening: Callable[[str], None] = lambda url: None) -> None:  # noqa: ARG005
        """Serve; `listening` is called with the URL as soon as requests are answered."""
        self._server.attend(lambda: listening(self.url))

    def stop(self) -> None:
        self._server.stop()


def _error(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status_code=status)
