"""Who looked at me: receipts, and whether what they promise is on the chain.

Guarantees: a receipt is kept only if a department that the chain accredits signed it and it is
for a presentation in this wallet's history, naming no claim that was not shown. "Recorded" means
a proof up to a quorum of nodes was checked here; the registry's word alone never suffices for
it. "Missing" means that no quorum's checkpoint of a time after the promise has it: this wallet
read every entry of the chain since the look, each proved to stand where it says. Only where
there are more than `MOST_READ` does it rest on the registry's answer, and the evidence says so.

Not guaranteed: that a department hands out a receipt at all. A presentation without one stays
visible as such.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from credentials.exchange import VerifiedReceipt, verify_receipt
from registry.client import RegistryClient
from registry.errors import EntryUnknown, RegistryUnreachable
from registry.ledger.entries import access_entry
from registry.ledger.members import decode_time
from registry.tlog.tiles import WIDTH
from registry.trust import LongProof
from schemas.errors import ZhenglianError
from schemas.texts import load_texts
from wallet.errors import NoReceipt, ReceiptInvalid, ReceiptUnmatched
from wallet.history import History, Record, label, pick
from wallet.trust import Trust
from wallet.vault import Vault
from wallet.views import AuditEntry, HistoryKind, Outcome, ReceiptState, ReceiptView

MOST_READ: Final = 16_384
"""Entries that are read to make sure of an absence: 64 bundles, a few seconds."""
SEAL_SKEW: Final = timedelta(hours=1)
"""A seal's time may differ so much from the true one before it ends the search."""

_COLUMNS: Final = (
    "history_id, token, received, commitment, origin, promise_by, state, chain_index, checked,"
    " evidence"
)


@dataclass(frozen=True)
class StoredReceipt:
    history_id: int
    token: str
    received: datetime
    commitment: bytes
    origin: str
    promise_by: datetime
    state: ReceiptState
    chain_index: int | None
    checked: datetime | None
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class _Search:
    """Entries [start, end) were read; `complete` when no older one could be the one sought."""

    index: int | None
    start: int
    end: int
    complete: bool


class Audit:
    """Receipts of one vault."""

    def __init__(
        self, vault: Vault, history: History, trust: Trust, clock: Callable[[], datetime]
    ) -> None:
        self._vault = vault
        self._history = history
        self._trust = trust
        self._clock = clock

    # -- receipts -----------------------------------------------------------------------------

    def keep(self, token: str) -> int:
        """Check a receipt and attach it to its presentation; returns the entry's number.

        Raises ReceiptInvalid, ReceiptUnmatched, and what `verify_receipt` raises.
        """
        receipt = verify_receipt(token, resolver=self._trust.bundle().resolver)
        record = receipt.record
        entry = self._history.by_presentation(record.presentation)
        if entry is None:
            raise ReceiptUnmatched
        if entry.party_did != record.verifier:
            # Somebody else got hold of the presentation and accounts for it.
            raise ReceiptInvalid(reason="another department signed it than the one it was for")
        if not set(record.claims) <= set(entry.claims):
            raise ReceiptInvalid(reason="it names claims that were not shown")
        if receipt.chain not in self._trust.epochs(self._trust.origin("access")):
            raise ReceiptInvalid(reason="it promises another chain")
        held = self._receipt(entry.id)
        if held is not None and held.state is ReceiptState.RECORDED:
            return entry.id
        with self._vault.transaction():
            self._vault.execute(
                "INSERT OR REPLACE INTO receipts (history_id, token, received, commitment, origin,"
                " promise_by, state) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    entry.id,
                    token.strip(),
                    self._clock().isoformat(),
                    receipt.commitment,
                    receipt.chain,
                    receipt.promise_by.isoformat(),
                    self._unseen(receipt).value,
                ),
            )
            self._history.begin(
                HistoryKind.RECEIPT,
                outcome=Outcome.DONE,
                party_did=entry.party_did,
                party_name=entry.party_name,
                scenario=entry.scenario,
                purpose=entry.purpose,
                legal_basis=entry.legal_basis,
                entitlement=entry.entitlement,
                claims=record.claims,
            )
        return entry.id

    def _unseen(self, receipt: VerifiedReceipt) -> ReceiptState:
        """Before anybody was asked: the promise runs, or its time is over and nobody knows."""
        late = self._clock() > receipt.promise_by
        return ReceiptState.UNKNOWN if late else ReceiptState.PENDING

    def view(self, entry_id: int, language: str) -> ReceiptView:
        """The receipt attached to an entry, in words."""
        entry = self._history.record(entry_id)
        receipt = self._receipt(entry_id)
        if receipt is None:
            raise NoReceipt
        record = verify_receipt(receipt.token, resolver=self._trust.bundle().resolver).record
        return ReceiptView(
            history_id=entry_id,
            verifier_did=record.verifier,
            verifier_name=pick(entry.party_name, language) or record.verifier,
            claim_labels=tuple(label(entry.scenario, c, language) for c in record.claims),
            purpose=pick(record.purpose, language) or "",
            time=record.time,
            promise_by=receipt.promise_by,
            state=receipt.state,
        )

    # -- the chain ----------------------------------------------------------------------------

    def reconcile(self, client: RegistryClient) -> None:
        """Look up every promised record that was not found yet.

        Raises RegistryUnreachable when the registry cannot be asked; states stay as they were.
        """
        for receipt in self._receipts():
            if receipt.state is not ReceiptState.RECORDED:
                self._look_up(client, receipt)

    def _look_up(self, client: RegistryClient, receipt: StoredReceipt) -> None:
        entry = self._history.record(receipt.history_id)
        assert entry.party_did is not None  # noqa: S101 - `keep` matched it
        leaf = access_entry(entry.party_did, receipt.commitment).leaf_hash
        try:
            # Where the promised chain was closed, the record stands on one that follows it.
            for origin in self._trust.epochs(receipt.origin):
                try:
                    index = client.lookup(origin, leaf)
                except EntryUnknown:
                    continue
                self._found(client, receipt, origin, leaf, index)
                return
            self._not_found(client, receipt, leaf, entry.time)
        except RegistryUnreachable:
            raise
        except ZhenglianError:
            # An answer that proves nothing is no answer: neither recorded nor missing.
            self._note(receipt, ReceiptState.UNKNOWN, None, {"answer": "unproven"})

    def _found(
        self,
        client: RegistryClient,
        receipt: StoredReceipt,
        origin: str,
        leaf: bytes,
        index: int,
    ) -> None:
        data = client.long_proof(origin, index)
        found = LongProof.parse(data).verify(
            self._trust.genesis, origin, leaf, now=int(self._clock().timestamp())
        )
        self._note(
            receipt,
            ReceiptState.RECORDED,
            found.index,
            {
                "answer": "recorded",
                "origin": origin,
                "index": found.index,
                "checkpointTime": found.time.isoformat(),
                "proof": b64encode(data).decode(),
            },
        )

    def _not_found(
        self, client: RegistryClient, receipt: StoredReceipt, leaf: bytes, since: datetime
    ) -> None:
        """The registry says that it does not have it. Pending, unknown, or proved to be missing.

        Missing only when a quorum has looked at the chain after the promised time: while no
        checkpoint is cosigned, nothing is known, and nobody has broken a promise.
        """
        now = self._clock()
        main = client.cosigned(self._trust.genesis.origin)
        evidence: dict[str, Any] = {
            "answer": "unknown",
            "asked": now.isoformat(timespec="seconds"),
            "checkpoint": main.note,
        }
        if main.time <= receipt.promise_by:
            late = now > receipt.promise_by
            state = ReceiptState.UNKNOWN if late else ReceiptState.PENDING
            self._note(receipt, state, None, evidence)
            return
        reads = {}
        for origin in self._trust.epochs(receipt.origin):
            read = reads[origin] = self._search(client, origin, leaf, since)
            if read.index is not None:
                self._found(client, receipt, origin, leaf, read.index)
                return
        evidence |= {
            "read": {origin: [read.start, read.end] for origin, read in reads.items()},
            "complete": all(read.complete for read in reads.values()),
        }
        self._note(receipt, ReceiptState.MISSING, None, evidence)

    @staticmethod
    def _search(client: RegistryClient, origin: str, leaf: bytes, since: datetime) -> _Search:
        """Read the chain backwards, in proved bundles, to a seal older than `since`."""
        try:
            state = client.cosigned(origin)
        except EntryUnknown:
            return _Search(None, 0, 0, complete=True)  # no entry was ever cosigned there
        end = start = state.size
        while start > 0 and end - start < MOST_READ:
            below = max(0, (start - 1) // WIDTH * WIDTH)
            entries = client.entries(origin, below, start, under=state)
            for offset, entry in enumerate(entries):
                if entry.leaf_hash == leaf:
                    return _Search(below + offset, below, end, complete=True)
            start = below
            if any(
                e.kind == "seal" and decode_time(e["time"]) < since - SEAL_SKEW for e in entries
            ):
                return _Search(None, start, end, complete=True)
        return _Search(None, start, end, complete=start == 0)

    def _note(
        self,
        receipt: StoredReceipt,
        state: ReceiptState,
        index: int | None,
        evidence: Mapping[str, Any],
    ) -> None:
        self._vault.execute(
            "UPDATE receipts SET state = ?, chain_index = ?, checked = ?, evidence = ?"
            " WHERE history_id = ?",
            (
                state.value,
                index,
                self._clock().isoformat(),
                json.dumps(dict(evidence)),
                receipt.history_id,
            ),
        )

    # -- reading ------------------------------------------------------------------------------

    def entries(self, language: str) -> tuple[AuditEntry, ...]:
        """Every presentation that was made, newest first, with what became of its record."""
        receipts = {receipt.history_id: receipt for receipt in self._receipts()}
        return tuple(
            _entry(record, receipts.get(record.id), language)
            for record in self._history.records(kind=HistoryKind.PRESENTATION)
            if record.outcome is Outcome.DONE
        )

    def evidence(self, entry_id: int) -> dict[str, Any]:
        """For a complaint or a supervisor: everything that a third party can check by itself.

        The receipt is signed by the department; the commitment follows from its record and salt
        (`credentials.exchange`); the proof is a c2sp.org/tlog-proof. No value of any claim.
        """
        entry = self._history.record(entry_id)
        receipt = self._receipt(entry_id)
        if receipt is None:
            raise NoReceipt
        return {
            "format": "zhenglian-access-evidence/1",
            "network": self._trust.genesis.network,
            "verifier": {"did": entry.party_did, "name": dict(entry.party_name)},
            "claims": list(entry.claims),
            "purpose": dict(entry.purpose),
            "legalBasis": dict(entry.legal_basis),
            "entitlement": entry.entitlement,
            "time": entry.time.isoformat(timespec="seconds"),
            "presentation": entry.presentation,
            "receipt": receipt.token,
            "received": receipt.received.isoformat(timespec="seconds"),
            "promiseBy": receipt.promise_by.isoformat(timespec="seconds"),
            "chain": receipt.evidence.get("origin", receipt.origin),
            "commitment": receipt.commitment.hex(),
            "state": receipt.state.value,
            "checked": receipt.checked.isoformat(timespec="seconds") if receipt.checked else None,
            "evidence": dict(receipt.evidence),
        }

    def _receipts(self) -> tuple[StoredReceipt, ...]:
        return tuple(
            _stored(row)
            for row in self._vault.execute(f"SELECT {_COLUMNS} FROM receipts")  # noqa: S608 - a constant
        )

    def _receipt(self, entry_id: int) -> StoredReceipt | None:
        row = self._vault.one(
            f"SELECT {_COLUMNS} FROM receipts WHERE history_id = ?",  # noqa: S608 - a constant
            (entry_id,),
        )
        return _stored(row) if row else None


def state_text(state: ReceiptState, language: str) -> str:
    """The state of an access record in words."""
    _ = load_texts("wallet", language)
    return {
        ReceiptState.NONE: _("no receipt"),
        ReceiptState.PENDING: _("promised, not yet on the chain"),
        ReceiptState.RECORDED: _("on the chain"),
        ReceiptState.MISSING: _("promised, but missing from the chain"),
        ReceiptState.UNKNOWN: _("promised; the chain could not be asked"),
    }[state]


def _entry(record: Record, receipt: StoredReceipt | None, language: str) -> AuditEntry:
    state = receipt.state if receipt else ReceiptState.NONE
    return AuditEntry(
        history_id=record.id,
        verifier_did=record.party_did or "",
        verifier_name=pick(record.party_name, language) or record.party_did or "",
        purpose=pick(record.purpose, language) or "",
        legal_basis=pick(record.legal_basis, language),
        entitlement=record.entitlement,
        claims=record.claims,
        claim_labels=tuple(label(record.scenario, claim, language) for claim in record.claims),
        time=record.time,
        state=state,
        state_text=state_text(state, language),
        promise_by=receipt.promise_by if receipt else None,
        chain_index=receipt.chain_index if receipt else None,
        checked=receipt.checked if receipt else None,
    )


def _stored(row: tuple[Any, ...]) -> StoredReceipt:
    return StoredReceipt(
        history_id=row[0],
        token=row[1],
        received=datetime.fromisoformat(row[2]),
        commitment=row[3],
        origin=row[4],
        promise_by=datetime.fromisoformat(row[5]),
        state=ReceiptState(row[6]),
        chain_index=row[7],
        checked=datetime.fromisoformat(row[8]) if row[8] else None,
        evidence=json.loads(row[9]) if row[9] else {},
    )
