"""A log as plain files behind any web server: what is left there is enough for our readers.

A log may delete partial tiles once the full one is there (tlog-tiles, "Partial Tiles"), and ours
do. Whoever reads up to an older checkpoint then takes the full tile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from registry.engine.log import TILES, Log
from registry.engine.remote import TileCache, remote_view
from registry.errors import EntryUnknown, RegistryUnreachable
from registry.reading.sources import HttpSource
from registry.storage.tilefiles import TileFiles
from registry.tlog.checkpoint import open_checkpoint
from registry.tlog.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from registry.tlog.note import NoteSigner
from registry.tlog.tiles import Tile, encode_bundle
from registry.web.asking import Addresses

ORIGIN = "hangzhou.example/identity"
SIGNER = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
ENTRIES = [b"entry %d" % i for i in range(700)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "log"
    Log.create(folder, ORIGIN)
    with Log.open(folder, signer=SIGNER) as log:
        for start, end in [(0, 300), (300, 700)]:
            log.submit(ENTRIES[start:end]).result(10)
            log.tick()
    root = tmp_path / "www"
    (root / ORIGIN).parent.mkdir(parents=True)
    (folder / TILES).rename(root / ORIGIN)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_partial_tiles_of_an_older_tree_are_gone(url: str) -> None:
    read = HttpSource(url)
    assert read._get(f"{ORIGIN}/tile/0/001.p/44", 10_000) is None
    assert read._get(f"{ORIGIN}/tile/entries/001.p/44", 10_000) is None
    assert read._get(f"{ORIGIN}/tile/0/002.p/188", 10_000) == b"".join(LEAVES[512:])
    read.close()


@pytest.mark.parametrize("size", [255, 256, 257, 300, 512, 513, 700])
def test_a_node_reads_any_older_tree(url: str, size: int) -> None:
    read = HttpSource(url)
    try:
        note = open_checkpoint(read.checkpoint(ORIGIN) or b"", ORIGIN, [SIGNER.key])
        assert note.size == len(ENTRIES)
        if size <= 512 or size == 700:
            assert list(read(ORIGIN, 0, size)) == ENTRIES[:size]
            last = (size - 1) // 256
            width = size - 256 * last
            assert read.tile(ORIGIN, Tile(0, last, width)) == LEAVES[256 * last : size]
        else:  # the log has no such partial tile, and not yet the full one
            with pytest.raises(RegistryUnreachable):
                list(read(ORIGIN, 0, size))
    finally:
        read.close()


@pytest.mark.parametrize("size", [1, 255, 256, 300, 512, 700])
def test_a_client_proves_under_any_older_tree(url: str, size: int) -> None:
    addresses = Addresses([url])

    def fetch(tile: Tile) -> bytes:
        data = addresses.fetch(url, f"{ORIGIN}/{tile.path}", packed=tile.level == Tile.ENTRIES)
        if data is None:
            raise EntryUnknown(origin=ORIGIN)
        return data

    try:
        root = root_of(LEAVES[:size])
        view = remote_view(ORIGIN, size, root, fetch, TileCache())
        assert view.entries(0, size) == ENTRIES[:size]
        for index in {0, size // 2, size - 1}:
            verify_inclusion(index, size, LEAVES[index], view.inclusion_proof(index, size), root)
        old = (size + 1) // 2
        proof = view.consistency_proof(old, size)
        verify_consistency(old, size, root_of(LEAVES[:old]), root, proof)
    finally:
        addresses.close()


@pytest.mark.parametrize("index", [0, 999, 1000, 1234, 999_999, 1_234_067])
def test_tiles_far_into_a_log_have_paths_of_their_own(tmp_path: Path, index: int) -> None:
    files = TileFiles(tmp_path)
    entries = [b"", b"x", b""]  # entries may be empty
    tile, bundle = Tile(0, index, 3), Tile(Tile.ENTRIES, index, 3)
    leaves = b"".join(leaf_hash(entry) for entry in entries)
    full = leaves + bytes(253 * 32)
    files.write([(tile, leaves), (bundle, encode_bundle(entries)), (tile.full, full)])
    digits = (
        f"{index:09d}" if index > 999_999 else f"{index:06d}" if index > 999 else f"{index:03d}"
    )
    parts = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    path = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    assert (tmp_path / "tile/0" / path).read_bytes() == full
    assert (tmp_path / "tile/0" / f"{path}.p" / "3").read_bytes() == leaves
    assert (tmp_path / "tile/entries" / f"{path}.p" / "3").read_bytes() == b"\0\0\0\1x\0\0"
    assert Tile.parse(f"tile/0/{path}") == tile.full
