"""Presentation requests: who signed, for how long, in how many modules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.dids import DocumentResolver, KeyResolver, did_document, did_key, key_url
from credentials.errors import (
    CredentialError,
    DidUnknown,
    LimitExceeded,
    QrTextMalformed,
    QrTextTruncated,
    QueryMalformed,
    RelationshipMissing,
    RequestByReference,
    RequestExpired,
    RequestMalformed,
    RequestNotYetValid,
    RequestSignerMismatch,
    RequestTooLarge,
    SignatureInvalid,
    VerificationMethodRetired,
)
from credentials.exchange import (
    PresentationRequest,
    UnverifiedRequest,
    VerifiedRequest,
    packing,
    parse_request,
    qr_request_text,
    read_request,
)
from credentials.exchange.packing import pack, unpack
from credentials.exchange.request import TYPE
from credentials.jose import sign_compact
from credentials.keys import PrivateKey
from credentials.qr import QrCode, frame
from credentials.qr.framing import deflate
from credentials.query import DcqlQuery
from schemas.scenario import load_scenario

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
DID = "did:web:housing.hangzhou.zhenglian.example"
KID = f"{DID}#key-1"
KEY = PrivateKey.from_seed("P-256", b"the key of a department")
THIEF = PrivateKey.from_seed("P-256", b"the key of someone else")
RESOLVER = DocumentResolver([did_document(DID, {"key-1": KEY.public_key})])
SCENARIO = load_scenario("resident-identity")
REQUEST = PresentationRequest(
    client_id=DID,
    verifier_name={
        "zh-CN": "杭州市住房保障和房产管理局",
        "en": "Hangzhou Housing Security and Property Bureau",
    },
    purpose={"zh-CN": "公租房申请资格审核", "en": "Checking who may apply for public housing"},
    entitlement="housing-rental-2026",
    dcql=DcqlQuery.for_claims(
        SCENARIO, ["/credentialSubject/name", "/credentialSubject/ageOver18"]
    ),
    nonce="0gAM7eCltK0UBxMlgZCRmg",
    issued_at=NOW,
    expires=NOW + timedelta(minutes=10),
)
TOKEN = REQUEST.sign(KEY, KID)


def token(*, typ: str = TYPE, kid: str | None = KID, **changes: Any) -> str:
    payload = {k: v for k, v in {**REQUEST.payload(), **changes}.items() if v is not None}
    return sign_compact(payload, typ=typ, signer=KEY, kid=kid)


def verify(text: str, at: datetime = NOW) -> VerifiedRequest:
    return parse_request(text, resolver=RESOLVER, now=at)


def test_a_request_comes_back_in_each_form() -> None:
    for text in (TOKEN, f" {TOKEN}\n", REQUEST.uri(TOKEN), REQUEST.qr_text(TOKEN)):
        verified = verify(text)
        assert verified.request == REQUEST
        assert verified.token == TOKEN
        assert verified.verification_method.id == KID
    assert REQUEST.domain == DID


def test_what_was_only_read_tells_nothing() -> None:
    unverified = read_request(TOKEN)
    assert isinstance(unverified, UnverifiedRequest)
    assert not isinstance(unverified, VerifiedRequest)
    assert "Housing" not in repr(unverified)
    assert unverified.verify(resolver=RESOLVER, now=NOW).request == REQUEST


def test_the_wire_form_is_that_of_openid4vp() -> None:
    payload = REQUEST.payload()
    assert payload["client_id"] == f"decentralized_identifier:{DID}"
    assert payload["aud"] == "https://self-issued.me/v2"
    assert payload["response_type"] == "vp_token"
    assert payload["response_mode"] == "qr"
    posted = replace(REQUEST, response_uri="https://housing.example/answers")
    assert posted.payload()["response_mode"] == "direct_post"
    assert verify(posted.sign(KEY, KID)).request == posted


def test_the_code_stays_small_whatever_is_asked() -> None:
    everything = replace(REQUEST, dcql=DcqlQuery.for_claims(SCENARIO, SCENARIO.selectable_pointers))
    sizes = [QrCode.of(r.qr_text(r.sign(KEY, KID))).version for r in (REQUEST, everything)]
    assert sizes[0] <= 13  # what a terminal of 120 by 40 shows
    assert sizes[1] <= 15


def test_packing_gives_back_the_exact_token() -> None:
    ed25519 = PrivateKey.from_seed("Ed25519", b"the key of a department")
    for key in (KEY, ed25519, PrivateKey.from_seed("P-384", b"the key of a department")):
        signed = REQUEST.sign(key, KID)
        assert unpack(pack(signed)) == signed


def test_the_dictionary_of_the_packed_form_never_changes() -> None:
    digest = sha256(packing.DICTIONARY).hexdigest()
    assert digest == "c35b1add466aa74d033b06b53c29a3978ac54c8c462a152295db7164c2d36e7f"


def test_a_did_key_may_ask_too() -> None:
    did = did_key(KEY.public_key)
    request = replace(REQUEST, client_id=did)
    signed = request.sign(KEY, key_url(KEY.public_key))
    assert parse_request(signed, resolver=KeyResolver(), now=NOW).request == request


# Who signed, and when


def test_another_key_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        verify(REQUEST.sign(THIEF, KID))


def test_an_altered_request_is_refused() -> None:
    header, _, signature = TOKEN.split(".")
    _, other, _ = replace(REQUEST, entitlement="everything").sign(KEY, KID).split(".")
    with pytest.raises(SignatureInvalid):
        verify(f"{header}.{other}.{signature}")


def test_a_key_of_another_department_is_refused() -> None:
    for kid in ("did:web:thief.example#key-1", key_url(THIEF.public_key)):
        with pytest.raises(RequestSignerMismatch):
            REQUEST.sign(THIEF, kid)
        with pytest.raises(RequestSignerMismatch):
            verify(token(kid=kid))


def test_an_unknown_department_stays_unknown() -> None:
    with pytest.raises(DidUnknown):
        parse_request(TOKEN, resolver=DocumentResolver([]), now=NOW)


def test_the_key_must_be_one_that_authenticates() -> None:
    document = did_document(
        DID, {"key-1": KEY.public_key}, relationships={"assertionMethod": ["key-1"]}
    )
    with pytest.raises(RelationshipMissing):
        parse_request(TOKEN, resolver=DocumentResolver([document]), now=NOW)


def test_a_retired_key_asks_no_more() -> None:
    document = did_document(DID, {"key-1": KEY.public_key})
    document["verificationMethod"][0]["revoked"] = "2026-11-22T07:00:00Z"
    with pytest.raises(VerificationMethodRetired):
        parse_request(TOKEN, resolver=DocumentResolver([document]), now=NOW)


def test_a_request_expires() -> None:
    verify(TOKEN, REQUEST.expires - timedelta(seconds=1))
    with pytest.raises(RequestExpired) as caught:
        verify(TOKEN, REQUEST.expires)
    assert caught.value.params == {"expired": "2026-11-22T08:10:00Z"}


def test_a_little_skew_of_clocks_is_borne() -> None:
    verify(TOKEN, NOW - timedelta(seconds=60))
    with pytest.raises(RequestNotYetValid):
        verify(TOKEN, NOW - timedelta(seconds=61))


# Bad requests


@pytest.mark.parametrize(
    "text",
    [
        "",
        "openid4vp://",
        "openid4vp://?request=",
        "openid4vp://?client_id=x&nonce=y",  # unsigned
        "openid4vp://?request=a.b.c",
        f"openid4vp://?request={TOKEN}&request={TOKEN}",
        f"openid4vp://?client_id=decentralized_identifier%3Adid%3Aweb%3Aother&request={TOKEN}",
        f"haip://?request={TOKEN}",
        TOKEN[:-4],
        TOKEN + "." + TOKEN,
        "x" * 20_000,
    ],
)
def test_texts_that_are_no_requests(text: str) -> None:
    with pytest.raises(RequestMalformed):
        read_request(text)


def test_requests_by_reference_are_not_followed() -> None:
    for extra in ("", f"&request={TOKEN}"):
        with pytest.raises(RequestByReference):
            read_request(f"openid4vp://?request_uri=https%3A%2F%2Fevil.example{extra}")


@pytest.mark.parametrize(
    "changes",
    [
        {"typ": "JWT"},
        {"kid": None},
        {"kid": "key-1"},
        {"client_id": DID},
        {"client_id": "x509_san_dns:housing.example"},
        {"client_id": "decentralized_identifier:housing"},
        {"client_id": "decentralized_identifier:did:web:HOUSING.example"},
        {"aud": "https://other.example"},
        {"response_type": "code"},
        {"response_mode": "fragment"},
        {"response_mode": "direct_post"},  # without address
        {"response_mode": "direct_post", "response_uri": "http://housing.example"},
        {"response_mode": "direct_post", "response_uri": "https://h.example/?x=1"},
        {"response_mode": "direct_post", "response_uri": "https://h.example", "redirect_uri": "x"},
        {"response_mode": "qr", "response_uri": "https://h.example"},
        {"transaction_data": ["x"]},
        {"nonce": None},
        {"nonce": "short"},
        {"nonce": "with space and more"},
        {"nonce": "x" * 129},
        {"iat": None},
        {"iat": "1795334400"},
        {"iat": 1795334400.5},
        {"exp": True},
        {"exp": 10**15},
        {"exp": -1},
        {"exp": int(NOW.timestamp())},
        {"exp": int(NOW.timestamp()) + 86_401},
        {"verifier_name": None},
        {"verifier_name": {}},
        {"verifier_name": "Bureau"},
        {"verifier_name": {"fr": "Bureau"}},
        {"verifier_name": {"en": ""}},
        {"verifier_name": {"en": "x" * 201}},
        {"verifier_name": {"en": "turned \u202e around"}},
        {"verifier_name": {"en": "two\nlines"}},
        {"verifier_name": {"en": "\x1b[2J"}},
        {"purpose": {"en": 5}},
        {"entitlement": None},
        {"entitlement": "with space"},
        {"entitlement": "x" * 129},
    ],
)
def test_bad_requests_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RequestMalformed):
        read_request(token(**changes))


def test_a_bad_query_is_named_as_such() -> None:
    with pytest.raises(QueryMalformed):
        read_request(token(dcql_query={"credentials": []}))


def test_a_request_that_no_wallet_would_read_is_not_signed() -> None:
    with pytest.raises(RequestMalformed):
        replace(REQUEST, nonce="short").sign(KEY, KID)


def test_a_request_too_long_for_one_code_is_refused() -> None:
    incompressible = {
        "en": "".join(sha256(bytes([n])).hexdigest() for n in range(3)),
        "zh-CN": "".join(chr(0x4E00 + int(d, 16) * 997 + n) for n, d in enumerate("f" * 150)),
    }
    noise = sha256(b"x").hexdigest()
    claims = [f"/credentialSubject/{sha256(bytes([n])).hexdigest()}{noise}" for n in range(30)]
    long = replace(REQUEST, purpose=incompressible, dcql=DcqlQuery.for_claims(SCENARIO, claims))
    with pytest.raises(RequestTooLarge):
        qr_request_text(long.sign(KEY, KID))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("VR1-", QrTextTruncated),
        ("VR1-R", QrTextTruncated),
        ("VR1-Uabc", QrTextMalformed),
        (frame(b"\x40" + bytes(10), "VR1-"), QrTextTruncated),
        (frame(b"\x02ab", "VR1-"), QrTextTruncated),
        (frame(b"\x02ab\xff\xff", "VR1-"), QrTextMalformed),
        (frame(b"\x02ab" + deflate(b"no separator", packing.DICTIONARY), "VR1-"), QrTextMalformed),
        (frame(b"\x02ab" + deflate(bytes(10**6), packing.DICTIONARY), "VR1-"), LimitExceeded),
        (frame(b"\x02ab" + deflate(b"a\0b", packing.DICTIONARY), "VR1-"), RequestMalformed),
        ("VR1-R" + "0" * 9000, LimitExceeded),
    ],
)
def test_bad_packed_requests_are_refused_by_name(text: str, error: type[CredentialError]) -> None:
    with pytest.raises(error):
        read_request(text)


def test_every_truncation_of_the_packed_form_is_refused() -> None:
    text = REQUEST.qr_text(TOKEN)
    for length in range(len(text)):
        with pytest.raises(CredentialError):
            verify(text[:length])


@given(st.text(max_size=80), st.sampled_from(["", "openid4vp://?request=", "VR1-R", "eyJ"]))
def test_any_text_is_refused_by_name(text: str, head: str) -> None:
    with pytest.raises(CredentialError):
        verify(head + text)
