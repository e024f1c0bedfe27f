"""Runs the commands that the documentation shows, and writes what they really say into it.

A page holds scripts in comments, each followed by the block that was made from it:

    <!-- console
    $ zl registry verify
    -->
    ```console
    ...
    ```
    <!-- /console -->

Lines of a script: `$ command` is shown and run; `$N command` shows only the first N lines of what
it says; `$ shown => run` shows one command and runs another; `& command` is a server, shown with
its first line and ended with the page; `% command` is run and not shown; `? name=pattern` keeps
what the pattern's group finds in the last output, for `{name}` in later lines. A command that
fails ends everything, unless its line reports the exit code itself (`; echo "exit code $?"`).

Pages of one group share one folder, one shell and their servers, and run in the order given:

    .venv/bin/python docs/transcripts.py          # all groups
    .venv/bin/python docs/transcripts.py README.md

Identifiers, keys, times and seconds differ from run to run; nothing else should.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
GUIDES: Final = ("docs/registry.md", "docs/issuer.md", "docs/desk.md", "docs/wallet.md")
GROUPS: Final[Mapping[tuple[str, ...], str]] = {
    ("README.md",): "en",
    ("README.zh-CN.md",): "zh-CN",
    GUIDES: "en",
    ("docs/contracts.md",): "en",
    ("docs/watching.md",): "en",
}
WIDTH: Final = 92  # columns; what a README shows without a scroll bar
FOLDER: Final = "~/zhenglian"
START_S: Final = 60.0
MARK: Final = "zl-transcript-mark"
LONGEST = 1000
EXIT: Final = "exit code "  # what a script's line echoes at its end; kept when the rest is cut
BLOCK: Final = re.compile(
    r"(?P<head><!-- console\n(?P<script>.*?)-->\n)(?:```console\n.*?```\n)?<!-- /console -->",
    re.DOTALL,
)


class Shell:
    """One bash in one folder; its commands see no terminal and no input."""

    def __init__(self, folder: Path, language: str) -> None:
        self.folder = folder
        self.known: dict[str, str] = {}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ZL_")}
        self._bash = subprocess.Popen(
            ["/bin/bash", "--noprofile", "--norc"],
            cwd=folder,
            env={
                **kept,
                "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ.get('PATH', '')}",
                "COLUMNS": str(WIDTH),
                "NO_COLOR": "1",
                "ZL_LANG": language,
                "HOME": str(folder),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._servers = 0

    def close(self) -> None:
        """End the shell and the servers that it started."""
        os.killpg(self._bash.pid, signal.SIGTERM)
        self._bash.wait()

    def run(self, command: str) -> str:
        """What the command says on both outputs. RuntimeError when it fails."""
        said, code = self._say(f"{{ {command}\n}} 2>&1 </dev/null")
        if code:
            raise RuntimeError(f"{command}\n{said}exit code {code}")
        return said

    def serve(self, command: str) -> str:
        """Start a server; its first line, once it is there."""
        self._servers += 1
        said = self.folder / f".server-{self._servers}"
        self._say(f"{command} >{said} 2>>{self.folder}/.server-errors </dev/null &")
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if said.is_file() and said.stat().st_size:
                return said.read_text(encoding="utf-8")
            time.sleep(0.1)
        raise RuntimeError(f"{command}\nsaid nothing")

    def _say(self, command: str) -> tuple[str, int]:
        if self._bash.stdin is None or self._bash.stdout is None:
            raise RuntimeError("the shell has no pipes")
        self._bash.stdin.write(f"{command}\nprintf '\\n{MARK} %s\\n' $?\n")
        self._bash.stdin.flush()
        lines: list[str] = []
        for line in self._bash.stdout:
            if line.startswith(MARK):
                return "".join(lines)[:-1], int(line.split()[1])
            lines.append(line)
        raise RuntimeError(f"{command}\nended the shell")


def _filled(line: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        line = line.replace(f"{{{name}}}", value)
    return line


def _shortened(said: str, limit: int | None) -> Iterator[str]:
    lines = said.rstrip("\n").split("\n") if said.strip() else []
    shown = lines if limit is None else lines[:limit]
    for line in shown:
        # Keys of ML-DSA-44 have 1,800 characters; an offer of 600 is there to be copied.
        yield line.rstrip() if len(line) <= LONGEST else f"{line[:96]}…"
    if len(shown) < len(lines):
        yield "…"
        if lines[-1].startswith(EXIT):
            yield lines[-1]


def perform(script: str, shell: Shell) -> str:
    """The console block of a script."""
    shown: list[str] = []
    said = ""
    for raw in script.splitlines():
        mark, _, rest = _filled(raw, shell.known).partition(" ")
        visible, _, hidden = rest.partition(" => ")
        command = hidden or visible
        if mark == "?":
            name, _, pattern = raw[2:].partition("=")
            found = re.search(pattern, said)
            if found is None:
                raise RuntimeError(f"nothing like {pattern} in\n{said}")
            shell.known[name] = found[1]
        elif mark == "%":
            said = shell.run(command)
        elif mark == "&":
            said = shell.serve(command)
            shown += [f"$ {visible}", *_shortened(said, None)]
        elif mark.startswith("$"):
            said = shell.run(command)
            shown += [f"$ {visible}", *_shortened(said, int(mark[1:]) if mark[1:] else None)]
        elif raw:
            raise RuntimeError(f"not a line of a script: {raw}")
    text = "\n".join(shown).replace(str(shell.folder), FOLDER)
    return f"```console\n{text}\n```\n"


def renew(page: str, shell: Shell) -> str:
    """The page with every block made anew."""
    return BLOCK.sub(
        lambda found: f"{found['head']}{perform(found['script'], shell)}<!-- /console -->", page
    )


def main(wanted: list[str]) -> None:
    """Renew the groups that hold a wanted page; all when none is named."""
    for pages, language in GROUPS.items():
        if wanted and not set(wanted) & set(pages):
            continue
        with tempfile.TemporaryDirectory() as folder:
            shell = Shell(Path(folder), language)
            try:
                for name in pages:
                    page = ROOT / name
                    renewed = renew(page.read_text(encoding="utf-8"), shell)
                    page.write_text(renewed, encoding="utf-8")
                    print(name)  # noqa: T201 - a script for developers
            finally:
                shell.close()


if __name__ == "__main__":
    main(sys.argv[1:])
