"""`zl schemas`: the credential types, and the checks of content and identifiers, as commands."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from schemas.errors import MalformedInput
from schemas.identifiers import parse_citizen_number, parse_credit_code
from schemas.options import AsJson
from schemas.scenario import all_scenarios, load_scenario, scenario_for_types
from schemas.texts import Texts

MAX_INPUT: int = 1024 * 1024


def build_app(_: Texts) -> typer.Typer:
    """The commands of the schemas, in the language of `_`."""
    app = typer.Typer(
        help=_("The credential types and the checks of identifiers."), no_args_is_help=True
    )
    console = Console(highlight=False)

    @app.command("list", help=_("List the kinds of credentials."))
    def list_(json_: AsJson = False) -> None:
        scenarios = all_scenarios()
        if json_:
            _print(
                [
                    {
                        "id": s.id,
                        "credentialType": s.credential_type,
                        "title": dict(s.title),
                        "schema": s.schema_url,
                        "schemaDigest": s.schema_digest,
                        "context": s.context_url,
                        "contextDigest": s.context_digest,
                    }
                    for s in scenarios
                ]
            )
            return
        for s in scenarios:
            console.print(f"[bold]{s.id}[/]  {s.title[_.language]}  [dim]{s.credential_type}[/]")

    @app.command(help=_("Show one kind of credential: its claims, its schema or its context."))
    def show(
        scenario: Annotated[str, typer.Argument(help=_("Such as resident-identity."))],
        schema: Annotated[bool, typer.Option("--schema", help=_("Print the JSON Schema."))] = False,
        context: Annotated[
            bool, typer.Option("--context", help=_("Print the JSON-LD context."))
        ] = False,
        json_: AsJson = False,
    ) -> None:
        found = load_scenario(scenario)
        if schema or context:
            # The exact bytes: their digest is what credentials and the chain record.
            sys.stdout.write((found.schema_bytes if schema else found.context_bytes).decode())
            return
        if json_:
            _print(
                [
                    {
                        "pointer": c.pointer,
                        "label": dict(c.label),
                        "kind": c.kind,
                        "mandatory": c.mandatory,
                        "sensitive": c.sensitive,
                    }
                    for c in found.claims
                ]
            )
            return
        table = Table(_("Claim"), _("Name"), _("Always shown"), _("Sensitive"), box=None)
        for c in found.claims:
            table.add_row(
                c.pointer,
                c.label[_.language],
                _("yes") if c.mandatory else "",
                _("yes") if c.sensitive else "",
            )
        console.print(table)

    @app.command(
        help=_("Check a credential's content against its schema (a file, or - for input).")
    )
    def check(
        source: Annotated[str, typer.Argument(help=_("File, or - for standard input."))],
        json_: AsJson = False,
    ) -> None:
        credential = _load(source)
        found = scenario_for_types(credential["type"])
        found.validate(credential)
        if json_:
            _print({"scenario": found.id, "valid": True})
        else:
            console.print(_("The content fits {schema}.", schema=found.schema_url))

    @app.command(help=_("Check citizen numbers (GB 11643) or credit codes (GB 32100) from input."))
    def numbers(
        kind: Annotated[str, typer.Argument(help="citizen | company")],
        json_: AsJson = False,
    ) -> None:
        # From standard input only: an argument could be read by every user of the machine.
        checker = {"citizen": parse_citizen_number, "company": parse_credit_code}.get(kind)
        if checker is None:
            raise typer.BadParameter("citizen | company")
        lines = [line.strip() for line in sys.stdin.read(MAX_INPUT).splitlines() if line.strip()]
        wrong: list[tuple[int, MalformedInput]] = []
        for number, line in enumerate(lines, start=1):
            try:
                checker(line)
            except MalformedInput as error:
                wrong.append((number, error))
        if json_:
            _print(
                {"checked": len(lines), "wrong": [{"line": n, **e.diagnostics()} for n, e in wrong]}
            )
        else:
            for n, defect in wrong:
                console.print(
                    _("Line {line}: {message}", line=n, message=_(defect.message)), soft_wrap=True
                )
            console.print(_("{count} checked, {wrong} wrong.", count=len(lines), wrong=len(wrong)))
        if wrong:
            raise typer.Exit(3)

    return app


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; which of two members of one name counts is not the same to every reader."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_number(_text: str) -> float:
    """JSON has neither NaN nor Infinity."""
    raise ValueError


def _load(source: str) -> dict[str, Any]:
    try:
        if source == "-":
            text = sys.stdin.read(MAX_INPUT + 1)
        else:
            with Path(source).open(encoding="utf-8") as stream:
                text = stream.read(MAX_INPUT + 1)
        if len(text) > MAX_INPUT:
            raise MalformedInput(reason="longer than any credential")
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_number)
    except OSError as error:
        raise MalformedInput(reason=error.strerror or "unreadable") from error
    except (ValueError, RecursionError):
        # `from None`: the cause quotes the text.
        raise MalformedInput(reason="not JSON") from None
    if not isinstance(value, dict) or not isinstance(value.get("type"), list):
        raise MalformedInput(reason="not a credential: an object with a list of types is expected")
    return value


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
