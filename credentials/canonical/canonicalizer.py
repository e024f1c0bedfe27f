"""Canonicalization of JSON-LD documents: strict gate, compiled walk, RDFC-1.0.

Guarantee: `canonicalize` returns the canonical N-Quads of the whole document (W3C RDF Dataset
Canonicalization, SHA-256), or raises: nothing that the document shows is left out in silence, no
context is fetched, and the cost is bounded by `Limits`. Against: whoever wrote the document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from operator import eq
from typing import Any

from credentials.canonical.rdfc import Digest, Quad, canonical_labels, render, render_all
from credentials.canonical.terms import Compiler
from credentials.canonical.walker import Walk
from credentials.contexts import ContextStore, bundled_contexts
from credentials.errors import LimitExceeded, ValueIllTyped
from credentials.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True)
class Statement:
    """One statement: its canonical N-Quad (with newline) and the pointer that made it."""

    nquad: str
    pointer: str


@dataclass(frozen=True)
class Canonical:
    """`nquads`: sorted lines, each ending in a newline."""

    nquads: tuple[str, ...]
    _labels: Sequence[str] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        return "".join(self.nquads)

    @property
    def labels(self) -> Mapping[str, str]:
        """Blank nodes `bN`, numbered as the document shows them, to their names `c14nN`."""
        return {f"b{n}": label[2:] for n, label in enumerate(self._labels) if label}


class Canonicalizer:
    """Canonicalizes documents whose contexts are in `contexts`.

    `inline_contexts` lets documents bring contexts of their own. Then a word means what the
    document says it means, and a holder who adds a context can respell a signed credential
    without breaking it: for conformance suites only.
    """

    def __init__(
        self,
        contexts: ContextStore,
        limits: Limits = DEFAULT_LIMITS,
        *,
        inline_contexts: bool = False,
    ) -> None:
        self.contexts = contexts
        self.limits = limits
        self._compiler = Compiler(contexts, limits, inline_contexts)

    def canonicalize(self, document: Mapping[str, Any], digest: Digest = sha256) -> Canonical:
        """The canonical form. Raises DocumentRefused, ContextUnknown, ContextInvalid,
        LimitExceeded, GraphPoisoned.

        `digest` labels the blank nodes: P-384 cryptosuites name SHA-384 (VC-DI-ECDSA §3.2.3).
        """
        walk = self._walk(document)
        labels = self.label(walk.quads, walk.blanks, digest)
        lines = render_all(walk.quads, labels)
        lines.sort()
        if any(map(eq, lines, islice(lines, 1, None))):
            # One statement made by two members: rare, and it must count once in the labels.
            quads = _without_repetition(walk.quads)
            labels = self.label(quads, walk.blanks, digest)
            lines = render_all(quads, labels)
            lines.sort()
        return Canonical(tuple(lines), labels)

    def statements(self, document: Mapping[str, Any]) -> tuple[Statement, ...]:
        """The canonical statements in the order of the document, each with its JSON pointer.

        A statement that two members make appears twice here and once in the canonical form.
        """
        walk = self._walk(document)
        labels = self.label(_without_repetition(walk.quads), walk.blanks)
        return tuple(Statement(render(quad, labels), quad[4]) for quad in walk.quads)

    def quads(self, document: Mapping[str, Any]) -> tuple[list[Quad], int]:
        """The raw quads of `document` (see `rdfc`) and the number of its blank nodes."""
        walk = self._walk(document)
        return walk.quads, walk.blanks

    def label(self, quads: list[Quad], blanks: int, digest: Digest = sha256) -> list[str]:
        """Canonical labels of blank nodes 0 to `blanks` - 1. Raises GraphPoisoned."""
        return canonical_labels(quads, blanks, self.limits.canonicalization_work, digest)

    def _walk(self, document: Mapping[str, Any]) -> Walk:
        if not isinstance(document, Mapping):
            raise ValueIllTyped(pointer="")
        walk = Walk(self.limits)
        try:
            walk.document(dict(document), self._compiler.initial)
        except RecursionError:  # a caller who raised the depth limit beyond Python's
            raise LimitExceeded(what="nesting of the document", limit=self.limits.depth) from None
        return walk


def _without_repetition(quads: list[Quad]) -> list[Quad]:
    return list({quad[:4]: quad for quad in reversed(quads)}.values())[::-1]


@lru_cache(maxsize=1)
def default_canonicalizer() -> Canonicalizer:
    """The canonicalizer of the bundled contexts."""
    return Canonicalizer(bundled_contexts())
