"""bbs-2023: credentials bound to a holder's secret, one pseudonym per context, and anchors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from credentials import bbs
from credentials.anchor import anchor_of, issuer_signature
from credentials.bbs import Opening
from credentials.errors import (
    AnchorHidden,
    BbsCommitmentInvalid,
    BbsFeatureMismatch,
    BbsIndexesInvalid,
    BbsMalformed,
    KeyInvalid,
    ProofMalformed,
    SignatureInvalid,
)
from credentials.proofs import bbs_2023 as suite
from credentials.proofs import derive
from credentials.proofs.bbs_2023_values import (
    BaseValue,
    DerivedValue,
)
from tests.credentials.bbs_credentials import (
    BOUND,
    CANONICALIZER,
    CLINIC,
    DESK,
    DOCUMENT,
    HOLDER,
    KEY,
    MANDATORY,
    NAME,
    NAMED,
    NAMED_HOLDER,
    OPTIONS,
    SECRET,
    SHOWN,
    SIGNED,
    verify,
    with_value,
)

# Holder binding and pseudonyms


def check_shown(document: dict[str, Any], nym_domain: str | None = None) -> DerivedValue:
    return suite.verify_derived(
        document,
        public_key=KEY.public_key,
        canonicalizer=CANONICALIZER,
        nym_domain=nym_domain,
    )


def show(document: dict[str, Any], **more: Any) -> dict[str, Any]:
    return suite.derive_proof(
        document, selective_pointers=[NAME], canonicalizer=CANONICALIZER, **more
    )


def test_a_bound_credential() -> None:
    suite.verify_base(BOUND, public_key=KEY.public_key, canonicalizer=CANONICALIZER, holder=HOLDER)
    shown = show(BOUND, holder=HOLDER)
    check_shown(shown)
    verify(shown)  # a verifier needs nothing more


def test_a_thief_cannot_show_a_bound_credential() -> None:
    for thief in (Opening((b"a guess",), HOLDER.blind), Opening((SECRET,), bytes(31) + b"\1")):
        with pytest.raises(SignatureInvalid):
            check_shown(show(BOUND, holder=thief))
        with pytest.raises(SignatureInvalid):
            suite.verify_base(
                BOUND, public_key=KEY.public_key, canonicalizer=CANONICALIZER, holder=thief
            )
    with pytest.raises(BbsFeatureMismatch):
        show(BOUND)
    with pytest.raises(BbsFeatureMismatch):
        derive(BOUND, [NAME])
    with pytest.raises(BbsFeatureMismatch):
        verify(BOUND, accept_base=True)


def test_a_pseudonym_is_one_per_context() -> None:
    suite.verify_base(
        NAMED, public_key=KEY.public_key, canonicalizer=CANONICALIZER, holder=NAMED_HOLDER
    )
    found = [
        check_shown(show(NAMED, holder=NAMED_HOLDER, nym_domain=domain), domain).pseudonym
        for domain in (DESK, DESK, CLINIC)
    ]
    assert found[0] == found[1] != found[2]
    shown = show(NAMED, holder=NAMED_HOLDER, nym_domain=DESK)
    with pytest.raises(SignatureInvalid):
        check_shown(shown, CLINIC)
    with pytest.raises(BbsFeatureMismatch):
        check_shown(shown)
    # The framework knows no context, so it cannot say that such a proof holds.
    with pytest.raises(BbsFeatureMismatch):
        verify(shown)
    value = DerivedValue.decode(shown["proof"]["proofValue"])
    stolen = with_value(shown, replace(value, pseudonym=found[2]).encode())
    with pytest.raises(SignatureInvalid):
        check_shown(stolen, DESK)


def test_secrets_of_the_wrong_kind() -> None:
    for document, more in (
        (SIGNED, {"holder": HOLDER}),
        (SIGNED, {"nym_domain": DESK}),
        (BOUND, {"holder": NAMED_HOLDER}),
        (BOUND, {"holder": HOLDER, "nym_domain": DESK}),
        (NAMED, {"holder": HOLDER, "nym_domain": DESK}),
        (NAMED, {"holder": NAMED_HOLDER}),
    ):
        with pytest.raises(BbsFeatureMismatch):
            show(document, **more)
    with pytest.raises(BbsFeatureMismatch):
        check_shown(SHOWN, DESK)


def test_the_issuer_wants_the_commitment_proven() -> None:
    def sign(**more: Any) -> None:
        suite.create_base_proof(
            DOCUMENT,
            proof_options=OPTIONS,
            signer=KEY,
            mandatory_pointers=MANDATORY,
            canonicalizer=CANONICALIZER,
            **more,
        )

    commitment, _ = bbs.commit([SECRET])
    with pytest.raises(BbsCommitmentInvalid):
        sign(commitment=commitment, pseudonyms=True)
    with pytest.raises(BbsMalformed):
        sign(commitment=b"")
    for wrong in ({"pseudonyms": True}, {"commitment": commitment, "nym_entropy": bytes(32)}):
        with pytest.raises(BbsFeatureMismatch):
            sign(**wrong)
    with pytest.raises(KeyInvalid):
        sign(hmac_key=bytes(31))


def test_number_of_statements_cannot_be_claimed_otherwise() -> None:
    shown = show(BOUND, holder=HOLDER)
    value = DerivedValue.decode(shown["proof"]["proofValue"])
    assert value.total is not None
    for total in (0, value.total - 1, value.total + 1, 1000):
        with pytest.raises((SignatureInvalid, BbsIndexesInvalid)):
            check_shown(with_value(shown, replace(value, total=total).encode()))


# Anchors


def test_issued_credentials_have_an_anchor_and_derived_ones_none() -> None:
    for issued in (SIGNED, BOUND, NAMED):
        signature = BaseValue.decode(issued["proof"]["proofValue"]).signature
        assert issuer_signature(issued) == signature
        assert len(anchor_of(issued)) == 32
    for derived in (
        SHOWN,
        show(BOUND, holder=HOLDER),
        show(NAMED, holder=NAMED_HOLDER, nym_domain=DESK),
    ):
        with pytest.raises(AnchorHidden):
            anchor_of(derived)
    for bad in ("", "u", "z6Mk", "u2V0A", None, SIGNED["proof"]["proofValue"][:-8]):
        with pytest.raises(ProofMalformed):
            anchor_of({"proof": {"cryptosuite": "bbs-2023", "proofValue": bad}})
