"""`zl`: the one command.

The front door chooses the language, loads only the role that was asked for (so that `zl wallet`
does not wait for the issuer's server libraries), and turns every error into a sentence, a stable
code and an exit code. It promises that no failure of the program itself can be mistaken for a
verdict: exit code 1 is a refusal that some check has made, and comes from nowhere else.
"""

import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from schemas.errors import ExitCode, ZhenglianError
from schemas.texts import LANGUAGES, Texts, choose_language, load_texts, localize
from zhenglian.usage import is_help, problem, speak, usage_line

# The sentences that stand beside each role in `zl --help`.
ROLES: Final[Mapping[str, tuple[str, str]]] = {
    "demo": ("zhenglian.demo.cli", "Run the whole journey of one credential on this machine."),
    "issuer": ("issuer.cli", "The data administration: issue, revoke, serve."),
    "registry": ("registry.cli", "The chain: serve it, read it, verify it."),
    "schemas": ("schemas.cli", "The credential types and the checks of identifiers."),
    "vc-api": (
        "zhenglian.vc_api.cli",
        "The VC-API server: for test suites and for trying things out.",
    ),
    "vc": ("zhenglian.vc.cli", "Credentials as files: verify, derive, issue; no server, no chain."),
    "verifier": ("verifier.cli", "The department's desk: ask, scan, verify."),
    "wallet": ("wallet.cli", "The citizen's wallet; alone, it opens the terminal app."),
}


def _build_role(name: str, language: str) -> Any:
    module = import_module(ROLES[name][0])
    texts = load_texts(module.__name__.partition(".")[0], language)
    app = module.build_app(texts)
    app._add_completion = False  # typer offers it at the root only if asked there
    command = typer.main.get_command(app)
    speak(command, load_texts("zhenglian", language), texts, load_texts("schemas", language))
    return command


def _root(language: str, wanted: str | None) -> Any:
    _ = load_texts("zhenglian", language)

    class Roles(TyperGroup):
        """Commands that are imported when they are first asked for."""

        def list_commands(self, ctx: Any) -> list[str]:
            return sorted(ROLES)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in ROLES:
                return None
            # The other roles need one sentence in the help, not their servers imported.
            if cmd_name != wanted:
                return typer.core.TyperCommand(cmd_name, help=_(ROLES[cmd_name][1]))
            command = _build_role(cmd_name, language)
            command.name = cmd_name
            return command

    app = typer.Typer(
        cls=Roles,
        name="zl",
        help=_("Zhenglian: verifiable credentials for government services."),
        no_args_is_help=True,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root(
        lang: str = typer.Option(
            "", "--lang", help=_("Language of messages: {choices}.", choices=", ".join(LANGUAGES))
        ),
        version: bool = typer.Option(
            False,
            "--version",
            help=_("Print the version and end."),
            is_eager=True,
            callback=_tell_version,
        ),
    ) -> None:
        # `lang` is read from the arguments before anything is built; see `main`.
        del lang, version

    command = typer.main.get_command(app)
    speak(command, _)
    return command


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"zhenglian {version('zhenglian')}")  # noqa: T201 - the command's output
        raise typer.Exit


def _read_ahead(arguments: Sequence[str]) -> tuple[str | None, str | None]:
    """The language asked for and the role, before any parser exists."""
    language = None
    words = iter(arguments)
    for word in words:
        if word == "--lang":
            language = next(words, None)
        elif word.startswith("--lang="):
            language = word.partition("=")[2]
        elif not word.startswith("-"):
            return language, word
    return language, None


def report(error: ZhenglianError, language: str, *, as_json: bool) -> None:
    """Tell a person (stderr) or a machine (`--json`: stdout) what happened and what to do."""
    told = localize(error, language)
    if as_json:
        print(json.dumps({"error": told}, ensure_ascii=False))  # noqa: T201 - the command's output
        return
    _: Texts = load_texts("zhenglian", language)
    print(_("Error {code}: {message}", **told), file=sys.stderr)  # noqa: T201 - the front door speaks
    if told["hint"]:
        print(f"  {told['hint']}", file=sys.stderr)  # noqa: T201 - the front door speaks


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command line and return its exit code; never raises but for an interrupt."""
    explicit, role = _read_ahead(arguments)
    language = choose_language(environ, explicit)
    as_json = "--json" in arguments
    error: ZhenglianError
    try:
        result = _root(language, role).main(list(arguments), prog_name="zl", standalone_mode=False)
        # Now, not when the interpreter ends: what nobody hears must not end with a verdict's code.
        _flush()
        return int(result) if isinstance(result, int) else int(ExitCode.DONE)
    except ZhenglianError as raised:
        error = raised
    except typer.Abort:
        return int(ExitCode.USAGE)
    except typer._click.exceptions.ClickException as raised:
        error = WrongUsage(problem=problem(raised))
        if not as_json:
            if is_help(raised):
                return _said(raised.show, error)
            # The language is what was asked for, not what the library speaks.
            return _said(partial(_report_usage, usage_line(raised), error, language), error)
    except (BrokenPipeError, SystemExit):  # rich makes the second, with code 1, of the first
        return _unheard()
    except Exception as raised:  # noqa: BLE001 - a defect must never look like a verdict (exit 1)
        kind = type(raised).__name__
        if isinstance(raised, ImportError) and raised.name:
            kind = f"{kind}: {raised.name}"  # the name of a module is nobody's secret
        error = UnexpectedFailure(kind=kind)
        # Where, but not what: an exception's own words may quote a personal value. Whoever
        # looks for a defect, on data of their own, sets ZL_DEBUG.
        where = "".join(traceback.format_tb(raised.__traceback__))
        words = f"{where}{raised!r}" if environ.get("ZL_DEBUG") else where
        _said(partial(print, words, file=sys.stderr), error)
    return _said(partial(report, error, language, as_json=as_json), error)


def _report_usage(usage: str, error: ZhenglianError, language: str) -> None:
    if usage:
        print(usage, file=sys.stderr)  # noqa: T201 - the front door speaks
    report(error, language, as_json=False)


def _said(say: Callable[[], None], error: ZhenglianError) -> int:
    """Say it, and return the error's exit code; another one when nobody can hear it."""
    try:
        say()
        _flush()
    except (OSError, ValueError):  # a full disk, a pipe without reader, a closed stream
        return _unheard()
    return int(error.exit_code)


def _unheard() -> int:
    """Nothing can be told any more (`zl … | head`, a full disk): no verdict, whatever it was."""
    for stream in (sys.stdout, sys.stderr):
        # What is still in the buffer would be tried once more, and fail, when Python ends.
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return int(ExitCode.ENVIRONMENT)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # a shell can start a process without them
            stream.flush()


class WrongUsage(ZhenglianError):
    """A command line that no command understands."""

    code = "ZL-USAGE"
    exit_code = ExitCode.USAGE
    message = "The command cannot be understood: {problem}."
    hint = "`--help` after a command tells how it is used."


class UnexpectedFailure(ZhenglianError):
    """A defect of this program, or an environment that nobody foresaw."""

    code = "ZL-UNEXPECTED"
    exit_code = ExitCode.ENVIRONMENT
    message = "The program failed in a way that it did not foresee ({kind})."
    hint = "Nothing was decided. The lines above say where; please report them."


def main() -> None:
    """Entry point of the `zl` script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows no Chinese must not keep an answer from being given.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run(sys.argv[1:], os.environ)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
