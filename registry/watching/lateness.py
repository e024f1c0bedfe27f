"""What is late: the quorum, a node, the entries that wait for the main chain.

Judged by the record, after all addresses were asked, against the monitor's own clock. Lateness
alone proves nothing: an address may be cut off. The one exception is an entry that was left out
while the main chain went on beyond the time that its chain allows.
"""

from __future__ import annotations

from collections.abc import Mapping

from registry.ledger.records import SideChain
from registry.watching.alarms import ANCHOR, LAG, STALL, Limits
from registry.watching.alarms import marked as _
from registry.watching.look import Look, posix_time


def check_freshness(look: Look, limits: Limits) -> None:
    """Alarm when no quorum has vouched for the main chain lately, and for nodes behind it."""
    size, moment = look.state.vouched
    if size:
        look.count(look.main, size=size)
        look.round.chains[look.main]["time"] = posix_time(moment)
    silent = look.time_s - moment
    if moment and silent > limits.stall_s:
        look.alarm(
            STALL,
            _("no quorum has vouched for {origin} since {time}, for {seconds} seconds"),
            origin=look.main,
            time=posix_time(moment),
            seconds=silent,
        )
    for node in look.genesis.nodes:
        seen = look.state.node(node.name)
        age = moment - (seen[1] if seen else 0)
        if moment and size and age > limits.lag_s:
            look.alarm(
                LAG,
                _("the node {node} was last seen to cosign at {time}"),
                origin=look.main,
                node=node.name,
                time=posix_time(seen[1]) if seen else "-",
            )


def check_anchors(look: Look, sides: Mapping[str, SideChain]) -> None:
    """Alarm when entries of a side chain wait for the main chain longer than it allows."""
    moment = look.state.vouched[1]
    for origin, side in sides.items():
        since = look.state.oldest_waiting(origin)
        if since is None:
            continue
        waited = int((look.time - since).total_seconds())
        if waited <= side.max_anchor_delay_s:
            continue
        # If no quorum moved since, the main chain stalls, and that is the alarm that decides.
        moved = moment > since.timestamp() + side.max_anchor_delay_s
        look.alarm(
            ANCHOR,
            _(
                "entries of {origin} are not on the main chain after {seconds} seconds; "
                "{limit} are allowed"
            ),
            origin=origin,
            proven=moved,
            seconds=waited,
            limit=side.max_anchor_delay_s,
        )
