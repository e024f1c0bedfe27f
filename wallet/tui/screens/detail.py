"""One credential, whole; its sensitive values only while its owner wants to see them here."""

from __future__ import annotations

import json
from typing import ClassVar

from rich.console import Group
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from schemas.errors import ZhenglianError
from wallet.tui.screens.base import BACK, WalletScreen
from wallet.tui.screens.credentials import badge, until
from wallet.tui.screens.dialogs import Confirm, SaveAs
from wallet.tui.widgets.facts import Fact, claims, facts
from wallet.tui.wording import moment
from wallet.views import AnchorState
from wallet.words import mark as _


class DetailScreen(WalletScreen):
    """Values are read from the wallet each time, so that nothing revealed stays in memory here."""

    PLACE = "credentials"
    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        Binding(
            "v",
            "reveal",
            _("Show or hide values"),
            tooltip=_("Sensitive values are shown on this screen until you leave it."),
            id="reveal",
        ),
        Binding(
            "x",
            "export",
            _("Save document"),
            tooltip=_("Write the credential as issued, with all it holds, to a file."),
            id="save-document",
        ),
        Binding(
            "delete",
            "remove",
            _("Delete"),
            tooltip=_("Delete this credential and its key; it cannot be brought back."),
            id="remove",
        ),
    ]

    def __init__(self, credential_id: str, greeting: str | None = None) -> None:
        super().__init__()
        self._credential = credential_id
        self._greeting = greeting
        self.revealed = False

    def content(self) -> ComposeResult:
        with VerticalScroll(id="detail"):
            yield Static(id="head")
            yield Static(id="claims", classes="panel")
            yield Static(id="facts", classes="panel")

    def fill(self) -> None:
        words, paint = self.texts, self.paint
        try:
            view = self.home.wallet.credential(self._credential, reveal=self.revealed)
        except ZhenglianError as error:
            self.complain(error)
            return
        self.query_one("#head", Static).update(
            Group(
                Text.assemble((view.title, "bold"), "   ", badge(view, paint)),
                Text(f"{view.issuer_name} · {until(view, words)}", style=paint.quiet),
            )
        )
        panel = self.query_one("#claims", Static)
        panel.border_title = words(_("What it says about you"))
        panel.border_subtitle = "" if self.revealed else words(_("v shows the hidden values"))
        panel.update(
            claims([c for c in view.claims if not c.mandatory], paint, reveal=self.revealed)
        )
        rows: list[Fact] = [
            (words(_("Issuer")), f"{view.issuer_name}  {view.issuer_did}"),
            (words(_("Valid from")), moment(view.valid_from)),
            (words(_("Valid until")), moment(view.valid_until) if view.valid_until else "–"),
            (words(_("Received")), moment(view.received)),
            (
                words(_("Status as of")),
                moment(view.state_as_of) if view.state_as_of else words(_("not asked yet")),
            ),
            (
                words(_("Chain")),
                Text(
                    view.anchor_text
                    + (f" #{view.anchor_index}" if view.anchor_index is not None else ""),
                    style=paint.good if view.anchor is AnchorState.ANCHORED else paint.caution,
                ),
            ),
            (words(_("Identifier")), view.id),
        ]
        below = self.query_one("#facts", Static)
        below.border_title = words(_("About the credential"))
        below.update(facts(rows, paint))
        if self.focused is None:
            self.query_one("#detail").focus()
        if self._greeting:
            self.notice.good(self.texts(self._greeting))
            self._greeting = None

    def action_reveal(self) -> None:
        self.revealed = not self.revealed
        self.fill()

    def on_screen_suspend(self) -> None:
        self.revealed = False
        if self.is_attached and self.home.is_open:
            self.fill()

    def action_export(self) -> None:
        from wallet.tui.saving import suggestion

        document = self.home.wallet.credential_document(self._credential)
        data = json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"
        path = suggestion(self.home.save_to, "zl-credential", "json", self.home.clock())
        self.app.push_screen(
            SaveAs(self.texts(_("Save the credential with all its values")), path, data),
            self._saved,
        )

    def _saved(self, path: object) -> None:
        if path is not None:
            self.notice.good(self.texts(_("Saved: {path}"), path=path))

    @work
    async def action_remove(self) -> None:
        words = self.texts
        sure = await self.app.push_screen_wait(
            Confirm(
                words(_("Delete this credential?")),
                words(_("Its key is deleted too. It cannot be brought back; you can apply anew.")),
                words(_("Delete")),
            )
        )
        if not sure:
            return
        wallet = self.home.wallet
        try:
            await self.background(
                lambda _say: wallet.remove_credential(self._credential), words(_("Deleting …"))
            )
        except ZhenglianError as error:
            self.complain(error)
            return
        self.dismiss()
