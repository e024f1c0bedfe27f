"""What the issuer says about itself: OpenID4VCI metadata, its DID document, its accreditation."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from credentials.dids import ASSERTION, AUTHENTICATION, did_document
from credentials.keys import PublicKey
from issuer.keyring import CREDENTIAL_FRAGMENT, STATUS_FRAGMENT
from issuer.offers import PRE_AUTHORIZED_GRANT
from issuer.settings import Settings
from schemas.names import CONTEXT_V2, ISSUER_SERVICE, STATUS_SERVICE
from schemas.scenario import Scenario
from schemas.texts import LANGUAGES


def well_known(public_url: str, name: str) -> str:
    """The path of a metadata document: between host and path (OpenID4VCI §12.2.2, RFC 8414 §3)."""
    return f"/.well-known/{name}{urlsplit(public_url).path}"


def issuer_metadata(settings: Settings, scenario: Scenario) -> dict[str, Any]:
    """Credential issuer metadata (OpenID4VCI 1.0 §12.2.4, Appendix A.1.2)."""
    return {
        "credential_issuer": settings.public_url,
        "credential_endpoint": f"{settings.public_url}/credential",
        "nonce_endpoint": f"{settings.public_url}/nonce",
        "display": [
            {"name": settings.name[language], "locale": language} for language in LANGUAGES
        ],
        "credential_configurations_supported": {scenario.credential_type: _configuration(scenario)},
    }


def _configuration(scenario: Scenario) -> dict[str, Any]:
    return {
        "format": "ldp_vc",
        "scope": scenario.credential_type,
        "credential_definition": {
            "@context": [CONTEXT_V2, scenario.context_url],
            "type": ["VerifiableCredential", scenario.credential_type],
        },
        "credential_signing_alg_values_supported": ["ecdsa-sd-2023"],
        "cryptographic_binding_methods_supported": ["jwk", "did:key"],
        "proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}},
        "credential_metadata": {
            "display": [
                {"name": scenario.title[language], "locale": language} for language in LANGUAGES
            ],
            "claims": [
                {
                    "path": claim.pointer.strip("/").split("/"),
                    # Appendix B.2: always in the issued credential. What the holder must show
                    # later is another matter.
                    "mandatory": True,
                    "display": [
                        {"name": claim.label[language], "locale": language}
                        for language in LANGUAGES
                    ],
                }
                for claim in scenario.claims
            ],
        },
    }


def authorization_metadata(settings: Settings) -> dict[str, Any]:
    """Authorization server metadata (RFC 8414; OpenID4VCI §12.3)."""
    return {
        "issuer": settings.public_url,
        "token_endpoint": f"{settings.public_url}/token",
        "grant_types_supported": [PRE_AUTHORIZED_GRANT],
        "token_endpoint_auth_methods_supported": ["none"],
        "pre-authorized_grant_anonymous_access_supported": True,
    }


def issuer_document(settings: Settings, keys: dict[str, PublicKey]) -> dict[str, Any]:
    """The DID document: the credential key asserts; the status key asserts and authenticates."""
    return did_document(
        settings.did,
        keys,
        services=[
            {
                "id": "#openid4vci",
                "type": ISSUER_SERVICE,
                "serviceEndpoint": settings.public_url,
            },
            {
                "id": "#status",
                "type": STATUS_SERVICE,
                "serviceEndpoint": f"{settings.public_url}/status",
            },
        ],
        relationships={
            AUTHENTICATION: [STATUS_FRAGMENT],
            ASSERTION: [CREDENTIAL_FRAGMENT, STATUS_FRAGMENT],
        },
    )


def accreditation(
    settings: Settings, scenario: Scenario, keys: dict[str, PublicKey]
) -> dict[str, Any]:
    """What the registry's operator records of this issuer; from when is the operator's to say."""
    return {
        "did": settings.did,
        "name": dict(settings.name),
        "document": issuer_document(settings, keys),
        "types": [scenario.credential_type],
        "chains": sorted({settings.anchor_origin, settings.status_origin}),
        # Nobody else may record lists under these addresses.
        "statusLists": [f"{settings.public_url}/status/"],
    }


def authority_client(settings: Settings, keys: dict[str, PublicKey]) -> dict[str, str]:
    """What the authority records of this issuer, to know its questions by."""
    return {
        "did": settings.did,
        "publicKeyMultibase": keys[STATUS_FRAGMENT].multikey(),
    }
