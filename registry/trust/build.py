"""Making a trust bundle out of a registry's stores.

Pure assembly: the caller says which entries stand where; `registry.trust.load` decides whether
the result is good, and the registry loads what it built before it serves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import rfc8785

from registry.ledger.entries import Entry
from registry.ledger.genesis import Genesis
from registry.tlog.tiles import WIDTH
from registry.trust.container import pack
from registry.trust.load import (
    CHECKPOINT,
    ENTRIES,
    FORMAT,
    GENESIS,
    MANIFEST,
    MainEntry,
    list_line,
    side_files,
    status_file,
)


@dataclass(frozen=True)
class SideParts:
    """A side chain as of its checkpoint: how to get its hashes, and its newest status entries.

    `leaves(tile, width)` gives leaf hashes of a level-0 tile, `tile_hashes(count)` the hashes of
    the first full ones.
    """

    size: int
    tile_hashes: Callable[[int], Sequence[bytes]]
    leaves: Callable[[int, int], Sequence[bytes]]
    lists: Mapping[str, tuple[int, Entry]]


def build_bundle(
    genesis: Genesis,
    *,
    checkpoint: bytes,
    entries: Mapping[int, Entry],
    path: Callable[[int], Sequence[bytes]],
    sides: Mapping[str, SideParts],
    document: Callable[[str], bytes | None],
) -> bytes:
    """The bundle for the cosigned note `checkpoint`.

    `entries` are those of the main chain that count (see `TrustBundle`), `path(index)` their
    inclusion paths, `document(digest)` the canonical bytes of a status list credential.
    """
    files = {
        MANIFEST: rfc8785.dumps({"format": FORMAT, "network": genesis.network}) + b"\n",
        GENESIS: genesis.entry.raw + b"\n",
        CHECKPOINT: checkpoint,
        ENTRIES: b"".join(
            MainEntry(index, entry, tuple(path(index))).line()
            for index, entry in sorted(entries.items())
        ),
    }
    for origin, side in sides.items():
        tiles, leaves, lists = side_files(genesis.network, origin)
        full, partial = divmod(side.size, WIDTH)
        files[tiles] = b"".join(side.tile_hashes(full))
        edge = [*side.leaves(full - 1, WIDTH)] if full else []
        edge += side.leaves(full, partial) if partial else []
        files[leaves] = b"".join(edge)
        files[lists] = b"".join(
            list_line(index, entry) for _, (index, entry) in sorted(side.lists.items())
        )
        for _, entry in side.lists.values():
            data = document(entry["digest"])
            if data is not None:
                files[status_file(entry["digest"])] = data
    return pack(files)
