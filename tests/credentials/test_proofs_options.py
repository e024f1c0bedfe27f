"""The quick canonical form of proof options is the canonicalizer's, or its refusal."""

from __future__ import annotations

from hashlib import sha256, sha384
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.canonical import Canonicalizer, default_canonicalizer
from credentials.contexts import bundled_contexts
from credentials.errors import CredentialError
from credentials.proofs import options as quick
from credentials.proofs.options import canonical_options
from schemas.names import CONTEXT_V2, PRESENTATION_CONTEXT, RESIDENT_CONTEXT

DID_KEY = "did:key:zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP"
BASE: dict[str, Any] = {
    "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
    "type": "DataIntegrityProof",
    "cryptosuite": "ecdsa-rdfc-2019",
    "created": "2026-11-22T12:00:00Z",
    "verificationMethod": f"{DID_KEY}#zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP",
    "proofPurpose": "assertionMethod",
}
FULL = {
    **BASE,
    "expires": "2026-11-22T12:02:00Z",
    "domain": "did:web:tax.hangzhou.example",
    "challenge": "q3Jz0w4kTq6mYx1c",
    "proofPurpose": "authentication",
}


def outcome(function: Any) -> Any:
    try:
        return function()
    except CredentialError as error:
        return type(error)


def same(options: dict[str, Any]) -> None:
    reader = default_canonicalizer()
    expected = outcome(lambda: reader.canonicalize(options).text)
    assert outcome(lambda: canonical_options(options, reader)) == expected


@pytest.mark.parametrize("options", [BASE, FULL], ids=["issuer", "holder"])
def test_usual_options_take_the_quick_way(options: dict[str, Any]) -> None:
    same(options)
    assert quick._prepare(options, default_canonicalizer())[0] is not None
    reader = default_canonicalizer()
    for digest in (sha256, sha384):
        assert canonical_options(options, reader, digest) == (
            reader.canonicalize(options, digest).text
        )


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        ["", "x", "assertionMethod", "authentication", "keyAgreement", "DataIntegrityProof",
         "2026-11-22T12:00:00Z", "2026-11-22T12:00:00+08:00", "2026-11-22T12:00:00.5Z",
         "did:web:a.example", "did:web:a.example#k", f"{DID_KEY}#k", "did:example:a",
         "did:web:a b", "did:web:a>", "did:web:A%3A1", "https://a.example", "relative",
         'quote"s', "new\nline", "back\\slash", "中文中文中文中文", "q3Jz0w4kTq6mYx1c",
         "challenge", "MarkerOfTheChallenge", "did:web:marker.of.the.domain", "_:b0", "@id",
         "did:key:zMarkerOfTheMethod#zMarkerOfTheMethod", "1901-01-01T01:01:01Z",
         "sec:x", "schema:x", "\x00\x00\x00\x00\x00\x00\x00\x00", 5, True, None, [], {},
         ["did:web:a.example"], ["did:web:a.example", "did:web:b.example"]]
    ),
    st.text(max_size=12),
)  # fmt: skip
NAMES = ["type", "cryptosuite", "created", "expires", "verificationMethod", "proofPurpose",
         "domain", "challenge", "nonce", "id", "previousProof", "undefined"]  # fmt: skip
CONTEXTS: list[Any] = [
    [CONTEXT_V2],
    [CONTEXT_V2, RESIDENT_CONTEXT],
    [CONTEXT_V2, PRESENTATION_CONTEXT],
    [CONTEXT_V2, RESIDENT_CONTEXT, PRESENTATION_CONTEXT],
    ["https://w3id.org/security/data-integrity/v2"],
    ["https://www.w3.org/2018/credentials/v1"],
    [RESIDENT_CONTEXT],
    ["https://unknown.example"],
    [CONTEXT_V2, {"did": "https://thief.example/"}],
    CONTEXT_V2,
    [],
    None,
]


@settings(max_examples=1500, deadline=None)
@given(
    st.sampled_from([BASE, FULL]),
    st.sampled_from(CONTEXTS),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
    st.sets(st.sampled_from(NAMES), max_size=2),
)
def test_the_quick_way_gives_the_same_answer(
    base: dict[str, Any], context: Any, changes: dict[str, Any], without: set[str]
) -> None:
    options = {**base, "@context": context, **changes}
    same({name: value for name, value in options.items() if name not in without})


def test_a_context_that_reads_values_in_its_own_way_is_not_second_guessed() -> None:
    """Prefixes, vocabularies and coercions that would change a value are left to the gate."""
    url = "https://odd.example/v1"
    odd: dict[str, Any] = {
        "@context": {
            "type": "@type",
            "DataIntegrityProof": "https://odd.example/#Proof",
            "did": "https://thief.example/",
            "@vocab": "https://odd.example/vocab#",
            "challenge": {"@id": "https://odd.example/#c", "@type": "@vocab"},
            "domain": {"@id": "https://odd.example/#d", "@type": "@id"},
            "created": {"@id": "https://odd.example/#t", "@type": "@id"},
        }
    }
    reader = Canonicalizer(bundled_contexts().extended({url: odd}))
    for name, value in (
        ("challenge", "DataIntegrityProof"),
        ("challenge", "q3Jz0w4kTq6mYx1c"),
        ("domain", "did:web:a.example"),
        ("created", "2026-11-22T12:00:00Z"),
    ):
        options = {"@context": [url], "type": "DataIntegrityProof", name: value}
        expected = outcome(lambda options=options: reader.canonicalize(options).text)
        assert outcome(lambda options=options: canonical_options(options, reader)) == expected
