"""A dishonest sequencer and a dishonest node: who notices, by which name, and what it costs.

The consortium is the simulator's: real code, spoken to through its real HTTP faces, without
sockets. Nodes refuse by name and keep the evidence that the sequencer signed; a monitor alarms; and
nobody accepts less than three of four.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from registry.errors import RegistryError
from registry.ledger.entries import anchor_entry, make_entry, parse_entry, status_entry
from registry.ledger.members import encode_digest
from registry.simulation.adversaries import DishonestNode, DishonestSequencer
from registry.simulation.simulator import NODES, URL, Consortium, Party, node_url
from registry.tlog.checkpoint import open_checkpoint
from registry.tlog.note import Note, VerifierKey
from registry.trust.evidence import Fork, Statement
from registry.watching.monitor import Monitor, Round
from registry.witnessing.cosigning import MAX_NODE_ANSWER
from schemas.digests import digest_multibase

NAMES = tuple(NODES)
LIST = "https://issuer.example/status/1"


class Town:
    """A consortium with an issuer that has anchored and published a status list."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.chain = Consortium(folder / "town")
        self.issuer: Party = self.chain.add_issuer()
        self.side = self.chain.genesis.identity_origin
        self.submit(*(anchor_entry(self.issuer.did, os.urandom(32)) for _ in range(3)))
        self.old_list = status_entry(self.issuer.did, LIST, _digest(), self.chain.now)
        self.submit(self.old_list)
        self.chain.advance(minutes=1)
        self.submit(status_entry(self.issuer.did, LIST, _digest(), self.chain.now))

    def submit(self, *entries: Any) -> None:
        self.chain.client.submit(self.side, entries, self.issuer.key, self.issuer.key_url)
        assert self.chain.settle()

    def look(self, *urls: str) -> Round:
        monitor = Monitor(
            self.chain.genesis,
            urls or (URL, *map(node_url, NAMES)),
            self.folder / "watch",
            now=lambda: self.chain.now,
            transport=self.chain.transport,
        )
        try:
            return monitor.look()
        finally:
            monitor.close()


def _digest() -> str:
    return digest_multibase(os.urandom(32))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = Town(tmp_path_factory.mktemp("dishonest"))
    assert made.look().alarms == []
    yield made
    made.chain.close()


@pytest.fixture
def town(shared: Town) -> Iterator[Town]:
    """One consortium for all: whatever was done to it, it must be able to go on afterwards."""
    apps = shared.chain.transport.apps
    honest = apps["registry.invalid"]
    yield shared
    apps["registry.invalid"] = honest
    apps.update({f"{name}.invalid": shared.chain._apps[name] for name in NAMES})
    shared.chain.advance(minutes=1)
    shared.submit(anchor_entry(shared.issuer.did, os.urandom(32)))


@pytest.fixture
def forked(tmp_path: Path) -> Iterator[Town]:
    """One that is to be forked: its nodes never go back."""
    made = Town(tmp_path)
    yield made
    made.chain.close()


# Each deed changes what the sequencer has, and signs it.


def rewrite_main(town: Town, liar: DishonestSequencer) -> None:
    liar.rewrite(liar.main, 3, _resource("rewritten").raw)
    _go_on(town, liar)


def rewrite_before_cosigning(town: Town, liar: DishonestSequencer) -> None:
    """An entry that was acknowledged, and replaced before any node saw it."""
    rows = liar.seal_as(town.issuer, town.side, [anchor_entry(town.issuer.did, os.urandom(32))])
    rows[0] = anchor_entry(town.issuer.did, bytes(32)).raw
    liar.record(town.side, rows)


def rewrite_side(town: Town, liar: DishonestSequencer) -> None:
    liar.rewrite(town.side, 0, anchor_entry(town.issuer.did, bytes(32)).raw)
    _go_on(town, liar)


def drop_acknowledged(town: Town, liar: DishonestSequencer) -> None:
    del liar.rows[town.side][-2:]
    _go_on(town, liar)


def backdate(town: Town, liar: DishonestSequencer) -> None:
    entry = anchor_entry(town.issuer.did, os.urandom(32))
    early = liar.chain.now - timedelta(days=2)
    rows = liar.seal(
        [entry],
        origin=town.side,
        submitter=town.issuer.did,
        key_url=town.issuer.key_url,
        signer=town.issuer.key,
        now=early,
    )
    liar.record(town.side, rows)


def let_in_a_stranger(town: Town, liar: DishonestSequencer) -> None:
    key = town.issuer.key
    stranger = Party("did:web:stranger.example", key, "did:web:stranger.example#key-1", {})
    entry = anchor_entry(stranger.did, os.urandom(32))
    liar.record(town.side, liar.seal_as(stranger, town.side, [entry]))


def show_an_old_list(town: Town, liar: DishonestSequencer) -> None:
    """The newest list is followed by one of an earlier time."""
    older = status_entry(town.issuer.did, LIST, _digest(), liar.chain.now - timedelta(minutes=30))
    liar.record(town.side, liar.seal_as(town.issuer, town.side, [older]))


def claim_an_old_list(town: Town, liar: DishonestSequencer) -> None:
    """The checkpoint on the main chain names an older list than the chain has."""
    from registry.contracts.governance import lists_digest

    rows = [parse_entry(raw) for raw in liar.rows[town.side]]
    index = next(n for n, row in enumerate(rows) if row.kind == "status")
    fresh = anchor_entry(town.issuer.did, os.urandom(32))
    liar.record(
        town.side,
        liar.seal_as(town.issuer, town.side, [fresh]),
        lists=lists_digest({LIST: (index, rows[index])}),
    )


def anchor_a_wrong_subtree(town: Town, liar: DishonestSequencer) -> None:
    fresh = anchor_entry(town.issuer.did, os.urandom(32))
    liar.record(
        town.side,
        liar.seal_as(town.issuer, town.side, [fresh]),
        subtree=encode_digest(bytes(32)),
    )


def _resource(name: str) -> Any:
    return make_entry(
        "resource", role="schema", url=f"https://schema.example/{name}", digest=_digest()
    )


def _go_on(town: Town, liar: DishonestSequencer) -> None:
    fresh = anchor_entry(town.issuer.did, os.urandom(32))
    liar.record(town.side, liar.seal_as(town.issuer, town.side, [fresh]))


DEEDS: dict[str, tuple[Callable[[Town, DishonestSequencer], None], str]] = {
    "an entry of the main chain rewritten after cosigning": (
        rewrite_main,
        "ZL-PROOF-CONSISTENCY",
    ),
    "an entry rewritten before cosigning": (rewrite_before_cosigning, "ZL-CHAIN-INVALID"),
    "an entry of a side chain rewritten after cosigning": (rewrite_side, "ZL-CHAIN-INVALID"),
    "an acknowledged entry dropped after cosigning": (drop_acknowledged, "ZL-CHAIN-INVALID"),
    "a backdated seal": (backdate, "ZL-CHAIN-INVALID"),
    "an entry of a stranger": (let_in_a_stranger, "ZL-CHAIN-INVALID"),
    "a status list older than the one before it": (show_an_old_list, "ZL-CHAIN-INVALID"),
    "a checkpoint that names an old status list": (claim_an_old_list, "ZL-CHAIN-INVALID"),
    "a checkpoint with a wrong subtree": (anchor_a_wrong_subtree, "ZL-CHAIN-INVALID"),
}


@pytest.mark.parametrize("name", DEEDS)
def test_what_a_dishonest_sequencer_does_gets_no_cosignature(town: Town, name: str) -> None:
    deed, code = DEEDS[name]
    before = town.chain.client.cosigned()
    liar = DishonestSequencer(town.chain)
    liar.published[liar.main] = before.main.data
    deed(town, liar)
    liar.serve()
    assert liar.collect(*NAMES) == ([], list(NAMES))
    for node in town.chain.nodes.values():
        refusal = node.refusals()[0]
        assert refusal.code == code
        # The sequencer's own signature convicts it.
        signed = open_checkpoint(refusal.note, liar.main, town.chain.genesis.log_keys)
        assert signed.size == len(liar.rows[liar.main])
        assert node._cosigned().size == before.main.size
    assert town.chain.client.cosigned().main.root == before.main.root
    assert any("refus" in alarm.kind for alarm in town.look().alarms)
    liar.close()


def test_two_trees_for_two_halves_of_the_nodes_get_no_quorum_and_are_proved(forked: Town) -> None:
    one, other = DishonestSequencer(forked.chain), DishonestSequencer(forked.chain)
    for liar, names in ((one, NAMES[:2]), (other, NAMES[2:])):
        _go_on(forked, liar)
        liar.serve()
        assert liar.collect(*names) == (list(names), [])
    assert one.published == other.published == {}
    assert one.collect(*NAMES[2:])[0] == []  # they never roll back
    assert other.collect(*NAMES[:2])[0] == []
    fork = Fork(one.main, Statement(one.note()), Statement(other.note()))
    assert fork.verify(forked.chain.genesis)  # anybody can check it, with the genesis alone
    for name in NAMES:
        assert forked.chain.nodes[name].refusals()[0].code == "ZL-PROOF-CONSISTENCY"
    one.close()
    other.close()


def test_one_dishonest_node_makes_no_fork(forked: Town) -> None:
    rogue = DishonestNode(forked.chain, NAMES[3])
    one, other = DishonestSequencer(forked.chain), DishonestSequencer(forked.chain)
    _go_on(forked, one)
    one.serve()
    assert one.collect(*NAMES)[0] == list(NAMES)  # what is valid is cosigned
    _go_on(forked, other)
    other.serve()
    assert other.collect(*NAMES)[0] == [rogue.name]
    assert other.published == {}
    # What two cosignatures make of it convinces nobody.
    note = Note.parse(other.note())
    lines = Note.parse(note.text.encode() + b"\n" + rogue.cosign(other.note()))
    forged = note.with_signatures(lines.signatures).encode()
    with pytest.raises(RegistryError):
        forked.chain.genesis.policy.check(forged, origin=other.main)
    with pytest.raises(RegistryError):
        forked.chain.client.cosigned()  # nothing published by `other` counts
    one.close()
    other.close()


# A node that answers what it should not.


def _app(answer: Callable[[bytes], Response]) -> FastAPI:
    app = FastAPI()

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        return answer(await request.body())

    return app


def _slowly(_: bytes) -> Response:
    time.sleep(1.5)
    return Response("too late\n", 503)


def _of_another(body: bytes) -> Response:
    """A line by a key that is not its own."""
    return Response("— somebody.example/node AAAAAGFsbA==\n".encode())


ANSWERS: dict[str, Callable[[bytes], Response]] = {
    "garbage": lambda _: Response(os.urandom(400)),
    "nothing": lambda _: Response(b""),
    "a huge answer": lambda _: Response(b"A" * (MAX_NODE_ANSWER * 64)),
    "slowly": _slowly,
    "a denial": lambda _: Response("no\n", 422),
    "an impossible size": lambda _: Response("99999999999999999999\n", 409),
    "a larger size for ever": lambda _: Response("1000000\n", 409),
    "an error of its own": lambda _: Response("", 500),
    "a line of another": _of_another,
    "the request itself": Response,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_chain_goes_on_without_a_node_that_answers(town: Town, name: str) -> None:
    town.chain.transport.apps[f"{NAMES[1]}.invalid"] = _app(ANSWERS[name])
    for _ in range(2):
        town.chain.client.submit(
            town.side,
            [anchor_entry(town.issuer.did, os.urandom(32))],
            town.issuer.key,
            town.issuer.key_url,
        )
        assert town.chain.sequencer.step(patient=True)
    size = town.chain.sequencer.chains.main.view.size
    cosigned = town.chain.client.cosigned()
    assert cosigned.main.size == size
    [alarm] = [one for one in town.chain.sequencer.status()["alarms"] if NAMES[1] in one]
    assert alarm
    # With one more gone there is no quorum, whatever that node says, and nothing is accepted.
    town.chain.stop_node(NAMES[0])
    town.chain.add_verifier(f"did:web:{os.urandom(4).hex()}.example")
    assert not town.chain.sequencer.step(patient=True)
    assert town.chain.client.cosigned().main.size == size
    town.chain.start_node(NAMES[0])
    assert town.chain.sequencer.step(patient=True)


def test_a_client_accepts_no_two_cosignatures(town: Town) -> None:
    note = Note.parse(town.chain.sequencer.reader.checkpoint(town.chain.genesis.origin) or b"")
    keys = [key for node in town.chain.genesis.nodes[:2] for key in node.keys]
    kept = [
        s
        for s in note.signatures
        if s.name == town.chain.genesis.origin or any(s.name == key.name for key in keys)
    ]
    two = Note(note.text, tuple(kept)).encode()
    assert VerifierKey.parse(town.chain.genesis.log_key)
    liar = DishonestSequencer(town.chain)
    liar.published[liar.main] = two
    liar.serve()
    with pytest.raises(RegistryError) as caught:
        town.chain.client.cosigned()
    assert "QUORUM" in caught.value.code
    with httpx.Client(transport=town.chain.transport) as http:
        assert http.get(f"{URL}/{liar.main}/checkpoint").content == two
    liar.close()
