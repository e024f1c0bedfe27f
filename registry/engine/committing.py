"""The queue of a log: submissions come together into commits, and each is answered.

Guarantees that a submission is told where it stands only after its commit is durable, that one
which is refused is recorded in no part, and that every leaf is in the log once. After a failed
commit it goes on from what the record says, or else it stops and takes nothing more. A commit
that a database took and could not confirm is told as `StoreUnreachable`: it may be in the log.

It writes no tiles and signs nothing: what is committed is in the record, and not yet to be seen.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from registry.engine.head import Head
from registry.errors import (
    BatchSize,
    EntriesDuplicate,
    EntryTooLarge,
    HeadMoved,
    LeaseLost,
    LogBusy,
    LogClosed,
    RegistryError,
    StoreBehind,
    StoreCorrupt,
    StoreFailed,
    StoreFull,
    StoreLocked,
)
from registry.limits import (
    MAX_BATCH_ENTRIES,
    MAX_COMMIT_BYTES,
    MAX_COMMIT_ENTRIES,
    MAX_ENTRY_BYTES,
    MAX_GENESIS_BYTES,
    MAX_PENDING_ENTRIES,
)
from registry.storage import LeafKnown, Lease, Store
from registry.tlog.merkle import leaf_hashes


@dataclass(frozen=True)
class Sequenced:
    """Where the entries of a submission stand (its trailer stands right behind new ones).

    `repeated`: they were in the log before, and nothing was added.
    """

    indices: tuple[int, ...]
    repeated: bool


def _duplicates(leaves: Sequence[bytes], known: Container[bytes]) -> list[int]:
    """The positions of leaves that are known, or stand earlier in the same submission."""
    first = {leaf: i for i, leaf in reversed(list(enumerate(leaves)))}
    return [i for i, leaf in enumerate(leaves) if leaf in known or first[leaf] != i]


Tell = Callable[[Sequenced | BaseException], None]
"""Called once, from the thread that commits; it must neither block nor raise."""


@dataclass(frozen=True, slots=True)
class _Submission:
    entries: tuple[bytes, ...]  # with the trailer, if there is one
    leaves: tuple[bytes, ...]
    trailer: bool
    tell: Tell

    @property
    def count(self) -> int:
        return len(self.leaves) - self.trailer

    @property
    def large(self) -> bool:
        """Whether it begins with what only a genesis may be."""
        return len(self.entries[0]) > MAX_ENTRY_BYTES

    @property
    def length(self) -> int:
        return sum(map(len, self.entries))


class Committer:
    """The queue and the one thread that empties it. Thread-safe; close it."""

    def __init__(self, store: Store, head: Head, lease: Lease | None, *, interval_s: float) -> None:
        """Starts the thread, which alone moves `head`.

        `interval_s`: how long a commit waits for company.
        """
        self._store = store
        self._head = head
        self._lease = lease
        self._interval_s = interval_s
        self._pending = 0
        self._state = threading.Lock()
        self._stopped = False
        self._queue: queue.SimpleQueue[_Submission | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, name=f"commit {store.origin}", daemon=True
        )
        self._thread.start()

    @property
    def stopped(self) -> bool:
        """Whether it takes nothing more: it was closed, has failed, or its lease is gone."""
        return self._stopped or (self._lease is not None and self._lease.lost)

    def post(
        self,
        entries: Sequence[bytes],
        trailer: bytes | None,
        tell: Tell,
        leaves: Sequence[bytes] | None = None,
    ) -> None:
        """See `Log.post`."""
        rows = (*entries, trailer) if trailer is not None else tuple(entries)
        if not entries or len(rows) > MAX_BATCH_ENTRIES:
            raise BatchSize(size=len(rows), limit=MAX_BATCH_ENTRIES)
        first, *others = map(len, rows)
        # Only the genesis may be larger: the first entry of all. See `_refuse_large`, too.
        limit = MAX_ENTRY_BYTES if self._head.size else MAX_GENESIS_BYTES
        if not 0 < first <= limit:
            raise EntryTooLarge(size=first, limit=limit)
        if others and not 0 < min(others) <= max(others) <= MAX_ENTRY_BYTES:
            raise EntryTooLarge(size=min(others) and max(others), limit=MAX_ENTRY_BYTES)
        hashes = tuple(leaf_hashes(rows) if leaves is None else leaves)
        submission = _Submission(rows, hashes, trailer is not None, tell)
        with self._state:
            if self._stopped:
                raise LogClosed(origin=self._store.origin)
            if self._pending + len(rows) > MAX_PENDING_ENTRIES:
                raise LogBusy(origin=self._store.origin, pending=self._pending)
            self._pending += len(rows)
            self._queue.put(submission)

    def close(self) -> None:
        """Commit what is queued, and stop; what a stopped queue still held is told `LogClosed`."""
        self._stop()
        self._thread.join()
        while True:
            try:
                rest = self._queue.get_nowait()
            except queue.Empty:
                break
            if rest is not None:
                rest.tell(LogClosed(origin=self._store.origin))

    def _stop(self) -> None:
        with self._state:
            self._stopped = True
            self._queue.put(None)

    # --- the thread ---

    def _run(self) -> None:
        try:
            self._work()
        except BaseException:
            # Nobody may wait for answers that no thread will give.
            self._stop()
            raise

    def _work(self) -> None:
        held: _Submission | None = None
        closing = False
        while not closing:
            first = held if held is not None else self._queue.get()
            held = None
            if first is None:
                break
            group, count, length = [first], len(first.entries), first.length
            deadline = time.monotonic() + self._interval_s
            while held is None:
                wait = deadline - time.monotonic()
                try:
                    item = self._queue.get(timeout=wait) if wait > 0 else self._queue.get_nowait()
                except queue.Empty:
                    break
                if item is None:
                    closing = True
                    break
                count += len(item.entries)
                length += item.length
                if count > MAX_COMMIT_ENTRIES or length > MAX_COMMIT_BYTES:
                    held = item
                else:
                    group.append(item)
            self._answer(group)
            with self._state:
                self._pending -= sum(len(submission.entries) for submission in group)

    def _answer(self, group: list[_Submission]) -> None:
        """Commit a group and tell who waits; a failure fails all of it alike."""
        try:
            group = self._refuse_large(group)
            if not group:
                return
            try:
                answers = self._commit_new(group)
            except LeafKnown:
                known = self._store.find([leaf for s in group for leaf in s.leaves])
                answers = self._commit(group, known)
        except LeafKnown:
            self._fail(group, StoreCorrupt(store=self._store.name, reason="its index is wrong"))
        except RegistryError as error:
            self._fail(group, error)
            self._recover(error)
        except BaseException as error:  # noqa: BLE001 - callers wait for an answer; the log stops
            self._fail(group, error)
            self._stop()
        else:
            for submission, answer in zip(group, answers, strict=True):
                submission.tell(answer)

    def _refuse_large(self, group: list[_Submission]) -> list[_Submission]:
        """The group without what is larger than an entry may be and will not be the first of all.

        Several may have come in as long as the log was empty, or had not told what is in it.
        """
        if not any(submission.large for submission in group):
            return group
        genesis = None if self._head.current().size else group[0]
        kept = []
        for submission in group:
            if submission is genesis or not submission.large:
                kept.append(submission)
            else:
                size = len(submission.entries[0])
                submission.tell(EntryTooLarge(size=size, limit=MAX_ENTRY_BYTES))
        return kept

    def _commit_new(self, group: list[_Submission]) -> list[Sequenced | EntriesDuplicate]:
        """As if no leaf were known or there twice. The record itself sees to it: `LeafKnown`."""
        answers: list[Sequenced | EntriesDuplicate] = []
        size = self._head.current().size
        for submission in group:
            answers.append(Sequenced(tuple(range(size, size + submission.count)), False))
            size += len(submission.leaves)
        self._append(group)
        return answers

    def _commit(
        self, group: list[_Submission], known: dict[bytes, int]
    ) -> list[Sequenced | EntriesDuplicate]:
        """With a look at each leaf."""
        size = self._head.current().size
        seen = dict(known)
        answers: list[Sequenced | EntriesDuplicate] = []
        accepted: list[_Submission] = []
        for submission in group:
            leaves, count = submission.leaves, submission.count
            clean = len(set(leaves)) == len(leaves) and seen.keys().isdisjoint(leaves)
            if all(leaf in seen for leaf in leaves[:count]):
                answers.append(Sequenced(tuple(seen[leaf] for leaf in leaves[:count]), True))
                continue
            if not clean:
                answers.append(EntriesDuplicate(positions=_duplicates(leaves, seen)))
                continue
            answers.append(Sequenced(tuple(range(size, size + count)), False))
            seen.update(zip(leaves, range(size, size + len(leaves)), strict=True))
            size += len(leaves)
            accepted.append(submission)
        if accepted:
            self._append(accepted)
        return answers

    def _append(self, accepted: list[_Submission]) -> None:
        self._head.append(
            [entry for submission in accepted for entry in submission.entries],
            [leaf for submission in accepted for leaf in submission.leaves],
        )

    @staticmethod
    def _fail(group: list[_Submission], error: BaseException) -> None:
        for submission in group:
            submission.tell(error)

    def _recover(self, error: RegistryError) -> None:
        """After a failed commit, go on from what the record really says, or stop."""
        if isinstance(error, HeadMoved | LeaseLost | StoreBehind):
            self._stop()
            return
        try:
            self._head.reload()
        except (StoreFailed, StoreFull, StoreLocked):
            return  # it may come back, and is read again before the next commit
        except RegistryError:
            self._stop()
