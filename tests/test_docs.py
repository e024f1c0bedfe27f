"""The pages say what is so: commands parse, links lead somewhere, generated text is fresh."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zhenglian.cli import ROLES, _build_role

ROOT = Path(__file__).resolve().parent.parent
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
PAGES = sorted([*READMES, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
SCRIPT = re.compile(
    r"<!-- console\n(?P<script>.*?)-->\n```console\n(?P<shown>.*?)```\n<!-- /console -->",
    re.DOTALL,
)


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _command_lines(text: str) -> Iterator[str]:
    """Every `zl …` in the consoles and code spans of a page."""
    for kind, body in FENCE.findall(COMMENT.sub("", text)):
        for line in body.splitlines():
            if kind == "console" and not line.startswith("$ "):
                continue
            yield from re.findall(r"\bzl [^;|>]*", line.removeprefix("$ "))
    for span in re.findall(r"`([^`\n]+)`", FENCE.sub("", COMMENT.sub("", text))):
        if span.startswith("zl ") and "{" not in span:
            yield span


def _wrong(line: str, commands: dict[str, object]) -> str | None:
    """What `zl` would not understand in a command line, if anything."""
    words = shlex.split(line)[1:]
    if words[:1] == ["--lang"]:
        words = words[2:]
    if words in ([], ["…"]):
        return None
    if words[0] not in commands:
        return f"no role {words[0]}"
    command, rest = commands[words[0]], words[1:]
    while rest and (below := getattr(command, "commands", None)) and not rest[0].startswith("-"):
        if rest[0] not in below:
            return f"no command {rest[0]}"
        command, rest = below[rest[0]], rest[1:]
    known = {"--help", "-h"}
    known |= {name for option in command.params for name in option.opts}  # type: ignore[attr-defined]
    unknown = [word for word in rest if word.startswith("--") and word not in known]
    return f"no option {unknown[0]}" if unknown else None


@pytest.fixture(scope="module")
def commands() -> dict[str, object]:
    return {role: _build_role(role, "en") for role in ROLES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_exists(page: Path, commands: dict[str, object]) -> None:
    wrong = {line: why for line in _command_lines(_text(page)) if (why := _wrong(line, commands))}
    assert not wrong


def test_the_check_of_command_lines_sees_what_is_wrong(commands: dict[str, object]) -> None:
    assert _wrong("zl bank", commands) == "no role bank"
    assert _wrong("zl registry node fly", commands) == "no command fly"
    assert _wrong("zl wallet list --loud", commands) == "no option --loud"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", FENCE.sub("", _text(page)))
    broken = [link for link in links if ":" not in link and not (page.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_path_of_a_machine(page: Path) -> None:
    assert not re.findall(r"(?<![\w.~/-])/(?:work|tmp|root|home|Users)\b\S*", _text(page))


@pytest.mark.parametrize("readme", READMES, ids=lambda page: page.name)
def test_the_two_commands_exist(readme: Path) -> None:
    targets = re.findall(r"^(\w+):", _text(ROOT / "Makefile"), re.MULTILINE)
    for target in ("demo", "test"):
        assert target in targets
        assert re.search(rf"^make {target}\b", _text(readme), re.MULTILINE)


def test_both_readmes_have_the_same_parts() -> None:
    english, chinese = (_text(readme) for readme in READMES)

    def parts(text: str) -> dict[str, object]:
        bare = FENCE.sub("", text)
        return {
            "headings": re.findall(r"^(#+) ", bare, re.MULTILINE),
            "blocks": [kind for kind, _ in FENCE.findall(text)],
            "scripts": [found["script"] for found in SCRIPT.finditer(text)],
            "pictures": [
                picture.replace(".zh-CN.svg", ".svg")
                for picture in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", bare)
            ],
            "pages": sorted(re.findall(r"\]\((docs/[^)]*\.md|CONTRIBUTING\.md|LICENSE)\)", bare)),
            "rows": len(re.findall(r"^\|", bare, re.MULTILINE)),
        }

    assert parts(english) == parts(chinese)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_transcripts_were_made_from_their_scripts(page: Path) -> None:
    text = _text(page)
    found = list(SCRIPT.finditer(text))
    assert len(found) == text.count("<!-- console\n")
    for block in found:
        wanted = [
            re.escape(line.partition(" ")[2].partition(" => ")[0])
            for line in block["script"].splitlines()
            if line.startswith(("$", "&"))
        ]
        shown = [line[2:] for line in block["shown"].splitlines() if line.startswith("$ ")]
        assert len(wanted) == len(shown)
        for pattern, line in zip(wanted, shown, strict=True):
            assert re.fullmatch(re.sub(r"\\{\w+\\}", r"\\S+", pattern), line)


def test_the_page_of_errors_is_fresh() -> None:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "error_codes.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
