"""The authority's client before whatever a server may answer: an error by name, never a no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from credentials.jose import parse_compact, sign_compact
from credentials.keys import PrivateKey
from issuer.authority import home as authority_home
from issuer.authority.client import AuthorityClient
from issuer.authority.errors import (
    AuthorityAnswerWrong,
    AuthorityBusy,
    AuthorityCertificateWrong,
    AuthorityRefused,
    AuthoritySignatureWrong,
    AuthorityTimeWrong,
    AuthorityUnreachable,
    AuthorityUntrusted,
)
from issuer.authority.messages import (
    ANSWER_MEDIA,
    ANSWER_TYPE,
    FIELDS,
    MAX_MESSAGE,
    new_request_id,
)
from schemas.digests import digest_multibase
from schemas.errors import ExitCode

ISSUER = "did:web:data.hangzhou.example"
ISSUER_KEY = PrivateKey.from_seed("Ed25519", b"the issuer's test key")
NOW = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pinned") / "certificate.pem"
    path.write_bytes(authority_home._self_signed((), NOW, "x")[0])
    return path


AUTHORITY_KEY = PrivateKey.from_seed("Ed25519", b"an authority's test key")


def _answering(change: Callable[[dict[str, Any]], Any]) -> httpx.MockTransport:
    """An authority with the right key that answers something else than it should."""

    def handle(request: httpx.Request) -> httpx.Response:
        token = request.content.decode()
        asked = parse_compact(token).payload
        payload: dict[str, Any] = {
            "iss": asked["aud"],
            "aud": asked["iss"],
            "jti": asked["jti"],
            "iat": asked["iat"],
            "requestDigest": digest_multibase(token.encode()),
            "pass": True,
        }
        changed = change(payload)
        if isinstance(changed, httpx.Response):
            return changed
        reply = sign_compact(payload, typ=ANSWER_TYPE, signer=AUTHORITY_KEY)
        return httpx.Response(200, content=reply, headers={"Content-Type": ANSWER_MEDIA})

    return httpx.MockTransport(handle)


def _client(certificate: Path, transport: httpx.BaseTransport) -> AuthorityClient:
    return AuthorityClient(
        "https://authority.example",
        certificate,
        issuer=ISSUER,
        signer=ISSUER_KEY,
        key_url=f"{ISSUER}#status",
        authority="did:web:authority.example",
        authority_key=AUTHORITY_KEY.public_key,
        clock=lambda: NOW,
        transport=transport,
    )


PERSON = dict.fromkeys(FIELDS, "x")


def test_the_rehearsed_answer_is_accepted_when_nothing_is_changed(certificate: Path) -> None:
    with _client(certificate, _answering(lambda payload: None)) as client:
        assert client.check(PERSON).passed


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda p: p.update(jti=new_request_id(bytes(16))), AuthorityAnswerWrong),
        (lambda p: p.update(iss="did:web:other.example"), AuthorityAnswerWrong),
        (lambda p: p.update(aud="did:web:other.example"), AuthorityAnswerWrong),
        (lambda p: p.update(requestDigest=digest_multibase(b"other")), AuthorityAnswerWrong),
        (lambda p: p.update({"pass": "yes"}), AuthorityAnswerWrong),
        (lambda p: p.update({"pass": 1}), AuthorityAnswerWrong),
        (lambda p: p.update(iat=True), AuthorityAnswerWrong),
        (lambda p: p.update(extra=1), AuthorityAnswerWrong),
        (lambda p: p.pop("pass"), AuthorityAnswerWrong),
        (lambda p: p.update(iat=p["iat"] + 301), AuthorityTimeWrong),
        (lambda p: p.update(iat=p["iat"] - 301), AuthorityTimeWrong),
        (lambda p: httpx.Response(200, text="{}"), AuthorityAnswerWrong),
        (
            lambda p: httpx.Response(200, text="x.y.z", headers={"Content-Type": ANSWER_MEDIA}),
            AuthoritySignatureWrong,
        ),
        (
            lambda p: httpx.Response(200, text="是", headers={"Content-Type": ANSWER_MEDIA}),
            AuthorityAnswerWrong,
        ),
        (
            lambda p: httpx.Response(200, text="x" * (MAX_MESSAGE + 1)),
            AuthorityAnswerWrong,
        ),
        (lambda p: httpx.Response(500), AuthorityUnreachable),
        (lambda p: httpx.Response(503, json={"error": "unavailable"}), AuthorityUnreachable),
        (
            lambda p: httpx.Response(302, headers={"Location": "https://attacker.example/"}),
            AuthorityRefused,
        ),
        (lambda p: httpx.Response(401, json={"error": "unauthorized"}), AuthorityRefused),
        (lambda p: httpx.Response(429, headers={"Retry-After": "60"}), AuthorityBusy),
        (lambda p: httpx.Response(429, headers={"Retry-After": "9" * 30}), AuthorityBusy),
    ],
)
def test_any_other_answer_is_an_error_and_never_a_no(
    certificate: Path, change: Callable[[dict[str, Any]], Any], cause: type[Exception]
) -> None:
    with _client(certificate, _answering(change)) as client, pytest.raises(cause) as caught:
        client.check(PERSON)
    assert type(caught.value) is cause
    assert caught.value.exit_code is ExitCode.ENVIRONMENT  # type: ignore[attr-defined]


def test_an_old_answer_cannot_be_given_again(certificate: Path) -> None:
    kept: list[httpx.Response] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if not kept:
            inner = _answering(lambda payload: None).handler(request)
            assert isinstance(inner, httpx.Response)
            kept.append(inner)
        return httpx.Response(200, content=kept[0].content, headers={"Content-Type": ANSWER_MEDIA})

    with _client(certificate, httpx.MockTransport(handle)) as client:
        assert client.check(PERSON).passed
        with pytest.raises(AuthorityAnswerWrong):
            client.check(PERSON)


def test_a_refusal_repeats_no_word_of_the_server(certificate: Path) -> None:
    hostile = httpx.Response(400, json={"error": "\x1b[2J王小明"})
    with (
        _client(certificate, _answering(lambda p: hostile)) as client,
        pytest.raises(AuthorityRefused) as caught,
    ):
        client.check(PERSON)
    assert str(caught.value) == "The authority did not answer the question: 400."


def test_all_untrusted_answers_are_one_kind() -> None:
    for cause in (
        AuthorityAnswerWrong,
        AuthorityCertificateWrong,
        AuthoritySignatureWrong,
        AuthorityTimeWrong,
    ):
        assert issubclass(cause, AuthorityUntrusted)
        assert not issubclass(cause, AuthorityUnreachable)
