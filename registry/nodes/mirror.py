"""The checked copy of all chains that a node keeps, and from which it serves every reader.

Entries come from anywhere. They are replayed under the rules (`registry.contracts.following`), kept
with the progress in one transaction, and shown once that is durable. A long way is gone in pieces:
between pieces the tree so far is proved to be the beginning of the tree that is aimed at, so
nothing is kept that would have to be given up again.

Guaranteed: what is shown was well formed, sealed, permitted and in order, and leads to a root that
the caller has named. Whether that root is the world's is the caller's to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from registry.contracts.following import Follower, Progress, Read
from registry.contracts.governance import Governance
from registry.engine.catalogue import FILE as CATALOGUE
from registry.engine.catalogue import PASSED_OVER, Catalogue
from registry.engine.view import LogView
from registry.errors import ConsistencyInvalid
from registry.ledger.entries import Entry
from registry.ledger.genesis import Genesis
from registry.nodes.chain_mirror import ChainMirror
from registry.nodes.store import MIRROR_FILE, NodeStore
from registry.reading.reader import ChainReader
from registry.tlog.merkle import verify_consistency

PIECE: Final = 50_000
"""Entries checked before what there is becomes durable: some seconds of work, some MiB."""

_BEHIND: Final = -1

Prove = Callable[[int], Sequence[bytes]]
"""A proof that the tree of a smaller size is the beginning of the tree that is aimed at."""


@dataclass(frozen=True)
class Waypoint:
    """A tree that the way must lead through."""

    size: int
    root: bytes


class _Views(Mapping[str, LogView]):
    """The views of mirrored chains; also of those that come later."""

    def __init__(self, mirrors: Mapping[str, ChainMirror]) -> None:
        self._mirrors = mirrors

    def __getitem__(self, origin: str) -> LogView:
        return self._mirrors[origin].view

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._mirrors))

    def __len__(self) -> int:
        return len(self._mirrors)


class Mirror:
    """The copy in one folder. Writers take turns (`Node` has the lock); readers need not wait."""

    def __init__(self, folder: Path, genesis: Genesis, *, now: Callable[[], datetime]) -> None:
        """Open or create it. Raises StoreLocked, StoreForeign, StoreFailed and their kin."""
        self.genesis: Final = genesis
        self._now = now
        self.store: Final = NodeStore(folder / MIRROR_FILE, genesis.origin)
        try:
            self.catalogue: Final = self._open_catalogue(folder)
        except BaseException:
            self.store.close()
            raise
        self.reader: Final = ChainReader(
            genesis,
            views=_Views(self.store.mirrors),
            catalogue=self.catalogue,
            published=self.store.published,
            document=self.store.document,
        )
        self.wanted: Final[set[str]] = set()  # digests of status lists that entries have named
        self._kept = 0
        self._noted: dict[str, list[tuple[int, Entry]]] = {}
        self._catalogued = self.sizes()
        self.follower = self._resume()

    def close(self) -> None:
        """Let go of the files."""
        self.catalogue.close()
        self.store.close()

    def _open_catalogue(self, folder: Path) -> Catalogue:
        catalogue = Catalogue(folder)
        mirrors = self.store.mirrors
        if any(catalogue.scanned(one.origin) > one.view.size for one in mirrors.values()):
            # It knows entries that the mirror does not have, of another past: make it anew.
            catalogue.close()
            for path in folder.glob(f"{CATALOGUE}*"):
                path.unlink()
            catalogue = Catalogue(folder)
        for mirror in mirrors.values():
            catalogue.catch_up(mirror.view, mirror.view.size)
        return catalogue

    def _resume(self) -> Follower:
        progress = self.store.progress()
        for origin, chain in progress.items():
            chain.lists.update(self.catalogue.lists(origin, chain.size))
        main = progress.get(self.genesis.origin, Progress())
        return Follower(
            self.genesis,
            governance=Governance.replay(self.genesis, self.catalogue.rules(main.size)),
            progress=progress,
        )

    @property
    def size(self) -> int:
        """Main-chain entries that were checked and are durable."""
        held = self.store.mirrors.get(self.genesis.origin)
        return held.view.size if held else 0

    def sizes(self) -> dict[str, int]:
        """The same of every chain."""
        return {origin: one.view.size for origin, one in self.store.mirrors.items()}

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` entries of the main chain."""
        return self.store.mirrors[self.genesis.origin].view.root_at(size)

    def advance(
        self,
        size: int,
        root: bytes,
        *,
        read: Read,
        prove: Prove | None = None,
        through: Waypoint | None = None,
    ) -> None:
        """Check the main chain up to `size` and `root`, and all that it names.

        Leaves a transaction open: the caller ends it by `commit` or `rollback`. With `prove`, the
        way is gone in pieces, each of them committed. Raises ChainInvalid, ConsistencyInvalid
        when the way does not lead `through`, and what `read` and `prove` raise; then what was not
        committed is forgotten.
        """
        self.settle()
        store, main = self.store, self.follower.of(self.genesis.origin)
        reached = through is None or through.size <= main.size

        def keep(origin: str, index: int, leaves: Sequence[Entry]) -> None:
            store.keep(origin, index, leaves)
            self._kept += len(leaves)
            noted = self._noted.setdefault(origin, [])
            noted += [
                (at, leaf) for at, leaf in enumerate(leaves, index) if leaf.kind not in PASSED_OVER
            ]

        def pass_waypoint() -> None:
            nonlocal reached
            if through is not None and not reached and main.size >= through.size:
                if (main.size, main.frontier.root()) != (through.size, through.root):
                    raise ConsistencyInvalid(reason="it leads past a tree that was cosigned before")
                reached = True

        def pause() -> None:
            pass_waypoint()
            if prove is not None and self._kept >= PIECE:
                verify_consistency(main.size, size, main.frontier.root(), root, prove(main.size))
                self._save()
                self.commit()
                store.begin()

        store.begin()
        self._kept, self._noted = 0, {}
        try:
            with store.translated():
                self.follower.advance(
                    size, root, read=read, keep=keep, now=self._now(), pause=pause
                )
                pass_waypoint()
                self._save()
        except BaseException:
            self.rollback()
            raise

    def _save(self) -> None:
        chains = list(self.follower.governance.chains)
        self.store.register(chains)
        self.store.save_progress(
            {origin: self.follower.of(origin) for origin in [self.genesis.origin, *chains]}
        )

    def commit(self) -> None:
        """Make durable what `advance` left open, and show it."""
        self.store.commit()
        self.note_committed()

    def note_committed(self) -> None:
        """After a commit, by whoever made it: bring the look-up tables up to it."""
        noted, self._noted, self._kept = self._noted, {}, 0
        for origin, mirror in list(self.store.mirrors.items()):
            size = mirror.view.size
            entries = noted.get(origin, [])
            self.wanted.update([entry["digest"] for _, entry in entries if entry.kind == "status"])
            start = self._catalogued.get(origin, 0)
            if start != size:
                self._catalogued[origin] = _BEHIND  # should this fail, they are read again
                if origin not in noted or not self.catalogue.take(origin, start, size, entries):
                    self.catalogue.catch_up(mirror.view, size)
                self._catalogued[origin] = size

    def settle(self) -> None:
        """After a commit that may have failed: resume from what is durable, if it did."""
        if self.store.open_transaction or self.follower.of(self.genesis.origin).size != self.size:
            self.rollback()

    def rollback(self) -> None:
        """Forget what was not committed, and resume from what was."""
        self.store.rollback()
        self._noted = {}
        self.note_committed()  # the rules are read from there, and it may have been committed
        self.follower = self._resume()
