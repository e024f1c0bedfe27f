"""The HTTP face of the sequencer.

`POST /<origin>/add` takes a submission and answers when it is durable and sequenced; what is read
is in `registry.reader_api`. Beside that: status lists handed in, and the status.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from registry.api_bodies import TooLarge, read_body
from registry.errors import SubmissionMalformed
from registry.explorer import add_explorer_routes
from registry.reader_api import FRESH, add_error_answers, add_reader_routes
from registry.sequencer import Sequencer
from registry.submission import MAX_SUBMISSION_BYTES
from registry.trust.load import MAX_LIST_BYTES


def build_app(sequencer: Sequencer) -> FastAPI:
    """The application that serves `sequencer`."""
    app = FastAPI(title="Zhenglian registry", docs_url=None, redoc_url=None)
    chains = sequencer.chains

    add_error_answers(app)

    @app.get("/status")
    def status() -> Response:
        return JSONResponse(sequencer.status(), headers=FRESH)

    @app.put("/status-lists/{digest}")
    async def put_status_list(digest: str, request: Request) -> Response:
        try:
            body = await read_body(request, MAX_LIST_BYTES)
        except TooLarge as error:
            raise SubmissionMalformed(reason="the status list is too large") from error
        await run_in_threadpool(chains.documents.put, digest, body)
        return JSONResponse({"digest": digest}, 201)

    @app.post("/{origin:path}/add")
    async def add(origin: str, request: Request) -> Response:
        try:
            body = await read_body(request, MAX_SUBMISSION_BYTES)
        except TooLarge as error:
            raise SubmissionMalformed(reason="it is too large") from error
        added = await run_in_threadpool(chains.add, origin, body)
        answer: dict[str, Any] = {"indices": list(added.indices), "repeated": added.repeated}
        return JSONResponse(answer, 200 if added.repeated else 201)

    add_explorer_routes(app, sequencer.reader, folder=chains.home)
    add_reader_routes(app, sequencer.reader)
    return app
