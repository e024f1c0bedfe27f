"""DIDs: names, documents and the authority of a key, with everything that must be refused."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from credentials.dids import (
    MAX_METHODS,
    ChainResolver,
    DidDocument,
    DocumentResolver,
    KeyResolver,
    check_did,
    did_document,
    did_key,
    key_url,
    split_key_url,
)
from credentials.errors import (
    DidDocumentMalformed,
    DidMalformed,
    DidMethodUnsupported,
    DidUnknown,
    KeyInvalid,
    RelationshipMissing,
    VerificationMethodRetired,
    VerificationMethodUnknown,
)
from credentials.keys import PrivateKey

DID = "did:web:data.hangzhou.example"
KEY = PrivateKey.from_seed("P-256", b"first key of this test").public_key
OTHER = PrivateKey.from_seed("Ed25519", b"second key of this test").public_key


def document(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(did_document(DID, {"key-1": KEY, "key-2": OTHER})), **changes}


def test_did_key_is_resolved_from_its_name() -> None:
    resolver = KeyResolver()
    for key in (KEY, OTHER):
        for relationship in ("assertionMethod", "authentication", "capabilityInvocation"):
            method = resolver.resolve(key_url(key), relationship)
            assert method.public_key == key
            assert method.controller == did_key(key)
            assert method.id == key_url(key)
    with pytest.raises(RelationshipMissing):
        resolver.resolve(key_url(KEY), "keyAgreement")
    with pytest.raises(RelationshipMissing):
        resolver.resolve(key_url(KEY), "anything")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (did_key(KEY), DidMalformed),
        (did_key(KEY) + "#", DidMalformed),
        (did_key(KEY) + "#" + OTHER.multikey(), VerificationMethodUnknown),
        (did_key(KEY) + "?x=1#" + KEY.multikey(), DidMalformed),
        (did_key(KEY) + "/x#" + KEY.multikey(), DidMalformed),
        (key_url(KEY) + "#a", DidMalformed),
        (key_url(KEY) + " ", DidMalformed),
        ("did:key:z1#z1", DidMalformed),
        ("did:key:a:b#b", DidMalformed),
        ("did:web:example.com#k", DidMethodUnsupported),
        ("DID:key:z#z", DidMalformed),
        ("https://example.com/#k", DidMalformed),
        ("", DidMalformed),
        ("did:key:" + "z" * 600 + "#z", DidMalformed),
    ],
)
def test_names_that_are_no_did_key(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        KeyResolver().resolve(url, "assertionMethod")


@pytest.mark.parametrize(
    "did",
    [
        "did:web:example.com",
        "did:web:localhost%3A8443",
        "did:web:127.0.0.1%3A8443",
        "did:web:example.com:departments:tax",
        "did:example:123",
        "did:web:xn--55qx5d.example",
    ],
)
def test_well_formed_dids(did: str) -> None:
    assert check_did(did) == did
    assert split_key_url(did + "#key-1") == (did, "key-1")


@pytest.mark.parametrize(
    "did",
    [
        "did:web:",
        "did:web:Example.com",
        "did:web:example.com:8443:",
        "did:web:example.com::x",
        "did:web:example.com:..",
        "did:web:example.com%2Fpath",
        "did:web:user%40example.com",
        "did:web:example.com%3A0",
        "did:web:example.com%3A99999",
        "did:web:-a.example",
        "did:web:a..b",
        "did:web:exämple.com",
        "did:web:example.com#key",
        "did:web:example.com\n",
        "did:Web:example.com",
        "did::x",
        "did:x",
        "web:example.com",
        5,
        None,
        "did:web:" + "a" * 600,
    ],
)
def test_malformed_dids(did: object) -> None:
    with pytest.raises(DidMalformed):
        check_did(did)


def test_a_document_says_who_may_do_what() -> None:
    made = did_document(
        DID,
        {"sign": KEY, "log-in": OTHER},
        relationships={"assertionMethod": ["sign"], "authentication": ["log-in"]},
        services=[{"id": "#issuer", "type": "Issuer", "serviceEndpoint": "https://a.example"}],
    )
    resolver = DocumentResolver([made])
    assert resolver.resolve(f"{DID}#sign", "assertionMethod").public_key == KEY
    with pytest.raises(RelationshipMissing):
        resolver.resolve(f"{DID}#log-in", "assertionMethod")
    with pytest.raises(RelationshipMissing):
        resolver.resolve(f"{DID}#sign", "authentication")
    with pytest.raises(VerificationMethodUnknown):
        resolver.resolve(f"{DID}#other", "assertionMethod")
    with pytest.raises(DidUnknown):
        resolver.resolve("did:web:else.example#sign", "assertionMethod")
    parsed = resolver.document(DID)
    assert parsed is not None
    service = parsed.service("Issuer")
    assert service is not None
    assert (service.id, service.endpoint) == (f"{DID}#issuer", "https://a.example")
    assert parsed.service("Other") is None
    assert resolver.document("did:web:else.example") is None


def test_jwk_methods_relative_names_and_embedded_methods() -> None:
    parsed = DidDocument.parse(
        {
            "id": DID,
            "verificationMethod": [
                {"id": "#jwk", "type": "JsonWebKey", "controller": DID, "publicKeyJwk": KEY.jwk()}
            ],
            "assertionMethod": ["#jwk"],
            "authentication": [
                {
                    "id": f"{DID}#embedded",
                    "type": "Multikey",
                    "controller": DID,
                    "publicKeyMultibase": OTHER.multikey(),
                }
            ],
        }
    )
    assert parsed.method(f"{DID}#jwk", "assertionMethod").public_key == KEY
    assert parsed.method(f"{DID}#embedded", "authentication").public_key == OTHER
    with pytest.raises(RelationshipMissing):
        parsed.method(f"{DID}#embedded", "assertionMethod")


def test_a_retired_key_verifies_nothing() -> None:
    made = document()
    made["verificationMethod"][0]["revoked"] = "2026-05-01T00:00:00Z"
    made["verificationMethod"][1]["expires"] = "2026-06-01T08:00:00+08:00"
    parsed = DidDocument.parse(made)
    revoked = parsed.method(f"{DID}#key-1", "assertionMethod")
    expired = parsed.method(f"{DID}#key-2", "assertionMethod")
    revoked.check_alive(datetime(2026, 4, 30, tzinfo=UTC))
    expired.check_alive(datetime(2026, 5, 31, tzinfo=UTC))
    with pytest.raises(VerificationMethodRetired):
        revoked.check_alive(datetime(2026, 5, 1, tzinfo=UTC))
    with pytest.raises(VerificationMethodRetired):
        expired.check_alive(datetime(2026, 6, 1, tzinfo=UTC))


def _method(**changes: Any) -> dict[str, Any]:
    return {
        "id": f"{DID}#key-1",
        "type": "Multikey",
        "controller": DID,
        "publicKeyMultibase": KEY.multikey(),
        **changes,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": "https://example.com"},
        {"id": DID + "#x"},
        {"controller": "did:web:thief.example"},
        {"controller": [DID]},
        {"verificationMethod": {}},
        {"verificationMethod": [None]},
        {"verificationMethod": [_method(), _method()]},
        {"verificationMethod": [_method(controller="did:web:thief.example")]},
        {"verificationMethod": [_method(controller=None)]},
        {"verificationMethod": [_method(id="did:web:thief.example#key-1")]},
        {"verificationMethod": [_method(id=DID)]},
        {"verificationMethod": [_method(id=5)]},
        {"verificationMethod": [_method(type="Ed25519VerificationKey2020")]},
        {"verificationMethod": [_method(publicKeyMultibase=5)]},
        {"verificationMethod": [_method(type="JsonWebKey")]},
        {"verificationMethod": [_method(secretKeyMultibase="z123")]},
        {"verificationMethod": [_method(revoked="2026-05-01")]},
        {"verificationMethod": [_method(expires=None)]},
        {
            "verificationMethod": [
                _method(id=f"{DID}#{number}") for number in range(MAX_METHODS + 1)
            ]
        },
        {"assertionMethod": f"{DID}#key-1"},
        {"assertionMethod": [f"{DID}#absent"]},
        {"assertionMethod": ["did:web:thief.example#key-1"]},
        {"assertionMethod": [None]},
        {"assertionMethod": [_method()]},
        {"service": {}},
        {"service": [{"id": "#s", "type": "S"}]},
        {"service": [{"id": "did:web:thief.example#s", "type": "S", "serviceEndpoint": "x"}]},
        {"service": [{"id": "#s", "type": "S", "serviceEndpoint": ["x"]}]},
        {"service": [None] * 17},
    ],
)
def test_malformed_documents(changes: dict[str, Any]) -> None:
    DidDocument.parse(document())
    with pytest.raises(DidDocumentMalformed):
        DidDocument.parse(document(**changes))


def test_unusable_keys_in_a_document() -> None:
    with pytest.raises(KeyInvalid):
        DidDocument.parse(document(verificationMethod=[_method(publicKeyMultibase="z123")]))
    with pytest.raises(DidDocumentMalformed):
        DidDocument.parse("a text")
    with pytest.raises(DidDocumentMalformed):
        DocumentResolver([document(), document()])
    with pytest.raises(DidDocumentMalformed):
        did_document(DID, {"a": KEY}, relationships={"signing": ["a"]})


def test_no_document_can_take_over_a_did_key() -> None:
    did_document(did_key(KEY), {KEY.multikey(): KEY})
    with pytest.raises(DidDocumentMalformed):
        did_document(did_key(KEY), {KEY.multikey(): OTHER})


def test_a_chain_asks_in_turn_and_does_not_look_further_for_a_better_answer() -> None:
    generous = did_document(DID, {"key-1": KEY})
    strict = did_document(DID, {"key-1": KEY}, relationships={"authentication": ["key-1"]})
    chain = ChainResolver(KeyResolver(), DocumentResolver([strict]), DocumentResolver([generous]))
    assert chain.resolve(key_url(OTHER), "assertionMethod").public_key == OTHER
    assert chain.resolve(f"{DID}#key-1", "authentication").public_key == KEY
    with pytest.raises(RelationshipMissing):
        chain.resolve(f"{DID}#key-1", "assertionMethod")
    with pytest.raises(DidUnknown):
        chain.resolve("did:web:else.example#k", "assertionMethod")
    with pytest.raises(DidMalformed):
        chain.resolve("nonsense", "assertionMethod")
