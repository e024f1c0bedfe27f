"""bbs-2023 against the W3C's vectors: every intermediate step, byte for byte, and the whole
through the general functions, which carry the options of the suite.

Five cases: the baseline twice, holder binding, pseudonym, and both.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from py_arkworks_bls12381 import Scalar

from credentials import bbs
from credentials.bbs import Opening, RandomScalars
from credentials.bbs.blind import BLIND_API_ID, NYM_API_ID
from credentials.bbs.ciphersuite import API_ID, EXPAND, expand_message, messages_to_scalars
from credentials.bbs.encoding import CommitmentProof
from credentials.canonical import Canonicalizer
from credentials.contexts import bundled_contexts
from credentials.dids import KeyResolver
from credentials.keys import PrivateKey, PublicKey
from credentials.proofs import (
    BbsChecking,
    BbsIssuing,
    BbsShowing,
    add_proof,
    derive,
    verify_proof,
)
from credentials.proofs import bbs_2023 as suite
from credentials.proofs.bbs_2023_values import PSEUDONYM, BaseValue, DerivedValue
from credentials.proofs.selective import (
    Grouped,
    group,
    parse_pointer,
    select_document,
    shuffled_labels,
    step_into,
)
from credentials.timestamps import parse_timestamp

VECTORS = Path(os.environ.get("ZL_VECTORS", Path(__file__).parents[3] / "shared" / "vectors"))
SUITE = VECTORS / "w3c-vc-di-bbs"

pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="the W3C vectors are not here")

WIND, PRC = ".", "prc"
FEATURES = ("HolderBinding", "Pseudonym", "PseudonymHB")
CASES = (WIND, PRC, *FEATURES)
POINTERS = {WIND: "wind", PRC: "prCred"}
API_IDS = {"HolderBinding": BLIND_API_ID, "Pseudonym": NYM_API_ID, "PseudonymHB": NYM_API_ID}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=FEATURES)
def feature(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@lru_cache
def canonicalizer() -> Canonicalizer:
    files = {
        "https://w3id.org/citizenship/v4rc1": "citizenship-v4rc1.jsonld",
        "https://w3id.org/vdl/v1": "vdl-v1.jsonld",
        "https://w3id.org/vdl/aamva/v1": "vdl-aamva-v1.jsonld",
    }
    contexts = {url: (VECTORS / "contexts" / name).read_bytes() for url, name in files.items()}
    # One of the documents brings its context with it.
    return Canonicalizer(bundled_contexts().extended(contexts), inline_contexts=True)


def load(case: str, name: str) -> Any:
    return json.loads((SUITE / case / f"{name}.json").read_text())


def hex_of(folder: str, name: str, member: str) -> bytes:
    # One of them has an odd number of digits.
    digits: str = load(folder, name)[member]
    return bytes.fromhex(digits.rjust(64, "0"))


def signer() -> PrivateKey:
    keys = load(".", "BBSKeyMaterial")
    key = PrivateKey.from_bytes("Bls12381G2", bytes.fromhex(keys["privateKeyHex"]))
    assert key.public_key.raw.hex() == keys["publicKeyHex"]
    return key


def hmac_key() -> bytes:
    return bytes.fromhex(load(".", "BBSKeyMaterial")["hmacKeyString"])


def presentation_header() -> bytes:
    return bytes.fromhex(load(".", "BBSDeriveMaterial")["presentationHeaderHex"])


def mocked(api_id: bytes) -> RandomScalars:
    """The random numbers of the vectors: their tag is the interface's identifier alone."""
    seed = bytes.fromhex(load(".", "BBSDeriveMaterial")["pseudoRandSeedHex"])

    def scalars(count: int) -> list[Scalar]:
        stream = expand_message(seed, api_id, EXPAND * count)
        return [
            Scalar.from_be_bytes_mod_order(stream[start : start + EXPAND])
            for start in range(0, EXPAND * count, EXPAND)
        ]

    return scalars


def unsigned(case: str) -> dict[str, Any]:
    # The prCredUnsigned.json that comes with the vectors has another description than the one
    # they were made from; what was signed stands in the signed document.
    signed: dict[str, Any] = load(case, "addSignedSDBase")
    document = {key: value for key, value in signed.items() if key != "proof"}
    if case == WIND:
        assert document == load(".", "windDoc")
    elif case != PRC:
        assert document == load("FeatureInputs", "license")
    return document


def pointers(case: str, kind: str) -> list[str]:
    if case in FEATURES:
        found: list[str] = load("FeatureInputs", f"license{kind}")
    else:
        found = load(".", POINTERS[case] + kind)
    return found


def options(case: str) -> dict[str, Any]:
    return {k: v for k, v in load(case, "addProofConfig").items() if k != "@context"}


def grouped(case: str) -> Grouped:
    return group(unsigned(case), canonicalizer(), hmac_key(), shuffled_labels)


def before_issuance(case: str) -> Opening | None:
    """What the holder committed to, as the vectors have it."""
    if case not in FEATURES:
        return None
    committed = (
        () if case == "Pseudonym" else (hex_of("FeatureInputs", "holderSecret", "holderSecretHex"),)
    )
    nym = None if case == "HolderBinding" else hex_of("FeatureInputs", "proverNym", "proverNymHex")
    return Opening(committed, hex_of(case, "commitmentInfo", "secretProverBlind"), nym)


def commitment(case: str) -> bytes | None:
    if case not in FEATURES:
        return None
    return bytes.fromhex(load(case, "commitmentInfo")["commitmentWithProof"])


def nym_entropy(case: str) -> bytes | None:
    if case not in ("Pseudonym", "PseudonymHB"):
        return None
    return hex_of("FeatureInputs", "signerNymEntropy", "signerNymEntropyHex")


def nym_domain(case: str) -> str | None:
    if case not in ("Pseudonym", "PseudonymHB"):
        return None
    name: str = load("FeatureInputs", "verifierInfo")["verifierId"]
    return name


def test_key_is_the_one_of_the_verification_method(case: str) -> None:
    method = options(case)["verificationMethod"]
    assert PublicKey.from_multikey(method.rpartition("#")[2]) == signer().public_key


def test_canonical_document_and_shuffled_labels(case: str) -> None:
    lines = canonicalizer().canonicalize(unsigned(case)).nquads
    assert list(lines) == load(case, "addBaseDocCanon")
    assert list(grouped(case).lines) == load(case, "addBaseDocHMACCanon")


@pytest.mark.parametrize(("case", "below"), [(WIND, "/credentialSubject"), (PRC, "")])
def test_mandatory_pointers_name_their_values(case: str, below: str) -> None:
    # Those of the first document are of an older form of it, and count from its subject.
    for entry in load(case, "addPointerValues"):
        pointer = below + entry["pointer"]
        assert pointer in pointers(case, "Mandatory")
        value: Any = unsigned(case)
        for step in parse_pointer(pointer):
            value = step_into(value, step, pointer)
        assert value == entry["value"]


def test_the_unsigned_card_differs_from_the_signed_one_in_its_description_alone() -> None:
    card, signed = load(".", "prCredUnsigned"), unsigned(PRC)
    assert {name for name in card.keys() | signed.keys() if card.get(name) != signed.get(name)} == {
        "description"
    }


def test_groups_of_the_base_proof(case: str) -> None:
    expected = load(case, "addBaseTransform")
    assert pointers(case, "Mandatory") == expected["mandatoryPointers"]
    found = grouped(case)
    chosen = found.select(expected["mandatoryPointers"])
    for name, wanted in (("mandatory", True), ("nonMandatory", False)):
        assert [
            [index, line]
            for index, (line, mark) in enumerate(zip(found.lines, chosen, strict=True))
            if mark is wanted
        ] == expected[name]["value"]


def test_hashes_of_the_base_proof(case: str) -> None:
    config = canonicalizer().canonicalize(load(case, "addProofConfig"))
    assert config.text == (SUITE / case / "addProofConfigCanon.txt").read_text()
    expected = load(case, "addHashData")
    assert sha256(config.text.encode()).hexdigest() == expected["proofHash"]
    found = grouped(case)
    mandatory, _ = suite._split_lines(found.lines, found.select(pointers(case, "Mandatory")))
    assert suite._mandatory_hash(mandatory).hex() == expected["mandatoryHash"]


def test_commitment(feature: str) -> None:
    """The commitment's own random numbers are not given; they follow from it and the secrets."""
    data, holder = commitment(feature), before_issuance(feature)
    assert data is not None and holder is not None
    bbs.check_commitment(data, with_nym=holder.nym is not None)
    parsed = CommitmentProof.decode(data)
    blind = Scalar.from_be_bytes(holder.blind)
    secrets = messages_to_scalars(holder.committed, API_IDS[feature])
    if holder.nym is not None:
        secrets.append(Scalar.from_be_bytes(holder.nym))
    randoms = [
        blind,
        parsed.blind - blind * parsed.challenge,
        *(
            answer - secret * parsed.challenge
            for answer, secret in zip(parsed.messages, secrets, strict=True)
        ),
    ]
    made, opening = bbs.commit(
        holder.committed, prover_nym=holder.nym, random_scalars=lambda _: randoms
    )
    assert made == data
    assert opening == holder


def test_nym_secret() -> None:
    for case in ("Pseudonym", "PseudonymHB"):
        holder, entropy = before_issuance(case), nym_entropy(case)
        assert holder is not None and entropy is not None
        assert holder.with_entropy(entropy).nym == hex_of(case, "nymSecret", "nymSecretHex")


def test_base_proof(case: str) -> None:
    proof = suite.create_base_proof(
        unsigned(case),
        proof_options=options(case),
        signer=signer(),
        mandatory_pointers=pointers(case, "Mandatory"),
        canonicalizer=canonicalizer(),
        commitment=commitment(case),
        pseudonyms=nym_entropy(case) is not None,
        hmac_key=hmac_key(),
        nym_entropy=nym_entropy(case),
    )
    raw = load(case, "addRawBaseSignatureInfo")
    value = BaseValue.decode(proof["proofValue"])
    assert value.signature.hex() == raw["bbsSignature"]
    assert list(value.mandatory_pointers) == raw["mandatoryPointers"]
    if case in FEATURES:
        assert value.header.hex() == raw["bbsHeader"]
        assert value.public_key.hex() == raw["publicKey"]
        assert value.hmac_key.hex() == raw["hmacKey"]
    if value.nym_entropy is not None:
        assert value.nym_entropy.hex() == raw["signerNymEntropyHex"]
    assert {**unsigned(case), "proof": proof} == load(case, "addSignedSDBase")


def test_recovered_base_data(case: str) -> None:
    value = BaseValue.decode(load(case, "addSignedSDBase")["proof"]["proofValue"])
    expected = load(case, "derivedRecoveredBaseData")
    found = {
        "bbsSignature": value.signature.hex(),
        "hmacKey": value.hmac_key.hex(),
        "mandatoryPointers": list(value.mandatory_pointers),
    }
    if case in FEATURES:
        found |= {"bbsHeader": value.header.hex(), "publicKey": value.public_key.hex()}
        # Pseudonyms with and without holder binding have the same header bytes.
        kind = expected["featureOption"]
        assert value.feature.name == kind or value.feature is PSEUDONYM
        found["featureOption"] = kind
    if value.nym_entropy is not None:
        found["signerNymEntropy"] = value.nym_entropy.hex()
    assert found == expected


def test_base_proof_verifies(case: str) -> None:
    suite.verify_base(
        load(case, "addSignedSDBase"),
        public_key=signer().public_key,
        canonicalizer=canonicalizer(),
        holder=before_issuance(case),
    )


def test_groups_of_the_derived_proof(case: str) -> None:
    found = grouped(case)
    mandatory, selective = pointers(case, "Mandatory"), pointers(case, "Selective")
    marks = {
        "mandatory": found.select(mandatory),
        "selective": found.select(selective),
        "combined": found.select([*mandatory, *selective]),
    }
    indexes = load(case, "derivedGroupIndexes")
    groups = None if case == WIND else load(case, "derivedAllGroupData")["groups"]
    for name, chosen in marks.items():
        positions = [index for index, mark in enumerate(chosen) if mark]
        others = [index for index, mark in enumerate(chosen) if not mark]
        assert positions == indexes[f"{name}Indexes"]
        if name == "mandatory":
            assert others == indexes["nonMandatoryIndexes"]
        if groups is not None:
            group_data = groups[name]
            assert [[i, found.lines[i]] for i in positions] == group_data["matching"]["value"]
            assert [[i, found.lines[i]] for i in others] == group_data["nonMatching"]["value"]


def derived(case: str) -> dict[str, Any]:
    return suite.derive_proof(
        load(case, "addSignedSDBase"),
        selective_pointers=pointers(case, "Selective"),
        canonicalizer=canonicalizer(),
        presentation_header=presentation_header(),
        holder=before_issuance(case),
        nym_domain=nym_domain(case),
        random_scalars=mocked(API_IDS.get(case, API_ID)),
    )


def test_revealed_document_and_derived_proof(case: str) -> None:
    assert select_document(
        unsigned(case), [*pointers(case, "Mandatory"), *pointers(case, "Selective")]
    ) == load(case, "derivedUnsignedReveal")
    made = derived(case)
    value = DerivedValue.decode(made["proof"]["proofValue"])
    data = load(case, "derivedDisclosureData")
    assert value.proof.hex() == data["bbsProof"]
    assert [[f"c14n{n}", f"b{label}"] for n, label in value.labels.items()] == (
        data["labelMap"]["value"]
    )
    assert list(value.mandatory) == data["mandatoryIndexes"]
    assert list(value.selective) == data["adjSelectiveIndexes"]
    adjusted = load(case, "derivedAdjIndexes")
    assert list(value.mandatory) == adjusted["adjMandatoryIndexes"]
    assert list(value.selective) == adjusted["adjSelectiveIndexes"]
    assert value.presentation_header == bytes(data["presentationHeader"].values())
    assert value.total == data.get("lengthBBSMessages")
    assert (value.pseudonym.hex() if value.pseudonym else None) == data.get("pseudonym")
    assert made == load(case, "derivedRevealDocument")


def test_derived_proof_verifies(case: str) -> None:
    value = suite.verify_derived(
        load(case, "derivedRevealDocument"),
        public_key=signer().public_key,
        canonicalizer=canonicalizer(),
        presentation_header=presentation_header(),
        nym_domain=nym_domain(case),
    )
    if case == WIND:  # has no such file
        return
    expected = load(case, "verifyDerivedProofValue")
    assert value.proof.hex() == expected["bbsProof"]
    assert [[f"c14n{n}", f"b{label}"] for n, label in value.labels.items()] == expected["labelMap"]
    assert list(value.mandatory) == expected["mandatoryIndexes"]
    assert list(value.selective) == expected["adjSelectedIndexes"]


@pytest.mark.parametrize("case", CASES[1:])  # the first has no such file
def test_statements_that_the_verifier_sees(case: str) -> None:
    unsecured, proof = suite._split(load(case, "derivedRevealDocument"))
    value = DerivedValue.decode(proof["proofValue"])
    lines = suite._relabelled(suite._input(unsecured, proof, canonicalizer()), value)
    assert lines == load(case, "verifyNQuads")


# Through the general functions


NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_the_general_functions_issue_the_same(case: str) -> None:
    config = options(case)
    created = parse_timestamp(config["created"])
    assert created is not None
    issued = add_proof(
        unsigned(case),
        cryptosuite=config["cryptosuite"],
        signer=signer(),
        verification_method=config["verificationMethod"],
        created=created,
        mandatory_pointers=pointers(case, "Mandatory"),
        canonicalizer=canonicalizer(),
        suite_options=BbsIssuing(
            commitment=commitment(case),
            pseudonyms=nym_entropy(case) is not None,
            hmac_key=hmac_key(),
            nym_entropy=nym_entropy(case),
        ),
    )
    assert issued == load(case, "addSignedSDBase")
    verify_proof(
        issued,
        resolver=KeyResolver(),
        now=NOW,
        accept_base=True,
        canonicalizer=canonicalizer(),
        suite_options=BbsChecking(holder=before_issuance(case)),
    )


def test_the_general_functions_derive_and_verify_the_same(case: str) -> None:
    shown = derive(
        load(case, "addSignedSDBase"),
        pointers(case, "Selective"),
        canonicalizer=canonicalizer(),
        suite_options=BbsShowing(
            presentation_header=presentation_header(),
            holder=before_issuance(case),
            nym_domain=nym_domain(case),
            random_scalars=mocked(API_IDS.get(case, API_ID)),
        ),
    )
    assert shown == load(case, "derivedRevealDocument")
    verified = verify_proof(
        shown,
        resolver=KeyResolver(),
        now=NOW,
        canonicalizer=canonicalizer(),
        suite_options=BbsChecking(
            presentation_header=presentation_header(), nym_domain=nym_domain(case)
        ),
    )
    pseudonym = suite.pseudonym_of(verified.proof)
    expected = load(case, "derivedDisclosureData").get("pseudonym")
    assert (pseudonym.hex() if pseudonym else None) == expected
