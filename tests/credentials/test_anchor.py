"""Anchors: one credential, one anchor, whatever is shown of it."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from credentials.anchor import ANCHOR_LENGTH, anchor_of, issuer_signature, presentation_digest
from credentials.errors import ProofMalformed, ProofMissing
from credentials.multibase import multibase_base58, multibase_base64, multibase_decode

VECTORS = Path(os.environ.get("ZL_VECTORS", "../shared/vectors"))
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the published vectors are not here (ZL_VECTORS)"
)
SIGNATURE = bytes(range(64))
REST = b"\x58\x23" + bytes(35) + b"\x80\xa0\x80"


def secured(header: str, body: bytes = b"\x85\x58\x40" + SIGNATURE + REST) -> dict[str, Any]:
    value = multibase_base64(bytes.fromhex(header) + body)
    return {"proof": {"cryptosuite": "ecdsa-sd-2023", "proofValue": value}}


def test_base_and_derived_have_the_same_anchor() -> None:
    expected = hashlib.sha256(b"zhenglian/anchor/v1\x00" + SIGNATURE).digest()
    assert anchor_of(secured("d95d00")) == anchor_of(secured("d95d01")) == expected
    assert len(expected) == ANCHOR_LENGTH
    listed = {"proof": [secured("d95d01")["proof"]]}
    assert anchor_of(listed) == expected


def test_the_plain_suites_anchor_the_proof_value() -> None:
    document = {
        "proof": {"cryptosuite": "eddsa-rdfc-2022", "proofValue": multibase_base58(SIGNATURE)}
    }
    assert issuer_signature(document) == SIGNATURE


@needs_vectors
@pytest.mark.parametrize("sample", ["prc", "employ"])
def test_published_base_and_derived_credentials(sample: str) -> None:
    folder = VECTORS / "w3c-vc-di-ecdsa" / "ecdsa-sd-2023" / sample
    base = json.loads((folder / "addSignedSDBase.json").read_text())
    derived = json.loads((folder / "derivedRevealDocument.json").read_text())
    raw = json.loads((folder / "addRawBaseSignatureInfo.json").read_text())
    assert issuer_signature(base).hex() == raw["baseSignature"]
    assert anchor_of(base) == anchor_of(derived)


@pytest.mark.parametrize(
    "document",
    [
        secured("d95d02"),
        secured("d95d"),
        secured("d95d00", b""),
        secured("d95d00", b"\x85\x58\x40" + SIGNATURE[:-1]),
        secured("d95d00", b"\x84\x58\x40" + SIGNATURE + REST),
        secured("d95d00", b"\x85\x58\x41" + SIGNATURE + REST),
        {"proof": {"cryptosuite": "ecdsa-sd-2023"}},
        {"proof": {"cryptosuite": "ecdsa-sd-2023", "proofValue": multibase_base58(SIGNATURE)}},
        {"proof": {"cryptosuite": "eddsa-rdfc-2022", "proofValue": multibase_base64(SIGNATURE)}},
        {"proof": {"cryptosuite": "eddsa-rdfc-2022", "proofValue": "z"}},
        {"proof": {"cryptosuite": "eddsa-rdfc-2022", "proofValue": 5}},
        {"proof": [secured("d95d01")["proof"], secured("d95d01")["proof"]]},
        {"proof": []},
        {"proof": "x"},
    ],
)
def test_proofs_without_one_signature(document: dict[str, Any]) -> None:
    with pytest.raises(ProofMalformed):
        anchor_of(document)


def test_an_unsigned_document_has_no_anchor() -> None:
    with pytest.raises(ProofMissing):
        anchor_of({"type": "VerifiableCredential"})


def test_the_digest_of_a_presentation_does_not_depend_on_the_order_of_members() -> None:
    document = {"type": ["VerifiablePresentation"], "proof": {"a": "1", "b": "二"}}
    turned = {"proof": {"b": "二", "a": "1"}, "type": ["VerifiablePresentation"]}
    digest = presentation_digest(document)
    assert presentation_digest(turned) == digest
    assert len(multibase_decode(digest, "u")) == 32
    other = copy.deepcopy(document)
    other["proof"] = {"a": "2", "b": "二"}
    assert presentation_digest(other) != digest
    with pytest.raises(ProofMalformed):
        presentation_digest({"a": float("nan")})
