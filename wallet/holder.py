"""The holder's keys and credentials in the vault.

Guarantees: each credential has a P-256 key of its own, made here and never exported; a key is on
disk before its public half leaves this process; deleting a credential deletes its key. A
credential's status is what the newest trust bundle says and carries that bundle's date; not
knowing is never stored as revoked.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from credentials.anchor import anchor_of
from credentials.dids import did_key, key_url
from credentials.keys import PrivateKey
from credentials.model import issuer_id, validity_period
from registry.errors import CredentialRevoked, CredentialSuspended
from registry.ledger.entries import anchor_leaf_hash
from registry.trust.assurance import SKEW, Assurance
from schemas.errors import ExitCode, ZhenglianError
from schemas.scenario import Scenario, load_scenario
from wallet.errors import UnknownCredential
from wallet.vault import Vault
from wallet.views import AnchorState, CredentialState


@dataclass(frozen=True)
class HolderKey:
    """A key in use. `id` is its did:key."""

    id: str
    private: PrivateKey

    @property
    def url(self) -> str:
        return key_url(self.private.public_key)


@dataclass(frozen=True)
class Held:
    """A credential in the vault. It was verified before it came here."""

    id: str
    scenario: Scenario
    key_id: str
    document: Mapping[str, Any]
    received: datetime
    status: CredentialState  # VALID, SUSPENDED, REVOKED or UNKNOWN; validity is judged by the clock
    status_as_of: datetime | None
    anchor_origin: str
    anchor_index: int | None
    anchor_proof: bytes | None

    @property
    def issuer(self) -> str:
        return issuer_id(self.document)

    @property
    def anchor(self) -> AnchorState:
        return AnchorState.PENDING if self.anchor_proof is None else AnchorState.ANCHORED

    @property
    def leaf_hash(self) -> bytes:
        """The leaf of its anchor on the side chain."""
        return anchor_leaf_hash(self.issuer, anchor_of(self.document))

    def state(self, now: datetime) -> CredentialState:
        """Revocation and suspension first: they explain more than a date does."""
        if self.status in (CredentialState.REVOKED, CredentialState.SUSPENDED):
            return self.status
        start, end = validity_period(self.document)
        if end is not None and now - SKEW > end:
            return CredentialState.EXPIRED
        if start is not None and now + SKEW < start:
            return CredentialState.NOT_YET_VALID
        return self.status


_COLUMNS = (
    "id, scenario, key_id, document, received, status, status_as_of, anchor_origin,"
    " anchor_index, anchor_proof"
)


class Holder:
    """Keys and credentials of one vault."""

    def __init__(self, vault: Vault, clock: Callable[[], datetime]) -> None:
        self._vault = vault
        self._clock = clock

    # -- keys ---------------------------------------------------------------------------------

    def new_key(self) -> HolderKey:
        """A fresh key, stored when this returns."""
        private = PrivateKey.generate("P-256")
        key = HolderKey(did_key(private.public_key), private)
        self._vault.execute(
            "INSERT INTO keys VALUES (?, ?, ?)",
            (key.id, private.to_bytes(), self._clock().isoformat()),
        )
        return key

    def key(self, key_id: str) -> HolderKey:
        row = self._vault.one("SELECT private FROM keys WHERE id = ?", (key_id,))
        if row is None:
            raise UnknownCredential
        return HolderKey(key_id, PrivateKey.from_bytes("P-256", row[0]))

    # -- credentials --------------------------------------------------------------------------

    def add(
        self,
        document: Mapping[str, Any],
        scenario: Scenario,
        key_id: str,
        *,
        anchor_origin: str,
        status: tuple[CredentialState, datetime | None],
    ) -> str:
        """Store a verified credential; returns its identifier in this wallet."""
        credential_id = secrets.token_hex(8)
        self._vault.execute(
            "INSERT INTO credentials VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
            (
                credential_id,
                scenario.id,
                key_id,
                json.dumps(document, ensure_ascii=False),
                self._clock().isoformat(),
                status[0].value,
                status[1].isoformat() if status[1] else None,
                anchor_origin,
            ),
        )
        return credential_id

    def all(self) -> tuple[Held, ...]:
        """Newest first."""
        rows = self._vault.execute(
            f"SELECT {_COLUMNS} FROM credentials ORDER BY received DESC, id"  # noqa: S608 - a constant
        )
        return tuple(_held(row) for row in rows)

    def get(self, credential_id: str) -> Held:
        """By identifier or an unambiguous beginning of it (4 characters at least)."""
        if len(credential_id) < 4 or not credential_id.isalnum():
            raise UnknownCredential
        rows = self._vault.execute(
            f"SELECT {_COLUMNS} FROM credentials WHERE substr(id, 1, ?) = ? LIMIT 2",  # noqa: S608 - a constant
            (len(credential_id), credential_id),
        )
        if len(rows) != 1:
            raise UnknownCredential
        return _held(rows[0])

    def remove(self, held: Held) -> None:
        """The credential, its key, and what still referred to that key."""
        with self._vault.transaction():
            self._vault.execute("DELETE FROM credentials WHERE id = ?", (held.id,))
            self._vault.execute("DELETE FROM issuances WHERE key_id = ?", (held.key_id,))
            self._vault.execute("DELETE FROM applications WHERE key_id = ?", (held.key_id,))
            self._vault.execute("DELETE FROM keys WHERE id = ?", (held.key_id,))

    def set_status(self, held: Held, state: CredentialState, as_of: datetime | None) -> None:
        self._vault.execute(
            "UPDATE credentials SET status = ?, status_as_of = ? WHERE id = ?",
            (state.value, as_of.isoformat() if as_of else None, held.id),
        )

    def set_anchor(self, held: Held, index: int, proof: bytes) -> None:
        """`proof` was checked against the bundle held."""
        self._vault.execute(
            "UPDATE credentials SET anchor_index = ?, anchor_proof = ? WHERE id = ?",
            (index, proof, held.id),
        )


def judge_status(
    assurance: Assurance, document: Mapping[str, Any], now: datetime
) -> tuple[CredentialState, datetime | None]:
    """What the bundle's lists say of a credential, and as of when."""
    as_of = assurance.bundle.time
    try:
        knowledge = assurance.check_status(document, now)
    except CredentialRevoked:
        return CredentialState.REVOKED, as_of
    except CredentialSuspended:
        return CredentialState.SUSPENDED, as_of
    except ZhenglianError as error:
        if error.exit_code is ExitCode.UNDETERMINED:
            return CredentialState.UNKNOWN, None
        raise
    return CredentialState.VALID, knowledge.as_of or as_of


def _held(row: tuple[Any, ...]) -> Held:
    return Held(
        id=row[0],
        scenario=load_scenario(row[1]),
        key_id=row[2],
        document=json.loads(row[3]),
        received=datetime.fromisoformat(row[4]),
        status=CredentialState(row[5]),
        status_as_of=datetime.fromisoformat(row[6]) if row[6] else None,
        anchor_origin=row[7],
        anchor_index=row[8],
        anchor_proof=row[9],
    )
