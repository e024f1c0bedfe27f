"""What is PostgreSQL's alone: leases, fences, broken connections, commits without an answer."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from registry.engine.log import Log, Sequenced
from registry.errors import (
    HeadMoved,
    LeaseHeld,
    LeaseLost,
    StoreBehind,
    StoreCorrupt,
    StoreMissing,
    StoreRefused,
    StoreUnreachable,
    StoreUnsafe,
    StoreVersion,
)
from registry.storage import Commit, LeafKnown, Store, database, size_of_note
from registry.storage.database import Database, PostgresLease
from registry.storage.places import Opened
from registry.storage.postgres import PostgresStore
from registry.storage.tilefiles import TileFiles
from registry.tlog.merkle import leaf_hash
from registry.tlog.note import NoteSigner
from registry.tlog.tiles import encode_bundle
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).parents[3]
ORIGIN = "postgres.example/log"
SIGNER = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)


@pytest.fixture
def url(postgres: Any) -> str:
    return str(postgres.database())


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    found = Database(url, address="http://first.example")
    PostgresStore.create(found, ORIGIN)
    yield found
    found.close()


@pytest.fixture
def rival(url: str, db: Database) -> Iterator[Database]:
    found = Database(url, address="http://second.example")
    yield found
    found.close()


@pytest.fixture
def store(db: Database) -> Iterator[PostgresStore]:
    found = PostgresStore(db, ORIGIN, lease=db.take(ORIGIN))
    yield found
    found.close()


def commit(store: Store, entries: list[bytes]) -> Commit:
    before = store.head()
    after = before.copy()
    leaves = [leaf_hash(entry) for entry in entries]
    after.extend(leaves)
    return Commit(before, after, encode_bundle(entries), leaves, 7)


def sql(url: str, statement: str, *values: object) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement, values)  # type: ignore[call-overload]


def expire(url: str) -> None:
    """As if the holder had been silent for long."""
    sql(url, "UPDATE zl_leases SET expires = CURRENT_TIMESTAMP - INTERVAL '1 second'")


def take_over(url: str, rival: Database) -> PostgresLease:
    """The rival takes the lease of a holder that was silent for long.

    The holder is not silent at all: it may renew its lease in between, and then keeps it.
    """

    def tried() -> PostgresLease | None:
        expire(url)
        with suppress(LeaseHeld):
            return rival.take(ORIGIN)
        return None

    return until(tried)  # type: ignore[return-value]


def opened(db: Database, folder: Path) -> Opened:
    lease = db.take(ORIGIN)
    return Opened(PostgresStore(db, ORIGIN, lease=lease), TileFiles(folder, shared=True), lease)


# --- leases ---


def test_one_holds_the_lease(db: Database, rival: Database) -> None:
    lease = db.take(ORIGIN)
    with pytest.raises(LeaseHeld) as held:
        rival.take(ORIGIN)
    assert held.value.params["address"] == "http://first.example"
    assert rival.holder_of(ORIGIN) == "http://first.example"
    lease.release()
    assert rival.holder_of(ORIGIN) is None
    assert rival.take(ORIGIN).epoch == lease.epoch + 1
    with pytest.raises(StoreMissing):
        db.take("postgres.example/other")


def test_a_lease_is_renewed_as_long_as_its_holder_lives(
    db: Database, rival: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LEASE_S", 2.0)
    monkeypatch.setattr(database, "_RENEW_S", 0.1)
    lease = db.take(ORIGIN)
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        with pytest.raises(LeaseHeld):
            rival.take(ORIGIN)
        time.sleep(0.05)
    assert not lease.lost


def test_who_lost_the_lease_writes_nothing_more(
    url: str, db: Database, rival: Database, store: PostgresStore
) -> None:
    store.append(commit(store, [b"a"]))
    late = commit(store, [b"late"])
    lease = take_over(url, rival)
    with pytest.raises(LeaseLost):
        store.append(late)
    for write in (
        lambda: store.set_integrated(1),
        lambda: store.publish(1, bytes(32), b"note", 1),
        lambda: store.append(late),
    ):
        with pytest.raises(LeaseLost):
            write()
    other = PostgresStore(rival, ORIGIN, lease=lease)
    assert other.head().size == 1
    assert other.published() is None
    other.append(commit(other, [b"b"]))
    assert store.head().size == 2
    other.close()


def test_a_lost_lease_is_noticed_without_a_write(
    url: str, db: Database, rival: Database, tmp_path: Path
) -> None:
    with Log.over(opened(db, tmp_path / "tiles"), signer=SIGNER) as log:
        log.add([b"a"])
        take_over(url, rival)
        until(lambda: log.stopped)
        with pytest.raises(LeaseLost):
            log.add([b"b"])


def test_a_transaction_left_open_by_a_paused_holder_does_not_block(
    url: str, db: Database, rival: Database, store: PostgresStore
) -> None:
    """Paused with its COPY begun: its rows and locks must not stand in the way."""
    store.append(commit(store, [b"a"]))
    paused = commit(store, [b"b"])
    begun, go_on = threading.Event(), threading.Event()
    outcome: list[BaseException] = []

    class Slow:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def write(self, rows: bytes) -> None:
            self._inner.write(rows[:40])
            begun.set()
            go_on.wait(PATIENCE_S)
            self._inner.write(rows[40:])

    record = store._record

    def slowly(write: Any, commit: Commit, rows: bytes) -> None:
        store._record = record  # type: ignore[method-assign]
        with write.cursor().copy("COPY zl_leaves FROM STDIN WITH (FORMAT BINARY)") as copy:
            Slow(copy).write(rows)
        record(write, commit, rows)

    def append() -> None:
        try:
            store._record = slowly  # type: ignore[method-assign]
            store.append(paused)
        except BaseException as error:  # noqa: BLE001 - looked at below
            outcome.append(error)

    thread = threading.Thread(target=append)
    thread.start()
    assert begun.wait(PATIENCE_S)
    other = PostgresStore(rival, ORIGIN, lease=take_over(url, rival))
    other.append(commit(other, [b"b", b"c"]))  # the same leaf as the paused one
    assert thread.is_alive()  # it is paused still, and did not hold this up
    go_on.set()
    thread.join(PATIENCE_S)
    [error] = outcome
    assert isinstance(error, LeaseLost | StoreUnreachable | LeafKnown | HeadMoved), str(error)
    assert list(other.entries(0, 3)) == [(0, [b"a"]), (1, [b"b", b"c"])]
    other.close()


PAUSED_PUBLISHER = """
import fcntl, os, signal, sys
from pathlib import Path
from registry.engine.log import Log
from registry.storage.database import Database
from registry.storage.places import Opened
from registry.storage.postgres import PostgresStore
from registry.storage.tilefiles import TileFiles
from registry.tlog.note import NoteSigner

url, origin, folder = sys.argv[1:]
fcntl.flock = lambda *_: None  # so is a network file system that ignores locks
rename = os.replace
def pause(old, new):
    if new.endswith("/checkpoint"):
        os.replace = rename
        os.kill(os.getpid(), signal.SIGSTOP)
    rename(old, new)
db = Database(url)
lease = db.take(origin)
store = PostgresStore(db, origin, lease=lease)
opened = Opened(store, TileFiles(Path(folder), shared=True), lease)
with Log.over(opened, signer=NoteSigner.from_seed(origin, bytes([1] * 32))) as log:
    log.add([b"one"])
    os.replace = pause
    log.tick()
    print("went on", flush=True)
    sys.stdin.read()
db.close()
"""


def test_who_was_paused_puts_right_what_no_lock_kept_it_from(
    url: str, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands right before the renaming, and its successor publishes; then it renames."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    paused = subprocess.Popen(
        [sys.executable, "-c", PAUSED_PUBLISHER, url, ORIGIN, tmp_path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert paused.stdin is not None
        assert paused.stdout is not None
        state = Path(f"/proc/{paused.pid}/stat")
        until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")
        expire(url)
        tiles = TileFiles(tmp_path, shared=True)
        with Log.over(opened(db, tmp_path), signer=SIGNER) as successor:
            successor.add([b"two"])
            newest = successor.tick()
            assert size_of_note(newest) == 2
            assert tiles.read_checkpoint() == newest
            paused.send_signal(signal.SIGCONT)
            assert paused.stdout.readline() == b"went on\n"
            assert tiles.read_checkpoint() == newest
        paused.stdin.close()
        assert paused.wait(30) == 0
    finally:
        paused.kill()
        paused.wait()


# --- connections that break ---


def drop_sessions(url: str, db: Database) -> None:
    sql(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
        db.holder,
    )


def test_broken_connections_are_made_anew(url: str, db: Database, store: PostgresStore) -> None:
    store.append(commit(store, [b"a"]))
    drop_sessions(url, db)
    assert store.head().size == 1
    drop_sessions(url, db)
    store.append(commit(store, [b"b"]))  # it broke before COMMIT: nothing was written yet
    assert store.head().size == 2


class _Cut:
    """A writer whose connection dies around COMMIT, before or after it took effect."""

    def __init__(self, inner: Any, after: bool) -> None:
        self._inner = inner
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def execute(self, statement: str, *more: Any, **options: Any) -> Any:
        if statement == "COMMIT":
            if self._after:
                self._inner.execute("COMMIT")
            self._inner.close()
            raise psycopg.OperationalError("the connection is lost")
        return self._inner.execute(statement, *more, **options)


@pytest.mark.parametrize("after", [True, False])
def test_a_commit_without_an_answer_is_told_once(
    db: Database, store: PostgresStore, tmp_path: Path, after: bool
) -> None:
    log = Log(store, TileFiles(tmp_path / "tiles"), signer=SIGNER)
    log.add([b"a"])
    store._writer = _Cut(store._writer, after)  # type: ignore[assignment]
    assert log.add([b"b", b"c"]) == Sequenced((1, 2), False)
    assert log.add([b"b", b"c"]) == Sequenced((1, 2), True)
    assert log.add([b"d"]) == Sequenced((3,), False)
    assert store.head().size == 4
    log.tick()
    assert log.view.entries(0, 4) == [b"a", b"b", b"c", b"d"]
    log.close()


@pytest.mark.parametrize("after", [True, False])
def test_a_commit_without_an_answer_and_then_no_database(
    db: Database,
    store: PostgresStore,
    tmp_path: Path,
    after: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The submitter gets no answer, tries again when it is back, and finds it there once."""
    log = Log(store, TileFiles(tmp_path / "tiles"), signer=SIGNER)
    log.add([b"a"])
    connect = db.connect
    away = threading.Event()
    away.set()

    def maybe() -> Any:
        if away.is_set():
            raise StoreUnreachable(store=db.name, reason="no connection")
        return connect()

    monkeypatch.setattr(db, "connect", maybe)
    monkeypatch.setattr("registry.storage.postgres._RESOLVE_S", 0.3)
    db.forget_idle()
    store._writer = _Cut(store._writer, after)  # type: ignore[assignment]
    for _ in range(2):
        with pytest.raises(StoreUnreachable):
            log.add([b"b"])
        assert not log.stopped
    away.clear()
    assert log.add([b"b"]) == Sequenced((1,), after)
    assert log.add([b"c"]) == Sequenced((2,), False)
    assert store.head().size == 3
    log.close()


def test_a_commit_that_the_standby_has_not_confirmed_is_asked_for_again(
    store: PostgresStore,
) -> None:
    """PostgreSQL answers COMMIT with a warning when it stopped waiting for its standby."""
    store.append(commit(store, [b"a"]))
    writer = store._writer
    assert writer is not None
    asked: list[str] = []
    execute = writer.execute

    def warned(statement: str, *more: Any, **options: Any) -> Any:
        asked.append(statement.split(maxsplit=1)[0])
        answer = execute(statement, *more, **options)  # type: ignore[call-overload]
        if statement == "COMMIT" and asked.count("COMMIT") == 1:
            store._warned = True
        return answer

    writer.execute = warned  # type: ignore[method-assign]
    store.append(commit(store, [b"b"]))
    assert asked.count("COMMIT") == 2
    assert store.head().size == 2


def test_a_database_that_forgot_is_refused(
    url: str, db: Database, store: PostgresStore, tmp_path: Path
) -> None:
    """An older backup, or a standby that was promoted without the last commits."""
    files = TileFiles(tmp_path / "tiles")
    log = Log(store, files, signer=SIGNER)
    log.add([b"a"])
    head = store.head()
    log.add([b"b"])
    log.tick()
    sql(
        url,
        "UPDATE zl_logs SET size = 1, root = %s, frontier = %s, integrated = 1",
        head.root(),
        head.to_bytes(),
    )
    sql(url, "DELETE FROM zl_commits WHERE start = 1")
    sql(url, "DELETE FROM zl_leaves WHERE hash = %s", leaf_hash(b"b"))
    with pytest.raises(HeadMoved):
        log.add([b"c"])
    log.close()
    with pytest.raises(StoreBehind):
        Log(store, files, signer=SIGNER)
    sql(url, "DELETE FROM zl_commits")
    with pytest.raises((StoreBehind, StoreCorrupt)):
        Log(store, files, signer=SIGNER)


# --- what a database may be ---


def test_names_of_what_is_wrong(postgres: Any, url: str) -> None:
    dead = Database("postgresql://postgres@127.0.0.1:9/postgres")
    with pytest.raises(StoreUnreachable):
        dead.connect()
    nobody = Database(url.replace("postgres@", "nobody@"))
    with pytest.raises((StoreRefused, StoreUnreachable)):
        nobody.connect()
    nowhere = Database(postgres.url().replace("/postgres?", "/nowhere?"))
    with pytest.raises(StoreMissing):
        nowhere.connect()
    empty = Database(url)
    with pytest.raises(StoreMissing):
        PostgresStore(empty, ORIGIN)
    for each in (dead, nobody, nowhere, empty):
        each.close()


def test_another_format_is_refused(url: str, db: Database) -> None:
    sql(url, "UPDATE zl_format SET version = 99")
    with pytest.raises(StoreVersion):
        PostgresStore(db, ORIGIN)
    with pytest.raises(StoreVersion):
        PostgresStore.create(db, "postgres.example/other")


def test_the_schema_is_made_by_many_at_once(postgres: Any) -> None:
    url = postgres.database()
    failures: list[BaseException] = []

    def create(number: int) -> None:
        db = Database(url)
        try:
            PostgresStore.create(db, f"postgres.example/{number}")
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)
        finally:
            db.close()

    threads = [threading.Thread(target=create, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []


def refused(lax: Database) -> bool:
    """Whether a server is called unsafe; it takes a moment until it has read its settings."""
    try:
        lax.connect().close()
    except StoreUnsafe:
        return True
    return False


def test_a_session_that_forgets_is_set_right_or_refused(postgres: Any, url: str) -> None:
    lax = Database(url + "%20-csynchronous_commit%3Doff")
    connection = lax.connect()
    assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
    connection.close()
    postgres.run("ALTER SYSTEM SET full_page_writes = off")
    try:
        postgres.run("SELECT pg_reload_conf()")
        until(lambda: refused(lax))
    finally:
        postgres.run("ALTER SYSTEM RESET full_page_writes")
        postgres.run("SELECT pg_reload_conf()")
        until(lambda: not refused(lax))  # other tests come to this server
        lax.close()
