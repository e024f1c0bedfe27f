"""Answering a request for a tile or an entry bundle, c2sp.org/tlog-tiles.

Tiles never change under their path, partial ones neither (they may go once the full one is there),
so caches may keep them. Bundles are packed for who accepts gzip; hashes would not shrink.
"""

from __future__ import annotations

import gzip
from typing import Final

from fastapi import Response

from registry.tlog.tiles import Tile

IMMUTABLE: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
OCTETS: Final = "application/octet-stream"
_WORTH: Final = 1024  # bytes below which packing saves nothing


def tile_answer(tile: Tile, data: bytes, accepted: str | None) -> Response:
    """`accepted` is the request's Accept-Encoding."""
    headers = {**IMMUTABLE, "Content-Type": OCTETS}
    if tile.level == Tile.ENTRIES:
        headers["Vary"] = "Accept-Encoding"
        if len(data) > _WORTH and accepts_gzip(accepted):
            data = gzip.compress(data, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
    return Response(data, headers=headers)


def accepts_gzip(accepted: str | None) -> bool:
    """RFC 9110 §12.5.3, as far as it concerns gzip."""
    for choice in (accepted or "").split(","):
        name, _, weight = choice.strip().partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
