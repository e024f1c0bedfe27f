"""mldsa44-rdfc-2024: a signature that a quantum computer does not break, over canonical RDF.

Experimental. The draft may still change what is signed, and says itself that it is for no
production use; so the suite is in no default table (see `credentials.proofs.table`). A proof value
is the 2,420 bytes of the signature in base64url (§2.2.1).

Source: Quantum-Resistant Cryptosuites (VC-DI-QR), W3C First Public Working Draft, 2026-06-16, and
the signed documents of the Community Group's report of 2026-04-22.
"""

from __future__ import annotations

from typing import Final

from credentials.proofs import rdfc
from credentials.proofs.plain import PlainSuite

MLDSA44_RDFC_2024: Final = PlainSuite(
    "mldsa44-rdfc-2024", frozenset({"ML-DSA-44"}), rdfc.hash_data, base="u"
)
