"""Keys: encodings against jwcrypto and the published vectors, and what must be refused."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
from jwcrypto import jwk as oracle

from credentials.errors import KeyInvalid, SignatureInvalid
from credentials.keys import SIGNATURE_LENGTH, KeyType, PrivateKey, PublicKey
from credentials.multibase import base64url_decode, base64url_encode

VECTORS = Path(os.environ.get("ZL_VECTORS", "../shared/vectors"))
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the published vectors are not here (ZL_VECTORS)"
)
KEY_TYPES: tuple[KeyType, ...] = ("P-256", "P-384", "Ed25519")
P25519 = 2**255 - 19


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_sign_and_verify(key_type: KeyType) -> None:
    key = PrivateKey.generate(key_type)
    signature = key.sign(b"data")
    assert len(signature) == SIGNATURE_LENGTH[key_type]
    key.public_key.verify(signature, b"data")
    for bad, data in (
        (signature, b"datA"),
        (bytes([signature[0] ^ 1]) + signature[1:], b"data"),
        (signature[:-1] + bytes([signature[-1] ^ 1]), b"data"),
        (signature[:-1], b"data"),
        (signature + b"\0", b"data"),
        (b"", b"data"),
        (bytes(len(signature)), b"data"),
        (b"\xff" * len(signature), b"data"),
    ):
        with pytest.raises(SignatureInvalid):
            key.public_key.verify(bad, data)
    with pytest.raises(SignatureInvalid):
        PrivateKey.generate(key_type).public_key.verify(signature, b"data")


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_encodings_return_the_same_key(key_type: KeyType) -> None:
    for number in range(20):  # some coordinates begin with a zero byte
        key = PrivateKey.from_seed(key_type, number.to_bytes(16, "big"))
        public = key.public_key
        assert PublicKey.from_multikey(public.multikey()) == public
        assert PublicKey.from_jwk(public.jwk()) == public
        assert PublicKey.from_tagged(public.tagged()) == public
        assert hash(PublicKey(public.type, public.raw)) == hash(public)
        assert PrivateKey.from_bytes(key_type, key.to_bytes()).public_key == public


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_jwk_agrees_with_jwcrypto(key_type: KeyType) -> None:
    public = PrivateKey.generate(key_type).public_key
    theirs = oracle.JWK.from_json(json.dumps(public.jwk()))
    assert theirs.export_public(as_dict=True) == public.jwk()
    assert theirs.thumbprint() == public.thumbprint()
    made = oracle.JWK.generate(
        **(
            {"kty": "OKP", "crv": "Ed25519"}
            if key_type == "Ed25519"
            else {"kty": "EC", "crv": key_type}
        )
    )
    assert PublicKey.from_jwk(made.export_public(as_dict=True)).thumbprint() == made.thumbprint()


def test_prefixes_of_did_key() -> None:
    prefixes = {"P-256": "zDn", "P-384": "z82", "Ed25519": "z6Mk"}
    for key_type in KEY_TYPES:
        assert PrivateKey.generate(key_type).public_key.multikey().startswith(prefixes[key_type])


@needs_vectors
@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("w3c-vc-di-ecdsa/p256KeyPair.json", "secretKeyMultibase"),
        ("w3c-vc-di-ecdsa/p384KeyPair.json", "secretKeyMultibase"),
        ("w3c-vc-di-eddsa/keyPair.json", "privateKeyMultibase"),
    ],
)
def test_published_key_pairs(name: str, secret: str) -> None:
    pair = json.loads((VECTORS / name).read_text())
    assert (
        PrivateKey.from_multikey(pair[secret]).public_key.multikey() == pair["publicKeyMultibase"]
    )


def test_deterministic_signatures_are_those_of_rfc_6979() -> None:
    # RFC 6979 A.2.5, message "sample"
    key = PrivateKey.from_bytes(
        "P-256",
        bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"),
        deterministic=True,
    )
    assert key.sign(b"sample").hex().upper() == (
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    )
    ordinary = PrivateKey.from_bytes("P-256", key.to_bytes())
    assert ordinary.sign(b"sample") != ordinary.sign(b"sample")


def test_ed25519_signature_of_rfc_8032() -> None:
    # RFC 8032 §7.1, test 2
    key = PrivateKey.from_bytes(
        "Ed25519",
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
    )
    assert key.public_key.raw.hex() == (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    )
    assert key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def _times_eight_is_identity(y: int) -> bool:
    """Whether the point(s) of edwards25519 with coordinate `y` have an order that divides 8."""
    d = -121665 * pow(121666, -1, P25519) % P25519
    x_squared = (y * y - 1) * pow(d * y * y + 1, -1, P25519) % P25519
    x = pow(x_squared, (P25519 + 3) // 8, P25519)
    if x * x % P25519 != x_squared:
        x = x * pow(2, (P25519 - 1) // 4, P25519) % P25519
    assert x * x % P25519 == x_squared
    for _ in range(3):
        product = d * x * x * y * y
        x, y = (
            2 * x * y * pow(1 + product, -1, P25519) % P25519,
            (y * y + x * x) * pow(1 - product, -1, P25519) % P25519,
        )
    return (x, y) == (0, 1)


def test_the_refused_points_are_exactly_those_of_small_order() -> None:
    from credentials.keys import _SMALL_ORDER_Y

    assert len(_SMALL_ORDER_Y) == 5  # 8 points; all but two of them come as (x, y), (-x, y)
    assert all(_times_eight_is_identity(y) for y in _SMALL_ORDER_Y)


@pytest.mark.parametrize(
    "y", [0, 1, P25519 - 1, P25519, P25519 + 1, 2**255 - 1,
          0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7]
)  # fmt: skip
@pytest.mark.parametrize("sign", [0, 1])
def test_ed25519_points_that_sign_anything_are_refused(y: int, sign: int) -> None:
    with pytest.raises(KeyInvalid):
        PublicKey("Ed25519", (y | sign << 255).to_bytes(32, "little"))


def test_points_off_the_curve_are_refused() -> None:
    with pytest.raises(KeyInvalid):
        PublicKey("P-256", b"\x02" + b"\xff" * 32)
    with pytest.raises(KeyInvalid):
        PublicKey("P-256", b"\x04" + bytes(32))
    with pytest.raises(KeyInvalid):
        PublicKey("P-256", bytes(33))
    uncompressed = b"\x04" + bytes(64)
    with pytest.raises(KeyInvalid):
        PublicKey("P-256", uncompressed)
    with pytest.raises(KeyInvalid):
        PublicKey("secp256k1", bytes(33))  # type: ignore[arg-type]


def test_jwk_with_another_y_is_refused() -> None:
    jwk = PrivateKey.generate("P-256").public_key.jwk()
    other = bytearray(base64url_decode(jwk["y"]))
    other[0] ^= 1  # same parity, other value
    with pytest.raises(KeyInvalid):
        PublicKey.from_jwk({**jwk, "y": base64url_encode(bytes(other))})


@pytest.mark.parametrize(
    "change",
    [
        {"d": "AAAA"},
        {"k": "AAAA"},
        {"kty": "oct"},
        {"kty": "OKP"},
        {"kty": ["EC"]},
        {"crv": "secp256k1"},
        {"crv": "P-384"},
        {"crv": ["P-256"]},
        {"x": None},
        {"x": 5},
        {"x": "AAAA"},
        {"x": "A" * 44},
        {"y": "=" * 43},
        {"use": "enc"},
        {"key_ops": ["deriveKey"]},
        {"key_ops": "verify"},
        {"alg": "ES384"},
        {"alg": "none"},
    ],
)
def test_unfit_jwks_are_refused(change: dict[str, object]) -> None:
    jwk: dict[str, object] = dict(PrivateKey.generate("P-256").public_key.jwk())
    assert PublicKey.from_jwk({**jwk, "use": "sig", "alg": "ES256", "kid": "1"}).type == "P-256"
    with pytest.raises(KeyInvalid):
        PublicKey.from_jwk(jwk | change)


@pytest.mark.parametrize("jwk", [None, [], "x", 5, {}])
def test_what_is_no_jwk_is_refused(jwk: object) -> None:
    with pytest.raises(KeyInvalid):
        PublicKey.from_jwk(jwk)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "z",
        "z1",
        "uAAAA",
        "zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTW",
        "z" + "2" * 5000,
        "z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc",  # X25519, which cannot sign
    ],
)
def test_unfit_multikeys_are_refused(text: str) -> None:
    with pytest.raises(KeyInvalid):
        PublicKey.from_multikey(text)
    with pytest.raises(KeyInvalid):
        PrivateKey.from_multikey(text)


def test_secrets_out_of_range_are_refused() -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for scalar in (0, order, 2**256 - 1):
        with pytest.raises(KeyInvalid):
            PrivateKey.from_bytes("P-256", scalar.to_bytes(32, "big"))
    with pytest.raises(KeyInvalid):
        PrivateKey.from_bytes("Ed25519", bytes(31))
    with pytest.raises(KeyInvalid):
        PrivateKey.from_seed("P-256", b"short")


def test_a_seed_always_leads_to_the_same_key() -> None:
    keys = {PrivateKey.from_seed(t, b"seed" * 8).public_key.multikey() for t in KEY_TYPES}
    assert len(keys) == 3
    again = PrivateKey.from_seed("P-256", b"seed" * 8).public_key.multikey()
    assert again in keys


def test_secrets_do_not_leak() -> None:
    for key_type in KEY_TYPES:
        key = PrivateKey.generate(key_type)
        shown = repr(key) + str(key)
        assert key.to_bytes().hex() not in shown
        assert base64url_encode(key.to_bytes()) not in shown
        with pytest.raises(TypeError):
            pickle.dumps(key)
