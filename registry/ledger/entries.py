"""The entries of the chains: what may stand in a leaf, and the one table that says so.

An entry is a JSON object in canonical form (RFC 8785) of at most 8 KiB with a `kind` and a
version `v`. Its bytes are its identity: parsing re-encodes and compares, so there is exactly one
byte string for every entry, and a leaf hash can be rebuilt from an entry's content alone.

Guaranteed: an `Entry` obeys the table. Not said by it: that its submitter may write it
(`registry.contracts.permission`), or that it stands on a chain (`registry.tlog.proofs`,
`registry.trust`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, Self, TypeVar, overload

import rfc8785

from registry.errors import EntryKindUnknown, EntryMalformed
from registry.ledger.kinds import KINDS
from registry.ledger.members import (
    DID,
    MAX_DEPTH,
    MAX_SAFE_INTEGER,
    Check,
    encode_digest,
    encode_time,
    is_count,
    is_did,
    is_hash,
    is_key_name,
    is_name,
    is_signature,
    is_time,
)
from registry.ledger.spelling import COUNT, HASH, PLAIN, SIGNATURE, TIME, Spelling
from registry.limits import MAX_ENTRY_BYTES, MAX_GENESIS_BYTES
from registry.tlog import merkle
from schemas.errors import Phrase

# Spellings of the kinds that stand in nearly every leaf

_SPELT: Final[Mapping[Check, str]] = {
    is_did: DID.pattern,
    is_hash: HASH,
    is_time: TIME,
    is_signature: SIGNATURE,
    is_count: COUNT,
    is_key_name: PLAIN,
}
_PREFIX: Final = 6
_SPELLINGS: Final[Mapping[bytes, Spelling]] = {
    spelling.prefix[:_PREFIX]: spelling
    for kind in (KINDS["anchor"], KINDS["access"], KINDS["seal"])
    for spelling in [
        Spelling(kind.name, {name: _SPELT[check] for name, check in kind.members.items()})
    ]
}


# Entries

_T = TypeVar("_T")


class _Lazy(Generic[_T]):
    """A value made when it is first asked for. `cached_property` takes a lock before Python 3.12,
    which costs more than most of what is made here; made twice, it is the same."""

    def __init__(self, make: Callable[[Any], _T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, entry: None, owner: type) -> Self: ...
    @overload
    def __get__(self, entry: object, owner: type) -> _T: ...
    def __get__(self, entry: object | None, owner: type) -> Self | _T:
        if entry is None:
            return self
        value = entry.__dict__[self._name] = self._make(entry)
        return value


@dataclass(frozen=True)
class Entry:
    """A checked entry: its kind, and the exact bytes that stand in the leaf."""

    kind: str
    raw: bytes
    _found: Mapping[str, Any] | re.Match[bytes] = field(repr=False, compare=False)

    @_Lazy
    def body(self) -> Mapping[str, Any]:
        """What the bytes say; made when it is asked for."""
        found = self._found
        return _SPELLINGS[self.raw[:_PREFIX]].body(found) if isinstance(found, re.Match) else found

    @_Lazy
    def leaf_hash(self) -> bytes:
        """RFC 6962 §2.1: SHA-256(0x00 || entry)."""
        return merkle.leaf_hash(self.raw)

    def __getitem__(self, member: str) -> Any:
        return self.body[member]


def _refuse_number(_: str) -> Any:
    raise ValueError("no entry holds such a number")


def _parse_integer(text: str) -> int:
    number = int(text)
    if abs(number) > MAX_SAFE_INTEGER:
        raise ValueError("not an integer that every reader understands")
    return number


_DECODER: Final = json.JSONDecoder(
    parse_int=_parse_integer, parse_float=_refuse_number, parse_constant=_refuse_number
)


def _canonical(body: Any) -> bytes:
    """RFC 8785 of a value whose canonical text is ASCII and which holds no fractions.

    There the only differences between it and `json.dumps` are order and spaces; ten times faster.
    """
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def parse_entry(raw: bytes) -> Entry:
    """The entry in `raw`, or EntryMalformed / EntryKindUnknown. Only canonical bytes pass."""
    spelling = _SPELLINGS.get(raw[:_PREFIX])
    if spelling is not None:
        match = spelling.match(raw)
        if match is not None:
            return Entry(spelling.kind, raw, match)
    return parse_entry_slowly(raw)


def parse_entry_slowly(raw: bytes) -> Entry:
    """`parse_entry` for every kind and every fault; what says what an entry is."""
    if len(raw) > MAX_GENESIS_BYTES:
        raise EntryMalformed(reason=Phrase("more than {most} bytes", most=MAX_ENTRY_BYTES))
    try:
        body = _DECODER.decode(raw.decode())
        _check_depth(body)
        canonical = _canonical(body) if raw.isascii() else rfc8785.dumps(body)
    except (ValueError, RecursionError, rfc8785.CanonicalizationError) as error:
        raise EntryMalformed(reason="not JSON in canonical form") from error
    if canonical != raw or not isinstance(body, dict):
        # Catches repeated members, spaces, other orders and other spellings of one value.
        raise EntryMalformed(reason="not JSON in canonical form")
    if len(raw) > MAX_ENTRY_BYTES and body.get("kind") != "genesis":
        raise EntryMalformed(reason=Phrase("more than {most} bytes", most=MAX_ENTRY_BYTES))
    _check_body(body)
    return Entry(body["kind"], raw, body)


def make_entry(kind: str, /, **members: Any) -> Entry:
    """A new entry of `kind`. Members named like Python keywords: pass them by `**{...}`."""
    body = {"kind": kind, "v": 1, **members}
    try:
        raw = rfc8785.dumps(body)
    except (ValueError, RecursionError, rfc8785.CanonicalizationError) as error:
        raise EntryMalformed(reason="not expressible as canonical JSON") from error
    return parse_entry(raw)


def _check_depth(value: Any, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _check_depth(item, depth + 1)


def _check_body(body: Mapping[str, Any]) -> None:
    name = body.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        shown = name if is_name(name) else "?"
        raise EntryKindUnknown(kind=shown)
    if type(body.get("v")) is not int or body["v"] != 1:
        raise EntryKindUnknown(kind=Phrase("{name}, another version", name=name))
    missing = sorted(kind.members.keys() - body.keys())
    if missing:
        raise EntryMalformed(
            reason=Phrase("{name}: {missing} is missing", name=name, missing=missing[0])
        )
    optional = kind.optional.keys() & body.keys()
    if len(body) != len(kind.members) + 2 + len(optional):
        raise EntryMalformed(
            reason=Phrase("{name}: it has members that its kind does not define", name=name)
        )
    for member, check in kind.members.items():
        if not check(body[member]):
            raise EntryMalformed(
                reason=Phrase("{name}: {member} is not what it must be", name=name, member=member)
            )
    for member in optional:
        if not kind.optional[member](body[member]):
            raise EntryMalformed(
                reason=Phrase("{name}: {member} is not what it must be", name=name, member=member)
            )
    wrong = kind.rule(body)
    if wrong:
        raise EntryMalformed(reason=Phrase("{name}: {what}", name=name, what=wrong))


# The entries of the side chains


def anchor_entry(issuer: str, anchor: bytes) -> Entry:
    """The record of a credential: nothing in it but its issuer and the 32-byte anchor."""
    return make_entry("anchor", issuer=issuer, anchor=encode_digest(anchor))


def anchor_leaf_hash(issuer: str, anchor: bytes) -> bytes:
    """The leaf hash of the anchor of a credential, rebuilt from the credential alone."""
    return anchor_entry(issuer, anchor).leaf_hash


def status_entry(issuer: str, list_url: str, digest: str, time: datetime) -> Entry:
    """The record of a status list credential; `digest` is `document_digest` of it."""
    return make_entry("status", issuer=issuer, list=list_url, digest=digest, time=encode_time(time))


def access_entry(verifier: str, commitment: bytes) -> Entry:
    """The salted commitment of an access record."""
    return make_entry("access", verifier=verifier, commitment=encode_digest(commitment))
