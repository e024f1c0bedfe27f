"""The status lists that the server publishes for credentials it issued, in memory.

Guarantee: an index is given once and at random (Bitstring Status List §2.1), and a list shows
the present state each time it is read. Not guaranteed: anything after the server has ended.

A list is named by its purpose; lists of messages, also by the bits of an entry: `message-2`.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Any, Final

from credentials.status import (
    MIN_ENTRIES,
    REVOCATION,
    SUSPENSION,
    StatusEntry,
    StatusList,
    random_index,
)
from credentials.status_messages import (
    MAX_SIZE,
    MESSAGE,
    SizedStatusEntry,
    get_value,
    set_value,
)
from zhenglian.vc_api.errors import BodyMalformed, StatusUnknown, TooManyIssued

PURPOSES: Final = (REVOCATION, SUSPENSION)
MAX_REMEMBERED: Final = 10_000
"""Credentials with a status; a suite issues some dozens."""


@dataclass
class _List:
    url: str
    purpose: str
    size: int
    bits: StatusList = field(init=False)
    given: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.bits = StatusList.empty(MIN_ENTRIES * self.size)


@dataclass(frozen=True)
class Published:
    """What a list credential says: its address, its purpose and its bits."""

    url: str
    purpose: str
    bits: StatusList


@dataclass(frozen=True)
class Given:
    """An entry that a credential was given, and the form in which it stands there."""

    entry: SizedStatusEntry
    document: dict[str, Any]


@dataclass(frozen=True)
class Messages:
    """What an issuer asks for: the messages by value, the bits of an entry, and references."""

    texts: tuple[str, ...]
    size: int
    references: tuple[str, ...] = ()

    def given(self, index: int, url: str) -> Given:
        """An entry of these messages; where some are missing, the entry leaves them out too."""
        missing = (1 << self.size) - len(self.texts)
        entry = SizedStatusEntry(
            StatusEntry(MESSAGE, index, url),
            self.size,
            (*self.texts, *["undefined"] * missing),
            self.references,
        )
        document = {"id": f"urn:uuid:{uuid.uuid4()}", **entry.document()}
        document["statusSize"] = self.size
        document["statusMessage"] = document["statusMessage"][: len(self.texts)]
        return Given(entry, document)


class Statuses:
    """The lists of one address, at `<base>/<name>`."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._lists: dict[str, _List] = {}
        self._by_id: dict[str, tuple[Given, ...]] = {}
        self._lock = threading.Lock()
        self._random = SystemRandom()

    def give(
        self, credential_id: str, purposes: Sequence[str], messages: Messages | None = None
    ) -> tuple[Given, ...]:
        """Fresh entries for a credential. Raises BodyMalformed, TooManyIssued, StatusListFull."""
        if not set(purposes) <= set(PURPOSES) or len(set(purposes)) != len(purposes):
            raise BodyMalformed(reason="statusPurposes names a purpose that has no list")
        with self._lock:
            if credential_id in self._by_id:
                raise BodyMalformed(reason="a credential of this id has a status already")
            if len(self._by_id) >= MAX_REMEMBERED:
                raise TooManyIssued(limit=MAX_REMEMBERED)
            given: list[Given] = []
            for purpose in purposes:
                known = self._list(purpose, purpose, 1)
                entry = SizedStatusEntry(StatusEntry(purpose, self._index(known), known.url))
                given.append(Given(entry, entry.document()))
            if messages is not None:
                known = self._list(f"{MESSAGE}-{messages.size}", MESSAGE, messages.size)
                given.append(messages.given(self._index(known), known.url))
            self._by_id[credential_id] = tuple(given)
            return self._by_id[credential_id]

    def _list(self, name: str, purpose: str, size: int) -> _List:
        if name not in self._lists:
            self._lists[name] = _List(f"{self._base}/{name}", purpose, size)
        return self._lists[name]

    def _index(self, known: _List) -> int:
        index = random_index(MIN_ENTRIES, known.given.__contains__, self._random)
        known.given.add(index)
        return index

    def forget(self, credential_id: str) -> None:
        """A credential that was not issued after all. Its indexes stay taken."""
        with self._lock:
            self._by_id.pop(credential_id, None)

    def change(self, credential_id: str, purpose: str, value: int) -> Given:
        """Set a status: 0 or 1, or the value of a message. Raises StatusUnknown, BodyMalformed."""
        with self._lock:
            for given in self._by_id.get(credential_id, ()):
                sized = given.entry
                if sized.entry.purpose != purpose:
                    continue
                if not 0 <= value < 1 << sized.size:
                    raise BodyMalformed(reason="status is none of the values of the entry")
                known = self._lists[sized.list_url.rpartition("/")[2]]
                set_value(known.bits, sized.entry.index, sized.size, value)
                return given
        raise StatusUnknown

    def published(self, name: str) -> Published | None:
        """The list of this name as it is now, or None if there is none."""
        with self._lock:
            if name in PURPOSES:  # there before anybody is on them
                self._list(name, name, 1)
            known = self._lists.get(name)
            if known is None:
                return None
            bits = StatusList.empty(len(known.bits))
            for index in known.given:
                set_value(bits, index, known.size, get_value(known.bits, index, known.size))
            return Published(known.url, known.purpose, bits)

    def value(self, sized: SizedStatusEntry) -> int | None:
        """What the list says; None if the entry points to none of these lists.

        Raises StatusIndexOutOfRange.
        """
        base, _, name = sized.list_url.rpartition("/")
        wanted = (sized.entry.purpose, sized.size)
        with self._lock:
            known = self._lists.get(name)
            if base != self._base or known is None or (known.purpose, known.size) != wanted:
                return None
            return get_value(known.bits, sized.entry.index, sized.size)


def find(lists: Iterable[Statuses], sized: SizedStatusEntry) -> int | None:
    """The value of the status in one of `lists`; None if it stands in none of them."""
    for statuses in lists:
        value = statuses.value(sized)
        if value is not None:
            return value
    return None


def read_messages(options: Mapping[str, Any], *, as_the_suite_counts: bool) -> Messages | None:
    """`{statusMessages: [text, …], statusSize, statusReference}` of a request.

    `as_the_suite_counts` also takes as many messages as there are bits: the official suite asks
    for so many, against §2.1, which asks for one for each value. Raises BodyMalformed.
    """
    texts = options.get("statusMessages")
    size, reference = options.get("statusSize", 1), options.get("statusReference")
    if texts is None:
        if "statusSize" in options or reference is not None:
            raise BodyMalformed(reason="statusSize and statusReference go with statusMessages")
        return None
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise BodyMalformed(reason="statusMessages is not a list of texts")
    if type(size) is not int or not 1 <= size <= MAX_SIZE:
        raise BodyMalformed(reason="statusSize is not a number of bits")
    counts = {1 << size, size} if as_the_suite_counts else {1 << size}
    if len(texts) not in counts:
        raise BodyMalformed(reason="statusMessages has not one message for each value")
    if reference is not None and not isinstance(reference, str):
        raise BodyMalformed(reason="statusReference is not a text")
    return Messages(tuple(texts), size, () if reference is None else (reference,))
