"""What the command line's library says to people, in their language.

Typer speaks English: headings of the help, and what is wrong with a command line. Here its words
are replaced by ours; what it does stays as it is. Options that many commands share are types of
a module (`schemas.options`), which knows no language; their help is translated here, too.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

import typer

from schemas.errors import Phrase
from schemas.texts import Texts

_ = str
"""Marks message ids that are translated where they are said."""

_errors: Final = typer._click.exceptions

_EXPECTED: Final = {
    "int_parsing": _("a whole number is expected"),
    "int_from_float": _("a whole number is expected"),
    "float_parsing": _("a number is expected"),
    "bool_parsing": _("yes or no is expected"),
}
"""By pydantic's type of error; everything else is told in its own words."""


def speak(command: Any, texts: Texts, *shared: Texts) -> None:
    """Let a command, and all below it, give its help in the language of `texts`.

    `shared` are the catalogues that know the help of shared options.
    """
    _ = texts
    for option in command.params:
        for one in shared:
            option.help = one(option.help) if option.help else option.help
    command.options_metavar = _("[OPTIONS]")
    if hasattr(command, "subcommand_metavar"):
        command.subcommand_metavar = _("COMMAND [ARGUMENTS]...")
    command.format_usage = partial(_format_usage, command, texts)
    command.format_help = partial(_format_help, command.format_help, command, texts)
    for one in getattr(command, "commands", {}).values():
        speak(one, texts, *shared)


def _format_usage(command: Any, _: Texts, ctx: Any, formatter: Any) -> None:
    pieces = command.collect_usage_pieces(ctx)
    formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=_("Usage: "))


def _format_help(original: Any, command: Any, _: Texts, ctx: Any, formatter: Any) -> Any:
    from typer import rich_utils  # takes a third of a second

    words: dict[str, str] = {
        "ARGUMENTS_PANEL_TITLE": _("Arguments"),
        "OPTIONS_PANEL_TITLE": _("Options"),
        "COMMANDS_PANEL_TITLE": _("Commands"),
        "DEFAULT_STRING": _("[default: {}]"),
        "REQUIRED_LONG_STRING": _("[required]"),
    }
    for name, text in words.items():
        setattr(rich_utils, name, text)
    if option := command.get_help_option(ctx):
        option.help = _("Show this help and end.")
    return original(ctx, formatter)


def is_help(raised: Exception) -> bool:
    """Whether a command that needs words got none, and answered with its help."""
    return isinstance(raised, _errors.NoArgsIsHelpError)


def usage_line(raised: Exception) -> str:
    """How the command in question is used; empty where none was found."""
    ctx = getattr(raised, "ctx", None)
    return "" if ctx is None else str(ctx.get_usage())


def problem(raised: Any) -> str:
    """What is wrong with a command line: a message id, or a `Phrase` with its parameters."""
    said = " ".join(str(raised.format_message()).split())
    if isinstance(raised, _errors.NoSuchOption):
        if raised.possibilities:
            return Phrase(
                "there is no option {name}; similar: {others}",
                name=raised.option_name,
                others=", ".join(sorted(raised.possibilities)),
            )
        return Phrase("there is no option {name}", name=raised.option_name)
    if isinstance(raised, _errors.MissingParameter):
        return Phrase("{name} is missing", name=_name(raised))
    if isinstance(raised, _errors.BadParameter):
        kind = _kind(raised)
        reason = _EXPECTED.get(kind, raised.message.rstrip("."))
        if raised.param is None:
            return Phrase("a value does not fit: {reason}", reason=reason)
        return Phrase("{name} does not fit: {reason}", name=_name(raised), reason=reason)
    for pattern, message in _SAID:
        if found := pattern.fullmatch(said):
            return Phrase(message, **found.groupdict())
    return said.rstrip(".")


_SAID: Final = (
    (re.compile(r"No such command '(?P<name>.*)'\."), _("there is no command {name}")),
    (
        re.compile(r"Got unexpected extra argument\(s\) \((?P<words>.*)\)"),
        _("these words are too many: {words}"),
    ),
    (re.compile(r"Option '(?P<name>.*)' requires an argument\."), _("{name} needs a value")),
    (
        re.compile(r"Option '(?P<name>.*)' requires (?P<count>\d+) arguments\."),
        _("{name} needs {count} values"),
    ),
    (re.compile(r"Option '(?P<name>.*)' does not take a value\."), _("{name} takes no value")),
)
"""Usage errors that have no class of their own, by their words."""


def _name(raised: Any) -> str:
    hint = raised.param_hint or (raised.param.get_error_hint() if raised.param else "")
    return str(hint).replace("'", "")


def _kind(raised: Exception) -> str:
    errors = getattr(raised.__cause__, "errors", None)
    return str(errors()[0]["type"]) if callable(errors) else ""
