"""What can go wrong between an issuer and the authority, one class a cause.

"The authority says no" is not among them: that is an answer (`AuthorityAnswer.passed`). Every error
here means that nothing is known about the person, and must never be told as a refusal.
"""

from __future__ import annotations

from typing import ClassVar

from issuer.errors import AuthorityUnreachable, IssuerError
from schemas.errors import ExitCode, MalformedInput

__all__ = [
    "AuthorityAddressUnavailable",
    "AuthorityAnswerWrong",
    "AuthorityBusy",
    "AuthorityCertificateWrong",
    "AuthorityExists",
    "AuthorityKeysCorrupt",
    "AuthorityMissing",
    "AuthorityRefused",
    "AuthoritySignatureWrong",
    "AuthorityStoreFailed",
    "AuthorityTimeWrong",
    "AuthorityUnreachable",
    "AuthorityUntrusted",
    "IssuerKeyFileMalformed",
    "QuestionClockWrong",
    "QuestionForged",
    "QuestionLimited",
    "QuestionMalformed",
    "QuestionRefused",
    "QuestionReplayed",
    "RegisterCorrupt",
    "RegisterTooSmall",
]

# --- seen by the issuer -------------------------------------------------------------------------


class AuthorityUntrusted(IssuerError):
    """Base: whoever answered is not the pinned authority, or does not answer this question."""

    code = "ZL-AUTHORITY-UNTRUSTED"
    message = "The answer cannot be trusted to be the authority's."
    hint = "Someone may stand between, or the authority has new keys: compare them by another way."


class AuthorityCertificateWrong(AuthorityUntrusted):
    code = "ZL-AUTHORITY-CERTIFICATE"
    message = "The server at the authority's address does not have the pinned certificate."


class AuthoritySignatureWrong(AuthorityUntrusted):
    code = "ZL-AUTHORITY-SIGNATURE"
    message = "The answer is not signed with the authority's pinned key."


class AuthorityAnswerWrong(AuthorityUntrusted):
    code = "ZL-AUTHORITY-ANSWER"
    message = "The answer is not one to the question that was asked."


class AuthorityTimeWrong(AuthorityUntrusted):
    code = "ZL-AUTHORITY-TIME"
    message = "The authority's time differs too much from this issuer's."
    hint = "Set both clocks; a check with a wrong time cannot become evidence."


class AuthorityRefused(IssuerError):
    """The authority did not look at the question. Parameter `reason`: its word for the cause."""

    code = "ZL-AUTHORITY-REFUSED"
    message = "The authority did not answer the question: {reason}."
    hint = "Check that this issuer is authorised there and that both clocks are right."


class AuthorityBusy(AuthorityUnreachable):
    """Too many failed questions about one person or by this issuer; no answer for `seconds`.

    A kind of `AuthorityUnreachable`: whoever waits for an answer waits on.
    """

    code = "ZL-AUTHORITY-BUSY"
    message = "The authority accepts no further question of this kind for {seconds} seconds."
    hint = "Ask again later; repeated questions with wrong data cause this."


# --- answered by the authority ------------------------------------------------------------------


class QuestionRefused(IssuerError):
    """Base of the authority's refusals. `status` and `reason` are what HTTP answers."""

    code = "ZL-QUESTION"
    exit_code = ExitCode.REJECTED
    message = "The question was refused."
    hint = "The issuer's operator must look at the cause."
    status: ClassVar[int] = 400
    reason: ClassVar[str] = "malformed"


class QuestionMalformed(QuestionRefused):
    code = "ZL-QUESTION-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The question is malformed at {field}."


class QuestionForged(QuestionRefused):
    """Unknown issuer, unknown key and wrong signature look alike to a stranger."""

    code = "ZL-QUESTION-SIGNATURE"
    message = "The question is not signed by an authorised issuer."
    status = 401
    reason = "unauthorized"


class QuestionClockWrong(QuestionRefused):
    code = "ZL-QUESTION-CLOCK"
    message = "The question's time differs too much from the authority's."
    reason = "clock"


class QuestionReplayed(QuestionRefused):
    code = "ZL-QUESTION-REPLAYED"
    message = "The question was already asked."
    status = 409
    reason = "replayed"


class QuestionLimited(QuestionRefused):
    """Parameter `seconds`: when to ask again."""

    code = "ZL-QUESTION-LIMITED"
    message = "Too many questions with wrong data; ask again in {seconds} seconds."
    status = 429
    reason = "limited"


# --- the authority's own house ------------------------------------------------------------------


class AuthorityMissing(IssuerError):
    code = "ZL-AUTHORITY-MISSING"
    exit_code = ExitCode.USAGE
    message = "There is no authority in {home}."
    hint = "Create one with `zl issuer authority init`, or point ZL_HOME at the right place."


class AuthorityExists(IssuerError):
    code = "ZL-AUTHORITY-EXISTS"
    exit_code = ExitCode.USAGE
    message = "There is already an authority in {home}."
    hint = "Choose another home; an authority's keys are never overwritten."


class AuthorityKeysCorrupt(IssuerError):
    code = "ZL-AUTHORITY-KEYS-CORRUPT"
    message = "The authority's sealed keys opened but do not hold what they should."
    hint = "Restore keys.json in the authority's home from a backup."


class AuthorityStoreFailed(IssuerError):
    code = "ZL-AUTHORITY-STORE"
    message = "The authority's store cannot be read or written."
    hint = "Check the disk, its free space and the permissions of the authority's home."


class AuthorityAddressUnavailable(IssuerError):
    code = "ZL-AUTHORITY-ADDRESS"
    message = "The address {host}:{port} cannot be served."
    hint = "Choose another port, or stop the process that holds it."


class IssuerKeyFileMalformed(IssuerError, MalformedInput):
    code = "ZL-AUTHORITY-ISSUER-KEY"
    exit_code = ExitCode.MALFORMED
    message = "The file with the issuer's key cannot be used: {reason}."
    hint = "It is a JSON object with did and publicKeyMultibase, as the issuer's init writes it."


class RegisterCorrupt(IssuerError):
    code = "ZL-AUTHORITY-REGISTER"
    message = "The population register is damaged or is not one of ours."
    hint = "Move register.sqlite away and build it again with the same seed."


class RegisterTooSmall(IssuerError):
    code = "ZL-AUTHORITY-REGISTER-SIZE"
    exit_code = ExitCode.USAGE
    message = "A register has between {least} and {most} residents."
    hint = "Leave out --residents to get the usual number."
