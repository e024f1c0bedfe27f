"""The data model by its clauses: the official suite's inputs, version 1.1, envelopes."""

from __future__ import annotations

import copy
import json
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from credentials.canonical import Canonicalizer
from credentials.contexts import bundled_contexts
from credentials.dids import KeyResolver, did_key, key_url
from credentials.errors import (
    CredentialError,
    CredentialExpired,
    CredentialNotYetValid,
    ModelViolation,
)
from credentials.keys import PrivateKey
from credentials.model import (
    ALL_MODELS,
    check_credential,
    check_enveloped_credential,
    check_enveloped_presentation,
    check_presentation,
    check_validity,
    is_enveloped,
    model_of,
    validity_period,
)
from credentials.proofs import add_proof, verify_credential
from credentials.proofs.integrity import DATA_INTEGRITY_CONTEXT
from schemas.names import CONTEXT_V2

FOLDER = Path(__file__).parent / "vectors" / "vcdm2"
SUITE: dict[str, Any] = json.loads((FOLDER / "suite.json").read_text())
CONTEXTS = Path(os.environ.get("ZL_VECTORS", "../shared/vectors")) / "contexts"
CONTEXT_V1 = "https://www.w3.org/2018/credentials/v1"
KEY = PrivateKey.from_seed("P-256", b"issuer of the data model")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
ABSENT = object()

TIMES = {"PAST DATE": "2020-01-01T00:00:00Z", "FUTURE DATE": "2040-01-01T00:00:00Z"}
"""What the suite puts in for these words."""

# Inputs about what is not the document's own: the suite signs the credentials in them first, or
# looks at who signed.
NOT_HERE = {
    "presentation-self-asserted-vc-holder-mismatch",
    "presentation-self-asserted-vc-issuer-mismatch",
    "presentation-self-asserted-vc-no-holder",
}


@cache
def gate() -> Canonicalizer:
    url = "https://www.w3.org/ns/credentials/examples/v2"
    data = (CONTEXTS / "credentials-examples-v2.jsonld").read_bytes()
    return Canonicalizer(bundled_contexts().extended({url: data}), inline_contexts=True)


def with_issuer(credential: dict[str, Any]) -> dict[str, Any]:
    """As the suite does: a credential without an issuer gets the implementation's."""
    issuer = credential.get("issuer", ABSENT)
    if isinstance(issuer, dict):
        if issuer.get("id", "") is not None:
            return {**credential, "issuer": {**issuer, "id": issuer.get("id") or "did:example:i"}}
    elif issuer is not None:
        return {**credential, "issuer": "did:example:i" if issuer is ABSENT else issuer}
    return credential


def accept(name: str, document: dict[str, Any]) -> None:
    if name.startswith("presentation-"):
        check_presentation(document, enveloped=True)
        envelopes = [each for each in listed(document) if is_enveloped(each)]
        if envelopes:  # the gate wants the contexts of an envelope as a list, too
            return
    else:
        document = document if "no-issuer" in name else with_issuer(document)
        check_credential(document)
    # A proof is judged by its suite; what it covers has none.
    gate().canonicalize({member: value for member, value in document.items() if member != "proof"})


def listed(document: dict[str, Any]) -> list[Any]:
    value = document.get("verifiableCredential", [])
    return value if isinstance(value, list) else [value]


@pytest.mark.skipif(not CONTEXTS.is_dir(), reason="the contexts are not here (ZL_VECTORS)")
@pytest.mark.parametrize("name", sorted(set(SUITE) - NOT_HERE))
def test_inputs_of_the_official_suite(name: str) -> None:
    document = copy.deepcopy(SUITE[name])
    for member in ("validFrom", "validUntil"):
        if document.get(member) in TIMES:
            document[member] = TIMES[document[member]]
    if "-fail" in name:
        with pytest.raises(CredentialError):
            accept(name, document)
    else:
        assert "-ok" in name
        accept(name, document)


# Version 1.1

OLD: dict[str, Any] = {
    "@context": [CONTEXT_V1],
    "type": ["VerifiableCredential"],
    "issuer": did_key(KEY.public_key),
    "issuanceDate": "2026-11-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:subject"},
}


def changed(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    result = {**copy.deepcopy(document), **changes}
    return {name: value for name, value in result.items() if value is not ABSENT}


def test_version_1_1_passes_only_where_it_is_named() -> None:
    presentation = {
        "@context": [CONTEXT_V1],
        "type": "VerifiablePresentation",
        "verifiableCredential": [OLD],
    }
    check_credential(OLD, models=ALL_MODELS)
    check_presentation(presentation, models=ALL_MODELS)
    mixed = changed(presentation, **{"@context": [CONTEXT_V2]})
    check_presentation(mixed, models=ALL_MODELS)
    for refused in (presentation, mixed):
        with pytest.raises(ModelViolation):
            check_presentation(refused)
    with pytest.raises(ModelViolation):
        check_credential(OLD)
    assert (model_of(OLD), model_of({"@context": [CONTEXT_V2, CONTEXT_V1]})) == ("1.1", "2.0")
    others: list[Any] = [[], CONTEXT_V1, [{}], None]
    assert [model_of({"@context": context}) for context in others] == [None] * 4


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"issuanceDate": ABSENT}, "/issuanceDate"),
        ({"issuanceDate": "2026-11-01"}, "/issuanceDate"),
        ({"issuanceDate": "2026-11-01T00:00:00"}, "/issuanceDate"),
        ({"expirationDate": "2026-10-31T23:59:59Z"}, "/expirationDate"),
        ({"expirationDate": None}, "/expirationDate"),
        ({"issuer": ABSENT}, "/issuer"),
        ({"credentialSubject": ABSENT}, "/credentialSubject"),
        ({"credentialStatus": {"type": "X"}}, "/credentialStatus/id"),
        ({"refreshService": {"type": "X"}}, "/refreshService/id"),
        ({"credentialSchema": {"type": "X"}}, "/credentialSchema/id"),
        ({"termsOfUse": {"id": "urn:x:y"}}, "/termsOfUse/type"),
        ({"evidence": {"id": "urn:x:y"}}, "/evidence/type"),
        ({"type": "Other"}, "/type"),
        ({"id": "relative"}, "/id"),
    ],
)
def test_broken_credentials_of_1_1(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ModelViolation) as caught:
        check_credential(changed(OLD, **changes), models=ALL_MODELS)
    assert caught.value.params["pointer"] == pointer


def test_the_period_of_1_1() -> None:
    credential = changed(OLD, expirationDate="2026-11-30T00:00:00Z")
    assert validity_period(credential) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 30, tzinfo=UTC),
    )
    check_validity(credential, NOW)
    with pytest.raises(CredentialNotYetValid):
        check_validity(credential, datetime(2026, 10, 31, tzinfo=UTC))
    with pytest.raises(CredentialExpired):
        check_validity(credential, datetime(2026, 12, 1, tzinfo=UTC))
    shorter = changed(
        credential, validFrom="2026-11-10T00:00:00Z", validUntil="2027-11-10T00:00:00Z"
    )
    assert validity_period(shorter)[0] == datetime(2026, 11, 10, tzinfo=UTC)
    assert validity_period(shorter)[1] == datetime(2026, 11, 30, tzinfo=UTC)
    # In a document of 2.0 these words have no meaning, and the gate refuses them.
    assert validity_period({**credential, "@context": [CONTEXT_V2]}) == (None, None)


def test_the_context_of_proofs_is_injected_into_1_1() -> None:
    signed = add_proof(
        OLD,
        cryptosuite="ecdsa-rdfc-2019",
        signer=KEY,
        verification_method=key_url(KEY.public_key),
        created=NOW,
    )
    assert signed["@context"] == [CONTEXT_V1, DATA_INTEGRITY_CONTEXT]
    verified = verify_credential(signed, resolver=KeyResolver(), now=NOW, models=ALL_MODELS)
    assert verified.issuer == OLD["issuer"]
    with pytest.raises(ModelViolation):
        verify_credential(signed, resolver=KeyResolver(), now=NOW)
    signed["issuanceDate"] = "2026-11-02T00:00:00Z"
    with pytest.raises(CredentialError):
        verify_credential(signed, resolver=KeyResolver(), now=NOW, models=ALL_MODELS)


# Envelopes

ENVELOPE = {
    "@context": [CONTEXT_V2],
    "type": "EnvelopedVerifiableCredential",
    "id": "data:application/vc+jwt,eyJh.eyJi.c",
}


def test_envelopes() -> None:
    for envelope in (
        ENVELOPE,
        {**ENVELOPE, "@context": CONTEXT_V2},
        {**ENVELOPE, "type": [ENVELOPE["type"]]},
        {**ENVELOPE, "id": "data:application/vc+cose;base64,0oRA"},
    ):
        check_enveloped_credential(envelope)
        presentation = {
            "@context": [CONTEXT_V2],
            "type": "VerifiablePresentation",
            "verifiableCredential": [envelope],
        }
        check_presentation(presentation, enveloped=True)
        with pytest.raises(ModelViolation):
            check_presentation(presentation)
    check_enveloped_presentation({**ENVELOPE, "type": "EnvelopedVerifiablePresentation"})


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"@context": []}, "/@context"),
        ({"@context": ABSENT}, "/@context"),
        ({"@context": CONTEXT_V1}, "/@context"),
        ({"@context": [CONTEXT_V1]}, "/@context"),
        ({"type": "VerifiableCredential"}, "/type"),
        ({"type": "EnvelopedVerifiablePresentation"}, "/type"),
        ({"type": ["EnvelopedVerifiableCredential", "VerifiableCredential"]}, "/type"),
        ({"type": ABSENT}, "/type"),
        ({"id": ABSENT}, "/id"),
        ({"id": "eyJh.eyJi.c"}, "/id"),
        ({"id": "https://example.com/vc.jwt"}, "/id"),
        ({"id": "data:,"}, "/id"),
        ({"id": "data:application/vc+jwt,"}, "/id"),
        ({"id": "data:application/vc+jwt,a b"}, "/id"),
        ({"id": ["data:application/vc+jwt,a"]}, "/id"),
        ({"issuer": "did:example:nobody"}, ""),
        ({"proof": {"type": "DataIntegrityProof"}}, ""),
    ],
)
def test_broken_envelopes(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ModelViolation) as caught:
        check_enveloped_credential(changed(ENVELOPE, **changes))
    assert caught.value.params["pointer"] == pointer


# Clauses that the suite has no input for

NEW: dict[str, Any] = {
    "@context": [CONTEXT_V2],
    "type": ["VerifiableCredential"],
    "issuer": "did:example:issuer",
    "credentialSubject": {"id": "did:example:subject"},
}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": []}, "/name"),
        ({"name": {"@value": "x", "@language": "not a tag"}}, "/name"),
        ({"name": {"@value": "x", "@language": 7}}, "/name"),
        ({"description": {"@value": "x", "@direction": "up"}}, "/description"),
        ({"description": ["x", 7]}, "/description"),
        ({"issuer": {"id": "did:example:i", "name": 7}}, "/issuer/name"),
        ({"issuer": {"id": "did:example:i", "description": {"x": "y"}}}, "/issuer/description"),
        ({"proof": {"cryptosuite": "x"}}, "/proof/type"),
        ({"proof": [{"type": "DataIntegrityProof"}, {}]}, "/proof/1/type"),
        (
            {"relatedResource": {"id": "urn:x:y", "digestSRI": "x", "mediaType": 7}},
            "/relatedResource/mediaType",
        ),
    ],
)
def test_more_broken_credentials(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ModelViolation) as caught:
        check_credential(changed(NEW, **changes))
    assert caught.value.params["pointer"] == pointer


def test_several_subjects_and_languages() -> None:
    check_credential(
        changed(
            NEW,
            credentialSubject=[{"id": "did:example:a"}, {"id": "did:example:b"}],
            name=[{"@value": "学历", "@language": "zh-CN"}, {"@value": "Degree"}],
            issuer={
                "id": "did:example:i",
                "name": {"@value": "大学", "@language": "zh", "@direction": "ltr"},
                "description": "A university",
            },
        )
    )
