"""The reading routes, the same on the sequencer and on every node.

c2sp.org/tlog-tiles under `/<origin>/`, and beside it: proofs of side-chain checkpoints, look-ups
by leaf hash, status lists by digest, the trust bundle, blocks. Everything that is read verifies
against the pinned genesis; readers need not trust the server.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from registry.errors import (
    ChainClosed,
    EntriesDuplicate,
    EntryUnknown,
    LogBusy,
    OriginUnknown,
    OutOfRange,
    RegistryError,
    TileMissing,
    TilePathMalformed,
)
from registry.limits import MAX_TREE_SIZE
from registry.reading.reader import ChainReader
from registry.web.tile_api import IMMUTABLE, tile_answer, tile_asked
from schemas.errors import ExitCode

MAX_LIST_PARAMETER: Final = 1000
FRESH: Final = {"Cache-Control": "no-store"}
NOTE: Final = "text/plain; charset=utf-8"
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


def error_answer(error: RegistryError) -> Response:
    """The answer that tells an error by its code."""
    told: dict[str, Any] = {**error.diagnostics()}
    if isinstance(error, EntriesDuplicate):
        told["positions"] = error.params["positions"]
    if isinstance(error, ChainClosed):
        told["successor"] = error.params["successor"]
    return JSONResponse({"error": told}, status_of(error), FRESH)


def add_error_answers(app: FastAPI) -> None:
    """Every error of the registry becomes an answer with its code."""

    @app.exception_handler(RegistryError)
    async def _failed(_: Request, error: RegistryError) -> Response:
        return error_answer(error)


def add_reader_routes(app: FastAPI, reader: ChainReader) -> None:
    """Add the routes. Those with fixed paths must be added before others that hold `{…:path}`."""

    @app.get("/genesis")
    def genesis() -> Response:
        # To compare with, not to pin: who pins what a server says trusts that server.
        return Response(reader.genesis.entry.raw + b"\n", media_type="application/json")

    @app.get("/bundle")
    def bundle() -> Response:
        return Response(reader.trust_bundle().raw, headers=FRESH, media_type=BUNDLE_TYPE)

    @app.get("/blocks")
    def blocks(
        limit: Annotated[int, Query(ge=1, le=MAX_LIST_PARAMETER)] = 20,
        before: Annotated[int | None, Query(ge=0, le=MAX_TREE_SIZE)] = None,
    ) -> Response:
        return JSONResponse({"blocks": reader.blocks(limit, before)}, headers=FRESH)

    @app.get("/status-lists/{digest}")
    def get_status_list(digest: str) -> Response:
        data = reader.document(digest)
        if data is None:
            raise EntryUnknown(origin="status-lists")
        return Response(data, headers=IMMUTABLE, media_type="application/json")

    @app.head("/{origin:path}/checkpoint", include_in_schema=False)
    @app.get("/{origin:path}/checkpoint")
    def checkpoint(origin: str) -> Response:
        return Response(reader.checkpoint(origin), headers=FRESH, media_type=NOTE)

    @app.get("/{origin:path}/cosigned")
    def cosigned(
        origin: str, covering: Annotated[int | None, Query(ge=0, le=MAX_TREE_SIZE)] = None
    ) -> Response:
        proof = reader.side_proof(origin, covering)
        return Response(proof, headers=FRESH, media_type=NOTE)

    @app.get("/{origin:path}/lookup/{leaf}")
    def lookup(origin: str, leaf: str) -> Response:
        try:
            digest = bytes.fromhex(leaf)
        except ValueError as error:
            raise EntryUnknown(origin=origin) from error
        return JSONResponse({"index": reader.lookup(origin, digest)}, headers=FRESH)

    @app.head("/{origin:path}/tile/{rest:path}", include_in_schema=False)
    @app.get("/{origin:path}/tile/{rest:path}")
    def tile(request: Request, origin: str) -> Response:
        wanted = tile_asked(request)
        data = reader.view(origin).tile(wanted)
        return tile_answer(wanted, data, request.headers.getlist("Accept-Encoding"))
