"""BBS signatures (draft-irtf-cfrg-bbs-signatures) over BLS12-381 with SHA-256.

One signature covers many messages; a proof shows some of them, and proofs cannot be linked. With
the companion drafts on blind signatures and pseudonyms. Bytes in, bytes out.
"""

from __future__ import annotations

from credentials.bbs.blind import (
    Opening,
    blind_sign,
    check_commitment,
    commit,
    prove_blind,
    verify_blind,
    verify_blind_proof,
)
from credentials.bbs.ciphersuite import MAX_MESSAGES
from credentials.bbs.scheme import (
    KEY_MATERIAL,
    BbsPublicKey,
    BbsSecretKey,
    RandomScalars,
    prove,
    sign,
    verify,
    verify_proof,
)

__all__ = [
    "KEY_MATERIAL",
    "MAX_MESSAGES",
    "BbsPublicKey",
    "BbsSecretKey",
    "Opening",
    "RandomScalars",
    "blind_sign",
    "check_commitment",
    "commit",
    "prove",
    "prove_blind",
    "sign",
    "verify",
    "verify_blind",
    "verify_blind_proof",
    "verify_proof",
]
