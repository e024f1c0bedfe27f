"""Entries out of commits as both stores keep them: (first index, count, bundle)."""

from __future__ import annotations

from registry.errors import BundleMalformed, EntryCorrupt, StoreCorrupt
from registry.tlog.tiles import decode_bundle

Row = tuple[int, int, bytes]


def entries_of(row: Row) -> list[bytes]:
    """All entries of a commit. Raises `EntryCorrupt`."""
    first, count, bundle = row
    try:
        return decode_bundle(bundle, count)
    except BundleMalformed as error:
        raise EntryCorrupt(index=first) from error


def entries_between(row: Row | None, start: int, end: int, *, store: str) -> list[bytes]:
    """Those of [start, end) that a commit has, which must have the first of them.

    Raises `StoreCorrupt` (`store` is its name) when it has not, and `EntryCorrupt`.
    """
    if row is None or not row[0] <= start < row[0] + row[1]:
        raise StoreCorrupt(store=store, reason="a commit is missing")
    return entries_of(row)[start - row[0] : end - row[0]]
