"""Personal data at rest: sealed columns and keyed tags.

A box is `0x01 || nonce (12) || AES-256-GCM ciphertext and tag`; the table and the row's id are
authenticated with it, so a box copied to another row does not open. Every box has a random 96-bit
nonce under one key, which is sound for 2^32 boxes (NIST SP 800-38D §8.3); a city has fewer.

Tags are HMAC-SHA-256 under keys of their own. They let the store compare what must not be stored:
a six-digit transaction code, a holder's key. Without the data key they cannot be guessed through.

This protects the file and its backups. It does not protect against whoever runs the server.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from issuer.errors import RecordSealBroken

DATA_KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12


def _derive(data_key: bytes, use: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"zhenglian/issuer/{use}/v1".encode()).derive(
        data_key
    )


class Sealer:
    """Seals columns and makes tags with keys derived from one data key."""

    def __init__(self, data_key: bytes, random: Callable[[int], bytes]) -> None:
        self._box = AESGCM(_derive(data_key, "columns"))
        self._tags = _derive(data_key, "tags")
        self._random = random

    def seal(self, table: str, row: str, plain: bytes) -> bytes:
        nonce = self._random(_NONCE_BYTES)
        return _VERSION + nonce + self._box.encrypt(nonce, plain, f"{table}/{row}".encode())

    def open(self, table: str, row: str, sealed: bytes) -> bytes:
        """The plain bytes. Raises `RecordSealBroken`."""
        if sealed[:1] != _VERSION:
            raise RecordSealBroken
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._box.decrypt(nonce, ciphertext, f"{table}/{row}".encode())
        except (InvalidTag, ValueError) as error:
            raise RecordSealBroken from error

    def tag(self, use: str, *parts: str) -> bytes:
        """A keyed tag of `parts`; the same parts under another use give another tag."""
        message = b"".join(
            len(part).to_bytes(4, "big") + part for part in (p.encode() for p in (use, *parts))
        )
        return hmac.digest(self._tags, message, sha256)
