"""RDFC-1.0: canonical labels for blank nodes, with a bound on the work that poison may cost.

A quad is `(subject, predicate, object, graph, pointer)`. Subject and object are N-Quads text, or
an int for a blank node; the graph is None or the int of a blank node; the pointer says where in
the document the quad came from and takes no part here.

Guarantee: the same data set gives the same lines whatever its blank nodes are called, as the W3C
Recommendation RDF Dataset Canonicalization of 2024-05-21 prescribes with SHA-256 (or the hash
that the caller names, as the P-384 cryptosuites do), or GraphPoisoned is raised once the budget
is used up (§4.4.3). Sorting is by code point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import permutations
from typing import Any

from credentials.errors import GraphPoisoned

Term = str | int
Quad = tuple[Term, str, Term, int | None, str]
Digest = Callable[[bytes], Any]
"""A hash of `hashlib`."""


def render(quad: Quad, labels: list[str]) -> str:
    """The N-Quads line of `quad`; `labels[n]` stands for blank node n."""
    s, p, o, g, _ = quad
    if s.__class__ is int:
        s = labels[s]
    if o.__class__ is int:
        o = labels[o]
    return f"{s} {p} {o} .\n" if g is None else f"{s} {p} {o} {labels[g]} .\n"


def render_all(quads: list[Quad], labels: list[str]) -> list[str]:
    """`render` for each of `quads`."""
    lines = []
    for s, p, o, g, _ in quads:
        if s.__class__ is int:
            s = labels[s]  # noqa: PLW2901 - the loop's own copy
        if o.__class__ is int:
            o = labels[o]  # noqa: PLW2901
        lines.append(f"{s} {p} {o} .\n" if g is None else f"{s} {p} {o} {labels[g]} .\n")
    return lines


def canonical_labels(
    quads: list[Quad], blanks: int, budget: int, digest: Digest = sha256
) -> list[str]:
    """For each blank node from 0 to `blanks` - 1 its label `_:c14nN`.

    `quads` must not repeat a quad. A number that no quad mentions gets the empty string.
    """
    if not blanks:
        return []
    if blanks == 1:  # nothing to tell apart
        return ["_:c14n0" if any(0 in (s, o, g) for s, _, o, g, _ in quads) else ""]
    first = _first_degrees(quads, blanks, digest)
    order = sorted((hash_, node) for node, hash_ in enumerate(first) if hash_)
    labels = [""] * blanks
    issued = 0
    alike: list[list[int]] = []
    position = 0
    while position < len(order):
        hash_ = order[position][0]
        end = position + 1
        while end < len(order) and order[end][0] == hash_:
            end += 1
        if end == position + 1:  # step 4: unique hashes are labelled in their order
            labels[order[position][1]] = f"_:c14n{issued}"
            issued += 1
        else:
            alike.append([node for _, node in order[position:end]])
        position = end
    if alike:
        _NDegree(_around(quads, blanks), first, labels, issued, budget, digest).label(alike)
    return labels


def _first_degrees(quads: list[Quad], blanks: int, digest: Digest) -> list[str]:
    """§4.4.3 step 3 and §4.6: a hash for each node from the quads it stands in, all in one pass.

    The empty string stands for a node that no quad mentions.
    """
    near: list[list[str]] = [[] for _ in range(blanks)]
    for s, p, o, g, _ in quads:
        if g is not None:
            for node in {s, o, g}:
                if node.__class__ is int:
                    near[node].append(
                        f"{_masked(s, node)} {p} {_masked(o, node)} {_masked(g, node)} .\n"
                    )
        elif o.__class__ is int:
            if o == s:
                near[o].append(f"_:a {p} _:a .\n")
            elif s.__class__ is int:
                near[s].append(f"_:a {p} _:z .\n")
                near[o].append(f"_:z {p} _:a .\n")
            else:
                near[o].append(f"{s} {p} _:a .\n")
        elif s.__class__ is int:
            near[s].append(f"_:a {p} {o} .\n")
    first = []
    for lines in near:
        lines.sort()
        first.append(str(digest("".join(lines).encode()).hexdigest()) if lines else "")
    return first


def _masked(term: Term, node: Term) -> Term:
    """§4.6 step 3: a blank node as it stands in the quads of `node`."""
    if term.__class__ is int:
        return "_:a" if term == node else "_:z"
    return term


def _around(quads: list[Quad], blanks: int) -> list[list[Quad]]:
    """For each blank node the quads it stands in, each once."""
    around: list[list[Quad]] = [[] for _ in range(blanks)]
    for quad in quads:
        s, _, o, g, _ = quad
        if s.__class__ is int:
            around[s].append(quad)
        if o.__class__ is int and o != s:
            around[o].append(quad)
        if g is not None and g not in (s, o):
            around[g].append(quad)
    return around


class _Issuer:
    """§4.3: temporary labels `_:bN` in order of issue."""

    __slots__ = ("labels",)

    def __init__(self, labels: dict[int, str] | None = None) -> None:
        self.labels = labels if labels is not None else {}

    def copy(self) -> _Issuer:
        return _Issuer(dict(self.labels))

    def issue(self, node: int) -> str:
        label = self.labels.get(node)
        if label is None:
            label = self.labels[node] = f"_:b{len(self.labels)}"
        return label


def _orders(nodes: list[int]) -> Iterator[tuple[int, ...]]:
    """The distinct orders of `nodes`, each once.

    A node is listed once for each quad that it shares with the node at hand (a graph's name, for
    each statement of the graph). Exchanging it with itself gives the same path, so skipping those
    orders changes no result, and two credentials in one presentation stay cheap.
    """
    counts = Counter(nodes)
    if len(counts) == len(nodes):
        yield from permutations(nodes)
        return
    chosen: list[int] = []

    def extend() -> Iterator[tuple[int, ...]]:
        if len(chosen) == len(nodes):
            yield tuple(chosen)
            return
        for node, left in counts.items():
            if left:
                counts[node] -= 1
                chosen.append(node)
                yield from extend()
                chosen.pop()
                counts[node] += 1

    yield from extend()


class _NDegree:
    """§4.8 Hash N-Degree Quads for nodes that their own quads do not tell apart."""

    def __init__(
        self,
        around: list[list[Quad]],
        first: list[str],
        labels: list[str],
        issued: int,
        budget: int,
        digest: Digest,
    ) -> None:
        self._around = around
        self._first = first
        self._labels = labels
        self._issued = issued
        self._left = budget
        self._digest = digest

    def _spend(self, steps: int = 1) -> None:
        self._left -= steps
        if self._left < 0:
            raise GraphPoisoned(pointer="")

    def label(self, groups: list[list[int]]) -> None:
        """§4.4.3 step 5."""
        for group in groups:
            results: list[tuple[str, _Issuer]] = []
            for node in group:
                if self._labels[node]:
                    continue
                issuer = _Issuer()
                issuer.issue(node)
                results.append(self._hash(node, issuer))
            results.sort(key=lambda result: result[0])
            for _, issuer in results:
                for node in issuer.labels:
                    if not self._labels[node]:
                        self._labels[node] = f"_:c14n{self._issued}"
                        self._issued += 1

    def _related(self, node: int, quad: Quad, issuer: _Issuer, position: str) -> str:
        """§4.7 Hash Related Blank Node."""
        label = self._labels[node] or issuer.labels.get(node) or self._first[node]
        if position == "g":
            return str(self._digest(f"g{label}".encode()).hexdigest())
        return str(self._digest(f"{position}{quad[1]}{label}".encode()).hexdigest())

    def _hash(self, node: int, issuer: _Issuer) -> tuple[str, _Issuer]:
        related: dict[str, list[int]] = {}
        near = self._around[node]
        self._spend(len(near) + 1)
        for quad in near:
            s, _, o, g, _ = quad
            for other, position in ((s, "s"), (o, "o"), (g, "g")):
                if other.__class__ is int and other != node:
                    hash_ = self._related(other, quad, issuer, position)
                    related.setdefault(hash_, []).append(other)
        data = self._digest(b"")
        for hash_ in sorted(related):
            data.update(hash_.encode())
            chosen = ""
            chosen_issuer: _Issuer | None = None
            for permutation in _orders(related[hash_]):
                self._spend(len(permutation))
                path, trial = self._path(permutation, issuer.copy(), chosen)
                if trial is not None and (chosen_issuer is None or path < chosen):
                    chosen, chosen_issuer = path, trial
            data.update(chosen.encode())
            if chosen_issuer is not None:
                issuer = chosen_issuer
        return data.hexdigest(), issuer

    def _path(
        self, permutation: tuple[int, ...], issuer: _Issuer, chosen: str
    ) -> tuple[str, _Issuer | None]:
        """§4.8 steps 5.4.4 and 5.4.5; None in place of the issuer: a better path is known."""
        path = ""
        pending: list[int] = []
        for other in permutation:
            label = self._labels[other]
            if label:
                path += label
            else:
                if other not in issuer.labels:
                    pending.append(other)
                path += issuer.issue(other)
            if chosen and len(path) >= len(chosen) and path > chosen:
                return path, None
        for other in pending:
            hash_, issuer = self._descend(other, issuer)
            path += hash_
            if chosen and len(path) >= len(chosen) and path > chosen:
                return path, None
        return path, issuer

    def _descend(self, node: int, issuer: _Issuer) -> tuple[str, _Issuer]:
        hash_, below = self._hash(node, issuer)
        return f"{issuer.issue(node)}<{hash_}>", below
