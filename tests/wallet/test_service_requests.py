"""What a wallet answers, what only on its holder's express wish, and what never."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from credentials.dids import did_key, key_url
from credentials.errors import (
    QueryUnsupported,
    RequestByReference,
    RequestExpired,
    RequestMalformed,
    SignatureInvalid,
)
from credentials.keys import PrivateKey
from credentials.qr import draw
from credentials.query import ClaimQuery, DcqlQuery
from registry.ledger.entries import make_entry
from registry.ledger.members import encode_time
from tests.wallet.asking import NAME, desk_request, foreign_request, kinds
from tests.wallet.conftest import Town
from wallet.errors import (
    CannotAnswer,
    RequestAnswered,
    RequestExceedsEntitlement,
    UnknownCredential,
    VerifierNotAccredited,
    WrongKindOfInput,
)
from wallet.views import HistoryKind, Outcome, WarningKind

# The request itself


def test_one_request_is_answered_once(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    text = town.request("name")
    view = wallet.inspect_request(text)
    wallet.answer(view, number)
    with pytest.raises(RequestAnswered):
        wallet.answer(view, number)
    with pytest.raises(RequestAnswered):
        wallet.inspect_request(text)
    assert [e.kind for e in wallet.history()].count(HistoryKind.PRESENTATION) == 1


def test_an_expired_request(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    text = town.request("name")
    view = wallet.inspect_request(text)
    town.clock.advance(minutes=6)
    with pytest.raises(RequestExpired):
        wallet.answer(view, number)
    with pytest.raises(RequestExpired):
        wallet.inspect_request(text)


def test_an_altered_request(town: Town) -> None:
    wallet = town.wallet()
    text = town.request("name")
    head, _, signature = text.rpartition(".")
    turned = ("B" if signature[0] == "A" else "A") + signature[1:]
    with pytest.raises(SignatureInvalid):
        wallet.inspect_request(f"{head}.{turned}")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("openid4vp://?request_uri=https%3A%2F%2Fevil.example", RequestByReference),
        ("openid4vp://?client_id=x&nonce=1", RequestMalformed),
        ("hello", RequestMalformed),
        ("openid-credential-offer://?credential_offer=%7B%7D", WrongKindOfInput),
    ],
)
def test_what_is_no_request(text: str, error: type[Exception], town: Town) -> None:
    wallet = town.wallet()
    town.wires.seen.clear()
    with pytest.raises(error):
        wallet.inspect_request(text)
    assert town.wires.seen == []


def test_a_request_as_picture_and_as_file(town: Town, tmp_path: Path) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    text = town.request("name")
    (tmp_path / "r.png").write_bytes(draw(text, "png"))
    (tmp_path / "r.txt").write_text(text + "\n", encoding="utf-8")
    for name in ("r.png", "r.txt"):
        view = wallet.inspect_request(tmp_path / name)
        assert view.verifier_did == town.desk.settings.did


def test_declining_is_recorded_and_sends_nothing(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    view = wallet.inspect_request(town.request("name"))
    town.wires.seen.clear()
    entry = wallet.decline(view)
    assert entry.kind is HistoryKind.REFUSAL
    assert entry.claim_labels == ("Name",)
    assert town.wires.seen == []


# Who asks, and for what


def test_whoever_is_not_accredited_gets_no_answer(town: Town) -> None:
    """A did:key can sign a valid request; nothing on the chain says who it is."""
    wallet = town.wallet()
    number = town.credential(wallet)
    key = PrivateKey.generate("P-256")
    view = wallet.inspect_request(
        foreign_request(town, key, did_key(key.public_key), key_url(key.public_key))
    )
    assert kinds(view.warnings) == [WarningKind.UNKNOWN_VERIFIER]
    assert not view.answerable
    assert view.legal_basis is None
    assert view.entitlement is None, "an entitlement of another department lends it nothing"
    for override in (False, True):
        with pytest.raises(VerifierNotAccredited):
            wallet.answer(view, number, override=override)
    entry = wallet.history()[0]
    assert (entry.kind, entry.outcome, entry.error) == (
        HistoryKind.PRESENTATION,
        Outcome.FAILED,
        "ZL-VERIFIER-NOT-ACCREDITED",
    )


def test_a_struck_off_department(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    view = wallet.inspect_request(town.request("name"))
    accreditation = json.loads(
        json.dumps(
            town.chain.sequencer.chains.governance.verifiers[town.desk.settings.did].document
        )
    )
    town.govern(
        make_entry(
            "verifier",
            did=town.desk.settings.did,
            name=dict(town.desk.settings.name),
            document=accreditation,
            **{
                "from": encode_time(town.clock() - timedelta(days=1)),
                "to": encode_time(town.clock() - timedelta(seconds=1)),
            },
        )
    )
    wallet.refresh()
    with pytest.raises(VerifierNotAccredited):
        wallet.answer(view, number)


def test_a_request_beyond_its_entitlement_needs_an_express_wish(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    view = wallet.inspect_request(
        desk_request(
            town,
            dcql=DcqlQuery.for_claims(
                "ResidentIdentityCredential", [NAME, "/credentialSubject/citizenNumber"]
            ),
        )
    )
    assert kinds(view.warnings) == [WarningKind.EXCEEDS_ENTITLEMENT]
    assert [claim.label for claim in view.exceeding] == ["Citizen number"]
    assert "Citizen number" in view.warnings[0].text
    assert view.needs_override
    with pytest.raises(RequestExceedsEntitlement):
        wallet.answer(view, number)
    assert wallet.answer(view, number, override=True).shown == ("Name", "Citizen number")


def test_a_request_for_the_whole_subject_is_unfolded(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    query = DcqlQuery(
        "credential",
        DcqlQuery.for_claims("ResidentIdentityCredential", []).type_values,
        (ClaimQuery(("credentialSubject",)),),
    )
    view = wallet.inspect_request(desk_request(town, dcql=query))
    assert len(view.shown) == 11
    assert "Citizen number" in {claim.label for claim in view.exceeding}
    assert view.needs_override


def test_a_claim_without_a_name_is_not_asked_for_in_secret(town: Town) -> None:
    """What the consent screen cannot name is not shown to anybody."""
    wallet = town.wallet()
    town.credential(wallet)
    query = DcqlQuery.for_claims("ResidentIdentityCredential", ["/evidence/0/replyDigest"])
    with pytest.raises(QueryUnsupported):
        wallet.inspect_request(desk_request(town, dcql=query))


def test_an_entitlement_that_is_unknown_or_over(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    town.entitle("old", [NAME], to=encode_time(town.clock() - timedelta(hours=1)))
    wallet.refresh()
    for name in ("nothing", "old"):
        view = wallet.inspect_request(desk_request(town, entitlement=name, nonce=name * 8))
        assert kinds(view.warnings) == [WarningKind.NO_ENTITLEMENT]
        assert view.needs_override


def test_another_purpose_than_the_chains_is_pointed_out(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    desk = town.desk
    view = wallet.inspect_request(
        foreign_request(town, desk._signer, desk.settings.did, desk.settings.key_url)
    )
    assert WarningKind.PURPOSE_DIFFERS in kinds(view.warnings)
    assert "Senior bus card" in view.warnings[0].text
    assert view.verifier_name == "Hangzhou Transport Bureau", "the chain's name, not its own"


# What there is to show


def test_without_a_fitting_credential(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_request(town.request("name"))
    assert kinds(view.warnings) == [WarningKind.NO_CREDENTIAL]
    assert not view.answerable
    with pytest.raises(UnknownCredential):
        wallet.answer(view, "nonesuch")


def test_a_value_asked_for_that_the_credential_has_not(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    query = DcqlQuery(
        "credential",
        DcqlQuery.for_claims("ResidentIdentityCredential", []).type_values,
        (ClaimQuery(("credentialSubject", "sex"), ("female",)),),
    )
    view = wallet.inspect_request(desk_request(town, dcql=query))
    assert view.candidates == ()
    with pytest.raises(CannotAnswer):
        wallet.answer(view, number, override=True)
