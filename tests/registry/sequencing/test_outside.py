"""Witnesses and mirrors beyond the nodes: asked, attached, and never in the way."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI

from registry.ledger.entries import anchor_entry
from registry.limits import MAX_NOTE_SIGNATURES
from registry.sequencing.outside import OutsidePolicies
from registry.simulation.simulator import Consortium
from registry.tlog.checkpoint import open_checkpoint
from registry.tlog.note import ED25519_COSIGNATURE, ML_DSA_44, Note, NoteSigner
from registry.tlog.policy import Policy
from registry.witnessing.mirror import Mirror
from registry.witnessing.mirror_api import add_mirror_routes
from registry.witnessing.mirror_store import MirrorStore
from registry.witnessing.witness import Witness
from registry.witnessing.witness_api import add_witness_routes
from registry.witnessing.witness_store import WitnessStore
from tests.waiting import until

W_ED = NoteSigner.from_seed("witness.example/w", b"\x01" * 32, ED25519_COSIGNATURE)
W_PQ = NoteSigner.from_seed("witness.example/w", b"\x02" * 32, ML_DSA_44)
M = NoteSigner.from_seed("mirror.example/m", b"\x03" * 32, ML_DSA_44)


def policy(*lines: str, quorum: str = "none") -> Policy:
    return Policy.parse("\n".join([*lines, f"quorum {quorum}", ""]).encode())


WITNESSES = (
    f"witness ed {W_ED.key.encode()} http://witness.invalid/w",
    f"witness pq {W_PQ.key.encode()} http://witness.invalid/w",
    f"witness nowhere {M.key.encode()}",
)
MIRRORS = (f"witness m {M.key.encode()} http://mirror.invalid/mirror",)


class World:
    def __init__(self, folder: Path, *, sides_too: bool = False) -> None:
        self.chain = Consortium(folder)
        logs = {self.chain.genesis.origin: self.chain.genesis.log_keys}
        governance = self.chain.sequencer.chains.governance
        sides = {side.origin: side.log_keys for side in governance.chains.values()}
        self.witness_store = WitnessStore(folder / "w.sqlite")
        self.mirror_store = MirrorStore(folder / "copies.sqlite")
        self.witness = Witness(
            self.witness_store, [W_ED, W_PQ], {**logs, **sides} if sides_too else logs
        )
        self.mirror = Mirror(self.mirror_store, [M], {**logs, **sides})
        self.up()

    def up(self) -> None:
        app = FastAPI()
        add_witness_routes(app, self.witness, prefix="/w")
        self.chain.transport.apps["witness.invalid"] = app
        app = FastAPI()
        add_mirror_routes(app, self.mirror)
        self.chain.transport.apps["mirror.invalid"] = app

    def down(self) -> None:
        for host in ("witness.invalid", "mirror.invalid"):
            self.chain.transport.apps.pop(host, None)

    def ask(self, witnesses: Policy | None, mirrors: Policy | None) -> None:
        self.chain.outside = OutsidePolicies(witnesses, mirrors, self.chain.transport)
        self.chain.restart_sequencer()

    def published(self, origin: str | None = None) -> bytes:
        chains = self.chain.sequencer.chains
        note = chains.log(origin or self.chain.genesis.origin).published()
        assert note is not None
        return note

    def lines(self, *signers: NoteSigner, origin: str | None = None) -> int:
        ids = {(signer.key.name, signer.key.id) for signer in signers}
        note = Note.parse(self.published(origin))
        return sum((s.name, s.key_id) in ids for s in note.signatures)

    def close(self) -> None:
        self.chain.close()
        self.witness_store.close()
        self.mirror_store.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_witnesses_and_mirrors_are_attached(world: World) -> None:
    world.ask(policy(*WITNESSES), policy(*MIRRORS))
    world.chain.add_issuer()
    sequencer = world.chain.sequencer

    def done() -> bool:
        sequencer.step()
        return world.lines(W_ED, W_PQ) == 2 and world.lines(M) == 1

    until(done)
    # Whoever knows the genesis alone sees what he saw before.
    genesis = world.chain.genesis
    assert len(genesis.policy.check(world.published()).cosigners) == 4
    found = policy(f"log {genesis.log_key}", *WITNESSES, quorum="pq").check(world.published())
    assert found.cosigners.keys() == {"pq"}
    until(
        lambda: [(one["role"], one["lag"], one["error"]) for one in sequencer.status()["outside"]],
        lambda found: found == [("witness", 0, None), ("mirror", 0, None)],
    )
    # The mirror has every chain, and of the main chain what was cosigned.
    digest = sha256(genesis.origin.encode()).hexdigest()
    copy = open_checkpoint(
        world.mirror.checkpoint(digest).body, genesis.origin, genesis.log_keys, [M.key]
    )
    assert copy.size == sequencer.chains.main.size


def test_side_chains_are_witnessed_by_whoever_follows_them(tmp_path: Path) -> None:
    world = World(tmp_path, sides_too=True)
    try:
        world.ask(policy(*WITNESSES), policy(*MIRRORS))
        origin = world.chain.genesis.identity_origin
        issuer = world.chain.add_issuer()
        sequencer = world.chain.sequencer
        for number in range(2):
            anchor = anchor_entry(issuer.did, sha256(b"%d" % number).digest())
            world.chain.client.submit(origin, [anchor], issuer.key, issuer.key_url)

            def done() -> bool:
                sequencer.step()
                return world.lines(W_ED, W_PQ, M, origin=origin) == 3

            until(done)
        keys = sequencer.chains.governance.chains[origin].log_keys
        witnessed = open_checkpoint(
            world.published(origin), origin, keys, [W_ED.key, W_PQ.key, M.key]
        )
        assert witnessed.size == sequencer.chains.log(origin).size == 4
        assert witnessed.cosignatures.keys() == {W_ED.key, W_PQ.key, M.key}
        assert world.witness_store.cosigned(origin).size == 4
        # It is told once everything is done, a moment after the lines are there.
        until(
            lambda: [one["chains"].get(origin) for one in sequencer.status()["outside"]],
            lambda sizes: sizes == [4, 4],
        )
    finally:
        world.close()


def test_who_is_down_is_no_obstacle(world: World) -> None:
    world.down()
    world.ask(policy(*WITNESSES), policy(*MIRRORS))
    world.chain.add_issuer()
    sequencer = world.chain.sequencer
    size = sequencer.chains.main.size
    assert world.chain.genesis.policy.check(world.published()).size == size
    until(lambda: any("outside ed" in alarm for alarm in sequencer.status()["alarms"]))
    world.up()

    def done() -> bool:
        sequencer.step()
        return world.lines(W_ED, W_PQ) == 2

    until(done)


def test_a_quorum_of_theirs_holds_publication(world: World) -> None:
    before = world.chain.genesis.policy.check(world.published()).size
    world.down()
    world.ask(policy(*WITNESSES, quorum="ed"), None)
    world.chain.add_issuer()
    sequencer = world.chain.sequencer
    assert sequencer.chains.main.size > before
    assert world.chain.genesis.policy.check(world.published()).size == before
    world.up()

    def done() -> bool:
        sequencer.step()
        return world.chain.genesis.policy.check(world.published()).size > before

    until(done)
    assert world.lines(W_ED, W_PQ) == 2


def test_a_witness_that_lies_is_not_attached(world: World) -> None:
    app = FastAPI()
    stranger = Witness(
        world.witness_store, [M], {world.chain.genesis.origin: world.chain.genesis.log_keys}
    )
    add_witness_routes(app, stranger, prefix="/w")
    world.chain.transport.apps["witness.invalid"] = app
    world.ask(policy(*WITNESSES), None)
    world.chain.add_issuer()
    sequencer = world.chain.sequencer
    until(lambda: sequencer.status()["outside"][0]["error"] is not None)
    assert world.lines(M) == 0


def test_more_witnesses_than_a_note_has_room_for(tmp_path: Path) -> None:
    # tlog-policy asks for 32 witnesses at least, and each may have two keys.
    world = World(tmp_path)
    stores = []
    try:
        chain = world.chain
        lines = []
        for number, host in enumerate(("one.invalid", "two.invalid")):
            signers = [
                NoteSigner.from_seed(
                    f"{host}/{i}", bytes([9 + number, i]) * 16, ED25519_COSIGNATURE
                )
                for i in range(32)
            ]
            stores.append(WitnessStore(tmp_path / f"{host}.sqlite"))
            logs = {chain.genesis.origin: chain.genesis.log_keys}
            for side in chain.sequencer.chains.governance.chains.values():
                logs[side.origin] = side.log_keys
            app = FastAPI()
            add_witness_routes(app, Witness(stores[-1], signers, logs))
            chain.transport.apps[host] = app
            lines += [
                f"witness {signer.key.name} {signer.key.encode()} http://{host}"
                for signer in signers
            ]
        world.ask(policy(*lines), None)
        issuer = chain.add_issuer()
        main, side = chain.genesis.origin, chain.genesis.identity_origin
        chain.client.submit(side, [anchor_entry(issuer.did, bytes(32))], issuer.key, issuer.key_url)
        for origin in (main, side):

            def full(origin: str = origin) -> bool:
                chain.settle()
                return len(Note.parse(world.published(origin)).signatures) == MAX_NOTE_SIGNATURES

            until(full)
        chain.genesis.policy.check(world.published())  # who counts is there
        assert chain.client.cosigned().size == chain.sequencer.chains.main.view.size
    finally:
        world.close()
        for store in stores:
            store.close()
