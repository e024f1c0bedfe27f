"""The store: what it survives, who may use it at once, and what of a person can be read in it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from issuer.errors import (
    AuditChainBroken,
    NotInitialised,
    RecordSealBroken,
    StoreCorrupt,
    StoreFull,
    StoreLocked,
    StoreUnavailable,
)
from issuer.files import write_private
from issuer.journal import read, record
from issuer.office import Office
from issuer.schema import facts, journal
from issuer.sealing import Sealer
from issuer.settings import Settings
from issuer.store import STORE_FILE, Store

ROOT = Path(__file__).parents[2]


def test_a_commit_is_on_the_disk_and_an_error_leaves_nothing(office: Office) -> None:
    with office.store.write() as connection:
        connection.execute(insert(facts).values(name="kept", value="1"))
        mode = connection.execute(text("PRAGMA journal_mode")).scalar()
        full = connection.execute(text("PRAGMA synchronous")).scalar()
    assert (mode, full) == ("wal", 2)
    with pytest.raises(ZeroDivisionError), office.store.write() as connection:
        connection.execute(insert(facts).values(name="lost", value="1"))
        raise ZeroDivisionError
    with office.store.read() as connection:
        names = set(connection.execute(select(facts.c.name)).scalars())
    assert "kept" in names
    assert "lost" not in names


def test_the_files_are_private(office: Office) -> None:
    with office.store.write() as connection:
        connection.execute(insert(facts).values(name="x", value="1"))
    for file in office.home.glob(STORE_FILE + "*"):
        assert file.stat().st_mode & 0o077 == 0, file.name


def test_one_process_serves_and_commands_still_work(
    office: Office, open_office: Callable[..., Office]
) -> None:
    script = (
        "import sys; from pathlib import Path; from issuer.store import Store\n"
        "with Store(Path(sys.argv[1])).serving():\n"
        "    print('serving', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(office.home)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "serving\n"
        with pytest.raises(StoreLocked), office.store.serving():
            pass
        with office.store.write() as connection:
            connection.execute(insert(facts).values(name="beside", value="1"))
        other.kill()
    # The kernel drops the lock of a process that died.
    with office.store.serving():
        pass


def test_a_writer_that_does_not_finish_gives_store_locked(
    office: Office, open_office: Callable[..., Office]
) -> None:
    second = open_office()
    with (
        office.store.write(),
        pytest.raises(StoreLocked),
        second.store.write(),
    ):
        pass


def test_threads_take_their_turns(office: Office) -> None:
    store = Store(office.home, busy_seconds=30)

    def write(number: int) -> None:
        for turn in range(5):
            with store.write() as connection:
                connection.execute(insert(facts).values(name=f"t{number}.{turn}", value="1"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    with office.store.read() as connection:
        names = connection.execute(select(facts.c.name).where(facts.c.name.like("t%.%"))).all()
    assert len(names) == 120


def test_readers_see_one_snapshot_while_a_writer_works(office: Office) -> None:
    seen: list[int] = []
    with office.store.read() as reading:
        before = len(reading.execute(select(facts)).all())

        def write() -> None:
            with office.store.write() as connection:
                connection.execute(insert(facts).values(name="meanwhile", value="1"))

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        seen.append(len(reading.execute(select(facts)).all()))
    assert seen == [before]


def test_a_full_quota_is_store_full_and_loses_nothing(open_office: Callable[..., Office]) -> None:
    office = open_office()
    office.store.close()
    office = open_office(quota_bytes=office.home.joinpath(STORE_FILE).stat().st_size + 64 * 1024)
    kept = 0
    with pytest.raises(StoreFull):
        for number in range(1000):
            with office.store.write() as connection:
                connection.execute(insert(facts).values(name=f"row{number}", value="x" * 4000))
            kept += 1
    with office.store.read() as connection:
        rows = connection.execute(
            select(facts.c.name).where(facts.c.name.startswith("row"))
        ).scalars()
        assert len(list(rows)) == kept > 0
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_store_full_and_loses_nothing(
    tmp_path: Path, open_office: Callable[..., Office]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this machine does not let tests mount a small disk")
    try:
        office = open_office(disk / "home")
        kept = 0
        with pytest.raises(StoreFull):
            for number in range(1000):
                with office.store.write() as connection:
                    connection.execute(insert(facts).values(name=f"row{number}", value="x" * 9000))
                kept += 1
        with pytest.raises(StoreFull):
            write_private(office.home / "file", b"x" * 1024 * 1024)
        assert not (office.home / "file").exists()
        with office.store.read() as connection:
            rows = connection.execute(
                select(facts.c.name).where(facts.c.name.startswith("row"))
            ).scalars()
            assert len(list(rows)) == kept > 0
        office.store.close()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_damaged_store_is_named(open_office: Callable[..., Office]) -> None:
    office = open_office()
    office.store.close()
    path = office.home / STORE_FILE
    path.write_bytes(b"not a database at all" * 400)
    with pytest.raises(StoreCorrupt):
        Store(office.home)


def test_a_missing_store_or_issuer_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        Store(tmp_path)
    with pytest.raises(NotInitialised):
        Settings.load(tmp_path)


def test_a_newer_schema_is_refused(open_office: Callable[..., Office]) -> None:
    office = open_office()
    with office.store.write() as connection:
        connection.execute(facts.update().where(facts.c.name == "schema").values(value="99"))
    with pytest.raises(StoreCorrupt):
        Store(office.home)


def test_a_box_opens_in_its_own_row_only(office: Office) -> None:
    box = office.sealer.seal("applications", "a", "王小明".encode())
    assert office.sealer.open("applications", "a", box) == "王小明".encode()
    assert office.sealer.seal("applications", "a", b"x") != office.sealer.seal(
        "applications", "a", b"x"
    )
    other = Sealer(os.urandom(32), os.urandom)
    broken = bytes([*box[:-1], box[-1] ^ 1])
    for sealer, table, row, sealed in (
        (office.sealer, "applications", "b", box),
        (office.sealer, "credentials", "a", box),
        (other, "applications", "a", box),
        (office.sealer, "applications", "a", broken),
        (office.sealer, "applications", "a", box[:10]),
        (office.sealer, "applications", "a", b"\x02" + box[1:]),
    ):
        with pytest.raises(RecordSealBroken):
            sealer.open(table, row, sealed)


def test_tags_keep_uses_and_parts_apart(office: Office) -> None:
    tag = office.sealer.tag
    assert tag("use", "ab", "c") == tag("use", "ab", "c")
    assert len({tag("use", "ab", "c"), tag("use", "a", "bc"), tag("other", "ab", "c")}) == 3


def test_the_journal_is_a_chain(office: Office) -> None:
    with office.store.write() as connection:
        for number in range(4):
            record(
                connection,
                time=f"2026-11-22T09:00:0{number}Z",
                actor="clerk",
                action="revoke",
                target=f"record-{number}",
                reason="fraud",
            )
    with office.store.read() as connection:
        assert [entry.sequence for entry in read(connection)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "change",
    [
        journal.update().where(journal.c.sequence == 2).values(actor="nobody"),
        journal.update().where(journal.c.sequence == 2).values(reason=None),
        journal.delete().where(journal.c.sequence == 2),
        journal.update().where(journal.c.sequence == 2).values(previous=bytes(32)),
    ],
)
def test_an_edited_journal_is_noticed(office: Office, change: object) -> None:
    test_the_journal_is_a_chain(office)
    with office.store.write() as connection:
        connection.execute(change)  # type: ignore[call-overload]
    with pytest.raises(AuditChainBroken) as caught, office.store.read() as connection:
        list(read(connection))
    assert caught.value.params["sequence"] == 2
