"""eddsa-rdfc-2022: Ed25519 over the canonical RDF of a document. Source: VC-DI-EDDSA §3.2."""

from __future__ import annotations

from typing import Final

from credentials.proofs import rdfc
from credentials.proofs.plain import PlainSuite

EDDSA_RDFC_2022: Final = PlainSuite("eddsa-rdfc-2022", frozenset({"Ed25519"}), rdfc.hash_data)
