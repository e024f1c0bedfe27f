"""What a log has committed and not yet written as tiles, kept in memory.

So that integrating neither reads the record again nor hashes anything twice. It is a shortcut and
no source of truth: what is missing here is read from the record, and the tiles that come out must
lead to the record's root either way.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_ENTRIES: Final = 64 * 1024
MAX_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True)
class Run:
    """Entries from position `start` on, framed as in a bundle, and their leaf hashes.

    `full`: the hashes of the level-0 tiles that become full with them, where they are known.
    """

    start: int
    framed: Sequence[bytes]
    leaves: Sequence[bytes]
    full: Sequence[bytes] | None = None

    @property
    def end(self) -> int:
        """The position behind the last."""
        return self.start + len(self.framed)


class Unwritten:
    """The newest commits, oldest first, within bounds. Thread-safe."""

    def __init__(self) -> None:
        self._runs: deque[tuple[Run, int]] = deque()
        self._entries = self._bytes = 0
        self._lock = threading.Lock()

    def add(self, run: Run, length: int) -> None:
        """Keep a commit of `length` bytes; what it displaces will be read from the record."""
        with self._lock:
            self._runs.append((run, length))
            self._entries += len(run.framed)
            self._bytes += length
            while self._entries > MAX_ENTRIES or self._bytes > MAX_BYTES:
                self._drop()

    def between(self, start: int, end: int) -> list[Run]:
        """Commits that follow each other up to `end`, from `start` or a later one on."""
        found: list[Run] = []
        with self._lock:
            for run, _ in reversed(self._runs):
                if run.start >= end:
                    continue
                if run.end != end or run.start < start:
                    break
                found.append(run)
                end = run.start
        return found[::-1]

    def forget(self, size: int) -> None:
        """The tiles of the first `size` entries are written."""
        with self._lock:
            while self._runs and self._runs[0][0].start < size:
                self._drop()

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._runs.clear()
            self._entries = self._bytes = 0

    def _drop(self) -> None:
        run, length = self._runs.popleft()
        self._entries -= len(run.framed)
        self._bytes -= length
