"""The anchor of a credential, and the digest of a presentation.

The anchor is what the chain records of a credential: SHA-256 over a label and the part of the
issuer's signature that every presentation shows. Guarantees: the issued credential and all its
derived forms have the same anchor; it tells nothing about the person, because a signature has
far too much entropy to be guessed from it.

Not guaranteed: anchors are not secret, and two presentations of one credential show the same
one. An anchor that is absent from the chain proves nothing by itself: whoever presents a
credential can turn its ECDSA signature (r, s) into (r, -s), which has another anchor that nobody
recorded, so a missing anchor must never be taken for a good sign.

bbs-2023: the issued credential has an anchor, which its issuer records and its holder can check;
what a holder derives has none, for it would link all presentations of the credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import rfc8785

from credentials.errors import (
    AnchorHidden,
    EncodingInvalid,
    LimitExceeded,
    ProofMalformed,
    ProofMissing,
)
from credentials.multibase import multibase_base64, multibase_decode
from credentials.proofs.bbs_2023_values import BaseValue, DerivedValue, is_base_value

ANCHOR_LENGTH: Final = 32
_LABEL: Final = b"zhenglian/anchor/v1\0"

# ecdsa-sd-2023 (VC-DI-ECDSA §3.5.2, §3.5.7): a header that tells base from derived, then an array
# of five whose first element is the base signature, a byte string of 64.
_SD_SUITE: Final = "ecdsa-sd-2023"
_SD_HEADERS: Final = (b"\xd9\x5d\x00", b"\xd9\x5d\x01")
_SD_ARRAY: Final = b"\x85\x58\x40"
_SD_SIGNATURE: Final = 64

_BBS_SUITE: Final = "bbs-2023"
_BASE64_SUITES: Final = ("mldsa44-jcs-2024", "mldsa44-rdfc-2024")


def anchor_of(secured: Mapping[str, Any]) -> bytes:
    """The 32-byte anchor of a credential with one proof, issued or derived.

    Raises AnchorHidden for what was derived under bbs-2023, ProofMissing, ProofMalformed.
    """
    return sha256(_LABEL + issuer_signature(secured)).digest()


def issuer_signature(secured: Mapping[str, Any]) -> bytes:
    """The part of the issuer's proof that every presentation shows. Does not verify it.

    Raises AnchorHidden, ProofMissing, ProofMalformed.
    """
    proof = secured.get("proof")
    if proof is None:
        raise ProofMissing
    if isinstance(proof, list) and len(proof) == 1:
        proof = proof[0]
    if not isinstance(proof, Mapping):
        # Several signatures would give several anchors, and a choice to whoever presents them.
        raise ProofMalformed(reason="the credential must have exactly one")
    value = proof.get("proofValue")
    if proof.get("cryptosuite") == _BBS_SUITE:
        if is_base_value(value):
            return BaseValue.decode(value).signature
        DerivedValue.decode(value)
        raise AnchorHidden
    selective = proof.get("cryptosuite") == _SD_SUITE
    try:
        spelling = "u" if selective or proof.get("cryptosuite") in _BASE64_SUITES else "z"
        data = multibase_decode(value, spelling) if isinstance(value, str) else b""
    except (EncodingInvalid, LimitExceeded) as error:
        raise ProofMalformed(reason="its value is not multibase") from error
    if not selective:
        if not data:
            raise ProofMalformed(reason="its value is missing")
        return data
    start = len(_SD_HEADERS[0]) + len(_SD_ARRAY)
    signature = data[start : start + _SD_SIGNATURE]
    if data[:3] not in _SD_HEADERS or data[3:start] != _SD_ARRAY or len(signature) != _SD_SIGNATURE:
        raise ProofMalformed(reason="its value holds no base signature")
    return signature


def presentation_digest(document: Mapping[str, Any]) -> str:
    """SHA-256 (multibase) over the canonical JSON (RFC 8785) of a presentation.

    Names the presentation in access records and receipts; wallet and desk compute the same.
    Raises ProofMalformed for a document that has no canonical JSON.
    """
    try:
        return multibase_base64(sha256(rfc8785.dumps(dict(document))).digest())
    except rfc8785.CanonicalizationError as error:
        raise ProofMalformed(reason="the presentation has no canonical JSON") from error
