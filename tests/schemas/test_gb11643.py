"""The citizen number: what the check character finds, exactly, and what it does not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas import violations
from schemas.identifiers.gb11643 import (
    CHECK_CHARACTERS,
    CitizenNumber,
    build_citizen_number,
    check_character,
    parse_citizen_number,
    tidy,
)
from schemas.violations import IdentifierError

PUBLISHED = "11010519491231002X"  # the example of GB 11643-1999

numbers = st.builds(
    build_citizen_number,
    st.from_regex(r"[1-9][0-9]{5}", fullmatch=True),
    st.dates(date(1900, 1, 1), date(2099, 12, 31)),
    st.integers(0, 999),
)


def test_the_example_of_the_standard() -> None:
    number = parse_citizen_number(PUBLISHED)
    assert number.division == "110105"
    assert number.birth_date == date(1949, 12, 31)
    assert (number.sequence, number.sex) == (2, "female")
    assert check_character(PUBLISHED[:17]) == "X"


@given(numbers)
def test_what_is_built_is_read_back(number: CitizenNumber) -> None:
    text = number.text
    assert parse_citizen_number(text) == number


@given(numbers, st.integers(0, 17), st.sampled_from("0123456789X"))
def test_every_single_wrong_character_is_found(
    number: CitizenNumber, place: int, wrong: str
) -> None:
    text = number.text
    assume(text[place] != wrong)
    with pytest.raises(IdentifierError):
        parse_citizen_number(text[:place] + wrong + text[place + 1 :])


@given(numbers, st.integers(0, 16))
def test_every_exchange_of_neighbours_is_found(number: CitizenNumber, place: int) -> None:
    text = number.text
    assume(text[place] != text[place + 1])
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    with pytest.raises(IdentifierError):
        parse_citizen_number(swapped)


def _sums_up(text: str) -> bool:
    """ISO 7064 by its definition, apart from the code under test."""
    remainder = 0
    for character in text:
        remainder = (remainder * 2 + (10 if character == "X" else int(character))) % 11
    return remainder == 1


@given(numbers)
def test_the_check_is_that_of_iso_7064(number: CitizenNumber) -> None:
    assert _sums_up(number.text)


@given(numbers, st.integers(0, 16), st.integers(0, 16))
def test_of_all_exchanges_only_those_ten_apart_escape(
    number: CitizenNumber, a: int, b: int
) -> None:
    text = list(number.text)
    assume(text[a] != text[b])
    text[a], text[b] = text[b], text[a]
    assert _sums_up("".join(text)) == (abs(a - b) == 10)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", violations.CitizenNumberLengthWrong),
        (PUBLISHED[:17], violations.CitizenNumberLengthWrong),
        (PUBLISHED + "0", violations.CitizenNumberLengthWrong),
        (PUBLISHED + "\n", violations.CitizenNumberLengthWrong),
        (PUBLISHED[:17] + "\n", violations.CitizenNumberCharacterWrong),
        (PUBLISHED[:17] + "x", violations.CitizenNumberCharacterWrong),
        ("１" + PUBLISHED[1:], violations.CitizenNumberCharacterWrong),
        ("١" + PUBLISHED[1:], violations.CitizenNumberCharacterWrong),
        ("X" + PUBLISHED[1:], violations.CitizenNumberCharacterWrong),
        ("010105194912310026", violations.CitizenNumberDivisionWrong),
        ("110105194902300020", violations.CitizenNumberDateWrong),
        ("110105190002290020", violations.CitizenNumberDateWrong),
        ("110105194913010020", violations.CitizenNumberDateWrong),
        ("110105000001010020", violations.CitizenNumberDateWrong),
        (PUBLISHED[:17] + "1", violations.CitizenNumberCheckWrong),
    ],
)
def test_each_defect_has_its_name(text: str, cause: type[IdentifierError]) -> None:
    with pytest.raises(cause) as caught:
        parse_citizen_number(text)
    assert type(caught.value) is cause
    assert caught.value.params == {}
    # Neither the error nor what it was raised from may hold a part of the number.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_leap_day_is_a_date() -> None:
    number = build_citizen_number("330106", date(2000, 2, 28) + timedelta(days=1), 3)
    assert number.birth_date == date(2000, 2, 29)
    assert number.sex == "male"


def test_unknown_divisions_are_accepted() -> None:
    assert build_citizen_number("999999", date(1990, 1, 1), 1).division == "999999"


def test_building_from_nonsense_fails_by_name() -> None:
    with pytest.raises(violations.CitizenNumberCharacterWrong):
        check_character("1101051949123100A")
    with pytest.raises(IdentifierError):
        build_citizen_number("33010", date(1990, 1, 1), 1)
    with pytest.raises(IdentifierError):
        build_citizen_number("330106", date(1990, 1, 1), 1000)


def test_numbers_stay_out_of_representations() -> None:
    assert "1105" not in repr(parse_citizen_number(PUBLISHED))
    assert "1949" not in repr(parse_citizen_number(PUBLISHED))


def test_typed_text_is_tidied() -> None:
    assert tidy(" 110105 19491231　００２x\n") == PUBLISHED
    assert set(CHECK_CHARACTERS) == set("0123456789X")
