"""Ed25519Signature2020 against Digital Bazaar's JavaScript package, both ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from credentials.dids import KeyResolver, did_key, key_url
from credentials.errors import CryptosuiteLegacy, SignatureInvalid
from credentials.keys import PrivateKey
from credentials.proofs import WITH_LEGACY, add_proof, verify_credential
from schemas.names import CONTEXT_V2

PACKAGES = [
    "jsonld-signatures",
    "@digitalbazaar/data-integrity",
    "@digitalbazaar/ed25519-signature-2020",
    "@digitalbazaar/ed25519-verification-key-2020",
]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "@context": [CONTEXT_V2],
    "type": ["VerifiableCredential"],
    "validFrom": "2026-11-22T00:00:00Z",
    # A character beyond the basic plane, one from the compatibility block, and quotes.
    "credentialSubject": {"id": "did:example:holder", "name": '欧阳𠮷\ufa11"\\'},
}


@pytest.fixture
def ask(ask_peer: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    return partial(ask_peer, "ed25519_2020_peer.mjs", PACKAGES)


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "credentialSubject": {**document["credentialSubject"], "name": "另一人"}}


def test_both_ways(ask: Callable[..., list[Any]]) -> None:
    key = PrivateKey.generate("Ed25519")
    ours = add_proof(
        {**DOCUMENT, "issuer": did_key(key.public_key)},
        cryptosuite="Ed25519Signature2020",
        signer=key,
        verification_method=key_url(key.public_key),
        created=NOW,
        suites=WITH_LEGACY,
    )
    theirs, good, bad = ask(
        [
            {"do": "issue", "document": DOCUMENT, "created": "2026-11-22T09:00:00Z"},
            {"do": "verify", "document": ours},
            {"do": "verify", "document": renamed(ours)},
        ]
    )
    assert (good, bad) == (True, False)
    assert "cryptosuite" not in theirs["proof"]
    verify_credential(theirs, resolver=KeyResolver(), now=NOW, suites=WITH_LEGACY)
    with pytest.raises(SignatureInvalid):
        verify_credential(renamed(theirs), resolver=KeyResolver(), now=NOW, suites=WITH_LEGACY)
    with pytest.raises(CryptosuiteLegacy):
        verify_credential(theirs, resolver=KeyResolver(), now=NOW)
