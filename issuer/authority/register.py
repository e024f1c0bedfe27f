"""The reference population register: a file of synthetic residents that answers yes or no.

It stands in for the register of the Ministry of Public Security, so that everything around it can
run for real. It says of itself that it is synthetic, and a file that does not say so is refused:
nobody points this service at real people by mistake.

`matches` compares every field in constant time and always all of them, so the time of an answer
does not tell which field was wrong. It may still tell whether a number exists (the look-up in the
index); an authorised issuer learns that only together with the right data of that person, and the
limit on failed questions bounds what can be measured.
"""

from __future__ import annotations

import hmac
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from issuer.authority.errors import AuthorityStoreFailed, RegisterCorrupt, RegisterTooSmall
from issuer.authority.synthesis import Resident, synthesize

USUAL_SIZE: Final = 12_000
LEAST_SIZE: Final = 10_000
MOST_SIZE: Final = 1_000_000
USUAL_SEED: Final = "hangzhou"
_FORMAT: Final = "zhenglian-synthetic-register-v1"
_COLUMNS: Final = ("citizen_number", "name", "sex", "birth_date", "ethnicity", "division")
# What an unknown number is compared with, so that it costs what a known one costs.
_NOBODY: Final = ("", "", "", "", "", "")


@dataclass(frozen=True)
class RegisterFacts:
    """What may be told about a register."""

    seed: str
    residents: int


def build_register(path: Path, *, seed: str = USUAL_SEED, residents: int = USUAL_SIZE) -> None:
    """Write a register of `residents` people that `seed` determines; whole or not at all.

    Raises `RegisterTooSmall`, `AuthorityStoreFailed`.
    """
    if not LEAST_SIZE <= residents <= MOST_SIZE:
        raise RegisterTooSmall(least=LEAST_SIZE, most=MOST_SIZE)
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        try:
            with closing(sqlite3.connect(part)) as connection:
                _fill(connection, seed, residents)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        raise AuthorityStoreFailed from error


def _fill(connection: sqlite3.Connection, seed: str, residents: int) -> None:
    # The file is written once and renamed when complete: no journal is needed on the way.
    connection.execute("PRAGMA journal_mode=OFF")
    with connection:
        connection.execute(
            "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT"
        )
        connection.executemany(
            "INSERT INTO facts VALUES (?, ?)",
            [("format", _FORMAT), ("seed", seed), ("residents", str(residents))],
        )
        connection.execute(
            "CREATE TABLE resident (citizen_number TEXT PRIMARY KEY, name TEXT NOT NULL, "
            "sex TEXT NOT NULL, birth_date TEXT NOT NULL, ethnicity TEXT NOT NULL, "
            "division TEXT NOT NULL) WITHOUT ROWID, STRICT"
        )
        connection.executemany(
            "INSERT INTO resident VALUES (?, ?, ?, ?, ?, ?)",
            (
                (r.citizen_number, r.name, r.sex, r.birth_date, r.ethnicity, r.division)
                for r in synthesize(seed, residents)
            ),
        )


class Register:
    """An open register, read-only; may be used by several threads."""

    def __init__(self, path: Path) -> None:
        """Raises `RegisterCorrupt`."""
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
            found = dict(self._connection.execute("SELECT name, value FROM facts"))
            count = self._connection.execute("SELECT count(*) FROM resident").fetchone()[0]
        except sqlite3.Error as error:
            raise RegisterCorrupt from error
        if found.get("format") != _FORMAT or found.get("residents") != str(count):
            raise RegisterCorrupt
        self.facts = RegisterFacts(seed=found["seed"], residents=count)

    def close(self) -> None:
        self._connection.close()

    def matches(self, person: Mapping[str, str]) -> bool:
        """Whether the register holds exactly this person. Raises `RegisterCorrupt`."""
        asked = (
            person["citizenNumber"],
            person["name"],
            person["sex"],
            person["birthDate"],
            person["ethnicity"],
            person["division"],
        )
        row = self._find(person["citizenNumber"])
        same = row is not None
        row = row or _NOBODY
        for value, held in zip(asked, row, strict=True):
            # `&`, not `and`: every field is compared whatever the others gave.
            same &= hmac.compare_digest(value.encode(), held.encode())
        return same

    def sample(self, count: int, *, born_until: str = "9999-12-31") -> list[Resident]:
        """The first `count` residents of the seed, born by `born_until`: for demonstrations."""
        chosen: list[Resident] = []
        for resident in synthesize(self.facts.seed, self.facts.residents):
            if len(chosen) == count:
                break
            if resident.birth_date <= born_until:
                chosen.append(resident)
        return chosen

    def _find(self, number: str) -> tuple[str, ...] | None:
        try:
            with self._lock:
                found: tuple[str, ...] | None = self._connection.execute(
                    f"SELECT {', '.join(_COLUMNS)} FROM resident WHERE citizen_number = ?",  # noqa: S608 - fixed column names
                    (number,),
                ).fetchone()
        except sqlite3.Error as error:
            raise RegisterCorrupt from error
        return found
