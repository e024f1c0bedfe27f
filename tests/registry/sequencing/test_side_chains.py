"""Side chains: their own pace, going on without the main chain, and one epoch after another."""

from __future__ import annotations

import json
import os
from contextlib import closing
from typing import Any

import pytest

from credentials.dids import did_document
from credentials.keys import PrivateKey
from registry.contracts import library_text
from registry.contracts.governance import Governance
from registry.contracts.permission import permit
from registry.errors import (
    ChainClosed,
    EntryMalformed,
    RegistryMisbehaved,
    StoreFailed,
    StoreFull,
    SubmissionRefused,
)
from registry.ledger.entries import Entry, access_entry, anchor_entry, make_entry
from registry.ledger.members import Purpose, encode_time
from registry.ledger.submission import seal
from registry.limits import MAX_SIDE_CHAINS
from registry.sequencing.chain import Chains, SequencerKeys
from registry.simulation.simulator import START, Consortium, Party
from registry.storage.sqlite import SqliteStore
from tests.registry.side_chains import key_for, side_chain, side_entry
from tests.registry.submissions import anchor, anchors, resource, sealed, submit

IDENTITY = "identity"


def next_epoch(chain: Consortium, number: int = 2, **changes: Any) -> Entry:
    before = IDENTITY if number == 2 else f"{IDENTITY}-{number - 1}"
    return side_chain(
        chain,
        f"{IDENTITY}-{number}",
        epoch=number,
        previous=f"{chain.genesis.network}/{before}",
        **changes,
    )


def recorded(chain: Consortium, origin: str | None = None) -> int:
    """Entries of a side chain that the main chain has recorded."""
    chains = chain.sequencer.chains
    found = chains.catalogue.checkpoint(chains.main.size, origin or chain.genesis.identity_origin)
    return int(found[1]["size"]) if found else 0


# Pace


class Pace:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_side_chain_is_recorded_by_its_own_interval_and_batch(
    chain: Consortium, issuer: Party
) -> None:
    pace = chain.sequencer.chains._pace = Pace()
    slow = side_chain(chain, "slow", batch={"interval": 5000, "size": 4})
    chain.govern(slow)
    chain.govern(_with_chains(chain, issuer, slow["origin"]))
    tick = chain.sequencer.chains.tick
    submit(chain, issuer, anchors(issuer), slow["origin"])  # and its seal
    anchor(chain, issuer)
    tick(everything=False)  # their first ones: at once
    assert (recorded(chain), recorded(chain, slow["origin"])) == (2, 2)
    submit(chain, issuer, anchors(issuer), slow["origin"])
    anchor(chain, issuer)
    tick(everything=False)
    assert (recorded(chain), recorded(chain, slow["origin"])) == (2, 2)
    pace.seconds += 0.2
    tick(everything=False)
    assert (recorded(chain), recorded(chain, slow["origin"])) == (4, 2)
    assert chain.sequencer.chains.waited(slow["origin"]) == pytest.approx(0.2)
    submit(chain, issuer, anchors(issuer), slow["origin"])  # now four wait
    tick(everything=False)
    assert recorded(chain, slow["origin"]) == 6
    submit(chain, issuer, anchors(issuer), slow["origin"])
    pace.seconds += 4.4
    tick(everything=False)
    assert recorded(chain, slow["origin"]) == 6
    pace.seconds += 0.6
    tick(everything=False)
    assert recorded(chain, slow["origin"]) == 8
    assert chain.sequencer.chains.waited(slow["origin"]) == 0


def test_an_entry_that_waits_too_long_raises_an_alarm(chain: Consortium, issuer: Party) -> None:
    pace = chain.sequencer.chains._pace = Pace()
    chain.govern(
        side := side_chain(chain, "slow", batch={"interval": 50000, "size": 99}, maxAnchorDelay=50)
    )
    chain.govern(_with_chains(chain, issuer, side["origin"]))
    for _ in range(2):
        submit(chain, issuer, anchors(issuer), side["origin"])
        chain.sequencer.step(everything=False)
    pace.seconds += 51
    [alarm] = chain.sequencer.status()["alarms"]
    assert alarm == f"{side['origin']}: entries wait for 51 s to be anchored"
    chain.sequencer.step(everything=False)
    assert chain.sequencer.status()["alarms"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"batch": {"interval": 9, "size": 1}},
        {"batch": {"interval": 200, "size": 0}},
        {"batch": {"interval": 200}},
        {"maxAnchorDelay": 0},
        {"batch": {"interval": 5000, "size": 1}, "maxAnchorDelay": 4},
        {"epoch": 2},
        {"epoch": 0},
        {"previous": "x.example/y"},
    ],
)
def test_parameters_that_make_no_sense_are_malformed(
    chain: Consortium, change: dict[str, Any]
) -> None:
    with pytest.raises(EntryMalformed):
        side_entry(chain, "x", key_for("x"), **change)


def _with_chains(chain: Consortium, party: Party, *origins: str) -> Entry:
    held = chain.sequencer.chains.governance.issuers[party.did]
    return make_entry(
        "issuer",
        did=party.did,
        name=dict(held.name),
        document=dict(held.document),
        types=list(held.types),
        chains=sorted({*held.chains, *origins}),
        **{"from": encode_time(START), "to": None},
    )


def test_the_log_key_must_be_the_one_that_the_sequencer_holds(chain: Consortium) -> None:
    with pytest.raises(SubmissionRefused, match="no key for this chain"):
        chain.govern(side_entry(chain, "other", key_for("other")))
    good = side_chain(chain, "other")
    wrong = side_entry(chain, "other", key_for("another one"))
    with pytest.raises(SubmissionRefused, match="no key for this chain"):
        chain.govern(wrong)
    chain.govern(good)


# Without the main chain


def test_side_chains_go_on_while_the_main_chain_fails(
    chain: Consortium, issuer: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = SqliteStore.append

    def fails(self: SqliteStore, commit: Any) -> None:
        if self.origin == chain.genesis.origin:
            raise StoreFull(store="main")
        append(self, commit)

    monkeypatch.setattr(SqliteStore, "append", fails)
    size, sent = chain.sequencer.chains.main.size, []
    for _ in range(5):
        entries = anchors(issuer, 20)
        assert not submit(chain, issuer, entries).repeated
        sent += entries
        with pytest.raises(StoreFull):
            chain.sequencer.step()
    assert chain.sequencer.chains.main.size == size
    assert recorded(chain) == 0
    monkeypatch.setattr(SqliteStore, "append", append)
    assert chain.settle()
    # One checkpoint covers all.
    [block] = [b for b in chain.client.blocks() if b["origin"] == chain.genesis.identity_origin]
    assert (block["start"], block["end"]) == (0, 105)
    assert {e.raw for e in sent} <= {
        e.raw for e in chain.client.entries(chain.genesis.identity_origin, 0, 105)
    }


def test_side_chains_go_on_without_a_quorum(chain: Consortium, issuer: Party) -> None:
    for name in list(chain.nodes)[:2]:
        chain.stop_node(name)
    for _ in range(3):
        anchor(chain, issuer, 5)
        assert not chain.sequencer.step(everything=True)
    stopped = [name for name in chain.approvers if name not in chain.nodes]
    for name in stopped:
        chain.start_node(name)
    assert chain.settle()
    assert chain.client.cosigned(chain.genesis.identity_origin).size == 18


def test_one_side_chain_that_fails_does_not_hold_up_the_others(
    chain: Consortium, issuer: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = chain.add_verifier()
    anchor(chain, issuer)
    access = access_entry(verifier.did, os.urandom(32))
    submit(chain, verifier, [access], chain.genesis.access_origin)
    broken = chain.sequencer.chains.logs[chain.genesis.identity_origin]

    def fails() -> None:
        raise StoreFailed(store="identity", reason="the disk is gone")

    monkeypatch.setattr(broken, "tick", fails)
    with pytest.raises(StoreFailed):
        chain.sequencer.chains.tick(everything=False)
    assert (recorded(chain), recorded(chain, chain.genesis.access_origin)) == (0, 2)
    monkeypatch.undo()
    assert chain.settle()
    assert recorded(chain) == 2


# Epochs


def test_a_next_epoch_closes_the_one_before_and_loses_nothing(
    chain: Consortium, issuer: Party
) -> None:
    genesis = chain.genesis
    first = anchors(issuer, 3)
    submit(chain, issuer, first)
    chain.govern(next_epoch(chain))  # the three were waiting
    assert recorded(chain) == 4
    second = anchors(issuer, 2)
    receipt = submit(chain, issuer, second)  # the issuer still names the old chain
    assert receipt.origin == f"{genesis.network}/identity-2"
    assert chain.settle()
    bundle = chain.bundle()
    assert bundle.origin_for(IDENTITY) == receipt.origin
    assert bundle.epochs(genesis.identity_origin) == (receipt.origin, genesis.identity_origin)
    accredited = bundle.issuer(issuer.did)
    assert accredited is not None
    assert accredited.chains == (genesis.identity_origin,)
    assert bundle.includes(accredited, receipt.origin)
    for entries, origin in ((first, genesis.identity_origin), (second, receipt.origin)):
        for index, entry in enumerate(entries):
            proof = chain.client.compact_proof(origin, index)
            for asked in (genesis.identity_origin, receipt.origin):
                found = bundle.anchor(asked, entry.leaf_hash, proof)
                assert (found.origin, found.index) == (origin, index)


def test_a_closed_chain_takes_nothing_and_answers_repetitions(
    chain: Consortium, issuer: Party
) -> None:
    entries = anchors(issuer, 2)
    first = submit(chain, issuer, entries)
    chain.govern(next_epoch(chain))
    again = submit(chain, issuer, entries)
    assert (again.origin, again.indices, again.repeated) == (first.origin, first.indices, True)
    body = sealed(chain, issuer, anchors(issuer))
    with pytest.raises(ChainClosed) as closed:
        chain.sequencer.chains.add(chain.genesis.identity_origin, body)
    assert closed.value.params["successor"] == f"{chain.genesis.network}/identity-2"


def test_epochs_follow_each_other_once_and_in_order(chain: Consortium, issuer: Party) -> None:
    for entry, reason in (
        (next_epoch(chain, scenario="another"), "another purpose or scenario"),
        (next_epoch(chain, purpose=Purpose.ACCESS), "another purpose or scenario"),
        (side_chain(chain, "x", epoch=3, previous=chain.genesis.identity_origin), "must be 2"),
        (side_chain(chain, "x", epoch=2, previous="n.example/none"), "not registered"),
    ):
        with pytest.raises(SubmissionRefused, match=reason):
            chain.govern(entry)
    chain.govern(next_epoch(chain))
    with pytest.raises(SubmissionRefused, match="is followed by"):
        chain.govern(side_chain(chain, "x", epoch=2, previous=chain.genesis.identity_origin))
    chain.govern(next_epoch(chain, 3))
    receipt = anchor(chain, issuer)
    assert receipt.origin == f"{chain.genesis.network}/identity-3"
    assert chain.settle()
    assert chain.sequencer.status()["alarms"] == []


def test_epochs_survive_a_restart_of_everything(chain: Consortium, issuer: Party) -> None:
    anchor(chain, issuer)
    chain.govern(next_epoch(chain))
    origin = f"{chain.genesis.network}/identity-2"
    anchor(chain, issuer)
    chain.settle()
    keys = chain.keys.sequencer(
        chain.genesis.network, lambda: {"identity-2": key_for("identity-2")}
    )
    chain.stop_sequencer()
    for name in list(chain.nodes):
        chain.stop_node(name)
    with closing(
        Chains(chain.folder / "registry", chain.genesis, keys, now=lambda: chain.now)
    ) as chains:
        assert chains.governance.chains[chain.genesis.identity_origin].successor == origin
        assert chains.logs[origin].size == 2


def test_nodes_refuse_entries_on_a_closed_chain(chain: Consortium) -> None:
    state = Governance.replay(
        chain.genesis, chain.sequencer.chains.catalogue.rules(chain.sequencer.chains.main.size)
    )
    state.apply(100, next_epoch(chain))
    key = PrivateKey.from_seed("P-256", b"an issuer that is not there")
    document = did_document("did:web:x.example", {"key-1": key.public_key})
    state.apply(
        101,
        make_entry(
            "issuer",
            did="did:web:x.example",
            name={"zh-CN": "甲", "en": "A"},
            document=document,
            types=["T"],
            chains=[chain.genesis.identity_origin],
            **{"from": encode_time(START), "to": None},
        ),
    )

    def sealed(origin: str) -> Any:
        return seal(
            origin,
            [anchor_entry("did:web:x.example", bytes(32))],
            submitter="did:web:x.example",
            key_url="did:web:x.example#key-1",
            signer=key,
            now=START,
        )

    with pytest.raises(ChainClosed):
        permit(state, sealed(chain.genesis.identity_origin), at=102)
    permit(state, sealed(f"{chain.genesis.network}/identity-2"), at=102)


def test_a_server_cannot_send_a_client_out_of_the_network_or_round_for_ever(
    chain: Consortium, issuer: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(successor: str) -> Any:
        error = {"code": "ZL-CHAIN-CLOSED", "message": "", "successor": successor}
        return lambda *_, **__: (409, json.dumps({"error": error}).encode())

    for successor in ("elsewhere.example/identity", "nonsense", chain.genesis.identity_origin):
        monkeypatch.setattr(chain.client, "_send", answer(successor))
        with pytest.raises(RegistryMisbehaved):
            anchor(chain, issuer)


def test_roll_over_is_a_matter_of_contracts(chain: Consortium) -> None:
    text = library_text("chains").replace(', Action::"rollOver"', "")
    size = chain.sequencer.chains.main.size
    chain.govern(
        make_entry(
            "contract",
            name="chains",
            version=2,
            policy=text,
            activates=size + 2,
            replaces=chain.sequencer.chains.governance.contracts.newest("chains").index,  # type: ignore[union-attr]
            approvals=[],
        )
    )
    with pytest.raises(SubmissionRefused, match="no contract in force allows rollOver"):
        chain.govern(next_epoch(chain))
    chain.govern(side_chain(chain, "transport", scenario="bus-pass"))


def test_a_sequencer_without_the_key_says_so(chain: Consortium) -> None:
    keys = SequencerKeys(chain.keys.operator, {}, lambda: {})
    assert keys.find("n.example/none") is None


@pytest.mark.slow
def test_no_more_chains_than_a_checkpoint_can_name(chain: Consortium, issuer: Party) -> None:
    """One more would end the network: no checkpoint could be written, and no rule recorded."""
    registered = len(chain.sequencer.chains.governance.chains)
    names = [f"line-{number}" for number in range(MAX_SIDE_CHAINS - registered)]
    chain.govern(*(side_chain(chain, name, scenario=name) for name in names))
    with pytest.raises(SubmissionRefused, match="no room for another chain"):
        chain.govern(side_chain(chain, "one-more", scenario="one-more"))
    anchor(chain, issuer)
    assert chain.settle()
    chain.govern(resource())
