"""Proofs that an anchor is on the chain: compact against a trust bundle, long by themselves.

A *compact proof* (`registry.tlog.tiles`) leads to hashes that the bundle holds. A *long proof*
leads from the leaf through its side chain's checkpoint and the main chain to a cosigned checkpoint;
it needs nothing but the genesis. It is a c2sp.org/tlog-proof for the main chain's checkpoint entry,
whose `extra` holds that entry and the path on the side chain. `extra` is authenticated by nothing,
and need not be: the entry is what the proof proves, and the path must end in its root.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785

from registry.errors import AnchorInvalid, AnchorUnknown, QuorumMissing, RegistryError
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import decode_digest
from registry.limits import MAX_PROOF_HASHES
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.lines import encode_hash, parse_hash
from registry.tlog.merkle import verify_inclusion
from registry.tlog.proofs import TlogProof
from registry.tlog.tiles import CompactProof


@dataclass(frozen=True)
class AnchorFound:
    """The leaf stands at `index` of the side chain `origin`, in a tree cosigned by `time`."""

    origin: str
    index: int
    time: datetime


@dataclass(frozen=True)
class SideTree:
    """What a bundle holds of a side chain, already checked to lead to its cosigned root."""

    origin: str
    size: int
    root: bytes
    tile_hashes: tuple[bytes, ...]
    leaves: dict[int, tuple[bytes, ...]]
    """Leaf hashes by level-0 tile: of the last full tile and of the partial one."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The cosigned tree, as the main chain's entry states it."""
        return Checkpoint(self.origin, self.size, self.root)

    def check(self, leaf: bytes, proof: bytes) -> int:
        """The index at which a compact proof shows `leaf`; raises AnchorInvalid, AnchorUnknown."""
        try:
            compact = CompactProof.decode(proof)
            if compact.index >= self.size:
                raise AnchorUnknown(reason="it is newer than the bundle")
            leaves = self.leaves.get(compact.tile_index)
            if leaves is not None:
                compact.check_tile_leaves(leaf, leaves)
            elif not compact.siblings:
                raise AnchorUnknown(reason="the proof was made while its tile was not full")
            else:
                compact.check_tile_hash(leaf, self.tile_hashes[compact.tile_index])
        except AnchorUnknown:
            raise
        except RegistryError as error:
            raise AnchorInvalid(reason=error) from error
        return compact.index


@dataclass(frozen=True)
class LongProof:
    """A long proof, unverified: the side path, the main chain's entry, and its proof."""

    index: int
    path: tuple[bytes, ...]
    entry: Entry
    main: TlogProof

    @classmethod
    def build(cls, index: int, path: Sequence[bytes], entry: Entry, main: TlogProof) -> LongProof:
        """`main` proves `entry`; its `extra` is replaced."""
        extra: dict[str, Any] = {
            "entry": dict(entry.body),
            "index": index,
            "path": [encode_hash(sibling) for sibling in path],
        }
        whole = TlogProof(main.index, main.hashes, main.checkpoint, rfc8785.dumps(extra))
        return cls(index, tuple(path), entry, whole)

    def encode(self) -> bytes:
        """The file: a c2sp.org/tlog-proof."""
        return self.main.encode()

    @classmethod
    def parse(cls, data: bytes) -> LongProof:
        """Raises AnchorInvalid."""
        try:
            main = TlogProof.parse(data)
            extra: Any = json.loads(main.extra or b"")
            if set(extra) != {"entry", "index", "path"} or len(extra["path"]) > MAX_PROOF_HASHES:
                raise AnchorInvalid(reason="it is not a proof for an anchor")
            if type(extra["index"]) is not int:
                raise AnchorInvalid(reason="its index is not a number")
            path = tuple(parse_hash(sibling) for sibling in extra["path"])
            return cls(extra["index"], path, parse_entry(rfc8785.dumps(extra["entry"])), main)
        except AnchorInvalid:
            raise
        except (ValueError, TypeError, RecursionError, rfc8785.CanonicalizationError) as error:
            raise AnchorInvalid(reason="it is not a proof for an anchor") from error
        except RegistryError as error:
            raise AnchorInvalid(reason=error) from error

    def verify(
        self, genesis: Genesis, origin: str, leaf: bytes, *, now: int | None = None
    ) -> AnchorFound:
        """Check every step up to the quorum. Raises AnchorInvalid, QuorumMissing.

        `now` (POSIX seconds) keeps cosignatures from the future from counting.
        """
        if self.entry.kind != "checkpoint" or self.entry["origin"] != origin:
            raise AnchorInvalid(reason="it leads to another chain")
        try:
            found = self.main.verify(
                self.entry.leaf_hash, genesis.policy, origin=genesis.origin, now=now
            )
            verify_inclusion(
                self.index,
                self.entry["size"],
                leaf,
                self.path,
                decode_digest(self.entry["root"], 32),
            )
        except QuorumMissing:
            raise
        except RegistryError as error:
            raise AnchorInvalid(reason=error) from error
        time = found.checkpoint.time
        if time is None:  # a genesis always demands a quorum
            raise AnchorInvalid(reason="nobody cosigned it")
        return AnchorFound(origin, self.index, time)
