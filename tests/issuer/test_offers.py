"""Offers: two codes, five tries, ten minutes, one use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from issuer.enrolment import Enrolment
from issuer.errors import (
    NonceInvalid,
    OfferInvalid,
    StoreFull,
    TransactionCodeMissing,
    TransactionCodeWrong,
    TransitionForbidden,
)
from issuer.nonces import check_nonce, make_nonce
from issuer.notify import FileOutbox
from issuer.offers import Offer, Offers
from issuer.office import Office
from issuer.records import Records
from issuer.store import STORE_FILE
from schemas.scenario import load_scenario

GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"


@pytest.fixture
def application(office: Office, authority: Any, citizen: dict[str, str]) -> str:
    enrolment = Enrolment(office, load_scenario("resident-identity"), authority)
    application = enrolment.receive_at_counter(citizen, actor="clerk")
    enrolment.ask(application)
    return application


@pytest.fixture
def offers(office: Office, outbox: FileOutbox) -> Offers:
    return Offers(office, outbox, "ResidentIdentityCredential")


def content_of(offer: Offer) -> dict[str, Any]:
    return dict(json.loads(parse_qs(urlsplit(offer.text).query)["credential_offer"][0]))


def code_of(offer: Offer) -> str:
    return str(content_of(offer)["grants"][GRANT]["pre-authorized_code"])


def tx_code_of(office: Office, application: str) -> str:
    return str(json.loads((office.home / "outbox" / f"{application}.json").read_text())["tx_code"])


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def test_an_offer_has_the_form_of_the_specification(offers: Offers, application: str) -> None:
    offer = offers.make(application)
    assert offer.text.startswith("openid-credential-offer://?credential_offer=%7B")
    content = content_of(offer)
    assert content["credential_issuer"] == "https://issuer.example"
    assert content["credential_configuration_ids"] == ["ResidentIdentityCredential"]
    grant = content["grants"][GRANT]
    assert grant["tx_code"] == {"input_mode": "numeric", "length": 6}
    assert len(grant["pre-authorized_code"]) == 43
    assert offers.current(application) == offer


def test_the_transaction_code_stands_in_the_outbox_alone(
    offers: Offers, office: Office, application: str
) -> None:
    offer = offers.make(application)
    message = office.home / "outbox" / f"{application}.json"
    assert message.stat().st_mode & 0o077 == 0
    code = tx_code_of(office, application)
    assert len(code) == 6
    assert code.isdigit()
    office.store.close()
    raw = b"".join(file.read_bytes() for file in office.home.glob(STORE_FILE + "*"))
    assert code_of(offer).encode() not in raw
    assert b"tx_code" not in raw


def test_both_codes_open_the_offer_once(offers: Offers, office: Office, application: str) -> None:
    offer = offers.make(application)
    code, tx_code = code_of(offer), tx_code_of(office, application)
    token = offers.redeem(code, tx_code)
    assert len(token.text) == 43
    assert token.text not in repr(token)
    assert not (office.home / "outbox" / f"{application}.json").exists()
    with pytest.raises(OfferInvalid):
        offers.redeem(code, tx_code)
    assert offers.current(application) is None


def test_five_wrong_codes_lock_the_offer(offers: Offers, office: Office, application: str) -> None:
    offer = offers.make(application)
    code, tx_code = code_of(offer), tx_code_of(office, application)
    for left in (4, 3, 2, 1):
        with pytest.raises(TransactionCodeWrong) as caught:
            offers.redeem(code, wrong(tx_code))
        assert caught.value.params == {"left": left}
    for tried in (wrong(tx_code), tx_code):
        with pytest.raises(OfferInvalid):
            offers.redeem(code, tried)
    # The operator can make a new one, and the right code works there.
    again = offers.make(application)
    assert offers.redeem(code_of(again), tx_code_of(office, application))


def test_a_missing_code_is_no_wrong_one(offers: Offers, office: Office, application: str) -> None:
    offer = offers.make(application)
    for _ in range(6):
        with pytest.raises(TransactionCodeMissing):
            offers.redeem(code_of(offer), None)
    assert offers.redeem(code_of(offer), tx_code_of(office, application))


def test_an_expired_offer_and_an_unknown_code_are_refused_alike(
    offers: Offers, office: Office, application: str, clock: Any
) -> None:
    offer = offers.make(application)
    with pytest.raises(OfferInvalid):
        offers.redeem("A" * 43, "123456")
    clock.advance(minutes=10)
    with pytest.raises(OfferInvalid):
        offers.redeem(code_of(offer), tx_code_of(office, application))
    assert offers.current(application) is None


def test_the_message_of_a_lapsed_offer_is_forgotten(
    offers: Offers, office: Office, application: str, clock: Any
) -> None:
    offers.make(application)
    message = office.home / "outbox" / f"{application}.json"
    offers.lapse()
    assert message.exists()
    clock.advance(minutes=10)
    offers.lapse()
    assert not message.exists()
    assert offers.make(application)


def test_a_new_offer_withdraws_the_old_one(
    offers: Offers, office: Office, application: str
) -> None:
    old = offers.make(application)
    new = offers.make(application)
    tx_code = tx_code_of(office, application)
    with pytest.raises(OfferInvalid):
        offers.redeem(code_of(old), tx_code)
    assert offers.redeem(code_of(new), tx_code)


def test_a_request_and_the_worker_make_one_first_offer(
    offers: Offers, office: Office, application: str
) -> None:
    made = offers.first(application)
    assert made is not None
    assert offers.first(application) == made
    assert offers.redeem(code_of(made), tx_code_of(office, application))


def test_only_an_approved_application_gets_an_offer(
    offers: Offers, office: Office, authority: Any, citizen: dict[str, str]
) -> None:
    authority.passes = False
    enrolment = Enrolment(office, load_scenario("resident-identity"), authority)
    application = enrolment.receive_at_counter(citizen, actor="clerk")
    for state in ("waiting", "refused"):
        with pytest.raises(TransitionForbidden) as caught:
            offers.make(application)
        assert caught.value.params["state"] == state
        enrolment.ask(application)


def test_a_code_that_cannot_be_delivered_makes_no_offer(office: Office, application: str) -> None:
    class FullDisk:
        def deliver(self, *_: object) -> None:
            raise StoreFull

        def withdraw(self, *_: object) -> None: ...

    offers = Offers(office, FullDisk(), "ResidentIdentityCredential")
    with pytest.raises(StoreFull):
        offers.make(application)
    assert offers.current(application) is None
    assert Records(office.store).application(application).state == "approved"


def test_nonces_are_known_again_until_they_expire(
    office: Office, open_office: Callable[..., Office], clock: Any
) -> None:
    nonce = make_nonce(office)
    assert nonce != make_nonce(office)
    digest, until = check_nonce(office, nonce)
    assert check_nonce(open_office(), nonce) == (digest, until)
    for bad in ("", "A", nonce[:-1], nonce + "A", "A" * 54, nonce[:-4] + "AAAA", "é" * 54):
        with pytest.raises(NonceInvalid):
            check_nonce(office, bad)
    clock.advance(minutes=5, seconds=1)
    with pytest.raises(NonceInvalid):
        check_nonce(office, nonce)
