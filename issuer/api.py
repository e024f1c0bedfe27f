"""The issuer's HTTP face: OpenID4VCI 1.0 (pre-authorized code flow) and what stands around it.

Paths hang under the credential issuer identifier (the issuer's public URL):

- ``POST /applications`` takes one compact JWS (media type ``application/zl-application+jwt``):
  header ``{"alg": "ES256", "typ": "zl-application+jwt", "jwk": <fresh P-256 public key>}``,
  payload ``{"aud": <public URL>, "iat": <seconds>, "jti": <unique text>, "application": {"name",
  "citizenNumber", "sex", "birthDate", "ethnicity", "division"}}``.
  Answers 201 (decided) or 202 (the authority is being asked):
  ``{"application": <id>, "state": "offered" | "waiting" | "refused", "reason": <code, if refused>,
  "offer": <openid-credential-offer:// text, if offered>,
  "expires": <dateTime, if offered>, "retry_after": <seconds, if waiting>}``.
- ``GET /applications/<id>`` answers 200 with the same object. The id is a 128-bit secret of the
  applicant; the offer it shows is worthless without the transaction code.
- ``POST /token`` (form): ``grant_type``, ``pre-authorized_code``, ``tx_code`` →
  ``{"access_token", "token_type": "Bearer", "expires_in"}``.
- ``POST /nonce`` → ``{"c_nonce"}``.
- ``POST /credential`` (Bearer): ``{"credential_configuration_id", "proofs": {"jwt": [<one>]}}`` →
  ``{"credentials": [{"credential": {…}}]}``.
- ``GET /status/<n>``, ``GET /did.json``, ``GET /health``.
- ``GET /.well-known/openid-credential-issuer`` and ``/.well-known/oauth-authorization-server``,
  with the issuer's path, if it has one, *after* the well-known part (OpenID4VCI §12.2.2,
  RFC 8414 §3.1).

Errors are ``{"error", "error_description"}`` with the codes of OpenID4VCI §6.3 and §8.3.1 (RFC 6749
§5.2, RFC 6750 §3); ``/applications`` answers ``{"error": "invalid_application" |
"application_replayed" | "too_many_applications" | "temporarily_unavailable", "code": <ZL code>,
"field", "rule"}``.
No answer and no log line holds a personal value, but for the credential itself, which goes to
whoever holds the access token and the key.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from credentials.canonical.strict_json import parse_json_object
from credentials.errors import CredentialError
from issuer.enrolment import Application
from issuer.errors import (
    ApplicationForged,
    ApplicationMalformed,
    ApplicationReplayed,
    ApplicationsTooFrequent,
    CredentialConfigurationUnknown,
    CredentialRequestMalformed,
    GrantUnsupported,
    IssuanceDenied,
    KeyProofInvalid,
    NonceInvalid,
    OfferInvalid,
    RecordUnknown,
    StatusListUnknown,
    StoreFull,
    StoreLocked,
    StoreUnavailable,
    TokenInvalid,
    TokenRequestMalformed,
    TooManyWaiting,
    TransactionCodeMissing,
    TransactionCodeWrong,
)
from issuer.metadata import well_known
from issuer.offers import PRE_AUTHORIZED_GRANT
from issuer.service import Issuer
from issuer.times import stamp
from registry.web.bodies import TooLarge, read_body
from schemas.errors import ZhenglianError

log = logging.getLogger("issuer.api")

MAX_BODY: Final = 32 * 1024
"""Bytes of a request; the largest honest one, a credential request, has some 1,500."""
MAX_FORM_FIELDS: Final = 16
RETRY_SECONDS: Final = 5
STATUS_MEDIA: Final = "application/vc"
APPLICATION_MEDIA: Final = "application/zl-application+jwt"

_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}

# Cause → HTTP status and error code of the specification.
_ANSWERS: Final[Mapping[type[ZhenglianError], tuple[int, str]]] = {
    # RFC 6749 §5.2, OpenID4VCI §6.3
    OfferInvalid: (400, "invalid_grant"),
    TransactionCodeWrong: (400, "invalid_grant"),
    TransactionCodeMissing: (400, "invalid_request"),
    TokenRequestMalformed: (400, "invalid_request"),
    GrantUnsupported: (400, "unsupported_grant_type"),
    # RFC 6750 §3.1, OpenID4VCI §8.3.1
    TokenInvalid: (401, "invalid_token"),
    CredentialRequestMalformed: (400, "invalid_credential_request"),
    CredentialConfigurationUnknown: (400, "unknown_credential_configuration"),
    KeyProofInvalid: (400, "invalid_proof"),
    NonceInvalid: (400, "invalid_nonce"),
    IssuanceDenied: (400, "credential_request_denied"),
    # applications
    ApplicationMalformed: (400, "invalid_application"),
    ApplicationForged: (400, "invalid_application"),
    ApplicationReplayed: (409, "application_replayed"),
    ApplicationsTooFrequent: (429, "too_many_applications"),
    RecordUnknown: (404, "not_found"),
    StatusListUnknown: (404, "not_found"),
    # the house
    TooManyWaiting: (503, "temporarily_unavailable"),
    StoreFull: (503, "temporarily_unavailable"),
    StoreLocked: (503, "temporarily_unavailable"),
    StoreUnavailable: (503, "temporarily_unavailable"),
}


def build_api(issuer: Issuer, *, poke: Callable[[], None] = lambda: None) -> FastAPI:
    """The application. `poke` wakes the background work after something was put into its outbox."""
    app = FastAPI(title="Zhenglian issuer", docs_url=None, redoc_url=None, openapi_url=None)
    public_url = issuer.settings.public_url
    base = urlsplit(public_url).path

    @app.middleware("http")
    async def watch(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        return await _watch(request, call_next)

    @app.exception_handler(ZhenglianError)
    async def refuse(_request: Request, error: ZhenglianError) -> Response:
        return _refusal(error)

    @app.get(well_known(public_url, "openid-credential-issuer"))
    def issuer_metadata() -> Response:
        return JSONResponse(issuer.issuer_metadata())

    @app.get(well_known(public_url, "oauth-authorization-server"))
    def authorization_metadata() -> Response:
        return JSONResponse(issuer.authorization_metadata())

    @app.post(f"{base}/applications")
    async def apply(request: Request) -> Response:
        token = await _body(request, ApplicationMalformed(field="application", rule="too long"))
        text = token.decode("ascii", "replace").strip()
        known = await run_in_threadpool(issuer.apply_online, text)
        return await run_in_threadpool(_told, issuer, known, created=True)

    @app.get(f"{base}/applications/{{application}}")
    def application(application: str) -> Response:
        return _told(issuer, issuer.records.application(application), created=False)

    @app.post(f"{base}/token")
    async def token(request: Request) -> Response:
        form = _form(request, await _body(request, TokenRequestMalformed(reason="it is too long")))
        if form.get("grant_type") != PRE_AUTHORIZED_GRANT:
            raise GrantUnsupported
        code = form.get("pre-authorized_code")
        if not code:
            raise TokenRequestMalformed(reason="pre-authorized_code is missing")
        access = await run_in_threadpool(issuer.redeem, code, form.get("tx_code"))
        return JSONResponse(
            {
                "access_token": access.text,
                "token_type": "Bearer",
                "expires_in": int(access.lifetime.total_seconds()),
            },
            headers=_NO_STORE,
        )

    @app.post(f"{base}/nonce")
    def nonce() -> Response:
        return JSONResponse({"c_nonce": issuer.nonce()}, headers=_NO_STORE)

    @app.post(f"{base}/credential")
    async def credential(request: Request) -> Response:
        body = await _body(request, CredentialRequestMalformed(reason="it is too long"))
        access = _bearer(request)
        try:
            content = parse_json_object(body)
        except CredentialError as error:
            raise CredentialRequestMalformed(reason="it is not a JSON object") from error
        try:
            signed = await run_in_threadpool(issuer.issue, access, content)
        except TokenInvalid as error:
            answer = _refusal(error)
            # RFC 6750 §3.1: whoever sent no token at all is told of no error.
            answer.headers["WWW-Authenticate"] = (
                "Bearer" if access is None else 'Bearer error="invalid_token"'
            )
            return answer
        poke()
        return JSONResponse({"credentials": [{"credential": signed}]}, headers=_NO_STORE)

    @app.get(f"{base}/status/{{number}}")
    def status(number: str) -> Response:
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise StatusListUnknown(number="of this name")
        return Response(
            issuer.status_list(int(number)).encode(),
            media_type=STATUS_MEDIA,
            headers={"Cache-Control": "no-cache"},
        )

    @app.get(f"{base}/did.json")
    def did() -> Response:
        return JSONResponse(issuer.did_document(), media_type="application/did")

    @app.get(f"{base}/health")
    def health() -> Response:
        return JSONResponse({"pending": issuer.pending()}, headers=_NO_STORE)

    return app


def _told(issuer: Issuer, known: Application, *, created: bool) -> Response:
    """What an applicant is told of an application."""
    answer: dict[str, Any] = {"application": known.id, "state": known.state}
    headers = dict(_NO_STORE)
    # "approved" lasts a moment, or until a full disk has room again.
    waiting = known.state in {"waiting", "approved"}
    if waiting:
        answer |= {"state": "waiting", "retry_after": RETRY_SECONDS}
        headers["Retry-After"] = str(RETRY_SECONDS)
    if known.state == "refused":
        answer["reason"] = known.reason
    if known.state == "offered":
        offer = issuer.current_offer(known.id)
        if offer is None:
            answer["state"] = "lapsed"
        else:
            answer |= {"offer": offer.text, "expires": stamp(offer.expires)}
    status = (202 if waiting else 201) if created else 200
    return JSONResponse(answer, status, headers=headers)


async def _body(request: Request, too_large: ZhenglianError) -> bytes:
    try:
        return await read_body(request, MAX_BODY)
    except TooLarge as error:
        raise too_large from error


def _form(request: Request, body: bytes) -> dict[str, str]:
    """The fields of a form, each at most once (RFC 6749 §3.2)."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/x-www-form-urlencoded":
        raise TokenRequestMalformed(reason="it is not a form")
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=MAX_FORM_FIELDS,
            errors="strict",
        )
    except ValueError:
        # `from None`: the cause may quote a code.
        raise TokenRequestMalformed(reason="the form cannot be read") from None
    if len({name for name, _ in fields}) != len(fields):
        raise TokenRequestMalformed(reason="a field is repeated")
    return dict(fields)


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _refusal(error: ZhenglianError) -> Response:
    status, code = _ANSWERS.get(type(error), (500, "server_error"))
    content: dict[str, Any] = {
        "error": code,
        # OpenID4VCI §8.3.1.2 allows ASCII without quotation marks and backslashes.
        "error_description": _plain(str(error)) if status < 500 else _plain(error.code),
        "code": error.code,
    }
    headers = dict(_NO_STORE)
    if isinstance(error, ApplicationMalformed):
        content |= {"field": error.params["field"], "rule": error.params["rule"]}
    if status == 503:
        headers["Retry-After"] = str(RETRY_SECONDS)
    level = logging.INFO if status < 500 else logging.ERROR
    log.log(level, "refused", extra={"fields": {"code": error.code, "status": status}})
    return JSONResponse(content, status, headers=headers)


def _plain(text: str) -> str:
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in text)


async def _watch(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """One log line a request: the route's template, never the path (ids) or the body."""
    begun = time.perf_counter()
    try:
        response = await call_next(request)
    except Exception as error:  # noqa: BLE001 - the last net: an exception's words may be personal
        frames = traceback.extract_tb(error.__traceback__)
        fields = {"kind": type(error).__name__, "at": [f"{f.name}:{f.lineno}" for f in frames[-3:]]}
        log.log(logging.ERROR, "defect", extra={"fields": fields})
        response = JSONResponse({"error": "server_error"}, 500, headers=_NO_STORE)
    route = request.scope.get("route")
    log.info(
        "request",
        extra={
            "fields": {
                "method": request.method,
                "route": getattr(route, "path", "unknown"),
                "status": response.status_code,
                "ms": round(1000 * (time.perf_counter() - begun), 1),
            }
        },
    )
    return response
