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

A log is put together here from parts that each own their state: the head of the record (`head`),
the queue whose thread alone moves it (`committing`), the tiles and the view over them, which
follow it (`integrating`), and the checkpoints of that view (`publishing`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from registry.engine.committing import Committer, Tell
from registry.engine.committing import Sequenced as Sequenced  # noqa: PLC0414 - known from here
from registry.engine.head import Head
from registry.engine.integrating import Integrator
from registry.engine.publishing import Publisher, shown_checkpoint
from registry.engine.view import LogView, load_edge
from registry.errors import CheckpointRefused, StoreBehind, TileCorrupt, TileMissing
from registry.storage import Lease, Store, Tiles
from registry.storage.lock import FolderLock
from registry.storage.places import TILES as TILES  # noqa: PLC0414 - others know it from here
from registry.storage.places import Opened
from registry.storage.sqlite import SqliteStore
from registry.storage.tilefiles import TileFiles
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.note import NoteSigner
from registry.tlog.tiles import TileStack


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
        self._lease = lease
        self._head = Head(store, clock)
        shown = shown_checkpoint(files, store.origin, signer)
        if shown is not None and shown.size > self._head.size:
            raise StoreBehind(store=store.name, size=self._head.size, known=shown.size)
        try:
            self._integrator = Integrator(store, files, self._head, load_edge(store, files))
            self.integrate()
        except (TileMissing, TileCorrupt):
            self._integrator = Integrator(store, files, self._head, TileStack())
            self.rebuild()  # the record has everything: build the tiles anew
        self.view = self._integrator.view
        self._publisher = Publisher(store, files, self.view, signer, clock, shown=shown)
        # Last of all: nothing is taken before everything is recovered.
        self._committer = Committer(store, self._head, lease, interval_s=interval_s)

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
        return self._head.size

    @property
    def stopped(self) -> bool:
        """Whether it takes nothing more: it was closed, has failed, or its lease is gone."""
        return self._committer.stopped

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

        self._committer.post(entries, trailer, tell)
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
        told are `EntriesDuplicate`, `StoreFull`, `StoreFailed`, `HeadMoved`, `LeaseLost`,
        `LogClosed`, and then nothing of it was recorded; or `StoreUnreachable`, and then it may
        have been: whoever asks again is answered with its indices.
        """
        self._committer.post(entries, trailer, tell, leaves)

    def add(self, entries: Sequence[bytes], trailer: bytes | None = None) -> Sequenced:
        """`submit`, and wait for the answer."""
        return self.submit(entries, trailer).result()

    # --- integrate ---

    def integrate(self) -> Checkpoint:
        """Write the tiles of the committed head durably and show it in `view`.

        Returns the head, unsigned. Raises `StoreFull`, `StoreFailed`, `StoreCorrupt`; then
        `view` stays where it was, and the next call tries again.
        """
        return self._integrator.integrate()

    def rebuild(self) -> Checkpoint:
        """Write every tile and bundle anew from the record, after damage to files.

        Raises what `integrate` raises; with `StoreCorrupt` the record itself is damaged.
        """
        return self._integrator.rebuild()

    # --- publish ---

    def sign(self) -> bytes:
        """The checkpoint of the integrated tree, signed by the log, once for each tree.

        Raises `CheckpointRefused` when no signing key was given.
        """
        return self._publisher.sign()

    def publish(self, note: bytes) -> Checkpoint:
        """Make a signed (and cosigned) checkpoint the published one, durably.

        Raises `CheckpointRefused` when it is not of this tree, or older than the published one;
        and what `open_checkpoint` raises, when this log has a key.
        """
        return self._publisher.publish(note)

    def published(self) -> bytes | None:
        """The note of the newest published checkpoint, also while the store does not answer."""
        return self._publisher.served

    def published_at(self, size: int) -> bytes | None:
        """The note of this size, if it was published and is still kept."""
        return self._store.published_at(size)

    def tick(self) -> bytes:
        """Integrate, sign and publish what is committed, for a log that needs no cosignatures.

        Returns the published note.
        """
        self.integrate()
        served = self._publisher.served
        if served is not None and served.startswith(self.view.checkpoint.text.encode() + b"\n"):
            return served
        note = self.sign()
        self.publish(note)
        return note

    # --- end ---

    def close(self) -> None:
        """Commit what is queued, stop, and release the store."""
        self._committer.close()
        self._store.close()
        if self._lease is not None:
            self._lease.release()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
