"""What the kernel must never do: differ from the reference by a byte, or be made to work long."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.differential import compare
from benchmarks.poison import refused_ms

DOCUMENTS = 100_000
SEED = 20261122


def walker_differences() -> list[float]:
    """Documents of 100,000, generated and mutated, whose canonical form differs from pyld's."""
    return [float(len(compare(DOCUMENTS, SEED).differences))]


def poison_refused_ms() -> list[float]:
    """The slowest refusal of the poison set."""
    return [max(refused_ms().values()) for _ in range(5)]


MEASUREMENTS: dict[str, Callable[[], list[float]]] = {
    "walker_differences": walker_differences,
    "poison_refused_ms": poison_refused_ms,
}
