"""The desk's journal: open requests, verdicts, and access records waiting for the chain.

It guarantees, against a crash at any moment, that a request is answered at most once and that no
claim was handed out without its access record on disk: both are written in one transaction
before the verdict is returned. It holds claim names, digests and times, never a claim's value.
It does not protect against whoever owns the disk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from verifier.errors import JournalCorrupt, JournalFull, JournalLocked, RequestAnswered

_BUSY_MS: Final = 5_000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS requests (
    nonce TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    entitlement TEXT NOT NULL,
    credential_type TEXT NOT NULL,
    claims TEXT NOT NULL,
    created TEXT NOT NULL,
    expires TEXT NOT NULL,
    answered TEXT,
    presentation TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS verdicts (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    answer TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    code TEXT NOT NULL,
    nonce TEXT,
    presentation TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS access_records (
    id INTEGER PRIMARY KEY,
    commitment TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL,
    receipt TEXT NOT NULL,
    recorded TEXT NOT NULL,
    promised_by TEXT NOT NULL,
    chain_index INTEGER,
    anchored TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS floors (
    name TEXT PRIMARY KEY,
    size INTEGER NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class OpenRequest:
    """A request that this desk made. `claims` are JSON pointers into the credential."""

    nonce: str
    token: str
    entitlement: str
    credential_type: str
    claims: tuple[str, ...]
    created: datetime
    expires: datetime
    answered: datetime | None


@dataclass(frozen=True)
class AccessRow:
    """An access record as the desk keeps it; `chain_index` is None until the chain has it."""

    id: int
    commitment: str
    record: dict[str, Any]
    receipt: str
    recorded: datetime
    promised_by: datetime
    chain_index: int | None


@dataclass(frozen=True)
class VerdictRow:
    """One line of the log of all looks, failed ones too."""

    at: datetime
    answer: str
    decided_by: str
    code: str
    nonce: str | None
    presentation: str | None


class Journal:
    """One SQLite file in WAL mode, `synchronous=FULL`: what is returned was on disk before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._faults():
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_MS / 1000)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        path.chmod(0o600)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            name = getattr(error, "sqlite_errorname", "")
            if name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR"):
                raise JournalFull from error
            if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise JournalLocked from error
            raise JournalCorrupt(reason=name or "SQLite error") from error
        except sqlite3.DatabaseError as error:
            raise JournalCorrupt(
                reason=getattr(error, "sqlite_errorname", "") or "SQLite error"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._faults():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                if self._db.in_transaction:  # SQLite itself rolls back on a full disk
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    # Requests

    def open_request(self, request: OpenRequest) -> None:
        with self._transaction() as db:
            db.execute(
                "INSERT INTO requests VALUES (?,?,?,?,?,?,?,NULL,NULL)",
                (
                    request.nonce,
                    request.token,
                    request.entitlement,
                    request.credential_type,
                    json.dumps(request.claims),
                    _text(request.created),
                    _text(request.expires),
                ),
            )

    def request(self, nonce: str) -> OpenRequest | None:
        with self._faults():
            row = self._db.execute(
                "SELECT nonce, token, entitlement, credential_type, claims, created, expires,"
                " answered FROM requests WHERE nonce = ?",
                (nonce,),
            ).fetchone()
        if row is None:
            return None
        return OpenRequest(
            row[0],
            row[1],
            row[2],
            row[3],
            tuple(json.loads(row[4])),
            _time(row[5]),
            _time(row[6]),
            _time(row[7]) if row[7] else None,
        )

    # Looks

    def record_verdict(self, row: VerdictRow) -> None:
        with self._transaction() as db:
            _insert_verdict(db, row)

    def record_access(
        self,
        verdict: VerdictRow,
        *,
        commitment: str,
        record: dict[str, Any],
        receipt: str,
        promised_by: datetime,
    ) -> None:
        """Close the request and write verdict and access record, all or nothing.

        Raises `RequestAnswered` when another process answered it first (the compare-and-set that
        makes a presentation count once), `JournalFull` when the disk has no room.
        """
        with self._transaction() as db:
            taken = db.execute(
                "UPDATE requests SET answered = ?, presentation = ?"
                " WHERE nonce = ? AND answered IS NULL",
                (_text(verdict.at), verdict.presentation, verdict.nonce),
            ).rowcount
            if taken != 1:
                raise RequestAnswered
            _insert_verdict(db, verdict)
            db.execute(
                "INSERT INTO access_records (commitment, record, receipt, recorded, promised_by)"
                " VALUES (?,?,?,?,?)",
                (
                    commitment,
                    json.dumps(record, ensure_ascii=False),
                    receipt,
                    _text(verdict.at),
                    _text(promised_by),
                ),
            )

    def waiting(self, limit: int) -> list[AccessRow]:
        """The oldest access records that the chain does not hold yet."""
        return self._records(
            "SELECT id, commitment, record, receipt, recorded, promised_by, chain_index"
            " FROM access_records WHERE chain_index IS NULL ORDER BY id LIMIT ?",
            limit,
        )

    def records(self, limit: int) -> list[AccessRow]:
        """The newest access records first."""
        return self._records(
            "SELECT id, commitment, record, receipt, recorded, promised_by, chain_index"
            " FROM access_records ORDER BY id DESC LIMIT ?",
            limit,
        )

    def anchored(self, commitments: Sequence[tuple[str, int]], at: datetime) -> None:
        """Note the chain index of each commitment."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE access_records SET chain_index = ?, anchored = ? WHERE commitment = ?",
                [(index, _text(at), commitment) for commitment, index in commitments],
            )

    # What the desk must not forget

    def floor(self, name: str) -> int | None:
        """The size below which nothing of this name is taken any more."""
        with self._faults():
            row = self._db.execute("SELECT size FROM floors WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def raise_floor(self, name: str, size: int) -> None:
        """Never take less than `size` again; a lower one than before changes nothing."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO floors VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET size = max(size, excluded.size)",
                (name, size),
            )

    def verdicts(self, limit: int) -> list[VerdictRow]:
        """The newest looks first."""
        with self._faults():
            rows = self._db.execute(
                "SELECT at, answer, decided_by, code, nonce, presentation FROM verdicts"
                " ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [VerdictRow(_time(r[0]), *r[1:]) for r in rows]

    def _records(self, query: str, limit: int) -> list[AccessRow]:
        with self._faults():
            rows = self._db.execute(query, (limit,)).fetchall()
        return [
            AccessRow(r[0], r[1], json.loads(r[2]), r[3], _time(r[4]), _time(r[5]), r[6])
            for r in rows
        ]


def _insert_verdict(db: sqlite3.Connection, row: VerdictRow) -> None:
    db.execute(
        "INSERT INTO verdicts (at, answer, decided_by, code, nonce, presentation)"
        " VALUES (?,?,?,?,?,?)",
        (_text(row.at), row.answer, row.decided_by, row.code, row.nonce, row.presentation),
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
