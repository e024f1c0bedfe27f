"""The JSON cryptosuites: ecdsa-jcs-2019 and eddsa-jcs-2022.

Both sign the hash of the proof's own JSON text followed by the hash of the document's, each in
the one form that RFC 8785 gives it. Sources: VC-DI-ECDSA §3.3, VC-DI-EDDSA §3.3.

A signature over JSON hides nothing, so these suites alone would need no gate. The gate runs all
the same, for what reads a credential here goes by terms: a member that no context defines would
be shown as signed and mean nothing, and a document that passes with one suite would be refused
with another. There is no option to leave it out: a document without contexts has no use here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from credentials.canonical.jcs import canonical_json
from credentials.errors import EncodingInvalid, LimitExceeded, ProofMalformed
from credentials.keys import SIGNATURE_LENGTH, KeyType, PublicKey, Signer
from credentials.multibase import multibase_base58, multibase_decode
from credentials.proofs.rdfc import DIGEST
from credentials.proofs.suite import ProofInput


def hash_json(options: Mapping[str, Any], document: Mapping[str, Any], key_type: KeyType) -> bytes:
    """Hash of the proof without its value, then hash of the document (VC-DI-ECDSA §3.3.4).

    Raises what `canonical_json` raises.
    """
    digest = DIGEST[key_type]
    combined: bytes = (
        digest(canonical_json(options)).digest() + digest(canonical_json(document)).digest()
    )
    return combined


def hash_data(proof_input: ProofInput, key_type: KeyType) -> bytes:
    """What is signed, once the gate let it pass. Raises what the gate and `hash_json` do."""
    # Earlier proofs that this one covers are plain statements to the gate, too.
    proof_input.canonicalizer.quads(proof_input.document)
    return hash_json(proof_input.options, proof_input.document, key_type)


@dataclass(frozen=True)
class JcsSuite:
    """A plain JSON cryptosuite."""

    name: str
    key_types: frozenset[KeyType]
    carries_context: bool = True

    def sign(
        self, proof_input: ProofInput, signer: Signer, mandatory_pointers: Sequence[str]
    ) -> str:
        if mandatory_pointers:
            raise ProofMalformed(reason=f"{self.name} always shows the whole document")
        return multibase_base58(signer.sign(hash_data(proof_input, signer.public_key.type)))

    def verify(
        self, proof_input: ProofInput, proof_value: str, key: PublicKey, *, accept_base: bool
    ) -> None:
        signature = self.signature(proof_value, key.type)
        key.verify(signature, hash_data(proof_input, key.type))

    def signature(self, proof_value: str, key_type: KeyType) -> bytes:
        """The signature in a `proofValue`. Raises ProofMalformed."""
        try:
            # §3.3.2 step 4: base58btc, and nothing else.
            signature = multibase_decode(proof_value, allowed="z")
        except (EncodingInvalid, LimitExceeded) as error:
            raise ProofMalformed(reason="its value is not base58") from error
        if len(signature) != SIGNATURE_LENGTH[key_type]:
            raise ProofMalformed(reason="its value has the wrong length")
        return signature


EDDSA_JCS_2022: Final = JcsSuite("eddsa-jcs-2022", frozenset({"Ed25519"}))
ECDSA_JCS_2019: Final = JcsSuite("ecdsa-jcs-2019", frozenset({"P-256", "P-384"}))
