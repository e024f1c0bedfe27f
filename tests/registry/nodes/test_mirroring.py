"""A node keeps a copy that serves every reader, survives its disk, and never cosigns two trees."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import rfc8785
from fastapi import FastAPI, Response

from registry.errors import NodeBusy, RegistryError, RegistryUnreachable, StoreFull
from registry.ledger.entries import Entry, anchor_entry, make_entry, status_entry
from registry.ledger.members import document_digest, encode_digest
from registry.nodes import mirror as mirror_module
from registry.nodes.recovery import needed
from registry.nodes.refusals import read_refusals
from registry.nodes.store import MIRROR_FILE
from registry.reading.sources import HttpSource
from registry.simulation.adversaries import DishonestNode, DishonestSequencer
from registry.simulation.simulator import CLIENT, SEQUENCER, Consortium, Party, node_url
from registry.tlog.checkpoint import open_checkpoint
from registry.tlog.merkle import leaf_hash
from registry.tlog.note import VerifierKey
from registry.tlog.tiles import Tile, encode_bundle


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Consortium]:
    with Consortium(tmp_path) as consortium:
        yield consortium


def submit(chain: Consortium, issuer: Party, count: int = 3) -> None:
    entries = [anchor_entry(issuer.did, os.urandom(32)) for _ in range(count)]
    chain.client.submit(chain.genesis.identity_origin, entries, issuer.key, issuer.key_url)


def resource(name: str) -> Entry:
    return make_entry(
        "resource", role="schema", url=f"https://{name}.example", digest=document_digest({})
    )


def assert_same(chain: Consortium, name: str) -> None:
    """The node's copy is the sequencer's chain, tile by tile."""
    mirrored = chain.nodes[name].reader.views
    honest = chain.sequencer.reader.views
    assert set(mirrored) == set(honest)
    for origin, view in honest.items():
        assert mirrored[origin].checkpoint == view.checkpoint
        assert mirrored[origin].entries(0, view.size) == view.entries(0, view.size)


# Serving


def test_a_node_serves_the_same_bytes_as_the_sequencer(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    submit(chain, issuer, 600)
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
        submit(chain, issuer, count)
        chain.settle()
        assert_same(chain, name)
    view = chain.nodes[name].reader.views[origin]
    for width in (1, 2, 103, 255):
        rows = view.entries(0, width)
        assert view.tile(Tile(-1, 0, width)) == encode_bundle(rows)
        assert view.tile(Tile(0, 0, width)) == b"".join(map(leaf_hash, rows))


def test_a_node_that_nobody_asks_follows_what_the_quorum_has_cosigned(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    aside, *others = chain.nodes
    chain.part([aside, CLIENT], [SEQUENCER, *others])  # of the others, it reaches nobody
    chain.heal()
    chain.part([SEQUENCER, CLIENT, *others], [aside])
    submit(chain, issuer)
    assert chain.settle()
    chain.heal()
    chain.part([SEQUENCER], [aside])  # now it reaches the other nodes, and not the sequencer
    chain.catch_up()
    assert_same(chain, aside)
    assert chain.nodes[aside].reader.cosigned() is not None


def test_without_the_sequencer_a_client_reads_from_nodes(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    submit(chain, issuer)
    chain.settle()
    chain.stop_sequencer()
    with chain.client_of(*chain.nodes) as client:
        assert len(client.entries(chain.genesis.identity_origin, 0, 4)) == 4
        assert client.status()["main"]["current"]


# A lost disk


def test_how_many_others_must_be_heard(chain: Consortium) -> None:
    assert needed(chain.genesis) == 2


def test_a_node_that_lost_its_disk_rebuilds_from_others_and_cosigns_again(
    chain: Consortium,
) -> None:
    issuer = chain.add_issuer()
    submit(chain, issuer, 300)
    chain.settle()
    name = next(iter(chain.nodes))
    chain.lose_disk(name)
    chain.start_node(name, lost=True)
    node = chain.nodes[name]
    assert node.asking
    chain.stop_sequencer()  # it comes back without the sequencer, from the other nodes
    chain.catch_up()
    assert not node.asking
    assert node.mirror.size == chain.nodes["public-security"].mirror.size
    chain.restart_sequencer()
    submit(chain, issuer)
    assert chain.settle()
    assert_same(chain, name)
    assert node.status()["cosigned"]["size"] == node.mirror.size
    assert not node.status()["recovering"]


def test_a_node_without_memory_cosigns_nothing_before_it_heard_the_others(
    chain: Consortium,
) -> None:
    issuer = chain.add_issuer()
    submit(chain, issuer)
    chain.settle()
    name, *others = chain.nodes
    chain.lose_disk(name)
    chain.part([name, SEQUENCER], others)
    chain.start_node(name, lost=True)
    chain.catch_up()
    assert chain.nodes[name].asking
    liar = DishonestSequencer(chain)
    answer = liar.ask(name)
    assert answer.status_code == 503
    assert b"ZL-NODE-RECOVERING" in answer.content
    assert chain.nodes[name].refusals() == []  # it says nothing about the chain
    chain.part([name, SEQUENCER, others[0]], others[1:])
    chain.catch_up()
    assert chain.nodes[name].asking  # one other is not enough
    chain.heal()
    chain.catch_up()
    assert liar.ask(name).status_code == 200
    liar.close()


def test_a_node_without_memory_does_not_help_a_fork(chain: Consortium) -> None:
    """It had cosigned the honest tree; the sequencer shows it another one after the loss."""
    issuer = chain.add_issuer()
    liar = DishonestSequencer(chain)  # from the state before
    submit(chain, issuer)
    chain.settle()
    size = chain.sequencer.reader.views[chain.genesis.origin].size
    name, *others = chain.nodes
    chain.lose_disk(name)
    liar.serve()
    while len(liar.rows[liar.main]) < size + 2:
        entry = resource(f"fork-{len(liar.rows[liar.main])}")
        liar.rows[liar.main] += liar.seal([entry])
    chain.start_node(name, lost=True)
    chain.catch_up()
    answer = liar.ask(name)
    assert answer.status_code == 422, answer.content
    accomplice = DishonestNode(chain, others[0])
    signed, refused = liar.collect(name, *others)
    assert signed == [accomplice.name]  # with one dishonest node of four there is no quorum
    assert len(refused) == 3
    liar.close()


def test_a_record_restored_from_an_old_copy_is_noticed(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    name = next(iter(chain.nodes))
    chain.stop_node(name)
    folder = chain.node_folder(name)
    old = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    chain.start_node(name)
    liar = DishonestSequencer(chain)
    submit(chain, issuer)
    chain.settle()
    size = chain.nodes[name].status()["cosigned"]["size"]
    chain.stop_node(name)
    for path in folder.iterdir():
        path.unlink()
    for file, data in old.items():
        (folder / file).write_bytes(data)
    chain.start_node(name)
    node = chain.nodes[name]
    assert node.status()["cosigned"]["size"] < size
    node.learn(chain.catching_up[name]._inquiry.run())
    floor = node.floor()
    assert floor is not None
    assert floor.size == size
    # The tree that it had cosigned binds it, though its own record says nothing of it.
    liar.rows[liar.main] += liar.seal([resource("elsewhere")])
    liar.serve()
    assert liar.ask(name).status_code in (422, 503)
    liar.close()


def test_a_long_way_is_gone_in_pieces_and_resumed(
    chain: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = chain.add_issuer()
    name, *others = chain.nodes
    chain.part([name], [SEQUENCER, CLIENT, *others])
    for _ in range(6):
        submit(chain, issuer, 20)
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
    submit(chain, issuer)
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


# What was refused


def test_a_refusal_keeps_reason_and_evidence(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    submit(chain, issuer)
    chain.settle()
    liar = DishonestSequencer(chain)
    liar.serve()
    name = next(iter(chain.nodes))
    index = len(liar.rows[liar.genesis.identity_origin])
    stranger = Party(
        "did:web:stranger.example", issuer.key, "did:web:stranger.example#key-1", issuer.document
    )
    forbidden = anchor_entry(stranger.did, os.urandom(32))
    liar.record(
        liar.genesis.identity_origin,
        liar.seal_as(stranger, liar.genesis.identity_origin, [forbidden]),
    )
    for _ in range(3):
        assert liar.ask(name).status_code == 422
    [refusal] = chain.nodes[name].refusals()  # the same one is kept once
    assert refusal.code == "ZL-CHAIN-INVALID"
    assert refusal.origin == liar.genesis.identity_origin
    assert refusal.index == index
    assert refusal.leaves[0] == forbidden.raw
    signed = open_checkpoint(refusal.note, liar.main, [VerifierKey.parse(liar.genesis.log_key)])
    assert signed.size == len(liar.rows[liar.main])  # the sequencer's own signature convicts it
    with httpx.Client(transport=chain.transport) as http:
        [told] = http.get(f"{node_url(name)}/refusals").json()["refusals"]
    assert told["leaves"][0]["text"] == forbidden.raw.decode()
    assert told["origin"] == refusal.origin
    assert read_refusals(chain.node_folder(name) / MIRROR_FILE) == [
        refusal
    ]  # also from outside, while it runs
    liar.close()


def test_a_rewritten_entry_gets_no_cosignature(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    submit(chain, issuer)
    chain.settle()
    liar = DishonestSequencer(chain)
    liar.serve()
    liar.rewrite(liar.main, 3, resource("rewritten").raw)
    liar.record(
        liar.genesis.identity_origin,
        liar.seal_as(
            issuer, liar.genesis.identity_origin, [anchor_entry(issuer.did, os.urandom(32))]
        ),
    )
    signed, refused = liar.collect(*chain.nodes)
    assert signed == []
    assert len(refused) == 4
    for name in chain.nodes:
        assert "ZL-PROOF-CONSISTENCY" in chain.nodes[name].refusals()[0].reason
    liar.close()


def test_a_quorum_that_breaks_the_rules_is_not_followed(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    submit(chain, issuer)
    chain.settle()
    honest, *others = chain.nodes
    liar = DishonestSequencer(chain)
    liar.serve()
    size = chain.nodes[honest].mirror.size
    for name in others:
        DishonestNode(chain, name)
    liar.rows[liar.main] += liar.seal([anchor_entry(issuer.did, bytes(32))])
    assert liar.collect(*chain.nodes) == (others, [honest])
    chain.catching_up[honest].turn(everybody=True)
    node = chain.nodes[honest]
    assert node.mirror.size == size
    assert node.reader.cosigned().size == size  # type: ignore[union-attr]
    assert any("does not take" in refusal.reason for refusal in node.refusals())
    liar.close()


def test_a_damaged_copy_is_noticed_when_it_is_read(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    submit(chain, issuer, 300)
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


# What must not get a node's cosignature, over HTTP


def side(liar: DishonestSequencer, leaves: list[bytes], **changes: object) -> None:
    liar.record(liar.genesis.identity_origin, leaves, **changes)


def sealed(liar: DishonestSequencer, issuer: Party, count: int = 2) -> list[bytes]:
    entries = [anchor_entry(issuer.did, os.urandom(32)) for _ in range(count)]
    return liar.seal_as(issuer, liar.genesis.identity_origin, entries)


def unsigned(liar: DishonestSequencer, issuer: Party) -> None:
    leaves = sealed(liar, issuer)
    seal = json.loads(leaves[-1])
    seal["sig"] = encode_digest(bytes(64))
    side(liar, [*leaves[:-1], rfc8785.dumps(seal)])


def expired(liar: DishonestSequencer, issuer: Party) -> None:
    late = replace(issuer, did="did:web:past.example", key_url="did:web:past.example#key-1")
    side(liar, sealed(liar, late))


def swapped(liar: DishonestSequencer, issuer: Party) -> None:
    one, two, seal = sealed(liar, issuer)
    side(liar, [two, one, seal])


def earlier_batch_later(liar: DishonestSequencer, issuer: Party) -> None:
    side(liar, sealed(liar, issuer))
    gap = len(liar.rows[liar.genesis.identity_origin])
    side(liar, sealed(liar, issuer), start=gap - 1)


REFUSED: dict[str, tuple[Callable[[DishonestSequencer, Party], None], str]] = {
    "malformed": (
        lambda liar, issuer: side(liar, [b'{"kind": "anchor"}', *sealed(liar, issuer)]),
        "not JSON in canonical form",
    ),
    "of no kind": (
        lambda liar, issuer: side(liar, [b'{"kind":"wish","v":1}', *sealed(liar, issuer)]),
        "kind",
    ),
    "never sealed": (
        lambda liar, issuer: side(liar, sealed(liar, issuer)[:-1]),
        "it does not end with a seal",
    ),
    "unsigned": (unsigned, "seal"),
    "in another's name": (
        lambda liar, issuer: side(
            liar,
            liar.seal_as(
                issuer,
                liar.genesis.identity_origin,
                [anchor_entry("did:web:other.example", os.urandom(32))],
            ),
        ),
        "somebody else",
    ),
    "of one who is not accredited": (expired, "may not write this"),
    "on the wrong chain": (
        lambda liar, issuer: liar.record(
            liar.genesis.access_origin,
            liar.seal_as(
                issuer, liar.genesis.access_origin, [anchor_entry(issuer.did, os.urandom(32))]
            ),
        ),
        "does not take entries",
    ),
    "rules by an issuer": (
        lambda liar, issuer: liar.rows[liar.main].extend(
            liar.seal_as(issuer, liar.main, [resource("by-an-issuer")])
        ),
        "may not write this",
    ),
    "swapped within its seal": (swapped, "the seal is of other entries"),
    "overlapping batches": (earlier_batch_later, "does not follow the one before"),
    "sealed long before its forerunner": (
        lambda liar, issuer: side(
            liar,
            liar.seal(
                [anchor_entry(issuer.did, os.urandom(32))],
                origin=liar.genesis.identity_origin,
                submitter=issuer.did,
                key_url=issuer.key_url,
                signer=issuer.key,
                now=liar.chain.now - timedelta(hours=1),
            ),
        ),
        "long before the seal that precedes it",
    ),
    "a second time": (
        lambda liar, issuer: side(liar, liar.rows[liar.genesis.identity_origin][:4]),
        "on the chain already",
    ),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Consortium, Party]]:
    with Consortium(tmp_path_factory.mktemp("world")) as consortium:
        issuer = consortium.add_issuer()
        consortium.advance(hours=2)
        submit(consortium, issuer)
        consortium.settle()
        yield consortium, issuer


@pytest.mark.parametrize(("spoil", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_no_honest_node_cosigns_what_is_forbidden(
    world: tuple[Consortium, Party],
    spoil: Callable[[DishonestSequencer, Party], None],
    says: str,
) -> None:
    consortium, issuer = world
    honest = consortium.transport.apps["registry.invalid"]
    size = consortium.sequencer.reader.view(consortium.genesis.origin).size
    liar = DishonestSequencer(consortium)
    liar.serve()
    try:
        spoil(liar, issuer)
        signed, refused = liar.collect(*consortium.nodes)
        assert signed == []
        assert refused == list(consortium.nodes)
        for node in consortium.nodes.values():
            refusal = node.refusals()[0]
            assert refusal.code == "ZL-CHAIN-INVALID"
            assert says in refusal.reason
            assert refusal.leaves
            assert node.mirror.size == size
    finally:
        liar.close()
        consortium.transport.apps["registry.invalid"] = honest


def test_reading_from_a_slow_node_gives_way_to_cosigning(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    name, *others = chain.nodes
    chain.part([name], [SEQUENCER, CLIENT, *others])
    submit(chain, issuer)
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


def test_a_node_that_cannot_serve_what_it_shows_is_left_alone(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    name, liar, *others = chain.nodes
    chain.part([name], [SEQUENCER, CLIENT, liar, *others])
    submit(chain, issuer)
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
    submit(chain, issuer)
    assert chain.settle()
    rules = chain.sequencer.chains.catalogue.rules(10**6)
    assert chain.nodes[name].mirror.catalogue.rules(10**6) == rules
    with chain.client_of(name) as client:
        assert client.trust_bundle() == chain.client.trust_bundle()
