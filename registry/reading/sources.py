"""How a node reads what others hold: the sequencer and the other nodes, over HTTP.

Nothing is checked here but the form: the node hashes what it reads and compares with a checkpoint
that it verified. Bundles are fetched ahead, some at once, so that checking does not wait for the
network.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import Any, Final

import httpx

from registry.errors import RegistryError, RegistryUnreachable
from registry.ledger.members import is_url
from registry.limits import HASH_BYTES, MAX_ENTRY_BYTES, MAX_GENESIS_BYTES, MAX_NOTE_BYTES
from registry.tlog.tiles import WIDTH, Tile, decode_bundle, parse_tile, width_at
from registry.trust.load import MAX_LIST_BYTES
from registry.web.answers import EITHER, PLAIN, AnswerUnfit, read_answer
from registry.witnessing.witness import origin_hash
from schemas.errors import Phrase

# The genesis is the first entry of the first bundle; each has a length of two bytes before it.
MAX_BUNDLE_BYTES: Final = WIDTH * (MAX_ENTRY_BYTES + 2) + MAX_GENESIS_BYTES
MAX_STATUS_BYTES: Final = 256 * 1024
TIMEOUT: Final = httpx.Timeout(5.0, connect=1.0)
AHEAD: Final = 4  # bundles under way at once
ANSWER_S: Final = 10.0  # for a whole answer: one who drips bytes must not hold a node up
SHUN_S: Final = 300.0  # a node that could not serve what it said it had is left alone so long

_NOT_FOUND: Final = 404


class HttpSource:
    """The chains at one address; as a call it is a `registry.contracts.following.Read`."""

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url: Final = url.rstrip("/")
        self._http = httpx.Client(
            transport=transport,
            timeout=TIMEOUT,
            trust_env=False,
            follow_redirects=False,
        )
        self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="read")
        self._shunned = float("-inf")

    @property
    def shunned(self) -> bool:
        """Whether it failed a while ago and is left alone."""
        return monotonic() < self._shunned

    def shun(self) -> None:
        """Leave it alone for a while."""
        self._shunned = monotonic() + SHUN_S

    def close(self) -> None:
        """End the connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._http.close()

    def __call__(self, origin: str, start: int, end: int) -> Iterator[bytes]:
        """Entries [start, end) of a chain that has at least `end`; raises RegistryUnreachable."""
        if start >= end:
            return
        indices = range(start // WIDTH, (end + WIDTH - 1) // WIDTH)
        if len(indices) == 1:  # what is new since a moment ago: no time for other threads
            bundle = Tile(Tile.ENTRIES, indices[0], width_at(0, indices[0], end))
            yield from self._bundle(origin, bundle)[start % WIDTH :]
            return
        under_way: deque[Future[list[bytes]]] = deque()
        skip = start % WIDTH

        def fetch(index: int) -> None:
            bundle = Tile(Tile.ENTRIES, index, width_at(0, index, end))
            under_way.append(self._pool.submit(self._bundle, origin, bundle))

        try:
            for index in indices:
                fetch(index)
                if len(under_way) >= AHEAD:
                    yield from under_way.popleft().result()[skip:]
                    skip = 0
            while under_way:
                yield from under_way.popleft().result()[skip:]
                skip = 0
        finally:
            for future in under_way:
                future.cancel()

    def _bundle(self, origin: str, bundle: Tile) -> list[bytes]:
        data = self._get(f"{origin}/{bundle.path}", MAX_BUNDLE_BYTES, packed=True)
        if data is None and bundle.width < WIDTH:
            # The partial one may go once the full one is there (tlog-tiles, "Partial Tiles").
            return self._bundle(origin, bundle.full)[: bundle.width]
        if data is None:
            raise RegistryUnreachable(reason="it lacks a bundle")
        try:
            return decode_bundle(data, bundle.width)
        except RegistryError as error:
            raise RegistryUnreachable(reason=error) from error

    def tile(self, origin: str, tile: Tile) -> list[bytes]:
        """The hashes of a tile; raises RegistryUnreachable."""
        data = self._get(f"{origin}/{tile.path}", tile.width * HASH_BYTES)
        if data is None and tile.width < WIDTH:
            return self.tile(origin, tile.full)[: tile.width]
        try:
            return parse_tile(tile, data or b"")
        except RegistryError as error:
            raise RegistryUnreachable(reason=error) from error

    def checkpoint(self, origin: str) -> bytes | None:
        """The published checkpoint of a chain, if there is one; raises RegistryUnreachable."""
        return self._get(f"{origin}/checkpoint", MAX_NOTE_BYTES)

    def monitored(self, origin: str) -> bytes | None:
        """What a witness has cosigned of a log (tlog-witness, monitoring); None: nothing yet."""
        return self._get(f"{origin_hash(origin)}/checkpoint", MAX_NOTE_BYTES)

    def document(self, digest: str) -> bytes | None:
        """A status list credential, unchecked; raises RegistryUnreachable."""
        return self._get(f"status-lists/{digest}", MAX_LIST_BYTES)

    def told(self) -> Mapping[str, Any]:
        """What the server says of itself; raises RegistryUnreachable."""
        data = self._get("status", MAX_STATUS_BYTES)
        try:
            told = json.loads(data or b"")
        except (ValueError, RecursionError) as error:
            raise RegistryUnreachable(reason="its status is not JSON") from error
        return told if isinstance(told, dict) else {}

    def _get(self, path: str, limit: int, *, packed: bool = False) -> bytes | None:
        headers = EITHER if packed else PLAIN
        try:
            with self._http.stream("GET", f"{self.url}/{path}", headers=headers) as answer:
                if answer.status_code == _NOT_FOUND:
                    return None
                if answer.status_code != 200:
                    raise RegistryUnreachable(
                        reason=Phrase(
                            "HTTP {status} for {path}",
                            status=answer.status_code,
                            path=path,
                        )
                    )
                return read_answer(answer, limit, packed=packed, seconds=ANSWER_S)
        except AnswerUnfit as error:
            raise RegistryUnreachable(reason=error.reason) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnreachable(reason=type(error).__name__) from error


class Peers:
    """Whom a node asks: the registry first, then the other nodes.

    Addresses of nodes that were not configured are learned from what servers say. A wrong one does
    no harm to what is believed, only to what is found: notes count by their signatures.
    """

    def __init__(
        self,
        registries: list[str],
        nodes: Mapping[str, str] | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport = transport
        self.registries: Final = [HttpSource(url, transport=transport) for url in registries]
        self._configured: Final = dict(nodes or {})
        self.nodes: dict[str, HttpSource] = {
            name: HttpSource(url, transport=transport) for name, url in self._configured.items()
        }

    def all(self) -> list[HttpSource]:
        """Everybody, the registry first."""
        return [*self.registries, *self.nodes.values()]

    def addresses(self) -> dict[str, str]:
        """Where the nodes are, by name."""
        return {name: source.url for name, source in self.nodes.items()}

    def learn(self, addresses: Mapping[str, Any]) -> bool:
        """Take in addresses of nodes that are not configured; True when one was new."""
        changed = False
        for name, url in addresses.items():
            known = self.nodes.get(name)
            if name in self._configured or not is_url(url):
                continue
            if known is None or known.url != str(url).rstrip("/"):
                self.nodes[name] = HttpSource(url, transport=self._transport)
                if known is not None:
                    known.close()
                changed = True
        return changed

    def close(self) -> None:
        """End the connections."""
        for source in self.all():
            source.close()

    def __call__(self, origin: str, start: int, end: int) -> Iterator[bytes]:
        """Entries as the registry has them; raises RegistryUnreachable."""
        trouble = RegistryUnreachable(reason="no address is configured")
        for source in self.registries:
            try:
                for raw in source(origin, start, end):
                    start += 1
                    yield raw
                return
            except RegistryUnreachable as error:
                trouble = error
        raise trouble
