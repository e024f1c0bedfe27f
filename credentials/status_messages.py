"""Bitstring Status List with more than one bit an entry: a state in words, not a verdict.

Purpose `message` (§2.1): each credential has `statusSize` bits in the list, and the entry says
what each value means. Such a state never makes a credential invalid, so it is kept apart from
`credentials.status`, whose readers decide; there, more than one bit stays unsupported.

Guarantee, against whoever wrote the entry: there is exactly one message for each value, and the
value that is read is one of them. Not guaranteed: that the list is signed by whom it should be.

Source: Bitstring Status List v1.0 (W3C Recommendation, 2025-05-15) §2.1, §3.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from credentials.errors import StatusEntryMalformed, StatusPurposeMismatch, StatusTypeUnsupported
from credentials.model import is_url
from credentials.status import ENTRY_TYPE, StatusList, StatusListContent

MESSAGE: Final = "message"
MAX_SIZE: Final = 8
"""Bits of one entry: 256 states."""
MAX_MESSAGE: Final = 1024
"""Characters of one message."""

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_VALUE: Final = re.compile(r"0x[0-9A-Fa-f]{1,2}", re.ASCII)


@dataclass(frozen=True)
class MessageEntry:
    """Where the state of a credential stands, and what its values mean: `messages[value]`."""

    index: int
    list_url: str
    messages: tuple[str, ...]
    size: int
    id: str | None = None
    references: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The entry as it stands in `credentialStatus`."""
        entry: dict[str, Any] = {} if self.id is None else {"id": self.id}
        entry |= {
            "type": ENTRY_TYPE,
            "statusPurpose": MESSAGE,
            "statusListIndex": str(self.index),
            "statusListCredential": self.list_url,
            "statusSize": self.size,
            "statusMessage": [
                {"status": hex(value), "message": text} for value, text in enumerate(self.messages)
            ],
        }
        if self.references:
            entry["statusReference"] = (
                self.references[0] if len(self.references) == 1 else list(self.references)
            )
        return entry

    @classmethod
    def parse(cls, entry: object) -> MessageEntry:
        """Read an entry of purpose `message`.

        Raises StatusEntryMalformed, StatusTypeUnsupported, StatusPurposeMismatch.
        """
        if not isinstance(entry, Mapping):
            raise StatusEntryMalformed(reason="it is not an object")
        if entry.get("type") not in (ENTRY_TYPE, [ENTRY_TYPE]):
            raise StatusTypeUnsupported
        if entry.get("statusPurpose") != MESSAGE:
            raise StatusPurposeMismatch(purpose=str(entry.get("statusPurpose"))[:64])
        size = entry.get("statusSize", 1)
        if type(size) is not int or not 1 <= size <= MAX_SIZE:
            raise StatusTypeUnsupported
        index, url = entry.get("statusListIndex"), entry.get("statusListCredential")
        if not isinstance(index, str) or not _INDEX.fullmatch(index):
            raise StatusEntryMalformed(reason="statusListIndex is not a decimal number as text")
        if not is_url(url):
            raise StatusEntryMalformed(reason="statusListCredential is not a URL")
        name = entry.get("id")
        # §2.1: the entry's own name, and not that of the list.
        if name is not None and (not is_url(name) or name == url):
            raise StatusEntryMalformed(reason="its id is not a URL of its own")
        return cls(
            int(index),
            str(url),
            _messages(entry.get("statusMessage"), size),
            size,
            name,
            _references(entry.get("statusReference", [])),
        )


def is_message(entry: object) -> bool:
    """Whether a status entry says that it holds a message."""
    return isinstance(entry, Mapping) and entry.get("statusPurpose") == MESSAGE


def _messages(value: object, size: int) -> tuple[str, ...]:
    # §2.1: as many messages as there are values: 2 for one bit, 4 for two, 8 for three.
    if not isinstance(value, list) or len(value) != 1 << size:
        raise StatusEntryMalformed(reason="statusMessage has not one message for each value")
    found: dict[int, str] = {}
    for item in value:
        status, text = (
            (item.get("status"), item.get("message")) if isinstance(item, Mapping) else (None, None)
        )
        if not isinstance(status, str) or not _VALUE.fullmatch(status):
            raise StatusEntryMalformed(reason="the value of a message is not hexadecimal")
        if not isinstance(text, str) or not 0 < len(text) <= MAX_MESSAGE:
            raise StatusEntryMalformed(reason="a message is not a text of normal length")
        found[int(status, 16)] = text
    if set(found) != set(range(1 << size)):
        raise StatusEntryMalformed(reason="statusMessage has not one message for each value")
    return tuple(found[number] for number in range(1 << size))


def _references(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not all(is_url(item) for item in listed):
        raise StatusEntryMalformed(reason="statusReference is not a URL")
    return tuple(listed)


def read_value(bits: StatusList, index: int, size: int) -> int:
    """The value at `index` of entries of `size` bits (§3.2). Raises StatusIndexOutOfRange."""
    value = 0
    for place in range(index * size, (index + 1) * size):
        value = value << 1 | bits.get(place)
    return value


def write_value(bits: StatusList, index: int, size: int, value: int) -> None:
    """Set the value at `index`. Raises StatusIndexOutOfRange, ValueError."""
    if not 0 <= value < 1 << size:
        raise ValueError("the value does not fit")
    places: Sequence[int] = range(index * size, (index + 1) * size)
    for place in places:
        bits.get(place)  # all or none
    for shift, place in enumerate(reversed(places)):
        bits.set(place, bool(value >> shift & 1))


def message_of(content: StatusListContent, entry: MessageEntry) -> str:
    """What the list says of the credential. Raises StatusListMismatch, StatusPurposeMismatch,
    StatusIndexOutOfRange."""
    content.check(MESSAGE, entry.list_url)
    return entry.messages[read_value(content.bits, entry.index, entry.size)]
