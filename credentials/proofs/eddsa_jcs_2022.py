"""eddsa-jcs-2022: Ed25519 over the canonical JSON of a document. Source: VC-DI-EDDSA §3.3."""

from __future__ import annotations

from typing import Final

from credentials.proofs import jcs
from credentials.proofs.plain import PlainSuite

EDDSA_JCS_2022: Final = PlainSuite(
    "eddsa-jcs-2022", frozenset({"Ed25519"}), jcs.hash_data, carries_context=True
)
