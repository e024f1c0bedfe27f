"""Targets for what stands before the kernel: files of `zl vc`, requests to the VC-API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from credentials.canonical import Canonicalizer
from credentials.canonical.strict_json import parse_json_object
from credentials.contexts import bundled_contexts
from credentials.dids import did_key, key_url
from credentials.keys import PrivateKey
from credentials.proofs import CRYPTOSUITES, add_proof
from credentials.qr import cborld, encode_qr_text
from credentials.sdjwt.vc import issue_vc
from credentials.securing import secure
from fuzz.target import Target, chosen, either
from schemas.errors import ZhenglianError
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT
from zhenglian.vc.reading import read_content
from zhenglian.vc.verifying import Judge, read_status_list
from zhenglian.vc_api.keys import Party, addresses
from zhenglian.vc_api.service import VcApi

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
KEY = PrivateKey.from_seed("P-256", b"issuer of files, not a real key")
NAME = "ecdsa-rdfc-2019"
SELECTIVE = "ecdsa-sd-2023"


def _unsigned(**more: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", "ResidentIdentityCredential"],
        "issuer": did_key(KEY.public_key),
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {"type": "Resident", "name": "x", "ageOver18": True},
        **more,
    }


def _signed(suite: str) -> dict[str, Any]:
    return add_proof(
        _unsigned(),
        cryptosuite=suite,
        signer=KEY,
        verification_method=key_url(KEY.public_key),
        created=NOW,
        mandatory_pointers=["/issuer"] if suite == SELECTIVE else (),
    )


# Files


@cache
def _judge() -> Judge:
    return Judge(Canonicalizer(bundled_contexts()), NOW, accept_base=True)


def _read_file(data: bytes) -> None:
    either(data, lambda rest: _judge().judge(read_content(rest)), read_status_list)


def _file_seeds() -> list[bytes]:
    signed = _signed(NAME)
    method = key_url(KEY.public_key)
    token = issue_vc(
        {"name": "x"},
        vct="https://types.example/a",
        disclosable=["/name"],
        signer=KEY,
        issuer=did_key(KEY.public_key),
        kid=method,
        rng=bytes,
    )
    cose = secure(_unsigned(), form="cose", signer=KEY, kid=method).content
    jwt = secure(_unsigned(), form="jwt", signer=KEY, kid=method)
    assert isinstance(cose, bytes)  # noqa: S101 - what the form says
    return [
        chosen(0, json.dumps(signed).encode()),
        chosen(0, cborld.encode(signed)),
        chosen(0, encode_qr_text(signed).encode()),
        chosen(0, token.encode()),
        chosen(0, cose),
        chosen(0, json.dumps(jwt.document()).encode()),
        chosen(1, json.dumps(signed).encode()),
    ]


# Requests


@cache
def _api(proof_only: bool) -> VcApi:
    known = {
        name: Party(name, suite, KEY)
        for name, (suite, kind) in addresses(CRYPTOSUITES).items()
        if kind == "P-256"
    }
    return VcApi(
        known,
        bundled_contexts(),
        base="https://127.0.0.1:1",
        proof_only=proof_only,
        clock=lambda: NOW,
    )


def _operate(api: VcApi, data: bytes) -> None:
    either(
        data,
        lambda rest: api.verify(NAME, parse_json_object(rest)),
        lambda rest: api.derive(SELECTIVE, parse_json_object(rest)),
        lambda rest: api.issue(NAME, parse_json_object(rest)),
        lambda rest: api.issue(SELECTIVE, parse_json_object(rest)),
        lambda rest: api.verify_presentation(NAME, parse_json_object(rest)),
        lambda rest: api.prove(NAME, parse_json_object(rest)),
        lambda rest: api.set_status(NAME, parse_json_object(rest)),
    )


def _request(data: bytes) -> None:
    either(
        data,
        lambda rest: _operate(_api(False), rest),
        lambda rest: _operate(_api(True), rest),
    )


def _request_seeds() -> list[bytes]:
    presentation = {
        "@context": [CONTEXT_V2],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [_signed(NAME)],
    }
    parties = {"challenge": "c", "domain": "d"}
    proven = _api(False).prove(NAME, {"presentation": presentation, "options": parties})
    shown = {**proven.body, "options": parties}
    bodies: list[tuple[int, dict[str, Any]]] = [
        (0, {"verifiableCredential": _signed(NAME)}),
        (
            1,
            {
                "verifiableCredential": _signed(SELECTIVE),
                "options": {"selectivePointers": ["/credentialSubject/name"]},
            },
        ),
        (2, {"credential": _unsigned(), "options": {}}),
        (3, {"credential": _unsigned(), "options": {"mandatoryPointers": ["/issuer"]}}),
        (4, shown),
        (5, {"presentation": presentation, "options": parties}),
        (
            2,
            {
                "credential": _unsigned(id="urn:uuid:1-2"),
                "options": {"statusPurposes": ["revocation"], "credentialId": "a"},
            },
        ),
        (6, {"credentialId": "a", "credentialStatus": {"statusPurpose": "revocation"}}),
    ]
    return [
        chosen(mode, chosen(number, json.dumps(body).encode()))
        for mode in (0, 1)
        for number, body in bodies
    ]


TARGETS = (
    Target("vc-file", ZhenglianError, _read_file, _file_seeds),
    Target("vc-api-request", ZhenglianError, _request, _request_seeds),
)
