"""A desk end to end: what it accepts, what it rejects and by which check, what it cannot know."""

from __future__ import annotations

import copy
import io
import json
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from credentials.errors import NoCodeInPicture
from credentials.exchange import verify_receipt
from credentials.keys import PrivateKey
from credentials.presentation import build_presentation
from credentials.proofs import derive
from credentials.qr import draw, encode_qr_text
from registry.errors import HistoryRewritten
from registry.simulation.simulator import Consortium
from schemas.errors import ExitCode
from verifier.desk import Desk, Verdict
from verifier.errors import (
    BundleMissing,
    BundleRollback,
    BundleUnusable,
    EntitlementUnknown,
    JournalFull,
    RequestExcess,
)
from verifier.pipeline import Answer
from verifier.settings import load_settings

from .conftest import OTHER, Counter, credential_for, issue, make_desk


def decided(verdict: Verdict) -> tuple[str, str]:
    assert verdict.decided_by is not None
    assert verdict.decided_by.error is not None
    assert verdict.claims is None
    assert verdict.receipt is None
    return verdict.decided_by.check, verdict.decided_by.error.code


def test_a_good_presentation_shows_what_was_asked_and_leaves_a_record(counter: Counter) -> None:
    request = counter.ask("name", "ageOver18")
    verdict = counter.desk.verify(encode_qr_text(counter.answer(request)))
    assert verdict.answer is Answer.ACCEPTED, verdict.decided_by
    assert verdict.claims is not None
    assert dict(verdict.claims.values) == {
        "/credentialSubject/name": "陈思远",
        "/credentialSubject/ageOver18": True,
    }
    assert verdict.receipt is not None
    receipt = verify_receipt(verdict.receipt, resolver=counter.chain.bundle().resolver)
    assert receipt.record.claims == request.claims
    (row,) = counter.desk.records()
    assert row.chain_index is None
    assert "陈思远" not in json.dumps(row.record, ensure_ascii=False)
    # At the next synchronisation the commitment is on the access chain, and stays known to be.
    counter.sync()
    (row,) = counter.desk.records()
    assert row.chain_index is not None
    entries = (
        list(
            counter.chain.client.entries(
                counter.chain.genesis.access_origin, 0, row.chain_index + 1
            )
        )
        if counter.chain.settle()
        else []
    )
    assert any(row.commitment in str(e) for e in entries)


def test_verification_needs_no_network(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    request = counter.ask("name", "ageOver18")
    text = encode_qr_text(counter.answer(request))

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened while verifying")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "create_connection", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    assert counter.desk.verify(text).answer is Answer.ACCEPTED


def test_a_scanned_picture_is_as_good_as_text(counter: Counter) -> None:
    request = counter.ask("name", "ageOver18")
    picture = counter.folder / "answer.png"
    picture.write_bytes(draw(encode_qr_text(counter.answer(request)), "png"))
    assert counter.desk.scan(picture).answer is Answer.ACCEPTED


def test_a_picture_without_a_code_is_malformed_input(counter: Counter) -> None:
    picture = counter.folder / "blank.png"
    stream = io.BytesIO()
    Image.new("L", (300, 300), 255).save(stream, "PNG")
    picture.write_bytes(stream.getvalue())
    with pytest.raises(NoCodeInPicture) as caught:
        counter.desk.scan(picture)
    assert caught.value.exit_code is ExitCode.MALFORMED


def test_a_replay_is_rejected(counter: Counter) -> None:
    text = encode_qr_text(counter.answer(counter.ask("name", "ageOver18")))
    assert counter.desk.verify(text).answer is Answer.ACCEPTED
    assert decided(counter.desk.verify(text)) == ("nonce", "ZL-REQUEST-ANSWERED")
    assert len(counter.desk.records()) == 1


def test_another_departments_answer_is_rejected(counter: Counter) -> None:
    other = make_desk(counter.chain, counter.folder / "other", OTHER)
    counter.chain.entitle(OTHER, identifier="library-card")
    other.sync(counter.chain.client)
    request = other.request("library-card")
    answer = counter.answer(request, domain=OTHER)
    assert decided(counter.desk.verify(answer))[0] == "audience"
    assert other.verify(answer).answer is Answer.ACCEPTED
    other.close()


def test_the_answer_to_a_foreign_nonce_is_rejected(counter: Counter) -> None:
    other = make_desk(counter.chain, counter.folder / "other", OTHER)
    counter.chain.entitle(OTHER, identifier="library-card")
    other.sync(counter.chain.client)
    answer = counter.answer(other.request("library-card"))
    assert decided(counter.desk.verify(answer)) == ("nonce", "ZL-REQUEST-UNKNOWN")
    other.close()


def test_a_late_answer_is_rejected(counter: Counter) -> None:
    request = counter.ask("name", "ageOver18")
    answer = counter.answer(request)
    counter.chain.advance(minutes=6)
    assert decided(counter.desk.verify(answer)) == ("nonce", "ZL-REQUEST-CLOSED")


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, child in value.items() for leaf in _leaves(child, (*path, key))]
    if isinstance(value, list):
        return [leaf for n, child in enumerate(value) for leaf in _leaves(child, (*path, n))]
    return [path]


def test_no_value_can_be_changed_or_removed(counter: Counter) -> None:
    """Every leaf of the presentation, altered or deleted: never accepted, never a claim shown."""
    request = counter.ask("name", "ageOver18")
    good = counter.answer(request)
    for path in _leaves(good):
        for change in ("alter", "remove"):
            bad = copy.deepcopy(good)
            place: Any = bad
            for step in path[:-1]:
                place = place[step]
            if change == "remove":
                del place[path[-1]]
            elif isinstance(place[path[-1]], bool):
                place[path[-1]] = not place[path[-1]]
            else:
                place[path[-1]] = f"{place[path[-1]]}x"
            verdict = counter.desk.verify(bad)
            assert verdict.answer is not Answer.ACCEPTED, (path, change)
            assert verdict.claims is None
    assert counter.desk.verify(good).answer is Answer.ACCEPTED


def test_an_added_member_is_rejected(counter: Counter) -> None:
    good = counter.answer(counter.ask("name", "ageOver18"))
    for place in (good, good["verifiableCredential"][0]):
        for name, value in (("approved", True), ("name", "x"), ("credentialSubject2", {})):
            bad = copy.deepcopy(good)
            target = bad if place is good else bad["verifiableCredential"][0]
            target[name] = value
            assert counter.desk.verify(bad).answer is Answer.REJECTED


def test_a_stolen_credential_is_rejected(counter: Counter) -> None:
    thief = PrivateKey.from_seed("P-256", b"a thief's key, in tests only ....")
    answer = counter.answer(counter.ask("name", "ageOver18"), signer=thief)
    assert decided(counter.desk.verify(answer))[0] == "binding"


def test_an_issuer_that_is_not_accredited_is_rejected(counter: Counter) -> None:
    from registry.simulation.simulator import _party

    stranger = _party("did:web:stranger.example", None)
    credential = issue(
        stranger,
        credential_for(
            stranger.did,
            counter.holder,
            counter.credential["credentialSchema"]["digestMultibase"],
        ),
        counter.now,
    )
    answer = counter.answer(counter.ask("name", "ageOver18"), credential=credential, anchored=False)
    assert decided(counter.desk.verify(answer)) == ("issuer", "ZL-ISSUER-UNACCREDITED")


def test_less_or_more_than_asked_is_rejected(counter: Counter) -> None:
    request = counter.ask("name", "ageOver18")
    less = counter.answer(request, claims=("/credentialSubject/name",))
    assert decided(counter.desk.verify(less)) == ("claims", "ZL-CLAIMS-MISSING")
    more = counter.answer(request, claims=(*request.claims, "/credentialSubject/citizenNumber"))
    assert decided(counter.desk.verify(more)) == ("claims", "ZL-CLAIMS-EXCESS")


def test_revocation_and_suspension(counter: Counter) -> None:
    counter.lists["suspension"].set(4711)
    counter.publish()
    answer = counter.answer(counter.ask("name", "ageOver18"))
    assert counter.desk.verify(answer).answer is Answer.ACCEPTED  # not synchronised yet
    counter.sync()
    answer = counter.answer(counter.ask("name", "ageOver18"))
    assert decided(counter.desk.verify(answer)) == ("status", "ZL-STATUS-SUSPENDED")
    counter.chain.advance(minutes=1)
    counter.lists["suspension"].set(4711, False)
    counter.lists["revocation"].set(4711)
    counter.publish()
    counter.sync()
    answer = counter.answer(counter.ask("name", "ageOver18"))
    assert decided(counter.desk.verify(answer)) == ("status", "ZL-STATUS-REVOKED")


def test_old_knowledge_leaves_the_answer_open(counter: Counter) -> None:
    counter.chain.advance(hours=25)
    answer = counter.answer(counter.ask("name", "ageOver18"))
    verdict = counter.desk.verify(answer)
    assert verdict.answer is Answer.UNDETERMINED
    assert decided(verdict) == ("status", "ZL-STATUS-STALE")
    counter.chain.settle()
    counter.sync()
    verdict = counter.desk.verify(answer)
    assert verdict.answer is Answer.ACCEPTED, verdict.decided_by


def test_what_cannot_be_known_is_never_called_revoked(counter: Counter) -> None:
    counter.chain.advance(days=8)
    answer = counter.answer(counter.ask("name", "ageOver18"))
    verdict = counter.desk.verify(answer)
    assert verdict.answer is Answer.UNDETERMINED
    assert all("REVOKED" not in (f.error.code if f.error else "") for f in verdict.findings)


def test_tampering_is_rejected_even_when_status_is_unknown(counter: Counter) -> None:
    counter.chain.advance(hours=25)
    bad = counter.answer(counter.ask("name", "ageOver18"))
    bad["verifiableCredential"][0]["credentialSubject"]["name"] = "李四"
    verdict = counter.desk.verify(bad)
    assert verdict.answer is Answer.REJECTED
    assert decided(verdict)[0] == "holder"


def test_without_an_anchor_proof_the_answer_stays_open(counter: Counter) -> None:
    answer = counter.answer(counter.ask("name", "ageOver18"), anchored=False)
    assert decided(counter.desk.verify(answer)) == ("anchor", "ZL-ANCHOR-ABSENT")


def test_an_anchor_newer_than_the_bundle_is_unknown_not_wrong(counter: Counter) -> None:
    from credentials.anchor import anchor_of
    from registry.ledger.entries import anchor_entry

    fresh = issue(
        counter.issuer,
        credential_for(
            counter.issuer.did,
            counter.holder,
            counter.credential["credentialSchema"]["digestMultibase"],
        ),
        counter.now,
    )
    counter.chain.client.submit(
        counter.chain.genesis.identity_origin,
        [anchor_entry(counter.issuer.did, anchor_of(fresh))],
        counter.issuer.key,
        counter.issuer.key_url,
    )
    counter.chain.settle()
    answer = counter.answer(counter.ask("name", "ageOver18"), credential=fresh)
    verdict = counter.desk.verify(answer)
    assert verdict.answer is Answer.UNDETERMINED
    assert decided(verdict) == ("anchor", "ZL-ANCHOR-UNKNOWN")
    counter.sync()
    verdict = counter.desk.verify(answer)
    assert verdict.answer is Answer.ACCEPTED, verdict.decided_by


@pytest.mark.parametrize(
    "text",
    ["", "hello", "VP1-", "VP1-R", "VC1-R00", "{", "[]", "{}", '{"type": 1}', "VP1-R" + "0" * 5000],
)
def test_what_is_no_presentation_is_malformed(counter: Counter, text: str) -> None:
    verdict = counter.desk.verify(text)
    assert verdict.answer is Answer.REJECTED
    assert decided(verdict)[0] == "form"
    assert verdict.exit_code is ExitCode.MALFORMED


def test_a_truncated_code_is_malformed_wherever_it_ends(counter: Counter) -> None:
    text = encode_qr_text(counter.answer(counter.ask("name", "ageOver18")))
    for length in range(0, len(text) - 1, 37):
        verdict = counter.desk.verify(text[:length])
        assert decided(verdict)[0] == "form"


def test_a_crash_between_handing_over_and_noting_it_loses_and_doubles_nothing(
    counter: Counter,
) -> None:
    counter.desk.verify(counter.answer(counter.ask("name", "ageOver18")))
    counter.sync()
    (first,) = counter.desk.records()
    counter.desk._journal._db.execute("UPDATE access_records SET chain_index = NULL")
    counter.desk.verify(counter.answer(counter.ask("name", "ageOver18")))
    counter.sync()
    second, again = counter.desk.records()
    assert again.chain_index == first.chain_index
    assert second.chain_index is not None
    assert second.chain_index > again.chain_index


def test_a_desk_asks_only_what_it_may(counter: Counter) -> None:
    with pytest.raises(RequestExcess):
        counter.ask("birthDate")
    with pytest.raises(EntitlementUnknown):
        counter.desk.request("tax-audit")


def test_without_a_bundle_nothing_is_known(counter: Counter) -> None:
    fresh = make_desk(counter.chain, counter.folder / "fresh", OTHER)
    with pytest.raises(BundleMissing) as caught:
        fresh.verify("VP1-R00")
    assert caught.value.exit_code is ExitCode.UNDETERMINED
    fresh.close()


def test_a_damaged_bundle_on_disk_decides_nothing(counter: Counter) -> None:
    path = counter.folder / "desk" / "trust.zltrust"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    again = Desk(counter.folder / "desk", load_settings(counter.folder / "desk"), None)
    with pytest.raises(BundleUnusable) as caught:
        again.verify("VP1-R00")
    assert caught.value.exit_code is ExitCode.ENVIRONMENT
    again.close()


def test_the_bundle_never_moves_backwards(counter: Counter) -> None:
    old = counter.chain.client.trust_bundle()
    counter.lists["revocation"].set(4711)
    counter.publish()
    counter.sync()
    with pytest.raises(BundleRollback):
        counter.desk.import_bundle(old)
    answer = counter.answer(counter.ask("name", "ageOver18"))
    assert decided(counter.desk.verify(answer))[1] == "ZL-STATUS-REVOKED"


def test_a_bundle_of_a_rewritten_history_is_kept_as_evidence_and_not_used(
    counter: Counter, tmp_path: Path
) -> None:
    """What a sequencer can make together with a quorum: every signature in it is good."""
    held = counter.desk.assurance.bundle
    evidence = counter.folder / "desk" / "contradiction.zltrust"
    one = {"nodes": ("data-resources",), "quorum": 1}
    with Consortium(tmp_path / "rewritten", **one) as other:
        while other.client.cosigned().size <= held.main_checkpoint.size:
            other.add_issuer(f"did:web:other{other.client.cosigned().size}.example")
        data = other.client.trust_bundle()
        with pytest.raises(HistoryRewritten) as caught:
            counter.desk.import_bundle(data)
        assert caught.value.exit_code is ExitCode.REJECTED
        assert evidence.read_bytes() == data
        evidence.unlink()
        with pytest.raises(HistoryRewritten):
            counter.desk.sync(other.client)
        assert evidence.read_bytes() == data
    assert counter.desk.assurance.bundle is held
    answer = counter.answer(counter.ask("name", "ageOver18"))
    assert counter.desk.verify(answer).answer is Answer.ACCEPTED


def test_a_full_disk_shows_no_claims_and_keeps_the_request(counter: Counter) -> None:
    answer = counter.answer(counter.ask("name", "ageOver18"))
    database = counter.desk._journal._db
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(JournalFull):
        for _ in range(1000):
            counter.desk.verify("no presentation")
    with pytest.raises(JournalFull):
        counter.desk.verify(answer)
    assert counter.desk.records() == []
    database.execute(f"PRAGMA max_page_count={pages + 100}")
    assert counter.desk.verify(answer).answer is Answer.ACCEPTED


def test_a_request_made_for_a_short_time(counter: Counter) -> None:
    made = counter.desk.request("age-check", ttl=timedelta(minutes=1))
    assert made.expires == counter.now + timedelta(minutes=1)
    assert set(made.claims) == {
        "/credentialSubject/name",
        "/credentialSubject/ageOver18",
        "/credentialSubject/citizenNumber",
    }


def test_the_log_of_looks_holds_failed_ones_and_no_values(counter: Counter, tmp_path: Path) -> None:
    bad = counter.answer(counter.ask("name", "ageOver18"))
    bad["verifiableCredential"][0]["credentialSubject"]["name"] = "李四四"
    counter.desk.verify(bad)
    counter.desk.verify("nonsense")
    assert [look.decided_by for look in counter.desk.looks()] == ["form", "holder"]
    stored = b"".join(
        p.read_bytes() for p in (counter.folder / "desk").iterdir() if "journal" in p.name
    )
    assert "李四四".encode() not in stored


def test_a_damaged_bundle_is_replaced_by_a_synchronisation_but_not_by_an_older_one(
    counter: Counter,
) -> None:
    old = counter.chain.client.trust_bundle()
    counter.publish()
    counter.sync()
    (counter.folder / "desk" / "trust.zltrust").write_bytes(b"PK")
    again = Desk(
        counter.folder / "desk", counter.desk.settings, counter.desk._key, clock=lambda: counter.now
    )
    with pytest.raises(BundleRollback):
        again.import_bundle(old)
    again.sync(counter.chain.client)
    assert again.assurance.bundle.main_checkpoint.size > 0
    again.close()


def test_a_clock_set_back_makes_no_old_knowledge_fresh(counter: Counter) -> None:
    counter.chain.advance(hours=1)
    counter.chain.settle()
    counter.sync()
    for minutes, expected in ((4, Answer.ACCEPTED), (6, Answer.UNDETERMINED)):
        desk = Desk(
            counter.folder / "desk",
            counter.desk.settings,
            counter.desk._key,
            clock=lambda minutes=minutes: counter.now - timedelta(minutes=minutes),  # type: ignore[misc]
        )
        own = desk.request("age-check", ["/credentialSubject/name"])
        answer = build_presentation(
            [derive(counter.credential, own.claims)],
            anchor_proofs=[counter.proof()],
            signer=counter.holder,
            domain=desk.settings.did,
            challenge=own.nonce,
            created=counter.now - timedelta(minutes=minutes),
            expires=counter.now,
        )
        verdict = desk.verify(answer)
        desk.close()
        assert verdict.answer is expected, verdict.decided_by
    assert decided(verdict) == ("freshness", "ZL-CLOCK-BEHIND")
