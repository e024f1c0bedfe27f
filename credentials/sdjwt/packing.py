"""From claims to digests: what the issuer signs, and the disclosures that it hands over.

Guarantees: exactly the claims that were named become digests; nested and recursive choices and
elements of arrays are allowed; digests stand sorted, decoys among them, so nothing tells their
order or number; a claim whose name belongs to SD-JWT itself is refused.

Source: RFC 9901 §4.2.4 to §4.2.6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from credentials.errors import LimitExceeded, PointerUnknown, SdJwtIssueRefused
from credentials.limits import MAX_SAFE_INTEGER
from credentials.multibase import base64url_encode
from credentials.sdjwt.disclosure import (
    ELLIPSIS,
    HASHES,
    RESERVED,
    SALT_LENGTH,
    SD,
    digest,
    make_disclosure,
)
from credentials.sdjwt.paths import Path, as_index, show_path
from credentials.sdjwt.unpacking import MAX_DEPTH, MAX_DISCLOSURES

MAX_DECOYS: Final = 256
"""Decoys at one place."""
_KEPT_PLANS: Final = 64  # choices that are remembered: an issuer has one a credential type


class _Node:
    """What is chosen at one place of the claims, and below it."""

    __slots__ = ("children", "decoys", "hidden")

    def __init__(self) -> None:
        self.hidden = False
        self.decoys = 0
        self.children: dict[str | int | None, _Node] = {}

    def at(self, path: Path) -> _Node:
        node = self
        for step in path:
            node = node.children.setdefault(step, _Node())
        return node


@lru_cache(maxsize=_KEPT_PLANS)
def _plan(hidden: tuple[Path, ...], decoys: tuple[tuple[Path, int], ...]) -> _Node:
    root = _Node()
    for path in hidden:
        root.at(path).hidden = True
    for path, count in decoys:
        if not 0 <= count <= MAX_DECOYS:
            raise LimitExceeded(what="number of decoys", limit=MAX_DECOYS)
        root.at(path).decoys = count
    return root


def pack(
    claims: Mapping[str, Any],
    hidden: tuple[Path, ...],
    decoys: tuple[tuple[Path, int], ...],
    hash_name: str,
    rng: Callable[[int], bytes],
) -> tuple[dict[str, Any], list[str]]:
    """The payload with digests for `hidden`, and the disclosures.

    Raises PointerUnknown for a path that names nothing, SdJwtIssueRefused, LimitExceeded.
    """
    packer = _Packer(hash_name, rng, len(hidden))
    try:
        payload = packer.object(claims, _plan(hidden, decoys), (), 0)
    except (TypeError, ValueError):
        # Without its cause, which may hold the value.
        raise SdJwtIssueRefused(reason="a claim holds something that JSON cannot") from None
    return payload, packer.disclosures


class _Packer:
    def __init__(self, hash_name: str, rng: Callable[[int], bytes], expected: int) -> None:
        self._hash = HASHES[hash_name]
        self._rng = rng
        self._salts = self._fresh(expected)
        self.disclosures: list[str] = []

    def _fresh(self, count: int) -> Iterator[str]:
        # One call for all salts: the system call costs more than what it brings.
        count = max(count, 8)
        pool = self._rng(count * SALT_LENGTH)
        return iter(
            [
                base64url_encode(pool[at : at + SALT_LENGTH])
                for at in range(0, len(pool), SALT_LENGTH)
            ]
        )

    def _salt(self) -> str:
        salt = next(self._salts, None)
        if salt is None:
            self._salts = self._fresh(32)
            return self._salt()
        return salt

    def _disclose(self, name: str | None, value: Any) -> str:
        if len(self.disclosures) >= MAX_DISCLOSURES:
            raise LimitExceeded(what="number of disclosures", limit=MAX_DISCLOSURES)
        text = make_disclosure(self._salt(), name, value)
        self.disclosures.append(text)
        return digest(text, self._hash)

    def _decoy(self) -> str:
        return base64url_encode(self._hash(self._rng(2 * SALT_LENGTH)).digest())  # §4.2.5

    def value(self, value: Any, node: _Node, path: Path, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise LimitExceeded(what="nesting of the claims", limit=MAX_DEPTH)
        if not node.children and not node.decoys:
            check_plain(value, depth)
            return value
        if isinstance(value, Mapping):
            return self.object(value, node, path, depth)
        if isinstance(value, list):
            return self.array(value, node, path, depth)
        raise PointerUnknown(pointer=show_path((*path, next(iter(node.children), None))))

    def object(
        self, value: Mapping[str, Any], node: _Node, path: Path, depth: int
    ) -> dict[str, Any]:
        children = node.children
        if unknown := children.keys() - value.keys():
            raise PointerUnknown(pointer=show_path((*path, unknown.pop())))
        _check_names(value)
        shown: dict[str, Any] = {}
        digests = []
        for name, member in value.items():
            child = children.get(name)
            if child is None:
                if not isinstance(member, str):
                    check_plain(member, depth + 1)
                shown[name] = member
                continue
            packed = self.value(member, child, (*path, name), depth + 1)
            if child.hidden:
                digests.append(self._disclose(name, packed))
            else:
                shown[name] = packed
        digests.extend(self._decoy() for _ in range(node.decoys))
        if digests:
            shown[SD] = sorted(digests)  # §4.2.4.1: the original order must not show
        return shown

    def array(self, value: list[Any], node: _Node, path: Path, depth: int) -> list[Any]:
        indices: dict[int, _Node] = {}
        for step, child in node.children.items():
            if step is None:
                for at in range(len(value)):
                    indices.setdefault(at, child)
                continue
            named = as_index(step)
            if named is None or named >= len(value):
                raise PointerUnknown(pointer=show_path((*path, step)))
            if indices.setdefault(named, child) is not child:
                raise SdJwtIssueRefused(reason="two choices name one element of an array")
        packed: list[Any] = []
        for at, element in enumerate(value):
            found = indices.get(at)
            if found is None:
                check_plain(element, depth + 1)
                packed.append(element)
                continue
            inner = self.value(element, found, (*path, at), depth + 1)
            packed.append({ELLIPSIS: self._disclose(None, inner)} if found.hidden else inner)
        for _ in range(node.decoys):
            # Anywhere, or a decoy would be known by its place. 64 bits make the bias negligible.
            at = int.from_bytes(self._rng(8), "big") % (len(packed) + 1)
            packed.insert(at, {ELLIPSIS: self._decoy()})
        return packed


def check_plain(value: Any, depth: int = 0) -> None:
    """Raise SdJwtIssueRefused for a reserved name in `value`, or what readers would refuse."""
    if isinstance(value, Mapping):
        _check_names(value)
        below: Any = value.values()
    elif isinstance(value, list | tuple):
        below = value
    else:
        if isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
            raise SdJwtIssueRefused(reason="a number is larger than readers keep exactly")
        return
    if depth > MAX_DEPTH:
        raise LimitExceeded(what="nesting of the claims", limit=MAX_DEPTH)
    for inner in below:
        check_plain(inner, depth + 1)


def _check_names(members: Mapping[Any, Any]) -> None:
    if not RESERVED.isdisjoint(members):
        raise SdJwtIssueRefused(reason="a claim has a name that belongs to SD-JWT")
    # json would write a number as a name, and the claim would come back as another.
    if not all(isinstance(name, str) for name in members):
        raise SdJwtIssueRefused(reason="a claim has a name that is not a text")
