"""Selective disclosure: the holder's step between what was issued and what is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from credentials.canonical import Canonicalizer, default_canonicalizer
from credentials.errors import CryptosuiteUnknown, ProofMalformed, ProofMissing
from credentials.proofs import bbs_2023, ecdsa_sd_2023

# The suites that can leave something out; another one adds a line.
_DERIVE: Final[Mapping[str, Callable[..., dict[str, Any]]]] = MappingProxyType(
    {
        ecdsa_sd_2023.NAME: ecdsa_sd_2023.derive_proof,
        bbs_2023.NAME: bbs_2023.derive_proof,
    }
)


def derive(
    document: Mapping[str, Any],
    selective_pointers: Iterable[str],
    *,
    canonicalizer: Canonicalizer | None = None,
) -> dict[str, Any]:
    """What `document` shows when its holder shows the mandatory and the `selective_pointers`.

    The document carries one base proof of a selective-disclosure suite, which the holder checked
    on receipt (`verify_credential(…, accept_base=True)`); it is not checked again here.

    Raises CryptosuiteUnknown for a suite that always shows everything, PointerUnknown,
    PointerInvalid, NothingDisclosed, ProofMissing, ProofMalformed.
    """
    proof = document.get("proof")
    if proof is None:
        raise ProofMissing
    if isinstance(proof, list) and len(proof) == 1:
        proof = proof[0]
    if not isinstance(proof, Mapping):
        raise ProofMalformed(reason="the document must have exactly one")
    suite = proof.get("cryptosuite")
    function = _DERIVE.get(suite) if isinstance(suite, str) else None
    if function is None:
        raise CryptosuiteUnknown(cryptosuite=str(suite)[:64])
    return function(
        document,
        selective_pointers=selective_pointers,
        canonicalizer=canonicalizer or default_canonicalizer(),
    )
