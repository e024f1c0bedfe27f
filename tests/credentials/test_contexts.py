"""The bundled contexts are the recorded ones, and nothing else is a context."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from pathlib import Path

import pytest

from credentials.canonical import Canonicalizer, default_canonicalizer
from credentials.contexts import (
    ContextRecord,
    ContextStore,
    bundled_contexts,
    recorded_digests,
)
from credentials.errors import ContextDigestMismatch, ContextInvalid, ContextUnknown
from schemas.names import CONTEXT_V2, PRESENTATION_CONTEXT, RESIDENT_CONTEXT

VECTORS = Path(os.environ.get("ZL_VECTORS", Path(__file__).parents[3] / "shared" / "vectors"))


def test_digests_on_record() -> None:
    store = bundled_contexts()
    recorded = recorded_digests()
    assert set(store) == set(recorded)
    for url, entry in recorded.items():
        assert store.digest(url) == entry["sha256"]
        assert hashlib.sha256(store.record(url).data).hexdigest() == entry["sha256"]
        assert re.fullmatch(r"[0-9a-f]{64}", entry["sha256"])
        assert entry["source"]


@pytest.mark.parametrize(
    ("url", "digest"),
    [
        # VCDM 2.0 appendix B.1
        (CONTEXT_V2, "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734"),
        # Controlled Identifiers 1.0
        (
            "https://www.w3.org/ns/cid/v1",
            "ea216ecc1cb02cd39b693dba2250141e270ba0bf95890be107dd9a9e8e43de85",
        ),
    ],
)
def test_contexts_have_their_published_digests(url: str, digest: str) -> None:
    assert bundled_contexts().digest(url) == digest


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the published contexts are not here")
@pytest.mark.parametrize(
    ("url", "name"),
    [
        (CONTEXT_V2, "credentials-v2.jsonld"),
        ("https://w3id.org/security/data-integrity/v2", "data-integrity-v2.jsonld"),
        ("https://w3id.org/security/multikey/v1", "multikey-v1.jsonld"),
    ],
)
def test_bytes_are_the_published_ones(url: str, name: str) -> None:
    assert bundled_contexts().record(url).data == (VECTORS / "contexts" / name).read_bytes()


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the published contexts are not here")
@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://www.w3.org/ns/credentials/examples/v2", "credentials-examples-v2.jsonld"),
        ("https://w3id.org/citizenship/v4rc1", "citizenship-v4rc1.jsonld"),
        ("https://w3id.org/vdl/v1", "vdl-v1.jsonld"),
        ("https://w3id.org/vdl/aamva/v1", "vdl-aamva-v1.jsonld"),
    ],
)
def test_other_contexts_can_be_added(url: str, name: str) -> None:
    assert url not in bundled_contexts()
    data = (VECTORS / "contexts" / name).read_bytes()
    canonicalizer = Canonicalizer(bundled_contexts().extended({url: data}))
    document = {
        "@context": [CONTEXT_V2, url],
        "type": ["VerifiableCredential"],
        "issuer": "did:web:a.example",
        "credentialSubject": {"id": "did:a:b"},
    }
    assert canonicalizer.canonicalize(document).nquads


def test_altered_context_is_refused() -> None:
    record = bundled_contexts().record(CONTEXT_V2)
    with pytest.raises(ContextDigestMismatch):
        ContextStore({CONTEXT_V2: ContextRecord(CONTEXT_V2, record.data + b" ", record.sha256)})


def test_extended_store_cannot_redefine() -> None:
    store = bundled_contexts()
    more = store.extended({"https://a.example/c": {"@context": {"a": "https://a.example/a"}}})
    assert "https://a.example/c" in more
    assert "https://a.example/c" not in store
    assert more.extended({CONTEXT_V2: store.record(CONTEXT_V2).data})
    with pytest.raises(ContextDigestMismatch):
        more.extended({CONTEXT_V2: {"@context": {}}})


def test_readers_get_copies() -> None:
    store = bundled_contexts()
    store.document(CONTEXT_V2)["@context"]["issuer"] = "https://attacker.example/"
    assert "issuer" not in store.document(CONTEXT_V2)["@context"]


def test_what_is_no_context() -> None:
    store = bundled_contexts().extended({"https://a.example/c": b"[]", "https://a.example/d": b"{"})
    for url in ("https://a.example/c", "https://a.example/d"):
        with pytest.raises(ContextInvalid):
            store.document(url)
        with pytest.raises(ContextInvalid):
            Canonicalizer(store).canonicalize({"@context": url, "id": "did:a:b", "x": "y"})
    with pytest.raises(ContextUnknown):
        store.document("https://a.example/e")


def test_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("a context was looked for on the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(ContextUnknown):
        Canonicalizer(bundled_contexts()).canonicalize(
            {"@context": [CONTEXT_V2, "https://schema.org/"], "name": "x"}
        )


@pytest.mark.parametrize("url", sorted(recorded_digests()))
def test_every_context_can_be_processed(url: str) -> None:
    has_id = "id" in bundled_contexts().document(url)["@context"]
    document = {
        "@context": [url] if has_id else [CONTEXT_V2, url],
        "id": "did:a:b",
        "type": "https://a.example/Type",
    }
    assert default_canonicalizer().canonicalize(document).nquads


@pytest.mark.parametrize("url", [RESIDENT_CONTEXT, PRESENTATION_CONTEXT])
def test_house_contexts_are_protected_and_give_each_word_its_own_meaning(url: str) -> None:
    """Two words for one meaning would let a holder respell a claim under its signature."""

    def walk(context: dict[str, object]) -> None:
        assert context["@protected"] is True
        seen: dict[str, str] = {}
        for term, definition in context.items():
            if term.startswith("@"):
                continue
            meaning = definition if isinstance(definition, str) else definition["@id"]  # type: ignore[index]
            assert isinstance(meaning, str)
            assert meaning not in seen, f"{term} and {seen[meaning]}"
            seen[meaning] = term
            if isinstance(definition, dict) and "@context" in definition:
                walk(definition["@context"])

    walk(json.loads(bundled_contexts().record(url).data)["@context"])
