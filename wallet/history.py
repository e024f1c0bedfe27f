"""The log of all transactions, failed ones too: who, what for, which claims, when, how it ended.

Guarantees: it holds names of claims and never their values; an entry is written before the
network is used and completed afterwards, so that an interrupted step is visible as pending; only
the owner deletes entries. It is as private as the vault it lies in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.errors import ZhenglianError
from schemas.scenario import load_scenario
from schemas.texts import LANGUAGES, load_texts, localize
from schemas.violations import UnknownClaim, UnknownScenario
from wallet.errors import UnknownEntry
from wallet.vault import Vault
from wallet.views import HistoryEntry, HistoryKind, Outcome, ReceiptState

Localized = Mapping[str, str]

_COLUMNS: Final = (
    "h.id, h.time, h.kind, h.outcome, h.party_did, h.party_name, h.scenario, h.purpose, "
    "h.legal_basis, h.entitlement, h.claims, h.error, h.error_text, h.presentation, r.state"
)


@dataclass(frozen=True)
class Record:
    """An entry as stored; `entry` turns it into words of one language."""

    id: int
    time: datetime
    kind: HistoryKind
    outcome: Outcome
    party_did: str | None
    party_name: Localized
    scenario: str | None
    purpose: Localized
    legal_basis: Localized
    entitlement: str | None
    claims: tuple[str, ...]
    error: str | None
    error_text: Localized
    presentation: str | None
    receipt: ReceiptState


class History:
    """The entries in one vault."""

    def __init__(self, vault: Vault, clock: Callable[[], datetime]) -> None:
        self._vault = vault
        self._clock = clock

    # -- writing ------------------------------------------------------------------------------

    def begin(
        self,
        kind: HistoryKind,
        *,
        party_did: str | None = None,
        party_name: Localized | None = None,
        scenario: str | None = None,
        purpose: Localized | None = None,
        legal_basis: Localized | None = None,
        entitlement: str | None = None,
        claims: Sequence[str] = (),
        outcome: Outcome = Outcome.PENDING,
        nonce: str | None = None,
        presentation: str | None = None,
    ) -> int:
        """Write an entry and return its number. A `nonce` is kept as a digest, and once only."""
        # One statement: between two, another thread could write an entry of its own.
        row = self._vault.one(
            "INSERT INTO history (time, kind, outcome, party_did, party_name, scenario, purpose,"
            " legal_basis, entitlement, claims, nonce_digest, presentation)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                self._clock().isoformat(),
                kind.value,
                outcome.value,
                party_did,
                _dump(party_name),
                scenario,
                _dump(purpose),
                _dump(legal_basis),
                entitlement,
                json.dumps(list(claims)),
                nonce_digest(party_did, nonce) if nonce is not None else None,
                presentation,
            ),
        )
        assert row is not None  # noqa: S101 - an insert that returns gives its row
        return int(row[0])

    def complete(self, entry: int, *, scenario: str | None = None) -> None:
        self._vault.execute(
            "UPDATE history SET outcome = ?, error = NULL, error_text = NULL,"
            " scenario = coalesce(?, scenario) WHERE id = ?",
            (Outcome.DONE.value, scenario, entry),
        )

    def fail(self, entry: int, error: ZhenglianError) -> None:
        """The parameters of errors hold no personal values (`schemas.errors`)."""
        texts = {language: localize(error, language)["message"] for language in LANGUAGES}
        self._vault.execute(
            "UPDATE history SET outcome = ?, error = ?, error_text = ? WHERE id = ?",
            (Outcome.FAILED.value, error.code, _dump(texts), entry),
        )

    @contextmanager
    def transaction(self, kind: HistoryKind, **members: Any) -> Iterator[int]:
        """An entry around a step: pending while it runs, then done or failed with its cause."""
        entry = self.begin(kind, **members)
        try:
            yield entry
        except ZhenglianError as error:
            self.fail(entry, error)
            raise
        self.complete(entry)

    def delete(self, ids: Sequence[int] | None) -> int:
        """These entries, or all of them, with their receipts."""
        with self._vault.transaction():
            if ids is None:
                self._vault.execute("DELETE FROM history")
                return self._vault.changes()
            deleted = 0
            for number in ids:
                self._vault.execute("DELETE FROM history WHERE id = ?", (number,))
                if not self._vault.changes():
                    raise UnknownEntry
                deleted += 1
            return deleted

    # -- reading ------------------------------------------------------------------------------

    def answered(self, party_did: str, nonce: str) -> bool:
        """Whether a presentation was made for this request."""
        return (
            self._vault.one(
                "SELECT 1 FROM history WHERE nonce_digest = ?", (nonce_digest(party_did, nonce),)
            )
            is not None
        )

    def records(
        self, *, kind: HistoryKind | None = None, limit: int | None = None
    ) -> tuple[Record, ...]:
        """Newest first."""
        rows = self._vault.execute(
            f"SELECT {_COLUMNS} FROM history h LEFT JOIN receipts r ON r.history_id = h.id"  # noqa: S608 - a constant
            " WHERE ? IS NULL OR h.kind = ? ORDER BY h.id DESC LIMIT ?",
            (kind, kind, -1 if limit is None else limit),
        )
        return tuple(_record(row) for row in rows)

    def record(self, number: int) -> Record:
        """Raises UnknownEntry."""
        row = self._vault.one(
            f"SELECT {_COLUMNS} FROM history h LEFT JOIN receipts r ON r.history_id = h.id"  # noqa: S608 - a constant
            " WHERE h.id = ?",
            (number,),
        )
        if row is None:
            raise UnknownEntry
        return _record(row)

    def by_presentation(self, digest: str) -> Record | None:
        """The presentation of which `digest` (multibase) is the digest."""
        row = self._vault.one("SELECT id FROM history WHERE presentation = ?", (digest,))
        return self.record(int(row[0])) if row else None

    def export(self) -> dict[str, Any]:
        """All entries in all languages, for the owner to keep or to hand over."""
        return {
            "format": "zhenglian-wallet-history/1",
            "exported": self._clock().isoformat(timespec="seconds"),
            "entries": [
                {
                    "id": record.id,
                    "time": record.time.isoformat(timespec="seconds"),
                    "kind": record.kind.value,
                    "outcome": record.outcome.value,
                    "party": {"did": record.party_did, "name": dict(record.party_name)},
                    "scenario": record.scenario,
                    "purpose": dict(record.purpose),
                    "legalBasis": dict(record.legal_basis),
                    "entitlement": record.entitlement,
                    "claims": list(record.claims),
                    "error": record.error,
                    "presentation": record.presentation,
                    "receipt": record.receipt.value,
                }
                for record in self.records()
            ],
        }


def nonce_digest(party_did: str | None, nonce: str) -> bytes:
    """What is kept of a nonce: enough to know it again."""
    return hashlib.sha256(f"{party_did}\0{nonce}".encode()).digest()


def pick(texts: Localized, language: str) -> str | None:
    """The text in `language`, else English, else any."""
    return texts.get(language) or texts.get("en") or next(iter(texts.values()), None)


def label(scenario: str | None, pointer: str, language: str) -> str:
    """How people call a claim. An unknown one shows its pointer: never nothing."""
    if scenario is None:
        return pointer
    try:
        return pick(load_scenario(scenario).claim(pointer).label, language) or pointer
    except (UnknownClaim, UnknownScenario):
        return pointer


def title(scenario: str | None, language: str) -> str | None:
    """How people call a kind of credential."""
    if scenario is None:
        return None
    try:
        return pick(load_scenario(scenario).title, language)
    except UnknownScenario:
        return scenario


def entry_view(record: Record, language: str) -> HistoryEntry:
    """The entry in the words of one language."""
    _ = load_texts("wallet", language)
    kinds = {
        HistoryKind.APPLICATION: _("Application"),
        HistoryKind.ISSUANCE: _("Credential received"),
        HistoryKind.PRESENTATION: _("Shown to a department"),
        HistoryKind.REFUSAL: _("Request refused"),
        HistoryKind.RECEIPT: _("Receipt"),
        HistoryKind.REMOVAL: _("Credential deleted"),
    }
    outcomes = {
        Outcome.DONE: _("done"),
        Outcome.FAILED: _("failed"),
        Outcome.PENDING: _("not finished"),
    }
    return HistoryEntry(
        id=record.id,
        time=record.time,
        kind=record.kind,
        outcome=record.outcome,
        kind_text=kinds[record.kind],
        outcome_text=outcomes[record.outcome],
        party_did=record.party_did,
        party_name=pick(record.party_name, language) or record.party_did,
        title=title(record.scenario, language),
        purpose=pick(record.purpose, language),
        legal_basis=pick(record.legal_basis, language),
        entitlement=record.entitlement,
        claims=record.claims,
        claim_labels=tuple(label(record.scenario, claim, language) for claim in record.claims),
        error=record.error,
        error_text=pick(record.error_text, language),
        receipt=record.receipt,
    )


def _dump(texts: Localized | None) -> str | None:
    return None if texts is None else json.dumps(dict(texts), ensure_ascii=False)


def _load(text: str | None) -> Localized:
    return {} if text is None else json.loads(text)


def _record(row: tuple[Any, ...]) -> Record:
    return Record(
        id=row[0],
        time=datetime.fromisoformat(row[1]),
        kind=HistoryKind(row[2]),
        outcome=Outcome(row[3]),
        party_did=row[4],
        party_name=_load(row[5]),
        scenario=row[6],
        purpose=_load(row[7]),
        legal_basis=_load(row[8]),
        entitlement=row[9],
        claims=tuple(json.loads(row[10])),
        error=row[11],
        error_text=_load(row[12]),
        presentation=row[13],
        receipt=ReceiptState(row[14]) if row[14] else ReceiptState.NONE,
    )
