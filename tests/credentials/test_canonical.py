"""Canonicalization: API, provenance, strict JSON, isolation of stores."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from credentials.canonical import (
    Canonicalizer,
    default_canonicalizer,
    parse_json,
    parse_json_object,
)
from credentials.contexts import bundled_contexts
from credentials.errors import (
    CredentialError,
    JsonDuplicateKey,
    JsonEncoding,
    JsonMalformed,
    JsonNumber,
    LimitExceeded,
    TermUndefined,
)
from credentials.limits import MAX_JSON_BYTES
from schemas.names import CONTEXT_V2, PRESENTATION_CONTEXT, RESIDENT_CONTEXT


def credential() -> dict[str, Any]:
    return {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", "ResidentIdentityCredential"],
        "issuer": "did:web:data.hangzhou.example",
        "validFrom": "2026-11-22T00:00:00Z",
        "evidence": [{"type": "AuthorityCheck", "authority": "did:web:psb.example"}],
        "credentialSubject": {"id": "did:key:zDna1", "type": "Resident", "name": "陈思远"},
    }


EXPECTED = """\
<did:key:zDna1> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> \
<https://zhenglian.example/ns/resident-identity#Resident> .
<did:key:zDna1> <https://schema.org/name> "陈思远" .
_:c14n0 <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> \
<https://zhenglian.example/ns/resident-identity#AuthorityCheck> .
_:c14n0 <https://zhenglian.example/ns/resident-identity#authority> <did:web:psb.example> .
_:c14n1 <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> \
<https://www.w3.org/2018/credentials#VerifiableCredential> .
_:c14n1 <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> \
<https://zhenglian.example/ns/resident-identity#ResidentIdentityCredential> .
_:c14n1 <https://www.w3.org/2018/credentials#credentialSubject> <did:key:zDna1> .
_:c14n1 <https://www.w3.org/2018/credentials#evidence> _:c14n0 .
_:c14n1 <https://www.w3.org/2018/credentials#issuer> <did:web:data.hangzhou.example> .
_:c14n1 <https://www.w3.org/2018/credentials#validFrom> \
"2026-11-22T00:00:00Z"^^<http://www.w3.org/2001/XMLSchema#dateTime> .
"""


def test_canonical_form() -> None:
    document = credential()
    before = copy.deepcopy(document)
    canonical = default_canonicalizer().canonicalize(document)
    assert canonical.text == EXPECTED
    assert canonical.text == "".join(canonical.nquads)
    assert set(canonical.labels.values()) == {"c14n0", "c14n1"}
    assert document == before


def test_statements_know_their_pointers() -> None:
    statements = default_canonicalizer().statements(credential())
    assert {statement.nquad for statement in statements} == set(EXPECTED.splitlines(keepends=True))
    pointers = {
        statement.pointer: statement.nquad
        for statement in statements
        if "type>" not in statement.nquad
    }
    assert '"陈思远"' in pointers["/credentialSubject/name"]
    assert "#credentialSubject> <did:key:zDna1>" in pointers["/credentialSubject"]
    assert "#evidence> _:c14n0" in pointers["/evidence/0"]
    assert "#authority>" in pointers["/evidence/0/authority"]
    types = [statement.pointer for statement in statements if "#type>" in statement.nquad]
    assert types == ["/type", "/type", "/evidence/0/type", "/credentialSubject/type"]


def test_a_statement_made_twice_counts_once() -> None:
    document = credential()
    document["issuer"] = {"id": "did:key:zDna1", "name": "陈思远"}
    canonicalizer = default_canonicalizer()
    canonical = canonicalizer.canonicalize(document)
    assert sum("schema.org/name" in line for line in canonical.nquads) == 1
    made = [s.pointer for s in canonicalizer.statements(document) if "/name>" in s.nquad]
    assert made == ["/issuer/name", "/credentialSubject/name"]


def test_presentation_of_credentials_keeps_them_apart() -> None:
    one, two = credential(), credential()
    two["credentialSubject"]["name"] = "李四"
    text = (
        default_canonicalizer()
        .canonicalize(
            {
                "@context": [CONTEXT_V2, PRESENTATION_CONTEXT],
                "type": ["VerifiablePresentation"],
                "verifiableCredential": [one, two],
                "anchorProof": "uAAAA",
            }
        )
        .text
    )
    graphs = {line.split()[-2] for line in text.splitlines() if line.split()[-2].startswith("_:")}
    assert len(graphs) >= 2
    assert '"uAAAA"^^<https://w3id.org/security#multibase> .' in text


def test_presentation_of_ten_alike_credentials_stays_within_the_budget() -> None:
    def numbered(number: int) -> dict[str, Any]:
        document = credential()
        document["credentialSubject"]["name"] = f"resident {number}"
        return document

    presentation = {
        "@context": [CONTEXT_V2],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [numbered(number) for number in range(10)],
    }
    assert default_canonicalizer().canonicalize(presentation).nquads


def test_stores_do_not_share_contexts() -> None:
    """pyld keeps processed contexts in one cache for the process, keyed by URL."""
    url = "https://a.example/context"

    def canonicalizer(term: str) -> Canonicalizer:
        return Canonicalizer(
            bundled_contexts().extended({url: {"@context": {term: "https://a.example/p"}}})
        )

    document = {"@context": [CONTEXT_V2, url], "id": "did:web:a.example", "one": "x"}
    assert canonicalizer("one").canonicalize(document)
    with pytest.raises(TermUndefined):
        canonicalizer("two").canonicalize(document)


def test_no_two_words_mean_the_same() -> None:
    """In no context of a resident's credential can a claim be respelled under its signature."""
    canonicalizer = Canonicalizer(bundled_contexts())
    document = credential()
    document["proof"] = {"type": "DataIntegrityProof", "proofValue": "uAA"}
    canonicalizer.canonicalize(
        {
            "@context": [CONTEXT_V2, PRESENTATION_CONTEXT],
            "type": ["VerifiablePresentation"],
            "verifiableCredential": [document],
        }
    )
    assert len(canonicalizer._compiler._actives) > 5
    for active in canonicalizer._compiler._actives.values():
        meanings = [entry["@id"] for entry in active.raw["mappings"].values() if entry]
        words = [meaning for meaning in meanings if not meaning.startswith("@")]
        assert len(set(words)) == len(words)


def test_threads_share_a_canonicalizer() -> None:
    canonicalizer = Canonicalizer(bundled_contexts())

    def types(number: int) -> dict[str, Any]:
        document = credential()
        document["credentialSubject"]["type"] = ["Resident", f"https://a.example/{number % 7}"]
        return document

    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda n: canonicalizer.canonicalize(types(n)).text, range(200)))
    assert len(set(texts)) == 7


def test_caches_are_bounded() -> None:
    """A stream of documents that all use contexts and types differently."""
    canonicalizer = Canonicalizer(bundled_contexts())
    names = sorted(bundled_contexts())
    accepted = 0
    for number in range(1200):
        one, two = names[number % len(names)], names[number // len(names) % len(names)]
        document = {
            "@context": [CONTEXT_V2, one, two, one if number % 5 else two],
            "id": "did:a:b",
            "type": [f"https://a.example/{number}", f"https://a.example/{number + 1}"],
            "evidence": {
                "@context": [one] * (number % 9 + 1),
                "id": "did:a:c",
                "type": "https://a.example/T",
            },
        }
        document["name"] = document.pop("evidence")
        try:
            canonicalizer.canonicalize(document)
            accepted += 1
        except CredentialError:
            pass
    assert accepted > 100
    compiler = canonicalizer._compiler
    assert len(compiler._actives) <= 512
    assert len(compiler.initial._locals) <= 512


# Strict JSON


def test_json_values() -> None:
    assert parse_json(b'{"a": [1, -0.5, true, null, "\\ud842\\udfb7"]}') == {
        "a": [1, -0.5, True, None, "𠮷"]
    }
    assert parse_json_object("{}") == {}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b'{"a": 1, "a": 2}', JsonDuplicateKey),
        (b'[{"x": {"a": 1, "\\u0061": 2}}]', JsonDuplicateKey),
        (b"[NaN]", JsonNumber),
        (b"[Infinity]", JsonNumber),
        (b"[-Infinity]", JsonNumber),
        (b"[1e999]", JsonNumber),
        (b"[9007199254740992]", JsonNumber),
        (b"[-9007199254740992]", JsonNumber),
        (b"[" + b"9" * 5000 + b"]", JsonNumber),
        (b'["\xff"]', JsonEncoding),
        (b'["\xed\xa0\x80"]', JsonEncoding),
        (b'["\\ud800"]', JsonEncoding),
        (b'{"\\udc00": 1}', JsonEncoding),
        ('["\ud800"]', JsonEncoding),
        (b"\xef\xbb\xbf[]", JsonMalformed),
        ("[]".encode("utf-16"), JsonMalformed),
        (b"", JsonMalformed),
        (b"[1,]", JsonMalformed),
        (b"{} {}", JsonMalformed),
        (b"{'a': 1}", JsonMalformed),
        (b'["\n"]', JsonMalformed),
        (b"[" * 65 + b"]" * 65, LimitExceeded),
        (b"[" * 200_000, LimitExceeded),
        (b'{"a":' * 100_000, LimitExceeded),
        (b" " * (MAX_JSON_BYTES + 1), LimitExceeded),
    ],
    ids=range(25),
)
def test_json_that_readers_disagree_on(text: bytes | str, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_json(text)


def test_json_errors_do_not_quote_the_text() -> None:
    with pytest.raises(JsonMalformed) as caught:
        parse_json('{"name": "陈思远" "sex"}')
    assert "陈思远" not in str(caught.value.diagnostics())
    with pytest.raises(JsonMalformed):
        parse_json_object(b"[]")
