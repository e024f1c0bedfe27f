"""A verdict in words: for the terminal (rich) and for machines (`--json`).

Only `VerifiedClaims` carry values, and they exist only on *accepted*; so nothing unverified can
be drawn here even by mistake.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from schemas.scenario import scenario_for_types
from schemas.texts import CHINESE, Texts, localize
from verifier.desk import Verdict
from verifier.pipeline import Answer, Finding

_COLOURS = {Answer.ACCEPTED: "green", Answer.REJECTED: "red", Answer.UNDETERMINED: "yellow"}
_MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "unknown": ("?", "yellow")}


def headline(answer: Answer, _: Texts) -> str:
    return {
        Answer.ACCEPTED: _("ACCEPTED"),
        Answer.REJECTED: _("REJECTED"),
        Answer.UNDETERMINED: _("UNDETERMINED"),
    }[answer]


def titles(_: Texts) -> dict[str, str]:
    """Every check's sentence, by name; listed here so that the catalogue finds them."""
    return {
        "form": _("The code can be read and holds one presentation"),
        "audience": _("It was made for this department"),
        "nonce": _("It answers an open request, for the first time"),
        "holder": _("The holder signed exactly this"),
        "issuer": _("The issuer is accredited for this credential"),
        "signature": _("The issuer signed every statement shown"),
        "binding": _("It was issued to the one who shows it"),
        "schema": _("The data fits the published schema"),
        "validity": _("It is valid today"),
        "claims": _("It shows what was asked for, and nothing else"),
        "entitlement": _("The chain entitles this department to ask"),
        "status": _("It is neither revoked nor suspended"),
        "anchor": _("It is recorded on the chain"),
        "freshness": _("The desk's trust bundle is fresh enough"),
    }


def labels(credential_type: str, pointers: Iterable[str], language: str) -> str:
    """The claims' names as people read them."""
    scenario = scenario_for_types([credential_type])
    separator = "、" if language == CHINESE else ", "
    return separator.join(scenario.claim(pointer).label[language] for pointer in pointers)


def shown_claims(verdict: Verdict, language: str) -> list[tuple[str, str, str]]:
    """(pointer, label, value for display) of each verified claim."""
    if verdict.claims is None:
        return []
    scenario = verdict.claims.scenario
    labels = {claim.pointer: claim.label for claim in scenario.claims}
    return [
        (pointer, labels[pointer][language], scenario.display(pointer, value, language))
        for pointer, value in verdict.claims.values.items()
    ]


def verdict_json(verdict: Verdict, language: str) -> dict[str, Any]:
    """The verdict for machines. `decidedBy` is null when accepted."""
    return {
        "answer": verdict.answer.value,
        "decidedBy": _finding_json(verdict.decided_by, language) if verdict.decided_by else None,
        "checks": [_finding_json(finding, language) for finding in verdict.findings],
        "claims": (
            {
                pointer: {"label": label, "value": verdict.claims.values[pointer], "text": text}
                for pointer, label, text in shown_claims(verdict, language)
            }
            if verdict.claims
            else None
        ),
        "issuer": verdict.claims.issuer if verdict.claims else None,
        "receipt": verdict.receipt,
        "at": verdict.at.isoformat(),
        "trustBundleTime": verdict.bundle_time.isoformat(),
    }


def _finding_json(finding: Finding, language: str) -> dict[str, Any]:
    told = localize(finding.error, language) if finding.error else {}
    return {"check": finding.check, "outcome": finding.outcome, "detail": finding.detail, **told}


def verdict_panel(verdict: Verdict, _: Texts) -> RenderableType:
    """What a clerk sees."""
    colour = _COLOURS[verdict.answer]
    parts: list[RenderableType] = []
    if verdict.decided_by is not None and verdict.decided_by.error is not None:
        told = localize(verdict.decided_by.error, _.language)
        parts += [
            Text(told["message"], style="bold"),
            Text(told["hint"]),
            Text(f"{told['code']} · {verdict.decided_by.check}", style="dim"),
            Text(""),
        ]
    if verdict.claims is not None:
        claims = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        for _pointer, label, value in shown_claims(verdict, _.language):
            claims.add_row(Text(label, style="dim"), Text(value, style="bold"))
        parts += [claims, Text("")]
    parts.append(_checks(verdict, _))
    parts.append(
        Text(
            _(
                "Decided with the chain as of {time}.",
                time=verdict.bundle_time.strftime("%Y-%m-%d %H:%M UTC"),
            ),
            style="dim",
        )
    )
    return Panel(
        Group(*parts),
        title=Text(f" {headline(verdict.answer, _)} ", style=f"bold reverse {colour}"),
        border_style=colour,
    )


def _checks(verdict: Verdict, _: Texts) -> Table:
    sentences = titles(_)
    table = Table(show_header=False, box=None, padding=(0, 1, 0, 0))
    for finding in verdict.findings:
        mark, colour = _MARKS.get(finding.outcome, ("·", "dim"))
        table.add_row(
            Text(mark, style=colour),
            Text(sentences[finding.check], style="" if finding.reached else "dim"),
            Text(finding.detail, style="dim", overflow="ellipsis", no_wrap=True),
        )
    return table
