"""Public and private signature keys: P-256, P-384, P-521, Ed25519, BBS (BLS12-381), and ML-DSA-44.

Guarantees: a `PublicKey` is a valid point of its curve and never one of the Ed25519 points under
which anybody can sign anything; a key has one encoding, so two spellings cannot pass for two
keys; private keys do not show up in `repr`, exceptions or pickles. A BBS key signs lists of
statements and never bytes: taken for a key of anything else, it verifies nothing.

Not guaranteed: an ECDSA signature (r, s) can be turned into (r, -s) by anyone, as FIPS 186-5
allows. Nothing here may use a signature as the only identifier of a document.

The primitives are those of `cryptography` (OpenSSL). ECDSA signatures are raw r || s of fixed
length, P-256 with SHA-256, P-384 with SHA-384 (VC-DI-ECDSA §3.2), P-521 with SHA-512 (RFC 7518
§3.4). BBS is that
of `credentials.bbs`. ML-DSA-44 is experimental: that of FIPS 204 with an empty context; its
secret is the 32-byte seed (RFC 9964 §3).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, NoReturn, Protocol, Self, runtime_checkable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from credentials import bbs
from credentials.errors import (
    BbsMalformed,
    EncodingInvalid,
    KeyInvalid,
    LimitExceeded,
    SignatureInvalid,
)
from credentials.multibase import (
    base64url_decode,
    base64url_encode,
    multibase_base58,
    multibase_base64,
    multibase_decode,
)
from schemas.errors import Phrase

KeyType = Literal["P-256", "P-384", "P-521", "Ed25519", "Bls12381G2", "ML-DSA-44"]

_FOREIGN: Final = "its type is not one that is supported"


@dataclass(frozen=True)
class _Curve:
    """What an elliptic curve of NIST needs to be a key type."""

    curve: ec.EllipticCurve
    size: int  # bytes of a coordinate, of a scalar and of half a signature
    order: int
    algorithm: ec.ECDSA
    deterministic: ec.ECDSA  # RFC 6979


_CURVES: Final[Mapping[str, _Curve]] = {
    "P-256": _Curve(
        ec.SECP256R1(),
        32,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        ec.ECDSA(hashes.SHA256()),
        ec.ECDSA(hashes.SHA256(), deterministic_signing=True),
    ),
    "P-384": _Curve(
        ec.SECP384R1(),
        48,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
        ec.ECDSA(hashes.SHA384()),
        ec.ECDSA(hashes.SHA384(), deterministic_signing=True),
    ),
    # For tokens alone (ES512): no Data Integrity suite has it.
    "P-521": _Curve(
        ec.SECP521R1(),
        66,
        0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
        ec.ECDSA(hashes.SHA512()),
        ec.ECDSA(hashes.SHA512(), deterministic_signing=True),
    ),
}
_CURVE_NAMES: Final[Mapping[str, KeyType]] = {
    "secp256r1": "P-256",
    "secp384r1": "P-384",
    "secp521r1": "P-521",
}
_JWK_CURVES: Final[Mapping[object, tuple[KeyType, str]]] = {
    "P-256": ("P-256", "ES256"),
    "P-384": ("P-384", "ES384"),
    "P-521": ("P-521", "ES512"),
}

# Multicodec headers as unsigned varints (Controlled Identifiers 1.0 §2.2.2).
_PUBLIC_HEADER: Final[Mapping[KeyType, bytes]] = {
    "P-256": bytes.fromhex("8024"),  # 0x1200
    "P-384": bytes.fromhex("8124"),  # 0x1201
    "P-521": bytes.fromhex("8224"),  # 0x1202
    "Ed25519": bytes.fromhex("ed01"),  # 0xed
    "Bls12381G2": bytes.fromhex("eb01"),  # 0xeb
    "ML-DSA-44": bytes.fromhex("9024"),  # 0x1210
}
_SECRET_HEADER: Final[Mapping[KeyType, bytes]] = {
    "P-256": bytes.fromhex("8626"),  # 0x1306
    "P-384": bytes.fromhex("8726"),  # 0x1307
    "P-521": bytes.fromhex("8826"),  # 0x1308
    "Ed25519": bytes.fromhex("8026"),  # 0x1300
    "Bls12381G2": bytes.fromhex("8a26"),  # 0x130a
    "ML-DSA-44": bytes.fromhex("9a26"),  # 0x131a, the seed; draft in the table of multicodecs
}
_PUBLIC_LENGTH: Final[Mapping[KeyType, int]] = {
    "P-256": 33,
    "P-384": 49,
    "P-521": 67,
    "Ed25519": 32,
    "Bls12381G2": 96,
    "ML-DSA-44": 1312,
}
_SECRET_LENGTH: Final[Mapping[KeyType, int]] = {
    "P-256": 32,
    "P-384": 48,
    "P-521": 66,
    "Ed25519": 32,
    "Bls12381G2": 32,
    "ML-DSA-44": 32,
}
_TYPE_OF_PUBLIC: Final = {header: kind for kind, header in _PUBLIC_HEADER.items()}
_TYPE_OF_SECRET: Final = {header: kind for kind, header in _SECRET_HEADER.items()}

# Keys of some 1,300 bytes are spelt in base64url (VC-DI-QR §2.1.1): base58 costs the square.
_SPELT_IN_BASE64: Final[frozenset[KeyType]] = frozenset({"ML-DSA-44"})

SIGNATURE_LENGTH: Final[Mapping[KeyType, int]] = {
    "P-256": 64,
    "P-384": 96,
    "P-521": 132,
    "Ed25519": 64,
    "Bls12381G2": 80,
    "ML-DSA-44": 2420,
}

_P25519: Final = 2**255 - 19
# The y coordinates of the eight points whose order divides the cofactor (RFC 8032 §5.1). Under
# such a key one signature holds for every message. OpenSSL does not refuse them.
_SMALL_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        _P25519 - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)

MAX_SEED: Final = 1024
"""Bytes of seed that `PrivateKey.from_seed` reads; more has no use."""


class PublicKey:
    """A public key. Equal when type and bytes are.

    `raw` is SEC1 compressed, or the 32 bytes of Ed25519, or the 1,312 of ML-DSA-44.

    The parsed key is kept, so verifying pays for the signature alone.
    """

    __slots__ = ("_curve", "_key", "_multikey", "raw", "type")

    def __init__(self, key_type: KeyType, raw: bytes) -> None:
        """Raises KeyInvalid unless `raw` is the one encoding of a usable key."""
        if key_type not in _PUBLIC_LENGTH or len(raw) != _PUBLIC_LENGTH[key_type]:
            raise KeyInvalid(reason="it has the wrong type or length")
        self.type: Final[KeyType] = key_type
        self.raw: Final = bytes(raw)
        self._multikey: str | None = None
        self._curve = _CURVES.get(key_type)
        self._key: (
            ec.EllipticCurvePublicKey
            | ed25519.Ed25519PublicKey
            | mldsa.MLDSA44PublicKey
            | bbs.BbsPublicKey
        )
        if key_type == "ML-DSA-44":
            # FIPS 204 §5.3: every string of this length is the encoding of some key.
            self._key = mldsa.MLDSA44PublicKey.from_public_bytes(self.raw)
        elif key_type == "Bls12381G2":
            try:
                self._key = bbs.BbsPublicKey.decode(self.raw)
            except BbsMalformed as error:
                raise KeyInvalid(reason="it is not a point of its curve") from error
        elif self._curve is None:
            # The top bit is the sign of x. y must be reduced, or one point has two encodings.
            y = int.from_bytes(raw, "little") & (2**255 - 1)
            if y >= _P25519 or y in _SMALL_ORDER_Y:
                raise KeyInvalid(reason="it is a point that no honest key can be")
            self._key = ed25519.Ed25519PublicKey.from_public_bytes(self.raw)
        else:
            try:
                self._key = ec.EllipticCurvePublicKey.from_encoded_point(
                    self._curve.curve, self.raw
                )
            except ValueError as error:
                raise KeyInvalid(reason="it is not a point of its curve") from error

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PublicKey):
            return NotImplemented
        return self.type == other.type and self.raw == other.raw

    def __hash__(self) -> int:
        return hash((self.type, self.raw))

    def __repr__(self) -> str:
        return f"PublicKey({self.type}, {self.multikey()})"

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raise SignatureInvalid unless `signature` over `data` was made by this key."""
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey | mldsa.MLDSA44PublicKey):
                self._key.verify(signature, data)
                return
            if isinstance(self._key, bbs.BbsPublicKey):
                raise SignatureInvalid  # no signature over bytes is one of a BBS key
            assert self._curve is not None  # noqa: S101 - tells mypy what __init__ ensured
            size = self._curve.size
            if len(signature) != 2 * size:
                raise SignatureInvalid
            self._key.verify(
                encode_dss_signature(
                    int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
                ),
                data,
                self._curve.algorithm,
            )
        except InvalidSignature:
            # The library's exception says nothing more; keep one error for one cause.
            raise SignatureInvalid from None

    @property
    def bbs(self) -> bbs.BbsPublicKey:
        """The key for `credentials.bbs`. Raises KeyInvalid for a key of another type."""
        if not isinstance(self._key, bbs.BbsPublicKey):
            raise KeyInvalid(reason="it is not a BBS key")
        return self._key

    def multikey(self) -> str:
        """`publicKeyMultibase`, also the identifier behind `did:key:`."""
        if self._multikey is None:
            spell = multibase_base64 if self.type in _SPELT_IN_BASE64 else multibase_base58
            self._multikey = spell(self.tagged())
        return self._multikey

    def tagged(self) -> bytes:
        """The multicodec header and the key, as ecdsa-sd proofs embed it."""
        return _PUBLIC_HEADER[self.type] + self.raw

    @classmethod
    def from_multikey(cls, text: str) -> Self:
        """Read a Multikey (Controlled Identifiers 1.0 §2.2.2). Raises KeyInvalid."""
        key = cls.from_tagged(_multikey_bytes(text))
        if (text[0] == "u") != (key.type in _SPELT_IN_BASE64):
            raise KeyInvalid(reason="it is not spelt as its type is")
        return key

    @classmethod
    def from_tagged(cls, data: bytes) -> Self:
        """Read the bytes of a Multikey. Raises KeyInvalid."""
        key_type = _TYPE_OF_PUBLIC.get(data[:2])
        if key_type is None:
            raise KeyInvalid(reason=_FOREIGN)
        return cls(key_type, data[2:])

    def jwk(self) -> dict[str, str]:
        """The key as a public JWK (RFC 7517, RFC 8037, RFC 9964), required members only.

        Raises KeyInvalid for a BBS key: its JWK is a draft that still moves.
        """
        if isinstance(self._key, mldsa.MLDSA44PublicKey):
            return {"kty": "AKP", "alg": self.type, "pub": base64url_encode(self.raw)}
        if isinstance(self._key, ed25519.Ed25519PublicKey):
            return {"kty": "OKP", "crv": "Ed25519", "x": base64url_encode(self.raw)}
        if isinstance(self._key, bbs.BbsPublicKey):
            raise KeyInvalid(reason="a BBS key has no JWK here")
        numbers, size = self._key.public_numbers(), _CURVES[self.type].size
        return {
            "kty": "EC",
            "crv": self.type,
            "x": base64url_encode(numbers.x.to_bytes(size, "big")),
            "y": base64url_encode(numbers.y.to_bytes(size, "big")),
        }

    def thumbprint(self) -> str:
        """The JWK thumbprint with SHA-256 (RFC 7638)."""
        members = ",".join(f'"{name}":"{value}"' for name, value in sorted(self.jwk().items()))
        return base64url_encode(sha256(f"{{{members}}}".encode("ascii")).digest())

    @classmethod
    def _at(cls, key_type: KeyType, x: bytes, y: bytes) -> Self:
        """The key at a point of a NIST curve: both coordinates spare finding a square root."""
        self = cls.__new__(cls)
        curve = _CURVES[key_type]
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(curve.curve, b"\x04" + x + y)
        except ValueError as error:
            raise KeyInvalid(reason="it is not a point of its curve") from error
        self.type, self.raw = key_type, bytes([2 + (y[-1] & 1)]) + x  # type: ignore[misc]
        self._multikey, self._curve, self._key = None, curve, key
        return self

    @classmethod
    def from_jwk(cls, jwk: object) -> Self:
        """Read a public JWK. Raises KeyInvalid, also for one that carries private members.

        `use`, `key_ops` and `alg`, where present, must permit verifying (RFC 7517 §4.2-4.4).
        """
        if not isinstance(jwk, Mapping):
            raise KeyInvalid(reason="the JWK is not an object")
        if any(name in jwk for name in ("d", "k", "priv")):
            raise KeyInvalid(reason="the JWK holds a secret where a public key is expected")
        operations = jwk.get("key_ops", ["verify"])
        if jwk.get("use", "sig") != "sig" or not (
            isinstance(operations, list) and "verify" in operations
        ):
            raise KeyInvalid(reason="the JWK is not meant for signatures")
        kind, curve_name = jwk.get("kty"), jwk.get("crv")
        if kind == "AKP" and jwk.get("alg") == "ML-DSA-44":
            return cls("ML-DSA-44", _jwk_octets(jwk, "pub", _PUBLIC_LENGTH["ML-DSA-44"]))
        if kind == "OKP" and curve_name == "Ed25519" and "y" not in jwk:
            _check_jwk_algorithm(jwk, "EdDSA", "Ed25519")
            return cls("Ed25519", _jwk_octets(jwk, "x", 32))
        if kind == "EC" and isinstance(curve_name, str) and curve_name in _JWK_CURVES:
            key_type, algorithm = _JWK_CURVES[curve_name]
            _check_jwk_algorithm(jwk, algorithm)
            size = _CURVES[key_type].size
            return cls._at(key_type, _jwk_octets(jwk, "x", size), _jwk_octets(jwk, "y", size))
        raise KeyInvalid(reason=_FOREIGN)


def _multikey_bytes(text: str) -> bytes:
    try:
        return multibase_decode(text, allowed="zu")
    except (EncodingInvalid, LimitExceeded) as error:
        raise KeyInvalid(reason="it is not a multikey") from error


def _jwk_octets(jwk: Mapping[object, object], member: str, size: int) -> bytes:
    value = jwk.get(member)
    try:
        data = base64url_decode(value) if isinstance(value, str) else b""
    except (EncodingInvalid, LimitExceeded) as error:
        raise KeyInvalid(
            reason=Phrase("the JWK member {member} is not base64url", member=member)
        ) from error
    if len(data) != size:  # RFC 7518 §6.2.1.2: leading zeros belong to the value
        raise KeyInvalid(
            reason=Phrase("the JWK member {member} has the wrong length", member=member)
        )
    return data


def _check_jwk_algorithm(jwk: Mapping[object, object], *allowed: str) -> None:
    if "alg" in jwk and jwk["alg"] not in allowed:
        raise KeyInvalid(reason="the JWK names an algorithm that does not fit its curve")


class Signer(Protocol):
    """Whatever can sign: a key in memory, a hardware module, a remote service."""

    @property
    def public_key(self) -> PublicKey: ...

    def sign(self, data: bytes) -> bytes: ...


@runtime_checkable
class StatementSigner(Signer, Protocol):
    """A signer whose one signature covers a list of statements, each of which can be hidden."""

    def sign_statements(
        self,
        header: bytes,
        statements: Sequence[bytes],
        *,
        commitment: bytes | None = None,
        nym_entropy: bytes | None = None,
    ) -> bytes: ...


class PrivateKey:
    """A private key in memory; a `Signer`. Never printed, compared or pickled.

    Python cannot wipe memory: whoever reads this process's memory reads the key.
    """

    __slots__ = ("_algorithm", "_key", "_public", "_size")

    def __init__(
        self,
        key: (
            ec.EllipticCurvePrivateKey
            | ed25519.Ed25519PrivateKey
            | mldsa.MLDSA44PrivateKey
            | bbs.BbsSecretKey
        ),
        *,
        deterministic: bool = False,
    ) -> None:
        """`deterministic` chooses RFC 6979 nonces for ECDSA: repeatable signatures for vectors."""
        self._key = key
        self._algorithm: ec.ECDSA | None = None
        self._size = 0
        if isinstance(key, bbs.BbsSecretKey):
            self._public = PublicKey("Bls12381G2", key.public.raw)
            return
        public = key.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey):
            self._public = PublicKey("Ed25519", public.public_bytes_raw())
            return
        if isinstance(public, mldsa.MLDSA44PublicKey):
            self._public = PublicKey("ML-DSA-44", public.public_bytes_raw())
            return
        curve_name = _CURVE_NAMES.get(public.curve.name)
        if curve_name is None:
            raise KeyInvalid(reason=_FOREIGN)
        curve = _CURVES[curve_name]
        self._algorithm = curve.deterministic if deterministic else curve.algorithm
        self._size = curve.size
        self._public = PublicKey(
            curve_name,
            public.public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
            ),
        )

    @property
    def public_key(self) -> PublicKey:
        return self._public

    @property
    def type(self) -> KeyType:
        return self._public.type

    def __repr__(self) -> str:
        return f"PrivateKey({self._public!r}, secret hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("private keys are not pickled; seal them with credentials.keyfile")

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`: raw r || s, or what Ed25519 and ML-DSA-44 give.

        Raises KeyInvalid for a BBS key.
        """
        if isinstance(self._key, ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey):
            return self._key.sign(data)
        if isinstance(self._key, bbs.BbsSecretKey):
            raise KeyInvalid(reason="a BBS key signs statements, not bytes")
        assert self._algorithm is not None  # noqa: S101 - tells mypy what __init__ ensured
        r, s = decode_dss_signature(self._key.sign(data, self._algorithm))
        return r.to_bytes(self._size, "big") + s.to_bytes(self._size, "big")

    def sign_statements(
        self,
        header: bytes,
        statements: Sequence[bytes],
        *,
        commitment: bytes | None = None,
        nym_entropy: bytes | None = None,
    ) -> bytes:
        """The BBS signature (80 bytes) over `header` and `statements`, in this order.

        With `commitment`, also over what a holder committed to (`credentials.bbs.commit`), and
        with `nym_entropy` so that pseudonyms can be made from it. Raises KeyInvalid for a key of
        another type, BbsMalformed, BbsCommitmentInvalid, LimitExceeded.
        """
        if not isinstance(self._key, bbs.BbsSecretKey):
            raise KeyInvalid(reason="it is not a BBS key")
        if commitment is not None:
            return bbs.blind_sign(
                self._key, commitment, header, statements, nym_entropy=nym_entropy
            )
        if nym_entropy is not None:
            raise BbsMalformed(what="commitment", reason="it is missing")
        return bbs.sign(self._key, header, statements)

    @classmethod
    def generate(cls, key_type: KeyType) -> Self:
        """A fresh key from the operating system's randomness."""
        if key_type == "Ed25519":
            return cls(ed25519.Ed25519PrivateKey.generate())
        if key_type == "ML-DSA-44":
            return cls(mldsa.MLDSA44PrivateKey.generate())
        if key_type == "Bls12381G2":
            return cls(bbs.BbsSecretKey.derive(secrets.token_bytes(2 * bbs.KEY_MATERIAL)))
        if key_type not in _CURVES:
            raise KeyInvalid(reason=_FOREIGN)
        return cls(ec.generate_private_key(_CURVES[key_type].curve))

    @classmethod
    def from_bytes(cls, key_type: KeyType, secret: bytes, *, deterministic: bool = False) -> Self:
        """The key whose scalar (big-endian) or seed is `secret`. Raises KeyInvalid."""
        if key_type not in _SECRET_LENGTH or len(secret) != _SECRET_LENGTH[key_type]:
            raise KeyInvalid(reason="it has the wrong type or length")
        if key_type == "Ed25519":
            return cls(ed25519.Ed25519PrivateKey.from_private_bytes(secret))
        if key_type == "ML-DSA-44":
            return cls(mldsa.MLDSA44PrivateKey.from_seed_bytes(secret))
        if key_type == "Bls12381G2":
            try:
                return cls(bbs.BbsSecretKey(secret))
            except BbsMalformed:
                raise KeyInvalid(reason="the secret is out of range") from None
        curve = _CURVES[key_type]
        scalar = int.from_bytes(secret, "big")
        if not 0 < scalar < curve.order:
            raise KeyInvalid(reason="the secret is out of range")
        return cls(ec.derive_private_key(scalar, curve.curve), deterministic=deterministic)

    @classmethod
    def from_seed(cls, key_type: KeyType, seed: bytes, *, deterministic: bool = False) -> Self:
        """The key that `seed` (16 to 1,024 bytes) always leads to: for tests and demos.

        HKDF-SHA-256 with the key type as info, then FIPS 186-5 A.2.1 (extra random bits).
        """
        if not 16 <= len(seed) <= MAX_SEED:
            raise KeyInvalid(reason="the seed must have 16 to 1,024 bytes")
        size = _SECRET_LENGTH.get(key_type, 0)
        material = HKDF(
            hashes.SHA256(), size + 16, salt=None, info=b"zhenglian/key/v1\0" + key_type.encode()
        ).derive(seed)
        if key_type == "Bls12381G2":
            return cls(bbs.BbsSecretKey.derive(material))
        if key_type in _CURVES:
            scalar = int.from_bytes(material, "big") % (_CURVES[key_type].order - 1) + 1
            material = scalar.to_bytes(size, "big")
        return cls.from_bytes(key_type, material[:size], deterministic=deterministic)

    def to_bytes(self) -> bytes:
        """The secret itself, for `credentials.keyfile.seal` and nothing else."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey):
            return self._key.private_bytes_raw()
        if isinstance(self._key, bbs.BbsSecretKey):
            return self._key.to_bytes()
        return self._key.private_numbers().private_value.to_bytes(self._size, "big")

    @classmethod
    def from_multikey(cls, text: str, *, deterministic: bool = False) -> Self:
        """Read a `secretKeyMultibase`. Raises KeyInvalid."""
        data = _multikey_bytes(text)
        key_type = _TYPE_OF_SECRET.get(data[:2])
        if key_type is None:
            raise KeyInvalid(reason=_FOREIGN)
        if (text[0] == "u") != (key_type in _SPELT_IN_BASE64):
            raise KeyInvalid(reason="it is not spelt as its type is")
        return cls.from_bytes(key_type, data[2:], deterministic=deterministic)
