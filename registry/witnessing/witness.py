"""The witness protocol, c2sp.org/tlog-witness, for any configured log.

Guarantees, against a log that shows different trees to different people: of one log, this witness
cosigns only trees each of which continues the one before. The record moves forward durably and
atomically before an answer is given, and never back, so neither two requests at once nor a crash
can make it cosign two trees of one size. It says nothing about entries: a node's own `check` does
(`registry.nodes.node`), for the chains of its network.

What it does not do: wait for anybody, or remember more than the latest checkpoint of a log. A log
that shows this witness one tree and hides another from it is caught by the quorum, not here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Protocol

from registry.errors import (
    ConsistencyInvalid,
    NodeBusy,
    NoteForged,
    NoteMalformed,
    NoteUnsigned,
    RegistryError,
)
from registry.limits import MAX_NOTE_BYTES, MAX_PROOF_HASHES
from registry.tlog.checkpoint import Checkpoint, SignedCheckpoint
from registry.tlog.lines import parse_decimal, parse_hash, split_head
from registry.tlog.merkle import EMPTY_ROOT, verify_consistency
from registry.tlog.note import (
    COSIGNER_TYPES,
    LOG_TYPES,
    ML_DSA_44,
    Note,
    NoteSigner,
    VerifiedNote,
    VerifierKey,
)
from registry.tlog.subtrees import is_subtree, verify_subtree_consistency
from schemas.errors import ExitCode

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + 64 * 64
TEXT: Final = "text/plain; charset=utf-8"
SIZE_TYPE: Final = "text/x.tlog.size"
BUSY_S: Final = 5.0  # how long a request waits for the one before it

Check = Callable[[SignedCheckpoint], None]
"""Raises RegistryError when the tree must not be cosigned, of whatever it found in it."""


def utc_now() -> datetime:
    """The clock at the edge."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, without HTTP."""

    status: int
    body: bytes
    content_type: str = TEXT

    @classmethod
    def text(cls, status: int, reason: str) -> Answer:
        return cls(status, f"{reason}\n".encode())


class Refused(Exception):
    """Ends a request with an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer: Final = answer


@dataclass(frozen=True)
class Cosigned:
    """The latest checkpoint of a log that was cosigned; no `note`: none ever was."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: bytes = b""
    time: int = 0


class Record(Protocol):
    """What was cosigned, durably."""

    def cosigned(self, origin: str) -> Cosigned:
        """The latest of a log; `Cosigned()` before the first."""
        ...

    def cosign(self, origin: str, old: Cosigned, new: Cosigned) -> bool:
        """Move from exactly `old` to `new`, durably; False when the record is elsewhere."""
        ...

    def record_refusal(self, time: datetime, reason: str, note: bytes) -> None:
        """Keep a checkpoint that its log signed and that was refused: it may be evidence."""
        ...


@dataclass(frozen=True)
class CheckpointRequest:
    """`add-checkpoint`, parsed."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    @classmethod
    def parse(cls, body: bytes) -> CheckpointRequest:
        """tlog-witness, "add-checkpoint"; ValueError when it has another form."""
        (first, *lines), note = _split(body)
        if not first.startswith("old "):
            raise ValueError("no line of the old size")
        old = parse_decimal(first.removeprefix("old "))
        return cls(old, tuple(parse_hash(line) for line in lines), note)


@dataclass(frozen=True)
class SubtreeRequest:
    """`sign-subtree`, parsed."""

    start: int
    end: int
    digest: bytes
    proof: tuple[bytes, ...]
    note: bytes

    @classmethod
    def parse(cls, body: bytes) -> SubtreeRequest:
        """tlog-witness, "sign-subtree"; ValueError when it has another form."""
        (first, *lines), note = _split(body, extra=1)
        words = first.split(" ")
        if len(words) != 3 or words[0] != "subtree" or not lines:
            raise ValueError("no lines of a range and a hash")
        digest, *proof = (parse_hash(line) for line in lines)
        return cls(parse_decimal(words[1]), parse_decimal(words[2]), digest, tuple(proof), note)


def _split(body: bytes, *, extra: int = 0) -> tuple[list[str], bytes]:
    if len(body) > MAX_REQUEST_BYTES:
        raise ValueError("the request is too large")
    head, blank, note = body.partition(b"\n\n")
    if not blank or not note:
        raise ValueError("no empty line stands before a checkpoint")
    lines = head.decode("ascii").split("\n")
    if len(lines) - 1 - extra > MAX_PROOF_HASHES:
        raise ValueError("too many lines of a proof")
    return lines, note


def _by_log(data: bytes, verified: VerifiedNote) -> Note:
    """A note with those lines alone that verified, each once: any stranger can add others."""
    known = {(s.key.name, s.key.id) for s in verified.signatures}
    lines = [s for s in Note.parse(data).signatures if (s.name, s.key_id) in known]
    return Note(verified.text).with_signatures(lines)


def origin_hash(origin: str) -> str:
    """What stands for a log in addresses of witnesses and mirrors."""
    return sha256(origin.encode()).hexdigest()


class Witness:
    """One witness: one or more keys of one cosigner, and the logs it knows. Thread-safe."""

    def __init__(
        self,
        record: Record,
        signers: Sequence[NoteSigner],
        logs: Mapping[str, Sequence[VerifierKey]],
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`logs`: the keys of each log by its origin. A log may use any name for its key.

        Without `signers` it only keeps the record, as mirrors do for their pending checkpoints.
        Raises ValueError for a key that cannot cosign or sign checkpoints.
        """
        if any(signer.key.type not in COSIGNER_TYPES for signer in signers):
            raise ValueError("a witness signs by keys for cosignatures")
        if any(key.type not in LOG_TYPES for keys in logs.values() for key in keys):
            raise ValueError("a log does not sign by such a key")
        own = {signer.key.public for signer in signers}
        if any(key.public in own for keys in logs.values() for key in keys):
            raise ValueError("a log signs by the key of its witness")
        self._record = record
        self._signers: Final = tuple(signers)
        self._logs: Final = {origin: tuple(keys) for origin, keys in logs.items()}
        self._origins: Final = {origin_hash(origin): origin for origin in logs}
        self._locks: Final = {origin: threading.Lock() for origin in logs}
        self._now = now

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The keys under which its cosignatures verify."""
        return tuple(signer.key for signer in self._signers)

    @property
    def origins(self) -> tuple[str, ...]:
        """The logs it knows."""
        return tuple(self._logs)

    @contextmanager
    def _turn(self, origin: str) -> Iterator[None]:
        # Of one log one at a time: compare and persist must not be interleaved (tlog-witness).
        # The record compares again; this only spares the checks of a request that would lose.
        lock = self._locks[origin]
        if not lock.acquire(timeout=BUSY_S):
            raise NodeBusy
        try:
            yield
        finally:
            lock.release()

    # add-checkpoint

    def add_checkpoint(self, body: bytes, check: Check | None = None) -> Answer:
        """tlog-witness, "add-checkpoint", with its status codes; 503 when it cannot tell now.

        `check` sees a checkpoint that its log signed and that continues the one before. It decides
        last whether it is cosigned, and runs while no other checkpoint of this log moves.
        """
        try:
            request = CheckpointRequest.parse(body)
            origin = self._known(self._head(request.note)[0])
            with self._turn(origin):
                return self._add_checkpoint(origin, request, check)
        except Refused as refused:
            return refused.answer
        except ValueError as error:
            return Answer.text(400, str(error))
        except RegistryError as error:  # of the record: a full disk says nothing about the log
            return Answer.text(503, f"{error.code}: {error}")

    def _add_checkpoint(
        self, origin: str, request: CheckpointRequest, check: Check | None
    ) -> Answer:
        note, size = self._open(origin, request.note)
        if request.old > size:
            return Answer.text(400, "the old size is greater than that of the checkpoint")
        latest = self._record.cosigned(origin)
        if request.old != latest.size:
            return self._conflict(latest)
        try:
            # A tree of size 0 with another root than that of nothing ends here, too.
            checkpoint = Checkpoint.parse(note.text)
            signed = SignedCheckpoint(checkpoint, note, request.note, frozenset(self._logs[origin]))
            self._check_growth(latest, signed, request.proof)
            if check is not None:
                check(signed)
        except RegistryError as error:
            reason = f"{error.code}: {error}"
            if error.exit_code is ExitCode.ENVIRONMENT:
                return Answer.text(503, reason)
            # What is cosigned already is no evidence, whatever proof a stranger sends with it.
            if not latest.note or split_head(note.text)[1:3] != (latest.size, latest.root):
                self._keep(origin, reason, _by_log(request.note, note))
                log.warning("%s: refused: %s", origin, reason)
            return Answer.text(422, reason)
        return self._cosign(latest, signed)

    def _keep(self, origin: str, reason: str, note: Note) -> None:
        try:
            self._record.record_refusal(self._now(), reason, note.encode())
        except RegistryError as error:  # the verdict stands without its evidence
            log.warning("%s: a refused checkpoint could not be kept: %s", origin, error)

    @staticmethod
    def _head(note: bytes) -> tuple[str, int]:
        """The log that a note speaks of, and the size; the rest of it is looked at later."""
        try:
            origin, size, _, extensions = split_head(Note.parse(note).text)
            if not origin or "" in extensions:
                raise ValueError("an empty line")
        except (NoteMalformed, ValueError) as error:
            raise Refused(Answer.text(400, f"no checkpoint: {error}")) from error
        return origin, size

    def _known(self, origin: str) -> str:
        if origin not in self._logs:
            raise Refused(Answer.text(404, "a log that this witness does not know"))
        return origin

    def _open(self, origin: str, data: bytes) -> tuple[VerifiedNote, int]:
        note = Note.parse(data)
        try:
            return note.verify(self._logs[origin]), split_head(note.text)[1]
        except (NoteForged, NoteUnsigned) as error:
            raise Refused(Answer.text(403, f"{error.code}: {error}")) from error

    @staticmethod
    def _conflict(latest: Cosigned) -> Answer:
        return Answer(409, b"%d\n" % latest.size, SIZE_TYPE)

    @staticmethod
    def _check_growth(latest: Cosigned, signed: SignedCheckpoint, proof: tuple[bytes, ...]) -> None:
        if latest.size:
            verify_consistency(latest.size, signed.size, latest.root, signed.root, proof)
        elif proof:
            raise ConsistencyInvalid(reason="from nothing, there is nothing to prove")

    def _cosign(self, latest: Cosigned, signed: SignedCheckpoint) -> Answer:
        # A clock that went back must not make a later statement look older. 0 would be no time.
        moment = max(int(self._now().timestamp()), latest.time, 1)
        text = signed.checkpoint.text
        able = [signer for signer in self._signers if signer.can_cosign(text)]
        if self._signers and not able:
            return Answer.text(422, "no key of this witness can cosign such a checkpoint")
        lines = [signer.sign(text, moment) for signer in able]
        kept = _by_log(signed.data, signed.note).with_signatures(lines).encode()
        new = Cosigned(signed.size, signed.root, kept, moment)
        if not self._record.cosign(signed.origin, latest, new):
            return self._conflict(self._record.cosigned(signed.origin))
        return Answer(200, "".join(line.line() for line in lines).encode())

    # sign-subtree

    def sign_subtree(self, body: bytes) -> Answer:
        """tlog-witness, "sign-subtree": a cosignature on a part of a tree that it cosigned."""
        try:
            request = SubtreeRequest.parse(body)
            origin, size = self._head(request.note)
            if not is_subtree(request.start, request.end) or request.end > size:
                return Answer.text(400, "no subtree of the checkpoint's tree")
            self._known(origin)
            try:
                note = Note.parse(request.note).verify(self.keys)
            except (NoteForged, NoteUnsigned) as error:
                return Answer.text(403, f"{error.code}: {error}")
            return self._sign_subtree(origin, request, note)
        except Refused as refused:
            return refused.answer
        except (ValueError, NoteMalformed) as error:
            return Answer.text(400, str(error))
        except RegistryError as error:
            return Answer.text(422, f"{error.code}: {error}")

    def _sign_subtree(self, origin: str, request: SubtreeRequest, note: VerifiedNote) -> Answer:
        start, end = request.start, request.end
        checkpoint = Checkpoint.parse(note.text)
        verify_subtree_consistency(
            start, end, checkpoint.size, request.digest, checkpoint.root, request.proof
        )
        # By the keys that signed the checkpoint, or else others under the same name: one cosigner
        # must not be taken for another.
        signed_by = {signature.key for signature in note.signatures}
        names = {key.name for key in signed_by}
        able = [s for s in self._signers if s.key.type == ML_DSA_44 and s.key.name in names]
        lines = [
            signer.sign_subtree(origin, start, end, request.digest)
            for signer in [s for s in able if s.key in signed_by] or able
        ]
        if not lines:
            return Answer.text(404, "no key of this witness speaks of subtrees")
        return Answer(200, "".join(line.line() for line in lines).encode())

    # Monitoring

    def checkpoint(self, digest: str) -> Answer:
        """`GET <monitoring prefix>/<hex sha256(origin)>/checkpoint`: the latest cosigned."""
        origin = self._origins.get(digest)
        if origin is None:
            return Answer.text(404, "a log that this witness does not know")
        latest = self._record.cosigned(origin)
        if not latest.note:
            return Answer.text(404, "nothing was cosigned yet")
        return Answer(200, latest.note)
