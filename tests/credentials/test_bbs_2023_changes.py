"""bbs-2023: what nobody can change, move or pass off as another's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from credentials.dids import key_url
from credentials.errors import (
    BbsIndexesInvalid,
    BbsMalformed,
    CredentialError,
    CryptosuiteKeyMismatch,
    PresentationUnfit,
    ProofMalformed,
    SignatureInvalid,
)
from credentials.keys import PrivateKey
from credentials.presentation import build_presentation
from credentials.proofs import CRYPTOSUITES, add_proof
from credentials.proofs import bbs_2023 as suite
from tests.credentials.bbs_credentials import (
    CANONICALIZER,
    DESK,
    DOCUMENT,
    KEY,
    METHOD,
    NOW,
    SHOWN,
    SIGNED,
    VALUE,
    verify,
    with_value,
)


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *steps, last = path.split("/")
        for step in steps:
            document = document[step]
        document[last] = value

    return change


def _drop(path: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *steps, last = path.split("/")
        for step in steps:
            document = document[step]
        del document[last]

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("credentialSubject/name", "李思远"),
        _set("credentialSubject/ageOver65", True),
        _set("credentialSubject/ageOver18", True),
        _set("credentialSubject/id", "did:key:zDnaeTHxNEBZoKaEo6PdA83fq98ebiFvo3X273Ydu4YmV96rg"),
        _set("validFrom", "2020-01-01T00:00:00Z"),
        _set("validUntil", "2027-11-22T00:00:00Z"),
        _set("proof/created", "2026-11-22T07:00:00Z"),
        _set("proof/expires", "2036-11-22T07:00:00Z"),
        _drop("credentialSubject/name"),
        _drop("validFrom"),
        _drop("proof/created"),
    ],
)
def test_no_statement_can_be_changed_added_or_dropped(
    change: Callable[[dict[str, Any]], None],
) -> None:
    document = copy.deepcopy(SHOWN)
    change(document)
    with pytest.raises(CredentialError) as caught:
        verify(document)
    assert isinstance(caught.value, SignatureInvalid | BbsIndexesInvalid | ProofMalformed)


@pytest.mark.parametrize(
    "change",
    [
        _set("credentialSubject/name", "李思远"),
        _set("credentialSubject/ageOver60", True),
        _drop("credentialSubject/sex"),
        _set("proof/created", "2026-11-22T07:00:00Z"),
    ],
)
def test_the_holder_notices_a_changed_credential(
    change: Callable[[dict[str, Any]], None],
) -> None:
    document = copy.deepcopy(SIGNED)
    change(document)
    with pytest.raises((SignatureInvalid, BbsIndexesInvalid)):
        verify(document, accept_base=True)


def test_another_issuers_key() -> None:
    other = PrivateKey.from_seed("Bls12381G2", b"another issuer of tests, no real key")
    document = copy.deepcopy(SHOWN)
    document["proof"]["verificationMethod"] = key_url(other.public_key)
    with pytest.raises(SignatureInvalid):
        verify(document)
    with pytest.raises(SignatureInvalid):
        suite.verify_base(SIGNED, public_key=other.public_key, canonicalizer=CANONICALIZER)


def test_parts_of_the_value_cannot_be_moved() -> None:
    changes: list[dict[str, Any]] = [
        {"labels": {0: VALUE.labels[1], 1: VALUE.labels[0]}},
        {"mandatory": ()},
        {"mandatory": (*VALUE.mandatory[:-1], VALUE.mandatory[-1] + 1)},
        {"mandatory": (*VALUE.mandatory, 500)},
        {"selective": VALUE.selective[:-1]},
        {"selective": (*VALUE.selective, 9)},
        {"selective": tuple(index + 1 for index in VALUE.selective)},
        {"labels": {0: 0}},
        {"labels": {0: 0, 1: 1, 2: 2}},
        {"proof": VALUE.proof[:-32]},
        {"proof": b""},
    ]
    for change in changes:
        document = with_value(SHOWN, replace(VALUE, **change).encode())
        with pytest.raises((SignatureInvalid, BbsIndexesInvalid, BbsMalformed, ProofMalformed)):
            verify(document)


def test_other_suites_take_no_bbs_key_and_bbs_no_other() -> None:
    other = PrivateKey.from_seed("P-256", b"a key of another type, for tests")
    with pytest.raises(CryptosuiteKeyMismatch):
        add_proof(
            DOCUMENT,
            cryptosuite="bbs-2023",
            signer=other,
            verification_method=key_url(other.public_key),
            created=NOW,
        )
    for name in sorted(set(CRYPTOSUITES) - {"bbs-2023"}):
        with pytest.raises(CryptosuiteKeyMismatch):
            add_proof(
                DOCUMENT,
                cryptosuite=name,
                signer=KEY,
                verification_method=METHOD,
                created=NOW,
            )
    renamed = copy.deepcopy(SHOWN)
    renamed["proof"]["cryptosuite"] = "ecdsa-sd-2023"
    with pytest.raises(CryptosuiteKeyMismatch):
        verify(renamed)
    with pytest.raises(CryptosuiteKeyMismatch):
        suite.verify_derived(SHOWN, public_key=other.public_key, canonicalizer=CANONICALIZER)
    with pytest.raises(PresentationUnfit):
        build_presentation(
            [SHOWN],
            signer=KEY,
            domain=DESK,
            challenge="a challenge of the desk",
            created=NOW,
            expires=NOW,
        )
