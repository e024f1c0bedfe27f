"""The VC-API server, over real HTTPS: both modes, every operation, and what it refuses."""

from __future__ import annotations

import copy
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credentials.bbs.blind import commit
from credentials.canonical import default_canonicalizer
from credentials.did_jwk import did_jwk, jwk_key_url
from credentials.dids import ASSERTION, KeyResolver, did_key, key_url
from credentials.errors import KeyfileMalformed
from credentials.keys import PrivateKey
from credentials.multibase import multibase_base64
from credentials.proofs import (
    CRYPTOSUITES,
    add_proof,
    bbs_2023,
    verify_credential,
    verify_proof,
)
from credentials.securing import secure
from credentials.status import parse_status_list
from credentials.status_messages import SizedStatusEntry, SizedStatusList
from schemas.digests import digest_multibase
from schemas.errors import ExitCode, ZhenglianError
from schemas.names import CONTEXT_V2
from zhenglian.vc_api import errors
from zhenglian.vc_api.app import MAX_BODY, MODE_HEADER
from zhenglian.vc_api.contexts import known_contexts
from zhenglian.vc_api.keys import ENVELOPES, addresses, fresh_parties, kept_parties
from zhenglian.vc_api.problems import problem
from zhenglian.vc_api.server import Server

ROOT = Path(__file__).parents[2]
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
ALL = sorted(set(addresses(CRYPTOSUITES)) - set(ENVELOPES))
SELECTIVE = [name for name in ALL if "-sd-" in name or name.startswith("bbs-")]
PLAIN = [name for name in ALL if name not in SELECTIVE]


class Client:
    """One server and what it said of itself."""

    def __init__(self, server: Server) -> None:
        self.http = httpx.Client(base_url=server.url, verify=False, timeout=20)  # noqa: S501 - self-signed
        self.index = self.http.get("/").json()
        self.issuers: dict[str, str] = self.index["issuers"]

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(path, json=body)

    def issue(self, name: str, credential: dict[str, Any], **options: Any) -> dict[str, Any]:
        answer = self.post(f"/{name}/credentials/issue", credential=credential, options=options)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()["verifiableCredential"]
        return found

    def verify(self, credential: Any, name: str = "eddsa-rdfc-2022") -> httpx.Response:
        return self.post(f"/{name}/credentials/verify", verifiableCredential=credential)


def serving(*, proof_only: bool) -> Iterator[Client]:
    server = Server(
        fresh_parties(CRYPTOSUITES),
        known_contexts([], conformance=proof_only),
        proof_only=proof_only,
    )
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,))
    thread.start()
    assert ready.wait(10)
    client = Client(server)
    try:
        yield client
    finally:
        client.http.close()  # the server waits for open connections
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def product() -> Iterator[Client]:
    yield from serving(proof_only=False)


@pytest.fixture(scope="module")
def suite() -> Iterator[Client]:
    yield from serving(proof_only=True)


def credential(issuer: str, **more: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT_V2],
        "id": f"urn:uuid:{os.urandom(8).hex()}-0000",
        "type": ["VerifiableCredential"],
        "issuer": issuer,
        "validFrom": "2024-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:alice", "name": "Alice"},
        **more,
    }


def code(answer: httpx.Response, *statuses: int) -> str:
    assert answer.status_code in (statuses or (400,)), answer.text
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == answer.status_code
    assert told["type"].startswith("https://")
    assert told["verified"] is False
    found: str = told["code"]
    return found


# What it says of itself


def test_the_index_names_an_issuer_for_every_cryptosuite_and_key(product: Client) -> None:
    assert set(product.issuers) == set(ALL)
    assert {name.removesuffix("-p384") for name in product.issuers} == set(CRYPTOSUITES)
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
    assert verify_credential(issued, resolver=KeyResolver(), now=datetime.now(UTC))
    answer = product.verify(issued, name)
    assert answer.status_code == 200
    assert answer.json()["checks"] == ["proof", "issuer", "validity", "credentialStatus"]
    issued["credentialSubject"]["name"] = "Mallory"
    assert code(product.verify(issued, name)) == "ZL-SIGNATURE-INVALID"


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


def test_bbs_is_issued_to_a_holders_commitment(product: Client) -> None:
    """VC-DI-BBS §3.5.1: what the official suite names and leaves to be written."""
    name = "bbs-2023"
    document = credential(product.issuers[name])
    for feature, nym in (("anonymous_holder_binding", None), ("pseudonym", os.urandom(31))):
        secret = os.urandom(32)
        prover_nym = None if nym is None else b"\0" + nym
        commitment, opening = commit([secret], prover_nym=prover_nym)
        sent = multibase_base64(commitment)
        issued = product.issue(name, document, featureOption=feature, commitmentWithProof=sent)
        key = KeyResolver().resolve(issued["proof"]["verificationMethod"], ASSERTION).public_key
        bbs_2023.verify_base(
            issued, public_key=key, holder=opening, canonicalizer=default_canonicalizer()
        )
        path = f"/{name}/credentials/issue"
        wrong: tuple[dict[str, Any], ...] = (
            {"featureOption": feature},
            {"featureOption": feature, "commitmentWithProof": 7},
            {"featureOption": feature, "commitmentWithProof": "u!"},
            {"featureOption": feature, "commitmentWithProof": sent[:-8]},
            {"commitmentWithProof": sent},
            {"featureOption": "telepathy"},
        )
        for options in wrong:
            answer = product.post(path, credential=document, options=options)
            assert code(answer).startswith("ZL-"), options
            assert answer.json()["type"].endswith("#PROOF_GENERATION_ERROR")
    answer = product.post(
        "/ecdsa-sd-2023/credentials/issue",
        credential=credential(product.issuers["ecdsa-sd-2023"]),
        options={"featureOption": "pseudonym", "commitmentWithProof": sent},
    )
    assert code(answer) == "ZL-VCAPI-FEATURE"


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
    for broken in (
        {"issuanceDate": "yesterday"},
        {"issuer": "nobody"},
        {"type": ["Thing"]},
        {"credentialSubject": []},
        {"id": "not a url"},
    ):
        answer = suite.post(f"/{name}/credentials/issue", credential=old | broken)
        assert code(answer) == "ZL-MODEL", broken


# Status lists


def test_a_status_is_published_set_and_cleared(product: Client, suite: Client) -> None:
    name = "ecdsa-rdfc-2019"
    purposes = ["revocation", "suspension"]
    issued = product.issue(name, credential(product.issuers[name]), statusPurposes=purposes)
    assert product.verify(issued).status_code == 200
    entry = issued["credentialStatus"][1]
    assert entry["statusPurpose"] == "suspension"

    def published() -> bool:
        answer = product.http.get(entry["statusListCredential"])
        document = answer.json()
        assert answer.headers["content-type"] == "application/json"
        verify_credential(document, resolver=KeyResolver(), now=datetime.now(UTC))
        return parse_status_list(document).bits.get(int(entry["statusListIndex"]))

    assert not published()
    for value in (True, False):
        answer = product.post(
            f"/{name}/credentials/status",
            credentialId=issued["id"],
            credentialStatus={
                "type": "BitstringStatusListEntry",
                "statusPurpose": "suspension",
            },
            status=value,
        )
        assert answer.status_code == 200, answer.text
        assert published() is value
        verdict = product.verify(issued)
        if value:
            assert code(verdict) == "ZL-VCAPI-STATUS-SET"
        else:
            assert verdict.status_code == 200
    media = product.http.get(entry["statusListCredential"], headers={"accept": "application/vc"})
    assert media.headers["content-type"] == "application/vc"


def test_only_its_own_issuer_speaks_about_a_credential(product: Client) -> None:
    mine = product.issue(
        "ecdsa-rdfc-2019",
        credential(product.issuers["ecdsa-rdfc-2019"]),
        statusPurposes=["revocation"],
    )
    name = "eddsa-rdfc-2022"
    other = credential(product.issuers[name], credentialStatus=mine["credentialStatus"])
    assert code(product.verify(product.issue(name, other)), 422) == "ZL-VCAPI-STATUS-UNKNOWN"


def test_a_status_of_nobody_cannot_be_set(product: Client) -> None:
    name = "ecdsa-rdfc-2019"
    status = {"type": "BitstringStatusListEntry", "statusPurpose": "revocation"}
    path = f"/{name}/credentials/status"
    answer = product.post(path, credentialId="urn:x:none", credentialStatus=status)
    assert code(answer) == "ZL-VCAPI-STATUS-ENTRY"
    answer = product.post(path, credentialId="urn:x:none", credentialStatus=status, status="yes")
    assert code(answer) == "ZL-VCAPI-REQUEST"
    document = credential(product.issuers[name])
    product.issue(name, document, statusPurposes=["revocation"])
    for options in (
        {"statusPurposes": ["revocation"]},  # the same id again
        {"statusPurposes": ["message"], "credentialId": "urn:x:other"},
    ):
        answer = product.post(f"/{name}/credentials/issue", credential=document, options=options)
        assert code(answer) == "ZL-VCAPI-REQUEST"


def test_a_message_is_a_state_and_no_verdict(product: Client, suite: Client) -> None:
    name = "ecdsa-rdfc-2019"
    words = ["received", "in work", "granted", "withdrawn"]
    options = {
        "statusPurposes": ["revocation"],
        "statusMessages": words,
        "statusSize": 2,
        "statusReference": "https://registry.example/states",
    }
    issued = product.issue(name, credential(product.issuers[name]), **options)
    entry = SizedStatusEntry.parse(issued["credentialStatus"][1])
    assert entry.messages == tuple(words)
    assert issued["credentialStatus"][1]["id"].startswith("urn:uuid:")
    path = f"/{name}/credentials/status"
    status = {"type": "BitstringStatusListEntry", "statusPurpose": "message"}

    def published() -> str:
        found = SizedStatusList.parse(product.http.get(entry.list_url).json())
        return found.value(entry).message or ""

    assert published() == "received"
    answer = product.post(path, credentialId=issued["id"], credentialStatus=status, status=2)
    assert answer.status_code == 200
    assert published() == "granted"
    assert product.verify(issued).status_code == 200
    answer = product.post(path, credentialId=issued["id"], credentialStatus=status, status=4)
    assert code(answer) == "ZL-VCAPI-REQUEST"
    # As many messages as bits is how the official suite counts; the product counts values.
    two = {"statusMessages": words[:2], "statusSize": 2}
    path = f"/{name}/credentials/issue"
    document = credential(product.issuers[name])
    assert code(product.post(path, credential=document, options=two)) == "ZL-VCAPI-REQUEST"
    odd = suite.issue(name, credential(suite.issuers[name]), **two)
    assert code(product.verify(odd), 400).startswith("ZL-")
    for wrong in (
        {"statusSize": 2},
        {"statusReference": "https://a.example"},
        {"statusMessages": "text"},
        {"statusMessages": words, "statusSize": "2"},
        {"statusMessages": words, "statusSize": 2, "statusReference": 7},
    ):
        answer = product.post(path, credential=document, options=wrong)
        assert code(answer) == "ZL-VCAPI-REQUEST", wrong


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
    verify_proof(signed, resolver=KeyResolver(), now=datetime.now(UTC), purpose="authentication")
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


# Bad requests


def test_bad_requests_are_named_and_never_a_defect(product: Client) -> None:
    path = "/eddsa-rdfc-2022/credentials/verify"
    http = product.http
    json_type = {"content-type": "application/json"}
    cases: list[tuple[bytes, dict[str, str], int, str]] = [
        (b"", json_type, 400, "ZL-JSON"),
        (b"[]", json_type, 400, "ZL-JSON"),
        (b"{", json_type, 400, "ZL-JSON"),
        (b'{"a":1,"a":2}', json_type, 400, "ZL-JSON"),
        (b"\xff", json_type, 400, "ZL-JSON"),
        (b"{}", {"content-type": "text/plain"}, 400, "ZL-VCAPI-REQUEST"),
        (b"{}", {}, 400, "ZL-VCAPI-REQUEST"),
        (b"{}", json_type, 400, "ZL-VCAPI-REQUEST"),
        (b'{"verifiableCredential":"text"}', json_type, 400, "ZL-VCAPI-REQUEST"),
        (b'{"verifiableCredential":{},"options":1}', json_type, 400, "ZL-VCAPI-REQUEST"),
        (b'{"verifiableCredential":{},"options":{"skip":1}}', json_type, 400, "ZL-VCAPI-OPTION"),
        (b'{"verifiableCredential":{},"domain":"x"}', json_type, 400, "ZL-VCAPI-REQUEST"),
        (b'{"verifiableCredential":{}}', json_type, 400, "ZL-MODEL"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, json_type, 413, "ZL-LIMIT"),
        (b'{"a":' * 200_000, json_type, 413, "ZL-"),
        (b'"' + b"x" * MAX_BODY + b'"', json_type, 413, "ZL-VCAPI-TOO-LARGE"),
    ]
    for body, headers, status, expected in cases:
        answer = http.post(path, content=body, headers=headers)
        assert code(answer, status).startswith(expected), body[:40]
        assert len(answer.content) < 4000


def test_a_body_without_a_length_is_read_up_to_the_limit(product: Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 64 * 1024

    answer = product.http.post(
        "/eddsa-rdfc-2022/credentials/issue",
        content=chunks(),
        headers={"content-type": "application/json"},
    )
    assert code(answer, 413) == "ZL-VCAPI-TOO-LARGE"


def test_wrong_addresses_and_methods_are_named(product: Client) -> None:
    for path in ("/nowhere", "/rsa-2048/credentials/issue", "/eddsa-rdfc-2022/credentials/burn"):
        assert code(product.post(path), 404) == "ZL-VCAPI-ADDRESS"
    lists = "/eddsa-rdfc-2022/status-lists"
    assert code(product.http.get(f"{lists}/message"), 404) == "ZL-VCAPI-ADDRESS"
    assert code(product.http.get("/none/status-lists/revocation"), 404) == "ZL-VCAPI-ADDRESS"
    assert code(product.http.delete("/"), 405) == "ZL-VCAPI-METHOD"


def test_too_many_things_are_refused_before_they_cost(product: Client) -> None:
    name = "eddsa-rdfc-2022"
    issued = product.issue(name, credential(product.issuers[name]))
    answer = product.verify(issued | {"proof": [issued["proof"]] * 50})
    assert code(answer) == "ZL-PROOF-MALFORMED"
    deep: dict[str, Any] = {"id": "did:example:alice"}
    for _ in range(50):
        deep = {"id": "did:example:alice", "name": [deep]}
    document = credential(product.issuers[name], credentialSubject=deep)
    answer = product.post(f"/{name}/credentials/issue", credential=document)
    assert code(answer, 400, 413).startswith("ZL-")
    wide = credential(product.issuers[name], **{"@context": [CONTEXT_V2] * 200})
    answer = product.post(f"/{name}/credentials/issue", credential=wide)
    assert code(answer, 400, 413).startswith("ZL-")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
MEMBERS = ("@context", "id", "type", "issuer", "credentialSubject", "proof", "validFrom")
PROOF_MEMBERS = (
    "type",
    "cryptosuite",
    "verificationMethod",
    "proofPurpose",
    "proofValue",
    "created",
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_mutated_documents_never_find_a_defect(product: Client, data: st.DataObject) -> None:
    name = data.draw(
        st.sampled_from(["ecdsa-sd-2023", "bbs-2023", "eddsa-rdfc-2022", "ecdsa-jcs-2019"])
    )
    if name not in product.issuers:
        return
    issued = product.issue(name, credential(product.issuers[name]))
    if data.draw(st.booleans()):
        issued["proof"][data.draw(st.sampled_from(PROOF_MEMBERS))] = data.draw(JSON)
    else:
        issued[data.draw(st.sampled_from(MEMBERS))] = data.draw(JSON)
    for answer in (
        product.verify(issued, name),
        product.post(f"/{name}/credentials/issue", credential=issued),
        product.post(
            f"/{name}/credentials/derive",
            verifiableCredential=issued,
            options={"selectivePointers": data.draw(st.lists(st.text(max_size=6), max_size=2))},
        ),
    ):
        assert answer.status_code in (200, 201, 400, 413, 422), answer.text


# DID resolution


def resolved(client: Client, identifier: str, **options: str) -> tuple[int, dict[str, Any]]:
    from urllib.parse import quote

    answer = client.http.get(f"/1.0/identifiers/{quote(identifier, safe='')}", params=options)
    return answer.status_code, answer.json()


def test_a_did_key_resolves_to_its_document(product: Client) -> None:
    for did in product.issuers.values():
        status, told = resolved(product, did)
        assert status == 200
        assert told["didDocument"]["id"] == did
        method = told["didDocument"]["verificationMethod"][0]
        assert method["publicKeyMultibase"] == did.removeprefix("did:key:")
        status, told = resolved(product, method["id"])
        assert (status, told["didDocument"]["controller"]) == (200, did)
    did = product.issuers["eddsa-rdfc-2022"]
    _, told = resolved(product, did, publicKeyFormat="JsonWebKey2020")
    assert told["didDocument"]["verificationMethod"][0]["publicKeyJwk"]["crv"] == "Ed25519"


def test_resolution_names_its_errors(product: Client) -> None:
    did = product.issuers["eddsa-rdfc-2022"]
    name = did.removeprefix("did:key:")
    for identifier, options, expected in (
        (f"notdid:key:{name}", {}, "invalidDid"),
        (f"did:experimental:{name}", {}, "methodNotSupported"),
        (f"did:key:-4:{name}", {}, "invalidDid"),
        (f"did:key:{name[1:]}", {}, "invalidDid"),
        ("did:key:@", {}, "invalidDid"),
        ("did:key:zTjsVPtY", {}, "invalidPublicKeyLength"),
        (did, {"publicKeyFormat": "unknown"}, "unsupportedPublicKeyType"),
        (did, {"publicKeyFormat": "Ed25519VerificationKey2018"}, "invalidPublicKeyType"),
    ):
        status, told = resolved(product, identifier, **options)
        assert status in (400, 501)
        assert told["didResolutionMetadata"]["error"] == expected, identifier
    for identifier, expected in (
        (f"{did}/^bar^/?query=`#{name}", "invalidDidUrl"),
        (f"{did}#other", "notFound"),
    ):
        status, told = resolved(product, identifier)
        assert status in (400, 404)
        assert told["didDereferencingMetadata"]["error"] == expected


# The command, its keys, its contexts


def test_the_command_serves_warns_and_ends_on_a_signal(tmp_path: Path) -> None:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ZL_")}
    started = subprocess.Popen(
        [sys.executable, "-m", "zhenglian", "vc-api", "serve", "--proof-only", "--json"],
        cwd=ROOT,
        env={**environ, "ZL_HOME": str(tmp_path), "ZL_LANG": "en"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        told = json.loads(started.stdout.readline())
        index = httpx.get(told["url"], verify=False).json()  # noqa: S501 - self-signed
        assert index["issuers"] == told["issuers"]
        assert told["mode"] == index["mode"] == "proof-only"
        assert told["url"].startswith("https://127.0.0.1:")
    finally:
        started.send_signal(signal.SIGTERM)
        _, words = started.communicate(timeout=20)
    assert started.returncode == ExitCode.DONE
    assert "PROOF-ONLY MODE" in words
    assert not list(tmp_path.iterdir())


def test_a_taken_port_is_an_error_of_the_environment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(errors.PortUnavailable):
        Server({}, known_contexts([]), port=taken.getsockname()[1])


def test_keys_are_kept_in_a_sealed_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    some = {name: CRYPTOSUITES[name] for name in ("eddsa-rdfc-2022", "ecdsa-rdfc-2019")}
    first = kept_parties(some, path, lambda: "correct horse")
    again = kept_parties(some, path, lambda: "correct horse")
    assert {name: party.did for name, party in first.items()} == {
        name: party.did for name, party in again.items()
    }
    assert path.stat().st_mode & 0o777 == 0o600
    more = kept_parties(
        some | {"ecdsa-sd-2023": CRYPTOSUITES["ecdsa-sd-2023"]}, path, lambda: "correct horse"
    )
    assert more["ecdsa-rdfc-2019"].did == first["ecdsa-rdfc-2019"].did
    path.write_text("{}")
    with pytest.raises(KeyfileMalformed):
        kept_parties(some, path, lambda: "correct horse")
    with pytest.raises(errors.KeysUnusable):
        kept_parties(some, tmp_path, lambda: "correct horse")


def test_an_operator_may_add_contexts_but_not_redefine_one(tmp_path: Path) -> None:
    file = tmp_path / "context.jsonld"
    file.write_text('{"@context": {"nick": "https://example.org/nick"}}')
    assert "https://example.org/c" in known_contexts([f"https://example.org/c={file}"])
    bad = tmp_path / "bad.jsonld"
    bad.write_text("[]")
    for entry in (
        "nothing",
        f"relative={file}",
        f"https://example.org/c={tmp_path / 'absent'}",
        f"https://example.org/c={bad}",
        f"{CONTEXT_V2}={file}",
    ):
        with pytest.raises(errors.ContextFileUnusable):
            known_contexts([entry])
    assert EXAMPLES not in known_contexts([])


def test_problems_hold_no_value_of_a_document(product: Client) -> None:
    name = "eddsa-rdfc-2022"
    secret = "欧阳雪莉 330106199001010203"
    issued = product.issue(name, credential(product.issuers[name]))
    for member in ("issuer", "validFrom", "type"):
        assert secret not in product.verify(issued | {member: secret}).text
    issued["credentialSubject"]["name"] = secret
    assert secret not in product.verify(issued).text


def test_every_error_of_the_server_is_a_problem_with_a_status() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, ZhenglianError)
    ]
    assert len(kinds) > 10
    for kind in kinds:
        fields = dict.fromkeys(("reason", "limit", "known", "role", "purpose", "port", "path"), "x")
        told = problem(kind(**fields), "PROOF_VERIFICATION_ERROR")
        assert 400 <= told["status"] < 504
