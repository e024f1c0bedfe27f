"""What the system refuses at each step, once (disk full, I/O error), while the log goes on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.kills import Writer, memory, one_refusal
from tests.faults.points import LOG_ERRORS, Fault

MOMENTS = (1, 2, 4, 9) if os.environ.get("ZL_FAULTS") else (1,)


@pytest.fixture(scope="module")
def writer() -> Iterator[Writer]:
    with Writer() as made:
        yield made


@pytest.mark.parametrize("fault", LOG_ERRORS, ids=str)
def test_a_refused_step_costs_nothing_that_was_acknowledged(writer: Writer, fault: Fault) -> None:
    for nth in MOMENTS:
        with tempfile.TemporaryDirectory(prefix="zl-faults-", dir=memory()) as folder:
            assert one_refusal(writer, Path(folder), replace(fault, nth=nth)) or nth > 1
