"""How a node keeps up with what others have seen, so that it can serve every reader.

By and by, in one loop: what a quorum has cosigned on the main chain, also while nobody asks this
node to cosign; the published checkpoints of side chains; the status lists that entries name by
digest; and, at a start, what this node may have cosigned before (`registry.nodes.recovery`).

Everything is checked before it is kept: notes by their signatures and against the mirror's own
trees, documents by their digests. Whoever serves them is believed nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from time import monotonic
from typing import Final

from registry.errors import NodeBusy, RegistryError, RegistryUnreachable
from registry.nodes.node import Node
from registry.nodes.recovery import Inquiry, needed
from registry.reading.sources import HttpSource, Peers
from registry.tlog.checkpoint import SignedCheckpoint, open_checkpoint
from registry.tlog.note import VerifierKey
from registry.tlog.policy import CosignedCheckpoint
from schemas.digests import digest_multibase

log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0
AFTER_COSIGNING_S: Final = 0.3  # the sequencer collects the others; and one look serves for some
ASK_ALL_S: Final = 10.0  # the other nodes, too: the registry might show old notes
ADDRESSES_S: Final = 30.0
AHEAD_S: Final = 30.0
DOCUMENTS_AT_ONCE: Final = 64
DOCUMENT_AGAIN_S: Final = 30.0
_MAX_NODES: Final = 64


class CatchingUp:
    """The loop of one node. `start` runs it in a thread; tests call `turn`."""

    def __init__(self, node: Node, peers: Peers) -> None:
        self._node = node
        self._peers = peers
        self._genesis = node.genesis
        self._inquiry = Inquiry(node.genesis, node.key, peers)
        self._inquired = False
        # Published, and not mirrored yet: until when it is waited for.
        self._ahead: dict[str, tuple[SignedCheckpoint, float]] = {}
        self._again: dict[str, float] = {}  # documents that nobody had
        self._all_at = self._addresses_at = float("-inf")
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None
        self._wanted_before()

    def _wanted_before(self) -> None:
        mirror = self._node.mirror
        for origin in mirror.sizes():
            mirror.wanted.update(mirror.catalogue.digests(origin))

    # The loop

    def start(self, interval: float = INTERVAL_S) -> None:
        """Run in a thread until `close`."""
        self._thread = threading.Thread(
            target=self._run, args=(interval,), name="catching up", daemon=True
        )
        self._thread.start()

    def addresses(self) -> dict[str, str]:
        """Where the other nodes are, as far as this one knows."""
        return self._peers.addresses()

    def wake(self) -> None:
        """Something was cosigned: look soon what became of it."""
        self._wake.set()

    def close(self) -> None:
        """End the loop."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, interval: float) -> None:
        while not self._stop.is_set():
            if self._wake.wait(interval):
                self._wake.clear()
                self._stop.wait(AFTER_COSIGNING_S)
            if self._stop.is_set():
                return
            try:
                self.turn()
            except NodeBusy:
                continue
            except RegistryError as error:
                if self._trouble != error.code:
                    log.warning("the node cannot keep up for now: %s %s", error.code, error)
                self._trouble = error.code
            except Exception:
                # A defect must not end the loop in silence.
                log.exception("keeping up failed in a way that was not foreseen")
            else:
                self._trouble = None

    def turn(self, *, everybody: bool = False) -> None:
        """Look once. `everybody`: ask all peers, not only the registry."""
        moment = monotonic()
        missing = self._node.asking or not self._peers.nodes
        if everybody or missing or moment - self._addresses_at >= ADDRESSES_S:
            self._addresses_at = moment
            self._learn_addresses()
        everybody = everybody or moment - self._all_at >= ASK_ALL_S
        if everybody:
            self._all_at = moment
        if self._node.asking or (everybody and not self._inquired):
            heard = self._inquiry.run()
            self._node.learn(heard)
            self._inquired = len(heard.nodes) >= needed(self._genesis)
        answered = self._follow_main(everybody=everybody)
        self._publish_sides(answered)
        self._fetch_documents(answered)

    def _learn_addresses(self) -> None:
        found: dict[str, object] = {}
        for source in self._peers.all():
            try:
                told = source.told().get("nodes")
            except RegistryUnreachable:
                continue
            for node in told[:_MAX_NODES] if isinstance(told, list) else []:
                if isinstance(node, dict) and isinstance(node.get("url"), str):
                    found.setdefault(str(node.get("name")), node["url"])
        names = {node.name for node in self._genesis.nodes} - {self._node.name}
        self._peers.learn({name: url for name, url in found.items() if name in names})

    # Checkpoints

    def _follow_main(self, *, everybody: bool) -> list[HttpSource]:
        """Take in the newest cosigned checkpoint that anybody shows; who answered."""
        newest: CosignedCheckpoint | None = None
        first: HttpSource | None = None
        answered: list[HttpSource] = []
        now = int(self._node.now().timestamp())
        held = self._node.mirror.store.published(self._genesis.origin)
        for source in self._peers.all():
            if answered and not everybody:
                break
            try:
                note = source.checkpoint(self._genesis.origin)
                answered.append(source)
                if note is None or note == held:
                    continue
                found = self._genesis.policy.check(note, origin=self._genesis.origin, now=now)
            except RegistryError:
                continue  # not there, or not the statement of a quorum
            if newest is None or (found.size, found.time_s or 0) > (
                newest.size,
                newest.time_s or 0,
            ):
                newest, first = found, source
        if newest is not None and first is not None and self._newer(newest):
            # The registry has what it had cosigned; the other nodes are asked when it is silent.
            asked = [source for source in self._peers.registries if source in answered]
            rest = [source for source in self._peers.all() if source not in (first, *asked)]
            peers = list(self._peers.nodes.values())
            ordered = list(dict.fromkeys([*asked, first, *rest]))
            self._node.catch_up(newest, ordered, yielding=peers)
        return answered

    def _newer(self, found: CosignedCheckpoint) -> bool:
        held = self._node.reader.cosigned()
        return held is None or (found.size, found.time_s or 0) > (held.size, held.time_s or 0)

    def _publish_sides(self, sources: Iterable[HttpSource]) -> None:
        mirror = self._node.mirror
        for origin, chain in list(mirror.follower.governance.chains.items()):
            size = mirror.sizes().get(origin, 0)
            held = mirror.store.published(origin)
            if held is not None and _size(held, origin, chain.log_key) >= size:
                continue
            self._publish_side(origin)
            for source in sources:
                if origin in self._ahead:
                    break  # wait until the mirror is there
                try:
                    note = source.checkpoint(origin)
                    if note is not None:
                        signed = open_checkpoint(note, origin, [chain.log_key])
                        self._ahead[origin] = signed, monotonic() + AHEAD_S
                except RegistryError:
                    continue
            self._publish_side(origin)

    def _publish_side(self, origin: str) -> None:
        """Publish what waits, if the mirror has come to it and has the same tree."""
        signed, until = self._ahead.get(origin, (None, 0.0))
        view = self._node.reader.views.get(origin)
        if signed is None or view is None:
            return
        if signed.size > view.size:
            if until < monotonic():
                del self._ahead[origin]  # nothing that exists is so far ahead for so long
            return
        del self._ahead[origin]
        if view.root_at(signed.size) == signed.root:
            with self._node.turn():
                self._node.mirror.store.publish(origin, signed.size, 0, signed.data)

    # Documents

    def _fetch_documents(self, sources: Iterable[HttpSource]) -> None:
        mirror, moment = self._node.mirror, monotonic()
        due = [d for d in list(mirror.wanted) if self._again.get(d, 0.0) <= moment]
        for digest in due[:DOCUMENTS_AT_ONCE]:
            if mirror.store.has_document(digest) or self._fetch(digest, sources):
                mirror.wanted.discard(digest)
                self._again.pop(digest, None)
            else:
                self._again[digest] = moment + DOCUMENT_AGAIN_S

    def _fetch(self, digest: str, sources: Iterable[HttpSource]) -> bool:
        for source in [*sources, *(s for s in self._peers.nodes.values() if s not in sources)]:
            try:
                data = source.document(digest)
            except RegistryUnreachable:
                continue
            if data is not None and digest_multibase(data) == digest:
                with self._node.turn():
                    self._node.mirror.store.keep_document(digest, data)
                return True
        return False


def _size(note: bytes, origin: str, key: VerifierKey) -> int:
    return open_checkpoint(note, origin, [key]).size
