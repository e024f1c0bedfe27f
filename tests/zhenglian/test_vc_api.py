"""The VC-API server, over real HTTPS: both modes, what it issues, verifies and derives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from credentials.did_jwk import did_jwk, jwk_key_url
from credentials.dids import KeyResolver
from credentials.keys import PrivateKey
from credentials.proofs import (
    ALL_CRYPTOSUITES,
    add_proof,
    verify_credential,
)
from schemas.digests import digest_multibase
from schemas.names import CONTEXT_V2
from tests.zhenglian.vc_api_client import (
    ALL,
    EXAMPLES,
    EXPERIMENTAL,
    LEGACY,
    PLAIN,
    SELECTIVE,
    Client,
    code,
    credential,
)
from zhenglian.vc_api.app import MODE_HEADER
from zhenglian.vc_api.contexts import known_contexts
from zhenglian.vc_api.keys import ENVELOPES

# What it says of itself


def test_the_index_names_an_issuer_for_every_cryptosuite_and_key(product: Client) -> None:
    assert set(product.issuers) == set(ALL)
    assert {name.removesuffix("-p384") for name in product.issuers} == set(ALL_CRYPTOSUITES)
    assert set(product.index["enveloping"]) == set(ENVELOPES)
    assert product.index["experimental"] == EXPERIMENTAL
    assert product.index["legacy"] == LEGACY
    assert "ecdsa-rdfc-2019-p384" in product.issuers
    assert len(set(product.issuers.values())) == len(ALL)
    assert product.index["mode"] == "product"
    assert "warning" not in product.index


def test_the_proof_only_mode_says_so_in_every_answer(suite: Client, product: Client) -> None:
    assert suite.index["mode"] == "proof-only"
    assert "NOT" in suite.index["warning"]
    for answer in (suite.http.get("/"), suite.http.get("/nowhere"), suite.verify({})):
        assert "NOT checked" in answer.headers[MODE_HEADER]
    assert product.http.get("/").headers[MODE_HEADER] == "product"


# Issue, verify, derive


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_issued_verifies_here_and_in_the_kernel(product: Client, name: str) -> None:
    issued = product.issue(name, credential(product.issuers[name]))
    assert verify_credential(
        issued, resolver=KeyResolver(), now=datetime.now(UTC), suites=ALL_CRYPTOSUITES
    )
    answer = product.verify(issued, name)
    assert answer.status_code == 200
    assert answer.json()["checks"] == ["proof", "issuer", "validity", "credentialStatus"]
    issued["credentialSubject"]["name"] = "Mallory"
    assert code(product.verify(issued, name)) == "ZL-SIGNATURE-INVALID"


@pytest.mark.parametrize("name", [*EXPERIMENTAL, *LEGACY])
def test_a_suite_outside_the_default_counts_at_its_own_address_only(
    product: Client, suite: Client, name: str
) -> None:
    expected = "ZL-CRYPTOSUITE-LEGACY" if name in LEGACY else "ZL-CRYPTOSUITE-EXPERIMENTAL"
    for client in (product, suite):
        did = client.issuers[name]
        issued = client.issue(name, credential(did))
        presentation = {
            "@context": [CONTEXT_V2],
            "type": ["VerifiablePresentation"],
            "holder": did,
            "verifiableCredential": [issued],
        }
        binding = {"challenge": "0123456789abcdef", "domain": "desk.example"}
        path = f"/{name}/presentations/prove"
        proven = client.post(path, presentation=presentation, options=binding).json()
        sent = {"verifiablePresentation": proven["verifiablePresentation"], "options": binding}
        assert client.verify(issued, name).status_code == 200
        assert client.post(f"/{name}/presentations/verify", **sent).status_code == 200
        for other in ("eddsa-rdfc-2022", "vc-jwt", "bbs-2023"):
            assert code(client.verify(issued, other)) == expected
            answer = client.post(f"/{other}/presentations/verify", **sent)
            assert code(answer) == expected


@pytest.mark.parametrize("name", SELECTIVE)
def test_a_holder_derives_and_only_the_derived_form_verifies(product: Client, name: str) -> None:
    base = product.issue(
        name, credential(product.issuers[name]), mandatoryPointers=["/issuer", "/validFrom"]
    )
    code(product.verify(base, name))
    answer = product.post(
        f"/{name}/credentials/derive",
        verifiableCredential=base,
        options={"selectivePointers": ["/credentialSubject/id"]},
    )
    assert answer.status_code == 201, answer.text
    shown = answer.json()["verifiableCredential"]
    assert shown["credentialSubject"] == {"id": "did:example:alice"}
    assert product.verify(shown, name).status_code == 200


def test_deriving_verifies_what_it_derives_from(product: Client) -> None:
    name = "ecdsa-sd-2023"
    base = product.issue(name, credential(product.issuers[name]), mandatoryPointers=["/issuer"])
    base["credentialSubject"]["name"] = "Mallory"
    answer = product.post(
        f"/{name}/credentials/derive",
        verifiableCredential=base,
        options={"selectivePointers": ["/credentialSubject/name"]},
    )
    assert code(answer).startswith("ZL-")


def test_a_pointer_to_nothing_is_an_error_at_both_ends(product: Client) -> None:
    name = "ecdsa-sd-2023"
    answer = product.post(
        f"/{name}/credentials/issue",
        credential=credential(product.issuers[name]),
        options={"mandatoryPointers": ["/nothing"]},
    )
    assert code(answer) == "ZL-POINTER-UNKNOWN"
    base = product.issue(name, credential(product.issuers[name]), mandatoryPointers=["/issuer"])
    answer = product.post(
        f"/{name}/credentials/derive",
        verifiableCredential=base,
        options={"selectivePointers": ["/nothing"]},
    )
    assert code(answer) == "ZL-POINTER-UNKNOWN"


def test_a_key_named_by_did_jwk_verifies(product: Client) -> None:
    key = PrivateKey.generate("P-256")
    signed = add_proof(
        credential(did_jwk(key.public_key)),
        cryptosuite="ecdsa-rdfc-2019",
        signer=key,
        verification_method=jwk_key_url(key.public_key),
        created=datetime.now(UTC),
    )
    assert product.verify(signed).status_code == 200
    # A name that somebody would have to be asked about is not known here.
    signed["proof"]["verificationMethod"] = "did:web:example.org#key-1"
    assert code(product.verify(signed), 400, 422).startswith("ZL-DID-")


# What only the product mode checks


def test_the_product_signs_under_no_other_name(product: Client, suite: Client) -> None:
    stranger = credential("https://example.org/university")
    answer = product.post("/eddsa-rdfc-2022/credentials/issue", credential=stranger)
    assert code(answer) == "ZL-VCAPI-PARTY"
    # Proof-only: signs and verifies, and the product still refuses the result.
    issued = suite.issue("eddsa-rdfc-2022", stranger)
    assert suite.verify(issued).json()["checks"] == ["proof"]
    assert code(product.verify(issued)) == "ZL-CONTROLLER-MISMATCH"


def test_the_product_refuses_what_is_not_in_force(product: Client, suite: Client) -> None:
    name = "eddsa-rdfc-2022"
    for period, expected in (
        ({"validFrom": "2024-01-01T00:00:00Z", "validUntil": "2024-02-01T00:00:00Z"}, "EXPIRED"),
        ({"validFrom": "2999-01-01T00:00:00Z"}, "NOT-YET-VALID"),
    ):
        issued = product.issue(name, credential(product.issuers[name], **period))
        answer = product.verify(issued)
        assert expected in code(answer)
        assert answer.json()["type"].endswith("#RANGE_ERROR")
        assert suite.verify(issued).status_code == 200


def test_a_status_that_cannot_be_known_is_neither_verified_nor_revoked(product: Client) -> None:
    name = "eddsa-rdfc-2022"
    entry = {
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "7",
        "statusListCredential": "https://example.org/status/1",
    }
    issued = product.issue(name, credential(product.issuers[name], credentialStatus=entry))
    assert code(product.verify(issued), 422) == "ZL-VCAPI-STATUS-UNKNOWN"


def test_documents_bring_contexts_of_their_own_only_in_the_proof_only_mode(
    product: Client, suite: Client
) -> None:
    name = "eddsa-rdfc-2022"
    own = {"nick": "https://example.org/nick"}
    document = credential(
        product.issuers[name],
        **{"@context": [CONTEXT_V2, own]},
        credentialSubject={"id": "did:example:alice", "nick": "Al"},
    )
    answer = product.post(f"/{name}/credentials/issue", credential=document)
    assert code(answer).startswith("ZL-")
    assert suite.verify(suite.issue(name, document)).status_code == 200
    example = credential(product.issuers[name], **{"@context": [CONTEXT_V2, EXAMPLES]})
    answer = product.post(f"/{name}/credentials/issue", credential=example)
    assert code(answer, 422) == "ZL-CONTEXT-UNKNOWN"
    assert suite.verify(suite.issue(name, example)).status_code == 200
    # Where the context of proofs has to be brought in, one's own may stand among the others.
    old: dict[str, Any] = {
        **document,
        "@context": ["https://www.w3.org/2018/credentials/v1", own],
        "issuanceDate": "2024-01-01T00:00:00Z",
    }
    del old["validFrom"]
    for other in (name, *LEGACY):
        issued = suite.issue(other, old)
        assert len(issued["@context"]) == 3
        assert suite.verify(issued, other).status_code == 200
        assert code(product.post(f"/{other}/credentials/issue", credential=old)) == "ZL-MODEL"


def test_a_related_resource_is_the_one_that_the_issuer_meant(
    product: Client, suite: Client
) -> None:
    name = "eddsa-rdfc-2022"
    held = known_contexts([]).record(CONTEXT_V2).data
    for client in (product, suite):
        path = f"/{name}/credentials/issue"
        for data, status in ((held, 201), (held + b" ", 400)):
            resource = {"id": CONTEXT_V2, "digestMultibase": digest_multibase(data)}
            document = credential(client.issuers[name], relatedResource=resource)
            answer = client.post(path, credential=document)
            assert answer.status_code == status
        assert code(answer) == "ZL-MODEL-RESOURCE"


def test_credentials_of_version_1_pass_only_in_the_proof_only_mode(
    product: Client, suite: Client
) -> None:
    name = "ecdsa-rdfc-2019"
    old = {
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "type": ["VerifiableCredential"],
        "issuer": suite.issuers[name],
        "issuanceDate": "2024-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:alice"},
    }
    issued = suite.issue(name, old)
    # VC-DI §2.4.2: what version 1.1 does not define is brought in by a context.
    assert issued["@context"][-1] == "https://w3id.org/security/data-integrity/v2"
    assert suite.verify(issued).status_code == 200
    assert code(product.verify(issued)) == "ZL-MODEL"
    changes: tuple[dict[str, Any], ...] = (
        {"issuanceDate": "yesterday"},
        {"issuer": "nobody"},
        {"type": ["Thing"]},
        {"credentialSubject": []},
        {"id": "not a url"},
    )
    for broken in changes:
        answer = suite.post(f"/{name}/credentials/issue", credential=old | broken)
        assert code(answer) == "ZL-MODEL", broken
