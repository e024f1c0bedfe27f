"""A whole consortium in one process: the sequencer and its nodes, without sockets.

For tests, benchmarks and trials of other packages. Everything is the real code, spoken to
through its real HTTP faces; only the wires are short-circuited, the clock is set by hand, and
nothing happens between the calls of `settle`. It promises nothing for production use.

    with Consortium(folder) as chain:
        issuer = chain.add_issuer("did:web:issuer.example")
        receipt = chain.client.submit(
            chain.genesis.identity_origin, [anchor_entry(issuer.did, anchor)],
            issuer.key, issuer.key_url)
        chain.settle()
        bundle = chain.bundle()
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from credentials.dids import did_document, did_key, key_url
from credentials.keys import PrivateKey
from registry.client import Receipt, RegistryClient
from registry.ledger.entries import Entry, make_entry
from registry.ledger.genesis import GenesisNode
from registry.ledger.members import encode_time
from registry.nodes.api import build_node_app
from registry.nodes.catching_up import CatchingUp
from registry.nodes.node import Node
from registry.reading.sources import Peers
from registry.sequencing.api import build_app
from registry.sequencing.chain import ML_DSA_SUFFIX
from registry.sequencing.founding import FoundingKeys, found_network
from registry.sequencing.outside import OutsidePolicies
from registry.sequencing.sequencer import Sequencer
from registry.tlog.note import ED25519_COSIGNATURE, ML_DSA_44, NoteSigner
from registry.trust import TrustBundle
from registry.witnessing.cosigning import HttpNode, NodeLink

NETWORK: Final = "hangzhou.zhenglian.example"
URL: Final = "http://registry.invalid"
START: Final = datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC)
SEQUENCER: Final = "registry"
CLIENT: Final = "client"
NODES: Final[Mapping[str, tuple[str, str]]] = {
    "data-resources": ("市数据资源管理局", "Data Resources Administration"),
    "public-security": ("市公安局", "Public Security Bureau"),
    "market-regulation": ("市市场监督管理局", "Market Regulation Administration"),
    "human-resources": ("市人力资源和社会保障局", "Human Resources Bureau"),
}


def node_url(name: str) -> str:
    """Where a node of the simulator listens."""
    return f"http://{name}.invalid"


class AsgiTransport(httpx.BaseTransport):
    """Blocking requests to applications by host name; an unknown host refuses to connect.

    Applications run in an event loop of their own thread, so any caller may block.
    """

    def __init__(self) -> None:
        self.apps: dict[str, Any] = {}
        self._groups: tuple[frozenset[str], ...] = ()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        app = self.apps.get(request.url.host)
        if app is None:
            raise httpx.ConnectError("refused", request=request)
        answer = asyncio.run_coroutine_threadsafe(self._ask(app, request), self._loop)
        return answer.result(timeout=60)

    def part(self, *groups: Iterable[str]) -> None:
        """Let parties talk to those of their own group only; who is in no group, to everybody."""
        self._groups = tuple(frozenset(group) for group in groups)

    def reaches(self, one: str, other: str) -> bool:
        """Whether a wire between two parties is whole."""
        sides = [[party in group for group in self._groups] for party in (one, other)]
        return not all(map(any, sides)) or sides[0] == sides[1]

    @staticmethod
    async def _ask(app: ASGIApp, request: httpx.Request) -> httpx.Response:
        content = request.read()
        inner = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=inner, base_url="http://app") as client:
            answer = await client.request(
                request.method,
                str(request.url),
                content=content,
                headers={k: v for k, v in request.headers.items() if k != "content-length"},
            )
        # It was unpacked on the way; said again, it would be unpacked twice.
        answer.headers.pop("Content-Encoding", None)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def stop(self) -> None:
        """End the event loop; the transport is of no use afterwards."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()


class Wire(httpx.BaseTransport):
    """The transport as one party has it: it ends where the network is parted."""

    def __init__(self, transport: AsgiTransport, party: str) -> None:
        self._transport = transport
        self._party = party

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self._transport.reaches(self._party, request.url.host.removesuffix(".invalid")):
            raise httpx.ConnectTimeout("parted", request=request)
        return self._transport.handle_request(request)


@dataclass(frozen=True)
class Party:
    """An accredited issuer or verifier, with its key."""

    did: str
    key: PrivateKey
    key_url: str
    document: Mapping[str, Any]


class Consortium:
    """One network under `folder`. Times are `now`, which only the caller moves."""

    def __init__(
        self,
        folder: Path,
        *,
        network: str = NETWORK,
        nodes: Iterable[str] = tuple(NODES),
        quorum: int = 3,
        start: datetime = START,
    ) -> None:
        self.folder: Final = folder
        self.now = start
        self.transport: Final = AsgiTransport()
        self.url: Final = URL
        self.outside: OutsidePolicies | None = None  # from the sequencer's next start on
        self._node_keys = {name: _seeded("Ed25519", f"node {name}") for name in nodes}
        self.approvers: Final = {
            name: _seeded("Ed25519", f"approver {name}") for name in self._node_keys
        }
        self.keys: Final = founding_keys()
        self.genesis: Final = found_network(
            folder / "registry",
            network,
            [
                GenesisNode(
                    name,
                    dict(zip(("zh-CN", "en"), NODES.get(name, (name, name)), strict=True)),
                    node_signer(network, name).key.encode(),
                    did_key(self.approvers[name].public_key),
                    node_signer(network, name).beside[0].key.encode(),
                )
                for name in self._node_keys
            ],
            self.keys,
            quorum=quorum,
            now=start,
        )
        self.nodes: Final[dict[str, Node]] = {}
        self.catching_up: Final[dict[str, CatchingUp]] = {}
        self._peers: Final[dict[str, Peers]] = {}
        self._apps: Final[dict[str, FastAPI]] = {}
        wire = Wire(self.transport, SEQUENCER)
        self._links: dict[str, NodeLink] = {
            name: HttpNode(node_url(name), transport=wire) for name in self._node_keys
        }
        self.client: Final = RegistryClient(
            URL, self.genesis, transport=Wire(self.transport, CLIENT), now=lambda: self.now
        )
        self.sequencer = self._open_sequencer()
        for name in self._node_keys:
            self.start_node(name)
        self.settle()

    def signer_of_node(self, name: str) -> NoteSigner:
        """What a node cosigns by."""
        return node_signer(self.genesis.network, name)

    def _open_sequencer(self) -> Sequencer:
        sequencer = Sequencer(
            self.folder / "registry",
            self.genesis,
            self.keys.sequencer(self.genesis.network),
            links=lambda: self._links,
            now=lambda: self.now,
            outside=self.outside,
        )
        self.transport.apps["registry.invalid"] = build_app(sequencer)
        return sequencer

    def restart_sequencer(self) -> None:
        """Close it and open it again on the same stores."""
        self.stop_sequencer()
        self.sequencer = self._open_sequencer()

    def stop_sequencer(self) -> None:
        """Close it: clients and nodes find nobody."""
        self.transport.apps.pop("registry.invalid", None)
        self.sequencer.close()

    def start_node(self, name: str, *, lost: bool = False) -> None:
        """Start a node on its store; `lost`: it lost the one that it had."""
        folder = self.node_folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        peers = Peers(
            [URL],
            {other: node_url(other) for other in self._node_keys if other != name},
            transport=Wire(self.transport, name),
        )
        node = Node(
            name,
            self.genesis,
            node_signer(self.genesis.network, name),
            folder,
            peers,
            now=lambda: self.now,
            lost=lost,
        )
        self.nodes[name], self._peers[name] = node, peers
        self.catching_up[name] = CatchingUp(node, peers)
        app = self._apps[name] = build_node_app(node, self.catching_up[name])
        self.transport.apps[f"{name}.invalid"] = app

    def node_folder(self, name: str) -> Path:
        """Where a node keeps its store."""
        return self.folder / "nodes" / name

    def stop_node(self, name: str) -> None:
        """Stop a node: connections to it are refused."""
        self.transport.apps.pop(f"{name}.invalid", None)
        self._apps.pop(name).state.summary.close()
        self.catching_up.pop(name).close()
        self.nodes.pop(name).close()
        self._peers.pop(name).close()

    def lose_disk(self, name: str) -> None:
        """Stop a node, if it runs, and destroy all that it stored; it keeps its key."""
        if name in self.nodes:
            self.stop_node(name)
        shutil.rmtree(self.node_folder(name))

    # Where the network breaks

    def part(self, *groups: Iterable[str]) -> None:
        """Part the network: parties (`SEQUENCER`, `CLIENT`, names of nodes) reach their own group.

        Who is in no group reaches everybody. `heal` ends it.
        """
        self.transport.part(*groups)

    def heal(self) -> None:
        """Everybody reaches everybody again."""
        self.transport.part()

    def client_of(self, *names: str) -> RegistryClient:
        """A client that reads from nodes only. Close it."""
        return RegistryClient(
            [node_url(name) for name in names],
            self.genesis,
            transport=Wire(self.transport, CLIENT),
            now=lambda: self.now,
        )

    def advance(self, **delta: float) -> datetime:
        """Move the clock, for instance by `hours=1`."""
        self.now += timedelta(**delta)
        return self.now

    def settle(self) -> bool:
        """Checkpoint everything and ask every node; True when the quorum has cosigned.

        Then the nodes look what became of it, each from where it stands.
        """
        reached = "registry.invalid" in self.transport.apps and self.sequencer.step(patient=True)
        for name in list(self.catching_up):
            self.catching_up[name].turn()
        return reached

    def catch_up(self) -> None:
        """Let every node take in what the others have, as it does by itself in earnest."""
        for name in list(self.catching_up):
            self.catching_up[name].turn(everybody=True)

    def bundle(self) -> TrustBundle:
        """The newest trust bundle, as a client gets it."""
        return TrustBundle.load(self.client.trust_bundle(), self.genesis, now=self.now)

    def govern(self, *entries: Entry) -> Receipt:
        """Record entries as the operator, and settle."""
        operator = self.keys.operator
        receipt = self.client.submit(
            self.genesis.origin, entries, operator, key_url(operator.public_key)
        )
        self.settle()
        return receipt

    def add_issuer(
        self,
        did: str = "did:web:issuer.example",
        *,
        document: Mapping[str, Any] | None = None,
        types: Iterable[str] = ("ResidentIdentityCredential",),
        to: datetime | None = None,
    ) -> Party:
        """Accredit an issuer for the identity chain; by default with a P-256 key `#key-1`."""
        party = _party(did, document)
        self.govern(
            make_entry(
                "issuer",
                did=did,
                name={"zh-CN": "市数据资源管理局", "en": "Data Resources Administration"},
                document=dict(party.document),
                types=list(types),
                chains=[self.genesis.identity_origin],
                **{"from": encode_time(START), "to": encode_time(to) if to else None},
            )
        )
        return party

    def add_verifier(
        self, did: str = "did:web:desk.example", *, document: Mapping[str, Any] | None = None
    ) -> Party:
        """Accredit a verifier; by default with a P-256 key `#key-1`."""
        party = _party(did, document)
        self.govern(
            make_entry(
                "verifier",
                did=did,
                name={"zh-CN": "市民卡服务窗口", "en": "Citizen card counter"},
                document=dict(party.document),
                **{"from": encode_time(START), "to": None},
            )
        )
        return party

    def entitle(
        self,
        verifier: str,
        claims: Iterable[str] = ("/credentialSubject/name", "/credentialSubject/ageOver18"),
        *,
        identifier: str = "age-check",
        credential_type: str = "ResidentIdentityCredential",
    ) -> str:
        """Record an entitlement; returns its id."""
        self.govern(
            make_entry(
                "entitlement",
                id=identifier,
                verifier=verifier,
                credentialType=credential_type,
                claims=list(claims),
                purpose={"zh-CN": "办理成年人业务", "en": "Services for adults"},
                legalBasis={"zh-CN": "《居民身份证法》", "en": "Resident Identity Card Law"},
                **{"from": encode_time(START), "to": None},
            )
        )
        return identifier

    def close(self) -> None:
        """Stop everything."""
        self.client.close()
        if "registry.invalid" in self.transport.apps:
            self.stop_sequencer()
        for name in list(self.nodes):
            self.stop_node(name)
        self.transport.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def founding_keys() -> FoundingKeys:
    """The keys of the operator and of the logs."""
    return FoundingKeys(
        _seeded("P-256", "operator"),
        {
            name + suffix: _seeded(key_type, name)
            for name in ("main", "identity", "access")
            for suffix, key_type in (("", "Ed25519"), (ML_DSA_SUFFIX, "ML-DSA-44"))
        },
    )


def node_signer(network: str, name: str) -> NoteSigner:
    """What the node `name` cosigns by."""
    own = f"{network}/nodes/{name}"
    first = NoteSigner.of(own, ED25519_COSIGNATURE, _seeded("Ed25519", f"node {name}"))
    second = NoteSigner.of(own, ML_DSA_44, _seeded("ML-DSA-44", f"node {name}"))
    return replace(first, beside=(second,))


def _seeded(key_type: Any, name: str) -> PrivateKey:
    return PrivateKey.from_seed(key_type, f"zhenglian simulator {name}".encode())


def _party(did: str, document: Mapping[str, Any] | None) -> Party:
    key = _seeded("P-256", did)
    if document is None:
        document = did_document(did, {"key-1": key.public_key})
    return Party(did, key, f"{did}#key-1", document)
