"""A strict reader and writer for the part of CBOR that CBOR-LD uses (RFC 8949).

Guarantees against hostile bytes: one item and nothing after it; every length definite and in its
shortest form; no tag, no `undefined` and no simple value but false, true and null; no key twice;
keys are integers or text; depth and size are bounded before anything is built. Every refusal is a
`CborMalformed`, `CborTruncated` or `LimitExceeded`.

Not promised: that the writer gives the shortest floating-point form. Credentials hold no floats;
when one comes, it takes nine bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Final

import cbor2

from credentials.errors import CborMalformed, CborTruncated, LimitExceeded

MAX_BYTES: Final = 64 * 1024
"""The largest compact document read: fifty times what one QR code holds."""
MAX_DEPTH: Final = 32
"""Nested arrays and maps; a presentation of credentials needs eight."""

_UINT, _NEGINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)
_INDEFINITE: Final = 31
_TINY: Final = 24  # arguments below stand in the first byte (RFC 8949 §3)
_SIMPLE: Final[Mapping[int, bool | None]] = {20: False, 21: True, 22: None}
_FLOATS: Final[Mapping[int, tuple[str, int]]] = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}

Cbor = int | float | str | bytes | bool | None | list["Cbor"] | dict["int | str", "Cbor"]


def write(item: Cbor) -> bytes:
    """The bytes of `item`; map keys in the bytewise order of RFC 8949 §4.2.1."""
    return cbor2.dumps(_ordered(item))


def _ordered(item: Cbor) -> Cbor:
    if isinstance(item, dict):
        # Integers (major type 0) sort before text (3), and shorter text before longer.
        keys = sorted(item, key=_key_order)
        return {key: _ordered(item[key]) for key in keys}
    if isinstance(item, list):
        return [_ordered(element) for element in item]
    return item


def _key_order(key: int | str) -> tuple[int, int, bytes]:
    if isinstance(key, int):
        return (0, key, b"")
    text = key.encode()
    return (1, len(text), text)


def read(data: bytes, start: int = 0, *, limit: int = MAX_BYTES) -> Cbor:
    """The one item that stands in `data` from `start` to its end; `limit` bytes at most."""
    if len(data) > limit:
        raise LimitExceeded(what="compact document", limit=f"{limit} bytes")
    reader = _Reader(data, start)
    item = reader.item(0)
    if reader.at != len(data):
        raise CborMalformed(reason="bytes follow its end")
    return item


class _Reader:
    """A position in bytes; each method reads one part and moves on."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def head(self) -> tuple[int, int, int]:
        """Major type, additional information and argument."""
        data, at = self.data, self.at
        if at >= len(data):
            raise CborTruncated
        first = data[at]
        major, info = first >> 5, first & 0x1F
        self.at = at + 1
        if info < _TINY:
            return major, info, info
        if info > 27:  # 28 to 30 are reserved, 31 is indefinite
            reason = "a length is indefinite" if info == _INDEFINITE else "a first byte is reserved"
            raise CborMalformed(reason=reason)
        size = 1 << (info - _TINY)
        argument = int.from_bytes(self.take(size), "big")
        # Shortest form (RFC 8949 §4.2.1); floats keep their width.
        if major != 7 and (argument < _TINY if size == 1 else argument >> (4 * size) == 0):
            raise CborMalformed(reason="a number or length is not in its shortest form")
        return major, info, argument

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise CborTruncated
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def item(self, depth: int) -> Cbor:
        major, info, argument = self.head()
        if major == _UINT:
            return argument
        if major == _TEXT:
            try:
                return str(self.take(argument), "utf-8")
            except UnicodeDecodeError as error:
                raise CborMalformed(reason="a text is not UTF-8") from error
        if major == _BYTES:
            return self.take(argument)
        if major == _NEGINT:
            return -1 - argument
        if major == _TAG:
            raise CborMalformed(reason="a tag stands where none is allowed")
        if major == 7:
            return self.simple(info, argument)
        if depth >= MAX_DEPTH:
            raise LimitExceeded(what="nesting of the compact document", limit=MAX_DEPTH)
        # Each element takes at least a byte: refuse a count that the bytes cannot hold.
        if argument * (1 if major == _ARRAY else 2) > len(self.data) - self.at:
            raise CborTruncated
        if major == _ARRAY:
            return [self.item(depth + 1) for _ in range(argument)]
        return self.map(argument, depth + 1)

    def map(self, count: int, depth: int) -> dict[int | str, Cbor]:
        result: dict[int | str, Cbor] = {}
        for _ in range(count):
            first = self.data[self.at] >> 5 if self.at < len(self.data) else _UINT
            if first not in (_UINT, _TEXT):
                raise CborMalformed(reason="a key is neither a number nor a text")
            key = self.item(depth)
            assert isinstance(key, int | str)  # noqa: S101 - for mypy, checked just above
            if key in result:
                raise CborMalformed(reason="a map has the same key twice")
            result[key] = self.item(depth)
        return result

    def simple(self, info: int, argument: int) -> Cbor:
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info not in _FLOATS:
            raise CborMalformed(reason="a value is undefined or of an unknown simple type")
        code, size = _FLOATS[info]
        number: float = struct.unpack(code, argument.to_bytes(size, "big"))[0]
        if not math.isfinite(number):
            raise CborMalformed(reason="a number is infinite or not a number")
        return number
