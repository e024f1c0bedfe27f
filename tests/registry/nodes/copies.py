"""Whether a node's copy is the sequencer's chain."""

from __future__ import annotations

from registry.simulation.simulator import Consortium


def assert_same(chain: Consortium, name: str) -> None:
    """The node's copy is the sequencer's chain, tile by tile."""
    mirrored = chain.nodes[name].reader.views
    honest = chain.sequencer.reader.views
    assert set(mirrored) == set(honest)
    for origin, view in honest.items():
        assert mirrored[origin].checkpoint == view.checkpoint
        assert mirrored[origin].entries(0, view.size) == view.entries(0, view.size)
