"""The head of a log: the newest tree that its durable record confirmed to this process.

Guarantees that the head moves in the record first, by compare-and-swap and in one transaction with
the entries under it, and here only when that is confirmed. After a commit that had no clear end,
the next one builds on what the record really says; a record that forgot, or has another tree of
the same size, is refused.

It does not order those who commit: one thread does. Any thread may ask what is confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from registry.engine.unwritten import Run, Unwritten
from registry.errors import StoreBehind
from registry.storage import Commit, Store
from registry.tlog.merkle import Frontier
from registry.tlog.tiles import frame_entries


class Head:
    """`append`, `current` and `reload` are for the thread that commits, the rest is for all."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        """`clock`: POSIX seconds, for the record of each commit."""
        self._store = store
        self._clock = clock
        self._frontier = store.head()
        self._stale = False  # the record may be further than `_frontier`
        self.unwritten = Unwritten()
        """What was committed here, for whoever writes its tiles."""

    @property
    def size(self) -> int:
        """Of the committed tree."""
        return self._frontier.size

    def confirmed(self) -> Frontier:
        """The head of the record, as far as its commit was confirmed to this process.

        What a database shows may still be on its way to its standby; it is not signed before.
        """
        head = self._store.head()
        return head if head.size <= self._frontier.size else self._frontier

    def current(self) -> Frontier:
        """The head to build on, read again when a commit before had no clear end.

        Raises `StoreBehind`, and what `Store.head` raises.
        """
        if self._stale:
            head = self._store.head()
            known = self._frontier
            if head.size < known.size or (head.size == known.size and head != known):
                raise StoreBehind(store=self._store.name, size=head.size, known=known.size)
            self._frontier = head
            self._stale = False
        return self._frontier

    def append(self, entries: Sequence[bytes], leaves: Sequence[bytes]) -> None:
        """Commit entries with their leaf hashes; they are durable when this returns.

        Raises what `current` and `Store.append` raise; then the head has not moved here, and
        `reload` is due before the next one.
        """
        before = self.current()
        after = before.copy()
        full = after.extend(leaves)
        framed = frame_entries(entries)
        bundle = b"".join(framed)
        self._store.append(Commit(before, after, bundle, leaves, self._clock()))
        self.unwritten.add(Run(before.size, framed, leaves, full), len(bundle))
        self._frontier = after

    def reload(self) -> None:
        """After a failed `append`: read the head again, now or else before the next one.

        Raises what `current` raises.
        """
        self._stale = True
        self.current()
