"""The HTTP face of the VC-API server.

- ``GET /`` → ``{"mode", "issuers": {"<suite>[-p384]": "<did>"}, "enveloping": {"vc-jwt":
  …}, "experimental": ["<suite>", …], "legacy": […]}``.
- ``POST /<suite>[-p384]/credentials/{issue,verify,derive,status}`` and
  ``…/presentations/{prove,verify}``: see `zhenglian.vc_api.service`.
- ``GET /<suite>[-p384]/status-lists/<list>``: a signed status list credential.
- ``GET /1.0/identifiers/<did or DID URL>``: DID resolution (`zhenglian.vc_api.resolution`).

Errors are problem details (`zhenglian.vc_api.problems`): 400, 404, 405, 413 or 422, and 500 only
for a defect of ours. The size of a body is limited while it is read, its depth before it is
looked at. Nothing of a document is logged.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from credentials.canonical.strict_json import parse_json_object
from credentials.proofs.table import EXPERIMENTAL, LEGACY
from registry.web.bodies import TooLarge, read_body
from schemas.errors import ZhenglianError
from zhenglian.vc_api.envelopes import FORMS
from zhenglian.vc_api.errors import AddressUnknown, BodyMalformed, BodyTooLarge, MethodUnknown
from zhenglian.vc_api.problems import MEDIA_TYPE, http_status, problem
from zhenglian.vc_api.resolution import resolve
from zhenglian.vc_api.service import Answer, VcApi

log = logging.getLogger("zhenglian.vc_api")

MAX_BODY: Final = 1024 * 1024
"""Bytes of a request. A presentation of several credentials takes some 20 KiB."""
BODY_SECONDS: Final = 10
"""For all of a body, from a client on this machine."""

MODE_HEADER: Final = "Zhenglian-Mode"
WARNING: Final = "proof-only: issuers, validity and status are NOT checked"

# RFC 9110 §8.3: a body of another kind is not read.
_JSON: Final = ("application/json", "application/ld+json", "application/vc", "application/vp")

_INTERNAL: Final = "ZL-UNEXPECTED"


def build_app(api: VcApi) -> FastAPI:
    """The application of one server."""
    app = FastAPI(title="Zhenglian VC-API", docs_url=None, redoc_url=None, openapi_url=None)
    mode = "proof-only" if api.proof_only else "product"
    operations: Mapping[str, tuple[Callable[[str, Mapping[str, Any]], Answer], str]] = {
        "credentials/issue": (api.issue, "PROOF_GENERATION_ERROR"),
        "credentials/verify": (api.verify, "PROOF_VERIFICATION_ERROR"),
        "credentials/derive": (api.derive, "PROOF_GENERATION_ERROR"),
        "credentials/status": (api.set_status, "PROOF_GENERATION_ERROR"),
        "presentations/prove": (api.prove, "PROOF_GENERATION_ERROR"),
        "presentations/verify": (api.verify_presentation, "PROOF_VERIFICATION_ERROR"),
    }

    @app.middleware("http")
    async def mark(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        try:
            response = await call_next(request)
        except Exception as error:  # noqa: BLE001 - the last net; an exception's words may be personal
            frames = traceback.extract_tb(error.__traceback__)[-3:]
            at = ", ".join(f"{frame.name}:{frame.lineno}" for frame in frames)
            log.log(logging.ERROR, "defect: %s at %s", type(error).__name__, at)
            response = JSONResponse(
                {"type": "about:blank", "title": "A defect.", "status": 500, "code": _INTERNAL},
                500,
                media_type=MEDIA_TYPE,
            )
        response.headers[MODE_HEADER] = WARNING if api.proof_only else mode
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.exception_handler(ZhenglianError)
    async def refuse(_request: Request, error: ZhenglianError) -> Response:
        return _refusal(error, "PROOF_VERIFICATION_ERROR")

    @app.exception_handler(HTTPException)
    async def unknown(_request: Request, error: HTTPException) -> Response:
        return _refusal(
            MethodUnknown() if error.status_code == 405 else AddressUnknown(),
            "PROOF_VERIFICATION_ERROR",
        )

    @app.get("/")
    def index() -> Response:
        told: dict[str, Any] = {
            "mode": mode,
            "issuers": _dids(api, enveloping=False),
            "enveloping": _dids(api, enveloping=True),
            "experimental": sorted(EXPERIMENTAL & api.parties.keys()),
            "legacy": sorted(LEGACY & api.parties.keys()),
        }
        if api.proof_only:
            told["warning"] = WARNING
        return JSONResponse(told)

    @app.get("/1.0/identifiers/{identifier:path}")
    def identifier(request: Request) -> Response:
        # As it was sent: an encoded "#" or "?" belongs to the identifier.
        raw: bytes = request.scope.get("raw_path", b"")
        found = unquote(raw.decode("ascii", "replace").partition("/1.0/identifiers/")[2])
        status, told = resolve(found, request.query_params)
        return JSONResponse(told, status)

    @app.get("/{name}/status-lists/{listed}")
    def status_list(name: str, listed: str, request: Request) -> Response:
        # Readers that know nothing of the type read JSON only if they are told that it is JSON.
        accepted = request.headers.get("accept", "")
        media = "application/vc" if "application/vc" in accepted else "application/json"
        return JSONResponse(api.status_list(name, listed), media_type=media)

    @app.post("/{name}/{group}/{verb}")
    async def operate(name: str, group: str, verb: str, request: Request) -> Response:
        found = operations.get(f"{group}/{verb}")
        if found is None or name not in api.parties:
            raise AddressUnknown
        operation, kind = found
        try:
            body = await _body(request)
            answer = await run_in_threadpool(lambda: operation(name, parse_json_object(body)))
        except ZhenglianError as error:
            return _refusal(error, kind)
        return JSONResponse(answer.body, answer.status)

    return app


def _dids(api: VcApi, *, enveloping: bool) -> dict[str, str]:
    return {
        name: party.did
        for name, party in api.parties.items()
        if (party.cryptosuite in FORMS) is enveloping
    }


def _refusal(error: ZhenglianError, kind: str) -> Response:
    told = problem(error, kind)
    # VC-API puts a failed verification's problems into a list; one answer serves both readers.
    body = {**told, "verified": False, "problemDetails": [told]}
    return JSONResponse(body, http_status(error), media_type=MEDIA_TYPE)


async def _body(request: Request) -> bytes:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in _JSON:
        raise BodyMalformed(reason="its media type is not application/json")
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BodyMalformed(reason="its length is not a number")
    if len(length) > 12 or int(length) > MAX_BODY:
        raise BodyTooLarge(limit=MAX_BODY)
    # Not unpacked: what a body becomes could not be limited while it is read.
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise BodyMalformed(reason="it is compressed")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await read_body(request, MAX_BODY)
    except TooLarge as error:
        raise BodyTooLarge(limit=MAX_BODY) from error
    except TimeoutError as error:
        raise BodyMalformed(reason="it did not arrive in time") from error
