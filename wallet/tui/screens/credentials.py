"""The first place: the credentials held, applications under way, and what can be done."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from schemas.errors import ZhenglianError
from schemas.texts import Texts
from wallet.tui.screens.base import WalletScreen
from wallet.tui.theme import Paint
from wallet.tui.widgets.facts import claims, facts
from wallet.tui.widgets.topbar import TopBar
from wallet.tui.wording import day, moment
from wallet.views import ApplicationView, CredentialState, CredentialView
from wallet.words import mark as _

SETTLED = frozenset({"issued", "refused", "lapsed"})


class CredentialsScreen(WalletScreen):
    """A list; beside it, where there is room, what the chosen credential says."""

    PLACE = "credentials"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "r",
            "request",
            _("Answer a request"),
            tooltip=_("A department asks: read its request, and decide."),
            id="answer-request",
        ),
        Binding(
            "o",
            "offer",
            _("Accept an offer"),
            tooltip=_("Fetch a credential that an issuer offers."),
            id="accept-offer",
        ),
        Binding(
            "n",
            "apply",
            _("Apply"),
            tooltip=_("Apply for a new credential with your own data."),
            id="apply",
        ),
        Binding(
            "ctrl+r",
            "refresh_chain",
            _("Refresh"),
            tooltip=_("Ask the registry for what is new: trust, status, anchor proofs."),
            id="refresh",
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._credentials: dict[str, CredentialView] = {}
        self._applications: dict[str, ApplicationView] = {}

    def content(self) -> ComposeResult:
        with Horizontal(id="place"):
            yield OptionList(id="credentials")
            with VerticalScroll(id="preview", can_focus=False):
                yield Static(id="preview-text")
        yield Static(self._empty(), id="empty")

    def _empty(self) -> Text:
        words, paint = self.texts, self.paint
        text = Text(justify="center")
        text.append(words(_("No credentials yet.")) + "\n\n", style="bold")
        for key, sentence in (
            ("n", words(_("apply for one"))),
            ("o", words(_("accept an offer that you were given"))),
            ("Ctrl+R", words(_("ask the registry which issuers there are"))),
        ):
            text.append(key, style=paint.key)
            text.append(f"  {sentence}\n")
        return text

    def fill(self) -> None:
        self._load()

    @work(exclusive=True, group="load")
    async def _load(self) -> None:
        import asyncio

        if not await self.stands():
            return  # left, perhaps by locking the wallet
        wallet = self.home.wallet
        try:
            found, sent = await asyncio.to_thread(
                lambda: (wallet.credentials(), wallet.applications())
            )
        except ZhenglianError as error:
            if await self.stands():
                self.complain(error)
            return
        if not await self.stands():
            return
        self._credentials = {view.id: view for view in found}
        self._applications = {view.id: view for view in sent if view.state not in SETTLED}
        options = self.query_one("#credentials", OptionList)
        chosen = options.highlighted
        options.clear_options()
        options.add_options(
            [
                *(
                    Option(_card(view, self.texts, self.paint), id=f"credential-{view.id}")
                    for view in self._credentials.values()
                ),
                *(
                    Option(_application(view, self.texts, self.paint), id=f"application-{view.id}")
                    for view in self._applications.values()
                ),
            ]
        )
        nothing = options.option_count == 0
        self.query_one("#place").display = not nothing
        self.query_one("#empty", Static).display = nothing
        self.query_one("#empty", Static).update(self._empty())
        if not nothing:
            options.highlighted = min(chosen or 0, options.option_count - 1)
            if self.focused is None:
                options.focus()
        if self.home.greeting is not None:
            self.complain(self.home.greeting)
            self.home.greeting = None
        elif self.home.farewell is not None:
            self.notice.good(self.home.farewell)
            self.home.farewell = None

    def on_screen_resume(self) -> None:
        if self.is_mounted:
            self.fill()

    # -- choosing -----------------------------------------------------------------------------

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        kind, _sep, number = (event.option_id or "").partition("-")
        target = self.query_one("#preview-text", Static)
        if kind == "credential" and number in self._credentials:
            target.update(_preview(self._credentials[number], self.texts, self.paint))
        elif kind == "application" and number in self._applications:
            target.update(_application_facts(self._applications[number], self.texts, self.paint))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        kind, _sep, number = (event.option_id or "").partition("-")
        if kind == "credential":
            from wallet.tui.screens.detail import DetailScreen

            self.app.push_screen(DetailScreen(number))
        elif number in self._applications:
            self._follow(number)

    @work
    async def _follow(self, number: str) -> None:
        """An application: ask how it stands, and go on with its offer if there is one."""
        wallet = self.home.wallet
        try:
            view = await self.background(
                lambda say: wallet.check_application(number, progress=say),
                self.texts(_("Asking the issuer …")),
            )
        except ZhenglianError as error:
            self.complain(error)
            return
        self.fill()
        if view.offer is None:
            self.notice.caution(view.state_text)
            return
        await self._open_offer(view.offer)

    async def _open_offer(self, text: str) -> None:
        import asyncio

        from wallet.tui.screens.offer import OfferScreen

        try:
            offer = await asyncio.to_thread(self.home.wallet.inspect_offer, text)
        except ZhenglianError as error:
            if await self.stands():
                self.complain(error)
            return
        if not await self.stands():
            return
        self.app.push_screen(OfferScreen(text, offer))

    # -- what can be done ---------------------------------------------------------------------

    def action_request(self) -> None:
        self._ask("request")

    def action_offer(self) -> None:
        self._ask("offer")

    def _ask(self, kind: str) -> None:
        from wallet.tui.screens.source import SourceScreen

        self.app.push_screen(SourceScreen(kind))

    def action_apply(self) -> None:
        from wallet.tui.screens.apply import ApplyScreen

        self.app.push_screen(ApplyScreen())

    @work
    async def action_refresh_chain(self) -> None:
        app = self.home
        try:
            report = await self.background(
                lambda say: app.wallet.refresh(progress=say),
                self.texts(_("Asking the registry …")),
            )
        except ZhenglianError as error:
            self.complain(error)
            return
        app.trust_as_of = report.trust_as_of
        self.query_one(TopBar).know(self.knowledge())
        self.fill()
        if report.problems:
            self.notice.caution("\n".join(report.problems))
        elif report.changed:
            changed = [f"{view.title}: {view.state_text}" for view in report.changed]
            self.notice.caution(
                self.texts(_("Something changed: {what}"), what=self.texts(_(", ")).join(changed))
            )
        else:
            self.notice.good(
                self.texts(
                    _("The chain as of {time} is known; {anchored} of {count} are recorded on it."),
                    time=moment(report.trust_as_of),
                    anchored=report.anchored,
                    count=report.credentials,
                )
            )


def state_style(state: CredentialState, paint: Paint) -> str:
    """The colour of a state; the word beside it says the same to who sees no colours."""
    return {
        CredentialState.VALID: paint.good,
        CredentialState.REVOKED: paint.bad,
        CredentialState.EXPIRED: paint.bad,
    }.get(state, paint.caution)


def badge(view: CredentialView, paint: Paint) -> Text:
    return Text(f"● {view.state_text}", style=state_style(view.state, paint))


def until(view: CredentialView, words: Texts) -> str:
    if view.valid_until is None:
        return words(_("without end"))
    return words(_("until {day}"), day=day(view.valid_until))


def _card(view: CredentialView, words: Texts, paint: Paint) -> Text:
    return Text.assemble(
        (view.title, f"bold {paint.plain}"),
        "  ",
        badge(view, paint),
        "\n",
        (view.issuer_name, paint.quiet),
        "\n",
        (f"{until(view, words)} · {view.anchor_text}", paint.quiet),
    )


def _application(view: ApplicationView, words: Texts, paint: Paint) -> Text:
    return Text.assemble(
        (words(_("Application: {title}"), title=view.title), f"bold {paint.plain}"),
        "\n",
        (view.issuer_name, paint.quiet),
        "\n",
        (view.state_text, paint.caution),
    )


def _preview(view: CredentialView, words: Texts, paint: Paint) -> Group:
    return Group(
        Text(view.title, style=f"bold {paint.plain}"),
        badge(view, paint),
        Text(),
        claims(
            [claim for claim in view.claims if not claim.mandatory],
            paint,
            reveal=False,
        ),
        Text(),
        Text(words(_("Enter opens it; hidden values are shown only there.")), style=paint.quiet),
    )


def _application_facts(view: ApplicationView, words: Texts, paint: Paint) -> Group:
    rows: list[tuple[str, str | Text]] = [
        (words(_("Issuer")), view.issuer_name),
        (words(_("Sent")), moment(view.sent)),
        (words(_("State")), view.state_text),
    ]
    if view.offer_expires is not None:
        rows.append((words(_("Offer good until")), moment(view.offer_expires)))
    return Group(
        Text(view.title, style=f"bold {paint.plain}"),
        Text(),
        facts(rows, paint),
        Text(),
        Text(words(_("Enter asks the issuer, and fetches what is ready.")), style=paint.quiet),
    )
