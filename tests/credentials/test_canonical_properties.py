"""What holds of every document that is let through, and of every one made to exhaust a reader.

Hypothesis chooses the documents; those of `test_canonical_differential` come from fixed seeds.
"""

from __future__ import annotations

import copy
import importlib
import json
import random
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from credentials.canonical import Canonicalizer
from credentials.errors import CredentialError

ROOT = Path(__file__).parents[2]
POISON_MS = 10.0
ROUNDS = 12
"""Tries for a machine with other work to show what it can do."""
STRING = "http://www.w3.org/2001/XMLSchema#string"

RANDOM = st.randoms(use_true_random=False)
# A generator of documents draws too much at once for the health checks.
SLOW = settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@cache
def bench(name: str) -> ModuleType:
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module(f"benchmarks.{name}")


@cache
def canonicalizer() -> Canonicalizer:
    return Canonicalizer(bench("differential").contexts())


def accepted(rng: random.Random, *, mutated: bool) -> tuple[dict[str, Any], str]:
    """A document that the gate lets through, and its canonical form."""
    document = bench("differential").sample(rng, mutated)
    try:
        return document, canonicalizer().canonicalize(document).text
    except CredentialError:
        assume(False)
        raise


@SLOW
@given(st.integers(0, 2**32))
def test_the_walker_agrees_with_pyld_and_oxigraph(seed: int) -> None:
    """A random document and a mutated real one."""
    result = bench("differential").compare(2, seed)
    assert not result.differences, json.dumps(result.differences[0], ensure_ascii=False)


def changed(document: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A copy with one value changed or gone, outside of contexts."""
    copied = copy.deepcopy(document)
    listed = [
        (holder, name)
        for holder, name in bench("differential")._places(copied)
        if not (isinstance(holder, dict) and name == "@context")
    ]
    contexts = [
        id(holder["@context"])
        for holder, name in bench("differential")._places(copied)
        if name == "@context"
    ]
    holder, name = rng.choice([place for place in listed if id(place[0]) not in contexts])
    value = holder[name]
    gone = rng.random() < 0.4 or not isinstance(value, str | int | float)
    # The one thing that may be said or left out: it is the type of every plain text.
    assume(not (name in ("@type", "type") and value == STRING))
    if gone:
        del holder[name]
    elif isinstance(value, bool):
        holder[name] = not value
    else:
        holder[name] = value + ("x" if isinstance(value, str) else 1)
    return copied


@SLOW
@given(RANDOM, st.booleans())
def test_nothing_of_an_accepted_document_is_lost(rng: random.Random, mutated: bool) -> None:
    """Whoever changes or removes any value changes what is signed, or is refused."""
    document, text = accepted(rng, mutated=mutated)
    other = changed(document, rng)
    with suppress(CredentialError):
        assert canonicalizer().canonicalize(other).text != text, (document, other)


@SLOW
@given(RANDOM, st.booleans(), st.sampled_from(["x", "ex:x", "@x", "_:x", "x y", ""]))
def test_no_undefined_member_is_let_through(rng: random.Random, mutated: bool, name: str) -> None:
    """A member that no context defines vanishes in JSON-LD; here it is refused where it stands."""
    document, text = accepted(rng, mutated=mutated)
    # A vocabulary defines every word, and JSON is signed as it is.
    assume("vocabulary" not in str(document["@context"]) and "data" not in str(document))
    places = [h for h, _ in bench("differential")._places(document) if isinstance(h, dict)]
    place = rng.choice(places)
    assume(name not in place and "@value" not in place)
    place[name] = "looks signed"
    try:
        found = canonicalizer().canonicalize(document).text
    except CredentialError:
        return
    assert "looks signed" in found, (name, document)
    assert found != text


def test_poison_is_refused_in_ten_milliseconds() -> None:
    refused_ms = bench("poison").refused_ms
    best: dict[str, float] = refused_ms()
    for _ in range(ROUNDS):
        if max(best.values()) < POISON_MS:
            break
        best = {name: min(best[name], now) for name, now in refused_ms().items()}
    slow = {name: took for name, took in best.items() if took >= POISON_MS}
    assert not slow
    assert len(best) >= 10
