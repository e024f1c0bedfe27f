"""Where an offer, a request or a receipt comes from: text, a text file, or a picture of a code.

Nothing is fetched: an address in the text stays text. What is read is input, not yet checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from credentials.qr import read_one
from wallet.errors import InputUnreadable, WrongKindOfInput

Source = str | Path
"""Text itself, or the path of a text file or picture."""

LARGEST_FILE: Final = 16 * 1024 * 1024
"""A photograph of a screen; the reader of pictures has limits of its own."""
LONGEST_TEXT: Final = 64 * 1024

# PNG, JPEG, GIF, BMP, TIFF, and RIFF for WebP.
_PICTURES: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")

_OFFER: Final = "openid-credential-offer:"
_REQUEST: Final = ("openid4vp:", "eyJ")


def read_source(source: Source) -> str:
    """The text in `source`. Raises InputUnreadable, NoCodeInPicture, SeveralCodes …"""
    text = source if isinstance(source, str) else _read_file(source)
    text = text.strip()
    if not text:
        raise InputUnreadable(reason="it is empty")
    if len(text) > LONGEST_TEXT:
        raise InputUnreadable(reason="it is too long")
    return text


def read_offer(source: Source) -> str:
    """Raises WrongKindOfInput for something that is plainly no offer."""
    text = read_source(source)
    if text.startswith(_REQUEST):
        raise WrongKindOfInput(what="an offer")
    return text


def read_request(source: Source) -> str:
    """Raises WrongKindOfInput for something that is plainly no request."""
    text = read_source(source)
    if text.startswith(_OFFER):
        raise WrongKindOfInput(what="a request")
    return text


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise InputUnreadable(reason=error.strerror or "the file cannot be opened") from error
    if len(data) > LARGEST_FILE:
        raise InputUnreadable(reason="the file is too large")
    if data.startswith(_PICTURES):
        return read_one(data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputUnreadable(reason="the file is neither text nor a picture") from error
