"""The primary of a replicated PostgreSQL is killed under load: another is, and nothing is lost.

Real servers: Debian's Patroni with synchronous replication, two sequencers of one network on it,
and a load that goes on. See `conftest.py`, and docs/operations.md for the settings.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

GOAL_S = 20.0


@pytest.mark.timeout(600)
def test_the_loss_of_a_primary_loses_nothing(
    patroni: Any, registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", str(patroni.folder / "pgpass"))
    genesis = registry.found(patroni.url, f"file://{registry.folder}/tiles", ("one", "two"))
    for name in ("one", "two"):
        registry.start(name)
    registry.wait_for_duty()
    registry.load("one", threads=4, batch=64)
    gaps = {}
    for what in ("lose", "crash", "lose"):
        registry.until_acked(time.monotonic(), count=100)
        primary = patroni.primary()
        getattr(patroni, what)(primary)
        killed = time.monotonic() + 0.1  # behind the answers that were on their way
        gap = registry.until_acked(killed)
        gaps[f"{what} {primary}"] = round(gap, 1)
        registry.until_acked(time.monotonic(), count=100)
        if what == "lose":
            patroni.node(primary)
        patroni.until(patroni.whole, 120)
    registry.until_acked(time.monotonic(), count=100)
    registry.end_load()
    published = registry.check(genesis, "one")
    acknowledged = sum(ack.count for ack in registry.acks)
    print(
        f"\n{acknowledged} entries acknowledged, {published} checkpoints; seconds without: {gaps}"
    )
    assert published >= 3
    assert max(gaps.values()) <= GOAL_S
