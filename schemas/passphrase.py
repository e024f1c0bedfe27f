"""Where a passphrase comes from: a file that is named, or the terminal; never an argument.

Arguments are visible to every user of the machine (`ps`), so none is accepted there.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from schemas.errors import ExitCode, ZhenglianError

VARIABLE: Final = "ZL_PASSPHRASE_FILE"
_LIMIT: Final = 1024


class PassphraseMissing(ZhenglianError):
    """Neither a file nor a terminal to ask at."""

    code = "ZL-PASSPHRASE-MISSING"
    exit_code = ExitCode.USAGE
    message = "A passphrase is needed and there is no terminal to ask for it."
    hint = "Name a file with --passphrase-file, or set ZL_PASSPHRASE_FILE."


class PassphraseFile(ZhenglianError):
    """The named file cannot be used."""

    code = "ZL-PASSPHRASE-FILE"
    exit_code = ExitCode.USAGE
    message = "The passphrase file {path} cannot be used: {reason}."
    hint = "It must be a readable text file with the passphrase on its first line."


class PassphrasesDiffer(ZhenglianError):
    """The repetition does not match."""

    code = "ZL-PASSPHRASE-DIFFERS"
    exit_code = ExitCode.USAGE
    message = "The two passphrases differ."
    hint = "Try again and type the same passphrase twice."


def read_passphrase(
    path: Path | None,
    *,
    prompt: str,
    repeat: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """The passphrase from `path`, else the file that ZL_PASSPHRASE_FILE names, else the terminal.

    `repeat` is the prompt of a second, confirming question (for a new passphrase). Raises
    `PassphraseFile`, `PassphraseMissing` or `PassphrasesDiffer`.
    """
    named = path or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    if named is not None:
        return _from_file(named)
    if not sys.stdin.isatty():
        raise PassphraseMissing
    first = getpass.getpass(f"{prompt}: ")
    if repeat is not None and getpass.getpass(f"{repeat}: ") != first:
        raise PassphrasesDiffer
    return first


def _from_file(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as stream:
            text = stream.read(_LIMIT + 1)
    except OSError as error:
        raise PassphraseFile(path=path, reason=error.strerror or "unreadable") from error
    except UnicodeDecodeError as error:
        raise PassphraseFile(path=path, reason="not UTF-8 text") from error
    line = text.splitlines()[0] if text else ""
    if len(text) > _LIMIT or not line:
        raise PassphraseFile(path=path, reason="empty or too long")
    return line
