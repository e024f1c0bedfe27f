"""Storage under what really happens to it: kills, full disks, second processes."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from registry.engine.fsck import check_log
from registry.engine.log import TILES, Log
from registry.errors import (
    HeadMoved,
    StoreCorrupt,
    StoreFailed,
    StoreForeign,
    StoreFull,
    StoreLocked,
    StoreMissing,
    TileMissing,
)
from registry.storage import Commit, LeafKnown
from registry.storage.lock import FolderLock, TurnLock
from registry.storage.sqlite import FILE, SqliteStore
from registry.storage.tilefiles import TileFiles
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.merkle import Frontier, leaf_hash
from registry.tlog.note import NoteSigner
from registry.tlog.tiles import Tile, encode_bundle
from tests.waiting import PATIENCE_S, until

ORIGIN = "store.example/log"
SIGNER = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
CRASH_ORIGIN = "crash.example/log"
CRASH_WRITER = Path(__file__).with_name("crash_writer.py")
ROOT = Path(__file__).resolve().parents[3]
KILLS = 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "log"
    Log.create(place, ORIGIN)
    return place


def commit(store: SqliteStore, entries: list[bytes]) -> Commit:
    before = store.head()
    after = before.copy()
    leaves = [leaf_hash(e) for e in entries]
    after.extend(leaves)
    return Commit(before, after, encode_bundle(entries), leaves, 1)


# --- kills ---


def lines(stream: IO[bytes], seconds: float) -> Iterator[str]:
    """Lines that arrive within `seconds`, read one at a time so that none stays in a buffer."""
    deadline = time.monotonic() + seconds
    while (wait := deadline - time.monotonic()) > 0:
        if select.select([stream], [], [], wait)[0]:
            line = stream.readline()
            if not line:
                return
            yield line.decode().rstrip("\n")


def test_no_kill_loses_an_acknowledged_entry_or_makes_two_roots(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    Log.create(folder, CRASH_ORIGIN)
    acknowledged: list[tuple[int, int, str]] = []
    roots: dict[int, str] = {}

    def note(line: str) -> None:
        word, *rest = line.split(" ")
        if word == "ack":
            acknowledged.append((int(rest[0]), int(rest[1]), rest[2]))
        elif word == "sign":
            assert roots.setdefault(int(rest[0]), rest[1]) == rest[1], "two roots for one size"

    with subprocess.Popen(
        [sys.executable, str(CRASH_WRITER), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        for life in range(KILLS):
            writer.stdin.write(b"go\n")
            start = writer.stdout.readline().decode().split()
            assert start[0] == "start"
            # Every third life may end in its recovery; the others have begun to acknowledge.
            enough = len(acknowledged) + (life % 3 > 0)
            while len(acknowledged) < enough:
                note(writer.stdout.readline().decode().rstrip("\n"))
            for line in lines(writer.stdout, random.uniform(0.001, 0.1)):
                note(line)
            os.kill(int(start[1]), signal.SIGKILL)
            while (line := writer.stdout.readline().decode().rstrip("\n")) != "end":
                assert line, "the writer ended by itself"
                note(line)
        writer.stdin.close()
        assert writer.wait(PATIENCE_S) == 0

    assert len(acknowledged) >= KILLS * 2 // 3
    assert len(roots) >= KILLS // 2
    with Log.open(folder) as log:
        view = log.view
        for first, count, text in acknowledged:
            stem = text[:-1]
            expected = [f"{stem}{i}".encode() for i in range(count)]
            assert view.entries(first, first + count) == expected
        for size, root in roots.items():
            assert view.root_at(size).hex() == root
        published = log.published()
        assert published is not None
    known = [Checkpoint(CRASH_ORIGIN, size, bytes.fromhex(root)) for size, root in roots.items()]
    report = check_log(folder, expected=known)
    assert report.findings == []
    assert report.size >= max(first + count for first, count, _ in acknowledged)


# --- full disks ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 3 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    umount = shutil.which("umount")
    if mount is None or umount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], check=False)
    if made.returncode != 0:
        pytest.skip("this system lets nobody mount a small file system")
    yield place
    subprocess.run([umount, "-l", str(place)], check=True)


def test_a_full_disk_loses_nothing_and_is_left_behind(small_disk: Path) -> None:
    folder = small_disk / "log"
    Log.create(folder, ORIGIN)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1536 * 1024))
    kept: list[bytes] = []
    with Log.open(folder, signer=SIGNER) as log:
        with pytest.raises(StoreFull) as caught:
            for step in range(1000):
                batch = [b"%d %d " % (step, i) + os.urandom(700) for i in range(20)]
                assert log.add(batch).indices[0] == len(kept)
                kept += batch
        assert caught.value.exit_code == 4
        assert log.size == len(kept)
        with pytest.raises(StoreFull):
            log.add([os.urandom(8192) for _ in range(20)])
        ballast.unlink()
        assert log.add([b"room again"]).indices == (len(kept),)
        kept.append(b"room again")
    ballast.write_bytes(bytes(64 * 1024))
    with Log.open(folder, signer=SIGNER) as log:
        assert log.view.size == len(kept)
        assert log.view.entries(0, len(kept)) == kept
        log.tick()
    assert check_log(folder, log_key=SIGNER.key).findings == []


def test_a_disk_too_full_for_tiles_publishes_nothing(small_disk: Path) -> None:
    folder = small_disk / "log"
    Log.create(folder, ORIGIN)
    with Log.open(folder, signer=SIGNER) as log:
        log.add([b"first"])
        before = log.tick()
        entries = [b"%d " % i + os.urandom(500) for i in range(900)]
        log.add(entries)
        room = shutil.disk_usage(small_disk).free
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(max(0, room - 100 * 1024)))
        with pytest.raises(StoreFull):
            log.tick()
        assert log.view.size == 1
        assert log.published() == before == (folder / TILES / "checkpoint").read_bytes()
        ballast.unlink()
        note = log.tick()
        assert open_checkpoint(note, ORIGIN, [SIGNER.key]).size == 901
    assert check_log(folder, log_key=SIGNER.key).findings == []


def test_a_full_database_refuses_the_whole_commit(folder: Path) -> None:
    with Log.open(folder, signer=SIGNER) as log:
        log.add([b"first"])
        store = log._store
        assert isinstance(store, SqliteStore)
        assert store._writer is not None
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreFull):
            log.add([os.urandom(4000) for _ in range(20)])
        assert log.size == 1
        store._writer.execute("PRAGMA max_page_count = 1000000")
        assert log.add([b"second"]).indices == (1,)
        log.tick()
    assert check_log(folder).findings == []


# --- second processes ---


def test_another_process_is_kept_out_and_a_killed_one_leaves_no_lock(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from registry.engine.log import Log\n"
        "log = Log.open(Path(sys.argv[1])); log.add([b'other']); print('ready', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        with pytest.raises(StoreLocked) as caught:
            Log.open(folder)
        assert caught.value.exit_code == 4
        other.kill()
        other.wait(PATIENCE_S)
    with Log.open(folder) as log:
        assert log.view.entries(0, 1) == [b"other"]


def test_a_lock_is_free_when_released(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(StoreLocked):
        FolderLock(tmp_path)
    lock.release()
    lock.release()
    FolderLock(tmp_path).release()
    with pytest.raises(StoreFailed):
        FolderLock(tmp_path / "nowhere")


# --- the record ---


def test_the_head_moves_from_where_it_was_seen_only(folder: Path) -> None:
    store = SqliteStore(folder)
    first = commit(store, [b"a"])
    rival = commit(store, [b"b"])
    store.append(first)
    with pytest.raises(HeadMoved):
        store.append(rival)
    assert store.head() == first.after
    assert store.root_at(1) == leaf_hash(b"a")
    assert store.find([leaf_hash(b"a"), leaf_hash(b"b")]) == {leaf_hash(b"a"): 0}
    store.close()


def test_a_known_leaf_leaves_no_trace_of_its_commit(folder: Path) -> None:
    store = SqliteStore(folder)
    store.append(commit(store, [b"a", b"b"]))
    with pytest.raises(LeafKnown):
        store.append(commit(store, [b"c", b"a"]))
    assert store.head().size == 2
    assert store.find([leaf_hash(b"c")]) == {}
    assert len(store.blocks()) == 1
    store.append(commit(store, [b"c"]))
    assert list(store.entries(1, 3)) == [(1, [b"b"]), (2, [b"c"])]
    store.close()


def test_published_checkpoints_never_change_their_root(folder: Path) -> None:
    store = SqliteStore(folder)
    assert store.published() is None
    store.publish(5, b"r" * 32, b"one", 1)
    store.publish(5, b"r" * 32, b"two", 2)
    store.publish(5, b"s" * 32, b"three", 3)
    store.publish(3, b"q" * 32, b"old", 3)
    assert store.published() == store.published_at(5) == b"two"
    assert store.published_at(4) is None
    store.close()


def test_a_store_for_reading_writes_nothing(folder: Path) -> None:
    store = SqliteStore(folder, read_only=True)
    with pytest.raises(StoreFailed):
        store.append(commit(store, [b"a"]))
    with pytest.raises(StoreFailed):
        store.set_integrated(1)
    store.close()


def test_what_is_no_store(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(StoreMissing):
        SqliteStore(tmp_path)
    with pytest.raises(StoreForeign):
        SqliteStore(folder, origin="another.example/log")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / FILE).write_bytes(b"no database at all" * 100)
    for read_only in (True, False):
        with pytest.raises(StoreCorrupt):
            SqliteStore(broken, read_only=read_only)
    store = SqliteStore(folder)
    assert store._writer is not None
    store._writer.execute("UPDATE log SET format = 99")
    store.close()
    with pytest.raises(StoreCorrupt):
        SqliteStore(folder)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log SET frontier = zeroblob(8)",
        "UPDATE log SET root = zeroblob(32)",
        "UPDATE log SET size = 1",
        "DELETE FROM log",
    ],
)
def test_a_head_that_does_not_hash_is_refused(folder: Path, statement: str) -> None:
    store = SqliteStore(folder)
    store.append(commit(store, [b"a", b"b", b"c"]))
    assert store.head() == Frontier(3, store.head().nodes)
    assert store._writer is not None
    store._writer.execute(statement)
    with pytest.raises(StoreCorrupt):
        store.head()
    store.close()


def test_tile_files_appear_whole_under_their_paths(tmp_path: Path) -> None:
    files = TileFiles(tmp_path / "tiles")
    partial, full = Tile(0, 1234067, 3), Tile(0, 1234067)
    with pytest.raises(TileMissing):
        files.read(full)
    files.write([(partial, b"abc")])
    assert (tmp_path / "tiles/tile/0/x001/x234/067.p/3").read_bytes() == b"abc"
    files.write([(full, b"x" * 8192)])
    files.drop_partials([full])
    assert files.read(full) == b"x" * 8192
    with pytest.raises(TileMissing):
        files.read(partial)
    assert files.read_checkpoint() is None
    files.write_checkpoint(b"one")
    files.write_checkpoint(b"two")
    assert files.read_checkpoint() == b"two"
    assert not list(tmp_path.rglob(".*.new"))


def test_tile_files_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "tiles").write_bytes(b"a file is in the way")
    files = TileFiles(tmp_path / "tiles")
    with pytest.raises(StoreFailed):
        files.write([(Tile(0, 0), b"")])
    with pytest.raises(StoreFailed):
        files.write_checkpoint(b"")
    with pytest.raises(TileMissing):
        files.read(Tile(0, 0))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
@pytest.mark.parametrize(
    "name", ["tile/0/000.p/.2.new", "tile/entries/000.p/.2.new", ".checkpoint.new"]
)
def test_no_room_for_a_file_and_then_room_again(folder: Path, name: str) -> None:
    with Log.open(folder, signer=SIGNER) as log:
        log.add([b"first"])
        before = log.tick()
        log.add([b"second"])
        (folder / TILES / name).symlink_to("/dev/full")
        with pytest.raises(StoreFull):
            log.tick()
        assert (folder / TILES / "checkpoint").read_bytes() == before
        note = log.tick()
        assert open_checkpoint(note, ORIGIN, [SIGNER.key]).size == 2
        assert (folder / TILES / "checkpoint").read_bytes() == note
    assert check_log(folder, log_key=SIGNER.key).findings == []


# --- processes that are paused ---

PAUSED_WRITER = """
import os, signal, sys
from pathlib import Path
from registry.storage import tilefiles

sync = os.fsync
def pause(file):
    os.fsync = sync
    os.kill(os.getpid(), signal.SIGSTOP)
    sync(file)
os.fsync = pause
tilefiles.TileFiles(Path(sys.argv[1]), shared=True).write_checkpoint(sys.stdin.buffer.read())
"""


def test_a_paused_writer_blocks_nobody_and_shows_no_older_checkpoint_later(tmp_path: Path) -> None:
    """It stands between the look at what is shown and the new file: for seconds, or for hours."""

    def note(size: int) -> bytes:
        return f"log.example/paused\n{size}\n{'A' * 43}=\n\n".encode()

    tiles = TileFiles(tmp_path, shared=True)
    tiles.write_checkpoint(note(3))
    writer = subprocess.Popen(
        [sys.executable, "-c", PAUSED_WRITER, tmp_path], cwd=ROOT, stdin=subprocess.PIPE
    )
    try:
        assert writer.stdin is not None
        writer.stdin.write(note(7))
        writer.stdin.close()
        state = Path(f"/proc/{writer.pid}/stat")
        until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")
        tiles.write_checkpoint(note(12))
        assert tiles.read_checkpoint() == note(12)
        writer.send_signal(signal.SIGCONT)
        assert writer.wait(PATIENCE_S) == 0
        assert tiles.read_checkpoint() == note(12)
        assert {path.name for path in tmp_path.iterdir()} == {"checkpoint", ".checkpoint.lock"}
        tiles.write_checkpoint(note(20))  # nothing was left behind that is in the way
        assert tiles.read_checkpoint() == note(20)
    finally:
        writer.kill()
        writer.wait()


def test_a_turn_is_taken_away_from_who_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "turn"
    with TurnLock(path, patience_s=0.2) as first:
        assert first.held
        with TurnLock(path, patience_s=0.2) as second:
            assert second.held
            assert not first.held
    with TurnLock(path) as third:
        assert third.held
        path.unlink()
        assert not third.held
