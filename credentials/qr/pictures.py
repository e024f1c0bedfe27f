"""QR codes read from pictures: files, screenshots, camera frames, the clipboard.

Against hostile pictures: size in bytes and in pixels is bounded before anything is unpacked, only
common formats are tried, and every failure of the unpacking is one of four named errors. What a
code says is text from a stranger and nothing more.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Final

import zxingcpp
from PIL import Image

from credentials.errors import NoCodeInPicture, NotAPicture, PictureTooLarge, SeveralCodes

MAX_PICTURE_BYTES: Final = 32 * 1024 * 1024
"""A file; photographs of phones take some 15 MB."""
MAX_PICTURE_PIXELS: Final = 50_000_000
"""Phones of today take up to 50 megapixels; unpacked in grey that is 50 MB."""
FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_DAMAGE: Final = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG or JPEG
    ValueError,
    EOFError,
    OverflowError,
    IndexError,
    struct.error,
    zlib.error,
)


def read_image(picture: bytes | Image.Image) -> list[str]:
    """The texts of all QR codes in `picture`, each text once; never an empty list.

    Raises `NotAPicture`, `PictureTooLarge`, `NoCodeInPicture`.
    """
    image = _opened(picture) if isinstance(picture, bytes) else _bounded(picture)
    try:
        grey = _grey(image)
    except _DAMAGE as error:
        raise NotAPicture from error
    # The file is no longer needed; the reader sees plain grey pixels, one byte each.
    found = zxingcpp.read_barcodes(
        grey,
        formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode),
        text_mode=zxingcpp.TextMode.Plain,
    )
    texts = list(dict.fromkeys(code.text for code in found if code.valid and code.text))
    if not texts:
        raise NoCodeInPicture
    return texts


def read_one(picture: bytes | Image.Image) -> str:
    """The text of the one QR code in `picture`. Raises as `read_image` does, and `SeveralCodes`."""
    texts = read_image(picture)
    if len(texts) > 1:
        raise SeveralCodes(count=len(texts))
    return texts[0]


def _opened(data: bytes) -> Image.Image:
    if len(data) > MAX_PICTURE_BYTES:
        raise PictureTooLarge(limit=MAX_PICTURE_BYTES, unit="bytes")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise PictureTooLarge(limit=MAX_PICTURE_PIXELS, unit="pixels") from error
    except _DAMAGE as error:
        raise NotAPicture from error
    return _bounded(image)


def _bounded(image: Image.Image) -> Image.Image:
    if image.width * image.height > MAX_PICTURE_PIXELS:
        raise PictureTooLarge(limit=MAX_PICTURE_PIXELS, unit="pixels")
    return image


def _grey(image: Image.Image) -> Image.Image:
    """Grey pixels; what is transparent becomes white, as on paper."""
    if "A" in image.getbands() or "transparency" in image.info:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("L")
    return image.convert("L")
