"""Proofs that stand alone, c2sp.org/tlog-proof: entry index, inclusion path and checkpoint.

Guarantees that a verified proof's leaf stands at its index in a tree that a log signed and the
policy's quorum cosigned. The path is never checked without the checkpoint it belongs to. The
`extra` data is authenticated by nothing.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from registry.errors import ProofMalformed
from registry.limits import MAX_PROOF_HASHES, MAX_TLOG_PROOF_BYTES
from registry.tlog.lines import encode_hash, parse_decimal, parse_hash, strict_base64
from registry.tlog.merkle import verify_inclusion
from registry.tlog.policy import CosignedCheckpoint, Policy

HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class VerifiedInclusion:
    """A leaf hash, where it stands, and the checkpoint that says so."""

    leaf: bytes
    index: int
    checkpoint: CosignedCheckpoint


@dataclass(frozen=True)
class TlogProof:
    """A parsed proof, unverified. `checkpoint` is a signed note, verbatim."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [encode_hash(h) for h in self.hashes]
        return "\n".join([*lines, "", ""]).encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """tlog-proof, "Format"; raises `ProofMalformed`. The checkpoint is not looked into."""
        if len(data) > MAX_TLOG_PROOF_BYTES:
            raise ProofMalformed(reason="it is too large")
        head, blank, checkpoint = data.partition(b"\n\n")
        if not blank or not checkpoint:
            raise ProofMalformed(reason="no blank line stands before a checkpoint")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise ProofMalformed(reason="it is not ASCII") from error
        if lines.pop(0) != HEADER:
            raise ProofMalformed(reason="its first line is another")
        try:
            extra = None
            if lines and lines[0].startswith("extra "):
                extra = strict_base64(lines.pop(0).removeprefix("extra "))
            if not lines or not lines[0].startswith("index "):
                raise ProofMalformed(reason="it has no index")
            index = parse_decimal(lines.pop(0).removeprefix("index "))
            if len(lines) > MAX_PROOF_HASHES:
                raise ProofMalformed(reason="it has too many hashes")
            hashes = tuple(parse_hash(line) for line in lines)
        except ValueError as error:
            raise ProofMalformed(reason="a number or base64 is not in form") from error
        return cls(index, hashes, checkpoint, extra)

    def verify(
        self, leaf: bytes, policy: Policy, *, origin: str | None = None, now: int | None = None
    ) -> VerifiedInclusion:
        """Check checkpoint, quorum and path for the leaf hash `leaf`.

        tlog-proof, "Verifying a tlog proof". Raises what `Policy.check` raises, and
        `InclusionInvalid`.
        """
        cosigned = policy.check(self.checkpoint, origin=origin, now=now)
        verify_inclusion(self.index, cosigned.size, leaf, self.hashes, cosigned.root)
        return VerifiedInclusion(leaf, self.index, cosigned)
