"""The door of the sequencer, checkpoints of side chains, and the quorum with nodes down."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from credentials.keys import PrivateKey
from registry.errors import (
    EntriesDuplicate,
    NotPermitted,
    RegistryExists,
    RegistryUnreachable,
    StoreFull,
    StoreLocked,
    SubmissionRefused,
)
from registry.ledger.entries import access_entry, status_entry
from registry.ledger.members import document_digest
from registry.sequencing.chain import Chains
from registry.sequencing.founding import found_network
from registry.simulation.simulator import START, Consortium, Party
from registry.storage.sqlite import SqliteStore
from tests.registry.submissions import anchor, anchors, resource, sealed, submit
from tests.waiting import PATIENCE_S, until

LIST = "https://issuer.example/status/1"


def digest(number: int) -> str:
    return document_digest({"number": number})


def test_a_new_network_is_cosigned_at_once(chain: Consortium) -> None:
    state = chain.client.cosigned()
    assert state.size == chain.sequencer.chains.main.size
    assert len(state.main.cosigners) == 4
    assert chain.sequencer.status()["alarms"] == []
    genesis, first, *_ = chain.client.entries(chain.genesis.origin, 0, 12)
    assert genesis == chain.genesis.entry
    assert first.kind == "contract"


def test_an_acknowledged_entry_gets_cosigned(chain: Consortium, issuer: Party) -> None:
    entries = anchors(issuer, 5)
    receipt = submit(chain, issuer, entries)
    assert receipt.indices == (0, 1, 2, 3, 4)
    assert chain.settle()
    assert chain.client.entries(chain.genesis.identity_origin, 0, 5) == entries
    assert chain.client.cosigned(chain.genesis.identity_origin).size == 6  # and their seal


def test_the_main_chain_records_side_chains_only_when_they_grew(
    chain: Consortium, issuer: Party
) -> None:
    anchor(chain, issuer)
    chain.settle()
    size = chain.sequencer.chains.main.size
    chain.settle()
    chain.settle()
    assert chain.sequencer.chains.main.size == size
    [block] = chain.client.blocks()
    assert (block["origin"], block["start"], block["end"]) == (
        chain.genesis.identity_origin,
        0,
        2,
    )


def test_a_repetition_is_answered_with_the_same_indices(chain: Consortium, issuer: Party) -> None:
    entries = anchors(issuer, 3)
    first = submit(chain, issuer, entries)
    size = chain.sequencer.chains.log(chain.genesis.identity_origin).size
    for _ in range(2):
        again = submit(chain, issuer, entries)
        assert again.indices == first.indices
        assert again.repeated
        chain.settle()
        chain.advance(hours=3)  # also long after, and with a seal of another time
    assert chain.sequencer.chains.log(chain.genesis.identity_origin).size == size


def test_the_very_same_request_is_answered_even_when_its_seal_is_old(
    chain: Consortium, issuer: Party
) -> None:
    origin = chain.genesis.identity_origin
    body = sealed(chain, issuer, anchors(issuer, 2))
    first = chain.sequencer.chains.add(origin, body)
    chain.settle()
    chain.advance(days=1)
    assert chain.sequencer.chains.add(origin, body).indices == first.indices


def test_a_batch_that_is_partly_known_is_refused_by_name(chain: Consortium, issuer: Party) -> None:
    known, new = anchors(issuer), anchors(issuer)
    submit(chain, issuer, known)
    with pytest.raises(EntriesDuplicate) as refused:
        submit(chain, issuer, [*new, *known])
    assert refused.value.params["positions"] == [1]
    with pytest.raises(EntriesDuplicate):
        submit(chain, issuer, [*new, *new])
    assert submit(chain, issuer, new).indices


def test_strangers_and_wrong_chains_are_refused(chain: Consortium, issuer: Party) -> None:
    verifier = chain.add_verifier()
    stranger = Party(
        "did:web:stranger.example",
        PrivateKey.generate("P-256"),
        "did:web:stranger.example#key-1",
        {},
    )
    before = chain.sequencer.chains.log(chain.genesis.identity_origin).size
    access = chain.genesis.access_origin
    attempts = [
        (stranger, anchors(stranger), ""),
        (stranger, anchors(issuer), ""),  # for another
        (verifier, anchors(verifier), ""),  # not an issuer
        (issuer, anchors(issuer), access),
        (issuer, [access_entry(issuer.did, bytes(32))], access),
        (verifier, [access_entry(issuer.did, bytes(32))], access),
        (Party(issuer.did, stranger.key, issuer.key_url, {}), anchors(issuer), ""),  # wrong key
        (issuer, anchors(issuer), chain.genesis.origin),
        (issuer, anchors(issuer), "nowhere.example/main"),
    ]
    for party, entries, origin in attempts:
        with pytest.raises(SubmissionRefused):
            submit(chain, party, entries, origin)
    assert chain.sequencer.chains.log(chain.genesis.identity_origin).size == before
    assert submit(chain, verifier, [access_entry(verifier.did, bytes(32))], access).indices == (0,)


def test_only_the_operator_governs(chain: Consortium, issuer: Party) -> None:
    entry = resource()
    with pytest.raises(SubmissionRefused):
        submit(chain, issuer, [entry], chain.genesis.origin)
    assert chain.govern(entry).indices
    [checkpoint] = [
        e for e in [chain.sequencer.chains.catalogue.checkpoint(10**9)] if e is not None
    ] or [(0, chain.genesis.entry)]
    for forbidden in (checkpoint[1], chain.genesis.entry):
        with pytest.raises((SubmissionRefused, AssertionError)):
            receipt = chain.govern(forbidden)
            assert not receipt.repeated


def test_governance_that_contradicts_itself_is_refused(chain: Consortium, issuer: Party) -> None:
    with pytest.raises(SubmissionRefused):
        chain.entitle("did:web:nobody.example")
    with pytest.raises(SubmissionRefused):
        chain.add_verifier(issuer.did)  # one DID, one role
    verifier = chain.add_verifier()
    chain.entitle(verifier.did, identifier="mine")
    other = chain.add_verifier("did:web:other.example")
    with pytest.raises(SubmissionRefused):
        chain.entitle(other.did, identifier="mine")


def test_an_accreditation_ends_and_what_came_before_stays(chain: Consortium, issuer: Party) -> None:
    anchor(chain, issuer)  # not checkpointed yet when the rules change
    chain.advance(minutes=1)
    chain.add_issuer(to=chain.now)
    assert chain.settle()
    assert chain.sequencer.status()["alarms"] == []
    with pytest.raises(SubmissionRefused):
        anchor(chain, issuer)
    bundle = chain.bundle()
    accreditation = bundle.issuer(issuer.did)
    assert accreditation is not None
    assert accreditation.covers(START)
    assert not accreditation.covers(chain.now)


def test_a_replaced_rule_cannot_be_repeated_in_silence(chain: Consortium) -> None:
    verifier = chain.add_verifier()
    assert chain.entitle(verifier.did)
    chain.entitle(verifier.did)  # the same again: it is there
    chain.entitle(verifier.did, ["/credentialSubject/name"])
    with pytest.raises(SubmissionRefused, match="replaced since"):
        chain.entitle(verifier.did)


def test_a_defect_in_the_loop_raises_an_alarm_and_does_not_end_it(
    chain: Consortium, issuer: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> bytes:
        raise ZeroDivisionError

    tick = chain.sequencer.chains.tick
    monkeypatch.setattr(chain.sequencer.chains, "tick", broken)
    chain.sequencer.start(interval=0.01)
    until(lambda: "ZL-UNEXPECTED" in chain.sequencer.status()["alarms"])
    monkeypatch.setattr(chain.sequencer.chains, "tick", tick)
    anchor(chain, issuer)
    until(lambda: chain.client.blocks() != [])
    until(lambda: chain.sequencer.status()["main"]["current"])
    until(lambda: chain.sequencer.status()["alarms"] == [])


def test_seals_out_of_time_are_refused(chain: Consortium, issuer: Party) -> None:
    chain.advance(hours=1)
    for minutes in (-6, -60, 6, 60):
        body = sealed(chain, issuer, anchors(issuer), at=chain.now + timedelta(minutes=minutes))
        with pytest.raises(NotPermitted, match="sealed at"):
            chain.sequencer.chains.add(chain.genesis.identity_origin, body)


def test_submitters_with_wrong_clocks_cannot_make_the_nodes_refuse(
    chain: Consortium, issuer: Party
) -> None:
    chain.advance(hours=1)
    for minutes in (5, -5, 5):  # side by side, before any checkpoint
        body = sealed(chain, issuer, anchors(issuer), at=chain.now + timedelta(minutes=minutes))
        chain.sequencer.chains.add(chain.genesis.identity_origin, body)
    assert chain.settle()
    chain.advance(hours=-1)  # the sequencer's clock goes back: it keeps to the latest time
    body = sealed(chain, issuer, anchors(issuer), at=chain.now)
    with pytest.raises(NotPermitted):
        chain.sequencer.chains.add(chain.genesis.identity_origin, body)
    chain.advance(hours=1)
    assert chain.settle()
    assert chain.sequencer.status()["alarms"] == []


def test_status_lists_go_forward_only(chain: Consortium, issuer: Party) -> None:
    other = chain.add_issuer("did:web:other.example")
    newer = status_entry(issuer.did, LIST, digest(1), chain.now)
    submit(chain, issuer, [newer])
    earlier = chain.now.replace(hour=8, minute=55)
    with pytest.raises(SubmissionRefused, match="older status list"):
        submit(chain, issuer, [status_entry(issuer.did, LIST, digest(2), earlier)])
    with pytest.raises(SubmissionRefused, match="another issuer"):
        submit(chain, other, [status_entry(other.did, LIST, digest(1), chain.now)])
    with pytest.raises(SubmissionRefused, match="time of a status entry"):
        late = chain.now.replace(hour=10)
        submit(chain, issuer, [status_entry(issuer.did, LIST + "x", digest(1), late)])
    assert chain.settle()


def test_one_node_down_changes_nothing(chain: Consortium, issuer: Party) -> None:
    chain.stop_node("public-security")
    anchor(chain, issuer)
    assert chain.settle()
    assert chain.client.cosigned(chain.genesis.identity_origin).size == 2
    assert [a for a in chain.sequencer.status()["alarms"] if "public-security" in a]
    chain.start_node("public-security")
    chain.settle()
    assert chain.sequencer.status()["alarms"] == []
    assert len(chain.client.cosigned().main.cosigners) == 4


def test_a_node_that_is_late_adds_its_cosignature_and_disturbs_nobody(
    chain: Consortium, issuer: Party
) -> None:
    chain.stop_node("public-security")
    anchor(chain, issuer)
    chain.settle()
    held = chain.client.cosigned().main
    for _ in range(3):
        assert chain.sequencer.step()
    assert chain.client.cosigned().main.data == held.data  # not published again for nothing
    chain.advance(minutes=5)
    chain.start_node("public-security")
    until(lambda: chain.sequencer.step() and len(chain.client.cosigned().main.cosigners) == 4)
    times = chain.client.cosigned().main.cosigners
    assert times.pop("public-security") == int(chain.now.timestamp())
    assert times == held.cosigners


def test_who_waits_for_every_node_gets_the_newest_from_one_that_was_busy(
    chain: Consortium, issuer: Party
) -> None:
    """A node that still thinks about an older checkpoint is asked for the newest one, too."""
    name = "public-security"
    link = chain._links[name]
    asked, go_on = threading.Event(), threading.Event()

    class Slow:
        def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
            asked.set()
            assert go_on.wait(PATIENCE_S)
            return link.add_checkpoint(body)

    chain._links[name] = Slow()
    anchor(chain, issuer)
    assert chain.sequencer.step()  # the quorum does without it
    assert asked.wait(PATIENCE_S)
    chain._links[name] = link
    anchor(chain, issuer)
    later = threading.Timer(0.2, go_on.set)
    later.start()
    try:
        assert chain.settle()
    finally:
        later.join()
    assert len(chain.client.cosigned().main.cosigners) == 4
    assert [node["lag"] for node in chain.sequencer.status()["nodes"]] == [0, 0, 0, 0]


def test_a_node_that_once_named_a_size_that_is_not_is_asked_again(
    chain: Consortium, issuer: Party
) -> None:
    name = "public-security"
    link = chain._links[name]

    class Wrong:
        def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
            return 409, b"1000000\n"

    chain._links[name] = Wrong()
    anchor(chain, issuer)
    assert chain.settle()
    [alarm] = chain.sequencer.status()["alarms"]
    assert "larger tree, of 1000000 entries" in alarm
    chain._links[name] = link
    assert chain.settle()
    assert chain.sequencer.status()["alarms"] == []
    assert len(chain.client.cosigned().main.cosigners) == 4


def test_two_nodes_down_stop_checkpoints_and_lose_nothing(chain: Consortium, issuer: Party) -> None:
    anchor(chain, issuer)
    chain.settle()
    held = chain.client.cosigned()
    chain.stop_node("public-security")
    chain.stop_node("market-regulation")
    receipts = []
    for _ in range(3):
        chain.advance(seconds=1)
        receipts.append(anchor(chain, issuer))
        assert not chain.settle()
    assert chain.client.cosigned().size == held.size
    status = chain.sequencer.status()
    assert not status["main"]["current"]
    assert status["alarms"][0].startswith("no quorum")
    chain.start_node("public-security")
    assert chain.settle()
    assert chain.client.cosigned().size > held.size
    for receipt in receipts:
        [entry] = chain.client.entries(receipt.origin, receipt.indices[0], receipt.indices[0] + 1)
        assert entry.kind == "anchor"


def test_a_restart_resumes(chain: Consortium, issuer: Party) -> None:
    entries = anchors(issuer, 300)
    first = submit(chain, issuer, entries)
    chain.restart_sequencer()  # before any checkpoint
    assert submit(chain, issuer, entries).indices == first.indices
    assert chain.settle()
    chain.restart_sequencer()
    assert anchor(chain, issuer).indices == (301,)
    for name in list(chain.nodes):
        chain.stop_node(name)
        chain.start_node(name)
    assert chain.settle()
    assert chain.sequencer.status()["alarms"] == []


def test_the_catalogue_can_be_deleted(chain: Consortium, issuer: Party) -> None:
    submit(chain, issuer, [status_entry(issuer.did, LIST, digest(1), chain.now)])
    chain.settle()
    before = chain.bundle().raw
    chain.stop_sequencer()
    for file in (chain.folder / "registry").glob("catalogue.sqlite*"):
        file.unlink()
    chain.sequencer = chain._open_sequencer()
    assert chain.bundle().raw == before


def test_a_second_sequencer_on_the_same_stores_is_refused(chain: Consortium) -> None:
    with pytest.raises(StoreLocked):
        Chains(
            chain.folder / "registry",
            chain.genesis,
            chain.keys.sequencer(chain.genesis.network),
            now=lambda: chain.now,
        )
    with pytest.raises(RegistryExists):
        found_network(
            chain.folder / "registry",
            chain.genesis.network,
            chain.genesis.nodes,
            chain.keys,
            quorum=3,
            now=START,
        )


def test_a_full_disk_refuses_by_name_and_loses_nothing(
    chain: Consortium, issuer: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = anchor(chain, issuer)
    append = SqliteStore.append

    def full(self: SqliteStore, commit: object) -> None:
        raise StoreFull(store="identity")

    monkeypatch.setattr(SqliteStore, "append", full)
    entries = anchors(issuer)
    with pytest.raises(RegistryUnreachable, match="no room"):
        submit(chain, issuer, entries)
    monkeypatch.setattr(SqliteStore, "append", append)
    assert submit(chain, issuer, entries).indices == (kept.indices[0] + 2,)
    assert chain.settle()


def test_many_submit_while_rules_change(chain: Consortium, issuer: Party) -> None:
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for _ in range(5):
                anchor(chain, issuer, 3)
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for number in range(3):
        chain.govern(resource(f"x-{number}"))
    for thread in threads:
        thread.join()
    assert not failures
    assert chain.settle()
    assert chain.sequencer.status()["alarms"] == []
    assert chain.client.cosigned(chain.genesis.identity_origin).size == 4 * 5 * 4
