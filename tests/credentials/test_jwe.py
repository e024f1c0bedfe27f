"""Compact JWE: the key agreement of RFC 7518 appendix C, and everything that is refused."""

from __future__ import annotations

import json
import pickle
import zlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from credentials.errors import (
    CredentialError,
    JweKeyUnfit,
    JweMalformed,
    JweRefused,
    JweUndecipherable,
    LimitExceeded,
)
from credentials.jwe import (
    MAX_PLAINTEXT_BYTES,
    ContentEncryption,
    EncryptionKey,
    Recipient,
    decrypt,
    encrypt,
)
from credentials.multibase import base64url_decode, base64url_encode

# RFC 7518 appendix C: Bob's static key, Alice's ephemeral one, and the key that follows.
BOB = EncryptionKey(base64url_decode("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"))
ALICE_PUBLIC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
    "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
}
AGREED = base64url_decode("VqqN6vgjbSBcIijNcacQGg")
KEY = EncryptionKey.generate("k1")
MESSAGE = '{"vp_token":{"q":["欧阳"]}}'.encode()


def made(header: dict[str, Any], key: bytes, payload: bytes, encrypted_key: str = "") -> str:
    """A compact JWE by the primitives alone."""
    protected = base64url_encode(json.dumps(header).encode())
    nonce = bytes(range(12))
    sealed = AESGCM(key).encrypt(nonce, payload, protected.encode())
    parts = (nonce, sealed[:-16], sealed[-16:])
    return ".".join([protected, encrypted_key, *map(base64url_encode, parts)])


def test_the_key_agreement_of_rfc_7518() -> None:
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "apu": "QWxpY2U", "apv": "Qm9i"}
    opened = decrypt(made({**header, "epk": ALICE_PUBLIC}, AGREED, MESSAGE), [BOB])
    assert opened.payload == MESSAGE
    assert (opened.producer, opened.consumer) == (b"Alice", b"Bob")


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
def test_round_trip(enc: ContentEncryption) -> None:
    token = encrypt(MESSAGE, KEY.recipient, enc=enc, producer=b"nonce", consumer=b"did:web:desk")
    opened = decrypt(token, [EncryptionKey.generate("k0"), KEY])
    assert opened.payload == MESSAGE
    assert opened.key_id == "k1"
    assert opened.header["enc"] == enc
    assert (opened.producer, opened.consumer) == (b"nonce", b"did:web:desk")
    assert MESSAGE.decode() not in repr(opened)


def test_a_key_survives_as_bytes_and_stays_out_of_sight() -> None:
    again = EncryptionKey(KEY.to_bytes(), "k1")
    assert decrypt(encrypt(b"x", again.recipient), [KEY]).payload == b"x"
    assert Recipient.from_jwk(KEY.recipient.jwk()) == KEY.recipient
    assert base64url_encode(KEY.to_bytes()) not in repr(KEY) + str(KEY.recipient.jwk())
    with pytest.raises(TypeError):
        pickle.dumps(KEY)


def refused_tokens() -> dict[str, tuple[str, type[CredentialError]]]:
    good = {
        "alg": "ECDH-ES",
        "enc": "A128GCM",
        "epk": ALICE_PUBLIC,
        "apu": "QWxpY2U",
        "apv": "Qm9i",
    }
    whole = made(good, AGREED, MESSAGE)

    def header(**members: Any) -> str:
        return made({**good, **members}, AGREED, MESSAGE)

    def part(index: int, text: str) -> str:
        parts = whole.split(".")
        parts[index] = text
        return ".".join(parts)

    packed = zlib.compressobj(wbits=-15)
    bomb = packed.compress(bytes(10**8)) + packed.flush()
    ring = JWK.generate(kty="oct", size=128)
    wrapped = JWE(b"x", protected='{"alg":"A128KW","enc":"A128GCM"}', recipient=ring)
    return {
        "compressed": (made({**good, "zip": "DEF"}, AGREED, bomb), JweRefused),
        "critical": (header(crit=["exp"], exp=1), JweRefused),
        "another algorithm": (wrapped.serialize(compact=True), JweRefused),
        "direct": (header(alg="dir"), JweRefused),
        "wrapping": (header(alg="ECDH-ES+A128KW"), JweRefused),
        "unauthenticated mode": (header(enc="A128CBC-HS256"), JweRefused),
        "algorithm of another type": (header(alg=["ECDH-ES"]), JweRefused),
        "encrypted key": (part(1, "AAAA"), JweRefused),
        "off the curve": (header(epk={**ALICE_PUBLIC, "y": ALICE_PUBLIC["x"]}), JweRefused),
        "another curve": (header(epk={**ALICE_PUBLIC, "crv": "secp256k1"}), JweRefused),
        "ephemeral secret": (header(epk={**ALICE_PUBLIC, "d": "AA"}), JweRefused),
        "no ephemeral key": (header(epk=None), JweMalformed),
        "embedded key": (header(jwk=ALICE_PUBLIC), JweRefused),
        "address": (header(jku="https://keys.example"), JweRefused),
        "kid of another type": (header(kid=7), JweMalformed),
        "long party": (header(apu="A" * 900), JweMalformed),
        "party not base64": (header(apu="A="), JweMalformed),
        "four parts": (whole.rpartition(".")[0], JweMalformed),
        "padding": (part(3, "AA=="), JweMalformed),
        "header not JSON": (part(0, "AAAA"), JweMalformed),
        "header repeats a name": (
            part(0, base64url_encode(b'{"alg":"dir","alg":"ECDH-ES"}')),
            JweMalformed,
        ),
        "long header": (part(0, "A" * 9000), LimitExceeded),
        "long token": ("A" * 5_000_000, LimitExceeded),
        "other apv": (header(apv="QWxpY2U"), JweUndecipherable),
        "unknown kid": (header(kid="k9"), JweUndecipherable),
        "cut tag": (part(4, whole.split(".")[4][:8]), JweUndecipherable),
        "short nonce": (part(2, "AAAA"), JweUndecipherable),
        "no nonce": (part(2, ""), JweUndecipherable),
        "altered": (part(3, base64url_encode(b"\x00" * len(MESSAGE))), JweUndecipherable),
    }


REFUSED = refused_tokens()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused(name: str) -> None:
    token, error = REFUSED[name]
    with pytest.raises(error) as caught:
        decrypt(token, [BOB])
    assert type(caught.value) is error
    if error is JweUndecipherable:
        # All alike, with nothing behind them: who tries learns nothing.
        assert (str(caught.value), caught.value.params) == (str(JweUndecipherable()), {})
        assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_which_key_must_be_certain() -> None:
    token = encrypt(b"x", Recipient(KEY.recipient.key))
    assert decrypt(token, [KEY]).payload == b"x"
    with pytest.raises(JweUndecipherable):
        decrypt(token, [KEY, EncryptionKey.generate("k2")])
    with pytest.raises(JweUndecipherable):
        decrypt(token, [])


def test_sizes_are_bounded() -> None:
    largest = encrypt(bytes(MAX_PLAINTEXT_BYTES), KEY.recipient)
    assert len(decrypt(largest, [KEY]).payload) == MAX_PLAINTEXT_BYTES
    with pytest.raises(LimitExceeded):
        encrypt(bytes(MAX_PLAINTEXT_BYTES + 1), KEY.recipient)
    with pytest.raises(LimitExceeded):
        encrypt(b"x", KEY.recipient, producer=bytes(513))


@pytest.mark.parametrize(
    "change",
    [
        {"use": "sig"},
        {"alg": "ES256"},
        {"alg": "RSA-OAEP"},
        {"key_ops": ["verify"]},
        {"crv": "P-384"},
        {"kty": "OKP"},
        {"y": ALICE_PUBLIC["y"]},
        {"x": "AA"},
        {"d": "AA"},
        {"kid": "a\nb"},
        {"kid": "k" * 600},
        {"kid": 1},
    ],
)
def test_keys_that_are_not_encrypted_to(change: dict[str, Any]) -> None:
    with pytest.raises(JweKeyUnfit):
        Recipient.from_jwk({**KEY.recipient.jwk(), **change})


@pytest.mark.parametrize("scalar", [b"", bytes(32), b"\xff" * 32, bytes(31)])
def test_scalars_that_are_no_keys(scalar: bytes) -> None:
    with pytest.raises(JweKeyUnfit):
        EncryptionKey(scalar)


def test_the_offered_key_must_be_an_object() -> None:
    with pytest.raises(JweKeyUnfit):
        Recipient.from_jwk("P-256")


@given(st.data())
def test_a_changed_token_is_never_opened(data: st.DataObject) -> None:
    token = encrypt(MESSAGE, KEY.recipient)
    at = data.draw(st.integers(0, len(token) - 1))
    changed = token[:at] + data.draw(st.characters(max_codepoint=0x17F)) + token[at + 1 :]
    if changed != token:
        with pytest.raises(CredentialError):
            decrypt(changed, [KEY])
