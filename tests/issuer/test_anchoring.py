"""The issuer against a whole registry: sequencer, four nodes, real client, real trust bundles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from credentials.anchor import anchor_of
from credentials.canonical import default_canonicalizer
from credentials.proofs import derive, verify_credential
from issuer import metadata
from issuer.office import Office
from issuer.service import Issuer
from registry.errors import CredentialRevoked, CredentialSuspended
from registry.ledger.entries import anchor_leaf_hash
from registry.simulation.simulator import Consortium
from registry.trust.assurance import Assurance
from schemas.scenario import load_scenario

SCENARIO = load_scenario("resident-identity")


@pytest.fixture
def chain(tmp_path: Path, clock: Any) -> Iterator[Consortium]:
    with Consortium(tmp_path / "consortium", start=clock()) as consortium:
        yield consortium


@pytest.fixture
def registry(chain: Consortium, office: Office) -> Any:
    told = metadata.accreditation(office.settings, SCENARIO, office.keys.public_keys())
    chain.add_issuer(told["did"], document=told["document"], types=told["types"])
    return chain.client


def test_what_the_issuer_hands_out_is_what_the_chain_records(
    issuer: Issuer, chain: Consortium
) -> None:
    told = metadata.accreditation(issuer.settings, SCENARIO, issuer._office.keys.public_keys())
    assert told["chains"] == [chain.genesis.identity_origin]
    found = chain.bundle().issuer("did:web:data.hangzhou.example")
    assert found is not None
    assert dict(found.document) == issuer.did_document()


def test_a_credential_is_anchored_and_assured_by_the_bundle(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], chain: Consortium, clock: Any
) -> None:
    credential = issue()
    sent = issuer.publish()
    assert (sent.anchored, sent.published, sent.pending, sent.trouble) == (1, 2, 0, None)
    assert chain.settle()
    bundle = chain.bundle()
    shown = derive(credential, ["/credentialSubject/name"])
    verify_credential(shown, resolver=bundle.resolver, now=clock())
    origin = chain.genesis.identity_origin
    leaf = anchor_leaf_hash(credential["issuer"], anchor_of(shown))
    position = issuer.records.credentials()[0].anchor_position
    assert position == chain.client.lookup(origin, leaf)
    assert bundle.anchor(origin, leaf, chain.client.compact_proof(origin, position))
    assurance = Assurance(bundle, default_canonicalizer())
    assert assurance.check_issuer(shown, clock())
    assert assurance.check_schema(shown)
    assert assurance.check_status(shown, clock())


def test_desks_learn_of_suspension_and_revocation_from_the_next_bundle(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], chain: Consortium, clock: Any
) -> None:
    shown = derive(issue(), [])
    issuer.publish()
    (known,) = issuer.records.credentials()
    for action, reason, error in (
        ("suspend", "under-review", CredentialSuspended),
        ("reinstate", "review-closed", None),
        ("revoke", "fraud", CredentialRevoked),
    ):
        clock.advance(seconds=2)
        chain.now = clock()
        issuer.change(action, [known.id], reason=reason, actor="clerk")  # type: ignore[arg-type]
        chain.settle()
        assurance = Assurance(chain.bundle(), default_canonicalizer())
        if error is None:
            assert assurance.check_status(shown, clock())
        else:
            with pytest.raises(error):
                assurance.check_status(shown, clock())


def test_issuance_goes_on_without_the_registry_and_nothing_is_lost_or_doubled(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], chain: Consortium
) -> None:
    issuer.publish()
    chain.stop_sequencer()
    credentials = [issue() for _ in range(3)]
    sent = issuer.anchor()
    assert (sent.anchored, sent.pending, sent.trouble) == (0, 3, "ZL-REGISTRY-UNREACHABLE")
    chain.restart_sequencer()
    sent = issuer.anchor()
    assert (sent.anchored, sent.pending) == (3, 0)
    # A process that died before it noted the answer sends the same entries again.
    with issuer._office.store.write() as connection:
        connection.exec_driver_sql("UPDATE outbox SET state = 'pending', position = NULL")
    credentials.append(issue())
    sent = issuer.anchor()
    assert (sent.anchored, sent.pending, sent.trouble) == (4, 0, None)
    chain.settle()
    origin = chain.genesis.identity_origin
    entries = chain.client.entries(origin, 0, chain.client.cosigned(origin).size)
    anchors = [entry["anchor"] for entry in entries if entry.kind == "anchor"]
    assert len(anchors) == len(set(anchors)) == 4
    for credential in credentials:
        leaf = anchor_leaf_hash(credential["issuer"], anchor_of(credential))
        assert chain.client.lookup(origin, leaf) >= 0


def test_nodes_that_are_down_stop_cosigning_and_not_issuing(
    issuer: Issuer, issue: Callable[..., dict[str, Any]], chain: Consortium
) -> None:
    issuer.publish()
    chain.settle()
    for name in list(chain.nodes)[:2]:
        chain.stop_node(name)
    issue()
    sent = issuer.anchor()
    assert (sent.anchored, sent.pending) == (1, 0)
    assert not chain.settle()


def test_an_issuer_that_is_not_accredited_keeps_its_anchors(
    office: Office, tmp_path: Path, issuer: Issuer, issue: Callable[..., dict[str, Any]]
) -> None:
    with Consortium(tmp_path / "other", start=office.clock()) as other:
        stranger = Issuer(
            office,
            authority=issuer._enrolment._authority,
            registry=lambda: other.client,
            notifier=issuer._offers._notifier,
        )
        issue()
        sent = stranger.publish()
        assert (sent.anchored, sent.pending) == (0, 3)
        assert sent.trouble == "ZL-SUBMISSION-REFUSED"
