"""Requests that no desk's own software would make, and what a wallet warns of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from credentials.exchange import PresentationRequest
from credentials.keys import PrivateKey
from credentials.query import DcqlQuery
from tests.wallet.conftest import Town
from wallet.views import WarningKind

NAME = "/credentialSubject/name"
ADULT = "/credentialSubject/ageOver18"


def foreign_request(town: Town, key: PrivateKey, did: str, kid: str, **changes: Any) -> str:
    members = {
        "client_id": did,
        "verifier_name": {"en": "Ministry of Everything"},
        "purpose": {"en": "Because"},
        "entitlement": "bus-card",
        "dcql": DcqlQuery.for_claims("ResidentIdentityCredential", [NAME]),
        "nonce": "n" * 22,
        "issued_at": town.clock(),
        "expires": town.clock() + timedelta(minutes=5),
    } | changes
    return PresentationRequest(**members).sign(key, kid)


def desk_request(town: Town, **changes: Any) -> str:
    """Signed by the accredited desk, but not what its own software would ask."""
    desk = town.desk
    return foreign_request(
        town,
        desk._signer,
        desk.settings.did,
        desk.settings.key_url,
        verifier_name=desk.settings.name,
        purpose={"zh-CN": "办理老年公交卡", "en": "Senior bus card"},
        **changes,
    )


def kinds(warnings: Any) -> list[WarningKind]:
    return [warning.kind for warning in warnings]
