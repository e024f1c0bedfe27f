"""COSE_Sign1: one signature over bytes, in CBOR, and nothing else of COSE.

Guarantees, against whoever writes or alters a message: the algorithm is decided by the key; the
protected header is strict CBOR without repeated keys, critical extensions are refused; a message
has one spelling; what was not verified has another type than what was.

Not guaranteed: who holds the key. `kid` is a claim by the message itself.

Sources: RFC 9052 §4, RFC 9053 §2, RFC 9864 §2, RFC 9596 (typ).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import cbor2

from credentials.errors import (
    CborMalformed,
    CborTruncated,
    CoseAlgorithmRefused,
    CoseMalformed,
    CoseTypeMismatch,
    LimitExceeded,
)
from credentials.keys import SIGNATURE_LENGTH, KeyType, PublicKey, Signer
from credentials.qr.cbor import MAX_BYTES, Cbor, read, write

MAX_MESSAGE: Final = 4 * 1024 * 1024
"""Bytes of a message: the largest carries a status list."""

ALG, CRIT, CONTENT_TYPE, KID, TYP = 1, 2, 3, 4, 16
"""Labels of header parameters (IANA COSE Header Parameters)."""

_SIGN1_TAG: Final = 0xD2  # tag 18 in its one-byte form
_ALGORITHM: Final[Mapping[KeyType, int]] = {
    "P-256": -7,
    "P-384": -35,
    "P-521": -36,
    "Ed25519": -8,
}
_KEY_TYPE: Final[Mapping[int, KeyType]] = {
    **{number: kind for kind, number in _ALGORITHM.items()},
    # RFC 9864: the fully specified names of the same algorithms.
    -9: "P-256",
    -51: "P-384",
    -52: "P-521",
    -19: "Ed25519",
}


@dataclass(frozen=True)
class VerifiedSign1:
    """A message whose signature was verified under `public_key`."""

    header: Mapping[int | str, Any]
    payload: bytes
    public_key: PublicKey


@dataclass(frozen=True)
class UnverifiedSign1:
    """A well-formed message. Nothing in it may be believed before `verify`."""

    header: Mapping[int | str, Any]
    payload: bytes
    unprotected: Mapping[int | str, Any]
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def kid(self) -> str | None:
        """The name of the key as text, from either header. Raises CoseMalformed."""
        kid = self.header.get(KID, self.unprotected.get(KID))
        if kid is None:
            return None
        try:
            return cast("bytes", kid).decode("utf-8")
        except (AttributeError, UnicodeDecodeError) as error:
            raise CoseMalformed(reason="kid is not the bytes of a text") from error

    def verify(self, public_key: PublicKey) -> VerifiedSign1:
        """Raises CoseAlgorithmRefused, SignatureInvalid."""
        if _KEY_TYPE.get(self.header[ALG]) != public_key.type:
            raise CoseAlgorithmRefused
        public_key.verify(self.signature, self.signed)
        return VerifiedSign1(self.header, self.payload, public_key)


def sign1(
    payload: bytes, *, typ: str, signer: Signer, header: Mapping[int, Cbor] | None = None
) -> bytes:
    """A tagged COSE_Sign1 message over `payload`; every header parameter is protected."""
    more: dict[int | str, Cbor] = dict((header or {}).items())
    if not more.keys().isdisjoint((ALG, CRIT, TYP)):
        raise CoseMalformed(reason="a header member is fixed or not allowed")
    algorithm = _ALGORITHM.get(signer.public_key.type)
    if algorithm is None:
        raise CoseAlgorithmRefused
    protected = write({ALG: algorithm, TYP: typ, **more})
    signature = signer.sign(_to_be_signed(protected, payload))
    return bytes([_SIGN1_TAG]) + cbor2.dumps([protected, {}, payload, signature])


def parse_sign1(message: bytes, *, typ: str | None = None) -> UnverifiedSign1:
    """Read a tagged COSE_Sign1 message. With `typ`, one of another kind is refused.

    Raises CoseMalformed, CoseAlgorithmRefused, CoseTypeMismatch, LimitExceeded.
    """
    if len(message) > MAX_MESSAGE:
        raise LimitExceeded(what="COSE message", limit=f"{MAX_MESSAGE} bytes")
    if message[:1] != bytes([_SIGN1_TAG]):
        raise CoseMalformed(reason="it is not tagged as COSE_Sign1")
    match _read(message[1:], MAX_MESSAGE):
        case [
            bytes() as protected,
            dict() as unprotected,
            bytes() as payload,
            bytes() as signature,
        ]:
            pass
        case _:
            raise CoseMalformed(reason="it does not have the four parts of COSE_Sign1")
    header = _read(protected) if protected else {}
    if not isinstance(header, dict):
        raise CoseMalformed(reason="its protected header is not a map")
    # RFC 9052 §3: a label stands in one header only. §3.1: what is critical must be understood.
    if not header.keys().isdisjoint(unprotected) or CRIT in header or CRIT in unprotected:
        raise CoseMalformed(reason="its header is ambiguous or asks for an extension")
    algorithm = header.get(ALG)
    if type(algorithm) is not int or algorithm not in _KEY_TYPE:
        raise CoseAlgorithmRefused
    if typ is not None:
        stated = header.get(TYP)
        if not isinstance(stated, str) or stated.lower() != typ:
            raise CoseTypeMismatch(expected=typ)
    if len(signature) != SIGNATURE_LENGTH[_KEY_TYPE[algorithm]]:
        raise CoseMalformed(reason="its signature has the wrong length")
    signed = _to_be_signed(protected, payload)
    return UnverifiedSign1(header, payload, unprotected, signed, signature)


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """The Sig_structure without external data (RFC 9052 §4.4)."""
    return cbor2.dumps(["Signature1", protected, b"", payload])


def _read(data: bytes, limit: int = MAX_BYTES) -> Cbor:
    try:
        return read(data, limit=limit)
    except (CborMalformed, CborTruncated) as error:
        raise CoseMalformed(reason="it is not strict CBOR") from error
