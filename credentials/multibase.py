"""base64url, base58btc and the two multibase headers that credentials use.

Decoding is strict: each byte string has exactly one text that is accepted (no padding, no
whitespace, no spare bits), so nobody can make a second spelling of a signed value. Sizes are
bounded, because base58 costs the square of its length.

Sources: RFC 4648 §5, Controlled Identifiers 1.0 §2.4 (multibase).
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from credentials.errors import EncodingInvalid, LimitExceeded

MAX_BASE58_TEXT: Final = 512
"""Characters of base58btc: room for any key or signature here, too little to burn time on."""

MAX_BASE64_TEXT: Final = 4 * 1024 * 1024
"""Characters of base64url: the largest value is a compressed status list."""

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
# Ten digits at a time fit a machine word, and two at a time a small table: the signatures of the
# plain suites are base58, so this is on the path of every issuance.
_PAIR: Final = 58**2
_TWO_PAIRS: Final = 58**4
_GROUP_DIGITS: Final = 10
_GROUP: Final = 58**_GROUP_DIGITS
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
# The module base64 does the same through three more calls, and every token is full of base64url.
_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def base64url_encode(data: bytes) -> str:
    """base64url without padding."""
    text = binascii.b2a_base64(data, newline=False)
    return text.translate(_TO_URL_SAFE).rstrip(b"=").decode("ascii")


def base64url_decode(text: str) -> bytes:
    """The bytes of unpadded base64url `text`. Raises EncodingInvalid, LimitExceeded."""
    if len(text) > MAX_BASE64_TEXT:
        raise LimitExceeded(what="base64url text", limit=MAX_BASE64_TEXT)
    # Python's decoder skips foreign characters and ignores spare bits; neither is acceptable.
    if not _BASE64URL.fullmatch(text):
        raise EncodingInvalid(encoding="base64url")
    try:
        data = binascii.a2b_base64(
            text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        )
    except binascii.Error as error:
        raise EncodingInvalid(encoding="base64url") from error
    if len(text) % 4 and base64url_encode(data[-(len(data) % 3) :])[-1] != text[-1]:
        raise EncodingInvalid(encoding="base64url")
    return data


def base58btc_encode(data: bytes) -> str:
    """base58 with Bitcoin's alphabet; each leading zero byte becomes a leading `1`."""
    number, groups = int.from_bytes(data, "big"), []
    while number:
        number, group = divmod(number, _GROUP)
        rest, tail = divmod(group, _TWO_PAIRS)
        first, middle = divmod(rest, _TWO_PAIRS)
        second, third = divmod(middle, _PAIR)
        fourth, fifth = divmod(tail, _PAIR)
        groups.append(
            f"{_PAIRS[first]}{_PAIRS[second]}{_PAIRS[third]}{_PAIRS[fourth]}{_PAIRS[fifth]}"
        )
    groups.reverse()
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(groups).lstrip("1")


def base58btc_decode(text: str) -> bytes:
    """The bytes of base58btc `text`. Raises EncodingInvalid, LimitExceeded."""
    if len(text) > MAX_BASE58_TEXT:
        raise LimitExceeded(what="base58 text", limit=MAX_BASE58_TEXT)
    number = 0
    try:
        for start in range(0, len(text), _GROUP_DIGITS):
            part = text[start : start + _GROUP_DIGITS]
            group = 0
            for character in part:
                group = group * 58 + _VALUES[character]
            number = number * 58 ** len(part) + group
    except KeyError:
        raise EncodingInvalid(encoding="base58btc") from None
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def multibase_base58(data: bytes) -> str:
    """`z` and base58btc: keys and the signatures of the plain cryptosuites."""
    return "z" + base58btc_encode(data)


def multibase_base64(data: bytes) -> str:
    """`u` and base64url: digests, status lists, selective-disclosure proofs."""
    return "u" + base64url_encode(data)


def multibase_decode(text: str, allowed: str = "zu") -> bytes:
    """The bytes behind a multibase header out of `allowed`. Raises EncodingInvalid."""
    header = text[:1]
    if header and header in allowed:
        if header == "z":
            return base58btc_decode(text[1:])
        if header == "u":
            return base64url_decode(text[1:])
    raise EncodingInvalid(encoding="multibase")
