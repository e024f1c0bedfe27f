"""did:jwk: a name that is a public key, written as a JWK.

Guarantees, against whoever writes a name: it holds one public signature key in strict JSON and
nothing secret. Two spellings of one key are two names; nothing here equates them.

Not guaranteed: that the key is still its owner's. Like a did:key, such a name cannot be revoked.

Source: did:jwk Method Specification (DIF).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from credentials.canonical.jcs import canonical_json
from credentials.canonical.strict_json import parse_json_object
from credentials.dids import (
    ASSERTION,
    AUTHENTICATION,
    DID_CONTEXT,
    VerificationMethod,
    check_did,
    split_key_url,
)
from credentials.errors import (
    CredentialError,
    DidMalformed,
    DidMethodUnsupported,
    RelationshipMissing,
    VerificationMethodUnknown,
)
from credentials.keys import PublicKey
from credentials.multibase import base64url_decode, base64url_encode

FRAGMENT: Final = "0"
"""The one key of every did:jwk."""

JWK_CONTEXT: Final = "https://w3id.org/security/suites/jws-2020/v1"

_PREFIX: Final = "did:jwk:"
# `use` is "sig" or absent: all relationships of signatures, never key agreement.
_RELATIONSHIPS: Final = (ASSERTION, AUTHENTICATION, "capabilityInvocation", "capabilityDelegation")
_KEPT_KEYS: Final = 1024


def did_jwk(key: PublicKey) -> str:
    """The did:jwk name of `key`: its required members alone, in canonical JSON."""
    return _PREFIX + base64url_encode(canonical_json(key.jwk()))


def jwk_key_url(key: PublicKey) -> str:
    """The name of the one key of `did_jwk(key)`."""
    return f"{did_jwk(key)}#{FRAGMENT}"


def read_did_jwk(did: object) -> PublicKey:
    """The key that a did:jwk names. Raises DidMalformed, DidMethodUnsupported."""
    return _read(check_did(did))[0]


def jwk_document(did: object) -> dict[str, Any]:
    """The DID document of a did:jwk. Raises DidMalformed, DidMethodUnsupported."""
    name = check_did(did)
    _, jwk = _read(name)
    url = f"{name}#{FRAGMENT}"
    return {
        "@context": [DID_CONTEXT, JWK_CONTEXT],
        "id": name,
        "verificationMethod": [
            {
                "id": url,
                "type": "JsonWebKey2020",
                "controller": name,
                "publicKeyJwk": dict(jwk),
            }
        ],
        **{relationship: [url] for relationship in _RELATIONSHIPS},
    }


@lru_cache(maxsize=_KEPT_KEYS)  # the answer is the name's own
def _read(did: str) -> tuple[PublicKey, Mapping[str, Any]]:
    if not did.startswith(_PREFIX):
        raise DidMethodUnsupported(method=did.split(":")[1])
    try:
        jwk = parse_json_object(base64url_decode(did.removeprefix(_PREFIX)))
        return PublicKey.from_jwk(jwk), jwk
    except CredentialError as error:
        raise DidMalformed(reason="what follows did:jwk is not a usable key") from error


class JwkResolver:
    """Resolves did:jwk, which needs nothing but the name itself."""

    def resolve(self, url: str, relationship: str) -> VerificationMethod:
        did, fragment = split_key_url(url)
        key, _ = _read(did)
        if fragment != FRAGMENT:
            raise VerificationMethodUnknown(did=did)
        if relationship not in _RELATIONSHIPS:
            raise RelationshipMissing(relationship=relationship)
        return VerificationMethod(id=url, controller=did, public_key=key)
