"""The terminal app: opens the wallet, leads from screen to screen, and forgets it at the end.

Guarantees: the wallet is closed however the app ends; after an unforeseen exception nothing of
its values is printed (Textual would show local variables, which may be personal data): the
exception goes to the caller, who reports its kind and place only.

Start-up is part of the design: this module imports no cryptography; the screens that need it
import it when they are opened, in the time that a passphrase takes to type.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.screen import Screen, SystemModalScreen

from schemas.texts import CHINESE, ENGLISH, Texts, load_texts
from wallet.tui.theme import DARK, LIGHT
from wallet.tui.widgets.topbar import Place
from wallet.words import mark as _

if TYPE_CHECKING:
    import httpx

    from schemas.errors import ZhenglianError
    from wallet.service import Wallet

FIRST: Final = "credentials"
"""The place an open wallet starts at."""
BASE: Final = 2
"""Screens on the stack when a place is shown: the empty one below all, and the place."""


def _commands() -> type[Provider]:
    from wallet.tui.commands import WalletCommands

    return WalletCommands


class WalletApp(App[None]):
    """`wallet` if it is open already, else the screen that opens or makes it comes first."""

    CSS_PATH = "app.tcss"
    TITLE = "Zhenglian"
    COMMANDS: ClassVar = {_commands}
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual has it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "place('credentials')", _("Credentials"), show=False, id="place-credentials"),
        Binding("2", "place('audit')", _("Who looked"), show=False, id="place-audit"),
        Binding("3", "place('history')", _("History"), show=False, id="place-history"),
        Binding(
            "f1", "help", _("Help"), tooltip=_("All keys of this screen, in words."), id="help"
        ),
        Binding(
            "f2", "language", _("中文"), tooltip=_("Go on in the other language."), id="language"
        ),
        Binding(
            "f3",
            "theme",
            _("Light or dark"),
            tooltip=_("Change between the light and the dark colours."),
            show=False,
            id="theme",
        ),
        Binding(
            "ctrl+l",
            "lock",
            _("Lock"),
            tooltip=_("Forget the key and ask for the passphrase again."),
            show=False,
            id="lock",
        ),
        Binding(
            "ctrl+p",
            "command_palette",
            _("Commands"),
            tooltip=_("Everything that can be done here, by name."),
            show=False,
            priority=True,
            id="commands",
        ),
        Binding(
            "ctrl+q",
            "quit",
            _("Quit"),
            tooltip=_("Close the wallet and leave."),
            show=False,
            priority=True,
            id="quit",
        ),
    ]

    def __init__(
        self,
        folder: Path,
        *,
        language: str,
        wallet: Wallet | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.BaseTransport | None = None,
        save_to: Path | None = None,
        tick_s: float = 1.0,
        close_at_end: bool = True,
    ) -> None:
        """`folder` is the wallet's; `save_to` is what saving proposes (the working directory).

        `close_at_end` is False for a caller who goes on with the wallet it gave.
        """
        super().__init__()
        self.folder = folder
        self.language = language
        self.clock = clock
        self.transport = transport
        self.save_to = save_to or Path.cwd()
        self.tick_s = tick_s
        self._close_at_end = close_at_end
        self.trust_as_of: datetime | None = None
        self.greeting: ZhenglianError | None = None
        """What went wrong on the way to the first place, to be told there."""
        self.farewell: str | None = None
        """What a screen that closed has to say; the screen beneath says it."""
        self._wallet: Wallet | None = None
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if _light_terminal(os.environ.get("COLORFGBG", "")) else DARK.name
        if wallet is not None:
            self.opened(wallet)

    # -- the wallet ---------------------------------------------------------------------------

    @property
    def texts(self) -> Texts:
        return load_texts("wallet", self.language)

    @property
    def is_open(self) -> bool:
        return self._wallet is not None

    @property
    def wallet(self) -> Wallet:
        if self._wallet is None:
            raise RuntimeError("the wallet is closed")
        return self._wallet

    def opened(self, wallet: Wallet) -> None:
        """Take an open wallet; from now on the app closes it."""
        self._wallet = wallet
        wallet.language = self.language
        self.trust_as_of = wallet.status().trust_as_of

    def close_wallet(self) -> None:
        if self._wallet is not None:
            self._wallet.close()
            self._wallet = None

    # -- screens ------------------------------------------------------------------------------

    def on_mount(self) -> None:
        # Textual's own empty screen stays at the bottom of the stack: it cannot be replaced.
        self.push_screen(self.place_screen(FIRST) if self.is_open else self.door())

    def door(self) -> Screen[None]:
        """The screen before the wallet: to open it, or to make one."""
        from wallet.service import Wallet

        if Wallet.exists(self.folder):
            from wallet.tui.screens.unlock import UnlockScreen

            return UnlockScreen()
        from wallet.tui.screens.setup import SetupScreen

        return SetupScreen()

    def place_screen(self, place: str) -> Screen[None]:
        if place == "audit":
            from wallet.tui.screens.audit import AuditScreen

            return AuditScreen()
        if place == "history":
            from wallet.tui.screens.history import HistoryScreen

            return HistoryScreen()
        from wallet.tui.screens.credentials import CredentialsScreen

        return CredentialsScreen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "place":
            below = [s for s in self.screen_stack if not isinstance(s, SystemModalScreen)]
            return self.is_open and len(below) == BASE and not _busy(below[-1])
        if action == "lock":
            return self.is_open and not any(_busy(screen) for screen in self.screen_stack)
        return True

    def go(self, place: str) -> None:
        """Leave all screens for a place. Not awaited: a screen that leaves itself may call it."""
        while len(self.screen_stack) > BASE:
            self.pop_screen()
        self.switch_screen(self.place_screen(place))

    def action_place(self, place: str) -> None:
        if self.check_action("place", (place,)):
            self.go(place)

    def on_place_chosen(self, event: Place.Chosen) -> None:
        # The mouse leads away from a form, too; a running step keeps its screen.
        if self.is_open and not _busy(self.screen):
            self.go(event.place)

    async def action_language(self) -> None:
        self.language = ENGLISH if self.language == CHINESE else CHINESE
        if self._wallet is not None:
            self._wallet.language = self.language
        from wallet.tui.screens.base import Spoken

        for screen in self.screen_stack:
            if isinstance(screen, Spoken):
                await screen.reword()

    def action_theme(self) -> None:
        self.theme = LIGHT.name if self.current_theme.dark else DARK.name

    def action_lock(self) -> None:
        self.close_wallet()
        while len(self.screen_stack) > BASE:
            self.pop_screen()
        self.switch_screen(self.door())

    def action_help(self) -> None:
        from wallet.tui.screens.base import Spoken
        from wallet.tui.screens.help import HelpScreen

        if isinstance(self.screen, Spoken) and not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen.untranslated_bindings.values()))

    def action_command_palette(self) -> None:
        from textual.command import CommandPalette

        if not CommandPalette.is_open(cast("App[object]", self)):
            self.push_screen(
                CommandPalette(
                    placeholder=self.texts(_("What do you want to do?")), id="--command-palette"
                )
            )

    def action_help_quit(self) -> None:
        self.notify(self.texts(_("Press Ctrl+Q to leave.")))

    # -- the end ------------------------------------------------------------------------------

    def on_unmount(self) -> None:
        if self._close_at_end:
            self.close_wallet()

    @property
    def defect(self) -> BaseException | None:
        """The exception that ended the app, None when it ended well."""
        return self._exception

    def _fatal_error(self) -> None:
        # Textual's own would print local variables.
        self._close_messages_no_wait()


def _busy(screen: Screen[object]) -> bool:
    return bool(getattr(screen, "busy", False))


def _light_terminal(colorfgbg: str) -> bool:
    """rxvt's convention, which other terminals follow: "foreground;background"."""
    return colorfgbg.rpartition(";")[2] in {"7", "15"}


def run(home: Path, *, language: str) -> None:
    """Open the terminal app on the wallet in `home`; returns when its owner leaves.

    With ZL_PASSPHRASE_FILE set the wallet is opened before, so that the list comes first. Raises
    what `Wallet.open` raises then, and any defect that ended the app.
    """
    from schemas.passphrase import VARIABLE, read_passphrase
    from wallet.service import Wallet

    wallet = None
    if os.environ.get(VARIABLE) and Wallet.exists(home):
        words = read_passphrase(None, prompt="")
        wallet = Wallet.open(home, words, language=language)
    app = WalletApp(home, language=language, wallet=wallet)
    try:
        app.run()
    finally:
        app.close_wallet()
    if app.defect is not None:
        raise app.defect
