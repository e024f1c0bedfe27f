"""A log from outside: what is acknowledged, refused, served and survived."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from registry.engine.log import TILES, Log, Sequenced
from registry.errors import (
    BatchSize,
    CheckpointMalformed,
    CheckpointRefused,
    EntriesDuplicate,
    EntryCorrupt,
    EntryTooLarge,
    HeadMoved,
    LogBusy,
    LogClosed,
    NoteUnsigned,
    OutOfRange,
    StoreCorrupt,
    StoreExists,
    StoreFailed,
    StoreForeign,
    StoreLocked,
    StoreMissing,
    StoreUnreachable,
    TileCorrupt,
    TileMissing,
)
from registry.limits import MAX_BATCH_ENTRIES, MAX_ENTRY_BYTES, MAX_PENDING_ENTRIES
from registry.storage import Commit
from registry.storage.sqlite import SqliteStore
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from registry.tlog.note import ED25519_COSIGNATURE, Note, NoteSigner
from registry.tlog.policy import Policy
from registry.tlog.proofs import TlogProof
from registry.tlog.tiles import (
    Tile,
    bundle_of,
    check_bundle,
    decode_bundle,
    split_hashes,
    tiles_of,
)
from tests.waiting import PATIENCE_S, until

ORIGIN = "hangzhou.example/identity"
SIGNER = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
NODE = NoteSigner.from_seed("node.example/a", b"\x02" * 32, ED25519_COSIGNATURE)
NOW = 1_700_000_000


def entry(index: int) -> bytes:
    return b"entry %d" % index


def opened(folder: Path) -> Log:
    return Log.open(folder, origin=ORIGIN, signer=SIGNER, clock=lambda: NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "identity"
    Log.create(place, ORIGIN)
    return place


@pytest.fixture
def log(folder: Path) -> Iterator[Log]:
    with opened(folder) as one:
        yield one


def fill(log: Log, size: int) -> None:
    """Grow to `size` entries, `entry(i)` at index i."""
    futures = [
        log.submit([entry(i) for i in range(start, min(start + 300, size))])
        for start in range(log.size, size, 300)
    ]
    for future in futures:
        future.result()


# --- sequencing ---


def test_indices_follow_each_other_and_the_trailer_stands_behind(log: Log) -> None:
    assert log.add([b"a", b"b"], b"seal") == Sequenced((0, 1), False)
    assert log.add([b"c"]) == Sequenced((3,), False)
    log.integrate()
    assert log.view.entries(0, 4) == [b"a", b"b", b"seal", b"c"]
    assert log.view.index_of(leaf_hash(b"seal")) == 2
    assert log.view.index_of(leaf_hash(b"nothing")) is None


def test_what_is_wholly_known_is_answered_again(log: Log) -> None:
    log.add([b"a", b"b", b"c"], b"seal one")
    assert log.add([b"a", b"b", b"c"], b"seal two") == Sequenced((0, 1, 2), True)
    assert log.add([b"c"]) == Sequenced((2,), True)
    assert log.add([b"c", b"a"]) == Sequenced((2, 0), True)
    assert log.size == 4


@pytest.mark.parametrize(
    ("batch", "trailer", "positions"),
    [
        ([b"x", b"a", b"y", b"b"], None, [1, 3]),
        ([b"x", b"y", b"x"], None, [2]),
        ([b"a", b"x", b"x"], None, [0, 2]),
        ([b"x"], b"a", [1]),
        ([b"x"], b"x", [1]),
    ],
)
def test_what_is_partly_known_is_refused_by_name(
    log: Log, batch: list[bytes], trailer: bytes | None, positions: list[int]
) -> None:
    log.add([b"a", b"b"])
    with pytest.raises(EntriesDuplicate) as caught:
        log.add(batch, trailer)
    assert caught.value.params == {"positions": positions}
    assert log.size == 2
    assert log.add([b"x"]) == Sequenced((2,), False)


@contextmanager
def commit_held(log: Log) -> Iterator[Future[Sequenced]]:
    """The commit of an entry `old` is under way meanwhile: what is submitted waits together."""
    begun, go_on = threading.Event(), threading.Event()
    store, append = log._store, log._store.append

    def slowly(commit: Commit) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        append(commit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "append", slowly)
        old = log.submit([b"old"])
        try:
            assert begun.wait(PATIENCE_S)
            yield old
        finally:
            go_on.set()
        old.result(PATIENCE_S)


def test_duplicates_within_one_commit_are_seen(folder: Path) -> None:
    with Log.open(folder, signer=SIGNER) as log:
        with commit_held(log) as old:
            futures = [
                log.submit([b"a", b"b"]),
                log.submit([b"b", b"a"]),
                log.submit([b"b", b"c"]),
                log.submit([b"a", b"old"]),
                log.submit([b"c"]),
            ]
        assert old.result() == Sequenced((0,), False)
        assert futures[0].result() == Sequenced((1, 2), False)
        assert futures[1].result() == Sequenced((2, 1), True)
        with pytest.raises(EntriesDuplicate):
            futures[2].result()
        assert futures[3].result() == Sequenced((1, 0), True)
        assert futures[4].result() == Sequenced((3,), False)
        log.integrate()
        assert [(b.start, b.count) for b in log.view.blocks()] == [(0, 1), (1, 3)]


@pytest.mark.parametrize("size", [0, MAX_ENTRY_BYTES + 1])
def test_entries_of_impossible_size_are_refused(log: Log, size: int) -> None:
    with pytest.raises(EntryTooLarge):
        log.add([b"fine", b"x" * size])
    with pytest.raises(EntryTooLarge):
        log.add([b"fine"], b"x" * size)
    log.add([b"x" * MAX_ENTRY_BYTES])


def test_batches_of_impossible_size_are_refused(log: Log) -> None:
    many = [entry(i) for i in range(MAX_BATCH_ENTRIES + 1)]
    for batch, trailer in [([], None), ([], b"seal"), (many, None), (many[:-1], b"seal")]:
        with pytest.raises(BatchSize):
            log.add(batch, trailer)
    assert len(log.add(many[:-2], b"seal").indices) == MAX_BATCH_ENTRIES - 1


def test_many_threads_get_distinct_indices(log: Log) -> None:
    answers: list[tuple[int, int, Sequenced]] = []

    def work(worker: int) -> None:
        for step in range(40):
            answers.append((worker, step, log.add([b"%d %d" % (worker, step)])))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.integrate()
    assert sorted(a.indices[0] for _, _, a in answers) == list(range(320))
    for worker, step, answer in answers:
        assert log.view.entry(answer.indices[0]) == b"%d %d" % (worker, step)
    assert len(log.view.blocks(limit=1000)) < 320  # they shared commits


async def test_an_answer_can_be_awaited_and_a_caller_may_go_away(log: Log) -> None:
    waiting = asyncio.wrap_future(log.submit([b"first"]))
    waiting.cancel()
    assert await asyncio.wrap_future(log.submit([b"second"])) == Sequenced((1,), False)
    assert log.size == 2


def test_too_much_at_once_is_refused_until_there_is_room(folder: Path) -> None:
    with Log.open(folder) as log:
        batch, futures = 1000, []
        with commit_held(log):
            for start in range(0, MAX_PENDING_ENTRIES - batch, batch):
                futures.append(log.submit([b"%d" % i for i in range(start, start + batch)]))
            with pytest.raises(LogBusy):
                log.submit([b"more %d" % i for i in range(batch)])
        for future in futures:
            future.result()
        assert log.add([b"there is room"]).repeated is False


# --- integrating and reading ---


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600])
def test_every_tile_and_bundle_is_served_and_on_disk(folder: Path, log: Log, size: int) -> None:
    fill(log, size)
    assert log.integrate() == log.view.checkpoint
    leaves = [leaf_hash(entry(i)) for i in range(size)]
    assert log.view.checkpoint == Checkpoint(ORIGIN, size, root_of(leaves))
    for tile in tiles_of(size):
        assert log.view.tile(tile) == (folder / TILES / tile.path).read_bytes()
        if tile.level == 0:
            bundle = bundle_of(tile.index, tile.width)
            data = log.view.tile(bundle)
            assert data == (folder / TILES / bundle.path).read_bytes()
            check_bundle(bundle, data, leaves[tile.start :])
    assert not list((folder / TILES).rglob(".*.new"))


def test_partial_tiles_of_every_published_size_stay_served(log: Log) -> None:
    published = []
    for size in (3, 200, 256, 300):
        fill(log, size)
        log.tick()
        published.append(size)
    for size in published:
        for tile in tiles_of(size):
            data = log.view.tile(tile)
            assert len(data) == 32 * tile.width
            if tile.level == 0:
                bundle = bundle_of(tile.index, tile.width)
                check_bundle(bundle, log.view.tile(bundle), log.view.hashes(tile))


@pytest.mark.parametrize(
    "tile", [Tile(0, 1, 45), Tile(0, 1), Tile(0, 2, 1), Tile(1, 0, 2), Tile(2, 0, 1), Tile(1, 0)]
)
def test_tiles_beyond_the_tree_are_missing(log: Log, tile: Tile) -> None:
    fill(log, 300)
    log.integrate()
    with pytest.raises(TileMissing):
        log.view.tile(tile)
    if tile.level == 0:
        with pytest.raises(TileMissing):
            log.view.tile(bundle_of(tile.index, tile.width))


def test_what_is_not_integrated_is_not_shown(log: Log) -> None:
    log.add([b"a"])
    assert log.view.size == 0
    assert log.view.index_of(leaf_hash(b"a")) is None
    with pytest.raises(OutOfRange):
        log.view.entry(0)


def test_proofs_of_every_size_verify(log: Log) -> None:
    fill(log, 700)
    log.integrate()
    leaves = [leaf_hash(entry(i)) for i in range(700)]
    sizes = [1, 2, 255, 256, 257, 511, 512, 513, 699, 700]
    roots = {size: root_of(leaves[:size]) for size in sizes}
    for size in sizes:
        assert log.view.root_at(size) == roots[size]
        for index in {0, size // 2, size - 1}:
            proof = log.view.inclusion_proof(index, size)
            verify_inclusion(index, size, leaves[index], proof, roots[size])
            compact = log.view.compact_proof(index, size)
            if index // 256 < size // 256:
                tile_hash = log.view.level_hashes(1, index // 256, index // 256 + 1)[0]
                compact.check_tile_hash(leaves[index], tile_hash)
            else:
                first = index // 256 * 256
                compact.check_tile_leaves(leaves[index], log.view.leaf_hashes(first, size))
        for old in sizes:
            if old <= size:
                proof = log.view.consistency_proof(old, size)
                verify_consistency(old, size, roots[old], roots[size], proof)
    assert log.view.root_at(0) == EMPTY_ROOT
    assert log.view.subtree_root(10, 20) == root_of(leaves[10:20])


def test_questions_outside_the_tree_are_refused(log: Log) -> None:
    fill(log, 10)
    log.integrate()
    view = log.view
    for question in (
        lambda: view.entries(5, 11),
        lambda: view.entries(-1, 3),
        lambda: view.entries(4, 3),
        lambda: view.entry(10),
        lambda: view.leaf_hashes(0, 11),
        lambda: view.level_hashes(1, 0, 1),
        lambda: view.inclusion_proof(10, 10),
        lambda: view.inclusion_proof(0, 11),
        lambda: view.inclusion_proof(-1, 10),
        lambda: view.consistency_proof(0, 11),
        lambda: view.consistency_proof(6, 5),
        lambda: view.compact_proof(10),
        lambda: view.compact_proof(0, 11),
        lambda: view.root_at(11),
    ):
        with pytest.raises(OutOfRange):
            question()


def test_blocks_start_where_asked(log: Log) -> None:
    for batch in ([b"a", b"b"], [b"c"], [b"d", b"e", b"f"]):
        log.add(batch)
    log.integrate()
    blocks = log.view.blocks()
    assert [(b.start, b.count, b.end, b.time) for b in blocks] == [
        (0, 2, 2, NOW),
        (2, 1, 3, NOW),
        (3, 3, 6, NOW),
    ]
    assert [b.root for b in blocks] == [log.view.root_at(b.end) for b in blocks]
    assert log.view.blocks(1) == blocks
    assert log.view.blocks(2) == blocks[1:]
    assert log.view.blocks(5) == blocks[2:]
    assert log.view.blocks(6) == []
    assert log.view.blocks(0, limit=1) == blocks[:1]


# --- checkpoints ---


def test_tick_signs_publishes_and_repeats_itself(folder: Path, log: Log) -> None:
    fill(log, 5)
    note = log.tick()
    assert open_checkpoint(note, ORIGIN, [SIGNER.key]).checkpoint == log.view.checkpoint
    assert log.published() == note == (folder / TILES / "checkpoint").read_bytes()
    assert log.tick() == note
    fill(log, 6)
    assert log.tick() != note
    assert log.published_at(5) == note


def test_a_cosigned_checkpoint_replaces_the_plain_one_of_its_size(log: Log) -> None:
    fill(log, 5)
    note = log.tick()
    cosigned = Note.parse(note).with_signatures([NODE.sign(Note.parse(note).text, NOW)]).encode()
    log.publish(cosigned)
    assert log.published() == log.published_at(5) == cosigned
    policy = Policy.k_of_n(1, {"a": NODE.key}, [SIGNER.key])
    proof = TlogProof(2, tuple(log.view.inclusion_proof(2, 5)), cosigned)
    assert proof.verify(leaf_hash(entry(2)), policy).checkpoint.time_s == NOW


def test_only_checkpoints_of_this_tree_are_published(log: Log) -> None:
    fill(log, 5)
    log.tick()
    old = log.published()
    fill(log, 9)
    log.integrate()
    assert old is not None
    for checkpoint in (
        Checkpoint(ORIGIN, 10, bytes(32)),
        Checkpoint(ORIGIN, 9, bytes(32)),
        Checkpoint(ORIGIN, 4, log.view.root_at(4)),
    ):
        with pytest.raises(CheckpointRefused):
            log.publish(checkpoint.sign(SIGNER))
    stranger = NoteSigner.from_seed(ORIGIN, b"\x09" * 32)
    with pytest.raises(NoteUnsigned):
        log.publish(log.view.checkpoint.sign(stranger))
    assert log.published() == old


def test_without_a_key_nothing_is_signed(folder: Path) -> None:
    with Log.open(folder) as log:
        log.add([b"a"])
        with pytest.raises(CheckpointRefused):
            log.tick()
        with pytest.raises(CheckpointRefused):
            log.publish(log.view.checkpoint.sign(SIGNER))
    other = NoteSigner.from_seed("hangzhou.example/main", b"\x01" * 32)
    with pytest.raises(CheckpointRefused):
        Log.open(folder, signer=other)


# --- opening, closing ---


def test_everything_is_there_again(folder: Path) -> None:
    with opened(folder) as log:
        fill(log, 300)
        note = log.tick()
        fill(log, 310)  # committed and never integrated
    with opened(folder) as log:
        assert log.published() == note
        assert log.view.size == 310
        assert log.view.entries(0, 310) == [entry(i) for i in range(310)]
        assert log.add([entry(7)]) == Sequenced((7,), True)
        assert log.add([b"next"]) == Sequenced((310,), False)


def test_closing_commits_what_was_queued(folder: Path) -> None:
    log = Log.open(folder, interval_s=0.2)
    futures: list[Future[Sequenced]] = [log.submit([entry(i)]) for i in range(20)]
    log.close()
    assert [f.result().indices[0] for f in futures] == list(range(20))
    with pytest.raises(LogClosed):
        log.submit([b"late"])
    log.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_commit_thread_that_dies_takes_nothing_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever: the log says that it stopped, and what is queued is told so."""
    with Log.open(folder, signer=SIGNER) as log:
        log.add([b"a"])

        def fail(*_: object) -> None:
            raise StoreFailed(store="main", reason="the disk is gone")

        def die(*_: object) -> None:
            raise OSError

        monkeypatch.setattr(log._store, "append", fail)
        monkeypatch.setattr(log._store, "head", die)
        first = log.submit([b"b"])
        with pytest.raises(StoreFailed):
            first.result(10)
        until(lambda: log.stopped)
        with pytest.raises(LogClosed):
            log.submit([b"c"])
        monkeypatch.undo()


def test_only_the_first_entry_of_all_may_be_as_large_as_a_genesis(folder: Path) -> None:
    large = b"x" * (MAX_ENTRY_BYTES + 1)
    with Log.open(folder, signer=SIGNER) as log:
        log.add([large])
        with pytest.raises(EntryTooLarge):  # though nothing is integrated yet
            log.add([b"y" + large])


def test_of_many_as_large_as_a_genesis_one_is_the_first(folder: Path) -> None:
    """They come at once, when nothing is committed yet."""
    start = threading.Barrier(9)
    answers: list[Future[Sequenced]] = []

    def submit(log: Log, number: int) -> None:
        start.wait(10)
        answers.append(log.submit([b"%d" % number * (MAX_ENTRY_BYTES + 1)]))

    with Log.open(folder, signer=SIGNER, interval_s=0.5) as log:
        threads = [threading.Thread(target=submit, args=(log, n)) for n in range(8)]
        for thread in threads:
            thread.start()
        start.wait(10)
        for thread in threads:
            thread.join(10)
        small = log.add([b"small"])
        failures = [answer.exception(10) for answer in answers]
        assert [type(failure) for failure in failures if failure] == [EntryTooLarge] * 7
        assert {answer.result().indices for answer in answers if not answer.exception()} == {(0,)}
        assert small.indices == (1,)
        log.integrate()
        assert [len(raw) for raw in log.view.entries(0, 2)] == [MAX_ENTRY_BYTES + 1, 5]


def test_behind_another_entry_nothing_is_as_large_as_a_genesis(folder: Path) -> None:
    with Log.open(folder, signer=SIGNER, interval_s=0.5) as log:
        small = log.submit([b"small"])
        large = log.submit([b"x" * (MAX_ENTRY_BYTES + 1)])
        assert small.result(10).indices == (0,)
        with pytest.raises(EntryTooLarge):
            large.result(10)
        assert log.size == 1


def test_a_log_that_does_not_know_its_size_takes_no_second_genesis(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first was committed, and no answer came; nor one to the question how large it is."""
    with Log.open(folder, signer=SIGNER) as log:
        append = log._store.append

        def cut_off(commit: Commit) -> None:
            append(commit)
            raise StoreUnreachable(store="it", reason="no connection")

        def unreachable() -> Frontier:
            raise StoreUnreachable(store="it", reason="no connection")

        monkeypatch.setattr(log._store, "append", cut_off)
        monkeypatch.setattr(log._store, "head", unreachable)
        with pytest.raises(StoreUnreachable):
            log.add([b"x" * (MAX_ENTRY_BYTES + 1)])
        monkeypatch.undo()  # it is back
        with pytest.raises(EntryTooLarge):
            log.add([b"y" * (MAX_ENTRY_BYTES + 1)])
        assert log.size == 1


def test_one_writer_only(folder: Path, log: Log) -> None:
    with pytest.raises(StoreLocked):
        Log.open(folder)
    log.add([b"still works"])


def test_a_reader_beside_the_writer(folder: Path, log: Log) -> None:
    fill(log, 300)
    log.tick()
    view = Log.open_view(folder, origin=ORIGIN)
    assert view.checkpoint == log.view.checkpoint
    assert view.entry(299) == entry(299)


def test_a_reader_alone(folder: Path) -> None:
    with opened(folder) as log:
        fill(log, 10)
        log.tick()
    assert Log.open_view(folder).entries(0, 10) == [entry(i) for i in range(10)]


def test_opening_the_wrong_thing(tmp_path: Path, folder: Path) -> None:
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(StoreMissing):
            Log.open(place)
        with pytest.raises(StoreMissing):
            Log.open_view(place)
    with pytest.raises(StoreForeign):
        Log.open(folder, origin="hangzhou.example/access")
    with pytest.raises(StoreExists):
        Log.create(folder, ORIGIN)
    with pytest.raises(CheckpointMalformed):
        Log.create(tmp_path / "other", "two\nlines")
    opened(folder).close()  # none of it left the lock behind


def test_a_head_moved_by_another_stops_the_log(folder: Path) -> None:
    with opened(folder) as log:
        log.add([b"a"])
        other = SqliteStore(folder)
        other._writer.execute("UPDATE log SET size = 7, root = ?", (bytes(32),))  # type: ignore[union-attr]
        other.close()
        with pytest.raises(HeadMoved):
            log.add([b"b"])
        with pytest.raises(LogClosed):
            log.add([b"c"])


# --- damage ---


def flip(path: Path, at: int = 5) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("tile", [Tile(0, 0), Tile(0, 1)])
def test_a_damaged_tile_is_not_served(folder: Path, tile: Tile) -> None:
    with opened(folder) as log:
        fill(log, 600)
        log.tick()
    flip(folder / TILES / tile.path)
    with opened(folder) as log:
        with pytest.raises(TileCorrupt):
            log.view.tile(tile)
        with pytest.raises(TileCorrupt):
            log.view.inclusion_proof(tile.start, 600)
        with pytest.raises(TileCorrupt):
            log.view.entries(tile.start, tile.start + 1)
        log.view.tile(Tile(0, 2, 88))
        (folder / TILES / tile.path).unlink()
        with pytest.raises(TileMissing):
            log.view.tile(tile)


def test_a_damaged_bundle_is_not_served(folder: Path, log: Log) -> None:
    fill(log, 600)
    log.tick()
    for bundle in (bundle_of(0), bundle_of(2, 88)):
        flip(folder / TILES / bundle.path)
        with pytest.raises(TileCorrupt):
            log.view.tile(bundle)
        flip(folder / TILES / bundle.path)
        flip(folder / TILES / bundle.path, at=0)
        with pytest.raises(TileCorrupt):
            log.view.tile(bundle)
    (folder / TILES / bundle_of(1).path).unlink()
    with pytest.raises(TileMissing):
        log.view.tile(bundle_of(1))


def test_a_writer_killed_behind_its_tiles_goes_on_from_them(folder: Path) -> None:
    with opened(folder) as log:
        fill(log, 300)
        log.tick()
        fill(log, 600)
        log.integrate()
    store = SqliteStore(folder)
    store.set_integrated(300)  # as if the last word had not been written
    store.close()
    view = Log.open_view(folder)
    assert view.size == 300
    assert view.leaf_hashes(290, 300) == [leaf_hash(entry(i)) for i in range(290, 300)]
    view.close()
    with opened(folder) as log:
        assert log.view.size == 600


@pytest.mark.parametrize("tile", [Tile(0, 2, 88), Tile(1, 0, 2)])
@pytest.mark.parametrize("remove", [True, False])
def test_a_damaged_edge_is_rebuilt_from_the_record(folder: Path, tile: Tile, remove: bool) -> None:
    with opened(folder) as log:
        fill(log, 600)
        log.tick()
    path = folder / TILES / tile.path
    whole = path.read_bytes()
    if remove:
        path.unlink()
    else:
        flip(path)
    with pytest.raises(TileMissing if remove else TileCorrupt):
        Log.open_view(folder)
    with opened(folder) as log:
        assert log.view.size == 600
        assert path.read_bytes() == whole


def test_tiles_of_every_published_size_lie_there_again(folder: Path) -> None:
    sizes = (3, 200, 256, 300, 301, 520, 600)
    with opened(folder) as log:
        for size in sizes:
            fill(log, size)
            log.tick()

    def held(tile: Tile) -> bytes:
        for one in (tile, tile.full):  # the partial one may go when the full one is there
            path = folder / TILES / one.path
            if path.exists():
                return path.read_bytes()
        raise AssertionError(tile.path)

    shutil.rmtree(folder / TILES / "tile")
    with opened(folder) as log:
        assert log.view.size == 600
    leaves = [leaf_hash(entry(i)) for i in range(600)]
    for size in sizes:
        for tile in tiles_of(size):
            hashes = held(tile)[: 32 * tile.width]
            assert len(hashes) == 32 * tile.width
            if tile.level == 0:
                assert hashes == b"".join(leaves[tile.start : tile.start + tile.width])
                rows = decode_bundle(held(bundle_of(tile.index, tile.width)))
                assert [leaf_hash(row) for row in rows[: tile.width]] == split_hashes(hashes)
    widths = {int(path.name) for path in (folder / TILES / "tile/entries/002.p").iterdir()}
    assert widths == {8, 88}  # of the trees of 520 and 600, and no others
    assert not (folder / TILES / "tile/0/001.p").exists()


def edit_record(folder: Path, old: bytes, new: bytes) -> None:
    """Change bytes in the first commit behind the log's back."""
    store = SqliteStore(folder)
    assert store._writer is not None
    (data,) = store._writer.execute("SELECT entries FROM commits WHERE start = 0").fetchone()
    assert old in data
    store._writer.execute(
        "UPDATE commits SET entries = ? WHERE start = 0", (data.replace(old, new),)
    )
    store.close()


def test_a_changed_entry_is_not_served(folder: Path) -> None:
    with opened(folder) as log:
        fill(log, 20)
        log.tick()
    edit_record(folder, b"entry 3", b"entrY 3")
    with opened(folder) as log:
        assert log.view.entry(4) == entry(4)
        with pytest.raises(EntryCorrupt) as caught:
            log.view.entry(3)
        assert caught.value.params == {"index": 3}


def test_a_record_that_does_not_hash_to_its_head_is_not_integrated(folder: Path) -> None:
    with opened(folder) as log:
        fill(log, 20)
    edit_record(folder, b"entry 3", b"entrY 3")
    with pytest.raises(StoreCorrupt):
        opened(folder)


def test_damaged_tiles_can_be_rebuilt(folder: Path, log: Log) -> None:
    fill(log, 600)
    log.tick()
    paths = [folder / TILES / t.path for t in (Tile(0, 0), Tile(0, 2, 88), bundle_of(1))]
    whole = [path.read_bytes() for path in paths]
    for path in paths:
        flip(path)
    assert log.rebuild() == log.view.checkpoint
    assert [path.read_bytes() for path in paths] == whole


def test_a_lost_checkpoint_file_is_written_again(folder: Path) -> None:
    with opened(folder) as log:
        fill(log, 5)
        note = log.tick()
    flip(folder / TILES / "checkpoint")
    opened(folder).close()
    assert (folder / TILES / "checkpoint").read_bytes() == note


def test_an_old_tile_comes_back_when_all_are_removed(folder: Path) -> None:
    """At its start a log looks at the newest only, so what to do is removing them all."""
    with Log.open(folder, signer=SIGNER) as log:
        log.add([entry(index) for index in range(600)])
        log.tick()
    old = folder / TILES / Tile(0, 0).path
    kept = old.read_bytes()
    old.unlink()
    with Log.open(folder, signer=SIGNER) as log, pytest.raises(TileMissing):
        log.view.inclusion_proof(0, 600)
    shutil.rmtree(folder / TILES / "tile")
    with Log.open(folder, signer=SIGNER) as log:
        assert old.read_bytes() == kept
        assert len(log.view.inclusion_proof(0, 600)) == 10
