"""`zl vc-api serve`: resolution of did:key, the command, its keys, its contexts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from credentials.did_jwk import did_jwk, jwk_document
from credentials.errors import KeyfileMalformed
from credentials.keys import PrivateKey
from credentials.multibase import multibase_base58, multibase_base64, multibase_decode
from credentials.proofs import (
    CRYPTOSUITES,
)
from schemas.errors import ExitCode, ZhenglianError
from schemas.names import CONTEXT_V2
from tests.waiting import PATIENCE_S
from tests.zhenglian.vc_api_client import (
    EXAMPLES,
    ROOT,
    Client,
    credential,
)
from zhenglian.vc_api import errors
from zhenglian.vc_api.contexts import known_contexts
from zhenglian.vc_api.keys import kept_parties
from zhenglian.vc_api.problems import problem
from zhenglian.vc_api.server import Server

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


def test_a_did_jwk_resolves_to_its_document(product: Client) -> None:
    key = PrivateKey.generate("P-256").public_key
    did = did_jwk(key)
    status, told = resolved(product, did)
    assert (status, told["didDocument"]) == (200, jwk_document(did))
    status, told = resolved(product, f"{did}#0")
    assert (status, told["didDocument"]["publicKeyJwk"]) == (200, key.jwk())
    for identifier, expected, member in (
        (f"{did}#1", "notFound", "didDereferencingMetadata"),
        ("did:jwk:e30", "invalidDid", "didResolutionMetadata"),
        ("did:jwk:%21", "invalidDid", "didResolutionMetadata"),
        ("did:jwk:", "invalidDid", "didResolutionMetadata"),
    ):
        status, told = resolved(product, identifier)
        assert status in (400, 404)
        assert told[member]["error"] == expected, identifier


def test_resolution_names_its_errors(product: Client) -> None:
    did = product.issuers["eddsa-rdfc-2022"]
    name = did.removeprefix("did:key:")
    off_curve = "did:key:" + multibase_base58(bytes.fromhex("802402") + b"\xff" * 32)
    in_base64 = multibase_base64(multibase_decode(name))
    for identifier, options, expected in (
        (f"notdid:key:{name}", {}, "invalidDid"),
        (f"did:experimental:{name}", {}, "methodNotSupported"),
        (f"did:key:-4:{name}", {}, "invalidDid"),
        (f"did:key:{name[1:]}", {}, "invalidDid"),
        ("did:key:@", {}, "invalidDid"),
        ("did:key:zTjsVPtY", {}, "invalidPublicKeyLength"),
        # No point of P-256: did:key §3.1.2, which the official suite leaves to be written.
        (off_curve, {}, "invalidPublicKey"),
        (f"did:key:{in_base64}", {}, "invalidDid"),
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
        index = httpx.get(told["url"], verify=False, timeout=PATIENCE_S).json()  # noqa: S501 - self-signed
        assert index["issuers"] == told["issuers"]
        assert told["mode"] == index["mode"] == "proof-only"
        assert told["url"].startswith("https://127.0.0.1:")
    finally:
        started.send_signal(signal.SIGTERM)
        _, words = started.communicate(timeout=PATIENCE_S)
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
