"""Where a log keeps what it acknowledged.

`Store` is the durable record: entries, head, checkpoints, one transaction a commit. Everything
else (tiles, bundles, the checkpoint file) is derived and can be made again from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from registry.merkle import Frontier


@dataclass(frozen=True)
class Block:
    """One commit: entries [start, start + count), and the root of the tree that it closed.

    `time` is the sequencer's clock (POSIX seconds); nobody else vouches for it.
    """

    start: int
    count: int
    root: bytes
    time: int

    @property
    def end(self) -> int:
        return self.start + self.count


@dataclass(frozen=True)
class Commit:
    """What one commit writes, all or nothing."""

    before: Frontier
    after: Frontier
    bundle: bytes
    leaves: Sequence[bytes]
    time: int


class LeafKnown(Exception):
    """A leaf of a commit is in the log already; nothing was written."""


class Store(Protocol):
    """The durable record of one log. Methods may be called from any thread."""

    @property
    def origin(self) -> str: ...

    @property
    def name(self) -> str:
        """How errors call it."""
        ...

    def head(self) -> Frontier:
        """The right edge of the committed tree."""
        ...

    def append(self, commit: Commit) -> None:
        """Record `commit` durably, if the head is still `commit.before` (compare-and-swap).

        Raises `HeadMoved`, `LeafKnown`, `StoreFull`, `StoreFailed`; then nothing was written.
        """
        ...

    def find(self, leaves: Sequence[bytes]) -> dict[bytes, int]:
        """The indices of those leaf hashes that the log has."""
        ...

    def blocks(self, start: int = 0, limit: int = 100) -> list[Block]:
        """Commits from the first one that ends after entry `start`, oldest first."""
        ...

    def root_at(self, size: int) -> bytes | None:
        """The root that a commit of this very size recorded, if there was one."""
        ...

    def entries(self, start: int, end: int) -> Iterator[tuple[int, list[bytes]]]:
        """Entries [start, end) as (first index, entries), commit by commit, as they are stored."""
        ...

    def integrated(self) -> int:
        """Up to which size all tiles are durably written."""
        ...

    def set_integrated(self, size: int) -> None: ...

    def published(self) -> bytes | None:
        """The note of the newest published checkpoint."""
        ...

    def published_at(self, size: int) -> bytes | None: ...

    def publish(self, size: int, root: bytes, note: bytes, time: int) -> None:
        """Record a published checkpoint; of one size, the newer note replaces the older."""
        ...

    def close(self) -> None: ...
