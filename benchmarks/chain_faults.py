"""What a thousand kills cost: acknowledged entries that are lost. None may be.

The very machinery of `make test-faults` (`tests/faults`): writers of SQLite logs are killed at
every step of append, integrate and publish, before and after it is persisted and with what was
not synced torn or gone, and at random moments. A broken promise other than a lost entry (two
roots for one size, no recovery) ends the measurement with its name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from tests.faults.kills import Tally, run

KILLS = int(os.environ.get("ZL_BENCH_KILLS", "1000"))


def acked_lost() -> list[float]:
    """Entries that were acknowledged and are not there, over all kills."""
    tally: Tally = run(KILLS)
    print(tally.lines()[0], file=sys.stderr, flush=True)
    return [float(tally.lost)]


MEASUREMENTS: dict[str, Callable[[], list[float]]] = {"acked_lost": acked_lost}
