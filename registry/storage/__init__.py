"""Where a log keeps what it acknowledged.

`Store` is the durable record: entries, head, checkpoints, one transaction a commit. `Tiles` is
where everything derived lies (tiles, bundles, the checkpoint), to be served by anybody; it can be
made again from the record. `Lease` says which process may write. `registry.storage.places` finds
all three for a chain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from registry.tlog.merkle import Frontier
from registry.tlog.tiles import Tile


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

        Raises `HeadMoved`, `LeafKnown`, `LeaseLost`, `StoreFull`, `StoreFailed`; then nothing
        was written. Raises `StoreUnreachable` when a database went away: then it may have been
        written after all, and `head` says so when it is back.
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

    def published_at(self, size: int) -> bytes | None:
        """The note of this size, if it was published and is still kept."""
        ...

    def publish(self, size: int, root: bytes, note: bytes, time: int) -> None:
        """Record a published checkpoint; of one size, the newer note replaces the older."""
        ...

    def checkpoints(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Every published checkpoint as (size, root, note), oldest first.

        Most old notes are empty: see `registry.storage.thinning`.
        """
        ...

    def indexed(self) -> int:
        """Below which position the index of leaves is complete as it is stored."""
        ...

    def index(self) -> Iterator[list[tuple[bytes, int]]]:
        """The stored index of leaves as (leaf hash, position), in pages, in any order."""
        ...

    def damage(self) -> str | None:
        """What the engine itself finds wrong with its files, or None."""
        ...

    def close(self) -> None: ...


class Tiles(Protocol):
    """Tiles, bundles, the checkpoint and documents of one log, for everybody to read.

    What is read is only bytes until it was checked. Methods may be called from any thread.
    """

    @property
    def name(self) -> str:
        """How errors call it."""
        ...

    def read(self, tile: Tile) -> bytes:
        """Raises `TileMissing`, `StoreFailed`, `StoreUnreachable`."""
        ...

    def write(self, tiles: Iterable[tuple[Tile, bytes]], *, replace: bool = False) -> None:
        """Write durably; when it raises, some may be missing.

        A full tile never changes: where another content stands under its name already, a shared
        store raises `TileTaken`, unless `replace` (a repair) says to write over it.
        """
        ...

    def drop_partials(self, tiles: Iterable[Tile]) -> None:
        """Remove partial versions of those of the tiles that are full; what fails stays."""
        ...

    def write_checkpoint(self, note: bytes, *, replace: bool = False) -> None:
        """Show `note` as the newest checkpoint, unless that of a larger tree is shown already.

        `replace` writes over whatever is there: it is no checkpoint of this log.
        """
        ...

    def read_checkpoint(self) -> bytes | None: ...

    def put_document(self, name: str, data: bytes) -> None:
        """Keep a document durably under a name that `is_document_name` allows."""
        ...

    def get_document(self, name: str) -> bytes | None: ...


class Lease(Protocol):
    """The right to write one log, as long as nobody else has taken it.

    The store refuses, in the transaction of every write, whoever no longer has it; so a holder
    that was paused, or cut off, cannot write beside its successor.
    """

    @property
    def lost(self) -> bool:
        """Whether somebody else has taken it, as far as is known here."""
        ...

    def release(self) -> None:
        """Give it up, so that the next one need not wait."""
        ...


_DOCUMENT_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}\.[a-z0-9]{1,16}", re.ASCII)


def is_document_name(name: str) -> bool:
    """Whether a document may be called so: it becomes the name of a file."""
    return _DOCUMENT_NAME.fullmatch(name) is not None


def size_of_note(note: bytes) -> int:
    """The tree size that a checkpoint claims, unchecked; -1 where it claims none.

    Only to keep an older checkpoint from replacing a newer one of the same log.
    """
    lines = note.split(b"\n", 2)
    return int(lines[1]) if len(lines) == 3 and lines[1].isdigit() and len(lines[1]) < 20 else -1
