"""A chain is closed and another follows it: credentials, revocations and records of both count."""

from __future__ import annotations

from datetime import timedelta

import pytest

from credentials.keys import PrivateKey
from registry.errors import ContractForbids, SubmissionRefused
from registry.ledger.entries import make_entry, status_entry
from registry.sequencing.chain import log_signer
from tests.wallet.conftest import Town
from verifier.pipeline import Answer
from wallet.errors import RequestExceedsEntitlement
from wallet.service import Wallet
from wallet.views import CredentialState, ReceiptState, WarningKind


def roll(town: Town, name: str) -> str:
    """Begin the next epoch of a side chain; returns its origin."""
    chains = town.chain.sequencer.chains
    before = chains.governance.newest_epoch(f"{town.genesis.network}/{name}")
    assert before is not None
    origin = f"{before.line}-{before.epoch + 1}"
    key = PrivateKey.from_seed("Ed25519", f"the log of {origin}".encode())
    chains._keys._later[origin] = key
    town.govern(
        make_entry(
            "chain",
            origin=origin,
            logKey=log_signer(origin, key).key.encode(),
            purpose=before.purpose,
            scenario=before.scenario,
            batch={"interval": before.batch_interval_ms, "size": before.batch_size},
            maxAnchorDelay=before.max_anchor_delay_s,
            epoch=before.epoch + 1,
            previous=before.origin,
        )
    )
    return origin


def verdict(town: Town, wallet: Wallet, number: str) -> Answer:
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    return town.desk.verify(ready.qr_text).answer


def test_credentials_of_every_epoch_are_accepted(town: Town) -> None:
    wallet = town.wallet()
    first = town.credential(wallet)
    roll(town, "identity")
    wallet.refresh()
    assert verdict(town, wallet, first) is Answer.ACCEPTED
    second = town.credential(wallet)  # nothing was configured anew
    assert verdict(town, wallet, second) is Answer.ACCEPTED
    for _ in range(9):
        roll(town, "identity")  # identity-11 sorts before identity-2
    third = town.credential(wallet)
    wallet.refresh()
    for number in (first, second, third):
        assert verdict(town, wallet, number) is Answer.ACCEPTED


def test_a_revocation_on_a_later_epoch_counts(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    issued = town.issuer.records.credentials()[0].id
    for _ in range(9):
        roll(town, "identity")
    town.clock.advance(minutes=1)
    town.issuer.change("revoke", [issued], reason="holder-request", actor="op")
    town.anchor()
    wallet.refresh()
    assert wallet.credential(number).state is CredentialState.REVOKED


def test_an_older_list_cannot_come_back_on_a_later_epoch(town: Town) -> None:
    chain = town.chain
    party = chain.add_issuer("did:web:other.example")
    origin, url = chain.genesis.identity_origin, "https://other.example/1"

    def publish(late: float, digest: str) -> None:
        entry = status_entry(party.did, url, digest, chain.now + timedelta(seconds=late))
        chain.client.submit(origin, [entry], party.key, party.key_url)

    publish(60, "uEi" + "A" * 44)
    roll(town, "identity")
    with pytest.raises(SubmissionRefused, match="older status list"):
        publish(0, "uEi" + "B" * 43 + "A")
    publish(120, "uEi" + "C" * 43 + "A")
    assert chain.settle()
    thief = chain.add_issuer("did:web:thief.example")
    entry = status_entry(thief.did, url, "uEi" + "D" * 43 + "A", chain.now)
    with pytest.raises(SubmissionRefused, match="another issuer"):
        chain.client.submit(origin, [entry], thief.key, thief.key_url)


def test_an_access_record_is_found_on_the_chain_that_follows(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request("name")), number)
    receipt = town.desk.verify(ready.qr_text).receipt
    assert receipt is not None
    wallet.import_receipt(receipt)  # it names the first epoch
    origin = roll(town, "access")
    with town.client() as client:
        town.desk.sync(client)
    town.step()
    wallet.refresh()
    [entry] = wallet.reconcile()
    assert entry.state is ReceiptState.RECORDED
    assert town.chain.sequencer.chains.logs[origin].size == 2


def test_contracts_can_take_back_what_an_entitlement_gives(town: Town) -> None:
    wallet = town.wallet()
    number = town.credential(wallet)
    earlier = town.request("name")
    assert wallet.inspect_request(earlier).warnings == ()
    book = town.chain.sequencer.chains.governance.contracts
    before = book.newest("requesting")
    assert before is not None
    policy = before.policy.text + (
        '\n@id("names-stay-private") forbid(principal, action == Action::"requestClaims", resource)'
        ' when { context.claims.contains("/credentialSubject/name") };\n'
    )
    town.govern(
        make_entry(
            "contract",
            name="requesting",
            version=2,
            policy=policy,
            activates=town.chain.sequencer.chains.main.size + 1,
            replaces=before.index,
            approvals=[],
        )
    )
    with pytest.raises(ContractForbids):
        town.request("name")
    wallet.refresh()
    view = wallet.inspect_request(earlier)
    assert [warning.kind for warning in view.warnings] == [WarningKind.NO_ENTITLEMENT]
    with pytest.raises(RequestExceedsEntitlement):
        wallet.answer(view, number)
    ready = wallet.answer(wallet.inspect_request(town.request("ageOver18")), number)
    assert town.desk.verify(ready.qr_text).answer is Answer.ACCEPTED
