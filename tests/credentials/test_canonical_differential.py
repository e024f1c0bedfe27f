"""The walker against pyld and oxigraph on random and mutated documents."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pyoxigraph
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.canonical import default_canonicalizer
from credentials.canonical.rdfc import Quad, canonical_labels, render
from credentials.errors import GraphPoisoned
from credentials.limits import DEFAULT_LIMITS
from schemas.names import CONTEXT_V2

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def differential() -> ModuleType:
    """The generator belongs to the benchmarks, which run it on 100,000 documents."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module("benchmarks.differential")


@pytest.mark.parametrize("seed", range(4))
def test_no_difference(differential: ModuleType, seed: int) -> None:
    result = differential.compare(750, seed)
    assert not result.differences, json.dumps(result.differences[0], ensure_ascii=False)
    assert result.compared > 300  # a gate that refuses everything would pass, too


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_text_survives(value: str) -> None:
    """What oxigraph reads out of the canonical form is what was written into the document."""
    text = (
        default_canonicalizer()
        .canonicalize({"@context": [CONTEXT_V2], "id": "did:web:a.example", "name": value})
        .text
    )
    (quad,) = pyoxigraph.parse(text, format=pyoxigraph.RdfFormat.N_QUADS)
    assert isinstance(quad.object, pyoxigraph.Literal)
    assert quad.object.value == value


EDGES = st.lists(
    st.tuples(st.integers(0, 7), st.sampled_from("pq"), st.integers(0, 7)), min_size=1, max_size=24
)


@settings(max_examples=400, deadline=None)
@given(EDGES, st.permutations(range(8)))
def test_labels_agree_with_oxigraph(edges: list[tuple[int, str, int]], order: list[int]) -> None:
    """Graphs of blank nodes alone, where Hash N-Degree Quads must tell nodes apart."""
    quads: list[Quad] = [
        (s, f"<https://a.example/{p}>", o, None, "") for s, p, o in dict.fromkeys(edges)
    ]
    try:
        labels = canonical_labels(quads, 8, DEFAULT_LIMITS.canonicalization_work)
    except GraphPoisoned:  # hypothesis finds such graphs; refusing them is right
        return
    shuffled = "".join(render(quad, [f"_:n{n}" for n in order]) for quad in quads)
    dataset = pyoxigraph.Dataset(pyoxigraph.parse(shuffled, format=pyoxigraph.RdfFormat.N_QUADS))
    dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    ours = "".join(render(quad, labels) for quad in quads)
    assert set(dataset) == set(pyoxigraph.parse(ours, format=pyoxigraph.RdfFormat.N_QUADS))
