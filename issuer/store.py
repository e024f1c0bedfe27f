"""The issuer's store: SQLite in WAL mode, every commit on the disk before it is acknowledged.

Who may do what at the same time: one *server* holds the serving lock for as long as it lives, and
a second one gets `StoreLocked`. Short commands (revoke, list, …) do not take that lock: they use
short transactions beside the server, one writer at a time, waiting up to `BUSY_SECONDS`. The
server keeps nothing of the store in memory, so it sees their work at once.

A write either commits whole or leaves nothing. A full disk is `StoreFull`; what was committed
before stays. `quota_bytes` bounds the file in the same way.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.exc import DBAPIError

from issuer.errors import StoreCorrupt, StoreFull, StoreLocked, StoreUnavailable
from issuer.files import FULL_ERRNOS
from issuer.schema import SCHEMA_VERSION, facts, metadata
from schemas.errors import ZhenglianError

STORE_FILE: Final = "issuer.sqlite"
SERVING_LOCK: Final = "serving.lock"
BUSY_SECONDS: Final = 5.0
_PAGE_BYTES: Final = 4096
# Under this much free space an input/output error is taken for what it is: a full disk.
_NEARLY_FULL: Final = 64 * 1024


class Store:
    """Opens `<home>/issuer.sqlite`; `read()` and `write()` give one transaction each."""

    def __init__(
        self,
        home: Path,
        *,
        create: bool = False,
        quota_bytes: int | None = None,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self.home = home
        self._path = home / STORE_FILE
        self._quota_pages = None if quota_bytes is None else max(1, quota_bytes // _PAGE_BYTES)
        self._busy_seconds = busy_seconds
        self._writing = threading.Lock()
        if create:
            with self._translated():
                # The journal files inherit the mode of the database.
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        elif not self._path.is_file():
            raise StoreUnavailable
        self._engine = self._make_engine()
        try:
            self._prepare(create)
        except BaseException:
            self.close()
            raise

    def _prepare(self, create: bool) -> None:
        if create:
            with self.write() as connection:
                metadata.create_all(connection)
                connection.execute(insert(facts).values(name="schema", value=SCHEMA_VERSION))
            return
        with self.read() as connection:
            version = connection.execute(
                select(facts.c.value).where(facts.c.name == "schema")
            ).scalar()
        if version != SCHEMA_VERSION:
            raise StoreCorrupt(reason="its schema version is unknown")

    def _make_engine(self) -> Engine:
        engine = create_engine(
            f"sqlite:///{self._path}",
            connect_args={"timeout": self._busy_seconds, "check_same_thread": False},
            # As many as the threads that a server runs requests in.
            pool_size=8,
            max_overflow=64,
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _record: object) -> None:
            # The driver's own transaction control would begin late and not for reads.
            connection.isolation_level = None
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "secure_delete=ON",
                "trusted_schema=OFF",
            ):
                connection.execute(f"PRAGMA {pragma}")
            if self._quota_pages is not None:
                connection.execute(f"PRAGMA max_page_count={self._quota_pages}")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            # A write takes its place in the queue at once: no deadlock between two upgrades.
            immediate = connection.get_execution_options().get("zl_write", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

        return engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot."""
        with self._translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One writing transaction: commits when the block ends, leaves nothing when it raises."""
        # Threads queue here, in order; other processes at SQLite's lock, where one polls.
        if not self._writing.acquire(timeout=self._busy_seconds):
            raise StoreLocked
        try:
            with (
                self._translated(),
                self._engine.connect().execution_options(zl_write=True) as connection,
                connection.begin(),
            ):
                yield connection
        finally:
            self._writing.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._cause(error.orig) from error
        except OSError as error:
            if error.errno in FULL_ERRNOS:
                raise StoreFull from error
            raise StoreUnavailable from error

    def _cause(self, error: Any) -> ZhenglianError:
        name = str(getattr(error, "sqlite_errorname", ""))
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StoreLocked()
        if name == "SQLITE_FULL":
            return StoreFull()
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return StoreCorrupt(reason="the file is not a sound database")
        if name.startswith("SQLITE_IOERR") and self._disk_is_full():
            return StoreFull()
        if name.startswith("SQLITE_ERROR") and "no such table" in str(error):
            return StoreCorrupt(reason="a table is missing")
        return StoreUnavailable()

    def _disk_is_full(self) -> bool:
        return shutil.disk_usage(self.home).free < _NEARLY_FULL

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Hold the serving lock. Raises `StoreLocked` when another process serves this store.

        The kernel drops the lock when the process ends, however it ends; the file stays.
        """
        with self._translated():
            descriptor = os.open(self.home / SERVING_LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreLocked from error
            yield
        finally:
            os.close(descriptor)

    def close(self) -> None:
        self._engine.dispose()
