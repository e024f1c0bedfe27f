"""The door of the sequencer: what a submission passes before it is sequenced.

A submission is checked here by the rules that the nodes apply later, so nothing gets in that would
make the nodes refuse the chain. Rules change between checkpoints only: the gate keeps submissions
out while `registry.sequencing.chain` checkpoints all side chains and records a governance entry. So
every side entry is judged, by everybody and for ever, under exactly the rules it was accepted
under.

Submissions that arrive together are judged as a group by one thread and committed together, and
each gets its own answer: one that is refused changes nothing for the others. What takes longer
(rules, status lists) goes aside, so that nobody waits for it.

Guaranteed: an answer means durable and sequenced. What waits here is bounded, in number and in
bytes. This is the *sequencer's* code; a dishonest sequencer would run another one, which is why
nodes check everything again.
"""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from registry.contracts.following import SEAL_TOLERANCE, Progress, check_follows
from registry.contracts.governance import Governance
from registry.contracts.permission import permit
from registry.engine.catalogue import Catalogue
from registry.engine.log import Log, Sequenced
from registry.errors import (
    ChainClosed,
    LogBusy,
    LogClosed,
    NotPermitted,
    OriginUnknown,
    RegistryError,
    SealInvalid,
)
from registry.ledger.entries import Entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_time
from registry.ledger.submission import Submission
from schemas.errors import Phrase

DOOR_TOLERANCE: Final = SEAL_TOLERANCE / 2
"""How far a seal may be from the sequencer's clock. Half of what nodes allow between two seals: so
no two submitters with wrong clocks, let in at once, can make the nodes refuse the chain."""

MAX_GROUP: Final = 64  # submissions judged at once: some 5 ms of work
MAX_GROUP_BYTES: Final = 256 * 1024
MAX_CALLERS: Final = 16 * 1024  # backpressure: some seconds of work
MAX_CALLERS_BYTES: Final = 64 * 1024 * 1024
MIN_SHARED: Final = 4  # submissions that are worth waking another thread for
ASIDE: Final = 4  # threads


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

    def enter(self, count: int = 1) -> None:
        """Let in `count` submissions that are to be judged and sequenced."""
        with self._state:
            self._state.wait_for(lambda: not self._closed)
            self._inside += count

    def leave(self) -> None:
        """One of them is sequenced, or refused."""
        with self._state:
            self._inside -= 1
            if self._closed:
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


Answer = Added | BaseException


@dataclass(frozen=True)
class _Caller:
    """A submission that waits at the door, and whom to tell what became of it."""

    origin: str
    body: bytes
    tell: Callable[[Answer], None]


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
        self._state = threading.Lock()
        self._open = True
        self._callers = self._bytes = 0  # that have no answer yet
        self._queue: queue.SimpleQueue[_Caller | None] = queue.SimpleQueue()
        self._aside = ThreadPoolExecutor(ASIDE, thread_name_prefix="door aside")
        self._second = ThreadPoolExecutor(1, thread_name_prefix="door second")
        self._thread = threading.Thread(target=self._run, name="door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer everybody who waits, and take in nothing more. The logs must still be open."""
        with self._state:
            if not self._open:
                return
            self._open = False
            self._queue.put(None)
        self._thread.join()
        self._second.shutdown()
        self._aside.shutdown()

    def add(self, origin: str, body: bytes) -> Added:
        """`submit`, and wait for the answer, which is returned or raised."""
        told: Future[Answer] = Future()
        self.submit(origin, body, told.set_result)
        answer = told.result()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def submit(self, origin: str, body: bytes, tell: Callable[[Answer], None]) -> None:
        """Take in a submission; `tell` is called once, from another thread, and must not block.

        It is told where the entries stand, durably and sequenced, or else SubmissionMalformed,
        EntryMalformed, NotPermitted, SealInvalid, EntriesDuplicate or an error of the log, and
        then nothing was added. Raises OriginUnknown, LogBusy, LogClosed.
        """
        if origin not in self._logs:
            raise OriginUnknown(origin=origin)
        with self._state:
            if not self._open:
                raise LogClosed(origin=origin)
            if self._callers >= MAX_CALLERS or self._bytes + len(body) > MAX_CALLERS_BYTES:
                raise LogBusy(origin=origin, pending=self._callers)
            self._callers += 1
            self._bytes += len(body)
            self._queue.put(_Caller(origin, body, tell))

    def _tell(self, caller: _Caller, answer: Answer) -> None:
        with self._state:
            self._callers -= 1
            self._bytes -= len(caller.body)
        caller.tell(answer)

    # One thread judges

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, length, ending = [first], len(first.body), False
            while len(group) < MAX_GROUP and length < MAX_GROUP_BYTES:
                try:
                    caller = self._queue.get_nowait()
                except queue.Empty:
                    break
                if caller is None:
                    ending = True
                    break
                group.append(caller)
                length += len(caller.body)
            self._judge(group)
            if ending:
                break

    def _judge(self, group: list[_Caller]) -> None:
        self.gate.enter(len(group))
        chains: dict[str, Progress] = {}
        parsed: list[tuple[_Caller, Submission]] = []
        for caller in group:
            origin = caller.origin
            try:
                submission = Submission.parse(origin, caller.body)
                if origin == self._genesis.origin:
                    self._aside.submit(self._alone, caller, submission, self._govern)
                    self.gate.leave()  # a change of rules waits until nobody is inside
                    continue
                if any(entry.kind == "status" for entry in submission.entries):
                    self._aside.submit(self._alone, caller, submission, self._publish)
                    continue
                if origin not in chains:
                    chains[origin] = Progress(sealed=self._catalogue.sealed(origin))
                parsed.append((caller, submission))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer to this one
                self._finish(caller, error)
        for (caller, submission), found in zip(parsed, self._found(parsed, chains), strict=True):
            if found is not None:
                self._finish(caller, found)
                continue
            log = self._logs[caller.origin]
            rows = [entry.raw for entry in submission.entries]
            leaves = [entry.leaf_hash for entry in submission.leaves]
            tell = partial(self._sequenced, caller)
            try:
                log.post(rows, submission.seal.raw, tell, leaves=leaves)
            except RegistryError as error:
                self._finish(caller, error)

    def _found(
        self, parsed: list[tuple[_Caller, Submission]], chains: Mapping[str, Progress]
    ) -> list[Answer | None]:
        """What is answered at once, or None for what may be added.

        Half of them is judged by another thread: nearly all of it is the work of verifying
        signatures, which does not hold the interpreter's lock.
        """

        def judge(part: list[tuple[_Caller, Submission]]) -> list[Answer | None]:
            found: list[Answer | None] = []
            for caller, submission in part:
                try:
                    found.append(self._judged(submission, chains[caller.origin]))
                except Exception as error:  # noqa: BLE001 - it is the answer to this one
                    found.append(error)
            return found

        half = len(parsed) // 2
        if half < MIN_SHARED:
            return judge(parsed)
        other = self._second.submit(judge, parsed[half:])
        return judge(parsed[:half]) + other.result()

    def _judged(self, submission: Submission, chain: Progress) -> Added | None:
        """None for what may be added. Raises what `permit` raises."""
        try:
            self.permit(submission, chain)
        except (NotPermitted, SealInvalid, ChainClosed):
            # Perhaps an answer that got lost: a repetition needs no permission and no fresh seal.
            found = self._repeated(submission)
            if found is None:
                raise
            return found
        return None

    def _sequenced(self, caller: _Caller, answer: Sequenced | BaseException) -> None:
        if isinstance(answer, Sequenced):
            self._finish(caller, Added(answer.indices, answer.repeated))
        else:
            self._finish(caller, answer)

    def _finish(self, caller: _Caller, answer: Answer) -> None:
        self.gate.leave()
        self._tell(caller, answer)

    def _repeated(self, submission: Submission) -> Added | None:
        """Where the entries stand, when all of them do."""
        view = self._logs[submission.origin].view
        indices = []
        for entry in submission.entries:
            index = view.index_of(entry.leaf_hash)
            if index is None:
                return None
            indices.append(index)
        return Added(tuple(indices), repeated=True)

    # What is judged alone

    def _alone(
        self,
        caller: _Caller,
        submission: Submission,
        judge: Callable[[Submission], Added],
    ) -> None:
        answer: Answer
        try:
            answer = judge(submission)
        except BaseException as error:  # noqa: BLE001 - whoever waits for the answer raises it
            answer = error
        self._tell(caller, answer)

    def _govern(self, submission: Submission) -> Added:
        found = self._repeated(submission)
        if found is None:
            return self._rules(submission)
        self._check_in_force(submission, found.indices)
        return found

    def _publish(self, submission: Submission) -> Added:
        """Status lists: each is compared with the one before it, so one at a time."""
        try:
            origin = submission.origin
            log = self._logs[origin]
            with self._status_locks[origin]:
                log.integrate()
                self._catalogue.catch_up(log.view, log.view.size)
                lists = self._lists(origin)
                chain = Progress(sealed=self._catalogue.sealed(origin), lists=lists)
                return self._judged(submission, chain) or append(log, submission)
        finally:
            self.gate.leave()

    def _lists(self, origin: str) -> dict[str, tuple[int, Entry]]:
        """The newest entry of each status list on the chain and the epochs before it."""
        found: dict[str, tuple[int, Entry]] = {}
        for chain in reversed(self._governance.epochs(origin)):
            view = self._logs[chain.origin].view
            found |= self._catalogue.lists(chain.origin, view.size)
            if chain.origin == origin:
                break
        return found

    def _check_in_force(self, submission: Submission, found: tuple[int, ...]) -> None:
        """Do not say "it is there" of a rule that a later entry has replaced."""
        for index, entry in zip(found, submission.entries, strict=True):
            if not self._governance.in_force(index, entry):
                raise NotPermitted(
                    submitter=submission.submitter,
                    origin=submission.origin,
                    reason=Phrase(
                        "entry {index} said this and was replaced since; state another start",
                        index=index,
                    ),
                )

    def permit(self, submission: Submission, chain: Progress) -> None:
        """Pass a submission that may come next on `chain`, by its time and by the rules.

        Raises NotPermitted, SealInvalid.
        """
        now = self._clock()
        wrong = check_follows(chain, submission, now)
        if abs(submission.time - now) > DOOR_TOLERANCE:
            wrong = Phrase(
                "sealed at {time}, too far from {now}",
                time=encode_time(submission.time),
                now=encode_time(now),
            )
        if wrong:
            raise NotPermitted(
                submitter=submission.submitter, origin=submission.origin, reason=wrong
            )
        # Whatever changes the contracts in force keeps everybody out of the gate meanwhile.
        at = self._logs[self._genesis.origin].size
        permit(self._governance, submission, at=at)


def append(log: Log, submission: Submission) -> Added:
    """Hand a submission that passed to its log, and wait until it is durable."""
    answer = log.add([entry.raw for entry in submission.entries], submission.seal.raw)
    return Added(answer.indices, answer.repeated)
