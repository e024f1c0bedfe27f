"""The front door: exit codes, languages, what is imported when, and what a defect may say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ExitCode
from zhenglian import cli

ROOT = Path(__file__).parents[2]
PRIVATE = "欧阳雪莉 330106199001010203"
ROLES = ("issuer", "registry", "schemas", "verifier", "wallet", "zhenglian.demo")

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def zl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Callable[..., Any]:
    """`zl` in this process, in an empty home: exit code, standard output, standard error."""
    monkeypatch.setenv("ZL_HOME", str(tmp_path / "home"))
    for name in ("ZL_PASSPHRASE_FILE", "ZL_DEBUG", "ZL_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

    def call(*words: object, **environ: str) -> tuple[int, str, str]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        code = cli.run([str(word) for word in words], os.environ)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def start(*words: str, home: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ZL_")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**environ, "ZL_HOME": str(home), "ZL_LANG": "en", **more.pop("environ", {})},
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
    )


# Exit codes


def test_every_exit_code_comes_from_a_real_command(counter_city: Any, tmp_path: Path) -> None:
    """In processes of their own, as a script would see them."""
    run, desk = counter_city.city.process, counter_city.desk
    answer = counter_city.answer(counter_city.ask("ageOver18"))
    empty = tmp_path / "unsynced"
    assert (
        counter_city.city.zl(
            *(empty, "verifier", "init", "--did", "did:web:new.example", "--unencrypted-key"),
            *("--registry", "http://127.0.0.1:9", "--name-zh", "新", "--name-en", "New"),
            *("--genesis", counter_city.city.genesis, "--json"),
        ).code
        == ExitCode.DONE
    )

    done = run(desk, "verifier", "scan", answer, "--json")
    assert (done.code, done.json["answer"]) == (ExitCode.DONE, "accepted")
    rejected = run(desk, "verifier", "scan", answer, "--json")
    assert (rejected.code, rejected.json["answer"]) == (ExitCode.REJECTED, "rejected")
    usage = run(desk, "verifier", "request", "none", "--json")
    assert (usage.code, usage.error) == (ExitCode.USAGE, "ZL-ENTITLEMENT-UNKNOWN")
    (tmp_path / "cut.txt").write_text("VP1-RABC", encoding="utf-8")
    malformed = run(desk, "verifier", "verify", tmp_path / "cut.txt", "--json")
    assert (malformed.code, malformed.json["decidedBy"]["check"]) == (ExitCode.MALFORMED, "form")
    away = run(empty, "verifier", "sync", "--json")
    assert (away.code, away.error) == (ExitCode.ENVIRONMENT, "ZL-REGISTRY-UNREACHABLE")
    unsynced = run(empty, "verifier", "scan", answer, "--json")
    assert (unsynced.code, unsynced.error) == (ExitCode.UNDETERMINED, "ZL-DESK-UNSYNCED")
    for outcome in (usage, away, unsynced):
        assert set(outcome.json["error"]) == {"code", "message", "hint"}
        assert outcome.err == ""


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("schemas", "nonsense"),
        ("schemas", "check"),
        ("verifier", "request", "--minutes", "900", "x"),
        ("--lang",),
        ("wallet", "list", "--passphrase", "secret"),
    ],
)
def test_wrong_usage_is_named_for_people_and_machines(
    zl: Callable[..., Any], words: tuple[str, ...]
) -> None:
    code, out, err = zl(*words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert "Error" in err
    if words == ("--lang",):
        return
    code, out, err = zl(*words, "--json")
    assert (code, err) == (ExitCode.USAGE, "")
    assert json.loads(out)["error"]["code"] == "ZL-USAGE"


@pytest.mark.parametrize(
    ("words", "english", "chinese"),
    [
        (("nonsense",), "there is no command nonsense.", "没有命令 nonsense。"),
        (("registry", "show"), "index is missing.", "缺少 index。"),
        (
            ("registry", "show", "x"),
            "index does not fit: a whole number is expected.",
            "index 不合要求：应为整数。",
        ),
        (("registry", "show", "1", "2"), "these words are too many: 2.", "多余的参数：2。"),
        (("registry", "serve", "--prot"), "similar: --host, --port.", "相近的有：--host, --port。"),
        (("registry", "serve", "--zzzzz"), "there is no option --zzzzz.", "没有选项 --zzzzz。"),
        (("registry", "serve", "--port"), "--port needs a value.", "--port 需要一个值。"),
        (("registry", "serve", "--json=3"), "--json takes no value.", "--json 不带值。"),
    ],
)
def test_what_is_wrong_with_a_command_is_said_in_the_language_asked_for(
    zl: Callable[..., Any], words: tuple[str, ...], english: str, chinese: str
) -> None:
    assert zl(*words)[2].splitlines()[-2].endswith(english)
    told = zl(*words, ZL_LANG="zh-CN")[2].splitlines()
    assert told[-2].endswith(chinese)
    assert told[-1] == "  在命令后加 `--help` 可查看用法。"
    assert not any("Usage" in line or "Error" in line for line in told)


@pytest.mark.parametrize("words", [(), ("registry",), ("registry", "node"), ("wallet", "list")])
def test_the_help_is_in_one_language(zl: Callable[..., Any], words: tuple[str, ...]) -> None:
    english = zl(*words, "--help")[1]
    assert "Usage: zl" in english
    assert "Show this help and end." in english
    chinese = zl(*words, "--help", ZL_LANG="zh-CN")[1]
    assert "用法：zl" in chinese
    assert "显示本帮助并退出。" in chinese
    # But for names of types and of options, which are the same everywhere.
    left = re.sub(
        r"<[^>]*>|\[[a-z|]+\]|--?[a-z-]+|zl( [a-z-]+)*|^│ [a-z-]+", "", chinese, flags=re.M
    )
    assert not re.search(r"[A-Z][a-z]+ [a-z]+", left), left


def test_no_command_at_all_shows_the_help(zl: Callable[..., Any]) -> None:
    code, out, err = zl()
    assert code == ExitCode.USAGE
    assert "verifier" in out + err


# Who is not heard says no verdict


def test_a_reader_that_left_gets_no_verdict(tmp_path: Path) -> None:
    """`zl … | head` may end before anything is written; 0 and 1 would be verdicts."""
    for words in (("schemas", "list"), ("schemas", "list", "--json"), ("--help",)):
        reading, writing = os.pipe()
        os.close(reading)
        try:
            done = start("-m", "zhenglian", *words, home=tmp_path, stdout=writing)
        finally:
            os.close(writing)
        assert done.returncode == ExitCode.ENVIRONMENT, done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_the_output_is_no_verdict(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = start("-m", "zhenglian", "schemas", "list", "--json", home=tmp_path, stdout=full)
        assert done.returncode == ExitCode.ENVIRONMENT
        done = start("-m", "zhenglian", "verifier", "journal", home=tmp_path, stderr=full)
        assert done.returncode == ExitCode.ENVIRONMENT


def test_a_terminal_without_chinese_still_gets_its_answer(tmp_path: Path) -> None:
    done = start(
        *("-m", "zhenglian", "verifier", "--help"),
        home=tmp_path,
        environ={"PYTHONIOENCODING": "ascii", "ZL_LANG": "zh-CN"},
    )
    assert done.returncode == ExitCode.DONE, done.stderr
    assert "\\u" in done.stdout


# Languages


@pytest.mark.parametrize(
    ("words", "environ", "chinese"),
    [
        ((), {}, False),
        ((), {"LANG": "zh_CN.UTF-8"}, True),
        ((), {"LANG": "zh_CN.UTF-8", "ZL_LANG": "en"}, False),
        ((), {"ZL_LANG": "zh-CN"}, True),
        (("--lang", "en"), {"ZL_LANG": "zh-CN"}, False),
        (("--lang", "zh-CN"), {"ZL_LANG": "en"}, True),
        (("--lang=zh-CN",), {}, True),
        ((), {"LANG": "C.UTF-8"}, False),
        ((), {"LC_ALL": "de_DE.UTF-8", "ZL_LANG": "zh"}, True),
    ],
)
def test_the_language_is_the_nearest_wish(
    zl: Callable[..., Any], words: tuple[str, ...], environ: dict[str, str], chinese: bool
) -> None:
    code, _, err = zl(*words, "verifier", "journal", **environ)
    assert code == ExitCode.USAGE
    assert ("错误 ZL-DESK-MISSING" in err) is chinese
    assert ("Error ZL-DESK-MISSING" in err) is not chinese


def test_machines_read_the_same_code_in_either_language(zl: Callable[..., Any]) -> None:
    told = [
        json.loads(zl("--lang", language, "verifier", "journal", "--json")[1])["error"]
        for language in ("en", "zh-CN")
    ]
    assert told[0]["code"] == told[1]["code"] == "ZL-DESK-MISSING"
    assert told[0]["message"] != told[1]["message"]


# What is imported when


def loaded_by(tmp_path: Path, *words: str) -> set[str]:
    script = (
        "import os, sys\n"
        "from zhenglian.cli import run\n"
        "code = run(sys.argv[1:], os.environ)\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = start("-c", script, *words, home=tmp_path)
    assert done.returncode == ExitCode.DONE, done.stderr
    return set(done.stderr.split())


def test_the_help_imports_no_role(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "--help")
    assert not {f"{role}.cli" for role in ROLES} & loaded
    assert not {"fastapi", "textual", "sqlalchemy", "httpx", "cryptography", "pyld"} & loaded


def test_the_wallet_loads_neither_servers_nor_its_screens_before_it_needs_them(
    tmp_path: Path,
) -> None:
    loaded = loaded_by(tmp_path, "wallet", "--help")
    assert not {"fastapi", "uvicorn", "textual", "sqlalchemy"} & loaded
    assert not {name for name in loaded if name.partition(".")[0] in {"issuer", "verifier"}}


def test_the_desk_loads_no_server(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "verifier", "--help")
    assert not {"fastapi", "uvicorn", "textual", "sqlalchemy"} & loaded
    assert not {name for name in loaded if name.partition(".")[0] in {"issuer", "wallet"}}


# Defects


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command with a defect that puts a personal value into its exception."""

    def defect(_text: str) -> None:
        try:
            int(PRIVATE)
        except ValueError as error:
            raise KeyError(PRIVATE) from error

    monkeypatch.setattr("schemas.cli.all_scenarios", lambda: defect(PRIVATE))


@pytest.mark.usefixtures("broken")
def test_a_defect_is_no_verdict_and_repeats_no_value(zl: Callable[..., Any]) -> None:
    code, out, err = zl("schemas", "list", ZL_LANG="en")
    assert code == ExitCode.ENVIRONMENT
    assert "ZL-UNEXPECTED" in err
    assert "KeyError" in err
    assert "test_front_door.py" in err  # where
    for part in PRIVATE.split():
        assert part not in out + err

    code, out, err = zl("schemas", "list", "--json")
    assert code == ExitCode.ENVIRONMENT
    assert json.loads(out)["error"]["code"] == "ZL-UNEXPECTED"
    for part in PRIVATE.split():
        assert part not in out + err


@pytest.mark.usefixtures("broken")
def test_who_looks_for_the_defect_can_see_what_it_said(zl: Callable[..., Any]) -> None:
    _, _, err = zl("schemas", "list", ZL_DEBUG="1", ZL_LANG="en")
    assert PRIVATE in err


@pytest.mark.parametrize("exit_code", [0, 1])
def test_code_that_exits_on_its_own_says_no_verdict(
    zl: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, exit_code: int
) -> None:
    def leave() -> None:
        raise SystemExit(exit_code)

    # `_unheard` gives up the streams of the process; those of the test runner must stay.
    monkeypatch.setattr("zhenglian.cli.os.dup2", lambda *_: None)
    monkeypatch.setattr("schemas.cli.all_scenarios", leave)
    assert zl("schemas", "list")[0] == ExitCode.ENVIRONMENT


def test_it_tells_its_version() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "zhenglian", "--version"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"zhenglian \d+\.\d+\.\d+\n", ended.stdout)
