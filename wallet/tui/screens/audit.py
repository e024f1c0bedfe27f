"""Who looked: every showing, and whether the department put it on record as it promised."""

from __future__ import annotations

import json
from collections import Counter
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Static

from schemas.errors import ZhenglianError
from wallet.tui.screens.base import WalletScreen
from wallet.tui.screens.dialogs import SaveAs
from wallet.tui.widgets.facts import Fact, facts
from wallet.tui.widgets.ledger import Ledger
from wallet.tui.wording import listed, moment
from wallet.views import AuditEntry, ReceiptState, ReceiptView
from wallet.words import mark as _


class AuditScreen(WalletScreen):
    """A promise that was not kept stands out, and can be exported for a complaint."""

    PLACE = "audit"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "i",
            "receipt",
            _("Import receipt"),
            tooltip=_("Keep the department's signed promise to record that it looked."),
            id="import-receipt",
        ),
        Binding(
            "c",
            "reconcile",
            _("Check the chain"),
            tooltip=_("Look up every promised record on the access chain."),
            id="reconcile",
        ),
        Binding(
            "x",
            "evidence",
            _("Export evidence"),
            tooltip=_("Save the signed receipt and what the chain had, for a complaint."),
            id="evidence",
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, AuditEntry] = {}

    def content(self) -> ComposeResult:
        yield Ledger(id="table")
        yield Static(self.texts(_("Nobody has been shown anything yet.")), id="empty")
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
            found = await asyncio.to_thread(self.home.wallet.audit)
        except ZhenglianError as error:
            if await self.stands():
                self.complain(error)
            return
        if not await self.stands():
            return
        words = self.texts
        self.entries = {str(entry.history_id): entry for entry in found}
        table = self.query_one(Ledger)
        table.fill(
            [
                words(_("Time")),
                words(_("Access record")),
                words(_("Department")),
                words(_("Claims")),
            ],
            [
                (
                    str(entry.history_id),
                    [
                        Text(moment(entry.time)),
                        Text(entry.state_text, style=self._style(entry.state)),
                        Text(entry.verifier_name),
                        Text(listed(words, entry.claim_labels)),
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
        self.refresh_bindings()

    def _style(self, state: ReceiptState) -> str:
        paint = self.paint
        return {
            ReceiptState.RECORDED: paint.good,
            ReceiptState.MISSING: f"bold {paint.bad}",
            ReceiptState.NONE: paint.quiet,
        }.get(state, paint.caution)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        entry = self.entries.get(event.row_key.value or "")
        if entry is not None:
            self.query_one("#entry", Static).update(facts(self._facts(entry), self.paint))
            self.refresh_bindings()

    def _facts(self, entry: AuditEntry) -> list[Fact]:
        words = self.texts
        rows: list[Fact] = [
            (words(_("Department")), f"{entry.verifier_name}  {entry.verifier_did}"),
            (words(_("Purpose")), entry.purpose),
        ]
        if entry.legal_basis:
            rows.append((words(_("Legal basis")), entry.legal_basis))
        rows.append((words(_("Claims")), listed(words, entry.claim_labels)))
        index = f"  #{entry.chain_index}" if entry.chain_index is not None else ""
        rows.append(
            (
                words(_("Access record")),
                Text(entry.state_text + index, style=self._style(entry.state)),
            )
        )
        if entry.promise_by is not None:
            rows.append((words(_("Promised by")), moment(entry.promise_by)))
        if entry.checked is not None:
            rows.append((words(_("Last checked")), moment(entry.checked)))
        if entry.state is ReceiptState.MISSING:
            rows.append(
                ("", Text(words(_("x saves the evidence for a complaint.")), style=self.paint.key))
            )
        return rows

    # -- what can be done ---------------------------------------------------------------------

    def _chosen(self) -> AuditEntry | None:
        tables = list(self.query(Ledger))
        return self.entries.get(tables[0].chosen or "") if tables else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "evidence":
            entry = self._chosen()
            if entry is None or entry.state is ReceiptState.NONE:
                return None
        return super().check_action(action, parameters)

    def action_receipt(self) -> None:
        from wallet.tui.screens.source import SourceScreen

        self.app.push_screen(SourceScreen("receipt", self._kept))

    def _kept(self, receipt: ReceiptView) -> None:
        self.fill()
        self.notice.good(
            self.texts(
                _("Receipt kept: {verifier} promises its record on the chain."),
                verifier=receipt.verifier_name,
            )
        )

    @work
    async def action_reconcile(self) -> None:
        wallet = self.home.wallet
        try:
            entries = await self.background(
                lambda say: wallet.reconcile(progress=say), self.texts(_("Asking the registry …"))
            )
        except ZhenglianError as error:
            self.complain(error)
            return
        self.fill()
        count = Counter(entry.state for entry in entries)
        missing = count[ReceiptState.MISSING]
        sentence = self.texts(
            _("On the chain: {recorded}. Promised and still due: {pending}. Missing: {missing}."),
            recorded=count[ReceiptState.RECORDED],
            pending=count[ReceiptState.PENDING] + count[ReceiptState.UNKNOWN],
            missing=missing,
        )
        (self.notice.caution if missing else self.notice.good)(sentence)

    def action_evidence(self) -> None:
        from wallet.tui.saving import suggestion

        entry = self._chosen()
        if entry is None:
            return
        try:
            evidence = self.home.wallet.export_evidence(entry.history_id)
        except ZhenglianError as error:
            self.complain(error)
            return
        data = json.dumps(evidence, ensure_ascii=False, indent=2).encode() + b"\n"
        path = suggestion(self.home.save_to, "zl-evidence", "json", self.home.clock())
        self.app.push_screen(SaveAs(self.texts(_("Save the evidence")), path, data), self._saved)

    def _saved(self, path: object) -> None:
        if path is not None:
            self.notice.good(self.texts(_("Saved: {path}"), path=path))
