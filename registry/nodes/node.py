"""A node: witness, validator and mirror in one, run by one department.

It answers `add-checkpoint` of c2sp.org/tlog-witness for the main chain. Before it cosigns, it
checks that the tree only grew (consistency with what it cosigned last) and that every new entry of
every chain is well formed, sealed and permitted (`registry.contracts.following`), by its own replay
of entries that it fetches and keeps. It never rolls back: the record moves forward durably before
an answer is given, and a restart resumes from it. What it refused, it explains: the reason, the
checkpoint that the log had signed, and the leaves at fault stay on record.

Guaranteed against a dishonest sequencer: no two trees and no forbidden entry get this node's
cosignature. A quorum of honest nodes makes that hold for the network. What a node cannot do is make
a sequencer work that refuses to. What it can after it lost its disk: `registry.nodes.recovery`.

Beside that it may witness logs of others, under a key of its own: such a cosignature says that the
log only grew, and nothing of its entries.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from registry.contracts.following import Read
from registry.errors import (
    ChainInvalid,
    ConsistencyInvalid,
    NodeBusy,
    NodeForked,
    NodeRecovering,
    RegistryError,
)
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_time
from registry.nodes.mirror import Mirror, Waypoint
from registry.nodes.recovery import Heard, needed
from registry.nodes.refusals import Refusal
from registry.reading.reader import ChainReader
from registry.reading.sources import HttpSource
from registry.tlog.checkpoint import SignedCheckpoint, open_checkpoint
from registry.tlog.merkle import consistency_proof
from registry.tlog.note import NoteSigner
from registry.tlog.policy import CosignedCheckpoint
from registry.tlog.tiles import TileReader
from registry.witnessing.witness import Answer, Cosigned, Witness, utc_now
from schemas.errors import Phrase

log = logging.getLogger(__name__)

BUSY_S: Final = 5.0  # how long a request waits for the one before it
FLOOR: Final = "floor"
ASKING: Final = "asking"


class _Record:
    """The node's store as the witness' record: with each refusal goes what was at fault."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def cosigned(self, origin: str) -> Cosigned:
        return self._node.mirror.store.cosigned(origin)

    def cosign(self, origin: str, old: Cosigned, new: Cosigned) -> bool:
        return self._node.mirror.store.cosign(origin, old, new)

    def record_refusal(self, time: datetime, reason: str, note: bytes) -> None:
        self._node.refuse(reason, note)


class Node:
    """One node of the network that `genesis` pins."""

    def __init__(
        self,
        name: str,
        genesis: Genesis,
        signer: NoteSigner,
        folder: Path,
        read: Read,
        *,
        now: Callable[[], datetime] = utc_now,
        lost: bool = False,
        others: Witness | None = None,
    ) -> None:
        """Open the node's store in `folder`; `read` fetches entries from the sequencer.

        `lost`: should the store be empty, then it is because the disk was lost, and the node
        must find out first what it may have cosigned. `others` witnesses logs of others.
        """
        self.name = name
        self.genesis = genesis
        self.key: Final = signer.key
        self.others: Final = others
        self._read = read
        self._now = now
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self.mirror: Final = Mirror(folder, genesis, now=now)
        self._store = self.mirror.store
        self._witness = Witness(
            _Record(self), signer.all, {genesis.origin: genesis.log_keys}, now=now
        )
        self._fault: RegistryError | None = None
        self._latest_error = ""
        if lost and not self._cosigned().note and not self.mirror.size:
            self._store.set_meta(ASKING, "1")

    def close(self) -> None:
        """Wait for the request under way, then let go of the store."""
        with self._lock:
            self.mirror.close()

    @property
    def reader(self) -> ChainReader:
        """What is read of the chains, from the mirror."""
        return self.mirror.reader

    def now(self) -> datetime:
        """The node's clock."""
        return self._now()

    @contextmanager
    def turn(self, timeout: float = BUSY_S) -> Iterator[None]:
        """The right to write. One at a time; raises NodeBusy."""
        with self._counting:
            self._waiting += 1
        try:
            got = self._lock.acquire(timeout=timeout)
        finally:
            with self._counting:
                self._waiting -= 1
        if not got:
            raise NodeBusy
        try:
            yield
        finally:
            self._lock.release()

    def _cosigned(self) -> Cosigned:
        return self._store.cosigned(self.genesis.origin)

    # Cosigning

    def add_checkpoint(self, body: bytes) -> Answer:
        """tlog-witness `add-checkpoint`, with its status codes."""
        other = self._other(body)
        if other is not None:
            return other.add_checkpoint(body)
        try:
            with self.turn(BUSY_S):
                self._fault = None
                try:
                    answer = self._witness.add_checkpoint(body, self._check)
                finally:
                    self._end()
        except RegistryError as error:  # busy, or a full disk: nothing about the chain
            answer = Answer.text(503, f"{error.code}: {error}")
        if answer.status == 200:
            self._latest_error = ""
        elif answer.status == 503:  # of refusals, `refuse` tells those that a log is to blame for
            self._latest_error = answer.body.decode(errors="replace").strip()
            log.warning("node %s cannot tell now: %s", self.name, self._latest_error)
        return answer

    def _other(self, body: bytes) -> Witness | None:
        """Who answers for a log that is not this node's own."""
        origin = _origin_of(body)
        if self.others is None or origin == self.genesis.origin:
            return None
        return self.others if origin in self.others.origins else None

    def _end(self) -> None:
        """What was checked stays, also when no cosignature over it was made after all.

        What could not be made durable is forgotten, and checked again the next time.
        """
        try:
            if self._store.open_transaction:
                self.mirror.commit()
            else:
                self.mirror.note_committed()
        finally:
            self.mirror.settle()

    def _check(self, signed: SignedCheckpoint) -> None:
        """Whether a tree may be cosigned; leaves its transaction open for the cosignature."""
        if signed.size == 0:
            raise ConsistencyInvalid(reason="an empty log has no genesis")
        floor = self._floor()
        if floor is not None:
            if signed.size < floor.size:
                raise NodeRecovering(
                    reason=Phrase("it may have cosigned {size} entries before", size=floor.size)
                )
            if floor.size <= self.mirror.size and self.mirror.root_at(floor.size) != floor.root:
                raise ConsistencyInvalid(reason="it leads past a tree that was cosigned before")
        if signed.size <= self.mirror.size:
            # Checked before; it must still be the same tree.
            if self.mirror.root_at(signed.size) != signed.root:
                raise ConsistencyInvalid(reason="another tree of this size was checked before")
            return
        try:
            self.mirror.advance(signed.size, signed.root, read=self._read, through=floor)
        except RegistryError as error:
            self._fault = error
            raise

    def refuse(self, reason: str, note: bytes) -> None:
        """Keep a refusal, with the leaves at fault."""
        fault, self._fault = self._fault, None
        code = reason.partition(":")[0]
        self._latest_error = reason
        log.warning("node %s refuses: %s", self.name, reason)
        place: dict[str, Any] = {}
        if isinstance(fault, ChainInvalid):
            place = {
                "origin": fault.params["origin"],
                "index": fault.params["index"],
                "leaves": fault.evidence,
            }
        self._store.record_refusal(self._now(), code, reason, note, **place)

    def sign_subtree(self, body: bytes) -> Answer:
        """tlog-witness `sign-subtree`."""
        other = self._other(body)
        if other is not None:
            return other.sign_subtree(body)
        return self._witness.sign_subtree(body)

    def checkpoint(self, origin_hash: str) -> Answer:
        """`GET <monitor>/<hex sha256(origin)>/checkpoint`: the latest that was cosigned."""
        answer = self._witness.checkpoint(origin_hash)
        if answer.status == 404 and self.others is not None:
            other = self.others.checkpoint(origin_hash)
            return other if other.status == 200 else answer
        return answer

    # The floor: what may have been cosigned and is not on record

    @property
    def asking(self) -> bool:
        """Whether the others must be heard before anything is cosigned."""
        return self._store.meta(ASKING) is not None

    def _floor(self) -> Waypoint | None:
        """The tree that a cosigned one must continue; raises NodeRecovering while unknown."""
        if self.asking:
            count = needed(self.genesis)
            raise NodeRecovering(
                reason=Phrase("its record is lost, and it must hear {count} others", count=count)
            )
        held = self.floor()
        return None if held is None else Waypoint(held.size, held.root)

    def floor(self) -> SignedCheckpoint | None:
        """The largest tree that may have been cosigned beyond what is on record."""
        text = self._store.meta(FLOOR)
        if text is None:
            return None
        keys = [key for node in self.genesis.nodes for key in node.keys]
        note = base64.b64decode(text)
        found = open_checkpoint(note, self.genesis.origin, self.genesis.log_keys, keys)
        return found if found.size > self._cosigned().size else None

    def learn(self, heard: Heard) -> None:
        """Take in what the others have seen."""
        with self.turn():
            for one, other in heard.forks:
                self._accuse(one.data, other.data, one.size)
            newest = heard.any or heard.own if self.asking else heard.own
            if newest is not None:
                self._raise_floor(newest)
            if self.asking and len(heard.nodes) >= needed(self.genesis):
                self._store.set_meta(ASKING, None)
                floor = self.floor()
                log.info(
                    "node %s lost its record; nothing below %d will be cosigned",
                    self.name,
                    floor.size if floor else 0,
                )

    def _raise_floor(self, found: SignedCheckpoint) -> None:
        held = self.floor()
        size = max(held.size if held else 0, self._cosigned().size)
        if found.size > size:
            self._store.set_meta(FLOOR, base64.b64encode(found.data).decode())

    def _accuse(self, one: bytes, other: bytes, size: int) -> None:
        error = NodeForked(origin=self.genesis.origin, size=size)
        reason = f"{error.code}: {error}"
        if all(refusal.code != error.code for refusal in self._store.refusals()):
            log.error("node %s: %s", self.name, error)
        self._store.record_refusal(self._now(), error.code, reason, one + b"\n" + other)
        self._latest_error = reason

    # Catching up with what a quorum has cosigned

    def catch_up(
        self,
        target: CosignedCheckpoint,
        sources: Sequence[HttpSource],
        *,
        yielding: Sequence[HttpSource] = (),
    ) -> bool:
        """Check and mirror everything up to `target`; True when it is mirrored and published.

        `sources` are asked in turn; one that serves nonsense costs only time. From those that are
        `yielding` nothing more is read as soon as somebody else waits for this node: a slow one
        must not keep it from cosigning. False when none could serve it.
        """
        with self.turn():
            if target.size > self.mirror.size:
                self._replay(target, sources, yielding)
            if self.mirror.size < target.size:
                return False
            if self.mirror.root_at(target.size) != target.root:
                self._accuse(target.data, self._cosigned().note, target.size)
                return False
            self._store.publish(target.origin, target.size, target.time_s or 0, target.data)
            return True

    def _replay(
        self,
        target: CosignedCheckpoint,
        sources: Sequence[HttpSource],
        yielding: Sequence[HttpSource],
    ) -> None:
        trouble: RegistryError | None = None
        for source in sources:
            if source in yielding and source.shunned:
                continue

            def prove(size: int, source: HttpSource = source) -> list[bytes]:
                tiles: dict[Any, list[bytes]] = {}

                def hashes(tile: Any) -> list[bytes]:
                    if tile not in tiles:
                        tiles[tile] = source.tile(self.genesis.origin, tile)
                    return tiles[tile]

                return consistency_proof(size, target.size, TileReader(target.size, hashes))

            read = self._giving_way(source) if source in yielding else source
            try:
                self.mirror.advance(target.size, target.root, read=read, prove=prove)
            except NodeBusy:
                raise
            except RegistryError as error:
                if source in yielding:
                    source.shun()
                log.warning("node %s cannot follow %s: %s", self.name, source.url, error)
                trouble = error
                continue
            try:
                self.mirror.commit()
            finally:
                self.mirror.settle()
            return
        if isinstance(trouble, ChainInvalid | ConsistencyInvalid):
            # Everybody says the same: then a quorum has cosigned what is not allowed.
            self._fault = trouble
            self.refuse(f"{trouble.code}: {trouble}", target.data)

    def _giving_way(self, source: HttpSource) -> Read:
        def read(origin: str, start: int, end: int) -> Iterator[bytes]:
            for raw in source(origin, start, end):
                if self._waiting:
                    raise NodeBusy
                yield raw

        return read

    # What it says of itself

    def refusals(self, limit: int = 100) -> list[Refusal]:
        """What was refused and why, newest first."""
        return self._store.refusals(limit)

    def status(self) -> Mapping[str, Any]:
        """Where the node stands; the same members as a sequencer tells, and its own."""
        latest = self._cosigned()
        governance = self.mirror.follower.governance
        sizes = self.mirror.sizes()
        published = self.reader.cosigned()
        refusals = self._store.refusals(20)
        alarms = (
            [Phrase("node {name}: {error}", name=self.name, error=self._latest_error)]
            if self._latest_error
            else []
        )
        if self.asking:
            alarms.append(
                Phrase("node {name}: its record is lost, and it asks the others", name=self.name)
            )
        return {
            "node": self.name,
            "network": self.genesis.network,
            "time": encode_time(self._now()),
            "quorum": self.genesis.quorum,
            "vkey": self.key.encode(),
            "main": {
                "origin": self.genesis.origin,
                "size": self.mirror.size,
                "cosignedSize": published.size if published else 0,
                "cosignedAt": encode_time(published.time) if published and published.time else None,
                "current": published is not None and published.size == self.mirror.size,
            },
            "chains": [
                {
                    "origin": chain.origin,
                    "purpose": chain.purpose,
                    "scenario": chain.scenario,
                    "size": sizes.get(chain.origin, 0),
                }
                for chain in list(governance.chains.values())
            ],
            "cosigned": {
                "size": latest.size,
                "time": encode_time(datetime.fromtimestamp(latest.time, UTC))
                if latest.note
                else None,
            },
            "mirrored": sizes,
            "recovering": self.asking or self.floor() is not None,
            "witnesses": list(self.others.origins) if self.others else [],
            "error": self._latest_error or None,
            "refusals": [
                {"time": refusal.time, "code": refusal.code, "reason": refusal.reason}
                for refusal in refusals
            ],
            "alarms": alarms,
        }


def _origin_of(body: bytes) -> str:
    """The log that a request speaks of, unchecked: who knows it checks it."""
    _, _, note = body.partition(b"\n\n")
    return note.partition(b"\n")[0].decode("utf-8", "replace")
