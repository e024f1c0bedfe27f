"""Drives the terminal app in tests: keys in, screens out, and no sleeping."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import OptionList, Static, TextArea
from textual.widgets._footer import FooterKey

from credentials.exchange import PresentationRequest
from credentials.query import DcqlQuery
from tests.waiting import PATIENCE_S
from tests.wallet.conftest import Town
from wallet.service import Wallet
from wallet.tui.app import WalletApp
from wallet.tui.screens.credentials import CredentialsScreen
from wallet.tui.screens.source import SourceScreen
from wallet.tui.widgets.notice import Notice

NAME = "/credentialSubject/name"
NUMBER = "/credentialSubject/citizenNumber"
LARGE = (160, 66)
S = TypeVar("S", bound=Screen[Any])


class Driver:
    """Keys in, screens out; waits for the app instead of sleeping."""

    def __init__(self, app: WalletApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def until(self, what: Callable[[], object], seconds: float = PATIENCE_S) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.pilot.pause(0.02)
            if what():
                return
        raise AssertionError(f"not reached on {self.app.screen}: {self.notice!r}")

    async def on(self, kind: type[S]) -> S:
        """Wait until a screen of this kind is there and idle."""
        await self.until(
            lambda: (
                isinstance(self.app.screen, kind)
                and self.app.screen.is_mounted
                and not getattr(self.app.screen, "busy", False)
            )
        )
        await self.pilot.pause()
        screen = self.app.screen
        assert isinstance(screen, kind)
        return screen

    async def listed(self) -> CredentialsScreen:
        """Wait until a credential, not only an application, can be chosen from the list."""
        screen = await self.on(CredentialsScreen)
        options = screen.query_one(OptionList)

        def chosen() -> bool:
            option = options.highlighted_option
            return option is not None and (option.id or "").startswith("credential-")

        await self.until(lambda: chosen() and self.app.focused is options)
        return screen

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def idle(self) -> None:
        await self.pilot.pause(0.05)
        await self.until(lambda: not getattr(self.app.screen, "busy", False))

    async def still(self) -> None:
        """Wait until the picture no longer changes."""
        seen: list[str] = []

        def unchanged() -> bool:
            seen.append(self.app.export_screenshot())
            return len(set(seen[-5:])) == 1 and len(seen) >= 5

        await self.pilot.wait_for_scheduled_animations()
        await self.until(unchanged)

    @property
    def notice(self) -> str:
        return "".join(notice.message for notice in self.app.screen.query(Notice))

    @property
    def kind(self) -> str:
        return "".join(notice.kind for notice in self.app.screen.query(Notice))

    async def says(self, text: str) -> None:
        await self.until(lambda: text in self.notice)

    def text(self, selector: str) -> str:
        return plain(self.app.screen.query_one(selector, Static))

    @property
    def keys(self) -> list[str]:
        return [key.description for key in self.app.screen.query(FooterKey)]

    async def open_source(self, key: str, text: str) -> None:
        """From the list: paste `text` into the screen behind `key`."""
        await self.on(CredentialsScreen)
        await self.press(key)
        screen = await self.on(SourceScreen)
        screen.query_one(TextArea).text = text
        await self.press("enter")


def plain(widget: Static) -> str:
    """What a widget shows, as text."""
    return "\n".join(strip.text for strip in widget.render_lines(widget.region.reset_offset))


@asynccontextmanager
async def running(
    town: Town,
    wallet: Wallet | None = None,
    *,
    folder: str = "wallet",
    size: tuple[int, int] = (100, 30),
    language: str = "en",
    save_to: Path | None = None,
) -> AsyncIterator[Driver]:
    app = WalletApp(
        town.home / folder,
        language=language,
        wallet=wallet,
        clock=town.clock,
        transport=town.wires,
        save_to=save_to or town.home,
        tick_s=0.02,
    )
    async with app.run_test(size=size) as pilot:
        yield Driver(app, pilot)


def desk_request(town: Town, *pointers: str) -> str:
    """Signed by the accredited desk; what it asks is the test's choice."""
    return PresentationRequest(
        client_id=town.desk.settings.did,
        verifier_name=town.desk.settings.name,
        purpose={"zh-CN": "办理老年公交卡", "en": "Senior bus card"},
        entitlement="bus-card",
        dcql=DcqlQuery.for_claims("ResidentIdentityCredential", list(pointers)),
        nonce="n" * 22,
        issued_at=town.clock(),
        expires=town.clock() + timedelta(minutes=5),
    ).sign(town.desk._signer, town.desk.settings.key_url)
