"""Strict JSON: one text, one meaning.

Guarantee: what `parse_json` returns is what every conforming reader makes of the same bytes. A
member named twice, half a character, a number that other readers would round, NaN, a byte order
mark or anything that is not UTF-8 is refused (RFC 8259, I-JSON RFC 7493), and size and depth are
bounded before they cost anything.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from credentials.errors import (
    JsonDuplicateKey,
    JsonEncoding,
    JsonMalformed,
    JsonNumber,
    LimitExceeded,
)
from credentials.limits import MAX_JSON_BYTES, MAX_JSON_DEPTH, MAX_SAFE_INTEGER
from schemas.errors import Phrase

_LONGEST_INTEGER: Final = len(str(-MAX_SAFE_INTEGER))
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def parse_json(data: bytes | str) -> Any:
    """The value of a JSON text.

    Raises JsonMalformed and its subclasses JsonDuplicateKey, JsonEncoding and JsonNumber, and
    LimitExceeded. The errors never quote the text.
    """
    if len(data) > MAX_JSON_BYTES:
        raise LimitExceeded(what="JSON text", limit=MAX_JSON_BYTES)
    if isinstance(data, bytes):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise JsonEncoding() from None
    else:
        text = data
        if _SURROGATE.search(text):
            raise JsonEncoding()
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        # Only the position: the message of the parser may quote the text.
        raise JsonMalformed(
            reason=Phrase("line {lineno}, column {colno}", lineno=error.lineno, colno=error.colno)
        ) from None
    except RecursionError:
        raise LimitExceeded(what="nesting of the JSON text", limit=MAX_JSON_DEPTH) from None
    if text.count("{") + text.count("[") > MAX_JSON_DEPTH or "\\u" in text:
        _check_tree(value)
    return value


def parse_json_object(data: bytes | str) -> dict[str, Any]:
    """Like `parse_json`, for a text that must hold an object."""
    value = parse_json(data)
    if not isinstance(value, dict):
        raise JsonMalformed(reason="it is not an object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonDuplicateKey()
    return members


def _integer(text: str) -> int:
    # The length first: converting a million digits is a denial of service of its own.
    if len(text) > _LONGEST_INTEGER or abs(number := int(text)) > MAX_SAFE_INTEGER:
        raise JsonNumber()
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise JsonNumber()
    return number


def _constant(_name: str) -> NoReturn:
    raise JsonNumber()  # NaN, Infinity and -Infinity are not JSON


def _check_tree(value: Any) -> None:
    """Depth, and surrogates that `\\u` escapes left unpaired."""
    level: list[Any] = [value]
    for _depth in range(MAX_JSON_DEPTH + 1):
        below: list[Any] = []
        is_nested = False
        for item in level:
            if isinstance(item, str):
                if _SURROGATE.search(item):
                    raise JsonEncoding()
            elif isinstance(item, dict):
                is_nested = True
                below.extend(item)
                below.extend(item.values())
            elif isinstance(item, list):
                is_nested = True
                below.extend(item)
        if not is_nested:
            return
        level = below
    raise LimitExceeded(what="nesting of the JSON text", limit=MAX_JSON_DEPTH)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)
