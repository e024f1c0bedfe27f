"""Credentials of bbs-2023 that its tests show, change and break: plain, bound, with pseudonyms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from credentials import bbs
from credentials.bbs import Opening
from credentials.canonical import default_canonicalizer
from credentials.dids import KeyResolver, did_key, key_url
from credentials.keys import PrivateKey
from credentials.proofs import add_proof, derive, verify_proof
from credentials.proofs import bbs_2023 as suite
from credentials.proofs.bbs_2023_values import (
    DerivedValue,
)
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

KEY = PrivateKey.from_seed("Bls12381G2", b"issuer of tests, not a real key")
DID, METHOD = did_key(KEY.public_key), key_url(KEY.public_key)
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
CANONICALIZER = default_canonicalizer()
MANDATORY = ("/issuer", "/validFrom")
NAME, ADULT = "/credentialSubject/name", "/credentialSubject/ageOver18"
DESK, CLINIC = "https://desk.example", "https://clinic.example"

DOCUMENT: dict[str, Any] = {
    "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
    "type": ["VerifiableCredential", "ResidentIdentityCredential"],
    "issuer": DID,
    "validFrom": "2026-11-22T00:00:00Z",
    "validUntil": "2027-11-22T00:00:00Z",
    "credentialSubject": {
        "type": "Resident",
        "name": "陈思远",
        "sex": "female",
        "ageOver18": True,
        "ageOver65": False,
    },
}


def issue(document: dict[str, Any] | None = None) -> dict[str, Any]:
    return add_proof(
        DOCUMENT if document is None else document,
        cryptosuite="bbs-2023",
        signer=KEY,
        verification_method=METHOD,
        created=NOW,
        mandatory_pointers=MANDATORY,
    )


OPTIONS = {
    "type": "DataIntegrityProof",
    "cryptosuite": "bbs-2023",
    "created": "2026-11-22T08:00:00Z",
    "verificationMethod": METHOD,
    "proofPurpose": "assertionMethod",
}
SECRET = b"a secret of the holder, 32 bytes"


def issue_bound(nym: bytes | None) -> tuple[dict[str, Any], Opening]:
    """A credential bound to a holder's secret, and with `nym` one for pseudonyms."""
    commitment, holder = bbs.commit([SECRET], prover_nym=nym)
    proof = suite.create_base_proof(
        DOCUMENT,
        proof_options=OPTIONS,
        signer=KEY,
        mandatory_pointers=MANDATORY,
        canonicalizer=CANONICALIZER,
        commitment=commitment,
        pseudonyms=nym is not None,
    )
    return {**DOCUMENT, "proof": proof}, holder


SIGNED = issue()
BOUND, HOLDER = issue_bound(None)
NAMED, NAMED_HOLDER = issue_bound(bytes(31) + b"\x05")
SHOWN = derive(SIGNED, [NAME])
VALUE = DerivedValue.decode(SHOWN["proof"]["proofValue"])


def verify(document: dict[str, Any], *, accept_base: bool = False) -> None:
    verify_proof(document, resolver=KeyResolver(), now=NOW, accept_base=accept_base)


def with_value(document: dict[str, Any], value: str) -> dict[str, Any]:
    return {**document, "proof": {**document["proof"], "proofValue": value}}
