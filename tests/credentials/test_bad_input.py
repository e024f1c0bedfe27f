"""Bad input of every kind: refused by name, with little time and little memory.

Each case is prepared first, so that only the refusal itself is measured. The server and the
command meet the same cases in `tests/zhenglian`.
"""

from __future__ import annotations

import time
import tracemalloc

import pytest

from credentials.errors import SignatureInvalid
from tests.credentials.bad_input import CASES, SELECTIVE, SUITES, signed, verify

CPU_S = 1.0
"""A hundred times what most take: machines of tests are slow. Poison has its own, tighter bound."""
PEAK_BYTES = 64 << 20
"""Over what stood before; the largest input is 4 MiB, and decoding it costs a few times that."""


@pytest.mark.parametrize("name", CASES)
def test_refused_by_name_and_cheaply(name: str) -> None:
    error, attempt = CASES[name].error, CASES[name].attempt
    begun = time.process_time()
    with pytest.raises(error) as caught:
        attempt()
    assert time.process_time() - begun < CPU_S
    assert caught.type is error  # the cause, not a relative of it
    assert len(str(caught.value.diagnostics())) < 4096  # nor the input again
    tracemalloc.start()
    try:
        with pytest.raises(error):
            attempt()
        assert tracemalloc.get_traced_memory()[1] < PEAK_BYTES
    finally:
        tracemalloc.stop()


def test_what_the_cases_start_from_is_good() -> None:
    for suite, kind in SUITES:
        if suite not in SELECTIVE:
            verify(signed(suite, kind))
            with pytest.raises(SignatureInvalid):
                verify({**signed(suite, kind), "name": "x"})
