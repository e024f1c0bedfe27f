"""Several sequencer processes on one PostgreSQL: one is killed or paused under load.

Real processes, `kill -9` and `SIGSTOP`; another process goes on within five seconds.
"""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from tests.waiting import until

# On a machine that may be busy; on an idle one, the benchmarks hold it to five seconds.
LONGEST_GAP_S = 20.0


@pytest.mark.slow
def test_a_killed_sequencer_is_followed_by_another(cluster: Any, postgres: Any) -> None:
    genesis = cluster.found(postgres.database(), f"file://{cluster.folder}/tiles", ("one", "two"))
    for name in ("one", "two"):
        cluster.start(name)
    first, second = cluster.wait_for_duty()
    cluster.load("one", threads=4, batch=16)
    for _ in range(2):
        cluster.until_acked(time.monotonic(), count=40)
        cluster.signal(first, signal.SIGKILL)
        killed = time.monotonic() + 0.1  # behind the answers that were on their way
        assert cluster.until_acked(killed) <= LONGEST_GAP_S
        cluster.until_on_duty(second)
        cluster.until_acked(time.monotonic(), count=40)
        cluster.start(first)
        cluster.until_standing_by(first)
        first, second = second, first
    cluster.end_load()
    assert cluster.check(genesis, "one") >= 3
    assert len(cluster.acks) > 80


@pytest.mark.slow
def test_a_sequencer_that_ends_hands_over_at_once(cluster: Any, postgres: Any) -> None:
    genesis = cluster.found(postgres.database(), f"file://{cluster.folder}/tiles", ("one", "two"))
    for name in ("one", "two"):
        cluster.start(name)
    first, second = cluster.wait_for_duty()
    cluster.load("one", threads=2, batch=4)
    cluster.until_acked(time.monotonic(), count=5)
    cluster.signal(first, signal.SIGTERM)
    cluster.until_acked(time.monotonic(), count=5)
    cluster.until_on_duty(second)
    cluster.end_load()
    cluster.check(genesis, second)


@pytest.mark.slow
def test_a_paused_sequencer_is_fenced_out(cluster: Any, postgres: Any) -> None:
    genesis = cluster.found(postgres.database(), f"file://{cluster.folder}/tiles", ("one", "two"))
    for name in ("one", "two"):
        cluster.start(name)
    first, second = cluster.wait_for_duty()
    cluster.load("one", threads=4, batch=64)
    for _ in range(3):  # at different points of its work
        cluster.until_acked(time.monotonic(), count=40)
        paused = time.monotonic()
        cluster.signal(first, signal.SIGSTOP)
        # A client waits three seconds for the paused process before it asks the next one.
        cluster.until_acked(paused + 0.5)
        until(lambda name=second: (told := cluster.status(name)) and "standby" not in told)
        cluster.until_acked(time.monotonic(), count=10)
        cluster.signal(first, signal.SIGCONT)
        cluster.until_acked(time.monotonic(), count=40)
        cluster.until_standing_by(first)
        cluster.until_on_duty(second)
        first, second = second, first
    cluster.end_load()
    assert cluster.check(genesis, "one") >= 3
