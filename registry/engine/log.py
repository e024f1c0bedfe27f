"""One log: sequence, integrate, publish.

Guarantees, against crashes, power cuts and full disks:
- **Acknowledged means durable and sequenced.** A submission is answered after its commit, with
  indices that never change.
- **Never two trees.** The head moves by compare-and-swap in the durable record, in the same
  transaction as the entries under it, before anybody can sign it. Only committed heads are
  signed, and the newest one only.
- **Every leaf is there once.** A submission that is wholly known is answered with its indices; a
  partly known one is refused, naming what is known.

Tiles are derived: they are written for the heads that get published, and again from the record
after a crash. A record that is older than the checkpoint beside its tiles (a wrong backup, a
database that forgot) is refused. It does not defend against an operator who replaces both by an
older copy; the nodes do, by never cosigning a smaller or other tree.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from registry.engine.unwritten import Run, Unwritten
from registry.engine.view import LogView, load_edge
from registry.errors import (
    BatchSize,
    CheckpointForeign,
    CheckpointMalformed,
    CheckpointRefused,
    EntriesDuplicate,
    EntryTooLarge,
    HeadMoved,
    LeaseLost,
    LogBusy,
    LogClosed,
    NoteForged,
    NoteMalformed,
    NoteUnsigned,
    RegistryError,
    StoreBehind,
    StoreCorrupt,
    StoreFailed,
    StoreFull,
    StoreLocked,
    TileCorrupt,
    TileMissing,
)
from registry.limits import (
    MAX_BATCH_ENTRIES,
    MAX_COMMIT_BYTES,
    MAX_COMMIT_ENTRIES,
    MAX_ENTRY_BYTES,
    MAX_GENESIS_BYTES,
    MAX_PENDING_ENTRIES,
)
from registry.storage import Commit, LeafKnown, Lease, Store, Tiles
from registry.storage.lock import FolderLock
from registry.storage.places import TILES as TILES  # noqa: PLC0414 - others know it from here
from registry.storage.places import Opened
from registry.storage.sqlite import SqliteStore
from registry.storage.tilefiles import TileFiles
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.merkle import Frontier, leaf_hashes
from registry.tlog.note import NoteSigner
from registry.tlog.tiles import WIDTH, Tile, TileStack, bundle_of, frame_entries

_WRITE_TILES: Final = 512  # at a time, while integrating: about 12 MiB of memory


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


@dataclass(frozen=True)
class _Submission:
    entries: tuple[bytes, ...]  # with the trailer, if there is one
    leaves: tuple[bytes, ...]
    trailer: bool
    tell: Tell

    @property
    def count(self) -> int:
        return len(self.leaves) - self.trailer

    @property
    def length(self) -> int:
        return sum(map(len, self.entries))


def _now() -> int:
    return int(time.time())


class Log:
    """The one writer of a log. Thread-safe; close it, or use it as a context manager."""

    def __init__(
        self,
        store: Store,
        files: Tiles,
        *,
        lease: Lease | None = None,
        signer: NoteSigner | None = None,
        interval_s: float = 0.0,
        clock: Callable[[], int] = _now,
    ) -> None:
        """Use `open` or `over`. `interval_s`: how long a commit waits for company; 0 still groups
        what arrives while the commit before is being made durable."""
        if signer is not None and signer.key.name != store.origin:
            raise CheckpointRefused(origin=store.origin, reason="the key bears another name")
        self._store = store
        self._files = files
        self._lease = lease
        self._signer = signer
        self._interval_s = interval_s
        self._clock = clock
        self._frontier = store.head()
        self._stale = False  # the record may be further than `_frontier`
        self._unwritten = Unwritten()
        self._edge = Run(0, (), ())  # the entries of the bundle that was written last, not full
        self._integrating = threading.Lock()
        self._publishing = threading.Lock()
        self._pending = 0
        self._state = threading.Lock()
        self._stopped = False
        self._queue: queue.SimpleQueue[_Submission | None] = queue.SimpleQueue()
        shown = self._shown_checkpoint()
        if shown is not None and shown.size > self._frontier.size:
            raise StoreBehind(store=store.name, size=self._frontier.size, known=shown.size)
        try:
            self.view = LogView(store, files, load_edge(store, files))
            self.integrate()
        except (TileMissing, TileCorrupt):
            self.view = LogView(store, files, TileStack())
            self.rebuild()  # the record has everything: build the tiles anew
        if shown is not None and shown.size and self.view.root_at(shown.size) != shown.root:
            raise StoreCorrupt(store=store.name, reason="another tree was published than it holds")
        published = store.published()
        if published is not None and files.read_checkpoint() != published:
            files.write_checkpoint(published, replace=shown is None)
        self._served = published  # what the checkpoint file says
        self._signed: tuple[Checkpoint, bytes] | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"commit {store.origin}", daemon=True
        )
        self._thread.start()

    def _shown_checkpoint(self) -> Checkpoint | None:
        """What this log itself signed last, as it stands beside the tiles."""
        note = self._files.read_checkpoint() if self._signer is not None else None
        if note is None or self._signer is None:
            return None
        try:
            return open_checkpoint(note, self.origin, [self._signer.key]).checkpoint
        except (CheckpointMalformed, CheckpointForeign, NoteMalformed, NoteForged, NoteUnsigned):
            return None  # damage: it is written anew

    @staticmethod
    def check_origin(origin: str) -> None:
        """Raise `CheckpointMalformed` for an origin that no checkpoint can carry."""
        Checkpoint(origin, 1, bytes(32))

    @classmethod
    def create(cls, folder: Path, origin: str) -> None:
        """Make an empty log in `folder`; raises `StoreExists`."""
        cls.check_origin(origin)
        SqliteStore.create(folder, origin)

    @classmethod
    def over(
        cls,
        opened: Opened,
        *,
        signer: NoteSigner | None = None,
        interval_s: float = 0.0,
        clock: Callable[[], int] = _now,
    ) -> Log:
        """The log over what `Places.open` opened; it is closed with it, or when this fails."""
        try:
            return cls(
                opened.store,
                opened.tiles,
                lease=opened.lease,
                signer=signer,
                interval_s=interval_s,
                clock=clock,
            )
        except BaseException:
            opened.store.close()
            opened.lease.release()
            raise

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        origin: str | None = None,
        signer: NoteSigner | None = None,
        interval_s: float = 0.0,
        clock: Callable[[], int] = _now,
    ) -> Log:
        """Open for writing and recover: tiles are brought up to the committed head.

        Raises `StoreMissing`, `StoreLocked`, `StoreForeign`, `StoreCorrupt`.
        """
        if not folder.is_dir():
            SqliteStore(folder)  # raises StoreMissing
        lock = FolderLock(folder)
        try:
            store = SqliteStore(folder, origin=origin)
        except BaseException:
            lock.release()
            raise
        opened = Opened(store, TileFiles(folder / TILES), lock)
        return cls.over(opened, signer=signer, interval_s=interval_s, clock=clock)

    @staticmethod
    def open_view(folder: Path, *, origin: str | None = None) -> LogView:
        """Read a log that another process may be writing, as it is now."""
        store = SqliteStore(folder, origin=origin, read_only=True)
        files = TileFiles(folder / TILES)
        try:
            return LogView(store, files, load_edge(store, files))
        except BaseException:
            store.close()
            raise

    @property
    def origin(self) -> str:
        return self._store.origin

    @property
    def size(self) -> int:
        """Of the committed tree; `view.size` follows with `integrate`."""
        return self._frontier.size

    @property
    def stopped(self) -> bool:
        """Whether it takes nothing more: it was closed, has failed, or its lease is gone."""
        return self._stopped or (self._lease is not None and self._lease.lost)

    # --- sequence ---

    def submit(self, entries: Sequence[bytes], trailer: bytes | None = None) -> Future[Sequenced]:
        """`post`; what it tells becomes the result or the exception of a future."""
        future: Future[Sequenced] = Future()
        future.set_running_or_notify_cancel()  # what is queued will be committed: no way back

        def tell(answer: Sequenced | BaseException) -> None:
            if isinstance(answer, Sequenced):
                future.set_result(answer)
            else:
                future.set_exception(answer)

        self.post(entries, trailer, tell)
        return future

    def post(
        self,
        entries: Sequence[bytes],
        trailer: bytes | None,
        tell: Tell,
        *,
        leaves: Sequence[bytes] | None = None,
    ) -> None:
        """Queue entries that shall stand one behind the other; the answer comes when durable.

        `trailer` (a seal) is written behind them when they are new, and not compared when they
        are not: it differs from attempt to attempt. `leaves` are the leaf hashes of all of them,
        where the caller has them. Raises `BatchSize`, `EntryTooLarge`, `LogBusy`, `LogClosed`;
        told are `EntriesDuplicate`, `StoreFull`, `StoreFailed`, `HeadMoved`, `LogClosed`, and
        then nothing of it was recorded.
        """
        rows = (*entries, trailer) if trailer is not None else tuple(entries)
        if not entries or len(rows) > MAX_BATCH_ENTRIES:
            raise BatchSize(size=len(rows), limit=MAX_BATCH_ENTRIES)
        first, *others = map(len, rows)
        # Only the genesis may be larger: the first entry of all.
        limit = MAX_ENTRY_BYTES if self.view.size else MAX_GENESIS_BYTES
        if not 0 < first <= limit:
            raise EntryTooLarge(size=first, limit=limit)
        if others and not 0 < min(others) <= max(others) <= MAX_ENTRY_BYTES:
            raise EntryTooLarge(size=min(others) and max(others), limit=MAX_ENTRY_BYTES)
        hashes = tuple(leaf_hashes(rows) if leaves is None else leaves)
        submission = _Submission(rows, hashes, trailer is not None, tell)
        with self._state:
            if self._stopped:
                raise LogClosed(origin=self.origin)
            if self._pending + len(rows) > MAX_PENDING_ENTRIES:
                raise LogBusy(origin=self.origin, pending=self._pending)
            self._pending += len(rows)
            self._queue.put(submission)

    def add(self, entries: Sequence[bytes], trailer: bytes | None = None) -> Sequenced:
        """`submit`, and wait for the answer."""
        return self.submit(entries, trailer).result()

    def _run(self) -> None:
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
            try:
                answers = self._commit_new(group)
            except LeafKnown:
                known = self._store.find([leaf for s in group for leaf in s.leaves])
                answers = self._commit(group, known)
        except LeafKnown:
            self._fail(group, StoreCorrupt(store=self._store.name, reason="its index is wrong"))
        except RegistryError as error:
            self._fail(group, error)
            self._reload(error)
        except BaseException as error:  # noqa: BLE001 - callers wait for an answer; the log stops
            self._fail(group, error)
            self._stop()
        else:
            for submission, answer in zip(group, answers, strict=True):
                submission.tell(answer)

    def _commit_new(self, group: list[_Submission]) -> list[Sequenced | EntriesDuplicate]:
        """As if no leaf were known or there twice. The record itself sees to it: `LeafKnown`."""
        answers: list[Sequenced | EntriesDuplicate] = []
        size = self._current().size
        for submission in group:
            answers.append(Sequenced(tuple(range(size, size + submission.count)), False))
            size += len(submission.leaves)
        self._append(group)
        return answers

    def _commit(
        self, group: list[_Submission], known: dict[bytes, int]
    ) -> list[Sequenced | EntriesDuplicate]:
        """With a look at each leaf."""
        size = self._current().size
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
        before = self._current()
        after = before.copy()
        fresh = [leaf for submission in accepted for leaf in submission.leaves]
        full = after.extend(fresh)
        framed = frame_entries([entry for s in accepted for entry in s.entries])
        bundle = b"".join(framed)
        self._store.append(Commit(before, after, bundle, fresh, self._clock()))
        self._unwritten.add(Run(before.size, framed, fresh, full), len(bundle))
        self._frontier = after

    @staticmethod
    def _fail(group: list[_Submission], error: BaseException) -> None:
        for submission in group:
            submission.tell(error)

    def _current(self) -> Frontier:
        """The head to build on, read again when a commit before had no clear end."""
        if self._stale:
            head = self._store.head()
            known = self._frontier
            if head.size < known.size or (head.size == known.size and head != known):
                raise StoreBehind(store=self._store.name, size=head.size, known=known.size)
            self._frontier = head
            self._stale = False
        return self._frontier

    def _reload(self, error: RegistryError) -> None:
        """After a failed commit, go on from what the record really says, or stop."""
        if isinstance(error, HeadMoved | LeaseLost | StoreBehind):
            self._stop()
            return
        self._stale = True
        try:
            self._current()
        except (StoreFailed, StoreFull, StoreLocked):
            return  # it may come back, and is read again before the next commit
        except RegistryError:
            self._stop()

    def _stop(self) -> None:
        with self._state:
            self._stopped = True
            self._queue.put(None)

    # --- integrate ---

    def integrate(self) -> Checkpoint:
        """Write the tiles of the committed head durably and show it in `view`.

        Returns the head, unsigned. Raises `StoreFull`, `StoreFailed`, `StoreCorrupt`; then
        `view` stays where it was, and the next call tries again.
        """
        with self._integrating:
            head = self._committed()
            stack = self.view.edge()
            if head.size != stack.size:
                self._advance(head, stack)
            return Checkpoint(self.origin, head.size, head.root())

    def rebuild(self) -> Checkpoint:
        """Write every tile and bundle anew from the record, after damage to files.

        Raises what `integrate` raises; with `StoreCorrupt` the record itself is damaged.
        """
        with self._integrating:
            self._unwritten.clear()
            self._edge = Run(0, (), ())
            self._advance(self._committed(), TileStack(), replace=True)
            return self.view.checkpoint

    def _committed(self) -> Frontier:
        """The head of the record, as far as its commit was confirmed to this process.

        What a database shows may still be on its way to its standby; it is not signed before.
        """
        head = self._store.head()
        return head if head.size <= self._frontier.size else self._frontier

    def _advance(self, head: Frontier, stack: TileStack, *, replace: bool = False) -> None:
        self._write(self._build(stack, head), replace)
        if stack.root() != head.root():
            raise StoreCorrupt(store=self._store.name, reason="its entries do not hash to its head")
        self._store.set_integrated(head.size)
        self.view.advance(stack)
        self._unwritten.forget(stack.size)

    def _build(self, stack: TileStack, head: Frontier) -> Iterator[tuple[Tile, bytes]]:
        """The tiles and bundles from `stack` to `head`, in order; moves `stack`."""
        index = stack.size // WIDTH
        bundle: list[bytes] = []
        for run in self._runs(index * WIDTH, stack.size, head.size):
            skip = max(stack.size - run.start, 0)
            leaves = run.leaves[skip:] if skip else run.leaves
            for tile, hashes in stack.extend(leaves, None if skip else run.full):
                yield tile, b"".join(hashes)
            position = 0
            while position < len(run.framed):
                part = run.framed[position : position + WIDTH - len(bundle)]
                position += len(part)
                bundle += part
                if len(bundle) == WIDTH:
                    yield bundle_of(index), b"".join(bundle)
                    index, bundle = index + 1, []
        if bundle:
            yield bundle_of(index, len(bundle)), b"".join(bundle)
        for tile, hashes in stack.partials():
            yield tile, b"".join(hashes)
        self._edge = Run(index * WIDTH, bundle, ())

    def _runs(self, start: int, size: int, end: int) -> Iterator[Run]:
        """The entries [start, end), from memory as far as possible, else from the record.

        `start`: where the bundle begins that the entry at `size` belongs into.
        """
        if (self._edge.start, self._edge.end) == (start, size):
            yield self._edge
            start = size
        kept = self._unwritten.between(start, end)
        first = kept[0].start if kept else end
        for position, batch in self._store.entries(start, first):
            yield Run(position, frame_entries(batch), leaf_hashes(batch))
        yield from kept

    def _write(self, tiles: Iterator[tuple[Tile, bytes]], replace: bool) -> None:
        chunk: list[tuple[Tile, bytes]] = []
        for item in tiles:
            chunk.append(item)
            if len(chunk) == _WRITE_TILES:
                self._write_chunk(chunk, replace)
                chunk = []
        self._write_chunk(chunk, replace)

    def _write_chunk(self, chunk: list[tuple[Tile, bytes]], replace: bool) -> None:
        self._files.write(chunk, replace=replace)
        self._files.drop_partials(tile for tile, _ in chunk)

    # --- publish ---

    def sign(self) -> bytes:
        """The checkpoint of the integrated tree, signed by the log.

        Its size and root went through the compare-and-swap of a commit before. One head is signed
        once in the life of a process: ML-DSA-44 is not deterministic, and slow.
        """
        if self._signer is None:
            raise CheckpointRefused(origin=self.origin, reason="no signing key was given")
        checkpoint = self.view.checkpoint
        held = self._signed
        if held is None or held[0] != checkpoint:
            held = self._signed = (checkpoint, checkpoint.sign(self._signer))
        return held[1]

    def publish(self, note: bytes) -> Checkpoint:
        """Make a signed (and cosigned) checkpoint the published one, durably.

        Raises `CheckpointRefused` when it is not of this tree, or older than the published one;
        and what `open_checkpoint` raises, when this log has a key.
        """
        with self._publishing:
            if self._signer is None:
                raise CheckpointRefused(origin=self.origin, reason="no signing key was given")
            checkpoint = open_checkpoint(note, self.origin, [self._signer.key]).checkpoint
            current = self._store.published()
            if current is not None:
                newest = open_checkpoint(current, self.origin, [self._signer.key])
                if checkpoint.size < newest.size:
                    raise CheckpointRefused(origin=self.origin, reason="a newer one is published")
            if checkpoint.size > self.view.size:
                raise CheckpointRefused(origin=self.origin, reason="it is larger than the tree")
            if checkpoint.root != self.view.root_at(checkpoint.size):
                raise CheckpointRefused(origin=self.origin, reason="its root is another")
            self._store.publish(checkpoint.size, checkpoint.root, note, self._clock())
            self._files.write_checkpoint(note)
            self._served = note
            return checkpoint

    def published(self) -> bytes | None:
        """The note of the newest published checkpoint, also while the store does not answer."""
        return self._served

    def published_at(self, size: int) -> bytes | None:
        return self._store.published_at(size)

    def tick(self) -> bytes:
        """Integrate, sign and publish what is committed, for a log that needs no cosignatures.

        Returns the published note.
        """
        self.integrate()
        served = self._served
        if served is not None and served.startswith(self.view.checkpoint.text.encode() + b"\n"):
            return served
        note = self.sign()
        self.publish(note)
        return note

    # --- end ---

    def close(self) -> None:
        """Commit what is queued, stop, and release the store."""
        self._stop()
        self._thread.join()
        while True:
            try:
                rest = self._queue.get_nowait()
            except queue.Empty:
                break
            if rest is not None:
                rest.tell(LogClosed(origin=self.origin))
        self._store.close()
        if self._lease is not None:
            self._lease.release()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
