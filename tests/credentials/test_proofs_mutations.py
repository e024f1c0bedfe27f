"""Whatever is done to a signed document, the answer is a named refusal or the same statements.

Values are exchanged for others of every JSON type, members and list items are removed, repeated
and moved. No mutation may raise anything but a CredentialError, and none may verify unless it
left every statement as it was.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.anchor import anchor_of
from credentials.canonical import default_canonicalizer
from credentials.dids import DidDocument, KeyResolver, did_document, did_key, key_url
from credentials.errors import CredentialError
from credentials.keys import PrivateKey
from credentials.presentation import build_presentation, verify_presentation
from credentials.proofs import add_proof, derive, verify_credential
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ISSUER = PrivateKey.from_seed("P-256", b"the issuer of mutations")
HOLDER = PrivateKey.from_seed("P-256", b"the holder of mutations")
DESK, NONCE = "did:web:tax.hangzhou.example", "q3Jz0w4kTq6mYx1c"
UNSIGNED: dict[str, Any] = {
    "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
    "type": ["VerifiableCredential", "ResidentIdentityCredential"],
    "issuer": did_key(ISSUER.public_key),
    "validFrom": "2026-11-22T00:00:00Z",
    "credentialSubject": {
        "id": did_key(HOLDER.public_key),
        "type": "Resident",
        "name": "张三",
        "ageOver18": True,
    },
}


def _signed(suite: str, **options: Any) -> dict[str, Any]:
    return add_proof(
        UNSIGNED,
        cryptosuite=suite,
        signer=ISSUER,
        verification_method=key_url(ISSUER.public_key),
        created=NOW,
        **options,
    )


PLAIN = _signed("ecdsa-rdfc-2019")
DERIVED = derive(
    _signed("ecdsa-sd-2023", mandatory_pointers=["/issuer", "/validFrom", "/credentialSubject/id"]),
    ["/credentialSubject/name"],
)
PRESENTATION = build_presentation(
    [DERIVED],
    anchor_proofs=[b"proof"],
    signer=HOLDER,
    domain=DESK,
    challenge=NONCE,
    created=NOW,
    expires=NOW + timedelta(minutes=2),
)
DOCUMENT = did_document(
    "did:web:a.example",
    {"k": ISSUER.public_key},
    services=[{"id": "#s", "type": "S", "serviceEndpoint": "https://a.example"}],
)

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [None, True, False, 0, -1, 1.5, 2**70, "", "x", [], {}, [[]], [None], {"": ""}, "\ud800",
         {"@id": "x"}, {"@value": "x"}, {"@language": "a\" <x> <y> .\n"}, "urn:a:b", "did:key:z#z",
         "2026-11-22T12:00:00Z", "z" + "2" * 86, "u2V0BhA", ["urn:a:b", "urn:a:b"],
         CONTEXT_V2, [CONTEXT_V2], {"@context": CONTEXT_V2}, "@type", {"@type": "@json"}]
    ),
    st.text(max_size=6),
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        items: Any = value.items()
    else:
        items = enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        found += _places(inner, (*path, name))
    return found


@st.composite
def mutations(draw: st.DrawFn, original: dict[str, Any]) -> Any:
    document = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 2))):
        places = _places(document)
        if not places:
            break
        path = draw(st.sampled_from(places))
        parent: Any = document
        for step in path[:-1]:
            parent = parent[step]
        kind = draw(st.sampled_from(["set", "remove", "wrap", "repeat", "rename", "move"]))
        if kind == "set":
            parent[path[-1]] = copy.deepcopy(draw(VALUES))
        elif kind == "remove":
            del parent[path[-1]]
        elif kind == "wrap":
            parent[path[-1]] = [parent[path[-1]]]
        elif kind == "repeat":
            parent[path[-1]] = [parent[path[-1]], copy.deepcopy(parent[path[-1]])]
        elif kind == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["id", "type", "name", "x", "@graph", "@id", "@nest"]))] = (
                parent.pop(path[-1])
            )
        elif kind == "move":
            document[str(path[-1])] = copy.deepcopy(parent[path[-1]])
    return document


def _statements(document: dict[str, Any]) -> str:
    return (
        default_canonicalizer()
        .canonicalize({name: value for name, value in document.items() if name != "proof"})
        .text
    )


@pytest.mark.parametrize("original", [PLAIN, DERIVED], ids=["plain", "derived"])
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_credentials(original: dict[str, Any], data: st.DataObject) -> None:
    mutated = data.draw(mutations(original))
    try:
        verified = verify_credential(mutated, resolver=KeyResolver(), now=NOW)
    except CredentialError as error:
        json.dumps(error.diagnostics())
        return
    assert _statements(dict(verified.document)) == _statements(original)


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_presentations(data: st.DataObject) -> None:
    mutated = data.draw(mutations(PRESENTATION))
    try:
        verified = verify_presentation(
            mutated, domain=DESK, challenge=NONCE, now=NOW, max_age_s=300
        )
    except CredentialError as error:
        json.dumps(error.diagnostics())
        return
    assert _statements(mutated) == _statements(PRESENTATION)
    assert verified.anchor_proofs == (b"proof",)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_did_documents_and_anchors(data: st.DataObject) -> None:
    try:
        DidDocument.parse(data.draw(mutations(DOCUMENT)))
    except CredentialError as error:
        json.dumps(error.diagnostics())
    try:
        anchor_of(data.draw(mutations(DERIVED)))
    except CredentialError as error:
        json.dumps(error.diagnostics())
