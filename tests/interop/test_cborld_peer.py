"""CBOR-LD against @digitalbazaar/cborld and @digitalbazaar/vpqr, byte for byte where they can.

Skipped with the reason when node or the packages are absent (see `conftest.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import Any

import pytest

from credentials.contexts import bundled_contexts
from credentials.qr import decode, decode_qr_text, encode, encode_qr_text
from schemas.names import CONTEXT_V2, PRESENTATION_CONTEXT, RESIDENT_CONTEXT, RESIDENT_SCHEMA

PEERS = ["@digitalbazaar/cborld", "@digitalbazaar/vpqr"]

CREDENTIAL: dict[str, Any] = {
    "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
    "type": ["VerifiableCredential", "ResidentIdentityCredential"],
    "issuer": "did:web:data.hangzhou.zhenglian.example",
    "validFrom": "2026-11-22T00:00:00Z",
    "validUntil": "2031-11-22T00:00:00.123Z",
    "credentialStatus": [
        {
            "type": "BitstringStatusListEntry",
            "statusPurpose": purpose,
            "statusListIndex": "94567",
            "statusListCredential": f"https://data.example/status/{number}",
        }
        for number, purpose in ((1, "revocation"), (2, "suspension"))
    ],
    "credentialSchema": {
        "id": RESIDENT_SCHEMA,
        "type": "JsonSchema",
        "digestMultibase": "uEiC5TRWmUa9xPkk3FmLwMcN-I6nxTlaB1rCuKPw4b7rQkg",
    },
    "evidence": [
        {
            "type": ["AuthorityCheck"],
            "authority": "https://authority.example:8443/",
            "checkedAt": "1969-12-31T23:59:00Z",
            "replyDigest": "zQmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
        }
    ],
    "credentialSubject": {
        "id": "did:key:zDnaenvjfEiW4dhNFRWtGzAyZ4K5EWUHqP2f5aA6uPmCh33x8",
        "type": "Resident",
        "name": "欧阳雪丽",
        "sex": "female",
        "birthDate": "1949-10-01",
        "ageOver18": True,
    },
    "proof": {
        "type": "DataIntegrityProof",
        "cryptosuite": "ecdsa-sd-2023",
        "created": "2026-11-22T00:00:00Z",
        "verificationMethod": "did:web:data.hangzhou.zhenglian.example#key-1",
        "proofPurpose": "assertionMethod",
        "proofValue": "u2V0BhVhAUe-mlZD4jZpY1_jtU848Azbjjdevhm10fJo-_qfL9ThaaM5SYpLvVqSCvaCqF2o8",
    },
}
ODDITIES: dict[str, Any] = {
    "@context": [CONTEXT_V2],
    "id": "urn:uuid:188e8450-269e-11eb-b545-d3692cf35398",
    "type": ["VerifiableCredential", "BitstringStatusListCredential"],
    "issuer": {"id": "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "name": "x"},
    "evidence": {"id": "data:text/plain;base64,AAEC", "type": "Evidence"},
    "undefined": [1, -5, None, True, False, {"a": []}, ["revocation"]],
    "credentialSubject": {"id": "https://example.com:8443/s#list", "type": "BitstringStatusList"},
}
PRESENTATION: dict[str, Any] = {
    "@context": [CONTEXT_V2, PRESENTATION_CONTEXT],
    "type": ["VerifiablePresentation"],
    "anchorProof": "uAAECAwQFBgcICQ",
    "verifiableCredential": [CREDENTIAL],
    "proof": {
        "type": "DataIntegrityProof",
        "cryptosuite": "ecdsa-rdfc-2019",
        "created": "2026-11-22T08:00:00Z",
        "expires": "2026-11-22T08:02:00Z",
        "verificationMethod": (
            "did:key:zDnaenvjfEiW4dhNFRWtGzAyZ4K5EWUHqP2f5aA6uPmCh33x8"
            "#zDnaenvjfEiW4dhNFRWtGzAyZ4K5EWUHqP2f5aA6uPmCh33x8"
        ),
        "proofPurpose": "authentication",
        "domain": "did:web:housing.example",
        "challenge": "0gAM7eCltK0UBxMlgZCRmg",
        "proofValue": "zgyTX63xu9gsM3iB3xSK9wWntPU9rbiz54igSgwCqHv28PQehXdFHLk7775SeaTUw9a3pw7f4fG",
    },
}


@pytest.fixture
def ask(ask_peer: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    table = json.loads(files("credentials.qr").joinpath("type_table.json").read_text("utf-8"))
    return partial(ask_peer, "cborld_peer.mjs", PEERS, table=table)


@pytest.mark.parametrize("document", [CREDENTIAL, ODDITIES], ids=["credential", "oddities"])
def test_credentials_are_the_same_bytes_at_both(
    ask: Callable[..., list[Any]], document: dict[str, Any]
) -> None:
    ours = encode(document)
    theirs, read = ask([{"encode": document}, {"decode": ours.hex()}])
    assert theirs == ours.hex()
    assert read == document
    assert decode(bytes.fromhex(theirs)) == document


def test_the_qr_text_of_a_credential_is_read_by_the_peer(ask: Callable[..., list[Any]]) -> None:
    text = encode_qr_text(CREDENTIAL)
    (read,) = ask([{"unframe": text, "header": "VC1-"}])
    assert read == CREDENTIAL == decode_qr_text(text)


def test_presentations_are_the_same_bytes_where_the_peer_can_read_contexts(
    ask: Callable[..., list[Any]],
) -> None:
    # The peer fails on the null context that verifiableCredential has in credentials v2
    # (version 8.1.0). With an empty one in its place it reads our presentations, and its own
    # bytes are ours: the terms that a reset takes away come back with the credential's contexts.
    bent = bundled_contexts().document(CONTEXT_V2)
    scoped = bent["@context"]["VerifiablePresentation"]["@context"]["verifiableCredential"]
    assert scoped["@context"] is None
    scoped["@context"] = {}
    ours = encode(PRESENTATION)
    theirs, read = ask(
        [{"encode": PRESENTATION}, {"decode": ours.hex()}], replaced={CONTEXT_V2: bent}
    )
    assert theirs == ours.hex()
    assert read == PRESENTATION
