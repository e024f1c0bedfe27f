"""The published vectors of the plain RDF cryptosuites, byte for byte: canonical forms, hashes,
signatures, signed documents; and the proof sets and chains of the EdDSA specification."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256, sha384
from pathlib import Path
from typing import Any

import pytest

from credentials.canonical import Canonicalizer
from credentials.contexts import bundled_contexts
from credentials.dids import KeyResolver, key_url
from credentials.errors import ProofMalformed, SignatureInvalid
from credentials.keys import PrivateKey
from credentials.multibase import multibase_decode
from credentials.proofs import add_proof, verify_proof
from credentials.proofs.eddsa_rdfc_2022 import EDDSA_RDFC_2022
from credentials.proofs.rdfc import hash_data
from credentials.proofs.suite import ProofInput
from credentials.timestamps import parse_timestamp

VECTORS = Path(os.environ.get("ZL_VECTORS", "../shared/vectors"))
pytestmark = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the published vectors are not here (ZL_VECTORS)"
)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
EXTRA_CONTEXTS = {
    "https://www.w3.org/ns/credentials/examples/v2": "credentials-examples-v2.jsonld",
    "https://w3id.org/citizenship/v4rc1": "citizenship-v4rc1.jsonld",
}


@cache
def canonicalizer() -> Canonicalizer:
    folder = VECTORS / "contexts"
    return Canonicalizer(
        bundled_contexts().extended(
            {url: (folder / name).read_bytes() for url, name in EXTRA_CONTEXTS.items()}
        )
    )


@dataclass(frozen=True)
class Case:
    folder: str
    suffix: str
    keys: str
    secret: str
    unsigned: str

    def text(self, name: str) -> str:
        return (VECTORS / self.folder / f"{name}{self.suffix}.txt").read_text()

    def json(self, name: str) -> Any:
        return json.loads((VECTORS / self.folder / f"{name}{self.suffix}.json").read_text())

    def key(self) -> PrivateKey:
        pair = json.loads((VECTORS / self.keys).read_text())
        return PrivateKey.from_multikey(pair[self.secret], deterministic=True)


ECDSA, EDDSA = "w3c-vc-di-ecdsa", "w3c-vc-di-eddsa"
CASES = [
    Case(f"{ECDSA}/ecdsa-rdfc-2019-{curve}{sub}", f"ECDSA{curve.upper()}",
         f"{ECDSA}/{curve}KeyPair.json", "secretKeyMultibase", f"{ECDSA}/{document}")
    for curve in ("p256", "p384")
    for sub, document in (("", "unsigned.json"), ("/employ", "employmentAuth.json"))
] + [
    Case(f"{EDDSA}/eddsa-rdfc-2022{sub}", "DataInt",
         f"{EDDSA}/keyPair.json", "privateKeyMultibase", f"{EDDSA}/{document}")
    for sub, document in (("", "unsigned.json"), ("/employ", "employmentAuth.json"))
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.folder)
def test_every_step(case: Case) -> None:
    unsigned = json.loads((VECTORS / case.unsigned).read_text())
    options, key, signed = case.json("proofConfig"), case.key(), case.json("signed")
    reader = canonicalizer()

    digest = sha384 if key.type == "P-384" else sha256
    assert reader.canonicalize(unsigned, digest).text == case.text("canonDoc")
    assert reader.canonicalize(options, digest).text == case.text("proofCanon")
    combined = hash_data(ProofInput(unsigned, options, reader), key.type)
    assert combined.hex() == case.text("combinedHash").strip()
    assert combined.hex() == case.text("proofHash").strip() + case.text("docHash").strip()
    assert key.sign(combined).hex() == case.text("sigHex").strip()
    assert signed["proof"]["proofValue"] == case.text("sigBTC58").strip()
    assert multibase_decode(case.text("sigBTC58").strip()).hex() == case.text("sigHex").strip()

    created = parse_timestamp(options["created"])
    assert created is not None
    made = add_proof(
        unsigned,
        cryptosuite=options["cryptosuite"],
        signer=key,
        verification_method=options["verificationMethod"],
        created=created,
        canonicalizer=reader,
    )
    assert made == signed
    verified = verify_proof(signed, resolver=KeyResolver(), now=NOW, canonicalizer=reader)
    assert verified.method.public_key == key.public_key
    assert verified.proofs[0].created == created


FOLDER = VECTORS / EDDSA / "proof-set-chain"


@pytest.mark.parametrize(
    "name", ["signedProofSet1", "signedProofSet2", "signedProofChain1", "signedProofChain2"]
)
def test_proof_sets_and_chains_verify(name: str) -> None:
    document = json.loads((FOLDER / f"{name}.json").read_text())
    proofs = document["proof"] if isinstance(document["proof"], list) else [document["proof"]]
    verified = verify_proof(
        document, resolver=KeyResolver(), now=NOW, canonicalizer=canonicalizer()
    )
    assert [each.proof["proofValue"] for each in verified.proofs] == [
        proof["proofValue"] for proof in proofs
    ]


def test_proof_sets_and_chains_are_made_like_the_published_ones() -> None:
    pairs = json.loads((FOLDER / "multiKeyPairs.json").read_text())
    document = json.loads((FOLDER / "unsigned.json").read_text())
    steps = [
        ("keyPair1", "proofSetConfig1", "signedProofSet1"),
        ("keyPair2", "proofSetConfig2", "signedProofSet2"),
        ("keyPair3", "proofChainConfig1", "signedProofChain1"),
        ("keyPair4", "proofChainConfig2", "signedProofChain2"),
    ]
    for pair, config_name, result in steps:
        key = PrivateKey.from_multikey(pairs[pair]["privateKeyMultibase"])
        config = json.loads((FOLDER / f"{config_name}.json").read_text())
        created = parse_timestamp(config["created"])
        assert created is not None
        document = add_proof(
            document,
            cryptosuite=config["cryptosuite"],
            signer=key,
            verification_method=key_url(key.public_key),
            created=created,
            proof_id=config.get("id"),
            previous_proof=config.get("previousProof"),
            canonicalizer=canonicalizer(),
        )
        published = json.loads((FOLDER / f"{result}.json").read_text())
        if not isinstance(published["proof"], list):
            published["proof"] = [published["proof"]]
        if not isinstance(document["proof"], list):
            assert [document["proof"]] == published["proof"]
        else:
            assert document == published


def chain_file(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("pair", "kind", "covered"),
    [
        ("keyPair1", "proofSetConfig{}1", "unsigned"),
        ("keyPair2", "proofSetConfig{}2", "unsigned"),
        # What a chained proof covers: the document and the earlier proofs that it names.
        ("keyPair3", "proofChainConfig{}1", "proofChainTempDoc1"),
        ("keyPair4", "proofChainConfig{}2", "proofChainTempDoc2"),
    ],
)
def test_each_proof_of_sets_and_chains_is_the_published_one(
    pair: str, kind: str, covered: str
) -> None:
    key = PrivateKey.from_multikey(chain_file("multiKeyPairs")[pair]["privateKeyMultibase"])
    config, signed = chain_file(kind.format("")), chain_file(kind.format("Signed"))
    document = chain_file(covered)
    options = {**config, "@context": document["@context"]}
    proof_input = ProofInput(document, options, canonicalizer())
    value = EDDSA_RDFC_2022.sign(proof_input, key, ())
    assert {**config, "proofValue": value} == {
        name: member for name, member in signed.items() if name != "@context"
    }


def test_a_chained_proof_fails_when_an_earlier_one_is_exchanged() -> None:
    document = json.loads((FOLDER / "signedProofChain1.json").read_text())
    reader = canonicalizer()
    removed = {**document, "proof": [p for p in document["proof"] if "8cc9022b" not in p["id"]]}
    with pytest.raises(ProofMalformed):
        verify_proof(removed, resolver=KeyResolver(), now=NOW, canonicalizer=reader)
    altered = json.loads(json.dumps(document))
    altered["proof"][-1]["previousProof"] = altered["proof"][-1]["previousProof"][:1]
    with pytest.raises(SignatureInvalid):
        verify_proof(altered, resolver=KeyResolver(), now=NOW, canonicalizer=reader)
