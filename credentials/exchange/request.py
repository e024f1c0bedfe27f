"""Presentation requests: who asks, for which claims, for what purpose, until when.

A request is a JWT signed with a key of the department's DID (OpenID4VP 1.0 §5, client identifier
prefix `decentralized_identifier`), shown as a QR code, a link or a file. What was only read has
another type than what was verified, and only the latter tells its content.

Guarantees after verification: the department that the request names signed it for this purpose
and nonce, and it has not expired. Not guaranteed: that the department may ask this. Entitlements
stand on the chain and are checked there; the names inside a request are the department's words.

As a QR code the token is packed (`credentials.exchange.packing`): half the modules to scan.

A request shown as QR code is answered by a QR code, which OpenID4VP does not define: such requests
say `response_mode: "qr"`, and the proof's domain is the DID itself. `client_metadata` is left out;
names and purposes travel in members of our own, because one code must hold all of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from credentials.dids import AUTHENTICATION, Resolver, VerificationMethod, check_did, split_key_url
from credentials.errors import (
    DidMalformed,
    JwsMalformed,
    JwsTypeMismatch,
    LimitExceeded,
    RequestByReference,
    RequestExpired,
    RequestMalformed,
    RequestNotYetValid,
    RequestSignerMismatch,
    RequestTooLarge,
)
from credentials.exchange.packing import is_packed, pack, unpack
from credentials.exchange.text import labels, link_fields, text_member, web_address
from credentials.jose import UnverifiedJws, parse_compact, sign_compact
from credentials.keys import Signer
from credentials.qr.codes import capacity
from credentials.query import DcqlQuery
from credentials.timestamps import format_timestamp
from schemas.errors import Phrase

TYPE: Final = "oauth-authz-req+jwt"
SCHEME: Final = "openid4vp"
CLIENT_ID_PREFIX: Final = "decentralized_identifier:"
AUDIENCE: Final = "https://self-issued.me/v2"
"""§5.8: the wallet has no address of its own."""
BY_QR: Final = "qr"
DIRECT_POST: Final = "direct_post"

MAX_REQUEST: Final = 16 * 1024
"""Characters of a token or link; a request for two claims has some 1,250."""
MAX_LIFETIME: Final = timedelta(hours=24)
MAX_CLOCK_SKEW: Final = timedelta(seconds=60)
"""How far the desk's clock may be ahead of the wallet's."""
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z

# §5.2: URL-safe characters, and enough of them to be unguessable.
_NONCE: Final = re.compile(r"[A-Za-z0-9._~-]{16,128}", re.ASCII)
_ENTITLEMENT: Final = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


@dataclass(frozen=True)
class PresentationRequest:
    """A department's request. `client_id` is its DID; texts are by language (zh-CN, en)."""

    client_id: str
    verifier_name: Mapping[str, str]
    purpose: Mapping[str, str]
    entitlement: str
    dcql: DcqlQuery
    nonce: str
    issued_at: datetime
    expires: datetime
    response_uri: str | None = None

    @property
    def domain(self) -> str:
        """What the holder's proof must name as its recipient: the department's DID."""
        return self.client_id

    def payload(self) -> dict[str, Any]:
        """The claims of the token."""
        payload: dict[str, Any] = {
            "client_id": CLIENT_ID_PREFIX + self.client_id,
            "aud": AUDIENCE,
            "response_type": "vp_token",
            "response_mode": BY_QR if self.response_uri is None else DIRECT_POST,
            "nonce": self.nonce,
            "iat": int(self.issued_at.timestamp()),
            "exp": int(self.expires.timestamp()),
            "dcql_query": self.dcql.document(),
            "verifier_name": dict(self.verifier_name),
            "purpose": dict(self.purpose),
            "entitlement": self.entitlement,
        }
        if self.response_uri is not None:
            payload["response_uri"] = self.response_uri
        return payload

    def sign(self, signer: Signer, kid: str) -> str:
        """The request as a signed token. `kid` names the key in the department's DID document.

        Raises RequestMalformed, RequestSignerMismatch if no wallet would accept it.
        """
        token = sign_compact(self.payload(), typ=TYPE, signer=signer, kid=kid)
        read_request(token)  # what we hand out, others must accept
        return token

    def uri(self, token: str) -> str:
        """`token` as a link, by value (RFC 9101 §5.1)."""
        client = quote(CLIENT_ID_PREFIX + self.client_id, safe="")
        return f"{SCHEME}://?client_id={client}&request={token}"

    def qr_text(self, token: str) -> str:
        """`token` packed for one QR code. Raises RequestTooLarge."""
        return qr_request_text(token)

    @classmethod
    def _read(cls, payload: Mapping[str, Any]) -> PresentationRequest:
        refusal = RequestMalformed
        client = payload.get("client_id")
        if not isinstance(client, str) or not client.startswith(CLIENT_ID_PREFIX):
            raise refusal(reason="it does not name a department by its DID")
        try:
            did = check_did(client.removeprefix(CLIENT_ID_PREFIX))
        except DidMalformed as error:
            raise refusal(reason="it does not name a department by its DID") from error
        if payload.get("aud") != AUDIENCE or payload.get("response_type") != "vp_token":
            raise refusal(reason="it is not a request to a wallet")
        if payload.get("transaction_data") is not None:
            # §8.4: a wallet that does not know the type must refuse.
            raise refusal(reason="it carries transaction data")
        issued, expires = _time(payload, "iat"), _time(payload, "exp")
        if not issued < expires <= issued + MAX_LIFETIME:
            raise refusal(reason="its lifetime is out of bounds")
        return cls(
            client_id=did,
            verifier_name=labels(payload.get("verifier_name"), "verifier_name", refusal),
            purpose=labels(payload.get("purpose"), "purpose", refusal),
            entitlement=text_member(payload, "entitlement", _ENTITLEMENT, refusal),
            dcql=DcqlQuery.parse(payload.get("dcql_query")),
            nonce=text_member(payload, "nonce", _NONCE, refusal),
            issued_at=issued,
            expires=expires,
            response_uri=_response_uri(payload),
        )


@dataclass(frozen=True)
class UnverifiedRequest:
    """A well-formed request. Nothing in it may be shown as the department's before `verify`."""

    token: str = field(repr=False)
    _request: PresentationRequest = field(repr=False)
    _jws: UnverifiedJws = field(repr=False)

    def verify(self, *, resolver: Resolver, now: datetime) -> VerifiedRequest:
        """Raises RequestExpired, RequestNotYetValid, DidUnknown, SignatureInvalid and the like."""
        method = resolver.resolve(_key_name(self._jws), AUTHENTICATION)
        method.check_alive(now)
        self._jws.verify(method.public_key)
        request = self._request
        # After the signature: whoever altered the times must not choose the error.
        if now >= request.expires:
            raise RequestExpired(expired=format_timestamp(request.expires))
        if request.issued_at > now + MAX_CLOCK_SKEW:
            raise RequestNotYetValid(issued=format_timestamp(request.issued_at))
        return VerifiedRequest(request, method, self.token)


@dataclass(frozen=True)
class VerifiedRequest:
    """A request whose signature, key and times were verified. Made by `verify` alone."""

    request: PresentationRequest
    verification_method: VerificationMethod
    token: str = field(repr=False)


def read_request(text: str) -> UnverifiedRequest:
    """Read a request: the bare token, a link that contains it, or the packed text of a QR code.

    Raises RequestMalformed, RequestByReference, RequestSignerMismatch, QueryMalformed,
    QueryUnsupported, QrTextMalformed.
    """
    if not isinstance(text, str) or len(text) > MAX_REQUEST:
        raise RequestMalformed(reason="it is not a text of normal length")
    text = text.strip()
    linked = None
    token = text
    if is_packed(text):
        token = unpack(text)
    elif ":" in text:
        fields = link_fields(text, SCHEME, RequestMalformed)
        if "request_uri" in fields:
            raise RequestByReference
        if "request" not in fields:
            raise RequestMalformed(reason="it is not signed")
        token, linked = fields["request"], fields.get("client_id")
    try:
        jws = parse_compact(token, typ=TYPE)
    except (JwsMalformed, JwsTypeMismatch, LimitExceeded) as error:
        raise RequestMalformed(reason="it is not a signed request") from error
    request = PresentationRequest._read(jws.payload)
    # RFC 9101 §5: the link's client_id must be the token's.
    if linked is not None and linked != CLIENT_ID_PREFIX + request.client_id:
        raise RequestMalformed(reason="link and token name different departments")
    try:
        owner, _ = split_key_url(_key_name(jws))
    except DidMalformed as error:
        raise RequestMalformed(reason="it does not name its key") from error
    # §5.9.3: the key must be one of the DID that the client identifier names.
    if owner != request.client_id:
        raise RequestSignerMismatch
    return UnverifiedRequest(token, request, jws)


def parse_request(text: str, *, resolver: Resolver, now: datetime) -> VerifiedRequest:
    """Read and verify a request. Raises what `read_request` and `verify` raise."""
    return read_request(text).verify(resolver=resolver, now=now)


def qr_request_text(token: str) -> str:
    """`token` packed for one QR code. Raises RequestTooLarge."""
    text = pack(token)
    limit = capacity(alphanumeric=True)
    if len(text) > limit:
        raise RequestTooLarge(size=len(text), limit=limit)
    return text


def _key_name(jws: UnverifiedJws) -> str:
    try:
        kid = jws.kid
    except JwsMalformed as error:
        raise RequestMalformed(reason="it does not name its key") from error
    if kid is None:
        raise RequestMalformed(reason="it does not name its key")
    return kid


def _time(payload: Mapping[str, Any], member: str) -> datetime:
    value = payload.get(member)
    if type(value) is not int or not 0 <= value <= _LAST_SECOND:
        raise RequestMalformed(reason=Phrase("{member} is not a time", member=member))
    return datetime.fromtimestamp(value, UTC)


def _response_uri(payload: Mapping[str, Any]) -> str | None:
    mode = payload.get("response_mode")
    if mode == BY_QR and "response_uri" not in payload:
        return None
    if mode != DIRECT_POST or "redirect_uri" in payload:
        raise RequestMalformed(reason="it wants its answer in a way that is not supported")
    return web_address(payload.get("response_uri"), "response_uri", RequestMalformed)
