"""One writer a folder: a lock that lives as long as its process.

The kernel drops the lock when the process ends, however it ends, so a crash leaves nothing to
clean up. It holds on local file systems; on a network file system that ignores locks it does not,
and the compare-and-swap in the store is what remains.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from registry.errors import StoreFailed, StoreLocked


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
