"""Presentations and envelopes over the VC-API: bound to their recipient, opened, refused."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from credentials.dids import KeyResolver, did_key, key_url
from credentials.keys import PrivateKey
from credentials.multibase import base64url_encode
from credentials.proofs import (
    ALL_CRYPTOSUITES,
    verify_proof,
)
from credentials.securing import secure
from schemas.names import CONTEXT_V2
from tests.zhenglian.vc_api_client import (
    PLAIN,
    Client,
    code,
    credential,
)
from zhenglian.vc_api.keys import ENVELOPES

# Presentations


def presented(client: Client, name: str, **more: Any) -> dict[str, Any]:
    inner = client.issue(name, credential(client.issuers[name]))
    return {
        "@context": [CONTEXT_V2],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [inner],
        **more,
    }


@pytest.mark.parametrize("name", PLAIN)
def test_a_presentation_is_bound_to_its_recipient(product: Client, name: str) -> None:
    binding = {"challenge": "0123456789abcdef", "domain": "desk.example"}
    answer = product.post(
        f"/{name}/presentations/prove", presentation=presented(product, name), options=binding
    )
    assert answer.status_code == 201, answer.text
    signed = answer.json()["verifiablePresentation"]
    verify_proof(
        signed,
        resolver=KeyResolver(),
        now=datetime.now(UTC),
        purpose="authentication",
        suites=ALL_CRYPTOSUITES,
    )
    path = f"/{name}/presentations/verify"
    answer = product.post(path, verifiablePresentation=signed, options=binding)
    assert answer.status_code == 200, answer.text
    assert [each["verified"] for each in answer.json()["credentialResults"]] == [True]
    for wrong, kind in (("challenge", "CHALLENGE"), ("domain", "DOMAIN")):
        answer = product.post(
            path, verifiablePresentation=signed, options=binding | {wrong: "another one"}
        )
        assert kind in code(answer)
        assert answer.json()["type"].endswith(f"INVALID_{kind}_ERROR")
    answer = product.post(path, verifiablePresentation=signed, options={"domain": "desk.example"})
    assert code(answer) == "ZL-VCAPI-REQUEST"
    altered = copy.deepcopy(signed)
    altered["verifiableCredential"][0]["credentialSubject"]["name"] = "Mallory"
    assert code(product.post(path, verifiablePresentation=altered, options=binding))


def test_a_presentation_under_another_holders_name_is_refused(
    product: Client, suite: Client
) -> None:
    name = "ecdsa-rdfc-2019"
    binding = {"challenge": "0123456789abcdef", "domain": "desk.example"}
    other = presented(product, name, holder="did:example:bob")
    path = f"/{name}/presentations/prove"
    answer = product.post(path, presentation=other, options=binding)
    assert code(answer) == "ZL-VCAPI-PARTY"
    signed = suite.post(path, presentation=other, options=binding).json()["verifiablePresentation"]
    path = f"/{name}/presentations/verify"
    answer = product.post(path, verifiablePresentation=signed, options=binding)
    assert code(answer) == "ZL-CONTROLLER-MISMATCH"
    assert code(product.post(f"/{name}/presentations/prove", presentation=other)) == (
        "ZL-VCAPI-REQUEST"
    )


def test_a_credential_that_does_not_verify_spoils_its_presentation(product: Client) -> None:
    name = "ecdsa-rdfc-2019"
    binding = {"challenge": "0123456789abcdef", "domain": "desk.example"}
    presentation = presented(product, name)
    presentation["verifiableCredential"][0]["credentialSubject"]["name"] = "Mallory"
    signed = product.post(
        f"/{name}/presentations/prove", presentation=presentation, options=binding
    ).json()["verifiablePresentation"]
    answer = product.post(
        f"/{name}/presentations/verify", verifiablePresentation=signed, options=binding
    )
    assert code(answer) == "ZL-SIGNATURE-INVALID"


# Envelopes


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_enveloped_credential_verifies_until_it_is_altered(product: Client, name: str) -> None:
    did = product.index["enveloping"][name]
    envelope = product.issue(name, credential(did), statusPurposes=["revocation"])
    assert envelope["type"] == "EnvelopedVerifiableCredential"
    answer = product.verify(envelope)
    assert answer.json()["checks"] == ["proof", "issuer", "validity", "credentialStatus"]
    head, _, token = envelope["id"].partition(",")
    at = len(token) // 2
    other = "A" if token[at] != "A" else "B"
    altered = envelope | {"id": f"{head},{token[:at]}{other}{token[at + 1 :]}"}
    for wrong in (
        altered,
        envelope | {"id": token},
        envelope | {"type": "VerifiableCredential"},
        envelope | {"@context": []},
        envelope | {"name": "unsigned"},
        {key: value for key, value in envelope.items() if key != "type"},
    ):
        assert code(product.verify(wrong)).startswith("ZL-")


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_enveloped_presentation_is_bound_and_opened(product: Client, name: str) -> None:
    binding = {"challenge": "0123456789abcdef", "domain": "desk.example"}
    did = product.index["enveloping"][name]
    inner = product.issue(name, credential(did))
    presentation = {
        "@context": [CONTEXT_V2],
        "type": ["VerifiablePresentation"],
        "holder": did,
        "verifiableCredential": [inner],
    }
    path = f"/{name}/presentations"
    answer = product.post(f"{path}/prove", presentation=presentation, options=binding)
    assert answer.status_code == 201, answer.text
    envelope = answer.json()["verifiablePresentation"]
    assert envelope["type"] == "EnvelopedVerifiablePresentation"
    answer = product.post(f"{path}/verify", verifiablePresentation=envelope, options=binding)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["credentialResults"]) == 1
    for wrong in ("challenge", "domain"):
        answer = product.post(
            f"{path}/verify", verifiablePresentation=envelope, options=binding | {wrong: "other"}
        )
        assert code(answer).startswith("ZL-")
    # The other way round: an enveloped credential inside a presentation with a proof.
    name = "ecdsa-rdfc-2019"
    mixed = presentation | {"holder": product.issuers[name]}
    answer = product.post(f"/{name}/presentations/prove", presentation=mixed, options=binding)
    signed = answer.json()["verifiablePresentation"]
    answer = product.post(f"{path}/verify", verifiablePresentation=signed, options=binding)
    assert answer.status_code == 200, answer.text


def test_an_envelope_does_not_hide_undefined_terms(product: Client, suite: Client) -> None:
    for client in (product, suite):
        did = client.index["enveloping"]["vc-jwt"]
        document = credential(did, credentialSubject={"id": "did:example:alice", "huh": "what"})
        answer = client.post("/vc-jwt/credentials/issue", credential=document)
        assert code(answer) == "ZL-TERM-UNDEFINED"
        # Somebody else may have signed it all the same.
        key = PrivateKey.generate("P-256")
        document["issuer"] = did_key(key.public_key)
        token = secure(document, form="jwt", signer=key, kid=key_url(key.public_key))
        assert code(client.verify(token.document())) == "ZL-TERM-UNDEFINED"


def test_an_envelope_under_another_name_is_refused(product: Client, suite: Client) -> None:
    key = PrivateKey.generate("P-256")
    stolen = credential(product.index["enveloping"]["vc-jwt"])
    token = secure(stolen, form="jwt", signer=key, kid=key_url(key.public_key))
    for client in (product, suite):
        assert code(client.verify(token.document())) == "ZL-CONTROLLER-MISMATCH"
    answer = product.post("/vc-jwt/credentials/issue", credential=credential("did:example:x"))
    assert code(answer) == "ZL-VCAPI-PARTY"


# SD-JWT


def test_the_holder_of_an_sd_jwt_leaves_out_what_may_be_hidden(
    product: Client, suite: Client
) -> None:
    name = "vc-sd-jwt"
    hidden = ["/credentialSubject/name", "/credentialSubject/id"]
    for client in (product, suite):
        did = client.index["enveloping"][name]
        envelope = client.issue(
            name, credential(did), disclosablePointers=hidden, statusPurposes=["revocation"]
        )
        assert envelope["id"].startswith("data:application/vc+sd-jwt,")
        answer = client.derive(envelope, ["/credentialSubject/name"], name)
        assert answer.status_code == 201, answer.text
        shown = answer.json()["verifiableCredential"]
        disclosures = [each["id"].count("~") - 1 for each in (envelope, shown)]
        assert disclosures == [2, 1]
        for each in (envelope, shown):
            answer = client.verify(each, name)
            assert answer.status_code == 200, answer.text
        token = shown["id"].partition(",")[2]
        signed, disclosure, _ = token.split("~")
        forged = base64url_encode(b'["c2FsdHNhbHRzYWx0c2FsdA","name","Mallory"]')
        for wrong in (
            f"{signed}~{forged}~",
            f"{signed}~{disclosure}~{disclosure}~",
            f"{signed}~{disclosure}",
            signed,
        ):
            broken = shown | {"id": f"data:application/vc+sd-jwt,{wrong}"}
            assert code(client.verify(broken, name)).startswith("ZL-"), wrong


def test_what_verifiers_need_cannot_be_hidden(product: Client) -> None:
    did = product.index["enveloping"]["vc-sd-jwt"]
    for pointer in ("/issuer", "/type", "/credentialStatus", "/@context"):
        answer = product.post(
            "/vc-sd-jwt/credentials/issue",
            credential=credential(did),
            options={"disclosablePointers": [pointer], "statusPurposes": ["revocation"]},
        )
        assert code(answer) == "ZL-SECURED-DOCUMENT", pointer
    answer = product.post(
        "/vc-sd-jwt/credentials/issue",
        credential=credential(did),
        options={"disclosablePointers": ["/nothing"]},
    )
    assert code(answer) == "ZL-POINTER-UNKNOWN"


def test_hiding_is_for_sd_jwt_alone(product: Client) -> None:
    options = {"disclosablePointers": ["/credentialSubject/name"]}
    for name in ("vc-jwt", "vc-cose", "eddsa-rdfc-2022", "ecdsa-sd-2023"):
        did = (product.index["enveloping"] | product.issuers)[name]
        answer = product.post(
            f"/{name}/credentials/issue", credential=credential(did), options=options
        )
        assert code(answer) in ("ZL-SECURED-DOCUMENT", "ZL-VCAPI-FEATURE"), name
    envelope = product.issue("vc-jwt", credential(product.index["enveloping"]["vc-jwt"]))
    answer = product.derive(envelope, ["/credentialSubject/name"], "vc-jwt")
    assert code(answer) == "ZL-CRYPTOSUITE-UNKNOWN"
