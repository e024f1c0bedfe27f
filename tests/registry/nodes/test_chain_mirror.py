"""The mirror of one chain: what grows in a transaction is read from it, and no leaf twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest

from registry.errors import ChainInvalid, EntryCorrupt, TileCorrupt, TileMissing
from registry.ledger.entries import Entry, anchor_entry
from registry.nodes import chain_mirror
from registry.nodes.chain_mirror import CHAIN_TABLES, ChainMirror, Growth
from registry.tlog.merkle import root_of
from registry.tlog.tiles import WIDTH, Tile, decode_bundle

ORIGIN = "hangzhou.example/identity"
ENTRIES = [anchor_entry("did:web:x.example", bytes([*divmod(n, 256)] * 16)) for n in range(700)]


@pytest.fixture
def db() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.executescript(CHAIN_TABLES)
    return made


def show(db: sqlite3.Connection, growth: Growth) -> ChainMirror:
    """What a store does at a commit."""
    growth.finish()
    db.execute(
        "UPDATE chains SET size = ?, root = ? WHERE id = ?",
        (growth.stack.size, growth.stack.root(), growth.chain),
    )
    return reopened(db, growth.chain)


def reopened(db: sqlite3.Connection, chain: int) -> ChainMirror:
    def select(query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return db.execute(query, values).fetchall()

    return ChainMirror(select, chain, ORIGIN)


def grown(db: sqlite3.Connection, *parts: list[Entry]) -> ChainMirror:
    """A mirror that took the parts in transactions of their own."""
    mirror = show(db, Growth.of_new(db, ORIGIN))
    for part in parts:
        growth = Growth.of(db, mirror)
        growth.add(part)
        mirror = show(db, growth)
    return mirror


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700])
@pytest.mark.parametrize("flush", [1, 100, 8192])
def test_what_was_added_is_read(
    db: sqlite3.Connection, size: int, flush: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_mirror, "_FLUSH", flush)
    rows, leaves = [e.raw for e in ENTRIES[:size]], [e.leaf_hash for e in ENTRIES[:size]]
    mirror = grown(db, ENTRIES[: size // 3], ENTRIES[size // 3 : size])
    assert (mirror.origin, mirror.integrated(), mirror.view.size) == (ORIGIN, size, size)
    assert mirror.root_at(size) == mirror.view.root_at(size) == root_of(leaves)
    assert mirror.root_at(size + 1) is None
    assert mirror.view.entries(0, size) == rows
    assert mirror.find([*leaves, bytes(32)]) == {leaf: at for at, leaf in enumerate(leaves)}
    assert mirror.blocks() == []


def test_a_tile_is_read_as_narrow_as_it_is_asked_for(db: sqlite3.Connection) -> None:
    mirror = grown(db, ENTRIES[:300])
    for index, held in ((0, WIDTH), (1, 44)):
        for width in (1, 7, held):
            part = ENTRIES[index * WIDTH :][:width]
            assert mirror.read(Tile(0, index, width)) == b"".join(e.leaf_hash for e in part)
            bundle = mirror.read(Tile(Tile.ENTRIES, index, width))
            assert decode_bundle(bundle, width) == [e.raw for e in part]
    for beyond in (Tile(0, 1, 45), Tile(0, 2, 1), Tile(Tile.ENTRIES, 1, 45)):
        with pytest.raises(TileMissing):
            mirror.read(beyond)


def test_a_leaf_stands_on_a_chain_once(db: sqlite3.Connection) -> None:
    mirror = grown(db, ENTRIES[:300])
    for part, at in (
        ([*ENTRIES[300:310], ENTRIES[17]], 10),  # as before
        ([*ENTRIES[300:310], ENTRIES[304], ENTRIES[310]], 10),  # within one growth
    ):
        db.execute("BEGIN")
        growth = Growth.of(db, mirror)
        growth.add(part)
        with pytest.raises(ChainInvalid) as caught:
            growth.finish()
        db.execute("ROLLBACK")
        assert caught.value.params["index"] == 300 + at
        assert caught.value.evidence == (part[at].raw,)
    other = Growth.of_new(db, "hangzhou.example/access")
    other.add([ENTRIES[17]])
    other.finish()
    assert mirror.find([ENTRIES[17].leaf_hash]) == {ENTRIES[17].leaf_hash: 17}


def test_what_was_damaged_is_not_built_on(db: sqlite3.Connection) -> None:
    mirror = grown(db, ENTRIES[:300])
    (edge,) = db.execute("SELECT data FROM tiles WHERE level = 0 AND idx = 1").fetchone()
    db.execute("DELETE FROM tiles WHERE level = ? AND idx = 1", (Tile.ENTRIES,))
    with pytest.raises(EntryCorrupt):
        Growth.of(db, mirror)
    changed = bytes([edge[0] ^ 1]) + edge[1:]
    db.execute("UPDATE tiles SET data = ? WHERE level = 0 AND idx = 1", (changed,))
    with pytest.raises(TileCorrupt):
        reopened(db, mirror.chain)
