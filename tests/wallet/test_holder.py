"""Keys, credentials and threads: what the vault holds for its owner."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from credentials.dids import did_key
from schemas.errors import ZhenglianError
from tests.wallet.conftest import Town
from wallet.errors import RequestAnswered, UnknownCredential
from wallet.views import CredentialState, HistoryKind, Outcome, PresentationReady


def test_each_credential_has_a_key_of_its_own(town: Town) -> None:
    wallet = town.wallet()
    first, second = town.credential(wallet), town.credential(wallet)
    holders = {
        wallet.credential_document(number)["credentialSubject"]["id"] for number in (first, second)
    }
    assert len(holders) == 2
    for holder in holders:
        key = wallet._holder.key(holder)
        assert did_key(key.private.public_key) == holder
        assert key.url.startswith(holder + "#")


def test_newest_first(town: Town) -> None:
    wallet = town.wallet()
    numbers = [town.credential(wallet), town.credential(wallet)]
    assert [view.id for view in wallet.credentials()] == numbers[::-1]


@pytest.mark.parametrize("wanted", ["", "a", "%", "' OR 1=1 --", "zzzzzzzz", "____", "*" * 8])
def test_an_identifier_that_names_nothing(wanted: str, town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    with pytest.raises(UnknownCredential):
        wallet.credential(wanted)


def test_the_beginning_of_an_identifier_must_be_unambiguous(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    assert wallet.credential(number[:4]).id == number
    twin = number[:8] + ("0" if number[8] != "0" else "1") + number[9:]
    wallet._vault.execute(
        "INSERT INTO credentials SELECT ?, scenario, key_id, document, received, status,"
        " status_as_of, anchor_origin, anchor_index, anchor_proof FROM credentials",
        (twin,),
    )
    with pytest.raises(UnknownCredential):
        wallet.credential(number[:8])
    assert wallet.credential(number).id == number


def test_revocation_explains_more_than_a_date(town: Town) -> None:
    wallet = town.wallet()
    held = wallet._holder.get(town.credential(wallet))
    after = town.clock() + timedelta(days=400)
    before = town.clock() - timedelta(days=1)
    assert held.state(town.clock()) is CredentialState.VALID
    assert held.state(after) is CredentialState.EXPIRED
    assert held.state(before) is CredentialState.NOT_YET_VALID
    revoked = replace(held, status=CredentialState.REVOKED)
    assert revoked.state(after) is CredentialState.REVOKED
    unknown = replace(held, status=CredentialState.UNKNOWN)
    assert unknown.state(town.clock()) is CredentialState.UNKNOWN
    assert unknown.state(after) is CredentialState.EXPIRED


def test_a_missing_status_list_is_unknown_and_never_revoked(town: Town) -> None:
    """The registry may leave the list's document out of a bundle; it cannot make that a no."""
    wallet = town.wallet()
    number = town.credential(wallet)
    hide_lists(town)
    wallet.refresh()
    assert wallet.credential(number).state is CredentialState.UNKNOWN


def test_a_revocation_once_seen_is_not_forgotten(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    record = town.issuer.records.credentials()[0].id
    town.issuer.change("revoke", [record], reason="holder-request", actor="op")
    town.step()
    wallet.refresh()
    hide_lists(town)
    assert wallet.refresh().changed == ()
    assert wallet.credential(number).state is CredentialState.REVOKED


def test_a_suspension_is_lifted(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    record = town.issuer.records.credentials()[0].id
    for action, reason, state in (
        ("suspend", "under-review", CredentialState.SUSPENDED),
        ("reinstate", "review-closed", CredentialState.VALID),
    ):
        town.issuer.change(action, [record], reason=reason, actor="op")
        town.step()
        wallet.refresh()
        assert wallet.credential(number).state is state


def hide_lists(town: Town) -> None:
    """The registry no longer has the documents of the status lists, whose digests are chained."""
    for document in (town.home / "registry" / "status-lists").iterdir():
        document.unlink()
    town.step()


def test_two_threads_cannot_answer_one_request(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    view = wallet.inspect_request(town.request("name"))
    results: list[PresentationReady | ZhenglianError] = []
    start = threading.Barrier(4)

    def answer() -> None:
        start.wait()
        try:
            results.append(wallet.answer(view, number))
        except ZhenglianError as error:
            results.append(error)

    threads = [threading.Thread(target=answer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(result, PresentationReady) for result in results) == 1
    assert sum(isinstance(result, RequestAnswered) for result in results) == 3


def test_reading_goes_on_while_another_thread_writes(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    failures: list[Exception] = []

    def read() -> None:
        try:
            for _ in range(30):
                wallet.credentials()
                wallet.history()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test reports it
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    wallet.refresh()
    wallet.apply("https://issuer.example", town.citizen)
    for thread in threads:
        thread.join()
    assert failures == []


def test_entries_of_many_threads_are_told_apart(town: Town) -> None:
    history = town.wallet()._history
    numbers: list[int] = []

    def write() -> None:
        for _ in range(50):
            number = history.begin(HistoryKind.REMOVAL, outcome=Outcome.DONE)
            numbers.append(number)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == 200
