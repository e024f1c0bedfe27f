"""What the VC-API server refuses: each a problem with a code and a status, never a defect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.names import CONTEXT_V2
from tests.zhenglian.vc_api_client import (
    Client,
    code,
    credential,
)
from zhenglian.vc_api.app import MAX_BODY


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
