"""What the kernel must never do: differ from the reference by a byte, or be made to work long."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.differential import compare
from benchmarks.poison import refused_ms

DOCUMENTS = 180_000
COMPARED = 100_000
"""Of those made, the gate refuses four in ten; what it lets through is compared."""
SEED = 20261122


def walker_differences() -> list[float]:
    """Documents of 100,000 and more, generated and mutated, of which pyld makes other bytes."""
    result = compare(DOCUMENTS, SEED)
    print(
        f"{result.made:,} documents made, {result.refused:,} refused by the gate, "
        f"{result.compared:,} compared, {len(result.differences):,} differences"
    )
    assert result.compared >= COMPARED, "too few documents were compared"
    return [float(len(result.differences))]


def poison_refused_ms() -> list[float]:
    """The slowest refusal of the poison set."""
    return [max(refused_ms().values()) for _ in range(5)]


MEASUREMENTS: dict[str, Callable[[], list[float]]] = {
    "walker_differences": walker_differences,
    "poison_refused_ms": poison_refused_ms,
}
