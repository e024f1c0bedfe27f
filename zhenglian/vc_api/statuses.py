"""The status lists that the server publishes for credentials it issued, in memory.

Guarantee: an index is given once and at random (Bitstring Status List §2.1), and a list shows
the present state each time it is read. Not guaranteed: anything after the server has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Final

from credentials.status import REVOCATION, SUSPENSION, StatusEntry, StatusList, random_index
from zhenglian.vc_api.errors import BodyMalformed, StatusUnknown, TooManyIssued

PURPOSES: Final = (REVOCATION, SUSPENSION)
MAX_REMEMBERED: Final = 10_000
"""Credentials with a status; a suite issues some dozens."""


@dataclass
class _List:
    url: str
    bits: StatusList = field(default_factory=StatusList.empty)
    given: set[int] = field(default_factory=set)


class Statuses:
    """The lists of one address: one a purpose, at `<base>/<purpose>`."""

    def __init__(self, base: str) -> None:
        self._lists = {purpose: _List(f"{base}/{purpose}") for purpose in PURPOSES}
        self._by_id: dict[str, tuple[StatusEntry, ...]] = {}
        self._lock = threading.Lock()
        self._random = SystemRandom()

    def give(self, credential_id: str, purposes: Sequence[str]) -> tuple[StatusEntry, ...]:
        """Fresh entries for a credential. Raises BodyMalformed, TooManyIssued, StatusListFull."""
        if not set(purposes) <= set(PURPOSES) or len(set(purposes)) != len(purposes):
            raise BodyMalformed(reason="statusPurposes names a purpose that has no list")
        with self._lock:
            if credential_id in self._by_id:
                raise BodyMalformed(reason="a credential of this id has a status already")
            if len(self._by_id) >= MAX_REMEMBERED:
                raise TooManyIssued(limit=MAX_REMEMBERED)
            entries = []
            for purpose in purposes:
                known = self._lists[purpose]
                index = random_index(len(known.bits), known.given.__contains__, self._random)
                known.given.add(index)
                entries.append(StatusEntry(purpose, index, known.url))
            self._by_id[credential_id] = tuple(entries)
            return self._by_id[credential_id]

    def forget(self, credential_id: str) -> None:
        """A credential that was not issued after all. Its indexes stay taken."""
        with self._lock:
            self._by_id.pop(credential_id, None)

    def change(self, credential_id: str, purpose: str, value: bool) -> StatusEntry:
        """Set or clear a status. Raises StatusUnknown."""
        with self._lock:
            for entry in self._by_id.get(credential_id, ()):
                if entry.purpose == purpose:
                    self._lists[purpose].bits.set(entry.index, value)
                    return entry
        raise StatusUnknown

    def bits(self, purpose: str) -> tuple[str, StatusList] | None:
        """The address of the list and its bits, or None if there is none for `purpose`."""
        known = self._lists.get(purpose)
        return None if known is None else (known.url, known.bits)

    def is_set(self, entry: StatusEntry) -> bool | None:
        """Whether the status is set; None if the entry points to none of these lists."""
        known = self._lists.get(entry.purpose)
        if known is None or known.url != entry.list_url:
            return None
        with self._lock:
            return known.bits.get(entry.index)


def find(lists: Iterable[Statuses], entry: StatusEntry) -> bool | None:
    """Whether the status is set in one of `lists`; None if it stands in none of them."""
    for statuses in lists:
        value = statuses.is_set(entry)
        if value is not None:
            return value
    return None
