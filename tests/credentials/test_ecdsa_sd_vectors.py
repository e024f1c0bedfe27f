"""ecdsa-sd-2023 against the W3C's vectors: every intermediate step, byte for byte."""

from __future__ import annotations

import base64
import json
import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from credentials.canonical import Canonicalizer
from credentials.contexts import bundled_contexts
from credentials.keys import PrivateKey, PublicKey
from credentials.multibase import multibase_base58
from credentials.proofs import ecdsa_sd_2023 as sd
from credentials.proofs.selective import (
    group,
    hidden_labels,
    parse_pointer,
    select_document,
    step_into,
)

VECTORS = Path(os.environ.get("ZL_VECTORS", Path(__file__).parents[3] / "shared" / "vectors"))
SUITE = VECTORS / "w3c-vc-di-ecdsa"

pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="the W3C vectors are not here")

CASES = {"employ": "employ", "prc": "prCred"}


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@lru_cache
def canonicalizer() -> Canonicalizer:
    return Canonicalizer(
        bundled_contexts().extended(
            {
                "https://w3id.org/citizenship/v4rc1": (
                    VECTORS / "contexts" / "citizenship-v4rc1.jsonld"
                ).read_bytes()
            }
        )
    )


def load(case: str, name: str) -> Any:
    return json.loads((SUITE / "ecdsa-sd-2023" / case / name).read_text())


def material() -> tuple[PrivateKey, PrivateKey, bytes]:
    keys = json.loads((SUITE / "ecdsa-sd-2023" / "SDKeyMaterial.json").read_text())
    return (
        PrivateKey.from_multikey(keys["baseKeyPair"]["secretKeyMultibase"], deterministic=True),
        PrivateKey.from_multikey(keys["proofKeyPair"]["secretKeyMultibase"], deterministic=True),
        bytes.fromhex(keys["hmacKeyString"]),
    )


def unsigned(case: str) -> dict[str, Any]:
    # The prCredUnsigned.json that comes with the vectors has another description than the one
    # they were made from; what was signed stands in the signed document.
    signed: dict[str, Any] = load(case, "addSignedSDBase.json")
    return {key: value for key, value in signed.items() if key != "proof"}


def test_the_unsigned_card_differs_from_the_signed_one_in_its_description_alone() -> None:
    card, signed = json.loads((SUITE / "prCredUnsigned.json").read_text()), unsigned("prc")
    assert {name for name in card.keys() | signed.keys() if card.get(name) != signed.get(name)} == {
        "description"
    }


def pointers(case: str, kind: str) -> list[str]:
    found: list[str] = json.loads((SUITE / f"{CASES[case]}{kind}.json").read_text())
    return found


def options(case: str) -> dict[str, Any]:
    return {k: v for k, v in load(case, "addProofConfig.json").items() if k != "@context"}


def test_canonical_document_and_hidden_labels(case: str) -> None:
    document = unsigned(case)
    assert list(canonicalizer().canonicalize(document).nquads) == load(case, "addBaseDocCanon.json")
    grouped = group(document, canonicalizer(), material()[2])
    assert list(grouped.lines) == load(case, "addBaseDocHMACCanon.json")


def test_hmac_is_over_the_label_without_its_prefix() -> None:
    _, _, key = material()
    assert hidden_labels(["_:c14n1", ""], key) == [
        "_:u3Lv2QpFgo-YAegc1cQQKWJFW2sEjQF6FfuZ0VEoMKHg",
        "",
    ]


def test_mandatory_pointers_name_their_values(case: str) -> None:
    for entry in load(case, "addPointerValues.json"):
        value: Any = unsigned(case)
        for step in parse_pointer(entry["pointer"]):
            value = step_into(value, step, entry["pointer"])
        assert value == entry["value"]


def test_groups_of_the_base_proof(case: str) -> None:
    expected = load(case, "addBaseTransform.json")
    assert pointers(case, "Mandatory") == expected["mandatoryPointers"]
    grouped = group(unsigned(case), canonicalizer(), material()[2])
    chosen = grouped.select(expected["mandatoryPointers"])
    for name, wanted in (("mandatory", True), ("nonMandatory", False)):
        assert [
            [index, line]
            for index, (line, mark) in enumerate(zip(grouped.lines, chosen, strict=True))
            if mark is wanted
        ] == expected[name]["value"]


def test_hashes_of_the_base_proof(case: str) -> None:
    config = canonicalizer().canonicalize(load(case, "addProofConfig.json"))
    assert config.text == (SUITE / "ecdsa-sd-2023" / case / "addProofConfigCanon.txt").read_text()
    expected = load(case, "addHashData.json")
    assert sha256(config.text.encode()).hexdigest() == expected["proofHash"]
    grouped = group(unsigned(case), canonicalizer(), material()[2])
    mandatory = grouped.select(pointers(case, "Mandatory"))
    text = "".join(x for x, mark in zip(grouped.lines, mandatory, strict=True) if mark)
    assert sha256(text.encode()).hexdigest() == expected["mandatoryHash"]


def base_proof(case: str) -> dict[str, Any]:
    signer, proof_key, hmac_key = material()
    return sd.create_base_proof(
        unsigned(case),
        proof_options=options(case),
        signer=signer,
        mandatory_pointers=pointers(case, "Mandatory"),
        canonicalizer=canonicalizer(),
        hmac_key=hmac_key,
        proof_key=proof_key,
    )


def test_base_proof(case: str) -> None:
    proof = base_proof(case)
    raw = load(case, "addRawBaseSignatureInfo.json")
    value = sd.BaseValue.decode(proof["proofValue"])
    assert value.base_signature.hex() == raw["baseSignature"]
    assert [signature.hex() for signature in value.signatures] == raw["signatures"]
    assert {**unsigned(case), "proof": proof} == load(case, "addSignedSDBase.json")


def test_recovered_base_data(case: str) -> None:
    signed = load(case, "addSignedSDBase.json")
    value = sd.BaseValue.decode(signed["proof"]["proofValue"])
    expected = load(case, "derivedRecoveredBaseData.json")
    assert value.base_signature.hex() == expected["baseSignature"]
    assert multibase_base58(value.proof_key) == expected["proofPublicKey"]
    assert value.hmac_key.hex() == expected["hmacKey"]
    assert [signature.hex() for signature in value.signatures] == expected["signatures"]
    assert list(value.mandatory_pointers) == expected["mandatoryPointers"]


def test_base_proof_verifies(case: str) -> None:
    sd.verify_base(
        load(case, "addSignedSDBase.json"),
        public_key=material()[0].public_key,
        canonicalizer=canonicalizer(),
    )


def test_groups_of_the_derived_proof(case: str) -> None:
    grouped = group(unsigned(case), canonicalizer(), material()[2])
    mandatory, selective = pointers(case, "Mandatory"), pointers(case, "Selective")
    marks = {
        "mandatory": grouped.select(mandatory),
        "selective": grouped.select(selective),
        "combined": grouped.select([*mandatory, *selective]),
    }
    indexes = load(case, "derivedGroupIndexes.json")
    groups = load(case, "derivedAllGroupData.json")["groups"]
    for name, chosen in marks.items():
        positions = [index for index, mark in enumerate(chosen) if mark]
        assert positions == indexes[f"{name}Indexes"]
        assert [[i, grouped.lines[i]] for i in positions] == groups[name]["matching"]["value"]
        others = [index for index, mark in enumerate(chosen) if not mark]
        assert [[i, grouped.lines[i]] for i in others] == groups[name]["nonMatching"]["value"]


def test_revealed_document_and_derived_proof(case: str) -> None:
    assert select_document(
        unsigned(case), [*pointers(case, "Mandatory"), *pointers(case, "Selective")]
    ) == load(case, "derivedUnsignedReveal.json")
    derived = sd.derive_proof(
        load(case, "addSignedSDBase.json"),
        selective_pointers=pointers(case, "Selective"),
        canonicalizer=canonicalizer(),
    )
    value = sd.DerivedValue.decode(derived["proof"]["proofValue"])
    data = load(case, "derivedDisclosureData.json")
    assert value.base_signature.hex() == data["baseSignature"]
    assert multibase_base58(value.proof_key) == data["publicKey"]
    assert [signature.hex() for signature in value.signatures] == data["signatures"]
    assert [
        [f"c14n{n}", "u" + base64.urlsafe_b64encode(label).rstrip(b"=").decode()]
        for n, label in value.labels.items()
    ] == data["labelMap"]["value"]
    assert list(value.mandatory) == data["mandatoryIndexes"]
    assert load(case, "derivedAdjMandatoryIndexes.json")["adjMandatoryIndexes"] == list(
        value.mandatory
    )
    filtered = load(case, "derivedAdjSignatures.json")["filteredSignatures"]
    assert [signature.hex() for signature in value.signatures] == filtered
    assert derived == load(case, "derivedRevealDocument.json")


def test_derived_proof_verifies(case: str) -> None:
    document = load(case, "derivedRevealDocument.json")
    value = sd.verify_derived(
        document, public_key=material()[0].public_key, canonicalizer=canonicalizer()
    )
    expected = load(case, "verifyDerivedProofValue.json")
    assert value.base_signature.hex() == expected["baseSignature"]
    assert [signature.hex() for signature in value.signatures] == expected["signatures"]
    assert list(value.mandatory) == expected["mandatoryIndexes"]
    assert PublicKey.from_multikey(expected["publicKey"]).tagged() == value.proof_key


def test_statements_that_the_verifier_sees(case: str) -> None:
    document = load(case, "derivedRevealDocument.json")
    unsecured, proof = sd._split(document)
    proof_input = sd._input(unsecured, proof, canonicalizer())
    value = sd.DerivedValue.decode(proof["proofValue"])
    lines = sd._relabelled(proof_input, value)
    assert lines == load(case, "verifyNQuads.json")
    expected = load(case, "verifyCreateVerifyData.json")
    others = [line for i, line in enumerate(lines) if i not in set(value.mandatory)]
    assert others == expected["nonMandatory"]
    assert sd._proof_hash(proof_input).hex() == expected["proofHash"]
    mandatory = [line for i, line in enumerate(lines) if i in set(value.mandatory)]
    assert sd._mandatory_hash(mandatory).hex() == expected["mandatoryHash"]
