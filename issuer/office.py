"""What every part of the issuer works with: settings, keys, store, clock and randomness."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from issuer.keyring import Keyring
from issuer.sealing import Sealer
from issuer.settings import Settings
from issuer.store import Store
from issuer.times import Clock


@dataclass(frozen=True)
class Office:
    home: Path
    settings: Settings
    keys: Keyring = field(repr=False)
    store: Store = field(repr=False)
    clock: Clock = field(repr=False)
    random: Callable[[int], bytes] = field(repr=False)
    sealer: Sealer = field(repr=False)

    def new_id(self) -> str:
        """128 random bits in base32, lower case: easy to type, and never taken for an option."""
        return base64.b32encode(self.random(16)).rstrip(b"=").decode().lower()

    def new_secret(self) -> str:
        """256 random bits as base64url text: codes and tokens nobody can guess."""
        return base64.urlsafe_b64encode(self.random(32)).rstrip(b"=").decode()
