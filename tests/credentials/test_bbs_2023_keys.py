"""Keys of BBS: one spelling, no other use, and what is none."""

from __future__ import annotations

import pytest

from credentials.dids import KeyResolver, did_document
from credentials.errors import (
    BbsMalformed,
    JwsAlgorithmRefused,
    KeyInvalid,
    SignatureInvalid,
)
from credentials.jose import sign_compact
from credentials.keyfile import seal, unseal
from credentials.keys import SIGNATURE_LENGTH, PrivateKey, PublicKey
from credentials.multibase import multibase_base58
from tests.credentials.bbs_credentials import (
    DID,
    KEY,
    METHOD,
)


def test_keys_have_one_spelling_and_stay_themselves() -> None:
    assert DID.startswith("did:key:zUC7")
    public = PublicKey.from_multikey(KEY.public_key.multikey())
    assert public == KEY.public_key
    assert public.tagged()[:2] == b"\xeb\x01"
    assert SIGNATURE_LENGTH["Bls12381G2"] == 80
    again = PrivateKey.from_bytes("Bls12381G2", KEY.to_bytes())
    assert again.public_key == KEY.public_key
    secret = multibase_base58(b"\x8a\x26" + KEY.to_bytes())
    assert PrivateKey.from_multikey(secret).public_key == KEY.public_key
    assert PrivateKey.generate("Bls12381G2").public_key != KEY.public_key
    assert KEY.to_bytes().hex() not in repr(KEY)
    assert unseal(seal(KEY.to_bytes(), "a passphrase"), "a passphrase") == KEY.to_bytes()
    fragment = METHOD.rpartition("#")[2]
    document = did_document(DID, {fragment: KEY.public_key})
    assert KEY.public_key.multikey() in str(document)
    resolved = KeyResolver().resolve(METHOD, "assertionMethod")
    assert resolved.public_key == KEY.public_key


def test_a_bbs_key_signs_and_verifies_no_bytes() -> None:
    with pytest.raises(KeyInvalid):
        KEY.sign(b"bytes")
    for signature in (b"", bytes(80), KEY.sign_statements(b"", [b"bytes"])):
        with pytest.raises(SignatureInvalid):
            KEY.public_key.verify(signature, b"bytes")
    with pytest.raises(JwsAlgorithmRefused):
        sign_compact({}, typ="test+jwt", signer=KEY, kid=METHOD)
    with pytest.raises(KeyInvalid):
        KEY.public_key.jwk()
    with pytest.raises(KeyInvalid):
        KEY.public_key.thumbprint()


def test_other_keys_are_no_bbs_keys() -> None:
    other = PrivateKey.from_seed("P-256", b"a key of another type, for tests")
    with pytest.raises(KeyInvalid):
        other.sign_statements(b"", [])
    with pytest.raises(KeyInvalid):
        _ = other.public_key.bbs
    with pytest.raises(BbsMalformed):
        KEY.sign_statements(b"", [], nym_entropy=bytes(31) + b"\1")


@pytest.mark.parametrize(
    "raw", [bytes(96), b"\xff" * 96, b"\xc0" + bytes(95), KEY.public_key.raw[:-1], b""]
)
def test_points_that_are_no_keys(raw: bytes) -> None:
    with pytest.raises(KeyInvalid):
        PublicKey("Bls12381G2", raw)
    with pytest.raises(KeyInvalid):
        PublicKey.from_tagged(b"\xeb\x01" + raw)


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32, bytes(31), b""])
def test_secrets_that_are_no_keys(secret: bytes) -> None:
    with pytest.raises(KeyInvalid):
        PrivateKey.from_bytes("Bls12381G2", secret)
