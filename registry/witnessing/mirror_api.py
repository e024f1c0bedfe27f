"""The HTTP face of a mirror: c2sp.org/tlog-mirror for uploads, c2sp.org/tlog-tiles for readers.

The two prefixes may be one, but the monitoring prefix must not be that of a witness beside it: both
serve `<prefix>/<origin hash>/checkpoint`, and mean different things by it.
"""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from registry.errors import TileMissing, TilePathMalformed
from registry.tlog.mirror_format import UPLOAD_TYPE
from registry.tlog.tiles import Tile
from registry.web.tile_api import tile_answer
from registry.witnessing.mirror import Mirror, Upload
from registry.witnessing.witness import Answer, Refused
from registry.witnessing.witness_api import answered, respond

_ENCODINGS: Final = {"Accept-Encoding": "gzip"}


def add_mirror_routes(app: FastAPI, mirror: Mirror, *, prefix: str = "/mirror") -> None:
    """Serve `mirror` under `prefix`."""

    @app.post(f"{prefix}/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        return await answered(request, mirror.add_checkpoint)

    @app.post(f"{prefix}/add-entries")
    async def add_entries(request: Request) -> Response:
        encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != UPLOAD_TYPE:
            answer = Answer.text(400, f"the body must be {UPLOAD_TYPE}")
        elif encoding not in {"gzip", "identity"}:
            answer = Answer.text(415, "gzip is what this mirror unpacks")
        else:
            upload = mirror.upload(packed=encoding == "gzip")
            try:
                answer = await _received(request, upload)
            finally:
                upload.close()
        response = respond(answer)
        response.headers.update(_ENCODINGS)
        return response

    @app.get(f"{prefix}/{{digest}}/checkpoint")
    def checkpoint(digest: str) -> Response:
        try:
            return respond(mirror.checkpoint(digest))
        except Refused as refused:
            return respond(refused.answer)

    @app.get(f"{prefix}/{{digest}}/tile/{{rest:path}}")
    def tile(request: Request, digest: str, rest: str) -> Response:
        try:
            wanted = Tile.parse(f"tile/{rest}")
            data = mirror.tile(digest, wanted)
        except Refused as refused:
            return respond(refused.answer)
        except (TilePathMalformed, TileMissing) as error:
            return respond(Answer.text(404, f"{error.code}: {error}"))
        return tile_answer(wanted, data, request.headers.get("Accept-Encoding"))


async def _received(request: Request, upload: Upload) -> Answer:
    try:
        async for chunk in request.stream():
            answer = await run_in_threadpool(upload.feed, chunk)
            if answer is not None:
                return answer
    except ClientDisconnect:
        pass  # what was proved is stored; nobody hears the answer
    return await run_in_threadpool(upload.finish)
