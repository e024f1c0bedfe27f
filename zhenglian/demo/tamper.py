"""A forger's work for the demonstration: a presentation with one value changed, drawn again."""

from __future__ import annotations

from pathlib import Path

from credentials.qr import decode_qr_text, draw, encode_qr_text


def change_the_name(presentation: str, picture: Path) -> None:
    """Write a code like `presentation` (QR text) to `picture`, but with another name in it."""
    document = decode_qr_text(presentation)
    document["verifiableCredential"][0]["credentialSubject"]["name"] = "冒名者"
    picture.write_bytes(draw(encode_qr_text(document), "png"))
