"""mldsa44-jcs-2024: a signature that a quantum computer does not break, over canonical JSON.

Experimental, as `mldsa44_rdfc_2024` says. Unlike the older JSON suites it does not copy the
document's `@context` into the proof. Source: VC-DI-QR, as there.
"""

from __future__ import annotations

from typing import Final

from credentials.proofs import jcs
from credentials.proofs.plain import PlainSuite

MLDSA44_JCS_2024: Final = PlainSuite(
    "mldsa44-jcs-2024", frozenset({"ML-DSA-44"}), jcs.hash_data, base="u"
)
