"""Accounts in the terminal app, and what all its screens share."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from textual.command import CommandList, CommandPalette
from textual.widgets import Input, TextArea

from tests.wallet.conftest import Town
from tests.wallet.tui_driver import running
from wallet.errors import NoTrustBundle
from wallet.tui.app import WalletApp
from wallet.tui.screens.base import WalletScreen
from wallet.tui.screens.consent import ConsentScreen
from wallet.tui.screens.credentials import CredentialsScreen
from wallet.tui.screens.detail import DetailScreen
from wallet.tui.screens.dialogs import Confirm, SaveAs
from wallet.tui.screens.help import HelpScreen
from wallet.tui.screens.history import HistoryScreen
from wallet.tui.screens.source import SourceScreen
from wallet.tui.screens.unlock import UnlockScreen
from wallet.tui.widgets.countdown import Countdown
from wallet.tui.widgets.ledger import Ledger
from wallet.tui.widgets.topbar import Place
from wallet.views import ReceiptState

# Accounts


async def test_who_looked_and_whether_it_is_on_record(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    receipt = town.desk.verify(ready.qr_text).receipt or ""
    async with running(town, wallet) as driver:
        await driver.on(CredentialsScreen)
        await driver.pilot.click(list(driver.app.screen.query(Place))[1])
        await driver.until(lambda: list(driver.app.screen.query(Ledger)))
        screen = driver.app.screen
        table = screen.query_one(Ledger)
        await driver.until(lambda: table.row_count == 1)
        assert "no receipt" in str(table.get_row_at(0)[1])
        await driver.press("x")
        assert driver.app.screen is screen, "nothing signed, nothing to export"
        await driver.press("i")
        source = await driver.on(SourceScreen)
        source.query_one(TextArea).text = "no receipt at all"
        await driver.press("enter")
        await driver.until(lambda: driver.kind == "error")
        source.query_one(TextArea).text = receipt
        await driver.press("enter")
        await driver.says("Receipt kept")
        await driver.press("c")
        await driver.says("Promised and still due: 1.")
        town.clock.advance(hours=25)
        town.step()
        await driver.press("c")
        await driver.says("Missing: 1.")
        assert wallet.audit()[0].state is ReceiptState.MISSING
        await driver.until(lambda: "x saves the evidence" in driver.text("#entry"))
        await driver.press("x")
        dialog = await driver.on(SaveAs)
        dialog.query_one(Input).value = str(town.home / "evidence.json")
        await driver.press("enter")
        await driver.says("Saved")
        evidence = json.loads((town.home / "evidence.json").read_bytes())
        assert evidence["receipt"] == receipt


async def test_the_history_is_read_saved_and_shortened(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    wallet.answer(wallet.inspect_request(town.request("name", "ageOver18")), number)
    async with running(town, wallet) as driver:
        await driver.on(CredentialsScreen)
        await driver.press("3")
        screen = await driver.on(HistoryScreen)
        table = screen.query_one(Ledger)
        await driver.until(lambda: table.row_count == 3)
        await driver.until(lambda: "Name, Has turned 18" in driver.text("#entry"))
        await driver.press("e")
        dialog = await driver.on(SaveAs)
        dialog.query_one(Input).value = str(town.home / "history.json")
        await driver.press("enter")
        await driver.says("Saved")
        saved = (town.home / "history.json").read_text("utf-8")
        assert len(json.loads(saved)["entries"]) == 3
        assert "王小明" not in saved
        await driver.press("delete")
        await driver.on(Confirm)
        assert driver.app.focused is not None
        assert driver.app.focused.id == "no", "no is where the focus is"
        await driver.press("enter")
        await driver.on(HistoryScreen)
        assert table.row_count == 3
        await driver.press("delete")
        await driver.on(Confirm)
        await driver.pilot.click("#yes")
        await driver.on(HistoryScreen)
        await driver.until(lambda: table.row_count == 2)


async def test_a_credential_is_deleted_only_after_a_question(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    async with running(town, wallet) as driver:
        await driver.listed()
        await driver.press("enter")
        await driver.on(DetailScreen)
        await driver.press("delete")
        await driver.on(Confirm)
        await driver.press("escape")
        await driver.on(DetailScreen)
        assert wallet.credentials()
        await driver.press("delete")
        await driver.on(Confirm)
        await driver.pilot.click("#yes")
        await driver.on(CredentialsScreen)
        assert not wallet.credentials()


async def test_refreshing_tells_what_changed(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    async with running(town, wallet) as driver:
        await driver.on(CredentialsScreen)
        await driver.press("ctrl+r")
        await driver.says("1 of 1 are recorded on it")
        town.wires.cut.add("registry.example")
        await driver.press("ctrl+r")
        await driver.until(lambda: driver.kind == "error")
        assert "registry" in driver.notice.lower()


# The whole


async def test_the_language_changes_everywhere_and_keeps_what_was_typed(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    request = town.request("name", "ageOver18")
    async with running(town, wallet) as driver:
        await driver.on(CredentialsScreen)
        await driver.until(lambda: "Answer a request" in driver.keys)
        await driver.press("r")
        screen = await driver.on(SourceScreen)
        screen.query_one(TextArea).text = request
        await driver.press("f2")
        await driver.until(lambda: "继续" in driver.keys)
        assert "English" in driver.keys
        assert screen.query_one(TextArea).text == request
        assert driver.app.focused is screen.query_one(TextArea)
        await driver.press("enter")
        await driver.on(ConsentScreen)
        assert "杭州市交通运输局" in driver.text("#verifier")
        assert "办理老年公交卡" in driver.text("#why")
        assert "已满 18 周岁" in driver.text("#shown")
        await driver.until(lambda: "出示" in driver.keys)
        await driver.press("f2")
        assert "Hangzhou Transport Bureau" in driver.text("#verifier")
        assert "Has turned 18" in driver.text("#shown")
        await driver.press("f2", "escape")
        await driver.on(CredentialsScreen)
        await driver.until(lambda: "回应请求" in driver.keys)
        town.wires.cut.add("registry.example")
        await driver.press("ctrl+r")
        await driver.until(lambda: driver.kind == "error")
        assert "登记" in driver.notice


async def test_help_and_palette_know_the_screen(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    async with running(town, wallet, language="zh-CN") as driver:
        await driver.on(CredentialsScreen)
        await driver.press("f1")
        await driver.on(HelpScreen)
        assert "回应请求" in driver.text("#keys")
        assert "谁看过我" in driver.text("#keys")
        await driver.press("escape")
        await driver.on(CredentialsScreen)
        await driver.press("ctrl+p")
        await driver.until(lambda: CommandPalette.is_open(driver.app))
        await driver.press(*"历史")
        found = driver.app.screen.query_one(CommandList)
        await driver.until(lambda: found.option_count == 1)
        await driver.press("enter")
        await driver.on(HistoryScreen)


async def test_themes_change(town: Town) -> None:
    async with running(town, town.wallet()) as driver:
        await driver.on(CredentialsScreen)
        before = driver.app.current_theme.dark
        await driver.press("f3")
        assert driver.app.current_theme.dark is not before


async def test_a_defect_ends_the_app_without_telling_values(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wallet = town.wallet()
    town.credential(wallet)

    def broken(*_: object, **__: object) -> None:
        secret = "王小明"  # noqa: F841 - a local variable that a traceback would show
        raise ZeroDivisionError

    app: WalletApp | None = None
    with pytest.raises(Exception, match="ZeroDivisionError"):
        async with running(town, wallet) as driver:
            app = driver.app
            await driver.on(CredentialsScreen)
            monkeypatch.setattr(wallet, "history", broken)
            await driver.press("3")
            await driver.until(lambda: driver.app.defect)
    assert app is not None
    assert app.defect is not None
    assert not app.is_open
    printed = capsys.readouterr()
    assert "王小明" not in printed.out + printed.err


# What a slow thread meets when it comes back


@pytest.mark.parametrize("above", ["nothing", "a credential", "a form", "a question"])
async def test_the_wallet_is_locked_from_wherever_its_owner_is(above: str, town: Town) -> None:
    """The list beneath must not be read once more from a wallet that is closed."""
    wallet = town.wallet()
    town.credential(wallet)
    async with running(town, wallet) as driver:
        await driver.listed()
        if above == "a credential":
            await driver.press("enter")
            await driver.on(DetailScreen)
        elif above == "a form":
            await driver.press("r")
            await driver.on(SourceScreen)
        elif above == "a question":
            await driver.press("f1")
            await driver.on(HelpScreen)
        await driver.press("ctrl+l")
        await driver.on(UnlockScreen)
        assert not driver.app.is_open


async def test_the_wallet_is_locked_while_the_list_is_read(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    async with running(town, wallet) as driver:
        await driver.listed()
        read, begun, go_on = wallet.history, threading.Event(), threading.Event()

        def slow() -> object:
            begun.set()
            assert go_on.wait(30)
            return read()

        monkeypatch.setattr(wallet, "history", slow)
        await driver.press("3")
        await driver.until(begun.is_set)
        await driver.press("ctrl+l")
        await driver.on(UnlockScreen)
        go_on.set()
        await driver.pilot.pause(0.1)


async def test_the_app_is_left_while_a_step_runs(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    begun, go_on = threading.Event(), threading.Event()

    def slow(**_: object) -> None:
        begun.set()
        assert go_on.wait(30)
        raise NoTrustBundle

    async with running(town, wallet) as driver:
        await driver.listed()
        monkeypatch.setattr(wallet, "refresh", slow)
        await driver.press("ctrl+r")
        await driver.until(begun.is_set)
        asyncio.get_running_loop().call_later(0.1, go_on.set)
    assert driver.app.defect is None


@pytest.mark.parametrize(
    ("key", "reading"), [("1", "credentials"), ("2", "audit"), ("3", "history")]
)
async def test_the_language_changes_while_the_list_is_read(
    key: str, reading: str, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen that is composed anew has no widgets for a moment."""
    wallet = town.wallet()
    town.credential(wallet)
    read, begun, go_on = getattr(wallet, reading), threading.Event(), threading.Event()

    def slow() -> object:
        begun.set()
        assert go_on.wait(30)
        return read()

    genuine = WalletScreen.recompose

    async def in_two_steps(screen: WalletScreen) -> None:
        await screen.query_children("*").exclude(".-textual-system").remove()
        go_on.set()
        screen.post_message(Countdown.Ended())
        await asyncio.sleep(0.2)
        await genuine(screen)

    async with running(town, wallet) as driver:
        await driver.listed()
        monkeypatch.setattr(wallet, reading, slow)
        monkeypatch.setattr(WalletScreen, "recompose", in_two_steps)
        await driver.press(key)
        await driver.until(begun.is_set)
        await driver.press("f2")
        await driver.until(lambda: "English" in driver.keys)
        assert go_on.is_set()
