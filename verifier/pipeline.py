"""From a scanned code to one of three answers, and never from "could not check" to "accepted".

`judge` runs the checks in order. The first that rejects decides; otherwise the first that cannot
know decides; only when all have passed is the answer *accepted*, and only then do claims exist.
A check that may not know does not stop the ones after it, so "undetermined" is never said of
something that a later check would reject.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from credentials.model import issuer_id
from schemas.errors import ExitCode, ZhenglianError
from schemas.scenario import Scenario, scenario_for_types
from verifier.checks import PIPELINE, Case, Check, Knowledge


class Answer(StrEnum):
    """What a desk may say."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDETERMINED = "undetermined"

    @property
    def exit_code(self) -> ExitCode:
        return {
            Answer.ACCEPTED: ExitCode.DONE,
            Answer.REJECTED: ExitCode.REJECTED,
            Answer.UNDETERMINED: ExitCode.UNDETERMINED,
        }[self]


@dataclass(frozen=True)
class Finding:
    """What one check said: `error` is None when it passed, `reached` False when it never ran."""

    check: str
    title: str
    detail: str = ""
    error: ZhenglianError | None = None
    reached: bool = True

    @property
    def outcome(self) -> str:
        if not self.reached:
            return "not reached"
        if self.error is None:
            return "passed"
        return "unknown" if self.error.exit_code is ExitCode.UNDETERMINED else "failed"


@dataclass(frozen=True)
class VerifiedClaims:
    """Claims that passed every check, by JSON pointer. Nothing else may reach a screen."""

    scenario: Scenario
    issuer: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Judgement:
    """The answer, the check that decided it (None when accepted), and all findings in order."""

    answer: Answer
    decided_by: Finding | None
    findings: tuple[Finding, ...]
    claims: VerifiedClaims | None
    at: datetime
    nonce: str | None
    digest: str | None
    """Digest of the presentation, for the access record."""


def judge(
    source: str | Mapping[str, Any],
    known: Knowledge,
    checks: Sequence[Check] = PIPELINE,
) -> Judgement:
    """Verify one scanned text or JSON presentation.

    Raises only what keeps the desk itself from working (`exit_code` ENVIRONMENT); whatever is
    wrong with the presentation is a finding.
    """
    case = Case(source)
    findings: list[Finding] = []
    rejected: Finding | None = None
    unknown: Finding | None = None
    for check in checks:
        if rejected is not None:
            findings.append(Finding(check.name, check.title, reached=False))
            continue
        try:
            detail = check(case, known)
        except ZhenglianError as error:
            if error.exit_code in {ExitCode.ENVIRONMENT, ExitCode.USAGE}:
                raise
            finding = Finding(check.name, check.title, error=error)
            if finding.outcome == "unknown":
                unknown = unknown or finding
            else:
                rejected = finding
        else:
            finding = Finding(check.name, check.title, detail)
        findings.append(finding)
    decided = rejected or unknown
    if rejected is not None:
        answer = Answer.REJECTED
    elif unknown is not None:
        answer = Answer.UNDETERMINED
    else:
        answer = Answer.ACCEPTED
    return Judgement(
        answer=answer,
        decided_by=decided,
        findings=tuple(findings),
        claims=_claims(case) if answer is Answer.ACCEPTED else None,
        at=known.now,
        nonce=case.request.nonce if case.request else None,
        digest=case.digest,
    )


def _claims(case: Case) -> VerifiedClaims:
    subject = case.credential["credentialSubject"]
    values = {
        pointer: case.credential["evidence"]
        if pointer == "/evidence"
        else subject[pointer.rpartition("/")[2]]
        for pointer in case.claims
    }
    return VerifiedClaims(
        scenario_for_types(case.credential["type"]), issuer_id(case.credential), values
    )
