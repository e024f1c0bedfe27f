"""ecdsa-rdfc-2019: ECDSA over the canonical RDF of a document. Source: VC-DI-ECDSA §3.2."""

from __future__ import annotations

from typing import Final

from credentials.proofs import rdfc
from credentials.proofs.plain import PlainSuite

ECDSA_RDFC_2019: Final = PlainSuite(
    "ecdsa-rdfc-2019", frozenset({"P-256", "P-384"}), rdfc.hash_data
)
