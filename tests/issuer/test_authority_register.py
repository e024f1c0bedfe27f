"""The synthetic register: the same people from the same seed, none of them real, yes or no only."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from issuer.authority.errors import AuthorityStoreFailed, RegisterCorrupt, RegisterTooSmall
from issuer.authority.messages import FIELDS
from issuer.authority.register import LEAST_SIZE, Register, build_register
from issuer.authority.synthesis import BIRTH_DIVISIONS, LAST_BIRTH, synthesize
from schemas.identifiers import parse_citizen_number
from schemas.resident_identity import rules
from schemas.scenario import load_scenario


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("register") / "register.sqlite"
    build_register(path, seed="test", residents=LEAST_SIZE)
    return path


@pytest.fixture(scope="module")
def register(path: Path) -> Register:
    return Register(path)


def test_the_same_seed_makes_the_same_people_on_every_machine() -> None:
    people = [resident.as_json() for resident in synthesize("hangzhou", 1000)]
    text = json.dumps(people, ensure_ascii=False, sort_keys=True).encode()
    assert hashlib.sha256(text).hexdigest() == EXPECTED
    assert [r.as_json() for r in synthesize("hangzhou", 10)] == people[:10]
    assert [r.as_json() for r in synthesize("other", 10)] != people[:10]


EXPECTED = "491bdd387f0ffd84e476cfc3b65a9d1dd580ffedf1f74c0e24f8ba40055b2575"


def test_everyone_is_valid_by_form_and_nobody_is_real() -> None:
    schema = load_scenario("resident-identity").json_schema["$defs"]["subject"]["properties"]
    people = list(synthesize("test", LEAST_SIZE))
    assert len({r.citizen_number for r in people}) == LEAST_SIZE
    for resident in people:
        number = parse_citizen_number(resident.citizen_number)
        assert number.division in BIRTH_DIVISIONS
        assert number.sex == resident.sex
        assert number.birth_date.isoformat() == resident.birth_date
        assert number.birth_date <= LAST_BIRTH
        assert resident.ethnicity in schema["ethnicity"]["enum"]
        rules._check_name(resident.name)
    assert any("·" in r.name for r in people)
    assert any(ord(c) > 0xFFFF for r in people for c in r.name)
    assert 0.9 < sum(r.ethnicity == "汉" for r in people) / LEAST_SIZE < 0.99


def test_a_register_knows_its_people_and_nobody_else(register: Register) -> None:
    person = register.sample(1)[0]
    assert register.matches(person.as_json())
    stranger = next(r for r in synthesize("another", 10) if r != person)
    assert not register.matches(stranger.as_json())


@pytest.mark.parametrize("field", FIELDS)
def test_each_single_difference_is_a_no(register: Register, field: str) -> None:
    person = register.sample(1)[0].as_json()
    other = next(
        r.as_json() for r in register.sample(LEAST_SIZE) if r.as_json()[field] != person[field]
    )
    assert not register.matches({**person, field: other[field]})
    assert not register.matches({**person, field: ""})
    assert not register.matches({**person, field: person[field] + " "})


def test_the_empty_person_is_nobody(register: Register) -> None:
    # An unknown number is compared with a row of empty texts: those must not pass for a person.
    assert not register.matches(dict.fromkeys(FIELDS, ""))


def test_samples_can_be_bounded_by_birth(register: Register) -> None:
    assert all(r.birth_date <= "2000-01-01" for r in register.sample(50, born_until="2000-01-01"))
    assert len(register.sample(50, born_until="2000-01-01")) == 50


def test_people_stay_out_of_representations(register: Register) -> None:
    person = register.sample(1)[0]
    assert repr(person) == "Resident()"
    assert repr(replace(person, name="王")) == "Resident()"


def test_registers_have_a_usual_size(tmp_path: Path) -> None:
    for residents in (0, LEAST_SIZE - 1, 2_000_000):
        with pytest.raises(RegisterTooSmall):
            build_register(tmp_path / "r.sqlite", residents=residents)
    assert list(tmp_path.iterdir()) == []


def test_a_register_that_does_not_call_itself_synthetic_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "real.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE facts (name, value)")
        connection.execute("CREATE TABLE resident (citizen_number)")
    with pytest.raises(RegisterCorrupt):
        Register(path)


@pytest.mark.parametrize("damage", ["absent", "text", "truncated"])
def test_a_damaged_register_is_refused_by_name(path: Path, tmp_path: Path, damage: str) -> None:
    other = tmp_path / "register.sqlite"
    if damage == "text":
        other.write_text("this is no database, whatever its name says " * 100)
    elif damage == "truncated":
        other.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(RegisterCorrupt):
        Register(other).matches(dict.fromkeys(FIELDS, "x"))
    assert not (tmp_path / "register.sqlite").exists() or damage != "absent"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthorityStoreFailed):
        build_register(tmp_path / "absent" / "register.sqlite")
