"""Every example of RFC 9901: disclosures, payloads, signed tokens, presentations, JSON forms."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from credentials.errors import KeyBindingStale, SignatureInvalid, TokenExpired
from credentials.jose import parse_compact
from credentials.keys import PublicKey
from credentials.sdjwt import HeldSdJwt, KeyBindingCheck, SdJwt, present, verify, verify_issued
from credentials.sdjwt.disclosure import HASHES, digest, read_disclosure
from credentials.sdjwt.unpacking import unpack

RFC = json.loads((Path(__file__).parent / "vectors" / "rfc9901.json").read_bytes())
ISSUER = PublicKey.from_jwk(RFC["issuer_jwk"])


def _ids(cases: list[dict[str, Any]]) -> list[str]:
    return [case["name"] for case in cases]


def _check(token: str) -> tuple[datetime, KeyBindingCheck | None]:
    """The time of the example and what its verifier expects."""
    parts = SdJwt.parse(token)
    if parts.key_binding is None:
        return datetime(2024, 1, 1, tzinfo=UTC), None
    bound = parse_compact(parts.key_binding).payload
    now = datetime.fromtimestamp(bound["iat"], UTC) + timedelta(seconds=20)
    return now, KeyBindingCheck("https://verifier.example.org", "1234567890")


def test_all_disclosures_have_the_published_digest() -> None:
    assert len(RFC["disclosures"]) == 87
    for published, text in RFC["disclosures"]:
        assert digest(text, HASHES["sha-256"]) == published
        assert read_disclosure(text).salt


@pytest.mark.parametrize("case", RFC["signed"], ids=_ids(RFC["signed"]))
def test_signed_examples_verify(case: dict[str, Any]) -> None:
    now, check = _check(case["token"])
    typ = parse_compact(SdJwt.parse(case["token"]).jwt).header["typ"]
    verified = verify(case["token"], key=ISSUER, typ=typ, now=now, key_binding=check)
    if "claims" in case:
        assert verified.claims == case["claims"]
    assert (verified.key_binding is not None) == ("key binding" in case["name"])
    assert SdJwt.parse(case["token"]).compact() == case["token"]


@pytest.mark.parametrize("case", RFC["signed"], ids=_ids(RFC["signed"]))
def test_signed_examples_are_refused_when_altered_or_late(case: dict[str, Any]) -> None:
    now, check = _check(case["token"])
    header, payload, signature = SdJwt.parse(case["token"]).jwt.split(".")
    other = "A" if signature[10] != "A" else "B"
    forged = ".".join((header, payload, signature[:10] + other + signature[11:]))
    broken = replace(SdJwt.parse(case["token"]), jwt=forged)
    with pytest.raises(SignatureInvalid):
        verify(broken, key=ISSUER, typ=None, now=now, key_binding=check)
    if check is not None:
        late = now + timedelta(minutes=6)
        with pytest.raises(KeyBindingStale):
            verify(case["token"], key=ISSUER, typ=None, now=late, key_binding=check)
    if "exp" in parse_compact(SdJwt.parse(case["token"]).jwt).payload:
        end = datetime(2040, 1, 1, tzinfo=UTC)
        with pytest.raises(TokenExpired):
            verify(case["token"], key=ISSUER, typ=None, now=end, key_binding=None)


def test_the_holder_of_the_first_example_presents_the_second() -> None:
    issued, presented = (RFC["signed"][n]["token"] for n in (0, 1))
    verify_issued(issued, key=ISSUER, typ=None, now=_check(presented)[0])
    again = present(issued, ["/given_name", "/family_name", "/address", "/nationalities/0"])
    assert set(again.split("~")) == set(SdJwt.parse(presented).bound_part.split("~"))
    held = HeldSdJwt.parse(issued)
    assert {**held.claims, **RFC["user_claims"]["5"]} == held.claims


@pytest.mark.parametrize("case", RFC["unsigned"], ids=_ids(RFC["unsigned"]))
def test_nested_examples_give_the_claims_back(case: dict[str, Any]) -> None:
    # With one claim open, there is no disclosure for it.
    texts = [
        text
        for _, text in case["disclosures"]
        if "open" not in case["name"] or read_disclosure(text).name != "country"
    ]
    claims = unpack(case["payload"], texts).claims
    assert {**claims, **RFC["user_claims"]["6"]} == claims
    assert "_sd" not in json.dumps(claims)
    assert "address" not in unpack(case["payload"], []).claims or case["name"].startswith("6.2")


@pytest.mark.parametrize("case", RFC["json"], ids=_ids(RFC["json"]))
def test_json_serializations(case: dict[str, Any]) -> None:
    token = SdJwt.from_json(case["document"])
    now, check = _check(token.compact())
    verified = verify(token, key=ISSUER, typ=None, now=now, key_binding=check)
    assert verified.claims["iss"] == "https://issuer.example.com"
    written = token.general() if "general" in case["name"] else token.flattened()
    assert SdJwt.from_json(json.loads(json.dumps(written))) == token
    if "general" not in case["name"]:
        assert written == case["document"]
