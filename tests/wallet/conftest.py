"""A town for the wallet: a registry with four nodes, an issuer and a desk, all real, in memory.

Only the wires are not: requests reach the applications without sockets, so a test can cut one,
listen to it, or answer in its place. One clock moves for everybody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from credentials.keyfile import COST_FLOOR
from credentials.keys import PrivateKey
from issuer.api import build_api
from issuer.authority.client import AuthorityAnswer
from issuer.service import Issuer
from issuer.settings import AuthoritySettings
from issuer.settings import Settings as IssuerSettings
from registry.client import RegistryClient
from registry.ledger.entries import Entry, make_entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_time
from registry.simulation.simulator import NETWORK, Consortium
from schemas.digests import digest_multibase
from schemas.identifiers.gb11643 import build_citizen_number
from verifier.desk import Desk
from verifier.settings import Settings as DeskSettings
from verifier.settings import create_desk, load_key
from wallet.service import Wallet

ISSUER = "https://issuer.example"
ISSUER_DID = "did:web:data.hangzhou.example"
REGISTRY = "https://registry.example"
PASSPHRASE = "correct horse battery"


@dataclass
class Clock:
    """The consortium's clock, for the others."""

    chain: Consortium

    def __call__(self) -> datetime:
        return self.chain.now

    def advance(self, **amount: float) -> None:
        self.chain.advance(**amount)


@dataclass
class SteeredAuthority:
    clock: Clock
    passes: bool = True
    trouble: Exception | None = None

    def check(self, _person: Mapping[str, str]) -> AuthorityAnswer:
        if self.trouble is not None:
            raise self.trouble
        return AuthorityAnswer(
            passed=self.passes,
            authority="did:web:authority.example",
            checked_at=self.clock(),
            reply_digest=digest_multibase(b"a signed answer"),
            reply="a signed answer",
        )


Handler = Callable[[httpx.Request], httpx.Response | None]


@dataclass
class Wires(httpx.BaseTransport):
    """Passes requests on. `cut` hosts do not answer; `before` may answer in an application's
    place, `after` may change what it answered."""

    chain: Consortium
    cut: set[str] = field(default_factory=set)
    seen: list[tuple[str, str]] = field(default_factory=list)
    before: Handler | None = None
    after: Callable[[httpx.Request, httpx.Response], httpx.Response] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append((request.method, str(request.url)))
        if request.url.host in self.cut:
            raise httpx.ConnectError("refused", request=request)
        request.read()
        answer = self.before(request) if self.before is not None else None
        if answer is None:
            answer = self.chain.transport.handle_request(request)
        return self.after(request, answer) if self.after is not None else answer


@dataclass
class Town:
    home: Path
    chain: Consortium
    clock: Clock
    wires: Wires
    issuer: Issuer
    authority: SteeredAuthority
    desk: Desk
    citizen: dict[str, str]
    wallets: list[Wallet] = field(default_factory=list)

    # -- the chain ----------------------------------------------------------------------------

    @property
    def genesis(self) -> Genesis:
        return self.chain.genesis

    def client(self) -> RegistryClient:
        return RegistryClient(REGISTRY, self.genesis, transport=self.wires, now=self.clock)

    def step(self) -> None:
        """A second passes, and the nodes cosign what there is."""
        self.clock.advance(seconds=1)
        self.chain.settle()

    def govern(self, *entries: Entry) -> None:
        self.chain.govern(*entries)
        self.step()

    def entitle(self, identifier: str, claims: list[str], **changes: object) -> None:
        members = {
            "id": identifier,
            "verifier": self.desk.settings.did,
            "credentialType": "ResidentIdentityCredential",
            "claims": claims,
            "purpose": {"zh-CN": "办理老年公交卡", "en": "Senior bus card"},
            "legalBasis": {"zh-CN": "某条例第八条", "en": "Regulation, article 8"},
            "from": encode_time(self.clock() - timedelta(days=1)),
            "to": None,
        } | changes
        self.govern(make_entry("entitlement", **members))

    def anchor(self) -> None:
        """The issuer tells the registry what it issued and which statuses changed."""
        sent = self.issuer.publish()
        assert sent.trouble is None, sent
        self.step()

    # -- the citizen --------------------------------------------------------------------------

    def wallet(self, name: str = "wallet") -> Wallet:
        wallet = Wallet.create(
            self.home / name,
            PASSPHRASE,
            genesis=self.genesis.entry.raw,
            registry_url=REGISTRY,
            clock=self.clock,
            transport=self.wires,
            cost=COST_FLOOR,
        )
        self.wallets.append(wallet)
        wallet.refresh()
        return wallet

    def tx_code(self) -> str:
        """What the gateway would send to the citizen: the newest code in the outbox."""
        files = sorted((self.home / "issuer" / "outbox").iterdir(), key=lambda p: p.stat().st_mtime)
        return str(json.loads(files[-1].read_bytes())["tx_code"])

    def credential(self, wallet: Wallet) -> str:
        """Apply, accept, anchor, refresh; the identifier of the credential."""
        application = wallet.apply(ISSUER, self.citizen)
        assert application.offer is not None
        view = wallet.inspect_offer(application.offer)
        credential = wallet.accept_offer(view, self.tx_code())
        self.anchor()
        wallet.refresh()
        return credential.id

    def request(self, *names: str, entitlement: str = "bus-card") -> str:
        with self.client() as client:
            self.desk.sync(client)
        claims = [f"/credentialSubject/{name}" for name in names]
        return self.desk.request(entitlement, claims or None).uri


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    # One node: what four of them agree upon is tested where they live.
    with Consortium(tmp_path, nodes=("data-resources",), quorum=1) as chain:
        clock = Clock(chain)
        wires = Wires(chain)
        chain.transport.apps["registry.example"] = chain.transport.apps["registry.invalid"]
        authority = SteeredAuthority(clock)
        issuer = _issuer(tmp_path / "issuer", chain, clock, wires, authority)
        chain.transport.apps["issuer.example"] = build_api(issuer)
        settings = DeskSettings(
            "did:web:transport.hangzhou.example",
            {"zh-CN": "杭州市交通运输局", "en": "Hangzhou Transport Bureau"},
            (REGISTRY,),
        )
        accredited = create_desk(tmp_path / "desk", settings, chain.genesis.entry.raw, None)
        desk = Desk(tmp_path / "desk", settings, load_key(tmp_path / "desk", None), clock=clock)
        citizen = {
            "name": "王小明",
            "citizenNumber": build_citizen_number("330106", date(1990, 1, 1), 101).text,
            "sex": "male",
            "birthDate": "1990-01-01",
            "ethnicity": "汉",
            "division": "330106",
        }
        made = Town(tmp_path, chain, clock, wires, issuer, authority, desk, citizen)
        period = {"from": encode_time(clock() - timedelta(days=1)), "to": None}
        issuing = json.loads((tmp_path / "issuer" / "accreditation.json").read_bytes())
        made.govern(
            make_entry("issuer", **issuing, **period),
            make_entry("verifier", **accredited, **period),
        )
        made.entitle("bus-card", ["/credentialSubject/name", "/credentialSubject/ageOver18"])
        made.anchor()
        yield made
        for wallet in made.wallets:
            wallet.close()
        desk.close()
        issuer.close()


def _issuer(
    home: Path, chain: Consortium, clock: Clock, wires: Wires, authority: SteeredAuthority
) -> Issuer:
    settings = IssuerSettings(
        did=ISSUER_DID,
        name={"zh-CN": "杭州市数据资源管理局", "en": "Hangzhou Data Resources Administration"},
        public_url=ISSUER,
        registry_urls=(REGISTRY,),
        network=NETWORK,
        authority=AuthoritySettings(
            "https://authority.example",
            "did:web:authority.example",
            PrivateKey.generate("Ed25519").public_key.multikey(),
        ),
        created=encode_time(clock()),
    )
    Issuer.init(
        home,
        settings,
        genesis=chain.genesis.entry.raw,
        authority_certificate=b"none",
        passphrase=PASSPHRASE,
        cost=COST_FLOOR,
    )
    return Issuer.open(
        home,
        PASSPHRASE,
        clock=clock,
        authority=authority,
        registry=lambda: RegistryClient(REGISTRY, chain.genesis, transport=wires, now=clock),
    )
