"""Who must have cosigned: trust policies, c2sp.org/tlog-policy.

Guarantees that a `CosignedCheckpoint` was signed by a listed log and cosigned by a quorum of
listed witnesses, each of which counts once. With 4 nodes and a quorum of 3, any two quorums share
two nodes, so one dishonest node cannot help a log to show two trees. It fails closed: a
cosignature that cannot be counted is as good as none.

**Two times.** A cosignature says "as of t, this is the largest tree I saw".
- `time`, of a group of k: the k-th *newest* time of its members. At that time or later, k of them
  still held this tree as the latest: what freshness is measured by. One dishonest clock cannot
  make it younger than the other k-1 quorum members say.
- `reached`, of a group of k: the k-th *oldest*. By then k of them had seen this tree: what an
  entry's existence is dated by.
With exactly k cosignatures the first is the oldest of them and the second the newest.

A party that signs with two keys, Ed25519 and ML-DSA-44, is a group of its own (`any` of its keys,
or `all`): so it counts once, however many of its lines a checkpoint bears.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from registry.errors import (
    CheckpointForeign,
    KeyMalformed,
    NoteUnsigned,
    PolicyMalformed,
    QuorumMissing,
)
from registry.limits import MAX_CLOCK_SKEW_S, MAX_POLICY_BYTES, MAX_POLICY_NAMES
from registry.tlog.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from registry.tlog.note import COSIGNER_TYPES, LOG_TYPES, ML_DSA_44, Note, VerifierKey
from schemas.errors import Phrase

NONE = "none"
NODES = "nodes"
"""The group of whom `Policy.k_of_n` wants a number."""
_ALGORITHM: Mapping[int, str] = {ML_DSA_44: "ml-dsa-44"}


@dataclass(frozen=True)
class Group:
    """Witnesses a checkpoint when at least `threshold` of `members` (witnesses, groups) do."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class CosignedCheckpoint:
    """A checkpoint that a log signed and a quorum cosigned. Times: POSIX seconds (see module).

    `cosigners`: the members of the quorum that have witnessed it, and the time of each; without
    a quorum the witnesses. `witnesses`: every key that was counted, whether in the quorum or not.
    """

    signed: SignedCheckpoint
    cosigners: Mapping[str, int]
    time_s: int | None
    reached_s: int | None
    witnesses: Mapping[str, int] = field(default_factory=dict)

    @property
    def checkpoint(self) -> Checkpoint:
        return self.signed.checkpoint

    @property
    def origin(self) -> str:
        return self.signed.origin

    @property
    def size(self) -> int:
        return self.signed.size

    @property
    def root(self) -> bytes:
        return self.signed.root

    @property
    def data(self) -> bytes:
        return self.signed.data

    @property
    def time(self) -> datetime | None:
        return None if self.time_s is None else datetime.fromtimestamp(self.time_s, UTC)

    @property
    def reached(self) -> datetime | None:
        return None if self.reached_s is None else datetime.fromtimestamp(self.reached_s, UTC)


@dataclass(frozen=True)
class Policy:
    """Logs, witnesses by name, groups by name, and the name of the quorum ("none": no witness).

    `log_urls` and `witness_urls` are the addresses that the file gives, by the log's key and the
    witness' name. They are needed to ask somebody, never to verify.
    """

    logs: tuple[VerifierKey, ...]
    witnesses: Mapping[str, VerifierKey]
    groups: Mapping[str, Group]
    quorum: str
    log_urls: Mapping[VerifierKey, str] = field(default_factory=dict)
    witness_urls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def k_of_n(
        cls,
        threshold: int,
        witnesses: Mapping[str, VerifierKey | Sequence[VerifierKey]],
        logs: Iterable[VerifierKey] = (),
        *,
        each: str = "any",
    ) -> Policy:
        """The quorum of any `threshold` of `witnesses`; raises `PolicyMalformed`.

        A witness of several keys is a group: `each` ("any", "all") says which of them must sign.
        """
        lines = [f"log {key.encode()}" for key in logs]
        for name, keys in witnesses.items():
            several = [keys] if isinstance(keys, VerifierKey) else list(keys)
            if len(several) == 1:
                lines.append(f"witness {name} {several[0].encode()}")
                continue
            named = {f"{name}/{_ALGORITHM.get(key.type, 'ed25519')}": key for key in several}
            lines += [f"witness {part} {key.encode()}" for part, key in named.items()]
            lines.append(f"group {name} {each} {' '.join(named)}")
        lines += [f"group {NODES} {threshold} {' '.join(witnesses)}", f"quorum {NODES}"]
        return cls.parse("\n".join([*lines, ""]).encode())

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """A policy file; raises `PolicyMalformed` with the number of the line."""
        return _Parser().parse(data)

    def encode(self) -> bytes:
        """The policy file again, without comments."""
        lines = [f"log {key.encode()} {self.log_urls.get(key, '')}".rstrip() for key in self.logs]
        lines += [
            f"witness {name} {key.encode()} {self.witness_urls.get(name, '')}".rstrip()
            for name, key in self.witnesses.items()
        ]
        lines += [
            f"group {name} {group.threshold} {' '.join(group.members)}"
            for name, group in self.groups.items()
        ]
        return "\n".join([*lines, f"quorum {self.quorum}", ""]).encode(errors="surrogateescape")

    def check(
        self, data: bytes, *, origin: str | None = None, now: int | None = None
    ) -> CosignedCheckpoint:
        """Verify a checkpoint of one of the logs (of `origin`, if given) and its quorum.

        `now` (POSIX seconds): a cosignature from more than `MAX_CLOCK_SKEW_S` ahead does not
        count. Raises what `open_checkpoint` raises, and `QuorumMissing`.
        """
        found = Checkpoint.parse(Note.parse(data).text).origin
        if origin is not None and found != origin:
            raise CheckpointForeign(found=found, expected=origin)
        if all(key.name != found for key in self.logs):
            raise NoteUnsigned()
        return self.check_quorum(
            open_checkpoint(data, found, self.logs, self.witnesses.values()), now=now
        )

    def check_quorum(
        self, signed: SignedCheckpoint, *, now: int | None = None
    ) -> CosignedCheckpoint:
        """The quorum alone, of a checkpoint opened with these witnesses as its cosigners."""
        times = signed.cosignatures
        # tlog-witness: a witness never leaves out the time, so 0 is no statement of one.
        counted = {
            name: times[key]
            for name, key in self.witnesses.items()
            if times.get(key) and (now is None or times[key] <= now + MAX_CLOCK_SKEW_S)
        }
        if self.quorum == NONE:
            return CosignedCheckpoint(signed, counted, None, None, counted)
        group = self.groups.get(self.quorum)
        members = {
            name: found[0]
            for name in (group.members if group else (self.quorum,))
            if (found := self._times(name, counted)) is not None
        }
        reached = self._times(self.quorum, counted)
        if reached is None:
            needed = group.threshold if group else 1
            raise QuorumMissing(origin=signed.origin, found=len(members), needed=needed)
        return CosignedCheckpoint(signed, members, *reached, counted)

    def _times(self, name: str, counted: Mapping[str, int]) -> tuple[int, int] | None:
        """(time, reached) of a witness or group, None when it has not witnessed."""
        group = self.groups.get(name)
        if group is None:
            return (counted[name], counted[name]) if name in counted else None
        members = [t for m in group.members if (t := self._times(m, counted)) is not None]
        k = group.threshold
        if len(members) < k:
            return None
        return sorted(t for t, _ in members)[-k], sorted(r for _, r in members)[k - 1]


class _Parser:
    """tlog-policy, "Policy file syntax and structure", line by line."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, VerifierKey] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self.log_urls: dict[VerifierKey, str] = {}
        self.witness_urls: dict[str, str] = {}
        self.grouped: set[str] = set()
        self.line = 0

    def fail(self, reason: str) -> PolicyMalformed:
        return PolicyMalformed(line=self.line, reason=reason)

    def parse(self, data: bytes) -> Policy:
        if len(data) > MAX_POLICY_BYTES:
            raise self.fail("the file is too large")
        if re.search(rb"[^\t\n\x20-\x7e\x80-\xff]", data):
            raise self.fail("there is a control character")
        if data and not data.endswith(b"\n"):
            self.line = data.count(b"\n") + 1
            raise self.fail("the line does not end in a newline")
        # Names are opaque octets ("Character set"); surrogates carry those that are not UTF-8.
        for line in data.decode("utf-8", "surrogateescape").split("\n"):
            self.line += 1
            words = [word for word in re.split("[ \t]+", line) if word]
            if not words or words[0].startswith("#"):
                continue
            self.statement(words[0], words[1:])
        if self.quorum is None:
            raise self.fail("no line names the quorum")
        return Policy(
            tuple(self.logs),
            dict(self.witnesses),
            dict(self.groups),
            self.quorum,
            dict(self.log_urls),
            dict(self.witness_urls),
        )

    def statement(self, keyword: str, words: list[str]) -> None:
        match keyword, words:
            case "log", [vkey, *url] if len(url) <= 1:
                log = self.key(vkey, LOG_TYPES, self.logs)
                self.logs.append(log)
                self.log_urls |= {log: url[0]} if url else {}
            case "witness", [name, vkey, *url] if len(url) <= 1:
                witness = self.key(vkey, COSIGNER_TYPES, list(self.witnesses.values()))
                self.witnesses[self.new(name)] = witness
                self.witness_urls |= {name: url[0]} if url else {}
            case "group", [name, threshold, *members] if members:
                self.groups[self.new(name)] = self.group(threshold, members)
            case "quorum", [name]:
                if self.quorum is not None:
                    raise self.fail("a second line names the quorum")
                self.quorum = name if name == NONE else self.known(name)
            case _:
                raise self.fail("it is no log, witness, group or quorum in form")

    def key(self, vkey: str, types: frozenset[int], others: list[VerifierKey]) -> VerifierKey:
        try:
            key = VerifierKey.parse(vkey)
        except KeyMalformed as error:
            raise self.fail(
                Phrase("the key is malformed: {reason}", reason=error.params["reason"])
            ) from error
        if key.type not in types:
            raise self.fail("the key is of a type that does not serve here")
        if any(key.public == other.public for other in others):
            raise self.fail("the same public key stands on another line")
        return key

    def new(self, name: str) -> str:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise self.fail("the name is taken")
        if len(self.witnesses) + len(self.groups) >= MAX_POLICY_NAMES:
            raise self.fail("there are too many names")
        return name

    def known(self, name: str) -> str:
        if name not in self.witnesses and name not in self.groups:
            raise self.fail("a name is not defined above")
        return name

    def group(self, threshold: str, members: list[str]) -> Group:
        for member in members:
            if self.known(member) in self.grouped:
                raise self.fail("a member belongs to a group already")
            self.grouped.add(member)
        count = len(members)
        if threshold in {"any", "all"}:
            return Group(1 if threshold == "any" else count, tuple(members))
        if not re.fullmatch("[1-9][0-9]{0,4}", threshold, re.ASCII) or int(threshold) > count:
            raise self.fail("the threshold is not a number from 1 to that of the members")
        return Group(int(threshold), tuple(members))
