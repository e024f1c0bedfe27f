"""Kills of a log's writer, at every step of the table and at random moments, and what they left.

What is held against a log: every acknowledged entry stands at its index with its bytes; of all
checkpoints that ever left it there is one root a size, each the root of the entries in the end;
the next writer goes on by itself; and in the end `fsck` finds nothing. A writer's death is real
(SIGKILL), and so is everything below it; a power cut is played by cutting what was not synced.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol, Self

from registry.engine.fsck import check_log, check_store
from registry.engine.log import TILES, Log
from registry.storage import Store
from registry.storage.sqlite import SqliteStore
from registry.storage.tilefiles import TileFiles
from registry.tlog.merkle import Frontier, leaf_hash
from tests.faults.points import KILL, LOG_KILLS, OF_SQLITE, POWER, Fault
from tests.faults.writer import ORIGIN, SIGNER

ROOT = Path(__file__).resolve().parents[2]
LIVES: Final = 24  # of one log; then it is examined, and the next one begins
PATIENCE_S: Final = 30.0
MOMENT: Final = "at a random moment"


def memory() -> Path | None:
    """A file system in memory, if there is one: what is not synced is lost by our own account, so
    nothing is gained by waiting for a disk."""
    folder = Path("/dev/shm")
    return folder if folder.is_dir() and shutil.disk_usage(folder).free > 1 << 28 else None


class Broken(AssertionError):
    """A promise was broken."""


@dataclass
class Tally:
    """What was done, and what was found."""

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    lost: int = 0
    checkpoints: int = 0
    logs: int = 0
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        self.kills += other.kills
        self.acknowledged += other.acknowledged
        self.lost += other.lost
        self.checkpoints += other.checkpoints
        self.logs += other.logs

    @property
    def total(self) -> int:
        return self.kills.total()

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{self.total} kills in {self.seconds:.0f} s on {self.logs} stores: "
            f"{self.acknowledged} acknowledged entries, {self.lost} lost; "
            f"{self.checkpoints} checkpoints, one root a size",
            *(f"{count:6d}  {step}" for step, count in sorted(self.kills.items())),
        ]


class Writer:
    """The process that forks writers."""

    def __init__(self, *, databases: bool = False) -> None:
        words = [sys.executable, "-m", "tests.faults.writer", *["databases"] * databases]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=ROOT
        )
        assert self._process.stdin and self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout
        self._buffer = b""

    def order(self, **order: object) -> None:
        self._in.write(json.dumps(order).encode() + b"\n")

    def line(self, seconds: float = PATIENCE_S) -> str | None:
        """The next line; None when nothing came in time."""
        end = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            wait = end - time.monotonic()
            if wait <= 0 or not select.select([self._out], [], [], wait)[0]:
                return None
            data = os.read(self._out.fileno(), 1 << 16)
            if not data:
                raise Broken("the writers' parent ended by itself")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def close(self) -> None:
        self._in.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class Known:
    """What a log has said to the outside, through all its lives."""

    acknowledged: list[tuple[int, int, str]] = field(default_factory=list)
    roots: dict[int, str] = field(default_factory=dict)
    last: str = ""

    def take(self, line: str) -> None:
        word, *rest = line.split(" ")
        if word == "ack":
            self.acknowledged.append((int(rest[0]), int(rest[1]), rest[2]))
        elif word == "sign":
            if self.roots.setdefault(int(rest[0]), rest[1]) != rest[1]:
                raise Broken(f"two roots for the size {rest[0]}")
        elif word == "trouble":
            raise Broken(f"a writer did not go on by itself: {line}")
        self.last = line

    def examine(self, store: Store) -> tuple[int, int]:
        """How many entries were acknowledged, and how many of them are lost."""
        size = store.head().size
        rows = [row for _, batch in store.entries(0, size) for row in batch]
        whole = lost = 0
        for index, count, first in self.acknowledged:
            stem = first.rpartition("-")[0]
            expected = [f"{stem}-{i}".encode() for i in range(count)]
            whole += count
            lost += sum(
                one != other
                for one, other in itertools.zip_longest(expected, rows[index : index + count])
            )
        frontier, sizes = Frontier(), 0
        for number in range(size + 1):
            if number in self.roots:
                sizes += 1
                if frontier.root().hex() != self.roots[number]:
                    raise Broken(f"the checkpoint of {number} entries is of another tree")
            if number < size:
                frontier.extend([leaf_hash(rows[number])])
        if sizes != len(self.roots):
            raise Broken("a checkpoint left that is larger than the log")
        return whole, lost


def _end(writer: Writer, known: Known, fault: Fault | None, struck: str = "") -> str:
    """Hear out one that was killed; of what it died, `struck` or else what it says itself.

    Once power is cut, its other threads may read what was just cut off, until it is dead.
    """
    while (line := writer.line()) is not None:
        if line.startswith("end "):
            if int(line[4:]) != signal.SIGKILL:
                raise Broken(f"a writer ended otherwise than by being killed: {line}")
            return struck or MOMENT
        if line.startswith("fault "):
            struck = line[6:]
        torn = struck and fault is not None and fault.kind == POWER
        if not (torn and line.startswith("trouble ")):
            known.take(line)
    raise Broken("a killed writer did not end")


def one_life(
    writer: Writer,
    known: Known,
    place: str,
    folder: Path,
    life: int,
    fault: Fault | None,
    rng: random.Random,
) -> str:
    """Start a writer, let it die, and return of what."""
    order = {"place": place, "folder": str(folder), "life": life, "seed": rng.random()}
    writer.order(**order, fault=fault.told() if fault else None, goal=0)
    start = writer.line()
    if start is None or not start.startswith("start "):
        raise Broken(f"no writer started: {start}")
    pid = int(start[6:])
    # Of the random moments, a part lies in the recovery itself.
    end = time.monotonic() + (
        4.0 if fault else rng.choice([rng.uniform(0, 0.02), rng.uniform(0.02, 0.2)])
    )
    while (wait := end - time.monotonic()) > 0:
        line = writer.line(wait)
        if line is None:
            break
        known.take(line)
        if line.startswith("fault "):
            return _end(writer, known, fault, line[6:])
    # Its fault may strike at this very moment, or have struck, and nobody has read of it yet.
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return _end(writer, known, fault)


def last_life(writer: Writer, known: Known, place: str, folder: Path, life: int) -> None:
    """Nobody kills this one: it must acknowledge and publish."""
    writer.order(place=place, folder=str(folder), life=life, seed=life, fault=None, goal=3)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        line = writer.line()
        if line is None:
            break
        known.take(line)
        if line.startswith("end "):
            if known.last != line or line != "end 0":
                raise Broken("the last writer did not end well")
            return
    raise Broken("the last writer did not go on")


def one_refusal(writer: Writer, folder: Path, fault: Fault) -> bool:
    """The system refuses one step of a writer, which goes on; whether it came to that step."""
    place = folder / "log"
    Log.create(place, ORIGIN)
    known, refused = Known(), False
    writer.order(
        place=str(place), folder=str(folder), life=0, seed=fault.seed, fault=fault.told(), goal=25
    )
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        line = writer.line() or ""
        known.take(line)
        refused = refused or line == f"refused {fault}"
        if line.startswith("end "):
            break
    if line != "end 0":
        raise Broken(f"a writer did not go on after: {fault}")
    report = check_log(place, log_key=SIGNER.key)
    if report.findings:
        raise Broken(f"fsck finds {report.findings[:3]} after: {fault}")
    store = SqliteStore(place, read_only=True)
    try:
        whole, lost = known.examine(store)
    finally:
        store.close()
    if lost or not whole:
        raise Broken(f"{lost} of {whole} acknowledged entries are lost after: {fault}")
    return refused


def one_log(
    writer: Writer, folder: Path, faults: Sequence[Fault | None], rng: random.Random
) -> Tally:
    """A log in SQLite and files that is killed once for each of `faults`, then examined."""
    place = folder / "log"
    Log.create(place, ORIGIN)
    tally, known = Tally(logs=1), Known()
    for life, fault in enumerate(faults):
        tally.kills[one_life(writer, known, str(place), folder, life, fault, rng)] += 1
    last_life(writer, known, str(place), folder, len(faults))
    report = check_log(place, log_key=SIGNER.key)
    if report.findings:
        raise Broken(f"fsck finds {report.findings[:3]}")
    store = SqliteStore(place, read_only=True)
    try:
        tally.acknowledged, tally.lost = known.examine(store)
    finally:
        store.close()
    tally.checkpoints = len(known.roots)
    return tally


def one_database(
    writer: Writer,
    server: Database,
    folder: Path,
    faults: Sequence[Fault | None],
    rng: random.Random,
) -> Tally:
    """The same with the record in PostgreSQL; at times it is the database that dies."""
    from registry.storage.database import Database as Connections
    from registry.storage.postgres import PostgresStore

    url = server.database()
    connections = Connections(url)
    tally, known = Tally(logs=1), Known()
    try:
        PostgresStore.create(connections, ORIGIN)
        for life, fault in enumerate(faults):
            if fault is not None or rng.random() < 0.2:
                how = one_life(writer, known, url, folder, life, fault, rng)
            else:
                how = server_dies(writer, known, server, url, folder, life, rng)
            tally.kills[f"PostgreSQL: {how}"] += 1
        last_life(writer, known, url, folder, len(faults))
        store = PostgresStore(connections, ORIGIN)
        try:
            report = check_store(store, TileFiles(folder / TILES), log_keys=[SIGNER.key])
            if report.findings:
                raise Broken(f"fsck finds {report.findings[:3]}")
            tally.acknowledged, tally.lost = known.examine(store)
        finally:
            store.close()
    finally:
        connections.close()
    tally.checkpoints = len(known.roots)
    return tally


def server_dies(
    writer: Writer,
    known: Known,
    server: Database,
    url: str,
    folder: Path,
    life: int,
    rng: random.Random,
) -> str:
    """The database is stopped at once under a writer; that very writer must go on afterwards."""
    writer.order(place=url, folder=str(folder), life=life, seed=rng.random(), fault=None, goal=0)
    start = writer.line() or ""

    def listen(seconds: float, until: int) -> bool:
        end = time.monotonic() + seconds
        while len(known.acknowledged) < until and (wait := end - time.monotonic()) > 0:
            line = writer.line(wait)
            if line is not None:
                known.take(line)
        return len(known.acknowledged) >= until

    if not listen(PATIENCE_S, len(known.acknowledged) + 1):
        raise Broken("a writer does not begin")
    listen(rng.uniform(0.0, 0.1), 1 << 60)
    how = rng.choice(["the server's processes, at once", "the connections"])
    if how == "the connections":
        server.end_sessions()
    else:
        server.crash()
    listen(0.05, 1 << 60)  # what was on its way
    if not listen(PATIENCE_S, len(known.acknowledged) + 3):
        raise Broken(f"a writer does not go on after the end of {how}")
    os.kill(int(start[6:]), signal.SIGKILL)
    _end(writer, known, None)
    return f"of {how}"


class Database(Protocol):
    """A PostgreSQL server that can be made to fail."""

    def database(self) -> str: ...

    def crash(self) -> None: ...

    def end_sessions(self) -> None: ...


def run_database(
    kills: int, server: Database, *, seed: int = 1, say: Callable[[str], None] = lambda _: None
) -> Tally:
    """Kill writers, and the database under them, so often; raises Broken."""
    begun, rng, whole = time.monotonic(), random.Random(seed), Tally()
    table = [row for row in LOG_KILLS if row.kind == KILL and row.step not in OF_SQLITE]
    faults = [None if n % 6 == 1 else row for n, row in enumerate(plan(kills, rng, table))]
    with Writer(databases=True) as writer:
        for at in range(0, len(faults), LIVES):
            with tempfile.TemporaryDirectory(prefix="zl-faults-", dir=memory()) as folder:
                part = faults[at : at + LIVES]
                whole.add(one_database(writer, server, Path(folder), part, rng))
            say(f"{whole.total} of {kills} kills")
    whole.seconds = time.monotonic() - begun
    return whole


def plan(kills: int, rng: random.Random, table: Sequence[Fault] = LOG_KILLS) -> list[Fault | None]:
    """`kills` deaths: every row of the table as often as the others, one in eight at random."""
    rows: list[Fault | None] = []
    while len(rows) < kills:
        for row in rng.sample(table, len(table)):
            rows.append(replace(row, nth=rng.choice([1, 1, 2, 3, 5, 8]), seed=rng.getrandbits(32)))
        rows += [None] * (len(table) // 7)
    rows = rows[:kills]
    rng.shuffle(rows)
    return rows


def run(
    kills: int,
    *,
    seed: int = 1,
    workers: int = 2,
    say: Callable[[str], None] = lambda _: None,
) -> Tally:
    """Kill writers of SQLite logs so often, in a pool; raises Broken."""
    begun, rng, whole = time.monotonic(), random.Random(seed), Tally()
    faults = plan(kills, rng)
    parts = [faults[at : at + LIVES] for at in range(0, len(faults), LIVES)]
    jobs = [(part, random.Random(rng.getrandbits(64))) for part in parts]
    local, lock, made = threading.local(), threading.Lock(), list[Writer]()
    with tempfile.TemporaryDirectory(prefix="zl-faults-", dir=memory()) as base:

        def job(number: int) -> Tally:
            if not hasattr(local, "writer"):
                local.writer = Writer()
                with lock:
                    made.append(local.writer)
            folder = Path(base) / str(number)
            folder.mkdir()
            done = one_log(local.writer, folder, *jobs[number])
            shutil.rmtree(folder)
            return done

        try:
            with ThreadPoolExecutor(workers) as pool:
                for done in pool.map(job, range(len(jobs))):
                    whole.add(done)
                    say(f"{whole.total} of {kills} kills")
        finally:
            for writer in made:
                writer.close()
    whole.seconds = time.monotonic() - begun
    return whole


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    found = run(number, seed=int(sys.argv[2]) if len(sys.argv) > 2 else 1, say=print)
    print("\n".join(found.lines()))
