"""The terminal app driven by keys, on a real wallet in a real town."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.wallet.conftest import PASSPHRASE, Town
from wallet.service import Wallet
from wallet.tui.app import WalletApp
from wallet.tui.screens.base import Spoken


async def until(pilot: Pilot[None], what: Callable[[], object], seconds: float = 30) -> None:
    """Wait for the app, not for the clock."""
    for _ in range(int(seconds / 0.05)):
        await pilot.pause(0.05)
        if what():
            return
    raise AssertionError("the app did not come to it")
