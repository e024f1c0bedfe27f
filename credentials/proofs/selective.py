"""What the selective-disclosure cryptosuites share: pointers, groups of statements, hidden labels.

VC-DI-ECDSA §3.4 finds the statements of a selection by canonicalizing documents with skolemized
blank nodes and comparing lines. Here each statement knows the JSON pointer that made it
(`credentials.canonical.walker`), which gives the same groups without the detour; the vectors of
the W3C and a literal implementation in the tests hold this against the specification.

Guarantee: a selection shows what the pointers name, the `id` and `type` of every object on the
way, and nothing else. Pointers that name half of something that is signed as a whole (one item
of an ordered list, the text of a language-tagged value) are refused instead of being widened.
"""

from __future__ import annotations

import copy
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from credentials.canonical import Canonicalizer
from credentials.canonical.rdfc import Quad, render
from credentials.canonical.text import RDF_TYPE
from credentials.errors import (
    LimitExceeded,
    PointerInvalid,
    PointerNotSelectable,
    PointerUnknown,
)
from credentials.limits import MAX_JSON_DEPTH, MAX_POINTERS
from credentials.multibase import multibase_base64

HMAC_KEY_LENGTH: Final = 32

_BAD_ESCAPE: Final = re.compile(r"~(?![01])")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_ALWAYS: Final = frozenset({"id", "type", "@id", "@type", "@context"})
"""What a selection shows of every object on the way (VC-DI-ECDSA §3.4.10), and its context."""
_SHOWN_WITH_OBJECT: Final = re.compile(r"/@?(id|type(/[0-9]+)?)\Z", re.ASCII)
"""Pointers to an identifier or type: their statements come with the object, whole."""


# Pointers and documents


def parse_pointer(pointer: object) -> tuple[str, ...]:
    """The steps of a JSON pointer (RFC 6901 §3, §4). Raises PointerInvalid."""
    if not isinstance(pointer, str):
        raise PointerInvalid(pointer=type(pointer).__name__)
    if not pointer:
        return ()
    if pointer[0] != "/" or _BAD_ESCAPE.search(pointer):
        raise PointerInvalid(pointer=pointer[:200])
    steps = pointer[1:].split("/")
    if len(steps) > MAX_JSON_DEPTH:
        raise LimitExceeded(what="length of a JSON pointer", limit=MAX_JSON_DEPTH)
    if "~" in pointer:
        steps = [step.replace("~1", "/").replace("~0", "~") for step in steps]
    return tuple(steps)


def check_pointers(pointers: object) -> list[str]:
    """`pointers` as a list of texts. Raises PointerInvalid, LimitExceeded."""
    if isinstance(pointers, str) or not isinstance(pointers, Iterable):
        raise PointerInvalid(pointer=type(pointers).__name__)
    checked = list(pointers)
    if len(checked) > MAX_POINTERS:
        raise LimitExceeded(what="number of JSON pointers", limit=MAX_POINTERS)
    for pointer in checked:
        parse_pointer(pointer)
    return checked


def step_into(value: Any, step: str, pointer: str) -> Any:
    """The member or item of `value` that `step` names. Raises PointerUnknown."""
    if isinstance(value, dict) and step in value:
        return value[step]
    if isinstance(value, list) and _INDEX.fullmatch(step) and int(step) < len(value):
        return value[int(step)]
    raise PointerUnknown(pointer=pointer[:200])


def select_document(document: Mapping[str, Any], pointers: Sequence[str]) -> dict[str, Any]:
    """The part of `document` that the pointers show (VC-DI-ECDSA §3.4.13, selectJsonLd).

    Raises PointerUnknown, PointerInvalid.
    """
    tree: dict[str | None, Any] = {}
    for pointer in pointers:
        value: Any = document
        branch = tree
        for step in parse_pointer(pointer):
            value = step_into(value, step, pointer)
            branch = branch.setdefault(step, {})
        branch[_EVERYTHING] = True
    selected: dict[str, Any] = _select(document, tree)
    return selected


_EVERYTHING: Final = None  # no step, so no member name can pose as it


def _select(value: Any, tree: Mapping[str | None, Any]) -> Any:
    if _EVERYTHING in tree:
        return copy.deepcopy(value)
    if isinstance(value, dict):
        return {
            key: copy.deepcopy(item) if key in _ALWAYS else _select(item, tree[key])
            for key, item in value.items()
            if key in tree or key in _ALWAYS
        }
    return [
        _select(item, tree[str(index)]) for index, item in enumerate(value) if str(index) in tree
    ]


# Statements


class Selection:
    """Which statements of a document a list of pointers selects."""

    def __init__(self, document: Mapping[str, Any], pointers: Sequence[str]) -> None:
        """Raises PointerUnknown and PointerInvalid for a pointer that names nothing."""
        self._document = document
        self._whole = dict.fromkeys(pointers, False)  # pointer -> has selected a statement
        self._on_the_way: set[str] = set()
        for pointer in pointers:
            value: Any = document
            for step in parse_pointer(pointer):
                value = step_into(value, step, pointer)
            way = pointer
            while way not in self._on_the_way:
                self._on_the_way.add(way)
                if not way:
                    break
                way = way[: way.rindex("/")]
            if _SHOWN_WITH_OBJECT.search(pointer):
                self._whole[pointer] = True

    def mark(self, quads: Sequence[Quad]) -> list[bool]:
        """For each quad of the document whether it is selected. Raises PointerNotSelectable."""
        if not self._whole:
            return [False] * len(quads)
        known: dict[str, bool] = {}
        marks = [self._selects(quad, known) for quad in quads]
        for pointer, has_selected in self._whole.items():
            if not has_selected:
                raise PointerNotSelectable(pointer=pointer)
        return marks

    def _selects(self, quad: Quad, known: dict[str, bool]) -> bool:
        pointer = quad[4]
        if self._is_inside(pointer, known):
            return True
        if quad[1] == RDF_TYPE and pointer.endswith("type"):
            # A type stands with its object (§3.4.10, createInitialSelection).
            parent, _, member = pointer.rpartition("/")
            if member in ("type", "@type"):
                return parent in self._on_the_way
        if pointer not in self._on_the_way:
            return False
        # The link to an object on the way. Anything else here is signed as a whole.
        if isinstance(quad[2], int) or quad[2][0] == "<":
            value: Any = self._document
            for step in parse_pointer(pointer):
                value = step_into(value, step, pointer)
            if isinstance(value, dict) and "@value" not in value and "@list" not in value:
                return True
        raise PointerNotSelectable(pointer=pointer)

    def _is_inside(self, pointer: str, known: dict[str, bool]) -> bool:
        found = known.get(pointer)
        if found is None:
            if pointer in self._whole:
                self._whole[pointer] = found = True
                known[pointer] = True
                if pointer:  # also count for a pointer further up
                    self._is_inside(pointer[: pointer.rindex("/")], known)
            elif not pointer:
                found = False
            else:
                found = self._is_inside(pointer[: pointer.rindex("/")], known)
            known[pointer] = found
        return found


# Labels


def hidden_labels(labels: Sequence[str], key: bytes) -> list[str]:
    """HMAC labels in place of canonical ones (VC-DI-ECDSA §3.4.3, createHmacIdLabelMap): they
    hide where a node stood in the order of all nodes, and so what else there was."""
    return [
        "_:" + multibase_base64(hmac.digest(key, label[2:].encode(), "sha256")) if label else ""
        for label in labels
    ]


@dataclass(frozen=True)
class Grouped:
    """A document's statements under hidden labels, in canonical order, without repetition.

    `quads[i]` made `lines[i]`; `members[i]` are all quads that make it.
    """

    lines: tuple[str, ...]
    members: tuple[tuple[Quad, ...], ...]
    labels: tuple[str, ...]
    blanks: int
    document: Mapping[str, Any]

    def select(self, pointers: Sequence[str]) -> list[bool]:
        """For each line whether the pointers select it (§3.4.16, canonicalizeAndGroup)."""
        flat = [quad for same in self.members for quad in same]
        marks = Selection(self.document, pointers).mark(flat)
        if len(flat) == len(self.members):
            return marks
        chosen = {quad[:4] for quad, mark in zip(flat, marks, strict=True) if mark}
        return [same[0][:4] in chosen for same in self.members]


def shuffled_labels(labels: Sequence[str], key: bytes) -> list[str]:
    """`b0`, `b1`, … in the order of the HMAC labels (VC-DI-BBS §3.2.1,
    createShuffledIdLabelMapFunction). An HMAC label would be recognised from one presentation to
    the next; these are short, and the same in most credentials."""
    hidden = hidden_labels(labels, key)
    places = {label: index for index, label in enumerate(sorted(filter(None, hidden)))}
    return [f"_:b{places[label]}" if label else "" for label in hidden]


def group(
    document: dict[str, Any],
    canonicalizer: Canonicalizer,
    hmac_key: bytes,
    hide: Callable[[Sequence[str], bytes], list[str]] = hidden_labels,
) -> Grouped:
    """Canonicalize `document` and replace its labels by those that `hide` gives."""
    quads, blanks = canonicalizer.quads(document)
    by_statement: dict[tuple[object, ...], list[Quad]] = {}
    for quad in quads:
        by_statement.setdefault(quad[:4], []).append(quad)
    unique = [same[0] for same in by_statement.values()]
    labels = hide(canonicalizer.label(unique, blanks), hmac_key)
    ordered = sorted((render(same[0], labels), same) for same in by_statement.values())
    return Grouped(
        tuple(line for line, _ in ordered),
        tuple(tuple(same) for _, same in ordered),
        tuple(labels),
        blanks,
        document,
    )
