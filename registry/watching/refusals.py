"""What nodes refuse, by the word of the servers: a node's of itself, a sequencer's of its nodes.

Nothing of it is signed, so no alarm here is proven, and silence is no comfort. What they say is
cut to a length that a screen can show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.errors import RegistryUnreachable
from registry.ledger.members import encode_time
from registry.sequencing.door import DOOR_TOLERANCE
from registry.watching.address import Address
from registry.watching.alarms import REFUSED
from registry.watching.alarms import marked as _
from registry.watching.look import Look


def hear_refusals(look: Look, address: Address) -> None:
    """Alarm on what a node says that it refused since the last look, or a sequencer of nodes."""
    try:
        told = address.told()
    except RegistryUnreachable:
        return  # a plain file server, say: it has chains to show and no status
    refusals = told.get("refusals")
    if isinstance(refusals, list):
        _hear_node(look, address, refusals)
    else:
        _hear_sequencer(look, address, told)


def _hear_node(look: Look, address: Address, refusals: list[Any]) -> None:
    fresh = [
        r
        for r in refusals
        if isinstance(r, dict) and look.state.is_new_refusal(address.url, str(r.get("time")))
    ]
    # A time that lies far ahead would hide every refusal after it.
    latest = encode_time(look.time + DOOR_TOLERANCE)
    for refusal in fresh[:10]:
        look.alarm(
            REFUSED,
            _("the node at {address} refused a checkpoint at {time}: {reason}"),
            address,
            look.main,
            time=str(refusal.get("time"))[:40],
            reason=str(refusal.get("reason"))[:300],
        )
    times = (str(r.get("time")) for r in fresh)
    look.state.refusals_seen(address.url, max((t for t in times if t <= latest), default=""))


def _hear_sequencer(look: Look, address: Address, told: Mapping[str, Any]) -> None:
    nodes = told.get("nodes")
    for node in nodes if isinstance(nodes, list) else []:
        if isinstance(node, dict) and node.get("refused"):
            look.alarm(
                REFUSED,
                _("{address} says that the node {node} refuses: {reason}"),
                address,
                look.main,
                node=str(node.get("name"))[:80],
                reason=str(node.get("error"))[:300],
            )
