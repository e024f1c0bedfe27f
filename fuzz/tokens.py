"""Targets for tokens: SD-JWT, JWS, COSE, links, and the logs of did:webvh."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from benchmarks.sample import HOLDER, issuer_key
from credentials.canonical import canonical_json
from credentials.canonical.strict_json import parse_json_object
from credentials.cose import parse_sign1, sign1
from credentials.did_jwk import did_jwk, read_did_jwk
from credentials.did_webvh import parse_webvh, verify_log
from credentials.did_webvh.parameters import key_hash, multihash
from credentials.dids import KeyResolver, did_key, key_url
from credentials.errors import CredentialError
from credentials.exchange import parse_offer, parse_request
from credentials.issuer_keys import GivenKey
from credentials.jose import parse_compact, sign_compact
from credentials.keys import PrivateKey, PublicKey
from credentials.multibase import base64url_decode, base64url_encode, multibase_base58
from credentials.proofs.jcs import hash_json
from credentials.sdjwt import KeyBindingCheck, SdJwt, verify
from credentials.sdjwt.vc import issue_vc, verify_vc
from credentials.securing import Envelope, open_signed
from credentials.token_status import (
    TokenStatusList,
    sign_status_list_cwt,
    sign_status_list_jwt,
    verify_status_list_cwt,
    verify_status_list_jwt,
)
from fuzz.target import Target, chosen, either

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
KEY, DID, METHOD = issuer_key("P-256")
OWNER = PrivateKey.from_seed("Ed25519", b"owner of logs, not a real key")
BINDING = KeyBindingCheck("https://desk.example", "nonce")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _compact(payload: bytes, typ: str) -> str:
    """A signed token with any bytes for payload."""
    header = canonical_json({"alg": "ES256", "typ": typ})
    signing_input = f"{base64url_encode(header)}.{base64url_encode(payload)}"
    signature = KEY.sign(signing_input.encode())
    return f"{signing_input}.{base64url_encode(signature)}"


# SD-JWT


def _read_sd_jwt_text(data: bytes) -> None:
    token = SdJwt.parse(_text(data))
    if token.compact() != _text(data):
        raise AssertionError("another token came back")
    verify(token, key=KEY.public_key, typ=None, now=NOW, key_binding=BINDING)


def _read_signed_claims(data: bytes) -> None:
    """Payload and disclosures, a line each; the issuer is the attacker."""
    payload, *disclosures = data.split(b"\n")
    token = "~".join(
        (_compact(payload, "dc+sd-jwt"), *(base64url_encode(part) for part in disclosures), "")
    )
    source = GivenKey(KEY.public_key)
    verify_vc(token, issuer=source, now=NOW, key_binding=None)


def _read_sd_jwt(data: bytes) -> None:
    either(
        data,
        _read_sd_jwt_text,
        _read_signed_claims,
        lambda rest: SdJwt.from_json(parse_json_object(rest)),
    )


def _sd_jwt_seeds() -> list[bytes]:
    token = issue_vc(
        {"name": "x", "address": {"city": "y"}, "list": ["a", "b"], "iat": 1795000000},
        vct="https://types.example/a",
        disclosable=["/name", "/address/city", "/list/0"],
        signer=KEY,
        issuer=DID,
        holder=HOLDER.public_key,
        decoys={"": 1},
        rng=bytes,
    )
    parsed = SdJwt.parse(token)
    plain = [canonical_json(dict(parse_compact(parsed.jwt).payload))]
    plain += [base64url_decode(part) for part in parsed.disclosures]
    return [
        chosen(0, token.encode()),
        chosen(1, b"\n".join(plain)),
        chosen(2, json.dumps(parsed.flattened()).encode()),
        chosen(2, json.dumps(parsed.general()).encode()),
    ]


# JWS and what is written in it


def _read_jws_text(data: bytes) -> None:
    token = parse_compact(_text(data))
    token.header_jwk()
    token.verify(KEY.public_key)


def _read_header(data: bytes) -> None:
    token = parse_compact(f"{base64url_encode(data)}.e30.{base64url_encode(bytes(64))}")
    token.header_jwk()


def _read_link(data: bytes) -> None:
    parse_request(_text(data), resolver=KeyResolver(), now=NOW)


def _read_jws(data: bytes) -> None:
    either(
        data,
        _read_jws_text,
        _read_header,
        lambda rest: PublicKey.from_jwk(parse_json_object(rest)),
        lambda rest: verify_status_list_jwt(
            _compact(rest, "statuslist+jwt"), key=KEY.public_key, now=NOW
        ),
        lambda rest: open_signed(Envelope("vc+jwt", _compact(rest, "vc+jwt")), key=KEY.public_key),
        _read_link,
        lambda rest: parse_offer(_text(rest)),
        lambda rest: PublicKey.from_multikey(_text(rest)),
    )


def _jws_seeds() -> list[bytes]:
    jwk = KEY.public_key.jwk()
    token = sign_compact({"a": 1}, typ="x+jwt", signer=KEY, extra_header={"jwk": jwk})
    statuses = sign_status_list_jwt(
        TokenStatusList.empty(1000), uri="https://s.example/1", issued_at=NOW, signer=KEY
    )
    offer = {
        "credential_issuer": "https://issuer.example",
        "credential_configuration_ids": ["a"],
        "grants": {
            "urn:ietf:params:oauth:grant-type:pre-authorized_code": {
                "pre-authorized_code": "0123456789abcdefghijkl",
                "tx_code": {"length": 6, "input_mode": "numeric"},
            }
        },
    }
    return [
        chosen(0, token.encode()),
        chosen(1, canonical_json({"alg": "ES256", "typ": "x", "jwk": jwk})),
        chosen(2, canonical_json(jwk)),
        chosen(3, canonical_json(dict(parse_compact(statuses).payload))),
        chosen(4, b'{"@context":["https://www.w3.org/ns/credentials/v2"],"iss":"did:a:b"}'),
        chosen(5, b"openid4vp://?client_id=decentralized_identifier%3Adid&request=" + b"a.b.c"),
        chosen(
            6,
            b"openid-credential-offer://?credential_offer=" + quote(canonical_json(offer)).encode(),
        ),
        chosen(7, KEY.public_key.multikey().encode()),
    ]


# COSE


def _read_cose(data: bytes) -> None:
    either(
        data,
        lambda rest: parse_sign1(rest).verify(KEY.public_key),
        lambda rest: verify_status_list_cwt(
            sign1(rest, typ="application/statuslist+cwt", signer=KEY), key=KEY.public_key, now=NOW
        ),
        lambda rest: open_signed(
            Envelope("vc+cose", sign1(rest, typ="application/vc+cose", signer=KEY)),
            key=KEY.public_key,
        ),
        lambda rest: verify_status_list_cwt(rest, key=KEY.public_key, now=NOW),
    )


def _cose_seeds() -> list[bytes]:
    statuses = sign_status_list_cwt(
        TokenStatusList.empty(1000), uri="https://s.example/1", issued_at=NOW, signer=KEY
    )
    return [
        chosen(0, sign1(b"{}", typ="application/vc+cose", signer=KEY)),
        chosen(1, parse_sign1(statuses).payload),
        chosen(2, b'{"@context":["https://www.w3.org/ns/credentials/v2"]}'),
        chosen(3, statuses),
    ]


# did:webvh


def _prove(covered: dict[str, Any]) -> dict[str, Any]:
    proof = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "verificationMethod": key_url(OWNER.public_key),
        "created": "2026-01-01T00:00:00Z",
        "proofPurpose": "assertionMethod",
    }
    value = OWNER.sign(hash_json(proof, covered, "Ed25519"))
    return {**covered, "proof": [{**proof, "proofValue": multibase_base58(value)}]}


def _sealed(entry: dict[str, Any], before: str, number: int) -> dict[str, Any]:
    entry = {**entry, "versionId": before}
    entry["versionId"] = f"{number}-{multihash(canonical_json(entry))}"
    return _prove(entry)


def _log() -> tuple[str, bytes, dict[str, Any]]:
    draft = {
        "versionId": "{SCID}",
        "versionTime": "2026-01-01T00:00:00Z",
        "parameters": {
            "method": "did:webvh:1.0",
            "scid": "{SCID}",
            "updateKeys": [OWNER.public_key.multikey()],
            "nextKeyHashes": [key_hash(OWNER.public_key.multikey())],
            "portable": True,
            "ttl": 60,
        },
        "state": {
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": "did:webvh:{SCID}:example.com",
        },
    }
    scid = multihash(canonical_json(draft))
    first = _sealed(json.loads(canonical_json(draft).decode().replace("{SCID}", scid)), scid, 1)
    second = {
        "versionTime": "2026-01-02T00:00:00Z",
        "parameters": {
            "updateKeys": [OWNER.public_key.multikey()],
            "nextKeyHashes": [],
            "witness": {"threshold": 1, "witnesses": [{"id": did_key(OWNER.public_key)}]},
            "watchers": ["https://watcher.example"],
        },
        "state": first["state"],
    }
    return first["state"]["id"], canonical_json(first), {**second, "first": first["versionId"]}


LOG_DID, FIRST_LINE, SECOND = _log()
WITNESSED = b"[]"


def _read_second(data: bytes) -> None:
    """The owner writes a second entry of any shape, properly hashed and signed."""
    entry = parse_json_object(data)
    entry.pop("proof", None)
    before: str = SECOND["first"]
    line = canonical_json(_sealed(entry, before, 2))
    verify_log(LOG_DID, FIRST_LINE + b"\n" + line, now=NOW, witness_proofs=WITNESSED)


def _read_webvh(data: bytes) -> None:
    either(
        data,
        lambda rest: verify_log(LOG_DID, rest, now=NOW, witness_proofs=WITNESSED),
        _read_second,
        lambda rest: verify_log(LOG_DID, FIRST_LINE, now=NOW, witness_proofs=rest),
        lambda rest: parse_webvh(_text(rest)),
        lambda rest: read_did_jwk(_text(rest)),
        lambda rest: KeyResolver().resolve(_text(rest), "assertionMethod"),
    )


def _webvh_seeds() -> list[bytes]:
    second = {name: value for name, value in SECOND.items() if name != "first"}
    covered = {"versionId": SECOND["first"]}
    return [
        chosen(0, FIRST_LINE),
        chosen(1, canonical_json(second)),
        chosen(2, canonical_json([_prove(covered)])),
        chosen(3, LOG_DID.encode()),
        chosen(4, did_jwk(KEY.public_key).encode()),
        chosen(5, METHOD.encode()),
    ]


TARGETS = (
    Target("sd-jwt", CredentialError, _read_sd_jwt, _sd_jwt_seeds),
    Target("jws", CredentialError, _read_jws, _jws_seeds),
    Target("cose", CredentialError, _read_cose, _cose_seeds),
    Target("did-webvh", CredentialError, _read_webvh, _webvh_seeds),
)
