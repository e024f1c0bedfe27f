"""The issuer's keys, sealed by a passphrase in `<home>/keys.json`.

Three secrets in one sealed file, so one argon2id run opens them all: the P-256 key that signs
credentials (ecdsa-sd-2023 asks for P-256), the Ed25519 key that signs status lists, registry
seals and requests to the authority, and the data key of the store.

A wrong passphrase costs a delay that doubles with each failure in a row and survives the process
(`schemas.backoff`).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from credentials.errors import KeyInvalid, WrongPassphrase
from credentials.keyfile import RECOMMENDED, Cost, seal, unseal
from credentials.keys import PrivateKey, PublicKey
from issuer.errors import KeyringCorrupt, NotInitialised
from issuer.files import store_error, write_private
from issuer.sealing import DATA_KEY_BYTES
from issuer.times import Clock, system_clock
from schemas.backoff import FAILURES_FILE, BackOff

_LABEL: Final = "zhenglian issuer keyring"
KEYRING_FILE: Final = "keys.json"

CREDENTIAL_FRAGMENT: Final = "credential"
STATUS_FRAGMENT: Final = "status"


@dataclass(frozen=True)
class Keyring:
    """Open keys. Never printed: their representation holds no secret."""

    did: str
    credential: PrivateKey = field(repr=False)
    status: PrivateKey = field(repr=False)
    data_key: bytes = field(repr=False)

    @property
    def credential_method(self) -> str:
        return f"{self.did}#{CREDENTIAL_FRAGMENT}"

    @property
    def status_method(self) -> str:
        return f"{self.did}#{STATUS_FRAGMENT}"

    def public_keys(self) -> dict[str, PublicKey]:
        """Fragment → key, as the DID document shows them."""
        return {
            CREDENTIAL_FRAGMENT: self.credential.public_key,
            STATUS_FRAGMENT: self.status.public_key,
        }

    @classmethod
    def generate(cls, did: str, random: Callable[[int], bytes]) -> Self:
        return cls(
            did,
            credential=PrivateKey.generate("P-256"),
            status=PrivateKey.generate("Ed25519"),
            data_key=random(DATA_KEY_BYTES),
        )

    def save(self, home: Path, passphrase: str, *, cost: Cost = RECOMMENDED) -> None:
        content = {
            "v": 1,
            "did": self.did,
            "credential": _text(self.credential.to_bytes()),
            "status": _text(self.status.to_bytes()),
            "data": _text(self.data_key),
        }
        write_private(
            home / KEYRING_FILE,
            seal(json.dumps(content).encode(), passphrase, cost=cost, label=_LABEL),
        )

    @classmethod
    def open(
        cls,
        home: Path,
        passphrase: str,
        *,
        clock: Clock = system_clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Self:
        """Raises `NotInitialised`, `WrongPassphrase`, `KeyringCorrupt` and store errors."""
        try:
            sealed = (home / KEYRING_FILE).read_bytes()
        except FileNotFoundError as error:
            raise NotInitialised(home=home) from error
        backoff = BackOff(home / FAILURES_FILE, clock, sleep)
        try:
            with backoff.attempt(WrongPassphrase):
                content = unseal(sealed, passphrase, label=_LABEL)
        except OSError as error:
            raise store_error(error) from error
        try:
            fields = json.loads(content)
            return cls(
                did=str(fields["did"]),
                credential=PrivateKey.from_bytes("P-256", _bytes(fields["credential"])),
                status=PrivateKey.from_bytes("Ed25519", _bytes(fields["status"])),
                data_key=_bytes(fields["data"]),
            )
        except (ValueError, KeyError, TypeError, KeyInvalid) as error:
            raise KeyringCorrupt from error


def _text(secret: bytes) -> str:
    return base64.b64encode(secret).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
