"""Signed tokens: compact JWS with a JSON object inside, and nothing else of JOSE.

Guarantees, against whoever writes or alters a token: the algorithm is decided by the key, never
by the token (a token that disagrees is refused); `none`, `crit`, unencoded payloads and headers
outside the signature do not exist here; a token has one spelling; what was not verified has
another type than what was.

Not guaranteed: who holds the key. `kid`, `jwk`, `jku` and `x5c` in a header are claims by the
token itself; a caller that takes the key from `header_jwk` must bind it to something else.

Sources: RFC 7515, RFC 7518 §3.4, RFC 8037, RFC 8725 (best practices), RFC 9864.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from credentials.canonical.strict_json import parse_json_object
from credentials.errors import (
    CredentialError,
    EncodingInvalid,
    JsonMalformed,
    JwsAlgorithmRefused,
    JwsMalformed,
    JwsTypeMismatch,
    KeyInvalid,
    LimitExceeded,
)
from credentials.keys import SIGNATURE_LENGTH, KeyType, PublicKey, Signer
from credentials.multibase import base64url_decode, base64url_encode

MAX_TOKEN: Final = 128 * 1024
"""Characters of a token: the largest carries a credential request with several proofs."""
MAX_HEADER: Final = 8 * 1024
"""Characters of its header: the largest carries a certificate chain."""

_ALGORITHM: Final[Mapping[KeyType, str]] = {
    "P-256": "ES256",
    "P-384": "ES384",
    "P-521": "ES512",
    "Ed25519": "EdDSA",
    "ML-DSA-44": "ML-DSA-44",  # RFC 9964
}
_KEY_TYPE: Final[Mapping[str, KeyType]] = {
    **{name: kind for kind, name in _ALGORITHM.items()},
    "Ed25519": "Ed25519",  # RFC 9864 §2.2: the new name of the same algorithm
}
# RFC 7515 §4.1.11, RFC 7797: what changes how a token is read must not be half understood.
_FORBIDDEN: Final = ("crit", "b64", "zip", "enc")


@dataclass(frozen=True)
class VerifiedJws:
    """A token whose signature was verified under `public_key`."""

    header: Mapping[str, Any]
    payload: Mapping[str, Any]
    public_key: PublicKey


@dataclass(frozen=True)
class UnverifiedJws:
    """A well-formed token. Nothing in it may be believed before `verify`."""

    header: Mapping[str, Any]
    payload: Mapping[str, Any]
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def kid(self) -> str | None:
        """The name of the key, where the token gives one. Raises JwsMalformed."""
        kid = self.header.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise JwsMalformed(reason="kid is not a text")
        return kid

    def header_jwk(self) -> PublicKey:
        """The key that the token itself brings along. Raises JwsMalformed.

        It proves possession of that key and nothing about its owner.
        """
        try:
            return PublicKey.from_jwk(self.header.get("jwk"))
        except KeyInvalid as error:
            raise JwsMalformed(reason="its header carries no usable key") from error

    def verify(self, public_key: PublicKey) -> VerifiedJws:
        """Raises JwsAlgorithmRefused, SignatureInvalid."""
        # RFC 8725 §3.1: the algorithm must be the key's, or a token chooses its own judge.
        if _KEY_TYPE.get(self.header["alg"]) != public_key.type:
            raise JwsAlgorithmRefused
        public_key.verify(self.signature, self.signing_input)
        return VerifiedJws(self.header, self.payload, public_key)


def sign_compact(
    payload: Mapping[str, Any],
    *,
    typ: str,
    signer: Signer,
    kid: str | None = None,
    extra_header: Mapping[str, Any] | None = None,
) -> str:
    """A compact JWS over `payload` as JSON. `typ` is required: RFC 8725 §3.11.

    Raises JwsMalformed if the result would not be readable by `parse_compact`, and
    JwsAlgorithmRefused for a key that signs no tokens.
    """
    extra = dict(extra_header or {})
    if any(name in extra for name in ("alg", "typ", "kid", *_FORBIDDEN)):
        raise JwsMalformed(reason="a header member is fixed or not allowed")
    algorithm = _ALGORITHM.get(signer.public_key.type)
    if algorithm is None:  # a BBS key, which signs no tokens
        raise JwsAlgorithmRefused
    header = {"alg": algorithm, "typ": typ}
    if kid is not None:
        header["kid"] = kid
    encoded = f"{_segment({**header, **extra})}.{_segment(payload)}"
    if len(encoded) > MAX_TOKEN - 2 * SIGNATURE_LENGTH[signer.public_key.type]:
        raise JwsMalformed(reason="it would be too long")
    return f"{encoded}.{base64url_encode(signer.sign(encoded.encode('ascii')))}"


def _segment(value: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return base64url_encode(text.encode("utf-8"))
    except (TypeError, ValueError):
        # Without its cause, which may hold the value.
        raise JwsMalformed(reason="it would hold something that JSON cannot") from None


def parse_compact(token: str, *, typ: str | None = None) -> UnverifiedJws:
    """Read a compact JWS. With `typ`, one of another kind is refused.

    Raises JwsMalformed, JwsAlgorithmRefused, JwsTypeMismatch, LimitExceeded.
    """
    if not isinstance(token, str):
        raise JwsMalformed(reason="it is not a text")
    if len(token) > MAX_TOKEN:
        raise LimitExceeded(what="signed token", limit=f"{MAX_TOKEN} characters")
    parts = token.split(".")
    if len(parts) != 3:
        raise JwsMalformed(reason="it does not have three parts")
    if len(parts[0]) > MAX_HEADER:
        raise JwsMalformed(reason="its header is too long")
    try:
        header = parse_json_object(base64url_decode(parts[0]))
    except (EncodingInvalid, JsonMalformed, LimitExceeded) as error:
        raise JwsMalformed(reason="its header is not a JSON object") from error
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _KEY_TYPE:
        raise JwsAlgorithmRefused
    if any(name in header for name in _FORBIDDEN):
        raise JwsMalformed(reason="its header asks for an extension")
    if typ is not None and _media_type(header.get("typ")) != _media_type(typ):
        raise JwsTypeMismatch(expected=typ)
    try:
        payload = parse_json_object(base64url_decode(parts[1]))
        signature = base64url_decode(parts[2])
    except CredentialError as error:
        raise JwsMalformed(reason="its content is not a JSON object, or is not encoded") from error
    if len(signature) != SIGNATURE_LENGTH[_KEY_TYPE[algorithm]]:
        raise JwsMalformed(reason="its signature has the wrong length")
    return UnverifiedJws(header, payload, f"{parts[0]}.{parts[1]}".encode("ascii"), signature)


def _media_type(typ: object) -> str | None:
    """RFC 7515 §4.1.9: media types compare without case, and `application/` may be left out."""
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else None
