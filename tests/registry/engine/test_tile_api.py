"""How tiles and bundles travel: cached for good, bundles packed for who accepts it."""

from __future__ import annotations

import gzip

import pytest

from registry.tlog.tiles import Tile
from registry.web.tile_api import accepts_gzip, tile_answer

BUNDLE = Tile(Tile.ENTRIES, 0, 40)


@pytest.mark.parametrize("tile", [BUNDLE, Tile(0, 0), Tile(0, 0, 3), Tile(1, 7, 255)])
def test_every_tile_may_be_cached(tile: Tile) -> None:
    answer = tile_answer(tile, b"x", [])
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Type"] == "application/octet-stream"


def test_bundles_are_packed_for_who_accepts_it() -> None:
    data = b"entry" * 1000
    packed = tile_answer(BUNDLE, data, ["br", "gzip;q=0.5"])
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == data
    assert packed.headers["Vary"] == "Accept-Encoding"
    for accepted in ([], ["identity"], ["gzip;q=0"], ["identity, gzip;q=0.5"]):
        plain = tile_answer(BUNDLE, data, accepted)
        assert plain.body == data
        assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in tile_answer(Tile(0, 0), data, ["gzip"]).headers


@pytest.mark.parametrize(
    "accepted",
    ["GZIP", "identity;q=0.5, gzip", "gzip, identity", "gzip;q=1.000", "br;q=1, gzip ; q=0.001"],
)
def test_what_gzip_is_accepted_by(accepted: str) -> None:
    assert accepts_gzip([accepted])
    assert accepts_gzip(["br", accepted])  # a header in two lines is one (RFC 9110 §5.3)


@pytest.mark.parametrize(
    "accepted",
    [
        "",
        "x-gzip",
        "gzip; q=0.0",
        "gzip;q=0",
        "gzip;q=2",
        "gzip;q=high",
        "identity, gzip; q=0.1",  # plain bytes are preferred
        "identity;q=0.6, gzip;q=0.5",
    ],
)
def test_what_gzip_is_not_accepted_by(accepted: str) -> None:
    assert not accepts_gzip([accepted])
