"""The unified social credit code and the organization code inside it."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas import violations
from schemas.identifiers.gb32100 import (
    CREDIT_ALPHABET,
    CREDIT_WEIGHTS,
    CreditCode,
    build_credit_code,
    check_character,
    organization_check_character,
    parse_credit_code,
    parse_organization_code,
)
from schemas.violations import IdentifierError

VALID = "91330100799655058B"

# Alphabet of the credit code within that of the organization code: what can stand inside.
codes = st.builds(
    build_credit_code,
    st.sampled_from("159AY"),
    st.sampled_from("1239"),
    st.from_regex(r"[1-9][0-9]{5}", fullmatch=True),
    st.text(CREDIT_ALPHABET, min_size=8, max_size=8),
)


def test_a_real_code_and_its_parts() -> None:
    code = parse_credit_code(VALID)
    assert (code.authority, code.category, code.division) == ("9", "1", "330100")
    assert code.organization == "799655058"
    assert parse_organization_code("799655058") == "799655058"
    assert check_character(VALID[:17]) == "B"
    assert organization_check_character("79965505") == "8"


def test_weights_are_those_of_the_standard() -> None:
    assert CREDIT_WEIGHTS == (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


@given(codes)
def test_what_is_built_is_read_back(code: CreditCode) -> None:
    assert parse_credit_code(code.text) == code


@given(codes, st.integers(0, 17), st.sampled_from(CREDIT_ALPHABET))
def test_every_single_wrong_character_is_found(code: CreditCode, place: int, wrong: str) -> None:
    text = code.text
    assume(text[place] != wrong)
    with pytest.raises(IdentifierError):
        parse_credit_code(text[:place] + wrong + text[place + 1 :])


@given(codes, st.integers(0, 17), st.integers(0, 17))
def test_of_all_exchanges_only_first_with_last_escapes(code: CreditCode, a: int, b: int) -> None:
    original = code.text
    # 3^17 is not the weight of the check character; 1 is, as of the first.
    text = list(original)
    assume(text[a] != text[b])
    text[a], text[b] = text[b], text[a]
    values = [CREDIT_ALPHABET.index(c) for c in text]
    total = sum(v * pow(3, i, 31) for i, v in enumerate(values[:17])) + values[17]
    assert (total % 31 == 0) == ({a, b} == {0, 17})


@given(codes, st.integers(0, 16))
def test_every_exchange_of_neighbours_is_found(code: CreditCode, place: int) -> None:
    text = code.text
    assume(text[place] != text[place + 1])
    with pytest.raises(IdentifierError):
        parse_credit_code(text[:place] + text[place + 1] + text[place] + text[place + 2 :])


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", violations.CreditCodeLengthWrong),
        (VALID + "0", violations.CreditCodeLengthWrong),
        (VALID.lower(), violations.CreditCodeCharacterWrong),
        ("I1330100799655058B", violations.CreditCodeCharacterWrong),
        ("91A30100799655058B", violations.CreditCodeCharacterWrong),
        ("9133010079965505８B", violations.CreditCodeCharacterWrong),
        (VALID[:17] + "C", violations.CreditCodeCheckWrong),
        (VALID[:17] + "\n", violations.CreditCodeCharacterWrong),
    ],
)
def test_each_defect_has_its_name(text: str, cause: type[IdentifierError]) -> None:
    with pytest.raises(cause) as caught:
        parse_credit_code(text)
    assert type(caught.value) is cause
    assert caught.value.params == {}


def test_a_wrong_organization_code_inside_a_fitting_code_is_found() -> None:
    body = "91330100" + "799655057"  # inner check should be 8
    with pytest.raises(violations.OrganizationCodeCheckWrong):
        parse_credit_code(body + check_character(body))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("79965505", violations.OrganizationCodeLengthWrong),
        ("7996550-8", violations.OrganizationCodeCharacterWrong),
        ("799655050", violations.OrganizationCodeCheckWrong),
    ],
)
def test_organization_code_defects(text: str, cause: type[IdentifierError]) -> None:
    with pytest.raises(cause):
        parse_organization_code(text)


def test_organization_check_character_can_be_x() -> None:
    found = {organization_check_character(f"{n:08d}") for n in range(40)}
    assert "X" in found
    assert found <= set("0123456789X")
