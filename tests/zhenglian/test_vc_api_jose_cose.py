"""`zl vc-api jose-cose`: every form and kind, with the arguments that the official suite gives."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from credentials.keys import KeyType, PrivateKey
from credentials.multibase import base64url_encode
from credentials.securing import Envelope, secure
from schemas.errors import ExitCode
from schemas.names import CONTEXT_V2
from zhenglian import cli
from zhenglian.vc_api.cli import Feature

CREDENTIAL = {
    "@context": [CONTEXT_V2],
    "type": ["VerifiableCredential"],
    "issuer": "https://university.example/issuers/1",
    "validFrom": "2024-01-01T00:00:00Z",
    "credentialSubject": {
        "id": "did:example:alice",
        "name": "Alice",
        "phones": ["1", "2"],
    },
}
FEATURES = [feature.value for feature in Feature]
Run = Callable[..., tuple[int, dict[str, Any]]]


def key_file(folder: Path, kind: KeyType) -> Path:
    key = PrivateKey.generate(kind)
    public = key.public_key.jwk()
    path = folder / f"{kind}.json"
    path.write_text(
        json.dumps(
            {
                "id": "https://university.example/issuers/1#key",
                "type": "JsonWebKey",
                "controller": "https://university.example/issuers/1",
                "publicKeyJwk": public | {"kid": key.public_key.thumbprint()},
                "secretKeyJwk": public | {"d": base64url_encode(key.to_bytes())},
            }
        )
    )
    return path


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command on files of its own: exit code and result."""

    def call(
        verb: str, document: object, feature: str, key: Path, *more: str
    ) -> tuple[int, dict[str, Any]]:
        source, output = tmp_path / "input", tmp_path / "output.json"
        source.write_text(document if isinstance(document, str) else json.dumps(document))
        words = ["vc-api", "jose-cose", verb, "--input", source, "--key", key]
        words += ["--feature", feature, "--output", output, *more]
        code = cli.run([str(word) for word in words], {**os.environ, "ZL_LANG": "en"})
        told = capsys.readouterr()
        if code not in (ExitCode.DONE, ExitCode.REJECTED):
            return code, {"error": told.err}
        result = json.loads(output.read_text())
        assert json.loads(told.out) == result
        return code, result

    return call


def sample(feature: str, folder: Path) -> dict[str, Any]:
    if feature.startswith("credential"):
        return CREDENTIAL
    inner = secure(CREDENTIAL, form="jwt", signer=PrivateKey.generate("P-256"), kid=None)
    return {
        "@context": [CONTEXT_V2],
        "type": ["VerifiablePresentation"],
        "holder": "did:example:alice",
        "verifiableCredential": [inner.document()],
    }


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "Ed25519"])
@pytest.mark.parametrize("feature", FEATURES)
def test_what_is_issued_is_verified_under_its_key_alone(
    run: Run, tmp_path: Path, feature: str, kind: KeyType
) -> None:
    key = key_file(tmp_path, kind)
    code, issued = run("issue", sample(feature, tmp_path), feature, key)
    assert (code, issued["result"]) == (ExitCode.DONE, "success")
    assert run("verify", issued["data"] + "\n", feature, key) == (
        ExitCode.DONE,
        {"result": "success"},
    )
    other = key_file(tmp_path, kind)
    code, result = run("verify", issued["data"], feature, other)
    assert (code, result["code"]) == (ExitCode.REJECTED, "ZL-SIGNATURE-INVALID")
    for wrong in set(FEATURES) - {feature}:
        assert run("verify", issued["data"], wrong, key)[0] == ExitCode.REJECTED


def test_an_sd_jwt_hides_what_it_is_told_to(run: Run, tmp_path: Path) -> None:
    key = key_file(tmp_path, "P-256")
    paths = json.dumps(["credentialSubject.name", "credentialSubject.phones[1]"])
    code, issued = run("issue", CREDENTIAL, "credential_sdjwt", key, "--sd", paths)
    assert code == ExitCode.DONE
    assert issued["data"].count("~") == 3
    assert run("verify", issued["data"], "credential_sdjwt", key)[0] == ExitCode.DONE
    hidden = json.dumps(["issuer"])
    code, result = run("issue", CREDENTIAL, "credential_sdjwt", key, "--sd", hidden)
    assert (code, result["code"]) == (ExitCode.REJECTED, "ZL-SECURED-DOCUMENT")


def test_what_is_no_secured_document_is_a_failure_and_not_an_error(
    run: Run, tmp_path: Path
) -> None:
    key = key_file(tmp_path, "P-256")
    for document in (
        {**CREDENTIAL, "huh": "what"},
        {name: value for name, value in CREDENTIAL.items() if name != "issuer"},
        "{",
        "[]",
    ):
        code, result = run("issue", document, "credential_jose", key)
        assert (code, result["result"]) == (ExitCode.REJECTED, "failure")
        assert result["code"].startswith("ZL-")
    for token in ("", "{}", "a.b.c", "AAAA", "0oRA", "é"):
        for feature in FEATURES:
            code, result = run("verify", token, feature, key)
            assert (code, result["result"]) == (ExitCode.REJECTED, "failure"), token


def test_a_wrong_command_is_no_verdict(run: Run, tmp_path: Path) -> None:
    key = key_file(tmp_path, "P-256")
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    for verb in ("issue", "verify"):
        assert run(verb, CREDENTIAL, "credential_jose", bad)[0] == ExitCode.MALFORMED
        assert run(verb, CREDENTIAL, "credential_jose", tmp_path / "no")[0] == ExitCode.MALFORMED
        assert run(verb, CREDENTIAL, "credential_clay", key)[0] == ExitCode.USAGE
    for paths in ("{", "{}", '[""]', '["a[b]"]', "[7]"):
        code, _ = run("issue", CREDENTIAL, "credential_sdjwt", key, "--sd", paths)
        assert code == ExitCode.MALFORMED, paths
    method = json.loads(key.read_text())
    secret = method["secretKeyJwk"]["d"]
    method["publicKeyJwk"]["d"] = method["secretKeyJwk"]["d"]
    method["secretKeyJwk"]["x"] = method["secretKeyJwk"]["y"]
    bad.write_text(json.dumps(method))
    for verb in ("issue", "verify"):
        code, told = run(verb, CREDENTIAL, "credential_jose", bad)
        assert code == ExitCode.MALFORMED
        assert secret not in told["error"]


def test_the_data_url_of_a_result_is_an_envelope(run: Run, tmp_path: Path) -> None:
    key = key_file(tmp_path, "Ed25519")
    _, issued = run("issue", CREDENTIAL, "credential_jose", key)
    envelope = Envelope("vc+jwt", issued["data"])
    assert Envelope.parse(envelope.document()) == envelope
