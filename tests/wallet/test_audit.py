"""Receipts, and what the chain has of them."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from credentials.errors import DidUnknown, ReceiptMalformed, ReceiptSignerMismatch, SignatureInvalid
from credentials.exchange import AccessRecord, sign_receipt, verify_receipt
from credentials.keys import PrivateKey
from credentials.qr import draw
from registry.errors import RegistryUnreachable
from registry.ledger.entries import access_entry
from registry.simulation.simulator import NETWORK
from registry.trust import LongProof
from tests.wallet.conftest import Town
from wallet.errors import NoReceipt, ReceiptInvalid, ReceiptUnmatched, UnknownEntry
from wallet.service import Wallet
from wallet.views import HistoryKind, ReceiptState

NAME = "/credentialSubject/name"


def shown(town: Town, *names: str) -> tuple[Wallet, str]:
    """A wallet that has shown something, and the receipt for it."""
    wallet = town.wallets[0] if town.wallets else town.wallet()
    number = wallet.credentials()[0].id if wallet.credentials() else town.credential(wallet)
    ready = wallet.answer(wallet.inspect_request(town.request(*names or ("name",))), number)
    receipt = town.desk.verify(ready.qr_text).receipt
    assert receipt is not None
    return wallet, receipt


def account(town: Town) -> None:
    """The desk hands its access records to the chain."""
    with town.client() as client:
        town.desk.sync(client)
    town.step()


def forged(
    town: Town, token: str, change: Callable[[AccessRecord], AccessRecord], **other: Any
) -> str:
    """The desk itself signs another receipt."""
    genuine = verify_receipt(token, resolver=town.wallets[0]._trust.bundle().resolver)
    members: dict[str, Any] = {
        "salt": genuine.salt,
        "chain": genuine.chain,
        "promise_by": genuine.promise_by,
        "signer": town.desk._signer,
        "kid": town.desk.settings.key_url,
    } | other
    return sign_receipt(change(genuine.record), **members)


def test_promised_then_recorded(town: Town) -> None:
    wallet, receipt = shown(town, "name", "ageOver18")
    assert wallet.audit()[0].state is ReceiptState.NONE
    view = wallet.import_receipt(receipt)
    assert view.claim_labels == ("Name", "Has turned 18")
    assert view.promise_by - view.time == timedelta(hours=24)
    assert wallet.reconcile()[0].state is ReceiptState.PENDING
    account(town)
    entry = wallet.reconcile()[0]
    assert entry.state is ReceiptState.RECORDED
    assert entry.chain_index == 0
    assert entry.verifier_name == "Hangzhou Transport Bureau"
    assert wallet.history()[1].receipt is ReceiptState.RECORDED


def test_promised_and_missing(town: Town) -> None:
    wallet, receipt = shown(town)
    number = wallet.import_receipt(receipt).history_id
    town.clock.advance(hours=25)
    town.step()
    entry = wallet.reconcile()[0]
    assert entry.state is ReceiptState.MISSING
    evidence = wallet.export_evidence(number)
    assert evidence["state"] == "missing"
    assert evidence["evidence"]["checkpoint"].startswith(f"{NETWORK}/main\n")
    account(town)  # too late, but there
    assert wallet.reconcile()[0].state is ReceiptState.RECORDED


def test_no_promise_is_broken_while_no_quorum_looks(town: Town) -> None:
    """The time is over by this clock; no checkpoint says what the chain has since."""
    wallet, receipt = shown(town)
    wallet.import_receipt(receipt)
    town.clock.advance(hours=25)
    assert wallet.reconcile()[0].state is ReceiptState.UNKNOWN


def test_an_unreachable_registry_decides_nothing(town: Town) -> None:
    wallet, receipt = shown(town)
    wallet.import_receipt(receipt)
    town.wires.cut.add("registry.example")
    with pytest.raises(RegistryUnreachable):
        wallet.reconcile()
    assert wallet.audit()[0].state is ReceiptState.PENDING


def test_the_registrys_word_alone_is_no_record(town: Town) -> None:
    """It points to somebody else's entry."""
    wallet, _ = shown(town)
    account(town)
    _, second = shown(town)
    wallet.import_receipt(second)
    town.wires.before = lambda request: (
        httpx.Response(200, json={"index": 0}) if "/lookup/" in request.url.path else None
    )
    assert wallet.reconcile()[0].state is ReceiptState.UNKNOWN


def test_a_denial_is_held_against_the_entries_themselves(town: Town) -> None:
    """A registry that denies an entry which is there cannot frame the department."""
    wallet, receipt = shown(town)
    wallet.import_receipt(receipt)
    account(town)
    town.clock.advance(hours=25)
    town.step()
    town.wires.before = lambda request: (
        httpx.Response(404, json={}) if "/lookup/" in request.url.path else None
    )
    assert wallet.reconcile()[0].state is ReceiptState.RECORDED


def test_the_evidence_convinces_without_the_wallet(town: Town) -> None:
    wallet, receipt = shown(town)
    number = wallet.import_receipt(receipt).history_id
    account(town)
    wallet.reconcile()
    evidence = json.loads(json.dumps(wallet.export_evidence(number)))
    verified = verify_receipt(evidence["receipt"], resolver=wallet._trust.bundle().resolver)
    assert verified.commitment.hex() == evidence["commitment"]
    leaf = access_entry(evidence["verifier"]["did"], verified.commitment).leaf_hash
    proof = LongProof.parse(b64decode(evidence["evidence"]["proof"]))
    found = proof.verify(town.genesis, evidence["chain"], leaf)
    assert found.index == evidence["evidence"]["index"]
    assert "王小明" not in json.dumps(evidence, ensure_ascii=False)


def test_a_receipt_from_a_file_and_from_a_picture(town: Town, tmp_path: Path) -> None:
    wallet, receipt = shown(town)
    (tmp_path / "receipt.txt").write_text(receipt + "\n", encoding="utf-8")
    first = wallet.import_receipt(tmp_path / "receipt.txt")
    (tmp_path / "receipt.png").write_bytes(draw(receipt, "png"))
    assert wallet.import_receipt(tmp_path / "receipt.png").history_id == first.history_id
    assert len(wallet.audit()) == 1


def test_a_receipt_for_another_wallet(town: Town) -> None:
    _, receipt = shown(town)
    other = town.wallet("other")
    with pytest.raises(ReceiptUnmatched):
        other.import_receipt(receipt)


def test_a_receipt_that_names_more_than_was_shown(town: Town) -> None:
    wallet, receipt = shown(town)
    more = forged(town, receipt, lambda r: replace(r, claims=(NAME, "/credentialSubject/sex")))
    with pytest.raises(ReceiptInvalid):
        wallet.import_receipt(more)
    assert wallet.audit()[0].state is ReceiptState.NONE


def test_a_receipt_that_promises_another_chain(town: Town) -> None:
    wallet, receipt = shown(town)
    with pytest.raises(ReceiptInvalid):
        wallet.import_receipt(forged(town, receipt, lambda r: r, chain=f"{NETWORK}/identity"))


def test_a_receipt_by_nobody_known(town: Town) -> None:
    wallet, receipt = shown(town)
    other = "did:web:other.example"
    token = forged(
        town,
        receipt,
        lambda r: replace(r, verifier=other),
        signer=PrivateKey.generate("P-256"),
        kid=f"{other}#desk-1",
    )
    with pytest.raises(DidUnknown):
        wallet.import_receipt(token)


def test_a_receipt_in_another_departments_name(town: Town) -> None:
    wallet, receipt = shown(town)
    head, payload, signature = receipt.split(".")
    with pytest.raises(SignatureInvalid):
        wallet.import_receipt(
            forged(town, receipt, lambda r: r, signer=PrivateKey.generate("P-256"))
        )
    with pytest.raises((SignatureInvalid, ReceiptMalformed)):
        wallet.import_receipt(f"{head}.{payload}.{signature[::-1]}")
    with pytest.raises(ReceiptSignerMismatch):
        forged(town, receipt, lambda r: r, kid="did:web:other.example#desk-1")


@pytest.mark.parametrize("text", ["x", "eyJ.eyJ.x", "openid4vp://?request=x"])
def test_what_is_no_receipt(text: str, town: Town) -> None:
    wallet = town.wallet()
    with pytest.raises(ReceiptMalformed):
        wallet.import_receipt(text)


def test_evidence_needs_a_receipt(town: Town) -> None:
    wallet, _ = shown(town)
    presentation = next(e for e in wallet.history() if e.kind is HistoryKind.PRESENTATION)
    with pytest.raises(NoReceipt):
        wallet.export_evidence(presentation.id)
    with pytest.raises(UnknownEntry):
        wallet.export_evidence(999)


def test_a_second_import_does_not_undo_what_was_found(town: Town) -> None:
    wallet, receipt = shown(town)
    wallet.import_receipt(receipt)
    account(town)
    wallet.reconcile()
    assert wallet.import_receipt(receipt).state is ReceiptState.RECORDED


def test_deleting_the_entry_deletes_its_receipt(town: Town) -> None:
    wallet, receipt = shown(town)
    number = wallet.import_receipt(receipt).history_id
    wallet.delete_history([number])
    assert wallet.audit() == ()
    assert wallet._vault.execute("SELECT * FROM receipts") == []
