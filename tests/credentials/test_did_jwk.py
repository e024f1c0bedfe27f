"""did:jwk, and did:key of every key type: names, documents, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from credentials.did_jwk import JwkResolver, did_jwk, jwk_document, jwk_key_url, read_did_jwk
from credentials.dids import (
    ChainResolver,
    DidDocument,
    KeyResolver,
    did_key,
    key_document,
    key_url,
)
from credentials.errors import (
    DidMalformed,
    DidMethodUnsupported,
    RelationshipMissing,
    VerificationMethodUnknown,
)
from credentials.keys import KeyType, PrivateKey, PublicKey
from credentials.multibase import base64url_encode
from credentials.proofs import add_proof, verify_credential
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TYPES: tuple[KeyType, ...] = tuple(kind for kind in get_args(KeyType) if not kind.startswith("Bls"))
USES = ("assertionMethod", "authentication", "capabilityInvocation", "capabilityDelegation")

# The P-256 example of the method's specification.
PUBLISHED = (
    "did:jwk:eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6ImFjYklRaXVNczNpOF91c3pFakoydHBUdFJNNEVVM3l6"
    "OTFQSDZDZEgyVjAiLCJ5IjoiX0tjeUxqOXZXTXB0bm1LdG00NkdxRHo4d2Y3NEk1TEtncmwyR3pIM25TRSJ9"
)


def key(kind: KeyType) -> PrivateKey:
    return PrivateKey.from_seed(kind, b"whose name is a key")


def name_of(jwk: Any) -> str:
    text = jwk if isinstance(jwk, str) else json.dumps(jwk)
    return "did:jwk:" + base64url_encode(text.encode())


def test_the_published_example() -> None:
    found = read_did_jwk(PUBLISHED)
    assert found.type == "P-256"
    assert did_jwk(found) == PUBLISHED
    document = jwk_document(PUBLISHED)
    assert document["verificationMethod"][0]["id"] == PUBLISHED + "#0"
    assert document["verificationMethod"][0]["publicKeyJwk"] == {
        "crv": "P-256",
        "kty": "EC",
        "x": "acbIQiuMs3i8_uszEjJ2tpTtRM4EU3yz91PH6CdH2V0",
        "y": "_KcyLj9vWMptnmKtm46GqDz8wf74I5LKgrl2GzH3nSE",
    }


@pytest.mark.parametrize("kind", TYPES)
def test_every_key_type(kind: KeyType) -> None:
    public = key(kind).public_key
    resolver = ChainResolver(KeyResolver(), JwkResolver())
    for did, url, document in (
        (did_jwk(public), jwk_key_url(public), jwk_document(did_jwk(public))),
        (did_key(public), key_url(public), key_document(did_key(public))),
    ):
        parsed = DidDocument.parse(document)
        assert document["id"] == parsed.id == did
        assert "keyAgreement" not in document
        for use in USES:
            method = resolver.resolve(url, use)
            assert (method.public_key, method.controller) == (public, did)
            assert parsed.method(url, use).public_key == public
        for use in ("keyAgreement", "anything"):
            with pytest.raises(RelationshipMissing):
                resolver.resolve(url, use)
        with pytest.raises(VerificationMethodUnknown):
            resolver.resolve(did + "#1", "assertionMethod")


def test_a_credential_of_a_did_jwk() -> None:
    signer = key("P-256")
    credential = {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", "ResidentIdentityCredential"],
        "issuer": did_jwk(signer.public_key),
        "credentialSubject": {"type": "Resident", "name": "欧阳雪莉"},
    }
    signed = add_proof(
        credential,
        cryptosuite="ecdsa-rdfc-2019",
        signer=signer,
        verification_method=jwk_key_url(signer.public_key),
        created=NOW,
    )
    verified = verify_credential(signed, resolver=JwkResolver(), now=NOW)
    assert verified.issuer == did_jwk(signer.public_key)
    # Who listens to did:key alone does not hear it.
    with pytest.raises(DidMethodUnsupported):
        verify_credential(signed, resolver=KeyResolver(), now=NOW)


def test_members_that_say_more_are_kept() -> None:
    jwk = {**key("P-384").public_key.jwk(), "use": "sig", "kid": "of the owner's choice"}
    assert read_did_jwk(name_of(jwk)) == key("P-384").public_key
    assert jwk_document(name_of(jwk))["verificationMethod"][0]["publicKeyJwk"] == jwk


GOOD = key("P-256").public_key.jwk()


@pytest.mark.parametrize(
    "name",
    [
        name_of({**GOOD, "d": "AAAA"}),
        name_of({**GOOD, "use": "enc"}),
        name_of({**GOOD, "y": GOOD["x"]}),
        name_of({**GOOD, "crv": "secp256k1"}),
        name_of({"kty": "oct", "k": "AAAA"}),
        name_of([GOOD]),
        name_of(json.dumps(GOOD)[:-1]),
        name_of(json.dumps(GOOD)[:-1] + f',"x":"{GOOD["x"]}"}}'),
        name_of(GOOD) + "=",
        name_of(GOOD) + ":more",
        "did:jwk:",
        "did:jwk:" + "A" * 5000,
        7,
        None,
    ],
)
def test_names_that_are_refused(name: Any) -> None:
    with pytest.raises(DidMalformed):
        read_did_jwk(name)
    with pytest.raises(DidMalformed):
        jwk_document(name)


def test_other_methods() -> None:
    with pytest.raises(DidMethodUnsupported):
        read_did_jwk(did_key(key("P-256").public_key))
    with pytest.raises(DidMethodUnsupported):
        key_document(PUBLISHED)
    with pytest.raises(DidMalformed):
        key_document("did:key:z6Mk")
    assert PublicKey.from_jwk(GOOD) == key("P-256").public_key
