"""Who controls which key: did:key, did:web names, and DID documents that someone hands in.

Guarantees, against whoever writes a document or a proof: a verification method that a resolver
returns stands in its controller's own document, names that controller, and is listed under the
relationship that was asked for. Nothing is ever fetched: a did:web name is only a name here, and
its document comes from a source that vouches for it (the trust bundle).

Not guaranteed: that a handed-in document is current. How old it may be is its source's concern.

Sources: DID Core 1.0, Controlled Identifiers 1.0 §2, did:key, did:web.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Protocol

from credentials.errors import (
    DidDocumentMalformed,
    DidMalformed,
    DidMethodUnsupported,
    DidUnknown,
    KeyInvalid,
    RelationshipMissing,
    VerificationMethodRetired,
    VerificationMethodUnknown,
)
from credentials.keys import PublicKey
from credentials.timestamps import parse_timestamp
from schemas.errors import Phrase

DID_CONTEXT: Final = "https://www.w3.org/ns/did/v1"
MULTIKEY_CONTEXT: Final = "https://w3id.org/security/multikey/v1"

ASSERTION: Final = "assertionMethod"
AUTHENTICATION: Final = "authentication"
RELATIONSHIPS: Final = (
    AUTHENTICATION,
    ASSERTION,
    "keyAgreement",
    "capabilityInvocation",
    "capabilityDelegation",
)

MAX_DID: Final = 512
"""Characters of a DID URL: a did:key of P-384 with its fragment takes 150."""
MAX_KEY_DID: Final = 4096
"""The same where the name is the key itself: did:key of ML-DSA-44 with its fragment takes 3,515."""
MAX_METHODS: Final = 32
"""Keys in one document; a real one has two or three."""
MAX_SERVICES: Final = 16
"""Services in one document."""
_KEPT_KEYS: Final = 1024
"""Names of keys that are remembered once they were read."""

# DID Core §3.1 and §3.2. Paths and queries of DID URLs are refused: no key is named by one.
_DID: Final = re.compile(
    r"did:(?P<method>[a-z0-9]+):(?P<rest>(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2}|:)*"
    r"(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2}))",
    re.ASCII,
)
_FRAGMENT: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?-]{1,2048}", re.ASCII)
_HOST: Final = re.compile(
    r"(?=.{1,253}(?:%3A|$))(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*(?:%3A(?P<port>[1-9][0-9]{0,4}))?",
    re.ASCII,
)


def check_did(text: object) -> str:
    """`text` if it is a DID without path, query or fragment. Raises DidMalformed.

    did:web hosts must be lower case: two spellings of one name would be two identifiers.
    """
    text = _check_length(text)
    parts = _DID.fullmatch(text)
    if parts is None:
        raise DidMalformed(reason="it does not look like did:method:name")
    if parts["method"] == "web":
        host, *path = parts["rest"].split(":")
        found = _HOST.fullmatch(host)
        if found is None or int(found["port"] or 1) > 65535:
            raise DidMalformed(reason="the host of a did:web name is not valid")
        if not all(path) or any(segment in (".", "..") for segment in path):
            raise DidMalformed(reason="the path of a did:web name is not valid")
    elif parts["method"] in ("key", "jwk") and ":" in parts["rest"]:
        raise DidMalformed(reason="the name of a key has one part")
    return text


def _check_length(text: object) -> str:
    if isinstance(text, str):
        is_key = text.startswith(("did:key:", "did:jwk:"))
        if len(text) <= (MAX_KEY_DID if is_key else MAX_DID):
            return text
    raise DidMalformed(reason="it is not a text of normal length")


def split_key_url(url: object) -> tuple[str, str]:
    """The DID and the fragment of `url`, the name of a key. Raises DidMalformed."""
    return _split(_check_length(url))


@lru_cache(maxsize=_KEPT_KEYS)  # issuers' keys come again and again; the answer is the text's own
def _split(url: str) -> tuple[str, str]:
    did, separator, fragment = url.partition("#")
    if not separator or not _FRAGMENT.fullmatch(fragment):
        raise DidMalformed(
            reason="a key's name ends in a fragment, as in did:web:example.com#key-1"
        )
    return check_did(did), fragment


def did_key(key: PublicKey) -> str:
    """The did:key name of `key`."""
    return "did:key:" + key.multikey()


def key_url(key: PublicKey) -> str:
    """The name of the one key of `did_key(key)`."""
    multikey = key.multikey()
    return f"did:key:{multikey}#{multikey}"


@dataclass(frozen=True, slots=True)
class VerificationMethod:
    """A key, its name and its controller. `revoked` and `expires` end its use."""

    id: str
    controller: str
    public_key: PublicKey
    expires: datetime | None = None
    revoked: datetime | None = None

    def check_alive(self, at: datetime) -> None:
        """Raise VerificationMethodRetired if the key had ended by `at`.

        Controlled Identifiers §2.2: once revoked or expired, a key verifies nothing. A proof's
        own `created` does not help: a thief would choose an old one.
        """
        if any(end is not None and at >= end for end in (self.expires, self.revoked)):
            raise VerificationMethodRetired


class Resolver(Protocol):
    """Finds the key that a proof names."""

    def resolve(self, url: str, relationship: str) -> VerificationMethod:
        """The method named `url`, authorized for `relationship`.

        Raises DidMalformed, DidMethodUnsupported, DidUnknown, VerificationMethodUnknown,
        RelationshipMissing, KeyInvalid.
        """
        ...


def key_document(did: object) -> dict[str, Any]:
    """The DID document of a did:key, for signatures. Raises DidMalformed, DidMethodUnsupported."""
    name = check_did(did)
    multikey = name.removeprefix("did:key:")
    method = _read_did_key(f"{name}#{multikey}")
    uses = [use for use in RELATIONSHIPS if use != "keyAgreement"]
    return did_document(
        name, {multikey: method.public_key}, relationships={use: [multikey] for use in uses}
    )


class KeyResolver:
    """Resolves did:key, which needs nothing but the name itself."""

    def __init__(self) -> None:
        # The answer depends on the name alone, so remembering it is safe.
        self._read = lru_cache(maxsize=_KEPT_KEYS)(_read_did_key)

    def resolve(self, url: str, relationship: str) -> VerificationMethod:
        method = self._read(url)
        # did:key gives signature keys every relationship but key agreement.
        if relationship not in RELATIONSHIPS or relationship == "keyAgreement":
            raise RelationshipMissing(relationship=relationship)
        return method


def _read_did_key(url: str) -> VerificationMethod:
    did, fragment = split_key_url(url)
    if not did.startswith("did:key:"):
        raise DidMethodUnsupported(method=did.split(":")[1])
    multikey = did.removeprefix("did:key:")
    try:
        key = PublicKey.from_multikey(multikey)
    except KeyInvalid as error:
        raise DidMalformed(reason="what follows did:key is not a usable key") from error
    if fragment != multikey:
        raise VerificationMethodUnknown(did=did)
    return VerificationMethod(id=url, controller=did, public_key=key)


@dataclass(frozen=True)
class Service:
    """A service of a DID document: its full name, type and address."""

    id: str
    type: str
    endpoint: str


@dataclass(frozen=True)
class DidDocument:
    """A DID document that `parse` accepted."""

    id: str
    methods: Mapping[str, VerificationMethod]
    relationships: Mapping[str, frozenset[str]]
    services: tuple[Service, ...]

    def method(self, url: str, relationship: str) -> VerificationMethod:
        """The method named `url`. Raises VerificationMethodUnknown, RelationshipMissing."""
        found = self.methods.get(url)
        if found is None:
            raise VerificationMethodUnknown(did=self.id)
        if url not in self.relationships.get(relationship, ()):
            raise RelationshipMissing(relationship=relationship)
        return found

    def service(self, kind: str) -> Service | None:
        """The first service of type `kind`."""
        return next((service for service in self.services if service.type == kind), None)

    @classmethod
    def parse(cls, document: object) -> DidDocument:
        """Read a DID document. Raises DidDocumentMalformed, KeyInvalid.

        Stricter than DID Core on purpose: every method must be controlled by the document's own
        subject, every relationship must name a method that is there, and one name names one key.
        Members that play no part in verification are not interpreted.
        """
        if not isinstance(document, Mapping):
            raise DidDocumentMalformed(reason="it is not an object")
        try:
            did = check_did(document.get("id"))
        except DidMalformed as error:
            raise DidDocumentMalformed(reason="its id is not a DID") from error
        if document.get("controller", did) != did:
            # Another controller could not authorize keys by our rules; do not half-honour it.
            raise DidDocumentMalformed(reason="it is controlled by someone else")
        methods: dict[str, VerificationMethod] = {}
        for entry in _list(document, "verificationMethod"):
            _add_method(did, entry, methods)
        relationships: dict[str, frozenset[str]] = {}
        for name in RELATIONSHIPS:
            urls: set[str] = set()
            for entry in _list(document, name):
                if isinstance(entry, Mapping):
                    urls.add(_add_method(did, entry, methods))  # embedded: for this use only
                    continue
                url = _absolute(did, entry)
                if url not in methods:
                    raise DidDocumentMalformed(
                        reason=Phrase("{name} names a key that is not there", name=name)
                    )
                urls.add(url)
            relationships[name] = frozenset(urls)
        return cls(
            id=did,
            methods=MappingProxyType(methods),
            relationships=MappingProxyType(relationships),
            services=tuple(_service(did, entry) for entry in _services(document)),
        )


def _list(document: Mapping[object, object], name: str) -> list[object]:
    value = document.get(name, [])
    if not isinstance(value, list) or len(value) > MAX_METHODS:
        raise DidDocumentMalformed(
            reason=Phrase("{name} is not a list of at most {most}", name=name, most=MAX_METHODS)
        )
    return value


def _absolute(did: str, url: object) -> str:
    """DID Core §3.2.2: a relative DID URL is relative to the document's subject."""
    if isinstance(url, str) and url.startswith("#"):
        url = did + url
    try:
        owner, _ = split_key_url(url)
    except DidMalformed as error:
        raise DidDocumentMalformed(reason="the name of a key is not a DID URL") from error
    if owner != did:
        raise DidDocumentMalformed(reason="a key is named under another DID")
    return str(url)


def _add_method(did: str, entry: object, methods: dict[str, VerificationMethod]) -> str:
    if not isinstance(entry, Mapping):
        raise DidDocumentMalformed(reason="a verification method is not an object")
    url = _absolute(did, entry.get("id"))
    if url in methods:
        raise DidDocumentMalformed(reason="two keys have the same name")
    if len(methods) >= MAX_METHODS:
        raise DidDocumentMalformed(reason=Phrase("it has more than {most} keys", most=MAX_METHODS))
    if entry.get("controller") != did:
        raise DidDocumentMalformed(reason="a key is controlled by someone else")
    kind = entry.get("type")
    if kind == "Multikey" and isinstance(entry.get("publicKeyMultibase"), str):
        key = PublicKey.from_multikey(entry["publicKeyMultibase"])
    elif kind in ("JsonWebKey", "JsonWebKey2020") and "publicKeyJwk" in entry:
        key = PublicKey.from_jwk(entry["publicKeyJwk"])
    else:
        raise DidDocumentMalformed(reason="a key is neither a Multikey nor a JsonWebKey")
    if any(name in entry for name in ("secretKeyMultibase", "secretKeyJwk", "privateKeyMultibase")):
        raise DidDocumentMalformed(reason="it holds a secret key")
    ends = {}
    for name in ("expires", "revoked"):
        if name in entry:
            ends[name] = parse_timestamp(entry[name])
            if ends[name] is None:
                raise DidDocumentMalformed(
                    reason=Phrase("{name} of a key is not a time with a zone", name=name)
                )
    if did.startswith("did:key:") and did != did_key(key):
        # The name is the key; a document that says otherwise would take the name over.
        raise DidDocumentMalformed(reason="a did:key has another key than its name says")
    methods[url] = VerificationMethod(url, did, key, ends.get("expires"), ends.get("revoked"))
    return url


def _services(document: Mapping[object, object]) -> list[object]:
    value = document.get("service", [])
    if not isinstance(value, list) or len(value) > MAX_SERVICES:
        raise DidDocumentMalformed(
            reason=Phrase("service is not a list of at most {most}", most=MAX_SERVICES)
        )
    return value


def _service(did: str, entry: object) -> Service:
    if isinstance(entry, Mapping):
        kind, endpoint = entry.get("type"), entry.get("serviceEndpoint")
        if isinstance(kind, str) and isinstance(endpoint, str) and kind and endpoint:
            return Service(_absolute(did, entry.get("id")), kind, endpoint)
    raise DidDocumentMalformed(reason="a service lacks a type or an address")


def did_document(
    did: str,
    keys: Mapping[str, PublicKey],
    *,
    services: Iterable[Mapping[str, str]] = (),
    relationships: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """A DID document for `did` with `keys` by fragment, as Multikeys.

    `relationships` gives the fragments for each; by default all keys may assert and
    authenticate. `services` are `{"id": "#x", "type": …, "serviceEndpoint": …}`.
    Raises DidMalformed, DidDocumentMalformed.
    """
    check_did(did)
    if relationships is None:
        relationships = {AUTHENTICATION: list(keys), ASSERTION: list(keys)}
    document: dict[str, Any] = {
        "@context": [DID_CONTEXT, MULTIKEY_CONTEXT],
        "id": did,
        "verificationMethod": [
            {
                "id": f"{did}#{fragment}",
                "type": "Multikey",
                "controller": did,
                "publicKeyMultibase": key.multikey(),
            }
            for fragment, key in keys.items()
        ],
    }
    for name, fragments in relationships.items():
        if name not in RELATIONSHIPS:
            raise DidDocumentMalformed(reason="it names an unknown relationship")
        document[name] = [f"{did}#{fragment}" for fragment in fragments]
    listed = [
        {**service, "id": did + service["id"] if service["id"].startswith("#") else service["id"]}
        for service in services
    ]
    if listed:
        document["service"] = listed
    DidDocument.parse(document)  # what we publish, others must accept
    return document


class DocumentResolver:
    """Resolves the DIDs whose documents it was given, and no others."""

    def __init__(self, documents: Iterable[Mapping[str, object] | DidDocument]) -> None:
        """Raises DidDocumentMalformed, also when two documents claim one DID."""
        self._documents: dict[str, DidDocument] = {}
        for document in documents:
            parsed = document if isinstance(document, DidDocument) else DidDocument.parse(document)
            if parsed.id in self._documents:
                raise DidDocumentMalformed(reason="two documents have the same id")
            self._documents[parsed.id] = parsed

    def document(self, did: str) -> DidDocument | None:
        """The document of `did`, if it was given."""
        return self._documents.get(did)

    def resolve(self, url: str, relationship: str) -> VerificationMethod:
        did, _ = split_key_url(url)
        document = self._documents.get(did)
        if document is None:
            raise DidUnknown(did=did)
        return document.method(url, relationship)


class ChainResolver:
    """Asks several resolvers in turn; the first that knows the DID answers, for good or ill."""

    def __init__(self, *resolvers: Resolver) -> None:
        self._resolvers = resolvers

    def resolve(self, url: str, relationship: str) -> VerificationMethod:
        did, _ = split_key_url(url)
        unknown: DidUnknown | DidMethodUnsupported = DidUnknown(did=did)
        for resolver in self._resolvers:
            try:
                return resolver.resolve(url, relationship)
            except DidUnknown as error:
                unknown = error
            except DidMethodUnsupported:
                continue
        raise unknown
