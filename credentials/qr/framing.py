"""The text in a QR code: a prefix, then the compact document in multibase base45 (`R…`).

`VP1-` and `VC1-` stand before plain CBOR-LD, as in W3C VC Barcodes and @digitalbazaar/vpqr. Where
that is too long for one code, `VPD-` and `VCD-` stand before the same bytes as raw DEFLATE (RFC
1951): identifiers that a presentation repeats then count once. These two prefixes are ours.

Base45 (RFC 9285) uses only the characters of a QR code's alphanumeric mode, so a code holds more
of it than of base64. Reading is strict: no blanks, no lower case, one base45 text for one byte
string, bounded before it is decoded and while it is unpacked. What the prefix announces must be
what the document is.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any, Final

import base45

from credentials.contexts import ContextStore
from credentials.errors import (
    CborTruncated,
    LimitExceeded,
    QrTextMalformed,
    QrTextTruncated,
    QrTextUnknown,
)
from credentials.qr import cborld
from credentials.qr.cbor import MAX_BYTES
from credentials.qr.codes import capacity

BASE45_PREFIX: Final = "R"
PRESENTATION: Final = "VP1-"
CREDENTIAL: Final = "VC1-"
DEFLATED_PRESENTATION: Final = "VPD-"
DEFLATED_CREDENTIAL: Final = "VCD-"
_PREFIX_LENGTH: Final = 4
_KINDS: Final[Mapping[str, str]] = {
    PRESENTATION: "VerifiablePresentation",
    CREDENTIAL: "VerifiableCredential",
    DEFLATED_PRESENTATION: "VerifiablePresentation",
    DEFLATED_CREDENTIAL: "VerifiableCredential",
}
_DEFLATED: Final[Mapping[str, str]] = {
    PRESENTATION: DEFLATED_PRESENTATION,
    CREDENTIAL: DEFLATED_CREDENTIAL,
}
MAX_TEXT: Final = 8 * 1024
"""Characters: the largest QR code there is (version 40-L) holds 4,296."""
_ALPHABET: Final = re.compile(r"[0-9A-Z $%*+\-./:]*", re.ASCII)


def encode_qr_text(document: Mapping[str, Any], contexts: ContextStore | None = None) -> str:
    """QR text of a credential or presentation; deflated only if one code could not hold it.

    Raises `CborLdLossy`, `ContextUnknown`, `QrTextUnknown`. Whether the text fits a code is found
    out when it is drawn.
    """
    prefix = _prefix_for(document)
    data = cborld.encode(document, contexts)
    text = frame(data, prefix)
    if len(text) > capacity(alphanumeric=True):
        return frame(deflate(data), _DEFLATED[prefix])
    return text


def decode_qr_text(text: str, contexts: ContextStore | None = None) -> dict[str, Any]:
    """The document in QR text, not verified in any way. Raises kernel errors only."""
    prefix, data = unframe(text)
    try:
        document = cborld.decode(data, contexts)
    except CborTruncated as error:
        raise QrTextTruncated from error
    if _KINDS[prefix] not in _types(document):
        raise QrTextMalformed(reason="it announces another kind of document than it holds")
    return document


def frame(data: bytes, prefix: str) -> str:
    """QR text for bytes."""
    return f"{prefix}{BASE45_PREFIX}{base45.b45encode(data).decode('ascii')}"


def unframe(text: str) -> tuple[str, bytes]:
    """Prefix and compact bytes of QR text, unpacked where the prefix says so."""
    if len(text) > MAX_TEXT:
        raise LimitExceeded(what="QR text", limit=f"{MAX_TEXT} characters")
    prefix = text[:_PREFIX_LENGTH]
    if prefix not in _KINDS:
        if text and any(known.startswith(text) for known in _KINDS):
            raise QrTextTruncated
        raise QrTextUnknown
    data = read_body(text[_PREFIX_LENGTH:])
    return prefix, inflate(data, MAX_BYTES) if prefix in _DEFLATED.values() else data


def read_body(body: str) -> bytes:
    """The bytes of `R…`, strictly. Raises `QrTextMalformed`, `QrTextTruncated`."""
    if not body:
        raise QrTextTruncated
    if not body.startswith(BASE45_PREFIX):
        raise QrTextMalformed(reason="it is not in base45")
    text = body[len(BASE45_PREFIX) :]
    if not _ALPHABET.fullmatch(text):
        raise QrTextMalformed(reason="it holds a character that base45 does not have")
    # Three characters are two bytes, a last two are one (RFC 9285 §4). One left over, or two that
    # are too much for one byte, are the beginning of three.
    whole = len(text) - len(text) % 3
    try:
        data = bytes(base45.b45decode(text[:whole]))
    except ValueError as error:
        raise QrTextMalformed(reason="it is not base45") from error
    try:
        data += bytes(base45.b45decode(text[whole:]))
    except ValueError as error:
        raise QrTextTruncated from error
    if base45.b45encode(data) != text.encode("ascii"):
        raise QrTextMalformed(reason="it is not the one base45 spelling of its bytes")
    return data


def deflate(data: bytes, dictionary: bytes = b"") -> bytes:
    """Raw DEFLATE of `data`, after a preset dictionary if one is given."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zdict=dictionary)
    return packer.compress(data) + packer.flush()


def inflate(data: bytes, limit: int, dictionary: bytes = b"") -> bytes:
    """What `deflate` packed, at most `limit` bytes: a bomb is given up there.

    Raises `QrTextMalformed`, `QrTextTruncated`, `LimitExceeded`.
    """
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS, zdict=dictionary)
    try:
        unpacked = unpacker.decompress(data, limit + 1)
    except zlib.error as error:
        raise QrTextMalformed(reason="it does not unpack") from error
    if len(unpacked) > limit:
        raise LimitExceeded(what="unpacked QR text", limit=f"{limit} bytes")
    if not unpacker.eof:
        raise QrTextTruncated
    if unpacker.unused_data:
        raise QrTextMalformed(reason="data follows its end")
    return unpacked


def _prefix_for(document: Mapping[str, Any]) -> str:
    types = _types(document)
    for prefix in (PRESENTATION, CREDENTIAL):
        if _KINDS[prefix] in types:
            return prefix
    raise QrTextUnknown


def _types(document: Mapping[str, Any]) -> list[Any]:
    types = document.get("type")
    return types if isinstance(types, list) else [types]
