"""The door of the vault: one process at a time, a passphrase, and a wait after a wrong one.

Guarantees: while a `Lock` is held no other process (and no other lock in this one) opens the same
vault; a wrong passphrase is counted on disk *before* it is tried, so that killing the program
does not buy free guesses; the wait doubles with each.

The back-off slows a person at this keyboard or a script that calls this program. Someone who
copies the files guesses without it: against him stands only argon2id and the passphrase, which is
why a minimum is asked for. Deleting the counter file needs the same rights as copying the vault.
"""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from schemas.durable import replace_file
from wallet.errors import BackOff, VaultFull, VaultLocked, VaultUnwritable, WeakPassphrase

MINIMUM_LENGTH: Final = 10
MINIMUM_DISTINCT: Final = 5
FREE_TRIES: Final = 2
"""Wrong tries before the wait exceeds a moment: typing errors happen."""
FIRST_WAIT_S: Final = 1
LONGEST_WAIT_S: Final = 900

RECORD_BYTES: Final = 128
"""Of the counter's file, padded with spaces."""

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700


def storage_error(error: OSError) -> VaultFull | VaultUnwritable:
    """The cause of a failed file operation, in the wallet's words."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return VaultFull()
    return VaultUnwritable(reason=os.strerror(error.errno) if error.errno else "input/output")


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` as a whole, durably, readable by its owner alone.

    A crash or a full disk leaves the old file. Raises VaultFull or VaultUnwritable.
    """
    try:
        replace_file(path, data, mode=FILE_MODE)
    except OSError as error:
        raise storage_error(error) from error


def make_folder(home: Path) -> None:
    """`home`, for its owner alone. A folder that was there already is narrowed to that, too."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        home.chmod(FOLDER_MODE)
    except OSError as error:
        raise storage_error(error) from error


def require_strength(passphrase: str) -> None:
    """Raises WeakPassphrase. Length and variety only; its owner knows what is guessable."""
    if len(passphrase) < MINIMUM_LENGTH:
        raise WeakPassphrase(reason="too short", minimum=MINIMUM_LENGTH)
    if len(set(passphrase)) < MINIMUM_DISTINCT:
        raise WeakPassphrase(reason="too few different characters", minimum=MINIMUM_LENGTH)


class Lock:
    """An advisory lock on the vault's folder, held until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        """Raises VaultLocked at once when somebody else holds it."""
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise storage_error(error) from error
        try:
            # flock, not lockf: it also excludes a second opening in the same process, and closing
            # another descriptor of the file does not drop it.
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._handle)
            raise VaultLocked from error
        except OSError as error:
            os.close(self._handle)
            raise storage_error(error) from error

    def release(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def wait_after(failures: int) -> timedelta:
    """How long after `failures` wrong tries in a row the next is refused."""
    if failures <= 0:
        return timedelta()
    exponent = max(0, failures - FREE_TRIES)
    # min() before the power: a counter of a million must not build a million-bit number.
    seconds = FIRST_WAIT_S * 2 ** min(exponent, 16)
    return timedelta(seconds=min(seconds, LONGEST_WAIT_S))


class Attempts:
    """The count of wrong tries on disk. Use it only under the vault's lock."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock

    def begin(self) -> int:
        """Count a try as wrong before it is made; `succeeded` takes it back. Raises BackOff."""
        failures, last = self._load()
        now = self._clock()
        # A clock set back must not make the wait longer than its own length.
        due = min(last, now) + wait_after(failures)
        if now < due:
            if last > now:
                self._save(failures, now)
            raise BackOff(seconds=math.ceil((due - now).total_seconds()))
        self._save(failures + 1, now)
        return math.ceil(wait_after(failures + 1).total_seconds())

    def succeeded(self) -> None:
        """Take the try back, and all before it."""
        self._save(0, self._clock())

    def _load(self) -> tuple[int, datetime]:
        try:
            record = json.loads(self._path.read_bytes())
            last = datetime.fromisoformat(record["last"])
            return max(0, int(record["failures"])), last.astimezone(UTC)
        except FileNotFoundError:
            return 0, self._clock()
        except (ValueError, KeyError, TypeError):
            # Damaged, by a crash or by hand: fail closed for the longest wait, once.
            now = self._clock()
            self._save(64, now)
            return 64, now
        except OSError as error:
            raise storage_error(error) from error

    def _save(self, failures: int, last: datetime) -> None:
        # In place and of one size, less than a sector: a full disk must not keep the owner out,
        # so no room is asked for. A torn write reads as damage and costs the longest wait.
        record = json.dumps({"failures": failures, "last": last.astimezone(UTC).isoformat()})
        data = record.encode().ljust(RECORD_BYTES)
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                os.pwrite(handle, data, 0)
                os.ftruncate(handle, len(data))
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise storage_error(error) from error
