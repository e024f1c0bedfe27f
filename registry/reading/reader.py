"""What is read of a network, from whoever holds its chains: the sequencer, or a node's mirror.

Checkpoints, proofs of side chains' checkpoints, trust bundles, blocks, look-ups, status lists.
Nothing here decides anything, and readers trust none of it: all of it verifies against the pinned
genesis. A bundle is verified here, too, before it is handed out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from registry.contracts.governance import newest_lists
from registry.engine.catalogue import Catalogue
from registry.engine.view import LogView
from registry.errors import EntryUnknown, OriginUnknown
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.genesis import Genesis
from registry.tlog.policy import CosignedCheckpoint
from registry.tlog.proofs import TlogProof
from registry.tlog.tiles import WIDTH
from registry.trust import TrustBundle
from registry.trust.build import SideParts, build_bundle


class ChainReader:
    """Reads the chains of one network. Thread-safe, as its parts are."""

    def __init__(
        self,
        genesis: Genesis,
        *,
        views: Mapping[str, LogView],
        catalogue: Catalogue,
        published: Callable[[str], bytes | None],
        document: Callable[[str], bytes | None],
    ) -> None:
        """`views` by origin (it may grow), `published(origin)` the newest published note,
        `document(digest)` the canonical bytes of a status list credential."""
        self.genesis: Final = genesis
        self.views: Final = views
        self.catalogue: Final = catalogue
        self.document: Final = document
        self._published = published
        self._bundle_lock = threading.Lock()
        self._bundle: TrustBundle | None = None
        self._cosigned: CosignedCheckpoint | None = None  # of one note: verified once

    def view(self, origin: str) -> LogView:
        """The log of a chain; raises OriginUnknown."""
        view = self.views.get(origin)
        if view is None:
            raise OriginUnknown(origin=origin)
        return view

    def cosigned(self) -> CosignedCheckpoint | None:
        """The newest main checkpoint that has its quorum."""
        note = self._published(self.genesis.origin)
        if note is None:
            return None
        held = self._cosigned
        if held is None or held.data != note:
            held = self._cosigned = self.genesis.policy.check(note, origin=self.genesis.origin)
        return held

    def checkpoint(self, origin: str) -> bytes:
        """The published checkpoint: cosigned for the main chain, log-signed for a side chain.

        Raises OriginUnknown, and EntryUnknown while there is none.
        """
        if origin not in self.views:
            raise OriginUnknown(origin=origin)
        note = self._published(origin)
        if note is None:
            raise EntryUnknown(origin=origin)
        return note

    def side_proof(self, origin: str, covering: int | None = None) -> bytes:
        """A tlog-proof of a side chain's checkpoint entry under the cosigned main checkpoint.

        Its `extra` is the entry. The newest one, or the first that covers entry `covering`.
        Raises OriginUnknown, and EntryUnknown while there is none.
        """
        if origin == self.genesis.origin or origin not in self.views:
            raise OriginUnknown(origin=origin)
        cosigned = self.cosigned()
        if cosigned is None:
            raise EntryUnknown(origin=origin)
        found = (
            self.catalogue.checkpoint(cosigned.size, origin)
            if covering is None
            else self.catalogue.covering(origin, covering, cosigned.size)
        )
        if found is None:
            raise EntryUnknown(origin=origin)
        index, entry = found
        path = self.views[self.genesis.origin].inclusion_proof(index, cosigned.size)
        return TlogProof(index, tuple(path), cosigned.data, entry.raw).encode()

    def lookup(self, origin: str, leaf: bytes) -> int:
        """Where a leaf hash stands; raises OriginUnknown, and EntryUnknown where it does not."""
        index = self.view(origin).index_of(leaf)
        if index is None:
            raise EntryUnknown(origin=origin)
        return index

    def blocks(self, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """Side-chain batches as the main chain records them, newest first."""
        return [
            {
                "index": index,
                "origin": entry["origin"],
                "start": entry["start"],
                "end": entry["end"],
                "entries": entry["end"] - entry["start"],
                "root": entry["root"],
                "subtree": entry["subtree"],
            }
            for index, entry in self.catalogue.blocks(limit, before)
        ]

    # Trust bundles

    def trust_bundle(self) -> TrustBundle:
        """The bundle as of the newest cosigned checkpoint, verified before it is handed out."""
        with self._bundle_lock:
            note = self._published(self.genesis.origin)
            if note is None:
                raise EntryUnknown(origin=self.genesis.origin)
            if (
                self._bundle is None
                or self._bundle.main_checkpoint.data != note
                or self._lacks_documents(self._bundle)
            ):
                self._bundle = TrustBundle.load(self._build_bundle(note), self.genesis)
            return self._bundle

    def _lacks_documents(self, bundle: TrustBundle) -> bool:
        held = {snapshot.digest for snapshot in bundle.status_lists()}
        newest = newest_lists(
            (chain, self.catalogue.lists(origin, bundle.size_of(origin)))
            for origin, chain in bundle.chains.items()
        )
        return any(
            entry["digest"] not in held and self.document(entry["digest"]) is not None
            for entry in newest.values()
        )

    def _build_bundle(self, note: bytes) -> bytes:
        main, catalogue = self.views[self.genesis.origin], self.catalogue
        size = self.genesis.policy.check(note, origin=self.genesis.origin).size
        entries: dict[int, Entry] = dict(catalogue.rules(size))
        sides: dict[str, SideParts] = {}
        newest = catalogue.checkpoint(size)
        start = 0
        if newest is not None:
            start, last = newest
            heads = {**last["heads"], last["origin"]: start}
            # The entry names the checkpoints before it, its own chain's among them.
            for index in {*last["heads"].values(), start}:
                entries[index] = parse_entry(main.entry(index))
            for origin, index in heads.items():
                sides[origin] = self._side_parts(origin, entries[index]["size"])
        for index, raw in enumerate(main.iterate(start, size), start):
            entries[index] = parse_entry(raw)
        return build_bundle(
            self.genesis,
            checkpoint=note,
            entries=entries,
            path=lambda index: main.inclusion_proof(index, size),
            sides=sides,
            document=self.document,
        )

    def _side_parts(self, origin: str, size: int) -> SideParts:
        view = self.view(origin)
        return SideParts(
            size,
            lambda count: view.level_hashes(1, 0, count),
            lambda tile, width: view.leaf_hashes(tile * WIDTH, tile * WIDTH + width),
            self.catalogue.lists(origin, size),
        )
