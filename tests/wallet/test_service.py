"""The journey of a credential through the wallet, with a real registry, issuer and desks."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from credentials.dids import did_key, key_url
from credentials.errors import (
    QueryUnsupported,
    RequestByReference,
    RequestExpired,
    RequestMalformed,
    SignatureInvalid,
)
from credentials.exchange import PresentationRequest
from credentials.keys import PrivateKey
from credentials.qr import capacity, draw, read_one
from credentials.query import ClaimQuery, DcqlQuery
from registry.errors import BundleCorrupt, RegistryUnreachable
from registry.ledger.entries import make_entry
from registry.ledger.members import encode_time
from schemas.errors import ExitCode
from schemas.scenario import load_scenario
from schemas.texts import LANGUAGES
from tests.wallet.conftest import ISSUER, ISSUER_DID, PASSPHRASE, Town
from verifier.pipeline import Answer
from wallet.errors import (
    CannotAnswer,
    IssuerAddressUnsafe,
    NoTrustBundle,
    RequestAnswered,
    RequestExceedsEntitlement,
    TrustBundleOlder,
    UnknownCredential,
    VaultFull,
    VerifierNotAccredited,
    WrongKindOfInput,
)
from wallet.service import Wallet
from wallet.views import (
    AnchorState,
    CredentialState,
    HistoryKind,
    Outcome,
    WarningKind,
    to_json,
)

NAME = "/credentialSubject/name"
ADULT = "/credentialSubject/ageOver18"


def kinds(warnings: Any) -> list[WarningKind]:
    return [warning.kind for warning in warnings]


def test_the_whole_journey(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    view = wallet.inspect_request(town.request("name", "ageOver18"))
    assert view.verifier_name == "Hangzhou Transport Bureau"
    assert view.purpose == "Senior bus card"
    assert [claim.pointer for claim in view.shown] == [NAME, ADULT]
    assert [claim.value for claim in view.shown] == ["王小明", "Yes"]
    assert {claim.pointer for claim in view.hidden} >= {
        "/credentialSubject/citizenNumber",
        "/credentialSubject/birthDate",
        "/evidence",
    }
    assert all(claim.value is None for claim in view.hidden)
    assert "/issuer" in {claim.pointer for claim in view.always_shown}
    assert view.warnings == ()
    assert view.answerable
    ready = wallet.answer(view, number)
    verdict = town.desk.verify(read_one(ready.png()))
    assert verdict.answer is Answer.ACCEPTED
    assert verdict.claims is not None
    text = json.dumps(dict(ready.document), ensure_ascii=False)
    assert "王小明" in text
    assert town.citizen["citizenNumber"] not in text
    assert "1990-01-01" not in text


def test_the_presentation_is_drawn_in_every_form(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    assert read_one(ready.png()) == ready.qr_text
    assert ready.svg().lstrip().startswith("<")
    assert len(ready.terminal().splitlines()) > 20
    assert ready.expires <= town.clock() + timedelta(minutes=5)


def test_a_presentation_for_one_desk_is_refused_when_replayed(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    assert town.desk.verify(ready.qr_text).answer is Answer.ACCEPTED
    assert town.desk.verify(ready.qr_text).answer is Answer.REJECTED


def test_each_claim_alone_shows_no_other(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    scenario = load_scenario("resident-identity")
    issued = wallet.credential_document(number)
    for index, pointer in enumerate(scenario.selectable_pointers):
        query = DcqlQuery.for_claims("ResidentIdentityCredential", [pointer])
        view = wallet.inspect_request(desk_request(town, dcql=query, nonce=f"nonce-{index:020}"))
        shown = wallet.answer(view, number, override=True).document["verifiableCredential"][0]
        names = set(shown["credentialSubject"]) - {"id", "type"}
        assert names == ({pointer.rpartition("/")[2]} if pointer != "/evidence" else set())
        assert ("evidence" in shown) is (pointer == "/evidence")
        for name in names:
            assert shown["credentialSubject"][name] == issued["credentialSubject"][name]


def test_the_usual_answer_fits_one_code(town: Town) -> None:
    """Version 25-L, the largest that terminals show and cameras read."""
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name", "ageOver18")), number)
    assert "anchorProof" in ready.document
    assert len(ready.qr_text) <= capacity(25, alphanumeric=True)


# Requests


def test_one_request_is_answered_once(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    text = town.request("name")
    view = wallet.inspect_request(text)
    wallet.answer(view, number)
    with pytest.raises(RequestAnswered):
        wallet.answer(view, number)
    with pytest.raises(RequestAnswered):
        wallet.inspect_request(text)
    assert [e.kind for e in wallet.history()].count(HistoryKind.PRESENTATION) == 1


def test_an_expired_request(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    text = town.request("name")
    view = wallet.inspect_request(text)
    town.clock.advance(minutes=6)
    with pytest.raises(RequestExpired):
        wallet.answer(view, number)
    with pytest.raises(RequestExpired):
        wallet.inspect_request(text)


def test_an_altered_request(town: Town) -> None:
    wallet = town.wallet()
    text = town.request("name")
    head, _, signature = text.rpartition(".")
    turned = ("B" if signature[0] == "A" else "A") + signature[1:]
    with pytest.raises(SignatureInvalid):
        wallet.inspect_request(f"{head}.{turned}")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("openid4vp://?request_uri=https%3A%2F%2Fevil.example", RequestByReference),
        ("openid4vp://?client_id=x&nonce=1", RequestMalformed),
        ("hello", RequestMalformed),
        ("openid-credential-offer://?credential_offer=%7B%7D", WrongKindOfInput),
    ],
)
def test_what_is_no_request(text: str, error: type[Exception], town: Town) -> None:
    wallet = town.wallet()
    town.wires.seen.clear()
    with pytest.raises(error):
        wallet.inspect_request(text)
    assert town.wires.seen == []


def foreign_request(town: Town, key: PrivateKey, did: str, kid: str, **changes: Any) -> str:
    members = {
        "client_id": did,
        "verifier_name": {"en": "Ministry of Everything"},
        "purpose": {"en": "Because"},
        "entitlement": "bus-card",
        "dcql": DcqlQuery.for_claims("ResidentIdentityCredential", [NAME]),
        "nonce": "n" * 22,
        "issued_at": town.clock(),
        "expires": town.clock() + timedelta(minutes=5),
    } | changes
    return PresentationRequest(**members).sign(key, kid)


def test_whoever_is_not_accredited_gets_no_answer(town: Town) -> None:
    """A did:key can sign a valid request; nothing on the chain says who it is."""
    wallet = town.wallet()
    number = town.credential(wallet)
    key = PrivateKey.generate("P-256")
    view = wallet.inspect_request(
        foreign_request(town, key, did_key(key.public_key), key_url(key.public_key))
    )
    assert kinds(view.warnings) == [WarningKind.UNKNOWN_VERIFIER]
    assert not view.answerable
    assert view.legal_basis is None
    assert view.entitlement is None, "an entitlement of another department lends it nothing"
    for override in (False, True):
        with pytest.raises(VerifierNotAccredited):
            wallet.answer(view, number, override=override)
    entry = wallet.history()[0]
    assert (entry.kind, entry.outcome, entry.error) == (
        HistoryKind.PRESENTATION,
        Outcome.FAILED,
        "ZL-VERIFIER-NOT-ACCREDITED",
    )


def desk_request(town: Town, **changes: Any) -> str:
    """Signed by the accredited desk, but not what its own software would ask."""
    desk = town.desk
    return foreign_request(
        town,
        desk._signer,
        desk.settings.did,
        desk.settings.key_url,
        verifier_name=desk.settings.name,
        purpose={"zh-CN": "办理老年公交卡", "en": "Senior bus card"},
        **changes,
    )


def test_a_request_beyond_its_entitlement_needs_an_express_wish(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    view = wallet.inspect_request(
        desk_request(
            town,
            dcql=DcqlQuery.for_claims(
                "ResidentIdentityCredential", [NAME, "/credentialSubject/citizenNumber"]
            ),
        )
    )
    assert kinds(view.warnings) == [WarningKind.EXCEEDS_ENTITLEMENT]
    assert [claim.label for claim in view.exceeding] == ["Citizen number"]
    assert "Citizen number" in view.warnings[0].text
    assert view.needs_override
    with pytest.raises(RequestExceedsEntitlement):
        wallet.answer(view, number)
    assert wallet.answer(view, number, override=True).shown == ("Name", "Citizen number")


def test_a_request_for_the_whole_subject_is_unfolded(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    query = DcqlQuery(
        "credential",
        DcqlQuery.for_claims("ResidentIdentityCredential", []).type_values,
        (ClaimQuery(("credentialSubject",)),),
    )
    view = wallet.inspect_request(desk_request(town, dcql=query))
    assert len(view.shown) == 11
    assert "Citizen number" in {claim.label for claim in view.exceeding}
    assert view.needs_override


def test_a_claim_without_a_name_is_not_asked_for_in_secret(town: Town) -> None:
    """What the consent screen cannot name is not shown to anybody."""
    wallet = town.wallet()
    town.credential(wallet)
    query = DcqlQuery.for_claims("ResidentIdentityCredential", ["/evidence/0/replyDigest"])
    with pytest.raises(QueryUnsupported):
        wallet.inspect_request(desk_request(town, dcql=query))


def test_an_entitlement_that_is_unknown_or_over(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    town.entitle("old", [NAME], to=encode_time(town.clock() - timedelta(hours=1)))
    wallet.refresh()
    for name in ("nothing", "old"):
        view = wallet.inspect_request(desk_request(town, entitlement=name, nonce=name * 8))
        assert kinds(view.warnings) == [WarningKind.NO_ENTITLEMENT]
        assert view.needs_override


def test_another_purpose_than_the_chains_is_pointed_out(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    desk = town.desk
    view = wallet.inspect_request(
        foreign_request(town, desk._signer, desk.settings.did, desk.settings.key_url)
    )
    assert WarningKind.PURPOSE_DIFFERS in kinds(view.warnings)
    assert "Senior bus card" in view.warnings[0].text
    assert view.verifier_name == "Hangzhou Transport Bureau", "the chain's name, not its own"


def test_a_struck_off_department(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    view = wallet.inspect_request(town.request("name"))
    accreditation = json.loads(
        json.dumps(
            town.chain.sequencer.chains.governance.verifiers[town.desk.settings.did].document
        )
    )
    town.govern(
        make_entry(
            "verifier",
            did=town.desk.settings.did,
            name=dict(town.desk.settings.name),
            document=accreditation,
            **{
                "from": encode_time(town.clock() - timedelta(days=1)),
                "to": encode_time(town.clock() - timedelta(seconds=1)),
            },
        )
    )
    wallet.refresh()
    with pytest.raises(VerifierNotAccredited):
        wallet.answer(view, number)


def test_without_a_fitting_credential(town: Town) -> None:
    wallet = town.wallet()
    view = wallet.inspect_request(town.request("name"))
    assert kinds(view.warnings) == [WarningKind.NO_CREDENTIAL]
    assert not view.answerable
    with pytest.raises(UnknownCredential):
        wallet.answer(view, "nonesuch")


def test_a_value_asked_for_that_the_credential_has_not(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    query = DcqlQuery(
        "credential",
        DcqlQuery.for_claims("ResidentIdentityCredential", []).type_values,
        (ClaimQuery(("credentialSubject", "sex"), ("female",)),),
    )
    view = wallet.inspect_request(desk_request(town, dcql=query))
    assert view.candidates == ()
    with pytest.raises(CannotAnswer):
        wallet.answer(view, number, override=True)


def test_declining_is_recorded_and_sends_nothing(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    view = wallet.inspect_request(town.request("name"))
    town.wires.seen.clear()
    entry = wallet.decline(view)
    assert entry.kind is HistoryKind.REFUSAL
    assert entry.claim_labels == ("Name",)
    assert town.wires.seen == []


def test_a_request_as_picture_and_as_file(town: Town, tmp_path: Path) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    text = town.request("name")
    (tmp_path / "r.png").write_bytes(draw(text, "png"))
    (tmp_path / "r.txt").write_text(text + "\n", encoding="utf-8")
    for name in ("r.png", "r.txt"):
        view = wallet.inspect_request(tmp_path / name)
        assert view.verifier_did == town.desk.settings.did


# Status and anchors


def test_revocation_is_seen_after_a_refresh(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    record = town.issuer.records.credentials()[0].id
    town.issuer.change("revoke", [record], reason="holder-request", actor="op")
    town.step()
    assert wallet.credential(number).state is CredentialState.VALID
    report = wallet.refresh()
    assert [view.state for view in report.changed] == [CredentialState.REVOKED]
    view = wallet.inspect_request(town.request("name"))
    assert kinds(view.candidates[0].warnings) == [WarningKind.CREDENTIAL_NOT_VALID]


def test_expiry_needs_no_refresh(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    town.clock.advance(days=400)
    assert wallet.credential(number).state is CredentialState.EXPIRED


def test_a_credential_is_pending_until_its_anchor_is_cosigned(town: Town) -> None:
    wallet = town.wallet()
    application = wallet.apply(ISSUER, town.citizen)
    credential = wallet.accept_offer(wallet.inspect_offer(application.offer), town.tx_code())
    assert credential.anchor is AnchorState.PENDING
    nodes = list(town.chain.nodes)
    for name in nodes:
        town.chain.stop_node(name)
    assert town.issuer.publish().trouble is None
    town.step()
    assert wallet.refresh().anchored == 0
    view = wallet.inspect_request(town.request("name"))
    assert WarningKind.NOT_ANCHORED in kinds(view.candidates[0].warnings)
    for name in nodes:
        town.chain.start_node(name)
    town.step()
    assert wallet.refresh().anchored == 1
    assert wallet.credential(credential.id).anchor is AnchorState.ANCHORED


def test_an_anchor_proof_stays_good_while_the_chain_grows(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    for name in ("second", "third"):
        town.credential(town.wallet(name))
    assert wallet.refresh().anchored == 1
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    assert town.desk.verify(ready.qr_text).answer is Answer.ACCEPTED


# Trust bundles


def test_without_a_bundle_nobody_is_trusted(town: Town) -> None:
    with Wallet.create(
        town.home / "fresh",
        PASSPHRASE,
        genesis=town.genesis.entry.raw,
        registry_url="https://registry.example",
        clock=town.clock,
        transport=town.wires,
    ) as wallet:
        for step in (wallet.issuers, lambda: wallet.inspect_request(town.request("name"))):
            with pytest.raises(NoTrustBundle) as unknown:
                step()
            assert unknown.value.exit_code is ExitCode.UNDETERMINED
        assert wallet.credentials() == ()
        assert wallet.status().trust_as_of is None


def test_an_unreachable_registry_changes_nothing(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    town.wires.cut.add("registry.example")
    with pytest.raises(RegistryUnreachable):
        wallet.refresh()
    assert wallet.credential(number).state is CredentialState.VALID


def test_an_older_bundle_is_refused(town: Town, tmp_path: Path) -> None:
    wallet = town.wallet()
    with town.client() as client:
        (tmp_path / "old.zltrust").write_bytes(client.trust_bundle())
    town.credential(wallet)
    with pytest.raises(TrustBundleOlder):
        wallet.load_trust_bundle(tmp_path / "old.zltrust")


def test_a_bundle_from_a_stick(town: Town, tmp_path: Path) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    town.step()
    with town.client() as client:
        (tmp_path / "new.zltrust").write_bytes(client.trust_bundle())
    town.wires.seen.clear()
    report = wallet.load_trust_bundle(tmp_path / "new.zltrust")
    assert report.anchored == 1
    assert town.wires.seen == []


def test_a_damaged_bundle_is_refused(town: Town, tmp_path: Path) -> None:
    wallet = town.wallet()
    before = wallet.status().trust_as_of
    with town.client() as client:
        data = bytearray(client.trust_bundle())
    data[len(data) // 2] ^= 1
    (tmp_path / "bad.zltrust").write_bytes(data)
    with pytest.raises(BundleCorrupt):
        wallet.load_trust_bundle(tmp_path / "bad.zltrust")
    assert wallet.status().trust_as_of == before


def test_old_knowledge_is_pointed_out(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    town.clock.advance(days=8)
    view = wallet.inspect_request(desk_request(town))
    assert WarningKind.OLD_TRUST_BUNDLE in kinds(view.warnings)


def test_the_registrys_address_must_be_safe(town: Town) -> None:
    with pytest.raises(IssuerAddressUnsafe):
        Wallet.create(
            town.home / "x",
            PASSPHRASE,
            genesis=town.genesis.entry.raw,
            registry_url="http://registry.example",
        )
    assert not Wallet.exists(town.home / "x")


# History, language, keeping


def test_the_history_holds_names_and_no_values(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    view = wallet.inspect_request(town.request("name", "ageOver18"))
    ready = wallet.answer(view, number)
    wallet.import_receipt(town.desk.verify(ready.qr_text).receipt or "")
    exported = json.dumps(
        [wallet.export_history(), to_json(wallet.history()), wallet.export_evidence(3)],
        ensure_ascii=False,
    )
    assert NAME in exported
    for value in town.citizen.values():
        assert len(value) == 1 or value not in exported
    assert [entry.kind for entry in reversed(wallet.history())] == [
        HistoryKind.APPLICATION,
        HistoryKind.ISSUANCE,
        HistoryKind.PRESENTATION,
        HistoryKind.RECEIPT,
    ]


def test_deleting_history(town: Town) -> None:
    wallet = town.wallet()
    town.credential(wallet)
    newest = wallet.history()[0]
    assert wallet.delete_history([newest.id]) == 1
    assert newest.id not in [entry.id for entry in wallet.history()]
    assert wallet.delete_history() == 1
    assert wallet.history() == ()


@pytest.mark.parametrize("language", LANGUAGES)
def test_views_follow_the_language(language: str, town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    wallet.language = language
    chinese = language == "zh-CN"
    view = wallet.credential(number, reveal=True)
    assert view.title == ("居民身份凭证" if chinese else "Resident identity credential")
    assert view.state_text == ("有效" if chinese else "valid")
    request = wallet.inspect_request(town.request("name"))
    assert request.purpose == ("办理老年公交卡" if chinese else "Senior bus card")


def test_sensitive_values_are_veiled_unless_asked_for(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    veiled = {claim.pointer: claim.value for claim in wallet.credentials()[0].claims}
    assert veiled[NAME] is None
    assert veiled[ADULT] == "Yes"
    revealed = wallet.credential(number[:6], reveal=True)
    assert revealed.claims[0].value == "王小明"
    assert "王小明" not in repr(revealed)


def test_removing_a_credential_removes_its_key(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    wallet.remove_credential(number)
    assert wallet.credentials() == ()
    assert wallet._vault.execute("SELECT * FROM keys") == []
    assert wallet.history()[0].kind is HistoryKind.REMOVAL


def test_a_backup_holds_everything(town: Town, tmp_path: Path) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    wallet.backup(tmp_path / "b")
    wallet.close()
    Wallet.restore(tmp_path / "b", tmp_path / "other", PASSPHRASE)
    with Wallet.open(
        tmp_path / "other", PASSPHRASE, clock=town.clock, transport=town.wires
    ) as again:
        ready = again.answer(again.inspect_request(town.request("name")), number)
    assert town.desk.verify(ready.qr_text).answer is Answer.ACCEPTED


def test_a_full_disk_while_answering_gives_nothing_away(town: Town) -> None:
    """No entry in the history, no presentation."""
    wallet = town.wallet()
    number = town.credential(wallet)
    view = wallet.inspect_request(town.request("name"))
    fill(wallet)
    with pytest.raises(VaultFull):
        wallet.answer(view, number)
    wallet._vault.execute("PRAGMA max_page_count = 1000000")
    assert wallet.answer(view, number)


def fill(wallet: Wallet) -> None:
    """Leave no page for anything more."""
    vault = wallet._vault
    pages = vault.one("PRAGMA page_count")
    assert pages is not None
    vault.execute(f"PRAGMA max_page_count = {pages[0]}")
    for statement in (
        "INSERT INTO settings VALUES (hex(randomblob(20)), randomblob(50))",
        "INSERT INTO history (time, kind, outcome, claims) VALUES ('', '', '', '')",
    ):
        with pytest.raises(VaultFull):
            for _ in range(10_000):
                vault.execute(statement)


def test_only_known_addresses_are_contacted(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    wallet.answer(wallet.inspect_request(town.request("name")), number)
    assert {url.split("/")[2] for _, url in town.wires.seen} <= {
        "issuer.example",
        "registry.example",
    }
    assert wallet.issuers()[0].did == ISSUER_DID
