"""The unsigned credential: what the issuer is about to say, composed from what was confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from credentials.dids import did_key
from credentials.keys import PublicKey
from issuer.times import stamp
from schemas.names import CONTEXT_V2
from schemas.resident_identity import age_claims
from schemas.scenario import Scenario


@dataclass(frozen=True)
class Evidence:
    """Which authority confirmed the data, when, and the digest of its signed answer."""

    authority: str
    checked_at: str
    reply_digest: str


@dataclass(frozen=True)
class Placement:
    """A bit of a status list."""

    url: str
    index: int


def compose(
    scenario: Scenario,
    *,
    issuer: str,
    holder: PublicKey,
    application: Mapping[str, str],
    evidence: Evidence,
    revocation: Placement,
    suspension: Placement,
    valid_from: datetime,
    valid_until: datetime,
) -> dict[str, Any]:
    """A resident identity credential. It has no `id`: the holder would be linked by it.

    The ages are those of `valid_from` in China; the schema's rules check them again.
    """
    born = date.fromisoformat(application["birthDate"])
    return {
        "@context": [CONTEXT_V2, scenario.context_url],
        "type": ["VerifiableCredential", scenario.credential_type],
        "issuer": issuer,
        "validFrom": stamp(valid_from),
        "validUntil": stamp(valid_until),
        "credentialStatus": [
            _status("revocation", revocation),
            _status("suspension", suspension),
        ],
        "credentialSchema": {
            "id": scenario.schema_url,
            "type": "JsonSchema",
            "digestMultibase": scenario.schema_digest,
        },
        "evidence": [
            {
                "type": ["AuthorityCheck"],
                "authority": evidence.authority,
                "checkedAt": evidence.checked_at,
                "replyDigest": evidence.reply_digest,
            }
        ],
        "credentialSubject": {
            "id": did_key(holder),
            "type": "Resident",
            "name": application["name"],
            "sex": application["sex"],
            "ethnicity": application["ethnicity"],
            "birthDate": application["birthDate"],
            "citizenNumber": application["citizenNumber"],
            "division": application["division"],
            **age_claims(born, valid_from),
        },
    }


def _status(purpose: str, placement: Placement) -> dict[str, str]:
    return {
        "type": "BitstringStatusListEntry",
        "statusPurpose": purpose,
        "statusListIndex": str(placement.index),
        "statusListCredential": placement.url,
    }
