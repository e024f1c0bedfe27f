"""Plain cryptosuites: one signature over the hash of the proof options and that of the document.

They hide nothing: the proof covers the whole document. They differ in their keys, in the canonical
form that is hashed (`credentials.proofs.rdfc`, `credentials.proofs.jcs`), and in how a proof value
is spelt. Each suite is a file of its own that says so and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256, sha384
from typing import Any, Final, Literal

from credentials.errors import EncodingInvalid, LimitExceeded, ProofMalformed
from credentials.keys import SIGNATURE_LENGTH, KeyType, PublicKey, Signer
from credentials.multibase import multibase_base58, multibase_base64, multibase_decode
from credentials.proofs.suite import ProofInput
from schemas.errors import Phrase

# VC-DI-ECDSA §3.2.3, §3.2.4: the curve chooses the hash, also for labelling blank nodes.
DIGEST: Final[Mapping[KeyType, Callable[[bytes], Any]]] = {
    "P-256": sha256,
    "P-384": sha384,
    "Ed25519": sha256,
    "ML-DSA-44": sha256,
}

HashData = Callable[[ProofInput, KeyType], bytes]
"""What is signed; raises what the canonicalization raises."""

_SPELL: Final[Mapping[str, Callable[[bytes], str]]] = {"z": multibase_base58, "u": multibase_base64}
_NAMED: Final = {"z": "base58", "u": "base64url"}


@dataclass(frozen=True)
class PlainSuite:
    """A plain cryptosuite. `base` is the multibase prefix of its proof values."""

    name: str
    key_types: frozenset[KeyType]
    hash_data: HashData
    carries_context: bool = False
    base: Literal["z", "u"] = "z"

    def sign(
        self, proof_input: ProofInput, signer: Signer, mandatory_pointers: Sequence[str]
    ) -> str:
        if mandatory_pointers:
            raise ProofMalformed(
                reason=Phrase("{name} always shows the whole document", name=self.name)
            )
        data = self.hash_data(proof_input, signer.public_key.type)
        return _SPELL[self.base](signer.sign(data))

    def verify(
        self, proof_input: ProofInput, proof_value: str, key: PublicKey, *, accept_base: bool
    ) -> None:
        signature = self.signature(proof_value, key.type)
        key.verify(signature, self.hash_data(proof_input, key.type))

    def signature(self, proof_value: str, key_type: KeyType) -> bytes:
        """The signature in a `proofValue`, in the suite's own base and no other.

        Raises ProofMalformed.
        """
        try:
            signature = multibase_decode(proof_value, allowed=self.base)
        except (EncodingInvalid, LimitExceeded) as error:
            raise ProofMalformed(
                reason=Phrase("its value is not {what}", what=_NAMED[self.base])
            ) from error
        if len(signature) != SIGNATURE_LENGTH[key_type]:
            raise ProofMalformed(reason="its value has the wrong length")
        return signature
