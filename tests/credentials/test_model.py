"""The data model: one well-formed credential and every way to break it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credentials.errors import CredentialExpired, CredentialNotYetValid, ModelViolation
from credentials.model import (
    check_credential,
    check_presentation,
    check_validity,
    credential_types,
    is_url,
    issuer_id,
    validity_period,
)
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT, RESIDENT_SCHEMA

CREDENTIAL: dict[str, Any] = {
    "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
    "type": ["VerifiableCredential", "ResidentIdentityCredential"],
    "issuer": "did:web:data.hangzhou.example",
    "validFrom": "2026-11-22T00:00:00Z",
    "validUntil": "2031-11-22T00:00:00Z",
    "credentialStatus": [
        {
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": "94567",
            "statusListCredential": "https://data.hangzhou.example/status/1",
        }
    ],
    "credentialSchema": {"id": RESIDENT_SCHEMA, "type": "JsonSchema"},
    "evidence": [{"type": ["AuthorityCheck"], "authority": "did:web:authority.example"}],
    "credentialSubject": {"id": "did:example:holder", "type": "Resident", "name": "张三"},
}
PRESENTATION: dict[str, Any] = {
    "@context": [CONTEXT_V2],
    "type": ["VerifiablePresentation"],
    "verifiableCredential": [CREDENTIAL],
}
ABSENT = object()


def changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = {**copy.deepcopy(document), **changes}
    return {name: value for name, value in result.items() if value is not ABSENT}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33"},
        {"issuer": {"id": "did:web:x.example", "name": "X"}},
        {"credentialSubject": [{"id": "did:example:a"}, {"name": "b"}]},
        {"validFrom": ABSENT, "validUntil": ABSENT},
        {"validFrom": "2026-11-22T08:00:00.123+08:00"},
        {"validFrom": "2026-11-22T00:00:00Z", "validUntil": "2026-11-22T00:00:00Z"},
        {"name": "名", "description": {"@value": "x", "@language": "en"}},
        {"name": [{"@value": "x", "@language": "en", "@direction": "ltr"}]},
        {"type": "VerifiableCredential"},
        {"credentialStatus": {"type": "X"}},
        {"relatedResource": [{"id": "https://a.example", "digestSRI": "sha256-x"}]},
        {"relatedResource": {"id": "https://a.example", "digestMultibase": "ux"}},
        {"termsOfUse": {"type": "X"}, "refreshService": {"type": "X", "id": "https://a.example"}},
    ],
)
def test_well_formed_credentials(changes: dict[str, Any]) -> None:
    check_credential(changed(CREDENTIAL, changes))
    check_presentation({**PRESENTATION, "verifiableCredential": changed(CREDENTIAL, changes)})


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"@context": ABSENT}, "/@context"),
        ({"@context": []}, "/@context"),
        ({"@context": CONTEXT_V2}, "/@context"),
        ({"@context": [RESIDENT_CONTEXT, CONTEXT_V2]}, "/@context"),
        ({"@context": ["https://www.w3.org/2018/credentials/v1"]}, "/@context"),
        ({"@context": [CONTEXT_V2, 5]}, "/@context/1"),
        ({"@context": [CONTEXT_V2, None]}, "/@context/1"),
        ({"@context": [CONTEXT_V2, "relative"]}, "/@context/1"),
        ({"type": ABSENT}, "/type"),
        ({"type": []}, "/type"),
        ({"type": "ResidentIdentityCredential"}, "/type"),
        ({"type": ["VerifiableCredential", 5]}, "/type"),
        ({"type": ["VerifiableCredential", "VerifiableCredential"]}, "/type"),
        ({"type": {"a": 1}}, "/type"),
        ({"id": "relative"}, "/id"),
        ({"id": None}, "/id"),
        ({"id": ["urn:a:b"]}, "/id"),
        ({"id": "did:example:a b"}, "/id"),
        ({"id": "http:" + "a" * 3000}, "/id"),
        ({"issuer": ABSENT}, "/issuer"),
        ({"issuer": "Hangzhou"}, "/issuer"),
        ({"issuer": None}, "/issuer"),
        ({"issuer": ["did:web:x.example"]}, "/issuer"),
        ({"issuer": {}}, "/issuer/id"),
        ({"issuer": {"id": "x"}}, "/issuer/id"),
        ({"issuer": "did:web:x.example>"}, "/issuer"),
        ({"credentialSubject": ABSENT}, "/credentialSubject"),
        ({"credentialSubject": {}}, "/credentialSubject"),
        ({"credentialSubject": []}, "/credentialSubject"),
        ({"credentialSubject": "did:example:a"}, "/credentialSubject"),
        ({"credentialSubject": [{"a": 1}, {}]}, "/credentialSubject/1"),
        ({"credentialSubject": {"id": "x"}}, "/credentialSubject/id"),
        ({"validFrom": "2026-11-22"}, "/validFrom"),
        ({"validFrom": "2026-11-22T00:00:00"}, "/validFrom"),
        ({"validFrom": "2026-11-22 00:00:00Z"}, "/validFrom"),
        ({"validFrom": "2026-13-22T00:00:00Z"}, "/validFrom"),
        ({"validUntil": "2026-02-30T00:00:00Z"}, "/validUntil"),
        ({"validUntil": "2026-11-22T24:00:00Z"}, "/validUntil"),
        ({"validUntil": "2026-11-22T00:00:00+14:30"}, "/validUntil"),
        ({"validUntil": 1795132800}, "/validUntil"),
        ({"validUntil": None}, "/validUntil"),
        ({"validUntil": "2026-11-21T23:59:59Z"}, "/validUntil"),
        ({"credentialStatus": {"id": "https://a.example"}}, "/credentialStatus/type"),
        ({"credentialStatus": {"type": "X", "id": "a"}}, "/credentialStatus/id"),
        ({"credentialStatus": "https://a.example"}, "/credentialStatus"),
        ({"credentialStatus": []}, "/credentialStatus"),
        ({"credentialStatus": [{"type": "X"}, {}]}, "/credentialStatus/1"),
        ({"credentialSchema": {"type": "JsonSchema"}}, "/credentialSchema/id"),
        ({"credentialSchema": {"id": RESIDENT_SCHEMA}}, "/credentialSchema/type"),
        ({"credentialSchema": [{"id": "x", "type": "Y"}]}, "/credentialSchema/0/id"),
        ({"evidence": {"id": "https://a.example"}}, "/evidence/type"),
        ({"evidence": ["x"]}, "/evidence/0"),
        ({"refreshService": {"id": "https://a.example"}}, "/refreshService/type"),
        ({"termsOfUse": {"id": "https://a.example"}}, "/termsOfUse/type"),
        ({"relatedResource": {"digestSRI": "x"}}, "/relatedResource/id"),
        ({"relatedResource": {"id": "https://a.example"}}, "/relatedResource"),
        ({"relatedResource": {"id": "https://a.example", "digestSRI": 5}}, "/relatedResource"),
        (
            {"relatedResource": [{"id": "https://a.example", "digestSRI": "x"}] * 2},
            "/relatedResource/1/id",
        ),
        ({"name": 5}, "/name"),
        ({"name": {"@value": 5}}, "/name"),
        ({"description": {"@value": "x", "extra": "y"}}, "/description"),
    ],
)
def test_broken_credentials(changes: dict[str, Any], pointer: str) -> None:
    broken = changed(CREDENTIAL, changes)
    with pytest.raises(ModelViolation) as caught:
        check_credential(broken)
    assert caught.value.params["pointer"] == pointer
    with pytest.raises(ModelViolation) as caught:
        check_presentation({**PRESENTATION, "verifiableCredential": [broken]})
    assert caught.value.params["pointer"] == f"/verifiableCredential/0{pointer}"


@pytest.mark.parametrize("document", [None, [], "x", 5, [CREDENTIAL]])
def test_what_is_no_object(document: object) -> None:
    with pytest.raises(ModelViolation):
        check_credential(document)
    with pytest.raises(ModelViolation):
        check_presentation(document)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "VerifiableCredential"},
        {"@context": [RESIDENT_CONTEXT]},
        {"holder": "me"},
        {"holder": {"name": "me"}},
        {"id": "x"},
        {"verifiableCredential": []},
        {"verifiableCredential": "eyJ..."},
        {"verifiableCredential": [None]},
        {"termsOfUse": {"id": "https://a.example"}},
    ],
)
def test_broken_presentations(changes: dict[str, Any]) -> None:
    check_presentation({**PRESENTATION, "holder": "did:example:me"})
    with pytest.raises(ModelViolation):
        check_presentation(changed(PRESENTATION, changes))


def test_errors_quote_no_value() -> None:
    with pytest.raises(ModelViolation) as caught:
        check_credential(changed(CREDENTIAL, {"issuer": "SECRET VALUE"}))
    assert "SECRET" not in str(caught.value) + repr(caught.value.params)


def test_the_validity_period_includes_both_ends() -> None:
    start, end = datetime(2026, 11, 22, tzinfo=UTC), datetime(2031, 11, 22, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert validity_period(CREDENTIAL) == (start, end)
    for now in (start, end, end - second):
        check_validity(CREDENTIAL, now)
    with pytest.raises(CredentialNotYetValid):
        check_validity(CREDENTIAL, start - second)
    with pytest.raises(CredentialExpired):
        check_validity(CREDENTIAL, end + second)
    check_validity(CREDENTIAL, start - second, skew=second)
    check_validity(CREDENTIAL, end + second, skew=second)
    assert validity_period({}) == (None, None)
    check_validity({}, start)


def test_reading_issuer_and_types() -> None:
    assert issuer_id(CREDENTIAL) == issuer_id({"issuer": {"id": CREDENTIAL["issuer"]}})
    assert credential_types({"type": "A"}) == ("A",)
    with pytest.raises(ModelViolation):
        issuer_id({})
    with pytest.raises(ModelViolation):
        credential_types({})


@pytest.mark.parametrize("value", ["urn:a:b", "did:key:z", "https://例.example/路", "a:b"])
def test_urls(value: str) -> None:
    assert is_url(value)


@pytest.mark.parametrize("value", ["", "a", ":a", "a:", "1a:b", "a:b c", "a:b\n", "a:<", "/a", 5])
def test_no_urls(value: object) -> None:
    assert not is_url(value)
