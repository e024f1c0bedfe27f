"""DID resolution over HTTP for did:key and did:jwk (DID Resolution 0.3, did:key's own errors).

Resolves what a name says by itself and nothing that would have to be fetched. The answer is a
resolution result: document, metadata, and the error that the did:key method names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from credentials.did_jwk import jwk_document
from credentials.dids import (
    ASSERTION,
    AUTHENTICATION,
    DID_CONTEXT,
    KeyResolver,
    check_did,
    did_document,
    split_key_url,
)
from credentials.errors import (
    CredentialError,
    DidMalformed,
    DidMethodUnsupported,
    EncodingInvalid,
    KeyInvalid,
    LimitExceeded,
    VerificationMethodUnknown,
)
from credentials.keys import PublicKey
from credentials.multibase import multibase_decode

RESULT_CONTEXT: Final = "https://w3id.org/did-resolution/v1"
JWK_CONTEXT: Final = "https://w3id.org/security/jwk/v1"
MULTIKEY: Final = "Multikey"
_FORMATS: Final = frozenset({MULTIKEY, "JsonWebKey2020"})
_KNOWN_FORMATS: Final = _FORMATS | {
    "Ed25519VerificationKey2018",
    "Ed25519VerificationKey2020",
    "X25519KeyAgreementKey2019",
    "X25519KeyAgreementKey2020",
}
"""Formats that have a name; the did:key method answers differently for a name nobody gave."""

# Multicodec headers and the length of the key behind them (did:key §2.1).
_LENGTHS: Final[Mapping[bytes, int]] = {
    bytes.fromhex("ed01"): 32,
    bytes.fromhex("ec01"): 32,
    bytes.fromhex("8024"): 33,
    bytes.fromhex("8124"): 49,
    bytes.fromhex("eb01"): 96,
    bytes.fromhex("9024"): 1312,
}
_LONG: Final = frozenset({bytes.fromhex("9024")})
"""ML-DSA-44, whose draft spells keys in base64url. All others are spelt in base58btc."""


_JWK: Final = "did:jwk:"


class _Failed(Exception):
    """Resolution ends with an error that the method names."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.status = status


def resolve(identifier: str, options: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the resolution result of a DID or DID URL."""
    is_url = any(mark in identifier for mark in "#?/")
    try:
        document = _dereference(identifier, options) if is_url else _resolve(identifier, options)
        return 200, _result(is_url, document, {"contentType": "application/did"})
    except _Failed as failed:
        return failed.status, _result(is_url, {}, {"error": failed.error})


def _result(is_url: bool, document: dict[str, Any], metadata: dict[str, str]) -> dict[str, Any]:
    member = "didDereferencingMetadata" if is_url else "didResolutionMetadata"
    return {
        "@context": RESULT_CONTEXT,
        "didDocument": document,
        "didDocumentMetadata": {},
        member: metadata,
    }


def _resolve(did: str, options: Mapping[str, str]) -> dict[str, Any]:
    if did.startswith(_JWK):
        return _jwk(did)
    key = _key(did)
    return _document(did, key, _format(options, key))


def _dereference(url: str, options: Mapping[str, str]) -> dict[str, Any]:
    try:
        did, fragment = split_key_url(url)
    except DidMalformed:
        raise _Failed("invalidDidUrl") from None
    if did.startswith(_JWK):
        return _method(url, _jwk(did))
    key = _key(did)
    wanted = _format(options, key)
    try:
        KeyResolver().resolve(f"{did}#{fragment}", ASSERTION)
    except VerificationMethodUnknown:
        raise _Failed("notFound", 404) from None
    except CredentialError:
        raise _Failed("invalidDidUrl") from None
    found: dict[str, Any] = _document(did, key, wanted)["verificationMethod"][0]
    return {"@context": DID_CONTEXT, **found}


def _jwk(did: str) -> dict[str, Any]:
    """The document of a did:jwk, whose one key has one form."""
    try:
        return jwk_document(did)
    except DidMalformed:
        raise _Failed("invalidDid") from None


def _method(url: str, document: Mapping[str, Any]) -> dict[str, Any]:
    for method in document["verificationMethod"]:
        if method["id"] == url:
            return {"@context": document["@context"], **method}
    raise _Failed("notFound", 404)


def _key(did: str) -> PublicKey:
    """The key that a did:key names; the method tells apart what can be wrong with it."""
    try:
        check_did(did)
    except DidMalformed:
        raise _Failed("invalidDid") from None
    method, _, name = did.removeprefix("did:").partition(":")
    if method != "key":
        raise _Failed("methodNotSupported", 501)
    try:
        data = multibase_decode(name)
    except (EncodingInvalid, LimitExceeded):
        raise _Failed("invalidDid") from None
    if name.startswith("u") != (data[:2] in _LONG):
        raise _Failed("invalidDid")
    length = _LENGTHS.get(data[:2])
    if length is not None and len(data) != length + 2:
        raise _Failed("invalidPublicKeyLength")
    try:
        return PublicKey.from_multikey(name)
    except KeyInvalid:
        raise _Failed("invalidPublicKey" if length else "invalidPublicKeyLength") from None
    except DidMethodUnsupported:
        raise _Failed("methodNotSupported", 501) from None


def _format(options: Mapping[str, str], key: PublicKey) -> str:
    wanted = options.get("publicKeyFormat", MULTIKEY)
    if wanted not in _KNOWN_FORMATS:
        raise _Failed("unsupportedPublicKeyType")
    # did:key §3.1.3: experimental formats only if they are asked for; none is supported here.
    if wanted not in _FORMATS:
        raise _Failed("invalidPublicKeyType")
    del key
    return wanted


def _document(did: str, key: PublicKey, wanted: str) -> dict[str, Any]:
    multikey = did.removeprefix("did:key:")
    document = did_document(
        did,
        {multikey: key},
        relationships={
            name: [multikey]
            for name in (AUTHENTICATION, ASSERTION, "capabilityDelegation", "capabilityInvocation")
        },
    )
    if wanted != MULTIKEY:
        document["@context"] = [DID_CONTEXT, JWK_CONTEXT]
        document["verificationMethod"] = [
            {
                "id": f"{did}#{multikey}",
                "type": "JsonWebKey2020",
                "controller": did,
                "publicKeyJwk": key.jwk(),
            }
        ]
    return document
