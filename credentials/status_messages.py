"""Bitstring status entries of several bits, and what their values mean.

The product's own lists have one bit an entry, and `credentials.status` reads nothing else, because
a size that is half understood moves every index. This is for lists of others: the whole of
Bitstring Status List 1.0, with `statusSize`, `statusMessage`, `statusReference` and `ttl`.

Guarantees: as many messages as a value has meanings, each value once; the list has as many bits an
entry as the entry says; a value is looked up only in the list and for the purpose that the entry
names, and only in a list with entries enough to hide one among them.

Not guaranteed: that the list is signed by whom it should be, and how old it is. A message is for
developers, not for screens (§2.1).

The official suite expects as many messages as bits where the Recommendation has two to the power
of that; what is written here follows the Recommendation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from credentials.errors import (
    StatusEntryMalformed,
    StatusIndexOutOfRange,
    StatusListMalformed,
    StatusListMismatch,
    StatusListTooShort,
    StatusPurposeMismatch,
)
from credentials.model import is_url
from credentials.status import (
    MIN_ENTRIES,
    StatusEntry,
    StatusList,
    StatusListContent,
    parse_status_list,
)
from schemas.errors import Phrase

MESSAGE: Final = "message"
MAX_SIZE: Final = 8
"""Bits of an entry: 256 meanings."""
MAX_MESSAGE: Final = 256
"""Characters of one message."""
MAX_REFERENCES: Final = 8

_HEX: Final = re.compile(r"0x[0-9a-fA-F]{1,4}", re.ASCII)


@dataclass(frozen=True)
class SizedStatusEntry:
    """A status entry of `size` bits. `messages` tells what each value means, by value."""

    entry: StatusEntry
    size: int = 1
    messages: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The entry as it stands in `credentialStatus`. Raises StatusEntryMalformed."""
        document: dict[str, Any] = dict(self.entry.document())
        if self.size != 1:
            document["statusSize"] = self.size
        if self.messages:
            document["statusMessage"] = [
                {"status": hex(value), "message": message}
                for value, message in enumerate(self.messages)
            ]
        if self.references:
            few, *more = self.references
            document["statusReference"] = [few, *more] if more else few
        SizedStatusEntry.parse(document)  # what we publish, others must accept
        return document

    @classmethod
    def parse(cls, entry: object) -> SizedStatusEntry:
        """Read one entry. Raises StatusEntryMalformed, StatusTypeUnsupported."""
        if not isinstance(entry, Mapping):
            raise StatusEntryMalformed(reason="it is not an object")
        plain = {name: value for name, value in entry.items() if name != "statusSize"}
        size = entry.get("statusSize", 1)
        if type(size) is not int or not 1 <= size <= MAX_SIZE:
            raise StatusEntryMalformed(
                reason=Phrase("statusSize is not 1 to {most}", most=MAX_SIZE)
            )
        messages: tuple[str, ...] = ()
        if "statusMessage" in entry:
            messages = _messages(entry["statusMessage"], size)
        elif size > 1:  # §2.1
            raise StatusEntryMalformed(reason="statusMessage is missing")
        return cls(StatusEntry.parse(plain), size, messages, _references(entry))

    @property
    def list_url(self) -> str:
        return self.entry.list_url


def _messages(value: object, size: int) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) != 1 << size:
        raise StatusEntryMalformed(reason="statusMessage does not explain every value once")
    found: dict[int, str] = {}
    for entry in value:
        status = entry.get("status") if isinstance(entry, Mapping) else None
        message = entry.get(MESSAGE) if isinstance(entry, Mapping) else None
        if not isinstance(status, str) or not _HEX.fullmatch(status):
            raise StatusEntryMalformed(reason="a status is not hexadecimal with 0x")
        if not isinstance(message, str) or len(message) > MAX_MESSAGE:
            raise StatusEntryMalformed(reason="a message is not a text of normal length")
        found[int(status, 16)] = message
    if found.keys() != set(range(1 << size)):
        raise StatusEntryMalformed(reason="statusMessage does not explain every value once")
    return tuple(found[value] for value in range(1 << size))


def _references(entry: Mapping[str, Any]) -> tuple[str, ...]:
    if "statusReference" not in entry:
        return ()
    value = entry["statusReference"]
    listed = value if isinstance(value, list) else [value]
    if not 1 <= len(listed) <= MAX_REFERENCES or not all(is_url(one) for one in listed):
        raise StatusEntryMalformed(reason="statusReference is not a URL or a list of URLs")
    return tuple(listed)


@dataclass(frozen=True)
class StatusValue:
    """The answer of §3.2: the value, what it is about, and its message where there is one.

    `valid` is true for 0 alone, whatever the message says.
    """

    status: int
    purpose: str
    valid: bool
    message: str | None


@dataclass(frozen=True)
class SizedStatusList:
    """A status list whose entries may have several bits."""

    content: StatusListContent
    size: int | None

    @classmethod
    def parse(cls, credential: Mapping[str, Any]) -> SizedStatusList:
        """What the status list credential states; `statusSize` where the list repeats it.

        Raises StatusListMalformed, StatusListTooShort, LimitExceeded.
        """
        subject = credential.get("credentialSubject")
        if not isinstance(subject, Mapping):
            return cls(parse_status_list(credential), None)
        size = subject.get("statusSize")
        if "statusSize" in subject and (type(size) is not int or not 1 <= size <= MAX_SIZE):
            raise StatusListMalformed(reason=Phrase("statusSize is not 1 to {most}", most=MAX_SIZE))
        plain = {name: value for name, value in subject.items() if name != "statusSize"}
        return cls(parse_status_list({**credential, "credentialSubject": plain}), size)

    def value(self, sized: SizedStatusEntry) -> StatusValue:
        """The status that `sized` points to (§3.2).

        Raises StatusListMismatch, StatusPurposeMismatch, StatusListTooShort,
        StatusIndexOutOfRange, StatusListMalformed.
        """
        entry, content = sized.entry, self.content
        if content.url is not None and content.url != entry.list_url:
            raise StatusListMismatch
        if entry.purpose not in content.purposes:
            raise StatusPurposeMismatch(purpose=entry.purpose)
        if self.size not in (None, sized.size):
            raise StatusListMalformed(reason="it has other entries than the credential says")
        value = get_value(content.bits, entry.index, sized.size)
        message = sized.messages[value] if sized.messages else None
        return StatusValue(value, entry.purpose, value == 0, message)


def get_value(bits: StatusList, index: int, size: int) -> int:
    """The value of `size` bits at `index`, the first bit the highest.

    Raises StatusListTooShort, StatusIndexOutOfRange.
    """
    _check(bits, index, size)
    value = 0
    for at in range(index * size, (index + 1) * size):
        value = value << 1 | bits.get(at)
    return value


def set_value(bits: StatusList, index: int, size: int, value: int) -> None:
    """Write `value` in `size` bits at `index`.

    Raises StatusListTooShort, StatusIndexOutOfRange, StatusListMalformed.
    """
    _check(bits, index, size)
    if not 0 <= value < 1 << size:
        raise StatusListMalformed(reason="a value does not fit its bits")
    for place in range(size):
        bits.set(index * size + place, bool(value >> (size - 1 - place) & 1))


def _check(bits: StatusList, index: int, size: int) -> None:
    if not 1 <= size <= MAX_SIZE:
        raise StatusListMalformed(reason=Phrase("statusSize is not 1 to {most}", most=MAX_SIZE))
    if len(bits) // size < MIN_ENTRIES:  # STATUS_LIST_LENGTH_ERROR
        raise StatusListTooShort(entries=len(bits) // size, minimum=MIN_ENTRIES)
    if not 0 <= index < len(bits) // size:
        raise StatusIndexOutOfRange
