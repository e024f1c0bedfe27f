"""Issuance: what is signed, for which key, how often, and what is refused."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credentials.anchor import anchor_of
from credentials.dids import ChainResolver, DocumentResolver, KeyResolver, did_key, key_url
from credentials.keys import PrivateKey
from credentials.proofs import verify_credential
from credentials.proofs.disclosure import derive
from credentials.status import status_entries
from issuer import statuslists
from issuer.errors import (
    CredentialConfigurationUnknown,
    CredentialRequestMalformed,
    IssuanceDenied,
    IssuerError,
    KeyProofInvalid,
    NonceInvalid,
    StoreFull,
    TokenInvalid,
)
from issuer.office import Office
from issuer.service import Issuer
from registry.ledger.members import encode_digest
from schemas.scenario import load_scenario


@pytest.fixture
def resolver(issuer: Issuer) -> ChainResolver:
    return ChainResolver(KeyResolver(), DocumentResolver([issuer.did_document()]))


def test_a_credential_verifies_and_says_what_was_confirmed(
    issuer: Issuer,
    issue: Callable[..., dict[str, Any]],
    resolver: ChainResolver,
    holder: PrivateKey,
    citizen: dict[str, str],
    clock: Any,
) -> None:
    credential = issue(holder)
    scenario = load_scenario("resident-identity")
    scenario.validate_issued(credential)
    subject = credential["credentialSubject"]
    assert subject["id"] == did_key(holder.public_key)
    assert {name: subject[name] for name in citizen} == citizen
    assert (subject["ageOver18"], subject["ageOver60"]) == (True, False)
    assert credential["validFrom"] == "2026-11-22T09:00:00Z"
    assert credential["validUntil"] == "2027-11-22T09:00:00Z"
    assert credential["evidence"][0]["authority"] == "did:web:authority.example"
    assert "id" not in credential
    purposes = {entry.purpose: entry.list_url for entry in status_entries(credential)}
    assert purposes == {
        "revocation": "https://issuer.example/status/1",
        "suspension": "https://issuer.example/status/2",
    }
    # A base proof is for the holder; what verifiers see is derived from it.
    shown = derive(credential, ["/credentialSubject/name", "/credentialSubject/ageOver18"])
    assert verify_credential(shown, resolver=resolver, now=clock())
    assert "citizenNumber" not in shown["credentialSubject"]
    assert shown["credentialStatus"] == credential["credentialStatus"]
    assert anchor_of(shown) == anchor_of(credential)


def test_its_anchor_is_put_into_the_outbox_with_it(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], registry: Any
) -> None:
    credential = issue()
    assert issuer.pending() == 1
    (listed,) = issuer.records.credentials()
    assert listed.anchor == encode_digest(anchor_of(credential))
    assert listed.anchor_position is None
    sent = issuer.anchor()
    assert (sent.anchored, sent.pending, sent.trouble) == (1, 0, None)
    (entry,) = registry.chains["hangzhou.zhenglian.example/identity"]
    assert entry.body == {
        "kind": "anchor",
        "v": 1,
        "issuer": "did:web:data.hangzhou.example",
        "anchor": listed.anchor,
    }
    assert issuer.records.credentials()[0].anchor_position == 0


def test_a_lost_delivery_is_repeated_and_makes_no_second_credential(
    issuer: Issuer,
    citizen: dict[str, str],
    redeem: Callable[..., str],
    prove_key: Callable[..., str],
    request_for: Callable[..., dict[str, Any]],
    holder: PrivateKey,
    clock: Any,
) -> None:
    token = redeem(issuer.apply_at_counter(citizen, actor="clerk"))
    first = issuer.issue(token, request_for(prove_key(holder)))
    clock.advance(seconds=30)
    assert issuer.issue(token, request_for(prove_key(holder))) == first
    with pytest.raises(IssuanceDenied):
        issuer.issue(token, request_for(prove_key(PrivateKey.generate("P-256"))))
    assert len(issuer.records.credentials()) == 1
    clock.advance(minutes=5)
    with pytest.raises(TokenInvalid):
        issuer.issue(token, request_for(prove_key(holder)))


def test_a_nonce_is_used_once(
    issuer: Issuer,
    citizen: dict[str, str],
    redeem: Callable[..., str],
    prove_key: Callable[..., str],
    request_for: Callable[..., dict[str, Any]],
    holder: PrivateKey,
    clock: Any,
) -> None:
    token = redeem(issuer.apply_at_counter(citizen, actor="clerk"))
    proof = prove_key(holder)
    issuer.issue(token, request_for(proof))
    with pytest.raises(NonceInvalid):
        issuer.issue(token, request_for(proof))
    for nonce in ("", "A" * 54):
        with pytest.raises(NonceInvalid):
            issuer.issue(token, request_for(prove_key(holder, nonce=nonce)))
    old = issuer.nonce()
    clock.advance(minutes=4, seconds=59)
    other = redeem(issuer.apply_at_counter(citizen, actor="clerk"))
    clock.advance(seconds=2)
    with pytest.raises(NonceInvalid):
        issuer.issue(other, request_for(prove_key(holder, nonce=old)))


def test_an_online_credential_is_bound_to_the_key_of_the_application(
    issuer: Issuer,
    citizen: dict[str, str],
    sign_application: Callable[..., str],
    redeem: Callable[..., str],
    prove_key: Callable[..., str],
    request_for: Callable[..., dict[str, Any]],
    holder: PrivateKey,
) -> None:
    known = issuer.apply_online(sign_application(holder, citizen))
    assert known.state == "offered"
    offer = issuer.current_offer(known.id)
    assert offer is not None
    token = redeem(offer)
    thief = PrivateKey.generate("P-256")
    with pytest.raises(KeyProofInvalid):
        issuer.issue(token, request_for(prove_key(thief)))
    credential = issuer.issue(token, request_for(prove_key(holder)))
    assert credential["credentialSubject"]["id"] == did_key(holder.public_key)


def test_a_key_can_be_named_by_its_did(
    issuer: Issuer,
    citizen: dict[str, str],
    redeem: Callable[..., str],
    prove_key: Callable[..., str],
    request_for: Callable[..., dict[str, Any]],
    holder: PrivateKey,
) -> None:
    token = redeem(issuer.apply_at_counter(citizen, actor="clerk"))
    proof = prove_key(holder, kid=key_url(holder.public_key))
    credential = issuer.issue(token, request_for(proof))
    assert credential["credentialSubject"]["id"] == did_key(holder.public_key)


def test_key_proofs_that_prove_nothing_are_refused(
    issuer: Issuer,
    citizen: dict[str, str],
    redeem: Callable[..., str],
    prove_key: Callable[..., str],
    request_for: Callable[..., dict[str, Any]],
    holder: PrivateKey,
    clock: Any,
) -> None:
    token = redeem(issuer.apply_at_counter(citizen, actor="clerk"))
    stranger = PrivateKey.generate("P-256")
    edwards = PrivateKey.generate("Ed25519")
    jwk, now = holder.public_key.jwk(), int(clock().timestamp())
    good = prove_key(holder)
    head, body, signature = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"openid4vci-proof+jwt"}').decode()
    for proof in (
        prove_key(holder, typ="JWT"),
        prove_key(holder, typ="zl-application+jwt"),
        prove_key(holder, aud="https://other.example"),
        prove_key(holder, aud=None),
        prove_key(holder, iat=None),
        prove_key(holder, iat=now - 301),
        prove_key(holder, iat=now + 301),
        prove_key(holder, iat=True),
        prove_key(holder, nonce=None),
        prove_key(holder, nonce=7),
        prove_key(holder, iss="a client"),
        prove_key(edwards),
        prove_key(stranger, header={"jwk": jwk}),
        prove_key(stranger, kid=key_url(holder.public_key)),
        prove_key(holder, header={"jwk": {**jwk, "d": jwk["x"]}}),
        prove_key(holder, header={"jwk": jwk}, kid=key_url(holder.public_key)),
        prove_key(holder, header={}),
        prove_key(holder, kid="did:web:data.hangzhou.example#credential"),
        f"{none.rstrip('=')}.{body}.",
        f"{head}.{body}.{signature[:-10]}AAAAAAAAA{signature[-1]}",
        "",
        "a.b.c",
        "x" * 9000,
    ):
        with pytest.raises(KeyProofInvalid):
            issuer.issue(token, request_for(proof))
    assert issuer.records.credentials() == ()
    issuer.issue(token, request_for(good))  # none of them spent the token


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (None, CredentialRequestMalformed),
        ([], CredentialRequestMalformed),
        ({}, CredentialRequestMalformed),
        ({"credential_identifier": "x"}, CredentialRequestMalformed),
        ({"credential_configuration_id": 3}, CredentialRequestMalformed),
        ({"credential_configuration_id": "DrivingLicence"}, CredentialConfigurationUnknown),
        (
            {
                "credential_configuration_id": "ResidentIdentityCredential",
                "credential_response_encryption": {},
            },
            CredentialRequestMalformed,
        ),
        ({"credential_configuration_id": "ResidentIdentityCredential"}, KeyProofInvalid),
        (
            {"credential_configuration_id": "ResidentIdentityCredential", "proofs": {"jwt": []}},
            KeyProofInvalid,
        ),
        (
            {
                "credential_configuration_id": "ResidentIdentityCredential",
                "proofs": {"jwt": ["a", "b"]},
            },
            KeyProofInvalid,
        ),
        (
            {
                "credential_configuration_id": "ResidentIdentityCredential",
                "proofs": {"jwt": ["a"], "di_vp": []},
            },
            KeyProofInvalid,
        ),
    ],
)
def test_requests_out_of_form_are_refused(
    issuer: Issuer,
    citizen: dict[str, str],
    redeem: Callable[..., str],
    request_: object,
    error: type[Exception],
) -> None:
    token = redeem(issuer.apply_at_counter(citizen, actor="clerk"))
    with pytest.raises(error):
        issuer.issue(token, request_)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("credential_configuration_id", "credential_identifier", "proofs", "jwt", "di_vp")
            ),
            inner | st.just("ResidentIdentityCredential"),
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=200,
)
@given(request_=_JSON)
def test_no_request_does_anything_but_be_refused_by_name(granted: Any, request_: object) -> None:
    issuer, token = granted
    with pytest.raises(IssuerError):
        issuer.issue(token, request_)


@pytest.fixture
def granted(issuer: Issuer, citizen: dict[str, str], redeem: Callable[..., str]) -> Any:
    return issuer, redeem(issuer.apply_at_counter(citizen, actor="clerk"))


@pytest.mark.parametrize("token", [None, "", "A" * 43])
def test_without_a_token_nothing_is_said_of_the_request(issuer: Issuer, token: str | None) -> None:
    with pytest.raises(TokenInvalid):
        issuer.issue(token, None)


def test_places_in_the_lists_differ_and_a_full_list_is_followed_by_another(
    issuer: Issuer,
    issue: Callable[..., dict[str, Any]],
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statuslists, "_FILL_LIMIT", 3 / 131_072)
    seen = set()
    for _ in range(4):
        for entry in status_entries(issue()):
            seen.add((entry.list_url, entry.index))
    assert len(seen) == 8
    assert {url.rpartition("/")[2] for url, _ in seen} == {"1", "2", "3", "4"}


def test_a_full_disk_while_issuing_leaves_nothing_half_done(
    issuer: Issuer,
    issue: Callable[..., dict[str, Any]],
    citizen: dict[str, str],
    redeem: Callable[..., str],
    prove_key: Callable[..., str],
    request_for: Callable[..., dict[str, Any]],
    holder: PrivateKey,
    office: Office,
) -> None:
    issue()  # fills the page that the table began with
    token = redeem(issuer.apply_at_counter(citizen, actor="clerk"))
    proof = prove_key(holder)
    with office.store.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    store = office.store
    engine = store._engine
    engine.dispose()
    store._quota_pages = pages  # every new connection is bounded to what is there now
    with pytest.raises(StoreFull):
        for _ in range(50):  # free pages are used up first
            issuer.apply_at_counter(citizen, actor="clerk")
    with pytest.raises(StoreFull):
        issuer.issue(token, request_for(proof))
    assert (len(issuer.records.credentials()), issuer.pending()) == (1, 1)
    engine.dispose()
    store._quota_pages = None
    # With room again the same token and even the same proof are good: neither was spent.
    assert issuer.issue(token, request_for(proof))
    assert (len(issuer.records.credentials()), issuer.pending()) == (2, 2)
