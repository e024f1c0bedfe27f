"""Encrypted messages: compact JWE (RFC 7516) with ECDH-ES on P-256 and AES-GCM.

What OpenID4VP 1.0 §8.3 and HAIP 1.0 §5 encrypt a response with: the verifier names a key in its
request, and nobody between the wallet and the verifier reads the answer. The primitives are those
of jwcrypto over `cryptography`; here stands what is let near them.

Guaranteed: only `ECDH-ES` with `A128GCM` or `A256GCM`; no compression (a small message could unpack
to a huge one), no `crit`, no key of the message's own choice but the ephemeral one, which must be a
point of P-256; sizes are bounded before anything is decoded. Every failure to decrypt is the same
error, so nobody learns by trying what was wrong. Not guaranteed: who encrypted. Anybody can; the
message inside has to say and to prove it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn, Self, cast, get_args

from cryptography.hazmat.primitives.asymmetric import ec
from jwcrypto.common import JWException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from credentials.canonical.strict_json import parse_json_object
from credentials.errors import (
    CredentialError,
    EncodingInvalid,
    JweKeyUnfit,
    JweMalformed,
    JweRefused,
    JweUndecipherable,
    KeyInvalid,
    LimitExceeded,
)
from credentials.keys import PublicKey
from credentials.multibase import base64url_decode, base64url_encode
from schemas.errors import Phrase

ContentEncryption = Literal["A128GCM", "A256GCM"]

ALGORITHM: Final = "ECDH-ES"
MAX_PLAINTEXT_BYTES: Final = 3 * 1024 * 1024  # in base64url as much as `multibase` decodes
MAX_TOKEN_CHARACTERS: Final = MAX_PLAINTEXT_BYTES * 4 // 3 + 16 * 1024
MAX_HEADER_CHARACTERS: Final = 8 * 1024
MAX_PARTY_BYTES: Final = 512  # apu and apv: an identifier, a nonce or a digest
_MAX_KEY_ID: Final = 512
_HEADER: Final = frozenset({"alg", "enc", "epk", "apu", "apv", "kid", "typ", "cty"})
_SCALAR_BYTES: Final = 32


@dataclass(frozen=True)
class Recipient:
    """Whom to encrypt to: a point of P-256 and the identifier by which its holder knows it."""

    key: PublicKey
    key_id: str | None = None

    @classmethod
    def from_jwk(cls, jwk: object) -> Self:
        """Read the public JWK that somebody offers for encryption. Raises JweKeyUnfit.

        `use`, `key_ops` and `alg`, where present, must permit it (RFC 7517 §4.2-4.4).
        """
        if not isinstance(jwk, Mapping):
            raise JweKeyUnfit(reason="it is not an object")
        operations = jwk.get("key_ops", [])
        if (
            jwk.get("use", "enc") != "enc"
            or jwk.get("alg", ALGORITHM) != ALGORITHM
            or operations not in ([], ["deriveKey"], ["deriveBits"])
        ):
            raise JweKeyUnfit(reason="it is not meant for ECDH-ES")
        key_id = jwk.get("kid")
        if key_id is not None and not (
            isinstance(key_id, str) and 0 < len(key_id) <= _MAX_KEY_ID and key_id.isprintable()
        ):
            raise JweKeyUnfit(reason="its kid is no short text")
        return cls(_point({name: jwk.get(name) for name in ("kty", "crv", "x", "y")}, jwk), key_id)

    def jwk(self) -> dict[str, str]:
        """The key to offer: what `from_jwk` reads."""
        named = {} if self.key_id is None else {"kid": self.key_id}
        return {**self.key.jwk(), "use": "enc", "alg": ALGORITHM, **named}


def _point(members: Mapping[str, Any], whole: Mapping[Any, Any]) -> PublicKey:
    if any(name in whole for name in ("d", "k", "priv")):
        raise JweKeyUnfit(reason="it holds a secret where a public key is expected")
    try:
        key = PublicKey.from_jwk(members)
    except KeyInvalid as error:
        raise JweKeyUnfit(reason=str(error.params["reason"])) from None
    if key.type != "P-256":
        raise JweKeyUnfit(reason="it is not a key of P-256")
    return key


class EncryptionKey:
    """A private key to decrypt with. It signs nothing, and no signature key becomes one."""

    __slots__ = ("_key", "recipient")

    def __init__(self, scalar: bytes, key_id: str | None = None) -> None:
        """`scalar`: 32 bytes. Raises JweKeyUnfit."""
        try:
            if len(scalar) != _SCALAR_BYTES:
                raise ValueError
            secret = ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())
        except ValueError:
            raise JweKeyUnfit(reason="it is not a private key of P-256") from None
        self._key = JWK.from_pyca(secret)
        self.recipient: Final = Recipient(
            PublicKey.from_jwk(json.loads(self._key.export_public())), key_id
        )

    @classmethod
    def generate(cls, key_id: str | None = None) -> Self:
        """A fresh key. OpenID4VP §8.3 wants one for each request."""
        secret = ec.generate_private_key(ec.SECP256R1())
        return cls(secret.private_numbers().private_value.to_bytes(_SCALAR_BYTES, "big"), key_id)

    def to_bytes(self) -> bytes:
        """The 32 bytes of the scalar, for a store that keeps secrets."""
        return base64url_decode(cast(str, self._key.get("d")))

    def __repr__(self) -> str:
        return f"EncryptionKey({self.recipient.key_id!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")


@dataclass(frozen=True)
class Decrypted:
    """A message that was encrypted to one of our keys. By whom, it does not say.

    `header` has the protected members. `producer` and `consumer` are `apu` and `apv` (RFC 7518
    §4.6.1), which the key is derived with.
    """

    payload: bytes = field(repr=False)
    key_id: str | None
    header: Mapping[str, Any]

    @property
    def producer(self) -> bytes:
        return base64url_decode(self.header.get("apu", ""))

    @property
    def consumer(self) -> bytes:
        return base64url_decode(self.header.get("apv", ""))


def encrypt(
    payload: bytes,
    recipient: Recipient,
    *,
    enc: ContentEncryption = "A128GCM",
    producer: bytes = b"",
    consumer: bytes = b"",
    content_type: str | None = None,
) -> str:
    """A compact JWE of `payload` to `recipient`, with a fresh ephemeral key.

    Raises LimitExceeded.
    """
    if len(payload) > MAX_PLAINTEXT_BYTES:
        raise LimitExceeded(what="bytes of a message to encrypt", limit=MAX_PLAINTEXT_BYTES)
    if max(len(producer), len(consumer)) > MAX_PARTY_BYTES:
        raise LimitExceeded(what="bytes of apu or apv", limit=MAX_PARTY_BYTES)
    header: dict[str, str] = {"alg": ALGORITHM, "enc": enc}
    if producer:
        header["apu"] = base64url_encode(producer)
    if consumer:
        header["apv"] = base64url_encode(consumer)
    if recipient.key_id is not None:
        header["kid"] = recipient.key_id
    if content_type is not None:
        header["cty"] = content_type
    token = JWE(payload, protected=json.dumps(header), algs=[ALGORITHM, enc])
    token.add_recipient(JWK(**recipient.key.jwk()))
    return cast(str, token.serialize(compact=True))


def decrypt(token: str, keys: Sequence[EncryptionKey]) -> Decrypted:
    """The message in a compact JWE that is encrypted to one of `keys`.

    A `kid` chooses the key; without one there must be a single key. Raises LimitExceeded,
    JweMalformed, JweRefused for what is not allowed, and JweUndecipherable for everything that
    depends on a secret.
    """
    header = _header(token)
    key_id = header.get("kid")
    fitting = [key for key in keys if key_id is None or key.recipient.key_id == key_id]
    if len(fitting) != 1:
        raise JweUndecipherable
    try:
        opened = JWE(algs=[ALGORITHM, header["enc"]])
        opened.deserialize(token, fitting[0]._key)
        payload = cast(bytes, opened.payload)
    except (JWException, ValueError, TypeError):
        # Without a cause: what it would say depends on the secret.
        raise JweUndecipherable from None
    if len(payload) > MAX_PLAINTEXT_BYTES:
        raise LimitExceeded(what="bytes of a message", limit=MAX_PLAINTEXT_BYTES)
    return Decrypted(payload, key_id, header)


def _header(token: str) -> Mapping[str, Any]:
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise LimitExceeded(what="characters of a JWE", limit=MAX_TOKEN_CHARACTERS)
    parts = token.split(".")
    if len(parts) != 5:
        raise JweMalformed(reason="it does not have five parts")
    if len(parts[0]) > MAX_HEADER_CHARACTERS:
        raise LimitExceeded(what="characters of a JWE's header", limit=MAX_HEADER_CHARACTERS)
    try:
        first, *rest = [base64url_decode(part) for part in parts]
        header = parse_json_object(first)
    except (EncodingInvalid, LimitExceeded) as error:
        raise JweMalformed(reason="a part is not base64url") from error
    except CredentialError as error:
        raise JweMalformed(reason="its header is not a JSON object") from error
    if rest[0]:
        raise JweRefused(reason="direct agreement leaves no room for an encrypted key")
    unknown = sorted(set(header) - _HEADER)
    if unknown:
        raise JweRefused(
            reason=Phrase("its header has the member {unknown}", unknown=unknown[0][:40])
        )
    if header.get("alg") != ALGORITHM or header.get("enc") not in get_args(ContentEncryption):
        raise JweRefused(reason="it uses another algorithm")
    _check_texts(header)
    epk = header.get("epk")
    if not isinstance(epk, Mapping):
        raise JweMalformed(reason="it names no ephemeral key")
    try:
        _point({name: epk.get(name) for name in ("kty", "crv", "x", "y")}, epk)
    except JweKeyUnfit as error:
        raise JweRefused(reason="its ephemeral key is no point of P-256") from error
    return header


def _check_texts(header: Mapping[str, Any]) -> None:
    for name in ("kid", "typ", "cty", "apu", "apv"):
        value = header.get(name, "")
        if not isinstance(value, str) or len(value) > 2 * _MAX_KEY_ID:
            raise JweMalformed(reason=Phrase("its {name} is no short text", name=name))
    for name in ("apu", "apv"):
        try:
            if len(base64url_decode(header.get(name, ""))) > MAX_PARTY_BYTES:
                raise JweMalformed(reason=Phrase("its {name} is too long", name=name))
        except EncodingInvalid as error:
            raise JweMalformed(reason=Phrase("its {name} is not base64url", name=name)) from error
