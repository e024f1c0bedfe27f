"""Both languages are complete: every text for people has its Chinese translation.

Messages are taken from the sources themselves (calls of `_`, the sentences of every error class,
and the words that fill their gaps), so a text that is added without a translation fails here.
"""

from __future__ import annotations

import ast
import errno
import importlib
import os
import pickle
import pkgutil
import string
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from schemas.errors import MalformedInput, Phrase, ZhenglianError
from schemas.texts import CHINESE, ENGLISH, WORDS, localize, translate

PACKAGES = ("schemas", "credentials", "registry", "verifier", "issuer", "wallet", "zhenglian")
ROOT = Path(__file__).resolve().parent.parent
SAYS = {"Phrase", "BadParameter", "fail", "refuse"}
"""Functions whose first argument becomes words in an error."""


def _modules(package: str) -> None:
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(module.__path__, f"{package}."):
        importlib.import_module(found.name)


def _subclasses(root: type[ZhenglianError]) -> set[type[ZhenglianError]]:
    found = {root}
    for child in root.__subclasses__():
        found |= _subclasses(child)
    return found


def _message_ids(package: str) -> set[str]:
    _modules(package)
    ids = {
        str(message)
        for _, _, message, _, _ in extract_from_dir(
            ROOT / package, method_map=[("**.py", "python")], keywords={"_": None}
        )
    }
    for error in _subclasses(ZhenglianError):
        if error.__module__.partition(".")[0] == package:
            ids |= {error.message, error.hint}
    return ids - {""}


def _catalogue(package: str) -> dict[str, str]:
    with (ROOT / package / "locale" / "zh_CN.po").open("rb") as stream:
        return {str(m.id): str(m.string) for m in read_po(stream, locale="zh_CN") if m.string}


def _literals(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from _literals(value.body)
        yield from _literals(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for one in value.values:
            yield from _literals(one)


def _calls(package: str) -> Iterator[tuple[str, ast.Call]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


@pytest.mark.parametrize("package", PACKAGES)
def test_every_word_in_an_error_has_a_chinese_translation(package: str) -> None:
    known: dict[str, str] = {}
    for each in PACKAGES:
        known |= _catalogue(each)
    untranslatable = []
    for place, call in _calls(package):
        words = [k.value for k in call.keywords if k.arg in WORDS - {"error", "part", "rule"}]
        # An f-string would be English for ever: see `Phrase`.
        untranslatable += [place for word in words if isinstance(word, ast.JoinedStr)]
        if call.args and ast.unparse(call.func).rpartition(".")[2] in SAYS:
            words.append(call.args[0])
        for word in words:
            for text in _literals(word):
                if text and _fields(text) != _fields(known.get(text, "{absent}")):
                    untranslatable.append(f"{place}: {text}")
    assert not untranslatable


def test_what_the_system_and_the_network_say_has_a_chinese_translation() -> None:
    known = _catalogue("schemas")
    numbers = (errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ENOTDIR, errno.EROFS, errno.ENOSPC)
    for number in (*numbers, errno.EEXIST, errno.EPERM, errno.EIO, errno.EDQUOT, errno.EMFILE):
        assert os.strerror(number) in known

    def leaves(kind: type) -> set[str]:
        below = kind.__subclasses__()
        return set().union(*map(leaves, below)) if below else {kind.__name__}

    assert leaves(httpx.RequestError) <= known.keys()


def test_a_phrase_is_english_text_that_can_be_said_in_chinese() -> None:
    phrase = Phrase("more than {most} bytes", most=5)
    assert phrase == "more than 5 bytes"
    for same in (str(phrase), pickle.loads(pickle.dumps(phrase))):  # noqa: S301 - our own
        error = MalformedInput(reason=same)
        assert localize(error, ENGLISH)["message"] == "The input is malformed: more than 5 bytes."
        assert localize(error, CHINESE)["message"] == "输入格式有误：超过 5 字节。"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("it is not JSON", "它不是 JSON"),
        ("more than 17 bytes", "超过 17 字节"),
        # As a server or a node says it, or has kept it.
        (
            "did:web:x.example may not write this on a.example/main: no contract in force "
            "allows anchor to one who is not accredited.",
            "did:web:x.example 无权在 a.example/main 上写入此内容："
            "没有生效的合约允许未备案者执行 anchor。",
        ),
        (
            "HTTP 422: ZL-CHAIN-INVALID: a.example/main is not valid at entry 31: "
            "sealed at 2026-11-22T09:00:00Z, which lies in the future.",
            "HTTP 422：ZL-CHAIN-INVALID：a.example/main 在条目 31 处无效："
            "封签时间 2026-11-22T09:00:00Z 在将来。",
        ),
        ("node tax: ConnectError", "节点 tax：连接未能建立"),
        ("no quorum: 2 of 3 nodes can cosign", "不足法定数目：所需 3 个节点中只有 2 个能联署"),
        # Somebody else's words, and such as only look like ours.
        ("unexpected token `}`", "unexpected token `}`"),
        ("a: b", "a: b"),
        ("{reason}", "{reason}"),
        ("", ""),
    ],
)
def test_words_of_another_process_are_recognized(english: str, chinese: str) -> None:
    assert translate(english, CHINESE, "registry") == chinese
    assert translate(english, ENGLISH, "registry") == english


def test_hostile_words_cost_little_time() -> None:
    begun = time.process_time()
    for words in ("a: " * 5000, " of , by : " * 400, "more than " * 600 + "bytes", "\n" * 3000):
        assert translate(words, CHINESE)
    assert time.process_time() - begun < 5


def test_an_error_within_an_error_is_said_in_one_language() -> None:
    inner = MalformedInput(reason="it is not JSON")
    outer = MalformedInput(reason=Phrase("entry {index}: {error}", index=3, error=inner))
    assert str(outer) == "The input is malformed: entry 3: The input is malformed: it is not JSON."
    assert localize(outer, CHINESE)["message"] == (
        "输入格式有误：条目 3：输入格式有误：它不是 JSON。"
    )
    hostile = Phrase("{name} cannot be read", name="\x1b[2J\n")
    assert str(hostile) == "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER} cannot be read"
    assert "\x1b" not in localize(MalformedInput(reason=hostile), CHINESE)["message"]


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_text_has_a_chinese_translation(package: str) -> None:
    source = ROOT / package / "locale" / "zh_CN.po"
    with source.open("rb") as stream:
        catalogue = {m.id: m for m in read_po(stream, locale="zh_CN") if m.id}
    wanted = _message_ids(package)
    missing = sorted(w for w in wanted if not getattr(catalogue.get(w), "string", ""))
    assert not missing, f"{len(missing)} texts without translation: {missing[:5]}"
    assert not [m for m in catalogue.values() if m.fuzzy]
    wrong = [w for w in wanted if _fields(w) != _fields(str(catalogue[w].string))]
    assert not wrong, f"placeholders differ: {wrong}"


@pytest.mark.parametrize("package", PACKAGES)
def test_error_codes_are_unique_and_say_what_to_do(package: str) -> None:
    _modules(package)
    codes: dict[str, type] = {}
    for error in _subclasses(ZhenglianError):
        if error.__module__.partition(".")[0] != package or error is ZhenglianError:
            continue
        assert error.code.startswith("ZL-")
        if "code" in vars(error):
            assert error.code not in codes, f"{error.code}: {error} and {codes[error.code]}"
            codes[error.code] = error
        assert error.hint, f"{error.__qualname__} says no next step"


# The wallet hears these from the issuer and says them again: one cause, one code, two sides.
HEARD = {
    "ZL-APPLICATION-MALFORMED",
    "ZL-APPLICATION-REFUSED",
    "ZL-APPLICATION-REPLAYED",
    "ZL-OFFER-INVALID",
}


def test_one_code_means_one_cause_in_the_whole_program() -> None:
    for package in PACKAGES:
        _modules(package)
    classes = [e for e in _subclasses(ZhenglianError) if "code" in vars(e)]
    codes = [e.code for e in classes if e.__module__.partition(".")[0] in PACKAGES]
    assert {code for code in codes if codes.count(code) > 1} == HEARD
