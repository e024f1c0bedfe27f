"""The walker against pyld and oxigraph, on documents nobody would write by hand.

`compare(count, seed)` makes `count` documents: random ones over a context that uses every feature
the gate lets through, and mutations of real credentials and presentations. What the gate accepts
must come out of pyld with the same bytes, and oxigraph must give the same labels to its blank
nodes after they were shuffled. What pyld refuses, the gate must refuse too.
"""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pyoxigraph
from pyld.jsonld import JsonLdError

from benchmarks.sample import resident_credential
from credentials.canonical import Canonicalizer
from credentials.canonical.rdfc import render
from credentials.canonical.reference import canonicalize_with_pyld
from credentials.contexts import ContextStore, bundled_contexts
from credentials.errors import CredentialError
from schemas.names import CONTEXT_V2, PRESENTATION_CONTEXT, RESIDENT_CONTEXT

EVERYTHING: Final = "https://test.example/contexts/everything/v1"
VOCABULARY: Final = "https://test.example/contexts/vocabulary/v1"
LANGUAGE: Final = "https://test.example/contexts/language/v1"

_EX: Final = "https://test.example/ns#"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"

CONTEXTS: Final[dict[str, dict[str, Any]]] = {
    EVERYTHING: {
        "@context": {
            "@version": 1.1,
            "id": "@id",
            "type": "@type",
            "text": _EX + "text",
            "note": {"@id": _EX + "note", "@language": "zh-Hans"},
            "bare": {"@id": _EX + "bare", "@language": None},
            "turned": {"@id": _EX + "turned", "@direction": "rtl"},
            "arabic": {"@id": _EX + "arabic", "@language": "ar", "@direction": "rtl"},
            "when": {"@id": _EX + "when", "@type": _XSD + "dateTime"},
            "count": {"@id": _EX + "count", "@type": _XSD + "integer"},
            "amount": {"@id": _EX + "amount", "@type": _XSD + "double"},
            "flag": {"@id": _EX + "flag", "@type": _XSD + "boolean"},
            "string": {"@id": _EX + "string", "@type": _XSD + "string"},
            "untyped": {"@id": _EX + "untyped", "@type": "@none"},
            "link": {"@id": _EX + "link", "@type": "@id"},
            "kind": {"@id": _EX + "kind", "@type": "@vocab"},
            "red": _EX + "Red",
            "data": {"@id": _EX + "data", "@type": "@json"},
            "steps": {"@id": _EX + "steps", "@container": "@list"},
            "stops": {"@id": _EX + "stops", "@type": "@id", "@container": "@list"},
            "tags": {"@id": _EX + "tags", "@container": "@set"},
            "titles": {"@id": _EX + "titles", "@container": "@language"},
            "names": {"@id": _EX + "names", "@container": ["@language", "@set"]},
            "graph": {"@id": _EX + "graph", "@container": "@graph"},
            "graphs": {"@id": _EX + "graph", "@type": "@id", "@container": ["@graph", "@set"]},
            "fresh": {"@id": _EX + "fresh", "@container": "@graph", "@context": None},
            "under": {
                "@id": _EX + "under",
                "@type": "@id",
                "@context": {"inner": _EX + "inner", "text": _EX + "underText"},
            },
            "Round": {
                "@id": _EX + "Round",
                "@context": {"radius": _EX + "radius", "text": _EX + "roundText"},
            },
            "Square": {
                "@id": _EX + "Square",
                "@context": {
                    "side": {"@id": _EX + "side", "@type": _XSD + "double"},
                    "link": {"@id": _EX + "squareLink"},
                    "under": {"@id": _EX + "under", "@context": {"deep": _EX + "deep"}},
                },
            },
            "Lasting": {
                "@id": _EX + "Lasting",
                "@context": {"@propagate": True, "radius": _EX + "lastingRadius"},
            },
            "Plain": _EX + "Plain",
        }
    },
    VOCABULARY: {"@context": {"@vocab": "https://test.example/vocabulary#"}},
    LANGUAGE: {"@context": {"@language": "de"}},
}


def contexts() -> ContextStore:
    """The bundled contexts and those of the random documents."""
    return bundled_contexts().extended(CONTEXTS)


_WORDS: Final = (
    "",
    "x",
    "汉字 𠮷野家",
    'quote " and \\ backslash',
    "new\nline\ttab\rreturn",
    "a\u2028b\u2029c\x85d",
    "@type",
    "_:b0",
    "<https://a.example>",
    '"@en .\n<a:b> <a:c> "d',
    "1.0E0",
    "7",
    "did:web:a.example",
    "é\u0301\u200d",
)
_IRIS: Final = (
    "did:web:a.example",
    "https://a.example/1",
    "https://a.example/1#x",
    "urn:uuid:9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
    "https://例え.example/路径",
    "mailto:someone@a.example",
)
_TYPES: Final = ("Round", "Square", "Lasting", "Plain", "https://test.example/types#Other")
_NO_MEMBERS: Final = frozenset({"@version", "id", "type", "red", *_TYPES})
_MEMBERS: Final = (
    *(name for name in CONTEXTS[EVERYTHING]["@context"] if name not in _NO_MEMBERS),
    *("text", "link", "under"),  # more often than the others
)
_NUMBERS: Final = (0, 1, -7, 2**53 - 1, 1.5, -0.25, 1.0, 1e-7, 123456.789, 3e8, 0.1)
_TAGS: Final = ("en", "zh-CN", "zh-Hant-HK", "de", "ar", "sr-Latn")


class _Maker:
    """Random documents out of one random generator."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def document(self) -> dict[str, Any]:
        rng = self._rng
        extra = rng.choice(([], [], [], [VOCABULARY], [LANGUAGE], [LANGUAGE, VOCABULARY]))
        return {"@context": [EVERYTHING, *extra], **self._node(rng.randint(1, 4), bool(extra))}

    def _node(self, depth: int, vocabulary: bool = False) -> dict[str, Any]:
        rng = self._rng
        node: dict[str, Any] = {}
        if rng.random() < 0.4:
            node["id"] = rng.choice(_IRIS)
        if rng.random() < 0.5:
            types = rng.sample(_TYPES, rng.randint(1, 3))
            node["type"] = types if len(types) > 1 or rng.random() < 0.5 else types[0]
        for _ in range(rng.randint(0 if node else 1, 5)):
            name, value = self._member(depth)
            node[name] = value
        if "Round" in node.get("type", ()) and rng.random() < 0.7:
            node["radius"] = rng.choice(_NUMBERS)
        if "Square" in node.get("type", ()) and rng.random() < 0.7:
            node["side"] = rng.choice((1.5, 2, "2.5E0"))
        if vocabulary and rng.random() < 0.3:
            node[rng.choice(("wild", "other"))] = self._scalar()
        if depth and rng.random() < 0.05:
            node["@context"] = rng.choice((EVERYTHING, [EVERYTHING], [LANGUAGE]))
        return node

    def _scalar(self) -> Any:
        rng = self._rng
        return rng.choice((rng.choice(_WORDS), rng.choice(_NUMBERS), True, False, "plain"))

    def _some(self, make: Callable[[], Any]) -> Any:
        rng = self._rng
        if rng.random() < 0.6:
            return make()
        made = [make() for _ in range(rng.randint(1, 3))]
        return [item for index, item in enumerate(made) if item not in made[:index]]

    def _value_object(self) -> dict[str, Any]:
        rng = self._rng
        # Each text once: pyld takes two values for one that differ in their direction alone.
        word = f"{rng.choice(_WORDS)}{rng.random()}"
        choice = rng.randrange(5)
        if choice == 0:
            return {"@value": word}
        if choice == 1:
            return {"@value": word, "@language": rng.choice(_TAGS)}
        if choice == 2:
            return {
                "@value": word,
                "@language": rng.choice(_TAGS),
                "@direction": rng.choice(("ltr", "rtl")),
            }
        if choice == 3:
            return {"@value": word, "@direction": "ltr"}
        key = rng.choice(("@type", "type"))
        return {
            "@value": self._scalar(),
            key: rng.choice((_XSD + "date", _XSD + "string", "Round", "@json")),
        }

    def _json(self, depth: int) -> Any:
        rng = self._rng
        if depth == 0 or rng.random() < 0.4:
            return rng.choice((None, self._scalar(), rng.choice(_WORDS)))
        if rng.random() < 0.5:
            return [self._json(depth - 1) for _ in range(rng.randint(0, 3))]
        return {rng.choice(_WORDS): self._json(depth - 1) for _ in range(rng.randint(0, 3))}

    def _member(self, depth: int) -> tuple[str, Any]:
        rng = self._rng
        nested = depth > 0

        def node() -> Any:
            return self._node(depth - 1)

        def reference() -> Any:
            return rng.choice(_IRIS) if rng.random() < 0.6 else {"id": rng.choice(_IRIS)}

        def anything() -> Any:
            roll = rng.random()
            if roll < 0.45:
                return self._scalar()
            if roll < 0.7:
                return self._value_object()
            return node() if nested else reference()

        name = rng.choice(_MEMBERS)
        if name in ("text", "note", "bare", "turned", "arabic", "untyped", "tags"):
            return name, self._some(anything)
        # Below, no two choices make the same literal: pyld would write such a statement twice.
        if name == "when":
            return name, self._some(lambda: rng.choice(("2026-11-22T00:00:00Z", "x", 5)))
        if name == "count":
            return name, self._some(lambda: rng.choice((5, "05", 1.0, 1.5, True)))
        if name == "amount":
            return name, self._some(lambda: rng.choice((4, "5.0E0", 1.5, "free", 0.1)))
        if name in ("flag", "string"):
            return name, self._some(self._scalar)
        if name in ("link", "under"):
            return name, self._some(
                lambda: node() if nested and rng.random() < 0.6 else reference()
            )
        if name == "kind":
            return name, self._some(lambda: rng.choice(("red", "Round", "did:web:a.example")))
        if name == "data":
            return name, self._json(3)
        if name == "steps":
            value = [
                [anything(), anything()] if rng.random() < 0.1 else anything()
                for _ in range(rng.randint(0, 4))
            ]
            return name, rng.choice((value, {"@list": value}, anything()))
        if name == "stops":
            return name, [reference() for _ in range(rng.randint(0, 3))]
        if name in ("titles", "names"):
            return name, {
                tag: self._some(lambda: rng.choice(_WORDS))
                for tag in rng.sample((*_TAGS, "@none"), rng.randint(1, 3))
            }
        if name == "fresh":
            return name, self._some(lambda: {"@context": EVERYTHING, **node()})
        return name, self._some(node)

    # Mutations

    def mutated(self, seeds: list[dict[str, Any]]) -> dict[str, Any]:
        document = copy.deepcopy(self._rng.choice(seeds))
        for _ in range(self._rng.randint(1, 4)):
            self._mutate(document)
        return document

    def _mutate(self, document: dict[str, Any]) -> None:
        rng = self._rng
        places = list(_places(document))
        holder, key = rng.choice(places)
        choice = rng.randrange(9)
        if choice == 0:
            del holder[key]
        elif choice == 1:
            holder[key] = self._scalar()
        elif choice == 2:
            holder[key] = [holder[key]]
        elif choice == 3:
            holder[key] = self._value_object()
        elif choice == 4:
            other, its_key = rng.choice(places)
            holder[key] = copy.deepcopy(other[its_key])
        elif choice == 5:
            holder[key] = rng.choice((*_IRIS, *_WORDS))
        elif choice == 6 and isinstance(holder, dict):
            holder[rng.choice(("extra", "@type", "@id", "name", "id", "text"))] = self._scalar()
        elif choice == 7 and isinstance(holder, dict):
            other, its_key = rng.choice(places)
            if isinstance(other, dict):
                holder[its_key] = copy.deepcopy(other[its_key])
        elif isinstance(holder, list):
            rng.shuffle(holder)


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(members):
        found.append((value, key))
        if isinstance(item, dict | list):
            found.extend(_places(item))
    return found


def _seeds() -> list[dict[str, Any]]:
    credential = resident_credential("did:web:data.hangzhou.example")
    proof = {
        "type": "DataIntegrityProof",
        "cryptosuite": "ecdsa-rdfc-2019",
        "created": "2026-11-22T08:00:00Z",
        "verificationMethod": "did:key:zDna#zDna",
        "proofPurpose": "assertionMethod",
        "proofValue": "z5KqkW",
    }
    secured = {**credential, "proof": proof}
    other = copy.deepcopy(secured)
    other["credentialSubject"]["name"] = "李四"
    presentation = {
        "@context": [CONTEXT_V2, PRESENTATION_CONTEXT],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [secured, other],
        "anchorProof": "uAAAA",
    }
    status = {
        "@context": [CONTEXT_V2],
        "id": "https://data.hangzhou.example/status/1",
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": {"id": "did:web:data.hangzhou.example", "name": "数据资源管理局"},
        "validFrom": "2026-11-22T00:00:00Z",
        "name": {"@value": "Status", "@language": "en"},
        "credentialSubject": {
            "id": "https://data.hangzhou.example/status/1#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA",
        },
    }
    options = {"@context": [CONTEXT_V2, RESIDENT_CONTEXT], **proof}
    return [credential, secured, presentation, status, options]


@dataclass
class Comparison:
    """What came of it. `differences` hold the kind and the document."""

    made: int = 0
    compared: int = 0
    refused: int = 0
    differences: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def sample(rng: random.Random, mutated: bool) -> dict[str, Any]:
    """One document of the kinds that `compare` makes."""
    maker = _Maker(rng)
    return maker.mutated(_seeds()) if mutated else maker.document()


def samples(count: int, seed: int) -> list[dict[str, Any]]:
    """Documents of both kinds in turn."""
    rng = random.Random(seed)
    return [sample(rng, n % 2 == 0) for n in range(count)]


def compare(count: int, seed: int) -> Comparison:
    """Make `count` documents from `seed` and compare. Deterministic."""
    rng = random.Random(seed)
    maker = _Maker(rng)
    seeds = _seeds()
    store = contexts()
    canonicalizer = Canonicalizer(store)
    result = Comparison()
    for number in range(count):
        document = maker.document() if number % 2 else maker.mutated(seeds)
        result.made += 1
        try:
            ours = canonicalizer.canonicalize(document)
        except CredentialError:
            result.refused += 1
            continue
        result.compared += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reference = canonicalize_with_pyld(copy.deepcopy(document), store)
        except (JsonLdError, TypeError, AttributeError, KeyError, ValueError):
            result.differences.append(("pyld refuses", document))
            continue
        if ours.text != reference:
            result.differences.append(("pyld", document))
        elif not _agrees_with_oxigraph(canonicalizer, document, ours.text, rng):
            result.differences.append(("oxigraph", document))
    return result


def _agrees_with_oxigraph(
    canonicalizer: Canonicalizer, document: dict[str, Any], text: str, rng: random.Random
) -> bool:
    quads, blanks = canonicalizer.quads(document)
    if any(quad[3] is not None for quad in quads):
        # oxigraph counts a graph's name once where §4.8 lists it once a quad, and so labels two
        # alike credentials of a presentation otherwise; pyld and rdf-canonize agree with us.
        return True
    numbers = list(range(blanks))
    rng.shuffle(numbers)
    labels = [f"_:n{number}" for number in numbers]
    shuffled = [render(quad, labels) for quad in quads]
    rng.shuffle(shuffled)
    dataset = pyoxigraph.Dataset(
        pyoxigraph.parse("".join(shuffled), format=pyoxigraph.RdfFormat.N_QUADS)
    )
    dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    expected = set(pyoxigraph.parse(text, format=pyoxigraph.RdfFormat.N_QUADS))
    return set(dataset) == expected
