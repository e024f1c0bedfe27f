"""Where a process can be made to fail: the table of steps, and the injector that fires in one.

Nothing in the product knows of it. In the process that is to fail, `Injector.install` puts itself
between the code and the system: below every SQLite statement, every write, sync and rename of a
file, and every request to a node. So the faults strike real transactions and real files.

A fault is one of
- KILL: SIGKILL, to this process by itself, between two steps;
- POWER: the same, and what was not yet synced is lost or torn: files are cut, new names undone,
  and of a commit only a part of its pages has reached the write-ahead log;
- ERROR: the system says no (disk full, I/O error) and the process goes on.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from registry.storage import tilefiles

KILL, POWER, ERROR = "kill", "power", "error"
BEFORE, DURING, AFTER = "before", "during", "after"

# file, first words of a statement -> step; a COMMIT belongs to the last step before it.
STATEMENTS: Final[tuple[tuple[str, str, str], ...]] = (
    ("log.sqlite", "UPDATE log SET size", "append: move the head"),
    ("log.sqlite", "INSERT INTO run_pages", "append: index the leaves"),
    ("log.sqlite", "UPDATE indexed", "append: index the leaves"),
    ("log.sqlite", "DELETE FROM run_pages", "append: index the leaves"),
    ("log.sqlite", "INSERT INTO commits", "append: record the entries"),
    ("log.sqlite", "UPDATE log SET integrated", "integrate: note the size"),
    ("log.sqlite", "INSERT INTO checkpoints", "publish: record the checkpoint"),
    ("node.sqlite", "INSERT INTO leaves", "mirror: index the leaves"),
    ("node.sqlite", "INSERT OR REPLACE INTO tiles", "mirror: record entries and tiles"),
    ("node.sqlite", "UPDATE chains SET size", "mirror: move the progress"),
    ("node.sqlite", "UPDATE cosigned", "cosign: move the record"),
    ("node.sqlite", "INSERT OR IGNORE INTO cosigned", "cosign: move the record"),
    ("node.sqlite", "INSERT INTO published", "mirror: record what is published"),
    ("catalogue.sqlite", "INSERT OR REPLACE INTO cursors", "catalogue: move the cursor"),
)
COMMITS: Final[dict[str, str]] = {
    "append: record the entries": "append: commit",
    "integrate: note the size": "integrate: commit",
    "publish: record the checkpoint": "publish: commit",
    "mirror: move the progress": "mirror: commit",
    "cosign: move the record": "cosign: commit",
    "mirror: record what is published": "mirror: commit what is published",
    "catalogue: move the cursor": "catalogue: commit",
}
_FILES: Final = (("checkpoint", "publish"), ("tiles", "integrate"))


@dataclass(frozen=True)
class Fault:
    """Strike at the `nth` time that `step` is reached."""

    step: str
    when: str
    kind: str
    nth: int = 1
    seed: int = 0

    def __str__(self) -> str:
        return f"{self.step} | {self.when} | {self.kind}"

    def told(self) -> dict[str, Any]:
        return asdict(self)


def _rows(kind: str, *steps: tuple[str, str]) -> tuple[Fault, ...]:
    return tuple(Fault(step, when, kind) for step, when in steps)


def _around(*steps: str) -> tuple[Fault, ...]:
    return tuple(Fault(step, when, KILL) for step in steps for when in (BEFORE, AFTER))


# Of the log: what is killed at each step of append, integrate and publish. BEFORE a commit nothing
# of it is persisted, AFTER it everything is though nobody was told, and POWER lies between.
LOG_KILLS: Final[tuple[Fault, ...]] = (
    *_around(
        "append: move the head",
        "append: index the leaves",
        "append: record the entries",
        "append: commit",
        "integrate: write a file",
        "integrate: sync a file",
        "integrate: name a file",
        "integrate: sync a folder",
        "integrate: drop partial tiles",
        "integrate: note the size",
        "integrate: commit",
        "publish: record the checkpoint",
        "publish: commit",
        "publish: write a file",
        "publish: sync a file",
        "publish: name a file",
        "publish: sync a folder",
    ),
    *_rows(
        POWER,
        ("append: commit", DURING),
        ("integrate: commit", DURING),
        ("publish: commit", DURING),
        ("integrate: write a file", DURING),
        ("integrate: sync a file", BEFORE),
        ("integrate: name a file", AFTER),
        ("integrate: sync a folder", BEFORE),
        ("publish: write a file", DURING),
        ("publish: sync a file", BEFORE),
        ("publish: name a file", AFTER),
        ("publish: sync a folder", BEFORE),
    ),
)
# Statements of SQLite: where the record is in PostgreSQL, only its commits can be told apart.
OF_SQLITE: Final = frozenset(step for _, _, step in STATEMENTS)
# Of a sequencer among its nodes.
SEQUENCER_KILLS: Final[tuple[Fault, ...]] = (
    *_around(
        "append: commit",
        "integrate: name a file",
        "integrate: commit",
        "publish: commit",
        "publish: name a file",
        "catalogue: commit",
        "cosign: ask a node",
    ),
    *_rows(
        POWER,
        ("append: commit", DURING),
        ("publish: commit", DURING),
        ("integrate: sync a folder", BEFORE),
        ("catalogue: commit", DURING),
    ),
)
# Of a node: before its cosignature is persisted, torn, persisted and never sent.
NODE_KILLS: Final[tuple[Fault, ...]] = (
    *_around(
        "mirror: index the leaves",
        "mirror: record entries and tiles",
        "mirror: move the progress",
        "cosign: move the record",
        "cosign: commit",
        "mirror: commit what is published",
        "catalogue: commit",
    ),
    *_rows(POWER, ("cosign: commit", DURING), ("catalogue: commit", DURING)),
)
# What the system refuses while the process goes on: (step, when). AFTER a commit: it was
# persisted, and the answer was an error all the same.
LOG_ERRORS: Final = _rows(
    ERROR,
    ("append: move the head", BEFORE),
    ("append: index the leaves", BEFORE),
    ("append: record the entries", BEFORE),
    ("append: commit", BEFORE),
    ("append: commit", AFTER),
    ("integrate: write a file", BEFORE),
    ("integrate: write a file", DURING),
    ("integrate: sync a file", BEFORE),
    ("integrate: name a file", BEFORE),
    ("integrate: name a file", AFTER),
    ("integrate: sync a folder", BEFORE),
    ("integrate: note the size", BEFORE),
    ("integrate: commit", BEFORE),
    ("integrate: commit", AFTER),
    ("publish: record the checkpoint", BEFORE),
    ("publish: commit", BEFORE),
    ("publish: commit", AFTER),
    ("publish: write a file", BEFORE),
    ("publish: write a file", DURING),
    ("publish: sync a file", BEFORE),
    ("publish: name a file", BEFORE),
    ("publish: name a file", AFTER),
    ("publish: sync a folder", BEFORE),
)
# The same among a sequencer and its nodes: whoever comes to that step first.
NETWORK_ERRORS: Final = _rows(
    ERROR,
    ("append: commit", BEFORE),
    ("append: commit", AFTER),
    ("integrate: write a file", BEFORE),
    ("integrate: commit", BEFORE),
    ("integrate: commit", AFTER),
    ("publish: commit", BEFORE),
    ("publish: commit", AFTER),
    ("publish: name a file", BEFORE),
    ("publish: name a file", AFTER),
    ("cosign: ask a node", BEFORE),
    ("cosign: ask a node", AFTER),
    ("mirror: index the leaves", BEFORE),
    ("mirror: record entries and tiles", BEFORE),
    ("mirror: move the progress", BEFORE),
    ("cosign: move the record", BEFORE),
    ("cosign: move the record", AFTER),
    ("cosign: commit", BEFORE),
    ("cosign: commit", AFTER),
    ("mirror: record what is published", BEFORE),
    ("mirror: commit what is published", BEFORE),
    ("mirror: commit what is published", AFTER),
    ("catalogue: move the cursor", BEFORE),
    ("catalogue: commit", BEFORE),
    ("catalogue: commit", AFTER),
)


def full() -> sqlite3.OperationalError:
    """What SQLite says when the disk is full."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
    return error


def die_with_parent() -> None:
    """Whoever forked this process may be killed itself: then nobody would end this one."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Injector:
    """Waits for one fault. `install` it once a process; `arm` it as often as wanted."""

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self._tell = tell
        self._lock = threading.RLock()
        self._fault: Fault | None = None
        self._announced: Fault | None = None
        self._left = 0
        self._rng = random.Random(0)
        self._dirty: set[Path] = set()
        self._named: list[tuple[Path, bytes | None]] = []

    def arm(self, fault: Fault | None) -> None:
        with self._lock:
            self._fault, self._left = fault, fault.nth if fault else 0
            self._announced = None
            self._rng = random.Random(fault.seed if fault else 0)
            self._dirty.clear()
            self._named.clear()

    @property
    def armed(self) -> bool:
        return self._fault is not None

    @property
    def _power(self) -> bool:
        return self._fault is not None and self._fault.kind == POWER

    def due(self, step: str, when: str) -> Fault | None:
        """The fault, if it strikes here."""
        if self._fault is None:
            return None
        with self._lock:
            fault = self._fault
            if fault is None or (fault.step, fault.when) != (step, when):
                return None
            self._left -= 1
            if self._left > 0:
                return None
            if fault.kind == ERROR:
                self._fault = None
                self._tell(f"refused {fault}")
            return fault

    def reach(self, step: str, when: str, error: Callable[[], Exception]) -> None:
        fault = self.due(step, when)
        if fault is not None:
            if fault.kind == ERROR:
                raise error()
            self.strike(fault)

    def strike(self, fault: Fault) -> None:
        """End this process here."""
        self.announce(fault)
        if fault.kind == POWER:
            self._lose()
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    def announce(self, fault: Fault) -> None:
        """Say so before anything is cut: other threads of this process may see it, and complain."""
        if fault is not self._announced:
            self._announced = fault
            self._tell(f"fault {fault}")

    # What a power cut takes

    def _lose(self) -> None:
        for path, before in reversed(self._named):
            if self._rng.random() < 0.5:
                path.unlink(missing_ok=True)
                if before is not None:
                    path.write_bytes(before)
        for path in self._dirty:
            if path.exists():
                os.truncate(path, self._rng.randint(0, path.stat().st_size))

    # The system, with faults

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Stand between this process and the system for a while."""
        from registry.witnessing.cosigning import HttpNode

        places = [
            (sqlite3, "connect"),
            *((os, name) for name in ("write", "replace", "fsync")),
            (tilefiles, "sync_file_system"),
            (shutil, "rmtree"),
            (HttpNode, "add_checkpoint"),
        ]
        before = [(place, name, getattr(place, name)) for place, name in places]
        self.install()
        try:
            yield
        finally:
            self.arm(None)
            for place, name, value in before:
                setattr(place, name, value)

    def install(self) -> None:
        """Stand between this process and the system, for good."""
        sqlite3.connect = partial(_connect, self)  # type: ignore[assignment]
        os.write, os.replace, os.fsync = self._write, self._replace, self._sync  # type: ignore[assignment]
        tilefiles.sync_file_system = self._sync_all
        rmtree = shutil.rmtree

        def drop(path: Any, *rest: Any, **options: Any) -> None:
            step = "integrate: drop partial tiles"
            self.reach(step, BEFORE, _eio)
            rmtree(path, *rest, **options)
            self.reach(step, AFTER, _eio)

        shutil.rmtree = drop  # type: ignore[assignment]
        from registry.errors import RegistryUnreachable
        from registry.witnessing.cosigning import HttpNode

        ask = HttpNode.add_checkpoint

        def unreachable() -> Exception:
            return RegistryUnreachable(reason="fault")

        def asked(link: HttpNode, body: bytes) -> tuple[int, bytes]:
            self.reach("cosign: ask a node", BEFORE, unreachable)
            answer = ask(link, body)
            self.reach("cosign: ask a node", AFTER, unreachable)
            return answer

        HttpNode.add_checkpoint = asked  # type: ignore[method-assign]

    def _write(self, handle: int, data: bytes) -> int:
        path = _path_of(handle) if self.armed else None
        place = _place(path) if path is not None else None
        if path is None or place is None:
            return _raw_write(handle, data)
        step = f"{place}: write a file"
        self.reach(step, BEFORE, _enospc)
        if self._power:
            self._dirty.add(path)
        fault = self.due(step, DURING)
        if fault is not None:
            _raw_write(handle, data[: self._rng.randint(0, len(data))])
            if fault.kind == ERROR:
                raise _enospc()
            self.strike(fault)
        written = _raw_write(handle, data)
        self.reach(step, AFTER, _enospc)
        return written

    def _replace(self, path: Any, target: Any) -> None:
        place = _place(Path(target)) if self.armed else None
        if place is None:
            _raw_replace(path, target)
            return
        step = f"{place}: name a file"
        self.reach(step, BEFORE, _eio)
        if self._power:
            named = Path(target)
            self._named.append((named, named.read_bytes() if named.exists() else None))
            if Path(path) in self._dirty:
                self._dirty.add(named)
        _raw_replace(path, target)
        self.reach(step, AFTER, _eio)

    def _sync(self, handle: int) -> None:
        path = _path_of(handle) if self.armed else None
        place = _place(path) if path is not None else None
        if path is None or place is None:
            _raw_sync(handle)
            return
        folder = path.is_dir()
        step = f"{place}: sync a {'folder' if folder else 'file'}"
        self.reach(step, BEFORE, _eio)
        _raw_sync(handle)
        if folder:
            self._named = [one for one in self._named if one[0].parent != path]
        else:
            self._dirty.discard(path)
        self.reach(step, AFTER, _eio)

    def _sync_all(self, folder: Path) -> bool:
        """Many files at once, with their file system."""
        if not self.armed:
            return _raw_sync_all(folder)
        self.reach("integrate: sync a file", BEFORE, _eio)
        done = _raw_sync_all(folder)
        if done:
            self._dirty.clear()
            self._named.clear()
        self.reach("integrate: sync a file", AFTER, _eio)
        return done


def _enospc() -> OSError:
    return OSError(28, "No space left on device")


def _eio() -> OSError:
    return OSError(5, "Input/output error")


def _path_of(handle: int) -> Path:
    return Path(f"/proc/self/fd/{handle}").readlink()


def _place(path: Path) -> str | None:
    """Whose step it is when something is done to this path of a log."""
    name = path.name.removeprefix(".").removesuffix(".new")  # of a process: checkpoint.PID
    if name.partition(".")[0] == "checkpoint":
        return "publish"
    if "tiles" in path.parts or "tile" in path.parts:
        # The folder of the checkpoint is synced for it alone; those of tiles lie below it.
        return "publish" if name == "tiles" else "integrate"
    return None


class _Connection(sqlite3.Connection):
    """A connection that tells the injector of each step before it, within it, and after it."""

    injector: Injector
    file: Path
    _step: str | None = None

    def _named(self, statement: str) -> str | None:
        if statement == "COMMIT":
            return COMMITS.get(self._step or "")
        if statement.startswith("BEGIN"):
            self._step = None
            return None
        for file, words, step in STATEMENTS:
            if file == self.file.name and statement.startswith(words):
                self._step = step
                return step
        return None

    def execute(self, statement: str, *rest: Any) -> sqlite3.Cursor:  # type: ignore[override]
        step = self._named(statement) if self.injector.armed else None
        if step is None:
            return super().execute(statement, *rest)
        self.injector.reach(step, BEFORE, full)
        fault = self.injector.due(step, DURING)
        if fault is not None:
            self._tear(fault)
        cursor = super().execute(statement, *rest)
        self.injector.reach(step, AFTER, full)
        return cursor

    def executemany(self, statement: str, rows: Any) -> sqlite3.Cursor:  # type: ignore[override]
        step = self._named(statement) if self.injector.armed else None
        if step is None:
            return super().executemany(statement, rows)
        self.injector.reach(step, BEFORE, full)
        cursor = super().executemany(statement, rows)
        self.injector.reach(step, AFTER, full)
        return cursor

    def _tear(self, fault: Fault) -> None:
        """Commit, and leave of what it added to the write-ahead log only the first part.

        The order of writes within a commit is given up too late to matter: sectors are kept up to
        a random one. Where the commit moved pages into the database, the log was synced before,
        and there is nothing to tear.
        """
        wal = self.file.with_name(f"{self.file.name}-wal")
        before = wal.read_bytes() if wal.exists() else b""
        moved = self.file.stat().st_mtime_ns
        super().execute("COMMIT")
        after = wal.read_bytes()
        if self.file.stat().st_mtime_ns == moved and after != before:
            first = next(
                (
                    at
                    for at, pair in enumerate(zip(before, after, strict=False))
                    if pair[0] != pair[1]
                ),
                min(len(before), len(after)),
            )
            cut = self.injector._rng.randint(first, len(after)) // 512 * 512
            torn = after[:cut] + before[cut:]
            self.injector.announce(fault)
            with wal.open("r+b") as file:
                file.write(torn)
                file.truncate(len(torn))
        self.injector.strike(fault)


_raw_connect = sqlite3.connect
_raw_write = os.write
_raw_replace = os.replace
_raw_sync = os.fsync
_raw_sync_all = tilefiles.sync_file_system


def _connect(injector: Injector, database: Any, *rest: Any, **options: Any) -> sqlite3.Connection:
    text = str(database).removeprefix("file://").partition("?")[0]
    made: Any = _raw_connect(database, *rest, factory=_Connection, **options)
    made.injector, made.file = injector, Path(text)
    return made  # type: ignore[no-any-return]
