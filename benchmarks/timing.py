"""Timing inside one process: medians of runs, and ratios whose two sides run in turn.

Machines drift; a ratio taken in alternation (A B A B …) survives that where two separate
measurements do not.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

RUNS = 7
RUN_S = 0.15
TURNS = 15
"""How often the two sides of a ratio take turns within a run."""


def seconds_per_call(
    work: Callable[[], object],
    run_s: float = RUN_S,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Seconds a call, over as many calls as fill about `run_s`."""
    begun = clock()
    work()
    calls = max(1, int(run_s / max(clock() - begun, 1e-7)))
    gc.collect()
    gc.disable()
    try:
        begun = clock()
        for _ in range(calls):
            work()
        return (clock() - begun) / calls
    finally:
        gc.enable()


def ratios(work: Callable[[], object], raw: Callable[[], object], runs: int = RUNS) -> list[float]:
    """`work` over `raw`, run by run: the median of turns of a few milliseconds each, so that
    another process that takes the core for a moment spoils a turn and not the run."""
    seconds_per_call(work, 0.02)
    seconds_per_call(raw, 0.02)
    turn_s = RUN_S / TURNS
    return [
        statistics.median(
            seconds_per_call(work, turn_s) / seconds_per_call(raw, turn_s) for _ in range(TURNS)
        )
        for _ in range(runs)
    ]


def rates(work: Callable[[], object], runs: int = RUNS) -> list[float]:
    """Calls a second of one core, run by run: by the processor time of all threads, so that
    another process on the core does not count as ours. For work that waits for nothing."""
    seconds_per_call(work, 0.02)
    return [1 / seconds_per_call(work, clock=time.process_time) for _ in range(runs)]
