"""Where an offer, a request or a receipt comes in: pasted, or from a text file or a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import unquote, urlsplit

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Input, Label, Static, TextArea

from schemas.errors import ZhenglianError
from wallet.tui.errors import FieldMissing
from wallet.tui.screens.base import BACK, WalletScreen
from wallet.tui.screens.dialogs import PickFile
from wallet.tui.widgets.paths import PathSuggester
from wallet.views import OfferView, ReceiptView, RequestView
from wallet.words import mark as _


@dataclass(frozen=True)
class Words:
    title: str
    explanation: str
    pasted: str


KINDS: Final = {
    "offer": Words(
        _("Accept an offer"),
        _("An issuer gives you an offer as a link, a file or a picture of a code."),
        _("Paste the offer (openid-credential-offer://…)"),
    ),
    "request": Words(
        _("Answer a request"),
        _("A department shows a code, a link or a file. Reading it sends nothing."),
        _("Paste the request (openid4vp://…)"),
    ),
    "receipt": Words(
        _("Import a receipt"),
        _("The department's signed promise to record on the chain that it looked."),
        _("Paste the receipt"),
    ),
}


class PasteArea(TextArea):
    """One long text; Enter goes on, for none of these texts has lines."""

    class Submitted(Message):
        pass

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Submitted())
            return
        await super()._on_key(event)


class SourceScreen(WalletScreen):
    """Reads one of `KINDS` and leads on to what it is for. Dismissed with nothing."""

    PLACE = "credentials"
    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        Binding(
            "ctrl+o",
            "browse",
            _("Browse …"),
            tooltip=_("Choose a text file or a picture of a code."),
            id="browse",
        ),
        Binding(
            "ctrl+g", "read", _("Go on"), tooltip=_("Read what was given and go on."), id="go-on"
        ),
    ]

    def __init__(self, kind: str, done: Callable[[ReceiptView], None] | None = None) -> None:
        super().__init__()
        self._kind = kind
        self._done = done

    def content(self) -> ComposeResult:
        words, kind = self.texts, KINDS[self._kind]
        with VerticalScroll(classes="form", can_focus=False):
            yield Static(words(kind.title), classes="title")
            yield Static(words(kind.explanation), classes="quiet")
            yield Label(words(kind.pasted))
            yield PasteArea(id="text", soft_wrap=True, tab_behavior="focus")
            yield Label(words(_("or give a file: text, or a picture of the code")))
            with Horizontal(classes="with-button"):
                yield Input(
                    id="path",
                    placeholder=words(_("path of the file")),
                    suggester=PathSuggester(),
                )
                yield Button(words(_("Browse …")), id="browse")
            with Horizontal(classes="buttons"):
                yield Button(words(_("Back")), id="back")
                yield Button(words(_("Go on")), id="go", variant="primary")

    def fill(self) -> None:
        if self.focused is None:
            self.query_one("#text").focus()

    def on_paste_area_submitted(self) -> None:
        self.action_read()

    def on_input_submitted(self) -> None:
        self.action_read()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        {"browse": self.action_browse, "back": self.action_back, "go": self.action_read}[
            event.button.id or ""
        ]()

    def action_browse(self) -> None:
        typed = Path(self.query_one("#path", Input).value or self.home.save_to).expanduser()
        start = typed if typed.is_dir() else typed.parent
        self.app.push_screen(
            PickFile(
                self.texts(_("Choose a file")), start if start.is_dir() else self.home.save_to
            ),
            self._picked,
        )

    def _picked(self, path: Path | None) -> None:
        if path is not None:
            self.query_one("#path", Input).value = str(path)
            self.action_read()

    def action_read(self) -> None:
        if self.busy:
            return
        text = self.query_one("#text", PasteArea).text.strip()
        path = self.query_one("#path", Input).value.strip()
        if path:
            self._read(Path(path).expanduser())
        elif text:
            self._read(_dropped(text) or text)
        else:
            self.complain(FieldMissing(what=_("the text or the file")))

    @work
    async def _read(self, source: str | Path) -> None:
        from wallet.sources import read_source

        wallet, kind = self.home.wallet, self._kind

        def read(_say: object) -> tuple[str, OfferView | RequestView | ReceiptView]:
            text = read_source(source)
            if kind == "offer":
                return text, wallet.inspect_offer(text)
            if kind == "request":
                return text, wallet.inspect_request(text)
            return text, wallet.import_receipt(text)

        try:
            text, view = await self.background(read, self.texts(_("Reading and checking …")))
        except ZhenglianError as error:
            self.complain(error)
            return
        if isinstance(view, OfferView):
            from wallet.tui.screens.offer import OfferScreen

            self.app.switch_screen(OfferScreen(text, view))
        elif isinstance(view, RequestView):
            from wallet.tui.screens.consent import ConsentScreen

            self.app.switch_screen(ConsentScreen(text, view))
        else:
            if self._done is not None:
                self._done(view)
            self.dismiss()


def _dropped(text: str) -> Path | None:
    """The file, if what was pasted is the path of one: terminals paste that for a dropped file."""
    if len(text) > 4096 or "\n" in text:
        return None
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    text = text.strip("'\"").replace("\\ ", " ")
    if not text.startswith(("/", "~")):
        return None
    path = Path(text).expanduser()
    return path if path.is_file() else None
