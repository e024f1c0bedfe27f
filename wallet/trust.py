"""Whom this wallet believes: the pinned genesis, and the newest trust bundle it has verified.

Guarantees: a bundle is used only after it was verified against the genesis that was pinned when the
wallet was made, and never one older than another this wallet has seen, which could hide a
revocation. What the bundle lacks proves little once it is old; `registry.trust.assurance` judges
that.

It does not check that the newer checkpoint extends the older one: that is the nodes' work, and a
quorum of them would have to break it together.
"""

from __future__ import annotations

import threading
from datetime import datetime

from credentials.canonical import Canonicalizer, default_canonicalizer
from credentials.dids import DidDocument
from registry.ledger.genesis import Genesis
from registry.trust import Accreditation, TrustBundle
from registry.trust.assurance import Assurance
from schemas.names import ISSUER_SERVICE
from wallet.errors import IssuerNotAccredited, NoTrustBundle, TrustBundleOlder
from wallet.vault import Vault


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

    def replace(self, data: bytes, now: datetime) -> TrustBundle:
        """Verify and keep a bundle. Raises TrustBundleOlder and what `TrustBundle.load` raises."""
        fresh = TrustBundle.load(data, self.genesis, now=now)
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
