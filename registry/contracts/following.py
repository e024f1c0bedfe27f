"""Following the chains: the checks that an entry passes before a node vouches for it.

A `Follower` replays the main chain entry by entry. Every submission must be sealed by whoever
may write it, by the accreditations recorded *before* it. Where the main chain records a
checkpoint of a side chain, the follower reads that side chain's new entries, checks them by the
same rules, rebuilds the tree and compares. So a root that passed says: these are the entries,
in this order, and each of them was allowed.

Guaranteed against a dishonest sequencer and against submitters. Not checked: that the sequencer
took in everything that was submitted (nobody can see what it left out), and the truth of what
an accredited issuer or verifier states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from registry.contracts.governance import Governance, lists_digest
from registry.contracts.permission import permit
from registry.errors import ChainInvalid, RegistryError
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import decode_digest, encode_time
from registry.ledger.submission import Submission
from registry.limits import MAX_BATCH_ENTRIES
from registry.tlog.merkle import Frontier
from schemas.errors import Phrase

SEAL_TOLERANCE: Final = timedelta(minutes=10)
"""How far a seal may lie ahead of the clock or behind the seal before it. Bounds backdating:
a submitter whose accreditation has ended cannot seal as of a time when it had not."""

Read = Callable[[str, int, int], Iterable[bytes]]
"""Entries [start, end) of the chain of an origin, from wherever."""
Keep = Callable[[str, int, Sequence[Entry]], None]
"""Takes the leaves of each submission that passed: origin, index of the first, leaves."""
Pause = Callable[[], None]
"""Called between submissions of the main chain: all that was kept so far is whole."""


@dataclass
class Progress:
    """How far a chain was checked.

    Its tree, its latest seal, the newest entry of each status list, and, of a side chain, where
    the main chain records its latest checkpoint.
    """

    frontier: Frontier = field(default_factory=Frontier)
    sealed: datetime | None = None
    lists: dict[str, tuple[int, Entry]] = field(default_factory=dict)
    head: int | None = None

    @property
    def size(self) -> int:
        """Entries checked so far."""
        return self.frontier.size

    def take(self, index: int, submission: Submission) -> None:
        """Remember what later submissions are compared with; `index` is that of the first leaf."""
        for offset, entry in enumerate(submission.entries):
            if entry.kind == "status":
                self.lists[entry["list"]] = (index + offset, entry)
        self.sealed = max(submission.time, self.sealed or submission.time)


def check_follows(
    chain: Progress,
    submission: Submission,
    now: datetime,
    earlier: Callable[[str], Entry | None] = lambda _: None,
) -> str | None:
    """What is wrong with `submission` coming next on `chain` at `now`, if anything.

    `earlier` gives the newest entry of a status list on the epochs before the chain.

    A status list belongs to the issuer that recorded it first. So an accredited issuer could take
    another's address before it is used; its lists would not verify, and the operator sees who did.
    """
    moment = submission.time
    if moment > now + SEAL_TOLERANCE:
        return Phrase("sealed at {time}, which lies in the future", time=encode_time(moment))
    if chain.sealed is not None and moment < chain.sealed - SEAL_TOLERANCE:
        return Phrase(
            "sealed at {time}, long before the seal that precedes it", time=encode_time(moment)
        )
    times: dict[str, str] = {}
    for entry in submission.entries:
        if entry.kind != "status":
            continue
        held = chain.lists.get(entry["list"])
        newest = held[1] if held is not None else earlier(entry["list"]) or entry
        if newest["issuer"] != entry["issuer"]:
            return "a status list of another issuer"
        # Times of one form sort as texts do. Else an old list could be passed for the newest.
        if entry["time"] < times.get(entry["list"], newest["time"]):
            return "an older status list after a newer one"
        times[entry["list"]] = entry["time"]
    return None


def submissions(
    origin: str, start: int, entries: Iterable[bytes]
) -> Iterator[tuple[int, Submission]]:
    """Part a run of leaves into submissions; yields (index of the first leaf, submission).

    Raises ChainInvalid when a leaf is malformed, or the run does not end with a seal.
    """
    leaves: list[Entry] = []
    index = start
    for raw in entries:
        try:
            entry = parse_entry(raw)
            leaves.append(entry)
            submission = Submission.assemble(origin, leaves) if entry.kind == "seal" else None
        except RegistryError as error:
            found = invalid(origin, index, error, leaves)
            if not leaves or leaves[-1].raw is not raw:
                found.evidence = (*found.evidence, raw)
            raise found from error
        index += 1
        if submission is not None:
            yield index - len(leaves), submission
            leaves = []
        elif len(leaves) >= MAX_BATCH_ENTRIES:
            raise invalid(origin, index, "too many without a seal", leaves)
    if leaves:
        raise invalid(origin, index, "it does not end with a seal", leaves)


def invalid(
    origin: str, index: int, reason: str | RegistryError, leaves: Iterable[Entry] = ()
) -> ChainInvalid:
    """The error, with the leaves in question as its evidence."""
    error = ChainInvalid(origin=origin, index=index, reason=reason)
    error.evidence = tuple(leaf.raw for leaf in leaves)
    return error


def heads(progress: Mapping[str, Progress]) -> dict[str, int]:
    """Where the main chain records the latest checkpoint of each side chain.

    A checkpoint entry carries these indices, so whoever shows it cannot show an older checkpoint
    of another side chain as the latest.
    """
    return {origin: chain.head for origin, chain in progress.items() if chain.head is not None}


class Follower:
    """The state of one who checks everything. After an exception it must be thrown away."""

    def __init__(
        self,
        genesis: Genesis,
        *,
        governance: Governance | None = None,
        progress: dict[str, Progress] | None = None,
    ) -> None:
        self.genesis: Final = genesis
        self.governance = governance or Governance(genesis)
        self.progress = progress if progress is not None else {}

    def of(self, origin: str) -> Progress:
        """The progress on the chain `origin`."""
        return self.progress.setdefault(origin, Progress())

    def advance(
        self,
        size: int,
        root: bytes,
        *,
        read: Read,
        keep: Keep,
        now: datetime,
        pause: Pause | None = None,
    ) -> None:
        """Check the main chain up to `size`, where its root must be `root`, and what it names.

        Raises ChainInvalid, and whatever `read`, `keep` and `pause` raise.
        """
        origin = self.genesis.origin
        main = self.of(origin)
        if size < main.size:
            raise ChainInvalid(origin=origin, index=size, reason="it became shorter")
        for index, submission in submissions(origin, main.size, read(origin, main.size, size)):
            self._admit(main, index, submission, now, keep, index)
            for offset, entry in enumerate(submission.entries):
                self.governance.apply(index + offset, entry)
                if entry.kind == "checkpoint":
                    self._follow_side(index + offset, entry, read, keep, now, index)
            if pause is not None and main.size < size:
                pause()
        if main.size != size or main.frontier.root() != root:
            raise ChainInvalid(
                origin=origin, index=size, reason="its entries do not lead to its checkpoint"
            )

    def _admit(
        self,
        chain: Progress,
        index: int,
        submission: Submission,
        now: datetime,
        keep: Keep,
        at: int,
    ) -> None:
        origin = submission.origin
        wrong: str | RegistryError | None = check_follows(
            chain, submission, now, partial(self._earlier, origin)
        )
        try:
            permit(self.governance, submission, at=at)
        except RegistryError as error:
            wrong = error
        leaves = submission.leaves
        if wrong:
            raise invalid(origin, index, wrong, leaves)
        keep(origin, index, leaves)
        chain.frontier.extend([entry.leaf_hash for entry in leaves])
        chain.take(index, submission)

    def _earlier(self, origin: str, url: str) -> Entry | None:
        chain = self.governance.chains.get(origin)
        while chain is not None and chain.previous is not None:
            held = self.of(chain.previous).lists.get(url)
            if held is not None:
                return held[1]
            chain = self.governance.chains[chain.previous]
        return None

    def _follow_side(
        self, index: int, entry: Entry, read: Read, keep: Keep, now: datetime, at: int
    ) -> None:
        """What the main chain says of a side chain must be what its entries lead to.

        They are judged by the contracts in force at `at`, where the main chain's submission
        begins that records them.
        """

        def refuse(reason: str) -> ChainInvalid:
            return invalid(self.genesis.origin, index, reason, [entry])

        origin, start, end = entry["origin"], entry["start"], entry["end"]
        if origin not in self.governance.chains:
            raise refuse("a checkpoint of a chain that is not registered")
        side = self.of(origin)
        if start != side.size:
            raise refuse("a checkpoint that does not follow the one before it")
        if entry["rules"] != self.governance.head or entry["heads"] != heads(self.progress):
            raise refuse("a checkpoint that misstates what precedes it")
        batch = Frontier()
        for first, submission in submissions(origin, start, read(origin, start, end)):
            self._admit(side, first, submission, now, keep, at)
            batch.extend([leaf.leaf_hash for leaf in submission.leaves])
        if batch.size != end - start:
            raise refuse("entries of a side chain are missing")
        if batch.root() != decode_digest(entry["subtree"], 32):
            raise refuse("the batch of a side chain is not what its checkpoint says")
        if side.frontier.root() != decode_digest(entry["root"], 32):
            raise refuse("the entries of a side chain do not lead to its checkpoint")
        if lists_digest(side.lists) != entry["lists"]:
            raise refuse("a checkpoint that misstates the newest status lists")
        side.head = index
