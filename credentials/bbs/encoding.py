"""Octets of BBS: strict reading of points, scalars, signatures and proofs.

Guarantees, against whoever writes the octets: every point that is read lies in its subgroup of
prime order and is not the identity; every scalar is between 1 and r - 1; nothing is left over;
one value has one spelling. Whatever breaks this is a `BbsMalformed`.

Sources: draft-irtf-cfrg-bbs-signatures §4.2.4; draft-irtf-cfrg-bbs-blind-signatures, Serialize.
"""

from __future__ import annotations

from dataclasses import dataclass

from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from credentials.bbs.ciphersuite import IDENTITY, MAX_MESSAGES, POINT, PUBLIC_KEY, SCALAR
from credentials.errors import BbsMalformed, LimitExceeded

_G2_IDENTITY = G2Point.identity()


def read_point(data: bytes, what: str) -> G1Point:
    """A point of G1 from its compressed form (octets_to_point_E1 and subgroup_check_G1)."""
    if len(data) != POINT:
        raise BbsMalformed(what=what, reason="its length is wrong")
    try:
        point = G1Point.from_compressed_bytes(data)
    except ValueError:
        raise BbsMalformed(what=what, reason="it is not a point of its group") from None
    if point == IDENTITY:
        raise BbsMalformed(what=what, reason="it is the identity")
    if point.to_compressed_bytes() != data:
        raise BbsMalformed(what=what, reason="it is not a point of its group")
    return point


def read_public_key(data: bytes) -> G2Point:
    """§4.2.4.6 octets_to_pubkey."""
    what = "public key"
    if len(data) != PUBLIC_KEY:
        raise BbsMalformed(what=what, reason="its length is wrong")
    try:
        point = G2Point.from_compressed_bytes(data)
    except ValueError:
        raise BbsMalformed(what=what, reason="it is not a point of its group") from None
    if point == _G2_IDENTITY:
        raise BbsMalformed(what=what, reason="it is the identity")
    if point.to_compressed_bytes() != data:
        raise BbsMalformed(what=what, reason="it is not a point of its group")
    return point


def read_scalar(data: bytes, what: str) -> Scalar:
    """A scalar that is neither zero nor spelt with a multiple of r added."""
    try:
        scalar = Scalar.from_be_bytes(data)
    except ValueError:
        raise BbsMalformed(what=what, reason="a scalar is out of range") from None
    if scalar.is_zero():
        raise BbsMalformed(what=what, reason="a scalar is out of range")
    return scalar


def _read_scalars(data: bytes, least: int, what: str) -> list[Scalar]:
    count, rest = divmod(len(data), SCALAR)
    if rest or count < least:
        raise BbsMalformed(what=what, reason="its length is wrong")
    if count > least + 2 * MAX_MESSAGES:
        raise LimitExceeded(what="number of signed messages", limit=MAX_MESSAGES)
    return [
        read_scalar(data[start : start + SCALAR], what) for start in range(0, len(data), SCALAR)
    ]


def write_points(*points: G1Point) -> bytes:
    """Points one after the other, compressed."""
    return b"".join([point.to_compressed_bytes() for point in points])


def write_scalars(*scalars: Scalar) -> bytes:
    """Scalars one after the other, big-endian."""
    return b"".join([scalar.to_be_bytes() for scalar in scalars])


@dataclass(frozen=True, slots=True)
class Signature:
    """(A, e) of §4.2.4.2."""

    a: G1Point
    e: Scalar

    def encode(self) -> bytes:
        return write_points(self.a) + write_scalars(self.e)

    @classmethod
    def decode(cls, data: bytes) -> Signature:
        """octets_to_signature. Raises BbsMalformed."""
        what = "signature"
        if len(data) != POINT + SCALAR:
            raise BbsMalformed(what=what, reason="its length is wrong")
        return cls(read_point(data[:POINT], what), read_scalar(data[POINT:], what))


@dataclass(frozen=True, slots=True)
class Proof:
    """(Abar, Bbar, D, e^, r1^, r3^, (m^_1, …), c) of §4.2.4.4."""

    a_bar: G1Point
    b_bar: G1Point
    d: G1Point
    e: Scalar
    r1: Scalar
    r3: Scalar
    hidden: tuple[Scalar, ...]
    challenge: Scalar

    def encode(self) -> bytes:
        return write_points(self.a_bar, self.b_bar, self.d) + write_scalars(
            self.e, self.r1, self.r3, *self.hidden, self.challenge
        )

    @classmethod
    def decode(cls, data: bytes) -> Proof:
        """octets_to_proof. Raises BbsMalformed, LimitExceeded."""
        what = "proof"
        points = 3 * POINT
        # The cheap checks first: points cost more than all else.
        e, r1, r3, *hidden, challenge = _read_scalars(data[points:], 4, what)
        a_bar, b_bar, d = (
            read_point(data[start : start + POINT], what) for start in range(0, points, POINT)
        )
        return cls(a_bar, b_bar, d, e, r1, r3, tuple(hidden), challenge)


@dataclass(frozen=True, slots=True)
class CommitmentProof:
    """A commitment C and the proof (s^, (m^_1, …), c) that its maker can open it."""

    commitment: G1Point
    blind: Scalar
    messages: tuple[Scalar, ...]
    challenge: Scalar

    def encode(self) -> bytes:
        return write_points(self.commitment) + write_scalars(
            self.blind, *self.messages, self.challenge
        )

    @classmethod
    def decode(cls, data: bytes) -> CommitmentProof:
        """octets_to_commitment_with_proof. Raises BbsMalformed, LimitExceeded."""
        what = "commitment"
        blind, *messages, challenge = _read_scalars(data[POINT:], 2, what)
        return cls(read_point(data[:POINT], what), blind, tuple(messages), challenge)
