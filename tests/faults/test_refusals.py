"""What the system refuses at each step, once (disk full, I/O error), while the log goes on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from registry.errors import RegistryError
from registry.ledger.entries import anchor_entry
from registry.simulation.simulator import Consortium
from tests.faults.kills import Writer, memory, one_refusal
from tests.faults.points import LOG_ERRORS, NETWORK_ERRORS, Fault, Injector

MOMENTS = (1, 2, 4, 9) if os.environ.get("ZL_FAULTS") else (1,)


@pytest.fixture(scope="module")
def writer() -> Iterator[Writer]:
    with Writer() as made:
        yield made


@pytest.mark.parametrize("fault", LOG_ERRORS, ids=str)
def test_a_refused_step_costs_nothing_that_was_acknowledged(writer: Writer, fault: Fault) -> None:
    for nth in MOMENTS:
        with tempfile.TemporaryDirectory(prefix="zl-faults-", dir=memory()) as folder:
            assert one_refusal(writer, Path(folder), replace(fault, nth=nth)) or nth > 1


@dataclass
class Crowd:
    """A consortium whose every step can be refused, and what it has acknowledged."""

    chain: Consortium
    injector: Injector
    told: list[str]
    acknowledged: dict[int, bytes]

    def add(self) -> None:
        issuer = self.chain.add_issuer(f"did:web:{os.urandom(4).hex()}.example")
        entries = [anchor_entry(issuer.did, os.urandom(32)) for _ in range(3)]
        origin = self.chain.genesis.identity_origin
        receipt = self.chain.client.submit(origin, entries, issuer.key, issuer.key_url)
        for index, entry in zip(receipt.indices, entries, strict=True):
            assert self.acknowledged.setdefault(index, entry.raw) == entry.raw


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    told: list[str] = []
    injector = Injector(told.append)
    with (
        injector.installed(),
        Consortium(tmp_path_factory.mktemp("crowd") / "town") as chain,
    ):
        yield Crowd(chain, injector, told, {})


@pytest.mark.parametrize("fault", NETWORK_ERRORS, ids=str)
def test_a_refused_step_among_nodes_is_made_up_for(crowd: Crowd, fault: Fault) -> None:
    chain = crowd.chain
    for nth in MOMENTS:
        crowd.told.clear()
        crowd.injector.arm(replace(fault, nth=nth))
        for _ in range(2):
            with suppress(RegistryError):
                crowd.add()
                chain.settle()
        crowd.injector.arm(None)
        assert crowd.told or nth > 1, "no step was refused"
        # By itself: the next turns of the loops are all that happens.
        crowd.add()
        assert chain.settle()
        assert chain.settle()
        side = chain.genesis.identity_origin
        view = chain.sequencer.reader.views[side]
        rows = view.entries(0, view.size)
        assert all(rows[index] == raw for index, raw in crowd.acknowledged.items())
        rules = chain.sequencer.chains.catalogue.rules(1 << 40)
        for node in chain.nodes.values():
            held = node.reader.views[side]
            assert held.entries(0, held.size) == rows
            assert node.mirror.catalogue.rules(1 << 40) == rules
            assert node.refusals() == []
            assert node._cosigned().size == chain.sequencer.chains.main.size
