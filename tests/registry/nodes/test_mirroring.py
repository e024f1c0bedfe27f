"""A node keeps a copy of every chain, from whoever has it, and serves every reader from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Response

from registry.errors import NodeBusy, RegistryError, RegistryUnreachable, StoreFull
from registry.ledger.entries import anchor_entry, status_entry
from registry.ledger.members import document_digest
from registry.nodes import mirror as mirror_module
from registry.nodes.store import MIRROR_FILE
from registry.reading.sources import HttpSource
from registry.simulation.adversaries import DishonestSequencer
from registry.simulation.simulator import CLIENT, SEQUENCER, Consortium, node_url
from registry.tlog.merkle import leaf_hash
from registry.tlog.tiles import Tile, encode_bundle
from tests.registry.nodes.copies import assert_same
from tests.registry.submissions import anchor

# Serving


def test_a_node_serves_the_same_bytes_as_the_sequencer(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    anchor(chain, issuer, 600)
    document = {"id": "https://issuer.example/status/1", "kept": True}
    digest = document_digest(document)
    chain.client.submit(
        chain.genesis.identity_origin,
        [status_entry(issuer.did, "https://issuer.example/status/1", digest, chain.now)],
        issuer.key,
        issuer.key_url,
    )
    chain.settle()
    chain.client.put_status_list(document)
    for name in chain.nodes:
        chain.catching_up[name]._again.clear()
    chain.catch_up()
    origin = chain.genesis.identity_origin
    paths = [
        "genesis",
        "bundle",
        "blocks?limit=5",
        f"status-lists/{digest}",
        f"{chain.genesis.origin}/checkpoint",
        f"{origin}/checkpoint",
        f"{origin}/cosigned",
        f"{origin}/cosigned?covering=3",
        f"{origin}/tile/0/000",
        f"{origin}/tile/0/002.p/80",
        f"{origin}/tile/1/000.p/2",
        f"{origin}/tile/entries/001",
        f"{origin}/tile/entries/002.p/90",
        f"{origin}/lookup/" + "00" * 32,
        f"{origin}/tile/0/009",
        f"{chain.genesis.access_origin}/checkpoint",
        "nowhere/at/all/checkpoint",
    ]
    with httpx.Client(transport=chain.transport) as http:
        for path in paths:
            honest = http.get(f"{chain.url}/{path}")
            for name in chain.nodes:
                answer = http.get(f"{node_url(name)}/{path}")
                assert answer.status_code == honest.status_code, path
                if honest.status_code == 200:
                    assert answer.content == honest.content, path
    assert_same(chain, next(iter(chain.nodes)))


def test_partial_tiles_of_earlier_sizes_are_served_while_a_chain_grows(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    name = next(iter(chain.nodes))
    origin = chain.genesis.identity_origin
    for count in (1, 100, 154, 1, 255, 300):
        anchor(chain, issuer, count)
        chain.settle()
        assert_same(chain, name)
    view = chain.nodes[name].reader.views[origin]
    for width in (1, 2, 103, 255):
        rows = view.entries(0, width)
        assert view.tile(Tile(-1, 0, width)) == encode_bundle(rows)
        assert view.tile(Tile(0, 0, width)) == b"".join(map(leaf_hash, rows))


def test_without_the_sequencer_a_client_reads_from_nodes(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    anchor(chain, issuer, 3)
    chain.settle()
    chain.stop_sequencer()
    with chain.client_of(*chain.nodes) as client:
        assert len(client.entries(chain.genesis.identity_origin, 0, 4)) == 4
        assert client.status()["main"]["current"]


def test_a_damaged_copy_is_noticed_when_it_is_read(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    anchor(chain, issuer, 300)
    chain.settle()
    name = next(iter(chain.nodes))
    chain.stop_node(name)
    with sqlite3.connect(chain.node_folder(name) / MIRROR_FILE) as db:
        db.execute(
            "UPDATE tiles SET data = zeroblob(length(data)) WHERE level = -1 AND width = 256"
        )
    db.close()
    chain.start_node(name)
    view = chain.nodes[name].reader.views[chain.genesis.identity_origin]
    with pytest.raises(RegistryError):
        view.entries(0, 10)
    with httpx.Client(transport=chain.transport) as http:
        path = f"{node_url(name)}/{chain.genesis.identity_origin}/tile/entries/000"
        assert http.get(path).status_code >= 400


# Following


def test_a_node_that_nobody_asks_follows_what_the_quorum_has_cosigned(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    aside, *others = chain.nodes
    chain.part([aside, CLIENT], [SEQUENCER, *others])  # of the others, it reaches nobody
    chain.heal()
    chain.part([SEQUENCER, CLIENT, *others], [aside])
    anchor(chain, issuer, 3)
    assert chain.settle()
    chain.heal()
    chain.part([SEQUENCER], [aside])  # now it reaches the other nodes, and not the sequencer
    chain.catch_up()
    assert_same(chain, aside)
    assert chain.nodes[aside].reader.cosigned() is not None


def test_a_long_way_is_gone_in_pieces_and_resumed(
    chain: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = chain.add_issuer()
    name, *others = chain.nodes
    chain.part([name], [SEQUENCER, CLIENT, *others])
    for _ in range(6):
        anchor(chain, issuer, 20)
        chain.settle()
    chain.heal()
    monkeypatch.setattr(mirror_module, "PIECE", 30)
    node = chain.nodes[name]
    before = node.mirror.size
    read = HttpSource.__call__
    calls = 0

    def failing(self: HttpSource, origin: str, start: int, end: int) -> Iterator[bytes]:
        nonlocal calls
        calls += 1
        for raw in read(self, origin, start, end):
            if calls == 5:
                raise RegistryUnreachable(reason="cut off")
            yield raw

    with monkeypatch.context() as patched:
        patched.setattr(HttpSource, "__call__", failing)
        chain.part([name, SEQUENCER], others)
        chain.catching_up[name].turn()
    middle = node.mirror.size
    assert before < middle < chain.sequencer.reader.views[chain.genesis.origin].size
    chain.stop_node(name)
    chain.start_node(name)
    assert chain.nodes[name].mirror.size == middle
    chain.heal()
    chain.catch_up()
    assert_same(chain, name)


def test_a_source_that_lies_costs_only_time(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    name, *others = chain.nodes
    chain.part([name], [SEQUENCER, CLIENT, *others])
    anchor(chain, issuer, 3)
    assert chain.settle()
    chain.heal()
    liar = DishonestSequencer(chain)
    liar.published[liar.main] = chain.sequencer.reader.checkpoint(liar.main)
    liar.rewrite(liar.genesis.identity_origin, 0, anchor_entry(issuer.did, bytes(32)).raw)
    honest = chain.transport.apps["registry.invalid"]
    liar.serve()
    chain.catch_up()
    chain.transport.apps["registry.invalid"] = honest
    assert_same(chain, name)
    assert chain.nodes[name].refusals() == []
    liar.close()


def test_a_node_that_cannot_serve_what_it_shows_is_left_alone(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    name, liar, *others = chain.nodes
    chain.part([name], [SEQUENCER, CLIENT, liar, *others])
    anchor(chain, issuer, 3)
    assert chain.settle()
    note = chain.sequencer.reader.checkpoint(chain.genesis.origin)
    app = FastAPI()

    @app.get("/{origin:path}/checkpoint")
    def checkpoint(origin: str) -> Response:
        known = origin == chain.genesis.origin
        return Response(note if known else b"", 200 if known else 404)

    chain.transport.apps[f"{liar}.invalid"] = app
    chain.heal()
    chain.part([name, liar], [SEQUENCER, *others])
    chain.catching_up[name].turn(everybody=True)
    source = chain._peers[name].nodes[liar]
    assert source.shunned
    chain.heal()
    chain.catch_up()
    assert_same(chain, name)


def test_reading_from_a_slow_node_gives_way_to_cosigning(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    name, *others = chain.nodes
    chain.part([name], [SEQUENCER, CLIENT, *others])
    anchor(chain, issuer, 3)
    assert chain.settle()
    chain.heal()
    chain.part([name], [SEQUENCER])
    node = chain.nodes[name]
    size = node.mirror.size
    node._waiting = 1  # the sequencer asks meanwhile
    with pytest.raises(NodeBusy):
        chain.catching_up[name].turn(everybody=True)
    assert node.mirror.size == size
    node._waiting = 0
    chain.catching_up[name].turn(everybody=True)
    assert_same(chain, name)


def test_look_up_tables_that_could_not_be_written_are_made_up_for(
    chain: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(iter(chain.nodes))

    def full(*_: object) -> bool:
        raise StoreFull(store="catalogue")

    with monkeypatch.context() as patched:
        for node in chain.nodes.values():
            patched.setattr(node.mirror.catalogue, "take", full)
        issuer = chain.add_issuer()
    anchor(chain, issuer, 3)
    assert chain.settle()
    rules = chain.sequencer.chains.catalogue.rules(10**6)
    assert chain.nodes[name].mirror.catalogue.rules(10**6) == rules
    with chain.client_of(name) as client:
        assert client.trust_bundle() == chain.client.trust_bundle()
