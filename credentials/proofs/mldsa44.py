"""mldsa44-rdfc-2024 and mldsa44-jcs-2024: signatures that a quantum computer does not break.

Experimental. The draft may still change what is signed, and says itself that it is for no
production use; so these suites are in no default table (see `credentials.proofs.table`). As the
other plain suites they sign the hash of the proof options, then that of the document, with
SHA-256; a proof value is the 2,420 bytes of the signature in base64url. Unlike the older JSON
suites, mldsa44-jcs-2024 does not copy the document's `@context` into the proof.

Source: Quantum-Resistant Cryptosuites (VC-DI-QR), W3C First Public Working Draft, 2026-06-16, and
the signed documents of the Community Group's report of 2026-04-22.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from credentials.errors import EncodingInvalid, LimitExceeded, ProofMalformed
from credentials.keys import SIGNATURE_LENGTH, KeyType, PublicKey, Signer
from credentials.multibase import multibase_base64, multibase_decode
from credentials.proofs import jcs, rdfc
from credentials.proofs.suite import ProofInput

_KEY_TYPE: Final[KeyType] = "ML-DSA-44"


@dataclass(frozen=True)
class MlDsaSuite:
    """A suite of ML-DSA-44; `hash_data` gives what it signs."""

    name: str
    hash_data: Callable[[ProofInput, KeyType], bytes]
    key_types: frozenset[KeyType] = frozenset({_KEY_TYPE})
    carries_context: bool = False

    def sign(
        self, proof_input: ProofInput, signer: Signer, mandatory_pointers: Sequence[str]
    ) -> str:
        if mandatory_pointers:
            raise ProofMalformed(reason=f"{self.name} always shows the whole document")
        return multibase_base64(signer.sign(self.hash_data(proof_input, _KEY_TYPE)))

    def verify(
        self, proof_input: ProofInput, proof_value: str, key: PublicKey, *, accept_base: bool
    ) -> None:
        try:
            # §2.2.1: base64url without padding, and nothing else.
            signature = multibase_decode(proof_value, allowed="u")
        except (EncodingInvalid, LimitExceeded) as error:
            raise ProofMalformed(reason="its value is not base64url") from error
        if len(signature) != SIGNATURE_LENGTH[_KEY_TYPE]:
            raise ProofMalformed(reason="its value has the wrong length")
        key.verify(signature, self.hash_data(proof_input, _KEY_TYPE))


MLDSA44_RDFC_2024: Final = MlDsaSuite("mldsa44-rdfc-2024", rdfc.hash_data)
MLDSA44_JCS_2024: Final = MlDsaSuite("mldsa44-jcs-2024", jcs.hash_data)
