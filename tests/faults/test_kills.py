"""At least a thousand kills: `make test-faults`; a part of them in `make test`.

`ZL_FAULTS=1` runs all of them. What each kill is held against stands in `kills` and `network`.
"""

from __future__ import annotations

import os

import pytest

from tests.faults import kills, network
from tests.faults.conftest import CrashingPostgres
from tests.faults.points import LOG_KILLS

WHOLE = bool(os.environ.get("ZL_FAULTS"))
SEED = int(os.environ.get("ZL_SEED", "1"))
LOG, NETWORK, DATABASE = (900, 150, 70) if WHOLE else (60, 10, 4)

tallies: list[kills.Tally] = []


def keep(tally: kills.Tally) -> None:
    print("\n" + "\n".join(tally.lines()))
    tallies.append(tally)
    assert tally.lost == 0
    assert tally.acknowledged > 0


@pytest.mark.timeout(1200)
def test_a_log_survives_its_writers() -> None:
    tally = kills.run(LOG, seed=SEED)
    keep(tally)
    assert tally.total >= LOG
    if WHOLE:
        assert {str(row) for row in LOG_KILLS} <= tally.kills.keys()  # no step was passed over


@pytest.mark.timeout(1200)
def test_a_network_survives_its_processes() -> None:
    tally = network.run(NETWORK, seed=SEED)
    keep(tally)
    assert tally.total >= NETWORK


@pytest.mark.timeout(1200)
def test_a_log_in_postgresql_survives_its_writers_and_the_server(
    crashing_postgres: CrashingPostgres,
) -> None:
    tally = kills.run_database(DATABASE, crashing_postgres, seed=SEED)
    keep(tally)
    assert tally.total >= DATABASE


@pytest.mark.skipif(not WHOLE, reason="a part of the kills: `make test-faults` runs all")
def test_a_thousand_kills_and_more() -> None:
    total, lost = sum(one.total for one in tallies), sum(one.lost for one in tallies)
    print(f"\n{total} kills, {lost} acknowledged entries lost")
    assert total >= 1000
    assert lost == 0
