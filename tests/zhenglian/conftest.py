"""Servers of the VC-API, one for each mode, started once for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.zhenglian.vc_api_client import Client, serving


@pytest.fixture(scope="module")
def product() -> Iterator[Client]:
    """A server in its product mode."""
    yield from serving(proof_only=False)


@pytest.fixture(scope="module")
def suite() -> Iterator[Client]:
    """A server in the mode for official suites."""
    yield from serving(proof_only=True)
