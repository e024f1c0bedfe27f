"""bbs-2023: what a holder can show, and to whom."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from credentials.dids import KeyResolver
from credentials.errors import (
    ChallengeMismatch,
    CryptosuiteUnknown,
    LimitExceeded,
    NothingDisclosed,
    PointerUnknown,
    ProofMalformed,
    SignatureInvalid,
)
from credentials.multibase import multibase_decode
from credentials.proofs import CRYPTOSUITES, add_proof, derive, verify_credential
from credentials.proofs import bbs_2023 as suite
from credentials.proofs.bbs_2023_values import (
    MAX_PRESENTATION_HEADER,
    BaseValue,
    DerivedValue,
)
from tests.credentials.bbs_credentials import (
    ADULT,
    CANONICALIZER,
    DID,
    DOCUMENT,
    KEY,
    METHOD,
    NAME,
    NOW,
    SHOWN,
    SIGNED,
    VALUE,
    verify,
)


def test_the_suite_is_in_the_table() -> None:
    assert CRYPTOSUITES["bbs-2023"].key_types == frozenset({"Bls12381G2"})


@pytest.mark.parametrize("pointers", [[], [NAME], [NAME, ADULT], ["/credentialSubject"], [""]])
def test_derived_documents_verify(pointers: list[str]) -> None:
    shown = derive(SIGNED, pointers)
    verify(shown)
    if pointers:  # a credential without a subject is none
        assert verify_credential(shown, resolver=KeyResolver(), now=NOW).issuer == DID
    assert ("陈思远" in str(shown)) == (pointers != [])
    assert shown["issuer"] == DID


def test_nothing_to_show() -> None:
    bare = add_proof(
        DOCUMENT,
        cryptosuite="bbs-2023",
        signer=KEY,
        verification_method=METHOD,
        created=NOW,
    )
    with pytest.raises(NothingDisclosed):
        derive(bare, [])
    verify(derive(bare, [NAME]))
    with pytest.raises(PointerUnknown):
        derive(SIGNED, ["/credentialSubject/weight"])


def test_two_derived_proofs_share_only_what_is_shown() -> None:
    other = DerivedValue.decode(derive(SIGNED, [NAME])["proof"]["proofValue"])
    assert other.proof != VALUE.proof
    assert replace(other, proof=b"") == replace(VALUE, proof=b"")
    base = BaseValue.decode(SIGNED["proof"]["proofValue"])
    # Neither the signature nor what would reveal the hidden labels goes along.
    data = multibase_decode(SHOWN["proof"]["proofValue"], "u")
    for secret in (base.signature[:48], base.signature[48:], base.hmac_key):
        assert secret not in data


def test_the_holder_checks_what_was_issued() -> None:
    verify(SIGNED, accept_base=True)
    with pytest.raises(ProofMalformed):
        verify(SIGNED)  # a desk takes no base proof
    with pytest.raises(ProofMalformed):
        derive(SHOWN, [NAME])


def test_an_occasion_binds_a_presentation() -> None:
    shown = suite.derive_proof(
        SIGNED,
        selective_pointers=[NAME],
        canonicalizer=CANONICALIZER,
        presentation_header=b"a nonce of the desk",
    )

    def check(expected: bytes | None) -> None:
        suite.verify_derived(
            shown,
            public_key=KEY.public_key,
            canonicalizer=CANONICALIZER,
            presentation_header=expected,
        )

    check(b"a nonce of the desk")
    check(None)
    for other in (b"", b"another nonce"):
        with pytest.raises(ChallengeMismatch):
            check(other)
    value = DerivedValue.decode(shown["proof"]["proofValue"])
    shown["proof"]["proofValue"] = replace(value, presentation_header=b"another nonce").encode()
    with pytest.raises(SignatureInvalid):
        check(b"another nonce")
    with pytest.raises(LimitExceeded):
        suite.derive_proof(
            SIGNED,
            selective_pointers=[NAME],
            canonicalizer=CANONICALIZER,
            presentation_header=bytes(MAX_PRESENTATION_HEADER + 1),
        )


def test_a_suite_without_disclosure_derives_nothing() -> None:
    document = copy.deepcopy(SIGNED)
    document["proof"]["cryptosuite"] = "eddsa-rdfc-2022"
    with pytest.raises(CryptosuiteUnknown):
        derive(document, [NAME])
    document["proof"]["cryptosuite"] = "bbs-2024"
    with pytest.raises(CryptosuiteUnknown):
        derive(document, [NAME])
