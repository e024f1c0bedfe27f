"""The checkpoints of a log: signed, published, and found again.

Guarantees, together with the record, that only the integrated tree is signed, that no older
checkpoint replaces a newer one, and that a note is durable in the record before it is shown beside
the tiles.

It does not defend against an operator who replaces record and tiles by an older copy; the nodes
do, by never cosigning a smaller or other tree.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from registry.engine.view import LogView
from registry.errors import (
    CheckpointForeign,
    CheckpointMalformed,
    CheckpointRefused,
    NoteForged,
    NoteMalformed,
    NoteUnsigned,
    StoreCorrupt,
)
from registry.storage import Store, Tiles
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.note import NoteSigner


def shown_checkpoint(files: Tiles, origin: str, signer: NoteSigner | None) -> Checkpoint | None:
    """What the log itself signed last, as it stands beside the tiles; None without a key."""
    note = files.read_checkpoint() if signer is not None else None
    if note is None or signer is None:
        return None
    try:
        return open_checkpoint(note, origin, [signer.key]).checkpoint
    except (CheckpointMalformed, CheckpointForeign, NoteMalformed, NoteForged, NoteUnsigned):
        return None  # damage: it is written anew


class Publisher:
    """Signs and publishes what `view` shows. Thread-safe."""

    def __init__(
        self,
        store: Store,
        files: Tiles,
        view: LogView,
        signer: NoteSigner | None,
        clock: Callable[[], int],
        *,
        shown: Checkpoint | None,
    ) -> None:
        """Goes on from what was published before; `shown` is from `shown_checkpoint`.

        Raises `StoreCorrupt` when what is shown is of another tree.
        """
        self._store = store
        self._origin = store.origin
        self._files = files
        self._view = view
        self._signer = signer
        self._clock = clock
        self._publishing = threading.Lock()
        if shown is not None and shown.size and view.root_at(shown.size) != shown.root:
            raise StoreCorrupt(store=store.name, reason="another tree was published than it holds")
        published = self._served = store.published()  # what the checkpoint file says
        if published is not None and files.read_checkpoint() != published:
            self._show(published, replace=shown is None)
        self._signed: tuple[Checkpoint, bytes] | None = None

    @property
    def served(self) -> bytes | None:
        """The note of the newest published checkpoint, also while the store does not answer."""
        return self._served

    def sign(self) -> bytes:
        """The checkpoint of the integrated tree, signed by the log.

        Its size and root went through the compare-and-swap of a commit before. One head is signed
        once in the life of a process: ML-DSA-44 is not deterministic, and slow.
        """
        if self._signer is None:
            raise CheckpointRefused(origin=self._origin, reason="no signing key was given")
        checkpoint = self._view.checkpoint
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
                raise CheckpointRefused(origin=self._origin, reason="no signing key was given")
            checkpoint = open_checkpoint(note, self._origin, [self._signer.key]).checkpoint
            current = self._store.published()
            if current is not None:
                newest = open_checkpoint(current, self._origin, [self._signer.key])
                if checkpoint.size < newest.size:
                    raise CheckpointRefused(origin=self._origin, reason="a newer one is published")
            if checkpoint.size > self._view.size:
                raise CheckpointRefused(origin=self._origin, reason="it is larger than the tree")
            if checkpoint.root != self._view.root_at(checkpoint.size):
                raise CheckpointRefused(origin=self._origin, reason="its root is another")
            self._store.publish(checkpoint.size, checkpoint.root, note, self._clock())
            self._show(note)
            return checkpoint

    def _show(self, note: bytes, *, replace: bool = False) -> None:
        """Write what the record was seen to have, and again until it has nothing newer.

        Whoever was paused right before may write over what its successor has shown meanwhile,
        where neither locks nor conditions keep it from that. Its look at the record comes after.
        """
        self._files.write_checkpoint(note, replace=replace)
        self._served = note
        newest = self._store.published()
        if newest is not None and newest != note:
            self._show(newest)
