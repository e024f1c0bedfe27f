"""`zl vc`: what is accepted of a file, what speaks against it, and what cannot be known."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from credentials.dids import did_document, did_key, key_url
from credentials.keys import PrivateKey
from credentials.proofs import add_proof
from credentials.qr import cborld, encode_qr_text
from credentials.sdjwt.vc import issue_vc
from credentials.securing import secure
from credentials.status import StatusList, status_list_credential
from credentials.token_status import TokenStatusList, sign_status_list_jwt
from schemas.errors import ExitCode
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT
from zhenglian.cli import run

KEY = PrivateKey.from_seed("P-256", b"issuer of files, not a real key")
OTHER = PrivateKey.from_seed("Ed25519", b"somebody else, not a real key")
NOW = datetime.now(UTC).replace(microsecond=0)
LIST = "https://data.example/status/1"


class Told:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def error(self) -> str:
        return str(json.loads(self.out)["error"]["code"])


def zl(*words: object) -> Told:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["vc", *(str(word) for word in words)], os.environ)
    return Told(code, out.getvalue(), err.getvalue())


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes JSON, text or bytes to a file of a name."""
    monkeypatch.setenv("ZL_LANG", "en")
    monkeypatch.setenv("ZL_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    (tmp_path / "passphrase").write_text("correct horse battery staple\n", encoding="utf-8")

    def write(content: Any, name: str = "credential") -> Path:
        path = tmp_path / name
        if isinstance(content, dict):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def unsigned(issuer: str = "", **more: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", "ResidentIdentityCredential"],
        "issuer": issuer or did_key(KEY.public_key),
        "validFrom": "2024-01-01T00:00:00Z",
        "credentialSubject": {"type": "Resident", "name": "张三", "ageOver18": True},
        **more,
    }


def signed(document: dict[str, Any], key: PrivateKey = KEY, method: str = "") -> dict[str, Any]:
    return add_proof(
        document,
        cryptosuite="eddsa-rdfc-2022" if key is OTHER else "ecdsa-rdfc-2019",
        signer=key,
        verification_method=method or key_url(key.public_key),
        created=NOW,
    )


def entry(index: int = 7, purpose: str = "revocation") -> dict[str, str]:
    return {
        "type": "BitstringStatusListEntry",
        "statusPurpose": purpose,
        "statusListIndex": str(index),
        "statusListCredential": LIST,
    }


def status_list(*revoked: int, key: PrivateKey = KEY, days: int = 1) -> dict[str, Any]:
    bits = StatusList.empty()
    for index in revoked:
        bits.set(index, True)
    document = status_list_credential(
        bits,
        url=LIST,
        issuer=did_key(key.public_key),
        purpose="revocation",
        valid_from=NOW - timedelta(days=2),
        valid_until=NOW + timedelta(days=days),
    )
    return signed(document, key)


def test_every_form_of_a_credential_is_read(file: Callable[..., Path]) -> None:
    document = signed(unsigned())
    envelope: dict[str, Any] = {"signer": KEY, "kid": key_url(KEY.public_key)}
    forms: list[Any] = [
        document,
        cborld.encode(document),
        encode_qr_text(document) + "\n",
        *(secure(unsigned(), form=form, **envelope).content for form in ("jwt", "sd-jwt", "cose")),
        *(secure(unsigned(), form=form, **envelope).document() for form in ("jwt", "cose")),
    ]
    for form in forms:
        told = zl("verify", file(form), "--json")
        assert told.code == 0, told.out
        answer = json.loads(told.out)
        assert answer == {
            "answer": "accepted",
            "issuer": did_key(KEY.public_key),
            "type": ["VerifiableCredential", "ResidentIdentityCredential"],
            "checks": ["proof", "issuer", "validity"],
        }
        assert "张三" not in told.out


def test_an_sd_jwt_credential_is_read(file: Callable[..., Path]) -> None:
    claims = {"name": "x", "iat": int(NOW.timestamp())}
    token = issue_vc(
        claims,
        vct="https://types.example/a",
        disclosable=["/name"],
        signer=KEY,
        issuer=did_key(KEY.public_key),
        kid=key_url(KEY.public_key),
    )
    told = zl("verify", file(token), "--json")
    assert (told.code, json.loads(told.out)["type"]) == (0, ["https://types.example/a"])
    assert zl("verify", file(token.replace(".", ".A", 1)), "--json").code in (1, 3)


def test_what_speaks_against_a_credential(file: Callable[..., Path]) -> None:
    document = signed(unsigned())
    changed = {**document, "credentialSubject": {**document["credentialSubject"], "name": "李四"}}
    for content, code, error in (
        (changed, 1, "ZL-SIGNATURE-INVALID"),
        (signed(unsigned(), OTHER), 1, "ZL-CONTROLLER-MISMATCH"),
        (signed(unsigned(validUntil="2024-02-01T00:00:00Z")), 1, "ZL-CREDENTIAL-EXPIRED"),
        (signed(unsigned("did:web:a.example"), method="did:web:a.example#k"), 5, "ZL-DID-UNKNOWN"),
        (unsigned(), 1, "ZL-PROOF-MISSING"),
        ("", 3, "ZL-VC-FORM"),
        ("hello", 3, "ZL-VC-FORM"),
        (b"\x00\x01", 3, "ZL-VC-FORM"),
        (b"\xff\xfe", 3, "ZL-JSON-ENCODING"),
        ("[]", 3, "ZL-JSON-MALFORMED"),
    ):
        told = zl("verify", file(content), "--json")
        assert (told.code, told.error) == (code, error), (content, told.out)
    told = zl("verify", "/nowhere/at/all", "--json")
    assert (told.code, told.error) == (2, "ZL-VC-FILE")


def test_an_issuer_known_by_its_document(file: Callable[..., Path]) -> None:
    did = "did:web:a.example"
    path = file(signed(unsigned(did), method=did + "#k"))
    trusted = file(did_document(did, {"k": KEY.public_key}), "did.json")
    assert zl("verify", path, "--did-document", trusted, "--json").code == 0
    another = file(did_document(did, {"k": OTHER.public_key}), "did.json")
    assert zl("verify", path, "--did-document", another, "--json").code == 1


def test_a_status_is_looked_up_or_unknown(file: Callable[..., Path]) -> None:
    path = file(signed(unsigned(credentialStatus=entry())))
    told = zl("verify", path, "--json")
    assert (told.code, told.error) == (ExitCode.UNDETERMINED, "ZL-VC-STATUS-UNKNOWN")
    altered = status_list()
    altered["credentialSubject"]["encodedList"] = status_list(7)["credentialSubject"]["encodedList"]
    for listed, code, error in (
        (status_list(8), 0, ""),
        (status_list(7), 1, "ZL-VC-STATUS-SET"),
        (status_list(key=OTHER), 1, "ZL-CONTROLLER-MISMATCH"),
        (status_list(days=-1), 1, "ZL-CREDENTIAL-EXPIRED"),
        (altered, 1, "ZL-SIGNATURE-INVALID"),
        ({**status_list(), "id": LIST + "0"}, 5, "ZL-VC-STATUS-UNKNOWN"),
    ):
        told = zl("verify", path, "--status-list", file(listed, "list"), "--json")
        assert told.code == code, told.out
        assert (told.error if code else "") == error
    good = json.loads(
        zl("verify", path, "--status-list", file(status_list(), "list"), "--json").out
    )
    assert good["checks"][-1] == "status"
    suspended = file(signed(unsigned(credentialStatus=[entry(), entry(9, "suspension")])))
    told = zl("verify", suspended, "--status-list", file(status_list(), "list"), "--json")
    assert (told.code, told.error) == (5, "ZL-STATUS-PURPOSE")


def test_a_token_s_status_is_looked_up_or_unknown(file: Callable[..., Path]) -> None:
    token = issue_vc(
        {"status": {"status_list": {"idx": 3, "uri": LIST}}},
        vct="https://types.example/a",
        disclosable=[],
        signer=KEY,
        issuer=did_key(KEY.public_key),
        kid=key_url(KEY.public_key),
    )
    path = file(token)
    assert zl("verify", path, "--json").error == "ZL-VC-STATUS-UNKNOWN"
    for value, key, code, error in (
        (0, KEY, 0, ""),
        (1, KEY, 1, "ZL-VC-STATUS-SET"),
        (2, KEY, 1, "ZL-VC-STATUS-SET"),
        (0, OTHER, 1, "ZL-CONTROLLER-MISMATCH"),
    ):
        values = TokenStatusList.empty(1000, 2)
        values.set(3, value)
        listed = sign_status_list_jwt(
            values, uri=LIST, issued_at=NOW, signer=key, kid=key_url(key.public_key)
        )
        told = zl("verify", path, "--status-list", file(listed, "list"), "--json")
        assert told.code == code, told.out
        assert (told.error if code else "") == error


def test_issue_derive_and_verify(file: Callable[..., Path], tmp_path: Path) -> None:
    plain = unsigned()
    del plain["issuer"]
    keys = ("--keys", tmp_path / "keys")
    told = zl("issue", file(plain), *keys, "--cryptosuite", "ecdsa-sd-2023", "--json")
    assert told.code == 0, told.out
    base = json.loads(told.out)
    assert base["issuer"].startswith("did:key:zDn")
    path = file(base, "base")
    told = zl("derive", path, "--show", "/credentialSubject/ageOver18", "--json")
    shown = json.loads(told.out)
    assert shown["credentialSubject"] == {"type": "Resident", "ageOver18": True}
    # What a holder must not be able to leave out is always shown.
    assert shown["issuer"] == base["issuer"]
    assert shown["validFrom"] == base["validFrom"]
    assert zl("verify", file(shown, "shown"), "--json").code == 0
    # The file keeps its keys, and nobody signs under another's name.
    told = zl("issue", file(unsigned(base["issuer"])), *keys, "--json")
    assert (told.code, told.error) == (1, "ZL-VC-ISSUER")
    for words, code, error in (
        (("issue", file(plain), *keys, "--cryptosuite", "rsa"), 2, "ZL-VC-CRYPTOSUITE"),
        (("derive", file(signed(unsigned()), "whole"), "--show", "/issuer"), 1, "ZL-VC-WHOLE"),
        (("issue", file(plain | {"issuer": "did:a:b"}, "others"), *keys), 1, "ZL-VC-ISSUER"),
    ):
        told = zl(*words, "--json")
        assert (told.code, told.error) == (code, error), told.out


def test_people_read_the_answer(file: Callable[..., Path]) -> None:
    path = file(signed(unsigned()))
    told = zl("verify", path)
    assert told.out.startswith(f"ACCEPTED: signed by {did_key(KEY.public_key)}.")
    assert "validity period" in told.out
    assert "张三" not in told.out
