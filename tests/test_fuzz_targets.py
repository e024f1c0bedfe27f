"""The targets of `make fuzz`: what they start from is good, and a short blind run finds nothing.

The guided runs take minutes and a library of their own; this keeps the targets true meanwhile.
"""

from __future__ import annotations

import importlib
import random
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NAMES = [
    "json-gate", "gate-made", "cborld", "qr-text", "status-list", "bbs-proof", "ecdsa-sd-proof",
    "sd-jwt", "jws", "cose", "did-webvh", "note", "tlog-proof", "trust-bundle", "entry", "contract",
    "vc-file", "vc-api-request",
]  # fmt: skip
ROUNDS = 150


@pytest.fixture(scope="module")
def targets() -> Any:
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module("fuzz.targets").TARGETS


def test_no_target_is_forgotten(targets: Any) -> None:
    assert sorted(targets) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_are_taken(targets: Any, name: str) -> None:
    """A target that refuses all it starts from would try the first check alone."""
    target = targets[name]
    taken = [target.attempt(seed) for seed in target.seeds()]
    assert sum(taken) >= len(taken) / 2


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_refusals(targets: Any, name: str) -> None:
    target = targets[name]
    rng = random.Random(name)
    seeds = target.seeds()
    for _ in range(ROUNDS):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(data))
            end = place + rng.choice((0, 1, 1, rng.randint(0, 40)))
            data[place:end] = rng.choice((b"", rng.randbytes(1), b"\xff" * 4, bytes(data[-9:])))
            data = data or bytearray(1)
        target.attempt(bytes(data))
