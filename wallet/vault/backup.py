"""A backup: the vault's header and data in one file, encrypted as they are.

Layout: a magic line, the header's length (u32, big endian), the header, the data, and SHA-256 of
all that. The digest tells an incomplete copy from a whole one; secrecy and authenticity come from
the vault's own encryption, so the wallet's passphrase (the one of that day) opens it.

A backup holds the holder keys. It is for the same owner on a new disk; moving to another device
is done by asking the issuer again.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Final

from credentials import keyfile
from credentials.errors import KeyfileMalformed, PassphraseUnusable
from credentials.errors import WrongPassphrase as WrongKeyfilePassphrase
from wallet.errors import BackupCorrupt, VaultExists, WrongPassphrase
from wallet.vault.database import DATA, HEADER, LABEL, LOCK, Vault, set_aside
from wallet.vault.guard import Lock, make_folder, storage_error, write_atomically

MAGIC: Final = b"zhenglian-wallet-backup/1\n"
LARGEST_HEADER: Final = 64 * 1024
LARGEST_BACKUP: Final = 256 * 1024 * 1024
"""A wallet holds some hundred kilobytes; a file beyond this is something else."""

_LENGTH = struct.Struct(">I")
_DIGEST_BYTES: Final = 32


def write_backup(vault: Vault, path: Path) -> None:
    """Raises VaultFull, VaultUnwritable. An older file at `path` stays until the new is whole."""
    with vault.at_rest() as data:
        try:
            header = (vault.home / HEADER).read_bytes()
            body = MAGIC + _LENGTH.pack(len(header)) + header + data.read_bytes()
        except OSError as error:
            raise storage_error(error) from error
    write_atomically(path, body + hashlib.sha256(body).digest())


def restore_backup(backup: Path, home: Path, passphrase: str) -> None:
    """Write the files of a backup into `home`.

    Raises BackupCorrupt, WrongPassphrase (before anything is written), VaultExists. The header
    goes last, as in a creation: an interrupted restore leaves no vault.
    """
    header, data = _split(backup)
    try:
        keyfile.unseal(header, passphrase, label=LABEL)
    except (WrongKeyfilePassphrase, PassphraseUnusable) as error:
        raise WrongPassphrase(seconds=0) from error
    except KeyfileMalformed as error:
        raise BackupCorrupt from error
    make_folder(home)
    lock = Lock(home / LOCK)
    try:
        if Vault.exists(home):
            raise VaultExists
        set_aside(home)
        write_atomically(home / DATA, data)
        write_atomically(home / HEADER, header)
    finally:
        lock.release()


def _split(backup: Path) -> tuple[bytes, bytes]:
    try:
        if backup.stat().st_size > LARGEST_BACKUP:
            raise BackupCorrupt
        whole = backup.read_bytes()
    except OSError as error:
        raise storage_error(error) from error
    body, digest = whole[:-_DIGEST_BYTES], whole[-_DIGEST_BYTES:]
    start = len(MAGIC) + _LENGTH.size
    if len(body) < start or not body.startswith(MAGIC) or hashlib.sha256(body).digest() != digest:
        raise BackupCorrupt
    (length,) = _LENGTH.unpack_from(body, len(MAGIC))
    if length > LARGEST_HEADER or start + length >= len(body):
        raise BackupCorrupt
    return body[start : start + length], body[start + length :]
