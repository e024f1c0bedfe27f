"""Proofs on documents: Data Integrity and its cryptosuites."""

from __future__ import annotations

from credentials.proofs.integrity import (
    CLOCK_SKEW,
    VerifiedDocument,
    VerifiedProof,
    add_proof,
    verify_proof,
)
from credentials.proofs.table import CRYPTOSUITES

__all__ = [
    "CLOCK_SKEW",
    "CRYPTOSUITES",
    "VerifiedDocument",
    "VerifiedProof",
    "add_proof",
    "verify_proof",
]
