"""What the plain RDF cryptosuites sign (VC-DI-ECDSA §3.2.4, VC-DI-EDDSA §3.2.4)."""

from __future__ import annotations

from credentials.keys import KeyType
from credentials.proofs.options import canonical_options
from credentials.proofs.plain import DIGEST
from credentials.proofs.suite import ProofInput


def hash_data(proof_input: ProofInput, key_type: KeyType) -> bytes:
    """Hash of the canonical proof options, then hash of the canonical document."""
    digest = DIGEST[key_type]
    canonicalizer = proof_input.canonicalizer
    options = canonical_options(proof_input.options, canonicalizer, digest).encode("utf-8")
    document = canonicalizer.canonicalize(proof_input.document, digest).text.encode("utf-8")
    combined: bytes = digest(options).digest() + digest(document).digest()
    return combined
