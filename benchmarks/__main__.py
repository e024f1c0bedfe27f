"""`python -m benchmarks [GROUP]`: measure, print each value beside its goal, keep the values.

A goal that is not reached is printed as such. A figure that nothing measures yet is listed as not
measured, so that nobody takes its silence for success; so is one that this machine cannot measure,
with the reason. A group that was not asked for keeps its last values in the file.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import Unmeasurable, chain, hardening, journey, kernel
from benchmarks.goals import Goal, load_goals

OUT = Path("build/bench.json")
MEASUREMENTS: dict[str, Callable[[], list[float]]] = {
    **journey.MEASUREMENTS,
    **kernel.MEASUREMENTS,
    **hardening.MEASUREMENTS,
    **chain.MEASUREMENTS,
}


def main(arguments: list[str]) -> int:
    group = arguments[0] if arguments else None
    # Wide enough for every row where the output is a file; a terminal keeps its own width.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    results: dict[str, dict[str, object]] = {}
    if OUT.is_file():
        results = json.loads(OUT.read_text(encoding="utf-8"))
    table = Table("figure", "median", "goal", "unit", "", "says", box=None)
    table.columns[0].no_wrap = True
    goals = load_goals(group)
    told = dict.fromkeys(goals, ("–", "not measured yet"))
    for name, measure in MEASUREMENTS.items():  # what disturbs the others comes last in each group
        if name not in goals:
            continue
        goal = goals[name]
        try:
            with console.status(f"{name} …"):
                runs = measure()
        except Unmeasurable as reason:
            results.pop(name, None)  # an old value would pass for one of this run
            _keep(results)
            told[name] = ("–", f"not measured: {reason}")
            continue
        results[name] = row = _row(goal, runs)
        verdict = "[green]holds[/]" if row["holds"] else "[red]not reached[/]"
        told[name] = (f"{row['value']:.4g}", verdict)
        _keep(results)
    for name, goal in goals.items():
        value, verdict = told[name]
        table.add_row(name, value, goal.goal, goal.unit, verdict, goal.says)
    console.print(table)
    console.print(f"written to {OUT}")
    return 0


def _keep(results: dict[str, dict[str, object]]) -> None:
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _row(goal: Goal, runs: list[float]) -> dict[str, object]:
    value = statistics.median(runs)
    return {
        "value": value,
        "unit": goal.unit,
        "goal": goal.goal,
        "holds": goal.holds(value),
        "runs": runs,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
