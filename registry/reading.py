"""How a node reads the sequencer's entries: bundles over HTTP, unproved.

Nothing is checked here but the form: the node hashes what it reads and compares with the
checkpoint that it was asked to cosign.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import httpx

from registry.answers import PLAIN, AnswerUnfit, read_answer
from registry.errors import RegistryError, RegistryUnreachable
from registry.tiles import WIDTH, Tile, decode_bundle, width_at

MAX_BUNDLE_BYTES: Final = 256 * (8192 + 2)
TIMEOUT: Final = httpx.Timeout(5.0, connect=1.0)


class HttpEntries:
    """Entries of any chain at an address; a `registry.following.Read`."""

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.Client(
            transport=transport,
            timeout=TIMEOUT,
            headers=PLAIN,
            trust_env=False,
            follow_redirects=False,
        )

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def __call__(self, origin: str, start: int, end: int) -> Iterator[bytes]:
        """Entries [start, end) of a chain that has at least `end`; raises RegistryUnreachable."""
        for index in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
            bundle = Tile(Tile.ENTRIES, index, width_at(0, index, end))
            entries = self._fetch(origin, bundle)
            yield from entries[max(start - bundle.start, 0) :]

    def _fetch(self, origin: str, bundle: Tile) -> list[bytes]:
        try:
            with self._http.stream("GET", f"{self._url}/{origin}/{bundle.path}") as answer:
                if answer.status_code != 200:
                    raise RegistryUnreachable(reason=f"HTTP {answer.status_code} for a bundle")
                data = read_answer(answer, MAX_BUNDLE_BYTES)
            return decode_bundle(data, bundle.width)
        except AnswerUnfit as error:
            raise RegistryUnreachable(reason=error.reason) from error
        except httpx.HTTPError as error:
            raise RegistryUnreachable(reason=type(error).__name__) from error
        except RegistryUnreachable:
            raise
        except RegistryError as error:
            raise RegistryUnreachable(reason=str(error)) from error
