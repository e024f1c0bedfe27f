"""The JSON-LD contexts that Zhenglian knows. Nothing else is ever used, nothing is ever fetched.

Guarantee: what a context URL means is decided by bytes that came with the program (or that its
operator added by hand), checked against the SHA-256 on record each time they are first read.
Against: a context server that is down, hijacked or observes readers; a document that names a
context of its own; one loader that hands its context to another through a shared cache (a store
holds bytes only, and every reader gets a copy of its own).

Not guaranteed: that a context is wise. A store that is `extended` with a context that gives an
old word a new meaning verifies signatures over that meaning.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from credentials.errors import ContextDigestMismatch, ContextInvalid, ContextUnknown
from schemas.errors import Phrase

DIGESTS_FILE: Final = "digests.json"


@dataclass(frozen=True)
class ContextRecord:
    """One context: its bytes and their SHA-256 (hex)."""

    url: str
    data: bytes
    sha256: str

    def document(self) -> dict[str, Any]:
        """A fresh copy. Raises ContextInvalid unless it is an object with `@context`."""
        try:
            document = json.loads(self.data)
        except ValueError as error:
            raise ContextInvalid(reason=Phrase("{url} is not JSON", url=self.url)) from error
        if not isinstance(document, dict) or "@context" not in document:
            raise ContextInvalid(reason=Phrase("{url} has no @context", url=self.url))
        return document


class ContextStore:
    """An immutable map from URL to context."""

    __slots__ = ("_records",)

    def __init__(self, records: Mapping[str, ContextRecord]) -> None:
        """Raises ContextDigestMismatch if the bytes of a record are not those it names."""
        for url, record in records.items():
            if hashlib.sha256(record.data).hexdigest() != record.sha256:
                raise ContextDigestMismatch(url=url)
        self._records = MappingProxyType(dict(records))

    def __contains__(self, url: object) -> bool:
        return url in self._records

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def record(self, url: str) -> ContextRecord:
        """Raises ContextUnknown."""
        try:
            return self._records[url]
        except KeyError:
            raise ContextUnknown(url=url) from None

    def document(self, url: str) -> dict[str, Any]:
        """The parsed context, the caller's own copy. Raises ContextUnknown."""
        return self.record(url).document()

    def digest(self, url: str) -> str:
        """SHA-256 (hex) of the context's bytes. Raises ContextUnknown."""
        return self.record(url).sha256

    def extended(self, more: Mapping[str, bytes | Mapping[str, Any]]) -> ContextStore:
        """A store with `more` contexts beside these.

        A URL that is already here may come again with the same bytes, never with others: that
        would change what signed documents mean. Raises ContextDigestMismatch.
        """
        records = dict(self._records)
        for url, content in more.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            record = ContextRecord(url, data, hashlib.sha256(data).hexdigest())
            if url in records and records[url].sha256 != record.sha256:
                raise ContextDigestMismatch(url=url)
            records[url] = record
        return ContextStore(records)


def recorded_digests() -> dict[str, dict[str, str]]:
    """`digests.json`: for each URL the package and file that hold it, its SHA-256, its source."""
    recorded: dict[str, dict[str, str]] = json.loads(
        (files(__package__) / DIGESTS_FILE).read_bytes()
    )
    return recorded


@lru_cache(maxsize=1)
def bundled_contexts() -> ContextStore:
    """The contexts that come with the program. Raises ContextDigestMismatch if one was altered."""
    return ContextStore(
        {
            url: ContextRecord(
                url, files(entry["package"]).joinpath(entry["file"]).read_bytes(), entry["sha256"]
            )
            for url, entry in recorded_digests().items()
        }
    )
