"""A sequencer whose store refuses, once, in the middle of what it does among chains."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from registry.engine.catalogue import Catalogue
from registry.engine.log import Log
from registry.errors import RegistryError, StoreFull
from registry.ledger.entries import Entry, anchor_entry, make_entry
from registry.ledger.records import Purpose
from registry.sequencing.chain import Chains, log_signer
from registry.simulation.simulator import Consortium, _seeded
from registry.storage.places import Places

NAME = "health"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    with Consortium(tmp_path_factory.mktemp("steps") / "town") as made:
        yield made


def side_chain(chain: Consortium, name: str) -> Entry:
    origin = f"{chain.genesis.network}/{name}"
    key = _seeded("Ed25519", name)
    chain.sequencer.chains._keys._later[origin] = key
    return make_entry(
        "chain",
        origin=origin,
        logKey=log_signer(origin, key).key.encode(),
        purpose=Purpose.ANCHORS,
        scenario="resident-identity",
        batch={"interval": 200, "size": 4096},
        maxAnchorDelay=60,
        epoch=1,
        previous=None,
    )


def _full(*_: Any, **__: Any) -> Any:
    raise StoreFull(store="test")


STEPS: dict[str, tuple[type, str]] = {
    "the store of a new chain is made": (Places, "create"),
    "the store of a new chain is opened": (Places, "open"),
    "the new rules are looked up": (Catalogue, "catch_up"),
    "the main chain is integrated": (Log, "integrate"),
    "a side chain is checkpointed": (Log, "tick"),
    "the checkpoints are composed": (Chains, "_checkpoint_entry"),
    "the cosigned checkpoint is published": (Log, "publish"),
}


@pytest.mark.parametrize("number", range(len(STEPS)), ids=list(STEPS))
@pytest.mark.parametrize("nth", [1, 2, 4] if os.environ.get("ZL_FAULTS") else [1])
def test_a_step_that_fails_is_made_up_for(
    chain: Consortium, monkeypatch: pytest.MonkeyPatch, number: int, nth: int
) -> None:
    kind, method = list(STEPS.values())[number]
    name = f"{NAME}{number}-{nth}"
    entry = side_chain(chain, name)
    issuer = chain.add_issuer(f"did:web:{name}.example")
    origin = chain.genesis.identity_origin
    anchors = [anchor_entry(issuer.did, os.urandom(32))]
    chain.client.submit(origin, anchors, issuer.key, issuer.key_url)
    whole, left = getattr(kind, method), nth

    def fails(self: Any, *rest: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            _full()
        return whole(self, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(kind, method, fails)
        try:
            chain.govern(entry)
            chain.settle()
        except RegistryError:
            pass  # told by name; it may be recorded all the same
        assert chain.sequencer.status()["chains"]
    chain.govern(entry)  # the operator asks again, and nobody restarts anything
    assert chain.settle()
    new = chain.sequencer.chains.logs[f"{chain.genesis.network}/{name}"]
    assert new.size == 0
    found = chain.client.lookup(origin, anchors[0].leaf_hash)
    assert chain.client.cosigned(origin).size > found
    sizes = {node.mirror.size for node in chain.nodes.values()}
    assert sizes == {chain.sequencer.chains.main.size}
    assert all(node.refusals() == [] for node in chain.nodes.values())
