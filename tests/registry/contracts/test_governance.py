"""Contracts of a network: when they count, who may change them, and what none can allow."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from credentials.dids import did_document, did_key, key_url
from credentials.keys import PrivateKey, PublicKey
from registry.contracts import LIBRARY, approve, library_text
from registry.errors import (
    ChainInvalid,
    EntryMalformed,
    GenesisInvalid,
    NotPermitted,
    SubmissionRefused,
)
from registry.ledger.entries import (
    Entry,
    access_entry,
    anchor_entry,
    make_entry,
    parse_entry,
    status_entry,
)
from registry.ledger.genesis import Genesis, GenesisNode
from registry.ledger.members import encode_time
from registry.ledger.submission import seal
from registry.sequencing.chain import Chains, log_signer
from registry.sequencing.founding import default_contracts, found_network
from registry.simulation.simulator import START, Consortium, Party
from registry.tlog.note import ED25519_COSIGNATURE, VerifierKey
from tests.registry.contracts.texts import ALLOW, FORBID_NOTHING, OPEN
from tests.registry.submissions import anchor


def contract(
    chain: Consortium, name: str, policy: str, *, activates: int = 0, by: tuple[str, ...] = ()
) -> Entry:
    """The next version of a contract, approved by the nodes `by`."""
    newest = chain.sequencer.chains.governance.contracts.newest(name)
    body: dict[str, Any] = {
        "name": name,
        "version": newest.version + 1 if newest else 1,
        "policy": policy,
        "activates": activates or chain.sequencer.chains.main.size + 8,
        "replaces": newest.index if newest else None,
    }
    whole = {"kind": "contract", "v": 1, **body}
    approvals = [approve(chain.genesis, node, whole, chain.approvers[node]) for node in sorted(by)]
    return make_entry("contract", **body, approvals=approvals)


def fill(chain: Consortium, size: int) -> None:
    """Let the main chain grow to at least `size`."""
    number = 0
    while chain.sequencer.chains.main.size < size:
        number += 1
        url = f"https://fill.example/{chain.sequencer.chains.main.size}/{number}"
        chain.govern(make_entry("resource", role="context", url=url, digest="uEi" + "A" * 44))


# When they count


def test_a_new_network_has_the_default_library_in_force(chain: Consortium) -> None:
    bundle = chain.bundle()
    assert set(bundle.contracts_in_force()) == set(LIBRARY)
    founding = 1 + len(default_contracts())
    entries = chain.client.entries(chain.genesis.origin, 0, founding)
    assert [entry.kind for entry in entries] == ["genesis", *["contract"] * len(LIBRARY)]


def test_a_network_founded_without_contracts_takes_in_nothing(
    chain: Consortium, tmp_path: Path
) -> None:
    home = tmp_path / "bare"
    genesis = found_network(
        home,
        chain.genesis.network,
        chain.genesis.nodes,
        chain.keys,
        quorum=3,
        now=START,
        contracts={},
    )
    operator = chain.keys.operator
    entry = make_entry("resource", role="schema", url="https://x.example/", digest="uEi" + "A" * 44)
    submission = seal(
        genesis.origin,
        [entry],
        submitter=genesis.operator,
        key_url=key_url(operator.public_key),
        signer=operator,
        now=START,
    )
    keys = chain.keys.sequencer(genesis.network)
    with closing(Chains(home, genesis, keys, now=lambda: START)) as chains:
        with pytest.raises(NotPermitted, match="no contract in force"):
            chains.add(genesis.origin, submission.encode())
        assert chains.main.size == founding_size(chains)


def founding_size(chains: Chains) -> int:
    """Of the founding submission."""
    return int(parse_entry(chains.main.view.entry(chains.main.size - 1))["count"]) + 1


def small_genesis() -> Genesis:
    key = PrivateKey.from_seed("Ed25519", b"the log of a test")
    node = PrivateKey.from_seed("Ed25519", b"the node of a test").public_key.raw
    return Genesis.create(
        network="n.example",
        operator="did:web:op.example",
        log_key=log_signer("n.example/main", key).key.encode(),
        nodes=(
            GenesisNode(
                "a",
                {"zh-CN": "甲", "en": "A"},
                VerifierKey("n.example/nodes/a", ED25519_COSIGNATURE, node).encode(),
            ),
        ),
        quorum=1,
        created=START,
    )


def test_a_contract_counts_from_its_size_on(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    size = chain.sequencer.chains.main.size
    chain.govern(contract(chain, "anchoring", FORBID_NOTHING, activates=size + 12))
    assert anchor(chain, issuer).indices == (0,)  # announced, and not in force
    chain.settle()
    fill(chain, size + 12)
    with pytest.raises(SubmissionRefused, match="no contract in force allows anchor to an issuer"):
        anchor(chain, issuer)
    chain.govern(contract(chain, "anchoring", library_text("anchoring"), activates=size + 60))
    with pytest.raises(SubmissionRefused):
        anchor(chain, issuer)
    fill(chain, size + 60)
    anchor(chain, issuer)
    assert chain.settle()  # every node came to the same


def test_entries_accepted_before_a_change_are_judged_as_of_then(chain: Consortium) -> None:
    """Whatever waits when the rules change is recorded by the main chain before they do."""
    issuer = chain.add_issuer()
    state = chain.sequencer.chains.governance
    for step in range(1, 12):
        size = chain.sequencer.chains.main.size
        text = FORBID_NOTHING if step % 2 else library_text("anchoring")
        chain.govern(contract(chain, "anchoring", text, activates=size + 2 + step))
        while chain.sequencer.chains.main.size < size + 2 + step:
            try:
                anchor(chain, issuer)
            except SubmissionRefused:
                fill(chain, chain.sequencer.chains.main.size + 1)
            chain.sequencer.step(everything=step % 3 == 0)
        assert state.contracts.in_force(chain.sequencer.chains.main.size)["anchoring"]
    assert chain.settle()
    assert chain.sequencer.status()["alarms"] == []


def test_a_later_version_overtakes_one_that_waits(chain: Consortium) -> None:
    size = chain.sequencer.chains.main.size
    chain.govern(contract(chain, "anchoring", FORBID_NOTHING, activates=size + 500))
    chain.govern(contract(chain, "anchoring", library_text("anchoring"), activates=size + 20))
    book = chain.bundle().contracts
    assert book.in_force(size + 499)["anchoring"].version == 3
    assert book.in_force(size + 501)["anchoring"].version == 3


def test_contracts_in_the_past_or_out_of_order_are_refused(chain: Consortium) -> None:
    base = contract(chain, "anchoring", FORBID_NOTHING)
    for change in (
        {"activates": 3},
        {"version": 3, "replaces": 2},
        {"version": 1, "replaces": None},
        {"replaces": 3},
        {"policy": "permit("},
        {"policy": '@id("x") permit(principal, action == Action::"replaceContract", resource);'},
    ):
        body = {k: v for k, v in base.body.items() if k not in ("kind", "v")}
        with pytest.raises(SubmissionRefused):
            chain.govern(make_entry("contract", **{**body, **change}))


def test_nodes_refuse_an_ill_typed_contract_that_the_sequencer_let_in(chain: Consortium) -> None:
    bad = contract(chain, "anchoring", "permit(")
    with pytest.raises(ChainInvalid, match="cannot stand"):
        chain.sequencer.chains.governance.check(chain.sequencer.chains.main.size, [bad])


# Who may change them


def test_the_rule_of_rules_takes_a_quorum_of_nodes(chain: Consortium) -> None:
    names = sorted(chain.approvers)
    with pytest.raises(SubmissionRefused, match="0 nodes approve, and the quorum is 3"):
        chain.govern(contract(chain, "contracts", OPEN))
    with pytest.raises(SubmissionRefused, match="2 nodes approve"):
        chain.govern(contract(chain, "contracts", OPEN, by=tuple(names[:2])))
    entry = contract(chain, "contracts", OPEN, by=tuple(names[:3]))
    chain.govern(entry)
    assert chain.bundle().contracts.newest("contracts").approvals == tuple(names[:3])  # type: ignore[union-attr]


def test_approvals_are_for_one_text_of_one_chain_by_one_key(chain: Consortium) -> None:
    names = sorted(chain.approvers)[:3]
    good = contract(chain, "contracts", OPEN, by=tuple(names))
    body = {k: v for k, v in good.body.items() if k not in ("kind", "v")}
    cosigning = PrivateKey.from_seed("Ed25519", f"zhenglian simulator node {names[0]}".encode())
    wrong = approve(chain.genesis, names[0], good.body, cosigning)
    for approvals in (
        [wrong, *body["approvals"][1:]],
        [{**body["approvals"][0], "node": names[1]}, *body["approvals"][2:]],
        [{"node": "stranger", "sig": body["approvals"][0]["sig"]}],
    ):
        entry = make_entry(
            "contract", **{**body, "approvals": sorted(approvals, key=lambda one: one["node"])}
        )
        with pytest.raises(SubmissionRefused, match=r"approv|node"):
            chain.govern(entry)
    other = make_entry("contract", **{**body, "policy": OPEN + "\n"})
    with pytest.raises(SubmissionRefused, match="does not verify"):
        chain.govern(other)
    with pytest.raises(EntryMalformed):
        make_entry("contract", **{**body, "approvals": body["approvals"][::-1]})


def test_a_node_key_cannot_serve_for_both_statements() -> None:
    genesis = small_genesis()
    [node] = genesis.nodes
    same = did_key(PublicKey("Ed25519", VerifierKey.parse(node.vkey).public))
    with pytest.raises(GenesisInvalid):
        Genesis.create(
            network=genesis.network,
            operator=genesis.operator,
            log_key=genesis.log_key,
            nodes=(GenesisNode(node.name, node.title, node.vkey, same),),
            quorum=1,
            created=START,
        )


def test_a_contract_can_let_somebody_else_accredit(chain: Consortium) -> None:
    registrar = PrivateKey.from_seed("P-256", b"a registrar of the city")
    url = key_url(registrar.public_key)
    did = url.partition("#")[0]
    entry = make_entry(
        "verifier",
        did="did:web:desk.gov.example",
        name={"zh-CN": "窗口", "en": "Desk"},
        document=dict(_document("did:web:desk.gov.example")),
        **{"from": encode_time(START), "to": None},
    )
    with pytest.raises(SubmissionRefused, match="one who is not accredited"):
        chain.client.submit(chain.genesis.origin, [entry], registrar, url)
    text = (
        library_text("accreditation")
        + f'@id("registrar") permit(principal == Stranger::"{did}",'
        + ' action == Action::"accreditVerifier", resource)'
        + ' when { context.did like "did:web:*.gov.example" && !context.known };'
    )
    chain.govern(contract(chain, "accreditation", text))
    fill(chain, chain.sequencer.chains.main.size + 9)
    chain.client.submit(chain.genesis.origin, [entry], registrar, url)
    assert chain.settle()
    assert chain.bundle().verifier("did:web:desk.gov.example") is not None
    foreign = make_entry(
        "verifier",
        **{
            **_members(entry),
            "did": "did:web:x.example",
            "document": _document("did:web:x.example"),
        },
    )
    with pytest.raises(SubmissionRefused):
        chain.client.submit(chain.genesis.origin, [foreign], registrar, url)


def _members(entry: Entry) -> dict[str, Any]:
    return {k: v for k, v in entry.body.items() if k not in ("kind", "v")}


def _document(did: str) -> dict[str, Any]:
    key = PrivateKey.from_seed("P-256", did.encode())
    return dict(did_document(did, {"key-1": key.public_key}))


# What no contract can allow


def test_no_contract_lets_one_write_in_anothers_name(chain: Consortium) -> None:
    issuer = chain.add_issuer()
    other = chain.add_issuer("did:web:other.example")
    chain.govern(contract(chain, "anchoring", ALLOW))
    fill(chain, chain.sequencer.chains.main.size + 9)
    entry = anchor_entry(issuer.did, os.urandom(32))
    with pytest.raises(SubmissionRefused, match="somebody else"):
        chain.client.submit(chain.genesis.identity_origin, [entry], other.key, other.key_url)
    with pytest.raises(SubmissionRefused, match="does not take entries"):
        chain.client.submit(
            chain.genesis.identity_origin,
            [access_entry(issuer.did, os.urandom(32))],
            issuer.key,
            issuer.key_url,
        )


def test_an_issuer_keeps_its_addresses_for_status_lists(chain: Consortium) -> None:
    first = chain.add_issuer("did:web:first.example")
    second = chain.add_issuer("did:web:second.example")
    held = chain.sequencer.chains.governance.issuers[first.did]
    index = held.index
    body = _members(chain.client.entries(chain.genesis.origin, index, index + 1)[0])
    chain.govern(make_entry("issuer", **{**body, "statusLists": ["https://first.example/status/"]}))
    mine, digest = "https://first.example/status/1", "uEi" + "A" * 44

    def publish(party: Party, url: str) -> None:
        entry = status_entry(party.did, url, digest, chain.now)
        chain.client.submit(chain.genesis.identity_origin, [entry], party.key, party.key_url)

    with pytest.raises(SubmissionRefused, match="belongs to another issuer"):
        publish(second, mine)
    with pytest.raises(SubmissionRefused, match="does not include the address"):
        publish(first, "https://elsewhere.example/1")
    publish(first, mine)
    publish(second, "https://second.example/1")
    assert chain.settle()
    with pytest.raises(SubmissionRefused, match="belongs to another issuer"):
        other = chain.sequencer.chains.governance.issuers[second.did].index
        rest = _members(chain.client.entries(chain.genesis.origin, other, other + 1)[0])
        chain.govern(
            make_entry("issuer", **{**rest, "statusLists": ["https://first.example/status/"]})
        )


# The state that many rules lead to


def test_a_trial_leaves_the_state_as_it_was(chain: Consortium) -> None:
    state = chain.sequencer.chains.governance
    before = (dict(state.issuers), dict(state.chains), state.head)
    trial = state.fork()
    index = chain.sequencer.chains.main.size
    trial.apply(
        index,
        make_entry(
            "verifier",
            did="did:web:v.example",
            name={"zh-CN": "窗口", "en": "Desk"},
            document=_document("did:web:v.example"),
            **{"from": encode_time(START), "to": None},
        ),
    )
    assert "did:web:v.example" in trial.verifiers
    assert (dict(state.issuers), dict(state.chains), state.head) == before
    assert "did:web:v.example" not in state.verifiers


def test_an_ended_accreditation_ends_what_contracts_allow(chain: Consortium) -> None:
    issuer = chain.add_issuer(to=START + timedelta(days=1))
    anchor(chain, issuer)
    chain.advance(days=2)
    with pytest.raises(SubmissionRefused, match="not in force"):
        anchor(chain, issuer)
