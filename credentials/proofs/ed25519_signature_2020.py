"""Ed25519Signature2020: the signature suite that came before eddsa-rdfc-2022.

Legacy. What it signs is sound: the hash of the canonical proof options, then that of the canonical
document, as the plain RDF suites do. But its proofs have a type of their own and name no
cryptosuite, and VC-DI-EDDSA §3.1 is there to verify what was signed before; so it is in no default
table (see `credentials.proofs.table`). Nothing that is issued today needs it.

The proof covers the whole document. Source: VC-DI-EDDSA §3.1 and its vectors.
"""

from __future__ import annotations

from typing import Final

from credentials.proofs import rdfc
from credentials.proofs.plain import PlainSuite
from credentials.proofs.suite import ProofForm

NAME: Final = "Ed25519Signature2020"
CONTEXT: Final = "https://w3id.org/security/suites/ed25519-2020/v1"

ED25519_SIGNATURE_2020: Final = PlainSuite(NAME, frozenset({"Ed25519"}), rdfc.hash_data)
FORM: Final = ProofForm(NAME, CONTEXT, suite=NAME)
