"""The value codecs of CBOR-LD 1.0: how one typed value becomes shorter and comes back.

Each encoder gives back the value unchanged when the short form would not decode to the same text;
each decoder accepts only what it would itself have written, or plain text. Kinds of values: entries
of the type table, URLs (http, https, urn:uuid, data, did:key, did:v1:nym), multibase, xsd:date and
xsd:dateTime.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from credentials.errors import CborLdMalformed, CredentialError
from credentials.limits import MAX_SAFE_INTEGER
from credentials.multibase import (
    base58btc_decode,
    base58btc_encode,
    base64url_decode,
    base64url_encode,
)
from credentials.qr.cbor import Cbor
from credentials.qr.table import NONE, URL, TypeTable
from credentials.qr.terms import Definition, TermNumbers

XSD_DATE: Final = "http://www.w3.org/2001/XMLSchema#date"
XSD_DATE_TIME: Final = "http://www.w3.org/2001/XMLSchema#dateTime"
MULTIBASE: Final = "https://w3id.org/security#multibase"
# A table number of these types is written as bytes, because plain integers mean something else.
_NUMBERED_AS_BYTES: Final = frozenset({NONE, URL, XSD_DATE, XSD_DATE_TIME})

_HTTP, _HTTPS, _UUID, _DATA, _NYM, _DID_KEY = 1, 2, 3, 4, 1024, 1025
_PREFIXES: Final[Mapping[str, int]] = {
    "https://": _HTTPS,
    "http://": _HTTP,
    "urn:uuid:": _UUID,
    "data:": _DATA,
    "did:v1:nym:": _NYM,
    "did:key:": _DID_KEY,
}
_PREFIX_OF: Final[Mapping[int, str]] = {number: prefix for prefix, number in _PREFIXES.items()}
MAX_BASE58_BYTES: Final = 256
"""Bytes written as base58 when decoding: keys and identifiers have 34 to 67."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{3}))?Z", re.ASCII)


def table_type(term: str, definition: Definition | None) -> str:
    """The type under which values of `term` are looked up and encoded."""
    if term in ("@id", "@type"):
        return URL
    if definition is None:
        return NONE
    if definition.names_url:
        return URL
    return definition.type or NONE


def encode_value(
    value: str | float | bool, kind: str, numbers: TermNumbers, table: TypeTable
) -> Cbor:
    """The short form of a primitive `value` of type `kind`, or the value itself."""
    entries = table.numbers.get(kind)
    if isinstance(value, str):
        if entries is not None and value in entries:
            number = entries[value]
            return _unsigned(number) if kind in _NUMBERED_AS_BYTES else number
        if kind == URL:
            return _encode_url(value, numbers)
        encode = _ENCODERS.get(kind)
        return encode(value) if encode is not None else value
    if entries is not None and kind != NONE and type(value) is int:
        return _signed(value)
    return value


def decode_value(item: Cbor, kind: str, numbers: TermNumbers, table: TypeTable) -> Cbor:
    """The value that `item` stands for. A list comes back as itself when no codec claims it."""
    if isinstance(item, str | bool):
        return item
    entries = table.values.get(kind)
    if entries is not None:
        by_bytes = kind in _NUMBERED_AS_BYTES
        if isinstance(item, bytes) and by_bytes:
            return _looked_up(entries, _read_unsigned(item))
        if isinstance(item, int) and not by_bytes:
            return _looked_up(entries, item)
        if isinstance(item, bytes):
            return _read_signed(item)
    if kind == URL:
        return _decode_url(item, numbers)
    decode = _DECODERS.get(kind)
    if decode is not None:
        return decode(item)
    if isinstance(item, bytes):
        raise CborLdMalformed(reason="bytes stand where the type has no binary form")
    if isinstance(item, int) and abs(item) > MAX_SAFE_INTEGER:
        raise CborLdMalformed(reason="a number is too large for JSON")
    return item


# Numbers of the type table


def _looked_up(entries: Mapping[int, str], number: int) -> str:
    value = entries.get(number)
    if value is None:
        raise CborLdMalformed(reason="it uses a number that the type table does not have")
    return value


def _unsigned(number: int) -> bytes:
    # The boundaries leave out the largest value of each size, as peers do.
    for size in (1, 2, 4):
        if number < (1 << (8 * size)) - 1:
            return number.to_bytes(size, "big")
    raise ValueError("a number of the type table is too large")


def _read_unsigned(data: bytes) -> int:
    number = int.from_bytes(data, "big")
    if len(data) not in (1, 2, 4) or _unsigned(number) != data:
        raise CborLdMalformed(reason="a table number is not in its shortest form")
    return number


def _signed(number: int) -> bytes:
    for size in (1, 2, 4):
        if -(1 << (8 * size - 1)) <= number < (1 << (8 * size - 1)) - 1:
            return number.to_bytes(size, "big", signed=True)
    return number.to_bytes(8, "big", signed=True)


def _read_signed(data: bytes) -> int:
    number = int.from_bytes(data, "big", signed=True)
    if len(data) not in (1, 2, 4, 8) or abs(number) > MAX_SAFE_INTEGER:
        raise CborLdMalformed(reason="bytes stand where a number is expected")
    return number


# URLs


def _encode_url(value: str, numbers: TermNumbers) -> Cbor:
    number = numbers.number.get(value)
    if number is not None:
        return number
    # The rest after the prefix may hold no colon (CBOR-LD 1.0, Create URL Encoder): a URL with a
    # port, for one, stays as it is.
    prefix = value[: value.rfind(":") + 1]
    prefix += "//" if prefix in ("http:", "https:") else ""
    scheme = _PREFIXES.get(prefix)
    if scheme is None or not value.startswith(prefix):
        return value
    rest = value[len(prefix) :]
    short: list[Cbor]
    if scheme == _UUID:
        short = [scheme, _uuid_bytes(rest) or rest]
    elif scheme == _DATA:
        short = [scheme, *_data_parts(rest)]
    elif scheme in (_NYM, _DID_KEY):
        authority, hash_sign, fragment = rest.partition("#")
        short = [scheme, _base58_part(authority)]
        if hash_sign:
            short.append(_base58_part(fragment))
    else:
        short = [scheme, rest]
    return short if _decode_url(short, numbers) == value else value


def _decode_url(item: Cbor, numbers: TermNumbers) -> Cbor:
    if isinstance(item, int):
        term = numbers.term.get(item)
        if term is None:
            raise CborLdMalformed(reason="a value uses the number of no term")
        return term
    if not isinstance(item, list) or not item or type(item[0]) is not int:
        raise CborLdMalformed(reason="an identifier has an unknown form")
    prefix, parts = _PREFIX_OF.get(item[0]), item[1:]
    match prefix, parts:
        case "http://" | "https://", [str(rest)]:
            return prefix + rest
        case "urn:uuid:", [str(rest)]:
            return prefix + rest
        case "urn:uuid:", [bytes(data)] if len(data) == 16:
            return prefix + str(uuid.UUID(bytes=data))
        case "data:", [str(rest)]:
            return prefix + rest
        case "data:", [str(media), bytes(data)]:
            return f"{prefix}{media};base64,{base64.b64encode(data).decode('ascii')}"
        case "did:v1:nym:" | "did:key:", [authority]:
            return prefix + _base58_text(authority)
        case "did:v1:nym:" | "did:key:", [authority, fragment]:
            return f"{prefix}{_base58_text(authority)}#{_base58_text(fragment)}"
    raise CborLdMalformed(reason="an identifier has an unknown form")


def _uuid_bytes(text: str) -> bytes | None:
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return None
    return parsed.bytes if str(parsed) == text else None


def _data_parts(rest: str) -> list[Cbor]:
    media, marker, encoded = rest.rpartition(";base64,")
    if marker:
        try:
            return [media, base64.b64decode(encoded, validate=True)]
        except (binascii.Error, ValueError):
            return [rest]
    return [rest]


def _base58_part(text: str) -> Cbor:
    if text.startswith("z"):
        try:
            data = base58btc_decode(text[1:])
        except CredentialError:  # not base58, or too long for it: it stays text
            return text
        if len(data) <= MAX_BASE58_BYTES:
            return data
    return text


def _base58_text(part: Cbor) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, bytes) and len(part) <= MAX_BASE58_BYTES:
        return "z" + base58btc_encode(part)
    raise CborLdMalformed(reason="an identifier has an unknown form")


# Multibase


def _encode_multibase(value: str) -> Cbor:
    try:
        if value.startswith("u"):
            short = b"u" + base64url_decode(value[1:])
        elif value.startswith("z"):
            short = b"z" + base58btc_decode(value[1:])
        elif value.startswith("M"):
            short = b"M" + base64.b64decode(value[1:], validate=True)
        else:
            return value
        return short if _decode_multibase(short) == value else value
    except (CredentialError, binascii.Error, ValueError):
        return value  # looks like multibase and is not: it stays text


def _decode_multibase(item: Cbor) -> str:
    if isinstance(item, bytes):
        header, data = item[:1], item[1:]
        if header == b"u":
            return "u" + base64url_encode(data)
        if header == b"z" and len(data) <= MAX_BASE58_BYTES:
            return "z" + base58btc_encode(data)
        if header == b"M":
            return "M" + base64.b64encode(data).decode("ascii")
    raise CborLdMalformed(reason="a multibase value has an unknown form")


# Dates


def _encode_date(value: str) -> Cbor:
    if _DATE.fullmatch(value):
        try:
            return _seconds(datetime.fromisoformat(value).replace(tzinfo=UTC))
        except ValueError:  # the thirtieth of February
            return value
    return value


def _decode_date(item: Cbor) -> str:
    if type(item) is int:
        instant = _instant(item)
        if instant.time() == _EPOCH.time():
            return instant.date().isoformat()
    raise CborLdMalformed(reason="a date has an unknown form")


def _encode_date_time(value: str) -> Cbor:
    match = _DATE_TIME.fullmatch(value)
    if match is None:
        return value
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return value
    seconds = _seconds(instant)
    return seconds if match[1] is None else [seconds, int(match[1])]


def _decode_date_time(item: Cbor) -> str:
    if isinstance(item, int) and not isinstance(item, bool):
        return _instant(item).replace(tzinfo=None).isoformat() + "Z"
    match item:
        case [int(seconds), int(thousandths)] if (
            not isinstance(seconds, bool)
            and not isinstance(thousandths, bool)
            and 0 <= thousandths < 1000
        ):
            whole = _instant(seconds).replace(tzinfo=None).isoformat()
            return f"{whole}.{thousandths:03}Z"
    raise CborLdMalformed(reason="a time has an unknown form")


def _seconds(instant: datetime) -> int:
    return (instant.replace(microsecond=0) - _EPOCH) // timedelta(seconds=1)


def _instant(seconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError as error:
        raise CborLdMalformed(reason="a time lies outside the years 1 to 9999") from error


_ENCODERS: Final[Mapping[str, Callable[[str], Cbor]]] = {
    MULTIBASE: _encode_multibase,
    XSD_DATE: _encode_date,
    XSD_DATE_TIME: _encode_date_time,
}
_DECODERS: Final[Mapping[str, Callable[[Cbor], str]]] = {
    MULTIBASE: _decode_multibase,
    XSD_DATE: _decode_date,
    XSD_DATE_TIME: _decode_date_time,
}
