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
from registry.web.tile_api import tile_answer, tile_asked
from registry.witnessing.mirror import Mirror, Upload
from registry.witnessing.witness import Answer, Refused
from registry.witnessing.witness_api import answered, respond

_ENCODINGS: Final = {"Accept-Encoding": "gzip"}
_GZIP: Final = frozenset({"gzip", "x-gzip"})  # RFC 9110 §8.4.1.3: the same


def add_mirror_routes(app: FastAPI, mirror: Mirror, *, prefix: str = "/mirror") -> None:
    """Serve `mirror` under `prefix`."""

    @app.post(f"{prefix}/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        return await answered(request, mirror.add_checkpoint)

    @app.post(f"{prefix}/sign-subtree")
    async def sign_subtree(request: Request) -> Response:
        return await answered(request, mirror.sign_subtree)

    @app.post(f"{prefix}/add-entries")
    async def add_entries(request: Request) -> Response:
        encodings = listed(request.headers.getlist("Content-Encoding"))
        packed = bool(encodings) and encodings[0] in _GZIP
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != UPLOAD_TYPE:
            answer = Answer.text(400, f"the body must be {UPLOAD_TYPE}")
        elif len(encodings) > packed:
            answer = Answer.text(415, "gzip, once, is what this mirror unpacks")
        else:
            upload = mirror.upload(packed=packed)
            try:
                answer = await _received(request, upload)
            finally:
                upload.close()
        response = respond(answer)
        response.headers.update(_ENCODINGS)
        return response

    @app.head(f"{prefix}/{{digest}}/checkpoint", include_in_schema=False)
    @app.get(f"{prefix}/{{digest}}/checkpoint")
    def checkpoint(digest: str) -> Response:
        try:
            return respond(mirror.checkpoint(digest))
        except Refused as refused:
            return respond(refused.answer)

    @app.head(f"{prefix}/{{digest}}/tile/{{rest:path}}", include_in_schema=False)
    @app.get(f"{prefix}/{{digest}}/tile/{{rest:path}}")
    def tile(request: Request, digest: str) -> Response:
        try:
            wanted = tile_asked(request)
            data = mirror.tile(digest, wanted)
        except Refused as refused:
            return respond(refused.answer)
        except (TilePathMalformed, TileMissing) as error:
            return respond(Answer.text(404, f"{error.code}: {error}"))
        return tile_answer(wanted, data, request.headers.getlist("Accept-Encoding"))


def listed(lines: list[str]) -> list[str]:
    """The codings of a body, from all lines of the header (RFC 9110 §5.3)."""
    names = (name.strip().lower() for line in lines for name in line.split(","))
    return [name for name in names if name not in {"", "identity"}]


async def _received(request: Request, upload: Upload) -> Answer:
    try:
        async for chunk in request.stream():
            answer = await run_in_threadpool(upload.feed, chunk)
            if answer is not None:
                return answer
    except ClientDisconnect:
        pass  # what was proved is stored; nobody hears the answer
    return await run_in_threadpool(upload.finish)
