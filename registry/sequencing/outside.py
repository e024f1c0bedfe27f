"""Witnesses and mirrors outside the network: anybody's, who speaks C2SP's protocols.

Two policy files (c2sp.org/tlog-policy) name them. Each witness of the first file is asked to cosign
every chain's checkpoints, each mirror of the second is pushed every chain, and what they answer is
attached to the checkpoints. They count for no quorum of the genesis. If the file of the witnesses
names a quorum of its own, a checkpoint of the main chain is published only when it is there, too:
so the network's liveness then rests on it. Side chains never wait for anybody: the main chain
commits to them.

A witness or mirror that is down, slow or refuses costs the network nothing else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import Any, Final

import httpx

from registry.engine.view import LogView
from registry.errors import (
    CosignatureMissing,
    QuorumMissing,
    RegistryError,
    RegistryUnreachable,
)
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_time
from registry.limits import MAX_NOTE_SIGNATURES
from registry.storage import size_of_note
from registry.tlog.checkpoint import SignedCheckpoint, open_checkpoint
from registry.tlog.note import Note, NoteSignature, VerifierKey
from registry.tlog.policy import NONE, Policy
from registry.witnessing.cosigning import HttpNode, NodeState, exchange
from registry.witnessing.mirror_client import MirrorClient

log = logging.getLogger(__name__)

_WORKERS: Final = 8
_RETRY_FIRST_S: Final = 0.2
_RETRY_MAX_S: Final = 60.0
_SIDES_S: Final = 1.0  # from one round through the side chains to the next


@dataclass(frozen=True)
class OutsidePolicies:
    """Who is asked; None: nobody."""

    witnesses: Policy | None = None
    mirrors: Policy | None = None
    transport: httpx.BaseTransport | None = None


@dataclass
class _Party:
    """One address, which may answer by several keys, and how it does."""

    state: NodeState
    link: HttpNode
    sizes: dict[str, int] = field(default_factory=dict)  # by chain: what it has answered for
    pushers: dict[str, MirrorClient] = field(default_factory=dict)
    sides: dict[str, NodeState] = field(default_factory=dict)
    sides_at: float = float("-inf")


def _parties(policy: Policy | None) -> dict[str, tuple[str, tuple[VerifierKey, ...]]]:
    """By address: the first name in the file, and the keys. Without an address nobody is asked."""
    found: dict[str, tuple[str, tuple[VerifierKey, ...]]] = {}
    for name, key in policy.witnesses.items() if policy is not None else ():
        url = policy.witness_urls.get(name) if policy is not None else None
        if url is not None:
            first, keys = found.get(url, (name, ()))
            found[url] = (first, (*keys, key))
    return found


def _with(note: Note, lines: Sequence[NoteSignature]) -> Note:
    """`note` and as many `lines`, in order, as readers take in one note: log and nodes go first."""
    whole = note.with_signatures(lines)
    return Note(whole.text, whole.signatures[:MAX_NOTE_SIGNATURES])


class Outside:
    """Asks them. `offer` each checkpoint of the main chain; `attach` what came to its note."""

    def __init__(
        self,
        policies: OutsidePolicies,
        genesis: Genesis,
        *,
        views: Mapping[str, LogView],
        published: Callable[[str], bytes | None],
        log_keys: Callable[[str], Sequence[VerifierKey]],
        publish: Callable[[SignedCheckpoint, Note], None],
        publish_side: Callable[[str, Note], None],
        now: Callable[[], datetime],
    ) -> None:
        """`publish` is called again with a note that was attached to before, when more came;
        `publish_side` with the origin of a side chain and its note with what came to it."""
        self._policies = policies
        self._genesis = genesis
        self._views = views
        self._published = published
        self._log_keys = log_keys
        self._publish = publish
        self._publish_side = publish_side
        self._now = now
        self._transport = policies.transport
        self._witnesses: Final = self._made(policies.witnesses)
        self._side_witnesses: Final = self._made(policies.witnesses)  # the main chain never waits
        self._mirrors: Final = self._made(policies.mirrors)
        self._lock = threading.Lock()
        self._side_lock = threading.Lock()
        self._size = -1
        self._lines: list[NoteSignature] = []
        self._held: tuple[SignedCheckpoint, Note] | None = None
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="outside")

    def _made(self, policy: Policy | None) -> list[_Party]:
        return [
            _Party(NodeState(name, keys), HttpNode(url, transport=self._transport))
            for url, (name, keys) in _parties(policy).items()
        ]

    def close(self) -> None:
        """Stop asking; requests under way end by their own timeouts."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for party in (*self._witnesses, *self._side_witnesses, *self._mirrors):
            party.link.close()
            for pusher in party.pushers.values():
                pusher.close()

    def offer(self, signed: SignedCheckpoint) -> None:
        """Ask whoever is idle and behind; returns at once."""
        with self._lock:
            if signed.size != self._size:
                self._size, self._lines, self._held = signed.size, [], None
            have = {(line.name, line.key_id) for line in self._lines}
        for witness in self._witnesses:
            done = any((key.name, key.id) in have for key in witness.state.keys)
            if not done and self._idle(witness):
                self._start(witness, self._ask, signed)
        for witness in self._side_witnesses:
            due = monotonic() >= witness.sides_at + _SIDES_S
            if due and self._idle(witness) and self._behind(witness, self._sides()):
                witness.sides_at = monotonic()
                self._start(witness, self._ask_sides)
        for mirror in self._mirrors:
            if self._idle(mirror) and self._behind(mirror, list(self._views)):
                self._start(mirror, self._push)

    @staticmethod
    def _idle(party: _Party) -> bool:
        return not party.state.busy and monotonic() >= party.state.retry_at

    def _sides(self) -> list[str]:
        return [origin for origin in self._views if origin != self._genesis.origin]

    def _behind(self, party: _Party, origins: Sequence[str]) -> bool:
        notes = ((origin, self._published(origin)) for origin in origins)
        return any(
            note is not None and size_of_note(note) > party.sizes.get(origin, 0)
            for origin, note in notes
        )

    def _signed(self, origin: str) -> SignedCheckpoint | None:
        note = self._published(origin)
        return None if note is None else open_checkpoint(note, origin, self._log_keys(origin))

    def _start(self, party: _Party, work: Callable[..., None], *args: Any) -> None:
        def run() -> None:
            state, before = party.state, party.state.error
            state.refused = False
            try:
                work(party, *args)
            except RegistryError as error:
                state.error = str(error.params.get("reason", error))
                state.failures += 1
                wait = min(_RETRY_MAX_S, _RETRY_FIRST_S * 2.0 ** min(state.failures, 16))
                state.retry_at = monotonic() + wait
                if state.error != before:
                    log.warning("no cosignature of %s: %s", state.name, state.error)
                return
            except Exception:
                log.exception("asking %s failed in a way that was not foreseen", state.name)
                state.retry_at = monotonic() + _RETRY_MAX_S
                return
            if before is not None:
                log.info("%s cosigns again", state.name)
            state.error, state.failures, state.retry_at = None, 0, 0.0
            state.cosigned_at = self._now()

        task: Future[None] = self._pool.submit(run)
        party.state.task = task

    def _ask(self, witness: _Party, signed: SignedCheckpoint) -> None:
        consistency = self._views[self._genesis.origin].consistency_proof
        lines = exchange(witness.state, witness.link, signed, consistency)
        witness.state.size = signed.size
        self._collect(signed, lines)

    def _ask_sides(self, witness: _Party) -> None:
        failure: RegistryError | None = None
        for origin in self._sides():
            signed = self._signed(origin)
            if signed is None or signed.size <= witness.sizes.get(origin, 0):
                continue
            state = witness.sides.setdefault(
                origin, NodeState(witness.state.name, witness.state.keys)
            )
            if monotonic() < state.retry_at:
                continue
            try:
                consistency = self._views[origin].consistency_proof
                bare = replace(signed, data=signed.by_log_alone())
                lines = exchange(state, witness.link, bare, consistency)
            except RegistryUnreachable:
                raise  # it would not answer for the next chain either
            except RegistryError as error:
                if state.unknown:  # that is its owner's choice, and may change
                    state.retry_at = monotonic() + _RETRY_MAX_S
                else:
                    failure = error
                continue
            state.size = signed.size
            self._attach_to_side(origin, signed, lines)
            witness.sizes[origin] = signed.size
        if failure is not None:
            raise failure

    def _attach_to_side(
        self, origin: str, signed: SignedCheckpoint, lines: Sequence[NoteSignature]
    ) -> None:
        with self._side_lock:  # two who answer at once must not lose each other's lines
            note = self._published(origin)
            if note is not None and size_of_note(note) == signed.size:
                self._publish_side(origin, _with(Note.parse(note), lines))

    def _push(self, mirror: _Party) -> None:
        for origin, view in self._views.items():
            signed = self._signed(origin)
            if signed is None or signed.size <= mirror.sizes.get(origin, 0):
                continue
            pusher = mirror.pushers.get(origin)
            if pusher is None:
                pusher = mirror.pushers[origin] = MirrorClient(
                    mirror.state.name,
                    mirror.link.url,
                    mirror.state.keys,
                    transport=self._transport,
                )
            lines = pusher.push(signed, view)
            mirror.sizes[origin] = signed.size
            if origin != self._genesis.origin:
                if lines is not None:
                    self._attach_to_side(origin, signed, lines)
            else:
                if lines is None:
                    raise CosignatureMissing(
                        node=mirror.state.name, reason="it does not copy the main chain"
                    )
                mirror.state.size = signed.size
                self._collect(signed, lines)

    def _collect(self, signed: SignedCheckpoint, lines: Sequence[NoteSignature]) -> None:
        with self._lock:
            if signed.size != self._size:
                return  # the chain went on; the next checkpoint is being asked for
            self._lines += lines
            held = self._held
        if held is not None:
            self._publish(*held)

    def attach(self, signed: SignedCheckpoint, note: Note) -> Note | None:
        """`note`, which has the nodes' quorum, with what came; None while a quorum is missing."""
        with self._lock:
            if signed.size < self._size:
                return note if self._wants_none() else None
            self._held = (signed, note)
            whole = _with(note, self._lines if signed.size == self._size else ())
        policy = self._policies.witnesses
        if policy is None or policy.quorum == NONE:
            return whole
        try:
            policy.check_quorum(
                open_checkpoint(
                    whole.encode(),
                    signed.origin,
                    self._genesis.log_keys,
                    policy.witnesses.values(),
                )
            )
        except QuorumMissing:
            return None
        return whole

    def _wants_none(self) -> bool:
        policy = self._policies.witnesses
        return policy is None or policy.quorum == NONE

    def report(self, size: int) -> list[dict[str, Any]]:
        """How each does, for `/status`; `size` is that of the newest checkpoint."""
        sides = {id(p): s.sizes for p, s in zip(self._witnesses, self._side_witnesses, strict=True)}
        return [
            {
                "name": party.state.name,
                "role": role,
                "url": party.link.url,
                "cosignedAt": encode_time(party.state.cosigned_at)
                if party.state.cosigned_at
                else None,
                "size": party.state.size,
                "lag": max(0, size - party.state.size),
                "error": party.state.error,
                "chains": dict(sides.get(id(party), party.sizes)),
            }
            for role, parties in (("witness", self._witnesses), ("mirror", self._mirrors))
            for party in parties
        ]

    def alarms(self) -> list[str]:
        """What its operator should look at."""
        return [
            f"outside {party.state.name}: {party.state.error}"
            for party in (*self._witnesses, *self._side_witnesses, *self._mirrors)
            if party.state.error is not None
        ]
