"""Token Status List: the draft's vectors, both token forms, and lists that try to mislead."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.cose import parse_sign1, sign1
from credentials.errors import (
    CoseAlgorithmRefused,
    CoseMalformed,
    CoseTypeMismatch,
    CredentialError,
    JwsMalformed,
    JwsTypeMismatch,
    LimitExceeded,
    SignatureInvalid,
    StatusEntryMalformed,
    StatusIndexOutOfRange,
    StatusListExpired,
    StatusListMalformed,
    StatusListMismatch,
    StatusTypeUnsupported,
    TokenFromFuture,
)
from credentials.jose import sign_compact
from credentials.keys import KeyType, PrivateKey, PublicKey
from credentials.multibase import base64url_decode, base64url_encode
from credentials.sdjwt import HeldSdJwt
from credentials.token_status import (
    CWT_TYPE,
    INVALID,
    JWT_TYPE,
    MAX_LIST,
    SUSPENDED,
    StatusReference,
    TokenStatusList,
    sign_status_list_cwt,
    sign_status_list_jwt,
    verify_status_list_cwt,
    verify_status_list_jwt,
)

DRAFT = json.loads((Path(__file__).parent / "vectors" / "token-status-list.json").read_bytes())
PUBLISHED = PublicKey.from_jwk(DRAFT["jwk"])
THEN = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
AT = int(THEN.timestamp())
URI = "https://example.com/statuslists/1"
ISSUER = PrivateKey.from_seed("P-256", b"the issuer of the tests")


@pytest.mark.parametrize("case", DRAFT["short"], ids=lambda case: f"{case['bits']} bits")
def test_short_lists_of_the_draft(case: dict[str, Any]) -> None:
    made = TokenStatusList.empty(len(case["values"]), case["bits"])
    for index, value in enumerate(case["values"]):
        made.set(index, value)
    assert made == TokenStatusList(case["bits"], bytes.fromhex(case["bytes"]))
    read = TokenStatusList.unpack(case["bits"], base64url_decode(case["lst"]))
    assert [read.get(index) for index in range(len(read))] == case["values"]


@pytest.mark.parametrize("case", DRAFT["lists"], ids=lambda case: f"{case['bits']} bits")
def test_long_lists_of_the_draft(case: dict[str, Any]) -> None:
    lists = [
        TokenStatusList.unpack(case["json"]["bits"], base64url_decode(case["json"]["lst"])),
        TokenStatusList.unpack(case["bits"], cbor2.loads(bytes.fromhex(case["cbor"]))["lst"]),
    ]
    made = TokenStatusList.empty(case["entries"], case["bits"])
    for index, value in case["values"].items():
        made.set(int(index), value)
    for found in lists:
        assert len(found) == case["entries"]
        assert found == made
    assert TokenStatusList.unpack(case["bits"], made.pack()) == made


def test_tokens_of_the_draft_verify() -> None:
    by_jwt = verify_status_list_jwt(DRAFT["jwt"], key=PUBLISHED, now=THEN)
    by_cwt = verify_status_list_cwt(bytes.fromhex(DRAFT["cwt"]), key=PUBLISHED, now=THEN)
    for found in (by_jwt, by_cwt):
        assert found.uri == URI
        assert found.ttl_s == 43200
        assert found.values.get(0) == INVALID
        assert found.issued_at == 1686920170
        assert not found.needs_refresh(THEN, THEN + timedelta(hours=12))
        assert found.needs_refresh(THEN, THEN + timedelta(hours=13))
    held = HeldSdJwt.parse(DRAFT["referenced_sd_jwt"])
    assert by_jwt.status(StatusReference.parse(held.claims["status"])) == INVALID
    referenced = parse_sign1(bytes.fromhex(DRAFT["referenced_cwt"])).verify(PUBLISHED)
    claims = cbor2.loads(referenced.payload)
    assert by_cwt.status(StatusReference.parse_cwt(claims)) == INVALID


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("key_type", ["P-256", "P-384", "Ed25519"])
def test_a_round_in_both_forms(bits: Any, key_type: KeyType) -> None:
    key = PrivateKey.generate(key_type)
    values = TokenStatusList.empty(100, bits)
    top = (1 << bits) - 1
    values.set(42, top)
    end = THEN + timedelta(hours=1)
    about: dict[str, Any] = {"uri": URI, "issued_at": THEN, "expires": end, "ttl_s": 60}
    jwt = sign_status_list_jwt(values, signer=key, kid="k", **about)
    cwt = sign_status_list_cwt(values, signer=key, kid=b"k", **about)
    assert parse_sign1(cwt).kid == "k"
    for found in (
        verify_status_list_jwt(jwt, key=lambda _: key.public_key, now=THEN),
        verify_status_list_cwt(cwt, key=lambda _: key.public_key, now=THEN),
    ):
        assert found.status(StatusReference(42, URI)) == top
        assert found.status(StatusReference(43, URI)) == 0
        with pytest.raises(StatusListMismatch):
            found.status(StatusReference(42, URI + "2"))
        with pytest.raises(StatusIndexOutOfRange):
            found.status(StatusReference(5000, URI))
    with pytest.raises(StatusListExpired):
        verify_status_list_jwt(jwt, key=key.public_key, now=end)
    with pytest.raises(StatusListExpired):
        verify_status_list_cwt(cwt, key=key.public_key, now=end)
    with pytest.raises(TokenFromFuture):
        verify_status_list_jwt(jwt, key=key.public_key, now=THEN - timedelta(seconds=1))


def test_a_value_changes_alone() -> None:
    values = TokenStatusList.empty(8, 2)
    for index in range(8):
        values.set(index, SUSPENDED)
    values.set(3, 0)
    assert [values.get(index) for index in range(8)] == [2, 2, 2, 0, 2, 2, 2, 2]
    with pytest.raises(StatusListMalformed):
        values.set(0, 4)
    with pytest.raises(StatusIndexOutOfRange):
        values.get(-1)
    with pytest.raises(StatusListMalformed):
        TokenStatusList(3, b"")
    with pytest.raises(StatusListMalformed):
        sign_status_list_jwt(values, uri=URI, issued_at=THEN, signer=ISSUER, ttl_s=0)
    with pytest.raises(StatusEntryMalformed):
        sign_status_list_jwt(values, uri="", issued_at=THEN, signer=ISSUER)


LST = base64url_encode(zlib.compress(b"\0"))
GOOD: dict[str, Any] = {"sub": URI, "iat": AT, "status_list": {"bits": 1, "lst": LST}}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"sub": None}, StatusListMalformed),
        ({"sub": ""}, StatusListMalformed),
        ({"iat": "x"}, JwsMalformed),
        ({"ttl": 0}, StatusListMalformed),
        ({"ttl": None}, StatusListMalformed),
        ({"ttl": True}, StatusListMalformed),
        ({"status_list": None}, StatusListMalformed),
        ({"status_list": {"bits": 1}}, StatusListMalformed),
        ({"status_list": {"bits": 3, "lst": LST}}, StatusListMalformed),
        ({"status_list": {"bits": True, "lst": LST}}, StatusListMalformed),
        ({"status_list": {"bits": 1, "lst": "!"}}, StatusListMalformed),
        ({"status_list": {"bits": 1, "lst": "AAAA"}}, StatusListMalformed),
        ({"status_list": {"bits": 1, "lst": LST[:-4]}}, StatusListMalformed),
    ],
)
def test_a_list_with_one_fault_is_refused(change: dict[str, Any], error: type) -> None:
    token = sign_compact({**GOOD, **change}, typ=JWT_TYPE, signer=ISSUER)
    with pytest.raises(error):
        verify_status_list_jwt(token, key=ISSUER.public_key, now=THEN)


def test_missing_iat_other_kind_other_key_and_bombs() -> None:
    key = ISSUER.public_key
    for payload, typ, error in (
        ({k: v for k, v in GOOD.items() if k != "iat"}, JWT_TYPE, StatusListMalformed),
        (GOOD, "JWT", JwsTypeMismatch),
    ):
        with pytest.raises(error):
            verify_status_list_jwt(sign_compact(payload, typ=typ, signer=ISSUER), key=key, now=THEN)
    with pytest.raises(SignatureInvalid):
        verify_status_list_jwt(
            sign_compact(GOOD, typ=JWT_TYPE, signer=ISSUER), key=PUBLISHED, now=THEN
        )
    with pytest.raises(LimitExceeded):
        TokenStatusList.unpack(1, zlib.compress(bytes(MAX_LIST + 1)))
    assert len(TokenStatusList.unpack(8, zlib.compress(bytes(MAX_LIST)))) == MAX_LIST
    with pytest.raises(StatusListMalformed):
        TokenStatusList.unpack(1, zlib.compress(b"\0") + b"x")
    with pytest.raises(LimitExceeded):
        TokenStatusList.unpack(1, bytes(4 * 1024 * 1024))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (None, StatusEntryMalformed),
        ({}, StatusTypeUnsupported),
        ({"other": {}}, StatusTypeUnsupported),
        ({"status_list": 1}, StatusEntryMalformed),
        ({"status_list": {"idx": -1, "uri": URI}}, StatusEntryMalformed),
        ({"status_list": {"idx": True, "uri": URI}}, StatusEntryMalformed),
        ({"status_list": {"idx": "1", "uri": URI}}, StatusEntryMalformed),
        ({"status_list": {"idx": 1, "uri": ""}}, StatusEntryMalformed),
        ({"status_list": {"idx": 1}}, StatusEntryMalformed),
    ],
)
def test_references_that_cannot_be_read(status: Any, error: type) -> None:
    with pytest.raises(error):
        StatusReference.parse(status)
    assert StatusReference.parse(StatusReference(7, URI).claim()) == StatusReference(7, URI)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (cbor2.dumps([]), StatusListMalformed),
        (cbor2.dumps({2: URI, 6: AT}), StatusListMalformed),
        (cbor2.dumps({2: URI, 6: AT, 65533: {"bits": 1, "lst": "x"}}), StatusListMalformed),
        (b"\x9f\xff", StatusListMalformed),
        (b"", StatusListMalformed),
    ],
)
def test_cwt_claims_that_cannot_be_read(content: bytes, error: type) -> None:
    with pytest.raises(error):
        verify_status_list_cwt(
            sign1(content, typ=CWT_TYPE, signer=ISSUER), key=ISSUER.public_key, now=THEN
        )


# COSE_Sign1 itself

MESSAGE = sign1(b"{}", typ="application/vc+cose", signer=ISSUER)


def test_a_message_is_bound_to_its_key_and_kind() -> None:
    assert parse_sign1(MESSAGE, typ="application/vc+cose").verify(ISSUER.public_key).payload
    assert parse_sign1(MESSAGE).kid is None
    with pytest.raises(CoseTypeMismatch):
        parse_sign1(MESSAGE, typ=CWT_TYPE)
    with pytest.raises(SignatureInvalid):
        parse_sign1(MESSAGE).verify(PUBLISHED)
    with pytest.raises(CoseAlgorithmRefused):
        parse_sign1(MESSAGE).verify(PrivateKey.generate("Ed25519").public_key)
    with pytest.raises(CoseMalformed):
        sign1(b"", typ="x", signer=ISSUER, header={1: -8})


def _message(protected: Any, unprotected: Any = None, *, signature: bytes = bytes(64)) -> bytes:
    head = protected if isinstance(protected, bytes) else cbor2.dumps(protected)
    return b"\xd2" + cbor2.dumps([head, unprotected or {}, b"{}", signature])


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (b"", CoseMalformed),
        (MESSAGE[1:], CoseMalformed),
        (MESSAGE + b"\0", CoseMalformed),
        (MESSAGE[:-1], CoseMalformed),
        (b"\xd1" + MESSAGE[1:], CoseMalformed),
        (b"\xd2\xa0", CoseMalformed),
        (b"\xd2" + cbor2.dumps([b"", {}, None, b""]), CoseMalformed),
        (_message(b""), CoseAlgorithmRefused),
        (_message({1: -257}), CoseAlgorithmRefused),
        (_message({1: "ES256"}), CoseAlgorithmRefused),
        (_message({}, {1: -7}), CoseAlgorithmRefused),
        (_message({1: -7}, {1: -7}), CoseMalformed),
        (_message({1: -7, 2: [99]}), CoseMalformed),
        (_message({1: -7}, {2: [99]}), CoseMalformed),
        (_message([]), CoseMalformed),
        (_message(b"\xa2\x01\x26\x01\x26"), CoseMalformed),
        (_message({1: -35}), CoseMalformed),
    ],
    # Named, because a signature in an id differs from process to process.
    ids=(
        *("empty", "untagged", "one byte more", "one byte less", "other tag", "no array"),
        *("no payload", "no algorithm", "unknown algorithm", "algorithm as text"),
        *("algorithm unprotected", "algorithm twice", "critical", "critical unprotected"),
        *("header is an array", "header repeats a key", "signature of another length"),
    ),
)
def test_what_is_no_message(message: bytes, error: type) -> None:
    with pytest.raises(error):
        parse_sign1(message)
    with pytest.raises(CoseMalformed):
        _ = parse_sign1(_message({1: -7, 4: 1})).kid


def _never_more_than(work: Callable[[], object]) -> None:
    try:
        work()
    except CredentialError:
        return


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=120), at=st.integers(0, 500), new=st.integers(0, 255))
def test_fuzz_messages_and_lists(data: bytes, at: int, new: int) -> None:
    token = bytearray(bytes.fromhex(DRAFT["cwt"]))
    token[at % len(token)] = new
    _never_more_than(lambda: parse_sign1(data))
    _never_more_than(lambda: parse_sign1(b"\xd2" + data))
    _never_more_than(lambda: verify_status_list_cwt(bytes(token), key=PUBLISHED, now=THEN))
    _never_more_than(lambda: TokenStatusList.unpack(1, data))
    signed = sign1(data, typ=CWT_TYPE, signer=ISSUER)
    _never_more_than(lambda: verify_status_list_cwt(signed, key=ISSUER.public_key, now=THEN))
