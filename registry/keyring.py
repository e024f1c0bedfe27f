"""Keys of the registry's own roles at rest: one file a role, sealed with a passphrase.

Nodes and sequencers run unattended; who wants that without a passphrase file chooses
`--unencrypted-keys`, and the file is then readable by its owner only. Whoever reads such a file
is that role. An operator's key that gets lost ends governance of the network: keep a copy.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, get_args

from credentials.errors import CredentialError, WrongPassphrase
from credentials.keyfile import seal, unseal
from credentials.keys import KeyType, PrivateKey
from credentials.multibase import base64url_decode, base64url_encode
from registry.errors import (
    KeyringMalformed,
    RegistryAbsent,
    RegistryExists,
    StoreFailed,
    StoreFull,
)
from schemas.backoff import FAILURES_FILE, BackOff
from schemas.durable import replace_file

SEALED: Final = "keys.sealed.json"
PLAIN: Final = "keys.plain.json"
_LABEL: Final = "zhenglian registry keys"
_MAX_FILE: Final = 64 * 1024


def save_keys(folder: Path, keys: Mapping[str, PrivateKey], passphrase: str | None) -> Path:
    """Write the keys by name, sealed unless `passphrase` is None. Never overwrites."""
    content = _encode(keys)
    if has_keys(folder):
        raise RegistryExists(path=folder)
    path = folder / (PLAIN if passphrase is None else SEALED)
    data = content if passphrase is None else seal(content, passphrase, label=_LABEL)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError:
            path.unlink(missing_ok=True)  # half a key would count as a role that was set up
            raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFull(store=folder.name) from error
        raise StoreFailed(store=folder.name, reason=os.strerror(error.errno or 0)) from error
    return path


def add_key(folder: Path, name: str, key: PrivateKey, passphrase: str | None) -> None:
    """Add a key under a new name; the file is replaced in one step.

    Raises what `load_keys` raises, and RegistryExists when the name is taken.
    """
    keys = load_keys(folder, passphrase)
    if name in keys:
        raise RegistryExists(path=folder)
    sealed = is_sealed(folder)
    data = _encode({**keys, name: key})
    if sealed and passphrase is not None:
        data = seal(data, passphrase, label=_LABEL)
    path = folder / (SEALED if sealed else PLAIN)
    try:
        replace_file(path, data, mode=0o600)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFull(store=folder.name) from error
        raise StoreFailed(store=folder.name, reason=os.strerror(error.errno or 0)) from error


def _encode(keys: Mapping[str, PrivateKey]) -> bytes:
    return json.dumps(
        {
            name: {"type": key.type, "secret": base64url_encode(key.to_bytes())}
            for name, key in keys.items()
        }
    ).encode()


def has_keys(folder: Path) -> bool:
    """Whether the role was set up in `folder`."""
    return (folder / SEALED).exists() or (folder / PLAIN).exists()


def is_sealed(folder: Path) -> bool:
    """Whether a passphrase is needed. Raises RegistryAbsent."""
    if not has_keys(folder):
        raise RegistryAbsent(path=folder)
    return (folder / SEALED).exists()


def load_keys(
    folder: Path, passphrase: str | None, *, sleep: Callable[[float], None] = time.sleep
) -> dict[str, PrivateKey]:
    """The keys by name; each wrong passphrase makes the next try wait longer.

    Raises RegistryAbsent, WrongPassphrase, KeyringMalformed, StoreFailed.
    """
    sealed = is_sealed(folder)
    try:
        with (folder / (SEALED if sealed else PLAIN)).open("rb") as stream:
            data = stream.read(_MAX_FILE)
    except OSError as error:
        raise StoreFailed(store=folder.name, reason=os.strerror(error.errno or 0)) from error
    if sealed:
        if passphrase is None:
            raise WrongPassphrase
        backoff = BackOff(folder / FAILURES_FILE, lambda: datetime.now(UTC), sleep)
        try:
            with backoff.attempt(WrongPassphrase):
                data = unseal(data, passphrase, label=_LABEL)
        except OSError as error:
            raise StoreFailed(store=folder.name, reason=os.strerror(error.errno or 0)) from error
    try:
        return {name: _read(entry) for name, entry in json.loads(data).items()}
    except (ValueError, KeyError, TypeError, AttributeError, CredentialError):
        # No cause in the chain: it could quote the secret.
        raise KeyringMalformed(path=folder) from None


def _read(entry: Mapping[str, str]) -> PrivateKey:
    for key_type in get_args(KeyType):
        if entry["type"] == key_type:
            return PrivateKey.from_bytes(key_type, base64url_decode(entry["secret"]))
    raise ValueError("an unknown type")
