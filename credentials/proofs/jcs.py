"""What the JSON cryptosuites sign (VC-DI-ECDSA §3.3.4, VC-DI-EDDSA §3.3.4).

A signature over JSON hides nothing, so these suites alone would need no gate. The gate runs all
the same, for what reads a credential here goes by terms: a member that no context defines would
be shown as signed and mean nothing, and a document that passes with one suite would be refused
with another. There is no option to leave it out: a document without contexts has no use here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from credentials.canonical.jcs import canonical_json
from credentials.keys import KeyType
from credentials.proofs.plain import DIGEST
from credentials.proofs.suite import ProofInput


def hash_json(options: Mapping[str, Any], document: Mapping[str, Any], key_type: KeyType) -> bytes:
    """Hash of the proof without its value, then hash of the document, each in its one form.

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
