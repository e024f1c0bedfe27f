"""The HTTP face of a witness: c2sp.org/tlog-witness, submission and monitoring under one prefix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from registry.web.bodies import TooLarge, read_body
from registry.witnessing.witness import MAX_REQUEST_BYTES, Answer, Witness

HEADERS: Final = {"Cache-Control": "no-store"}


def respond(answer: Answer) -> Response:
    """An `Answer` over HTTP."""
    # As a header and not as media type: to that, a charset would be added, and stock clients
    # compare `text/x.tlog.size` as it stands in the specification.
    return Response(answer.body, answer.status, {**HEADERS, "Content-Type": answer.content_type})


async def answered(request: Request, call: Callable[[bytes], Answer]) -> Response:
    """What `call` answers to the body of a request, in a thread that may block."""
    try:
        body = await read_body(request, MAX_REQUEST_BYTES)
    except TooLarge:
        return respond(Answer.text(400, "the request is too large"))
    except ClientDisconnect:  # nobody hears it
        return respond(Answer.text(400, "the request ends too early"))
    return respond(await run_in_threadpool(call, body))


def add_witness_routes(app: FastAPI, witness: Witness, *, prefix: str = "") -> None:
    """Serve `witness` under `prefix`."""

    @app.post(f"{prefix}/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        return await answered(request, witness.add_checkpoint)

    @app.post(f"{prefix}/sign-subtree")
    async def sign_subtree(request: Request) -> Response:
        return await answered(request, witness.sign_subtree)

    @app.head(f"{prefix}/{{digest}}/checkpoint", include_in_schema=False)
    @app.get(f"{prefix}/{{digest}}/checkpoint")
    def checkpoint(digest: str) -> Response:
        return respond(witness.checkpoint(digest))
