"""The views of `wallet.views` as lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from schemas.texts import Texts
from wallet.views import (
    AnchorState,
    ApplicationView,
    AuditEntry,
    ClaimView,
    CredentialState,
    CredentialView,
    HistoryEntry,
    IssuerView,
    OfferView,
    Outcome,
    PresentationReady,
    ReceiptState,
    ReceiptView,
    RefreshReport,
    RequestView,
    WarningView,
)

VEILED = "••••••"

_STATE_STYLES = {
    CredentialState.VALID: "green",
    CredentialState.REVOKED: "red",
    CredentialState.SUSPENDED: "yellow",
    CredentialState.EXPIRED: "red",
}
_RECEIPT_STYLES = {ReceiptState.RECORDED: "green", ReceiptState.MISSING: "bold red"}


class Renderer:
    """Prints views in the language of `_`. Never interprets their content as markup."""

    def __init__(self, console: Console, _: Texts) -> None:
        self._console = console
        self._texts = _

    def _line(self, text: str, style: str = "") -> None:
        # Unwrapped: a line is for `grep` as much as for eyes, and terminals wrap by themselves.
        self._console.print(Text(text, style=style), soft_wrap=True)

    def _pair(self, name: str, value: str, style: str = "") -> None:
        self._console.print(Text.assemble((f"  {name}: ", "dim"), (value, style)), soft_wrap=True)

    # -- credentials --------------------------------------------------------------------------

    def credentials(self, found: Sequence[CredentialView]) -> None:
        _ = self._texts
        if not found:
            self._line(_("No credentials yet."))
            return
        for view in found:
            self._console.print(
                Text.assemble(
                    (f"{view.id}  ", "dim"),
                    (f"{view.title}  ", "bold"),
                    (view.state_text, _STATE_STYLES.get(view.state, "")),
                ),
                soft_wrap=True,
            )
            self._pair(_("Issuer"), view.issuer_name)
            self._pair(_("Chain"), view.anchor_text)

    def credential(self, view: CredentialView) -> None:
        _ = self._texts
        self._line(f"{view.title}  {view.id}", "bold")
        self._pair(_("Issuer"), view.issuer_name)
        as_of = f" ({_('as of {time}', time=moment(view.state_as_of))})" if view.state_as_of else ""
        self._pair(_("State"), view.state_text + as_of, _STATE_STYLES.get(view.state, ""))
        index = f" #{view.anchor_index}" if view.anchor is AnchorState.ANCHORED else ""
        self._pair(_("Chain"), view.anchor_text + index)
        self._claims(view.claims)

    def _claims(self, claims: Sequence[ClaimView]) -> None:
        for claim in claims:
            self._pair(claim.label, claim.value if claim.value is not None else VEILED)

    def issuers(self, found: Sequence[IssuerView]) -> None:
        if not found:
            self._line(self._texts("None. Run `zl wallet refresh` first."))
        for view in found:
            self._line(view.name, "bold")
            self._line(f"  {view.did}")
            self._line(f"  {view.url}")

    def application(self, view: ApplicationView) -> None:
        _ = self._texts
        self._line(_("Application {id}: {state}", id=view.id, state=view.state_text))
        self._pair(_("Credential"), view.title)
        self._pair(_("Issuer"), view.issuer_name)
        if view.offer is not None:
            self._line(
                _(
                    "Next: `zl wallet accept --application {id}`, with the transaction code that "
                    "the issuer sends you.",
                    id=view.id,
                )
            )

    def offer(self, view: OfferView) -> None:
        _ = self._texts
        self._line(_("{issuer} offers: {title}", issuer=view.issuer_name, title=view.title))
        if view.resumed:
            self._line(_("An interrupted issuance goes on; no code is needed."))

    def refresh(self, report: RefreshReport) -> None:
        _ = self._texts
        self._line(_("The chain is known as of {time}.", time=moment(report.trust_as_of)))
        self._line(
            _(
                "{anchored} of {credentials} credentials are recorded on it.",
                anchored=report.anchored,
                credentials=report.credentials,
            )
        )
        for view in report.changed:
            self._line(f"  {view.title} {view.id}: {view.state_text}", "bold")
        for problem in report.problems:
            self._line(f"  {problem}", "yellow")

    # -- requests -----------------------------------------------------------------------------

    def request(self, view: RequestView, *, reveal: bool) -> None:
        _ = self._texts
        self._line(_("{verifier} asks", verifier=view.verifier_name), "bold")
        self._pair("DID", view.verifier_did)
        self._pair(_("Purpose"), view.purpose)
        if view.legal_basis:
            self._pair(_("Legal basis"), view.legal_basis)
        if view.entitlement:
            self._pair(_("Entitlement"), view.entitlement)
        self._pair(_("Open until"), moment(view.expires))
        self._line(_("Will be shown:"), "bold")
        for claim in view.shown or view.requested:
            known = claim.value is not None and (reveal or not claim.sensitive)
            self._pair(claim.label, (claim.value or "") if known else VEILED)
        self._line(_("Always shown:"), "bold")
        self._line("  " + _(", ").join(claim.label for claim in view.always_shown))
        self._line(_("Will NOT be shown:"), "bold")
        self._line("  " + _(", ").join(claim.label for claim in view.hidden))
        self._warnings(view.warnings)
        if view.candidates:
            self._warnings(view.candidates[0].warnings)

    def _warnings(self, warnings: Sequence[WarningView]) -> None:
        for warning in warnings:
            style = "bold red" if warning.blocking or warning.needs_override else "yellow"
            self._line(f"! {warning.text}", style)

    def ready(self, ready: PresentationReady) -> None:
        _ = self._texts
        self._line(
            _(
                "For {verifier} only, until {time}. Shows: {claims}.",
                verifier=ready.verifier_name,
                time=moment(ready.expires),
                claims=_(", ").join(ready.shown),
            )
        )

    # -- accounts -----------------------------------------------------------------------------

    def history(self, entries: Sequence[HistoryEntry]) -> None:
        _ = self._texts
        if not entries:
            self._line(_("Nothing yet."))
        for entry in entries:
            style = "red" if entry.outcome is Outcome.FAILED else ""
            self._line(
                f"#{entry.id}  {moment(entry.time)}  {entry.kind_text}, {entry.outcome_text}"
                f"  {entry.party_name or ''}",
                style,
            )
            if entry.purpose:
                self._pair(_("Purpose"), entry.purpose)
            if entry.claim_labels:
                self._pair(_("Claims"), _(", ").join(entry.claim_labels))
            if entry.error:
                self._pair(entry.error, entry.error_text or "")

    def receipt(self, view: ReceiptView) -> None:
        _ = self._texts
        self._line(_("A receipt from {verifier}", verifier=view.verifier_name), "bold")
        self._pair(_("Looked at"), _(", ").join(view.claim_labels))
        self._pair(_("Purpose"), view.purpose)
        self._pair(_("When"), moment(view.time))
        self._pair(_("On the chain by"), moment(view.promise_by))

    def audit(self, entries: Sequence[AuditEntry]) -> None:
        _ = self._texts
        if not entries:
            self._line(_("Nobody has looked."))
        for entry in entries:
            self._line(f"#{entry.history_id}  {moment(entry.time)}  {entry.verifier_name}", "bold")
            self._pair(_("Purpose"), entry.purpose)
            if entry.legal_basis:
                self._pair(_("Legal basis"), entry.legal_basis)
            self._pair(_("Claims"), _(", ").join(entry.claim_labels))
            index = f" #{entry.chain_index}" if entry.chain_index is not None else ""
            self._pair(
                _("Access record"),
                entry.state_text + index,
                _RECEIPT_STYLES.get(entry.state, ""),
            )


def moment(time: datetime) -> str:
    """A time in the reader's own zone."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
