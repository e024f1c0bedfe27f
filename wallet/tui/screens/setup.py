"""The first start: which chain to trust, and the passphrase that guards the wallet."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input, Label, Static

from schemas.errors import ZhenglianError
from schemas.texts import Texts
from wallet.tui.errors import FieldMissing, PassphrasesDiffer
from wallet.tui.screens.base import WalletScreen
from wallet.tui.screens.dialogs import PickFile
from wallet.tui.theme import Paint
from wallet.tui.widgets.paths import PathSuggester
from wallet.words import mark as _

GOOD_LENGTH = 16
VERY_GOOD_LENGTH = 24
GOOD_VARIETY = 8


class SetupScreen(WalletScreen):
    """Makes the vault, then asks the registry once whom to trust."""

    def content(self) -> ComposeResult:
        words = self.texts
        with VerticalScroll(classes="form", can_focus=False):
            yield Static(words(_("Make your wallet")), classes="title")
            yield Static(
                words(
                    _(
                        "The genesis file says which chain you trust. Take it from a source that "
                        "you trust: a department's site, or a counter."
                    )
                ),
                classes="quiet",
            )
            with Horizontal(classes="field"):
                yield Label(words(_("Address of the registry")))
                yield Input(placeholder="https://", id="registry", compact=True)
            with Horizontal(classes="field"):
                yield Label(words(_("Genesis file")))
                yield Input(
                    placeholder="genesis.json",
                    id="genesis",
                    suggester=PathSuggester(),
                    compact=True,
                )
                yield Button(words(_("Browse …")), id="browse", compact=True)
            with Horizontal(classes="field"):
                yield Label(words(_("New passphrase")))
                yield Input(password=True, id="passphrase", compact=True)
            with Horizontal(classes="field -close"):
                yield Label("")
                yield Static("", id="strength")
            with Horizontal(classes="field"):
                yield Label(words(_("The same passphrase again")))
                yield Input(password=True, id="repeat", compact=True)
            yield Static(
                words(
                    _(
                        "Nobody can open the wallet without it, and nobody can give you a new "
                        "one: write it down and keep it apart."
                    )
                ),
                classes="quiet",
            )
            with Horizontal(classes="buttons"):
                yield Button(words(_("Make the wallet")), id="make", variant="primary")

    def fill(self) -> None:
        self._show_strength()
        if self.focused is None:
            self.query_one("#registry").focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "passphrase":
            self._show_strength()

    def _show_strength(self) -> None:
        text = self.query_one("#passphrase", Input).value
        self.query_one("#strength", Static).update(strength(text, self.texts, self.paint))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "repeat":
            self._start()
        else:
            self.focus_next("Input")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "browse":
            self.app.push_screen(
                PickFile(self.texts(_("Genesis file")), self.home.save_to), self._picked
            )
        else:
            self._start()

    def _picked(self, path: Path | None) -> None:
        if path is not None:
            self.query_one("#genesis", Input).value = str(path)

    def _start(self) -> None:
        if self.busy:
            return
        values = {field.id: field.value for field in self.query(Input)}
        for name, what in (
            ("registry", _("Address of the registry")),
            ("genesis", _("Genesis file")),
            ("passphrase", _("New passphrase")),
        ):
            if not str(values[name]).strip():
                self.complain(FieldMissing(what=what))
                self.query_one(f"#{name}").focus()
                return
        if values["passphrase"] != values["repeat"]:
            self.complain(PassphrasesDiffer())
            self.query_one("#repeat", Input).value = ""
            self.query_one("#repeat").focus()
            return
        self._make(values["registry"].strip(), values["genesis"].strip(), values["passphrase"])

    @work
    async def _make(self, registry: str, genesis: str, passphrase: str) -> None:
        from wallet.errors import InputUnreadable
        from wallet.service import Wallet

        app = self.home

        def make(_say: object) -> Wallet:
            try:
                pinned = Path(genesis).expanduser().read_bytes()
            except OSError as error:
                reason = error.strerror or "the file cannot be opened"
                raise InputUnreadable(reason=reason) from error
            return Wallet.create(
                app.folder,
                passphrase,
                genesis=pinned,
                registry_url=registry,
                language=app.language,
                clock=app.clock,
                transport=app.transport,
            )

        try:
            wallet = await self.background(make, self.texts(_("Making the wallet …")))
        except ZhenglianError as error:
            self.complain(error)
            return
        app.opened(wallet)
        try:
            await self.background(
                lambda say: wallet.refresh(progress=say), self.texts(_("Asking the registry …"))
            )
        except ZhenglianError as error:
            # The wallet stands; it learns whom to trust when the registry answers.
            app.greeting = error
        app.opened(wallet)
        app.go("credentials")


def strength(text: str, words: Texts, paint: Paint) -> Text:
    """A bar and a word. Length and variety only: what is guessable its owner knows."""
    from wallet.vault.guard import MINIMUM_DISTINCT, MINIMUM_LENGTH

    variety, missing = len(set(text)), MINIMUM_LENGTH - len(text)
    if not text:
        return Text(words(_("At least {count} characters."), count=MINIMUM_LENGTH), paint.quiet)
    if len(text) < MINIMUM_LENGTH:
        level, word, style = (
            1,
            words(
                _(
                    "too short: {count} more",
                ),
                count=missing,
            ),
            paint.bad,
        )
    elif variety < MINIMUM_DISTINCT:
        level, word, style = 1, words(_("too few different characters")), paint.bad
    elif len(text) >= VERY_GOOD_LENGTH and variety >= GOOD_VARIETY:
        level, word, style = 4, words(_("very good")), paint.good
    elif len(text) >= GOOD_LENGTH and variety >= GOOD_VARIETY:
        level, word, style = 3, words(_("good")), paint.good
    else:
        level, word, style = 2, words(_("just enough; longer is better")), paint.caution
    bar = "━" * (5 * level)
    return Text.assemble((bar, style), ("━" * (20 - len(bar)), paint.quiet), "  ", (word, style))
