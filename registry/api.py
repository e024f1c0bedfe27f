"""The HTTP face of the sequencer.

`POST /<origin>/add` takes a submission and answers when it is durable and sequenced. Reading
follows c2sp.org/tlog-tiles under `/<origin>/`. Beside that: proofs of side-chain checkpoints,
look-ups by leaf hash, status lists by digest, the trust bundle, blocks and status. Everything
that is read verifies against the pinned genesis; readers need not trust this server.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from registry.api_bodies import TooLarge, read_body
from registry.errors import (
    EntriesDuplicate,
    EntryUnknown,
    LogBusy,
    OriginUnknown,
    OutOfRange,
    RegistryError,
    SubmissionMalformed,
    TileMissing,
    TilePathMalformed,
)
from registry.limits import MAX_TREE_SIZE
from registry.sequencer import Sequencer
from registry.submission import MAX_SUBMISSION_BYTES
from registry.tiles import WIDTH, Tile
from registry.trust.load import MAX_LIST_BYTES
from schemas.errors import ExitCode

MAX_LIST_PARAMETER: Final = 1000
_IMMUTABLE: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_FRESH: Final = {"Cache-Control": "no-store"}
_NOTE: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
BUNDLE_TYPE: Final = "application/vnd.zhenglian.trust-bundle+zip"

_STATUS_BY_EXIT: Final = {
    ExitCode.REJECTED: 403,
    ExitCode.USAGE: 400,
    ExitCode.MALFORMED: 400,
    ExitCode.ENVIRONMENT: 503,
    ExitCode.UNDETERMINED: 404,
}


def status_of(error: RegistryError) -> int:
    """The HTTP status that says what `error` says."""
    if isinstance(error, EntryUnknown | OriginUnknown | TileMissing | TilePathMalformed):
        return 404
    if isinstance(error, OutOfRange):
        return 404
    if isinstance(error, EntriesDuplicate):
        return 409
    if isinstance(error, LogBusy):
        return 503
    return _STATUS_BY_EXIT.get(error.exit_code, 500)


def build_app(sequencer: Sequencer) -> FastAPI:
    """The application that serves `sequencer`."""
    app = FastAPI(title="Zhenglian registry", docs_url=None, redoc_url=None)
    chains = sequencer.chains

    @app.exception_handler(RegistryError)
    async def _failed(_: Request, error: RegistryError) -> Response:
        told: dict[str, Any] = {**error.diagnostics()}
        if isinstance(error, EntriesDuplicate):
            told["positions"] = error.params["positions"]
        return JSONResponse({"error": told}, status_of(error), _FRESH)

    @app.get("/status")
    def status() -> Response:
        return JSONResponse(sequencer.status(), headers=_FRESH)

    @app.get("/genesis")
    def genesis() -> Response:
        # To compare with, not to pin: who pins what a server says trusts that server.
        return Response(sequencer.genesis.entry.raw + b"\n", media_type="application/json")

    @app.get("/bundle")
    def bundle() -> Response:
        return Response(sequencer.trust_bundle().raw, headers=_FRESH, media_type=BUNDLE_TYPE)

    @app.get("/blocks")
    def blocks(
        limit: Annotated[int, Query(ge=1, le=MAX_LIST_PARAMETER)] = 20,
        before: Annotated[int | None, Query(ge=0, le=MAX_TREE_SIZE)] = None,
    ) -> Response:
        return JSONResponse({"blocks": sequencer.blocks(limit, before)}, headers=_FRESH)

    @app.put("/status-lists/{digest}")
    async def put_status_list(digest: str, request: Request) -> Response:
        try:
            body = await read_body(request, MAX_LIST_BYTES)
        except TooLarge as error:
            raise SubmissionMalformed(reason="the status list is too large") from error
        await run_in_threadpool(chains.documents.put, digest, body)
        return JSONResponse({"digest": digest}, 201)

    @app.get("/status-lists/{digest}")
    def get_status_list(digest: str) -> Response:
        data = chains.documents.get(digest)
        if data is None:
            raise EntryUnknown(origin="status-lists")
        return Response(data, headers=_IMMUTABLE, media_type="application/json")

    @app.post("/{origin:path}/add")
    async def add(origin: str, request: Request) -> Response:
        try:
            body = await read_body(request, MAX_SUBMISSION_BYTES)
        except TooLarge as error:
            raise SubmissionMalformed(reason="it is too large") from error
        added = await run_in_threadpool(chains.add, origin, body)
        answer: dict[str, Any] = {"indices": list(added.indices), "repeated": added.repeated}
        return JSONResponse(answer, 200 if added.repeated else 201)

    @app.get("/{origin:path}/checkpoint")
    def checkpoint(origin: str) -> Response:
        return Response(sequencer.checkpoint(origin), headers=_FRESH, media_type=_NOTE)

    @app.get("/{origin:path}/cosigned")
    def cosigned(
        origin: str, covering: Annotated[int | None, Query(ge=0, le=MAX_TREE_SIZE)] = None
    ) -> Response:
        proof = sequencer.side_proof(origin, covering)
        return Response(proof, headers=_FRESH, media_type=_NOTE)

    @app.get("/{origin:path}/lookup/{leaf}")
    def lookup(origin: str, leaf: str) -> Response:
        try:
            digest = bytes.fromhex(leaf)
        except ValueError as error:
            raise EntryUnknown(origin=origin) from error
        index = chains.log(origin).view.index_of(digest)
        if index is None:
            raise EntryUnknown(origin=origin)
        return JSONResponse({"index": index}, headers=_FRESH)

    @app.get("/{origin:path}/tile/{rest:path}")
    def tile(origin: str, rest: str) -> Response:
        wanted = Tile.parse(f"tile/{rest}")
        data = chains.log(origin).view.tile(wanted)
        headers = _IMMUTABLE if wanted.width == WIDTH else _FRESH
        return Response(data, headers=headers, media_type=_BYTES)

    return app
