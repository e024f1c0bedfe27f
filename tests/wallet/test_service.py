"""The journey of a credential through the wallet, with a real registry, issuer and desks."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from credentials.qr import capacity, read_one
from credentials.query import DcqlQuery
from schemas.scenario import load_scenario
from schemas.texts import LANGUAGES
from tests.wallet.asking import ADULT, NAME, desk_request
from tests.wallet.conftest import ISSUER_DID, PASSPHRASE, Town
from verifier.pipeline import Answer
from wallet.errors import VaultFull
from wallet.service import Wallet
from wallet.views import HistoryKind, to_json


def test_the_whole_journey(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    view = wallet.inspect_request(town.request("name", "ageOver18"))
    assert view.verifier_name == "Hangzhou Transport Bureau"
    assert view.purpose == "Senior bus card"
    assert [claim.pointer for claim in view.shown] == [NAME, ADULT]
    assert [claim.value for claim in view.shown] == ["王小明", "Yes"]
    assert {claim.pointer for claim in view.hidden} >= {
        "/credentialSubject/citizenNumber",
        "/credentialSubject/birthDate",
        "/evidence",
    }
    assert all(claim.value is None for claim in view.hidden)
    assert "/issuer" in {claim.pointer for claim in view.always_shown}
    assert view.warnings == ()
    assert view.answerable
    ready = wallet.answer(view, number)
    verdict = town.desk.verify(read_one(ready.png()))
    assert verdict.answer is Answer.ACCEPTED
    assert verdict.claims is not None
    text = json.dumps(dict(ready.document), ensure_ascii=False)
    assert "王小明" in text
    assert town.citizen["citizenNumber"] not in text
    assert "1990-01-01" not in text


def test_the_presentation_is_drawn_in_every_form(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    assert read_one(ready.png()) == ready.qr_text
    assert ready.svg().lstrip().startswith("<")
    assert len(ready.terminal().splitlines()) > 20
    assert ready.expires <= town.clock() + timedelta(minutes=5)


def test_a_presentation_for_one_desk_is_refused_when_replayed(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    assert town.desk.verify(ready.qr_text).answer is Answer.ACCEPTED
    assert town.desk.verify(ready.qr_text).answer is Answer.REJECTED


def test_each_claim_alone_shows_no_other(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    scenario = load_scenario("resident-identity")
    issued = wallet.credential_document(number)
    for index, pointer in enumerate(scenario.selectable_pointers):
        query = DcqlQuery.for_claims("ResidentIdentityCredential", [pointer])
        view = wallet.inspect_request(desk_request(town, dcql=query, nonce=f"nonce-{index:020}"))
        shown = wallet.answer(view, number, override=True).document["verifiableCredential"][0]
        names = set(shown["credentialSubject"]) - {"id", "type"}
        assert names == ({pointer.rpartition("/")[2]} if pointer != "/evidence" else set())
        assert ("evidence" in shown) is (pointer == "/evidence")
        for name in names:
            assert shown["credentialSubject"][name] == issued["credentialSubject"][name]


def test_the_usual_answer_fits_one_code(town: Town) -> None:
    """Version 25-L, the largest that terminals show and cameras read."""
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name", "ageOver18")), number)
    assert "anchorProof" in ready.document
    assert len(ready.qr_text) <= capacity(25, alphanumeric=True)


def test_only_known_addresses_are_contacted(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    wallet.answer(wallet.inspect_request(town.request("name")), number)
    assert {url.split("/")[2] for _, url in town.wires.seen} <= {
        "issuer.example",
        "registry.example",
    }
    assert wallet.issuers()[0].did == ISSUER_DID


# History, language, keeping


def test_the_history_holds_names_and_no_values(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    view = wallet.inspect_request(town.request("name", "ageOver18"))
    ready = wallet.answer(view, number)
    wallet.import_receipt(town.desk.verify(ready.qr_text).receipt or "")
    exported = json.dumps(
        [wallet.export_history(), to_json(wallet.history()), wallet.export_evidence(3)],
        ensure_ascii=False,
    )
    assert NAME in exported
    for name, value in town.citizen.items():
        # Four letters may stand in any signature by chance.
        assert name == "sex" or len(value) == 1 or value not in exported
        assert f'"{value}"' not in exported
    assert [entry.kind for entry in reversed(wallet.history())] == [
        HistoryKind.APPLICATION,
        HistoryKind.ISSUANCE,
        HistoryKind.PRESENTATION,
        HistoryKind.RECEIPT,
    ]


def test_deleting_history(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    newest = wallet.history()[0]
    assert wallet.delete_history([newest.id]) == 1
    assert newest.id not in [entry.id for entry in wallet.history()]
    assert wallet.delete_history() == 1
    assert wallet.history() == ()


@pytest.mark.parametrize("language", LANGUAGES)
def test_views_follow_the_language(language: str, town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    wallet.language = language
    chinese = language == "zh-CN"
    view = wallet.credential(number, reveal=True)
    assert view.title == ("居民身份凭证" if chinese else "Resident identity credential")
    assert view.state_text == ("有效" if chinese else "valid")
    request = wallet.inspect_request(town.request("name"))
    assert request.purpose == ("办理老年公交卡" if chinese else "Senior bus card")


def test_sensitive_values_are_veiled_unless_asked_for(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    veiled = {claim.pointer: claim.value for claim in wallet.credentials()[0].claims}
    assert veiled[NAME] is None
    assert veiled[ADULT] == "Yes"
    revealed = wallet.credential(number[:6], reveal=True)
    assert revealed.claims[0].value == "王小明"
    assert "王小明" not in repr(revealed)


def test_removing_a_credential_removes_its_key(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    wallet.remove_credential(number)
    assert wallet.credentials() == ()
    assert wallet._vault.execute("SELECT * FROM keys") == []
    assert wallet.history()[0].kind is HistoryKind.REMOVAL


def test_a_backup_holds_everything(town: Town, tmp_path: Path) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    wallet.backup(tmp_path / "b")
    wallet.close()
    Wallet.restore(tmp_path / "b", tmp_path / "other", PASSPHRASE)
    with Wallet.open(
        tmp_path / "other", PASSPHRASE, clock=town.clock, transport=town.wires
    ) as again:
        ready = again.answer(again.inspect_request(town.request("name")), number)
    assert town.desk.verify(ready.qr_text).answer is Answer.ACCEPTED


def test_a_full_disk_while_answering_gives_nothing_away(town: Town) -> None:
    """No entry in the history, no presentation."""
    wallet = town.wallet()
    number = town.credential(wallet)
    view = wallet.inspect_request(town.request("name"))
    fill(wallet)
    with pytest.raises(VaultFull):
        wallet.answer(view, number)
    wallet._vault.execute("PRAGMA max_page_count = 1000000")
    assert wallet.answer(view, number)


def fill(wallet: Wallet) -> None:
    """Leave no page for anything more."""
    vault = wallet._vault
    pages = vault.one("PRAGMA page_count")
    assert pages is not None
    vault.execute(f"PRAGMA max_page_count = {pages[0]}")
    for statement in (
        "INSERT INTO settings VALUES (hex(randomblob(20)), randomblob(50))",
        "INSERT INTO history (time, kind, outcome, claims) VALUES ('', '', '', '')",
    ):
        with pytest.raises(VaultFull):
            for _ in range(10_000):
                vault.execute(statement)
