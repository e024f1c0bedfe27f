"""Locks between processes on one machine: one writer a folder, and turns at one file.

The kernel drops a lock when its process ends, however it ends, so a crash leaves nothing to clean
up. It holds on local file systems; on a network file system that ignores locks it does not, and
the compare-and-swap in the store is what remains.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from registry.errors import StoreFailed, StoreLocked

PATIENCE_S: Final = 1.0
"""Longer than any turn takes by far."""
_PAUSE_S: Final = 0.01


class FolderLock:
    """A `Lease` on one machine, held from construction to `release`.

    Raises `StoreLocked` when another holds it.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreFailed(store=folder.name, reason=os.strerror(error.errno or 0)) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            if isinstance(error, BlockingIOError):
                raise StoreLocked(store=folder.name) from error
            raise StoreFailed(store=folder.name, reason=os.strerror(error.errno or 0)) from error

    @property
    def lost(self) -> bool:
        """Never: the kernel takes it from nobody who lives."""
        return False

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class TurnLock:
    """A lock for a moment, as a context: whoever has it does one small thing and lets go.

    Somebody may be paused in the middle of that, for hours even, and the kernel keeps the lock for
    it. So it is taken away after `patience_s`: the name gets a new file, and the old one, locked
    or not, means nothing any more. `held` tells; ask it directly before what must not be done
    late. May raise OSError.
    """

    def __init__(self, path: Path, *, patience_s: float = PATIENCE_S) -> None:
        self._path = path
        self._patience_s = patience_s
        self._file = -1

    def __enter__(self) -> Self:
        end = time.monotonic() + self._patience_s
        while True:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    with suppress(FileNotFoundError):
                        self._path.unlink()
                    end = time.monotonic() + self._patience_s
                else:
                    time.sleep(_PAUSE_S)
            except OSError:
                os.close(self._file)
                raise
            else:
                if self.held:
                    return self
            os.close(self._file)

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    @property
    def held(self) -> bool:
        """Whether nobody has taken it away."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        ours = os.fstat(self._file)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
