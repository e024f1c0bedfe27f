"""Connections to a PostgreSQL database, its schema, and the leases in it.

The SQL keeps to what PostgreSQL-compatible databases share: plain tables, no extensions, no
advisory locks, no notifications, no functions of our own. Connections that break are made anew;
every failure has a name. Two things are asked of the session, where the database knows them: that
a confirmed commit is on disk and, with synchronous replication, on a standby (`fsync`,
`synchronous_commit`), and that a client which stops in a transaction does not keep its locks.

Use a direct connection or a session pooler: a transaction pooler loses these settings.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from registry.errors import (
    LeaseHeld,
    PlaceInvalid,
    StoreFailed,
    StoreFull,
    StoreLocked,
    StoreMissing,
    StoreRefused,
    StoreUnreachable,
    StoreUnsafe,
    StoreVersion,
)
from schemas.errors import Phrase

log = logging.getLogger(__name__)

FORMAT: Final = 1
LEASE_S: Final = 2.5
"""How long a silent holder keeps its lease, by the database's clock."""
_RENEW_S: Final = 0.4
_IDLE: Final = 4  # reading connections kept open
_SCHEMA_TRIES: Final = 5

Connection = psycopg.Connection[tuple[Any, ...]]

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS zl_format (id INTEGER PRIMARY KEY, version INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS zl_logs (
        origin TEXT PRIMARY KEY,
        id INTEGER NOT NULL UNIQUE,
        size BIGINT NOT NULL,
        root BYTEA NOT NULL,
        frontier BYTEA NOT NULL,
        integrated BIGINT NOT NULL,
        epoch BIGINT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS zl_commits (
        log INTEGER NOT NULL,
        start BIGINT NOT NULL,
        count INTEGER NOT NULL,
        root BYTEA NOT NULL,
        time BIGINT NOT NULL,
        entries BYTEA NOT NULL,
        PRIMARY KEY (log, start)
    )""",
    """CREATE TABLE IF NOT EXISTS zl_leaves (
        log INTEGER NOT NULL,
        hash BYTEA NOT NULL,
        position BIGINT NOT NULL,
        PRIMARY KEY (log, hash)
    )""",
    """CREATE TABLE IF NOT EXISTS zl_checkpoints (
        log INTEGER NOT NULL,
        size BIGINT NOT NULL,
        root BYTEA NOT NULL,
        time BIGINT NOT NULL,
        note BYTEA NOT NULL,
        PRIMARY KEY (log, size)
    )""",
    """CREATE TABLE IF NOT EXISTS zl_leases (
        origin TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        address TEXT NOT NULL,
        epoch BIGINT NOT NULL,
        expires TIMESTAMP WITH TIME ZONE NOT NULL
    )""",
    "INSERT INTO zl_format VALUES (1, {version}) ON CONFLICT (id) DO NOTHING",
)

_SESSION: Final = (
    "-c statement_timeout=0"  # one that fires in COMMIT ends the wait for the standby
    " -c idle_in_transaction_session_timeout=2000"  # a paused holder keeps no locks
    " -c lock_timeout=10000"
    " -c client_min_messages=warning"
)
_DEFAULTS: Final = {
    "connect_timeout": "3",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
    "target_session_attrs": "read-write",  # of several hosts, the primary
}


class OutcomeUnknown(Exception):
    """COMMIT was sent, and no clear answer came: it may have happened or not."""


def check_store_url(url: str) -> None:
    """Raise `PlaceInvalid` unless it is a postgresql:// URL with no password in it."""
    try:
        parts = urlsplit(url)
        known = conninfo_to_dict(url) if parts.scheme in {"postgresql", "postgres"} else None
    except (ValueError, psycopg.Error) as error:
        raise PlaceInvalid(reason="this is no URL of a database") from error
    if known is None:
        raise PlaceInvalid(reason="a store is `sqlite` or postgresql://host/database")
    if {"password", "sslpassword"} & known.keys():
        raise PlaceInvalid(reason="the address of the database holds a password")


class Database:
    """One database as one process uses it. Thread-safe. Close it after what was made from it."""

    def __init__(self, url: str, *, address: str = "") -> None:
        """Nothing is opened yet. `address` is where this process can be asked, for others."""
        check_store_url(url)
        known = conninfo_to_dict(url)
        host = known.get("host") or known.get("service") or "local"
        self.name: Final = f"{known.get('dbname') or 'postgres'} at {host}"
        self.holder: Final = f"zhenglian-{secrets.token_hex(8)}"
        self.address = address
        options = f"{known.get('options') or ''} {_SESSION}".strip()
        self._conninfo = make_conninfo(
            url,
            **{key: value for key, value in _DEFAULTS.items() if key not in known},
            application_name=self.holder,
            options=options,
        )
        self._idle: list[Connection] = []
        self._idle_lock = threading.Lock()
        self._closed = False
        self._leases: dict[str, PostgresLease] = {}
        self._lease_lock = threading.Lock()
        self._renewing: threading.Thread | None = None
        self._stop = threading.Event()

    # --- connections ---

    def connect(self) -> Connection:
        """A new connection, fit to confirm what it commits."""
        with self.named():
            connection = psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None)
            try:
                self._insist(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    def _insist(self, connection: Connection) -> None:
        """A commit that was confirmed must outlive a crash (and the loss of a primary)."""
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            try:
                row = connection.execute(f"SHOW {setting}").fetchone()
            except (errors.UndefinedObject, errors.SyntaxErrorOrAccessRuleViolation):
                continue  # another engine, which has its own way to be durable
            value = str(row[0]) if row else ""
            if setting == "synchronous_commit":
                if value in {"off", "local", "remote_write"}:
                    connection.execute("SET synchronous_commit = on")
            elif value == "off":
                raise StoreUnsafe(
                    store=self.name, reason=Phrase("{setting} is off", setting=setting)
                )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one statement; a broken one is thrown away."""
        with self._idle_lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self.connect()
        try:
            with self.named():
                yield connection
        except BaseException:
            connection.close()
            raise
        with self._idle_lock:
            if len(self._idle) < _IDLE and not self._closed and not connection.closed:
                self._idle.append(connection)
                return
        connection.close()

    def query(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows of a reading statement; asked again once when the connection had broken."""
        for last in (False, True):
            try:
                with self.reading() as connection:
                    return connection.execute(statement, parameters, binary=True).fetchall()
            except StoreUnreachable:
                if last:
                    raise
                self.forget_idle()  # broken by the same event, most likely
        raise AssertionError

    def forget_idle(self) -> None:
        """Close the idle connections."""
        with self._idle_lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def named(self) -> Iterator[None]:
        """psycopg's errors as ours."""
        try:
            yield
        except psycopg.Error as error:
            raise self.failure(error) from error

    def failure(self, error: psycopg.Error) -> StoreFailed | StoreFull | StoreLocked | StoreMissing:
        """The named error that says what `error` says. Texts of the server are not repeated."""
        state = error.sqlstate or ""
        if isinstance(error, errors.DiskFull | errors.OutOfMemory):
            return StoreFull(store=self.name)
        if isinstance(error, errors.LockNotAvailable):
            return StoreLocked(store=self.name)
        if state.startswith("28") or isinstance(error, errors.InsufficientPrivilege):
            return StoreRefused(store=self.name, reason=type(error).__name__)
        if isinstance(error, errors.InvalidCatalogName | errors.UndefinedTable):
            return StoreMissing(store=self.name)
        if isinstance(error, errors.ReadOnlySqlTransaction):
            return StoreUnreachable(store=self.name, reason="it is a standby for now")
        if state.startswith(("08", "57P", "25P03")):
            return StoreUnreachable(store=self.name, reason=type(error).__name__)
        if isinstance(error, psycopg.OperationalError) and not state:
            text = str(error)
            if "password" in text or "authentication" in text or "no pg_hba.conf" in text:
                return StoreRefused(store=self.name, reason="the server does not let it in")
            if "does not exist" in text and "database" in text:
                return StoreMissing(store=self.name)
            return StoreUnreachable(store=self.name, reason="no connection")
        return StoreFailed(
            store=self.name, reason=Phrase("the database reports {kind}", kind=type(error).__name__)
        )

    # --- schema ---

    def create_schema(self) -> None:
        """Make the tables that are not there; raises `StoreVersion` and what `connect` raises."""
        for last in range(_SCHEMA_TRIES, 0, -1):
            try:
                connection = self.connect()
                with connection:  # commits
                    connection.autocommit = False
                    for statement in _SCHEMA:
                        connection.execute(statement.format(version=FORMAT))
                break
            except (errors.UniqueViolation, errors.DuplicateTable, errors.SerializationFailure):
                # Another process makes them at this moment.
                if last == 1:
                    raise
                time.sleep(0.1)
            except psycopg.Error as error:
                raise self.failure(error) from error
        self.check_schema()

    def check_schema(self) -> None:
        """Raise `StoreVersion` where another format lies, `StoreMissing` where none does."""
        rows = self.query("SELECT version FROM zl_format")
        if not rows:
            raise StoreMissing(store=self.name)
        if rows[0][0] != FORMAT:
            raise StoreVersion(store=self.name, found=rows[0][0], known=FORMAT)

    # --- leases ---

    def take(self, origin: str) -> PostgresLease:
        """Take the lease of a log, if it is free; raises `LeaseHeld` and `StoreMissing`.

        From its commit on, nothing that an earlier holder began can be committed any more.
        """
        connection = self.connect()
        try:
            with self.named(), connection.transaction():
                row = connection.execute(
                    "SELECT holder, address, expires > CURRENT_TIMESTAMP FROM zl_leases "
                    "WHERE origin = %s FOR UPDATE",
                    (origin,),
                ).fetchone()
                if row is None:
                    raise StoreMissing(store=f"{origin} in {self.name}")
                former, address, alive = row
                if alive and former != self.holder:
                    raise LeaseHeld(origin=origin, address=address or "?")
                taken = connection.execute(
                    "UPDATE zl_leases SET holder = %s, address = %s, epoch = epoch + 1, expires = "
                    "CURRENT_TIMESTAMP + %s * INTERVAL '1 second' WHERE origin = %s "
                    "RETURNING epoch",
                    (self.holder, self.address, LEASE_S, origin),
                ).fetchone()
                assert taken is not None  # noqa: S101 - the row is locked
                if former not in ("", self.holder):
                    _end_sessions(connection, former)
                # Waits for a commit of the former holder that is under way, and shuts it out.
                connection.execute(
                    "UPDATE zl_logs SET epoch = %s WHERE origin = %s", (taken[0], origin)
                )
        finally:
            connection.close()
        lease = PostgresLease(self, origin, int(taken[0]))
        with self._lease_lock:
            self._leases[origin] = lease
            if self._renewing is None:
                self._renewing = threading.Thread(
                    target=self._renew_all, name=f"leases {self.name}", daemon=True
                )
                self._renewing.start()
        return lease

    def holder_of(self, origin: str) -> str | None:
        """The address of the process that holds the lease now, if one does."""
        rows = self.query(
            "SELECT address FROM zl_leases WHERE origin = %s AND expires > CURRENT_TIMESTAMP",
            (origin,),
        )
        return str(rows[0][0]) if rows and rows[0][0] else None

    def _renew_all(self) -> None:
        connection: Connection | None = None
        failing = False
        while not self._stop.wait(_RENEW_S):
            with self._lease_lock:
                held = list(self._leases.values())
            if not held:
                continue
            try:
                with self.named():
                    if connection is None or connection.closed:
                        connection = self.connect()
                    rows = connection.execute(
                        "UPDATE zl_leases SET expires = CURRENT_TIMESTAMP + "
                        "%s * INTERVAL '1 second' WHERE holder = %s RETURNING origin, epoch",
                        (LEASE_S, self.holder),
                    ).fetchall()
            except (StoreFailed, StoreFull, StoreLocked, StoreMissing) as error:
                # Not lost yet: who comes back before anybody else has taken it goes on.
                if not failing:
                    log.warning("leases cannot be renewed for now: %s", error)
                failing = True
                if connection is not None:
                    connection.close()
                connection = None
                continue
            failing = False
            current: dict[str, int] = dict(rows)
            for lease in held:
                if current.get(lease.origin) != lease.epoch:
                    lease.mark_lost()
        if connection is not None:
            connection.close()

    def release(self, lease: PostgresLease) -> None:
        """Give a lease back; a failure only lets the next holder wait."""
        with self._lease_lock:
            if self._leases.get(lease.origin) is lease:
                del self._leases[lease.origin]
        with suppress(StoreFailed, StoreFull, StoreLocked, StoreMissing), self.reading() as db:
            db.execute(
                "UPDATE zl_leases SET expires = CURRENT_TIMESTAMP, holder = '', address = '' "
                "WHERE origin = %s AND holder = %s AND epoch = %s",
                (lease.origin, self.holder, lease.epoch),
            )

    def close(self) -> None:
        """End the renewals and the connections."""
        self._stop.set()
        if self._renewing is not None:
            self._renewing.join()
        with self._idle_lock:
            self._closed = True
        self.forget_idle()


def _end_sessions(connection: Connection, holder: str) -> None:
    """End what a silent holder has open: one that was paused inside a COPY would block us.

    Where a database has no such function, its own time-outs have to do it.
    """
    with suppress(psycopg.Error), connection.transaction():
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            (holder,),
        )


class PostgresLease:
    """A `Lease` in a row with an expiry by the database's clock, renewed by its `Database`."""

    def __init__(self, database: Database, origin: str, epoch: int) -> None:
        self.origin: Final = origin
        self.epoch: Final = epoch
        self._database = database
        self._lost = threading.Event()

    @property
    def lost(self) -> bool:
        return self._lost.is_set()

    def mark_lost(self) -> None:
        """Somebody else has it."""
        self._lost.set()

    def release(self) -> None:
        self._database.release(self)
