"""Selective disclosure: the holder's step between what was issued and what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from credentials.canonical import Canonicalizer, default_canonicalizer
from credentials.errors import CryptosuiteUnknown, ProofMalformed, ProofMissing
from credentials.proofs.suite import Cryptosuite, DisclosingSuite, SuiteOptions, configured
from credentials.proofs.table import CRYPTOSUITES


def derive(
    document: Mapping[str, Any],
    selective_pointers: Iterable[str],
    *,
    canonicalizer: Canonicalizer | None = None,
    suites: Mapping[str, Cryptosuite] = CRYPTOSUITES,
    suite_options: SuiteOptions | None = None,
) -> dict[str, Any]:
    """What `document` shows when its holder shows the mandatory and the `selective_pointers`.

    The document carries one base proof of a selective-disclosure suite, which the holder checked
    on receipt (`verify_credential(…, accept_base=True)`); it is not checked again here.
    `suite_options` are what that suite is asked beyond the pointers.

    Raises CryptosuiteUnknown for a suite that always shows everything, SuiteOptionsRefused,
    PointerUnknown, PointerInvalid, NothingDisclosed, ProofMissing, ProofMalformed.
    """
    proof = document.get("proof")
    if proof is None:
        raise ProofMissing
    if isinstance(proof, list) and len(proof) == 1:
        proof = proof[0]
    if not isinstance(proof, Mapping):
        raise ProofMalformed(reason="the document must have exactly one")
    name = proof.get("cryptosuite")
    suite = suites.get(name) if isinstance(name, str) else None
    suite = None if suite is None else configured(suite, suite_options)
    if not isinstance(suite, DisclosingSuite):
        raise CryptosuiteUnknown(cryptosuite=str(name)[:64])
    return suite.derive(document, selective_pointers, canonicalizer or default_canonicalizer())
