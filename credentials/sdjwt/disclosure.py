"""Disclosures: a salt, a name and a value, and the digest that stands in their place.

Guarantees: a disclosure is read strictly (one spelling of base64url, strict JSON, two or three
parts, a text as salt and name), so what is shown is what was hashed. Salts are 128 bits of the
system's randomness unless a caller brings its own.

Not guaranteed: that a value cannot be guessed once its disclosure is known. The salt is all that
hides it.

Source: RFC 9901 §4.2.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256, sha384, sha512
from typing import Any, Final, NamedTuple, Protocol

from credentials.canonical.strict_json import parse_json
from credentials.errors import EncodingInvalid, JsonMalformed, LimitExceeded, SdJwtMalformed
from credentials.multibase import base64url_decode, base64url_encode

MAX_DISCLOSURE: Final = 128 * 1024
"""Characters of one disclosure: a photograph of a face takes some 30 KiB."""
SALT_LENGTH: Final = 16
"""Bytes of a salt (§9.3: 128 bits or more)."""

SD: Final = "_sd"
ELLIPSIS: Final = "..."
SD_ALG: Final = "_sd_alg"
RESERVED: Final = frozenset({SD, ELLIPSIS, SD_ALG})
"""Names that no claim may have (§4.1: they carry digests and nothing else)."""

DEFAULT_HASH: Final = "sha-256"


class _Hash(Protocol):
    def digest(self) -> bytes: ...


HASHES: Final[Mapping[str, Callable[[bytes], _Hash]]] = {
    "sha-256": sha256,
    "sha-384": sha384,
    "sha-512": sha512,
}
"""Hash functions by their names in IANA's Named Information registry (§4.1.1)."""

_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class Disclosure(NamedTuple):
    """What a disclosure says. `name` is None for an element of an array."""

    salt: str
    name: str | None
    value: Any


def digest(text: str, hash_function: Callable[[bytes], _Hash]) -> str:
    """The digest of ASCII `text`, in base64url (§4.2.3: over the encoded text, not the bytes)."""
    return base64url_encode(hash_function(text.encode("ascii")).digest())


def make_disclosure(salt: str, name: str | None, value: Any) -> str:
    """The text of a disclosure. Raises ValueError or TypeError for what JSON cannot hold."""
    parts = (salt, value) if name is None else (salt, name, value)
    return base64url_encode(_ENCODE(parts).encode())


def read_disclosure(text: str) -> Disclosure:
    """What disclosure `text` says. Raises SdJwtMalformed, LimitExceeded."""
    if len(text) > MAX_DISCLOSURE:
        raise LimitExceeded(what="disclosure", limit=f"{MAX_DISCLOSURE} characters")
    try:
        parts = parse_json(base64url_decode(text))
    except (EncodingInvalid, JsonMalformed) as error:
        raise SdJwtMalformed(reason="a disclosure is not JSON in base64url") from error
    if type(parts) is list and parts and type(parts[0]) is str:
        if len(parts) == 3 and type(parts[1]) is str:
            return Disclosure(*parts)
        if len(parts) == 2:
            return Disclosure(parts[0], None, parts[1])
    raise SdJwtMalformed(reason="a disclosure does not have the parts that it must have")
