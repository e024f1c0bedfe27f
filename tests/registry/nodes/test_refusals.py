"""What gets no honest node's cosignature over HTTP, and what a node keeps and tells of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import rfc8785

from registry.ledger.entries import anchor_entry
from registry.ledger.members import encode_digest
from registry.nodes.refusals import read_refusals
from registry.nodes.store import MIRROR_FILE
from registry.simulation.adversaries import DishonestNode, DishonestSequencer
from registry.simulation.simulator import Consortium, Party, node_url
from registry.tlog.checkpoint import open_checkpoint
from registry.tlog.note import VerifierKey
from tests.registry.submissions import anchor, anchors, resource

# What is kept of it


def test_a_refusal_keeps_reason_and_evidence(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    anchor(chain, issuer, 3)
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
    anchor(chain, issuer, 3)
    chain.settle()
    liar = DishonestSequencer(chain)
    liar.serve()
    liar.rewrite(liar.main, 3, resource("rewritten").raw)
    liar.record(
        liar.genesis.identity_origin,
        liar.seal_as(issuer, liar.genesis.identity_origin, anchors(issuer)),
    )
    signed, refused = liar.collect(*chain.nodes)
    assert signed == []
    assert len(refused) == 4
    for name in chain.nodes:
        assert "ZL-PROOF-CONSISTENCY" in chain.nodes[name].refusals()[0].reason
    liar.close()


def test_a_quorum_that_breaks_the_rules_is_not_followed(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    anchor(chain, issuer, 3)
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


# What is refused


def side(liar: DishonestSequencer, leaves: list[bytes], **changes: object) -> None:
    liar.record(liar.genesis.identity_origin, leaves, **changes)


def sealed(liar: DishonestSequencer, issuer: Party, count: int = 2) -> list[bytes]:
    return liar.seal_as(issuer, liar.genesis.identity_origin, anchors(issuer, count))


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
            liar.seal_as(issuer, liar.genesis.access_origin, anchors(issuer)),
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
                anchors(issuer),
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
        anchor(consortium, issuer, 3)
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
