"""A desk's own settings and key: who it is, where the chain is, how old knowledge may be.

The key signs requests, receipts and submissions. It is sealed with a passphrase, unless the desk
was set up with `--unencrypted-key` (an unattended counter); then only file permissions guard it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from credentials.dids import did_document
from credentials.errors import WrongPassphrase
from credentials.keyfile import seal, unseal
from credentials.keys import PrivateKey
from registry.trust import Genesis
from registry.trust.assurance import Policy
from schemas.backoff import FAILURES_FILE, BackOff
from schemas.durable import replace_file
from verifier.errors import DeskExists, DeskMissing, DeskPassphrase, FileUnusable

KEY_FRAGMENT: Final = "desk-1"
KEY_FILE: Final = "desk.key"
ACCREDITATION_FILE: Final = "accreditation.json"
LABEL: Final = "desk key"
RAW_KEY: Final = 32
"""Bytes of an unencrypted P-256 key; a sealed one is a JSON container of some 400."""


@dataclass(frozen=True)
class Settings:
    """`desk.json`: `name` by language, `registry` base URLs in order of preference."""

    did: str
    name: Mapping[str, str]
    registry: tuple[str, ...]
    max_bundle_age_hours: int = 7 * 24
    max_status_age_hours: int = 24

    @property
    def key_url(self) -> str:
        return f"{self.did}#{KEY_FRAGMENT}"

    @property
    def policy(self) -> Policy:
        return Policy(
            max_bundle_age=timedelta(hours=self.max_bundle_age_hours),
            max_status_age=timedelta(hours=self.max_status_age_hours),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "did": self.did,
            "name": dict(self.name),
            "registry": list(self.registry),
            "maxBundleAgeHours": self.max_bundle_age_hours,
            "maxStatusAgeHours": self.max_status_age_hours,
        }


def load_settings(home: Path) -> Settings:
    """Raises `DeskMissing`, `FileUnusable`."""
    path = home / "desk.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Settings(
            did=stored["did"],
            name=stored["name"],
            registry=tuple(stored["registry"]),
            max_bundle_age_hours=stored["maxBundleAgeHours"],
            max_status_age_hours=stored["maxStatusAgeHours"],
        )
    except FileNotFoundError as error:
        raise DeskMissing(home=home) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileUnusable(path=path, reason=type(error).__name__) from error


def load_key(
    home: Path, passphrase: str | None, *, sleep: Callable[[float], None] = time.sleep
) -> PrivateKey:
    """The desk's key. `passphrase` is needed when it is sealed.

    Each wrong one makes the next try wait longer. Raises `DeskPassphrase`, `FileUnusable`.
    """
    path = home / KEY_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileUnusable(path=path, reason=error.strerror or "unreadable") from error
    if len(data) != RAW_KEY:
        counter = home / FAILURES_FILE
        try:
            with BackOff(counter, lambda: datetime.now(UTC), sleep).attempt(WrongPassphrase):
                data = unseal(data, passphrase or "", label=LABEL)
        except WrongPassphrase as error:
            raise DeskPassphrase from error
        except OSError as error:
            raise FileUnusable(path=counter, reason=error.strerror or "unwritable") from error
    return PrivateKey.from_bytes("P-256", data)


def key_is_sealed(home: Path) -> bool:
    try:
        return (home / KEY_FILE).stat().st_size != RAW_KEY
    except FileNotFoundError as error:
        raise DeskMissing(home=home) from error


def create_desk(
    home: Path, settings: Settings, genesis: bytes, passphrase: str | None
) -> dict[str, Any]:
    """Make key and files of a new desk. Returns what the registry's operator accredits.

    `passphrase` None leaves the key unencrypted (file mode 0600). What the operator needs stands
    in `accreditation.json`, too. An init that was interrupted or found the disk full left no
    desk and can be repeated. Raises `DeskExists`, `FileUnusable`, or the genesis' own errors.
    """
    if (home / "desk.json").exists():
        raise DeskExists(home=home)
    Genesis.parse(genesis)
    key = PrivateKey.generate("P-256")
    raw = key.to_bytes()
    accreditation = {
        "did": settings.did,
        "name": dict(settings.name),
        "document": did_document(settings.did, {KEY_FRAGMENT: key.public_key}),
    }
    path = home
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, content in (
            (home / "genesis.json", genesis),
            (home / KEY_FILE, raw if passphrase is None else seal(raw, passphrase, label=LABEL)),
            (home / ACCREDITATION_FILE, _lines(accreditation)),
            # Last: with this file the desk exists.
            (home / "desk.json", _lines(settings.to_json())),
        ):
            replace_file(path, content)
    except OSError as error:
        raise FileUnusable(path=path, reason=error.strerror or "unwritable") from error
    return accreditation


def _lines(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"
