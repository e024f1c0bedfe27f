"""Getting a credential: honest issuers, broken wires, and issuers that lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from credentials.canonical import default_canonicalizer
from credentials.dids import did_key
from credentials.errors import CredentialExpired, OfferByReference, OfferMalformed, SignatureInvalid
from credentials.keys import PrivateKey
from credentials.proofs import add_proof
from credentials.proofs.ecdsa_sd_2023 import derive_proof
from credentials.qr import draw
from issuer.authority.errors import AuthorityUnreachable
from schemas.errors import ExitCode, ZhenglianError
from schemas.scenario import load_scenario
from schemas.violations import SchemaViolation
from tests.wallet.conftest import ISSUER, ISSUER_DID, Town
from wallet.errors import (
    ApplicationMalformed,
    ApplicationNotConfirmed,
    ClockWrong,
    CredentialUnexpected,
    IssuerAddressUnsafe,
    IssuerFailed,
    IssuerNotAccredited,
    IssuerProtocol,
    IssuerUnreachable,
    OfferExpired,
    OfferInvalid,
    OfferReused,
    TxCodeNeeded,
    TxCodeWrong,
    VaultFull,
    WrongKindOfInput,
)
from wallet.service import Wallet
from wallet.transport import LARGEST_ANSWER, SafeHttp, check_address
from wallet.views import HistoryKind, Outcome

SCENARIO = load_scenario("resident-identity")


def offered(town: Town, wallet: Wallet) -> str:
    application = wallet.apply(ISSUER, town.citizen)
    assert application.offer is not None
    return application.offer


def keys_held(wallet: Wallet) -> int:
    return len(wallet._vault.execute("SELECT id FROM keys"))


def everything_stored(wallet: Wallet) -> str:
    vault = wallet._vault
    tables = [row[0] for row in vault.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
    return repr([vault.execute(f"SELECT * FROM {table}") for table in tables])  # noqa: S608


# Applying


def test_an_application_is_answered_with_an_offer(town: Town) -> None:
    wallet = town.wallet()
    application = wallet.apply(ISSUER_DID, town.citizen)
    assert application.state == "offered"
    assert application.offer_expires is not None
    assert application.issuer_name == "Hangzhou Data Resources Administration"
    assert wallet.applications() == (application,)


def test_the_applicants_data_is_not_kept(town: Town) -> None:
    wallet = town.wallet()
    wallet.apply(ISSUER, town.citizen)
    stored = everything_stored(wallet)
    assert town.citizen["name"] not in stored
    assert town.citizen["citizenNumber"] not in stored


def test_data_that_the_authority_does_not_confirm(town: Town) -> None:
    wallet = town.wallet()
    town.authority.passes = False
    with pytest.raises(ApplicationNotConfirmed) as refused:
        wallet.apply(ISSUER, town.citizen)
    assert refused.value.exit_code is ExitCode.REJECTED
    assert keys_held(wallet) == 0
    entry = wallet.history()[0]
    assert (entry.kind, entry.outcome) == (HistoryKind.APPLICATION, Outcome.FAILED)
    assert entry.error_text


def test_an_application_waits_while_the_authority_is_away(town: Town) -> None:
    wallet = town.wallet()
    town.authority.trouble = AuthorityUnreachable()
    application = wallet.apply(ISSUER, town.citizen)
    assert (application.state, application.offer) == ("waiting", None)
    town.authority.trouble = None
    town.issuer.retry(everything=True)
    assert wallet.check_application(application.id).state == "offered"
    assert wallet.accept_offer(
        wallet.inspect_offer(wallet.applications()[0].offer or ""), town.tx_code()
    )


def test_a_refresh_asks_about_waiting_applications(town: Town) -> None:
    wallet = town.wallet()
    town.authority.trouble = AuthorityUnreachable()
    wallet.apply(ISSUER, town.citizen)
    town.authority.trouble = None
    town.issuer.retry(everything=True)
    town.step()
    wallet.refresh()
    assert wallet.applications()[0].state == "offered"


def test_a_wrong_field_is_named_and_its_value_is_not(town: Town) -> None:
    wallet = town.wallet()
    number = town.citizen["citizenNumber"]
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    with pytest.raises(ApplicationMalformed) as malformed:
        wallet.apply(ISSUER, town.citizen | {"citizenNumber": wrong})
    assert malformed.value.params["field"] == "citizenNumber"
    assert wrong not in str(malformed.value.diagnostics())
    assert keys_held(wallet) == 0


@pytest.mark.parametrize(
    "fields", [{}, {"name": 1}, {"name": ""}, {"name": "x" * 300}, {"a b": "c"}, {"name": ["x"]}]
)
def test_misshapen_data_is_not_sent(fields: dict[str, Any], town: Town) -> None:
    wallet = town.wallet()
    town.wires.seen.clear()
    with pytest.raises(ApplicationMalformed):
        wallet.apply(ISSUER, fields)
    assert town.wires.seen == []


def test_a_wrong_clock_is_called_one(town: Town) -> None:
    wallet = town.wallet()
    wallet._issuance._clock = lambda: town.clock() - timedelta(hours=2)
    with pytest.raises(ClockWrong):
        wallet.apply(ISSUER, town.citizen)


def test_the_key_is_stored_before_anything_is_sent(town: Town) -> None:
    wallet = town.wallet()

    def look(request: httpx.Request) -> None:
        assert keys_held(wallet) == 1
        assert wallet.history()[0].outcome is Outcome.PENDING

    town.wires.before = look
    wallet.apply(ISSUER, town.citizen)


def test_an_unreachable_issuer_leaves_the_application_visible(town: Town) -> None:
    wallet = town.wallet()
    town.wires.cut.add("issuer.example")
    with pytest.raises(IssuerUnreachable) as unreachable:
        wallet.apply(ISSUER, town.citizen)
    assert unreachable.value.exit_code is ExitCode.ENVIRONMENT
    assert wallet.applications()[0].state == "sending"
    assert keys_held(wallet) == 1


@pytest.mark.parametrize(
    "address", ["https://other.example", "did:web:other.example", "https://issuer.example/x", ""]
)
def test_no_data_goes_to_whoever_is_not_accredited(address: str, town: Town) -> None:
    wallet = town.wallet()
    town.wires.seen.clear()
    with pytest.raises(IssuerNotAccredited):
        wallet.apply(address, town.citizen)
    assert town.wires.seen == []


# Accepting


def test_accepting(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    assert view.title == "Resident identity credential"
    assert (view.needs_tx_code, view.tx_code_length, view.tx_code_numeric) == (True, 6, True)
    credential = wallet.accept_offer(view, f" {town.tx_code()}\n")
    assert wallet.credentials() == (credential,)
    assert wallet.applications()[0].state == "issued"
    assert keys_held(wallet) == 1, "the key of the application is the key of the credential"


def test_an_offer_from_the_counter_needs_no_application(town: Town, tmp_path: Path) -> None:
    wallet = town.wallet()
    offer = town.issuer.apply_at_counter(town.citizen, actor="op")
    (tmp_path / "offer.png").write_bytes(draw(offer.text, "png"))
    (tmp_path / "offer.txt").write_text(offer.text, encoding="utf-8")
    wallet.inspect_offer(tmp_path / "offer.txt")
    view = wallet.inspect_offer(tmp_path / "offer.png")
    assert wallet.accept_offer(view, town.tx_code()).issuer_did == ISSUER_DID


def test_inspecting_sends_nothing(town: Town) -> None:
    wallet = town.wallet()
    offer = offered(town, wallet)
    town.wires.seen.clear()
    wallet.inspect_offer(offer)
    assert town.wires.seen == []


def test_without_the_transaction_code_nothing_is_sent(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    town.wires.seen.clear()
    for code in (None, "", "  "):
        with pytest.raises(TxCodeNeeded):
            wallet.accept_offer(view, code)
    assert town.wires.seen == []


def test_a_wrong_transaction_code_can_be_corrected(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    right = town.tx_code()
    with pytest.raises(TxCodeWrong):
        wallet.accept_offer(view, f"{(int(right) + 1) % 10**6:06}")
    assert wallet.history()[0].error == "ZL-TX-CODE-WRONG"
    assert wallet.accept_offer(view, right)
    assert keys_held(wallet) == 1


def test_an_offer_used_in_this_wallet(town: Town) -> None:
    wallet = town.wallet()
    offer = offered(town, wallet)
    view = wallet.inspect_offer(offer)
    wallet.accept_offer(view, town.tx_code())
    with pytest.raises(OfferReused):
        wallet.inspect_offer(offer)
    with pytest.raises(OfferReused):
        wallet.accept_offer(view, "123456")


def test_an_offer_used_elsewhere(town: Town) -> None:
    offer = town.issuer.apply_at_counter(town.citizen, actor="op").text
    code = town.tx_code()
    first, second = town.wallet("first"), town.wallet("second")
    view = second.inspect_offer(offer)
    first.accept_offer(first.inspect_offer(offer), code)
    with pytest.raises(OfferInvalid):
        second.accept_offer(view, code)
    assert second.credentials() == ()


def test_an_expired_offer(town: Town) -> None:
    wallet = town.wallet()
    offer = offered(town, wallet)
    view = wallet.inspect_offer(offer)
    code = town.tx_code()
    town.clock.advance(days=1)
    with pytest.raises(OfferExpired):
        wallet.inspect_offer(offer)
    with pytest.raises(OfferExpired):
        wallet.accept_offer(view, code)


def test_an_expired_offer_of_unknown_age(town: Town) -> None:
    wallet = town.wallet()
    offer = town.issuer.apply_at_counter(town.citizen, actor="op").text
    code = town.tx_code()
    town.clock.advance(days=1)
    with pytest.raises(OfferInvalid):
        wallet.accept_offer(wallet.inspect_offer(offer), code)


def offer_text(**changes: Any) -> str:
    content = {
        "credential_issuer": ISSUER,
        "credential_configuration_ids": ["ResidentIdentityCredential"],
        "grants": {
            "urn:ietf:params:oauth:grant-type:pre-authorized_code": {
                "pre-authorized_code": "a" * 43
            }
        },
    } | changes
    return "openid-credential-offer://?credential_offer=" + quote(json.dumps(content), safe="")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (offer_text(credential_issuer="https://evil.example"), IssuerNotAccredited),
        (offer_text(credential_issuer=f"{ISSUER}/"), IssuerNotAccredited),
        (offer_text(credential_issuer=f"{ISSUER}:8443"), IssuerNotAccredited),
        (offer_text(credential_issuer="http://issuer.example"), OfferMalformed),
        (offer_text(credential_issuer=ISSUER_DID), OfferMalformed),
        (offer_text(credential_issuer="file:///etc/passwd"), OfferMalformed),
        (offer_text(credential_configuration_ids=["Other"]), CredentialUnexpected),
        (
            "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fevil.example%2Fo",
            OfferByReference,
        ),
        ("openid4vp://?request=x", WrongKindOfInput),
        ("eyJhbGciOiJFUzI1NiJ9.e30.x", WrongKindOfInput),
        ("nonsense", OfferMalformed),
    ],
)
def test_bad_offers_are_refused_before_any_contact(
    text: str, error: type[ZhenglianError], town: Town
) -> None:
    wallet = town.wallet()
    town.wires.seen.clear()
    with pytest.raises(error):
        wallet.inspect_offer(text)
    assert town.wires.seen == []


# Broken wires: every request of an issuance fails once, before or after it arrived


REQUESTS = (
    "openid-credential-issuer",
    "oauth-authorization-server",
    "token",
    "nonce",
    "credential",
)


@pytest.mark.parametrize("lost", REQUESTS)
def test_a_request_that_does_not_arrive_costs_nothing(lost: str, town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    code = town.tx_code()

    def fail(request: httpx.Request) -> None:
        if request.url.path.endswith(f"/{lost}"):
            raise httpx.ConnectError("gone", request=request)

    town.wires.before = fail
    with pytest.raises(IssuerUnreachable):
        wallet.accept_offer(view, code)
    assert wallet.history()[0].outcome is Outcome.FAILED
    town.wires.before = None
    again = wallet.inspect_offer(wallet.applications()[0].offer or "")
    assert again.resumed is (lost in ("nonce", "credential"))
    assert again.needs_tx_code is not again.resumed
    assert wallet.accept_offer(again, None if again.resumed else code)


def test_an_answer_with_the_credential_that_gets_lost(town: Town) -> None:
    """The issuer has issued; the same credential comes again, for the same key."""
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))

    def fail(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == "/credential":
            raise httpx.ReadError("gone", request=request)
        return answer

    town.wires.after = fail
    with pytest.raises(IssuerUnreachable):
        wallet.accept_offer(view, town.tx_code())
    town.wires.after = None
    assert wallet.accept_offer(view)
    assert len(town.issuer.records.credentials()) == 1


def test_an_interrupted_issuance_goes_on_by_its_application(town: Town) -> None:
    """The issuer calls the offer lapsed, because its code is spent; this wallet knows better."""
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))

    def fail(request: httpx.Request) -> None:
        if request.url.path == "/nonce":
            raise httpx.ConnectError("gone", request=request)

    town.wires.before = fail
    with pytest.raises(IssuerUnreachable):
        wallet.accept_offer(view, town.tx_code())
    town.wires.before = None
    wallet.refresh()
    application = wallet.check_application(wallet.applications()[0].id)
    again = wallet.inspect_offer(application.offer or "")
    assert again.resumed
    assert wallet.accept_offer(again)


def test_a_lapsed_offer_is_asked_about(town: Town) -> None:
    wallet = town.wallet()
    application = wallet.apply(ISSUER, town.citizen)
    town.clock.advance(days=1)
    assert wallet.check_application(application.id).state == "lapsed"
    record = town.issuer.records.applications()[0].id
    fresh = town.issuer.offer(record, actor="op").text
    assert wallet.check_application(application.id).offer == fresh
    assert wallet.accept_offer(wallet.inspect_offer(fresh), town.tx_code())


def test_forgetting_an_application(town: Town) -> None:
    wallet = town.wallet()
    application = wallet.apply(ISSUER, town.citizen)
    wallet.forget_application(application.id)
    assert wallet.applications() == ()
    assert keys_held(wallet) == 0
    number = town.credential(wallet)
    wallet.forget_application(wallet.applications()[0].id)
    assert keys_held(wallet) == 1
    assert wallet.credential(number)


def test_a_full_disk_when_the_credential_comes(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))

    def fill(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path == "/credential":
            pages = wallet._vault.one("PRAGMA page_count")
            assert pages is not None
            wallet._vault.execute(f"PRAGMA max_page_count = {pages[0]}")
        return answer

    town.wires.after = fill
    with pytest.raises(VaultFull):
        wallet.accept_offer(view, town.tx_code())
    assert wallet.credentials() == ()
    town.wires.after = None
    wallet._vault.execute("PRAGMA max_page_count = 1000000")
    assert wallet.accept_offer(view), "no second code is needed"


def test_a_token_that_ended_before_it_was_used(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    town.wires.before = lambda request: (
        httpx.Response(503, json={"error": "temporarily_unavailable"})
        if request.url.path == "/nonce"
        else None
    )
    with pytest.raises(IssuerFailed) as failed:
        wallet.accept_offer(view, town.tx_code())
    assert failed.value.params["detail"] == ", temporarily_unavailable"
    town.wires.before = None
    town.clock.advance(minutes=6)
    with pytest.raises(TxCodeNeeded):
        wallet.accept_offer(view)


def test_a_stale_nonce_is_replaced_once(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_offer(offered(town, wallet))
    refusals = iter([httpx.Response(400, json={"error": "invalid_nonce"})])
    town.wires.before = lambda request: (
        next(refusals, None) if request.url.path == "/credential" else None
    )
    assert wallet.accept_offer(view, town.tx_code())


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


# The transport


@pytest.mark.parametrize(
    "address",
    [
        "http://issuer.example",
        "http://127.0.0.1.evil.example",
        "ftp://issuer.example",
        "https://user@issuer.example",
        "https://issuer.example?x=1",
        "https://issuer.example#x",
        "https://issuer.example:99999",
        "https://issüer.example",
        "https://",
        "issuer.example",
        "",
    ],
)
def test_unsafe_addresses(address: str) -> None:
    with pytest.raises(IssuerAddressUnsafe):
        check_address(address)


@pytest.mark.parametrize(
    "address",
    ["https://issuer.example", "http://127.0.0.1:8001/a", "http://[::1]:8", "http://localhost:1"],
)
def test_safe_addresses(address: str) -> None:
    assert check_address(address + "/") == address


def test_well_known_stands_between_host_and_path() -> None:
    with SafeHttp("https://issuer.example/city/a") as http:
        assert (
            http.well_known("openid-credential-issuer")
            == "https://issuer.example/.well-known/openid-credential-issuer/city/a"
        )


def test_an_answer_that_drips() -> None:
    """Each read is in time; the whole is not."""
    times = iter(range(0, 1000, 10))

    class Dripping(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Drops())

    class Drops(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            while True:
                yield b" " * 65536

    with (
        SafeHttp(
            "https://issuer.example", transport=Dripping(), monotonic=lambda: float(next(times))
        ) as http,
        pytest.raises(IssuerUnreachable),
    ):
        http.get("https://issuer.example/x")
