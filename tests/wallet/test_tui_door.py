"""The terminal app from its first start to a credential; only the wires are not real."""

from __future__ import annotations

import pytest
from textual.widgets import Button, Input, Select, TextArea

from credentials.qr import draw
from tests.wallet.conftest import ISSUER, PASSPHRASE, REGISTRY, Town
from tests.wallet.tui_driver import Driver, running
from wallet.errors import WrongPassphrase
from wallet.service import Wallet
from wallet.tui.app import WalletApp, run
from wallet.tui.screens.apply import ApplyScreen
from wallet.tui.screens.credentials import CredentialsScreen
from wallet.tui.screens.detail import DetailScreen
from wallet.tui.screens.dialogs import PickFile, VisibleFiles
from wallet.tui.screens.offer import OfferScreen
from wallet.tui.screens.setup import SetupScreen
from wallet.tui.screens.source import SourceScreen
from wallet.tui.screens.unlock import UnlockScreen
from wallet.tui.widgets.topbar import Place

# The door


async def test_the_first_start_makes_a_wallet_and_asks_the_registry(town: Town) -> None:
    genesis = town.home / "pinned.json"
    genesis.write_bytes(town.genesis.entry.raw)
    async with running(town, folder="fresh") as driver:
        screen = await driver.on(SetupScreen)
        await driver.press("enter", "enter", "enter", "enter")
        await driver.says("This field is still empty: Address of the registry.")
        screen.query_one("#registry", Input).value = REGISTRY
        screen.query_one("#genesis", Input).value = str(town.home / "absent.json")
        screen.query_one("#passphrase", Input).value = "short"
        await driver.until(lambda: "5 more" in driver.text("#strength"))
        screen.query_one("#passphrase", Input).value = PASSPHRASE
        await driver.until(lambda: "good" in driver.text("#strength"))
        screen.query_one("#repeat", Input).value = "something else"
        screen.query_one("#repeat").focus()
        await driver.press("enter")
        await driver.says("The two passphrases differ.")
        screen.query_one("#repeat", Input).value = PASSPHRASE
        await driver.press("enter")
        await driver.says("No such file")
        screen.query_one("#genesis", Input).value = str(genesis)
        await driver.pilot.click("#make")
        await driver.on(CredentialsScreen)
        assert driver.app.wallet.status().trust_as_of is not None
        await driver.until(lambda: driver.app.screen.query_one("#empty").display)
        assert "No credentials yet." in driver.text("#empty")


async def test_a_wallet_made_without_its_registry_stands_and_says_so(town: Town) -> None:
    genesis = town.home / "pinned.json"
    genesis.write_bytes(town.genesis.entry.raw)
    town.wires.cut.add("registry.example")
    async with running(town, folder="fresh") as driver:
        screen = await driver.on(SetupScreen)
        for name, value in (
            ("registry", REGISTRY),
            ("genesis", str(genesis)),
            ("passphrase", PASSPHRASE),
            ("repeat", PASSPHRASE),
        ):
            screen.query_one(f"#{name}", Input).value = value
        await driver.pilot.click("#make")
        await driver.on(CredentialsScreen)
        await driver.until(lambda: driver.notice)
        assert driver.app.screen.query_one("#notice").has_class("-error")
        assert Wallet.exists(town.home / "fresh")


async def test_a_wrong_passphrase_closes_the_door_for_a_while(town: Town) -> None:
    town.wallet().close()
    async with running(town) as driver:
        screen = await driver.on(UnlockScreen)
        field, button = screen.query_one(Input), screen.query_one(Button)
        for _ in range(3):
            field.value = "not the passphrase"
            await driver.press("enter")
            await driver.says("The passphrase is wrong.")
            assert field.value == "", "it must not stay on the screen"
            assert field.disabled
            assert button.disabled
            await driver.until(lambda: "s." in driver.text("#wait"))
            town.clock.advance(seconds=3)
            await driver.until(lambda: driver.app.focused is field and not field.disabled)
        field.value = PASSPHRASE
        await driver.press("enter")
        await driver.on(CredentialsScreen)


async def test_the_back_off_survives_a_new_start(town: Town) -> None:
    town.wallet().close()
    for expected in ("The passphrase is wrong.", "the wallet waits before the next try"):
        async with running(town) as driver:
            screen = await driver.on(UnlockScreen)
            screen.query_one(Input).value = "not the passphrase"
            await driver.press("enter")
            await driver.says(expected)


async def test_locking_forgets_the_key(town: Town) -> None:
    wallet = town.wallet()
    async with running(town, wallet) as driver:
        await driver.on(CredentialsScreen)
        await driver.press("ctrl+l")
        await driver.on(UnlockScreen)
        assert not driver.app.is_open
        assert not list(driver.app.screen.query(Place))
        await driver.press("2")
        await driver.on(UnlockScreen)
        with Wallet.open(town.home / "wallet", PASSPHRASE, clock=town.clock):
            pass  # its lock is free


# Getting a credential


async def accept(driver: Driver, town: Town) -> DetailScreen:
    screen = await driver.on(OfferScreen)
    assert "Hangzhou Data Resources Administration" in driver.text("#offer")
    screen.query_one("#code", Input).value = "000000"
    await driver.press("enter")
    await driver.says("The transaction code is wrong.")
    screen.query_one("#code", Input).value = town.tx_code()
    await driver.press("enter")
    return await driver.on(DetailScreen)


def offer_of(town: Town, wallet: Wallet) -> str:
    offer = wallet.apply(ISSUER, town.citizen).offer
    assert offer is not None
    return offer


async def test_an_offer_that_was_pasted(town: Town) -> None:
    wallet = town.wallet()
    offer = offer_of(town, wallet)
    async with running(town, wallet) as driver:
        await driver.open_source("o", offer)
        await accept(driver, town)
        await driver.says("Received, verified and kept.")
        assert "王小明" not in driver.text("#claims")
        assert town.citizen["citizenNumber"] not in driver.text("#claims")
        await driver.press("v")
        assert "王小明" in driver.text("#claims")
        await driver.press("escape")
        await driver.listed()
        await driver.press("enter")
        await driver.on(DetailScreen)
        await driver.until(lambda: "Name" in driver.text("#claims"))
        assert "王小明" not in driver.text("#claims"), "revealed on that screen only"


@pytest.mark.parametrize("form", ["png", "txt"])
async def test_an_offer_from_a_file(form: str, town: Town) -> None:
    wallet = town.wallet()
    offer = offer_of(town, wallet)
    path = town.home / f"offer.{form}"
    path.write_bytes(draw(offer, "png") if form == "png" else offer.encode())
    async with running(town, wallet) as driver:
        await driver.on(CredentialsScreen)
        await driver.press("o")
        screen = await driver.on(SourceScreen)
        screen.query_one("#path", Input).value = str(path)
        screen.query_one("#path").focus()
        await driver.press("enter")
        await accept(driver, town)
        assert len(wallet.credentials()) == 1


async def test_a_file_dropped_on_the_terminal_arrives_as_its_path(town: Town) -> None:
    wallet = town.wallet()
    path = town.home / "an offer.txt"
    path.write_text(offer_of(town, wallet))
    async with running(town, wallet) as driver:
        await driver.open_source("o", f"'{path}'")
        await driver.on(OfferScreen)


async def test_a_file_is_found_by_walking(town: Town) -> None:
    wallet = town.wallet()
    folder = town.home / "downloads"
    folder.mkdir()
    (folder / "offer.txt").write_text(offer_of(town, wallet))
    (folder / ".hidden").write_text("x")
    async with running(town, wallet, save_to=folder) as driver:
        await driver.on(CredentialsScreen)
        await driver.press("o")
        await driver.on(SourceScreen)
        await driver.press("ctrl+o")
        tree = (await driver.on(PickFile)).query_one(VisibleFiles)
        await driver.until(lambda: len(tree.root.children) == 1)
        await driver.press("down", "enter")
        await driver.on(OfferScreen)


async def test_what_is_no_offer_is_refused_in_words(town: Town) -> None:
    wallet = town.wallet()
    async with running(town, wallet) as driver:
        await driver.open_source("o", town.request("name"))
        await driver.says("This is not an offer.")
        assert isinstance(driver.app.screen, SourceScreen)
        driver.app.screen.query_one(TextArea).text = ""
        await driver.press("ctrl+g")
        await driver.says("This field is still empty")


async def test_applying_leads_to_the_credential(town: Town) -> None:
    wallet = town.wallet()
    async with running(town, wallet) as driver:
        await driver.on(CredentialsScreen)
        await driver.press("n")
        screen = await driver.on(ApplyScreen)
        screen.query_one("#name", Input).value = town.citizen["name"]
        screen.query_one("#citizenNumber", Input).value = town.citizen["citizenNumber"]
        birth = screen.query_one("#birthDate", Input)
        await driver.until(lambda: birth.value == "1990-01-01")
        assert screen.query_one("#sex", Select).value == "male"
        screen.query_one("#apply", Button).press()
        await driver.says("This field is still empty: Ethnicity.")
        screen.query_one("#ethnicity", Select).value = "汉"
        screen.query_one("#division", Input).value = town.citizen["division"]
        screen.query_one("#apply", Button).press()
        await accept(driver, town)


async def test_a_refused_application_says_what_to_check(town: Town) -> None:
    wallet = town.wallet()
    town.authority.passes = False
    async with running(town, wallet) as driver:
        await driver.on(CredentialsScreen)
        await driver.press("n")
        screen = await driver.on(ApplyScreen)
        for name, value in town.citizen.items():
            screen.query_one(f"#{name}").value = value  # type: ignore[attr-defined]
        screen.query_one("#apply", Button).press()
        await driver.says("The authority did not confirm the data of the application.")


def test_a_passphrase_file_that_is_wrong_ends_before_any_screen(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts learn it by the exit code; no screen waits for a key."""
    town.wallet().close()
    secret = town.home / "passphrase"
    secret.write_text("not the passphrase\n")
    monkeypatch.setenv("ZL_PASSPHRASE_FILE", str(secret))
    monkeypatch.setattr(WalletApp, "run", lambda *_: pytest.fail("a screen was opened"))
    with pytest.raises(WrongPassphrase):
        run(town.home / "wallet", language="en")
