"""The resident identity scenario: what its schema and rules let pass, and what they refuse."""

# ruff: noqa: E501 - the table of defects reads best with one line a defect

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyld import jsonld

from schemas.digests import digest_multibase
from schemas.identifiers.gb11643 import build_citizen_number
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT, RESIDENT_SCHEMA
from schemas.resident_identity import AGE_LIMITS, age_claims
from schemas.scenario import all_scenarios, load_scenario, scenario_for_types
from schemas.violations import (
    ClaimUndisplayable,
    SchemaViolation,
    UnknownClaim,
    UnknownScenario,
)

SCENARIO = load_scenario("resident-identity")
SELECTABLE = [p.removeprefix("/credentialSubject/") for p in SCENARIO.selectable_pointers]


def issued() -> dict[str, Any]:
    number = build_citizen_number("330198", date(1990, 1, 1), 7)
    return {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", "ResidentIdentityCredential"],
        "issuer": "did:web:data.hangzhou.example%3A8443:issuer",
        "validFrom": "2026-11-22T00:00:00Z",
        "validUntil": "2027-11-22T00:00:00Z",
        "credentialStatus": [
            {
                "type": "BitstringStatusListEntry",
                "statusPurpose": purpose,
                "statusListIndex": "94567",
                "statusListCredential": f"https://data.hangzhou.example/status/{n}",
            }
            for n, purpose in enumerate(("revocation", "suspension"), 1)
        ],
        "credentialSchema": {
            "id": RESIDENT_SCHEMA,
            "type": "JsonSchema",
            "digestMultibase": SCENARIO.schema_digest,
        },
        "evidence": [
            {
                "type": ["AuthorityCheck"],
                "authority": "did:web:population.example",
                "checkedAt": "2026-11-21T23:59:00Z",
                "replyDigest": digest_multibase(b"reply"),
            }
        ],
        "credentialSubject": {
            "id": "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
            "type": "Resident",
            "name": "王小明",
            "sex": "male",
            "ethnicity": "汉",
            "birthDate": "1990-01-01",
            "citizenNumber": number.text,
            "division": "330106",
            **age_claims(date(1990, 1, 1), datetime(2026, 11, 22, tzinfo=UTC)),
        },
    }


def proof() -> dict[str, Any]:
    return {
        "type": "DataIntegrityProof",
        "cryptosuite": "ecdsa-sd-2023",
        "created": "2026-11-22T00:00:00Z",
        "verificationMethod": "did:web:data.hangzhou.example#credential",
        "proofPurpose": "assertionMethod",
        "proofValue": "u2V0AhVhA",
    }


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path.strip("/").split("/")
        target: Any = document
        for part in parents:
            target = target[int(part) if isinstance(target, list) else part]
        if isinstance(target, list):
            target[int(last)] = value
        else:
            target[last] = value

    return change


def _drop(path: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path.strip("/").split("/")
        target: Any = document
        for part in parents:
            target = target[int(part) if isinstance(target, list) else part]
        del target[last]

    return change


# --- what passes --------------------------------------------------------------------------------


def test_the_issued_form_passes_with_and_without_proof() -> None:
    credential = issued()
    SCENARIO.validate(credential)
    SCENARIO.validate_issued(credential)
    credential["proof"] = proof()
    SCENARIO.validate_issued(credential)
    credential["proof"] = [proof(), proof()]
    SCENARIO.validate_issued(credential)


@given(st.sets(st.sampled_from(SELECTABLE)))
def test_every_selection_of_claims_passes_and_only_the_whole_is_issued(hidden: set[str]) -> None:
    credential = issued()
    for claim in hidden:
        (credential if claim.startswith("/") else credential["credentialSubject"]).pop(
            claim.strip("/")
        )
    SCENARIO.validate(credential)
    if hidden:
        with pytest.raises(SchemaViolation) as caught:
            SCENARIO.validate_issued(credential)
        assert caught.value.rule == "required"
        assert caught.value.pointer.rpartition("/")[2] in {claim.strip("/") for claim in hidden}


def test_a_partly_shown_authority_check_passes_but_is_not_issued() -> None:
    credential = issued()
    del credential["evidence"][0]["replyDigest"]
    SCENARIO.validate(credential)
    with pytest.raises(SchemaViolation):
        SCENARIO.validate_issued(credential)


@pytest.mark.parametrize(
    "name", ["欧阳娜娜", "阿迪力·库尔班", "𬭎", "Jean-Luc O’Neill", "王𠅤", "Nguyễn Thị"]
)
def test_real_names_pass(name: str) -> None:
    credential = issued()
    credential["credentialSubject"]["name"] = name
    SCENARIO.validate(credential)


def test_a_status_list_may_be_named_on_this_machine_without_tls() -> None:
    credential = issued()
    for url in ("http://127.0.0.1:8001/status/1", "http://localhost:8001/status/1"):
        credential["credentialStatus"][0]["statusListCredential"] = url
        SCENARIO.validate(credential)


# --- what is refused ----------------------------------------------------------------------------

S = "/credentialSubject"
REFUSED: list[tuple[str, Callable[[dict[str, Any]], None], str, str]] = [
    ("unknown member", _set("/extra", 1), "", "additionalProperties"),
    ("id on the credential", _set("/id", "urn:x:1"), "", "additionalProperties"),
    ("unknown claim", _set(f"{S}/email", "a@b"), S, "additionalProperties"),
    ("unknown evidence member", _set("/evidence/0/x", 1), "/evidence/0", "additionalProperties"),
    ("no issuer", _drop("/issuer"), "/issuer", "required"),
    ("no subject", _drop(S), S, "required"),
    ("no end of validity", _drop("/validUntil"), "/validUntil", "required"),
    ("no status", _drop("/credentialStatus"), "/credentialStatus", "required"),
    ("empty status", _set("/credentialStatus", []), "/credentialStatus", "minItems"),
    ("no holder", _drop(f"{S}/id"), f"{S}/id", "required"),
    ("holder not did:key", _set(f"{S}/id", "did:web:x.example"), f"{S}/id", "pattern"),
    ("another context", _set("/@context/1", "https://x.example/c"), "/@context", "const"),
    ("inline context", _set("/@context/1", {"name": "urn:x"}), "/@context", "const"),
    ("contexts exchanged", _set("/@context", [RESIDENT_CONTEXT, CONTEXT_V2]), "/@context", "const"),
    ("further type", _set("/type", [*issued()["type"], "X"]), "/type", "const"),
    ("issuer as object", _set("/issuer", {"id": "did:web:x.example"}), "/issuer", "type"),
    ("issuer not a DID", _set("/issuer", "https://x.example"), "/issuer", "pattern"),
    ("fraction of a second", _set("/validFrom", "2026-11-22T00:00:00.5Z"), "/validFrom", "pattern"),
    ("other zone", _set("/validFrom", "2026-11-22T00:00:00+08:00"), "/validFrom", "pattern"),
    ("lower-case z", _set("/validFrom", "2026-11-22T00:00:00z"), "/validFrom", "pattern"),
    ("line break at the end", _set("/validFrom", "2026-11-22T00:00:00Z\n"), "/validFrom", "pattern"),
    ("30 February", _set("/validFrom", "2026-02-30T00:00:00Z"), "/validFrom", "format"),
    ("wrong schema", _set("/credentialSchema/id", "https://x.example"), "/credentialSchema/id", "const"),
    ("bare digest", _set("/credentialSchema/digestMultibase", "u" + "A" * 43), "/credentialSchema/digestMultibase", "pattern"),
    ("status index with zero", _set("/credentialStatus/0/statusListIndex", "07"), "/credentialStatus/0/statusListIndex", "pattern"),
    ("status index as number", _set("/credentialStatus/0/statusListIndex", 7), "/credentialStatus/0/statusListIndex", "type"),
    ("status over plain http", _set("/credentialStatus/0/statusListCredential", "http://x.example/1"), "/credentialStatus/0/statusListCredential", "pattern"),
    ("status at user@host", _set("/credentialStatus/0/statusListCredential", "https://a@x.example/1"), "/credentialStatus/0/statusListCredential", "pattern"),
    ("unknown purpose", _set("/credentialStatus/0/statusPurpose", "message"), "/credentialStatus/0/statusPurpose", "enum"),
    ("null claim", _set(f"{S}/name", None), f"{S}/name", "type"),
    ("empty name", _set(f"{S}/name", ""), f"{S}/name", "minLength"),
    ("long name", _set(f"{S}/name", "王" * 61), f"{S}/name", "maxLength"),
    ("name with line break", _set(f"{S}/name", "王\n明"), f"{S}/name", "pattern"),
    ("name turned round", _set(f"{S}/name", "王\u202e明"), f"{S}/name", "pattern"),
    ("name with zero width", _set(f"{S}/name", "王\u200b明"), f"{S}/name", "pattern"),
    ("name with escape", _set(f"{S}/name", "王\x1b[2J"), f"{S}/name", "pattern"),
    ("name with digit", _set(f"{S}/name", "王5"), f"{S}/name", "letters-only"),
    ("name with symbol", _set(f"{S}/name", "王✓"), f"{S}/name", "letters-only"),
    ("name with markup", _set(f"{S}/name", "[b]王"), f"{S}/name", "letters-only"),
    ("name in NFD", _set(f"{S}/name", "Ame\u0301lie"), f"{S}/name", "normalization-form-c"),
    ("name in compatibility form", _set(f"{S}/name", "\uf9d1明"), f"{S}/name", "normalization-form-c"),
    ("name with blank", _set(f"{S}/name", "王 "), f"{S}/name", "no-stray-blanks"),
    ("unknown sex", _set(f"{S}/sex", "男"), f"{S}/sex", "enum"),
    ("unknown ethnicity", _set(f"{S}/ethnicity", "汉族"), f"{S}/ethnicity", "enum"),
    ("impossible birth date", _set(f"{S}/birthDate", "1990-02-30"), f"{S}/birthDate", "format"),
    ("number mistyped", _set(f"{S}/citizenNumber", "330198199001010000"), f"{S}/citizenNumber", "ZL-ID-CITIZEN-CHECK"),
    ("number with impossible date", _set(f"{S}/citizenNumber", "330198199002300070"), f"{S}/citizenNumber", "ZL-ID-CITIZEN-DATE"),
    ("number of another sex", _set(f"{S}/sex", "female"), f"{S}/sex", "agrees-with-citizen-number"),
    ("number of another birth date", _set(f"{S}/birthDate", "1990-01-02"), f"{S}/birthDate", "agrees-with-citizen-number"),
    ("age against birth date", _set(f"{S}/ageOver18", False), f"{S}/ageOver18", "agrees-with-birth-date"),
    ("age as text", _set(f"{S}/ageOver18", "true"), f"{S}/ageOver18", "type"),
    ("age as number", _set(f"{S}/ageOver18", 1), f"{S}/ageOver18", "type"),
    ("division with letters", _set(f"{S}/division", "33010A"), f"{S}/division", "pattern"),
    ("division in other digits", _set(f"{S}/division", "٣٣٠١٠٦"), f"{S}/division", "pattern"),
    ("claim as language map", _set(f"{S}/name", {"zh": "王"}), f"{S}/name", "type"),
    ("claim as value object", _set(f"{S}/name", {"@value": "王"}), f"{S}/name", "type"),
    ("several subjects", _set(S, [issued()["credentialSubject"]]), S, "type"),
    ("proof with further member", _set("/proof", {**proof(), "x": 1}), "/proof", "oneOf"),
    ("proof of another purpose", _set("/proof", {**proof(), "proofPurpose": "authentication"}), "/proof", "oneOf"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "pointer", "rule"),
    [case[1:] for case in REFUSED],
    ids=[case[0].replace(" ", "-") for case in REFUSED],
)
def test_each_defect_is_refused_at_its_place(
    change: Callable[[dict[str, Any]], None], pointer: str, rule: str
) -> None:
    credential = issued()
    change(credential)
    with pytest.raises(SchemaViolation) as caught:
        SCENARIO.validate(credential)
    assert (caught.value.pointer, caught.value.rule) == (pointer, rule)
    with pytest.raises(SchemaViolation):
        SCENARIO.validate_issued(credential)


def test_no_violation_carries_a_value() -> None:
    secret = "秘密的值"
    for pointer in (*SCENARIO.selectable_pointers, *SCENARIO.mandatory_pointers):
        credential = issued()
        _set(pointer, secret + "\n")(credential)
        with pytest.raises(SchemaViolation) as caught:
            SCENARIO.validate(credential)
        shown: BaseException | None = caught.value
        while shown is not None:
            assert secret not in repr(shown) + str(shown)
            shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)


def test_contradicting_ages_are_refused_without_a_birth_date() -> None:
    credential = issued()
    subject = credential["credentialSubject"]
    del subject["birthDate"], subject["citizenNumber"]
    subject["ageOver60"], subject["ageOver65"] = False, True
    with pytest.raises(SchemaViolation) as caught:
        SCENARIO.validate(credential)
    assert caught.value.rule == "agrees-with-lower-age"


@pytest.mark.parametrize("value", [float("nan"), {1: 2}, {"a": object()}, object()])
def test_what_is_not_json_is_refused_by_name(value: object) -> None:
    credential = issued()
    credential["credentialSubject"]["name"] = value
    with pytest.raises(SchemaViolation):
        SCENARIO.validate(credential)


# --- ages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("birth", "at", "over_18"),
    [
        (date(2008, 11, 22), datetime(2026, 11, 21, 15, 59, 59, tzinfo=UTC), False),
        # 16:00 in Greenwich is midnight in China: the birthday has begun.
        (date(2008, 11, 22), datetime(2026, 11, 21, 16, 0, 0, tzinfo=UTC), True),
        (date(2008, 2, 29), datetime(2026, 2, 28, 12, 0, 0, tzinfo=UTC), False),
        (date(2008, 2, 29), datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC), True),
    ],
)
def test_ages_turn_on_the_birthday_in_china(birth: date, at: datetime, over_18: bool) -> None:
    assert age_claims(birth, at)["ageOver18"] is over_18


@given(st.dates(date(1900, 1, 1), date(2026, 1, 1)), st.dates(date(2026, 1, 1), date(2100, 1, 1)))
def test_ages_never_contradict_each_other(birth: date, day: date) -> None:
    claims = age_claims(birth, datetime(day.year, day.month, day.day, tzinfo=UTC))
    values = list(claims.values())
    assert list(claims) == [f"ageOver{limit}" for limit in AGE_LIMITS]
    assert values == sorted(values, reverse=True)


# --- the files ----------------------------------------------------------------------------------


def _file(name: str) -> bytes:
    return (files("schemas") / "resident_identity" / name).read_bytes()


def test_the_scenario_is_what_its_files_say() -> None:
    assert SCENARIO.credential_type == "ResidentIdentityCredential"
    assert SCENARIO.schema_url == RESIDENT_SCHEMA
    assert SCENARIO.context_url == RESIDENT_CONTEXT
    assert SCENARIO.side_chain == "identity"
    assert SCENARIO.json_schema == json.loads(_file("schema.json"))
    digest = base64.urlsafe_b64decode(SCENARIO.schema_digest[1:] + "==")
    assert digest[:2] == b"\x12\x20"
    assert digest[2:] == hashlib.sha256(_file("schema.json")).digest()
    assert SCENARIO.context_digest == digest_multibase(_file("context.jsonld"))


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("schema.json", "b94d15a651af713e49371662f031c37e23a9f14e5681d6b0ae28fc386fbad092"),
        ("context.jsonld", "590e74fdf9ca784765443967e60a3ffecb0f72815196dd7452f058a79c00d7cc"),
    ],
)
def test_published_bytes_stay_as_they_are(name: str, digest: str) -> None:
    # Issued credentials and the chain record these digests: a change is a new version, at a new
    # address, beside the old one.
    assert hashlib.sha256(_file(name)).hexdigest() == digest


def test_the_schema_is_valid_and_closed_everywhere() -> None:
    schema = json.loads(_file("schema.json"))
    jsonschema.Draft202012Validator.check_schema(schema)

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if node.get("type") == "object":
                assert node["additionalProperties"] is False
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(schema)


@pytest.mark.parametrize("case", REFUSED, ids=lambda c: c[0].replace(" ", "-"))
def test_another_implementation_judges_alike(
    case: tuple[str, Callable[[dict[str, Any]], None], str, str],
) -> None:
    credential = issued()
    case[1](credential)
    validator = jsonschema.Draft202012Validator(
        json.loads(_file("schema.json")), format_checker=jsonschema.FormatChecker()
    )
    ours = case[3] in {"letters-only", "normalization-form-c", "no-stray-blanks"}
    ours |= case[3].startswith(("agrees-with", "ZL-"))
    # Python's `$` matches before a final line break, and its date-time check is an extra.
    if case[0] in {"line break at the end", "30 February"}:
        return
    assert validator.is_valid(credential) == ours
    assert validator.is_valid(issued())


def test_claims_cover_the_schema_and_are_described_in_both_languages() -> None:
    schema = json.loads(_file("schema.json"))
    described = {claim.pointer for claim in SCENARIO.claims}
    wanted = {f"/{name}" for name in schema["properties"]} - {"/@context", "/type", "/proof", S}
    wanted |= {f"{S}/{name}" for name in schema["$defs"]["subject"]["properties"]}
    assert described == wanted
    assert len(described) == len(SCENARIO.claims)
    required = {f"/{name}" for name in schema["required"]} - {"/@context", "/type", S}
    required |= {f"{S}/{name}" for name in schema["$defs"]["subject"]["required"]}
    assert set(SCENARIO.mandatory_pointers) == required
    for claim in SCENARIO.claims:
        texts = [claim.label, claim.hint, *claim.values.values()]
        assert all(set(text) == {"zh-CN", "en"} and all(text.values()) for text in texts)
    for name in ("sex", "ethnicity"):
        values = SCENARIO.claim(f"{S}/{name}").values
        assert list(values) == schema["$defs"]["subject"]["properties"][name]["enum"]
    assert {c.name for c in SCENARIO.claims if c.sensitive} == {
        "name",
        "ethnicity",
        "birthDate",
        "citizenNumber",
    }


def _loader(url: str, _options: object) -> dict[str, Any]:
    documents = {
        CONTEXT_V2: (
            files("pyld") / "documentloader/frozen/bundled/credentials-v2.jsonld"
        ).read_bytes(),
        RESIDENT_CONTEXT: _file("context.jsonld"),
    }
    return {
        "contentType": "application/ld+json",
        "contextUrl": None,
        "documentUrl": url,
        "document": json.loads(documents[url]),
    }


def test_every_term_of_a_whole_credential_means_something() -> None:
    credential = issued()
    credential["proof"] = proof()
    dropped: list[str] = []
    [expanded] = jsonld.expand(
        credential, {"documentLoader": _loader}, on_property_dropped=dropped.append
    )
    assert dropped == []

    def count(node: Any) -> int:
        if isinstance(node, list):
            return sum(count(child) for child in node)
        if not isinstance(node, dict):
            return 0
        assert all(key.startswith(("@", "https://", "http://")) for key in node)
        return sum(not k.startswith("@") for k in node) + sum(count(v) for v in node.values())

    def members(node: Any) -> int:
        if isinstance(node, list):
            return sum(members(child) for child in node)
        if not isinstance(node, dict):
            return 0
        own = sum(key not in {"id", "type", "@context"} for key in node)
        return own + sum(members(value) for key, value in node.items() if key != "@context")

    assert count(expanded) == members(credential)
    subject = expanded["https://www.w3.org/2018/credentials#credentialSubject"][0]
    assert subject["https://schema.org/birthDate"] == [
        {"@type": "http://www.w3.org/2001/XMLSchema#date", "@value": "1990-01-01"}
    ]


def test_no_other_context_can_redefine_our_terms() -> None:
    for term in ("Resident", "AuthorityCheck", "ResidentIdentityCredential"):
        credential = issued()
        credential["@context"].append({term: "https://attacker.example/"})
        with pytest.raises(jsonld.JsonLdError):
            jsonld.expand(credential, {"documentLoader": _loader})
    credential = issued()
    before = jsonld.expand(credential, {"documentLoader": _loader})
    # A context inside the subject comes before that of its type, which then has the last word.
    credential["credentialSubject"]["@context"] = {"ageOver18": "https://attacker.example/"}
    assert jsonld.expand(credential, {"documentLoader": _loader}) == before


def test_claims_mean_nothing_outside_a_resident() -> None:
    credential = issued()
    credential["credentialSubject"]["type"] = "AuthorityCheck"
    dropped: list[str] = []
    jsonld.expand(credential, {"documentLoader": _loader}, on_property_dropped=dropped.append)
    assert len(dropped) == 10  # all of them but the name, which credentials v2 defines


# --- finding and showing ------------------------------------------------------------------------


def test_scenarios_are_found_by_id_and_by_type() -> None:
    assert all_scenarios() == (SCENARIO,)
    assert scenario_for_types(["VerifiableCredential", "ResidentIdentityCredential"]) is SCENARIO
    with pytest.raises(UnknownScenario):
        scenario_for_types(["VerifiableCredential"])
    with pytest.raises(UnknownScenario):
        load_scenario("../identifiers")
    with pytest.raises(UnknownClaim):
        SCENARIO.claim("/credentialSubject/email")


@pytest.mark.parametrize(
    ("claim", "chinese", "english"),
    [
        (f"{S}/name", "王小明", "王小明"),
        (f"{S}/sex", "男", "Male"),
        (f"{S}/ethnicity", "汉族", "Han"),
        (f"{S}/birthDate", "1990年1月1日", "1 January 1990"),
        (f"{S}/division", "杭州市西湖区", "Xihu District, Hangzhou"),
        (f"{S}/ageOver18", "是", "Yes"),
        (f"{S}/ageOver60", "否", "No"),
        (
            "/validFrom",
            "2026年11月22日 08:00 (北京时间)",
            "22 November 2026 08:00 (China Standard Time)",
        ),
        ("/credentialStatus", "吊销 #94567; 暂停 #94567", "Revocation #94567; Suspension #94567"),
        ("/credentialSchema", RESIDENT_SCHEMA, RESIDENT_SCHEMA),
        (f"{S}/type", "居民", "Resident"),
    ],
)
def test_values_are_shown_in_both_languages(claim: str, chinese: str, english: str) -> None:
    value: Any = issued()
    for part in claim.strip("/").split("/"):
        value = value[part]
    assert SCENARIO.display(claim, value, "zh-CN") == chinese
    assert SCENARIO.display(claim, value, "en") == english


def test_every_claim_can_be_shown() -> None:
    for claim in SCENARIO.claims:
        value: Any = issued()
        for part in claim.pointer.strip("/").split("/"):
            value = value[part]
        for language in ("zh-CN", "en"):
            assert SCENARIO.display(claim.pointer, value, language)


def test_a_partly_shown_check_is_shown_as_such() -> None:
    assert SCENARIO.display("/evidence", [{"type": ["AuthorityCheck"]}], "en") == "Partly shown"


def test_an_unknown_division_is_shown_as_its_code() -> None:
    assert SCENARIO.display(f"{S}/division", "110105", "en") == "110105"


def test_what_does_not_print_is_not_printed() -> None:
    shown = SCENARIO.display(f"{S}/name", "王\x1b[2J\u202e明", "en")
    assert shown == "王\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}明"


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        (f"{S}/ageOver18", "true"),
        (f"{S}/ageOver18", 1),
        (f"{S}/name", ["王"]),
        (f"{S}/birthDate", "1990-13-01"),
        ("/validFrom", "2026-11-22T00:00:00"),
        ("/evidence", "x"),
        ("/credentialStatus", [{"statusPurpose": 1}]),
        ("/credentialStatus", [{"statusPurpose": "revocation"}]),
        ("/credentialSchema", {"id": {}}),
    ],
)
def test_a_value_of_another_kind_is_not_shown(claim: str, value: object) -> None:
    with pytest.raises(ClaimUndisplayable):
        SCENARIO.display(claim, value, "en")


def test_validation_leaves_the_credential_as_it_was() -> None:
    credential = issued()
    before = deepcopy(credential)
    SCENARIO.validate(credential)
    assert credential == before
