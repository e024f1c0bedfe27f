"""A SQLite file as the registry uses it: opened alike, one user at a time, its errors as ours."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from registry.errors import StoreCorrupt, StoreFailed, StoreFull, StoreLocked
from schemas.errors import Phrase

_NO_ROOM_BYTES: Final = 1024 * 1024
_LOCK_WAIT_S: Final = 2.0


@contextmanager
def named_errors(name: str, folder: Path | None) -> Iterator[None]:
    """Errors of SQLite and the system as `StoreFull`, `StoreLocked`, `StoreCorrupt`, `StoreFailed`.

    `name` is the store's in them; `folder`: where its file lies, None for one in memory.
    """
    try:
        yield
    except sqlite3.Error as error:
        kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        said = getattr(error, "sqlite_errorname", type(error).__name__)
        if kind == sqlite3.SQLITE_FULL:
            raise StoreFull(store=name) from error
        if kind in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN} and _no_room(folder):
            raise StoreFull(store=name) from error
        if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise StoreLocked(store=name) from error
        if kind in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise StoreCorrupt(
                store=name, reason=Phrase("SQLite says {said}", said=said)
            ) from error
        raise StoreFailed(store=name, reason=Phrase("SQLite says {said}", said=said)) from error
    except OSError as error:
        raise StoreFailed(store=name, reason=os.strerror(error.errno or 0)) from error


def _no_room(folder: Path | None) -> bool:
    # SQLite reports some writes on a full disk (its shared-memory file) as plain I/O errors.
    try:
        return folder is not None and shutil.disk_usage(folder).free < _NO_ROOM_BYTES
    except OSError:
        return False


class SqliteFile:
    """One connection to a file, for one thread at a time.

    For small records, where readers may wait for writers. What is read and written while a
    `transaction` or `reading` lasts belongs together; they may be nested.
    """

    def __init__(
        self,
        path: Path | None,
        schema: str,
        *,
        synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL",
        exclusive: bool = False,
        name: str | None = None,
    ) -> None:
        """Open or create it; None: in memory. Raises what `named_errors` names.

        `exclusive`: no other process may have it open. `schema` is executed each time.
        """
        self._folder = path.parent if path is not None else None
        self._name = name or (path.name if path is not None else ":memory:")
        self._lock = threading.RLock()
        with named_errors(self._name, self._folder):
            db = sqlite3.connect(
                path or ":memory:",
                timeout=_LOCK_WAIT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                if exclusive:
                    db.execute("PRAGMA locking_mode = EXCLUSIVE")
                db.execute("PRAGMA journal_mode = WAL")
                db.execute(f"PRAGMA synchronous = {synchronous}")
                db.executescript(schema)
            except BaseException:
                db.close()
                raise
        self._db = db

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, while nobody else has it."""
        with self._lock, named_errors(self._name, self._folder):
            yield self._db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and as durable as `synchronous` makes it when it ends.

        Inside another transaction it is a part of that one.
        """
        with self.reading() as db:
            if db.in_transaction:
                yield db
                return
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
