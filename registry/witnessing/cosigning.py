"""Collecting cosignatures: the sequencer's side of c2sp.org/tlog-witness.

All nodes are asked at once, and a checkpoint is published when the quorum is there; whoever
answers later is added to it. A node that is down, slow or refuses costs the others nothing: it
is asked again with the next checkpoint and told what it missed. A round sticks to one
checkpoint, so that nodes of different speed still meet at the same size.

What a node answers is believed only if its signature verifies under its key in the genesis.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Final, Protocol

import httpx

from registry.errors import CosignatureMissing, NodeBusy, RegistryError, RegistryUnreachable
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_time
from registry.limits import MAX_CLOCK_SKEW_S
from registry.tlog import cosignature
from registry.tlog.checkpoint import SignedCheckpoint
from registry.tlog.lines import encode_hash, parse_decimal
from registry.tlog.note import Note, NoteSignature, VerifierKey
from registry.web.answers import PLAIN, AnswerUnfit, read_answer
from schemas.errors import Phrase

log = logging.getLogger(__name__)

_EXCHANGES: Final = 3  # first try, the right old size after a 409, and once more after a race
_UNKNOWN: Final = 404
_REFUSED: Final = 422
_AHEAD: Final = "its time lies ahead of all others"
MAX_NODE_ANSWER: Final = 128 * 1024  # 16 signature lines of nearly 5 kB each (signed-note)
_RETRY_FIRST_S: Final = 0.05
_RETRY_MAX_S: Final = 2.0  # a node that came back is asked again within this


def lines_of(
    name: str, keys: Sequence[VerifierKey], signed: SignedCheckpoint, body: bytes
) -> list[NoteSignature]:
    """The cosignatures of `keys` on a checkpoint in an answer, the newest of each; others are
    ignored, and so is what states no time: no quorum counts it (tlog-witness).

    Raises CosignatureMissing when there is none or one is wrong.
    """
    known = {(key.name, key.id) for key in keys}
    try:
        note = Note.parse(signed.checkpoint.text.encode() + b"\n" + body)
        note.verify(keys)
    except RegistryError as error:
        raise CosignatureMissing(
            node=name, reason=Phrase("its answer: {error}", error=error)
        ) from error
    if note.text != signed.checkpoint.text:
        # It brought a blank line of its own, and signed what stands before that.
        raise CosignatureMissing(node=name, reason="it cosigned another text")
    own = [line for line in note.signatures if (line.name, line.key_id) in known]
    found: dict[tuple[str, int], NoteSignature] = {}
    for line in sorted(own, key=_time):
        if _time(line):
            found[line.name, line.key_id] = line
    if not found:
        raise CosignatureMissing(node=name, reason="its cosignature has no time")
    return list(found.values())


def _time(line: NoteSignature) -> int:
    return cosignature.unpack(line.blob)[0]


class NodeLink(Protocol):
    """How to reach a node."""

    def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; raises RegistryUnreachable."""
        ...


@dataclass
class NodeState:
    """What the sequencer knows of one node.

    `refused`: it found the last checkpoint wrong. `unknown`: it does not follow this log.
    """

    name: str
    keys: tuple[VerifierKey, ...]
    size: int = 0
    cosigned_at: datetime | None = None
    error: str | None = None
    refused: bool = False
    unknown: bool = False
    failures: int = 0
    retry_at: float = 0.0
    task: Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether an earlier request is still under way."""
        return self.task is not None and not self.task.done()


def exchange(
    node: NodeState,
    link: NodeLink,
    signed: SignedCheckpoint,
    consistency: Callable[[int, int], Sequence[bytes]],
) -> tuple[NoteSignature, ...]:
    """Ask one witness to cosign `signed`; the lines of its own keys, those of others are ignored.

    Moves `node.size` to what it has seen. Raises RegistryUnreachable, CosignatureMissing, NodeBusy.
    """
    for _ in range(_EXCHANGES):
        # A size that it once named and never had must not keep it from being asked again.
        old = min(node.size, signed.size)
        proof = consistency(old, signed.size)
        lines = [f"old {old}", *(encode_hash(sibling) for sibling in proof), "", ""]
        status, body = link.add_checkpoint("\n".join(lines).encode() + signed.data)
        if status == 200:
            return tuple(lines_of(node.name, node.keys, signed, body))
        said = body[:400].decode(errors="replace").strip()
        if status != 409:
            node.refused, node.unknown = status == _REFUSED, status == _UNKNOWN
            raise CosignatureMissing(
                node=node.name, reason=Phrase("HTTP {status}: {said}", status=status, said=said)
            )
        try:
            node.size = parse_decimal(said)
        except ValueError as error:
            raise CosignatureMissing(node=node.name, reason="HTTP 409, no size") from error
        if node.size > signed.size:
            raise CosignatureMissing(
                node=node.name,
                reason=Phrase("it has seen a larger tree, of {size} entries", size=node.size),
            )
    raise NodeBusy


class Cosigning:
    """The rounds of one main chain."""

    def __init__(
        self,
        genesis: Genesis,
        *,
        links: Callable[[], Mapping[str, NodeLink]],
        consistency: Callable[[int, int], Sequence[bytes]],
        publish: Callable[[SignedCheckpoint, Note], None],
        now: Callable[[], datetime],
    ) -> None:
        """`links` by node name, read each round; `consistency(old, new)` proves growth."""
        self._genesis = genesis
        self._links = links
        self._consistency = consistency
        self._publish = publish
        self._now = now
        self.nodes: Final = {node.name: NodeState(node.name, node.keys) for node in genesis.nodes}
        self._lock = threading.Lock()
        self._size = -1
        self._lines: dict[str, tuple[NoteSignature, ...]] = {}
        self._pool = ThreadPoolExecutor(len(self.nodes), thread_name_prefix="cosign")

    def close(self) -> None:
        """Stop asking; requests under way end by their own timeouts."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def round(
        self,
        signed: SignedCheckpoint,
        *,
        timeout: float,
        again: bool = False,
        patient: bool = False,
    ) -> bool:
        """Ask the idle nodes that have not cosigned `signed`; True when the quorum has.

        `again` asks the others, too, for a fresh time on the same tree.
        `patient` asks those that failed a moment ago, too, and waits for every node, not only
        for the quorum.
        """
        with self._lock:
            if again or signed.size != self._size:
                self._size, self._lines = signed.size, {}
            cosigned = set(self._lines)
        links = self._links()
        pending: set[Future[None]] = set()
        earlier: dict[Future[None], tuple[NodeState, NodeLink]] = {}
        for node in self.nodes.values():
            if node.name in cosigned:
                continue
            link = links.get(node.name)
            if link is None:
                node.error = "no address is known"
            elif not patient and monotonic() < node.retry_at:
                continue  # it failed a moment ago
            elif node.busy:
                assert node.task is not None  # noqa: S101 - what busy means
                pending.add(node.task)
                earlier[node.task] = node, link
            else:
                node.task = self._pool.submit(self._ask, node, link, signed)
                pending.add(node.task)
        end = monotonic() + timeout
        while pending and (patient or not self._complete(signed)):
            done, pending = wait(
                pending, timeout=max(0.0, end - monotonic()), return_when=FIRST_COMPLETED
            )
            for task in done:
                task.result()  # a defect must not hide in a thread
                if patient and task in earlier:  # it was asked for an older checkpoint
                    node, link = earlier[task]
                    node.task = self._pool.submit(self._ask, node, link, signed)
                    pending.add(node.task)
            if not done:
                break
        return self._complete(signed)

    def _complete(self, signed: SignedCheckpoint) -> bool:
        with self._lock:
            return signed.size == self._size and len(self._counted()) >= self._genesis.quorum

    def _counted(self) -> set[str]:
        """The nodes whose lines readers will count, who ask for a time that is not far ahead.

        Of this clock, or of what another node says besides: so neither a wrong clock here nor one
        node's lie makes a quorum that is none, or keeps one from being seen.
        """
        times = {name: min(map(_time, lines)) for name, lines in self._lines.items()}
        known = sorted((int(self._now().timestamp()), *times.values()))
        limit = known[-2:][0] + MAX_CLOCK_SKEW_S  # the clock alone while nobody has answered
        return {name for name, moment in times.items() if moment <= limit}

    def _ask(self, node: NodeState, link: NodeLink, signed: SignedCheckpoint) -> None:
        before = node.error
        node.refused = False
        try:
            lines = exchange(node, link, signed, self._consistency)
        except RegistryError as error:
            node.error = str(error.params.get("reason", error))
            node.failures += 1
            node.retry_at = monotonic() + min(_RETRY_MAX_S, _RETRY_FIRST_S * 2**node.failures)
            if node.error != before:
                log.warning("no cosignature of node %s: %s", node.name, node.error)
            return
        if before is not None:
            log.info("node %s cosigns again", node.name)
        node.error, node.cosigned_at, node.size = None, self._now(), signed.size
        node.failures, node.retry_at = 0, 0.0
        self._collect(node, signed, lines)

    def _collect(
        self, node: NodeState, signed: SignedCheckpoint, lines: tuple[NoteSignature, ...]
    ) -> None:
        with self._lock:
            if signed.size != self._size:
                return  # the round went on without it
            self._lines[node.name] = lines
            counted = self._counted()
            for name in self._lines:
                other = self.nodes[name]
                if name not in counted:
                    other.error = _AHEAD
                elif other.error == _AHEAD:
                    other.error = None
            if len(counted) >= self._genesis.quorum:
                added = (line for lines in self._lines.values() for line in lines)
                whole = Note.parse(signed.data).with_signatures(added)
                self._publish(signed, whole)

    def report(self, size: int) -> list[dict[str, Any]]:
        """State of each node, for `/status`; `size` is that of the newest checkpoint."""
        links = self._links()
        return [
            {
                "name": node.name,
                "title": dict(genesis.title),
                "url": getattr(links.get(node.name), "url", None),
                "cosignedAt": encode_time(node.cosigned_at) if node.cosigned_at else None,
                "size": node.size,
                "lag": max(0, size - node.size),
                "error": node.error,
                "refused": node.refused,
            }
            for genesis in self._genesis.nodes
            for node in (self.nodes[genesis.name],)
        ]


class HttpNode:
    """A node behind an address."""

    def __init__(
        self, url: str, *, timeout: float = 10.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=1.0),
            transport=transport,
            headers=PLAIN,
            trust_env=False,
            follow_redirects=False,
        )

    def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
        """Ask the node; raises RegistryUnreachable."""
        try:
            with self._http.stream("POST", f"{self.url}/add-checkpoint", content=body) as answer:
                return answer.status_code, read_answer(answer, MAX_NODE_ANSWER)
        except AnswerUnfit as error:
            raise RegistryUnreachable(reason=error.reason) from error
        except httpx.HTTPError as error:
            raise RegistryUnreachable(reason=type(error).__name__) from error

    def close(self) -> None:
        """End the connections."""
        self._http.close()
