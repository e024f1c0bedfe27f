"""The parameters of a log: what each entry sets, and what is in force after it.

Source: did:webvh 1.0, "DID Method Parameters" and "The `witness` Parameter".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from credentials.errors import KeyInvalid
from credentials.keys import PublicKey
from credentials.multibase import base58btc_encode
from schemas.errors import Phrase

METHOD: Final = "did:webvh:1.0"
"""The one version that is understood; others are refused, never read as this one."""

MAX_KEYS: Final = 64
"""Update keys, hashes of next keys, witnesses or watchers of one entry."""
DEFAULT_TTL: Final = 3600

_KNOWN: Final = frozenset(
    {
        "deactivated",
        "method",
        "nextKeyHashes",
        "portable",
        "scid",
        "ttl",
        "updateKeys",
        "watchers",
        "witness",
    }
)
# Early logs wrote null for "no longer"; the specification asks readers to bear with that.
_NULL_MEANS: Final[Mapping[str, object]] = {
    "nextKeyHashes": [],
    "ttl": DEFAULT_TTL,
    "updateKeys": [],
    "watchers": [],
    "witness": {},
}


class BadParameter(Exception):
    """Which rule a parameter breaks; `verify_log` says of which entry."""


@dataclass(frozen=True)
class WitnessRule:
    """How many of which witnesses must confirm an entry; none when `threshold` is 0."""

    threshold: int = 0
    witnesses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parameters:
    """What is in force after an entry. `update_keys` are multikeys, `next_key_hashes` their
    promised successors' hashes, `ttl` seconds."""

    scid: str
    update_keys: tuple[str, ...]
    next_key_hashes: tuple[str, ...] = ()
    witness: WitnessRule = WitnessRule()
    watchers: tuple[str, ...] = ()
    portable: bool = False
    deactivated: bool = False
    ttl: int = DEFAULT_TTL


def key_hash(multikey: str) -> str:
    """The hash by which `nextKeyHashes` promises a key."""
    return multihash(multikey.encode("ascii"))


def multihash(data: bytes) -> str:
    """base58btc of the SHA-256 multihash: the only kind of hash that version 1.0 permits."""
    return base58btc_encode(b"\x12\x20" + sha256(data).digest())


def first(given: object) -> Parameters:
    """The parameters of the first entry. Raises BadParameter."""
    values = _read(given)
    if values.get("method") != METHOD:
        raise BadParameter("its version of the method is not supported")
    scid = values.get("scid")
    if not isinstance(scid, str):
        raise BadParameter("scid is missing")
    if not values.get("update_keys"):
        raise BadParameter("it authorizes no key")
    del values["method"]
    return Parameters(**values)


def after(before: Parameters, given: object) -> Parameters:
    """The parameters after a later entry. Raises BadParameter."""
    values = _read(given)
    if values.pop("method", METHOD) != METHOD:
        raise BadParameter("its version of the method is not supported")
    if "scid" in values:
        raise BadParameter("scid is set again")
    if values.get("portable"):
        raise BadParameter("portable is switched on after the first entry")
    if before.next_key_hashes:
        # Inheriting the keys would get around the promise.
        if "update_keys" not in values or "next_key_hashes" not in values:
            raise BadParameter("the promised keys are not named")
        if not {key_hash(key) for key in values["update_keys"]} <= set(before.next_key_hashes):
            raise BadParameter("a key was not promised by the entry before")
    return replace(before, **values)


def _read(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise BadParameter("parameters is not an object")
    if not _KNOWN.issuperset(given):
        raise BadParameter("a parameter is not understood")
    values: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            if name not in _NULL_MEANS:
                raise BadParameter("a parameter is null")
            value = _NULL_MEANS[name]  # noqa: PLW2901
        values[_FIELDS.get(str(name), str(name))] = _READERS[name](value)
    return values


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise BadParameter("a parameter is not text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadParameter("a parameter is neither true nor false")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_KEYS:
        raise BadParameter(Phrase("a parameter is not a list of at most {most}", most=MAX_KEYS))
    return tuple(_text(item) for item in value)


def _update_keys(value: object) -> tuple[str, ...]:
    keys = _texts(value)
    for key in keys:
        _check_key(key)
    return keys


def _check_key(multikey: str) -> None:
    try:
        usable = PublicKey.from_multikey(multikey).type == "Ed25519"
    except KeyInvalid:
        usable = False
    if not usable:  # eddsa-jcs-2022 is the only suite of version 1.0
        raise BadParameter("a key is not an Ed25519 multikey")


def _witness(value: object) -> WitnessRule:
    if not isinstance(value, Mapping):
        raise BadParameter("witness is not an object")
    if not value:
        return WitnessRule()
    listed, threshold = value.get("witnesses"), value.get("threshold")
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_KEYS or len(value) != 2:
        raise BadParameter("witness does not list witnesses")
    ids = []
    for entry in listed:
        did = entry.get("id") if isinstance(entry, Mapping) else None
        if not isinstance(did, str) or not did.startswith("did:key:"):
            raise BadParameter("a witness is not a did:key")
        _check_key(did.removeprefix("did:key:"))
        ids.append(did)
    if len(set(ids)) != len(ids):
        raise BadParameter("a witness is listed twice")
    if type(threshold) is not int or not 0 < threshold <= len(ids):
        raise BadParameter("the threshold of witnesses is out of range")
    return WitnessRule(threshold, tuple(ids))


def _ttl(value: object) -> int:
    if type(value) is not int or not 0 <= value <= 2**31:
        raise BadParameter("ttl is out of range")
    return value


_FIELDS: Final = {"updateKeys": "update_keys", "nextKeyHashes": "next_key_hashes"}
_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "deactivated": _flag,
    "method": _text,
    "nextKeyHashes": _texts,
    "portable": _flag,
    "scid": _text,
    "ttl": _ttl,
    "updateKeys": _update_keys,
    "watchers": _texts,
    "witness": _witness,
}
