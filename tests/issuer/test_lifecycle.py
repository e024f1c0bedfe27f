"""Revoke, suspend, reinstate; published lists; what reaches the registry after any failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from credentials.dids import DocumentResolver
from credentials.proofs import verify_proof
from credentials.status import parse_status_list, status_entries
from issuer.errors import (
    ReasonUnknown,
    RecordUnknown,
    StatusListUnknown,
    TransitionForbidden,
)
from issuer.office import Office
from issuer.records import Records
from issuer.service import Issuer
from registry.ledger.members import document_digest

CHAIN = "hangzhou.zhenglian.example/identity"


def published(issuer: Issuer, credential: dict[str, Any], clock: Any) -> dict[str, bool]:
    """Purpose → whether the bit is set in the list the issuer serves, which must verify."""
    resolver = DocumentResolver([issuer.did_document()])
    told = {}
    for entry in status_entries(credential):
        document = json.loads(issuer.status_list(int(entry.list_url.rpartition("/")[2])))
        verify_proof(document, resolver=resolver, now=clock())
        assert document["issuer"] == "did:web:data.hangzhou.example"
        told[entry.purpose] = parse_status_list(document).is_set(entry)
    return told


def test_no_list_is_served_before_it_is_signed(issuer: Issuer) -> None:
    for number in (1, 2, 3):
        with pytest.raises(StatusListUnknown):
            issuer.status_list(number)
    sent = issuer.publish()
    assert (sent.published, sent.pending) == (2, 0)
    assert issuer.status_list(1)


def test_suspend_reinstate_revoke(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], clock: Any
) -> None:
    credential, other = issue(), issue()
    chosen = next(
        known
        for known in issuer.records.credentials()
        if str(known.revocation[1]) == credential["credentialStatus"][0]["statusListIndex"]
    ).id
    issuer.publish()
    untouched = {"revocation": False, "suspension": False}
    assert published(issuer, credential, clock) == untouched
    issuer.change("suspend", [chosen], reason="under-review", actor="clerk")
    assert published(issuer, credential, clock) == {"revocation": False, "suspension": True}
    issuer.change("reinstate", [chosen], reason="review-closed", actor="clerk")
    assert published(issuer, credential, clock) == untouched
    issuer.change("revoke", [chosen], reason="key-lost", actor="clerk")
    assert published(issuer, credential, clock) == {"revocation": True, "suspension": False}
    assert published(issuer, other, clock) == untouched
    known = issuer.records.credential(chosen)
    assert (known.state, known.reason) == ("revoked", "key-lost")
    assert [entry.action for entry in issuer.records.journal()][-3:] == [
        "suspend",
        "reinstate",
        "revoke",
    ]


def test_what_is_final_or_out_of_turn_is_refused_and_changes_nothing(
    issuer: Issuer, issue: Callable[..., dict[str, Any]]
) -> None:
    issue()
    issue()
    second, first = (known.id for known in issuer.records.credentials())
    issuer.change("revoke", [first], reason="fraud", actor="clerk")
    for action, reason in (
        ("revoke", "fraud"),
        ("suspend", "under-review"),
        ("reinstate", "review-closed"),
    ):
        with pytest.raises(TransitionForbidden):
            issuer.change(action, [first], reason=reason, actor="clerk")  # type: ignore[arg-type]
    with pytest.raises(TransitionForbidden):
        issuer.change("reinstate", [second], reason="key-found", actor="clerk")
    with pytest.raises(ReasonUnknown):
        issuer.change("revoke", [second], reason="because", actor="clerk")
    with pytest.raises(RecordUnknown):
        issuer.change("revoke", [second, "nobody"], reason="fraud", actor="clerk")
    # All or none: the first of a list in which a later one cannot change stays as it was.
    with pytest.raises(TransitionForbidden):
        issuer.change("revoke", [second, first], reason="fraud", actor="clerk")
    assert issuer.records.credential(second).state == "active"
    assert sum(entry.action == "revoke" for entry in issuer.records.journal()) == 1


def test_many_revocations_publish_once(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], registry: Any
) -> None:
    for _ in range(5):
        issue()
    issuer.publish()
    before = len(registry.lists)
    ids = [known.id for known in issuer.records.credentials()]
    sent = issuer.change("revoke", [*ids, ids[0]], reason="superseded", actor="clerk")
    assert (sent.published, sent.pending) == (1, 0)
    assert len(registry.lists) == before + 1
    assert parse_status_list(registry.lists[-1]).bits.count() == 5
    entry = registry.chains[CHAIN][-1]
    assert entry.kind == "status"
    assert entry["digest"] == document_digest(registry.lists[-1])
    assert entry["list"] == "https://issuer.example/status/1"


def test_a_revocation_holds_though_the_registry_is_down_and_is_published_later(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], registry: Any, clock: Any
) -> None:
    credential = issue()
    issuer.publish()
    registry.reachable = False
    (known,) = issuer.records.credentials()
    sent = issuer.change("revoke", [known.id], reason="fraud", actor="clerk")
    assert (sent.published, sent.pending) == (0, 1)
    assert sent.trouble == "ZL-REGISTRY-UNREACHABLE"
    # The issuer's own list tells already; the chain follows.
    assert published(issuer, credential, clock)["revocation"] is True
    registry.reachable = True
    sent = issuer.anchor()
    assert (sent.published, sent.pending, sent.trouble) == (1, 0, None)


def test_a_list_that_waited_too_long_for_the_chain_is_signed_anew(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], registry: Any, clock: Any
) -> None:
    issue()
    registry.reachable = False
    issuer.publish()
    clock.advance(minutes=30)
    registry.reachable = True
    sent = issuer.anchor()
    assert (sent.anchored, sent.published, sent.pending) == (1, 2, 0)
    times = {entry["time"] for entry in registry.chains[CHAIN] if entry.kind == "status"}
    assert times == {"2026-11-22T09:30:00Z"}


def test_lists_are_refreshed_daily_though_nothing_changed(
    issuer: Issuer, registry: Any, clock: Any
) -> None:
    assert issuer.publish().published == 2
    assert issuer.publish().published == 0
    clock.advance(hours=24)
    assert issuer.publish().published == 2
    assert issuer.publish(everything=True).published == 2


def test_a_lost_answer_makes_no_second_entry(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], registry: Any
) -> None:
    issuer.publish()
    for _ in range(3):
        issue()
    registry.loses_answers = True
    assert issuer.anchor().pending == 3
    registry.loses_answers = False
    assert issuer.anchor().pending == 0
    assert registry.kinds().count("anchor") == 3


def test_a_lost_answer_and_new_work_meet_in_one_batch(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], registry: Any
) -> None:
    issuer.publish()
    issue()
    registry.loses_answers = True
    issuer.anchor()
    registry.loses_answers = False
    issue()
    sent = issuer.anchor()
    assert (sent.anchored, sent.pending, sent.trouble) == (2, 0, None)
    assert registry.kinds().count("anchor") == 2
    positions = [known.anchor_position for known in issuer.records.credentials()]
    chain = registry.chains[CHAIN]
    for known, position in zip(issuer.records.credentials(), positions, strict=True):
        assert position is not None
        assert chain[position]["anchor"] == known.anchor


def test_a_registry_that_refuses_is_told_by_its_code_and_asked_again(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], registry: Any
) -> None:
    issue()
    registry.refuses = True
    sent = issuer.publish()
    assert sent.trouble == "ZL-SUBMISSION-REFUSED"
    assert sent.pending == 3
    registry.refuses = False
    assert issuer.anchor().pending == 0


def test_a_new_process_finishes_what_the_last_one_left(
    issuer: Issuer,
    issue: Callable[..., dict[str, Any]],
    registry: Any,
    authority: Any,
    outbox: Any,
    open_office: Callable[..., Office],
    citizen: dict[str, str],
) -> None:
    issue()
    authority.reachable = False
    with pytest.raises(Exception, match="authority"):
        issuer.apply_at_counter(citizen, actor="clerk")
    issuer.close()
    authority.reachable = True
    with Issuer(
        open_office(), authority=authority, registry=lambda: registry, notifier=outbox
    ) as later:
        chore = later.retry(everything=True)
        assert (len(chore.offered), chore.waiting, chore.sent.pending) == (1, 0, 0)
        assert chore.trouble == ()
        assert registry.kinds().count("anchor") == 1
        again = later.retry(everything=True)
        assert (again.offered, again.sent.anchored) == ((), 0)


def test_the_list_tells_nothing_of_the_person_and_needs_no_key(
    issuer: Issuer,
    issue: Callable[..., dict[str, Any]],
    office: Office,
    citizen: dict[str, str],
) -> None:
    issue()
    with Records.at(office.home) as records:
        told = str((records.credentials(), records.applications()))
        assert "王**" in told
        assert citizen["name"] not in told
        assert citizen["citizenNumber"] not in told
        assert records.credentials(state="revoked") == ()


def test_opening_a_record_is_journalled(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], citizen: dict[str, str]
) -> None:
    credential = issue()
    (known,) = issuer.records.credentials()
    assert issuer.open_record(known.id, actor="auditor") == credential
    assert issuer.open_record(known.application, actor="auditor") == citizen
    with pytest.raises(RecordUnknown):
        issuer.open_record("nobody", actor="auditor")
    shown = [entry for entry in issuer.records.journal() if entry.action == "show"]
    assert [(entry.actor, entry.target) for entry in shown] == [
        ("auditor", known.id),
        ("auditor", known.application),
    ]
