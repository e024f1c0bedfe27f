"""The text in a QR code: `VP1-` or `VC1-`, then the compact document in multibase base45 (`R…`).

Base45 (RFC 9285) uses only the characters of a QR code's alphanumeric mode, so a code holds more
of it than of base64; the prefixes are those of W3C VC Barcodes and of @digitalbazaar/vpqr. Reading
is strict: one text for one byte string, no blanks, no lower case, bounded before it is decoded.
What the prefix announces must be what the document is.
"""

from __future__ import annotations

import re
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

BASE45_PREFIX: Final = "R"
PRESENTATION_PREFIX: Final = "VP1-"
CREDENTIAL_PREFIX: Final = "VC1-"
_KINDS: Final[Mapping[str, str]] = {
    PRESENTATION_PREFIX: "VerifiablePresentation",
    CREDENTIAL_PREFIX: "VerifiableCredential",
}
MAX_TEXT: Final = 8 * 1024
"""Characters: the largest QR code there is (version 40-L) holds 4,296."""
_ALPHABET: Final = re.compile(r"[0-9A-Z $%*+\-./:]*", re.ASCII)


def frame(data: bytes, prefix: str) -> str:
    """QR text for compact bytes."""
    return f"{prefix}{BASE45_PREFIX}{base45.b45encode(data).decode('ascii')}"


def unframe(text: str) -> tuple[str, bytes]:
    """Prefix and compact bytes of QR text."""
    if len(text) > MAX_TEXT:
        raise LimitExceeded(what="QR text", limit=f"{MAX_TEXT} characters")
    prefix = text[: len(PRESENTATION_PREFIX)]
    if prefix not in _KINDS:
        if text and any(known.startswith(text) for known in _KINDS):
            raise QrTextTruncated
        raise QrTextUnknown
    body = text[len(prefix) :]
    if not body:
        raise QrTextTruncated
    if not body.startswith(BASE45_PREFIX):
        raise QrTextMalformed(reason="it is not in base45")
    return prefix, decode_base45(body[len(BASE45_PREFIX) :])


def decode_base45(text: str) -> bytes:
    """The bytes of strict base45 `text`. Raises `QrTextMalformed`, `QrTextTruncated`."""
    if not _ALPHABET.fullmatch(text):
        raise QrTextMalformed(reason="it holds a character that base45 does not have")
    if len(text) % 3 == 1:  # no bytes end so (RFC 9285 §4)
        raise QrTextTruncated
    try:
        data = bytes(base45.b45decode(text))
    except ValueError as error:
        raise QrTextMalformed(reason="it is not base45") from error
    if base45.b45encode(data) != text.encode("ascii"):
        raise QrTextMalformed(reason="it is not the one base45 spelling of its bytes")
    return data


def encode_qr_text(document: Mapping[str, Any], contexts: ContextStore | None = None) -> str:
    """QR text of a credential or presentation. Raises `CborLdLossy`, `QrTextUnknown`."""
    return frame(cborld.encode(document, contexts), _prefix_for(document))


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


def _prefix_for(document: Mapping[str, Any]) -> str:
    types = _types(document)
    for prefix, kind in _KINDS.items():
        if kind in types:
            return prefix
    raise QrTextUnknown


def _types(document: Mapping[str, Any]) -> list[Any]:
    types = document.get("type")
    return types if isinstance(types, list) else [types]
