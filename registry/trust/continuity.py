"""Whether one trust bundle continues another: the watch of whoever looked before.

Two bundles that verify against one genesis may still contradict each other: when the sequencer
and a quorum of nodes rewrote history, or show two departments two chains. No signature gives that
away. Who holds an older bundle sees it, without asking anybody:

- every rule that the older one shows stands in the newer one, at the same index, in the same bytes;
- every full tile of every side chain has the same hash, so that no anchor, status list or access
  record in it was changed, removed or put in.

What two bundles cannot show of themselves is named as a `Gap`: the main chain's other entries, and
of a side chain those of its last tile, if that was not full then and is not shown any more (255
entries at most). `registry.client.RegistryClient.trust_bundle` closes the gaps from the tiles that
the registry serves, which are themselves checked against the newer bundle's roots.

It relies on both bundles having been verified; `TrustBundle` cannot be had otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from registry.errors import HistoryRewritten
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.tiles import WIDTH
from registry.trust.anchors import SideTree
from registry.trust.bundle import TrustBundle

CONTRADICTION: Final = "contradiction.zltrust"
"""The file in which whoever refused a bundle keeps it as evidence."""


@dataclass(frozen=True)
class Gap:
    """A chain of which two bundles do not show that `newer` begins with `older`."""

    older: Checkpoint
    newer: Checkpoint


def check_continues(one: TrustBundle, other: TrustBundle) -> tuple[Gap, ...]:
    """Compare two bundles of one network, whichever is the newer; returns what they leave open.

    Raises HistoryRewritten.
    """
    older, newer = sorted((one, other), key=lambda bundle: bundle.main_checkpoint.size)
    gaps = []
    was, now = older.main_checkpoint.checkpoint, newer.main_checkpoint.checkpoint
    if was.size == now.size:
        if was.root != now.root:
            raise HistoryRewritten(chain=was.origin, size=was.size)
    else:
        gaps.append(Gap(was, now))
    for index, leaf in older.rules.items():
        if newer.rules.get(index) != leaf:
            raise HistoryRewritten(chain=was.origin, size=was.size)
    for origin, side in older.sides.items():
        if not _same_so_far(side, newer.sides.get(origin)):
            raise HistoryRewritten(chain=origin, size=side.size)
        if not _shows_edge(side, newer.sides[origin]):
            gaps.append(Gap(side.checkpoint, newer.sides[origin].checkpoint))
    return tuple(gaps)


def close_gaps(gaps: tuple[Gap, ...], root_at: Callable[[Checkpoint, int], bytes]) -> None:
    """`root_at(newer, size)` is the root of the first `size` entries, out of checked tiles.

    Raises HistoryRewritten, and what `root_at` raises.
    """
    for gap in gaps:
        if root_at(gap.newer, gap.older.size) != gap.older.root:
            raise HistoryRewritten(chain=gap.older.origin, size=gap.older.size)


def _same_so_far(older: SideTree, newer: SideTree | None) -> bool:
    """Whether nothing that both show differs."""
    if newer is None or newer.size < older.size:
        return False
    if newer.size == older.size:
        return newer.root == older.root
    full = older.size // WIDTH
    if older.tile_hashes != newer.tile_hashes[:full]:
        return False
    edge = older.leaves.get(full, ())
    shown = newer.leaves.get(full, ())
    return not shown or shown[: len(edge)] == edge


def _shows_edge(older: SideTree, newer: SideTree) -> bool:
    """Whether the newer bundle shows the leaves of what was the older one's partial tile."""
    full, partial = divmod(older.size, WIDTH)
    return not partial or newer.size == older.size or full in newer.leaves
