"""The ways to the key of a token's issuer: given, by DID, by certificate or by metadata.

Guarantee: a key that is found belongs to the issuer that the token names, by the caller's own
sources: a key that the caller holds, a DID document that the caller's resolver vouches for, a root
certificate that the caller trusts, or metadata that the caller vouches for. A name in a token that
contradicts its key is refused. Nothing is fetched, and a token cannot choose among ways that the
caller did not give.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from credentials.certificates import TrustedRoots
from credentials.dids import ASSERTION, Resolver
from credentials.errors import (
    ControllerMismatch,
    IssuerKeyUnknown,
    IssuerMetadataMalformed,
    KeyInvalid,
)
from credentials.keys import PublicKey

MAX_KEYS: Final = 32
"""Keys in one issuer's metadata."""


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


class MetadataKeys:
    """Keys by JWT VC Issuer Metadata that the caller fetched, or was given, and vouches for.

    Where such a document lies is told by `metadata_url`. `kid` chooses among its keys; without
    `kid` it must hold exactly one.
    """

    def __init__(self, documents: Iterable[object]) -> None:
        """Raises IssuerMetadataMalformed, also when two documents name one issuer."""
        self._keys: dict[str, Mapping[str | None, PublicKey]] = {}
        for document in documents:
            issuer, keys = _read_metadata(document)
            if issuer in self._keys:
                raise IssuerMetadataMalformed(reason="two documents have the same issuer")
            self._keys[issuer] = keys

    def find(self, header: Mapping[str, Any], issuer: str | None, now: datetime) -> FoundKey:
        keys = self._keys.get(issuer) if issuer is not None else None
        if keys is None:
            raise IssuerKeyUnknown(reason="its issuer published no metadata that is known here")
        kid = header.get("kid")
        if "kid" not in header and len(keys) == 1:
            [(kid, found)] = keys.items()
            return FoundKey(found, issuer, kid)
        if not isinstance(kid, str) or kid not in keys:
            raise IssuerKeyUnknown(reason="its issuer's metadata has no key of that name")
        return FoundKey(keys[kid], issuer, kid)


def metadata_url(issuer: str) -> str:
    """Where the metadata of `issuer` lies: the path goes between host and path.

    Raises IssuerKeyUnknown for an issuer that is not an https URL without query and fragment.
    """
    if _https_host(issuer) is None or "?" in issuer or "#" in issuer:
        raise IssuerKeyUnknown(reason="its issuer is not an https URL")
    parts = urlsplit(issuer)
    return f"https://{parts.netloc}/.well-known/jwt-vc-issuer{parts.path.rstrip('/')}"


def _read_metadata(document: object) -> tuple[str, dict[str | None, PublicKey]]:
    issuer = document.get("issuer") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(issuer, str):
        raise IssuerMetadataMalformed(reason="it names no issuer")
    jwks = document.get("jwks")
    listed = jwks.get("keys") if isinstance(jwks, Mapping) else None
    # The draft allows jwks_uri instead; the caller that vouches for it puts the keys in.
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_KEYS:
        raise IssuerMetadataMalformed(reason="it holds no list of keys")
    keys: dict[str | None, PublicKey] = {}
    for jwk in listed:
        kid = jwk.get("kid") if isinstance(jwk, Mapping) else None
        if kid is not None and not isinstance(kid, str):
            raise IssuerMetadataMalformed(reason="the name of a key is not a text")
        if kid in keys:
            raise IssuerMetadataMalformed(reason="two of its keys have the same name, or none")
        try:
            keys[kid] = PublicKey.from_jwk(jwk)
        except KeyInvalid:
            continue  # RFC 7517 §5: a key that is not understood is ignored; others stay usable
    return issuer, keys


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
