"""The values in the lines of C2SP's text formats: base64, decimals, hashes, tree heads.

Each has one spelling, and only that one is read: two texts never say the same thing.
"""

from __future__ import annotations

import base64
import re

from registry.limits import HASH_BYTES, MAX_TREE_SIZE


def strict_base64(text: str) -> bytes:
    """RFC 4648 §4 with padding, no other character and no stray bits; raises `ValueError`."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 is not canonical")
    return data


def parse_decimal(text: str) -> int:
    """ASCII decimal without leading zeroes, at most 2^63 - 1; raises `ValueError`."""
    if not re.fullmatch("0|[1-9][0-9]{0,18}", text, re.ASCII) or int(text) > MAX_TREE_SIZE:
        raise ValueError("not a decimal number in range")
    return int(text)


def parse_hash(text: str) -> bytes:
    """A base64 SHA-256 hash; raises `ValueError`."""
    data = strict_base64(text)
    if len(data) != HASH_BYTES:
        raise ValueError("not 32 bytes")
    return data


def encode_hash(data: bytes) -> str:
    return base64.b64encode(data).decode()


def split_head(text: str) -> tuple[str, int, bytes, tuple[str, ...]]:
    """Origin, size, root and extension lines of a checkpoint's text (tlog-checkpoint, "Note text").

    Raises `ValueError`. What the values may be together is checked by `registry.tlog.checkpoint`.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop():
        raise ValueError("fewer than three lines")
    return lines[0], parse_decimal(lines[1]), parse_hash(lines[2]), tuple(lines[3:])
