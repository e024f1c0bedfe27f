"""Bitstring Status List 1.0: one bit a credential, many credentials a list.

Guarantees: an entry is read only when every part of it is understood (an unknown kind of status
is an error, never "no status"); a list is unpacked up to a limit; a bit is looked up only in the
list that the entry names and for the purpose that the list states. What cannot be known is raised
as an error whose exit code says undetermined; a set bit is the one way to be revoked.

Not guaranteed here: that the list is signed by whom it should be, and how old it is. Both are the
verifier's checks, on the credential that wraps the list.

Only one bit an entry (`statusSize` 1) is read here; `credentials.status_messages` reads more.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from credentials.errors import (
    EncodingInvalid,
    LimitExceeded,
    StatusEntryMalformed,
    StatusIndexOutOfRange,
    StatusListFull,
    StatusListMalformed,
    StatusListMismatch,
    StatusListTooShort,
    StatusPurposeMismatch,
    StatusTypeUnsupported,
)
from credentials.multibase import multibase_base64, multibase_decode
from credentials.timestamps import format_timestamp
from schemas.errors import Phrase
from schemas.names import CONTEXT_V2

MIN_ENTRIES: Final = 131_072
"""§3.2: fewer would show whose status is looked up. 16 KiB of bits."""
MAX_ENTRIES: Final = 2**24
"""2 MiB of bits, more than the residents of a large city."""
MAX_ENCODED: Final = 3 * 1024 * 1024
"""Characters of `encodedList`: random bits of the largest list, in base64url."""
MAX_STATUS_ENTRIES: Final = 8
"""Entries of one credential: revocation and suspension, and room."""
MAX_URL: Final = 512

ENTRY_TYPE: Final = "BitstringStatusListEntry"
LIST_TYPE: Final = "BitstringStatusList"
CREDENTIAL_TYPE: Final = "BitstringStatusListCredential"
REVOCATION: Final = "revocation"
SUSPENSION: Final = "suspension"

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_ABSOLUTE_URL: Final = re.compile(r"https?://[!-~]+", re.ASCII)


class StatusList:
    """The bits of one list; index 0 is the left-most bit of the first byte (§2.2)."""

    __slots__ = ("_bits",)

    def __init__(self, bits: bytes | bytearray) -> None:
        """Raises StatusListTooShort, LimitExceeded."""
        if 8 * len(bits) < MIN_ENTRIES:
            raise StatusListTooShort(entries=8 * len(bits), minimum=MIN_ENTRIES)
        if 8 * len(bits) > MAX_ENTRIES:
            raise LimitExceeded(what="status list", limit=f"{MAX_ENTRIES} entries")
        self._bits = bytearray(bits)

    @classmethod
    def empty(cls, entries: int = MIN_ENTRIES) -> StatusList:
        """A list of `entries` cleared bits, rounded up to whole bytes."""
        return cls(bytearray((entries + 7) // 8))

    def __len__(self) -> int:
        return 8 * len(self._bits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StatusList) and self._bits == other._bits

    __hash__ = None  # type: ignore[assignment]  # mutable

    def get(self, index: int) -> bool:
        """Whether the bit at `index` is set. Raises StatusIndexOutOfRange."""
        self._check(index)
        return bool(self._bits[index >> 3] & (0x80 >> (index & 7)))

    def set(self, index: int, value: bool = True) -> None:
        """Set or clear one bit. Raises StatusIndexOutOfRange."""
        self.set_many((index,), value)

    def set_many(self, indices: Iterable[int], value: bool = True) -> None:
        """Set or clear many bits; all or none. Raises StatusIndexOutOfRange."""
        chosen = tuple(indices)
        for index in chosen:
            self._check(index)
        bits = self._bits
        for index in chosen:
            if value:
                bits[index >> 3] |= 0x80 >> (index & 7)
            else:
                bits[index >> 3] &= ~(0x80 >> (index & 7))

    def count(self) -> int:
        """How many bits are set."""
        return int.from_bytes(self._bits, "big").bit_count()

    def encode(self) -> str:
        """`encodedList`: multibase base64url of the GZIP-compressed bits (§3.3).

        The same bits give the same text: no time of writing is in it.
        """
        return multibase_base64(gzip.compress(bytes(self._bits), mtime=0))

    @classmethod
    def decode(cls, text: str) -> StatusList:
        """The list in `encodedList` (§3.4). Raises StatusListMalformed, LimitExceeded."""
        if len(text) > MAX_ENCODED:
            raise LimitExceeded(what="encoded status list", limit=f"{MAX_ENCODED} characters")
        try:
            packed = multibase_decode(text, allowed="u")
        except EncodingInvalid as error:
            raise StatusListMalformed(reason="encodedList is not multibase base64url") from error
        return cls(_unpacked(packed))

    def _check(self, index: int) -> None:
        if not 0 <= index < 8 * len(self._bits):
            raise StatusIndexOutOfRange


def _unpacked(packed: bytes) -> bytes:
    """GZIP contents, never more than a list may have: a bomb is given up at the limit."""
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        bits = unpacker.decompress(packed, MAX_ENTRIES // 8 + 1)
    except zlib.error as error:
        raise StatusListMalformed(reason="encodedList is not GZIP data") from error
    if 8 * len(bits) > MAX_ENTRIES:
        raise LimitExceeded(what="status list", limit=f"{MAX_ENTRIES} entries")
    if not unpacker.eof:
        raise StatusListMalformed(reason="encodedList ends too early")
    if unpacker.unused_data:
        raise StatusListMalformed(reason="data follows the list")
    return bits


@dataclass(frozen=True)
class StatusEntry:
    """What a credential says about where its status stands (§2.1)."""

    purpose: str
    index: int
    list_url: str

    def document(self) -> dict[str, str]:
        """The entry as it stands in `credentialStatus`."""
        return {
            "type": ENTRY_TYPE,
            "statusPurpose": self.purpose,
            "statusListIndex": str(self.index),
            "statusListCredential": self.list_url,
        }

    @classmethod
    def parse(cls, entry: object) -> StatusEntry:
        """Read one entry. Raises StatusEntryMalformed, StatusTypeUnsupported."""
        if not isinstance(entry, Mapping):
            raise StatusEntryMalformed(reason="it is not an object")
        if entry.get("type") not in (ENTRY_TYPE, [ENTRY_TYPE]):
            raise StatusTypeUnsupported
        # A size other than one bit moves every index.
        if type(size := entry.get("statusSize", 1)) is not int or size != 1:
            raise StatusTypeUnsupported
        purpose, index = entry.get("statusPurpose"), entry.get("statusListIndex")
        if not isinstance(purpose, str) or not purpose:
            raise StatusEntryMalformed(reason="statusPurpose is missing")
        if not isinstance(index, str) or not _INDEX.fullmatch(index):
            raise StatusEntryMalformed(reason="statusListIndex is not a decimal number as text")
        return cls(purpose, int(index), _url(entry.get("statusListCredential")))


def _url(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_URL or not _ABSOLUTE_URL.fullmatch(value):
        raise StatusEntryMalformed(reason="statusListCredential is not a URL")
    return value


def status_entries(credential: Mapping[str, Any]) -> tuple[StatusEntry, ...]:
    """All status entries of `credential`; empty only if it has no `credentialStatus`.

    Raises StatusEntryMalformed, StatusTypeUnsupported: an entry that is not understood could be
    the one that revokes.
    """
    if "credentialStatus" not in credential:
        return ()
    value = credential["credentialStatus"]
    entries = value if isinstance(value, list) else [value]
    if not 1 <= len(entries) <= MAX_STATUS_ENTRIES:
        raise StatusEntryMalformed(
            reason=Phrase("there are not 1 to {most} entries", most=MAX_STATUS_ENTRIES)
        )
    parsed = tuple(StatusEntry.parse(entry) for entry in entries)
    if len(set(parsed)) != len(parsed):
        raise StatusEntryMalformed(reason="an entry stands there twice")
    return parsed


@dataclass(frozen=True)
class StatusListContent:
    """What a status list credential states: its address, its purposes, its bits (§2.2)."""

    url: str | None
    purposes: frozenset[str]
    bits: StatusList
    ttl_ms: int | None = None
    """Milliseconds after which a fresh copy should be fetched. Validity is `validUntil` alone."""

    def is_set(self, entry: StatusEntry) -> bool:
        """Whether the status that `entry` points to is set (§3.2).

        Raises StatusListMismatch, StatusPurposeMismatch, StatusIndexOutOfRange.
        """
        if self.url is not None and self.url != entry.list_url:
            raise StatusListMismatch
        if entry.purpose not in self.purposes:
            raise StatusPurposeMismatch(purpose=entry.purpose)
        return self.bits.get(entry.index)


def status_list_credential(
    bits: StatusList,
    *,
    url: str,
    issuer: str,
    purpose: str | Iterable[str],
    valid_from: datetime,
    valid_until: datetime | None = None,
    ttl_ms: int | None = None,
) -> dict[str, Any]:
    """The credential, still to be signed, that publishes `bits` at `url`."""
    purposes = [purpose] if isinstance(purpose, str) else list(purpose)
    if not purposes:
        raise StatusListMalformed(reason="it states no purpose")
    credential: dict[str, Any] = {
        "@context": [CONTEXT_V2],
        "id": _url(url),
        "type": ["VerifiableCredential", CREDENTIAL_TYPE],
        "issuer": issuer,
        "validFrom": format_timestamp(valid_from),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": LIST_TYPE,
            "statusPurpose": purposes[0] if len(purposes) == 1 else purposes,
            "encodedList": bits.encode(),
        },
    }
    if valid_until is not None:
        credential["validUntil"] = format_timestamp(valid_until)
    if ttl_ms is not None:
        credential["credentialSubject"]["ttl"] = _ttl(ttl_ms)
    return credential


def _ttl(value: object) -> int:
    if type(value) is not int or value <= 0:
        raise StatusListMalformed(reason="ttl is not positive")
    return value


def parse_status_list(credential: Mapping[str, Any]) -> StatusListContent:
    """What the status list credential `credential` states.

    Its proof, issuer and validity period are the caller's to check. Raises StatusListMalformed,
    StatusListTooShort, LimitExceeded.
    """
    types = credential.get("type")
    if not isinstance(types, list) or CREDENTIAL_TYPE not in types:
        raise StatusListMalformed(reason=Phrase("its type is not {type}", type=CREDENTIAL_TYPE))
    url = credential.get("id")
    if url is not None and not isinstance(url, str):
        raise StatusListMalformed(reason="its id is not a text")
    subject = credential.get("credentialSubject")
    if not isinstance(subject, Mapping) or subject.get("type") not in (LIST_TYPE, [LIST_TYPE]):
        raise StatusListMalformed(reason=Phrase("its subject is not a {type}", type=LIST_TYPE))
    if type(size := subject.get("statusSize", 1)) is not int or size != 1:
        raise StatusListMalformed(reason="it has more than one bit an entry")
    stated = subject.get("statusPurpose")
    purposes: list[Any] = stated if isinstance(stated, list) else [stated]
    if not purposes or not all(isinstance(purpose, str) and purpose for purpose in purposes):
        raise StatusListMalformed(reason="it states no purpose")
    encoded = subject.get("encodedList")
    if not isinstance(encoded, str):
        raise StatusListMalformed(reason="encodedList is missing")
    ttl = _ttl(subject["ttl"]) if "ttl" in subject else None
    return StatusListContent(url, frozenset(purposes), StatusList.decode(encoded), ttl)


class Randomness(Protocol):
    """What `random.SystemRandom` offers of chance."""

    def randrange(self, stop: int, /) -> int: ...


RANDOM_DRAWS: Final = 64
"""Draws before giving way to a search: enough until a list is almost full."""


def random_index(entries: int, is_taken: Callable[[int], bool], rng: Randomness) -> int:
    """A free index chosen at random, so that it tells nothing about when it was given (§2.1).

    `is_taken` answers for one index. Raises StatusListFull.
    """
    for _ in range(RANDOM_DRAWS):
        index = rng.randrange(entries)
        if not is_taken(index):
            return index
    start = rng.randrange(entries)
    for offset in range(entries):
        index = (start + offset) % entries
        if not is_taken(index):
            return index
    raise StatusListFull
