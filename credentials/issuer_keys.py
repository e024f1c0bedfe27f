"""The ways to the key of a token's issuer: given, by DID, or by certificate.

Guarantee: a key that is found belongs to the issuer that the token names, by the caller's own
sources: a key that the caller holds, a DID document that the caller's resolver vouches for, or a
root certificate that the caller trusts. A name in a token that contradicts its key is refused.
Nothing is fetched, and a token cannot choose among ways that the caller did not give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from credentials.certificates import TrustedRoots
from credentials.dids import ASSERTION, Resolver
from credentials.errors import ControllerMismatch, IssuerKeyUnknown
from credentials.keys import PublicKey


@dataclass(frozen=True)
class FoundKey:
    """The key of `issuer`. `method` is the name of the key, where it has one."""

    public_key: PublicKey
    issuer: str | None
    method: str | None = None


class KeySource(Protocol):
    """One way to the key that a token names."""

    def find(self, header: Mapping[str, Any], issuer: str | None, now: datetime) -> FoundKey:
        """The key for a token with `header` whose content names `issuer`, if it names one.

        Raises IssuerKeyUnknown where this way does not apply, ControllerMismatch where the key
        is not the issuer's, and what the source itself raises.
        """
        ...


@dataclass(frozen=True)
class GivenKey:
    """A key that the caller holds. With `issuer`, tokens that name another are refused."""

    public_key: PublicKey
    issuer: str | None = None

    def find(self, header: Mapping[str, Any], issuer: str | None, now: datetime) -> FoundKey:
        if self.issuer is not None and issuer not in (None, self.issuer):
            raise ControllerMismatch(role="issuer")
        return FoundKey(self.public_key, issuer if self.issuer is None else self.issuer)


@dataclass(frozen=True)
class DidKeys:
    """Keys by DID: `kid` is a DID URL, whole or relative to the issuer's DID.

    SD-JWT VC leaves this to the ecosystem; VC-JOSE-COSE §4.2 describes it.
    """

    resolver: Resolver
    relationship: str = ASSERTION

    def find(self, header: Mapping[str, Any], issuer: str | None, now: datetime) -> FoundKey:
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise IssuerKeyUnknown(reason="the token names no key")
        if issuer is not None and not issuer.startswith("did:"):
            raise IssuerKeyUnknown(reason="its issuer is not a DID")
        if kid.startswith("#"):
            if issuer is None:
                raise IssuerKeyUnknown(reason="the token names no issuer")
            kid = issuer + kid
        elif not kid.startswith("did:"):
            raise IssuerKeyUnknown(reason="the token does not name its key by DID")
        method = self.resolver.resolve(kid, self.relationship)
        # The key's name must not lead to somebody else's key under the issuer's name.
        if method.controller != kid.partition("#")[0] or issuer not in (None, method.controller):
            raise ControllerMismatch(role="issuer")
        method.check_alive(now)
        return FoundKey(method.public_key, method.controller, method.id)


@dataclass(frozen=True)
class CertifiedKeys:
    """Keys by X.509 chain in `x5c`, up to the caller's roots (SD-JWT VC, HAIP).

    A token that names an issuer must name one that the certificate names: a URI of its subject
    alternative names, or an https URL on one of its hosts.
    """

    roots: TrustedRoots

    def find(self, header: Mapping[str, Any], issuer: str | None, now: datetime) -> FoundKey:
        if "x5c" not in header:
            raise IssuerKeyUnknown(reason="the token carries no certificates")
        found = self.roots.check(header["x5c"], now)
        if issuer is None:
            return FoundKey(found.public_key, found.subject)
        if issuer not in found.uris and _https_host(issuer) not in found.hosts:
            raise ControllerMismatch(role="issuer")
        return FoundKey(found.public_key, issuer)


def _https_host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        # A port would make it another origin than the one that the certificate names.
        plain = parts.scheme == "https" and parts.username is None and parts.port in (None, 443)
        return parts.hostname if plain else None
    except ValueError:
        return None


class AnyOf:
    """Several ways; the first that applies decides, for good or ill."""

    def __init__(self, *sources: KeySource) -> None:
        self._sources = sources

    def find(self, header: Mapping[str, Any], issuer: str | None, now: datetime) -> FoundKey:
        unknown = IssuerKeyUnknown(reason="no way to it was given")
        for source in self._sources:
            try:
                return source.find(header, issuer, now)
            except IssuerKeyUnknown as error:
                unknown = error
        raise unknown
