"""What a quorum of nodes has cosigned of a chain, from the pieces that a server shows.

Guarantees, against any server, that a `Cosigned` bears the quorum of the pinned genesis: the main
chain's checkpoint itself, or that of a side chain as an entry proved to stand on the main chain.
It does not say that there is nothing newer: `time` shows how old it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from registry.errors import RegistryMisbehaved
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import decode_digest
from registry.limits import HASH_BYTES
from registry.tlog.policy import CosignedCheckpoint
from registry.tlog.proofs import TlogProof


@dataclass(frozen=True)
class Cosigned:
    """A chain as a quorum of nodes has cosigned it: directly, or by its entry on the main chain.

    `time` is the quorum's (see `registry.tlog.policy`); `main` the main chain's checkpoint. For a
    side chain `entry` is the checkpoint entry and `proof` its proof.
    """

    origin: str
    size: int
    root: bytes
    time: datetime
    main: CosignedCheckpoint
    entry: Entry | None = None
    proof: TlogProof | None = None

    @property
    def note(self) -> str:
        """The cosigned note, as evidence."""
        return self.main.data.decode()

    @classmethod
    def of_main(cls, note: bytes, genesis: Genesis, *, now: int) -> Self:
        """The main chain by its cosigned `note`; `now` in Unix seconds.

        Raises QuorumMissing, and what else `registry.tlog.policy` finds wrong with it.
        """
        main = genesis.policy.check(note, origin=genesis.origin, now=now)
        return cls(genesis.origin, main.size, main.root, _time(main), main)

    @classmethod
    def of_side(cls, data: bytes, genesis: Genesis, origin: str, *, now: int) -> Self:
        """The side chain `origin` by the tlog-proof of its checkpoint entry, which is its `extra`.

        Raises QuorumMissing, RegistryMisbehaved for a proof of something else, and what else is
        wrong with the entry, the proof or the note in it.
        """
        proof = TlogProof.parse(data)
        entry = parse_entry(proof.extra or b"")
        if entry.kind != "checkpoint" or entry["origin"] != origin:
            raise RegistryMisbehaved(reason="a proof for another chain")
        found = proof.verify(entry.leaf_hash, genesis.policy, origin=genesis.origin, now=now)
        main = found.checkpoint
        root = decode_digest(entry["root"], HASH_BYTES)
        return cls(origin, entry["size"], root, _time(main), main, entry, proof)


@dataclass(frozen=True)
class Proofs:
    """Compact proofs by index, and the cosigned state under which each of them was checked."""

    under: Cosigned
    proofs: Mapping[int, bytes]


def _time(checkpoint: CosignedCheckpoint) -> datetime:
    if checkpoint.time is None:  # a genesis always demands a quorum
        raise RegistryMisbehaved(reason="a checkpoint that nobody cosigned")
    return checkpoint.time
