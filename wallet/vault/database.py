"""The vault: one encrypted SQLite file and the small header that holds its wrapped key.

Guarantees: what is on disk is ciphertext under a random key (ChaCha20-Poly1305 for each page, by
SQLite3 Multiple Ciphers), the rollback journal included; that key lies in the header, sealed
under the passphrase (argon2id, AES-256-GCM: `credentials.keyfile`); a change of passphrase
replaces the header atomically and never rewrites the data; every change is a transaction, synced
before it counts (`synchronous=FULL`), and a full disk undoes it as a whole.

It does not protect the key in the memory of this process while the vault is open (Python cannot
wipe memory reliably), nor against someone who puts back an older copy of the whole folder. Who
copied the old header and knows the old passphrase can still open a later copy of the data.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Self

import apsw

from credentials import keyfile
from credentials.errors import KeyfileMalformed, PassphraseUnusable
from credentials.errors import WrongPassphrase as WrongKeyfilePassphrase
from schemas.durable import sync_folder
from wallet.errors import (
    NoVault,
    VaultCorrupt,
    VaultExists,
    VaultFull,
    VaultTooNew,
    VaultUnwritable,
    WrongPassphrase,
)
from wallet.vault.guard import (
    FILE_MODE,
    Attempts,
    Lock,
    make_folder,
    require_strength,
    storage_error,
    write_atomically,
)

DATA: Final = "wallet.db"
HEADER: Final = "wallet.header"
LOCK: Final = "wallet.lock"
ATTEMPTS: Final = "wallet.attempts"

KEY_BYTES: Final = 32
CIPHER: Final = "chacha20"
LABEL: Final = "wallet vault"
SCHEMA_VERSION: Final = 1

Clock = Callable[[], datetime]
Row = tuple[Any, ...]


class Vault:
    """An open vault. One thread at a time is inside; others wait."""

    def __init__(self, home: Path, lock: Lock, connection: apsw.Connection, clock: Clock) -> None:
        self.home = home
        self._lock = lock
        self._connection: apsw.Connection | None = connection
        self._clock = clock
        self._inside = threading.RLock()

    # -- life ---------------------------------------------------------------------------------

    @staticmethod
    def exists(home: Path) -> bool:
        return (home / HEADER).is_file()

    @classmethod
    def create(
        cls, home: Path, passphrase: str, clock: Clock, *, cost: keyfile.Cost = keyfile.RECOMMENDED
    ) -> Self:
        """`cost` is what each guess at the passphrase costs; tests ask for the least.

        Raises WeakPassphrase, VaultExists, VaultLocked, VaultFull, VaultUnwritable."""
        require_strength(passphrase)
        make_folder(home)
        lock = Lock(home / LOCK)
        try:
            if (home / HEADER).exists():
                raise VaultExists
            set_aside(home)
            key = secrets.token_bytes(KEY_BYTES)
            connection = _connect(home / DATA, key, create=True)
            try:
                with _causes():
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute(
                        files("wallet.vault").joinpath("schema.sql").read_text("utf-8")
                    )
                    connection.pragma("user_version", SCHEMA_VERSION)
                    connection.execute("COMMIT")
                Attempts(home / ATTEMPTS, clock).succeeded()  # its room is taken from the start
                write_atomically(
                    home / HEADER, keyfile.seal(key, passphrase, label=LABEL, cost=cost)
                )
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise
        return cls(home, lock, connection, clock)

    @classmethod
    def open(cls, home: Path, passphrase: str, clock: Clock) -> Self:
        """Raises NoVault, VaultLocked, BackOff, WrongPassphrase, VaultCorrupt, VaultTooNew."""
        if not (home / HEADER).is_file():
            raise NoVault
        lock = Lock(home / LOCK)
        try:
            key = _unseal(home, passphrase, clock)
            if not (home / DATA).is_file():
                raise VaultCorrupt(reason="its data file is missing")
            connection = _connect(home / DATA, key, create=False)
            try:
                with _causes():
                    version = connection.pragma("user_version")
                if version > SCHEMA_VERSION:
                    raise VaultTooNew
                if version != SCHEMA_VERSION:
                    raise VaultCorrupt(reason="its tables are not complete")
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise
        return cls(home, lock, connection, clock)

    def close(self) -> None:
        """Forget the key and let others in. Safe to call twice."""
        with self._inside:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._lock.release()

    # -- passphrase ---------------------------------------------------------------------------

    def confirm(self, passphrase: str) -> None:
        """Raises WrongPassphrase or BackOff."""
        with self._inside:
            _unseal(self.home, passphrase, self._clock)

    def change_passphrase(self, old: str, new: str) -> None:
        """Seal the key anew. A crash leaves the old passphrase or the new one, nothing between."""
        require_strength(new)
        with self._inside:
            key = _unseal(self.home, old, self._clock)
            write_atomically(self.home / HEADER, keyfile.seal(key, new, label=LABEL))

    # -- data ---------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside, or none of them. Durable when it ends; nests."""
        with self._inside:
            connection = self._open_connection()
            if connection.in_transaction:
                yield
                return
            with _causes():
                connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                with _causes():
                    connection.execute("COMMIT")
            except BaseException:
                # SQLite rolls back by itself on some errors (SQLITE_FULL, SQLITE_IOERR).
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def inside(self) -> Iterator[None]:
        """No other thread changes the vault while the block lasts. Not a transaction."""
        with self._inside:
            yield

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        with self._inside, _causes():
            return list(self._open_connection().execute(statement, tuple(parameters)))

    def one(self, statement: str, parameters: Sequence[Any] = ()) -> Row | None:
        rows = self.execute(statement, parameters)
        return rows[0] if rows else None

    def changes(self) -> int:
        """Rows that the last statement changed."""
        with self._inside:
            return int(self._open_connection().changes())

    @contextmanager
    def at_rest(self) -> Iterator[Path]:
        """The data file, with no transaction running while the block lasts."""
        with self._inside:
            connection = self._open_connection()
            if connection.in_transaction:
                raise VaultUnwritable(reason="a change is under way")
            yield self.home / DATA

    def _open_connection(self) -> apsw.Connection:
        if self._connection is None:
            raise VaultUnwritable(reason="the wallet was closed")
        return self._connection


def set_aside(home: Path) -> None:
    """Move data without a header out of the way, with its journal.

    The header is written last, so this is mostly a creation that was interrupted before anything
    was stored. It is kept all the same: somebody may still have the header elsewhere. A journal
    left behind would be played back into the new file.
    """
    name = f"{DATA}.orphan-{secrets.token_hex(4)}"
    try:
        for suffix in ("-journal", ""):
            orphan = home / (DATA + suffix)
            if orphan.exists():
                orphan.replace(home / (name + suffix))
    except OSError as error:
        raise storage_error(error) from error


def _unseal(home: Path, passphrase: str, clock: Clock) -> bytes:
    attempts = Attempts(home / ATTEMPTS, clock)
    wait = attempts.begin()
    try:
        key = keyfile.unseal((home / HEADER).read_bytes(), passphrase, label=LABEL)
    except (WrongKeyfilePassphrase, PassphraseUnusable) as error:
        raise WrongPassphrase(seconds=wait) from error
    except KeyfileMalformed as error:
        attempts.succeeded()  # the header is damaged; that says nothing of the passphrase
        raise VaultCorrupt(reason="its header cannot be read") from error
    except OSError as error:
        raise storage_error(error) from error
    if len(key) != KEY_BYTES:
        raise VaultCorrupt(reason="its header does not hold a key of the right size")
    attempts.succeeded()
    return key


def _connect(path: Path, key: bytes, *, create: bool) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    if create:
        try:
            # SQLite would create it by the process' umask.
            path.touch(mode=FILE_MODE, exist_ok=False)
            sync_folder(path.parent)
        except OSError as error:
            raise storage_error(error) from error
    with _causes():
        connection = apsw.Connection(str(path), flags=flags)
    try:
        with _causes():
            connection.pragma("cipher", CIPHER)
            # "raw:" hands the key over as it is; without it the library would derive from it again.
            connection.pragma("key", f"raw:{key.hex()}")
            connection.pragma("temp_store", "MEMORY")  # no plain text in temporary files
            connection.pragma("journal_mode", "DELETE")
            connection.pragma("synchronous", "FULL")
            connection.pragma("secure_delete", True)
            connection.pragma("foreign_keys", True)
            connection.pragma("trusted_schema", False)
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _causes() -> Iterator[None]:
    """SQLite's errors in the wallet's words. Its messages are not quoted: they may hold data."""
    try:
        yield
    except apsw.FullError as error:
        raise VaultFull from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise VaultCorrupt(reason="a page does not belong to this wallet or was altered") from error
    except (apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError) as error:
        raise VaultUnwritable(reason=type(error).__name__) from error
