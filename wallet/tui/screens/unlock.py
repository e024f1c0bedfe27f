"""The door of an existing wallet: the passphrase, and the wait after a wrong one."""

from __future__ import annotations

from datetime import datetime, timedelta

from textual import work
from textual.app import ComposeResult
from textual.containers import Center, Vertical
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from schemas.errors import ZhenglianError
from wallet.tui.screens.base import WalletScreen
from wallet.tui.wording import seconds_left
from wallet.words import mark as _


class UnlockScreen(WalletScreen):
    """While the wallet waits, the field is closed and the seconds run down."""

    def __init__(self) -> None:
        super().__init__()
        self._until: datetime | None = None
        self._timer: Timer | None = None

    def content(self) -> ComposeResult:
        words = self.texts
        with Vertical(id="door"), Center(), Vertical(classes="card"):
            yield Static(words(_("Your wallet is locked.")), classes="title")
            yield Static(words(_("The passphrase never leaves this device.")), classes="quiet")
            yield Input(
                password=True, placeholder=words(_("Passphrase of the wallet")), id="passphrase"
            )
            yield Static("", id="wait")
            yield Button(words(_("Unlock")), id="unlock", variant="primary")

    def fill(self) -> None:
        self._show_wait()
        if self._until is None:
            self.query_one("#passphrase").focus()

    def on_input_submitted(self) -> None:
        self._try()

    def on_button_pressed(self) -> None:
        self._try()

    def _try(self) -> None:
        field = self.query_one("#passphrase", Input)
        if self.busy or self._until is not None or not field.value:
            return
        passphrase, field.value = field.value, ""
        self._open(passphrase)

    @work
    async def _open(self, passphrase: str) -> None:
        from wallet.errors import BackOff, WrongPassphrase
        from wallet.service import Wallet

        app = self.home
        try:
            wallet = await self.background(
                lambda _say: Wallet.open(
                    app.folder,
                    passphrase,
                    language=app.language,
                    clock=app.clock,
                    transport=app.transport,
                ),
                self.texts(_("Opening the wallet …")),
            )
        except (BackOff, WrongPassphrase) as error:
            self.complain(error)
            self._wait(int(str(error.params["seconds"])))
        except ZhenglianError as error:
            self.complain(error)
        else:
            app.opened(wallet)
            app.go("credentials")

    def _wait(self, seconds: int) -> None:
        if seconds <= 0:
            return
        self._until = self.home.clock() + timedelta(seconds=seconds)
        if self._timer is None:
            self._timer = self.set_interval(self.home.tick_s, self._show_wait)
        self._show_wait()

    def _show_wait(self) -> None:
        left = 0 if self._until is None else seconds_left(self._until, self.home.clock())
        field = self.query_one("#passphrase", Input)
        waiting = left > 0
        self.query_one("#wait", Static).update(
            self.texts(_("The next try is possible in {seconds} s."), seconds=left)
            if waiting
            else ""
        )
        ended = self._until is not None and not waiting
        field.disabled = waiting
        self.query_one("#unlock", Button).disabled = waiting
        if ended:
            self._until = None
            self.notice.clear()
            field.focus()
