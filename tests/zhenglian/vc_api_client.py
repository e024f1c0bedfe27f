"""A VC-API server over real HTTPS for the tests of this folder, and how they speak to it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from credentials.proofs import ALL_CRYPTOSUITES
from schemas.names import CONTEXT_V2
from tests.waiting import PATIENCE_S
from zhenglian.vc_api.contexts import known_contexts
from zhenglian.vc_api.keys import ENVELOPES, Party, addresses, fresh_parties
from zhenglian.vc_api.server import Server

ROOT = Path(__file__).parents[2]
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
ALL = sorted(set(addresses(ALL_CRYPTOSUITES)) - set(ENVELOPES))
SELECTIVE = [name for name in ALL if "-sd-" in name or name.startswith("bbs-")]
PLAIN = [name for name in ALL if name not in SELECTIVE]
EXPERIMENTAL = [name for name in ALL if name.startswith("mldsa44-")]
LEGACY = ["Ed25519Signature2020"]
DEFAULT = [name for name in ALL if name not in (*EXPERIMENTAL, *LEGACY)]


class Client:
    """One server and what it said of itself."""

    def __init__(self, server: Server) -> None:
        self.http = httpx.Client(base_url=server.url, verify=False, timeout=PATIENCE_S)  # noqa: S501 - self-signed
        self.index = self.http.get("/").json()
        self.issuers: dict[str, str] = self.index["issuers"]

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(path, json=body)

    def issue(self, name: str, credential: dict[str, Any], **options: Any) -> dict[str, Any]:
        answer = self.post(f"/{name}/credentials/issue", credential=credential, options=options)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()["verifiableCredential"]
        return found

    def verify(
        self, credential: Any, name: str = "eddsa-rdfc-2022", **options: Any
    ) -> httpx.Response:
        return self.post(
            f"/{name}/credentials/verify", verifiableCredential=credential, options=options
        )

    def derive(
        self, credential: Any, pointers: Sequence[str], name: str = "bbs-2023", **options: Any
    ) -> httpx.Response:
        return self.post(
            f"/{name}/credentials/derive",
            verifiableCredential=credential,
            options={"selectivePointers": list(pointers), **options},
        )


def serving(
    *,
    proof_only: bool,
    parties: Mapping[str, Party] | None = None,
    contexts: Sequence[str] = (),
) -> Iterator[Client]:
    server = Server(
        parties or fresh_parties(ALL_CRYPTOSUITES),
        known_contexts(contexts, conformance=proof_only),
        proof_only=proof_only,
    )
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,))
    thread.start()
    assert ready.wait(PATIENCE_S)
    client = Client(server)
    try:
        yield client
    finally:
        client.http.close()  # the server waits for open connections
        server.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


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
