"""Applying for a credential: what is sent to whom, and what is kept of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from issuer.authority.errors import AuthorityUnreachable
from schemas.errors import ExitCode
from tests.wallet.conftest import ISSUER, ISSUER_DID, Town
from tests.wallet.issuing import everything_stored, keys_held
from wallet.errors import (
    ApplicationMalformed,
    ApplicationNotConfirmed,
    ClockWrong,
    IssuerNotAccredited,
    IssuerUnreachable,
)
from wallet.views import HistoryKind, Outcome


def test_an_application_is_answered_with_an_offer(town: Town) -> None:
    wallet = town.wallet()
    application = wallet.apply(ISSUER_DID, town.citizen)
    assert application.state == "offered"
    assert application.offer_expires is not None
    assert application.issuer_name == "Hangzhou Data Resources Administration"
    assert wallet.applications() == (application,)


def test_the_applicants_data_is_not_kept(town: Town) -> None:
    wallet = town.wallet()
    wallet.apply(ISSUER, town.citizen)
    stored = everything_stored(wallet)
    assert town.citizen["name"] not in stored
    assert town.citizen["citizenNumber"] not in stored


def test_data_that_the_authority_does_not_confirm(town: Town) -> None:
    wallet = town.wallet()
    town.authority.passes = False
    with pytest.raises(ApplicationNotConfirmed) as refused:
        wallet.apply(ISSUER, town.citizen)
    assert refused.value.exit_code is ExitCode.REJECTED
    assert keys_held(wallet) == 0
    entry = wallet.history()[0]
    assert (entry.kind, entry.outcome) == (HistoryKind.APPLICATION, Outcome.FAILED)
    assert entry.error_text


def test_an_application_waits_while_the_authority_is_away(town: Town) -> None:
    wallet = town.wallet()
    town.authority.trouble = AuthorityUnreachable()
    application = wallet.apply(ISSUER, town.citizen)
    assert (application.state, application.offer) == ("waiting", None)
    town.authority.trouble = None
    town.issuer.retry(everything=True)
    assert wallet.check_application(application.id).state == "offered"
    assert wallet.accept_offer(
        wallet.inspect_offer(wallet.applications()[0].offer or ""), town.tx_code()
    )


def test_a_refresh_asks_about_waiting_applications(town: Town) -> None:
    wallet = town.wallet()
    town.authority.trouble = AuthorityUnreachable()
    wallet.apply(ISSUER, town.citizen)
    town.authority.trouble = None
    town.issuer.retry(everything=True)
    town.step()
    wallet.refresh()
    assert wallet.applications()[0].state == "offered"


def test_a_wrong_field_is_named_and_its_value_is_not(town: Town) -> None:
    wallet = town.wallet()
    number = town.citizen["citizenNumber"]
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    with pytest.raises(ApplicationMalformed) as malformed:
        wallet.apply(ISSUER, town.citizen | {"citizenNumber": wrong})
    assert malformed.value.params["field"] == "citizenNumber"
    assert wrong not in str(malformed.value.diagnostics())
    assert keys_held(wallet) == 0


@pytest.mark.parametrize(
    "fields", [{}, {"name": 1}, {"name": ""}, {"name": "x" * 300}, {"a b": "c"}, {"name": ["x"]}]
)
def test_misshapen_data_is_not_sent(fields: dict[str, Any], town: Town) -> None:
    wallet = town.wallet()
    town.wires.seen.clear()
    with pytest.raises(ApplicationMalformed):
        wallet.apply(ISSUER, fields)
    assert town.wires.seen == []


def test_a_wrong_clock_is_called_one(town: Town) -> None:
    wallet = town.wallet()
    wallet._issuance._clock = lambda: town.clock() - timedelta(hours=2)
    with pytest.raises(ClockWrong):
        wallet.apply(ISSUER, town.citizen)


def test_the_key_is_stored_before_anything_is_sent(town: Town) -> None:
    wallet = town.wallet()

    def look(request: httpx.Request) -> None:
        assert keys_held(wallet) == 1
        assert wallet.history()[0].outcome is Outcome.PENDING

    town.wires.before = look
    wallet.apply(ISSUER, town.citizen)


def test_an_unreachable_issuer_leaves_the_application_visible(town: Town) -> None:
    wallet = town.wallet()
    town.wires.cut.add("issuer.example")
    with pytest.raises(IssuerUnreachable) as unreachable:
        wallet.apply(ISSUER, town.citizen)
    assert unreachable.value.exit_code is ExitCode.ENVIRONMENT
    assert wallet.applications()[0].state == "sending"
    assert keys_held(wallet) == 1


@pytest.mark.parametrize(
    "address", ["https://other.example", "did:web:other.example", "https://issuer.example/x", ""]
)
def test_no_data_goes_to_whoever_is_not_accredited(address: str, town: Town) -> None:
    wallet = town.wallet()
    town.wires.seen.clear()
    with pytest.raises(IssuerNotAccredited):
        wallet.apply(address, town.citizen)
    assert town.wires.seen == []
