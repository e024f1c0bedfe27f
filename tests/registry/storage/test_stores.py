"""Every store and every place for tiles does the same: one set of tests over all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import obstore.store
import pytest

from registry.engine.log import Log
from registry.errors import (
    BucketMissing,
    HeadMoved,
    PlaceInvalid,
    StoreExists,
    StoreFailed,
    StoreMissing,
    StoreUnreachable,
    TileMissing,
    TileTaken,
)
from registry.storage import Block, Commit, LeafKnown, Store, Tiles, size_of_note
from registry.storage.objects import TileObjects, open_bucket
from registry.storage.places import Place, Places
from registry.storage.thinning import EVERY, KEPT_NOTES
from registry.storage.tilefiles import TileFiles
from registry.tlog.merkle import EMPTY_ROOT, Frontier, leaf_hash, root_of
from registry.tlog.note import NoteSigner
from registry.tlog.tiles import Tile, bundle_of, encode_bundle

NETWORK = "stores.example"
ORIGIN = f"{NETWORK}/log"
SIGNER = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)


@pytest.fixture(params=["sqlite", "postgres"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Places]:
    place = Place()
    if request.param == "postgres":
        place = Place(request.getfixturevalue("postgres").database(), f"file://{tmp_path}/tiles")
    found = Places(tmp_path, NETWORK, {"default": place})
    found.create(ORIGIN)
    yield found
    found.close()


@pytest.fixture
def store(places: Places) -> Iterator[Store]:
    opened = places.open(ORIGIN)
    yield opened.store
    opened.store.close()
    opened.lease.release()


def commit(store: Store, entries: list[bytes], time: int = 7) -> Commit:
    before = store.head()
    after = before.copy()
    leaves = [leaf_hash(entry) for entry in entries]
    after.extend(leaves)
    return Commit(before, after, encode_bundle(entries), leaves, time)


def entry(number: int) -> bytes:
    return b"entry %d" % number


class TestEveryStore:
    def test_it_begins_empty(self, places: Places, store: Store) -> None:
        assert store.head() == Frontier()
        assert store.origin == ORIGIN
        assert store.root_at(0) == EMPTY_ROOT
        assert store.root_at(1) is None
        assert store.blocks() == []
        assert list(store.entries(0, 0)) == []
        assert store.integrated() == 0
        assert store.published() is None
        assert list(store.checkpoints()) == []
        assert [row for page in store.index() for row in page] == []
        assert store.damage() is None
        with pytest.raises(StoreExists):
            places.create(ORIGIN)

    def test_what_was_appended_is_there(self, places: Places, store: Store) -> None:
        batches = [[entry(100 * i + j) for j in range(i + 1)] for i in range(20)]
        everything = [e for batch in batches for e in batch]
        for i, batch in enumerate(batches):
            store.append(commit(store, batch, time=i))
        leaves = [leaf_hash(e) for e in everything]
        size = len(everything)
        for reader in (store, places.read(ORIGIN)):
            assert reader.head().size == size
            assert reader.head().root() == root_of(leaves) == reader.root_at(size)
            assert reader.root_at(size - 1) is None
            for start, end in ((0, size), (5, 6), (17, 100), (size - 1, size), (3, 3)):
                found = [e for _, batch in reader.entries(start, end) for e in batch]
                assert found == everything[start:end]
            position = 0
            for first, batch in reader.entries(0, size):
                assert first == position
                position += len(batch)
            blocks = reader.blocks(0, 1000)
            assert [b.count for b in blocks] == [len(b) for b in batches]
            assert [b.time for b in blocks] == list(range(20))
            assert reader.blocks(4, 1) == [Block(3, 3, root_of(leaves[:6]), 2)]
            assert reader.blocks(size) == []
            assert reader.find([leaves[7], bytes(32), leaves[0]]) == {leaves[7]: 7, leaves[0]: 0}
            index = [row for page in reader.index() for row in page]
            assert sorted(index) == sorted(
                zip(leaves[: reader.indexed()], range(reader.indexed()), strict=True)
            )
        reader.close()

    def test_the_head_moves_from_where_it_was_seen_only(self, store: Store) -> None:
        first, rival = commit(store, [b"a"]), commit(store, [b"b"])
        store.append(first)
        with pytest.raises(HeadMoved):
            store.append(rival)
        assert store.head() == first.after
        assert store.find([leaf_hash(b"b")]) == {}
        store.append(commit(store, [b"b"]))
        assert list(store.entries(0, 2)) == [(0, [b"a"]), (1, [b"b"])]

    def test_another_commit_with_the_same_leaves_is_no_duplicate_of_itself(
        self, store: Store
    ) -> None:
        first, again = commit(store, [b"a"]), commit(store, [b"a"])
        store.append(first)
        with pytest.raises((HeadMoved, LeafKnown)):
            store.append(again)
        assert store.head() == first.after

    def test_a_known_leaf_leaves_no_trace_of_its_commit(self, store: Store) -> None:
        store.append(commit(store, [b"a", b"b"]))
        with pytest.raises(LeafKnown):
            store.append(commit(store, [b"c", b"a"]))
        with pytest.raises(LeafKnown):
            store.append(commit(store, [b"d", b"d"]))
        assert store.head().size == 2
        assert store.find([leaf_hash(b"c"), leaf_hash(b"d")]) == {}
        assert len(store.blocks()) == 1

    def test_published_checkpoints_never_change_their_root(self, store: Store) -> None:
        store.publish(5, b"r" * 32, b"one", 1)
        store.publish(5, b"r" * 32, b"two", 2)
        store.publish(5, b"s" * 32, b"three", 3)
        store.publish(3, b"q" * 32, b"old", 3)
        assert store.published() == store.published_at(5) == b"two"
        assert store.published_at(4) is None
        assert list(store.checkpoints()) == [(3, b"q" * 32, b"old"), (5, b"r" * 32, b"two")]

    def test_old_notes_are_dropped_but_for_one_an_hour(self, store: Store) -> None:
        """1,500 checkpoints, three a minute; then a few more than the store looks at once."""
        root = b"r" * 32
        count = 1500
        for size in range(count):
            store.publish(size, root, b"note %d" % size, size * 20)
        kept = list(store.checkpoints())
        assert [row[:2] for row in kept] == [(size, root) for size in range(count)]
        without = {size for size, _, note in kept if not note}
        looked = (count - 1) // EVERY * EVERY  # the last time that it looked
        last_of_hours = set(range(179, count, 180))
        assert without == set(range(looked + 1 - KEPT_NOTES)) - last_of_hours
        assert all(note == b"note %d" % size for size, _, note in kept if note)
        assert store.published_at(0) is None
        assert store.published_at(179) == b"note 179"
        assert store.published() == b"note %d" % (count - 1)

    def test_a_clock_that_stands_still_or_goes_back(self, store: Store) -> None:
        for size in range(KEPT_NOTES + 2 * EVERY):
            store.publish(size, b"r" * 32, b"n", 10**6 - size % 2 * 7200)
        assert all(note for _, _, note in store.checkpoints())

    def test_what_is_integrated(self, places: Places, store: Store) -> None:
        store.set_integrated(12)
        reader = places.read(ORIGIN)
        assert store.integrated() == reader.integrated() == 12
        reader.close()

    def test_a_reader_writes_nothing(self, places: Places, store: Store) -> None:
        reader = places.read(ORIGIN)
        writes: list[Callable[[], object]] = [
            lambda: reader.append(commit(reader, [b"a"])),
            lambda: reader.set_integrated(1),
            lambda: reader.publish(1, bytes(32), b"note", 1),
        ]
        for write in writes:
            with pytest.raises(StoreFailed):
                write()
        assert store.head().size == store.integrated() == 0
        reader.close()

    def test_what_is_not_there(self, places: Places) -> None:
        for missing in (places.open, places.read):
            with pytest.raises(StoreMissing):
                missing(f"{NETWORK}/other")

    def test_a_log_over_it(self, places: Places) -> None:
        entries = [entry(i) for i in range(700)]
        with Log.over(places.open(ORIGIN), signer=SIGNER) as log:
            assert log.add(entries[:300]).indices == tuple(range(300))
            log.tick()
            assert log.add(entries[300:]).indices == tuple(range(300, 700))
            assert log.add(entries[5:7]).repeated
            note = log.tick()
        with Log.over(places.open(ORIGIN), signer=SIGNER) as log:
            assert log.published() == note == places.tiles(ORIGIN).read_checkpoint()
            assert log.view.entries(0, 700) == entries
            assert log.add([b"more"]).indices == (700,)

    def test_many_threads_read_and_write(self, places: Places) -> None:
        failures: list[BaseException] = []

        def work(call: Callable[[], Any]) -> None:
            try:
                for _ in range(20):
                    call()
            except BaseException as error:  # noqa: BLE001 - reported below
                failures.append(error)

        with Log.over(places.open(ORIGIN), signer=SIGNER) as log:
            numbers = iter(range(10**6))
            calls: list[Callable[[], Any]] = []
            calls += [lambda: log.add([entry(next(numbers))]) for _ in range(4)]
            calls += [lambda: log.view.index_of(leaf_hash(entry(3))), log.tick, log.published]
            threads = [threading.Thread(target=work, args=(call,)) for call in calls]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert failures == []
            assert log.size == 80
            log.integrate()
            assert sorted(log.view.entries(0, 80)) == sorted(entry(i) for i in range(80))


# --- tiles ---


@pytest.fixture(params=["files", "shared files", "local", "memory", "s3"])
def tiles(request: pytest.FixtureRequest, tmp_path: Path) -> Tiles:
    if request.param.endswith("files"):
        return TileFiles(tmp_path / "tiles", shared=request.param == "shared files")
    if request.param == "local":
        (tmp_path / "tiles").mkdir()
        return TileObjects(obstore.store.LocalStore(tmp_path / "tiles"), "local")
    if request.param == "memory":
        return TileObjects(obstore.store.MemoryStore(), "memory")
    bucket = request.getfixturevalue("bucket")
    objects = open_bucket(f"{bucket.url}/some/prefix", "s3", **bucket.config)
    objects.check()
    return objects


def note(size: int, more: str = "") -> bytes:
    return f"{ORIGIN}\n{size}\nroot{more}\n\n— key sig\n".encode()


class TestAllTiles:
    def test_tiles_come_back_as_they_were(self, tiles: Tiles) -> None:
        rows = [
            (Tile(0, 0), b"f" * 8192),
            (Tile(0, 1234067, 3), b"p" * 96),
            (bundle_of(0), b"entries"),
            (bundle_of(7, 12), b""),
            (Tile(3, 0, 1), b"l" * 32),
        ]
        tiles.write(iter(rows))
        for tile, data in rows:
            assert tiles.read(tile) == data
        for missing in (Tile(0, 1), Tile(0, 1234067), Tile(0, 1234067, 4), bundle_of(1)):
            with pytest.raises(TileMissing):
                tiles.read(missing)
        tiles.write([])

    def test_partial_tiles_go_when_the_tile_is_full(self, tiles: Tiles) -> None:
        kept = Tile(0, 1, 5)
        tiles.write([(Tile(0, 0, width), b"x" * 32 * width) for width in (1, 2, 255)])
        tiles.write([(kept, b"k" * 160), (Tile(0, 0), b"x" * 8192)])
        tiles.drop_partials([Tile(0, 0), kept])
        for width in (1, 2, 255):
            with pytest.raises(TileMissing):
                tiles.read(Tile(0, 0, width))
        assert tiles.read(Tile(0, 0)) == b"x" * 8192
        assert tiles.read(kept) == b"k" * 160

    def test_a_full_tile_never_changes(self, tiles: Tiles) -> None:
        tile = Tile(0, 5)
        tiles.write([(tile, b"x" * 8192)])
        tiles.write([(tile, b"x" * 8192)])  # after a crash
        if isinstance(tiles, TileObjects):
            with pytest.raises(TileTaken):
                tiles.write([(Tile(0, 6), b"z" * 8192), (tile, b"y" * 8192)])
            assert tiles.read(tile) == b"x" * 8192
        tiles.write([(tile, b"y" * 8192)], replace=True)  # a repair
        assert tiles.read(tile) == b"y" * 8192
        tiles.write([(Tile(0, 7, 3), b"a" * 96)])
        tiles.write([(Tile(0, 7, 3), b"b" * 96)])
        assert tiles.read(Tile(0, 7, 3)) == b"b" * 96

    def test_the_checkpoint_never_falls_back(self, tiles: Tiles) -> None:
        assert tiles.read_checkpoint() is None
        tiles.write_checkpoint(note(7))
        tiles.write_checkpoint(note(12))
        tiles.write_checkpoint(note(7))
        assert tiles.read_checkpoint() == note(12)
        tiles.write_checkpoint(note(12, "cosigned once more"))
        assert tiles.read_checkpoint() == note(12, "cosigned once more")
        tiles.write_checkpoint(note(3), replace=True)
        assert tiles.read_checkpoint() == note(3)

    def test_late_writers_cannot_race_the_checkpoint_back(self, tiles: Tiles) -> None:
        threads = [
            threading.Thread(target=tiles.write_checkpoint, args=(note(size),)) for size in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tiles.read_checkpoint() in [note(size) for size in range(4)]
        tiles.write_checkpoint(note(4))
        assert tiles.read_checkpoint() == note(4)

    def test_documents(self, tiles: Tiles) -> None:
        assert tiles.get_document("uEi.json") is None
        tiles.put_document("uEi.json", b"{}")
        tiles.put_document("uEi.json", b"[]")
        assert tiles.get_document("uEi.json") == b"[]"
        for name in ("../uEi.json", "a/b.json", ".json", "x.json\n", "x", ""):
            with pytest.raises(StoreFailed):
                tiles.put_document(name, b"")
            assert tiles.get_document(name) is None

    def test_a_log_over_them(self, tiles: Tiles, tmp_path: Path) -> None:
        places = Places(tmp_path, NETWORK)
        places.create(ORIGIN)
        entries = [entry(i) for i in range(600)]
        for attempt in range(2):
            opened = places.open(ORIGIN)
            opened.tiles = tiles
            with Log.over(opened, signer=SIGNER) as log:
                log.add(entries if not attempt else [b"last"])
                log.tick()
                assert log.view.entries(0, 600) == entries
                assert len(log.view.tile(Tile(0, 1))) == 8192
                assert log.published() == tiles.read_checkpoint()


def test_sizes_of_notes() -> None:
    assert size_of_note(note(12)) == 12
    for other in (b"", b"a\nb\nc\n", b"12", b"x\n-1\n", b"x\n" + b"9" * 5000 + b"\n"):
        assert size_of_note(other) == -1


# --- S3 itself ---


def test_a_bucket_can_be_served_as_it_is(bucket: Any) -> None:
    """Types and caching are those of tlog-tiles, whoever fetches the objects."""
    tiles = open_bucket(bucket.url, "log", **bucket.config)
    full, partial = Tile(0, 0), Tile(0, 1, 3)
    tiles.write([(full, bytes(8192)), (bundle_of(0), b"x"), (partial, bytes(96))])
    tiles.write_checkpoint(note(1))
    tiles.write_checkpoint(note(2))
    document = "uEi" + "A" * 43 + ".json"
    tiles.put_document(document, b"{}")
    for path, kind, caching in [
        (full.path, "application/octet-stream", "immutable"),
        (partial.path, "application/octet-stream", "immutable"),
        (bundle_of(0).path, "application/octet-stream", "immutable"),
        ("checkpoint", "text/plain; charset=utf-8", "no-store"),
        (f"documents/{document}", "application/json", "immutable"),
    ]:
        attributes = obstore.get(tiles._store, path).attributes
        assert attributes["Content-Type"] == kind
        assert caching in attributes["Cache-Control"]


def test_no_bucket_and_no_server(bucket: Any) -> None:
    with pytest.raises(BucketMissing):
        open_bucket("s3://zl-nowhere/x", "log", **bucket.config).check()
    config = {**bucket.config, "endpoint": "http://127.0.0.1:9"}
    quick = {"timeout": "1s", "connect_timeout": "1s", "allow_http": True}
    dead = open_bucket(bucket.url, "log", **{**config, "client_options": quick})
    with pytest.raises(StoreUnreachable):
        dead.read(Tile(0, 0))


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:secret@bucket/x",
        "s3:///prefix",
        "https://bucket/x",
        "gs://bucket",
        "s3://bucket/x?versionId=1",
        "file://host/path",
        "file:relative",
    ],
)
def test_what_is_no_place_for_tiles(url: str, tmp_path: Path) -> None:
    with pytest.raises(PlaceInvalid):
        Places(tmp_path, NETWORK, {"default": Place("sqlite", url)})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@host/db",
        "postgresql://user@host/db?password=secret",
        "mysql://host/db",
        "host=localhost dbname=x",
        "postgresql://host/db?nonsense=1",
        "",
    ],
)
def test_what_is_no_store(url: str, tmp_path: Path) -> None:
    with pytest.raises(PlaceInvalid) as refused:
        Places(tmp_path, NETWORK, {"default": Place(url)})
    assert "secret" not in str(refused.value)


def test_the_file_that_names_places(tmp_path: Path) -> None:
    assert Places.load(tmp_path, NETWORK).of(ORIGIN) == Place()
    assert not Places.load(tmp_path, NETWORK).shared
    own, everywhere = Place("postgresql://a/b", "s3://c/d"), Place("postgresql://e", "file:///f")
    Places(tmp_path, NETWORK, {"default": everywhere, ORIGIN: own}).save()
    found = Places.load(tmp_path, NETWORK)
    assert found.of(ORIGIN) == own
    assert found.of(f"{NETWORK}/other") == everywhere
    assert found.shared
    path = tmp_path / "storage.json"
    for broken in (
        "[]",
        "{",
        '{"default": "x"}',
        '{"default": {"store": 1}}',
        '{"default": {"store": "sqlite", "password": "x"}}',
        '{"other.example/log": {}}',
        '{"default": {"store": "postgresql://a:secret@b/c"}}',
        "[" * 100_000,
    ):
        path.write_text(broken)
        with pytest.raises(PlaceInvalid):
            Places.load(tmp_path, NETWORK)
    path.unlink()
    path.mkdir()
    with pytest.raises(PlaceInvalid):
        Places.load(tmp_path, NETWORK)
