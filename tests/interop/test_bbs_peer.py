"""bbs-2023 against Digital Bazaar's JavaScript packages, both ways and crosswise.

What they issue is derived and verified here, what is issued here is derived and verified there,
and what is altered on the way is refused by both.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from credentials.canonical import default_canonicalizer
from credentials.dids import KeyResolver, did_key, key_url
from credentials.errors import ChallengeMismatch, CredentialError
from credentials.keys import PrivateKey
from credentials.proofs import add_proof, bbs_2023, verify_credential
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

PACKAGES = [
    "jsonld-signatures",
    "@digitalbazaar/data-integrity",
    "@digitalbazaar/bbs-2023-cryptosuite",
    "@digitalbazaar/bls12-381-multikey",
]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
CREATED = "2026-11-22T09:00:00Z"
OCCASION = "a nonce of the desk"
MANDATORY = ["/issuer", "/validFrom", "/credentialStatus/0"]
SHOWN = ["/credentialSubject/name", "/credentialSubject/ageOver18", "/credentialStatus/1"]
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
    "credentialSubject": {
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
    return partial(ask_peer, "bbs_peer.mjs", PACKAGES)


def issued_here() -> dict[str, Any]:
    key = PrivateKey.generate("Bls12381G2")
    return add_proof(
        {**DOCUMENT, "issuer": did_key(key.public_key)},
        cryptosuite="bbs-2023",
        signer=key,
        verification_method=key_url(key.public_key),
        created=NOW,
        mandatory_pointers=MANDATORY,
    )


def derived_here(document: dict[str, Any]) -> dict[str, Any]:
    return bbs_2023.derive_proof(
        document,
        selective_pointers=SHOWN,
        canonicalizer=default_canonicalizer(),
        presentation_header=OCCASION.encode(),
    )


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "credentialSubject": {**document["credentialSubject"], "name": "另一人"}}


def verifies_here(document: dict[str, Any]) -> None:
    verified = verify_credential(document, resolver=KeyResolver(), now=NOW)
    assert verified.issuer == document["issuer"]
    assert "sex" not in document["credentialSubject"]
    with pytest.raises(CredentialError):
        verify_credential(renamed(document), resolver=KeyResolver(), now=NOW)
    key = verified.document["proof"]["verificationMethod"]
    public_key = KeyResolver().resolve(key, "assertionMethod").public_key
    check = partial(
        bbs_2023.verify_derived,
        document,
        public_key=public_key,
        canonicalizer=default_canonicalizer(),
    )
    check(presentation_header=OCCASION.encode())
    with pytest.raises(ChallengeMismatch):
        check(presentation_header=b"another")


def test_issued_and_derived_on_either_side(ask: Callable[..., list[Any]]) -> None:
    ours = issued_here()
    derive = {"do": "derive", "pointers": SHOWN, "occasion": OCCASION}
    theirs, ours_derived_there = ask(
        [
            {"do": "issue", "document": DOCUMENT, "created": CREATED, "pointers": MANDATORY},
            {**derive, "document": ours},
        ]
    )
    verify_credential(theirs, resolver=KeyResolver(), now=NOW, accept_base=True)
    theirs_derived_here = derived_here(theirs)
    ours_derived_here = derived_here(ours)
    verifies_here(ours_derived_there)
    verifies_here(theirs_derived_here)
    theirs_derived_there, *answers = ask(
        [
            {**derive, "document": theirs},
            {"do": "verify", "document": theirs_derived_here},
            {"do": "verify", "document": ours_derived_here},
            {"do": "verify", "document": renamed(ours_derived_here)},
        ]
    )
    assert answers == [True, True, False]
    verifies_here(theirs_derived_there)
    assert {**theirs_derived_there, "proof": None} == {**theirs_derived_here, "proof": None}
