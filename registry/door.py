"""The door of the sequencer: what a submission passes before it is sequenced.

A submission is checked here by the rules that the nodes apply later, so nothing gets in that
would make the nodes refuse the chain. Rules change between checkpoints only: the gate keeps
submissions out while `registry.chain` checkpoints all side chains and records a governance entry.
So every side entry is judged, by everybody and for ever, under exactly the rules it was accepted
under.

Guaranteed: an answer to `add` means durable and sequenced. This is the *sequencer's* code; a
dishonest sequencer would run another one, which is why nodes check everything again.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from registry.catalogue import Catalogue
from registry.entries import encode_time
from registry.errors import NotPermitted, OriginUnknown
from registry.following import SEAL_TOLERANCE, Progress, check_follows
from registry.genesis import Genesis
from registry.governance import Governance
from registry.log import Log
from registry.submission import Submission

DOOR_TOLERANCE: Final = SEAL_TOLERANCE / 2
"""How far a seal may be from the sequencer's clock. Half of what nodes allow between two seals: so
no two submitters with wrong clocks, let in at once, can make the nodes refuse the chain."""


@dataclass(frozen=True)
class Added:
    """The answer to a submission: where its entries stand."""

    indices: tuple[int, ...]
    repeated: bool


class ForwardClock:
    """A clock that never goes back: seals are judged by it, and it makes some."""

    def __init__(self, now: Callable[[], datetime], start: datetime) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._latest = start

    def __call__(self) -> datetime:
        with self._lock:
            self._latest = max(self._latest, self._now())
            return self._latest


class Gate:
    """Many may add at once; a change of rules waits for them and keeps the next ones out."""

    def __init__(self) -> None:
        self._state = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Held while a submission is judged and sequenced."""
        with self._state:
            self._state.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._state:
                self._inside -= 1
                self._state.notify_all()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Held while the rules change."""
        with self._state:
            self._state.wait_for(lambda: not self._closed)
            self._closed = True
            self._state.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._state:
                self._closed = False
                self._state.notify_all()


class Door:
    """Takes in submissions for the side chains; hands those for the main chain to `rules`."""

    def __init__(
        self,
        genesis: Genesis,
        *,
        logs: Mapping[str, Log],
        catalogue: Catalogue,
        governance: Governance,
        clock: ForwardClock,
        rules: Callable[[Submission], Added],
    ) -> None:
        """`logs` and `governance` are the caller's own and change with the main chain."""
        self.gate: Final = Gate()
        self._genesis = genesis
        self._logs = logs
        self._catalogue = catalogue
        self._governance = governance
        self._clock = clock
        self._rules = rules
        self._status_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def add(self, origin: str, body: bytes) -> Added:
        """Take in a submission. Returns when it is durable and sequenced.

        Raises OriginUnknown, SubmissionMalformed, EntryMalformed, NotPermitted, SealInvalid,
        EntriesDuplicate and the log's own errors; then nothing was added.
        """
        log = self._logs.get(origin)
        if log is None:
            raise OriginUnknown(origin=origin)
        submission = Submission.parse(origin, body)
        known = [log.view.index_of(entry.leaf_hash) for entry in submission.entries[:1]]
        if known[0] is not None:
            # Perhaps an answer that got lost: a repetition needs no permission and no fresh seal.
            indices = [log.view.index_of(entry.leaf_hash) for entry in submission.entries]
            found = tuple(index for index in indices if index is not None)
            if len(found) == len(indices):
                self._check_in_force(submission, found)
                return Added(found, repeated=True)
        if origin == self._genesis.origin:
            return self._rules(submission)
        with self.gate.passing():
            if all(entry.kind != "status" for entry in submission.entries):
                self.permit(submission, Progress(sealed=self._catalogue.sealed(origin)))
                return append(log, submission)
            with self._status_locks[origin]:
                log.integrate()
                self._catalogue.catch_up(log.view, log.view.size)
                lists = self._catalogue.lists(origin, log.view.size)
                self.permit(
                    submission, Progress(sealed=self._catalogue.sealed(origin), lists=lists)
                )
                return append(log, submission)

    def _check_in_force(self, submission: Submission, found: tuple[int, ...]) -> None:
        """Do not say "it is there" of a rule that a later entry has replaced."""
        if submission.origin != self._genesis.origin:
            return
        for index, entry in zip(found, submission.entries, strict=True):
            if not self._governance.in_force(index, entry):
                raise NotPermitted(
                    submitter=submission.submitter,
                    origin=submission.origin,
                    reason=f"entry {index} said this and was replaced since; state another start",
                )

    def permit(self, submission: Submission, chain: Progress) -> None:
        """Pass a submission that may come next on `chain`, by its time and by the rules.

        Raises NotPermitted, SealInvalid.
        """
        now = self._clock()
        wrong = check_follows(chain, submission, now)
        if abs(submission.time - now) > DOOR_TOLERANCE:
            wrong = f"sealed at {encode_time(submission.time)}, too far from {encode_time(now)}"
        if wrong:
            raise NotPermitted(
                submitter=submission.submitter, origin=submission.origin, reason=wrong
            )
        # Whatever changes the contracts in force keeps everybody out of the gate meanwhile.
        at = self._logs[self._genesis.origin].size
        self._governance.permit(submission, at=at)


def append(log: Log, submission: Submission) -> Added:
    """Sequence a submission that passed; returns when it is durable."""
    answer = log.add([entry.raw for entry in submission.entries], submission.seal.raw)
    return Added(answer.indices, answer.repeated)
