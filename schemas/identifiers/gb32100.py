"""GB 32100-2015, the unified social credit code, and GB 11714-1997, the organization code in it.

The code's check character (modulo 31) finds every single wrong character and every exchange of two
characters, except of the first with the last: both have weight 1. The inner organization code has
a check character of its own (modulo 11); its alphabet has 36 characters, so that one alone lets
some wrong characters pass. Places 9 to 17 are therefore under both checks, the rest under the
first. Neither shows that an organization with this code exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from schemas.violations import (
    CreditCodeCharacterWrong,
    CreditCodeCheckWrong,
    CreditCodeLengthWrong,
    OrganizationCodeCharacterWrong,
    OrganizationCodeCheckWrong,
    OrganizationCodeLengthWrong,
)

CREDIT_LENGTH: Final = 18
ORGANIZATION_LENGTH: Final = 9
CREDIT_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ORGANIZATION_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CREDIT_WEIGHTS: Final = tuple(pow(3, i, 31) for i in range(17))
ORGANIZATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_CREDIT_CLASS: Final = f"[{CREDIT_ALPHABET}]"
_CREDIT_BODY: Final = re.compile(f"{_CREDIT_CLASS}{{2}}[0-9]{{6}}{_CREDIT_CLASS}{{9}}")
_ORGANIZATION_BODY: Final = re.compile("[0-9A-Z]{8}")


@dataclass(frozen=True)
class CreditCode:
    """The parts of a code: who registered it, what kind it is, where, and the organization."""

    text: str
    authority: str
    category: str
    division: str
    organization: str


def check_character(body: str) -> str:
    """The 18th character for the first 17 (GB 32100-2015 §5)."""
    if not _CREDIT_BODY.fullmatch(body):
        raise CreditCodeCharacterWrong
    total = sum(
        weight * CREDIT_ALPHABET.index(character)
        for weight, character in zip(CREDIT_WEIGHTS, body, strict=True)
    )
    return CREDIT_ALPHABET[-total % 31]


def organization_check_character(body: str) -> str:
    """The 9th character for the first 8 of an organization code (GB 11714-1997 §3)."""
    if not _ORGANIZATION_BODY.fullmatch(body):
        raise OrganizationCodeCharacterWrong
    total = sum(
        weight * ORGANIZATION_ALPHABET.index(character)
        for weight, character in zip(ORGANIZATION_WEIGHTS, body, strict=True)
    )
    return "0123456789X"[-total % 11]


def parse_organization_code(text: str) -> str:
    """Check an organization code of nine characters, without hyphen, and return it."""
    if len(text) != ORGANIZATION_LENGTH:
        raise OrganizationCodeLengthWrong
    if organization_check_character(text[:8]) != text[8]:
        raise OrganizationCodeCheckWrong
    return text


def build_credit_code(
    authority: str, category: str, division: str, organization: str
) -> CreditCode:
    """A complete code; `organization` is 8 characters (its check character is added) or 9."""
    if len(organization) == ORGANIZATION_LENGTH - 1:
        organization += organization_check_character(organization)
    body = authority + category + division + organization
    return parse_credit_code(body + check_character(body))


def parse_credit_code(text: str) -> CreditCode:
    """Read a code in its canonical form, in capitals. Raises a subclass of `IdentifierError`."""
    if len(text) != CREDIT_LENGTH:
        raise CreditCodeLengthWrong
    if text[17] not in CREDIT_ALPHABET:
        raise CreditCodeCharacterWrong
    if check_character(text[:17]) != text[17]:
        raise CreditCodeCheckWrong
    return CreditCode(text, text[0], text[1], text[2:8], parse_organization_code(text[8:17]))
