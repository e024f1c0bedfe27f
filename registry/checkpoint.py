"""Checkpoints, c2sp.org/tlog-checkpoint: origin, size and root of a log as a signed note.

Guarantees that a `SignedCheckpoint` was signed by a key of its log, under the log's own name.
It does not say that anybody else saw the same tree: that is what `policy` checks.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from registry.errors import CheckpointForeign, CheckpointMalformed, NoteUnsigned
from registry.limits import HASH_BYTES, MAX_TREE_SIZE
from registry.merkle import EMPTY_ROOT
from registry.note import (
    ED25519_COSIGNATURE,
    Note,
    NoteSigner,
    VerifiedNote,
    VerifierKey,
    strict_base64,
)


def parse_decimal(text: str) -> int:
    """ASCII decimal without leading zeroes, at most 2^63 - 1; raises `ValueError`."""
    if not re.fullmatch("0|[1-9][0-9]{0,18}", text, re.ASCII) or int(text) > MAX_TREE_SIZE:
        raise ValueError("not a decimal number in range")
    return int(text)


def parse_hash(text: str) -> bytes:
    """A base64 SHA-256 hash; raises `ValueError`."""
    data = strict_base64(text)
    if len(data) != HASH_BYTES:
        raise ValueError("not 32 bytes")
    return data


def encode_hash(data: bytes) -> str:
    return base64.b64encode(data).decode()


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
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop():
            raise CheckpointMalformed(reason="it has fewer than three lines")
        try:
            size, root = parse_decimal(lines[1]), parse_hash(lines[2])
        except ValueError as error:
            raise CheckpointMalformed(reason="its size or root is not in form") from error
        return cls(lines[0], size, root, tuple(lines[3:]))

    def sign(self, *signers: NoteSigner) -> bytes:
        """The signed note. The caller has made this head durable, once for its size, before."""
        return Note(self.text, tuple(signer.sign(self.text) for signer in signers)).encode()


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint that its log signed. `note` has every signature of the keys that were given."""

    checkpoint: Checkpoint
    note: VerifiedNote
    data: bytes

    @property
    def origin(self) -> str:
        return self.checkpoint.origin

    @property
    def size(self) -> int:
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        return self.checkpoint.root

    @property
    def cosignatures(self) -> dict[VerifierKey, int]:
        """The newest timestamp of each known cosigner."""
        found: dict[VerifierKey, int] = {}
        for signature in self.note.signatures:
            if signature.timestamp is not None:
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
    logs = {key for key in log_keys if key.name == origin and key.type != ED25519_COSIGNATURE}
    note = Note.parse(data)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != origin:
        raise CheckpointForeign(found=checkpoint.origin, expected=origin)
    verified = note.verify([*logs, *cosigners])
    if not any(signature.key in logs for signature in verified.signatures):
        raise NoteUnsigned()
    return SignedCheckpoint(checkpoint, verified, data)
