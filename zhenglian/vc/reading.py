"""From the bytes of a file to what they hold: a document, a token or a COSE message.

Guarantee: nothing longer than a named limit is read, and what is returned is of one form, decided
by how it begins and never by what it says of itself later. Nothing of it is verified.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from credentials.canonical.strict_json import parse_json_object
from credentials.errors import JsonEncoding, LimitExceeded
from credentials.jose import parse_compact
from credentials.limits import MAX_JSON_BYTES
from credentials.qr import cborld, decode_qr_text
from credentials.sdjwt import SdJwt
from credentials.securing import Envelope
from zhenglian.vc.errors import NoCredential, VcFileUnusable

MAX_FILE: Final = MAX_JSON_BYTES
"""Bytes of any file; the kernel's limits of each form are not above it."""

SD_JWT_VC: Final = "dc+sd-jwt"

_CBOR_LD: Final = cborld.TAG
_COSE: Final = (b"\xd2\x84", b"\x84")  # tagged and untagged COSE_Sign1 (RFC 9052 §4.2)
_QR: Final = re.compile(r"V[CP][1D]-")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_=-]+\.", re.ASCII)


@dataclass(frozen=True)
class Token:
    """An SD-JWT VC: claims, no document."""

    compact: str


Content = Mapping[str, Any] | Envelope | Token
"""A document with its proof or around its envelope, a token of VC-JOSE-COSE, or an SD-JWT VC."""


def read_file(source: str) -> bytes:
    """The bytes of a file, or of standard input for `-`. Raises VcFileUnusable, LimitExceeded."""
    try:
        if source == "-":
            data = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with Path(source).open("rb") as stream:
                data = stream.read(MAX_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "unreadable"
        raise VcFileUnusable(path=source, reason=reason) from error
    if len(data) > MAX_FILE:
        raise LimitExceeded(what="file", limit=f"{MAX_FILE} bytes")
    return data


def read_content(data: bytes) -> Content:
    """What `data` holds. Raises NoCredential and what the parser of its form raises."""
    if data.startswith(_COSE):
        return Envelope("vc+cose", data)
    if data.startswith(_CBOR_LD):
        return cborld.decode(data)
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise JsonEncoding from error
    if not text:
        raise NoCredential(reason="it is empty")
    if text[0] in '{["':
        return parse_json_object(data)
    if _QR.match(text):
        return decode_qr_text(text)
    if not _TOKEN.match(text):
        raise NoCredential(reason="it begins like none")
    return _token(text)


def _token(text: str) -> Envelope | Token:
    token = SdJwt.parse(text) if "~" in text else None
    typ = parse_compact(token.jwt if token else text).header.get("typ")
    media = typ.lower().removeprefix("application/") if isinstance(typ, str) else ""
    if token is not None and media == SD_JWT_VC:
        return Token(text)
    if media == ("vc+sd-jwt" if token else "vc+jwt"):
        return Envelope(media, text)
    raise NoCredential(reason="the token says that it is something else")
