"""The code for one department, for as long as it is good, and not a second longer."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widgets import Static

from credentials.qr.codes import MIN_QUIET_ZONE, QrCode
from wallet.tui.screens.base import BACK, WalletScreen
from wallet.tui.screens.dialogs import SaveAs
from wallet.tui.widgets.countdown import Countdown
from wallet.tui.widgets.qr import QrView
from wallet.tui.wording import listed
from wallet.views import PresentationReady, ReceiptView
from wallet.words import mark as _

SIDE_COLUMNS = 34
HEAD_LINES = 2
FRAME_LINES = 2
"""Top line and keys."""


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
            id="save-svg",
        ),
        Binding(
            "i",
            "receipt",
            _("Import receipt"),
            tooltip=_("Keep the department's signed promise to record that it looked."),
            id="import-receipt",
        ),
    ]

    def __init__(self, ready: PresentationReady) -> None:
        super().__init__()
        self.ready: PresentationReady | None = ready
        self._verifier = ready.verifier_name
        self._shown = ready.shown
        self._expires = ready.expires
        self.code = QrCode.of(ready.qr_text)

    def content(self) -> ComposeResult:
        words = self.texts
        with Container(id="stage"):
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
        self._arrange(self.size.width, self.size.height)

    def on_resize(self, event: events.Resize) -> None:
        if self.is_mounted and self.query("#qr"):
            self._arrange(event.size.width, event.size.height)

    def _arrange(self, width: int, height: int) -> None:
        view = self.query_one("#qr", QrView)
        no_room = self.query_one("#no-room", Static)
        stage = self.query_one("#stage")
        if self.ready is None:
            view.display, no_room.display = False, True
            stage.set_classes("-head")
            no_room.update(self._ended())
            return
        lines = height - FRAME_LINES
        beside = view.border_for(width - SIDE_COLUMNS, lines)
        below = view.border_for(width, lines - HEAD_LINES)
        quiet_zone = beside if beside is not None else below
        stage.set_classes("-side" if beside is not None else "-head")
        view.display, no_room.display = quiet_zone is not None, quiet_zone is None
        if quiet_zone is not None:
            view.show(quiet_zone)
        else:
            no_room.update(self._too_small(width, height))

    def _too_small(self, width: int, height: int) -> Text:
        words, paint = self.texts, self.paint
        columns, lines = self.code.terminal_size(MIN_QUIET_ZONE)
        return Text.assemble(
            (words(_("The code does not fit into this terminal.")), "bold"),
            "\n\n",
            words(
                _("It needs {columns} columns × {rows} rows; there are {width} × {height}."),
                columns=columns,
                rows=lines + FRAME_LINES + HEAD_LINES,
                width=width,
                height=height,
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

    def _ended(self) -> Text:
        return Text.assemble(
            (self.texts(_("The code is no longer good, and is gone from this screen.")), "bold"),
            "\n\n",
            self.texts(_("If the department did not read it in time, let it ask again.")),
        )

    # -- what may be done ---------------------------------------------------------------------

    def on_countdown_ended(self) -> None:
        self.ready = None
        self.query_one("#qr", QrView).wipe()
        self.query_one("#countdown").display = False
        self.fill()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "save" and self.ready is None:
            return None
        return super().check_action(action, parameters)

    def action_save(self, form: str) -> None:
        from wallet.tui.saving import suggestion

        if self.ready is None:
            return
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
