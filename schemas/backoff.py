"""A growing wait after wrong passphrases, remembered in a file and shared by all processes.

It slows a person or a script at this machine, also one that tries many at once: a try holds the
file's lock, so tries come one after another. Whoever can copy or write the folder is held back
by argon2id alone.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

FAILURES_FILE: Final = "passphrase-failures.json"
FIRST_DELAY_SECONDS: Final = 1.0
MAX_DELAY_SECONDS: Final = 60.0
_DAMAGED: Final = 64
"""Failures to assume of a file that cannot be read: somebody may have tampered with it."""
_RECORD_BYTES: Final = 128
"""The file's fixed size: writing in place asks for no room, so a full disk loses no count."""


class BackOff:
    """The count of wrong tries in `path`; `sleep` waits for the next to be due."""

    def __init__(
        self, path: Path, clock: Callable[[], datetime], sleep: Callable[[float], None]
    ) -> None:
        self._path = path
        self._clock = clock
        self._sleep = sleep

    @contextmanager
    def attempt(self, wrong: type[Exception]) -> Iterator[None]:
        """One try: waits until it is due, counts `wrong` if it is raised, forgets after success.

        Raises OSError when the count cannot be kept; then nothing was tried.
        """
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            data = os.read(handle, 4 * _RECORD_BYTES)
            failures = self._wait(data) if data else 0
            # Counted before it is tried: killing the program buys no free guess. A new file gets
            # its room here, where failing costs nobody a try.
            self._write(handle, failures + 1)
            try:
                yield
            except wrong:
                raise
            except BaseException:
                self._write(handle, failures)  # says nothing about the passphrase
                raise
            # Zero first: who waits for the lock of the file that goes must not wait for nothing.
            self._write(handle, 0)
            self._path.unlink(missing_ok=True)
        finally:
            os.close(handle)

    def _wait(self, data: bytes) -> int:
        now = self._clock()
        try:
            state = json.loads(data)
            failures = int(state["failures"])
            last = datetime.fromisoformat(state["last"]).astimezone(UTC)
        except (ValueError, KeyError, TypeError):
            failures, last = _DAMAGED, now
        if failures <= 0:
            return 0
        delay = min(FIRST_DELAY_SECONDS * 2 ** min(failures - 1, 16), MAX_DELAY_SECONDS)
        # A clock that was set back must not lock the owner out for longer than the delay.
        since = max(0.0, (now - last).total_seconds())
        if since < delay:
            self._sleep(delay - since)
        return failures

    def _write(self, handle: int, failures: int) -> None:
        state = {"failures": failures, "last": self._clock().astimezone(UTC).isoformat()}
        os.pwrite(handle, json.dumps(state).encode().ljust(_RECORD_BYTES), 0)
        os.ftruncate(handle, _RECORD_BYTES)
        os.fsync(handle)
