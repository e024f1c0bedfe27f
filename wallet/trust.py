"""Whom this wallet believes: the pinned genesis, and the newest trust bundle it has verified.

Guarantees: a bundle is used only after it was verified against the genesis that was pinned when the
wallet was made, never one older than another this wallet has seen, which could hide a revocation,
and never one that contradicts it: with the network the whole history is compared, from a file what
two bundles show (`registry.trust.continuity`). What the bundle lacks proves little once it is old;
`registry.trust.assurance` judges that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from credentials.canonical import Canonicalizer, default_canonicalizer
from credentials.dids import DidDocument
from registry.errors import HistoryRewritten, RegistryError
from registry.ledger.genesis import Genesis
from registry.trust import Accreditation, TrustBundle
from registry.trust.assurance import Assurance
from registry.trust.continuity import CONTRADICTION, check_continues
from schemas.names import ISSUER_SERVICE
from wallet.errors import IssuerNotAccredited, NoTrustBundle, TrustBundleOlder
from wallet.vault import Vault
from wallet.vault.guard import write_atomically

if TYPE_CHECKING:
    from registry.client import RegistryClient


class Trust:
    """Genesis, registry address and bundle of one wallet, kept in its vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._guard = threading.Lock()
        self._assurance: Assurance | None = None
        self.genesis = Genesis.parse(_setting(vault, "genesis"))
        self.registry_url = _setting(vault, "registry").decode()

    @staticmethod
    def pin(vault: Vault, genesis: bytes, registry_url: str) -> None:
        """Once, when the wallet is made. Raises GenesisInvalid."""
        Genesis.parse(genesis)
        with vault.transaction():
            for name, value in (("genesis", genesis), ("registry", registry_url.encode())):
                vault.execute("INSERT INTO settings VALUES (?, ?)", (name, value))

    @property
    def canonicalizer(self) -> Canonicalizer:
        return default_canonicalizer()

    @property
    def as_of(self) -> datetime | None:
        """The time of the bundle held."""
        row = self._vault.one("SELECT value FROM settings WHERE name = 'bundle-time'")
        return datetime.fromisoformat(row[0].decode()) if row else None

    def assurance(self) -> Assurance:
        """The checks against the bundle held. Raises NoTrustBundle."""
        with self._guard:
            if self._assurance is None:
                row = self._vault.one("SELECT value FROM settings WHERE name = 'bundle'")
                if row is None:
                    raise NoTrustBundle
                bundle = TrustBundle.load(row[0], self.genesis)
                self._assurance = Assurance(bundle, self.canonicalizer)
            return self._assurance

    def origin(self, side_chain: str) -> str:
        """The full name of a side chain by its short one ("identity")."""
        return f"{self.genesis.network}/{side_chain}"

    def epochs(self, origin: str) -> tuple[str, ...]:
        """The chains of the line that `origin` is in, by the bundle; at least `origin` itself."""
        return self.bundle().epochs(origin) or (origin,)

    def bundle(self) -> TrustBundle:
        return self.assurance().bundle

    def refresh(self, client: RegistryClient, now: datetime) -> TrustBundle:
        """Network. Like `replace`, with what the registry has."""
        with self._keeping_evidence():
            data = client.trust_bundle(self._earlier())
        return self.replace(data, now)

    def _earlier(self) -> TrustBundle | None:
        """The bundle held, to compare another with. One that is of no use must not stay for ever:
        it can be replaced, though never by one of a smaller chain (`replace`)."""
        try:
            return self.bundle()
        except (NoTrustBundle, RegistryError):
            return None

    @contextmanager
    def _keeping_evidence(self, data: bytes = b"") -> Iterator[None]:
        """Two cosigned bundles that contradict each other are worth more than either."""
        try:
            yield
        except HistoryRewritten as error:
            write_atomically(self._vault.home / CONTRADICTION, error.evidence or data)
            raise

    def replace(self, data: bytes, now: datetime) -> TrustBundle:
        """Verify and keep a bundle.

        Raises TrustBundleOlder, HistoryRewritten (then it is kept beside the vault as evidence)
        and what `TrustBundle.load` raises.
        """
        fresh = TrustBundle.load(data, self.genesis, now=now)
        with self._keeping_evidence(data):
            if (earlier := self._earlier()) is not None:
                check_continues(earlier, fresh)
        held = self.as_of
        if held is not None:
            size = int(_setting(self._vault, "bundle-size"))
            if fresh.main_checkpoint.size < size or fresh.time < held:
                raise TrustBundleOlder
        with self._vault.transaction():
            for name, value in (
                ("bundle", data),
                ("bundle-time", fresh.time.isoformat().encode()),
                ("bundle-size", str(fresh.main_checkpoint.size).encode()),
            ):
                self._vault.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))
        with self._guard:
            self._assurance = Assurance(fresh, self.canonicalizer)
        return fresh

    def issuers(self, now: datetime) -> tuple[tuple[Accreditation, str], ...]:
        """Accredited issuers in force now that name a public URL, with that URL."""
        found = []
        for accreditation in self.bundle().issuers():
            url = service_url(accreditation)
            if url is not None and accreditation.covers(now):
                found.append((accreditation, url))
        return tuple(found)

    def issuer_at(self, address: str, now: datetime) -> tuple[Accreditation, str]:
        """The accredited issuer whose URL or DID is `address`. Raises IssuerNotAccredited."""
        wanted = address.rstrip("/")
        for accreditation, url in self.issuers(now):
            if wanted in (accreditation.did, url):
                return accreditation, url
        raise IssuerNotAccredited


def service_url(accreditation: Accreditation) -> str | None:
    """The issuer's public URL as the chain has it, without a trailing slash."""
    service = DidDocument.parse(accreditation.document).service(ISSUER_SERVICE)
    return service.endpoint.rstrip("/") if service else None


def _setting(vault: Vault, name: str) -> bytes:
    row = vault.one("SELECT value FROM settings WHERE name = ?", (name,))
    if row is None:
        raise NoTrustBundle
    return bytes(row[0])
