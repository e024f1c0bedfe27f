"""The canonical form of proof options, from a shape that is learnt once.

Every proof of an issuer has the same members; only a few plain values differ. The canonicalizer
is asked once for each set of contexts and members, with marker values; from then on the values
are put in their places. Guarantee: the text is the one that the canonicalizer gives. Whatever is
unusual in any way (a value with a character that could need escaping, another member, a context
written out) goes to the canonicalizer itself, and so meets its gate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from credentials.canonical import Canonicalizer
from credentials.canonical.rdfc import Digest
from credentials.errors import CredentialError

# Members whose values vary, each with a marker and the values that no escaping, no prefix and no
# coercion can touch: if the marker comes through unchanged, so do they.
_DID_URL: Final = re.compile(r"did:(?:key|web):[A-Za-z0-9.:%-]+(?:#[A-Za-z0-9_-]+)?", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{8,256}", re.ASCII)
_VARIABLE: Final[Mapping[str, tuple[str, re.Pattern[str]]]] = {
    "created": ("1901-01-01T01:01:01Z", _TIME),
    "expires": ("1902-02-02T02:02:02Z", _TIME),
    "verificationMethod": ("did:key:zMarkerOfTheMethod#zMarkerOfTheMethod", _DID_URL),
    "domain": ("did:web:marker.of.the.domain", _DID_URL),
    "challenge": ("MarkerOfTheChallenge", _TOKEN),
}
_FIXED: Final = frozenset({"type", "cryptosuite", "proofPurpose"})

_KEPT_SHAPES: Final = 64
"""Shapes remembered; a desk meets a handful."""


@dataclass(frozen=True)
class _Shape:
    """Canonical text with gaps; gap n takes the value at `order[n]`."""

    pieces: tuple[str, ...]
    order: tuple[int, ...]

    def fill(self, values: list[str]) -> str:
        parts = [self.pieces[0]]
        for piece, index in zip(self.pieces[1:], self.order, strict=True):
            parts += (values[index], piece)
        return "".join(parts)


def canonical_options(
    options: Mapping[str, Any], canonicalizer: Canonicalizer, digest: Digest = sha256
) -> str:
    """The canonical N-Quads of proof `options`. Raises what `Canonicalizer.canonicalize` does."""
    shape, values = _prepare(options, canonicalizer)
    if shape is None:
        return canonicalizer.canonicalize(options, digest).text
    return shape.fill(values)


def _prepare(
    options: Mapping[str, Any], canonicalizer: Canonicalizer
) -> tuple[_Shape | None, list[str]]:
    context = options.get("@context")
    if not isinstance(context, list) or not all(isinstance(entry, str) for entry in context):
        return None, []
    fixed, names, values = [], [], []
    for name, value in options.items():
        if name == "@context":
            continue
        if not isinstance(value, str):
            return None, []
        if name in _FIXED:
            fixed.append((name, value))
            continue
        rule = _VARIABLE.get(name)
        if rule is None or not rule[1].fullmatch(value):
            return None, []
        names.append(name)
        values.append(value)
    return _learn(canonicalizer, tuple(context), tuple(fixed), tuple(names)), values


@lru_cache(maxsize=_KEPT_SHAPES)
def _learn(
    canonicalizer: Canonicalizer,
    context: tuple[str, ...],
    fixed: tuple[tuple[str, str], ...],
    names: tuple[str, ...],
) -> _Shape | None:
    """The shape of such options, or None if it could depend on the values."""
    marked = {"@context": list(context), **dict(fixed)}
    marked |= {name: _VARIABLE[name][0] for name in names}
    try:
        lines = canonicalizer.canonicalize(marked).nquads
    except CredentialError:
        return None  # the caller's own options will be refused, and for their own reason
    # One node and one line a predicate: then neither order nor labels depend on the values.
    predicates = {line.split(" ", 2)[1] for line in lines}
    if len(predicates) != len(lines) or not all(line.startswith("_:c14n0 ") for line in lines):
        return None
    text = "".join(lines)
    if "_:c14n1" in text:
        return None
    gaps = []
    for index, name in enumerate(names):
        marker, _ = _VARIABLE[name]
        start = text.find(marker)
        end = start + len(marker)
        # Whole, once, and as a literal or an identifier of its own: nothing was added or escaped.
        around = text[start - 1] + text[end : end + 1]
        if start < 1 or text.count(marker) != 1 or around not in ('""', "<>"):
            return None
        if around == "<>" and not marker.startswith("did:"):
            return None
        gaps.append((start, end, index))
    gaps.sort()
    pieces, position = [], 0
    for start, end, _ in gaps:
        pieces.append(text[position:start])
        position = end
    return _Shape((*pieces, text[position:]), tuple(index for _, _, index in gaps))
