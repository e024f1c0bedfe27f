"""An offer: who offers what, the transaction code, and the fetching."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input, Label, Static

from schemas.errors import ZhenglianError
from wallet.errors import TxCodeNeeded
from wallet.tui.screens.base import BACK, WalletScreen
from wallet.tui.screens.detail import DetailScreen
from wallet.tui.widgets.facts import facts
from wallet.views import OfferView
from wallet.words import mark as _


class OfferScreen(WalletScreen):
    """The issuer was found on the chain before this screen opened."""

    PLACE = "credentials"
    BINDINGS: ClassVar[list[BindingType]] = [BACK]

    def __init__(self, text: str, offer: OfferView) -> None:
        super().__init__()
        self._text = text
        self._offer = offer

    def content(self) -> ComposeResult:
        words = self.texts
        with VerticalScroll(classes="form", can_focus=False):
            yield Static(words(_("An offer for you")), classes="title")
            yield Static(id="offer", classes="panel")
            if self._offer.needs_tx_code:
                with Horizontal(classes="field"):
                    yield Label(words(_("Transaction code")))
                    yield Input(
                        id="code",
                        password=True,
                        placeholder=words(_("from the issuer's separate message to you")),
                        compact=True,
                    )
                if self._offer.tx_code_length:
                    yield Static(
                        words(_("It has {count} characters."), count=self._offer.tx_code_length),
                        classes="quiet",
                    )
            if self._offer.resumed:
                yield Static(
                    words(_("A former try was interrupted; it goes on without the code.")),
                    classes="quiet",
                )
            with Horizontal(classes="buttons"):
                yield Button(words(_("Back")), id="back")
                yield Button(words(_("Accept")), id="accept", variant="primary")

    def fill(self) -> None:
        words, offer = self.texts, self._offer
        panel = self.query_one("#offer", Static)
        panel.border_title = words(_("accredited on the chain"))
        panel.update(
            facts(
                [
                    (words(_("Issuer")), offer.issuer_name),
                    (words(_("Credential")), offer.title),
                    (words(_("Address")), offer.issuer_url),
                ],
                self.paint,
            )
        )
        if self.focused is None:
            self.query("#code, #accept").first().focus()

    async def reword(self) -> None:
        try:
            self._offer = self.home.wallet.inspect_offer(self._text)
        except ZhenglianError as error:
            self.complain(error)
        await super().reword()

    def on_input_submitted(self) -> None:
        self._accept()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "accept":
            self._accept()
        else:
            self.action_back()

    def _accept(self) -> None:
        if self.busy:
            return
        code = None
        if self._offer.needs_tx_code:
            code = self.query_one("#code", Input).value.strip()
            if not code:
                self.complain(TxCodeNeeded())
                self.query_one("#code").focus()
                return
        self._fetch(code)

    @work
    async def _fetch(self, code: str | None) -> None:
        wallet, offer = self.home.wallet, self._offer
        try:
            credential = await self.background(
                lambda say: wallet.accept_offer(offer, code, progress=say),
                self.texts(_("Fetching the credential …")),
            )
        except ZhenglianError as error:
            self.complain(error)
            for field in self.query("#code").results(Input):
                field.value = ""
                field.focus()
            return
        self.app.switch_screen(
            DetailScreen(
                credential.id,
                greeting=_("Received, verified and kept. The chain will have it soon."),
            )
        )
