"""One address that a monitor asks, and what it has shown of its trees since the look began.

Nothing is checked here but the form. Hashes are unproved until they lead to a root that somebody
signed; they are kept for one look, so that no tile is asked for twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from registry.limits import MAX_TLOG_PROOF_BYTES
from registry.reading.sources import HttpSource
from registry.tlog.tiles import Tile, TileReader
from registry.trust.container import MAX_BUNDLE_BYTES


class Address(HttpSource):
    """The chains at one address, as `HttpSource` reads them, and what only a monitor asks for."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None) -> None:
        super().__init__(url, transport=transport)
        self._held: dict[tuple[str, Tile], Sequence[bytes]] = {}

    def forget(self) -> None:
        """Let go of the tiles of the look before; what is asked for now is read anew."""
        self._held.clear()

    def commitment(self, origin: str) -> bytes | None:
        """A tlog-proof of the newest checkpoint of a side chain on the main chain, unverified.

        None: there is none yet. Raises RegistryUnreachable.
        """
        return self._get(f"{origin}/cosigned", MAX_TLOG_PROOF_BYTES)

    def bundle(self) -> bytes | None:
        """The trust bundle, unverified, if there is one; raises RegistryUnreachable."""
        return self._get("bundle", MAX_BUNDLE_BYTES)

    def reader(self, origin: str, size: int) -> TileReader:
        """The tree of `size` leaves as this address shows it: unproved until a root is met.

        Reading raises RegistryUnreachable and TileCorrupt.
        """

        def hashes(tile: Tile) -> Sequence[bytes]:
            key = (origin, tile)
            if key not in self._held:
                self._held[key] = self.tile(origin, tile)
            return self._held[key]

        return TileReader(size, hashes)
