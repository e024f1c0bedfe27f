"""What an address shows of the side chains, against what the main chain commits to of them.

The side chains and their keys are learned from a verified trust bundle. Of each, the newest
commitment is verified (a tlog-proof of a checkpoint entry under the quorum), its newest batch is
rebuilt from the side chain's own leaves, and the published checkpoint is compared. What the side
chain has beyond the commitment begins to wait for the main chain (`registry.watching.lateness`).

Not checked here: the entries themselves. That takes a mirror (`registry.watching.replay`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from registry.errors import RegistryUnreachable
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.members import decode_digest, decode_time, encode_time
from registry.ledger.records import SideChain
from registry.sequencing.door import DOOR_TOLERANCE
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.merkle import Frontier, inclusion_proof, verify_inclusion
from registry.tlog.policy import CosignedCheckpoint
from registry.tlog.proofs import TlogProof
from registry.tlog.tiles import WIDTH, Tile, width_at
from registry.trust import TrustBundle
from registry.trust.evidence import Statement, committed
from registry.watching.address import Address
from registry.watching.alarms import COMMITMENT
from registry.watching.alarms import marked as _
from registry.watching.look import Look
from registry.watching.state import since_seal
from registry.watching.trees import COMMITTED, PUBLISHED, compare

LARGEST_BATCH: Final = 1 << 17  # leaves of a batch whose subtree is rebuilt without a mirror


class SideChains:
    """The side chains of a network as far as they are known, from one look to the next."""

    def __init__(self) -> None:
        self._known: dict[str, SideChain] = {}
        self._rules_of_known: Mapping[str, Any] | None = None
        self._rules: Mapping[str, Any] | None = None  # the newest head that a commitment names

    @property
    def known(self) -> Mapping[str, SideChain]:
        """The side chains of the newest bundle that verified, by origin."""
        return self._known

    def check(self, look: Look, address: Address, cosigned: CosignedCheckpoint) -> None:
        """Check what one address shows of every side chain; `cosigned` is its main checkpoint.

        Whatever an address shows, it ends in an alarm and not the look. Raises RegistryUnreachable,
        and StoreFailed or StoreFull when evidence cannot be kept.
        """
        missing: RegistryUnreachable | None = None
        try:
            with look.believing_nothing(address, look.main):
                self._learn(look, address, cosigned)
        except RegistryUnreachable as error:
            missing = error  # what is known already is checked all the same
        for origin, side in self._known.items():
            with look.believing_nothing(address, origin):
                self._check_side(look, address, side)
        if missing is not None:
            raise missing

    def _learn(self, look: Look, address: Address, cosigned: CosignedCheckpoint) -> None:
        """The side chains, with their keys, from a verified trust bundle."""
        if not self._known or self._rules not in (None, self._rules_of_known):
            data = address.bundle()
            if data is not None:
                bundle = TrustBundle.load(data, look.genesis, now=look.time)
                self._known, self._rules_of_known = dict(bundle.chains), self._rules
        for side in self._known.values():
            # A bundle may know a chain that this checkpoint does not have yet. And what one address
            # could not prove, the next one may.
            if side.index < cosigned.size and not look.state.key_proof(side.origin):
                _learn_key(look, address, side, cosigned)

    def _check_side(self, look: Look, address: Address, side: SideChain) -> None:
        data = address.commitment(side.origin)
        covered = 0
        if data is not None:
            promised = committed(look.genesis, side.origin, data)
            covered = promised.size
            entry = _check_commitment(look, address, promised, data)
            self._rules = entry["rules"]  # when they change, chains may have been added
        _check_published(look, address, side, covered)


def _learn_key(look: Look, address: Address, side: SideChain, cosigned: CosignedCheckpoint) -> None:
    """Keep the proof that the main chain registers this side chain: evidence of a fork needs it."""
    reader = address.reader(look.main, cosigned.size)
    [raw] = address(look.main, side.index, side.index + 1)
    path = tuple(inclusion_proof(side.index, cosigned.size, reader))
    proof = TlogProof(side.index, path, cosigned.data, raw)
    proof.verify(parse_entry(raw).leaf_hash, look.genesis.policy)
    look.state.keep_key_proof(side.origin, proof.encode())


def _check_commitment(look: Look, address: Address, promised: Checkpoint, data: bytes) -> Entry:
    """Check the tree and the batch of a verified commitment; the entry that makes it."""
    entry = parse_entry(TlogProof.parse(data).extra or b"")
    look.state.anchored(promised.origin, promised.size)
    said = Statement(commitment=data, address=address.url, seen=encode_time(look.time))
    compare(look, address, COMMITTED, promised, said)
    _check_batch(look, address, entry)
    return entry


def _check_batch(look: Look, address: Address, entry: Entry) -> None:
    """The subtree hash of the newest batch, from the leaf hashes of its side chain."""
    origin, start, end = entry["origin"], entry["start"], entry["end"]
    if look.state.batch(address.url, origin) == end or end - start > LARGEST_BATCH:
        return
    reader, root = address.reader(origin, entry["size"]), decode_digest(entry["root"], 32)
    leaves = Frontier()
    for index in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
        width = width_at(0, index, entry["size"])
        hashes = reader.hashes(Tile(0, index, width))
        first = index * WIDTH
        # All other hashes of the tile enter the path of its first leaf: one proof for all.
        path = inclusion_proof(first, entry["size"], reader)
        verify_inclusion(first, entry["size"], hashes[0], path, root)
        leaves.extend(hashes[max(start - first, 0) : min(end - first, WIDTH)])
    if leaves.root() != decode_digest(entry["subtree"], 32):
        look.alarm(
            COMMITMENT,
            _(
                "the main chain commits to another batch of {origin} than {address} shows "
                "(entries {start} to {last})"
            ),
            address,
            origin,
            proven=True,
            start=start,
            last=end - 1,
        )
        return
    look.state.check_batch(address.url, origin, end)


def _check_published(look: Look, address: Address, side: SideChain, covered: int) -> None:
    """Compare the checkpoint that the side chain publishes; the main chain covers `covered`."""
    origin = side.origin
    note = address.checkpoint(origin)
    if note is None:
        return
    signed = open_checkpoint(note, origin, side.log_keys)
    said = Statement(note=note, address=address.url, seen=encode_time(look.time))
    compare(look, address, PUBLISHED, signed.checkpoint, said)
    if signed.size > covered:
        since = look.time
        if not look.state.is_waiting(origin):
            sealed = _sealed(address, origin, covered, signed.size)
            since = since_seal(sealed, since, DOOR_TOLERANCE)
        look.state.wait(origin, signed.size, since)
    look.count(origin, size=signed.size, anchored=covered)


def _sealed(address: Address, origin: str, start: int, end: int) -> datetime | None:
    """When the first submission from `start` on was sealed, by its seal's word."""
    for raw in address(origin, start, min(end, start + 4 * WIDTH)):
        entry = parse_entry(raw)
        if entry.kind == "seal":
            return decode_time(entry["time"])
    return None
