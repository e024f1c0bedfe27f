"""`Wallet`: everything the citizen's terminal can do, for the command line and the terminal app.

Guarantees: nothing is stored as a credential that this wallet has not verified itself; no key
leaves the vault; every transaction, failed ones too, is in the history, with names of claims and
never their values; only addresses of issuers accredited on the chain, and the registry the
owner configured, are ever contacted. It does not protect against someone who can read this
process' memory, nor does it decide for its owner: an answer needs an explicit call.

Methods may be called from any thread. Those that use the network say so ("network"); run them in
a worker. All raise classes of `wallet.errors`, or of the packages below for their own causes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from wallet.views import (
    ApplicationView,
    AuditEntry,
    CredentialView,
    HistoryEntry,
    IssuerView,
    OfferView,
    PresentationReady,
    ReceiptView,
    RefreshReport,
    RequestView,
    WalletStatus,
)

if TYPE_CHECKING:
    import httpx

Source = str | Path
"""Text itself, or the path of a text file or picture."""

Clock = Callable[[], datetime]
Progress = Callable[[str], None]
"""Called with a sentence in the wallet's language when a long step begins."""


def now_utc() -> datetime:
    return datetime.now(UTC)


class Wallet:
    """An open wallet. Close it, or use it in a `with` statement: the key lives as long."""

    language: str
    """"zh-CN" or "en"; may be changed at any time and holds for the views made from then on."""

    # -- life ---------------------------------------------------------------------------------

    @classmethod
    def exists(cls, home: Path) -> bool:
        """Whether there is a vault in `home`."""
        raise NotImplementedError

    @classmethod
    def create(
        cls,
        home: Path,
        passphrase: str,
        *,
        genesis: bytes,
        registry_url: str,
        language: str = "en",
        clock: Clock = now_utc,
        transport: httpx.BaseTransport | None = None,
    ) -> Self:
        """Make the vault and open it. Call `refresh` next: until then no issuer is known."""
        raise NotImplementedError

    @classmethod
    def open(
        cls,
        home: Path,
        passphrase: str,
        *,
        language: str = "en",
        clock: Clock = now_utc,
        transport: httpx.BaseTransport | None = None,
    ) -> Self:
        """Raises WrongPassphrase, BackOff(seconds=), VaultLocked, NoVault, VaultCorrupt."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def status(self) -> WalletStatus:
        raise NotImplementedError

    def confirm(self, passphrase: str) -> None:
        """Check the passphrase again (before an approval). Counts towards the back-off."""
        raise NotImplementedError

    def change_passphrase(self, old: str, new: str) -> None:
        raise NotImplementedError

    def backup(self, path: Path) -> None:
        """One encrypted file that this wallet's passphrase opens."""
        raise NotImplementedError

    @classmethod
    def restore(cls, backup: Path, home: Path, passphrase: str) -> None:
        """Put a backup into an empty `home`. Raises VaultExists, WrongPassphrase, BackupCorrupt."""
        raise NotImplementedError

    # -- the chain ----------------------------------------------------------------------------

    def refresh(self, *, progress: Progress | None = None) -> RefreshReport:
        """Network. New trust bundle, anchor proofs and status of the own credentials."""
        raise NotImplementedError

    def load_trust_bundle(self, path: Path) -> RefreshReport:
        """The same from a `*.zltrust` file, without network."""
        raise NotImplementedError

    def issuers(self) -> tuple[IssuerView, ...]:
        """Accredited issuers that offer OpenID4VCI, by the trust bundle held."""
        raise NotImplementedError

    # -- credentials --------------------------------------------------------------------------

    def credentials(self) -> tuple[CredentialView, ...]:
        """Newest first. Sensitive values are None; `credential` reveals."""
        raise NotImplementedError

    def credential(self, credential_id: str, *, reveal: bool = False) -> CredentialView:
        """One credential (an unambiguous beginning of its id will do)."""
        raise NotImplementedError

    def credential_document(self, credential_id: str) -> dict[str, Any]:
        """The credential as issued, for export by its owner."""
        raise NotImplementedError

    def remove_credential(self, credential_id: str) -> None:
        """Delete the credential and its key."""
        raise NotImplementedError

    # -- getting a credential -----------------------------------------------------------------

    def apply(
        self, issuer: str, fields: Mapping[str, Any], *, progress: Progress | None = None
    ) -> ApplicationView:
        """Network. Apply to `issuer` (its URL or DID) with the applicant's own data.

        A fresh key is stored before anything is sent. The data is not kept.
        """
        raise NotImplementedError

    def applications(self) -> tuple[ApplicationView, ...]:
        raise NotImplementedError

    def inspect_offer(self, source: Source) -> OfferView:
        """Read an offer (no network) and refuse issuers that are not accredited."""
        raise NotImplementedError

    def accept_offer(
        self, offer: OfferView, tx_code: str | None = None, *, progress: Progress | None = None
    ) -> CredentialView:
        """Network. Fetch, verify and store. May be called again after an interruption."""
        raise NotImplementedError

    # -- answering a request ------------------------------------------------------------------

    def inspect_request(self, source: Source) -> RequestView:
        """Verify a request and say what answering it would show. No network, nothing is sent."""
        raise NotImplementedError

    def answer(
        self, request: RequestView, credential_id: str, *, override: bool = False
    ) -> PresentationReady:
        """Derive and sign a presentation for this department and nonce.

        `override` is the owner's explicit wish where `request.needs_override`.
        """
        raise NotImplementedError

    def decline(self, request: RequestView) -> HistoryEntry:
        """Record that the owner refused. Nothing is sent."""
        raise NotImplementedError

    # -- history and accounts -----------------------------------------------------------------

    def history(self, *, limit: int | None = None) -> tuple[HistoryEntry, ...]:
        """Newest first."""
        raise NotImplementedError

    def export_history(self) -> dict[str, Any]:
        raise NotImplementedError

    def delete_history(self, ids: Sequence[int] | None = None) -> int:
        """Delete these entries, or all; says how many."""
        raise NotImplementedError

    def import_receipt(self, source: Source) -> ReceiptView:
        """Check a receipt (text, file or picture) and attach it to the presentation it is for."""
        raise NotImplementedError

    def audit(self) -> tuple[AuditEntry, ...]:
        """Who looked, by what is held; the state is that of the last `reconcile`."""
        raise NotImplementedError

    def reconcile(self, *, progress: Progress | None = None) -> tuple[AuditEntry, ...]:
        """Network. Look up every promised access record on the access side chain."""
        raise NotImplementedError

    def export_evidence(self, history_id: int) -> dict[str, Any]:
        """What a complaint needs: the signed receipt, and what the chain had at which time."""
        raise NotImplementedError
