"""The client believes nothing: what does not verify is the server's misbehaviour."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from registry.client import RegistryClient
from registry.errors import (
    EntryUnknown,
    QuorumMissing,
    RegistryError,
    RegistryMisbehaved,
    RegistryUnreachable,
    SubmissionRefused,
)
from registry.ledger.entries import Entry, anchor_entry
from registry.ledger.members import document_digest
from registry.simulation.simulator import CLIENT, SEQUENCER, URL, Consortium, Party, node_url
from registry.tlog.merkle import leaf_hash
from registry.tlog.tiles import decode_bundle, encode_bundle
from registry.trust import LongProof

World = tuple[Consortium, Party, list[Entry]]


class Meddling(httpx.BaseTransport):
    """Passes requests on and changes the answers whose path contains a text."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner
        self.where = ""
        self.change: Callable[[bytes], bytes] = lambda body: body
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        answer = self.inner.handle_request(request)
        if self.where and self.where in request.url.path:
            return httpx.Response(answer.status_code, content=self.change(answer.read()))
        return answer


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    with Consortium(tmp_path_factory.mktemp("client")) as chain:
        issuer = chain.add_issuer()
        entries = [anchor_entry(issuer.did, os.urandom(32)) for _ in range(300)]
        chain.client.submit(chain.genesis.identity_origin, entries, issuer.key, issuer.key_url)
        chain.settle()
        yield chain, issuer, entries


@pytest.fixture
def meddling(
    world: World,
) -> Iterator[tuple[Meddling, RegistryClient]]:
    chain = world[0]
    transport = Meddling(chain.transport)
    with RegistryClient(URL, chain.genesis, transport=transport, now=lambda: chain.now) as client:
        yield transport, client


def flip(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def test_reading_proves_what_it_returns(world: World) -> None:
    chain, _, entries = world
    origin = chain.genesis.identity_origin
    assert chain.client.entries(origin, 0, 300) == entries
    assert chain.client.entries(origin, 250, 270) == entries[250:270]
    assert chain.client.entries(origin, 5, 5) == []
    assert chain.client.lookup(origin, entries[17].leaf_hash) == 17
    state = chain.client.cosigned(origin)
    assert state.entry is not None
    assert state.entry["size"] == state.size == 301
    assert state.time == chain.now
    assert chain.genesis.origin in state.note
    for index in (0, 255, 256, 299):
        proof = chain.client.long_proof(origin, index)
        leaf = entries[index].leaf_hash
        assert LongProof.parse(proof).verify(chain.genesis, origin, leaf).index == index


def test_a_proof_of_an_early_entry_leads_to_the_checkpoint_that_first_covered_it(
    tmp_path: Path,
) -> None:
    with Consortium(tmp_path) as chain:
        issuer = chain.add_issuer()
        origin = chain.genesis.identity_origin
        first = anchor_entry(issuer.did, os.urandom(32))
        for entry in (first, anchor_entry(issuer.did, os.urandom(32))):
            chain.client.submit(origin, [entry], issuer.key, issuer.key_url)
            chain.settle()
        proof = LongProof.parse(chain.client.long_proof(origin, 0))
        assert proof.entry["size"] == 2
        assert proof.verify(chain.genesis, origin, first.leaf_hash).index == 0


@pytest.mark.parametrize(
    ("where", "call"),
    [
        ("/checkpoint", lambda c, o: c.cosigned()),
        ("/cosigned", lambda c, o: c.cosigned(o)),
        ("/tile/0/", lambda c, o: c.compact_proof(o, 3)),
        ("/tile/0/", lambda c, o: c.long_proof(o, 3)),
        ("/tile/0/001", lambda c, o: c.compact_proof(o, 3)),  # the other half of the tree
        ("/tile/entries/", lambda c, o: c.entries(o, 0, 10)),
        ("/bundle", lambda c, o: c.trust_bundle()),
        ("/status", lambda c, o: c.status()),
        ("/lookup", lambda c, o: c.lookup(o, bytes(32))),
    ],
)
@pytest.mark.parametrize(
    "change", [flip, lambda body: body[:-1], lambda body: b"", lambda body: body * 2]
)
def test_an_altered_answer_is_never_handed_out(
    world: World,
    meddling: tuple[Meddling, RegistryClient],
    where: str,
    call: Callable[[RegistryClient, str], object],
    change: Callable[[bytes], bytes],
) -> None:
    transport, client = meddling
    origin = world[0].genesis.identity_origin
    transport.where, transport.change = where, change
    before = world[0].client
    try:
        got = call(client, origin)
    except (RegistryMisbehaved, EntryUnknown, QuorumMissing):
        return
    # A flip may hit what does not matter (a fourth cosignature, a word of the status report).
    assert where in ("/checkpoint", "/cosigned", "/status", "/lookup")
    if where in ("/checkpoint", "/cosigned"):
        honest = before.cosigned(None if where == "/checkpoint" else origin)
        assert (got.size, got.root) == (honest.size, honest.root)  # type: ignore[attr-defined]


def test_a_forged_entry_is_refused(world: World, meddling: tuple[Meddling, RegistryClient]) -> None:
    chain, issuer, _ = world
    transport, client = meddling
    forged = anchor_entry(issuer.did, bytes(32))

    def replace(body: bytes) -> bytes:
        rows = decode_bundle(body)
        rows[3] = forged.raw
        return encode_bundle(rows)

    transport.where, transport.change = "/tile/entries/", replace
    with pytest.raises(RegistryMisbehaved):
        client.entries(chain.genesis.identity_origin, 0, 10)

    def replace_leaf(body: bytes) -> bytes:
        return body[: 3 * 32] + leaf_hash(forged.raw) + body[4 * 32 :]

    transport.where, transport.change = "/tile/0/", replace_leaf
    with pytest.raises(RegistryMisbehaved):
        client.compact_proof(chain.genesis.identity_origin, 3)


def test_what_is_not_there_is_unknown(world: World) -> None:
    client, genesis = world[0].client, world[0].genesis
    for call in (
        lambda: client.lookup(genesis.identity_origin, bytes(32)),
        lambda: client.compact_proof(genesis.identity_origin, 10**6),
        lambda: client.long_proof(genesis.identity_origin, 10**6),
        lambda: client.entries(genesis.identity_origin, 0, 10**6),
        lambda: client.cosigned(genesis.access_origin),
        lambda: client.cosigned("nowhere.example/main"),
        lambda: client.status_list("uEi" + "A" * 44),
    ):
        with pytest.raises(EntryUnknown):
            call()


def test_addresses_are_tried_in_turn(world: World) -> None:
    chain = world[0]
    urls = ["http://dead.invalid", URL]
    with RegistryClient(urls, chain.genesis, transport=chain.transport, now=lambda: chain.now) as c:
        assert c.cosigned().size
    for urls in (["http://dead.invalid", "http://gone.invalid"], [], ["not a url"]):
        with (
            RegistryClient(urls, chain.genesis, transport=chain.transport) as c,
            pytest.raises(RegistryUnreachable),
        ):
            c.cosigned()


def test_a_real_closed_port_is_unreachable(world: World) -> None:
    with (
        RegistryClient("http://127.0.0.1:9", world[0].genesis, timeout=2.0) as client,
        pytest.raises(RegistryUnreachable),
    ):
        client.trust_bundle()


def test_a_server_that_fails_or_floods_is_not_believed(
    world: World,
) -> None:
    chain, issuer, _ = world

    def answering(answer: httpx.Response) -> RegistryClient:
        transport = httpx.MockTransport(lambda _: answer)
        return RegistryClient(URL, chain.genesis, transport=transport, now=lambda: chain.now)

    with pytest.raises(RegistryUnreachable):
        answering(httpx.Response(502, text="<html>")).cosigned()
    with pytest.raises(RegistryMisbehaved):
        answering(httpx.Response(302, headers={"Location": "http://169.254.0.1/"})).cosigned()
    with pytest.raises(RegistryMisbehaved):
        answering(httpx.Response(200, content=bytes(5 * 1024 * 1024))).cosigned()
    entry = anchor_entry(issuer.did, os.urandom(32))
    for body in (b"{}", b'{"indices":[1,2],"repeated":false}', b"[]", b'{"indices":["1"]}'):
        client = answering(httpx.Response(201, content=body))
        with pytest.raises(RegistryMisbehaved):
            client.submit(chain.genesis.identity_origin, [entry], issuer.key, issuer.key_url)
    refusal = httpx.Response(403, json={"error": "no"})
    with pytest.raises(SubmissionRefused):
        answering(refusal).submit(
            chain.genesis.identity_origin, [entry], issuer.key, issuer.key_url
        )


def test_an_older_state_shows_its_age(tmp_path: Path) -> None:
    with Consortium(tmp_path) as chain:
        held = chain.client.cosigned()
        for name in list(chain.nodes)[:2]:
            chain.stop_node(name)
        chain.advance(hours=5)
        chain.settle()
        assert chain.client.cosigned().time == held.time
        assert chain.bundle().age(chain.now).total_seconds() == 5 * 3600


def test_status_lists_are_kept_for_accredited_issuers_only(
    world: World,
) -> None:
    client = world[0].client
    document = {"id": "https://nobody.example/status/1", "issuer": "did:web:nobody.example"}
    with pytest.raises(SubmissionRefused) as refused:
        client.put_status_list(document)
    assert refused.value.params["cause"] == "ZL-NOT-PERMITTED"
    with pytest.raises(EntryUnknown):
        client.status_list(document_digest(document))


def test_errors_of_the_client_are_the_registrys() -> None:
    for error in (RegistryUnreachable, RegistryMisbehaved, SubmissionRefused, EntryUnknown):
        assert issubclass(error, RegistryError)


def test_a_misbehaving_address_is_left_for_the_next(world: World) -> None:
    chain = world[0]

    def liar(request: httpx.Request) -> httpx.Response:
        if request.url.host == "liar.invalid":
            return httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=b"")
        return chain.transport.handle_request(request)

    with RegistryClient(
        ["http://liar.invalid", chain.url],
        chain.genesis,
        transport=httpx.MockTransport(liar),
        now=lambda: chain.now,
    ) as client:
        assert client.cosigned().size == chain.client.cosigned().size


def test_many_proofs_come_with_the_state_they_were_checked_under(world: World) -> None:
    chain, _, entries = world
    origin = chain.genesis.identity_origin
    found = chain.client.proofs(origin, [*range(301), 5])
    assert found.under.size == 301
    assert found.under.main.cosigners.keys() == chain.nodes.keys()
    assert list(found.proofs) == list(range(301))
    bundle = chain.bundle()
    for index in (0, 77, 255, 256, 299):
        assert found.proofs[index] == chain.client.compact_proof(origin, index)
        place = bundle.anchor(origin, entries[index].leaf_hash, found.proofs[index])
        assert place.index == index
    few = chain.client.proofs(origin, [3, 299], under=found.under)
    assert few.proofs == {index: found.proofs[index] for index in (3, 299)}
    with pytest.raises(EntryUnknown):
        chain.client.proofs(origin, [0, 301])


def test_what_one_address_spoils_another_gives(world: World) -> None:
    chain, _, entries = world
    origin = chain.genesis.identity_origin
    transport = Meddling(chain.transport)
    transport.where, transport.change = "/tile/", flip

    def spoiled_by_the_registry(request: httpx.Request) -> httpx.Response:
        honest = request.url.host != "registry.invalid"
        return (chain.transport if honest else transport).handle_request(request)

    with RegistryClient(
        [URL, node_url(next(iter(chain.nodes)))],
        chain.genesis,
        transport=httpx.MockTransport(spoiled_by_the_registry),
        now=lambda: chain.now,
    ) as client:
        assert client.entries(origin, 0, 300) == entries
        assert client.proofs(origin, range(300)).proofs.keys() == set(range(300))


def test_the_newest_state_that_verifies_counts(tmp_path: Path) -> None:
    with Consortium(tmp_path) as chain:
        issuer = chain.add_issuer()
        ahead, behind, *_ = chain.nodes
        chain.part([behind], [SEQUENCER, CLIENT, *list(chain.nodes)[2:], ahead])
        origin = chain.genesis.identity_origin
        entry = anchor_entry(issuer.did, os.urandom(32))
        chain.client.submit(origin, [entry], issuer.key, issuer.key_url)
        assert chain.settle()
        chain.heal()
        with chain.client_of(behind, ahead) as client:
            assert client.cosigned(origin).size == 2
            assert client.entries(origin, 0, 1) == [entry]
            assert client.cosigned().root == chain.client.cosigned().root


def test_everything_can_be_read_from_a_node_alone(world: World) -> None:
    chain, issuer, entries = world
    origin = chain.genesis.identity_origin
    with chain.client_of(*chain.nodes) as client:
        assert client.entries(origin, 0, 300) == entries
        assert client.cosigned(origin).root == chain.client.cosigned(origin).root
        assert client.lookup(origin, entries[17].leaf_hash) == 17
        assert client.compact_proof(origin, 3) == chain.client.compact_proof(origin, 3)
        assert client.long_proof(origin, 299) == chain.client.long_proof(origin, 299)
        assert client.trust_bundle() == chain.client.trust_bundle()
        assert client.blocks() == chain.client.blocks()
        assert client.status()["main"] == chain.client.status()["main"]
        with pytest.raises(RegistryUnreachable):
            client.submit(
                origin, [anchor_entry(issuer.did, os.urandom(32))], issuer.key, issuer.key_url
            )
