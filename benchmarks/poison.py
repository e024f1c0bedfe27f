"""Documents and graphs made to exhaust a canonicalizer, and how long it takes to refuse them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from credentials.canonical import default_canonicalizer
from credentials.canonical.rdfc import Quad, canonical_labels
from credentials.errors import GraphPoisoned
from credentials.limits import DEFAULT_LIMITS
from schemas.names import CONTEXT_V2

_TYPE: Final = {"type": ["VerifiableCredential"]}


def _tree(depth: int, width: int) -> dict[str, Any]:
    """Nodes that are alike, under nodes that are alike."""
    if not depth:
        return dict(_TYPE)
    return {**_TYPE, "evidence": [_tree(depth - 1, width) for _ in range(width)]}


def _comb(length: int, width: int) -> dict[str, Any]:
    """A chain of nodes, each with alike nodes beside the next."""
    node: dict[str, Any] = dict(_TYPE)
    for _ in range(length):
        node = {**_TYPE, "evidence": [node, *(dict(_TYPE) for _ in range(width))]}
    return node


def _clique(size: int) -> list[Quad]:
    """Blank nodes of which each points at each other; pyld takes 8 s for seven of them."""
    return [
        (a, "<https://a.example/p>", b, None, "")
        for a in range(size)
        for b in range(size)
        if a != b
    ]


def poison_set() -> dict[str, Callable[[], object]]:
    """Name of each case to what must raise GraphPoisoned."""
    trees = {"tree 7, 7": _tree(2, 7), "tree 12, 12, 12": _tree(3, 12), "tree 31, 31": _tree(2, 31)}
    combs = {"comb 20, 9": _comb(20, 9), "comb 28, 30": _comb(28, 30)}
    cases: dict[str, Callable[[], object]] = {}
    for name, node in {**trees, **combs}.items():
        document = {"@context": [CONTEXT_V2], **node}
        cases[name] = partial(default_canonicalizer().canonicalize, document)
    for size in (5, 7, 10, 20, 40):
        cases[f"clique {size}"] = partial(
            canonical_labels, _clique(size), size, DEFAULT_LIMITS.canonicalization_work
        )
    return cases


def refused_ms() -> dict[str, float]:
    """Milliseconds to the refusal of each case, the best of three. Raises AssertionError if one
    is let through."""
    found = {}
    for name, attempt in poison_set().items():
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            try:
                attempt()
            except GraphPoisoned:
                times.append((time.perf_counter() - begun) * 1e3)
            else:
                raise AssertionError(f"{name} was let through")
        found[name] = min(times)
    return found
