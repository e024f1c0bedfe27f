"""The replay of every entry by the rules, as a node does, and what to make of it when it fails.

Guaranteed: what the mirror keeps was cosigned by a quorum and follows the rules. When it does not
follow them, the chain is accused only if the very leaves stand in its tree; the entries come from
an address, and an address can show others. An accusation is kept as evidence.
"""

from __future__ import annotations

from registry.errors import (
    ChainInvalid,
    ConsistencyInvalid,
    RegistryError,
    RegistryUnreachable,
    TileCorrupt,
)
from registry.nodes.mirror import Mirror
from registry.tlog.merkle import Frontier, consistency_proof, leaf_hash
from registry.tlog.policy import CosignedCheckpoint
from registry.tlog.tiles import TileReader
from registry.watching.address import Address
from registry.watching.alarms import FORGED, INVALID, UNREACHABLE
from registry.watching.alarms import marked as _
from registry.watching.look import Look


def replay(look: Look, mirror: Mirror) -> None:
    """Bring the mirror up to the newest cosigned main checkpoint, from any address that can.

    Raises StoreFailed when the mirror or the evidence cannot be kept.
    """
    newest = look.state.cosigned
    if newest is None:
        return
    checkpoint = look.genesis.policy.check(newest.note, origin=look.main)
    if checkpoint.size <= mirror.size:
        return
    for address in sorted(look.addresses, key=lambda a: a.url != newest.address):
        reader = address.reader(look.main, checkpoint.size)

        def prove(size: int, reader: TileReader = reader) -> list[bytes]:
            return consistency_proof(size, checkpoint.size, reader)

        try:
            mirror.advance(checkpoint.size, checkpoint.root, read=address, prove=prove)
            mirror.commit()
        except ChainInvalid as error:
            _judge(look, address, checkpoint, error)
            return
        except (ConsistencyInvalid, TileCorrupt) as error:
            look.forged(address, look.main, error)
            return
        except RegistryUnreachable:
            continue
        look.count(look.main, replayed=mirror.size)
        return
    look.alarm(
        UNREACHABLE,
        _("no address showed the entries of {origin}, so they were not checked"),
        origin=look.main,
    )


def _judge(
    look: Look, address: Address, checkpoint: CosignedCheckpoint, error: ChainInvalid
) -> None:
    """Is the chain invalid, or did the address show something that is not the chain?"""
    origin, index = str(error.params["origin"]), int(str(error.params["index"]))
    chain = _is_chain(look, address, checkpoint, origin)
    look.alarm(
        INVALID if chain else FORGED,
        _("{origin} is not valid at entry {index}: {reason}")
        if chain
        else _("{address} showed entries of {origin} that are not on the chain (at {index})"),
        address,
        origin,
        proven=True,
        evidence=look.state.keep_invalid(checkpoint.data, error) if chain else None,
        index=index,
        reason=str(error.params["reason"]),
    )


def _is_chain(look: Look, address: Address, checkpoint: CosignedCheckpoint, origin: str) -> bool:
    """Whether the entries that the address shows make the cosigned tree, or the side chain's."""
    size, root = checkpoint.size, checkpoint.root
    if origin != look.main:
        seen = look.state.newest(origin)
        if seen is None:
            return False
        size, root = seen.size, seen.root
    leaves = Frontier()
    try:
        leaves.extend(leaf_hash(raw) for raw in address(origin, 0, size))
    except RegistryError:
        return False
    return leaves.root() == root
