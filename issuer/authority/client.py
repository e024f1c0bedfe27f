"""How the issuer asks the authority.

Guarantees: an answer counts only if it came over TLS from the one pinned certificate, is signed by
the pinned key, and is to exactly the question asked, within the allowed difference of clocks. An
answer that does not arrive is `AuthorityUnreachable`, one that cannot be trusted
`AuthorityUntrusted`; neither is ever a "no".

The reply digest that becomes evidence is over the whole signed answer. Whoever keeps the answer can
show later that the authority gave it; the digest alone reveals nothing about the person, because
the answer holds a random request id.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from credentials.errors import CredentialError
from credentials.jose import parse_compact
from credentials.keys import PublicKey, Signer
from issuer.authority.errors import (
    AuthorityAnswerWrong,
    AuthorityBusy,
    AuthorityCertificateWrong,
    AuthorityRefused,
    AuthoritySignatureWrong,
    AuthorityTimeWrong,
    AuthorityUnreachable,
)
from issuer.authority.messages import (
    ANSWER_MEDIA,
    ANSWER_TYPE,
    CLOCK_SKEW,
    MAX_MESSAGE,
    PURPOSES,
    REQUEST_MEDIA,
    answer_fits,
    build_question,
    new_request_id,
)
from issuer.times import Clock, system_clock
from registry.web.answers import PLAIN, AnswerUnfit, read_answer
from schemas.digests import digest_multibase

TIMEOUT_SECONDS: Final = 5.0
_REASONS: Final = frozenset({"malformed", "unauthorized", "clock", "replayed", "limited"})
_MAX_WAIT: Final = 86_400


@dataclass(frozen=True)
class AuthorityAnswer:
    """The authority's word on one question, verified."""

    passed: bool
    authority: str
    checked_at: datetime
    reply_digest: str
    reply: str = field(repr=False)
    """The signed answer itself; it names no person."""


class AuthorityClient:
    """One pinned authority. May be used by several threads; `close` it in the end."""

    def __init__(
        self,
        url: str,
        certificate: Path,
        *,
        issuer: str,
        signer: Signer,
        key_url: str,
        authority: str,
        authority_key: PublicKey,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`certificate` is the authority's own, PEM; `key_url` names the issuer's signing key.

        Raises `AuthorityCertificateWrong` if the file cannot be used.
        """
        self._issuer, self._signer, self._key_url = issuer, signer, key_url
        self._authority, self._authority_key = authority, authority_key
        self._clock, self._random = clock, random
        self._http = httpx.Client(
            base_url=url,
            timeout=timeout_seconds,
            transport=transport,
            headers=PLAIN,
            verify=_pinned(certificate),
            # No proxy from the environment, no redirect: only this server is asked.
            trust_env=False,
            follow_redirects=False,
        )

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> AuthorityClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check(self, person: Mapping[str, str], *, purpose: str = PURPOSES[0]) -> AuthorityAnswer:
        """Ask whether the six fields of `person` are what the register holds.

        Raises `AuthorityUnreachable`, `AuthorityBusy`, `AuthorityRefused`, `AuthorityUntrusted`.
        """
        request_id = new_request_id(self._random(16))
        question = build_question(
            person,
            issuer=self._issuer,
            authority=self._authority,
            request_id=request_id,
            purpose=purpose,
            at=self._clock(),
            signer=self._signer,
            key_url=self._key_url,
        )
        reply = self._post(question)
        try:
            payload = parse_compact(reply, typ=ANSWER_TYPE).verify(self._authority_key).payload
        except CredentialError as error:
            raise AuthoritySignatureWrong from error
        if not answer_fits(
            payload,
            question,
            issuer=self._issuer,
            authority=self._authority,
            request_id=request_id,
        ):
            raise AuthorityAnswerWrong
        # The question is fresh and the answer holds its digest, so this can only be a wrong clock;
        # evidence with a wrong time would still be wrong.
        if abs(payload["iat"] - self._clock().timestamp()) > CLOCK_SKEW.total_seconds():
            raise AuthorityTimeWrong
        return AuthorityAnswer(
            passed=payload["pass"],
            authority=self._authority,
            checked_at=datetime.fromtimestamp(payload["iat"], UTC),
            reply_digest=digest_multibase(reply.encode("ascii")),
            reply=reply,
        )

    def _post(self, question: str) -> str:
        try:
            with self._http.stream(
                "POST", "/verify", content=question, headers={"Content-Type": REQUEST_MEDIA}
            ) as response:
                body = read_answer(response, MAX_MESSAGE)
        except AnswerUnfit as error:
            raise AuthorityAnswerWrong from error
        except httpx.HTTPError as error:
            if _is_certificate_error(error):
                raise AuthorityCertificateWrong from error
            raise AuthorityUnreachable from error
        if response.status_code == httpx.codes.OK:
            if response.headers.get("Content-Type") != ANSWER_MEDIA or not body.isascii():
                raise AuthorityAnswerWrong
            return body.decode("ascii")
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise AuthorityUnreachable
        raise _refusal(response, body)


def _refusal(response: httpx.Response, body: bytes) -> AuthorityBusy | AuthorityRefused:
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        wait = response.headers.get("Retry-After", "")
        seconds = int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 7 else _MAX_WAIT
        return AuthorityBusy(seconds=min(seconds, _MAX_WAIT))
    # Only words of our own list: whatever else the server says stays out of logs and screens.
    text = body.decode("utf-8", "replace")
    found = [reason for reason in sorted(_REASONS) if f'"{reason}"' in text]
    return AuthorityRefused(reason=found[0] if found else str(response.status_code))


def _pinned(certificate: Path) -> ssl.SSLContext:
    """A context that trusts this one certificate and no authority of the system."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cafile=certificate)
    except (OSError, ssl.SSLError) as error:
        raise AuthorityCertificateWrong from error
    return context


def _is_certificate_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
