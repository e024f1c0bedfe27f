"""The BBS signature scheme: one signature over many messages, proofs that show some of them.

Guarantees, against a holder and against whoever stands between: a proof verifies only if its
maker knows a signature of the key over exactly the shown messages at their places, the header,
and as many hidden messages as the proof says; it was made for this presentation header. Against
verifiers and issuers who compare notes: two proofs of one signature tell nothing beyond what they
show, the header and the number of messages.

Not guaranteed: constant time. The curve arithmetic (arkworks) makes no such promise, and Python's
does not either: whoever can time an issuer or a wallet closely may learn about its secrets. No
forward security against quantum computers for unforgeability; hiding does not depend on it.

The interfaces with committed messages and pseudonyms (`credentials.bbs.blind`) run the same core
with more generators. Source: draft-irtf-cfrg-bbs-signatures §3.6, §3.7.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from credentials.bbs.ciphersuite import (
    BP2,
    CIPHERSUITE_ID,
    EXPAND,
    IDENTITY,
    MINUS_BP2,
    ONE,
    P1,
    SCALAR,
    Generators,
    check_size,
    domain,
    generators,
    hash_to_scalar,
    messages_to_scalars,
)
from credentials.bbs.encoding import (
    Proof,
    Signature,
    read_public_key,
    read_scalar,
    write_points,
    write_scalars,
)
from credentials.errors import BbsIndexesInvalid, BbsMalformed, SignatureInvalid

RandomScalars = Callable[[int], list[Scalar]]
"""§4.2.1: so many independent, uniform scalars. Two proofs with the same ones give the secrets
away, so anything but the default is for test vectors."""

KEY_MATERIAL: Final = 32
"""Least bytes of key material (§3.4.1)."""
MAX_KEY_MATERIAL: Final = 1024
MAX_KEY_INFO: Final = 65535


def fresh_scalars(count: int) -> list[Scalar]:
    """§4.2.1 from the operating system's randomness."""
    return [Scalar.from_be_bytes_mod_order(secrets.token_bytes(EXPAND)) for _ in range(count)]


# Keys


@dataclass(frozen=True, slots=True)
class BbsPublicKey:
    """A checked public key: its 96 octets and its point of G2."""

    raw: bytes
    point: G2Point

    @classmethod
    def decode(cls, raw: bytes) -> BbsPublicKey:
        """Raises BbsMalformed unless `raw` is a point of the subgroup, not the identity."""
        return cls(bytes(raw), read_public_key(raw))


class BbsSecretKey:
    """A secret scalar and its public key. Never printed, compared or pickled."""

    __slots__ = ("_scalar", "public")

    def __init__(self, secret: bytes) -> None:
        """`secret`: 32 bytes, big-endian. Raises BbsMalformed for zero and for r or more."""
        if len(secret) != SCALAR:
            raise BbsMalformed(what="secret key", reason="its length is wrong")
        self._scalar = read_scalar(secret, "secret key")
        point = BP2 * self._scalar
        self.public: Final = BbsPublicKey(point.to_compressed_bytes(), point)

    @classmethod
    def derive(
        cls,
        key_material: bytes,
        key_info: bytes = b"",
        key_dst: bytes = CIPHERSUITE_ID + b"KEYGEN_DST_",
    ) -> BbsSecretKey:
        """§3.4.1 KeyGen: the key that this secret material always leads to."""
        if not KEY_MATERIAL <= len(key_material) <= MAX_KEY_MATERIAL:
            raise BbsMalformed(what="key material", reason="its length is wrong")
        if len(key_info) > MAX_KEY_INFO:
            raise BbsMalformed(what="key information", reason="its length is wrong")
        derived = hash_to_scalar(
            key_material + len(key_info).to_bytes(2, "big") + key_info, key_dst
        )
        return cls(derived.to_be_bytes())

    def __repr__(self) -> str:
        return f"BbsSecretKey({self.public.raw.hex()[:16]}…, secret hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("private keys are not pickled; seal them with credentials.keyfile")

    def to_bytes(self) -> bytes:
        """The secret itself, for sealing and nothing else."""
        return self._scalar.to_be_bytes()

    def finish(
        self, points: list[G1Point], scalars: list[Scalar], hashed: bytes, dst: bytes
    ) -> bytes:
        """A = B × 1/(SK + e) for B = Σ points × scalars, in one multiplication of many; e from
        the secret key and what is signed (§3.6.1 steps 2 to 5)."""
        e = hash_to_scalar(self._scalar.to_be_bytes() + hashed, dst)
        total = self._scalar + e
        if total.is_zero():  # one chance in r; the draft wants it caught
            raise BbsMalformed(what="signature", reason="a scalar is out of range")
        inverse = total.inverse()
        return Signature(add_up(points, [scalar * inverse for scalar in scalars]), e).encode()


def add_up(points: Sequence[G1Point], scalars: Sequence[Scalar]) -> G1Point:
    """Σ points × scalars. The library would ignore what one list has too many of."""
    if len(points) != len(scalars):
        raise AssertionError("as many points as scalars")
    return G1Point.multiexp_unchecked(list(points), list(scalars))


# The core (§3.6), for every interface: messages are scalars already


def base_point(points: Generators, domain_scalar: Scalar, scalars: Sequence[Scalar]) -> G1Point:
    """B = P1 + Q_1 × domain + H_1 × msg_1 + … (§3.6.1 step 3), as far as `scalars` go."""
    return P1 + add_up([points.q1, *points.h[: len(scalars)]], [domain_scalar, *scalars])


def check_signature(
    public: BbsPublicKey,
    signature: bytes,
    points: Generators,
    header: bytes,
    scalars: Sequence[Scalar],
) -> None:
    """§3.6.2 CoreVerify. Raises SignatureInvalid, BbsMalformed."""
    if len(scalars) != len(points.h):
        raise BbsIndexesInvalid
    parsed = Signature.decode(signature)
    base = base_point(points, domain(public.raw, points, header), scalars)
    if not GT.pairing_check([parsed.a, parsed.a * parsed.e - base], [public.point, BP2]):
        raise SignatureInvalid


@dataclass(frozen=True, slots=True)
class Nym:
    """A pseudonym that a proof carries, and the point of its context, of which it is a multiple.

    The factor is the last message of the signature, which is never shown.
    """

    context: G1Point
    pseudonym: G1Point


def _challenge(
    points: Generators,
    shown: Sequence[tuple[int, Scalar]],
    commitments: tuple[G1Point, ...],
    domain_scalar: Scalar,
    presentation_header: bytes,
) -> Scalar:
    """§3.7.4 ProofChallengeCalculate; with a pseudonym, its points precede the domain."""
    check_size(presentation_header)
    parts = [len(shown).to_bytes(8, "big")]
    for index, scalar in shown:
        parts += (index.to_bytes(8, "big"), scalar.to_be_bytes())
    parts += (
        write_points(*commitments),
        write_scalars(domain_scalar),
        len(presentation_header).to_bytes(8, "big"),
        presentation_header,
    )
    return hash_to_scalar(b"".join(parts), points.challenge_dst)


def check_indexes(indexes: Sequence[int], total: int) -> None:
    """Indexes of shown messages are ascending, distinct and below `total`."""
    previous = -1
    for index in indexes:
        if type(index) is not int or not previous < index < total:
            raise BbsIndexesInvalid
        previous = index


def make_proof(
    public: BbsPublicKey,
    signature: bytes,
    points: Generators,
    header: bytes,
    presentation_header: bytes,
    scalars: Sequence[Scalar],
    indexes: Sequence[int],
    *,
    nym: Nym | None,
    random_scalars: RandomScalars,
) -> bytes:
    """§3.6.3 CoreProofGen; with `nym`, CoreProofGenWithNym (the last message is its secret)."""
    parsed = Signature.decode(signature)
    count = len(scalars)
    check_indexes(indexes, count if nym is None else count - 1)
    chosen = set(indexes)
    hidden = [index for index in range(count) if index not in chosen]
    randoms = random_scalars(5 + len(hidden))
    if len(randoms) != 5 + len(hidden) or randoms[0].is_zero() or randoms[1].is_zero():
        raise BbsMalformed(what="randomness", reason="a scalar is out of range")
    r1, r2, e_tilde, r1_tilde, r3_tilde, *m_tilde = randoms

    # §3.7.1 ProofInit
    domain_scalar = domain(public.raw, points, header)
    d = base_point(points, domain_scalar, scalars) * r2
    a_bar = parsed.a * (r1 * r2)
    b_bar = add_up([d, a_bar], [r1, -parsed.e])
    t1 = add_up([a_bar, d], [e_tilde, r1_tilde])
    t2 = add_up([d, *[points.h[index] for index in hidden]], [r3_tilde, *m_tilde])
    commitments: tuple[G1Point, ...] = (a_bar, b_bar, d, t1, t2)
    if nym is not None:
        commitments = (*commitments, nym.pseudonym, nym.context, nym.context * m_tilde[-1])

    challenge = _challenge(
        points,
        [(index, scalars[index]) for index in indexes],
        commitments,
        domain_scalar,
        presentation_header,
    )
    # §3.7.2 ProofFinalize
    return Proof(
        a_bar,
        b_bar,
        d,
        e_tilde + parsed.e * challenge,
        r1_tilde - r1 * challenge,
        r3_tilde - r2.inverse() * challenge,
        tuple(
            tilde + scalars[index] * challenge for tilde, index in zip(m_tilde, hidden, strict=True)
        ),
        challenge,
    ).encode()


def check_proof(
    public: BbsPublicKey,
    proof: Proof,
    points: Generators,
    header: bytes,
    presentation_header: bytes,
    scalars: Sequence[Scalar],
    indexes: Sequence[int],
    *,
    nym: Nym | None,
) -> None:
    """§3.6.4 CoreProofVerify, or CoreProofVerifyWithNym. Raises SignatureInvalid."""
    count = len(points.h)
    check_indexes(indexes, count if nym is None else count - 1)
    chosen = set(indexes)
    hidden = [index for index in range(count) if index not in chosen]
    if len(scalars) != len(indexes) or len(hidden) != len(proof.hidden):
        raise BbsIndexesInvalid

    # §3.7.3 ProofVerifyInit
    domain_scalar = domain(public.raw, points, header)
    c = proof.challenge
    t1 = add_up([proof.b_bar, proof.a_bar, proof.d], [c, proof.e, proof.r1])
    # Bv × c and what is hidden, in one multiplication of many.
    t2 = add_up(
        [
            P1,
            points.q1,
            *[points.h[index] for index in indexes],
            proof.d,
            *[points.h[index] for index in hidden],
        ],
        [c, domain_scalar * c, *[scalar * c for scalar in scalars], proof.r3, *proof.hidden],
    )
    commitments: tuple[G1Point, ...] = (proof.a_bar, proof.b_bar, proof.d, t1, t2)
    if nym is not None:
        again = add_up([nym.context, nym.pseudonym], [proof.hidden[-1], -c])
        if again == IDENTITY:
            raise SignatureInvalid
        commitments = (*commitments, nym.pseudonym, nym.context, again)
    challenge = _challenge(
        points,
        list(zip(indexes, scalars, strict=True)),
        commitments,
        domain_scalar,
        presentation_header,
    )
    if not hmac.compare_digest(challenge.to_be_bytes(), c.to_be_bytes()):
        raise SignatureInvalid
    if not GT.pairing_check([proof.a_bar, proof.b_bar], [public.point, MINUS_BP2]):
        raise SignatureInvalid


# The interface of the signature draft (§3.5)


def sign(secret: BbsSecretKey, header: bytes, messages: Sequence[bytes]) -> bytes:
    """§3.5.1 Sign: 80 bytes. Deterministic. Raises LimitExceeded."""
    scalars = messages_to_scalars(messages)
    points = generators(len(scalars))
    domain_scalar = domain(secret.public.raw, points, header)
    return secret.finish(
        [P1, points.q1, *points.h],
        [ONE, domain_scalar, *scalars],
        write_scalars(*scalars, domain_scalar),
        points.challenge_dst,
    )


def verify(
    public: BbsPublicKey, signature: bytes, header: bytes, messages: Sequence[bytes]
) -> None:
    """§3.5.2 Verify. Raises SignatureInvalid, BbsMalformed, LimitExceeded."""
    scalars = messages_to_scalars(messages)
    check_signature(public, signature, generators(len(scalars)), header, scalars)


def prove(
    public: BbsPublicKey,
    signature: bytes,
    header: bytes,
    presentation_header: bytes,
    messages: Sequence[bytes],
    indexes: Sequence[int],
    *,
    random_scalars: RandomScalars = fresh_scalars,
) -> bytes:
    """§3.5.3 ProofGen: shows the messages at `indexes` (ascending). Trusts the signature.

    Raises BbsIndexesInvalid, BbsMalformed, LimitExceeded.
    """
    scalars = messages_to_scalars(messages)
    return make_proof(
        public,
        signature,
        generators(len(scalars)),
        header,
        presentation_header,
        scalars,
        indexes,
        nym=None,
        random_scalars=random_scalars,
    )


def verify_proof(
    public: BbsPublicKey,
    proof: bytes,
    header: bytes,
    presentation_header: bytes,
    messages: Sequence[bytes],
    indexes: Sequence[int],
) -> None:
    """§3.5.4 ProofVerify: `messages` are the shown ones, at `indexes` of all that were signed.

    Raises SignatureInvalid, BbsIndexesInvalid, BbsMalformed, LimitExceeded.
    """
    parsed = Proof.decode(proof)
    scalars = messages_to_scalars(messages)
    check_proof(
        public,
        parsed,
        generators(len(scalars) + len(parsed.hidden)),
        header,
        presentation_header,
        scalars,
        indexes,
        nym=None,
    )
