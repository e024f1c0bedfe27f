"""The JSON cryptosuites: the published vectors byte for byte, the rule of the proof's @context,
the gate, and proof sets and chains across suites."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256, sha384
from pathlib import Path
from typing import Any

import pytest

from credentials.canonical import Canonicalizer, canonical_json
from credentials.contexts import bundled_contexts
from credentials.dids import KeyResolver, did_key, key_url
from credentials.errors import (
    ContextUnknown,
    CredentialError,
    CryptosuiteKeyMismatch,
    JsonEncoding,
    JsonMalformed,
    JsonNumber,
    LimitExceeded,
    ProofMalformed,
    SignatureInvalid,
    TermUndefined,
)
from credentials.keys import KeyType, PrivateKey
from credentials.multibase import multibase_base58, multibase_base64, multibase_decode
from credentials.proofs import add_proof, verify_credential, verify_proof
from credentials.proofs.integrity import DATA_INTEGRITY_CONTEXT
from credentials.proofs.jcs import hash_data
from credentials.proofs.suite import ProofInput
from credentials.timestamps import parse_timestamp
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

VECTORS = Path(os.environ.get("ZL_VECTORS", "../shared/vectors"))
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the published vectors are not here (ZL_VECTORS)"
)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
KEYS: dict[KeyType, PrivateKey] = {
    name: PrivateKey.from_seed(name, b"signer of JSON text") for name in ("P-256", "P-384")
} | {"Ed25519": PrivateKey.from_seed("Ed25519", b"signer of JSON text")}
SUITES: list[tuple[str, KeyType]] = [
    ("ecdsa-jcs-2019", "P-256"),
    ("ecdsa-jcs-2019", "P-384"),
    ("eddsa-jcs-2022", "Ed25519"),
]
ALL_SUITES: list[tuple[str, KeyType]] = [
    *SUITES,
    ("ecdsa-rdfc-2019", "P-256"),
    ("ecdsa-rdfc-2019", "P-384"),
    ("eddsa-rdfc-2022", "Ed25519"),
]


def credential(key: KeyType = "P-256") -> dict[str, Any]:
    return {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", "ResidentIdentityCredential"],
        "issuer": did_key(KEYS[key].public_key),
        "validFrom": "2026-11-22T00:00:00Z",
        "credentialSubject": {"id": "did:example:holder", "type": "Resident", "name": "欧阳雪莉"},
    }


def sign(document: dict[str, Any], suite: str, key: KeyType, **options: Any) -> dict[str, Any]:
    return add_proof(
        document,
        cryptosuite=suite,
        signer=KEYS[key],
        verification_method=key_url(KEYS[key].public_key),
        created=NOW,
        **options,
    )


def verify(document: dict[str, Any]) -> Any:
    return verify_proof(document, resolver=KeyResolver(), now=NOW)


# The vectors


@cache
def canonicalizer() -> Canonicalizer:
    data = (VECTORS / "contexts" / "credentials-examples-v2.jsonld").read_bytes()
    return Canonicalizer(bundled_contexts().extended({EXAMPLES: data}))


@dataclass(frozen=True)
class Case:
    folder: str
    suffix: str
    keys: str
    secret: str

    def text(self, name: str) -> str:
        return (VECTORS / self.folder / f"{name}{self.suffix}.txt").read_text().strip()

    def json(self, name: str) -> Any:
        return json.loads((VECTORS / self.folder / f"{name}{self.suffix}.json").read_text())

    def key(self) -> PrivateKey:
        pair = json.loads((VECTORS / self.keys).read_text())
        return PrivateKey.from_multikey(pair[self.secret], deterministic=True)


ECDSA, EDDSA = "w3c-vc-di-ecdsa", "w3c-vc-di-eddsa"
CASES = [
    Case(
        f"{ECDSA}/ecdsa-jcs-2019-{curve}",
        f"JCSECDSA{curve.upper()}",
        f"{ECDSA}/{curve}KeyPair.json",
        "secretKeyMultibase",
    )
    for curve in ("p256", "p384")
] + [Case(f"{EDDSA}/eddsa-jcs-2022", "JCS", f"{EDDSA}/keyPair.json", "privateKeyMultibase")]


@needs_vectors
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.folder)
def test_every_step(case: Case) -> None:
    unsigned = json.loads((VECTORS / ECDSA / "unsigned.json").read_text())
    options, key, signed = case.json("proofConfig"), case.key(), case.json("signed")
    digest = sha384 if key.type == "P-384" else sha256
    assert canonical_json(unsigned).decode() == case.text("canonDoc")
    assert canonical_json(options).decode() == case.text("proofCanon")
    assert digest(canonical_json(unsigned)).hexdigest() == case.text("docHash")
    assert digest(canonical_json(options)).hexdigest() == case.text("proofHash")
    combined = hash_data(ProofInput(unsigned, options, canonicalizer()), key.type)
    assert combined.hex() == case.text("combinedHash")
    assert key.sign(combined).hex() == case.text("sigHex")
    assert multibase_decode(case.text("sigBTC58")).hex() == case.text("sigHex")
    created = parse_timestamp(options["created"])
    assert created is not None
    made = add_proof(
        unsigned,
        cryptosuite=options["cryptosuite"],
        signer=key,
        verification_method=options["verificationMethod"],
        created=created,
        canonicalizer=canonicalizer(),
    )
    assert made == signed
    verified = verify_proof(signed, resolver=KeyResolver(), now=NOW, canonicalizer=canonicalizer())
    assert verified.method.public_key == key.public_key


# The proof's @context


@pytest.mark.parametrize(("suite", "key"), SUITES)
def test_the_proof_shows_the_documents_context(suite: str, key: KeyType) -> None:
    signed = sign(credential(key), suite, key)
    assert signed["proof"]["@context"] == signed["@context"]
    assert verify_credential(signed, resolver=KeyResolver(), now=NOW).issuer == signed["issuer"]


@pytest.mark.parametrize(("suite", "key"), SUITES)
def test_no_context_may_be_added_behind_the_signed_ones(suite: str, key: KeyType) -> None:
    signed = sign(credential(key), suite, key)
    signed["@context"] = [*signed["@context"], DATA_INTEGRITY_CONTEXT]
    with pytest.raises(ProofMalformed):
        verify(signed)
    signed["proof"]["@context"] = signed["@context"]
    with pytest.raises(SignatureInvalid):
        verify(signed)


def test_a_proof_without_context_covers_the_document_as_it_stands() -> None:
    # VC-DI-ECDSA §3.3.2 step 3 asks for the proof's context only where there is one.
    signed, key = credential(), KEYS["P-256"]
    proof = {
        "type": "DataIntegrityProof",
        "cryptosuite": "ecdsa-jcs-2019",
        "verificationMethod": key_url(key.public_key),
        "proofPurpose": "assertionMethod",
    }
    covered = sha256(canonical_json(proof)).digest() + sha256(canonical_json(credential())).digest()
    signed["proof"] = {**proof, "proofValue": multibase_base58(key.sign(covered))}
    verify(signed)
    signed["proof"]["@context"] = signed["@context"]
    with pytest.raises(SignatureInvalid):
        verify(signed)


# What is refused


@pytest.mark.parametrize(("suite", "key"), SUITES)
def test_every_change_breaks_the_signature(suite: str, key: KeyType) -> None:
    signed = sign(credential(key), suite, key)
    verify(signed)
    for pointer, value in (
        (("credentialSubject", "name"), "欧阳雪丽"),
        (("credentialSubject", "id"), "did:example:thief"),
        (("validFrom",), "2026-11-22T00:00:01Z"),
        (("type",), ["VerifiableCredential"]),
        (("proof", "created"), "2026-11-21T00:00:00Z"),
    ):
        changed: Any = copy.deepcopy(signed)
        place = changed
        for name in pointer[:-1]:
            place = place[name]
        place[pointer[-1]] = value
        with pytest.raises(CredentialError):
            verify(changed)


@pytest.mark.parametrize(("suite", "key"), SUITES)
def test_the_gate_stands_before_json_suites_too(suite: str, key: KeyType) -> None:
    undefined = credential(key)
    undefined["credentialSubject"]["nickname"] = "小雪"
    with pytest.raises(TermUndefined):
        sign(undefined, suite, key)
    # Signed elsewhere, without a gate: the signature is right and the document is refused.
    proof = {
        "type": "DataIntegrityProof",
        "cryptosuite": suite,
        "verificationMethod": key_url(KEYS[key].public_key),
        "proofPurpose": "assertionMethod",
        "@context": undefined["@context"],
    }
    digest = sha384 if key == "P-384" else sha256
    covered = digest(canonical_json(proof)).digest() + digest(canonical_json(undefined)).digest()
    undefined["proof"] = {**proof, "proofValue": multibase_base58(KEYS[key].sign(covered))}
    with pytest.raises(TermUndefined):
        verify(undefined)
    stranger = credential(key)
    stranger["@context"] = [CONTEXT_V2, "https://stranger.example/v1"]
    with pytest.raises(ContextUnknown):
        sign(stranger, suite, key)


def test_malformed_values_and_foreign_keys() -> None:
    signed = sign(credential(), "ecdsa-jcs-2019", "P-256")
    raw = multibase_decode(signed["proof"]["proofValue"])
    for value in (multibase_base64(raw), multibase_base58(raw[:-1]), "z0", "z" + "1" * 600):
        with pytest.raises(ProofMalformed):
            verify({**signed, "proof": {**signed["proof"], "proofValue": value}})
    with pytest.raises(CryptosuiteKeyMismatch):
        sign(credential(), "eddsa-jcs-2022", "P-256")
    with pytest.raises(ProofMalformed):
        sign(credential(), "ecdsa-jcs-2019", "P-256", mandatory_pointers=["/issuer"])


def test_json_without_a_canonical_form() -> None:
    for value in ({"half": "\ud800"}, {"\ud800": "half"}):
        with pytest.raises(JsonEncoding):
            canonical_json(value)
    for number in (2**60, float("nan"), float("inf")):
        with pytest.raises(JsonNumber):
            canonical_json({"number": number})
    for foreign in ({1: "key"}, {"bytes": b""}):
        with pytest.raises(JsonMalformed):
            canonical_json(foreign)
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(LimitExceeded):
        canonical_json(deep)


# Proof sets and chains, with every suite


@pytest.mark.parametrize(("suite", "key"), ALL_SUITES)
def test_sets_and_chains(suite: str, key: KeyType) -> None:
    first = sign(credential(), "ecdsa-jcs-2019", "P-256", proof_id="urn:uuid:1")
    second = sign(first, suite, key, proof_id="urn:uuid:2")
    as_text = sign(second, suite, key, proof_id="urn:uuid:3", previous_proof="urn:uuid:1")
    both = sign(as_text, suite, key, previous_proof=["urn:uuid:1", "urn:uuid:2"])
    assert len(verify(both).proofs) == 4
    assert both["proof"][2]["previousProof"] == "urn:uuid:1"

    # An earlier proof that is exchanged for another valid one breaks the chain.
    other = sign(
        credential(), "ecdsa-jcs-2019", "P-256", proof_id="urn:uuid:1", challenge="another"
    )
    exchanged = {**both, "proof": [other["proof"], *both["proof"][1:]]}
    with pytest.raises(SignatureInvalid):
        verify(exchanged)
    # One that is taken away is missed.
    with pytest.raises(ProofMalformed):
        verify({**both, "proof": both["proof"][1:]})
    # What does not depend on another can go.
    assert len(verify({**both, "proof": both["proof"][:2]}).proofs) == 2


@pytest.mark.parametrize("previous", ["urn:uuid:unknown", ["urn:uuid:1", "urn:uuid:unknown"], []])
@pytest.mark.parametrize(("suite", "key"), ALL_SUITES)
def test_unknown_previous_proofs(suite: str, key: KeyType, previous: Any) -> None:
    first = sign(credential(), suite, key, proof_id="urn:uuid:1")
    with pytest.raises(ProofMalformed):
        sign(first, suite, key, previous_proof=previous)


@pytest.mark.parametrize("previous", [7, None, True, {"id": "urn:uuid:1"}, [["urn:uuid:1"]]])
def test_previous_proof_of_another_type(previous: Any) -> None:
    signed = sign(credential(), "ecdsa-jcs-2019", "P-256", proof_id="urn:uuid:1")
    signed = sign(signed, "eddsa-jcs-2022", "Ed25519", previous_proof="urn:uuid:1")
    signed["proof"][1]["previousProof"] = previous
    with pytest.raises(ProofMalformed):
        verify(signed)


def test_a_json_proof_inside_a_statement_chain() -> None:
    """A chained rdfc proof covers the @context that an earlier JSON proof shows as statements
    under that very context, so both kinds can stand in one document."""
    signed = sign(credential("Ed25519"), "eddsa-jcs-2022", "Ed25519", proof_id="urn:uuid:1")
    signed = sign(signed, "eddsa-rdfc-2022", "Ed25519", previous_proof="urn:uuid:1")
    verify(signed)
    changed = copy.deepcopy(signed)
    changed["proof"][0]["created"] = "2026-11-21T00:00:00Z"
    with pytest.raises(SignatureInvalid):
        verify(changed)
