"""The goals as a table: identifier, group, bound, unit, what it says."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

GOALS = Path(__file__).with_name("goals.toml")


@dataclass(frozen=True)
class Goal:
    """`goal` is "<=" or ">=" and a number."""

    id: str
    group: str
    goal: str
    unit: str
    says: str

    def holds(self, value: float) -> bool:
        sign, _, bound = self.goal.partition(" ")
        return value <= float(bound) if sign == "<=" else value >= float(bound)


def load_goals(group: str | None = None) -> dict[str, Goal]:
    """All goals, or those of one group, in the file's order."""
    tables = tomllib.loads(GOALS.read_text(encoding="utf-8"))
    if group is not None and group not in tables:
        raise SystemExit(f"no group {group!r}; there are: {', '.join(tables)}")
    return {
        key: Goal(key, name, row["goal"], row["unit"], row["says"])
        for name, rows in tables.items()
        if group in (None, name)
        for key, row in rows.items()
    }
