"""Applying for a credential: one's own data, checked in form here and in truth elsewhere."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input, Label, Select, Static

from schemas.errors import ZhenglianError
from schemas.scenario import Claim, load_scenario
from wallet.tui.errors import FieldMissing
from wallet.tui.screens.base import BACK, WalletScreen
from wallet.views import IssuerView
from wallet.words import mark as _

SCENARIO: Final = "resident-identity"
FIELDS: Final = ("name", "citizenNumber", "sex", "birthDate", "ethnicity", "division")
"""In the order in which the number fills the others."""
CHOSEN: Final = frozenset({"sex", "ethnicity"})
EXAMPLES: Final = {"birthDate": "1990-01-31", "division": "330106"}


class ApplyScreen(WalletScreen):
    """The data is sent to the issuer chosen, once, and not kept."""

    PLACE = "credentials"
    BINDINGS: ClassVar[list[BindingType]] = [BACK]

    def _claim(self, name: str) -> Claim:
        return load_scenario(SCENARIO).claim(f"/credentialSubject/{name}")

    def _label(self, name: str) -> str:
        return self._claim(name).label[self.texts.language]

    def content(self) -> ComposeResult:
        words = self.texts
        issuers: tuple[IssuerView, ...] = ()
        self._trouble: ZhenglianError | None = None
        try:
            issuers = self.home.wallet.issuers()
        except ZhenglianError as error:
            self._trouble = error
        with VerticalScroll(classes="form", can_focus=False):
            yield Static(words(_("Apply for a credential")), classes="title")
            yield Static(
                words(
                    _(
                        "Give the data as on your identity card. The issuer asks the authority "
                        "whether it is true; this wallet does not keep it."
                    )
                ),
                classes="quiet",
            )
            with Horizontal(classes="field"):
                yield Label(words(_("Issuer")))
                yield Select(
                    [(issuer.name, issuer.did) for issuer in issuers],
                    id="issuer",
                    prompt=words(_("no accredited issuer is known")) if not issuers else "–",
                    value=issuers[0].did if len(issuers) == 1 else Select.NULL,
                    compact=True,
                )
            for name in FIELDS:
                # A code of which the texts list only some is typed, not chosen.
                values = self._claim(name).values if name in CHOSEN else None
                with Horizontal(classes="field"):
                    yield Label(self._label(name))
                    if values:
                        yield Select(
                            [(text[words.language], code) for code, text in values.items()],
                            id=name,
                            prompt="–",
                            compact=True,
                        )
                    else:
                        yield Input(id=name, placeholder=EXAMPLES.get(name, ""), compact=True)
            with Horizontal(classes="buttons"):
                yield Button(words(_("Back")), id="back")
                yield Button(words(_("Apply")), id="apply", variant="primary")

    def fill(self) -> None:
        if self._trouble is not None:
            self.complain(self._trouble)
        if self.focused is None:
            self.query_one("#name").focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "citizenNumber":
            self._derive(event.value.strip())

    def _derive(self, number: str) -> None:
        """The number says birth date and sex: fill in what is still empty."""
        from schemas.identifiers.gb11643 import parse_citizen_number
        from schemas.violations import IdentifierError

        try:
            parts = parse_citizen_number(number)
        except IdentifierError:
            return  # still being typed; the issuer tells what is wrong with a whole one
        birth, sex = self.query_one("#birthDate", Input), self.query_one("#sex", Select)
        if not birth.value:
            birth.value = parts.birth_date.isoformat()
        if sex.value is Select.NULL:
            sex.value = parts.sex

    def on_input_submitted(self) -> None:
        self.focus_next("Input, Select, Button")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "apply":
            self._start()
        else:
            self.action_back()

    def _start(self) -> None:
        if self.busy:
            return
        chosen = self.query_one("#issuer", Select)
        if chosen.value is Select.NULL:
            self.complain(FieldMissing(what=self.texts(_("Issuer"))))
            return
        values = {}
        for name in FIELDS:
            field = self.query_one(f"#{name}")
            value = ""
            if isinstance(field, Input):
                value = field.value.strip()
            elif isinstance(field, Select) and field.value is not Select.NULL:
                value = str(field.value)
            if not value:
                self.complain(FieldMissing(what=self._label(name)))
                field.focus()
                return
            values[name] = value
        self._send(str(chosen.value), values)

    @work
    async def _send(self, issuer: str, values: dict[str, str]) -> None:
        wallet = self.home.wallet
        try:
            application = await self.background(
                lambda say: wallet.apply(issuer, values, progress=say),
                self.texts(_("Sending the application …")),
            )
            if application.offer is None:
                self.home.farewell = self.texts(
                    _("Sent: {state}. The list shows how it stands."), state=application.state_text
                )
                self.dismiss()
                return
            text = application.offer
            offer = await self.background(
                lambda _say: wallet.inspect_offer(text), self.texts(_("Reading the offer …"))
            )
        except ZhenglianError as error:
            self.complain(error)
            return
        from wallet.tui.screens.offer import OfferScreen

        self.app.switch_screen(OfferScreen(text, offer))
