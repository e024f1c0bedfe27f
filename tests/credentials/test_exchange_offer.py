"""Credential offers: read by value, never followed, never half understood."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.errors import CredentialError, OfferByReference, OfferMalformed, OfferUnsupported
from credentials.exchange import CredentialOffer, TransactionCode, parse_offer
from credentials.qr import QrCode

GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
OFFER = CredentialOffer(
    "https://data.example/issuer",
    ("ResidentIdentityCredential",),
    "oaKazRN8I0IbtZ0C7JuMn5",
    TransactionCode("numeric", 6, "短信中的验证码"),
)


def link(document: object) -> str:
    return f"openid-credential-offer://?credential_offer={quote(json.dumps(document))}"


def changed(**changes: Any) -> dict[str, Any]:
    return {**OFFER.document(), **changes}


def granted(**changes: Any) -> dict[str, Any]:
    document = OFFER.document()
    document["grants"][GRANT].update(changes)
    return document


def test_an_offer_comes_back() -> None:
    assert parse_offer(OFFER.uri()) == OFFER
    plain = CredentialOffer(OFFER.credential_issuer, ("A", "B"), "code-12345678")
    assert parse_offer(f"  {plain.uri()}\n") == plain
    assert parse_offer(plain.uri()).tx_code is None
    assert QrCode.of(OFFER.uri()).version <= 15


def test_the_wire_form_is_that_of_the_specification() -> None:
    assert OFFER.document() == {
        "credential_issuer": "https://data.example/issuer",
        "credential_configuration_ids": ["ResidentIdentityCredential"],
        "grants": {
            GRANT: {
                "pre-authorized_code": "oaKazRN8I0IbtZ0C7JuMn5",
                "tx_code": {
                    "input_mode": "numeric",
                    "length": 6,
                    "description": "短信中的验证码",
                },
            }
        },
    }


def test_offers_by_reference_are_not_followed() -> None:
    for text in (
        "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fevil.example",
        OFFER.uri() + "&credential_offer_uri=https%3A%2F%2Fevil.example",
    ):
        with pytest.raises(OfferByReference):
            parse_offer(text)


def test_other_grants_are_named() -> None:
    for grants in ({}, {"authorization_code": {"issuer_state": "x"}}):
        with pytest.raises(OfferUnsupported):
            parse_offer(link(changed(grants=grants)))


def test_unknown_members_are_ignored() -> None:
    assert parse_offer(link(changed(more=1))) == OFFER
    assert parse_offer(link(granted(interval=5))) == OFFER


@pytest.mark.parametrize(
    "text",
    [
        "",
        "openid-credential-offer://",
        "openid-credential-offer://?",
        "openid-credential-offer://?x=1",
        "https://data.example/?credential_offer=%7B%7D",
        "openid4vp://?credential_offer=%7B%7D",
        "openid-credential-offer://?credential_offer",
        "openid-credential-offer://?credential_offer=%FF",
        "openid-credential-offer://?credential_offer=nonsense",
        link([]),
        link({}),
        OFFER.uri() + "&credential_offer=%7B%7D",
        "openid-credential-offer://?credential_offer=" + "x" * 9000,
        "openid-credential-offer://?credential_offer=%7B%22a%22%3A1%2C%22a%22%3A2%7D",
    ],
)
def test_links_that_are_no_offers(text: str) -> None:
    with pytest.raises(OfferMalformed):
        parse_offer(text)


@pytest.mark.parametrize(
    "document",
    [
        changed(credential_issuer=None),
        changed(credential_issuer="data.example"),
        changed(credential_issuer="http://data.example"),
        changed(credential_issuer="ftp://data.example"),
        changed(credential_issuer="https://user@data.example"),
        changed(credential_issuer="https://data.example?x=1"),
        changed(credential_issuer="https://data.example#x"),
        changed(credential_issuer="https://data.example:99999"),
        changed(credential_issuer="https://data.example\\@evil.example"),
        changed(credential_issuer="https://dätä.example"),
        changed(credential_issuer="https://"),
        changed(credential_issuer="https://" + "a" * 600),
        changed(credential_configuration_ids=None),
        changed(credential_configuration_ids=[]),
        changed(credential_configuration_ids=["A", "A"]),
        changed(credential_configuration_ids=["a b"]),
        changed(credential_configuration_ids=[5]),
        changed(credential_configuration_ids=[str(n) for n in range(9)]),
        changed(grants=[]),
        changed(grants={GRANT: None}),
        changed(grants={GRANT: {}}),
        granted(**{"pre-authorized_code": "short"}),
        granted(**{"pre-authorized_code": "with space 123"}),
        granted(tx_code="123456"),
        granted(tx_code={"input_mode": "voice"}),
        granted(tx_code={"length": 0}),
        granted(tx_code={"length": True}),
        granted(tx_code={"length": 6.5}),
        granted(tx_code={"description": 5}),
        granted(tx_code={"description": "x" * 301}),
        granted(tx_code={"description": "turned \u202e around"}),
    ],
)
def test_bad_offers_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(OfferMalformed):
        parse_offer(link(document))


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8443", "http://localhost/x", "http://[::1]:80", "https://[::1]"]
)
def test_this_very_machine_may_be_called_without_tls(address: str) -> None:
    assert parse_offer(link(changed(credential_issuer=address))).credential_issuer == address


def test_an_offer_that_nobody_could_read_is_not_made() -> None:
    with pytest.raises(OfferMalformed):
        CredentialOffer("http://data.example", ("A",), "code-12345678").uri()


@given(st.text(max_size=80), st.booleans())
def test_any_text_is_read_or_refused_by_name(text: str, prefixed: bool) -> None:
    head = "openid-credential-offer://?credential_offer=" if prefixed else ""
    with pytest.raises(CredentialError):
        parse_offer(head + text)
