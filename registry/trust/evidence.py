"""Evidence of a fork: two statements about one chain that cannot both be true, in one file.

A statement is a checkpoint that the log signed, or the main chain's commitment to a side chain,
which a quorum has cosigned. Of one size, two statements contradict each other by their roots. Of
two sizes, the file carries the hashes of complete subtrees that make up the larger tree: they
lead to its root, so those below the smaller size are its true beginning, and they lead to another
root than the one that was signed for that size.

Guaranteed: what `Fork.verify` passes is proved to anybody who pins the genesis, without trust in
whoever made the file. It says that the log's key (or the quorum) made both statements; not who
held the key. Times and addresses in the file are its maker's word.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from registry.errors import EvidenceInvalid, RegistryError
from registry.ledger.entries import parse_entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import decode_digest
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.lines import encode_hash, parse_hash
from registry.tlog.merkle import EMPTY_ROOT, HashReader, complete_subtrees, node_hash
from registry.tlog.note import VerifierKey
from registry.tlog.proofs import TlogProof
from schemas.errors import Phrase

FORMAT: Final = "zhenglian/fork/v1"
MAX_EVIDENCE_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Statement:
    """Something that was said of a chain: `note`, or `commitment` (a tlog-proof), unverified."""

    note: bytes = b""
    commitment: bytes = b""
    address: str = ""
    seen: str = ""

    def to_json(self) -> dict[str, str]:
        said = {"note": self.note.decode()} if self.note else {"commitment": self._commitment()}
        return {**said, "address": self.address, "seen": self.seen}

    def _commitment(self) -> str:
        return self.commitment.decode()

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Statement:
        return cls(
            str(told.get("note", "")).encode(),
            str(told.get("commitment", "")).encode(),
            str(told.get("address", "")),
            str(told.get("seen", "")),
        )

    def checkpoint(self, genesis: Genesis, origin: str, keys: Iterable[VerifierKey]) -> Checkpoint:
        """What it says, once its signatures are checked; raises RegistryError."""
        if self.note:
            return open_checkpoint(self.note, origin, keys).checkpoint
        return committed(genesis, origin, self.commitment)


def committed(genesis: Genesis, origin: str, proof: bytes) -> Checkpoint:
    """What the cosigned main chain commits to of a side chain, by a tlog-proof of that entry."""
    found = TlogProof.parse(proof)
    entry = parse_entry(found.extra or b"")
    if entry.kind != "checkpoint" or entry["origin"] != origin:
        raise EvidenceInvalid(reason="a commitment to another chain")
    found.verify(entry.leaf_hash, genesis.policy, origin=genesis.origin)
    return Checkpoint(origin, entry["size"], decode_digest(entry["root"], 32))


@dataclass(frozen=True)
class Fork:
    """Two statements about `origin`, the older one of the smaller size.

    `left` and `right` are the complete subtrees of the larger tree below and from the smaller
    size on; both are empty where the sizes are equal. `key` is, for a side chain, the proof that
    the main chain registers it with its key.
    """

    origin: str
    older: Statement
    newer: Statement
    left: tuple[bytes, ...] = ()
    right: tuple[bytes, ...] = ()
    key: bytes = b""

    def encode(self, genesis: Genesis) -> bytes:
        """The file."""
        told = {
            "format": FORMAT,
            "genesis": json.loads(genesis.entry.raw),
            "origin": self.origin,
            "older": self.older.to_json(),
            "newer": self.newer.to_json(),
            "left": [encode_hash(h) for h in self.left],
            "right": [encode_hash(h) for h in self.right],
            "key": self.key.decode(),
        }
        return json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Fork:
        """Raises EvidenceInvalid."""
        try:
            told = json.loads(data)
            if told["format"] != FORMAT:
                raise EvidenceInvalid(reason="it is of another format")
            return cls(
                str(told["origin"]),
                Statement.from_json(told["older"]),
                Statement.from_json(told["newer"]),
                tuple(parse_hash(h) for h in told["left"]),
                tuple(parse_hash(h) for h in told["right"]),
                str(told["key"]).encode(),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise EvidenceInvalid(reason="it is not in form") from error

    def verify(self, genesis: Genesis) -> tuple[Checkpoint, Checkpoint]:
        """The two checkpoints that contradict each other; raises EvidenceInvalid if they do not."""
        try:
            keys = self._log_keys(genesis)
            older = self.older.checkpoint(genesis, self.origin, keys)
            newer = self.newer.checkpoint(genesis, self.origin, keys)
        except EvidenceInvalid:
            raise
        except RegistryError as error:
            raise EvidenceInvalid(
                reason=Phrase("{code}: {error}", code=error.code, error=error)
            ) from error
        if older.size == newer.size:
            beginning = newer.root
        else:
            if not 0 < older.size < newer.size:
                raise EvidenceInvalid(reason="its sizes are in the wrong order")
            beginning, whole = roots(older.size, newer.size, self.left, self.right)
            if whole != newer.root:
                raise EvidenceInvalid(reason="its hashes do not lead to the larger tree")
        if beginning == older.root:
            raise EvidenceInvalid(reason="the two statements agree")
        return older, newer

    def _log_keys(self, genesis: Genesis) -> tuple[VerifierKey, ...]:
        if self.origin == genesis.origin:
            return genesis.log_keys
        if not self.key:
            raise EvidenceInvalid(reason="nothing proves the key of the side chain")
        proof = TlogProof.parse(self.key)
        entry = parse_entry(proof.extra or b"")
        if entry.kind != "chain" or entry["origin"] != self.origin:
            raise EvidenceInvalid(reason="the key is of another chain")
        proof.verify(entry.leaf_hash, genesis.policy, origin=genesis.origin)
        names = ("logKey", "mlDsaKey")
        return tuple(VerifierKey.parse(entry[name]) for name in names if entry.body.get(name))


def parts(old: int, new: int, reader: HashReader) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The complete subtrees of a tree of `new` leaves below `old`, and from there on."""
    return (
        tuple(reader.subtree(level, index) for level, index in complete_subtrees(0, old)),
        tuple(reader.subtree(level, index) for level, index in complete_subtrees(old, new)),
    )


def roots(old: int, new: int, left: Sequence[bytes], right: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of the first `old` and of all `new` leaves that `parts` lead to."""
    below, above = complete_subtrees(0, old), complete_subtrees(old, new)
    if len(left) != len(below) or len(right) != len(above):
        raise EvidenceInvalid(reason="it has another number of hashes")
    stack: list[tuple[int, bytes]] = []
    beginning = EMPTY_ROOT
    places = [*zip(below, left, strict=True), *zip(above, right, strict=True)]
    for count, ((level, _), subtree) in enumerate(places, 1):
        stack.append((level, subtree))
        if count == len(below):
            beginning = _fold(stack)
        # Complete subtrees of one size that lie side by side make the next larger one.
        while len(stack) > 1 and stack[-1][0] == stack[-2][0]:
            (height, first), (_, second) = stack[-2:]
            stack[-2:] = [(height + 1, node_hash(first, second))]
    return beginning, _fold(stack)


def _fold(stack: Sequence[tuple[int, bytes]]) -> bytes:
    result = stack[-1][1]
    for _, subtree in reversed(stack[:-1]):
        result = node_hash(subtree, result)
    return result
