"""How the screens look, at the sizes that terminals have; change them with --snapshot-update."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen

from tests.wallet.conftest import Town
from tests.wallet.tui_driver import NAME, NUMBER, Driver, desk_request
from wallet.tui.app import WalletApp
from wallet.tui.screens.audit import AuditScreen
from wallet.tui.screens.consent import ConsentScreen
from wallet.tui.screens.detail import DetailScreen
from wallet.tui.screens.help import HelpScreen
from wallet.tui.screens.history import HistoryScreen

Step = Callable[[Driver, Town], Awaitable[None]]
WIDE, SMALL = (100, 30), (80, 24)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("COLORFGBG", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def the_list(driver: Driver, town: Town) -> None:
    await driver.listed()


async def detail(driver: Driver, town: Town) -> None:
    await the_list(driver, town)
    await driver.press("enter")
    await driver.on(DetailScreen)


async def consent(driver: Driver, town: Town) -> None:
    await driver.open_source("r", town.request("name", "ageOver18"))
    await driver.on(ConsentScreen)


async def exceeding(driver: Driver, town: Town) -> None:
    await driver.open_source("r", desk_request(town, NAME, NUMBER))
    await driver.on(ConsentScreen)


async def light(driver: Driver, town: Town) -> None:
    await consent(driver, town)
    await driver.press("f3")


async def audit(driver: Driver, town: Town) -> None:
    wallet = driver.app.wallet
    ready = wallet.answer(wallet.inspect_request(town.request("name")), wallet.credentials()[0].id)
    wallet.import_receipt(town.desk.verify(ready.qr_text).receipt or "")
    await driver.press("2")
    screen = await driver.on(AuditScreen)
    await driver.until(lambda: screen.entries)


async def history(driver: Driver, town: Town) -> None:
    await driver.press("3")
    screen = await driver.on(HistoryScreen)
    await driver.until(lambda: screen.entries)


async def keys(driver: Driver, town: Town) -> None:
    await the_list(driver, town)
    await driver.press("f1")
    await driver.on(HelpScreen)


async def failure(driver: Driver, town: Town) -> None:
    await the_list(driver, town)
    town.wires.cut.add("registry.example")
    await driver.press("ctrl+r")
    await driver.until(lambda: driver.kind == "error")


@pytest.mark.parametrize(
    ("step", "size", "language"),
    [
        (the_list, WIDE, "en"),
        (the_list, SMALL, "zh-CN"),
        (detail, SMALL, "zh-CN"),
        (consent, WIDE, "en"),
        (consent, SMALL, "zh-CN"),
        (exceeding, SMALL, "en"),
        (light, WIDE, "zh-CN"),
        (audit, WIDE, "en"),
        (history, SMALL, "zh-CN"),
        (keys, WIDE, "zh-CN"),
        (failure, SMALL, "zh-CN"),
    ],
    ids=lambda v: (
        v if isinstance(v, str) else "x".join(map(str, v)) if isinstance(v, tuple) else v.__name__
    ),
)
def test_screen(
    step: Step, size: tuple[int, int], language: str, town: Town, snap_compare: Any
) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    app = WalletApp(
        town.home / "wallet",
        language=language,
        wallet=wallet,
        clock=town.clock,
        transport=town.wires,
        save_to=town.home,
    )

    async def before(pilot: Pilot[None]) -> None:
        driver = Driver(app, pilot)
        await step(driver, town)
        await driver.idle()
        await driver.until(lambda: isinstance(app.screen, ModalScreen) or driver.keys)
        await driver.still()

    assert snap_compare(app, terminal_size=size, run_before=before)
