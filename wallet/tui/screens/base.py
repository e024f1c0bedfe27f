"""What every screen does: speak the reader's language, say what it is at, and never block.

A screen's texts are made when it is composed; `reword` composes it again in another language and
puts back what was typed. `background` runs a step of the wallet in a thread and says meanwhile
what it is doing; whoever comes back from a thread asks `stands` before touching a widget. An error
of the wallet is a sentence on the screen; any other exception is a defect and ends the app (see
`WalletApp`), because nobody can know what it left undone.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Checkbox, Footer, Input, Select, TextArea

from schemas.errors import ZhenglianError
from schemas.texts import Texts
from wallet.tui.theme import Paint
from wallet.tui.widgets.notice import Notice
from wallet.tui.widgets.topbar import TopBar
from wallet.tui.wording import explain, moment
from wallet.words import mark as _

if TYPE_CHECKING:
    from wallet.tui.app import WalletApp

T = TypeVar("T")
R = TypeVar("R")

BACK: Binding = Binding(
    "escape", "back", _("Back"), tooltip=_("Leave this screen; nothing is sent."), id="back"
)
LOCK: Binding = Binding(
    "ctrl+l",
    "app.lock",
    _("Lock"),
    tooltip=_("Forget the key and ask for the passphrase again."),
    show=False,
    id="lock",
)


class Spoken(Screen[R]):
    """Texts, bindings and background steps in the reader's language."""

    busy = False

    def __init__(
        self, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name, id, classes)
        self._composing = asyncio.Lock()

    @property
    def home(self) -> WalletApp:
        """The app, by its own type."""
        return cast("WalletApp", self.app)

    @property
    def texts(self) -> Texts:
        return self.home.texts

    @property
    def paint(self) -> Paint:
        return Paint.of(self.app.current_theme)

    @property
    def notice(self) -> Notice:
        return self.query_one(Notice)

    @property
    def untranslated_bindings(self) -> dict[str, ActiveBinding]:
        """The bindings in force, with message ids for words."""
        return super().active_bindings

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """Textual's, with descriptions and tooltips in the reader's language."""
        words = self.texts
        return {
            key: found._replace(
                binding=replace(
                    found.binding,
                    description=words(found.binding.description),
                    tooltip=words(found.binding.tooltip),
                ),
                tooltip=words(found.tooltip),
            )
            for key, found in super().active_bindings.items()
        }

    # -- content ------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.fill()
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.fill())

    def fill(self) -> None:
        """Put into the widgets what depends on the wallet; called again after `reword`."""

    async def reword(self) -> None:
        """Compose anew in the app's language, keeping what was typed and where the focus is.

        For a moment the screen has no widgets. Its messages wait meanwhile, and so does, in
        `stands`, what comes back from a thread; keys wait because the app itself calls this.
        """
        async with self._composing:
            kept = [
                (widget.id, value)
                for widget in self.query("Input, TextArea, Select, Checkbox").results()
                if widget.id and (value := _typed(widget)) is not None
            ]
            focus = self.focused.id if self.focused is not None else None
            await self.recompose()
            for name, value in kept:
                for widget in self.query(f"#{name}").results():
                    _retype(widget, value)
            if focus is not None:
                for widget in self.query(f"#{focus}").results():
                    widget.focus()
            self.fill()
            self.refresh_bindings()

    @property
    def is_shown(self) -> bool:
        """Whether the app goes on and has the screen on its stack; if not, all may be closed."""
        return self.app.is_running and self.is_attached and self in self.app.screen_stack

    async def stands(self) -> bool:
        """Whether the screen is shown still; when it is, all its widgets are there."""
        async with self._composing:
            return self.is_shown

    async def _dispatch_message(self, message: Message) -> None:
        await self.stands()
        await super()._dispatch_message(message)

    def action_back(self) -> None:
        self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a step runs the screen stays: leaving would not stop it, only hide its end."""
        if self.busy and action not in {"help", "command_palette"}:
            return None
        return True

    # -- steps --------------------------------------------------------------------------------

    async def background(self, step: Callable[[Callable[[str], None]], T], text: str) -> T:
        """Run `step(say)` in a thread; `say` may be called there to tell the progress."""
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()

        def say(message: str) -> None:
            with suppress(RuntimeError):  # the app was closed meanwhile; nobody is left to tell
                loop.call_soon_threadsafe(self._tell, message, context=context)

        self.busy = True
        try:
            if await self.stands():
                self.notice.busy(text)
                self.refresh_bindings()
            return await asyncio.to_thread(step, say)
        finally:
            is_shown = await self.stands()
            self.busy = False
            if is_shown:
                self.notice.clear()
                self.refresh_bindings()

    def _tell(self, message: str) -> None:
        if self.busy and self.is_shown and not self._composing.locked():
            self.notice.busy(message)

    def complain(self, error: ZhenglianError) -> None:
        """Say what happened and what to do; it stays until the next step."""
        self.notice.error(explain(error, self.home.language))


class WalletScreen(Spoken[None]):
    """A full screen: top line, content, notice, keys."""

    PLACE: ClassVar[str | None] = None
    BINDINGS: ClassVar[list[BindingType]] = []

    def compose(self) -> ComposeResult:
        words = self.texts
        places = (
            [
                ("credentials", words(_("Credentials"))),
                ("audit", words(_("Who looked"))),
                ("history", words(_("History"))),
            ]
            if self.home.is_open
            else []
        )
        yield TopBar(words(_("Zhenglian wallet")), places, self.PLACE, self.knowledge())
        yield from self.content()
        yield Notice()
        yield Footer(compact=True)

    def content(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    def knowledge(self) -> str:
        if not self.home.is_open:
            return ""
        as_of = self.home.trust_as_of
        if as_of is None:
            return self.texts(_("chain not asked yet"))
        return self.texts(_("chain: {time}"), time=moment(as_of)[5:])


class Dialog(ModalScreen[R], Spoken[R]):
    """A small screen over another."""

    # A modal screen hides the app's keys; this one is for someone who must look away at once.
    BINDINGS: ClassVar[list[BindingType]] = [BACK, LOCK]


def _typed(widget: object) -> object | None:
    if isinstance(widget, TextArea):
        return widget.text
    if isinstance(widget, Select):
        return None if widget.value is Select.NULL else cast("object", widget.value)
    if isinstance(widget, Input | Checkbox):
        return widget.value
    return None


def _retype(widget: object, value: object) -> None:
    if isinstance(widget, TextArea):
        widget.text = str(value)
    elif isinstance(widget, Input | Select | Checkbox):
        # It came from the same kind of widget.
        widget.value = value
