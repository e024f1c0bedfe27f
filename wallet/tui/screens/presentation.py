"""The code for one department, for as long as it is good, and not a second longer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.message import Message
from textual.widgets import Static

from credentials.errors import QrTooLarge
from credentials.qr.codes import MIN_QUIET_ZONE, QrCode
from wallet.tui.screens.base import BACK, WalletScreen
from wallet.tui.screens.dialogs import Confirm, SaveAs
from wallet.tui.widgets.countdown import Countdown
from wallet.tui.widgets.qr import QrView
from wallet.tui.wording import listed
from wallet.views import PresentationReady, ReceiptView
from wallet.words import mark as _

SIDE_COLUMNS = 34
HEAD_LINES = 2
FRAME_LINES = 2
"""First line and keys."""


def code_of(ready: PresentationReady) -> QrCode | None:
    """The code of a presentation; None when it holds more than one code can."""
    try:
        return QrCode.of(ready.qr_text)
    except QrTooLarge:
        return None


class Stage(Container):
    """The room between the first line and whatever stands at the bottom."""

    class Resized(Message):
        """Its size is another one."""

    def on_resize(self) -> None:
        self.post_message(self.Resized())


class PresentationScreen(WalletScreen):
    """Draws the code where it fits, else says how much room it needs and offers a picture."""

    PLACE = "credentials"
    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        Binding(
            "s",
            "save('png')",
            _("Save PNG"),
            tooltip=_("Save the code as a picture, to show it on another screen."),
            id="save-png",
        ),
        Binding(
            "g",
            "save('svg')",
            _("Save SVG"),
            tooltip=_("Save the code as a drawing that can be printed in any size."),
            show=False,
            id="save-svg",
        ),
        Binding(
            "x",
            "save('json')",
            _("Save file"),
            tooltip=_("Save the presentation as a file, to hand it over without a code."),
            id="save-file",
        ),
        Binding(
            "i",
            "receipt",
            _("Import receipt"),
            tooltip=_("Keep the department's signed promise to record that it looked."),
            id="import-receipt",
        ),
    ]

    def __init__(self, ready: PresentationReady, code: QrCode | None) -> None:
        """`code` is `code_of(ready)`, made where its making holds up nobody."""
        super().__init__()
        self.ready: PresentationReady | None = ready
        self._verifier = ready.verifier_name
        self._shown = ready.shown
        self._expires = ready.expires
        self.code = code

    def content(self) -> ComposeResult:
        words = self.texts
        with Stage(id="stage"):
            with Vertical(id="side"):
                yield Static(Text(self._verifier), id="verifier")
                yield Countdown(
                    self._expires,
                    self.home.clock,
                    lambda left: words(_("good for {time}"), time=left),
                    tick_s=self.home.tick_s,
                    id="countdown",
                )
                yield Static(id="what")
            if self.code is not None:
                yield QrView(self.code, id="qr")
            yield Static(id="no-room")

    def fill(self) -> None:
        words = self.texts
        self.query_one("#what", Static).update(
            Text(
                words(_("Shows: {claims}"), claims=listed(words, self._shown)),
                style=self.paint.quiet,
            )
        )
        self._arrange()

    def on_stage_resized(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        no_room = self.query_one("#no-room", Static)
        stage = self.query_one(Stage)
        width, lines = stage.size
        if self.ready is None or self.code is None:
            self.query(QrView).set(display=False)
            no_room.display = True
            stage.set_classes("-head")
            no_room.update(self._ended() if self.ready is None else self._too_much())
            return
        view = self.query_one(QrView)
        beside = view.border_for(width - SIDE_COLUMNS, lines)
        below = view.border_for(width, lines - HEAD_LINES)
        quiet_zone = beside if beside is not None else below
        stage.set_classes("-side" if beside is not None else "-head")
        view.display, no_room.display = quiet_zone is not None, quiet_zone is None
        if quiet_zone is not None:
            view.show(quiet_zone)
        else:
            no_room.update(self._too_small(self.code))

    def _too_small(self, code: QrCode) -> Text:
        words, paint = self.texts, self.paint
        columns, lines = code.terminal_size(MIN_QUIET_ZONE)
        return Text.assemble(
            (words(_("The code does not fit into this terminal.")), "bold"),
            "\n\n",
            words(
                _("It needs {columns} columns × {rows} rows; there are {width} × {height}."),
                columns=columns,
                rows=lines + FRAME_LINES + HEAD_LINES,
                width=self.size.width,
                height=self.size.height,
            ),
            "\n",
            words(_("Make the window larger or its letters smaller (often Ctrl and −), or")),
            "\n\n",
            ("s", paint.key),
            "  ",
            words(_("save it as a picture (PNG)")),
            "\n",
            ("g", paint.key),
            "  ",
            words(_("save it as a drawing (SVG)")),
        )

    def _too_much(self) -> Text:
        words, paint = self.texts, self.paint
        return Text.assemble(
            (words(_("This is too much for one code.")), "bold"),
            "\n\n",
            ("x", paint.key),
            "  ",
            words(_("save it as a file, and hand that to the department")),
        )

    def _ended(self) -> Text:
        return Text.assemble(
            (self.texts(_("The code is no longer good, and is gone from this screen.")), "bold"),
            "\n\n",
            self.texts(_("If the department did not read it in time, let it ask again.")),
        )

    # -- what may be done ---------------------------------------------------------------------

    def on_countdown_ended(self) -> None:
        self.ready = None
        for view in self.query(QrView):
            view.wipe()
        self.query_one("#countdown").display = False
        self.fill()
        self.refresh_bindings()

    def action_back(self) -> None:
        if self.ready is None:
            self.dismiss()
            return
        words = self.texts
        self.app.push_screen(
            Confirm(
                words(_("Leave the code?")),
                words(_("It cannot be shown again: the department would have to ask anew.")),
                words(_("Leave")),
            ),
            self._leave,
        )

    def _leave(self, sure: bool | None) -> None:
        if sure:
            self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "save":
            if self.ready is None:
                return None
            if self.code is None and parameters != ("json",):
                return None
        return super().check_action(action, parameters)

    def action_save(self, form: str) -> None:
        from wallet.tui.saving import suggestion

        if self.ready is None:
            return
        if form == "json":
            data = json.dumps(dict(self.ready.document), ensure_ascii=False).encode() + b"\n"
        else:
            data = self.ready.png() if form == "png" else self.ready.svg().encode()
        path = suggestion(self.home.save_to, "zl-presentation", form, self.home.clock())
        self.app.push_screen(
            SaveAs(self.texts(_("Save the code: it shows what you consented to")), path, data),
            self._saved,
        )

    def _saved(self, path: Path | None) -> None:
        if path is not None:
            self.notice.good(self.texts(_("Saved: {path}"), path=path))

    def action_receipt(self) -> None:
        from wallet.tui.screens.source import SourceScreen

        self.app.push_screen(SourceScreen("receipt", self._kept))

    def _kept(self, receipt: ReceiptView) -> None:
        self.notice.good(
            self.texts(
                _("Receipt kept: {verifier} promises its record on the chain."),
                verifier=receipt.verifier_name,
            )
        )
