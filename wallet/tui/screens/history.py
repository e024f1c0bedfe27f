"""Everything that was done with this wallet: names of claims, never their values."""

from __future__ import annotations

import json
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Static

from schemas.errors import ZhenglianError
from wallet.tui.screens.base import WalletScreen
from wallet.tui.screens.dialogs import Confirm, SaveAs
from wallet.tui.widgets.facts import Fact, facts
from wallet.tui.widgets.ledger import Ledger
from wallet.tui.wording import listed, moment
from wallet.views import HistoryEntry, HistoryKind, Outcome, ReceiptState
from wallet.words import mark as _


class HistoryScreen(WalletScreen):
    """A table, and below it the entry chosen."""

    PLACE = "history"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "e",
            "export",
            _("Export"),
            tooltip=_("Save the whole history as JSON."),
            id="export-history",
        ),
        Binding(
            "delete",
            "remove",
            _("Delete"),
            tooltip=_("Delete this entry; a receipt goes with it."),
            id="delete-entry",
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, HistoryEntry] = {}

    def content(self) -> ComposeResult:
        yield Ledger(id="table")
        yield Static(self.texts(_("Nothing has been done with this wallet yet.")), id="empty")
        with VerticalScroll(id="below", can_focus=False):
            yield Static(id="entry")

    def fill(self) -> None:
        self._load()

    @work(exclusive=True, group="load")
    async def _load(self) -> None:
        import asyncio

        if not await self.stands():
            return
        try:
            found = await asyncio.to_thread(self.home.wallet.history)
        except ZhenglianError as error:
            if await self.stands():
                self.complain(error)
            return
        if not await self.stands():
            return
        words, paint = self.texts, self.paint
        self.entries = {str(entry.id): entry for entry in found}
        styles = {Outcome.DONE: paint.good, Outcome.FAILED: paint.bad}
        table = self.query_one(Ledger)
        table.fill(
            [words(_("Time")), words(_("What")), words(_("Outcome")), words(_("With whom"))],
            [
                (
                    str(entry.id),
                    [
                        Text(moment(entry.time)),
                        Text(entry.kind_text),
                        Text(entry.outcome_text, styles.get(entry.outcome, paint.caution)),
                        Text(entry.party_name or "–"),
                    ],
                )
                for entry in found
            ],
        )
        self.query_one("#empty").display = not found
        table.display = bool(found)
        self.query_one("#below").display = bool(found)
        if found and self.focused is None:
            table.focus()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        entry = self.entries.get(event.row_key.value or "")
        if entry is not None:
            self.query_one("#entry", Static).update(facts(self._facts(entry), self.paint))

    def _facts(self, entry: HistoryEntry) -> list[Fact]:
        words, paint = self.texts, self.paint
        rows: list[Fact] = []
        for name, value in (
            (_("Credential"), entry.title),
            (_("Purpose"), entry.purpose),
            (_("Legal basis"), entry.legal_basis),
            (_("Claims"), listed(words, entry.claim_labels)),
        ):
            if value:
                rows.append((words(name), value))
        if entry.kind is HistoryKind.PRESENTATION and entry.outcome is Outcome.DONE:
            from wallet.audit import state_text

            style = {ReceiptState.RECORDED: paint.good, ReceiptState.MISSING: paint.bad}
            rows.append(
                (
                    words(_("Access record")),
                    Text(
                        state_text(entry.receipt, words.language),
                        style=style.get(entry.receipt, paint.plain),
                    ),
                )
            )
        if entry.error is not None:
            text = Text(f"{entry.error_text or ''}  {entry.error}", style=paint.bad)
            rows.append((words(_("Cause")), text))
        return rows

    # -- what can be done ---------------------------------------------------------------------

    def action_export(self) -> None:
        from wallet.tui.saving import suggestion

        whole = json.dumps(self.home.wallet.export_history(), ensure_ascii=False, indent=2)
        path = suggestion(self.home.save_to, "zl-history", "json", self.home.clock())
        self.app.push_screen(
            SaveAs(self.texts(_("Save the history")), path, whole.encode() + b"\n"), self._saved
        )

    def _saved(self, path: object) -> None:
        if path is not None:
            self.notice.good(self.texts(_("Saved: {path}"), path=path))

    @work
    async def action_remove(self) -> None:
        words = self.texts
        number = self.query_one(Ledger).chosen
        if number is None:
            return
        sure = await self.app.push_screen_wait(
            Confirm(
                words(_("Delete this entry?")),
                words(_("A receipt that belongs to it goes too, and with it your evidence.")),
                words(_("Delete")),
            )
        )
        if not sure:
            return
        wallet = self.home.wallet
        try:
            await self.background(
                lambda _say: wallet.delete_history([int(number)]), words(_("Deleting …"))
            )
        except ZhenglianError as error:
            self.complain(error)
            return
        self.fill()
