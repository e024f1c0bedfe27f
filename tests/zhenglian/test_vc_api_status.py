"""Status lists of the VC-API server: given, published, set, and judged by their issuer alone."""

from __future__ import annotations

from datetime import UTC, datetime

from credentials.dids import KeyResolver
from credentials.proofs import (
    verify_credential,
)
from credentials.status import parse_status_list
from credentials.status_messages import SizedStatusEntry, SizedStatusList
from tests.zhenglian.vc_api_client import (
    Client,
    code,
    credential,
)


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
        # Bitstring Status List §2.2, which the official suite names and leaves to be written.
        assert document["id"] == entry["statusListCredential"]
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
