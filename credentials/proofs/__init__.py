"""Proofs on documents: Data Integrity and its cryptosuites."""

from __future__ import annotations

from credentials.proofs.bbs_2023_options import BbsChecking, BbsIssuing, BbsShowing
from credentials.proofs.credential import (
    UnverifiedCredential,
    VerifiedCredential,
    verify_credential,
)
from credentials.proofs.disclosure import derive
from credentials.proofs.integrity import (
    CLOCK_SKEW,
    VerifiedDocument,
    VerifiedProof,
    add_proof,
    verify_proof,
)
from credentials.proofs.suite import SuiteOptions
from credentials.proofs.table import (
    ALL_CRYPTOSUITES,
    CRYPTOSUITES,
    WITH_EXPERIMENTAL,
    WITH_LEGACY,
)

__all__ = [
    "ALL_CRYPTOSUITES",
    "CLOCK_SKEW",
    "CRYPTOSUITES",
    "WITH_EXPERIMENTAL",
    "WITH_LEGACY",
    "BbsChecking",
    "BbsIssuing",
    "BbsShowing",
    "SuiteOptions",
    "UnverifiedCredential",
    "VerifiedCredential",
    "VerifiedDocument",
    "VerifiedProof",
    "add_proof",
    "derive",
    "verify_credential",
    "verify_proof",
]
