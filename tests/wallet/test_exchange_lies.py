"""Issuers whose answers are not what they should be, or that sign something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from credentials.canonical import default_canonicalizer
from credentials.dids import did_key
from credentials.errors import CredentialExpired, SignatureInvalid
from credentials.keys import PrivateKey
from credentials.proofs import add_proof
from credentials.proofs.ecdsa_sd_2023 import derive_proof
from schemas.errors import ExitCode, ZhenglianError
from schemas.scenario import load_scenario
from schemas.violations import SchemaViolation
from tests.wallet.conftest import ISSUER, Town
from tests.wallet.issuing import offered
from wallet.errors import (
    CredentialUnexpected,
    IssuerFailed,
    IssuerProtocol,
)
from wallet.service import Wallet
from wallet.transport import LARGEST_ANSWER
from wallet.views import Outcome

SCENARIO = load_scenario("resident-identity")


# Issuers whose answers are not what they should be


def accept_with(
    town: Town, path: str, change: Callable[[httpx.Response], httpx.Response]
) -> Wallet:
    """Accept while the answers to `path` are changed on the way."""
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    town.wires.after = lambda request, answer: (
        change(answer) if request.url.path.endswith(path) else answer
    )
    code = town.tx_code()
    try:
        wallet.accept_offer(view, code)
    finally:
        assert wallet.credentials() == ()
        assert wallet.history()[0].outcome is Outcome.FAILED
    return wallet


def member(name: str, value: Any) -> Callable[[httpx.Response], httpx.Response]:
    return lambda answer: httpx.Response(answer.status_code, json=answer.json() | {name: value})


EVIL = "https://evil.example"


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/openid-credential-issuer", member("credential_issuer", EVIL)),
        ("/openid-credential-issuer", member("credential_endpoint", f"{EVIL}/credential")),
        ("/openid-credential-issuer", member("credential_endpoint", f"{ISSUER}.evil.example/c")),
        ("/openid-credential-issuer", member("credential_endpoint", f"{ISSUER}/../c")),
        ("/openid-credential-issuer", member("credential_endpoint", None)),
        ("/openid-credential-issuer", member("nonce_endpoint", f"{EVIL}/nonce")),
        ("/openid-credential-issuer", member("authorization_servers", [EVIL])),
        ("/openid-credential-issuer", member("credential_configurations_supported", [])),
        ("/oauth-authorization-server", member("issuer", EVIL)),
        ("/oauth-authorization-server", member("token_endpoint", "http://127.0.0.1:1/token")),
        ("/token", member("token_type", "DPoP")),
        ("/token", member("access_token", 1)),
        ("/token", member("access_token", "")),
        ("/token", member("expires_in", "soon")),
        ("/token", member("expires_in", -1)),
        ("/nonce", member("c_nonce", None)),
        ("/credential", lambda _: httpx.Response(200, content=b"<html>")),
        ("/credential", lambda _: httpx.Response(200, content=b'{"a":1,"a":2}')),
        ("/credential", lambda _: httpx.Response(200, content=b"[" * 10_000)),
        ("/credential", lambda _: httpx.Response(200, content=b" " * (LARGEST_ANSWER + 1))),
        ("/credential", lambda _: httpx.Response(302, headers={"location": EVIL})),
    ],
)
def test_answers_that_break_the_protocol(
    path: str, change: Callable[[httpx.Response], httpx.Response], town: Town
) -> None:
    with pytest.raises(IssuerProtocol) as broken:
        accept_with(town, path, change)
    assert broken.value.exit_code is ExitCode.MALFORMED
    assert not [url for _, url in town.wires.seen if "evil" in url or "127.0.0.1" in url]


def test_a_server_error_quotes_nothing_of_the_answer(town: Town) -> None:
    with pytest.raises(IssuerFailed) as failed:
        accept_with(
            town, "/token", lambda _: httpx.Response(500, json={"error": "\x1b[31m秘密" * 50})
        )
    assert failed.value.params["detail"] == ", ?"


@pytest.mark.parametrize("credentials", [[], [{}], ["x"], [{"credential": "ey"}], [{}, {}], None])
def test_answers_without_one_credential(credentials: Any, town: Town) -> None:
    with pytest.raises(CredentialUnexpected):
        accept_with(town, "/credential", member("credentials", credentials))


# Issuers that sign something else


def lying(
    town: Town,
    change: Callable[[dict[str, Any]], None],
    *,
    mandatory: tuple[str, ...] = SCENARIO.mandatory_pointers,
    suite: str = "ecdsa-sd-2023",
    key: PrivateKey | None = None,
) -> Callable[[httpx.Response], httpx.Response]:
    """The issuer itself changes the credential and signs it properly."""
    keys = town.issuer._office.keys

    def change_answer(answer: httpx.Response) -> httpx.Response:
        document = answer.json()["credentials"][0]["credential"]
        proof = document.pop("proof")
        change(document)
        signed = add_proof(
            document,
            cryptosuite=suite,
            signer=key or keys.credential,
            verification_method=proof["verificationMethod"],
            created=town.clock(),
            mandatory_pointers=mandatory if suite == "ecdsa-sd-2023" else (),
        )
        return httpx.Response(200, json={"credentials": [{"credential": signed}]})

    return change_answer


def someone_else(document: dict[str, Any]) -> None:
    document["credentialSubject"]["id"] = did_key(PrivateKey.generate("P-256").public_key)


def other_issuer(document: dict[str, Any]) -> None:
    document["issuer"] = "did:web:other.example"


def nothing(_document: dict[str, Any]) -> None:
    pass


def test_a_credential_for_someone_else(town: Town) -> None:
    with pytest.raises(CredentialUnexpected):
        accept_with(town, "/credential", lying(town, someone_else))


def test_a_credential_in_another_issuers_name(town: Town) -> None:
    with pytest.raises(CredentialUnexpected):
        accept_with(town, "/credential", lying(town, other_issuer))


def test_a_credential_signed_with_another_key(town: Town) -> None:
    with pytest.raises(SignatureInvalid):
        accept_with(town, "/credential", lying(town, nothing, key=PrivateKey.generate("P-256")))


def test_a_credential_altered_on_the_way(town: Town) -> None:
    def alter(answer: httpx.Response) -> httpx.Response:
        content = answer.json()
        content["credentials"][0]["credential"]["credentialSubject"]["name"] = "李四"
        return httpx.Response(200, json=content)

    with pytest.raises(SignatureInvalid):
        accept_with(town, "/credential", alter)


def test_claims_that_everybody_would_be_shown(town: Town) -> None:
    """An issuer that makes the citizen number mandatory takes the choice from its holder."""
    forced = (*SCENARIO.mandatory_pointers, "/credentialSubject/citizenNumber")
    with pytest.raises(CredentialUnexpected):
        accept_with(town, "/credential", lying(town, nothing, mandatory=forced))


def test_a_suite_that_leaves_no_choice(town: Town) -> None:
    with pytest.raises(CredentialUnexpected):
        accept_with(town, "/credential", lying(town, nothing, suite="ecdsa-rdfc-2019"))


def test_a_credential_that_was_derived_already(town: Town) -> None:
    def derive(answer: httpx.Response) -> httpx.Response:
        document = derive_proof(
            answer.json()["credentials"][0]["credential"],
            selective_pointers=list(SCENARIO.selectable_pointers),
            canonicalizer=default_canonicalizer(),
        )
        return httpx.Response(200, json={"credentials": [{"credential": document}]})

    with pytest.raises(ZhenglianError) as refused:
        accept_with(town, "/credential", derive)
    assert refused.value.exit_code in (ExitCode.MALFORMED, ExitCode.REJECTED)


def test_a_credential_with_contradicting_claims(town: Town) -> None:
    def younger(document: dict[str, Any]) -> None:
        document["credentialSubject"]["birthDate"] = "2010-01-01"

    with pytest.raises(SchemaViolation):
        accept_with(town, "/credential", lying(town, younger))


def test_a_credential_with_claims_missing(town: Town) -> None:
    def poorer(document: dict[str, Any]) -> None:
        del document["credentialSubject"]["ageOver18"]

    with pytest.raises(SchemaViolation):
        accept_with(town, "/credential", lying(town, poorer))


def test_a_credential_that_has_expired(town: Town) -> None:
    def stale(document: dict[str, Any]) -> None:
        document["validUntil"] = document["validFrom"]

    def later(answer: httpx.Response) -> httpx.Response:
        changed = lying(town, stale)(answer)
        town.clock.advance(minutes=2)
        return changed

    with pytest.raises(CredentialExpired):
        accept_with(town, "/credential", later)
