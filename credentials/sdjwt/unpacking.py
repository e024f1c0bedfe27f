"""From digests back to claims: RFC 9901 §7.1 steps 3 to 5, the same for holder and verifier.

Guarantees, against a holder who adds, repeats, moves or alters disclosures and an issuer who
nests them cleverly: every disclosure is called for by exactly one digest of the signed payload
(or of another disclosure that is itself called for), at the place where it is put; no digest
stands twice; nothing overwrites a claim; no `_sd`, `_sd_alg` or `...` remains in the result or is
brought in by a disclosure; number, size and nesting are bounded.

Not guaranteed: that the payload is signed. That is `credentials.sdjwt.verifying`'s part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from credentials.errors import (
    LimitExceeded,
    SdJwtDisclosureRefused,
    SdJwtHashUnsupported,
    SdJwtMalformed,
)
from credentials.sdjwt.disclosure import (
    DEFAULT_HASH,
    ELLIPSIS,
    HASHES,
    RESERVED,
    SD,
    SD_ALG,
    digest,
    read_disclosure,
)
from credentials.sdjwt.paths import Path

MAX_DISCLOSURES: Final = 512
"""Disclosures of one token; a credential has about twenty."""
MAX_DIGESTS: Final = 4096
"""Digests in one token, decoys included."""
MAX_DEPTH: Final = 48
"""Nested objects and arrays, counted through recursive disclosures."""


class Placed(NamedTuple):
    """A disclosure and where its claim stands."""

    path: Path
    text: str


class Unpacked(NamedTuple):
    """The processed payload, and what was disclosed in it, outer before inner."""

    claims: dict[str, Any]
    placed: list[Placed]


def hash_name(payload: Mapping[str, Any]) -> str:
    """The hash of `payload` (§4.1.1). Raises SdJwtHashUnsupported."""
    name = payload.get(SD_ALG, DEFAULT_HASH)
    if not isinstance(name, str) or name not in HASHES:
        raise SdJwtHashUnsupported
    return name


def unpack(payload: Mapping[str, Any], disclosures: Sequence[str]) -> Unpacked:
    """The claims of `payload` with `disclosures` in their places.

    Raises SdJwtMalformed, SdJwtDisclosureRefused, SdJwtHashUnsupported, LimitExceeded.
    """
    if len(disclosures) > MAX_DISCLOSURES:
        raise LimitExceeded(what="number of disclosures", limit=MAX_DISCLOSURES)
    hash_function = HASHES[hash_name(payload)]
    try:
        waiting = {digest(text, hash_function): text for text in disclosures}
    except UnicodeEncodeError as error:
        raise SdJwtMalformed(reason="a disclosure is not JSON in base64url") from error
    if len(waiting) != len(disclosures):
        raise SdJwtDisclosureRefused(reason="a disclosure stands there twice")
    unpacker = _Unpacker(waiting)
    signed = {name: value for name, value in payload.items() if name != SD_ALG}
    claims = unpacker.object(signed, (), 0)
    if waiting:  # step 5
        raise SdJwtDisclosureRefused(reason="a disclosure matches no digest")
    return Unpacked(claims, unpacker.placed)


def hides_something(value: Any) -> bool:
    """Whether a digest stands anywhere in `value`: part of it is, or can be, withheld."""
    level = [value]
    while level:
        one = level.pop()
        if type(one) is dict:
            if SD in one or ELLIPSIS in one:
                return True
            level.extend(one.values())
        elif type(one) is list:
            level.extend(one)
    return False


class _Unpacker:
    __slots__ = ("placed", "seen", "waiting")

    def __init__(self, waiting: dict[str, str]) -> None:
        self.waiting = waiting
        self.seen: set[str] = set()
        self.placed: list[Placed] = []

    def _meet(self, found: object) -> str | None:
        """The disclosure for a digest that is met for the first time, if it was given."""
        if type(found) is not str:
            raise SdJwtMalformed(reason="a digest is not a text")
        seen = self.seen
        if found in seen:  # step 4
            raise SdJwtDisclosureRefused(reason="a digest stands there twice")
        if len(seen) >= MAX_DIGESTS:
            raise LimitExceeded(what="number of digests", limit=MAX_DIGESTS)
        seen.add(found)
        return self.waiting.pop(found, None)

    def value(self, value: Any, path: Path, depth: int) -> Any:
        kind = type(value)
        if kind is dict:
            return self.object(value, path, depth)
        if kind is list:
            return self.array(value, path, depth)
        return value

    def object(self, source: dict[str, Any], path: Path, depth: int) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise LimitExceeded(what="nesting of the claims", limit=MAX_DEPTH)
        result: dict[str, Any] = {}
        for name, value in source.items():
            if type(value) is dict or type(value) is list:
                if name == SD:
                    continue
                if name in RESERVED:
                    raise SdJwtMalformed(reason="a reserved name stands where it must not")
                result[name] = self.value(value, (*path, name), depth + 1)
            elif name in RESERVED:
                raise SdJwtMalformed(reason="a reserved name stands where it must not")
            else:
                result[name] = value
        digests = source.get(SD)
        if digests is None:
            return result
        if type(digests) is not list:
            raise SdJwtMalformed(reason="_sd is not a list")
        for found in digests:
            text = self._meet(found)
            if text is None:
                continue
            _, named, disclosed = read_disclosure(text)
            if named is None:  # step 3.c.ii.1
                raise SdJwtDisclosureRefused(reason="one for an array stands in an object")
            if named in RESERVED:  # step 3.c.ii.2
                raise SdJwtDisclosureRefused(reason="one carries a reserved name")
            if named in result:  # step 3.c.ii.3
                raise SdJwtDisclosureRefused(reason="one repeats a claim that is there")
            place = (*path, named)
            self.placed.append(Placed(place, text))
            result[named] = self.value(disclosed, place, depth + 1)
        return result

    def array(self, source: list[Any], path: Path, depth: int) -> list[Any]:
        if depth > MAX_DEPTH:
            raise LimitExceeded(what="nesting of the claims", limit=MAX_DEPTH)
        result: list[Any] = []
        for element in source:
            place = (*path, len(result))
            if type(element) is not dict or ELLIPSIS not in element:
                result.append(self.value(element, place, depth + 1))
                continue
            if len(element) != 1:  # §4.2.4.2
                raise SdJwtMalformed(reason="a hidden element of an array has other members")
            text = self._meet(element[ELLIPSIS])
            if text is None:
                continue  # step 3.d
            _, named, disclosed = read_disclosure(text)
            if named is not None:  # step 3.c.iii.1
                raise SdJwtDisclosureRefused(reason="one for an object stands in an array")
            self.placed.append(Placed(place, text))
            result.append(self.value(disclosed, place, depth + 1))
        return result
