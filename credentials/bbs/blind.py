"""BBS with messages that the signer never sees: committed secrets, and pseudonyms made from them.

A holder commits to secrets and proves that it knows them; the signer signs the commitment
together with its own messages. A proof then needs the secrets, and shows nothing of them. With a
*nym secret* among them, a proof also carries a pseudonym: a point that is the same whenever the
same secret meets the same context (say, one verifier), and unlinkable between contexts.

Guarantees: only who knows the committed secrets can make a proof, even with the credential in
hand; the nym secret is the sum of the holder's part and the signer's, so that no holder chooses
another's. Not guaranteed: that a context belongs to whoever asks for it (the caller compares), and
that secrets are strong: a committed secret of low entropy is hidden by the blinding factor, but
whoever can copy it can use it.

Where draft text and the vectors of the W3C (February 2025) disagree, this follows the vectors:
  - draft-irtf-cfrg-bbs-blind-signatures computes the domain over (H_1 … H_L, J_1 … J_M) in
    FinalizeBlindSign and over all generators in CoreVerify. Signatures only verify with all of
    them, Q_2 included.
  - B_calculate leaves out P1 and Q_1 × domain, without which no signature would verify.
  - FinalizeBlindSign hashes (SK, B, domain) to e; the signatures of the vectors hash (SK, B).
  - draft-irtf-cfrg-bbs-per-verifier-linkability: one nym secret (later drafts have a vector of
    them), and BlindSign's own count of generators.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from py_arkworks_bls12381 import G1Point, Scalar

from credentials.bbs.ciphersuite import (
    CIPHERSUITE_ID,
    IDENTITY,
    MAX_MESSAGES,
    ONE,
    SCALAR,
    Generators,
    blind_generators,
    check_size,
    domain,
    generators,
    hash_to_scalar,
    messages_to_scalars,
)
from credentials.bbs.encoding import (
    CommitmentProof,
    Proof,
    read_point,
    read_scalar,
    write_points,
)
from credentials.bbs.scheme import (
    BbsPublicKey,
    BbsSecretKey,
    Nym,
    RandomScalars,
    add_up,
    base_point,
    check_proof,
    check_signature,
    fresh_scalars,
    make_proof,
)
from credentials.errors import (
    BbsCommitmentInvalid,
    BbsIndexesInvalid,
    BbsMalformed,
    LimitExceeded,
    SignatureInvalid,
)

BLIND_API_ID: Final = CIPHERSUITE_ID + b"BLIND_H2G_HM2S_"
NYM_API_ID: Final = CIPHERSUITE_ID + b"H2G_HM2S_PSEUDONYM_"

MAX_COMMITTED: Final = 16
"""Secrets under one commitment; there are one or two."""


def _api(with_nym: bool) -> bytes:
    return NYM_API_ID if with_nym else BLIND_API_ID


# What the holder keeps


@dataclass(frozen=True, slots=True)
class Opening:
    """The holder's secrets behind a commitment. `repr` shows none of them.

    `committed` are the messages, `blind` the 32-byte blinding factor, `nym` the 32-byte nym
    secret, or None for a credential without pseudonyms. Before issuance `nym` is the holder's
    own part (prover_nym); `with_entropy` adds the signer's.
    """

    committed: tuple[bytes, ...]
    blind: bytes
    nym: bytes | None = None

    def __repr__(self) -> str:
        return f"Opening({len(self.committed)} committed, secrets hidden)"

    def with_entropy(self, entropy: bytes) -> Opening:
        """nym_secret = prover_nym + signer_nym_entropy mod r (VerifyFinalizeWithNym step 2)."""
        if self.nym is None:
            raise BbsMalformed(what="nym secret", reason="its length is wrong")
        total = read_nym(self.nym) + read_nym(entropy)
        if total.is_zero():
            raise BbsMalformed(what="nym secret", reason="a scalar is out of range")
        return Opening(self.committed, self.blind, total.to_be_bytes())

    def scalars(self) -> list[Scalar]:
        """The blinding factor, the messages and the nym secret, as the signature has them."""
        found = [
            read_scalar(self.blind, "blinding factor"),
            *messages_to_scalars(self.committed, _api(self.nym is not None)),
        ]
        if self.nym is not None:
            found.append(read_nym(self.nym))
        return found


def read_nym(data: bytes) -> Scalar:
    """A nym secret or a part of one: 32 bytes, big-endian, 1 to r - 1. Raises BbsMalformed."""
    if len(data) != SCALAR:
        raise BbsMalformed(what="nym secret", reason="its length is wrong")
    return read_scalar(data, "nym secret")


# Commitments


def commit(
    committed: Sequence[bytes],
    *,
    prover_nym: bytes | None = None,
    random_scalars: RandomScalars = fresh_scalars,
) -> tuple[bytes, Opening]:
    """A commitment with its proof, for the signer, and its opening, for the holder alone.

    Blind draft, Commit; with `prover_nym` (32 bytes) CommitWithNym.
    """
    if len(committed) > MAX_COMMITTED:
        raise LimitExceeded(what="number of committed messages", limit=MAX_COMMITTED)
    api_id = _api(prover_nym is not None)
    scalars = messages_to_scalars(committed, api_id)
    if prover_nym is not None:
        scalars.append(read_nym(prover_nym))
    randoms = random_scalars(len(scalars) + 2)
    if len(randoms) != len(scalars) + 2 or randoms[0].is_zero():
        raise BbsMalformed(what="randomness", reason="a scalar is out of range")
    blind, s_tilde, *m_tilde = randoms
    points, octets = blind_generators(len(scalars) + 1, api_id)
    commitment = add_up(points, [blind, *scalars])
    c_bar = add_up(points, [s_tilde, *m_tilde])
    challenge = _commitment_challenge(commitment, c_bar, octets, api_id)
    proof = CommitmentProof(
        commitment,
        s_tilde + blind * challenge,
        tuple(tilde + scalar * challenge for tilde, scalar in zip(m_tilde, scalars, strict=True)),
        challenge,
    )
    return proof.encode(), Opening(tuple(committed), blind.to_be_bytes(), prover_nym)


def _commitment_challenge(
    commitment: G1Point, c_bar: G1Point, octets: Sequence[bytes], api_id: bytes
) -> Scalar:
    """Blind draft, calculate_blind_challenge."""
    return hash_to_scalar(
        (len(octets) - 1).to_bytes(8, "big") + b"".join(octets) + write_points(commitment, c_bar),
        api_id + b"H2S_",
    )


def check_commitment(commitment_with_proof: bytes, *, with_nym: bool) -> CommitmentProof:
    """Blind draft, CoreCommitVerify: its maker can open it. Raises BbsCommitmentInvalid."""
    api_id = _api(with_nym)
    parsed = CommitmentProof.decode(commitment_with_proof)
    if len(parsed.messages) > MAX_COMMITTED + 1:
        raise LimitExceeded(what="number of committed messages", limit=MAX_COMMITTED)
    if with_nym and not parsed.messages:
        raise BbsMalformed(what="commitment", reason="its length is wrong")
    points, octets = blind_generators(len(parsed.messages) + 1, api_id)
    c_bar = add_up(
        [*points, parsed.commitment], [parsed.blind, *parsed.messages, -parsed.challenge]
    )
    expected = _commitment_challenge(parsed.commitment, c_bar, octets, api_id)
    if not hmac.compare_digest(expected.to_be_bytes(), parsed.challenge.to_be_bytes()):
        raise BbsCommitmentInvalid
    return parsed


# Signatures


def blind_sign(
    secret: BbsSecretKey,
    commitment_with_proof: bytes,
    header: bytes,
    messages: Sequence[bytes],
    *,
    nym_entropy: bytes | None = None,
) -> bytes:
    """Blind draft, BlindSign; with `nym_entropy` (32 bytes) BlindSignWithNym.

    Raises BbsCommitmentInvalid, BbsMalformed, LimitExceeded.
    """
    with_nym = nym_entropy is not None
    parsed = check_commitment(commitment_with_proof, with_nym=with_nym)
    scalars = messages_to_scalars(messages, _api(with_nym))
    points = generators(len(scalars), len(parsed.messages) + 1, _api(with_nym))
    domain_scalar = domain(secret.public.raw, points, header)
    base = base_point(points, domain_scalar, scalars) + parsed.commitment
    if nym_entropy is not None:
        base += points.h[-1] * read_nym(nym_entropy)
    if base == IDENTITY:
        raise BbsMalformed(what="commitment", reason="it is the identity")
    return secret.finish([base], [ONE], write_points(base), points.challenge_dst)


def verify_blind(
    public: BbsPublicKey,
    signature: bytes,
    header: bytes,
    messages: Sequence[bytes],
    opening: Opening,
) -> None:
    """What the holder checks on receipt (blind draft, Verify; VerifyFinalizeWithNym).

    Raises SignatureInvalid, BbsMalformed, LimitExceeded.
    """
    points, scalars = _everything(messages, opening)
    check_signature(public, signature, points, header, scalars)


def _everything(messages: Sequence[bytes], opening: Opening) -> tuple[Generators, list[Scalar]]:
    """Blind draft, prepare_parameters."""
    api_id = _api(opening.nym is not None)
    hidden = opening.scalars()
    return (
        generators(len(messages), len(hidden), api_id),
        [*messages_to_scalars(messages, api_id), *hidden],
    )


# Proofs


def context_point(context: bytes) -> G1Point:
    """The point that a context's pseudonyms are multiples of."""
    check_size(context)
    return G1Point.hash_to_curve(context, NYM_API_ID)


def prove_blind(
    public: BbsPublicKey,
    signature: bytes,
    header: bytes,
    presentation_header: bytes,
    messages: Sequence[bytes],
    indexes: Sequence[int],
    opening: Opening,
    *,
    context: bytes | None = None,
    random_scalars: RandomScalars = fresh_scalars,
) -> tuple[bytes, bytes | None]:
    """The proof, and with a nym secret the pseudonym (48 bytes) for `context`.

    Blind draft, BlindProofGen; ProofGenWithNym. No committed message is ever shown.
    Raises BbsIndexesInvalid, BbsMalformed, LimitExceeded.
    """
    points, scalars = _everything(messages, opening)
    if indexes and indexes[-1] >= len(messages):
        raise BbsIndexesInvalid
    nym = None
    if opening.nym is not None:
        if context is None:
            raise BbsMalformed(what="context", reason="it is missing")
        point = context_point(context)
        nym = Nym(point, point * scalars[-1])
    proof = make_proof(
        public,
        signature,
        points,
        header,
        presentation_header,
        scalars,
        indexes,
        nym=nym,
        random_scalars=random_scalars,
    )
    return proof, None if nym is None else write_points(nym.pseudonym)


def verify_blind_proof(
    public: BbsPublicKey,
    proof: bytes,
    header: bytes,
    presentation_header: bytes,
    messages: Sequence[bytes],
    indexes: Sequence[int],
    total: int,
    *,
    context: bytes | None = None,
    pseudonym: bytes | None = None,
) -> None:
    """Verify a proof over a signature with commitment. `total` is L: the signer's messages.

    Blind draft, BlindProofVerify; with `context` and `pseudonym`, ProofVerifyWithNym.
    Raises SignatureInvalid, BbsIndexesInvalid, BbsMalformed, LimitExceeded.
    """
    with_nym = context is not None
    if with_nym != (pseudonym is not None):
        raise BbsMalformed(what="pseudonym", reason="it is missing")
    parsed = Proof.decode(proof)
    if not 0 <= total <= MAX_MESSAGES:
        raise LimitExceeded(what="number of signed messages", limit=MAX_MESSAGES)
    blind = len(indexes) + len(parsed.hidden) - total
    # The blinding factor, and the nym secret, are always among what is hidden.
    if not 1 + with_nym <= blind <= MAX_COMMITTED + 2 or (indexes and indexes[-1] >= total):
        raise BbsIndexesInvalid
    nym = None
    if context is not None and pseudonym is not None:
        nym = Nym(context_point(context), read_point(pseudonym, "pseudonym"))
    scalars = messages_to_scalars(messages, _api(with_nym))
    check_proof(
        public,
        parsed,
        generators(total, blind, _api(with_nym)),
        header,
        presentation_header,
        scalars,
        indexes,
        nym=nym,
    )
    if nym is not None and nym.pseudonym == nym.context:  # nym secret 1: a pseudonym of anyone
        raise SignatureInvalid
