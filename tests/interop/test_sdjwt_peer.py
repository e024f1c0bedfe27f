"""SD-JWT VC against @sd-jwt, both ways: issued there and verified here, and the other way round."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from credentials.dids import KeyResolver, did_key, key_url
from credentials.errors import CredentialError
from credentials.issuer_keys import DidKeys
from credentials.keys import KeyType, PrivateKey
from credentials.multibase import base64url_encode
from credentials.sdjwt import HeldSdJwt, KeyBinding, KeyBindingCheck
from credentials.sdjwt.vc import issue_vc, verify_vc

PACKAGES = ["@sd-jwt/core", "@sd-jwt/sd-jwt-vc"]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
VCT = "https://credentials.example/resident"
DESK = "https://desk.example"
NONCE = "n-42"
CHECK = KeyBindingCheck(DESK, NONCE)
KEYS: list[tuple[KeyType, str]] = [
    ("P-256", "sha-256"),
    ("P-384", "sha-384"),
    ("Ed25519", "sha-512"),
]
CLAIMS: dict[str, Any] = {
    "name": '欧阳𠮷\ufa11"\\',
    "age": 30,
    "height": 1.75,
    "nothing": None,
    "address": {"region": "浙江", "city": {"name": "杭州", "code": "330100"}},
    "nationalities": ["CN", "DE", {"code": "FR", "since": 2020}],
}
PATHS = [
    "/name",
    "/height",
    "/address",
    "/address/city",
    "/address/city/code",
    "/nationalities/0",
    "/nationalities/2",
    "/nationalities/2/since",
]
FRAME: dict[str, Any] = {
    "_sd": ["name", "height", "address"],
    "_sd_decoy": 2,
    "address": {"_sd": ["city"], "city": {"_sd": ["code"]}},
    "nationalities": {"_sd": [0, 2], "2": {"_sd": ["since"]}},
}


@pytest.fixture
def ask(ask_peer: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    return partial(ask_peer, "sdjwt_peer.mjs", PACKAGES)


def jwk(key: PrivateKey) -> dict[str, str]:
    return {**key.public_key.jwk(), "d": base64url_encode(key.to_bytes())}


def parties(key_type: KeyType) -> tuple[PrivateKey, PrivateKey, str]:
    issuer, holder = PrivateKey.generate(key_type), PrivateKey.generate(key_type)
    return issuer, holder, did_key(issuer.public_key)


@pytest.mark.parametrize(("key_type", "hash_name"), KEYS)
def test_what_the_peer_issues_and_presents_verifies_here(
    ask: Callable[..., list[Any]], key_type: KeyType, hash_name: str
) -> None:
    issuer, holder, did = parties(key_type)
    base = {"issuer": jwk(issuer), "holder": jwk(holder), "hash": hash_name}
    claims = {
        **{"iss": did, "vct": VCT, "iat": AT, "exp": AT + 60, **CLAIMS},
        "cnf": {"jwk": holder.public_key.jwk()},
    }
    header = {"kid": key_url(issuer.public_key)}
    [issued] = ask([{"do": "issue", **base, "claims": claims, "frame": FRAME, "header": header}])
    verified = verify_vc(issued, issuer=DidKeys(KeyResolver()), now=NOW, key_binding=None)
    assert verified.claims == claims
    assert verified.issuer == did

    binding = {"iat": AT, "aud": DESK, "nonce": NONCE}
    frame = {"name": True, "address": {"city": {"code": True}}, "nationalities": {"2": True}}
    [shown] = ask([{"do": "present", **base, "token": issued, "frame": frame, "binding": binding}])
    proved = verify_vc(shown, issuer=DidKeys(KeyResolver()), now=NOW, key_binding=CHECK)
    assert proved.claims["name"] == CLAIMS["name"]
    assert proved.claims["address"] == CLAIMS["address"]
    assert "height" not in proved.claims
    assert proved.key_binding is not None
    with pytest.raises(CredentialError):
        verify_vc(
            shown.replace("~", "~x", 1),
            issuer=DidKeys(KeyResolver()),
            now=NOW,
            key_binding=CHECK,
        )


@pytest.mark.parametrize(("key_type", "hash_name"), KEYS)
def test_what_is_issued_and_presented_here_verifies_there(
    ask: Callable[..., list[Any]], key_type: KeyType, hash_name: str
) -> None:
    issuer, holder, did = parties(key_type)
    issued = issue_vc(
        {"iat": AT, "exp": AT + 60, **CLAIMS},
        vct=VCT,
        disclosable=PATHS,
        decoys={"": 3, "/nationalities": 2},
        signer=issuer,
        issuer=did,
        kid=key_url(issuer.public_key),
        holder=holder.public_key,
        hash_name=hash_name,
    )
    held = HeldSdJwt.parse(issued)
    binding = KeyBinding(holder, DESK, NONCE, NOW)
    everything = held.present(held.disclosable, key_binding=binding)
    some = held.present(["/name", "/address/city/code"], key_binding=binding)
    altered = held.present([], key_binding=binding).replace(".", ".e", 1)
    base = {"do": "verify", "issuer": jwk(issuer), "holder": jwk(holder), "hash": hash_name}
    base |= {"now": AT, "nonce": NONCE}
    whole, part, refused, late = ask(
        [
            {**base, "token": everything},
            {**base, "token": some},
            {**base, "token": altered, "refusable": True},
            {**base, "token": some, "now": AT + 120, "refusable": True},
        ]
    )
    stated = {"iss", "vct", "iat", "exp", "cnf"}
    assert {k: v for k, v in whole["payload"].items() if k not in stated} == CLAIMS
    assert whole["kb"]["aud"] == DESK
    assert part["payload"]["address"] == CLAIMS["address"]
    assert part["payload"]["nationalities"] == ["DE"]
    assert "height" not in part["payload"]
    assert "refused" in refused
    assert "refused" in late


def test_each_presents_what_the_other_issued(ask: Callable[..., list[Any]]) -> None:
    issuer, holder, did = parties("P-256")
    base = {"issuer": jwk(issuer), "holder": jwk(holder), "hash": "sha-256"}
    ours = issue_vc(
        CLAIMS,
        vct=VCT,
        disclosable=PATHS,
        signer=issuer,
        issuer=did,
        kid=key_url(issuer.public_key),
        holder=holder.public_key,
    )
    claims = {"iss": did, "vct": VCT, **CLAIMS, "cnf": {"jwk": holder.public_key.jwk()}}
    binding = {"iat": AT, "aud": DESK, "nonce": NONCE}
    shown, theirs = ask(
        [
            {**base, "do": "present", "token": ours, "frame": {"name": True}, "binding": binding},
            {**base, "do": "issue", "claims": claims, "frame": FRAME, "header": {}},
        ]
    )
    proved = verify_vc(shown, issuer=DidKeys(KeyResolver()), now=NOW, key_binding=CHECK)
    assert proved.disclosed == (("name",),)
    presented = HeldSdJwt.parse(theirs).present(
        ["/nationalities"], key_binding=KeyBinding(holder, DESK, NONCE, NOW)
    )
    [seen] = ask([{**base, "do": "verify", "token": presented, "now": AT, "nonce": NONCE}])
    assert seen["payload"]["nationalities"] == CLAIMS["nationalities"]
    assert "name" not in seen["payload"]
