"""Hostile JSON-LD: each file in vectors/hazards is refused with the error and place it names."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from credentials.canonical import Canonicalizer, default_canonicalizer
from credentials.canonical.rdfc import Quad, canonical_labels
from credentials.contexts import bundled_contexts
from credentials.errors import (
    ContextInvalid,
    ContextUnknown,
    CredentialError,
    DocumentRefused,
    GraphPoisoned,
    JsonEncoding,
    KeywordMisused,
    LimitExceeded,
    TermUndefined,
)
from credentials.limits import DEFAULT_LIMITS, Limits
from schemas.names import CONTEXT_V2

HAZARDS = Path(__file__).parent / "vectors" / "hazards"


@pytest.mark.parametrize("path", sorted(HAZARDS.glob("*.json")), ids=lambda path: path.stem)
def test_hazard_is_refused(path: Path) -> None:
    case = json.loads(path.read_text())
    with pytest.raises(CredentialError) as caught:
        default_canonicalizer().canonicalize(case["document"])
    assert caught.value.code == case["error"]
    if case["pointer"] is not None:
        assert caught.value.params["pointer"] == case["pointer"]
    str(caught.value)  # the template has all its parameters


def test_errors_hold_no_values() -> None:
    for path in HAZARDS.glob("*.json"):
        case = json.loads(path.read_text())
        with pytest.raises(CredentialError) as caught:
            default_canonicalizer().canonicalize(case["document"])
        assert "陈思远" not in str(caught.value.diagnostics())


def credential(**more: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT_V2],
        "type": ["VerifiableCredential"],
        "issuer": "did:web:data.example",
        "credentialSubject": {"id": "did:key:z6Mk"},
        **more,
    }


def test_lone_surrogate() -> None:
    with pytest.raises(JsonEncoding):
        default_canonicalizer().canonicalize(credential(name="half \ud800"))


@pytest.mark.parametrize(
    ("character", "escaped"),
    [
        ("\x00", "\\u0000"),
        ("\x07", "\\u0007"),
        ("\b", "\\b"),
        ("\t", "\\t"),
        ("\n", "\\n"),
        ("\x0b", "\\u000B"),
        ("\f", "\\f"),
        ("\r", "\\r"),
        ("\x1f", "\\u001F"),
        ('"', '\\"'),
        ("\\", "\\\\"),
        ("\x7f", "\\u007F"),
        ("\ufffe", "\\uFFFE"),
        ("\x80", "\x80"),
        ("\u2028", "\u2028"),
        ("𠮷", "𠮷"),
    ],
)
def test_control_characters_are_escaped(character: str, escaped: str) -> None:
    """RDFC-1.0 appendix A; pyld writes some of them raw and signs other bytes."""
    text = default_canonicalizer().canonicalize(credential(name=f"a{character}b")).text
    assert f'<https://schema.org/name> "a{escaped}b" .\n' in text


def test_sorting_is_by_code_point() -> None:
    """UTF-16 would put U+20BB7 (surrogates D842 DFB7) before U+F900."""
    lines = default_canonicalizer().canonicalize(credential(name=["\U00020bb7", "\uf900"])).nquads
    names = [line for line in lines if "schema.org/name" in line]
    assert "\uf900" in names[0]


def test_direction_is_signed() -> None:
    def text(direction: str) -> str:
        name = {"@value": "x", "@language": "ar", "@direction": direction}
        return default_canonicalizer().canonicalize(credential(name=name)).text

    assert text("ltr") != text("rtl")


# Contexts that a document brings along, where that is allowed at all


INLINE = Canonicalizer(bundled_contexts(), inline_contexts=True)


@pytest.mark.parametrize(
    ("context", "member", "error"),
    [
        ({"rank": "@index"}, {"rank": "general"}, KeywordMisused),
        ({"ident": "@id"}, {"ident": "did:a:b"}, KeywordMisused),
        ({"value": "@value"}, {"name": {"value": "x"}}, KeywordMisused),
        ({"gone": None}, {"gone": "x"}, TermUndefined),
        ({"blank": "_:b0"}, {"blank": "x"}, TermUndefined),
        (
            {"back": {"@reverse": "https://a.example/p"}},
            {"back": {"id": "did:a:b"}},
            KeywordMisused,
        ),
        (
            {"byName": {"@id": "https://a.example/p", "@container": "@index"}},
            {"byName": {"general": "x"}},
            KeywordMisused,
        ),
        (
            {"byId": {"@id": "https://a.example/p", "@container": "@id"}},
            {"byId": {"did:a:b": {"name": "x"}}},
            KeywordMisused,
        ),
        ({"nested": "@nest"}, {"nested": {"name": "x"}}, KeywordMisused),
        ({"more": "@included"}, {"more": [{"name": "x"}]}, KeywordMisused),
        ({"@vocab": "https://a.example/"}, {"two words": "x"}, DocumentRefused),
        ({"name": "https://a.example/other"}, {}, ContextInvalid),
        ({"@base": "https://a.example/"}, {}, DocumentRefused),
        ({"@import": CONTEXT_V2}, {}, DocumentRefused),
        ({"loop": {"@id": "loop:x"}}, {}, ContextInvalid),
        (
            {"x": {"@id": "https://a.example/x", "@context": "https://b.example/"}},
            {},
            ContextUnknown,
        ),
    ],
)
def test_inline_contexts_pass_the_same_gate(
    context: dict[str, Any], member: dict[str, Any], error: type[CredentialError]
) -> None:
    document = credential(**member)
    document["@context"] = [CONTEXT_V2, context]
    with pytest.raises(error):
        INLINE.canonicalize(document)


def test_inline_context_that_harms_nobody() -> None:
    document = credential(nickname="x")
    document["@context"] = [CONTEXT_V2, {"nickname": "https://a.example/nickname"}]
    assert "<https://a.example/nickname>" in INLINE.canonicalize(document).text


# Poison


def clique(size: int) -> list[Quad]:
    return [
        (a, "<https://a.example/p>", b, None, "")
        for a in range(size)
        for b in range(size)
        if a != b
    ]


@pytest.mark.parametrize("size", [5, 6, 7, 8, 12, 40])
def test_poison_is_refused_quickly(size: int) -> None:
    started = time.process_time()
    with pytest.raises(GraphPoisoned):
        canonical_labels(clique(size), size, DEFAULT_LIMITS.canonicalization_work)
    # The benchmark holds this against 10 ms; here only an hour-long run must not pass.
    assert time.process_time() - started < 1


def test_poison_in_a_document() -> None:
    def alike(depth: int) -> dict[str, Any]:
        node: dict[str, Any] = {"type": ["VerifiableCredential"]}
        if depth:
            node["evidence"] = [alike(depth - 1) for _ in range(7)]
        return node

    document = {**credential(), "evidence": [alike(2) for _ in range(7)]}
    with pytest.raises(GraphPoisoned):
        default_canonicalizer().canonicalize(document)


def test_many_alike_nodes_are_not_poison() -> None:
    evidence = [{"type": "AuthorityCheck"} for _ in range(40)]
    document = credential(evidence=evidence)
    document["@context"].append("https://zhenglian.example/contexts/resident-identity/v1")
    assert len(default_canonicalizer().canonicalize(document).labels) == 41


# Limits


def test_limits() -> None:
    document = credential(name=[f"n{number}" for number in range(60)])
    assert default_canonicalizer().canonicalize(document).nquads
    with pytest.raises(LimitExceeded):
        Canonicalizer(bundled_contexts(), Limits(statements=50)).canonicalize(document)
    evidence = [{"type": ["VerifiableCredential"], "name": f"{number}"} for number in range(9)]
    with pytest.raises(LimitExceeded):
        Canonicalizer(bundled_contexts(), Limits(blank_nodes=5)).canonicalize(
            credential(evidence=evidence)
        )
