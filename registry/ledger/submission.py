"""Submissions: some entries and the seal by which one submitter answers for them.

On the chain they are consecutive leaves, the seal last. The seal signs the number of entries and
the Merkle root over their leaf hashes, bound to one chain by its origin: nobody can add, drop,
reorder or move a sealed entry. An entry needs no signature of its own, so its leaf can be rebuilt
from its content alone.

On the wire a submission is JSON Lines: the exact bytes of each entry, and of the seal. Canonical
JSON never holds a newline, so the lines cannot be ambiguous.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import rfc8785

from credentials.dids import ASSERTION, Resolver
from credentials.errors import CredentialError
from credentials.keys import Signer
from registry.errors import SealInvalid, SubmissionMalformed
from registry.ledger.entries import Entry, make_entry, parse_entry
from registry.ledger.members import decode_digest, decode_time, encode_digest, encode_time
from registry.limits import MAX_BATCH_ENTRIES, MAX_ENTRY_BYTES
from registry.tlog.merkle import root_of
from schemas.errors import Phrase

SEAL_PREFIX: Final = b"zhenglian/seal/v1\x00"
MAX_SUBMISSION_BYTES: Final = 4 * 1024 * 1024  # a full batch of anchors takes 200 KiB
CONTENT_TYPE: Final = "application/jsonl"


@dataclass(frozen=True)
class Submission:
    """Entries and a seal that fits them. Its signature is checked by `check_seal`."""

    origin: str
    entries: tuple[Entry, ...]
    seal: Entry

    @cached_property
    def submitter(self) -> str:
        """The DID that answers for the entries, once `check_seal` has passed."""
        return str(self.seal["submitter"])

    @cached_property
    def time(self) -> datetime:
        """When the submitter says it sealed them."""
        return decode_time(self.seal["time"])

    @property
    def leaves(self) -> tuple[Entry, ...]:
        """Entries and seal in the order of the chain."""
        return (*self.entries, self.seal)

    def encode(self) -> bytes:
        """The body of a request."""
        return b"".join(entry.raw + b"\n" for entry in self.leaves)

    @classmethod
    def assemble(cls, origin: str, leaves: Sequence[Entry]) -> Submission:
        """Entries that end in their seal, or SubmissionMalformed. One seal, and it fits."""
        if len(leaves) < 2 or leaves[-1].kind != "seal":
            raise SubmissionMalformed(reason="no entries that end in a seal")
        *entries, seal = leaves
        if any(entry.kind == "seal" for entry in entries):
            raise SubmissionMalformed(reason="a seal among the sealed")
        if seal["count"] != len(entries):
            raise SubmissionMalformed(reason="the seal counts another number of entries")
        if seal["root"] != encode_digest(root_of([entry.leaf_hash for entry in entries])):
            raise SubmissionMalformed(reason="the seal is of other entries")
        return cls(origin, tuple(entries), seal)

    @classmethod
    def parse(cls, origin: str, body: bytes) -> Submission:
        """The submission in a request's body. Raises SubmissionMalformed, EntryMalformed."""
        if len(body) > MAX_SUBMISSION_BYTES:
            raise SubmissionMalformed(
                reason=Phrase("more than {most} bytes", most=MAX_SUBMISSION_BYTES)
            )
        if not body.endswith(b"\n"):
            raise SubmissionMalformed(reason="the last line has no end")
        lines = body[:-1].split(b"\n")
        if len(lines) > MAX_BATCH_ENTRIES:
            raise SubmissionMalformed(
                reason=Phrase("more than {most} lines", most=MAX_BATCH_ENTRIES)
            )
        if any(len(line) > MAX_ENTRY_BYTES for line in lines):
            raise SubmissionMalformed(reason="a line is longer than an entry may be")
        return cls.assemble(origin, [parse_entry(line) for line in lines])


def _signed_bytes(origin: str, unsigned: bytes) -> bytes:
    return SEAL_PREFIX + origin.encode() + b"\x00" + unsigned


def _unsigned(seal: Entry) -> bytes:
    """The canonical form of a seal without its signature.

    Cut out of its bytes, which are canonical. The member is in them once: within a text a
    quotation mark stands behind a backslash (RFC 8785 §3.2.2.2).
    """
    before, _, after = seal.raw.partition(f',"sig":"{seal["sig"]}"'.encode())
    return before + after


def seal(
    origin: str,
    entries: Sequence[Entry],
    *,
    submitter: str,
    key_url: str,
    signer: Signer,
    now: datetime,
) -> Submission:
    """Seal `entries` for the chain `origin` with the key that `key_url` names."""
    if not 1 <= len(entries) < MAX_BATCH_ENTRIES:
        raise SubmissionMalformed(
            reason=Phrase("not 1 to {most} entries", most=MAX_BATCH_ENTRIES - 1)
        )
    body: dict[str, Any] = {
        "kind": "seal",
        "v": 1,
        "submitter": submitter,
        "count": len(entries),
        "root": encode_digest(root_of([entry.leaf_hash for entry in entries])),
        "time": encode_time(now),
        "key": key_url,
    }
    body["sig"] = encode_digest(signer.sign(_signed_bytes(origin, rfc8785.dumps(body))))
    members = {name: value for name, value in body.items() if name not in ("kind", "v")}
    return Submission.assemble(origin, [*entries, make_entry("seal", **members)])


def check_seal(submission: Submission, resolver: Resolver) -> None:
    """The seal's signature verifies under a key that its submitter lists for assertions.

    Raises SealInvalid. Whether the submitter may write these entries is another question.
    """
    body = submission.seal.body
    submitter = submission.submitter
    try:
        method = resolver.resolve(body["key"], ASSERTION)
        if method.controller != submitter:
            raise SealInvalid(submitter=submitter, reason="the key is of somebody else")
        method.check_alive(submission.time)
        signed = _signed_bytes(submission.origin, _unsigned(submission.seal))
        method.public_key.verify(decode_digest(body["sig"]), signed)
    except CredentialError as error:
        raise SealInvalid(submitter=submitter, reason=error.code) from error
