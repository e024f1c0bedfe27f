"""GB 11643-1999: the citizen identification number.

Guarantees that a parsed number has the form, a date of the calendar and the check character of
the standard (ISO 7064 MOD 11-2). The check character finds every single wrong character and every
exchange of two characters unless they stand exactly ten places apart (2 has order 10 modulo 11, so
those two weights are equal). It does not show that the number was ever given to anyone: only the
authority can say that.

Division codes are those of the day the number was given; many no longer exist, and new ranges come
into use, so an unknown one is not an error. Numbers are enumerable (some 10^10 plausible ones):
never store, log or publish a bare hash of one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from schemas.violations import (
    CitizenNumberCharacterWrong,
    CitizenNumberCheckWrong,
    CitizenNumberDateWrong,
    CitizenNumberDivisionWrong,
    CitizenNumberLengthWrong,
)

Sex = Literal["male", "female"]

LENGTH: Final = 18
WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS: Final = "10X98765432"
# [0-9], not \d: Python's \d also takes full-width and other digits.
_FORM: Final = re.compile(r"[0-9]{17}[0-9X]")
_BODY: Final = re.compile(r"[0-9]{17}")


@dataclass(frozen=True)
class CitizenNumber:
    """The parts of a number, all kept out of `repr`: no log shows one by accident."""

    text: str = field(repr=False)
    division: str = field(repr=False)
    birth_date: date = field(repr=False)
    sequence: int = field(repr=False)
    sex: Sex = field(repr=False)


def check_character(body: str) -> str:
    """The 18th character for the first 17 digits (GB 11643-1999 §4.4)."""
    if not _BODY.fullmatch(body):
        raise CitizenNumberCharacterWrong
    total = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, body, strict=True))
    return CHECK_CHARACTERS[total % 11]


def build_citizen_number(division: str, birth_date: date, sequence: int) -> CitizenNumber:
    """A complete number from its parts; an odd `sequence` is male, an even one female."""
    body = f"{division}{birth_date:%Y%m%d}{sequence:03d}"
    return parse_citizen_number(body + check_character(body))


def parse_citizen_number(text: str) -> CitizenNumber:
    """Read a number in its canonical form; no spaces, no small x, no full-width digits.

    Raises a subclass of `IdentifierError` that names what is wrong and never the number.
    """
    if len(text) != LENGTH:
        raise CitizenNumberLengthWrong
    if not _FORM.fullmatch(text):
        raise CitizenNumberCharacterWrong
    if text[0] == "0":  # GB/T 2260: the first digit is the region, 1 to 9
        raise CitizenNumberDivisionWrong
    birth_date = _date(text[6:14])
    # Last, so that a mistyped date is reported as such rather than as a wrong check character.
    if check_character(text[:17]) != text[17]:
        raise CitizenNumberCheckWrong
    sequence = int(text[14:17])
    sex: Sex = "male" if sequence % 2 else "female"
    return CitizenNumber(text, text[:6], birth_date, sequence, sex)


def tidy(typed: str) -> str:
    """What a person typed, brought to the canonical form: no blanks, ASCII digits, capital X.

    For input fields only; a credential's value is parsed as it stands.
    """
    plain = unicodedata.normalize("NFKC", typed)
    return "".join(plain.split()).upper()


def _date(digits: str) -> date:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        # `from None`: the cause's message can hold parts of the date.
        raise CitizenNumberDateWrong from None
