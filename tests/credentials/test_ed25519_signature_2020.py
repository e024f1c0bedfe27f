"""Ed25519Signature2020: its published vectors byte for byte, and that nobody meets it unasked."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from credentials.canonical import Canonicalizer
from credentials.contexts import bundled_contexts
from credentials.dids import KeyResolver, did_key, key_url
from credentials.errors import (
    CryptosuiteKeyMismatch,
    CryptosuiteLegacy,
    CryptosuiteUnknown,
    DocumentRefused,
    ProofMalformed,
    ProofTypeUnknown,
    SignatureInvalid,
)
from credentials.keys import PrivateKey
from credentials.multibase import multibase_decode
from credentials.proofs import (
    CRYPTOSUITES,
    WITH_EXPERIMENTAL,
    WITH_LEGACY,
    add_proof,
    derive,
    verify_credential,
    verify_proof,
)
from credentials.proofs.ed25519_signature_2020 import CONTEXT, NAME
from credentials.proofs.rdfc import hash_data
from credentials.proofs.suite import ProofInput
from credentials.timestamps import parse_timestamp
from schemas.names import CONTEXT_V2

VECTORS = Path(os.environ.get("ZL_VECTORS", "../shared/vectors"))
FOLDER = VECTORS / "w3c-vc-di-eddsa"
vectors = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the published vectors are not here (ZL_VECTORS)"
)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = PrivateKey.from_bytes("Ed25519", bytes(range(32)))


@cache
def canonicalizer() -> Canonicalizer:
    examples = (VECTORS / "contexts" / "credentials-examples-v2.jsonld").read_bytes()
    return Canonicalizer(
        bundled_contexts().extended({"https://www.w3.org/ns/credentials/examples/v2": examples})
    )


def text(name: str) -> str:
    return (FOLDER / NAME / f"{name}EdSig.txt").read_text()


def load(name: str) -> Any:
    return json.loads((FOLDER / NAME / f"{name}EdSig.json").read_text())


@vectors
def test_every_step_of_the_vectors() -> None:
    unsigned = json.loads((FOLDER / "unsigned.json").read_text())
    pair = json.loads((FOLDER / "keyPair.json").read_text())
    key = PrivateKey.from_multikey(pair["privateKeyMultibase"])
    options, signed, reader = load("proofConfig"), load("signed"), canonicalizer()
    unsecured = {name: value for name, value in signed.items() if name != "proof"}
    assert unsecured == {**unsigned, "@context": [*unsigned["@context"], CONTEXT]}

    document = reader.canonicalize(unsecured).text
    config = reader.canonicalize(options).text
    assert document == text("canonDoc")
    assert config == text("proofCanon")
    assert sha256(document.encode()).hexdigest() == text("docHash").strip()
    assert sha256(config.encode()).hexdigest() == text("proofHash").strip()
    combined = hash_data(ProofInput(unsecured, options, reader), key.type)
    assert combined.hex() == text("combinedHash").strip()
    assert key.sign(combined).hex() == text("sigHex").strip()
    assert multibase_decode(text("sigBTC58").strip()).hex() == text("sigHex").strip()

    created = parse_timestamp(options["created"])
    assert created is not None
    made = add_proof(
        unsigned,
        cryptosuite=NAME,
        signer=key,
        verification_method=options["verificationMethod"],
        created=created,
        canonicalizer=reader,
        suites=WITH_LEGACY,
    )
    assert made == signed
    assert made["proof"]["proofValue"] == text("sigBTC58").strip()
    verified = verify_proof(
        signed, resolver=KeyResolver(), now=NOW, canonicalizer=reader, suites=WITH_LEGACY
    )
    assert verified.method.public_key == key.public_key


@vectors
def test_the_vector_is_refused_by_who_did_not_ask_for_it() -> None:
    with pytest.raises(CryptosuiteLegacy):
        verify_proof(load("signed"), resolver=KeyResolver(), now=NOW, canonicalizer=canonicalizer())


# Without the vectors


def issue(**more: Any) -> dict[str, Any]:
    document = {
        "@context": [CONTEXT_V2],
        "type": ["VerifiableCredential"],
        "issuer": did_key(KEY.public_key),
        "credentialSubject": {"id": "did:example:holder", "name": "Li"},
    }
    options: dict[str, Any] = {"cryptosuite": NAME, "signer": KEY, "suites": WITH_LEGACY} | more
    return add_proof(document, verification_method=key_url(KEY.public_key), created=NOW, **options)


def verify(document: dict[str, Any], **more: Any) -> None:
    options: dict[str, Any] = {"suites": WITH_LEGACY} | more
    verify_credential(document, resolver=KeyResolver(), now=NOW, **options)


def test_what_is_issued_verifies_where_it_is_asked_for_and_nowhere_else() -> None:
    signed = issue()
    assert signed["@context"] == [CONTEXT_V2, CONTEXT]
    assert signed["proof"]["type"] == NAME
    assert "cryptosuite" not in signed["proof"]
    verify(signed)
    for suites in (CRYPTOSUITES, WITH_EXPERIMENTAL):
        with pytest.raises(CryptosuiteLegacy):
            verify(signed, suites=suites)
        with pytest.raises(CryptosuiteLegacy):
            issue(suites=suites)


def test_a_legacy_proof_in_a_set_is_not_passed_over() -> None:
    signed = add_proof(
        issue(),
        cryptosuite="eddsa-rdfc-2022",
        signer=KEY,
        verification_method=key_url(KEY.public_key),
        created=NOW,
    )
    assert [proof["type"] for proof in signed["proof"]] == [NAME, "DataIntegrityProof"]
    verify(signed)
    with pytest.raises(CryptosuiteLegacy):
        verify(signed, suites=CRYPTOSUITES)


def test_type_and_suite_cannot_be_exchanged() -> None:
    signed = issue()
    proof = signed["proof"]
    # A DataIntegrityProof of that name would be another proof than the one that was made.
    with pytest.raises(CryptosuiteUnknown) as caught:
        verify({**signed, "proof": {**proof, "type": "DataIntegrityProof", "cryptosuite": NAME}})
    assert caught.type is CryptosuiteUnknown
    with pytest.raises(ProofMalformed):
        verify({**signed, "proof": {**proof, "cryptosuite": "eddsa-rdfc-2022"}})
    renamed = {**proof, "type": "DataIntegrityProof", "cryptosuite": "eddsa-rdfc-2022"}
    with pytest.raises(SignatureInvalid):
        verify({**signed, "proof": renamed})
    kinds: tuple[object, ...] = ("Ed25519Signature2018", "", 1, [NAME], {})
    for kind in kinds:
        with pytest.raises(ProofTypeUnknown):
            verify({**signed, "proof": {**proof, "type": kind}})


def test_alterations_are_noticed() -> None:
    signed = issue()
    proof = signed["proof"]
    subject = {**signed["credentialSubject"], "name": "Wang"}
    other_time = {**proof, "created": "2026-11-21T00:00:00Z"}
    for altered in ({**signed, "credentialSubject": subject}, {**signed, "proof": other_time}):
        with pytest.raises(SignatureInvalid):
            verify(altered)
    for value in (proof["proofValue"][:-2], "u" + proof["proofValue"][1:], ""):
        with pytest.raises(ProofMalformed):
            verify({**signed, "proof": {**proof, "proofValue": value}})


def test_without_its_context_the_proof_means_nothing() -> None:
    with pytest.raises(DocumentRefused):
        verify({**issue(), "@context": [CONTEXT_V2]})


def test_it_takes_ed25519_alone_and_hides_nothing() -> None:
    with pytest.raises(CryptosuiteKeyMismatch):
        issue(signer=PrivateKey.generate("P-256"))
    with pytest.raises(ProofMalformed):
        issue(mandatory_pointers=["/issuer"])
    with pytest.raises(CryptosuiteUnknown):
        derive(issue(), ["/credentialSubject/name"])
