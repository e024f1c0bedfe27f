"""Offers through the front door that are used, expired or none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from wallet.service import Wallet


def test_an_offer_is_good_once(city: Any, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for home in (first, second):
        city.wallet(home)
    applied = city.apply(first)
    offer = tmp_path / "offer.txt"
    offer.write_text(applied["offer"], encoding="utf-8")
    accept = ("wallet", "accept", "--file", offer, "--tx-code-file", applied["tx_code"], "--json")
    assert city.zl(first, *accept).code == 0
    for home, error in ((first, "ZL-OFFER-REUSED"), (second, "ZL-OFFER-INVALID")):
        told = city.zl(home, *accept)
        assert (told.code, told.error) == (1, error)
    assert len(city.zl(first, "wallet", "list", "--json").json["credentials"]) == 1
    assert not city.zl(second, "wallet", "list", "--json").json["credentials"]


def test_an_expired_offer_is_called_expired(city: Any, tmp_path: Path) -> None:
    city.wallet(tmp_path)
    applied = city.apply(tmp_path)
    accept = (
        *("wallet", "accept", applied["offer"]),
        *("--tx-code-file", applied["tx_code"], "--json"),
    )
    later = datetime.now(UTC) + timedelta(days=2)
    told = _accept_at(city, tmp_path, accept, later)
    assert (told.code, told.error) == (1, "ZL-OFFER-EXPIRED"), told
    assert city.zl(tmp_path, *accept).code == 0  # the clock was wrong, not the offer


def _accept_at(city: Any, home: Path, accept: tuple[object, ...], moment: datetime) -> Any:
    genuine = Wallet.open
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wallet, "open", staticmethod(partial(genuine, clock=lambda: moment)))
        return city.zl(home, *accept)


@pytest.mark.parametrize(
    ("offer", "error"),
    [
        ("openid-credential-offer://?credential_offer=%7B%7D", "ZL-OFFER-MALFORMED"),
        ("openid-credential-offer://?credential_offer=" + "x" * 70_000, "ZL-WALLET-INPUT"),
        (
            "openid-credential-offer://?credential_offer_uri=http%3A%2F%2F169.254.169.254%2F",
            "ZL-OFFER-BY-REFERENCE",
        ),
        ("https://attacker.example/offer", "ZL-OFFER-MALFORMED"),
        ("openid4vp://?request=x", "ZL-WALLET-KIND"),
    ],
    ids=["empty", "long", "reference", "web", "request"],
)
def test_offers_that_are_none_reach_nobody(counter_city: Any, offer: str, error: str) -> None:
    told = counter_city.zl("wallet", "accept", offer, "--json")
    assert told.code in (1, 3), told
    assert told.error == error
