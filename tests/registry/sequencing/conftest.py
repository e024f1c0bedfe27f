"""Who anchors on a network of a test's own."""

from __future__ import annotations

import pytest

from registry.simulation.simulator import Consortium, Party


@pytest.fixture
def issuer(chain: Consortium) -> Party:
    return chain.add_issuer()
