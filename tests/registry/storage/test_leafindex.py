"""The index of leaves in runs equals a dictionary, whatever was merged, lost or opened anew."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from registry.errors import StoreFailed
from registry.storage import Commit, LeafKnown, leafindex
from registry.storage.sqlite import SqliteStore
from registry.tlog.merkle import Frontier, leaf_hash
from registry.tlog.tiles import encode_bundle

ORIGIN = "hangzhou.example/identity"


def entries(start: int, count: int) -> list[bytes]:
    return [sha256(b"%d" % i).digest() for i in range(start, start + count)]


def commit(before: Frontier, rows: list[bytes]) -> Commit:
    after = before.copy()
    leaves = [leaf_hash(row) for row in rows]
    after.extend(leaves)
    return Commit(before, after, encode_bundle(rows), leaves, 0)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of 64 leaves, four of which make the next, in pages of a few rows."""
    monkeypatch.setattr(leafindex, "_RUN_LEAVES", 64)
    monkeypatch.setattr(leafindex, "_FAN", 4)
    monkeypatch.setattr(leafindex, "_PAGE_ROWS", 4)
    # Every filter is so small that it doubts, and has to be made larger on the way.
    monkeypatch.setattr(leafindex, "_FILTER_BYTES", (64, 256, 1024))


def states(store: SqliteStore) -> dict[int, int]:
    rows = store._all("SELECT state, COUNT(*) FROM runs GROUP BY state")
    return dict(rows)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(4))
def test_it_equals_a_dictionary(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    SqliteStore.create(tmp_path, ORIGIN)
    store = SqliteStore(tmp_path)
    reader = SqliteStore(tmp_path, read_only=True)
    known: dict[bytes, int] = {}
    head = Frontier()
    merged = False
    for _ in range(150):
        rows = entries(head.size, random.choice((1, 3, 30, 70, 150)))
        if known and random.random() < 0.2:
            repeated = random.randrange(head.size)
            bad = [*rows[:5], *entries(repeated, 1)]
            with pytest.raises(LeafKnown):
                store.append(commit(head, bad))
        if random.random() < 0.1:
            with pytest.raises(LeafKnown):
                store.append(commit(head, [rows[0], rows[0]]))
        new = commit(head, rows)
        store.append(new)
        known.update(zip(new.leaves, range(head.size, new.after.size), strict=True))
        head = new.after
        merged |= leafindex._MAKING in states(store)
        asked = [leaf_hash(e) for e in entries(random.randrange(head.size), 20)]
        expected = {leaf: known[leaf] for leaf in asked if leaf in known}
        assert store.find(asked) == expected
        assert reader.find(asked) == expected
        if random.random() < 0.1:
            store.close()
            store = SqliteStore(tmp_path)
    assert merged
    assert store.find(list(known)) == known
    assert reader.find(list(known)) == known
    stored = {leaf: position for page in store.index() for leaf, position in page}
    assert stored == {leaf: at for leaf, at in known.items() if at < store.indexed()}
    assert store.indexed() > head.size - 512
    store.close()
    reader.close()


@pytest.mark.usefixtures("small")
def test_merging_goes_on_after_a_kill_and_leaves_nothing_behind(tmp_path: Path) -> None:
    SqliteStore.create(tmp_path, ORIGIN)
    store = SqliteStore(tmp_path)
    head = Frontier()
    while leafindex._MAKING not in states(store):
        new = commit(head, entries(head.size, 64))
        store.append(new)
        head = new.after
    # Another process opens what this one left in the middle of a merge.
    other = SqliteStore(tmp_path)
    for _ in range(400):
        new = commit(head, entries(head.size, 1))
        other.append(new)
        head = new.after
        if set(states(other)) == {leafindex._WHOLE}:
            break
    assert set(states(other)) == {leafindex._WHOLE}
    runs = {row[0] for row in other._all("SELECT id FROM runs")}
    pages = {row[0] for row in other._all("SELECT DISTINCT id >> 32 FROM run_pages")}
    assert pages == runs
    leaves = [leaf_hash(e) for e in entries(0, head.size)]
    assert other.find(leaves) == {leaf: at for at, leaf in enumerate(leaves)}
    other.close()
    store.close()


@pytest.mark.usefixtures("small")
def test_a_failed_commit_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteStore.create(tmp_path, ORIGIN)
    store = SqliteStore(tmp_path)
    first = commit(Frontier(), entries(0, 200))
    original = leafindex.LeafIndex.take

    def fail(*arguments: object) -> None:
        original(*arguments)  # type: ignore[arg-type]
        raise OSError(5, "after its run was written")

    monkeypatch.setattr(leafindex.LeafIndex, "take", fail)
    with pytest.raises(StoreFailed):
        store.append(first)
    monkeypatch.setattr(leafindex.LeafIndex, "take", original)
    assert store.find(first.leaves) == {}
    assert store.indexed() == 0
    store.append(first)
    assert store.find(first.leaves) == {leaf: at for at, leaf in enumerate(first.leaves)}
    store.close()


def test_one_leaf_twice_in_a_commit_is_told_from_two_that_are_alike(tmp_path: Path) -> None:
    SqliteStore.create(tmp_path, ORIGIN)
    store = SqliteStore(tmp_path)
    rows = entries(0, 300)
    twice = commit(Frontier(), [*rows, rows[7]])
    with pytest.raises(LeafKnown):
        store.append(twice)
    # The index looks at eight bytes first: here they are the same in all.
    leaves = [leaf_hash(row)[:8] + bytes(8) + leaf_hash(row)[16:] for row in rows]
    after = Frontier()
    after.extend(leaves)
    store.append(Commit(Frontier(), after, encode_bundle(rows), leaves, 0))
    assert store.find(leaves[100:200]) == {leaves[at]: at for at in range(100, 200)}
    with pytest.raises(LeafKnown):
        store.append(Commit(after, commit(after, rows[:1]).after, b"", leaves[5:6], 0))
    store.close()


@pytest.mark.usefixtures("small")
def test_a_part_of_a_hash_is_not_found(tmp_path: Path) -> None:
    SqliteStore.create(tmp_path, ORIGIN)
    store = SqliteStore(tmp_path)
    new = commit(Frontier(), entries(0, 200))
    store.append(new)
    assert store.indexed() == 200
    parts = [leaf[:length] for leaf in new.leaves for length in (0, 1, 4, 31)]
    assert store.find(parts) == {}
    assert store.find([*parts, new.leaves[7], new.leaves[7] + b"x"]) == {new.leaves[7]: 7}
    store.close()


def test_a_hash_across_two_rows_is_not_found() -> None:
    page = b"a" * 37 + b"b" * 37
    assert leafindex._position_in(page, page[10:42]) is None
    assert leafindex._position_in(page, b"b" * 32) == int.from_bytes(b"b" * 5, "big")
