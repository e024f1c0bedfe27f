"""The rules of a resident's credential that JSON Schema cannot say.

Guarantees, for what is shown: the citizen number is well formed; birth date, sex and age
predicates agree with it and with each other; the name is one a person can read (NFC, letters
only). A selective disclosure that shows fewer claims is checked on those, so an inconsistency
between a shown and a hidden claim is invisible here: the issuer's check of the whole credential
and its signature cover that.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any, Final

from schemas.identifiers.gb11643 import parse_citizen_number
from schemas.violations import IdentifierError, SchemaViolation

AGE_LIMITS: Final = (14, 16, 18, 60, 65)
CHINA_STANDARD_TIME: Final = timezone(timedelta(hours=8))

_SUBJECT: Final = "/credentialSubject/"
# Besides letters and their marks: the dot of transliterated names, and what Latin names hold.
_NAME_PUNCTUATION: Final = frozenset("·. -'’")


def age_claims(birth_date: date, at: datetime) -> dict[str, bool]:
    """The age predicates as of `at` (aware): whether that many years were completed in China.

    A year is completed on the birthday itself; for 29 February in a common year, on 1 March.
    """
    today = at.astimezone(CHINA_STANDARD_TIME).date()
    had_birthday = (today.month, today.day) >= (birth_date.month, birth_date.day)
    age = today.year - birth_date.year - (not had_birthday)
    return {f"ageOver{limit}": age >= limit for limit in AGE_LIMITS}


def check(credential: Mapping[str, Any]) -> None:
    """Check a credential that already passed the JSON Schema. Raises `SchemaViolation`."""
    subject = credential["credentialSubject"]
    if "name" in subject:
        _check_name(subject["name"])
    birth_dates = []
    if "birthDate" in subject:
        birth_dates.append(date.fromisoformat(subject["birthDate"]))
    if "citizenNumber" in subject:
        try:
            number = parse_citizen_number(subject["citizenNumber"])
        except IdentifierError as error:
            raise SchemaViolation(pointer=_SUBJECT + "citizenNumber", rule=error.code) from None
        birth_dates.append(number.birth_date)
        if "sex" in subject and subject["sex"] != number.sex:
            raise SchemaViolation(pointer=_SUBJECT + "sex", rule="agrees-with-citizen-number")
    if len(set(birth_dates)) > 1:
        raise SchemaViolation(pointer=_SUBJECT + "birthDate", rule="agrees-with-citizen-number")
    _check_ages(subject, birth_dates, datetime.fromisoformat(credential["validFrom"]))


def _check_ages(subject: Mapping[str, Any], birth_dates: list[date], at: datetime) -> None:
    expected = age_claims(birth_dates[0], at) if birth_dates else {}
    over = True
    for limit in AGE_LIMITS:
        claim = f"ageOver{limit}"
        if claim not in subject:
            continue
        if subject[claim] != expected.get(claim, subject[claim]):
            raise SchemaViolation(pointer=_SUBJECT + claim, rule="agrees-with-birth-date")
        if subject[claim] and not over:
            # Over 65 but not over 60: no birth date fits.
            raise SchemaViolation(pointer=_SUBJECT + claim, rule="agrees-with-lower-age")
        over = subject[claim]


def _check_name(name: str) -> None:
    pointer = _SUBJECT + "name"
    # Two spellings that look the same must not be two names.
    if not unicodedata.is_normalized("NFC", name):
        raise SchemaViolation(pointer=pointer, rule="normalization-form-c")
    if name != name.strip() or "  " in name:
        raise SchemaViolation(pointer=pointer, rule="no-stray-blanks")
    for character in name:
        # Letters and marks only: digits, symbols and invisible characters are no part of a name
        # and could imitate other text on a clerk's screen.
        if unicodedata.category(character)[0] not in "LM" and character not in _NAME_PUNCTUATION:
            raise SchemaViolation(pointer=pointer, rule="letters-only")
