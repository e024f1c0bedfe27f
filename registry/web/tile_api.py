"""Answering a request for a tile or an entry bundle, c2sp.org/tlog-tiles.

Tiles never change under their path, partial ones neither (they may go once the full one is there),
so caches may keep them. Bundles are packed for who accepts gzip; hashes would not shrink.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from typing import Final

from fastapi import Request, Response

from registry.errors import TilePathMalformed
from registry.tlog.tiles import Tile

IMMUTABLE: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
OCTETS: Final = "application/octet-stream"
_WORTH: Final = 1024  # bytes below which packing saves nothing


_WEIGHT: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


def tile_asked(request: Request) -> Tile:
    """The tile that the path of a request ends in; raises TilePathMalformed.

    From the path itself: what a router has taken out of it may lack a newline at the end.
    """
    _, found, rest = request.scope["path"].rpartition("/tile/")
    if not found:
        raise TilePathMalformed(reason="it has another form")
    return Tile.parse(f"tile/{rest}")


def tile_answer(tile: Tile, data: bytes, accepted: Iterable[str]) -> Response:
    """`accepted` are the lines of the request's Accept-Encoding."""
    headers = {**IMMUTABLE, "Content-Type": OCTETS}
    if tile.level == Tile.ENTRIES:
        headers["Vary"] = "Accept-Encoding"
        if len(data) > _WORTH and accepts_gzip(accepted):
            data = gzip.compress(data, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
    return Response(data, headers=headers)


def accepts_gzip(accepted: Iterable[str]) -> bool:
    """Whether gzip will do, and plain bytes are not preferred (RFC 9110 §12.5.3)."""
    weights: dict[str, float] = {}
    for line in accepted:
        for choice in line.split(","):
            name, _, told = choice.partition(";")
            weight = _WEIGHT.fullmatch(told.strip().lower()) if told else None
            if weight is not None or not told:
                weights[name.strip().lower()] = float(weight[1]) if weight else 1.0
    gzip_weight = weights.get("gzip", 0.0)
    return gzip_weight > 0 and gzip_weight >= weights.get("identity", 0.0)
