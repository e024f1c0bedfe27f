"""Archives: chains in one file, to keep, to carry, and to verify with nothing but the genesis.

The file is a plain tar whose members lie under the paths that c2sp.org/tlog-tiles gives them, so
that any tool can unpack it and any web server can serve what was unpacked:

    archive.json                   {"format": "zhenglian/archive/v1", "network": …}
    genesis.json                   to compare with the pinned one, not to pin
    <origin>/checkpoint            of the main chain: the cosigned note
    <origin>/cosigned              of a side chain: a tlog-proof of its newest checkpoint entry
    <origin>/range.json            of a part: start, end, and the hashes of the subtrees around it
    <origin>/tile/entries/…        bundles, each followed by the hash tiles that it completes
    status-lists/<digest>.json     the newest status lists that entries name
    end.json                       how many members there are: a file that was cut off is noticed

The order is fixed, so an archive is written and verified as a stream, in the memory of some tiles,
and one state always gives the same tiles in the same order. Of a part of a chain there are bundles
and level-0 tiles only.

Guaranteed: what `Archive.check` passes leads to checkpoints that the quorum of the pinned genesis
has cosigned. The rules are checked by replaying it (`registry.contracts.following`), which needs
all chains.
"""

from __future__ import annotations

from registry.archive.form import FORMAT, Part, Progress, side_state
from registry.archive.reading import Archive, Held
from registry.archive.writing import Exported, Holder, export

__all__ = [
    "FORMAT",
    "Archive",
    "Exported",
    "Held",
    "Holder",
    "Part",
    "Progress",
    "export",
    "side_state",
]
