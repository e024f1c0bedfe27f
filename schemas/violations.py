"""What can be wrong with a credential's content or with a Chinese identifier.

No parameter ever holds the value that was wrong: a citizen number in a log is a leak. Errors name
the place (a JSON pointer made of names from our own schema) and the rule, nothing else.
"""

from __future__ import annotations

from schemas.errors import ExitCode, MalformedInput, ZhenglianError


class SchemaViolation(MalformedInput):
    """A credential breaks its JSON Schema or a rule that JSON Schema cannot say.

    Parameters: `pointer` (JSON pointer, RFC 6901; "" is the whole document), `rule` (the schema
    keyword or the name of the rule).
    """

    code = "ZL-SCHEMA-VIOLATION"
    message = "The credential breaks the rule “{rule}” of its schema at #{pointer}."
    hint = "Ask the issuer for a corrected credential; a credential cannot be repaired by hand."

    def __init__(self, *, pointer: str, rule: str) -> None:
        super().__init__(pointer=pointer, rule=rule)
        self.pointer = pointer
        self.rule = rule


class UnknownScenario(ZhenglianError):
    """No scenario has this name, or none describes these credential types."""

    code = "ZL-SCENARIO-UNKNOWN"
    exit_code = ExitCode.MALFORMED
    message = "No scenario is known for {wanted}."
    hint = "Update Zhenglian, or ask the issuer which kind of credential this is."


class UnknownClaim(ZhenglianError):
    """A JSON pointer that names no claim of the scenario."""

    code = "ZL-CLAIM-UNKNOWN"
    exit_code = ExitCode.MALFORMED
    message = "The scenario {scenario} has no claim at {pointer}."
    hint = "List the claims with: zl schemas show {scenario}"


class ClaimUndisplayable(ZhenglianError):
    """A value is not of the kind that its claim has, so there is no honest way to show it."""

    code = "ZL-CLAIM-UNDISPLAYABLE"
    exit_code = ExitCode.MALFORMED
    message = "The value of the claim {pointer} is not of the kind “{kind}”."
    hint = "Do not rely on this credential; ask the issuer for a corrected one."


class IdentifierError(MalformedInput):
    """Base of everything that can be wrong with an identifier. Never carries the identifier."""

    code = "ZL-ID"
    message = "The identifier is not valid."
    hint = "Compare it with the original document, character by character."


class CitizenNumberLengthWrong(IdentifierError):
    code = "ZL-ID-CITIZEN-LENGTH"
    message = "A citizen number has 18 characters; this one has not."


class CitizenNumberCharacterWrong(IdentifierError):
    code = "ZL-ID-CITIZEN-CHARACTER"
    message = "A citizen number has 17 ASCII digits and then a digit or a capital X."


class CitizenNumberDivisionWrong(IdentifierError):
    code = "ZL-ID-CITIZEN-DIVISION"
    message = "The first digit of a citizen number's division code is never zero."


class CitizenNumberDateWrong(IdentifierError):
    code = "ZL-ID-CITIZEN-DATE"
    message = "Digits 7 to 14 of the citizen number are not a date of the calendar."


class CitizenNumberCheckWrong(IdentifierError):
    code = "ZL-ID-CITIZEN-CHECK"
    message = (
        "The last character of the citizen number does not fit the others: a digit is mistyped."
    )


class CreditCodeLengthWrong(IdentifierError):
    code = "ZL-ID-CREDIT-LENGTH"
    message = "A unified social credit code has 18 characters; this one has not."


class CreditCodeCharacterWrong(IdentifierError):
    code = "ZL-ID-CREDIT-CHARACTER"
    message = (
        "A unified social credit code has digits and capital letters without I, O, S, V and Z, "
        "and digits only at places 3 to 8."
    )


class CreditCodeCheckWrong(IdentifierError):
    code = "ZL-ID-CREDIT-CHECK"
    message = (
        "The last character of the unified social credit code does not fit the others: "
        "a character is mistyped."
    )


class OrganizationCodeLengthWrong(IdentifierError):
    code = "ZL-ID-ORGANIZATION-LENGTH"
    message = "An organization code has 9 characters; this one has not."


class OrganizationCodeCharacterWrong(IdentifierError):
    code = "ZL-ID-ORGANIZATION-CHARACTER"
    message = "An organization code has 8 digits or capital letters and then a digit or an X."


class OrganizationCodeCheckWrong(IdentifierError):
    code = "ZL-ID-ORGANIZATION-CHECK"
    message = (
        "The last character of the organization code does not fit the others: "
        "a character is mistyped."
    )
