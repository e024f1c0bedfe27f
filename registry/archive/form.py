"""What writer and reader of archives share: names of members, parts of chains, their trees."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from registry.errors import (
    ArchiveForged,
    RegistryError,
)
from registry.ledger.entries import parse_entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import decode_digest, document_digest
from registry.limits import (
    MAX_ENTRY_BYTES,
    MAX_GENESIS_BYTES,
)
from registry.tlog.merkle import Frontier, complete_subtrees, leaf_hash
from registry.tlog.proofs import TlogProof
from registry.tlog.tiles import (
    WIDTH,
    Tile,
    TileStack,
)
from registry.trust.evidence import roots
from schemas.errors import Phrase

FORMAT: Final = "zhenglian/archive/v1"
FIRST_MEMBER: Final = "archive.json"
GENESIS_MEMBER: Final = "genesis.json"
LAST_MEMBER: Final = "end.json"
LISTS_FOLDER: Final = "status-lists"
MAX_BUNDLE: Final = WIDTH * (MAX_ENTRY_BYTES + 2) + MAX_GENESIS_BYTES
MAX_JSON: Final = 64 * 1024

Progress = Callable[[str, int, int], None]
"""Told of every bundle: origin, entries done, entries in all."""


@dataclass(frozen=True)
class Part:
    """Entries [start, end) of a chain of `size`, and the complete subtrees before and behind."""

    origin: str
    size: int
    root: bytes
    start: int
    end: int
    left: tuple[bytes, ...] = ()
    right: tuple[bytes, ...] = ()

    @property
    def whole(self) -> bool:
        return (self.start, self.end) == (0, self.size)


class PartTree:
    """The tree over a part: makes its tiles, and holds it to the root at the end."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._stack = TileStack() if part.whole else None
        self._frontier = Frontier(part.start, list(part.left))
        self.position = part.start
        if len(part.left) != len(complete_subtrees(0, part.start)):
            raise ArchiveForged(part=part.origin, reason="it has another number of hashes")

    def extend(self, entries: Iterable[bytes]) -> list[tuple[Tile, list[bytes]]]:
        leaves = [leaf_hash(entry) for entry in entries]
        index, self.position = self.position // WIDTH, self.position + len(leaves)
        if self._stack is not None:
            return list(self._stack.extend(leaves))
        self._frontier.extend(leaves)
        return [(Tile(0, index, len(leaves)), leaves)]

    def partials(self) -> list[tuple[Tile, list[bytes]]]:
        return list(self._stack.partials()) if self._stack is not None else []

    def finish(self) -> None:
        """Raises ArchiveForged unless the entries lead to the root."""
        part = self._part
        if self._stack is not None:
            found = self._stack.root()
        elif part.end == part.size:
            found = self._frontier.root()
        else:
            nodes = self._frontier.nodes
            try:
                found = roots(part.end, part.size, nodes, part.right)[1]
            except RegistryError as error:
                raise ArchiveForged(part=part.origin, reason=error) from error
        if found != part.root:
            raise ArchiveForged(
                part=part.origin, reason="its entries do not lead to the cosigned checkpoint"
            )


def side_state(genesis: Genesis, origin: str, proof: bytes) -> tuple[int, bytes]:
    """Size and root that the cosigned main chain commits to; raises ArchiveForged."""
    try:
        found = TlogProof.parse(proof)
        entry = parse_entry(found.extra or b"")
        if entry.kind != "checkpoint" or entry["origin"] != origin:
            raise ArchiveForged(part=origin, reason="its checkpoint is of another chain")
        found.verify(entry.leaf_hash, genesis.policy, origin=genesis.origin)
    except ArchiveForged:
        raise
    except RegistryError as error:
        raise ArchiveForged(
            part=origin, reason=Phrase("{code}: {error}", code=error.code, error=error)
        ) from error
    return int(entry["size"]), decode_digest(entry["root"], 32)


def fits(digest: str, data: bytes) -> bool:
    """Whether a status list has this digest."""
    try:
        return document_digest(json.loads(data)) == digest
    except (ValueError, RecursionError, TypeError):
        return False
