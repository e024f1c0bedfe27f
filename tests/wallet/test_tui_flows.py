"""Answering in the terminal app: consent, refusal, the code and its end."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from textual.widgets import Button, Checkbox, Input, Select, TextArea

from credentials.dids import did_key, key_url
from credentials.exchange import PresentationRequest
from credentials.keys import PrivateKey
from credentials.qr import read_one
from credentials.qr.codes import QrCode
from credentials.query import DcqlQuery
from tests.wallet.conftest import Town
from tests.wallet.tui_driver import LARGE, NAME, NUMBER, desk_request, plain, running
from verifier.pipeline import Answer
from wallet.tui.screens.consent import ConsentScreen
from wallet.tui.screens.credentials import CredentialsScreen
from wallet.tui.screens.dialogs import Confirm, SaveAs
from wallet.tui.screens.presentation import PresentationScreen, code_of
from wallet.tui.screens.source import SourceScreen
from wallet.tui.widgets.qr import QrView
from wallet.views import HistoryKind

# Answering


async def test_consent_then_code_then_the_end_of_its_time(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    async with running(town, wallet, size=LARGE) as driver:
        await driver.open_source("r", town.request("name", "ageOver18"))
        consent = await driver.on(ConsentScreen)
        assert "Hangzhou Transport Bureau" in driver.text("#verifier")
        assert "Senior bus card" in driver.text("#why")
        shown, hidden = driver.text("#shown"), driver.text("#hidden")
        assert "Has turned 18  Yes" in shown
        assert "王小明" not in shown, "veiled until asked for"
        assert "Citizen number" in hidden
        assert "Citizen number" not in shown
        assert "Issuer" in driver.text("#always")
        await driver.press("v")
        assert "王小明" in driver.text("#shown")
        assert consent.may_show
        await driver.pilot.click("#show")
        screen = await driver.on(PresentationScreen)
        assert screen.ready is not None
        view = screen.query_one(QrView)
        assert view.display
        assert view.code == QrCode.of(screen.ready.qr_text)
        drawn = plain(view).splitlines()
        columns, lines = view.code.terminal_size(view.quiet_zone or 0)
        assert (len(drawn[0]), len(drawn)) == (columns, lines)
        assert "good for 5:00" in driver.text("#countdown")
        verdict = town.desk.verify(screen.ready.qr_text)
        assert verdict.answer is Answer.ACCEPTED
        await driver.press("i")
        source = await driver.on(SourceScreen)
        source.query_one(TextArea).text = verdict.receipt or ""
        await driver.press("enter")
        screen = await driver.on(PresentationScreen)
        await driver.says("Receipt kept: Hangzhou Transport Bureau")
        town.clock.advance(minutes=6)
        await driver.until(lambda: screen.ready is None)
        await driver.until(lambda: not view.display)
        assert "no longer good" in driver.text("#no-room")
        await driver.press("s")
        assert driver.app.screen is screen, "there is nothing left to save"
        await driver.press("escape")
        await driver.on(CredentialsScreen)


async def test_a_code_is_not_left_by_mistake(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    async with running(town, wallet) as driver:
        await driver.on(CredentialsScreen)
        driver.app.push_screen(PresentationScreen(ready, code_of(ready)))
        await driver.on(PresentationScreen)
        await driver.press("escape")
        await driver.on(Confirm)
        await driver.press("enter")
        screen = await driver.on(PresentationScreen)
        assert screen.ready is ready
        await driver.press("escape")
        await driver.on(Confirm)
        await driver.pilot.click("#yes")
        await driver.on(CredentialsScreen)


async def test_a_word_at_the_bottom_never_cuts_the_code(town: Town) -> None:
    """A code of which a line is missing looks whole and cannot be read."""
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    code = QrCode.of(ready.qr_text)
    _columns, lines = code.terminal_size(2)
    async with running(town, wallet, size=(160, lines + 2)) as driver:
        await driver.on(CredentialsScreen)
        driver.app.push_screen(PresentationScreen(ready, code_of(ready)))
        screen = await driver.on(PresentationScreen)
        view = screen.query_one(QrView)
        await driver.until(lambda: view.display and view.size.height == lines)
        screen.notice.good("Saved")
        await driver.until(lambda: not view.display)
        screen.notice.clear()
        await driver.until(lambda: view.display)


def modules(view: QrView) -> list[list[bool]]:
    """The modules as the terminal shows them: half blocks, the foreground above."""
    rows: list[list[bool]] = []
    for strip in view.render_lines(view.region.reset_offset):
        upper: list[bool] = []
        lower: list[bool] = []
        for text, style, _control in strip:
            assert style is not None
            assert style.color is not None
            assert style.bgcolor is not None
            assert set(text) == {"▀"}
            upper += [style.color.get_truecolor() == (0, 0, 0)] * len(text)
            lower += [style.bgcolor.get_truecolor() == (0, 0, 0)] * len(text)
        rows += [upper, lower]
    return rows


@pytest.mark.parametrize("theme", ["zhenglian-dark", "zhenglian-light"])
async def test_the_code_is_black_on_white_whatever_the_theme(theme: str, town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    async with running(town, wallet, size=LARGE) as driver:
        driver.app.theme = theme
        driver.app.push_screen(PresentationScreen(ready, code_of(ready)))
        screen = await driver.on(PresentationScreen)
        view = screen.query_one(QrView)
        await driver.until(lambda: view.quiet_zone is not None and view.size.width > 0)
        bordered = QrCode.of(ready.qr_text).bordered(view.quiet_zone or 0)
        assert modules(view)[: len(bordered)] == bordered


async def test_a_small_terminal_says_what_is_needed_and_saves_a_picture(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    async with running(town, wallet, size=(80, 24)) as driver:
        await driver.open_source("r", town.request("name"))
        await driver.on(ConsentScreen)
        await driver.press("s")
        screen = await driver.on(PresentationScreen)
        assert screen.ready is not None
        text = screen.ready.qr_text
        assert "does not fit" in driver.text("#no-room")
        assert "80 × 24" in driver.text("#no-room")
        for key, form in (("s", "png"), ("g", "svg")):
            await driver.press(key)
            await driver.on(SaveAs)
            await driver.press("enter")
            await driver.on(PresentationScreen)
            await driver.says("Saved: ")
            path = Path(driver.notice.removeprefix("Saved: "))
            assert path.suffix == f".{form}"
            assert path.stat().st_mode & 0o777 == 0o600
            if form == "png":
                assert read_one(path.read_bytes()) == text
        await driver.press("s")
        dialog = await driver.on(SaveAs)
        dialog.query_one(Input).value = str(path)
        await driver.press("enter")
        await driver.says("There is a file of this name already")
        dialog.query_one(Input).value = str(town.home / "nowhere" / "x.png")
        await driver.press("enter")
        await driver.says("there is no such folder")
        await driver.press("escape")
        await driver.on(PresentationScreen)
        await driver.pilot.resize_terminal(*LARGE)
        await driver.until(lambda: screen.query_one(QrView).display)


async def test_more_than_one_code_can_hold_is_handed_over_as_a_file(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    large = replace(ready, qr_text="VP1-" + "R" * 4000)
    assert code_of(large) is None
    async with running(town, wallet) as driver:
        await driver.on(CredentialsScreen)
        driver.app.push_screen(PresentationScreen(large, code_of(large)))
        screen = await driver.on(PresentationScreen)
        assert "too much for one code" in driver.text("#no-room")
        await driver.press("s")
        assert driver.app.screen is screen
        await driver.press("x")
        dialog = await driver.on(SaveAs)
        dialog.query_one(Input).value = str(town.home / "presentation.json")
        await driver.press("enter")
        await driver.says("Saved")
        document = json.loads((town.home / "presentation.json").read_bytes())
        assert town.desk.verify(document).answer is Answer.ACCEPTED


async def test_declining_sends_nothing_and_keeps_a_note(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    async with running(town, wallet) as driver:
        await driver.open_source("r", town.request("name"))
        await driver.on(ConsentScreen)
        seen = list(town.wires.seen)
        await driver.press("d")
        await driver.on(CredentialsScreen)
        await driver.says("Refused. Nothing was sent")
        assert town.wires.seen == seen
        assert wallet.history()[0].kind is HistoryKind.REFUSAL


async def test_beyond_the_entitlement_only_by_an_express_wish(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    async with running(town, wallet, size=(80, 24)) as driver:
        await driver.open_source("r", desk_request(town, NAME, NUMBER))
        screen = await driver.on(ConsentScreen)
        assert "asks for more than the chain entitles" in driver.text("#warnings")
        assert "Beyond the entitlement: Citizen" in driver.text("#shown")
        show = screen.query_one("#show", Button)
        assert show.disabled
        await driver.press("s")
        assert driver.app.screen is screen, "the key is closed as the button is"
        await driver.pilot.click("#override")
        await driver.until(lambda: not show.disabled)
        await driver.pilot.click("#show")
        await driver.on(PresentationScreen)


async def test_whoever_is_not_on_the_chain_gets_no_answer(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    key = PrivateKey.generate("P-256")
    text = PresentationRequest(
        client_id=did_key(key.public_key),
        verifier_name={"en": "Ministry of Everything"},
        purpose={"en": "Because"},
        entitlement="bus-card",
        dcql=DcqlQuery.for_claims("ResidentIdentityCredential", [NAME]),
        nonce="n" * 22,
        issued_at=town.clock(),
        expires=town.clock() + timedelta(minutes=5),
    ).sign(key, key_url(key.public_key))
    async with running(town, wallet) as driver:
        await driver.open_source("r", text)
        screen = await driver.on(ConsentScreen)
        assert "not an accredited department" in driver.text("#warnings")
        assert "none on the chain" in driver.text("#why")
        assert screen.query_one("#show", Button).disabled
        assert not list(screen.query(Checkbox))


async def test_a_request_that_expires_before_the_eyes(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    async with running(town, wallet) as driver:
        await driver.open_source("r", town.request("name"))
        screen = await driver.on(ConsentScreen)
        town.clock.advance(minutes=6)
        await driver.until(lambda: screen.query_one("#show", Button).disabled)
        assert "The request has expired" in driver.text("#warnings")
        await driver.press("f2")
        assert "请求已过期" in driver.text("#warnings")


async def test_one_of_two_credentials_is_chosen(town: Town) -> None:
    wallet = town.wallet()
    first = town.credential(wallet)
    second = town.credential(wallet)
    async with running(town, wallet, size=LARGE) as driver:
        await driver.open_source("r", town.request("name"))
        screen = await driver.on(ConsentScreen)
        choice = screen.query_one("#candidate", Select)
        other = first if choice.value == second else second
        choice.value = other
        await driver.until(lambda: screen._chosen == other)
        await driver.press("s")
        presented = await driver.on(PresentationScreen)
        assert presented.ready is not None
        assert presented.ready.credential_id == other
