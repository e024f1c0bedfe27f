"""A node speaks tlog-witness, and cosigns no forbidden entry and no second tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from registry.contracts.governance import lists_digest
from registry.errors import (
    RegistryUnreachable,
    StoreCorrupt,
    StoreForeign,
    StoreFull,
    StoreLocked,
)
from registry.ledger.entries import anchor_entry, make_entry, status_entry
from registry.ledger.members import document_digest, encode_digest
from registry.ledger.submission import seal
from registry.nodes.node import Node
from registry.nodes.store import MIRROR_FILE, NodeStore
from registry.simulation.adversaries import DishonestSequencer
from registry.simulation.simulator import NODES, Consortium, Party
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.lines import encode_hash
from registry.tlog.merkle import leaf_hash, root_of
from registry.tlog.note import ED25519_COSIGNATURE, Note, NoteSigner, VerifierKey
from registry.witnessing.witness import Answer, Witness
from registry.witnessing.witness_store import WitnessStore
from tests.registry.submissions import anchor, anchors, resource

NODE = "public-security"
HASH_LINE = encode_hash(bytes(32)).encode() + b"\n"


class Liar(DishonestSequencer):
    """A dishonest sequencer, and a node of its own that it asks."""

    def __init__(self, chain: Consortium, folder: Path) -> None:
        super().__init__(chain)
        folder.mkdir()
        self.folder = folder
        self.node = self.restart()

    def close(self) -> None:
        super().close()
        self.node.close()

    def restart(self) -> Node:
        name = f"{self.genesis.network}/nodes/{NODE}"
        key = self.chain._node_keys[NODE]
        vkey = VerifierKey(name, 4, key.public_key.raw)
        self.node = Node(
            NODE,
            self.genesis,
            NoteSigner(vkey, key.sign),
            self.folder,
            lambda origin, start, end: self.rows[origin][start:end],
            now=lambda: self.chain.now,
        )
        return self.node

    @property
    def leaves(self) -> list[bytes]:
        """Of the main chain."""
        return self.rows[self.main]

    def put(self, old: int, size: int | None = None) -> Answer:
        return self.node.add_checkpoint(self.request(old, size))

    def anchors(self, party: Party, count: int = 2, **changes: Any) -> list[bytes]:
        values: dict[str, Any] = {
            "submitter": party.did,
            "key_url": party.key_url,
            "signer": party.key,
            "now": self.chain.now,
            **changes,
        }
        leaves = seal(self.identity, anchors(party, count), **values).leaves
        return [leaf.raw for leaf in leaves]

    @property
    def identity(self) -> str:
        return self.genesis.identity_origin


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Consortium, Party]]:
    """One honest network for all tests here: they only copy what it has."""
    with Consortium(tmp_path_factory.mktemp("world")) as chain:
        issuer = chain.add_issuer()
        anchor(chain, issuer)
        chain.settle()
        yield chain, issuer


@pytest.fixture
def liar(world: tuple[Consortium, Party], tmp_path: Path) -> Iterator[Liar]:
    found = Liar(world[0], tmp_path / "node")
    yield found
    found.close()


@pytest.fixture
def issuer(world: tuple[Consortium, Party]) -> Party:
    return world[1]


def key_of(liar: Liar) -> VerifierKey:
    [vkey] = [n.vkey for n in liar.genesis.nodes if n.name == NODE]
    return VerifierKey.parse(vkey)


# tlog-witness


def test_a_new_node_cosigns_the_whole_chain(liar: Liar) -> None:
    answer = liar.put(0)
    assert answer.status == 200
    note = Note.parse(liar.note()).with_signatures(
        Note.parse(
            Checkpoint.parse(Note.parse(liar.note()).text).text.encode() + b"\n" + answer.body
        ).signatures
    )
    [signature] = note.verify([key_of(liar)]).by(key_of(liar))
    assert signature.timestamp == int(liar.chain.now.timestamp())


def test_unknown_log_is_404(liar: Liar) -> None:
    other = Checkpoint("elsewhere.example/log", 1, bytes(32)).sign(
        NoteSigner.from_seed("elsewhere.example/log", bytes(32))
    )
    assert liar.node.add_checkpoint(b"old 0\n\n" + other).status == 404


def test_a_checkpoint_without_a_good_signature_is_403(liar: Liar) -> None:
    forger = NoteSigner.from_seed(liar.main, bytes(32))
    leaves = [leaf_hash(raw) for raw in liar.leaves]
    forged = Checkpoint(liar.main, len(leaves), root_of(leaves)).sign(forger)
    assert liar.node.add_checkpoint(liar.request(0, note=forged)).status == 403
    note = liar.note()
    damaged = note[:-8] + (b"AAAA" if note[-8:-4] != b"AAAA" else b"BBBB") + note[-4:]
    assert liar.node.add_checkpoint(liar.request(0, note=damaged)).status == 403


def test_malformed_requests_are_400(liar: Liar) -> None:
    note = liar.note()
    for body in (
        b"",
        b"old 0\n",
        b"old 0\n\n",
        b"old 00\n\n" + note,
        b"old -1\n\n" + note,
        b"old x\n\n" + note,
        b"new 0\n\n" + note,
        b"old 0\nxxxx\n\n" + note,
        b"old 0\n"
        + b"".join(encode_hash(bytes(32)).encode() + b"\n" for _ in range(64))
        + b"\n"
        + note,
        b"old 0\n\n" + note[:20],
        b"\xff\n\n" + note,
        b"old 0\n\n" + b"x" * 10**6,
        b"old %d\n\n" % (len(liar.leaves) + 1) + note,  # greater than the checkpoint
    ):
        assert liar.node.add_checkpoint(body).status == 400, body[:40]


def test_another_old_size_is_409_with_the_size(liar: Liar) -> None:
    whole = len(liar.leaves)
    assert liar.put(5).status == 409
    assert liar.put(0).status == 200
    answer = liar.put(0)
    assert (answer.status, answer.body, answer.content_type) == (
        409,
        b"%d\n" % whole,
        "text/x.tlog.size",
    )


def test_a_bad_proof_is_422(liar: Liar) -> None:
    submission_end = next(i for i, raw in enumerate(liar.leaves) if b'"kind":"seal"' in raw) + 1
    assert liar.put(0, submission_end).status == 200
    request = liar.request(submission_end)
    head, _, rest = request.partition(b"\n\n")
    lines = head.split(b"\n")
    for spoiled in (lines[:-1], [*lines, lines[-1]], [lines[0], *reversed(lines[1:])]):
        if spoiled != lines:
            body = b"\n".join(spoiled) + b"\n\n" + rest
            assert liar.node.add_checkpoint(body).status == 422
    assert liar.put(submission_end).status == 200


def test_old_zero_with_a_proof_is_422(liar: Liar) -> None:
    request = liar.request(0).replace(
        b"old 0\n", b"old 0\n" + encode_hash(bytes(32)).encode() + b"\n"
    )
    assert liar.node.add_checkpoint(request).status == 422


def test_the_same_size_again_gets_a_fresh_time(liar: Liar) -> None:
    size = len(liar.leaves)
    assert liar.put(0).status == 200
    moment = liar.chain.now
    try:
        liar.chain.advance(minutes=5)
        later = liar.put(size)
        liar.chain.now = moment.replace(year=2025)  # a clock that went back
        back = liar.put(size)
    finally:
        liar.chain.now = moment
    assert later.status == back.status == 200
    assert later.body == back.body  # never an older statement after a newer one


def test_another_tree_of_the_same_size_is_422_and_kept_as_evidence(liar: Liar) -> None:
    size = len(liar.leaves)
    assert liar.put(0).status == 200
    liar.leaves[3:5] = [liar.leaves[4], liar.leaves[3]]
    answer = liar.put(size)
    assert answer.status == 422
    assert b"ZL-PROOF-CONSISTENCY" in answer.body
    [refusal] = liar.node.status()["refusals"]
    assert "two roots" in refusal["reason"]


def test_the_monitor_serves_what_was_cosigned(liar: Liar) -> None:
    origin_hash = sha256(liar.main.encode()).hexdigest()
    assert liar.node.checkpoint(origin_hash).status == 404
    liar.put(0)
    answer = liar.node.checkpoint(origin_hash)
    assert answer.status == 200
    signed = open_checkpoint(
        answer.body, liar.main, [VerifierKey.parse(liar.genesis.log_key)], [key_of(liar)]
    )
    assert signed.size == len(liar.leaves)
    assert signed.cosignatures
    assert liar.node.checkpoint("00" * 32).status == 404


def test_a_stranger_raises_no_alarm_about_an_honest_log(liar: Liar) -> None:
    assert liar.put(0).status == 200
    size = len(liar.leaves)
    body = b"old %d\n" % size + HASH_LINE + b"\n" + liar.note()
    assert liar.node.add_checkpoint(body).status == 422
    assert liar.node.refusals() == []
    assert liar.node.status()["error"] is None
    assert liar.node.status()["alarms"] == []


def test_its_own_chain_is_no_log_of_others(liar: Liar, tmp_path: Path) -> None:
    # Whoever configures it as such must not make the node cosign without looking at entries.
    store = WitnessStore(tmp_path / "others.sqlite")
    stranger = NoteSigner.from_seed("log.example/stock", bytes(32))
    signer = NoteSigner.from_seed("witness.example/w", b"\x05" * 32, ED25519_COSIGNATURE)
    logs = {
        liar.main: liar.genesis.log_keys,
        stranger.key.name: (stranger.key,),
    }
    liar.node.close()
    node = Node(
        NODE,
        liar.genesis,
        NoteSigner(key_of(liar), liar.chain._node_keys[NODE].sign),
        liar.folder,
        lambda origin, start, end: liar.rows[origin][start:end],
        now=lambda: liar.chain.now,
        others=Witness(store, [signer], logs),
    )
    try:
        answer = node.add_checkpoint(liar.request(0))
        text = Note.parse(liar.note()).text
        note = Note.parse(text.encode() + b"\n" + answer.body)
        assert note.verify([key_of(liar), signer.key]).by(key_of(liar))
        assert not note.verify([key_of(liar), signer.key]).by(signer.key)
        other = Checkpoint(stranger.key.name, 1, bytes(32)).sign(stranger)
        answer = node.add_checkpoint(b"old 0\n\n" + other)
        text = Note.parse(other).text
        note = Note.parse(text.encode() + b"\n" + answer.body)
        assert note.verify([signer.key]).by(signer.key)
    finally:
        node.close()
        store.close()


# Dishonest sequencers


def test_a_rewritten_history_is_refused_after_a_restart(liar: Liar) -> None:
    size = len(liar.leaves)
    assert liar.put(0).status == 200
    liar.node.close()
    liar.restart()
    assert liar.node.status()["cosigned"]["size"] == size
    liar.leaves[2] = resource("x").raw
    liar.leaves.extend(liar.seal([resource("y")]))
    assert liar.put(size).status == 422


def test_two_views_are_never_both_cosigned(world: tuple[Consortium, Party], tmp_path: Path) -> None:
    chain, _ = world
    left, right = Liar(chain, tmp_path / "left"), Liar(chain, tmp_path / "right")
    size = len(left.leaves)
    try:
        assert left.put(0).status == 200
        for view, name in ((left, "a"), (right, "b")):
            view.leaves.extend(view.seal([resource(name)]))
        assert left.put(size).status == 200
        # The other view is shown to the same node.
        answer = left.node.add_checkpoint(right.request(size))
        assert answer.status == 409
        answer = left.node.add_checkpoint(b"old %d\n\n" % len(left.leaves) + right.note())
        assert answer.status == 422
    finally:
        left.close()
        right.close()


Spoil = Callable[[Liar, Party], None]


def append_main(leaves: Callable[[Liar], list[bytes]]) -> Spoil:
    return lambda liar, _: liar.leaves.extend(leaves(liar))


def replay_status(liar: Liar, issuer: Party) -> None:
    url = "https://issuer.example/status/1"
    batches = [
        [
            leaf.raw
            for leaf in seal(
                liar.identity,
                [status_entry(issuer.did, url, document_digest({"n": number}), liar.chain.now)],
                submitter=issuer.did,
                key_url=issuer.key_url,
                signer=issuer.key,
                now=liar.chain.now,
            ).leaves
        ]
        for number in range(2)
    ]
    # The older list once more behind the newer one: it would become the newest.
    liar.record(liar.identity, [*batches[0], *batches[1], *batches[0]])


DISHONEST: dict[str, Spoil] = {
    "not_json": append_main(lambda _: [b"not an entry"]),
    "not_canonical": append_main(lambda liar: [raw + b" " for raw in liar.seal([resource()])]),
    "unknown_kind": append_main(lambda liar: [b'{"kind":"wish","v":1}', *liar.seal([resource()])]),
    "without_a_seal": append_main(lambda liar: liar.seal([resource()])[:-1]),
    "sealed_by_a_stranger": append_main(
        lambda liar: liar.seal(
            [resource()], signer=liar.chain._node_keys[NODE].from_seed("P-256", bytes(32))
        )
    ),
    "sealed_for_another_chain": append_main(
        lambda liar: liar.seal([resource()], origin=liar.identity)
    ),
    "a_second_genesis": append_main(lambda liar: liar.seal([liar.genesis.entry])),
    "sealed_in_the_future": append_main(
        lambda liar: liar.seal([resource()], now=liar.chain.now.replace(hour=23))
    ),
    "backdated": append_main(
        lambda liar: liar.seal([resource()], now=liar.chain.now.replace(year=2025))
    ),
    "an_anchor_on_the_main_chain": append_main(
        lambda liar: liar.seal([anchor_entry("did:web:issuer.example", bytes(32))])
    ),
    "an_issuer_governs": lambda liar, issuer: liar.leaves.extend(
        liar.seal([resource()], submitter=issuer.did, key_url=issuer.key_url, signer=issuer.key)
    ),
    "a_repeated_entry": append_main(
        lambda liar: [*liar.seal([resource()]), *liar.seal([resource()])]
    ),
    "checkpoint_of_no_chain": append_main(
        lambda liar: liar.seal(
            [
                make_entry(
                    "checkpoint",
                    origin=f"{liar.genesis.network}/none",
                    size=1,
                    root=encode_digest(bytes(32)),
                    start=0,
                    end=1,
                    subtree=encode_digest(bytes(32)),
                    rules=liar.chain.sequencer.chains.governance.head,
                    heads={},
                    lists=lists_digest({}),
                )
            ]
        )
    ),
    "side_entry_of_a_stranger": lambda liar, issuer: liar.record(
        liar.identity,
        liar.anchors(
            replace(issuer, did="did:web:stranger.example", key_url="did:web:stranger.example#k")
        ),
    ),
    "side_entry_with_a_broken_seal": lambda liar, issuer: liar.record(
        liar.identity,
        liar.anchors(issuer)[:-1] + liar.anchors(issuer)[-1:],
        lists=lists_digest({}),
    ),
    "side_batch_without_its_seal": lambda liar, issuer: liar.record(
        liar.identity, liar.anchors(issuer)[:-1], lists=lists_digest({})
    ),
    "wrong_side_root": lambda liar, issuer: liar.record(
        liar.identity, liar.anchors(issuer), root=encode_digest(bytes(32))
    ),
    "wrong_subtree": lambda liar, issuer: liar.record(
        liar.identity, liar.anchors(issuer), subtree=encode_digest(bytes(32))
    ),
    "misstated_rules": lambda liar, issuer: liar.record(
        liar.identity, liar.anchors(issuer), rules={"count": 1, "last": 0}
    ),
    "misstated_heads": lambda liar, issuer: liar.record(
        liar.identity, liar.anchors(issuer), heads={}
    ),
    "misstated_lists": lambda liar, issuer: liar.record(
        liar.identity, liar.anchors(issuer), lists=document_digest({})
    ),
    "a_gap": lambda liar, issuer: liar.record(liar.identity, liar.anchors(issuer), start=3),
    "an_old_status_list_replayed": replay_status,
}


@pytest.mark.parametrize("spoil", DISHONEST.values(), ids=DISHONEST.keys())
def test_a_forbidden_entry_is_refused_and_explained(
    liar: Liar, issuer: Party, spoil: Spoil
) -> None:
    size = len(liar.leaves)
    assert liar.put(0).status == 200
    honest = {origin: list(rows) for origin, rows in liar.rows.items()}
    spoil(liar, issuer)
    answer = liar.put(size)
    assert answer.status == 422, answer.body
    assert answer.body.startswith(b"ZL-CHAIN-INVALID")
    assert liar.node.status()["cosigned"]["size"] == size
    # The node is not stuck: an honest continuation passes.
    liar.rows = honest
    liar.record(liar.identity, liar.anchors(issuer))
    assert liar.put(size).status == 200


def test_a_node_that_cannot_read_says_try_again(liar: Liar) -> None:
    def unreachable(*_: object) -> Any:
        raise RegistryUnreachable(reason="gone")

    liar.node._read = unreachable
    answer = liar.put(0)
    assert answer.status == 503
    assert liar.node.status()["refusals"] == []


def test_a_full_disk_is_no_refusal_and_leaves_nothing_half_done(
    liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreFull(store="node")

    with monkeypatch.context() as patched:
        patched.setattr(NodeStore, "save_progress", full)
        assert liar.put(0).status == 503
    status = liar.node.status()
    assert status["refusals"] == []
    assert status["mirrored"] == {}
    assert liar.put(0).status == 200


def test_a_disk_that_is_full_at_the_last_moment_leaves_nothing_behind(
    liar: Liar, issuer: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert liar.put(0).status == 200
    size = len(liar.leaves)
    liar.record(liar.identity, liar.anchors(issuer))
    commit = NodeStore.commit

    def full(store: NodeStore) -> None:
        if store._growing:
            store.rollback()
            raise StoreFull(store="node")
        commit(store)

    with monkeypatch.context() as patched:
        patched.setattr(NodeStore, "commit", full)
        assert liar.put(size).status == 503
    assert liar.node.status()["cosigned"]["size"] == size
    assert liar.node.mirror.size == size
    assert liar.node.refusals() == []
    assert liar.put(size).status == 200
    assert liar.node.mirror.size == len(liar.leaves)


def test_entries_that_do_not_fit_the_checkpoint_are_refused(liar: Liar) -> None:
    note = liar.request(0)
    liar.leaves.pop(2)
    assert liar.node.add_checkpoint(note).status == 422


def test_a_busy_node_answers_503(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.nodes.node.BUSY_S", 0.01)
    with liar.node._lock:
        assert liar.put(0).status == 503
        assert liar.node.status()["cosigned"]["size"] == 0  # it can be asked all the time
    assert liar.put(0).status == 200


# The store


def test_one_process_a_store(liar: Liar) -> None:
    with pytest.raises(StoreLocked):
        NodeStore(liar.folder / MIRROR_FILE, liar.main)


def test_a_store_of_another_network_or_none_is_refused(tmp_path: Path) -> None:
    NodeStore(tmp_path / "n.sqlite", "a.example/main").close()
    with pytest.raises(StoreForeign):
        NodeStore(tmp_path / "n.sqlite", "b.example/main")
    (tmp_path / "broken.sqlite").write_bytes(
        b"not a database, and long enough to be looked at" * 99
    )
    with pytest.raises(StoreCorrupt):
        NodeStore(tmp_path / "broken.sqlite", "a.example/main")


def test_the_mirror_has_every_entry(liar: Liar) -> None:
    assert liar.put(0).status == 200
    for origin, rows in liar.rows.items():
        view = liar.node.reader.views[origin]
        assert list(view.iterate(0, view.size)) == rows


def test_all_four_nodes_have_titles() -> None:
    assert len(NODES) == 4
