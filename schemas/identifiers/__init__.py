"""Chinese identifiers: strict parsing, named errors, and the check characters to build them."""

from schemas.identifiers.gb11643 import CitizenNumber, parse_citizen_number
from schemas.identifiers.gb32100 import CreditCode, parse_credit_code, parse_organization_code

__all__ = [
    "CitizenNumber",
    "CreditCode",
    "parse_citizen_number",
    "parse_credit_code",
    "parse_organization_code",
]
