"""ecdsa-jcs-2019: ECDSA over the canonical JSON of a document. Source: VC-DI-ECDSA §3.3."""

from __future__ import annotations

from typing import Final

from credentials.proofs import jcs
from credentials.proofs.plain import PlainSuite

ECDSA_JCS_2019: Final = PlainSuite(
    "ecdsa-jcs-2019", frozenset({"P-256", "P-384"}), jcs.hash_data, carries_context=True
)
