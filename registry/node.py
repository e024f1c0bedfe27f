"""A node: witness, validator and mirror in one, run by one department.

It answers `add-checkpoint` of c2sp.org/tlog-witness for the main chain. Before it cosigns, it
checks that the tree only grew (consistency with what it cosigned last) and that every new entry
of every chain is well formed, sealed and permitted (`registry.following`), by its own replay of
entries that it fetches and keeps. It never rolls back: the record moves forward durably before
an answer is given, and a restart resumes from it.

Guaranteed against a dishonest sequencer: no two trees and no forbidden entry get this node's
cosignature. A quorum of honest nodes makes that hold for the network. What a node cannot do is
make a sequencer work that refuses to.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from registry.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    open_checkpoint,
)
from registry.entries import encode_time
from registry.errors import (
    CheckpointForeign,
    CheckpointMalformed,
    ConsistencyInvalid,
    NodeBusy,
    NoteForged,
    NoteMalformed,
    NoteUnsigned,
    RegistryError,
)
from registry.following import Follower, Read
from registry.genesis import Genesis
from registry.governance import Governance
from registry.limits import MAX_NOTE_BYTES, MAX_PROOF_HASHES
from registry.lines import parse_decimal, parse_hash
from registry.merkle import verify_consistency
from registry.node_store import MIRROR_FILE, Cosigned, NodeStore
from registry.note import Note, NoteSigner, VerifierKey
from schemas.errors import ExitCode

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + 64 * 64
TEXT: Final = "text/plain; charset=utf-8"
SIZE_TYPE: Final = "text/x.tlog.size"
BUSY_S: Final = 5.0  # how long a request waits for the one before it


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


class _Refused(Exception):
    """Ends a request with an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True)
class _Request:
    old: int
    proof: tuple[bytes, ...]
    note: bytes

    @classmethod
    def parse(cls, body: bytes) -> _Request:
        """tlog-witness, "add-checkpoint"; ValueError when it has another form."""
        if len(body) > MAX_REQUEST_BYTES:
            raise ValueError("the request is too large")
        head, blank, note = body.partition(b"\n\n")
        if not blank or not note:
            raise ValueError("no empty line stands before a checkpoint")
        lines = head.decode("ascii").split("\n")
        if not lines[0].startswith("old ") or len(lines) - 1 > MAX_PROOF_HASHES:
            raise ValueError("no line of the old size, or too many of the proof")
        old = parse_decimal(lines[0].removeprefix("old "))
        return cls(old, tuple(parse_hash(line) for line in lines[1:]), note)


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
    ) -> None:
        """Open the node's store in `folder`; `read` fetches entries from the sequencer."""
        self.name = name
        self.genesis = genesis
        self._signer = signer
        self._log_key = VerifierKey.parse(genesis.log_key)
        self._read = read
        self._now = now
        self._lock = threading.Lock()
        self._store = NodeStore(folder / MIRROR_FILE, genesis.origin)
        self._follower = self._resume()
        self._latest_error = ""

    def close(self) -> None:
        """Wait for the request under way, then let go of the store."""
        with self._lock:
            self._store.close()

    def _resume(self) -> Follower:
        return Follower(
            self.genesis,
            governance=Governance.replay(self.genesis, self._store.governance(self.genesis.origin)),
            progress=self._store.progress(),
        )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        # One at a time: compare and persist must not be interleaved (tlog-witness).
        if not self._lock.acquire(timeout=BUSY_S):
            raise NodeBusy
        try:
            yield
        finally:
            self._lock.release()

    def add_checkpoint(self, body: bytes) -> Answer:
        """tlog-witness `add-checkpoint`, with its status codes."""
        try:
            with self._turn():
                answer = self._add_checkpoint(body)
        except _Refused as refused:
            answer = refused.answer
        except NodeBusy as error:
            answer = Answer.text(503, f"{error.code}: {error}")
        if answer.status == 200:
            self._latest_error = ""
        elif answer.status != 409:
            self._latest_error = answer.body.decode(errors="replace").strip()
            log.warning("node %s refuses (%d): %s", self.name, answer.status, self._latest_error)
        return answer

    def _add_checkpoint(self, body: bytes) -> Answer:
        try:
            request = _Request.parse(body)
        except ValueError as error:
            return Answer.text(400, str(error))
        signed = self._open(request.note)
        if request.old > signed.size:
            return Answer.text(400, "the old size is greater than that of the checkpoint")
        latest = self._store.cosigned(self.genesis.origin)
        if request.old != latest.size:
            return Answer(409, b"%d\n" % latest.size, SIZE_TYPE)
        try:
            self._check_growth(latest, signed, request.proof)
            self._check_entries(signed)
        except RegistryError as error:
            reason = f"{error.code}: {error}"
            if error.exit_code is ExitCode.ENVIRONMENT:
                # A full disk or an unreachable registry says nothing about the chain.
                return Answer.text(503, reason)
            self._store.record_refusal(self._now(), reason, request.note)
            return Answer.text(422, reason)
        return self._cosign(latest, signed)

    def _open(self, note: bytes) -> SignedCheckpoint:
        origin = self.genesis.origin
        try:
            found = Checkpoint.parse(Note.parse(note).text).origin
            if found != origin:
                raise _Refused(Answer.text(404, "a log that this node does not follow"))
            return open_checkpoint(note, origin, [self._log_key])
        except (NoteMalformed, CheckpointMalformed, CheckpointForeign) as error:
            raise _Refused(Answer.text(400, f"{error.code}: {error}")) from error
        except (NoteForged, NoteUnsigned) as error:
            raise _Refused(Answer.text(403, f"{error.code}: {error}")) from error

    def _check_growth(
        self, latest: Cosigned, signed: SignedCheckpoint, proof: tuple[bytes, ...]
    ) -> None:
        if latest.size == 0:
            if proof:
                raise ConsistencyInvalid(reason="from nothing, there is nothing to prove")
            if signed.size == 0:
                raise ConsistencyInvalid(reason="an empty log has no genesis")
            return
        verify_consistency(latest.size, signed.size, latest.root, signed.root, proof)

    def _check_entries(self, signed: SignedCheckpoint) -> None:
        if signed.size == self._follower.of(self.genesis.origin).size:
            # Checked before; the same size must still be the same tree.
            if self._follower.of(self.genesis.origin).frontier.root() != signed.root:
                raise ConsistencyInvalid(reason="another tree of this size was checked before")
            return
        try:
            with self._store.transaction():
                self._follower.advance(
                    signed.size,
                    signed.root,
                    read=self._read,
                    keep=self._store.keep,
                    now=self._now(),
                )
                self._store.save_progress(self._follower.progress)
        except BaseException:
            self._follower = self._resume()
            raise

    def _cosign(self, latest: Cosigned, signed: SignedCheckpoint) -> Answer:
        # A clock that went back must not make a later statement look older.
        moment = max(int(self._now().timestamp()), latest.time)
        line = self._signer.sign(signed.checkpoint.text, moment)
        note = Note.parse(signed.data)
        own_log = tuple(s for s in note.signatures if s.key_id == self._log_key.id)
        kept = Note(note.text, own_log).with_signatures([line]).encode()
        new = Cosigned(signed.size, signed.root, kept, moment)
        if not self._store.cosign(self.genesis.origin, latest, new):
            return Answer(409, b"%d\n" % self._store.cosigned(self.genesis.origin).size, SIZE_TYPE)
        return Answer(200, line.line().encode())

    def checkpoint(self, origin_hash: str) -> Answer:
        """`GET <monitor>/<hex sha256(origin)>/checkpoint`: the latest that was cosigned."""
        if origin_hash != sha256(self.genesis.origin.encode()).hexdigest():
            return Answer.text(404, "a log that this node does not follow")
        with self._turn():
            latest = self._store.cosigned(self.genesis.origin)
        if not latest.note:
            return Answer.text(404, "nothing was cosigned yet")
        return Answer(200, latest.note)

    def status(self) -> Mapping[str, Any]:
        """Where the node stands, for its operators."""
        with self._turn():
            latest = self._store.cosigned(self.genesis.origin)
            return {
                "node": self.name,
                "network": self.genesis.network,
                "vkey": self._signer.key.encode(),
                "cosigned": {
                    "size": latest.size,
                    "time": encode_time(datetime.fromtimestamp(latest.time, UTC))
                    if latest.note
                    else None,
                },
                "mirrored": {
                    origin: chain.size for origin, chain in self._follower.progress.items()
                },
                "error": self._latest_error or None,
                "refusals": self._store.refusals(),
            }
