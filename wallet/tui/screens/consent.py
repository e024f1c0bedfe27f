"""Consent: who asks, why, what WILL be shown and what will NOT, before anything exists to show.

The department comes first, because that is what a person can judge. Values of sensitive claims
are veiled until asked for: whoever looks over the shoulder is no party to the consent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Checkbox, Select, Static

from schemas.errors import ZhenglianError
from wallet.tui.screens.base import BACK, WalletScreen
from wallet.tui.widgets.countdown import Countdown
from wallet.tui.widgets.facts import Fact, claims, facts
from wallet.tui.wording import listed, moment
from wallet.views import (
    CandidateView,
    ClaimView,
    PresentationReady,
    RequestView,
    WarningView,
)
from wallet.words import mark as _

if TYPE_CHECKING:
    from credentials.qr.codes import QrCode


class ConsentScreen(WalletScreen):
    """Ends in a presentation, in a refusal that the history keeps, or in nothing."""

    PLACE = "credentials"
    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        Binding(
            "v",
            "reveal",
            _("Show or hide values"),
            tooltip=_("See the sensitive values that would be shown."),
            id="reveal",
        ),
        Binding(
            "d",
            "decline",
            _("Decline"),
            tooltip=_("Refuse; the history keeps a note. Nothing is sent."),
            id="decline",
        ),
        Binding(
            "s",
            "show",
            _("Show"),
            tooltip=_("Make the code that shows exactly what the left column lists."),
            id="show",
        ),
    ]

    def __init__(self, text: str, request: RequestView) -> None:
        super().__init__()
        self._text = text
        self.request = request
        self.revealed = False
        self.expired = False
        self._chosen = request.candidates[0].credential_id if request.candidates else None

    # -- content ------------------------------------------------------------------------------

    def content(self) -> ComposeResult:
        words, request = self.texts, self.request
        with Horizontal(id="asker"):
            yield Static(Text(request.verifier_name), id="verifier")
            yield Countdown(
                request.expires,
                self.home.clock,
                lambda left: words(_("expires in {time}"), time=left),
                tick_s=self.home.tick_s,
                id="countdown",
            )
        with VerticalScroll(id="consent"):
            yield Static(id="why")
            yield Static(id="warnings")
            if len(request.candidates) > 1:
                yield Select(
                    [
                        # As text: a name from the chain must not be read as markup.
                        (
                            Content(f"{c.title} · {c.issuer_name} · {c.state_text}"),
                            c.credential_id,
                        )
                        for c in request.candidates
                    ],
                    value=self._chosen,
                    allow_blank=False,
                    id="candidate",
                )
            with Horizontal(id="columns"):
                yield Static(id="shown", classes="panel")
                yield Static(id="hidden", classes="panel")
            yield Static(id="always")
        if request.answerable and request.needs_override:
            # Beside the buttons, so that no small window hides why one of them is closed.
            yield Checkbox(
                words(_("I have read the warning and want to show it nevertheless.")),
                id="override",
            )
        with Horizontal(id="decision"):
            yield Button(words(_("Decline")), id="decline", variant="error")
            yield Button(words(_("Show")), id="show", variant="success")

    def fill(self) -> None:
        words, paint, request = self.texts, self.paint, self.request
        why: list[Fact] = [(words(_("Purpose")), Text(request.purpose, style="bold"))]
        why.append(
            (
                words(_("Legal basis")),
                request.legal_basis or Text(words(_("none on the chain")), style=paint.caution),
            )
        )
        why.append((words(_("Asks for")), request.credential_title))
        self.query_one("#why", Static).update(facts(why, paint))
        self._fill_warnings()
        candidate = self._candidate()
        shown = candidate.shown if candidate else request.requested
        hidden = candidate.hidden if candidate else request.hidden
        left, right = self.query_one("#shown", Static), self.query_one("#hidden", Static)
        left.border_title = words(_("WILL be shown ({count})"), count=len(shown))
        left.border_subtitle = (
            words(_("v shows the values"))
            if not self.revealed and any(c.sensitive for c in shown)
            else ""
        )
        left.update(self._shown(shown))
        right.border_title = words(_("will NOT be shown ({count})"), count=len(hidden))
        right.update(Group(*(Text(f"– {claim.label}", style=paint.quiet) for claim in hidden)))
        always = listed(words, tuple(claim.label for claim in request.always_shown))
        self.query_one("#always", Static).update(
            Text(
                words(_("Always shown: {claims}."), claims=always)
                + " "
                + words(_("Chain as of {time}."), time=moment(request.trust_as_of)),
                style=paint.quiet,
            )
        )
        self._gate()
        if self.focused is None:
            self.query_one("#consent").focus()

    def _shown(self, shown: tuple[ClaimView, ...]) -> Group:
        exceeding = {claim.pointer for claim in self.request.exceeding}
        paint = self.paint
        table = claims(shown, paint, reveal=self.revealed)
        beyond = [claim.label for claim in shown if claim.pointer in exceeding]
        if not beyond:
            return Group(table)
        note = self.texts(
            _("Beyond the entitlement: {claims}"), claims=listed(self.texts, tuple(beyond))
        )
        return Group(table, Text(note, style=f"bold {paint.caution}"))

    def _warnings(self) -> tuple[WarningView, ...]:
        candidate = self._candidate()
        return self.request.warnings + (candidate.warnings if candidate else ())

    def _fill_warnings(self) -> None:
        paint = self.paint
        lines = []
        for warning in self._warnings():
            style = paint.bad if warning.blocking else paint.caution
            lines.append(Text(("✗ " if warning.blocking else "! ") + warning.text, style=style))
        if self.expired:
            lines.append(
                Text("✗ " + self.texts(_("The request has expired. Ask for a new one.")), paint.bad)
            )
        target = self.query_one("#warnings", Static)
        target.display = bool(lines)
        target.update(Group(*lines))

    def _candidate(self) -> CandidateView | None:
        return next((c for c in self.request.candidates if c.credential_id == self._chosen), None)

    # -- what may be done ---------------------------------------------------------------------

    @property
    def may_show(self) -> bool:
        """The wallet decides for itself once more; this only keeps the button honest."""
        if self.expired or not self.request.answerable or self._candidate() is None:
            return False
        boxes = self.query("#override").results(Checkbox)
        return not self.request.needs_override or any(box.value for box in boxes)

    def _gate(self) -> None:
        self.query_one("#show", Button).disabled = not self.may_show
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "show" and self.is_mounted and not self.may_show:
            return None
        return super().check_action(action, parameters)

    def on_checkbox_changed(self) -> None:
        self._gate()

    def on_select_changed(self, event: Select.Changed) -> None:
        if isinstance(event.value, str) and event.value != self._chosen:
            self._chosen = event.value
            self.fill()

    def on_countdown_ended(self) -> None:
        self.expired = True
        self.fill()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "show":
            self.action_show()
        else:
            self.action_decline()

    def action_reveal(self) -> None:
        self.revealed = not self.revealed
        self.fill()

    def on_screen_suspend(self) -> None:
        self.revealed = False

    async def reword(self) -> None:
        try:
            self.request = self.home.wallet.inspect_request(self._text)
        except ZhenglianError as error:
            # Expired meanwhile: what was read stays on the screen, in its old language.
            self.complain(error)
        await super().reword()

    # -- the decision -------------------------------------------------------------------------

    @work
    async def action_show(self) -> None:
        if self.busy or not self.may_show or self._chosen is None:
            return
        wallet, request, chosen = self.home.wallet, self.request, self._chosen
        from wallet.tui.screens.presentation import PresentationScreen, code_of

        def answer(_say: object) -> tuple[PresentationReady, QrCode | None]:
            ready = wallet.answer(request, chosen, override=request.needs_override)
            return ready, code_of(ready)

        try:
            ready, code = await self.background(
                answer,
                self.texts(_("Signing for {verifier} …"), verifier=request.verifier_name),
            )
        except ZhenglianError as error:
            self.complain(error)
            return
        self.app.switch_screen(PresentationScreen(ready, code))

    @work
    async def action_decline(self) -> None:
        if self.busy:
            return
        wallet, request = self.home.wallet, self.request
        try:
            await self.background(
                lambda _say: wallet.decline(request), self.texts(_("Noting the refusal …"))
            )
        except ZhenglianError as error:
            self.complain(error)
            return
        self.home.farewell = self.texts(_("Refused. Nothing was sent; the history keeps a note."))
        self.dismiss()
