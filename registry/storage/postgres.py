"""The durable record of a log in PostgreSQL.

Guarantees that a commit is in the database, with its entries, the new head and the index of its
leaves, before `append` returns, in one transaction; that the head moves only from where the caller
saw it, and only for the process that holds the lease; and that an append whose connection died in
COMMIT is neither lost nor told twice: the head is read back, by a transaction that writes, so its
own confirmation vouches for everything before it (on the standby, too, where there is one).

What the database confirms is as durable as its settings: see `registry.storage.database`, and
docs/operations.md on replication. Whoever may write the tables can forge the record; `fsck` finds
that by hashing everything again.
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import errors

from registry.errors import (
    HeadMoved,
    LeaseLost,
    StoreCorrupt,
    StoreExists,
    StoreFailed,
    StoreMissing,
    StoreUnreachable,
)
from registry.storage import Block, Commit, LeafKnown
from registry.storage.commits import entries_between
from registry.storage.database import Connection, Database, OutcomeUnknown, PostgresLease
from registry.storage.thinning import Execute, Thinning
from registry.tlog.merkle import EMPTY_ROOT, Frontier

_RESOLVE_S: Final = 20.0  # a failover takes about as long
_PAUSE_S: Final = 0.25
_TRIES: Final = 5  # of a transaction that the database asks to repeat
_READ_COMMITS: Final = 16  # of up to 16 MiB, and mostly of some 100 KiB, at a time

_COPY: Final = "COPY zl_leaves (log, hash, position) FROM STDIN WITH (FORMAT BINARY)"
_COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_COPY_TAIL: Final = b"\xff\xff"
_REPEAT: Final = (errors.SerializationFailure, errors.DeadlockDetected)


def leaf_rows(log: int, leaves: Sequence[bytes], first: int) -> bytes:
    """Rows of `zl_leaves` in PostgreSQL's binary COPY format, sorted by hash."""
    before = struct.pack("!hiii", 3, 4, log, 32)
    after = struct.Struct("!iq").pack
    # In the order of the index: neighbours lie on one page of it.
    rows = sorted(zip(leaves, range(first, first + len(leaves)), strict=True))
    body = b"".join([before + leaf + after(8, position) for leaf, position in rows])
    return b"".join((_COPY_HEAD, body, _COPY_TAIL))


class PostgresStore:
    """A `Store`. Writes with the lease only; any number of processes may read."""

    def __init__(
        self, database: Database, origin: str, *, lease: PostgresLease | None = None
    ) -> None:
        """Open; raises `StoreMissing`, `StoreVersion`, `StoreUnreachable` and others."""
        self.origin: Final = origin
        self.name: Final = f"{origin} in {database.name}"
        self._database = database
        self._lease = lease
        self._writer: Connection | None = None
        self._write_lock = threading.Lock()
        self._warned = False
        database.check_schema()
        rows = database.query("SELECT id FROM zl_logs WHERE origin = %s", (origin,))
        if not rows:
            raise StoreMissing(store=self.name)
        self._log = int(rows[0][0])
        self._thinning = Thinning("zl_checkpoints", "%s", self._log)

    @classmethod
    def create(cls, database: Database, origin: str) -> None:
        """Make an empty log, and the tables if need be; raises `StoreExists`."""
        database.create_schema()
        for _ in range(_TRIES):
            if database.query("SELECT 1 FROM zl_logs WHERE origin = %s", (origin,)):
                raise StoreExists(store=f"{origin} in {database.name}")
            connection = database.connect()
            try:
                with database.named(), connection.transaction():
                    connection.execute(
                        "INSERT INTO zl_logs SELECT %s, COALESCE(MAX(id), 0) + 1, 0, %s, %s, 0, 0 "
                        "FROM zl_logs",
                        (origin, EMPTY_ROOT, Frontier().to_bytes()),
                    )
                    connection.execute(
                        "INSERT INTO zl_leases VALUES (%s, '', '', 0, CURRENT_TIMESTAMP)",
                        (origin,),
                    )
                return
            except StoreFailed as error:
                if not isinstance(error.__cause__, (errors.UniqueViolation, *_REPEAT)):
                    raise
            finally:
                connection.close()
        raise StoreFailed(store=database.name, reason="others create logs all the time")

    # --- the head and its commits ---

    def head(self) -> Frontier:
        size, root, data = self._row("size, root, frontier")
        frontier = Frontier.from_bytes(data)
        if frontier.size != size or frontier.root() != root:
            raise StoreCorrupt(store=self.name, reason="its head does not hash to its root")
        return frontier

    def append(self, commit: Commit) -> None:
        rows = leaf_rows(self._log, commit.leaves, commit.before.size)
        with self._write_lock:
            deadline = time.monotonic() + _RESOLVE_S
            tries = _TRIES
            while True:
                tries -= 1
                try:
                    with self._transaction() as write:
                        self._record(write, commit, rows)
                    return
                except OutcomeUnknown:
                    if self._landed(commit, deadline):
                        return
                except StoreUnreachable:
                    # Nothing was written. Perhaps the connection broke while nobody looked.
                    if tries < _TRIES - 1:
                        raise
                except StoreFailed as error:
                    if not isinstance(error.__cause__, _REPEAT) or not tries:
                        raise

    def _record(self, write: Connection, commit: Commit, rows: bytes) -> None:
        first, after = commit.before.size, commit.after
        root = after.root()
        try:
            with write.cursor().copy(_COPY) as copy:
                copy.write(rows)
        except errors.UniqueViolation as error:
            self._check_head(write, commit.before)
            raise LeafKnown from error
        try:
            write.execute(
                "INSERT INTO zl_commits VALUES (%s, %s, %s, %s, %s, %b)",
                (self._log, first, after.size - first, root, commit.time, commit.bundle),
            )
        except errors.UniqueViolation as error:
            raise HeadMoved(origin=self.origin) from error
        # The compare-and-swap comes last: it locks the head, and a process that is paused before
        # this line blocks nobody. No signature is made over a root that did not pass here.
        moved = write.execute(
            "UPDATE zl_logs SET size = %s, root = %s, frontier = %s "
            "WHERE id = %s AND size = %s AND root = %s AND epoch = %s",
            (
                *(after.size, root, after.to_bytes()),
                *(self._log, first, commit.before.root(), self._epoch()),
            ),
        )
        if moved.rowcount != 1:
            self._check_lease(write)
            raise HeadMoved(origin=self.origin)

    def _check_head(self, write: Connection, before: Frontier) -> None:
        """A leaf may be known because somebody else wrote it: then it is the lease that is gone."""
        write.execute("ROLLBACK")
        row = write.execute(
            "SELECT size, epoch FROM zl_logs WHERE id = %s", (self._log,)
        ).fetchone()
        if row is None or row[1] != self._epoch():
            raise self._lost()
        if row[0] != before.size:
            raise HeadMoved(origin=self.origin)

    def _landed(self, commit: Commit, deadline: float) -> bool:
        """Whether `commit` is in the database, after a COMMIT without an answer.

        The update waits for a transaction that still holds the head, and its own COMMIT is
        confirmed only when everything before it is as safe as a commit can be.
        """
        while True:
            try:
                with self._transaction() as write:
                    head = write.execute(
                        "UPDATE zl_logs SET epoch = epoch WHERE id = %s RETURNING epoch",
                        (self._log,),
                    ).fetchone()
                    row = write.execute(
                        "SELECT count, root FROM zl_commits WHERE log = %s AND start = %s",
                        (self._log, commit.before.size),
                    ).fetchone()
                if row == (commit.after.size - commit.before.size, commit.after.root()):
                    return True
                if head is None or head[0] != self._epoch():
                    raise self._lost()
                return False
            except OutcomeUnknown:
                pass
            except StoreUnreachable:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise StoreUnreachable(store=self.name, reason="it did not confirm a commit")
            time.sleep(_PAUSE_S)

    def find(self, leaves: Sequence[bytes]) -> dict[bytes, int]:
        rows = self._database.query(
            "SELECT hash, position FROM zl_leaves WHERE log = %s AND hash = ANY(%s)",
            (self._log, list(leaves)),
        )
        return dict(rows)

    def blocks(self, start: int = 0, limit: int = 100) -> list[Block]:
        rows = self._database.query(
            "SELECT start, count, root, time FROM zl_commits WHERE log = %s AND start >= "
            "COALESCE((SELECT MAX(start) FROM zl_commits WHERE log = %s AND start <= %s), 0) "
            "ORDER BY start LIMIT %s",
            (self._log, self._log, start, limit),
        )
        return [block for row in rows if (block := Block(*row)).end > start]

    def root_at(self, size: int) -> bytes | None:
        if size == 0:
            return EMPTY_ROOT
        rows = self._database.query(
            "SELECT start + count, root FROM zl_commits WHERE log = %s AND start < %s "
            "ORDER BY start DESC LIMIT 1",
            (self._log, size),
        )
        return rows[0][1] if rows and rows[0][0] == size else None

    def entries(self, start: int, end: int) -> Iterator[tuple[int, list[bytes]]]:
        position = start
        while position < end:
            rows = self._database.query(
                "SELECT start, count, entries FROM zl_commits WHERE log = %s AND start < %s AND "
                "start >= COALESCE((SELECT MAX(start) FROM zl_commits WHERE log = %s AND "
                "start <= %s), 0) ORDER BY start LIMIT %s",
                (self._log, end, self._log, position, _READ_COMMITS),
            )
            for row in rows or (None,):
                wanted = entries_between(row, position, end, store=self.name)
                yield position, wanted
                position += len(wanted)

    # --- what was made of them ---

    def integrated(self) -> int:
        return int(self._row("integrated")[0])

    def set_integrated(self, size: int) -> None:
        self._write("UPDATE zl_logs SET integrated = %s WHERE id = %s", (size, self._log))

    def published(self) -> bytes | None:
        rows = self._database.query(
            "SELECT note FROM zl_checkpoints WHERE log = %s ORDER BY size DESC LIMIT 1",
            (self._log,),
        )
        return rows[0][0] if rows else None

    def published_at(self, size: int) -> bytes | None:
        rows = self._database.query(
            "SELECT note FROM zl_checkpoints WHERE log = %s AND size = %s", (self._log, size)
        )
        return (rows[0][0] or None) if rows else None

    def publish(self, size: int, root: bytes, note: bytes, time: int) -> None:
        self._write(
            "INSERT INTO zl_checkpoints VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (log, size) DO UPDATE SET note = excluded.note, time = excluded.time "
            "WHERE zl_checkpoints.root = excluded.root",
            (self._log, size, root, time, note),
            self._thinning.after_publishing,
        )

    # --- for fsck ---

    def checkpoints(self) -> Iterator[tuple[int, bytes, bytes]]:
        last = -1
        while rows := self._database.query(
            "SELECT size, root, note FROM zl_checkpoints WHERE log = %s AND size > %s "
            "ORDER BY size LIMIT 256",
            (self._log, last),
        ):
            yield from rows
            last = rows[-1][0]

    def indexed(self) -> int:
        return self.head().size

    def index(self, page: int = 4096) -> Iterator[list[tuple[bytes, int]]]:
        last = b""
        while rows := self._database.query(
            "SELECT hash, position FROM zl_leaves WHERE log = %s AND hash > %s "
            "ORDER BY hash LIMIT %s",
            (self._log, last, page),
        ):
            yield rows
            last = rows[-1][0]

    def damage(self) -> str | None:
        """What the database says when it reads every row; its pages have checksums or not."""
        try:
            self._database.query(
                "SELECT (SELECT COUNT(*) FROM zl_leaves WHERE log = %s), "
                "(SELECT COUNT(*) FROM zl_commits WHERE log = %s AND LENGTH(entries) < 0)",
                (self._log, self._log),
            )
        except StoreFailed as error:
            return str(error.params["reason"])
        return None

    def close(self) -> None:
        with self._write_lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    # --- transactions ---

    def _row(self, columns: str) -> tuple[Any, ...]:
        rows = self._database.query(
            f"SELECT {columns} FROM zl_logs WHERE id = %s",  # noqa: S608 - written in this file
            (self._log,),
        )
        if len(rows) != 1:
            raise StoreCorrupt(store=self.name, reason="it has no head")
        return rows[0]

    def _epoch(self) -> int:
        if self._lease is None:
            raise StoreFailed(store=self.name, reason="it was opened for reading only")
        if self._lease.lost:
            raise LeaseLost(origin=self.origin)
        return self._lease.epoch

    def _lost(self) -> LeaseLost:
        if self._lease is not None:
            self._lease.mark_lost()
        return LeaseLost(origin=self.origin)

    def _check_lease(self, write: Connection) -> None:
        row = write.execute("SELECT epoch FROM zl_logs WHERE id = %s", (self._log,)).fetchone()
        if row is None or row[0] != self._epoch():
            raise self._lost()

    def _write(
        self,
        statement: str,
        parameters: tuple[Any, ...],
        then: Callable[[Execute], None] = lambda _: None,
    ) -> None:
        """One statement behind the fence; without an answer, the caller tries again later."""
        with self._write_lock:
            try:
                with self._transaction() as write:
                    fence = write.execute(
                        "UPDATE zl_logs SET epoch = epoch WHERE id = %s AND epoch = %s",
                        (self._log, self._epoch()),
                    )
                    if fence.rowcount != 1:
                        raise self._lost()
                    write.execute(statement, parameters)
                    then(write.execute)
            except OutcomeUnknown as error:
                raise StoreUnreachable(store=self.name, reason="it did not confirm") from error

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction of the writer, which the caller has locked.

        Raises `OutcomeUnknown` when COMMIT was sent and not clearly confirmed; with any other
        error nothing was written.
        """
        self._epoch()
        writer = self._writer
        if writer is None or writer.closed:
            writer = self._writer = self._database.connect()
            writer.add_notice_handler(self._heed)
        try:
            with self._database.named():
                writer.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                yield writer
        except BaseException:
            self._drop(writer)
            raise
        self._warned = False
        try:
            done = writer.execute("COMMIT").statusmessage == "COMMIT"
        except psycopg.Error as error:
            self._drop(writer)
            if isinstance(error, _REPEAT):
                raise self._database.failure(error) from error
            raise OutcomeUnknown from error
        # PostgreSQL says so when it stopped waiting for the standby: it is not safe yet.
        if self._warned or not done:
            self._drop(writer)
            raise OutcomeUnknown

    def _heed(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            self._warned = True

    def _drop(self, writer: Connection) -> None:
        """Roll back; where that fails, the connection goes, and with it the transaction."""
        try:
            if writer.closed or writer.broken:
                raise psycopg.OperationalError
            writer.execute("ROLLBACK")
        except psycopg.Error:
            writer.close()
            self._writer = None
