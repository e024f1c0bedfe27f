"""What a node may have cosigned before it lost its record.

A witness must never roll back: a checkpoint that it once cosigned binds it for ever, also when the
disk that remembered it is gone. So a node whose record is missing asks the sequencer and the other
nodes what they have seen, and takes the largest tree that any node has cosigned as its **floor**:
it cosigns nothing until it stands on that tree, checked by itself, or on one that continues it.
It also asks at every start, and so notices a record that was restored from an old copy.

Guaranteed: if a tree that this node had cosigned got its quorum, the node finds it. For that it
must hear `needed` other nodes, so many that among them one belongs to every quorum that this node
may have been part of; until it has heard them, it cosigns nothing. An answer counts by a
cosignature of that very node, or when it says that it has cosigned nothing yet.

**What remains.** A cosignature that reached nobody but a dishonest sequencer is found nowhere: it
could be had once more, on another tree. That alone makes no second quorum; together with one
dishonest node it could. And a node that answers from an address that the sequencer named may be
an old answer, replayed; addresses given by `--peer` are asked instead where there are any.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from registry.errors import RegistryError, RegistryUnreachable
from registry.ledger.genesis import Genesis
from registry.reading.sources import HttpSource, Peers
from registry.tlog.checkpoint import SignedCheckpoint, open_checkpoint
from registry.tlog.note import VerifierKey


def needed(genesis: Genesis) -> int:
    """How many other nodes must be heard.

    A quorum that this node was part of has `quorum - 1` others of `nodes - 1`; so many that no
    such set can be missed.
    """
    others = len(genesis.nodes) - 1
    return min(others, others - (genesis.quorum - 1) + 1)


@dataclass
class Heard:
    """What an inquiry found."""

    nodes: set[str] = field(default_factory=set)
    own: SignedCheckpoint | None = None  # the largest that bears this node's cosignature
    any: SignedCheckpoint | None = None  # the largest that bears any node's cosignature
    forks: list[tuple[SignedCheckpoint, SignedCheckpoint]] = field(default_factory=list)


class Inquiry:
    """Asks everybody for main-chain checkpoints that nodes have cosigned."""

    def __init__(self, genesis: Genesis, own: VerifierKey, peers: Peers) -> None:
        self._genesis: Final = genesis
        self._own: Final = own
        self._peers: Final = peers
        self._log_key: Final = VerifierKey.parse(genesis.log_key)
        self._keys: Final = {node.name: VerifierKey.parse(node.vkey) for node in genesis.nodes}

    def run(self) -> Heard:
        """One round. Whoever does not answer was not heard."""
        heard = Heard()
        for source in self._peers.registries:
            self._published(source, heard)
        for name, source in list(self._peers.nodes.items()):
            key = self._keys.get(name)
            if key is None or key == self._own:
                continue
            self._published(source, heard)
            self._monitored(name, key, source, heard)
        return heard

    def _published(self, source: HttpSource, heard: Heard) -> None:
        try:
            note = source.checkpoint(self._genesis.origin)
        except RegistryUnreachable:
            return
        if note is not None:
            self._take(note, heard)

    def _monitored(self, name: str, key: VerifierKey, source: HttpSource, heard: Heard) -> None:
        try:
            note = source.monitored(self._genesis.origin)
        except RegistryUnreachable:
            return
        if note is None:
            heard.nodes.add(name)
            return
        found = self._take(note, heard)
        if found is not None and key in found.cosignatures:
            heard.nodes.add(name)

    def _take(self, note: bytes, heard: Heard) -> SignedCheckpoint | None:
        try:
            found = open_checkpoint(
                note, self._genesis.origin, [self._log_key], self._keys.values()
            )
        except RegistryError:
            return None  # no statement of anybody: as good as no answer
        if not found.cosignatures:
            return None
        for other in (heard.any, heard.own):
            if other is not None and other.size == found.size and other.root != found.root:
                heard.forks.append((other, found))
        if heard.any is None or found.size > heard.any.size:
            heard.any = found
        if self._own in found.cosignatures and (heard.own is None or found.size > heard.own.size):
            heard.own = found
        return found
