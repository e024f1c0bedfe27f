"""The fault suite itself: what it is there to notice, it notices."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from registry.engine.log import Log
from registry.storage.sqlite import SqliteStore
from tests.faults import kills
from tests.faults.kills import Broken, Known
from tests.faults.points import LOG_ERRORS, LOG_KILLS, NODE_KILLS, SEQUENCER_KILLS
from tests.faults.writer import ORIGIN, SIGNER


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    Log.create(folder, ORIGIN)
    with Log.open(folder, signer=SIGNER) as log:
        log.add([b"0-0-0-0", b"0-0-0-1"])
        log.add([b"0-0-1-0"])
        log.tick()
    return folder


def known(place: Path) -> Known:
    found = Known()
    found.take("ack 0 2 0-0-0-0")
    found.take("ack 2 1 0-0-1-0")
    store = SqliteStore(place, read_only=True)
    found.take(f"sign 3 {store.head().root().hex()}")
    store.close()
    return found


def examine(found: Known, place: Path) -> tuple[int, int]:
    store = SqliteStore(place, read_only=True)
    try:
        return found.examine(store)
    finally:
        store.close()


def test_a_sound_log_passes(place: Path) -> None:
    assert examine(known(place), place) == (3, 0)


@pytest.mark.parametrize(
    ("line", "lost"),
    [("ack 3 1 0-0-2-0", 1), ("ack 0 2 0-1-0-0", 2), ("ack 2 2 0-0-1-0", 1)],
    ids=["it is not there", "others stand there", "its end is missing"],
)
def test_a_lost_entry_is_counted(place: Path, line: str, lost: int) -> None:
    found = known(place)
    found.take(line)
    assert examine(found, place)[1] == lost


def test_two_roots_for_one_size_are_noticed(place: Path) -> None:
    found = known(place)
    with pytest.raises(Broken, match="two roots"):
        found.take(f"sign 3 {'00' * 32}")
    found.take(f"sign 2 {'00' * 32}")
    with pytest.raises(Broken, match="another tree"):
        examine(found, place)


def test_a_checkpoint_beyond_the_log_is_noticed(place: Path) -> None:
    found = known(place)
    found.take(f"sign 9 {'00' * 32}")
    with pytest.raises(Broken, match="larger"):
        examine(found, place)


def test_a_writer_that_cannot_go_on_is_noticed(place: Path) -> None:
    with sqlite3.connect(place / "log.sqlite") as db:
        db.execute("UPDATE log SET root = zeroblob(32)")
    db.close()
    with kills.Writer() as writer, pytest.raises(Broken, match="go on"):
        kills.last_life(writer, Known(), str(place), place.parent, 1)


def test_the_tables_name_each_fault_once() -> None:
    for table in (LOG_KILLS, SEQUENCER_KILLS, NODE_KILLS, LOG_ERRORS):
        assert len(set(map(str, table))) == len(table)


def test_a_process_kills_itself_where_it_was_told_to(tmp_path: Path) -> None:
    """And leaves of a torn write only a part."""
    code = (
        "import os, sys; from tests.faults.points import *; "
        "i = Injector(); i.install(); "
        "i.arm(Fault('integrate: write a file', DURING, POWER, nth=2, seed=3)); "
        "from registry.storage.tilefiles import TileFiles; from registry.tlog.tiles import Tile; "
        "from pathlib import Path; files = TileFiles(Path(sys.argv[1]) / 'tiles'); "
        "files.write([(Tile(0, 0), bytes(8192)), (Tile(0, 1), bytes(8192))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=False,
        cwd=kills.ROOT,
        env={**os.environ, "PYTHONPATH": str(kills.ROOT)},
    )
    assert done.returncode == -9
    names = [path.name for path in (tmp_path / "tiles" / "tile" / "0").iterdir()]
    assert names
    assert all(name.startswith(".") for name in names)  # nothing has got its name
    sizes = [path.stat().st_size for path in (tmp_path / "tiles" / "tile" / "0").iterdir()]
    assert min(sizes) < 8192
