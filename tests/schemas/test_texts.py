"""Texts, errors in two languages, homes and passphrases: what every package leans on."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ExitCode, MalformedInput, ZhenglianError
from schemas.home import role_home
from schemas.passphrase import PassphraseFile, PassphraseMissing, read_passphrase
from schemas.texts import choose_language, load_texts, localize
from schemas.violations import CitizenNumberCheckWrong, SchemaViolation


def test_texts_speak_both_languages_and_fall_back_to_english() -> None:
    assert load_texts("schemas", "zh-CN")("Yes") == "是"
    assert load_texts("schemas", "en")("Yes") == "Yes"
    assert load_texts("schemas", "fr")("Yes") == "Yes"
    assert load_texts("schemas", "zh-CN")("no such text {n}", n=3) == "no such text 3"


def test_errors_tell_what_happened_and_what_to_do() -> None:
    error = SchemaViolation(pointer="/credentialSubject/name", rule="pattern")
    english, chinese = localize(error, "en"), localize(error, "zh-CN")
    assert english == error.diagnostics()
    assert english["message"].endswith("at #/credentialSubject/name.")
    assert english["code"] == chinese["code"] == "ZL-SCHEMA-VIOLATION"
    assert "#/credentialSubject/name" in chinese["message"]
    assert english["message"] != chinese["message"]
    assert error.exit_code is ExitCode.MALFORMED
    assert localize(CitizenNumberCheckWrong(), "zh-CN")["hint"] == "请与原件逐字核对。"


def test_only_rejections_exit_with_one() -> None:
    assert ZhenglianError.exit_code is ExitCode.ENVIRONMENT
    assert MalformedInput.exit_code is ExitCode.MALFORMED
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("environ", "explicit", "language"),
    [
        ({}, None, "en"),
        ({"LANG": "zh_CN.UTF-8"}, None, "zh-CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, None, "en"),
        ({"LANG": "zh_CN.UTF-8", "ZL_LANG": "en"}, None, "en"),
        ({"ZL_LANG": "en"}, "zh-CN", "zh-CN"),
    ],
)
def test_the_language_is_chosen_by_the_nearest_wish(
    environ: dict[str, str], explicit: str | None, language: str
) -> None:
    assert choose_language(environ, explicit) == language


def test_every_role_has_a_folder_of_its_own(tmp_path: Path) -> None:
    environ = {"ZL_HOME": str(tmp_path)}
    assert role_home("wallet", environ) == tmp_path / "wallet"
    assert role_home("nodes/housing", environ) == tmp_path / "nodes" / "housing"
    assert role_home("wallet", {}).name == "wallet"


def test_a_passphrase_comes_from_the_named_file_first(tmp_path: Path) -> None:
    named, other = tmp_path / "named", tmp_path / "other"
    named.write_text("口令 one\nsecond line\n")
    other.write_text("other\n")
    environ = {"ZL_PASSPHRASE_FILE": str(other)}
    assert read_passphrase(named, prompt="?", environ=environ) == "口令 one"
    assert read_passphrase(None, prompt="?", environ=environ) == "other"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 2000])
def test_a_useless_passphrase_file_is_named_without_its_content(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(PassphraseFile) as caught:
        read_passphrase(path, prompt="?")
    assert "xxx" not in str(caught.value)
    with pytest.raises(PassphraseFile):
        read_passphrase(tmp_path / "absent", prompt="?")


def test_without_terminal_or_file_nothing_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stdin", Pipe())
    with pytest.raises(PassphraseMissing):
        read_passphrase(None, prompt="?", environ={})
