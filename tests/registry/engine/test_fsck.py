"""fsck: a sound log has no findings, and each damage is found by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from registry.engine.fsck import MAX_FINDINGS, Damage, Finding, Report, check_log
from registry.engine.log import TILES, Log
from registry.errors import StoreMissing
from registry.storage.sqlite import FILE, SqliteStore
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.note import NoteSigner
from registry.tlog.tiles import Tile, bundle_of

ORIGIN = "hangzhou.example/access"
SIGNER = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
SIZE = 620


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three checkpoints, commits of 100 entries, tiles in every state."""
    place = tmp_path / "access"
    Log.create(place, ORIGIN)
    with Log.open(place, signer=SIGNER) as log:
        log.tick()
        for start in range(0, SIZE, 100):
            log.add([b"entry %d" % i for i in range(start, min(start + 100, SIZE))])
            if start in {200, 500}:
                log.tick()
        log.tick()
    return place


def check(folder: Path, **options: object) -> Report:
    return check_log(folder, log_key=SIGNER.key, **options)  # type: ignore[arg-type]


def sql(folder: Path, statement: str, *parameters: object) -> None:
    store = SqliteStore(folder)
    assert store._writer is not None
    store._writer.execute(statement, parameters)
    store.close()


def flip(path: Path, at: int = 5) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_sound_log(folder: Path) -> None:
    steps: list[tuple[int, int]] = []
    report = check(folder, progress=lambda done, all_: steps.append((done, all_)))
    assert report.sound
    assert report.findings == []
    assert (report.origin, report.size, report.checkpoints) == (ORIGIN, SIZE, 4)
    assert report.tiles == 3 + 3 + 1  # level 0, bundles, level 1
    assert steps[-1] == (SIZE, SIZE)
    view = Log.open_view(folder)
    assert report.root == view.checkpoint.root


def test_an_empty_log(tmp_path: Path) -> None:
    Log.create(tmp_path / "new", ORIGIN)
    report = check(tmp_path / "new")
    assert report.sound
    assert report.size == 0


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        check(tmp_path)


def test_a_log_at_work(folder: Path) -> None:
    with Log.open(folder, signer=SIGNER) as log:
        log.add([b"committed, not integrated"])
        assert check(folder).sound
        log.tick()
        report = check(folder)
        assert report.sound
        assert report.size == SIZE + 1


def edit(folder: Path, start: int, old: bytes, new: bytes) -> None:
    store = SqliteStore(folder)
    entries = [e for _, batch in store.entries(start, start + 100) for e in batch]
    store.close()
    assert old in entries
    data = b"".join(
        len(e).to_bytes(2, "big") + e for e in (new if e == old else e for e in entries)
    )
    sql(folder, "UPDATE commits SET entries = ? WHERE start = ?", data, start)


def test_one_changed_entry_is_one_finding(folder: Path) -> None:
    edit(folder, 100, b"entry 117", b"entry 11x")
    assert check(folder).findings == [Finding(Damage.ENTRY, "117")]


def test_changed_entries_in_two_commits(folder: Path) -> None:
    edit(folder, 0, b"entry 3", b"longer than it was")
    edit(folder, 400, b"entry 499", b"x")
    assert check(folder).findings == [Finding(Damage.ENTRY, "3"), Finding(Damage.ENTRY, "499")]


def test_entry_and_tile_changed_alike_are_both_found(folder: Path) -> None:
    edit(folder, 0, b"entry 3", b"entrY 3")
    flip(folder / TILES / Tile(0, 0).path, at=3 * 32)
    found = {(f.damage, f.where) for f in check(folder).findings}
    assert (Damage.HEAD, "commit at 0") in found
    assert (Damage.TILE, "tile/0/000") in found


@pytest.mark.parametrize(
    "tile", [Tile(0, 0), Tile(0, 2, 108), Tile(1, 0, 2), bundle_of(1), bundle_of(2, 108)]
)
def test_each_file_is_compared(folder: Path, tile: Tile) -> None:
    flip(folder / TILES / tile.path)
    assert check(folder).findings == [Finding(Damage.TILE, tile.path)]
    (folder / TILES / tile.path).unlink()
    assert check(folder).findings == [Finding(Damage.TILE, f"{tile.path} (missing)")]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


@pytest.mark.parametrize("damage", [cut, grow])
@pytest.mark.parametrize("tile", [Tile(0, 0), bundle_of(0)])
def test_length_counts(folder: Path, tile: Tile, damage: Callable[[Path], None]) -> None:
    damage(folder / TILES / tile.path)
    assert check(folder).findings == [Finding(Damage.TILE, tile.path)]


DAMAGES: dict[str, tuple[str, tuple[object, ...], Finding]] = {
    "commit_root": (
        "UPDATE commits SET root = zeroblob(32) WHERE start = 200",
        (),
        Finding(Damage.HEAD, "commit at 200"),
    ),
    "commit_missing": (
        "DELETE FROM commits WHERE start = 200",
        (),
        Finding(Damage.DATABASE, "a commit is missing"),
    ),
    "last_commit_missing": (
        "DELETE FROM commits WHERE start = 600",
        (),
        Finding(Damage.DATABASE, "a commit is missing"),
    ),
    "commit_cut": (
        "UPDATE commits SET entries = substr(entries, 1, length(entries) - 1) WHERE start = 300",
        (),
        Finding(Damage.ENTRY, "300"),
    ),
    "commit_count": (
        "UPDATE commits SET count = 99 WHERE start = 300",
        (),
        Finding(Damage.ENTRY, "300"),
    ),
    "head_root": ("UPDATE log SET root = zeroblob(32)", (), Finding(Damage.HEAD, "head")),
    "head_frontier": ("UPDATE log SET frontier = x'00'", (), Finding(Damage.HEAD, "head")),
    "head_behind": (
        "UPDATE log SET size = 0, root = ?, frontier = zeroblob(8)",
        (bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),),
        Finding(Damage.HEAD, "behind its own tiles"),
    ),
    "checkpoint_root": (
        "UPDATE checkpoints SET root = zeroblob(32) WHERE size = 300",
        (),
        Finding(Damage.CHECKPOINT, "300"),
    ),
    "checkpoint_note": (
        "UPDATE checkpoints SET note = substr(note, 1, length(note) - 1) WHERE size = 300",
        (),
        Finding(Damage.CHECKPOINT, "300"),
    ),
    "checkpoint_from_the_future": (
        "UPDATE checkpoints SET size = 1000 WHERE size = 300",
        (),
        Finding(Damage.CHECKPOINT, "1000"),
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_in_the_record(folder: Path, name: str) -> None:
    statement, parameters, finding = DAMAGES[name]
    sql(folder, statement, *parameters)
    assert finding in check(folder).findings


def test_a_dropped_note_leaves_its_root_to_check(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(folder, "UPDATE checkpoints SET note = x'' WHERE size = 300")
    (found,) = check(folder).findings
    assert (found.damage, found.where) == (
        Damage.CHECKPOINT,
        "a note that is always kept is missing",
    )
    monkeypatch.setattr("registry.engine.fsck.KEPT_NOTES", 1)
    report = check(folder)
    assert report.sound
    assert report.checkpoints == 4
    sql(folder, "UPDATE checkpoints SET root = zeroblob(32) WHERE size = 300")
    assert [found.damage for found in check(folder).findings] == [Damage.CHECKPOINT]


def test_a_signed_checkpoint_of_another_tree(folder: Path) -> None:
    """The log's own key signed it: nothing but hashing all entries tells."""
    note = Checkpoint(ORIGIN, 250, b"\x07" * 32).sign(SIGNER)
    sql(folder, "INSERT INTO checkpoints VALUES (250, ?, 0, ?)", b"\x07" * 32, note)
    assert check(folder).findings == [Finding(Damage.CHECKPOINT, "250")]


def test_a_checkpoint_signed_by_a_stranger(folder: Path) -> None:
    root = Log.open_view(folder).root_at(250)
    stranger = NoteSigner.from_seed(ORIGIN, b"\x09" * 32)
    note = Checkpoint(ORIGIN, 250, root).sign(stranger)
    sql(folder, "INSERT INTO checkpoints VALUES (250, ?, 0, ?)", root, note)
    assert check(folder).findings == [Finding(Damage.CHECKPOINT, "250")]


def test_the_checkpoint_file(folder: Path) -> None:
    flip(folder / TILES / "checkpoint")
    assert [f.damage for f in check(folder).findings] == [Damage.CHECKPOINT]


def test_checkpoints_known_from_elsewhere(folder: Path) -> None:
    """A log that was replaced as a whole by a consistent other one."""
    view = Log.open_view(folder)
    good = [Checkpoint(ORIGIN, size, view.root_at(size)) for size in (1, 300, 333, SIZE)]
    assert check(folder, expected=good).sound
    for bad in (
        Checkpoint(ORIGIN, 333, bytes(32)),
        Checkpoint(ORIGIN, SIZE, bytes(32)),
        Checkpoint(ORIGIN, SIZE + 1, bytes(32)),
        Checkpoint("hangzhou.example/main", 300, view.root_at(300)),
    ):
        assert Damage.CHECKPOINT in {f.damage for f in check(folder, expected=[bad]).findings}


def test_a_damaged_database_file(folder: Path) -> None:
    path = folder / FILE
    data = bytearray(path.read_bytes())
    # Past the pages of the schema, and on all that follow: one of them is used.
    for page in range(6 * 4096, len(data), 4096):
        data[page : page + 8] = b"\xff" * 8
    path.write_bytes(data)
    assert Damage.DATABASE in {f.damage for f in check(folder).findings}


def test_findings_are_bounded(tmp_path: Path) -> None:
    report = Report(ORIGIN)
    for i in range(2 * MAX_FINDINGS):
        report.add(Damage.ENTRY, str(i))
    assert len(report.findings) == MAX_FINDINGS


def test_partial_tiles_of_earlier_sizes_are_checked_too(folder: Path) -> None:
    with Log.open(folder, signer=SIGNER) as log:
        log.add([b"one more"])
        log.tick()
    assert check(folder).sound
    older = [Tile(0, 2, SIZE - 512), bundle_of(2, SIZE - 512)]
    for tile in older:
        assert (folder / TILES / tile.path).exists()
        flip(folder / TILES / tile.path)
    (folder / TILES / Tile(0, 2, SIZE - 512).path).with_name("0108").write_bytes(b"stray")
    assert {finding.where for finding in check(folder).findings} == {
        *(tile.path for tile in older),
        "0108 (no such file belongs here)",
    }


INDEX_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a_row_missing": lambda page: page[37:],
    "a_row_moved": lambda page: page[:36] + bytes([page[36] ^ 1]) + page[37:],
    "two_rows_exchanged": lambda page: (
        page[:32] + page[69:74] + page[37:69] + page[32:37] + page[74:]
    ),
    "a_foreign_row": lambda page: bytes(32) + page[32:],
    "a_row_twice": lambda page: page[:37] + page,
}


@pytest.mark.parametrize("damage", INDEX_DAMAGES)
def test_damage_in_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.setattr("registry.storage.leafindex._RUN_LEAVES", 100)
    with _filled(tmp_path / "log") as log:
        log.tick()
    assert check(tmp_path / "log").findings == []
    store = SqliteStore(tmp_path / "log")
    assert store.indexed() >= 500
    assert store._writer is not None
    row, page = store._writer.execute("SELECT id, rows FROM run_pages LIMIT 1").fetchone()
    changed = INDEX_DAMAGES[damage](page)
    store._writer.execute("UPDATE run_pages SET rows = ? WHERE id = ?", (changed, row))
    store.close()
    assert check(tmp_path / "log").findings == [Finding(Damage.INDEX, "leaves")]


def _filled(place: Path) -> Log:
    Log.create(place, ORIGIN)
    log = Log.open(place, signer=SIGNER)
    for start in range(0, SIZE, 100):
        log.add([b"entry %d" % i for i in range(start, min(start + 100, SIZE))])
    return log
