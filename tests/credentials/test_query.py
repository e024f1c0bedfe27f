"""DCQL: what is asked for is found, counted and named; what is not supported is refused."""

from __future__ import annotations

from typing import Any

import pytest

from credentials.errors import CredentialError, PointerInvalid, QueryMalformed, QueryUnsupported
from credentials.query import (
    ClaimQuery,
    DcqlQuery,
    QueryMatch,
    QueryMismatch,
    expanded_types,
)
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT
from schemas.scenario import load_scenario
from schemas.violations import UnknownScenario

TYPE = "https://zhenglian.example/ns/resident-identity#ResidentIdentityCredential"
VC_TYPE = "https://www.w3.org/2018/credentials#VerifiableCredential"
SUBJECT = "/credentialSubject"
CREDENTIAL: dict[str, Any] = {
    "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
    "type": ["VerifiableCredential", "ResidentIdentityCredential"],
    "issuer": "did:web:data.example",
    "evidence": [
        {"type": ["AuthorityCheck"], "authority": "did:web:a.example"},
        {"type": ["AuthorityCheck"], "authority": "did:web:b.example"},
    ],
    "credentialSubject": {
        "id": "did:key:z",
        "type": "Resident",
        "name": "甲",
        "sex": "male",
        "ageOver18": True,
    },
}


def query(**changes: Any) -> dict[str, Any]:
    credential: dict[str, Any] = {
        "id": "id",
        "format": "ldp_vc",
        "meta": {"type_values": [[TYPE]]},
        "claims": [{"path": ["credentialSubject", "name"]}],
    }
    return {"credentials": [{**credential, **changes}]}


def match(*claims: dict[str, Any]) -> QueryMatch | QueryMismatch:
    return DcqlQuery.parse(query(claims=list(claims))).match(CREDENTIAL)


def test_a_query_for_claims_comes_back_and_matches() -> None:
    asked = DcqlQuery.for_claims(
        "ResidentIdentityCredential", [f"{SUBJECT}/name", f"{SUBJECT}/ageOver18", f"{SUBJECT}/name"]
    )
    assert DcqlQuery.parse(asked.document()) == asked
    assert asked.requested_pointers() == (f"{SUBJECT}/name", f"{SUBJECT}/ageOver18")
    assert asked.match(CREDENTIAL) == QueryMatch(
        "credential", (f"{SUBJECT}/name", f"{SUBJECT}/ageOver18")
    )
    assert asked == DcqlQuery.for_claims(
        load_scenario("resident-identity"), asked.requested_pointers()
    )


def test_a_query_without_claims_asks_for_the_mandatory_only() -> None:
    asked = DcqlQuery.for_claims("ResidentIdentityCredential", [])
    assert "claims" not in asked.document()["credentials"][0]
    assert DcqlQuery.parse(asked.document()).match(CREDENTIAL) == QueryMatch("credential", ())


def test_types_are_compared_expanded() -> None:
    assert expanded_types(CREDENTIAL["@context"], CREDENTIAL["type"]) == (VC_TYPE, TYPE)
    for values, found in [
        ([[VC_TYPE, TYPE]], True),
        ([["urn:other"], [VC_TYPE]], True),
        ([[TYPE, "urn:other"]], False),
        ([["ResidentIdentityCredential"]], False),  # defined by a context, so never relative
    ]:
        answer = DcqlQuery.parse(query(meta={"type_values": values})).match(CREDENTIAL)
        assert isinstance(answer, QueryMatch) is found
    undefined = {**CREDENTIAL, "@context": [CONTEXT_V2]}
    asked = DcqlQuery.parse(query(meta={"type_values": [["ResidentIdentityCredential"]]}))
    assert isinstance(asked.match(undefined), QueryMatch)


def test_why_a_credential_does_not_match() -> None:
    assert DcqlQuery.parse(query(meta={"type_values": [["x"]]})).match(CREDENTIAL) == QueryMismatch(
        "id", "type"
    )
    assert match({"path": ["credentialSubject", "birthDate"]}) == QueryMismatch(
        "id", "claim", f"{SUBJECT}/birthDate"
    )
    assert match({"path": ["credentialSubject", "sex"], "values": ["female"]}) == QueryMismatch(
        "id", "value", f"{SUBJECT}/sex"
    )
    # Types differ: the number one is not true (§6.3).
    assert match({"path": ["credentialSubject", "ageOver18"], "values": [1]}) == QueryMismatch(
        "id", "value", f"{SUBJECT}/ageOver18"
    )


def test_values_that_fit_match() -> None:
    assert match({"path": ["credentialSubject", "sex"], "values": ["female", "male"]}) == (
        QueryMatch("id", (f"{SUBJECT}/sex",))
    )


def test_paths_go_through_lists() -> None:
    assert match({"path": ["evidence", None, "authority"]}) == QueryMatch(
        "id", ("/evidence/0/authority", "/evidence/1/authority")
    )
    assert match({"path": ["evidence", 1, "authority"]}) == QueryMatch(
        "id", ("/evidence/1/authority",)
    )
    for path in (["evidence", 2], ["evidence", "authority"], ["issuer", 0], ["issuer", None]):
        assert isinstance(match({"path": path}), QueryMismatch)


def test_a_collective_name_is_unfolded() -> None:
    assert match({"path": ["credentialSubject"]}) == QueryMatch(
        "id",
        tuple(f"{SUBJECT}/{name}" for name in ("name", "sex", "ageOver18", "id", "type")),
    )
    stranger = {**CREDENTIAL, "@context": [CONTEXT_V2], "type": ["VerifiableCredential"]}
    asked = DcqlQuery.parse(
        query(meta={"type_values": [[VC_TYPE]]}, claims=[{"path": ["evidence"]}])
    )
    assert asked.match(stranger) == QueryMatch(
        "id",
        (
            "/evidence/0/type/0",
            "/evidence/0/authority",
            "/evidence/1/type/0",
            "/evidence/1/authority",
        ),
    )


def test_what_is_wanted_is_known_without_a_credential() -> None:
    scenario, pointers = DcqlQuery.parse(query(claims=[{"path": ["evidence"]}])).wanted()
    assert (scenario.id, pointers) == ("resident-identity", ("/evidence",))
    _, everything = DcqlQuery.parse(query(claims=[{"path": ["credentialSubject"]}])).wanted()
    assert set(everything) == {p.pointer for p in scenario.claims if p.pointer.startswith(SUBJECT)}


@pytest.mark.parametrize(
    "changes",
    [
        {"meta": {"type_values": [["urn:other"]]}},
        {"claims": [{"path": ["credentialSubject", "shoeSize"]}]},
        {"claims": [{"path": ["evidence", None, "authority"]}]},
        {"claims": [{"path": ["credentialSubject", "sex"], "values": ["male"]}]},
    ],
)
def test_what_cannot_be_told_to_a_person_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(QueryUnsupported):
        DcqlQuery.parse(query(**changes)).wanted()


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (None, QueryMalformed),
        ([], QueryMalformed),
        ({}, QueryMalformed),
        ({"credentials": []}, QueryMalformed),
        ({"credentials": [5]}, QueryMalformed),
        ({"credentials": query()["credentials"] * 2}, QueryUnsupported),
        ({**query(), "credential_sets": []}, QueryUnsupported),
        (query(claim_sets=[["a"]]), QueryUnsupported),
        (query(trusted_authorities=[]), QueryUnsupported),
        (query(format="dc+sd-jwt"), QueryUnsupported),
        (query(multiple=True), QueryUnsupported),
        (query(require_cryptographic_holder_binding=False), QueryUnsupported),
        (query(id=""), QueryMalformed),
        (query(id="a b"), QueryMalformed),
        (query(id=None), QueryMalformed),
        (query(meta=None), QueryMalformed),
        (query(meta={}), QueryMalformed),
        (query(meta={"type_values": []}), QueryMalformed),
        (query(meta={"type_values": [[]]}), QueryMalformed),
        (query(meta={"type_values": [TYPE]}), QueryMalformed),
        (query(meta={"type_values": [["x" * 300]]}), QueryMalformed),
        (query(meta={"type_values": [["x"]] * 17}), QueryMalformed),
        (query(claims=[]), QueryMalformed),
        (query(claims=None), QueryMalformed),
        (query(claims=[{"path": ["a", str(n)]} for n in range(65)]), QueryMalformed),
        (query(claims=["name"]), QueryMalformed),
        (query(claims=[{}]), QueryMalformed),
        (query(claims=[{"path": []}]), QueryMalformed),
        (query(claims=[{"path": ["a"] * 9}]), QueryMalformed),
        (query(claims=[{"path": [""]}]), QueryMalformed),
        (query(claims=[{"path": [-1]}]), QueryMalformed),
        (query(claims=[{"path": [True]}]), QueryMalformed),
        (query(claims=[{"path": [1.5]}]), QueryMalformed),
        (query(claims=[{"path": "name"}]), QueryMalformed),
        (query(claims=[{"path": ["a"], "values": []}]), QueryMalformed),
        (query(claims=[{"path": ["a"], "values": [None]}]), QueryMalformed),
        (query(claims=[{"path": ["a"], "values": [1.5]}]), QueryMalformed),
        (query(claims=[{"path": ["a"], "values": ["x" * 300]}]), QueryMalformed),
    ],
)
def test_bad_queries_are_refused_by_name(document: Any, error: type[CredentialError]) -> None:
    with pytest.raises(error):
        DcqlQuery.parse(document)


def test_members_that_dcql_does_not_know_are_ignored() -> None:
    assert DcqlQuery.parse({**query(extra=1), "more": 2}) == DcqlQuery.parse(query())


def test_a_claim_asked_for_twice_counts_once() -> None:
    asked = DcqlQuery.parse(query(claims=[{"path": ["a"]}, {"path": ["a"], "values": [1]}]))
    assert asked.claims == (ClaimQuery(("a",)),)


def test_pointers_are_escaped() -> None:
    asked = DcqlQuery.for_claims("ResidentIdentityCredential", ["/a~1b/c~0d/0"])
    assert asked.claims[0].path == ("a/b", "c~d", 0)
    assert asked.requested_pointers() == ("/a~1b/c~0d/0",)
    with pytest.raises(PointerInvalid):
        DcqlQuery.for_claims("ResidentIdentityCredential", ["name"])
    with pytest.raises(UnknownScenario):
        DcqlQuery.for_claims("OtherCredential", [])
