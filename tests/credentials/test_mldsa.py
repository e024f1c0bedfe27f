"""ML-DSA-44: keys, the two experimental suites, and the published signed documents."""

from __future__ import annotations

import copy
import json
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from credentials.anchor import anchor_of
from credentials.canonical import Canonicalizer
from credentials.contexts import bundled_contexts
from credentials.dids import (
    DocumentResolver,
    KeyResolver,
    check_did,
    did_document,
    did_key,
    key_url,
    split_key_url,
)
from credentials.errors import (
    CredentialError,
    CryptosuiteExperimental,
    CryptosuiteKeyMismatch,
    DidMalformed,
    KeyInvalid,
    ProofMalformed,
    SignatureInvalid,
    TermUndefined,
)
from credentials.jose import parse_compact, sign_compact
from credentials.keyfile import COST_FLOOR, seal, unseal
from credentials.keys import PrivateKey, PublicKey
from credentials.multibase import multibase_base58, multibase_base64, multibase_decode
from credentials.proofs import (
    ALL_CRYPTOSUITES,
    CRYPTOSUITES,
    add_proof,
    verify_credential,
    verify_proof,
)
from credentials.proofs.integrity import _proof_input
from credentials.proofs.mldsa44_jcs_2024 import MLDSA44_JCS_2024
from credentials.proofs.mldsa44_rdfc_2024 import MLDSA44_RDFC_2024
from credentials.proofs.plain import PlainSuite
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

HERE = Path(__file__).parent / "vectors" / "mldsa44"
CONTEXTS = Path(os.environ.get("ZL_VECTORS", "../shared/vectors")) / "contexts"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
SUITES = [MLDSA44_RDFC_2024, MLDSA44_JCS_2024]
KEY = PrivateKey.from_seed("ML-DSA-44", b"a signer of the future")
CREDENTIAL: dict[str, Any] = {
    "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
    "type": ["VerifiableCredential", "ResidentIdentityCredential"],
    "issuer": did_key(KEY.public_key),
    "validFrom": "2026-11-22T00:00:00Z",
    "credentialSubject": {"id": "did:example:holder", "type": "Resident", "name": "欧阳雪莉"},
}

# The hash of the proof options and that of the document, from the report's own list.
PUBLISHED_HASHES = {
    "mldsa44-rdfc-2024": "fa074359f280ed66bd74b65c8f644175b2f413e24ef3b917d557b3bc261b28f2"
    "03f59e5b04ab575b1172cb684f22eede72f0e9033e0b5c67d0e2506768d6ce11",
    "mldsa44-jcs-2024": "1f49de8352bfcdef9457b14be9f4375c7288fb914cf1c974eab20f3d145b011a"
    "6ca388adaff807c71d063f666548493ba60c8c0fa109b3dd1e2564d61abe09cc",
}


def sign(suite: PlainSuite, document: dict[str, Any] = CREDENTIAL, **options: Any) -> Any:
    return add_proof(
        document,
        cryptosuite=suite.name,
        signer=KEY,
        verification_method=key_url(KEY.public_key),
        created=NOW,
        suites=ALL_CRYPTOSUITES,
        **options,
    )


def verify(document: dict[str, Any]) -> Any:
    return verify_proof(document, resolver=KeyResolver(), now=NOW, suites=ALL_CRYPTOSUITES)


# Published documents


@cache
def canonicalizer() -> Canonicalizer:
    url = "https://w3id.org/citizenship/v4rc1"
    data = (CONTEXTS / "citizenship-v4rc1.jsonld").read_bytes()
    return Canonicalizer(bundled_contexts().extended({url: data}))


@pytest.mark.skipif(not CONTEXTS.is_dir(), reason="the contexts are not here (ZL_VECTORS)")
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_published_documents_verify(suite: PlainSuite) -> None:
    document = json.loads((HERE / f"signed-{suite.name}.json").read_text())
    reader = canonicalizer()
    proof_input = _proof_input(document, document["proof"], [document["proof"]], suite, reader)
    assert suite.hash_data(proof_input, "ML-DSA-44").hex() == PUBLISHED_HASHES[suite.name]
    # The report names the key by its DID alone; a verification method has a fragment (CID §2.2).
    did = document["proof"]["verificationMethod"]
    with pytest.raises(DidMalformed):
        verify_proof(
            document,
            resolver=KeyResolver(),
            now=NOW,
            canonicalizer=reader,
            suites=ALL_CRYPTOSUITES,
        )
    key = PublicKey.from_multikey(did.removeprefix("did:key:"))
    assert did_key(key) == did
    suite.verify(proof_input, document["proof"]["proofValue"], key, accept_base=False)
    document["validUntil"] = "2039-12-03T00:00:00Z"
    changed = _proof_input(document, document["proof"], [document["proof"]], suite, reader)
    with pytest.raises(SignatureInvalid):
        suite.verify(changed, document["proof"]["proofValue"], key, accept_base=False)


# The suites


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_round_trip(suite: PlainSuite) -> None:
    signed = sign(suite)
    assert "@context" not in signed["proof"]
    assert len(multibase_decode(signed["proof"]["proofValue"])) == 2420
    verified = verify_credential(signed, resolver=KeyResolver(), now=NOW, suites=ALL_CRYPTOSUITES)
    assert verified.issuer == did_key(KEY.public_key)
    assert anchor_of(signed) == anchor_of({**signed, "proof": [signed["proof"]]})
    # Two signatures differ: signing is hedged (FIPS 204 §3.4).
    assert sign(suite)["proof"]["proofValue"] != signed["proof"]["proofValue"]


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_nobody_meets_them_who_did_not_ask(suite: PlainSuite) -> None:
    assert suite.name not in CRYPTOSUITES
    signed = sign(suite)
    with pytest.raises(CryptosuiteExperimental):
        verify_proof(signed, resolver=KeyResolver(), now=NOW)
    with pytest.raises(CryptosuiteExperimental):
        verify_credential(signed, resolver=KeyResolver(), now=NOW)
    with pytest.raises(CryptosuiteExperimental):
        add_proof(
            CREDENTIAL,
            cryptosuite=suite.name,
            signer=KEY,
            verification_method=key_url(KEY.public_key),
            created=NOW,
        )


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_what_is_refused(suite: PlainSuite) -> None:
    signed = sign(suite)
    for change in (
        {"validFrom": "2026-11-23T00:00:00Z"},
        {"proof": {**signed["proof"], "created": "2026-11-21T00:00:00Z"}},
        {"proof": {**signed["proof"], "cryptosuite": "mldsa44-xyz-2024"}},
    ):
        with pytest.raises(CredentialError):
            verify({**signed, **change})
    raw = multibase_decode(signed["proof"]["proofValue"])
    for value in (multibase_base64(raw[:-1]), multibase_base58(raw), "u", "u****"):
        with pytest.raises(ProofMalformed):
            verify({**signed, "proof": {**signed["proof"], "proofValue": value}})
    flipped = multibase_base64(bytes([raw[0] ^ 1]) + raw[1:])
    with pytest.raises(SignatureInvalid):
        verify({**signed, "proof": {**signed["proof"], "proofValue": flipped}})
    with pytest.raises(ProofMalformed):
        sign(suite, mandatory_pointers=["/issuer"])
    undefined = copy.deepcopy(CREDENTIAL)
    undefined["credentialSubject"]["nickname"] = "小雪"
    with pytest.raises(TermUndefined):
        sign(suite, undefined)
    other = PrivateKey.from_seed("P-256", b"a signer of the past")
    with pytest.raises(CryptosuiteKeyMismatch):
        add_proof(
            CREDENTIAL,
            cryptosuite=suite.name,
            signer=other,
            verification_method=key_url(other.public_key),
            created=NOW,
            suites=ALL_CRYPTOSUITES,
        )


def test_one_suite_does_not_pass_for_the_other() -> None:
    signed = sign(MLDSA44_JCS_2024)
    signed["proof"]["cryptosuite"] = "mldsa44-rdfc-2024"
    with pytest.raises(SignatureInvalid):
        verify(signed)


def test_a_chain_from_old_to_new() -> None:
    old = PrivateKey.from_seed("P-256", b"a signer of the past")
    signed = add_proof(
        CREDENTIAL,
        cryptosuite="ecdsa-rdfc-2019",
        signer=old,
        verification_method=key_url(old.public_key),
        created=NOW,
        proof_id="urn:uuid:1",
    )
    for suite in SUITES:
        chained = sign(suite, copy.deepcopy(signed), previous_proof="urn:uuid:1")
        assert len(verify(chained).proofs) == 2
        chained["proof"][0]["created"] = "2026-11-21T00:00:00Z"
        with pytest.raises(SignatureInvalid):
            verify(chained)


# Keys


def test_the_forms_of_a_key() -> None:
    public = KEY.public_key
    assert public.multikey().startswith("ukC")
    assert PublicKey.from_multikey(public.multikey()) == public
    assert PublicKey.from_jwk(public.jwk()) == public
    assert public.jwk()["kty"] == "AKP"  # RFC 9964 §3
    assert len(public.thumbprint()) == 43
    secret = multibase_base64(bytes.fromhex("9a26") + KEY.to_bytes())
    assert PrivateKey.from_multikey(secret).public_key == public
    assert PrivateKey.from_bytes("ML-DSA-44", KEY.to_bytes()).public_key == public
    assert PrivateKey.generate("ML-DSA-44").public_key != public
    sealed = seal(KEY.to_bytes(), "correct horse", cost=COST_FLOOR)
    assert unseal(sealed, "correct horse") == KEY.to_bytes()
    assert "secret hidden" in repr(KEY)


def test_keys_that_are_refused() -> None:
    public = KEY.public_key
    with pytest.raises(KeyInvalid):
        PublicKey("ML-DSA-44", public.raw[:-1])
    for text in (
        multibase_base58(public.tagged()[:300]),
        multibase_base58(bytes.fromhex("9024") + bytes(300)),
        multibase_base64(public.tagged()[:-1]),
        "u" + PrivateKey.from_seed("P-256", b"a signer of the past").public_key.multikey()[1:],
        multibase_base64(
            PrivateKey.from_seed("P-256", b"a signer of the past").public_key.tagged()
        ),
        "u",
        "",
    ):
        with pytest.raises(KeyInvalid):
            PublicKey.from_multikey(text)
    jwk = public.jwk()
    for change in (
        {"priv": "AA"},
        {"alg": "ML-DSA-65"},
        {"pub": jwk["pub"][:-4]},
        {"use": "enc"},
        {"kty": "OKP"},
    ):
        with pytest.raises(KeyInvalid):
            PublicKey.from_jwk({**jwk, **change})
    for secret in (
        multibase_base58(bytes.fromhex("9a26") + KEY.to_bytes()),
        multibase_base64(bytes.fromhex("9726") + bytes(2560)),
        multibase_base64(bytes.fromhex("9a26") + KEY.to_bytes() + b"\0"),
    ):
        with pytest.raises(KeyInvalid):
            PrivateKey.from_multikey(secret)


def test_signatures() -> None:
    signature = KEY.sign(b"data")
    KEY.public_key.verify(signature, b"data")
    for wrong in (signature[:-1], b"", bytes(2420)):
        with pytest.raises(SignatureInvalid):
            KEY.public_key.verify(wrong, b"data")
    with pytest.raises(SignatureInvalid):
        KEY.public_key.verify(signature, b"other")


def test_names_of_such_keys() -> None:
    name = key_url(KEY.public_key)
    assert len(name) == 3515
    assert split_key_url(name)[0] == did_key(KEY.public_key)
    assert KeyResolver().resolve(name, "assertionMethod").public_key == KEY.public_key
    document = did_document("did:web:future.example", {"pq": KEY.public_key})
    found = DocumentResolver([document]).resolve("did:web:future.example#pq", "assertionMethod")
    assert found.public_key == KEY.public_key
    # Only names that are keys may be as long.
    for did in ("did:web:" + "a" * 600, "did:key:z" + "6" * 4096):
        with pytest.raises(DidMalformed):
            check_did(did)


def test_tokens() -> None:
    token = sign_compact({"a": 1}, typ="t", signer=KEY, kid="k")  # RFC 9964 §4
    parsed = parse_compact(token, typ="t")
    assert parsed.header["alg"] == "ML-DSA-44"
    assert parsed.verify(KEY.public_key).payload == {"a": 1}
