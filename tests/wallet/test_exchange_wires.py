"""Broken wires: every request of an issuance fails once, before or after it arrived."""

from __future__ import annotations

import httpx
import pytest

from tests.wallet.conftest import ISSUER, Town
from tests.wallet.issuing import keys_held, offered
from wallet.errors import (
    IssuerFailed,
    IssuerUnreachable,
    TxCodeNeeded,
    VaultFull,
)
from wallet.views import Outcome

REQUESTS = (
    "openid-credential-issuer",
    "oauth-authorization-server",
    "token",
    "nonce",
    "credential",
)


@pytest.mark.parametrize("lost", REQUESTS)
def test_a_request_that_does_not_arrive_costs_nothing(lost: str, town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    code = town.tx_code()

    def fail(request: httpx.Request) -> None:
        if request.url.path.endswith(f"/{lost}"):
            raise httpx.ConnectError("gone", request=request)

    town.wires.before = fail
    with pytest.raises(IssuerUnreachable):
        wallet.accept_offer(view, code)
    assert wallet.history()[0].outcome is Outcome.FAILED
    town.wires.before = None
    again = wallet.inspect_offer(wallet.applications()[0].offer or "")
    assert again.resumed is (lost in ("nonce", "credential"))
    assert again.needs_tx_code is not again.resumed
    assert wallet.accept_offer(again, None if again.resumed else code)


def test_an_answer_with_the_credential_that_gets_lost(town: Town) -> None:
    """The issuer has issued; the same credential comes again, for the same key."""
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))

    def fail(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == "/credential":
            raise httpx.ReadError("gone", request=request)
        return answer

    town.wires.after = fail
    with pytest.raises(IssuerUnreachable):
        wallet.accept_offer(view, town.tx_code())
    town.wires.after = None
    assert wallet.accept_offer(view)
    assert len(town.issuer.records.credentials()) == 1


def test_an_interrupted_issuance_goes_on_by_its_application(town: Town) -> None:
    """The issuer calls the offer lapsed, because its code is spent; this wallet knows better."""
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))

    def fail(request: httpx.Request) -> None:
        if request.url.path == "/nonce":
            raise httpx.ConnectError("gone", request=request)

    town.wires.before = fail
    with pytest.raises(IssuerUnreachable):
        wallet.accept_offer(view, town.tx_code())
    town.wires.before = None
    wallet.refresh()
    application = wallet.check_application(wallet.applications()[0].id)
    again = wallet.inspect_offer(application.offer or "")
    assert again.resumed
    assert wallet.accept_offer(again)


def test_a_lapsed_offer_is_asked_about(town: Town) -> None:
    wallet = town.wallet()
    application = wallet.apply(ISSUER, town.citizen)
    town.clock.advance(days=1)
    assert wallet.check_application(application.id).state == "lapsed"
    record = town.issuer.records.applications()[0].id
    fresh = town.issuer.offer(record, actor="op").text
    assert wallet.check_application(application.id).offer == fresh
    assert wallet.accept_offer(wallet.inspect_offer(fresh), town.tx_code())


def test_forgetting_an_application(town: Town) -> None:
    wallet = town.wallet()
    application = wallet.apply(ISSUER, town.citizen)
    wallet.forget_application(application.id)
    assert wallet.applications() == ()
    assert keys_held(wallet) == 0
    number = town.credential(wallet)
    wallet.forget_application(wallet.applications()[0].id)
    assert keys_held(wallet) == 1
    assert wallet.credential(number)


def test_a_full_disk_when_the_credential_comes(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))

    def fill(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == "/credential":
            pages = wallet._vault.one("PRAGMA page_count")
            assert pages is not None
            wallet._vault.execute(f"PRAGMA max_page_count = {pages[0]}")
        return answer

    town.wires.after = fill
    with pytest.raises(VaultFull):
        wallet.accept_offer(view, town.tx_code())
    assert wallet.credentials() == ()
    town.wires.after = None
    wallet._vault.execute("PRAGMA max_page_count = 1000000")
    assert wallet.accept_offer(view), "no second code is needed"


def test_a_token_that_ended_before_it_was_used(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    town.wires.before = lambda request: (
        httpx.Response(503, json={"error": "temporarily_unavailable"})
        if request.url.path == "/nonce"
        else None
    )
    with pytest.raises(IssuerFailed) as failed:
        wallet.accept_offer(view, town.tx_code())
    assert failed.value.params["detail"] == ", temporarily_unavailable"
    town.wires.before = None
    town.clock.advance(minutes=6)
    with pytest.raises(TxCodeNeeded):
        wallet.accept_offer(view)


def test_a_stale_nonce_is_replaced_once(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    refusals = iter([httpx.Response(400, json={"error": "invalid_nonce"})])
    town.wires.before = lambda request: (
        next(refusals, None) if request.url.path == "/credential" else None
    )
    assert wallet.accept_offer(view, town.tx_code())
