"""Checkpoints, c2sp.org/tlog-checkpoint: origin, size and root of a log as a signed note.

Guarantees that a `SignedCheckpoint` was signed by a key of its log, under the log's own name.
It does not say that anybody else saw the same tree: that is what `policy` checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from registry.errors import CheckpointForeign, CheckpointMalformed, NoteUnsigned
from registry.limits import HASH_BYTES, MAX_TREE_SIZE
from registry.tlog.lines import encode_hash, split_head
from registry.tlog.merkle import EMPTY_ROOT
from registry.tlog.note import (
    LOG_TYPES,
    Note,
    NoteSigner,
    VerifiedNote,
    VerifierKey,
)


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says, unsigned. Our logs write no extension lines: nobody audits them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.origin or any(ord(c) < 0x20 for c in self.origin):
            raise CheckpointMalformed(reason="its origin is empty or has a control character")
        if not 0 <= self.size <= MAX_TREE_SIZE:
            raise CheckpointMalformed(reason="its size is out of range")
        if len(self.root) != HASH_BYTES:
            raise CheckpointMalformed(reason="its root does not have 32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise CheckpointMalformed(reason="it is empty and has the root of something")
        if any(not line or any(ord(c) < 0x20 for c in line) for line in self.extensions):
            raise CheckpointMalformed(
                reason="an extension line is empty or has a control character"
            )

    @property
    def text(self) -> str:
        return "\n".join(
            (self.origin, str(self.size), encode_hash(self.root), *self.extensions, "")
        )

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """A note text (tlog-checkpoint, "Note text"); raises `CheckpointMalformed`."""
        try:
            origin, size, root, extensions = split_head(text)
        except ValueError as error:
            raise CheckpointMalformed(
                reason="it is not origin, size and root in three lines"
            ) from error
        return cls(origin, size, root, extensions)

    def sign(self, *signers: NoteSigner) -> bytes:
        """The signed note. The caller has made this head durable, once for its size, before."""
        lines = (line for signer in signers for line in signer.lines(self.text))
        return Note(self.text, tuple(lines)).encode()


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint that its log signed. `note` has every signature of the keys that were given."""

    checkpoint: Checkpoint
    note: VerifiedNote
    data: bytes
    log_keys: frozenset[VerifierKey] = frozenset()

    @property
    def origin(self) -> str:
        return self.checkpoint.origin

    @property
    def size(self) -> int:
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        return self.checkpoint.root

    def by_log_alone(self) -> bytes:
        """The note with the log's own lines: a dozen cosignatures are more than some take."""
        own = {(key.name, key.id) for key in self.log_keys}
        note = Note.parse(self.data)
        lines = tuple(line for line in note.signatures if (line.name, line.key_id) in own)
        return Note(note.text, lines).encode()

    @property
    def cosignatures(self) -> dict[VerifierKey, int]:
        """The newest timestamp of each known cosigner; the log is none of its own."""
        found: dict[VerifierKey, int] = {}
        for signature in self.note.signatures:
            if signature.timestamp is not None and signature.key not in self.log_keys:
                found[signature.key] = max(signature.timestamp, found.get(signature.key, 0))
        return found


def open_checkpoint(
    data: bytes,
    origin: str,
    log_keys: Iterable[VerifierKey],
    cosigners: Iterable[VerifierKey] = (),
) -> SignedCheckpoint:
    """Verify a checkpoint of `origin`.

    A log key counts under the name of its log only. Raises `NoteMalformed`,
    `CheckpointMalformed`, `CheckpointForeign`, `NoteForged` and `NoteUnsigned`.
    """
    # tlog-checkpoint, "Signatures": a log signs by Ed25519 or by a cosignature of ML-DSA-44.
    logs = frozenset(key for key in log_keys if key.name == origin and key.type in LOG_TYPES)
    note = Note.parse(data)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != origin:
        raise CheckpointForeign(found=checkpoint.origin, expected=origin)
    verified = note.verify([*logs, *cosigners])
    if not any(signature.key in logs for signature in verified.signatures):
        raise NoteUnsigned()
    return SignedCheckpoint(checkpoint, verified, data, logs)
