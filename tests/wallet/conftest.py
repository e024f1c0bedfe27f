"""A town for the wallet: a registry with four nodes, an issuer and two desks, all real, in memory.

Only the wires are not: requests reach the applications without sockets, so a test can cut one,
listen to it, or answer in its place. One clock moves for everybody.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from credentials.contexts import bundled_contexts
from credentials.dids import did_key
from credentials.keyfile import COST_FLOOR
from credentials.keys import PrivateKey
from issuer.api import build_api
from issuer.authority.client import AuthorityAnswer
from issuer.service import Issuer
from issuer.settings import AuthoritySettings
from issuer.settings import Settings as IssuerSettings
from registry.api import build_app
from registry.chain import SequencerKeys, create_chains, log_signer
from registry.client import RegistryClient
from registry.entries import Entry, encode_time, make_entry
from registry.genesis import Genesis, GenesisNode
from registry.node import Node
from registry.note import ED25519_COSIGNATURE, NoteSigner, VerifierKey
from registry.sequencer import Sequencer
from schemas.digests import digest_multibase
from schemas.identifiers.gb11643 import build_citizen_number
from schemas.names import CONTEXT_V2, PRESENTATION_CONTEXT
from schemas.scenario import load_scenario
from verifier.desk import Desk
from verifier.settings import Settings as DeskSettings
from verifier.settings import create_desk, load_key
from wallet.service import Wallet

NETWORK = "hangzhou.zhenglian.example"
ISSUER = "https://issuer.example"
ISSUER_DID = "did:web:data.hangzhou.example"
REGISTRY = "https://registry.example"
PASSPHRASE = "correct horse battery"
NODES = ("public-security", "civil-affairs", "housing", "market")


@dataclass
class MovingClock:
    now: datetime = datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class SteeredAuthority:
    clock: MovingClock
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
    """Delivers requests to applications by host. `cut` hosts do not answer."""

    hosts: dict[str, object] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    seen: list[tuple[str, str]] = field(default_factory=list)
    before: Handler | None = None
    after: Callable[[httpx.Request, httpx.Response], httpx.Response] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append((request.method, str(request.url)))
        host = request.url.host
        if host in self.cut or host not in self.hosts:
            raise httpx.ConnectError("refused", request=request)
        request.read()
        answer = self.before(request) if self.before is not None else None
        if answer is None:
            answer = asyncio.run(self._deliver(self.hosts[host], request))
        return self.after(request, answer) if self.after is not None else answer

    async def _deliver(self, app: object, request: httpx.Request) -> httpx.Response:
        inner = httpx.Request(
            request.method, request.url, headers=request.headers, content=request.content
        )
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        answer = await transport.handle_async_request(inner)
        body = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=body)


@dataclass
class DirectLink:
    node: Node
    down: bool = False

    def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
        if self.down:
            from registry.errors import RegistryUnreachable

            raise RegistryUnreachable(reason="down")
        answer = self.node.add_checkpoint(body)
        return answer.status, answer.body


@dataclass
class Town:
    home: Path
    clock: MovingClock
    wires: Wires
    genesis: Genesis
    operator: PrivateKey
    sequencer: Sequencer
    links: dict[str, DirectLink]
    issuer: Issuer
    authority: SteeredAuthority
    desk: Desk
    citizen: dict[str, str]
    wallets: list[Wallet] = field(default_factory=list)

    # -- the chain ----------------------------------------------------------------------------

    def client(self) -> RegistryClient:
        return RegistryClient(REGISTRY, self.genesis, transport=self.wires, now=self.clock)

    def step(self) -> None:
        """A second passes, and the nodes cosign what there is."""
        self.clock.advance(seconds=1)
        self.sequencer.step(patient=True)

    def govern(self, *entries: Entry) -> None:
        with self.client() as client:
            from credentials.dids import key_url

            client.submit(
                self.genesis.origin, entries, self.operator, key_url(self.operator.public_key)
            )
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


def _network(home: Path, clock: MovingClock) -> tuple[Genesis, PrivateKey, SequencerKeys, dict]:
    operator = PrivateKey.generate("Ed25519")
    node_keys = {name: PrivateKey.generate("Ed25519") for name in NODES}
    origins = [f"{NETWORK}/{name}" for name in ("main", "identity", "access")]
    logs = {origin: PrivateKey.generate("Ed25519") for origin in origins}
    signers = {
        name: NoteSigner(
            VerifierKey(f"{name}.{NETWORK}", ED25519_COSIGNATURE, key.public_key.raw), key.sign
        )
        for name, key in node_keys.items()
    }
    genesis = Genesis.create(
        network=NETWORK,
        operator=did_key(operator.public_key),
        log_key=log_signer(origins[0], logs[origins[0]]).key.encode(),
        nodes=tuple(
            GenesisNode(name, {"zh-CN": name, "en": name}, signer.key.encode())
            for name, signer in signers.items()
        ),
        quorum=3,
        created=clock(),
    )
    return genesis, operator, SequencerKeys(operator, logs), signers


def _resources() -> list[Entry]:
    scenario = load_scenario("resident-identity")
    contexts = bundled_contexts()
    urls = (CONTEXT_V2, PRESENTATION_CONTEXT, scenario.context_url)
    return [
        make_entry(
            "resource", role="schema", url=scenario.schema_url, digest=scenario.schema_digest
        ),
        *(
            make_entry(
                "resource",
                role="context",
                url=url,
                digest=digest_multibase(contexts.record(url).data),
            )
            for url in urls
        ),
    ]


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def town(tmp_path: Path, clock: MovingClock) -> Iterator[Town]:
    genesis, operator, keys, signers = _network(tmp_path, clock)
    chains = [
        make_entry(
            "chain",
            origin=f"{NETWORK}/{name}",
            logKey=log_signer(f"{NETWORK}/{name}", keys.logs[f"{NETWORK}/{name}"]).key.encode(),
            purpose=purpose,
            scenario=scenario,
        )
        for name, purpose, scenario in (
            ("identity", "anchors", "resident-identity"),
            ("access", "access", "all"),
        )
    ]
    registry_home = tmp_path / "registry"
    create_chains(registry_home, genesis, keys, [*chains, *_resources()], now=clock())
    links: dict[str, DirectLink] = {}
    sequencer = Sequencer(registry_home, genesis, keys, links=lambda: links, now=clock)
    for node in genesis.nodes:
        (tmp_path / node.name).mkdir()
        links[node.name] = DirectLink(
            Node(
                node.name,
                genesis,
                signers[node.name],
                tmp_path / node.name,
                lambda origin, start, end: sequencer.chains.log(origin).view.entries(start, end),
                now=clock,
            )
        )
    wires = Wires({"registry.example": build_app(sequencer)})
    authority = SteeredAuthority(clock)
    Issuer.init(
        tmp_path / "issuer",
        IssuerSettings(
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
        ),
        genesis=genesis.entry.raw,
        authority_certificate=b"none",
        passphrase=PASSPHRASE,
        cost=COST_FLOOR,
    )
    issuer = Issuer.open(
        tmp_path / "issuer",
        PASSPHRASE,
        clock=clock,
        authority=authority,
        registry=lambda: RegistryClient(REGISTRY, genesis, transport=wires, now=clock),
    )
    wires.hosts["issuer.example"] = build_api(issuer)
    settings = DeskSettings(
        "did:web:transport.hangzhou.example",
        {"zh-CN": "杭州市交通运输局", "en": "Hangzhou Transport Bureau"},
        (REGISTRY,),
    )
    accreditation = create_desk(tmp_path / "desk", settings, genesis.entry.raw, None)
    desk = Desk(tmp_path / "desk", settings, load_key(tmp_path / "desk", None), clock=clock)
    made = Town(
        tmp_path,
        clock,
        wires,
        genesis,
        operator,
        sequencer,
        links,
        issuer,
        authority,
        desk,
        {
            "name": "王小明",
            "citizenNumber": build_citizen_number("330106", date(1990, 1, 1), 101).text,
            "sex": "male",
            "birthDate": "1990-01-01",
            "ethnicity": "汉",
            "division": "330106",
        },
    )
    period = {"from": encode_time(clock() - timedelta(days=1)), "to": None}
    issuer_accreditation = json.loads((tmp_path / "issuer" / "accreditation.json").read_bytes())
    made.step()
    made.govern(
        make_entry("issuer", **issuer_accreditation, **period),
        make_entry("verifier", **accreditation, **period),
    )
    made.entitle("bus-card", ["/credentialSubject/name", "/credentialSubject/ageOver18"])
    made.anchor()
    yield made
    for wallet in made.wallets:
        wallet.close()
    desk.close()
    issuer.close()
    sequencer.close()
    for link in links.values():
        link.node.close()
