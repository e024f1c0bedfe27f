"""The plain RDF cryptosuites: eddsa-rdfc-2022 and ecdsa-rdfc-2019.

Both sign the hash of the canonical proof options followed by the hash of the canonical document;
they differ in the key and, for P-384, the hash. The proof covers the whole document: nothing can
be left out of it. Sources: VC-DI-EDDSA §3.2, VC-DI-ECDSA §3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256, sha384
from typing import Any, Final

from credentials.errors import EncodingInvalid, LimitExceeded, ProofMalformed
from credentials.keys import SIGNATURE_LENGTH, KeyType, PublicKey, Signer
from credentials.multibase import multibase_base58, multibase_decode
from credentials.proofs.options import canonical_options
from credentials.proofs.suite import ProofInput

# VC-DI-ECDSA §3.2.3, §3.2.4: the curve chooses the hash, also for labelling blank nodes.
DIGEST: Final[Mapping[KeyType, Callable[[bytes], Any]]] = {
    "P-256": sha256,
    "P-384": sha384,
    "Ed25519": sha256,
    "ML-DSA-44": sha256,
}


def hash_data(proof_input: ProofInput, key_type: KeyType) -> bytes:
    """What is signed: hash of the options, then hash of the document (VC-DI-ECDSA §3.2.4)."""
    digest = DIGEST[key_type]
    canonicalizer = proof_input.canonicalizer
    options = canonical_options(proof_input.options, canonicalizer, digest).encode("utf-8")
    document = canonicalizer.canonicalize(proof_input.document, digest).text.encode("utf-8")
    combined: bytes = digest(options).digest() + digest(document).digest()
    return combined


@dataclass(frozen=True)
class RdfcSuite:
    """A plain RDF cryptosuite."""

    name: str
    key_types: frozenset[KeyType]
    carries_context: bool = False

    def sign(
        self, proof_input: ProofInput, signer: Signer, mandatory_pointers: Sequence[str]
    ) -> str:
        if mandatory_pointers:
            raise ProofMalformed(reason=f"{self.name} always shows the whole document")
        return multibase_base58(signer.sign(hash_data(proof_input, signer.public_key.type)))

    def verify(
        self,
        proof_input: ProofInput,
        proof_value: str,
        key: PublicKey,
        *,
        accept_base: bool,
    ) -> None:
        try:
            # §3.2.2 step 3: base58btc, and nothing else.
            signature = multibase_decode(proof_value, allowed="z")
        except (EncodingInvalid, LimitExceeded) as error:
            raise ProofMalformed(reason="its value is not base58") from error
        if len(signature) != SIGNATURE_LENGTH[key.type]:
            raise ProofMalformed(reason="its value has the wrong length")
        key.verify(signature, hash_data(proof_input, key.type))


EDDSA_RDFC_2022: Final = RdfcSuite("eddsa-rdfc-2022", frozenset({"Ed25519"}))
ECDSA_RDFC_2019: Final = RdfcSuite("ecdsa-rdfc-2019", frozenset({"P-256", "P-384"}))
