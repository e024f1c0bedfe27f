"""Accepting an offer: once, in time, with its code, from an issuer that may make it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from credentials.errors import OfferByReference, OfferMalformed
from credentials.qr import draw
from schemas.errors import ZhenglianError
from tests.wallet.conftest import ISSUER, ISSUER_DID, Town
from tests.wallet.issuing import keys_held, offered
from wallet.errors import (
    CredentialUnexpected,
    IssuerNotAccredited,
    OfferExpired,
    OfferInvalid,
    OfferReused,
    TxCodeNeeded,
    TxCodeWrong,
    WrongKindOfInput,
)


def test_accepting(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    assert view.title == "Resident identity credential"
    assert (view.needs_tx_code, view.tx_code_length, view.tx_code_numeric) == (True, 6, True)
    credential = wallet.accept_offer(view, f" {town.tx_code()}\n")
    assert wallet.credentials() == (credential,)
    assert wallet.applications()[0].state == "issued"
    assert keys_held(wallet) == 1, "the key of the application is the key of the credential"


def test_an_offer_from_the_counter_needs_no_application(town: Town, tmp_path: Path) -> None:
    wallet = town.wallet()
    offer = town.issuer.apply_at_counter(town.citizen, actor="op")
    (tmp_path / "offer.png").write_bytes(draw(offer.text, "png"))
    (tmp_path / "offer.txt").write_text(offer.text, encoding="utf-8")
    wallet.inspect_offer(tmp_path / "offer.txt")
    view = wallet.inspect_offer(tmp_path / "offer.png")
    assert wallet.accept_offer(view, town.tx_code()).issuer_did == ISSUER_DID


def test_inspecting_sends_nothing(town: Town) -> None:
    wallet = town.wallet()
    offer = offered(town, wallet)
    town.wires.seen.clear()
    wallet.inspect_offer(offer)
    assert town.wires.seen == []


def test_without_the_transaction_code_nothing_is_sent(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    town.wires.seen.clear()
    for code in (None, "", "  "):
        with pytest.raises(TxCodeNeeded):
            wallet.accept_offer(view, code)
    assert town.wires.seen == []


def test_a_wrong_transaction_code_can_be_corrected(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    right = town.tx_code()
    with pytest.raises(TxCodeWrong):
        wallet.accept_offer(view, f"{(int(right) + 1) % 10**6:06}")
    assert wallet.history()[0].error == "ZL-TX-CODE-WRONG"
    assert wallet.accept_offer(view, right)
    assert keys_held(wallet) == 1


def test_an_offer_used_in_this_wallet(town: Town) -> None:
    wallet = town.wallet()
    offer = offered(town, wallet)
    view = wallet.inspect_offer(offer)
    wallet.accept_offer(view, town.tx_code())
    with pytest.raises(OfferReused):
        wallet.inspect_offer(offer)
    with pytest.raises(OfferReused):
        wallet.accept_offer(view, "123456")


def test_an_offer_used_elsewhere(town: Town) -> None:
    offer = town.issuer.apply_at_counter(town.citizen, actor="op").text
    code = town.tx_code()
    first, second = town.wallet("first"), town.wallet("second")
    view = second.inspect_offer(offer)
    first.accept_offer(first.inspect_offer(offer), code)
    with pytest.raises(OfferInvalid):
        second.accept_offer(view, code)
    assert second.credentials() == ()


def test_an_expired_offer(town: Town) -> None:
    wallet = town.wallet()
    offer = offered(town, wallet)
    view = wallet.inspect_offer(offer)
    code = town.tx_code()
    town.clock.advance(days=1)
    with pytest.raises(OfferExpired):
        wallet.inspect_offer(offer)
    with pytest.raises(OfferExpired):
        wallet.accept_offer(view, code)


def test_an_expired_offer_of_unknown_age(town: Town) -> None:
    wallet = town.wallet()
    offer = town.issuer.apply_at_counter(town.citizen, actor="op").text
    code = town.tx_code()
    town.clock.advance(days=1)
    with pytest.raises(OfferInvalid):
        wallet.accept_offer(wallet.inspect_offer(offer), code)


def offer_text(**changes: Any) -> str:
    content = {
        "credential_issuer": ISSUER,
        "credential_configuration_ids": ["ResidentIdentityCredential"],
        "grants": {
            "urn:ietf:params:oauth:grant-type:pre-authorized_code": {
                "pre-authorized_code": "a" * 43
            }
        },
    } | changes
    return "openid-credential-offer://?credential_offer=" + quote(json.dumps(content), safe="")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (offer_text(credential_issuer="https://evil.example"), IssuerNotAccredited),
        (offer_text(credential_issuer=f"{ISSUER}/"), IssuerNotAccredited),
        (offer_text(credential_issuer=f"{ISSUER}:8443"), IssuerNotAccredited),
        (offer_text(credential_issuer="http://issuer.example"), OfferMalformed),
        (offer_text(credential_issuer=ISSUER_DID), OfferMalformed),
        (offer_text(credential_issuer="file:///etc/passwd"), OfferMalformed),
        (offer_text(credential_configuration_ids=["Other"]), CredentialUnexpected),
        (
            "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fevil.example%2Fo",
            OfferByReference,
        ),
        ("openid4vp://?request=x", WrongKindOfInput),
        ("eyJhbGciOiJFUzI1NiJ9.e30.x", WrongKindOfInput),
        ("nonsense", OfferMalformed),
    ],
)
def test_bad_offers_are_refused_before_any_contact(
    text: str, error: type[ZhenglianError], town: Town
) -> None:
    wallet = town.wallet()
    town.wires.seen.clear()
    with pytest.raises(error):
        wallet.inspect_offer(text)
    assert town.wires.seen == []
