"""Tiles: the specification's examples, building and reading back, compact proofs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.engine.view import LogView
from registry.errors import (
    BundleMalformed,
    InclusionInvalid,
    ProofMalformed,
    TileCorrupt,
    TilePathMalformed,
)
from registry.tlog import merkle
from registry.tlog.merkle import (
    LeafReader,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
)
from registry.tlog.tiles import (
    COMPACT_PROOF_BYTES,
    WIDTH,
    CompactProof,
    Tile,
    TileReader,
    TileStack,
    bundle_of,
    check_bundle,
    compact_proofs,
    decode_bundle,
    encode_bundle,
    encode_compact_proofs,
    encode_index,
    parse_tile,
    tiles_of,
    tree_of,
    width_at,
)

LEAVES = [leaf_hash(i.to_bytes(4, "big")) for i in range(66_000)]


@pytest.mark.parametrize(
    ("index", "path"),
    [(0, "000"), (67, "067"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")],
)
def test_index_paths(index: int, path: str) -> None:
    assert encode_index(index) == path
    tile = Tile(0, index)
    assert tile.path == f"tile/0/{path}"
    assert Tile.parse(tile.path) == tile


@pytest.mark.parametrize(
    "tile", [Tile(0, 5, 1), Tile(63, 0, 255), bundle_of(1234), bundle_of(1234, 7), Tile(12, 10**9)]
)
def test_paths_read_back(tile: Tile) -> None:
    assert Tile.parse(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/1000",
        "tile/0/x000/067",
        "tile/0/001/067",
        "tile/0/x001/x067",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/entries/000\n",
        "tile/entries/../000",
        "tile/data/000",
        "/tile/0/000",
        "tile/0/٠٠٠",
    ],
)
def test_any_other_spelling_is_refused(path: str) -> None:
    with pytest.raises(TilePathMalformed):
        Tile.parse(path)


def test_the_specifications_tree_of_70000() -> None:
    tiles = list(tiles_of(70_000))
    level = [[t for t in tiles if t.level == k] for k in range(3)]
    assert len(tiles) == sum(map(len, level))
    assert len(level[0]) == 274
    assert all(t.width == 256 for t in level[0][:273])
    assert level[0][273] == Tile(0, 273, 112)
    assert level[1] == [Tile(1, 0), Tile(1, 1, 17)]
    assert level[2] == [Tile(2, 0, 1)]


def test_a_tree_of_256() -> None:
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


@pytest.mark.parametrize(("old", "new"), [(0, 1), (255, 256), (256, 257), (300, 301), (70, 70)])
def test_only_changed_tiles_are_listed(old: int, new: int) -> None:
    before, after = set(tiles_of(old)), set(tiles_of(new))
    assert set(tiles_of(new, since=old)) == after - before


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 513, 65_535, 65_536, 65_793])
def test_stack_builds_the_tiles_and_reader_reads_them(size: int) -> None:
    stack = TileStack()
    built = dict(stack.extend(LEAVES[:size]))
    built.update(stack.partials())
    assert set(built) == set(tiles_of(size))
    assert all(len(hashes) == tile.width for tile, hashes in built.items())
    root = root_of(LEAVES[:size])
    assert stack.root() == root
    reader = TileReader(size, built.__getitem__)
    plain = LeafReader(LEAVES[:size])
    for index in {0, 1, 255, 256, size // 2, size - 1} & set(range(size)):
        assert inclusion_proof(index, size, reader) == inclusion_proof(index, size, plain)
    for old in {1, 255, 256, 257, size // 2, size - 1, size} & set(range(1, size + 1)):
        assert consistency_proof(old, size, reader) == consistency_proof(old, size, plain)


def test_stack_continues_from_any_size() -> None:
    stack, size = TileStack(), 0
    for step in (1, 254, 1, 1, 300, 0, 513):
        copy = stack.copy()
        list(stack.extend(LEAVES[size : size + step]))
        assert copy.size == size
        size += step
        assert stack.size == size
        assert stack.root() == root_of(LEAVES[:size])


def test_reader_refuses_a_tile_too_short() -> None:
    reader = TileReader(300, lambda tile: LEAVES[: tile.width - 1])
    with pytest.raises(TileCorrupt):
        inclusion_proof(299, 300, reader)
    with pytest.raises(TileCorrupt):
        reader.subtree(0, 300)


def test_tile_of_wrong_length_is_corrupt() -> None:
    assert parse_tile(Tile(0, 0, 2), b"".join(LEAVES[:2])) == LEAVES[:2]
    for data in (b"", LEAVES[0], b"".join(LEAVES[:3]), b"".join(LEAVES[:2]) + b"x"):
        with pytest.raises(TileCorrupt):
            parse_tile(Tile(0, 0, 2), data)


def test_width_at() -> None:
    assert [width_at(0, 1, size) for size in (0, 256, 257, 512, 600)] == [0, 0, 1, 256, 256]
    assert width_at(1, 0, 255) == 0
    assert width_at(Tile.ENTRIES, 0, 3) == 3


def test_bundles_read_back() -> None:
    entries = [b"", b"a", b"x" * 65_535]
    data = encode_bundle(entries)
    assert decode_bundle(data, 3) == entries
    for broken in (data[:-1], data[:1], b"\0", b"\0\1"):
        with pytest.raises(BundleMalformed):
            decode_bundle(broken)
    with pytest.raises(BundleMalformed):
        decode_bundle(data, 2)
    with pytest.raises(OverflowError):
        encode_bundle([b"x" * 65_536])


def test_bundle_is_checked_against_leaf_hashes() -> None:
    entries = [i.to_bytes(4, "big") for i in range(3)]
    bundle = bundle_of(0, 3)
    assert check_bundle(bundle, encode_bundle(entries), LEAVES[:3]) == entries
    with pytest.raises(TileCorrupt):
        check_bundle(bundle, encode_bundle([*entries[:2], b"else"]), LEAVES[:3])
    with pytest.raises(TileCorrupt):
        check_bundle(bundle, encode_bundle(entries), LEAVES[:2])


@pytest.mark.parametrize("index", [0, 1, 255, 256, 511])
def test_compact_proof_of_a_full_tile(index: int) -> None:
    tile = LEAVES[index // 256 * 256 :][:256]
    proof = CompactProof.build(index, tile)
    data = proof.encode()
    assert len(data) == COMPACT_PROOF_BYTES == 261
    assert CompactProof.decode(data) == proof
    assert proof.tile_index == index // 256
    proof.check_tile_hash(LEAVES[index], root_of(tile))
    proof.check_tile_leaves(LEAVES[index], tile)
    assert compact_proofs(index // 256, tile)[index % 256] == proof
    for leaf, top in [(LEAVES[index + 1], root_of(tile)), (LEAVES[index], LEAVES[0])]:
        with pytest.raises(InclusionInvalid):
            proof.check_tile_hash(leaf, top)


def test_compact_proof_for_another_place_in_the_tile_fails() -> None:
    tile = LEAVES[:256]
    proof = CompactProof.build(7, tile)
    with pytest.raises(InclusionInvalid):
        CompactProof(6, proof.siblings).check_tile_hash(LEAVES[7], root_of(tile))


def test_compact_proof_in_the_last_partial_tile() -> None:
    tile = LEAVES[256:266]
    proof = CompactProof.build(260, tile)
    assert proof.encode() == (260).to_bytes(5, "big")
    assert compact_proofs(1, tile)[4] == proof
    proof.check_tile_leaves(LEAVES[260], tile)
    with pytest.raises(InclusionInvalid):
        proof.check_tile_leaves(LEAVES[261], tile)
    with pytest.raises(InclusionInvalid):
        proof.check_tile_leaves(LEAVES[260], tile[:4])
    with pytest.raises(ProofMalformed):
        proof.check_tile_hash(LEAVES[260], root_of(tile))


@pytest.mark.parametrize("data", [b"", bytes(4), bytes(6), bytes(37), bytes(260), bytes(262)])
def test_compact_proof_of_another_length_is_refused(data: bytes) -> None:
    with pytest.raises(ProofMalformed):
        CompactProof.decode(data)


def test_compact_proof_beyond_its_index_is_refused() -> None:
    with pytest.raises(ProofMalformed):
        CompactProof(1 << 40)


def test_all_proofs_of_a_tile_at_once_are_those_of_its_leaves() -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(WIDTH)]
    assert encode_compact_proofs(7, tree_of(leaves)) == [
        proof.encode() for proof in compact_proofs(7, leaves)
    ]


# --- what is optimised equals what is plain -------------------------------------------------


def _plain_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word by word."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return merkle.node_hash(_plain_root(leaves[:split]), _plain_root(leaves[split:]))


def _plain_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 §2.1.1, word by word."""
    if len(leaves) == 1:
        return []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        return [*_plain_path(index, leaves[:split]), _plain_root(leaves[split:])]
    return [*_plain_path(index - split, leaves[split:]), _plain_root(leaves[:split])]


_MANY = [hashlib.sha256(b"%d" % i).digest() for i in range(1400)]


@settings(deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=3))
def test_a_frontier_knows_the_tiles_that_it_passes(counts: list[int]) -> None:
    frontier, stack, plain = merkle.Frontier(), TileStack(), TileStack()
    end = 0
    for count in counts:
        part = _MANY[end : end + count]
        end += len(part)
        full = frontier.extend(part)
        assert list(stack.extend(part, full)) == list(plain.extend(part))
    assert stack == plain
    assert frontier.root() == stack.root() == _plain_root(_MANY[:end])


@settings(max_examples=40, deadline=None)  # the plain recursion takes its time
@given(st.data())
def test_a_view_proves_what_the_recursion_does(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(_MANY)))
    stack = TileStack()
    files = {tile: b"".join(hashes) for tile, hashes in stack.extend(_MANY[:size])}

    class Files:
        def read(self, tile: Tile) -> bytes:
            return files[tile]

    view = LogView(None, Files(), stack)  # type: ignore[arg-type]
    for _ in range(5):
        at = data.draw(st.integers(1, size))
        index = data.draw(st.integers(0, at - 1))
        path = _plain_path(index, _MANY[:at])
        assert view.inclusion_proof(index, at) == path
        level = data.draw(st.integers(0, 11))
        if ((index >> level) + 1) << level <= at:
            assert merkle.inclusion_proof(index, at, view, level) == path[level:]
        else:
            with pytest.raises(InclusionInvalid):
                merkle.inclusion_proof(index, at, view, level)


def test_a_view_proves_across_three_levels_of_tiles() -> None:
    """140,000 leaves: 546 full tiles, two full tiles of their hashes, and the edges."""
    leaves = [hashlib.sha256(b"%d" % i).digest() for i in range(140_000)]
    stack = TileStack()
    files = {tile: b"".join(hashes) for tile, hashes in stack.extend(leaves)}

    class Files:
        def read(self, tile: Tile) -> bytes:
            return files[tile]

    view = LogView(None, Files(), stack)  # type: ignore[arg-type]
    for size in (140_000, 139_777, 139_776, 131_072, 65_537, 65_536, 65_535):
        root = merkle.root_of(leaves[:size])
        assert view.root_at(size) == root
        for index in (0, 255, 256, 65_535, 65_536, 131_071, 131_072, 139_775, size - 1):
            if index < size:
                proof = view.inclusion_proof(index, size)
                merkle.verify_inclusion(index, size, leaves[index], proof, root)
