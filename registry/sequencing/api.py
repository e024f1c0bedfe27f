"""The HTTP face of the sequencer.

`POST /<origin>/add`, which answers when a submission is durable and sequenced, is in
`registry.sequencing.add_api`; what is read is in `registry.reading.reader_api`. Beside that: status
lists handed in, and the status.
"""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from registry.errors import SubmissionMalformed
from registry.explorer import add_explorer_routes
from registry.reading.reader_api import FRESH, add_error_answers, add_reader_routes
from registry.sequencing.add_api import AddRoute
from registry.sequencing.sequencer import Sequencer
from registry.trust.load import MAX_LIST_BYTES
from registry.web.bodies import TooLarge, read_body


def build_app(sequencer: Sequencer) -> ASGIApp:
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
        except ClientDisconnect as error:  # nobody hears it
            raise SubmissionMalformed(reason="the status list is cut off") from error
        await run_in_threadpool(chains.documents.put, digest, body)
        return JSONResponse({"digest": digest}, 201)

    add_explorer_routes(app, sequencer.reader, folder=chains.home)
    add_reader_routes(app, sequencer.reader)
    return AddRoute(app, chains.door)
