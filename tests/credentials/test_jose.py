"""Signed tokens: agreement with jwcrypto, and everything a token may not do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto import jwk as oracle_jwk
from jwcrypto import jws as oracle_jws

from credentials.errors import (
    CredentialError,
    JwsAlgorithmRefused,
    JwsMalformed,
    JwsTypeMismatch,
    LimitExceeded,
    SignatureInvalid,
)
from credentials.jose import MAX_TOKEN, parse_compact, sign_compact
from credentials.keys import KeyType, PrivateKey
from credentials.multibase import base64url_encode

KEY_TYPES: tuple[KeyType, ...] = ("P-256", "P-384", "Ed25519")
KEY = PrivateKey.from_seed("P-256", b"the key of this test")
PAYLOAD = {"iss": "did:web:data.example", "name": "张三", "n": [1, {"a": True}]}


def segment(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64url_encode(text.encode())


def forge(header: object, payload: object = PAYLOAD, key: PrivateKey = KEY) -> str:
    encoded = f"{segment(header)}.{segment(payload)}"
    return f"{encoded}.{base64url_encode(key.sign(encoded.encode()))}"


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_what_is_signed_here_verifies_here_and_with_jwcrypto(key_type: KeyType) -> None:
    key = PrivateKey.generate(key_type)
    token = sign_compact(PAYLOAD, typ="zl-test+jwt", signer=key, kid="did:key:z#z")
    parsed = parse_compact(token, typ="zl-test+jwt")
    assert parsed.kid == "did:key:z#z"
    verified = parsed.verify(key.public_key)
    assert verified.payload == PAYLOAD
    assert verified.public_key == key.public_key

    theirs = oracle_jws.JWS()
    theirs.deserialize(token, oracle_jwk.JWK(**key.public_key.jwk()))
    assert json.loads(theirs.payload) == PAYLOAD


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_what_jwcrypto_signs_verifies_here(key_type: KeyType) -> None:
    key = PrivateKey.generate(key_type)
    secret = oracle_jwk.JWK(**key.public_key.jwk(), d=base64url_encode(key.to_bytes()))
    algorithm = {"P-256": "ES256", "P-384": "ES384", "Ed25519": "EdDSA"}[key_type]
    theirs = oracle_jws.JWS(json.dumps(PAYLOAD).encode())
    theirs.add_signature(secret, protected=json.dumps({"alg": algorithm, "typ": "JWT"}))
    parsed = parse_compact(theirs.serialize(compact=True), typ="jwt")
    assert parsed.verify(key.public_key).payload == PAYLOAD
    assert parsed.kid is None


def test_example_of_rfc_8037() -> None:
    # RFC 8037 appendix A.1-A.5; its payload is no JSON object, so the parser must refuse it
    token = (
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt"
        "9g7sVvpAr_MuM0KAg"
    )
    with pytest.raises(JwsMalformed):
        parse_compact(token)


def test_a_changed_token_is_refused() -> None:
    token = sign_compact(PAYLOAD, typ="t", signer=KEY)
    header, payload, signature = token.split(".")
    for changed in (
        f"{header}.{segment({**PAYLOAD, 'name': '李四'})}.{signature}",
        f"{segment({'alg': 'ES256', 'typ': 't', 'kid': 'x'})}.{payload}.{signature}",
        f"{header}.{payload}.{base64url_encode(bytes(64))}",
    ):
        with pytest.raises(SignatureInvalid):
            parse_compact(changed).verify(KEY.public_key)
    with pytest.raises(SignatureInvalid):
        parse_compact(token).verify(PrivateKey.generate("P-256").public_key)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "HS256", "RS256", "ES256K", "", None, 5, ["ES256"]]
)
def test_algorithms_that_are_refused(algorithm: object) -> None:
    with pytest.raises(JwsAlgorithmRefused):
        parse_compact(forge({"alg": algorithm}))
    with pytest.raises(JwsAlgorithmRefused):
        parse_compact(forge({"typ": "x"}))


def test_an_unsigned_token_is_refused() -> None:
    with pytest.raises(JwsAlgorithmRefused):
        parse_compact(f"{segment({'alg': 'none'})}.{segment(PAYLOAD)}.")
    with pytest.raises(JwsMalformed):
        parse_compact(f"{segment({'alg': 'ES256'})}.{segment(PAYLOAD)}.")


def test_the_key_decides_the_algorithm() -> None:
    token = forge({"alg": "EdDSA"})  # signed with a P-256 key, says Ed25519
    with pytest.raises(JwsAlgorithmRefused):
        parse_compact(token).verify(KEY.public_key)
    edwards = PrivateKey.generate("Ed25519")
    assert parse_compact(forge({"alg": "Ed25519"}, key=edwards)).verify(edwards.public_key)
    with pytest.raises(JwsAlgorithmRefused):
        parse_compact(forge({"alg": "ES256"}, key=edwards)).verify(edwards.public_key)


@pytest.mark.parametrize(
    "extension",
    [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"b64": True}, {"zip": "DEF"}, {"enc": "x"}],
)
def test_extensions_are_refused(extension: dict[str, Any]) -> None:
    with pytest.raises(JwsMalformed):
        parse_compact(forge({"alg": "ES256", **extension}))
    with pytest.raises(JwsMalformed):
        sign_compact(PAYLOAD, typ="t", signer=KEY, extra_header=extension)


@pytest.mark.parametrize("member", ["alg", "typ", "kid"])
def test_fixed_members_cannot_be_overridden(member: str) -> None:
    with pytest.raises(JwsMalformed):
        sign_compact(PAYLOAD, typ="t", signer=KEY, extra_header={member: "none"})


def test_kinds_of_token_are_kept_apart() -> None:
    token = sign_compact(PAYLOAD, typ="zl-receipt+jwt", signer=KEY)
    assert parse_compact(token, typ="ZL-Receipt+JWT")
    assert parse_compact(
        forge({"alg": "ES256", "typ": "application/zl-receipt+jwt"}), typ="zl-receipt+jwt"
    )
    for other in ("jwt", "zl-application+jwt", ""):
        with pytest.raises(JwsTypeMismatch):
            parse_compact(token, typ=other)
    for header in ({"alg": "ES256"}, {"alg": "ES256", "typ": 5}):
        with pytest.raises(JwsTypeMismatch):
            parse_compact(forge(header), typ="zl-receipt+jwt")


GOOD = sign_compact(
    PAYLOAD, typ="t", signer=PrivateKey.from_seed("P-256", b"0" * 32, deterministic=True)
)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "..",
        "a.b",
        GOOD + ".x",
        GOOD + "=",
        GOOD + "\n",
        " " + GOOD,
        GOOD[:-1],
        GOOD[:-2],
        GOOD.replace(".", "=.", 1),
        GOOD.replace("e", "+", 1),
        "é" + GOOD[1:],
        forge("not json"),
        forge([]),
        forge('{"alg":"ES256","alg":"ES256"}'),
        forge({"alg": "ES256"}, "null"),
        forge({"alg": "ES256"}, "[]"),
        forge({"alg": "ES256"}, '{"a":1,"a":2}'),
        forge({"alg": "ES256"}, '{"a":NaN}'),
        forge({"alg": "ES256"}, '{"a":"\\ud800"}'),
        forge({"alg": "ES256"}, '{"a":' + "[" * 5000 + "]" * 5000 + "}"),
        forge({"alg": "ES256", "x": "y" * 10000}),
        f"{segment({'alg': 'ES384'})}.{segment({})}.{base64url_encode(bytes(64))}",
        5,
        None,
    ],
)
def test_malformed_tokens(token: Any) -> None:
    parse_compact(GOOD)
    with pytest.raises(JwsMalformed):
        parse_compact(token)


def test_too_long_a_token_is_not_read() -> None:
    with pytest.raises(LimitExceeded):
        parse_compact(forge({"alg": "ES256"}, {"x": "y" * MAX_TOKEN}))


def test_too_long_a_payload_is_not_signed() -> None:
    with pytest.raises(JwsMalformed):
        sign_compact({"x": "y" * MAX_TOKEN}, typ="t", signer=KEY)


def test_the_key_in_the_header() -> None:
    token = sign_compact(PAYLOAD, typ="t", signer=KEY, extra_header={"jwk": KEY.public_key.jwk()})
    parsed = parse_compact(token)
    assert parsed.header_jwk() == KEY.public_key
    assert parsed.verify(parsed.header_jwk()).payload == PAYLOAD
    for jwk in (None, {}, "x", {**KEY.public_key.jwk(), "d": "AAAA"}):
        with pytest.raises(JwsMalformed):
            parse_compact(forge({"alg": "ES256", "jwk": jwk})).header_jwk()
    with pytest.raises(JwsMalformed):
        _ = parse_compact(forge({"alg": "ES256", "kid": 5})).kid


@given(
    st.integers(0, len(GOOD)),
    st.integers(0, 6),
    st.text(alphabet="AZaz09-_.=+/ é\n", max_size=6),
)
def test_a_token_has_one_spelling(position: int, length: int, patch: str) -> None:
    changed = GOOD[:position] + patch + GOOD[position + length :]
    if changed == GOOD:
        return
    with pytest.raises(CredentialError):
        parse_compact(changed).verify(PrivateKey.from_seed("P-256", b"0" * 32).public_key)
