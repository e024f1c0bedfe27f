"""The HTTP face of a node: c2sp.org/tlog-witness for submission and monitoring, and `/status`."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from registry.api_bodies import TooLarge, read_body
from registry.errors import RegistryError
from registry.node import MAX_REQUEST_BYTES, Answer, Node

_HEADERS: Final = {"Cache-Control": "no-store"}


def _respond(answer: Answer) -> Response:
    # As a header: to a media type, a charset would be added, and clients compare it literally.
    return Response(answer.body, answer.status, {**_HEADERS, "Content-Type": answer.content_type})


def build_node_app(node: Node) -> FastAPI:
    """The application that serves `node`; submission and monitoring share one prefix."""
    app = FastAPI(title=f"Zhenglian node {node.name}", docs_url=None, redoc_url=None)

    @app.exception_handler(RegistryError)
    async def _failed(_: Request, error: RegistryError) -> Response:
        return JSONResponse({"error": error.diagnostics()}, 503, _HEADERS)

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        try:
            body = await read_body(request, MAX_REQUEST_BYTES)
        except TooLarge:
            return _respond(Answer.text(400, "the request is too large"))
        return _respond(await run_in_threadpool(node.add_checkpoint, body))

    @app.get("/{origin_hash}/checkpoint")
    def checkpoint(origin_hash: str) -> Response:
        return _respond(node.checkpoint(origin_hash))

    @app.get("/status")
    def status() -> Response:
        return JSONResponse(dict(node.status()), headers=_HEADERS)

    return app
