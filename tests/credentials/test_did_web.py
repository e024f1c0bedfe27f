"""did:web: addresses, documents, and what neither a name nor an answer can bring about."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.did_web import document_url, web_resolver
from credentials.dids import ASSERTION, did_document
from credentials.errors import (
    CredentialError,
    DidDocumentMalformed,
    DidMalformed,
    DidMethodUnsupported,
    DidUnknown,
    JsonMalformed,
)
from credentials.keys import PrivateKey

DID = "did:web:data.hangzhou.example"
KEY = PrivateKey.from_bytes("Ed25519", bytes(range(32))).public_key


@pytest.mark.parametrize(
    ("did", "url"),
    [
        # The examples of the specification.
        ("did:web:w3c-ccg.github.io", "https://w3c-ccg.github.io/.well-known/did.json"),
        (
            "did:web:w3c-ccg.github.io:user:alice",
            "https://w3c-ccg.github.io/user/alice/did.json",
        ),
        (
            "did:web:example.com%3A3000:user:alice",
            "https://example.com:3000/user/alice/did.json",
        ),
        ("did:web:a.example:%E6%9D%AD", "https://a.example/%E6%9D%AD/did.json"),
    ],
)
def test_addresses(did: str, url: str) -> None:
    assert document_url(did) == url


@pytest.mark.parametrize(
    "did",
    [
        "did:web:",
        "did:web:localhost",
        "did:web:127.0.0.1",
        "did:web:1.2.3.0x4",
        "did:web:%5B%3A%3A1%5D",
        "did:web:Example.com",
        "did:web:a.example%3A0",
        "did:web:a.example%3A65536",
        "did:web:a.example%2Fb",
        "did:web:a.example::b",
        "did:web:a.example:..",
        "did:web:a.example:%2E%2e",
        "did:web:a.example:.%2e",
        "did:web:a.example:b%2Fc",
        "did:web:a.example:b%5Cc",
        "did:web:a.example:b%3Fc",
        "did:web:a.example:b%23c",
        "did:web:a.example:b%00",
        "did:web:user@a.example",
        "https://a.example",
        7,
        None,
    ],
)
def test_names_that_lead_elsewhere(did: object) -> None:
    with pytest.raises(DidMalformed):
        document_url(did)


def test_other_methods() -> None:
    with pytest.raises(DidMethodUnsupported):
        document_url("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")


@given(st.text(alphabet="abc.:%2eEF0/\\-@#?1", max_size=40))
def test_no_name_leaves_its_host_or_path(name: str) -> None:
    try:
        url = document_url(f"did:web:{name}")
    except CredentialError:
        return
    parts = urlsplit(url)
    assert parts.scheme == "https"
    assert parts.netloc.replace(":", "%3A") == name.split(":", maxsplit=1)[0]
    assert parts.path.endswith("/did.json")
    assert (parts.query, parts.fragment, parts.username) == ("", "", None)


def test_a_document_resolves_its_own_name_alone() -> None:
    document = did_document(DID, {"key-1": KEY})
    resolver = web_resolver(DID, json.dumps(document).encode())
    assert resolver.resolve(f"{DID}#key-1", ASSERTION).public_key == KEY
    with pytest.raises(DidUnknown):
        resolver.resolve("did:web:another.example#key-1", ASSERTION)
    with pytest.raises(DidDocumentMalformed):
        web_resolver("did:web:another.example", json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b'{"id":1,"id":2}', b"\xff", b"<html>"])
def test_answers_that_are_no_documents(data: bytes) -> None:
    with pytest.raises(JsonMalformed):
        web_resolver(DID, data)


def test_a_document_without_an_id() -> None:
    with pytest.raises(DidDocumentMalformed):
        web_resolver(DID, b"{}")
