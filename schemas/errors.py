"""The root of every error in Zhenglian, and the exit codes of `zl`.

Each package has an `errors.py` of its own whose classes derive from `ZhenglianError`, one class
a cause. An error carries a stable code for machines, a sentence that says what happened and one
that says what to do next. Both sentences are gettext message ids: English here, translated by
the catalogue of the package that defines the class (see `schemas.texts`).

Parameters of an error reach logs and screens. Never put a personal value, a key or a passphrase
in one: name the field, not its content.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from pathlib import PurePath
from typing import Any, ClassVar, Final, Self


class ExitCode(IntEnum):
    """What a `zl` process returns."""

    DONE = 0
    REJECTED = 1
    USAGE = 2
    MALFORMED = 3
    ENVIRONMENT = 4
    UNDETERMINED = 5


LONGEST_PARAMETER: Final = 300
"""Characters of a parameter in a sentence; a name from a hostile file may have a million."""


def printable(value: object) -> object:
    """`value` for a sentence: whoever named a member of a file must not steer the reader's screen.

    Escape sequences, line breaks and signs that turn the direction of text become U+FFFD.
    """
    if not isinstance(value, str | PurePath | Exception):
        return value
    text = str(value)
    if isinstance(value, ZhenglianError):
        text = text.removesuffix(".")  # in the midst of a sentence, which brings its own
    if len(text) > LONGEST_PARAMETER:
        text = text[: LONGEST_PARAMETER - 1] + "…"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class Phrase(str):
    """A part of a sentence with something in it: `Phrase("more than {count} bytes", count=9)`.

    It is the English text, fit for a terminal, and remembers the message id and the parameters it
    was made of, so that `schemas.texts.localize` can say it in another language. Words without
    parameters need none of this: they are a message id themselves.
    """

    __slots__ = ("message", "params")
    message: str
    params: Mapping[str, object]

    def __new__(cls, message: str, /, **params: object) -> Self:
        shown = {name: printable(value) for name, value in params.items()}
        self = super().__new__(cls, message.format(**shown))
        self.message = message
        self.params = params
        return self

    def __str__(self) -> str:
        return self  # `str` would forget what it was made of

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.message,), dict(self.params)


class ZhenglianError(Exception):
    """Root of all errors. Subclasses set the class variables; parameters fill the templates."""

    code: ClassVar[str] = "ZL-ERROR"
    exit_code: ClassVar[ExitCode] = ExitCode.ENVIRONMENT
    message: ClassVar[str] = "Something failed."
    hint: ClassVar[str] = ""

    def __init__(self, **params: object) -> None:
        super().__init__()
        self.params = params

    def __str__(self) -> str:
        return self.message.format(**self.shown())

    def shown(self) -> dict[str, object]:
        """The parameters, fit for a terminal: see `printable`."""
        return {name: printable(value) for name, value in self.params.items()}

    def diagnostics(self) -> dict[str, str]:
        """Code, message and hint in English, for machines and logs."""
        return {"code": self.code, "message": str(self), "hint": self.hint.format(**self.shown())}


class MalformedInput(ZhenglianError):
    """Base for input that cannot be parsed or breaks a rule of its format."""

    code = "ZL-INPUT-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The input is malformed: {reason}."
    hint = "Check that the file or text is complete and of the expected kind."
