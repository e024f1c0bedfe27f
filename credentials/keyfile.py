"""Secrets at rest: a small JSON container sealed with a passphrase.

Guarantees, against whoever reads or alters the file: without the passphrase nothing about the
secret but its length, and each guess costs the argon2id work that the file states; an altered
file does not open. Against whoever writes a hostile file: opening it costs no more than
`COST_LIMIT` allows.

Not guaranteed: a weak passphrase stays weak, and an older copy of the file opens as well as a
newer one.

The container: `{"format": "zhenglian-sealed-v1", "label", "argon2id": {"m" KiB, "t", "p", "salt"},
"a256gcm": {"nonce", "text"}}`, binary values in base64url; all members but `text` are
authenticated with the secret. Sources: RFC 9106, NIST SP 800-38D.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from credentials.canonical.strict_json import parse_json_object
from credentials.errors import (
    CredentialError,
    KeyfileMalformed,
    PassphraseUnusable,
    WrongPassphrase,
)
from credentials.multibase import base64url_decode, base64url_encode


@dataclass(frozen=True)
class Cost:
    """What one guess costs: memory in KiB, passes over it, parallel lanes."""

    memory: int
    passes: int
    lanes: int

    def within(self, floor: Cost, limit: Cost) -> bool:
        return (
            floor.memory <= self.memory <= limit.memory
            and floor.passes <= self.passes <= limit.passes
            and floor.lanes <= self.lanes <= limit.lanes
        )


RECOMMENDED: Final = Cost(memory=64 * 1024, passes=3, lanes=4)
"""RFC 9106 §4, second recommended option: 64 MiB, for machines that cannot spare 2 GiB."""
COST_FLOOR: Final = Cost(memory=19 * 1024, passes=2, lanes=1)
"""The least that is written or read: what OWASP asks for as a minimum."""
COST_LIMIT: Final = Cost(memory=512 * 1024, passes=12, lanes=8)
"""The most that a file may ask of its reader: half a GiB and a few seconds."""

MAX_FILE: Final = 64 * 1024
"""Bytes of a container; a key takes 400."""
MAX_SECRET: Final = 32 * 1024
"""Bytes that can be sealed."""
MAX_PASSPHRASE: Final = 1024
"""Bytes of a passphrase in UTF-8."""

FORMAT: Final = "zhenglian-sealed-v1"
_SALT, _NONCE, _TAG = 16, 12, 16


def seal(
    secret: bytes,
    passphrase: str,
    *,
    rng: Callable[[int], bytes] = os.urandom,
    cost: Cost = RECOMMENDED,
    label: str = "",
) -> bytes:
    """The container with `secret`, to be opened with `passphrase`.

    `label` says openly what is inside and is authenticated: a file cannot pass for another.
    Raises PassphraseUnusable, KeyfileMalformed.
    """
    if len(secret) > MAX_SECRET or not cost.within(COST_FLOOR, COST_LIMIT):
        raise KeyfileMalformed(reason="the secret is too long or the cost is out of bounds")
    salt, nonce = rng(_SALT), rng(_NONCE)
    opened: dict[str, Any] = {
        "format": FORMAT,
        "label": label,
        "argon2id": {
            "m": cost.memory,
            "t": cost.passes,
            "p": cost.lanes,
            "salt": base64url_encode(salt),
        },
        "a256gcm": {"nonce": base64url_encode(nonce)},
    }
    cipher = AESGCM(_derive(passphrase, salt, cost))
    text = cipher.encrypt(nonce, secret, _associated(opened))
    opened["a256gcm"]["text"] = base64url_encode(text)
    return json.dumps(opened, ensure_ascii=False, indent=1).encode("utf-8") + b"\n"


def unseal(container: bytes, passphrase: str, *, label: str | None = None) -> bytes:
    """The secret. With `label`, a container that says it holds something else is refused.

    Raises WrongPassphrase, KeyfileMalformed, PassphraseUnusable.
    """
    if len(container) > MAX_FILE:
        raise KeyfileMalformed(reason="it is too long")
    try:
        opened = parse_json_object(container)
    except CredentialError as error:
        raise KeyfileMalformed(reason="it is not a JSON object") from error
    kdf, cipher = opened.get("argon2id"), opened.get("a256gcm")
    if (
        set(opened) != {"format", "label", "argon2id", "a256gcm"}
        or opened["format"] != FORMAT
        or not isinstance(opened["label"], str)
        or not isinstance(kdf, dict)
        or set(kdf) != {"m", "t", "p", "salt"}
        or not isinstance(cipher, dict)
        or set(cipher) != {"nonce", "text"}
    ):
        raise KeyfileMalformed(reason="it does not have the members of its format")
    if label is not None and opened["label"] != label:
        raise KeyfileMalformed(reason="it holds another secret than the one expected")
    numbers = [kdf[name] for name in ("m", "t", "p")]
    if not all(type(number) is int for number in numbers):
        raise KeyfileMalformed(reason="its cost is not a number")
    cost = Cost(*numbers)
    # Before anything is computed: the file is not authenticated yet, and chooses the work.
    if not cost.within(COST_FLOOR, COST_LIMIT):
        raise KeyfileMalformed(reason="its cost is out of bounds")
    salt = _octets(kdf["salt"], _SALT)
    nonce = _octets(cipher.pop("nonce"), _NONCE)
    text = _octets(cipher.pop("text"))
    if len(text) < _TAG:
        raise KeyfileMalformed(reason="its cipher text is too short")
    cipher["nonce"] = base64url_encode(nonce)
    try:
        return AESGCM(_derive(passphrase, salt, cost)).decrypt(nonce, text, _associated(opened))
    except InvalidTag:
        raise WrongPassphrase from None


def _derive(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    # NFC, or a passphrase typed on another keyboard is another one (RFC 8265 §4.2.2).
    secret = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    if not 0 < len(secret) <= MAX_PASSPHRASE:
        raise PassphraseUnusable(limit=MAX_PASSPHRASE)
    return hash_secret_raw(
        secret,
        salt,
        time_cost=cost.passes,
        memory_cost=cost.memory,
        parallelism=cost.lanes,
        hash_len=32,
        type=Type.ID,
    )


def _associated(opened: Mapping[str, Any]) -> bytes:
    return json.dumps(opened, sort_keys=True, separators=(",", ":")).encode("ascii")


def _octets(value: object, size: int | None = None) -> bytes:
    try:
        data = base64url_decode(value) if isinstance(value, str) else None
    except CredentialError as error:
        raise KeyfileMalformed(reason="a value is not base64url") from error
    if data is None or (size is not None and len(data) != size):
        raise KeyfileMalformed(reason="a value has the wrong type or length")
    return data
