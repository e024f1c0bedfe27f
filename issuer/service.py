"""`Issuer`: everything an issuer does, behind one object. Server and command line both use it.

It wires the parts and decides nothing itself. Several threads may use one; several processes may
use one store (see `issuer.store` for who may do what at the same time).
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import delete

from credentials.keyfile import RECOMMENDED, Cost
from credentials.keys import PublicKey
from issuer import metadata, statuslists
from issuer.anchoring import Anchoring, Registry, Sent
from issuer.authority.client import AuthorityClient
from issuer.enrolment import Application, Asked, Authority, Enrolment, forget_spent
from issuer.errors import (
    AlreadyInitialised,
    ApplicationRefused,
    AuthorityUnreachable,
    RecordUnknown,
    SettingsMalformed,
    StoreUnavailable,
)
from issuer.files import make_private_folder, write_private
from issuer.issuance import Issuance
from issuer.keyring import Keyring
from issuer.lifecycle import Action, Lifecycle
from issuer.nonces import make_nonce
from issuer.notify import FileOutbox, Notifier
from issuer.offers import AccessToken, Offer, Offers
from issuer.office import Office
from issuer.records import Records
from issuer.schema import tokens
from issuer.sealing import Sealer
from issuer.settings import (
    ACCREDITATION_FILE,
    AUTHORITY_CERTIFICATE_FILE,
    AUTHORITY_CLIENT_FILE,
    GENESIS_FILE,
    Settings,
)
from issuer.store import Store
from issuer.times import Clock, stamp, system_clock
from registry.ledger.genesis import Genesis
from schemas.scenario import load_scenario

if TYPE_CHECKING:
    from registry.client import RegistryClient

OUTBOX_FOLDER: Final = "outbox"


@dataclass(frozen=True)
class Chore:
    """What one round of background work did."""

    offered: tuple[str, ...]
    refused: tuple[str, ...]
    waiting: int
    sent: Sent
    trouble: tuple[str, ...]


class Issuer:
    def __init__(
        self,
        office: Office,
        *,
        authority: Authority,
        registry: Callable[[], Registry],
        notifier: Notifier,
    ) -> None:
        """Mostly for tests; `open` is the usual way."""
        self._office = office
        self._scenario = load_scenario(office.settings.scenarios[0])
        self._enrolment = Enrolment(office, self._scenario, authority)
        self._offers = Offers(office, notifier, self._scenario.credential_type)
        self._issuance = Issuance(office, self._scenario)
        self._lifecycle = Lifecycle(office)
        self.records = Records(office.store)
        self._anchoring = Anchoring(office, registry)
        self._closers: list[Callable[[], None]] = [office.store.close]

    # --- making and opening ---------------------------------------------------------------

    @staticmethod
    def init(
        home: Path,
        settings: Settings,
        *,
        genesis: bytes,
        authority_certificate: bytes,
        passphrase: str,
        random: Callable[[int], bytes] = os.urandom,
        cost: Cost = RECOMMENDED,
    ) -> None:
        """A new issuer in `home`: keys, store, settings, and the two files to hand out.

        It is made beside `home` and moved there when it is whole: an interrupted init leaves no
        issuer, and no keys are ever overwritten. Raises `AlreadyInitialised`,
        `SettingsMalformed`, `StoreFull`, `StoreUnavailable`, and the registry's and kernel's
        errors for a genesis or key that cannot be used.
        """
        if home.exists() and any(home.iterdir()):
            raise AlreadyInitialised(home=home)
        pinned = Genesis.parse(genesis)
        if pinned.network != settings.network:
            raise SettingsMalformed(reason="the genesis is of another network")
        PublicKey.from_multikey(settings.authority.key)
        scenario = load_scenario(settings.scenarios[0])
        keys = Keyring.generate(settings.did, random)
        public = keys.public_keys()
        accreditation = metadata.accreditation(settings, scenario, public)
        draft = home.with_name(f".{home.name}.{random(8).hex()}")
        try:
            make_private_folder(draft)
            write_private(draft / GENESIS_FILE, genesis)
            write_private(draft / AUTHORITY_CERTIFICATE_FILE, authority_certificate)
            _write_json(draft / ACCREDITATION_FILE, accreditation)
            _write_json(draft / AUTHORITY_CLIENT_FILE, metadata.authority_client(settings, public))
            Store(draft, create=True).close()
            keys.save(draft, passphrase, cost=cost)
            settings.save(draft)
            try:
                draft.rename(home)  # takes the place of an empty folder, never of a full one
            except OSError as error:
                raise StoreUnavailable from error
        finally:
            if draft.exists():
                shutil.rmtree(draft)

    @classmethod
    def open(
        cls,
        home: Path,
        passphrase: str,
        *,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
        sleep: Callable[[float], None] = time.sleep,
        authority: Authority | None = None,
        registry: Callable[[], Registry] | None = None,
        notifier: Notifier | None = None,
    ) -> Self:
        """Raises `NotInitialised`, `WrongPassphrase`, `SettingsMalformed` and store errors."""
        settings = Settings.load(home)
        keys = Keyring.open(home, passphrase, clock=clock, sleep=sleep)
        if keys.did != settings.did:
            raise SettingsMalformed(reason="the keys are of another DID")
        store = Store(home)
        office = Office(
            home=home,
            settings=settings,
            keys=keys,
            store=store,
            clock=clock,
            random=random,
            sealer=Sealer(keys.data_key, random),
        )
        asked = authority or _authority_client(office)
        late = _LateRegistry(office)
        issuer = cls(
            office,
            authority=asked,
            registry=registry or late,
            notifier=notifier or FileOutbox(home / OUTBOX_FOLDER),
        )
        issuer._closers.append(late.close)
        if isinstance(asked, AuthorityClient):
            issuer._closers.append(asked.close)
        try:
            with store.write() as connection:
                statuslists.ensure_lists(office, connection)
        except BaseException:
            issuer.close()
            raise
        return issuer

    def close(self) -> None:
        for closer in self._closers:
            closer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- enrolment ------------------------------------------------------------------------

    def apply_online(self, token: str) -> Application:
        """Take a signed application, ask the authority, offer. Waiting when nobody answers."""
        application = self._enrolment.receive_online(token)
        self._decide(application, actor=None)
        return self.records.application(application)

    def apply_at_counter(self, data: object, *, actor: str) -> Offer:
        """Take an application from an operator.

        Raises `ApplicationRefused`; `AuthorityUnreachable` and its like after keeping it.
        """
        application = self._enrolment.receive_at_counter(data, actor=actor)
        asked, offer = self._decide(application, actor=actor)
        if asked.trouble is not None:
            raise asked.trouble
        if offer is None:
            known = self.records.application(application)
            raise ApplicationRefused(application=application, reason=known.reason)
        return offer

    def offer(self, application: str, *, actor: str) -> Offer:
        """A new offer for an approved application; the old one dies."""
        return self._offers.make(application, actor=actor)

    def current_offer(self, application: str) -> Offer | None:
        return self._offers.current(application)

    def _decide(self, application: str, *, actor: str | None) -> tuple[Asked, Offer | None]:
        asked = self._enrolment.ask(application)
        if asked.trouble is not None or asked.state not in {"approved", "offered"}:
            return asked, None
        return asked, self._offers.first(application, actor=actor)

    # --- issuance -------------------------------------------------------------------------

    def redeem(self, code: str, tx_code: str | None) -> AccessToken:
        return self._offers.redeem(code, tx_code)

    def nonce(self) -> str:
        return make_nonce(self._office)

    def issue(self, token: str | None, request: object) -> dict[str, Any]:
        return self._issuance.issue(token, request)

    # --- lifecycle ------------------------------------------------------------------------

    def change(self, action: Action, ids: Sequence[str], *, reason: str, actor: str) -> Sent:
        """Revoke, suspend or reinstate, and publish once for all of them.

        The change holds when this returns, even if the registry could not be told (see
        `Sent.pending`): `publish` or the server tells it later.
        """
        self._lifecycle.change(action, ids, reason=reason, actor=actor)
        return self.publish()

    def open_record(self, record_id: str, *, actor: str) -> dict[str, Any]:
        return self._lifecycle.open_record(record_id, actor=actor)

    def describe(self, record_id: str) -> dict[str, Any]:
        """The listed part of a credential or application. Raises `RecordUnknown`."""
        try:
            return asdict(self.records.credential(record_id))
        except RecordUnknown:
            return asdict(self.records.application(record_id))

    # --- publishing and background work ---------------------------------------------------

    def publish(self, *, everything: bool = False) -> Sent:
        """Sign the status lists that changed, then send everything pending to the registry."""
        self._anchoring.stale_lists()
        statuslists.sign_dirty(self._office, everything=everything)
        return self._anchoring.send()

    def pending(self) -> int:
        """How many entries have not reached the chain yet."""
        return self._anchoring.pending()

    def anchor(self) -> Sent:
        """Send what is pending; signs nothing new but lists that waited too long."""
        if self._anchoring.stale_lists():
            statuslists.sign_dirty(self._office)
        return self._anchoring.send()

    def retry(self, *, everything: bool = False) -> Chore:
        """Publish, ask the authority again, offer what was approved, forget what has expired.

        `everything` asks at once about all that wait, whenever their turn would be.
        """
        sent = self.publish()
        offered, refused, trouble = [], [], [sent.trouble] if sent.trouble else []
        for application in self._enrolment.due(everything=everything):
            asked, made = self._decide(application, actor=None)
            if asked.trouble is not None:
                trouble.append(asked.trouble.code)
                if isinstance(asked.trouble, AuthorityUnreachable):
                    break  # the others would wait as long, and the anchors behind them
            elif made is not None:
                offered.append(application)
            elif asked.state == "refused":
                refused.append(application)
        self._forget()
        return Chore(
            tuple(offered),
            tuple(refused),
            self.records.waiting(),
            sent,
            tuple(dict.fromkeys(trouble)),
        )

    def _forget(self) -> None:
        self._offers.lapse()
        now = self._office.clock()
        with self._office.store.write() as connection:
            forget_spent(connection, now)
            connection.execute(delete(tokens).where(tokens.c.expires < stamp(now)))

    # --- what the issuer says about itself -------------------------------------------------

    @property
    def settings(self) -> Settings:
        return self._office.settings

    def issuer_metadata(self) -> dict[str, Any]:
        return metadata.issuer_metadata(self._office.settings, self._scenario)

    def authorization_metadata(self) -> dict[str, Any]:
        return metadata.authorization_metadata(self._office.settings)

    def did_document(self) -> dict[str, Any]:
        return metadata.issuer_document(self._office.settings, self._office.keys.public_keys())

    def status_list(self, number: int) -> str:
        """The signed status list as JSON text. Raises `StatusListUnknown`."""
        return statuslists.document(self._office, number)

    def serving(self) -> AbstractContextManager[None]:
        """A context that holds the serving lock. Raises `StoreLocked`."""
        return self._office.store.serving()


def _authority_client(office: Office) -> AuthorityClient:
    settings = office.settings.authority
    return AuthorityClient(
        settings.url,
        office.home / AUTHORITY_CERTIFICATE_FILE,
        issuer=office.settings.did,
        signer=office.keys.status,
        key_url=office.keys.status_method,
        authority=settings.did,
        authority_key=PublicKey.from_multikey(settings.key),
        clock=office.clock,
        random=office.random,
    )


class _LateRegistry:
    """The registry client, made when it is first needed: short commands need not load it."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._client: RegistryClient | None = None
        self._lock = threading.Lock()

    def __call__(self) -> RegistryClient:
        from registry.client import RegistryClient

        with self._lock:
            if self._client is None:
                genesis = Genesis.load(self._office.home / GENESIS_FILE)
                self._client = RegistryClient(
                    self._office.settings.registry_urls, genesis, now=self._office.clock
                )
            return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _write_json(path: Path, content: Any) -> None:
    write_private(path, (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())
