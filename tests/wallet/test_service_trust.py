"""What a wallet knows of the chain: statuses, anchors and trust bundles, fresh, old or damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import BundleCorrupt, HistoryRewritten, RegistryUnreachable
from registry.simulation.simulator import Consortium
from schemas.errors import ExitCode
from tests.wallet.asking import desk_request, kinds
from tests.wallet.conftest import ISSUER, PASSPHRASE, Town
from verifier.pipeline import Answer
from wallet.errors import IssuerAddressUnsafe, NoTrustBundle, TrustBundleOlder
from wallet.service import Wallet
from wallet.views import AnchorState, CredentialState, WarningKind

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


def test_a_bundle_that_became_useless_can_be_replaced(town: Town, tmp_path: Path) -> None:
    wallet = town.wallet()
    with town.client() as client:
        (tmp_path / "old.zltrust").write_bytes(client.trust_bundle())
    number = town.credential(wallet)
    wallet._vault.execute("UPDATE settings SET value = ? WHERE name = 'bundle'", (b"damaged",))
    wallet._trust._assurance = None  # as after a restart
    with pytest.raises(BundleCorrupt):
        wallet.inspect_request(town.request("name"))
    with pytest.raises(TrustBundleOlder):
        wallet.load_trust_bundle(tmp_path / "old.zltrust")
    wallet.refresh()
    assert wallet.credential(number).state is CredentialState.VALID


def test_a_bundle_of_a_rewritten_history_is_kept_as_evidence_and_not_used(
    town: Town, tmp_path: Path
) -> None:
    """What a sequencer can make together with a quorum: every signature in it is good."""
    wallet = town.wallet()
    number = town.credential(wallet)
    held = wallet.status().trust_as_of
    stick = tmp_path / "stick.zltrust"
    evidence = town.home / "wallet" / "contradiction.zltrust"
    with Consortium(tmp_path / "rewritten", nodes=("data-resources",), quorum=1) as other:
        while other.client.cosigned().size <= town.chain.client.cosigned().size:
            other.add_issuer(f"did:web:other{other.client.cosigned().size}.example")
        stick.write_bytes(other.client.trust_bundle())
        with pytest.raises(HistoryRewritten) as caught:
            wallet.load_trust_bundle(stick)
        assert caught.value.exit_code is ExitCode.REJECTED
        assert evidence.read_bytes() == stick.read_bytes()
        evidence.unlink()
        town.chain.transport.apps["registry.example"] = other.transport.apps["registry.invalid"]
        with pytest.raises(HistoryRewritten):
            wallet.refresh()
        assert evidence.read_bytes() == stick.read_bytes()
    assert wallet.status().trust_as_of == held
    assert wallet.credential(number).state is CredentialState.VALID


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
