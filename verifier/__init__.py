"""The department's desk: asks for claims, verifies answers offline, accounts for every look."""

from verifier.desk import Desk, MadeRequest, SyncReport, Verdict
from verifier.pipeline import Answer, Finding, VerifiedClaims, judge

__all__ = [
    "Answer",
    "Desk",
    "Finding",
    "MadeRequest",
    "SyncReport",
    "Verdict",
    "VerifiedClaims",
    "judge",
]
