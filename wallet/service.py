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

from credentials.keyfile import RECOMMENDED, Cost
from schemas.errors import ZhenglianError
from schemas.texts import Texts, load_texts, localize
from wallet.history import History, entry_view, pick, title
from wallet.sources import Source, read_offer, read_request, read_source
from wallet.vault import Vault, restore_backup, write_backup
from wallet.views import (
    AnchorState,
    ApplicationView,
    AuditEntry,
    CredentialState,
    CredentialView,
    HistoryEntry,
    HistoryKind,
    IssuerView,
    OfferView,
    Outcome,
    PresentationReady,
    ReceiptView,
    RefreshReport,
    RequestView,
    WalletStatus,
)
from wallet.words import mark as _

if TYPE_CHECKING:
    import httpx

    from registry.client import RegistryClient
    from wallet.holder import Held
    from wallet.issuance import StoredApplication

Clock = Callable[[], datetime]
Progress = Callable[[str], None]
"""Called with a sentence in the wallet's language when a long step begins."""


def now_utc() -> datetime:
    return datetime.now(UTC)


class Wallet:
    """An open wallet. Close it, or use it in a `with` statement: the key lives as long."""

    def __init__(
        self,
        vault: Vault,
        *,
        language: str,
        clock: Clock,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Use `create` or `open`."""
        # Imported here: asking for a passphrase must not wait for the cryptography behind it.
        from wallet.audit import Audit
        from wallet.holder import Holder
        from wallet.issuance import Issuance
        from wallet.requests import Requests
        from wallet.trust import Trust

        self.language = language
        """"zh-CN" or "en"; may be changed at any time, for the views made from then on."""
        self._vault = vault
        self._clock = clock
        self._transport = transport
        self._trust = Trust(vault)
        self._history = History(vault, clock)
        self._holder = Holder(vault, clock)
        self._issuance = Issuance(vault, self._holder, self._history, self._trust, clock, transport)
        self._requests = Requests(vault, self._holder, self._history, self._trust, clock)
        self._audit = Audit(vault, self._history, self._trust, clock)

    # -- life ---------------------------------------------------------------------------------

    @classmethod
    def exists(cls, home: Path) -> bool:
        """Whether there is a vault in `home`."""
        return Vault.exists(home)

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
        cost: Cost = RECOMMENDED,
    ) -> Self:
        """Make the vault and open it. Call `refresh` next: until then no issuer is known.

        `cost` is what each guess at the passphrase costs.

        Raises WeakPassphrase, VaultExists, GenesisInvalid.
        """
        from registry.ledger.genesis import Genesis
        from wallet.transport import check_address
        from wallet.trust import Trust

        Genesis.parse(genesis)
        address = check_address(registry_url)
        vault = Vault.create(home, passphrase, clock, cost=cost)
        try:
            Trust.pin(vault, genesis, address)
            return cls(vault, language=language, clock=clock, transport=transport)
        except BaseException:
            vault.close()
            raise

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
        vault = Vault.open(home, passphrase, clock)
        try:
            return cls(vault, language=language, clock=clock, transport=transport)
        except BaseException:
            vault.close()
            raise

    def close(self) -> None:
        """Forget the key; another process may open the wallet from here on."""
        self._vault.close()

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
        """Where the wallet stands: its registry, and how old its knowledge of the chain is."""
        return WalletStatus(
            registry_url=self._trust.registry_url,
            network=self._trust.genesis.network,
            trust_as_of=self._trust.as_of,
            credentials=len(self._holder.all()),
            applications=len(self._issuance.applications()),
        )

    def confirm(self, passphrase: str) -> None:
        """Check the passphrase again (before an approval). Counts towards the back-off."""
        self._vault.confirm(passphrase)

    def change_passphrase(self, old: str, new: str) -> None:
        """Raises WrongPassphrase, BackOff, WeakPassphrase."""
        self._vault.change_passphrase(old, new)

    def backup(self, path: Path) -> None:
        """One encrypted file that this wallet's passphrase of today opens."""
        write_backup(self._vault, path)

    @classmethod
    def restore(cls, backup: Path, home: Path, passphrase: str) -> None:
        """Put a backup into an empty `home`. Raises VaultExists, WrongPassphrase, BackupCorrupt."""
        restore_backup(backup, home, passphrase)

    # -- the chain ----------------------------------------------------------------------------

    def refresh(self, *, progress: Progress | None = None) -> RefreshReport:
        """Network. New trust bundle, anchor proofs and status of the own credentials.

        Raises RegistryUnreachable, TrustBundleOlder, BundleForged …; then nothing was changed.
        """
        say = self._say(progress)
        with self._client() as client:
            say(_("Fetching the trust bundle …"))
            self._trust.refresh(client, self._clock())
            return self._evaluate(client, say)

    def load_trust_bundle(self, path: Path) -> RefreshReport:
        """The same from a `*.zltrust` file, without network: anchor proofs stay as they are."""
        from registry.trust import TrustBundle

        bundle = TrustBundle.load(path, self._trust.genesis, now=self._clock())
        self._trust.replace(bundle.raw, self._clock())
        return self._evaluate(None, self._say(None))

    def _evaluate(self, client: RegistryClient | None, say: Callable[[str], None]) -> RefreshReport:
        from wallet.holder import judge_status

        changed, problems, anchored = [], [], 0
        assurance = self._trust.assurance()
        for held in self._holder.all():
            say(_("Checking a credential …"))
            try:
                state, as_of = judge_status(assurance, held.document, self._clock())
            except ZhenglianError as error:
                # One list that is wrong must not keep the others from being read.
                problems.append(localize(error, self.language)["message"])
                state, as_of = CredentialState.UNKNOWN, None
            if state is CredentialState.UNKNOWN and held.status is CredentialState.REVOKED:
                state, as_of = held.status, held.status_as_of  # final, whoever hides the list
            self._holder.set_status(held, state, as_of)
            try:
                anchored += self._refresh_anchor(client, held)
            except ZhenglianError as error:
                problems.append(localize(error, self.language)["message"])
            if state is not held.status:
                changed.append(held.id)
        for stored in self._issuance.applications():
            if client is not None and stored.state == "waiting":
                try:
                    self._issuance.poll(stored.id, say)
                except ZhenglianError as error:
                    problems.append(localize(error, self.language)["message"])
        return RefreshReport(
            trust_as_of=assurance.bundle.time,
            credentials=len(self._holder.all()),
            anchored=anchored,
            changed=tuple(self.credential(number) for number in changed),
            problems=tuple(problems),
        )

    def _refresh_anchor(self, client: RegistryClient | None, held: Held) -> bool:
        """Keep the proof while the bundle accepts it, else fetch one. True: it is anchored."""
        from registry.errors import AnchorInvalid, AnchorUnknown, EntryUnknown

        bundle = self._trust.bundle()
        if held.anchor_proof is not None:
            try:
                bundle.anchor(held.anchor_origin, held.leaf_hash, held.anchor_proof)
                return True
            except (AnchorUnknown, AnchorInvalid):
                pass  # made for a smaller tree; a fresh one follows
        if client is None:
            return False
        try:
            # The registry learns which anchor this address asks for. It learns nothing of the
            # person by that, and the desks that see the anchor later ask nobody.
            origin, index = self._stands(client, held)
            proof = client.compact_proof(origin, index)
            found = bundle.anchor(held.anchor_origin, held.leaf_hash, proof)
        except (EntryUnknown, AnchorUnknown):
            return False  # not under a cosigned checkpoint yet: the next refresh will tell
        self._holder.set_anchor(held, found.index, proof)
        return True

    def _stands(self, client: RegistryClient, held: Held) -> tuple[str, int]:
        """Chain and index of the anchor, in whichever epoch of its chain. Raises EntryUnknown."""
        from registry.errors import EntryUnknown

        for origin in self._trust.epochs(held.anchor_origin):
            try:
                return origin, client.lookup(origin, held.leaf_hash)
            except EntryUnknown:
                continue
        raise EntryUnknown(origin=held.anchor_origin)

    def issuers(self) -> tuple[IssuerView, ...]:
        """Accredited issuers that offer OpenID4VCI, by the trust bundle held."""
        return tuple(
            IssuerView(
                did=accreditation.did,
                name=pick(accreditation.name, self.language) or accreditation.did,
                url=url,
                types=accreditation.types,
            )
            for accreditation, url in self._trust.issuers(self._clock())
        )

    def _client(self) -> RegistryClient:
        from registry.client import RegistryClient

        return RegistryClient(
            self._trust.registry_url,
            self._trust.genesis,
            transport=self._transport,
            now=self._clock,
        )

    # -- credentials --------------------------------------------------------------------------

    def credentials(self) -> tuple[CredentialView, ...]:
        """Newest first. Sensitive values are None; `credential` reveals."""
        return tuple(self._view(held, reveal=False) for held in self._holder.all())

    def credential(self, credential_id: str, *, reveal: bool = False) -> CredentialView:
        """One credential (an unambiguous beginning of its id will do). Raises UnknownCredential."""
        return self._view(self._holder.get(credential_id), reveal=reveal)

    def credential_document(self, credential_id: str) -> dict[str, Any]:
        """The credential as issued, for export by its owner: it shows everything in it."""
        return dict(self._holder.get(credential_id).document)

    def remove_credential(self, credential_id: str) -> None:
        """Delete the credential and its key. The history keeps that it was there."""
        held = self._holder.get(credential_id)
        with self._vault.transaction():
            self._holder.remove(held)
            self._history.begin(
                HistoryKind.REMOVAL,
                outcome=Outcome.DONE,
                party_did=held.issuer,
                scenario=held.scenario.id,
            )

    def _view(self, held: Held, *, reveal: bool) -> CredentialView:
        from dataclasses import replace

        from credentials.model import validity_period
        from wallet.requests import claim_views, state_text

        words = self._texts
        start, end = validity_period(held.document)
        state = held.state(self._clock())
        pointers = [claim.pointer for claim in held.scenario.claims]
        claims = claim_views(held, pointers, self.language)
        if not reveal:
            claims = tuple(
                replace(claim, value=None) if claim.sensitive else claim for claim in claims
            )
        return CredentialView(
            id=held.id,
            scenario=held.scenario.id,
            title=pick(held.scenario.title, self.language) or held.scenario.id,
            issuer_did=held.issuer,
            issuer_name=self._requests.issuer_name(held.issuer, self.language),
            valid_from=start or held.received,
            valid_until=end,
            received=held.received,
            state=state,
            state_text=state_text(state, self.language),
            state_as_of=held.status_as_of,
            anchor=held.anchor,
            anchor_text=words(_("recorded on the chain"))
            if held.anchor is AnchorState.ANCHORED
            else words(_("not yet recorded on the chain")),
            anchor_index=held.anchor_index,
            claims=claims,
        )

    # -- getting a credential -----------------------------------------------------------------

    def apply(
        self, issuer: str, fields: Mapping[str, Any], *, progress: Progress | None = None
    ) -> ApplicationView:
        """Network. Apply to `issuer` (its URL or DID) with the applicant's own data.

        A fresh key is stored before anything is sent. The data is not kept. Raises
        IssuerNotAccredited, ApplicationMalformed, ApplicationNotConfirmed, IssuerUnreachable.
        """
        return self._application_view(self._issuance.apply(issuer, fields, self._say(progress)))

    def applications(self) -> tuple[ApplicationView, ...]:
        """Newest first, those already answered with a credential included."""
        return tuple(self._application_view(a) for a in self._issuance.applications())

    def check_application(
        self, application_id: str, *, progress: Progress | None = None
    ) -> ApplicationView:
        """Network. Ask the issuer how a waiting application stands."""
        return self._application_view(self._issuance.poll(application_id, self._say(progress)))

    def forget_application(self, application_id: str) -> None:
        """Drop an application that leads nowhere. Raises UnknownApplication."""
        self._issuance.forget(application_id)

    def _application_view(self, stored: StoredApplication) -> ApplicationView:
        words = self._texts
        states = {
            "sending": _("sent; no answer was received"),
            "waiting": _("the authority is being asked"),
            "offered": _("approved; the credential can be fetched"),
            "lapsed": _("approved, but the offer has lapsed; apply again"),
            "refused": _("refused"),
            "issued": _("credential received"),
        }
        return ApplicationView(
            id=stored.id,
            issuer_did=stored.issuer_did,
            issuer_name=self._requests.issuer_name(stored.issuer_did, self.language),
            title=title(stored.scenario, self.language) or stored.scenario,
            sent=stored.sent,
            state=stored.state,
            state_text=words(states[stored.state]),
            offer=stored.offer,
            offer_expires=stored.expires,
        )

    def inspect_offer(self, source: Source) -> OfferView:
        """Read an offer (no network) and refuse issuers that are not accredited.

        Raises OfferMalformed, IssuerNotAccredited, OfferReused, OfferExpired, NoTrustBundle.
        """
        from credentials.exchange import parse_offer

        offer = parse_offer(read_offer(source))
        accreditation, scenario, _begun = self._issuance.inspect(offer)
        resumed = self._issuance.resumable(offer)
        return OfferView(
            issuer_did=accreditation.did,
            issuer_name=pick(accreditation.name, self.language) or accreditation.did,
            issuer_url=offer.credential_issuer,
            title=pick(scenario.title, self.language) or scenario.id,
            credential_type=scenario.credential_type,
            needs_tx_code=offer.tx_code is not None and not resumed,
            tx_code_length=offer.tx_code.length if offer.tx_code else None,
            tx_code_numeric=offer.tx_code is not None and offer.tx_code.input_mode == "numeric",
            resumed=resumed,
            offer=offer,
        )

    def accept_offer(
        self, offer: OfferView, tx_code: str | None = None, *, progress: Progress | None = None
    ) -> CredentialView:
        """Network. Fetch, verify and store. May be called again after an interruption.

        Raises TxCodeNeeded, TxCodeWrong, OfferInvalid, OfferReused, IssuerUnreachable,
        CredentialUnexpected, and what the checks of `registry.trust.assurance` raise.
        """
        code = tx_code.strip() if tx_code else None
        number = self._issuance.accept(offer.offer, code, self._say(progress))
        return self.credential(number)

    # -- answering a request ------------------------------------------------------------------

    def inspect_request(self, source: Source) -> RequestView:
        """Verify a request and say what answering it would show. No network, nothing is sent.

        Raises RequestMalformed, RequestExpired, RequestSignerMismatch, RequestAnswered.
        """
        verified = self._requests.read(read_request(source))
        self._requests.check_open(verified)
        return self._requests.view(self._requests.judge(verified), self.language)

    def answer(
        self, request: RequestView, credential_id: str, *, override: bool = False
    ) -> PresentationReady:
        """Derive and sign a presentation for this department and nonce.

        `override` is the owner's explicit wish where `request.needs_override`. Raises
        VerifierNotAccredited, RequestExceedsEntitlement, RequestExpired, RequestAnswered,
        CannotAnswer.
        """
        return self._requests.answer(
            request.request, credential_id, self.language, override=override
        )

    def decline(self, request: RequestView) -> HistoryEntry:
        """Record that the owner refused. Nothing is sent."""
        number = self._requests.decline(request.request)
        return entry_view(self._history.record(number), self.language)

    # -- history and accounts -----------------------------------------------------------------

    def history(self, *, limit: int | None = None) -> tuple[HistoryEntry, ...]:
        """Newest first."""
        return tuple(
            entry_view(record, self.language) for record in self._history.records(limit=limit)
        )

    def export_history(self) -> dict[str, Any]:
        """All entries in all languages, as JSON."""
        return self._history.export()

    def delete_history(self, ids: Sequence[int] | None = None) -> int:
        """Delete these entries, or all; says how many. Their receipts go with them."""
        return self._history.delete(ids)

    def import_receipt(self, source: Source) -> ReceiptView:
        """Check a receipt (text, file or picture) and attach it to the presentation it is for.

        Raises ReceiptMalformed, ReceiptSignerMismatch, ReceiptUnmatched, ReceiptInvalid.
        """
        number = self._audit.keep(read_source(source))
        return self._audit.view(number, self.language)

    def audit(self) -> tuple[AuditEntry, ...]:
        """Who looked, by what is held; the state is that of the last `reconcile`."""
        return self._audit.entries(self.language)

    def reconcile(self, *, progress: Progress | None = None) -> tuple[AuditEntry, ...]:
        """Network. Look up every promised access record on the access side chain."""
        self._say(progress)(_("Looking for access records on the chain …"))
        with self._client() as client:
            self._audit.reconcile(client)
        return self.audit()

    def export_evidence(self, history_id: int) -> dict[str, Any]:
        """What a complaint needs: the signed receipt, and what the chain had at which time.

        Raises UnknownEntry, NoReceipt.
        """
        return self._audit.evidence(history_id)

    # -- words --------------------------------------------------------------------------------

    @property
    def _texts(self) -> Texts:
        return load_texts("wallet", self.language)

    def _say(self, progress: Progress | None) -> Callable[[str], None]:
        def say(message: str) -> None:
            if progress is not None:
                progress(self._texts(message))

        return say
