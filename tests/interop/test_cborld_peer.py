"""CBOR-LD against @digitalbazaar/cborld and @digitalbazaar/vpqr, byte for byte where they can.

Install the peers outside the repository and name the place:
`npm install --prefix DIR` with this folder's package.json, then `ZL_INTEROP_NODE=DIR`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from credentials.contexts import bundled_contexts
from credentials.qr import decode, decode_qr_text, encode, encode_qr_text
from schemas.names import CONTEXT_V2, PRESENTATION_CONTEXT, RESIDENT_CONTEXT, RESIDENT_SCHEMA

HERE = Path(__file__).parent
PEERS = ("@digitalbazaar/cborld", "@digitalbazaar/vpqr")
# The longest a start of node with three documents may take here.
PATIENCE = 60

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


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder that holds the peers; skips with the reason when something is missing."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    place = os.environ.get("ZL_INTEROP_NODE")
    if not place:
        pytest.skip("ZL_INTEROP_NODE does not name the folder of the npm peers")
    missing = [name for name in PEERS if not (Path(place) / "node_modules" / name).is_dir()]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed in ZL_INTEROP_NODE")
    return Path(place)


def ask(
    modules: Path, steps: list[dict[str, Any]], replaced: dict[str, Any] | None = None
) -> list[Any]:
    store = bundled_contexts()
    request = {
        "modules": str(modules.resolve()),
        "contexts": {url: store.document(url) for url in store} | (replaced or {}),
        "table": json.loads(files("credentials.qr").joinpath("type_table.json").read_text("utf-8")),
        "steps": steps,
    }
    done = subprocess.run(
        ["node", str(HERE / "cborld_peer.mjs")],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    answers = json.loads(done.stdout)
    assert [answer["error"] for answer in answers if "error" in answer] == []
    return [answer["value"] for answer in answers]


@pytest.mark.parametrize("document", [CREDENTIAL, ODDITIES], ids=["credential", "oddities"])
def test_credentials_are_the_same_bytes_at_both(modules: Path, document: dict[str, Any]) -> None:
    ours = encode(document)
    theirs, read = ask(modules, [{"encode": document}, {"decode": ours.hex()}])
    assert theirs == ours.hex()
    assert read == document
    assert decode(bytes.fromhex(theirs)) == document


def test_the_qr_text_of_a_credential_is_read_by_the_peer(modules: Path) -> None:
    text = encode_qr_text(CREDENTIAL)
    (read,) = ask(modules, [{"unframe": text, "header": "VC1-"}])
    assert read == CREDENTIAL == decode_qr_text(text)


def test_presentations_are_the_same_bytes_where_the_peer_can_read_contexts(modules: Path) -> None:
    # The peer fails on the null context that verifiableCredential has in credentials v2
    # (version 8.1.0). With an empty one in its place it reads our presentations, and its own
    # bytes are ours: the terms that a reset takes away come back with the credential's contexts.
    bent = bundled_contexts().document(CONTEXT_V2)
    scoped = bent["@context"]["VerifiablePresentation"]["@context"]["verifiableCredential"]
    assert scoped["@context"] is None
    scoped["@context"] = {}
    ours = encode(PRESENTATION)
    theirs, read = ask(
        modules, [{"encode": PRESENTATION}, {"decode": ours.hex()}], {CONTEXT_V2: bent}
    )
    assert theirs == ours.hex()
    assert read == PRESENTATION
