"""Documents as QR codes: compact bytes (CBOR-LD), text (base45), pictures, and back.

Public surface: what is listed here. Nothing here verifies anything; a decoded document is input.
"""

from credentials.qr.cborld import CborLd, decode, encode
from credentials.qr.codes import QrCode, capacity, draw
from credentials.qr.framing import decode_qr_text, encode_qr_text, frame, unframe
from credentials.qr.pictures import read_image, read_one
from credentials.qr.table import TypeTable, private_table

__all__ = [
    "CborLd",
    "QrCode",
    "TypeTable",
    "capacity",
    "decode",
    "decode_qr_text",
    "draw",
    "encode",
    "encode_qr_text",
    "frame",
    "private_table",
    "read_image",
    "read_one",
    "unframe",
]
