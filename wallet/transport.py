"""HTTP to an issuer that the chain accredits, and to nobody else.

Guarantees, against an issuer or network that is not honest: only addresses under the base address
given at the start are contacted; no redirect is followed; https, or http to this very machine;
an answer is read up to a limit in bytes and in time; nothing of the environment (proxies, netrc)
is used; what comes back is one JSON object or an error with a name. It does not check who the
answer is from beyond TLS: credentials are verified by their signatures.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from credentials.canonical.strict_json import parse_json_object
from credentials.errors import CredentialError
from registry.web.answers import PLAIN
from schemas.errors import Phrase
from wallet.errors import IssuerAddressUnsafe, IssuerProtocol, IssuerUnreachable

LARGEST_ANSWER: Final = 1024 * 1024
"""Metadata and credentials take some ten kilobytes."""
CONNECT_S: Final = 5.0
ANSWER_S: Final = 30.0
"""The issuer may wait for the authority before it answers an application."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Mapping[str, Any]


class SafeHttp:
    """A connection to one base address."""

    def __init__(
        self,
        base: str,
        *,
        transport: httpx.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises IssuerAddressUnsafe."""
        self.base = check_address(base)
        self._monotonic = monotonic
        self._client = httpx.Client(
            transport=transport,
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            headers={**PLAIN, "accept": "application/json", "user-agent": "zhenglian-wallet"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def own(self, address: object, what: str) -> str:
        """`address`, if it lies under the base address. Raises IssuerProtocol.

        Metadata comes from the network; an endpoint elsewhere would let it send the wallet, and
        what it carries, anywhere.
        """
        if not isinstance(address, str) or not address.startswith(self.base + "/"):
            raise IssuerProtocol(
                reason=Phrase("its {what} lies outside its own address", what=what)
            )
        parts = urlsplit(address)
        if parts.query or parts.fragment or "/../" in parts.path or "\\" in address:
            raise IssuerProtocol(reason=Phrase("its {what} is not a plain address", what=what))
        return address

    def well_known(self, name: str) -> str:
        """OpenID4VCI §12.2.2, RFC 8414 §3.1: between host and path."""
        parts = urlsplit(self.base)
        return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path}"

    def get(self, address: str) -> Answer:
        return self._send("GET", address)

    def post(
        self,
        address: str,
        *,
        form: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        content_type: str | None = None,
        token: str | None = None,
    ) -> Answer:
        headers = {}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if content_type is not None:
            headers["content-type"] = content_type
        return self._send(
            "POST",
            address,
            headers=headers,
            data=dict(form) if form is not None else None,
            json=dict(body) if body is not None else None,
            content=content,
        )

    def _send(self, method: str, address: str, **arguments: Any) -> Answer:
        deadline = self._monotonic() + ANSWER_S
        try:
            with self._client.stream(method, address, **arguments) as response:
                if response.is_redirect:
                    raise IssuerProtocol(reason="it redirects to another address")
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise IssuerProtocol(reason="it is packed")  # perhaps a bomb
                data = bytearray()
                for chunk in response.iter_bytes(64 * 1024):
                    data += chunk
                    if len(data) > LARGEST_ANSWER:
                        raise IssuerProtocol(reason="it is too large")
                    if self._monotonic() > deadline:
                        raise IssuerUnreachable(reason="it answers too slowly")
                return Answer(response.status_code, _object(bytes(data), response.status_code))
        except httpx.TimeoutException as error:
            raise IssuerUnreachable(reason="no answer in time") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            # The exception's words may hold the address with a secret in its path: not quoted.
            raise IssuerUnreachable(reason=type(error).__name__) from error


def check_address(base: str) -> str:
    """A base address without its trailing slash. Raises IssuerAddressUnsafe."""
    try:
        parts = urlsplit(base)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise IssuerAddressUnsafe(reason="it is not an address") from error
    if not host or parts.username is not None or parts.password is not None:
        raise IssuerAddressUnsafe(reason="it is not a plain address")
    if parts.query or parts.fragment or not base.isascii() or not base.isprintable():
        raise IssuerAddressUnsafe(reason="it is not a plain address")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise IssuerAddressUnsafe(reason="it is neither https nor on this machine")
    return base.rstrip("/")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _object(data: bytes, status: int) -> Mapping[str, Any]:
    try:
        return parse_json_object(data)
    except CredentialError as error:
        if status >= HTTPStatus.BAD_REQUEST:
            return {}  # an error page of whatever stands in between; the status says enough
        raise IssuerProtocol(reason="it is not one strict JSON object") from error
