"""The resident identity credential that the kernel is measured with: synthetic, and full."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from credentials.dids import did_key, key_url
from credentials.keys import PrivateKey
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT
from schemas.scenario import load_scenario

CREATED = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
HOLDER = PrivateKey.from_seed("P-256", b"benchmark holder, not a real key")


def resident_credential(issuer: str) -> dict[str, Any]:
    """An unsigned credential with every claim, as the issuer would sign it."""
    scenario = load_scenario("resident-identity")
    lists = "https://data.hangzhou.example/status"
    return {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", scenario.credential_type],
        "issuer": issuer,
        "validFrom": "2026-11-22T00:00:00Z",
        "validUntil": "2027-11-22T00:00:00Z",
        "credentialStatus": [
            {
                "type": "BitstringStatusListEntry",
                "statusPurpose": purpose,
                "statusListIndex": "94567",
                "statusListCredential": f"{lists}/{number}",
            }
            for number, purpose in ((1, "revocation"), (2, "suspension"))
        ],
        "credentialSchema": {
            "id": scenario.schema_url,
            "type": "JsonSchema",
            "digestMultibase": scenario.schema_digest,
        },
        "evidence": [
            {
                "type": ["AuthorityCheck"],
                "authority": "did:web:psb.example",
                "checkedAt": "2026-11-22T07:59:00Z",
                "replyDigest": scenario.schema_digest,
            }
        ],
        "credentialSubject": {
            "id": did_key(HOLDER.public_key),
            "type": "Resident",
            "name": "陈思远",
            "sex": "female",
            "ethnicity": "汉",
            "birthDate": "1949-12-31",
            "citizenNumber": "11010519491231002X",
            "division": "110105",
            "ageOver14": True,
            "ageOver16": True,
            "ageOver18": True,
            "ageOver60": True,
            "ageOver65": True,
        },
    }


def issuer_key(kind: str) -> tuple[PrivateKey, str, str]:
    """(key, DID, verification method) of an issuer that is a did:key."""
    key = PrivateKey.from_seed(kind, b"benchmark issuer, not a real key")  # type: ignore[arg-type]
    return key, did_key(key.public_key), key_url(key.public_key)
