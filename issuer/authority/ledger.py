"""What the authority remembers: which issuers may ask, what was asked, which questions failed.

Guarantees: a question is answered once (its id is on the disk before the answer is made); failed
questions about one person, and by one issuer, are limited, across restarts. The log of questions
holds issuer, request id, time, purpose and outcome: no personal value. To count failures per person
the citizen number is kept as an HMAC under a key that lies sealed elsewhere, because a bare hash of
an enumerable number is the number; the row goes when it no longer counts.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from credentials.keys import PublicKey
from issuer.authority.errors import AuthorityStoreFailed, QuestionReplayed
from issuer.authority.messages import Question

Outcome = Literal["pass", "fail", "limited"]

FAILURES_PER_PERSON: Final = 5
PERSON_WINDOW: Final = timedelta(hours=24)
FAILURES_PER_ISSUER: Final = 200
ISSUER_WINDOW: Final = timedelta(hours=1)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS issuers (
  did TEXT PRIMARY KEY, multikey TEXT NOT NULL, added INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS questions (
  issuer TEXT NOT NULL, request_id TEXT NOT NULL, at INTEGER NOT NULL, purpose TEXT NOT NULL,
  outcome TEXT NOT NULL, PRIMARY KEY (issuer, request_id)
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS failures (
  issuer TEXT NOT NULL, person BLOB NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS failures_by_person ON failures (issuer, person, at);
CREATE INDEX IF NOT EXISTS failures_by_time ON failures (at);
"""


@dataclass(frozen=True)
class AuthorisedIssuer:
    did: str
    key: PublicKey


@dataclass(frozen=True)
class Tally:
    """How many questions of one issuer ended how."""

    issuer: str
    outcome: str
    count: int


class Ledger:
    """`<home>/ledger.sqlite`; may be used by several threads and processes."""

    def __init__(self, path: Path, *, person_key: bytes = b"") -> None:
        """Raises `AuthorityStoreFailed`. Without `person_key`, questions cannot be recorded."""
        self._person_key = person_key
        self._lock = threading.Lock()
        try:
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA secure_delete=ON")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise AuthorityStoreFailed from error

    def close(self) -> None:
        self._connection.close()

    def authorise(self, did: str, key: PublicKey, *, at: datetime) -> None:
        """Let this issuer ask; a new key takes the place of an old one."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO issuers VALUES (?, ?, ?) "
                "ON CONFLICT (did) DO UPDATE SET multikey = excluded.multikey",
                (did, key.multikey(), int(at.timestamp())),
            )

    def issuers(self) -> list[AuthorisedIssuer]:
        with self._transaction() as connection:
            rows = connection.execute("SELECT did, multikey FROM issuers ORDER BY did").fetchall()
        return [AuthorisedIssuer(did, PublicKey.from_multikey(key)) for did, key in rows]

    def key_of(self, did: str) -> PublicKey | None:
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT multikey FROM issuers WHERE did = ?", (did,)
            ).fetchone()
        return PublicKey.from_multikey(row[0]) if row else None

    def open_question(self, question: Question, at: datetime) -> int:
        """Remember that this was asked; returns 0, or the seconds to wait if a limit is reached.

        Raises `QuestionReplayed` for an id this issuer used before.
        """
        now = int(at.timestamp())
        person = self._person(question)
        with self._transaction() as connection:
            horizon = now - int(max(PERSON_WINDOW, ISSUER_WINDOW).total_seconds())
            connection.execute("DELETE FROM failures WHERE at <= ?", (horizon,))
            wait = max(
                _wait(
                    connection.execute(
                        "SELECT at FROM failures WHERE issuer = ? AND person = ? AND at > ? "
                        "ORDER BY at DESC LIMIT 1 OFFSET ?",
                        (
                            question.issuer,
                            person,
                            now - int(PERSON_WINDOW.total_seconds()),
                            FAILURES_PER_PERSON - 1,
                        ),
                    ).fetchone(),
                    PERSON_WINDOW,
                    now,
                ),
                _wait(
                    connection.execute(
                        "SELECT at FROM failures WHERE issuer = ? AND at > ? "
                        "ORDER BY at DESC LIMIT 1 OFFSET ?",
                        (
                            question.issuer,
                            now - int(ISSUER_WINDOW.total_seconds()),
                            FAILURES_PER_ISSUER - 1,
                        ),
                    ).fetchone(),
                    ISSUER_WINDOW,
                    now,
                ),
            )
            # Until it is answered a question counts as failed: a crash must not give a free guess.
            outcome: Outcome = "limited" if wait else "fail"
            try:
                connection.execute(
                    "INSERT INTO questions VALUES (?, ?, ?, ?, ?)",
                    (question.issuer, question.request_id, now, question.purpose, outcome),
                )
            except sqlite3.IntegrityError:
                raise QuestionReplayed from None
            if not wait:
                connection.execute(
                    "INSERT INTO failures VALUES (?, ?, ?)", (question.issuer, person, now)
                )
        return wait

    def close_as_passed(self, question: Question) -> None:
        """Note that the question was answered with yes."""
        with self._transaction() as connection:
            row = connection.execute(
                "UPDATE questions SET outcome = 'pass' WHERE issuer = ? AND request_id = ? "
                "RETURNING at",
                (question.issuer, question.request_id),
            ).fetchone()
            connection.execute(
                "DELETE FROM failures WHERE rowid = (SELECT rowid FROM failures "
                "WHERE issuer = ? AND person = ? AND at = ? LIMIT 1)",
                (question.issuer, self._person(question), row[0]),
            )

    def tallies(self) -> list[Tally]:
        """How many questions of each issuer ended how."""
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT issuer, outcome, count(*) FROM questions GROUP BY 1, 2 ORDER BY 1, 2"
            ).fetchall()
        return [Tally(*row) for row in rows]

    def _person(self, question: Question) -> bytes:
        if not self._person_key:
            raise RuntimeError("this ledger was opened without its key")
        number = question.person["citizenNumber"].encode("ascii")
        return hmac.new(self._person_key, number, hashlib.sha256).digest()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise AuthorityStoreFailed from error


def _wait(oldest: tuple[int] | None, window: timedelta, now: int) -> int:
    """Seconds until the oldest failure that fills the limit no longer counts."""
    return 0 if oldest is None else max(1, oldest[0] + int(window.total_seconds()) - now)
