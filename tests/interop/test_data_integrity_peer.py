"""Data Integrity against Digital Bazaar's JavaScript packages, both ways.

What they issue and derive verifies here; what is issued and derived here verifies there; and what
is altered on the way is refused by both.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from credentials.dids import KeyResolver, did_key, key_url
from credentials.errors import CredentialError
from credentials.keys import KeyType, PrivateKey
from credentials.proofs import add_proof, derive, verify_credential
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT
from schemas.scenario import load_scenario

PACKAGES = [
    "jsonld-signatures",
    "@digitalbazaar/data-integrity",
    "@digitalbazaar/ecdsa-jcs-2019-cryptosuite",
    "@digitalbazaar/ecdsa-multikey",
    "@digitalbazaar/ecdsa-rdfc-2019-cryptosuite",
    "@digitalbazaar/ecdsa-sd-2023-cryptosuite",
    "@digitalbazaar/ed25519-multikey",
    "@digitalbazaar/eddsa-jcs-2022-cryptosuite",
    "@digitalbazaar/eddsa-rdfc-2022-cryptosuite",
]
SCENARIO = load_scenario("resident-identity")
MANDATORY = list(SCENARIO.mandatory_pointers)
SHOWN = ["/credentialSubject/name", "/credentialSubject/ageOver18"]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
CREATED = "2026-11-22T09:00:00Z"
PLAIN: list[tuple[str, KeyType]] = [
    ("eddsa-rdfc-2022", "Ed25519"),
    ("ecdsa-rdfc-2019", "P-256"),
    ("ecdsa-rdfc-2019", "P-384"),
    ("eddsa-jcs-2022", "Ed25519"),
    ("ecdsa-jcs-2019", "P-256"),
    ("ecdsa-jcs-2019", "P-384"),
]
DOCUMENT: dict[str, Any] = {
    "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
    "type": ["VerifiableCredential", "ResidentIdentityCredential"],
    "validFrom": "2026-11-22T00:00:00Z",
    "validUntil": "2031-11-22T00:00:00Z",
    "credentialStatus": [
        {
            "type": "BitstringStatusListEntry",
            "statusPurpose": purpose,
            "statusListIndex": "94567",
            "statusListCredential": f"https://data.example/status/{number}",
        }
        for number, purpose in ((1, "revocation"), (2, "suspension"))
    ],
    "credentialSchema": {
        "id": SCENARIO.schema_url,
        "type": "JsonSchema",
        "digestMultibase": SCENARIO.schema_digest,
    },
    "credentialSubject": {
        "id": "did:key:zDnaenvjfEiW4dhNFRWtGzAyZ4K5EWUHqP2f5aA6uPmCh33x8",
        "type": "Resident",
        # A character beyond the basic plane, one from the compatibility block, and quotes.
        "name": '欧阳𠮷\ufa11"\\',
        "sex": "female",
        "birthDate": "1949-10-01",
        "ageOver18": True,
        "ageOver60": True,
    },
}


@pytest.fixture
def ask(ask_peer: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    return partial(ask_peer, "integrity_peer.mjs", PACKAGES)


def signed(cryptosuite: str, key_type: KeyType) -> dict[str, Any]:
    key = PrivateKey.generate(key_type)
    return add_proof(
        {**DOCUMENT, "issuer": did_key(key.public_key)},
        cryptosuite=cryptosuite,
        signer=key,
        verification_method=key_url(key.public_key),
        created=NOW,
        mandatory_pointers=MANDATORY if cryptosuite == "ecdsa-sd-2023" else (),
    )


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    """The same with another name in it."""
    return {
        **document,
        "credentialSubject": {**document["credentialSubject"], "name": "另一人"},
    }


def verifies_here(document: dict[str, Any]) -> bool:
    """Whether it verifies here; and altered, it must not."""
    with pytest.raises(CredentialError):
        verify_credential(renamed(document), resolver=KeyResolver(), now=NOW)
    verified = verify_credential(document, resolver=KeyResolver(), now=NOW)
    return bool(verified.issuer == document["issuer"])


@pytest.mark.parametrize(("cryptosuite", "key_type"), PLAIN)
def test_plain_suites_agree_both_ways(
    ask: Callable[..., list[Any]], cryptosuite: str, key_type: KeyType
) -> None:
    ours = signed(cryptosuite, key_type)
    theirs, good, altered = ask(
        [
            {
                "do": "issue",
                "cryptosuite": cryptosuite,
                "keyType": key_type,
                "document": DOCUMENT,
                "created": CREATED,
            },
            {"do": "verify", "cryptosuite": cryptosuite, "document": ours},
            {"do": "verify", "cryptosuite": cryptosuite, "document": renamed(ours)},
        ]
    )
    assert verifies_here(theirs)
    assert (good, altered) == (True, False)


def test_selective_disclosure_agrees_both_ways(ask: Callable[..., list[Any]]) -> None:
    suite = {"cryptosuite": "ecdsa-sd-2023"}
    ours = signed("ecdsa-sd-2023", "P-256")
    derived_here = derive(ours, SHOWN)
    theirs, derived_there, good, altered = ask(
        [
            {
                **suite,
                "do": "issue",
                "keyType": "P-256",
                "document": DOCUMENT,
                "created": CREATED,
                "pointers": MANDATORY,
            },
            # Their holder derives from what our issuer signed.
            {**suite, "do": "derive", "document": ours, "pointers": SHOWN},
            # Their verifier reads what our holder derived.
            {**suite, "do": "verify", "document": derived_here},
            {**suite, "do": "verify", "document": renamed(derived_here)},
        ]
    )
    assert (good, altered) == (True, False)
    # Our verifier reads what their holder derived, and both show the same.
    assert verifies_here(derived_there)
    for document in (derived_here, derived_there):
        assert set(document["credentialSubject"]) == {"id", "type", "name", "ageOver18"}
    assert {k: v for k, v in derived_here.items() if k != "proof"} == {
        k: v for k, v in derived_there.items() if k != "proof"
    }

    # Our holder derives from what their issuer signed, and their verifier reads that.
    shown = derive(theirs, SHOWN)
    assert verifies_here(shown)
    assert ask([{**suite, "do": "verify", "document": shown}]) == [True]
