"""Texts for people, in Simplified Chinese and English.

Message ids are the English sentences, with `{name}` placeholders. Every package that speaks to
people keeps its translations in `<package>/locale/zh_CN.po`; the catalogue is read when it is
first needed, so no compiled file can be older than its source. A missing translation falls back
to English, and a test refuses such a gap.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Final

from schemas.errors import Phrase, ZhenglianError, printable

CHINESE: Final = "zh-CN"
ENGLISH: Final = "en"
LANGUAGES: Final = (CHINESE, ENGLISH)

WORDS: Final = frozenset({"error", "part", "reason", "role", "rule", "said", "unit", "what"})
"""Parameters of errors that hold words of a program: of this one, or of a peer that it quotes."""

_PACKAGES: Final = (
    "schemas",
    "credentials",
    "registry",
    "verifier",
    "issuer",
    "wallet",
    "zhenglian",
)
"""Where catalogues lie. They are read as files: nothing here imports upwards."""


@dataclass(frozen=True)
class Texts:
    """One package's texts in one language. Call it with a message id and its parameters."""

    language: str
    messages: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __call__(self, message: str, /, **params: object) -> str:
        text = self.messages.get(message) or message
        return text.format(**params) if params else text


@lru_cache(maxsize=32)
def load_texts(package: str, language: str) -> Texts:
    """The texts of `package` in `language` (one of `LANGUAGES`; anything else reads English)."""
    source = files(package) / "locale" / "zh_CN.po"
    if language != CHINESE or not source.is_file():
        return Texts(language)
    from babel.messages.pofile import read_po

    with source.open("rb") as stream:
        catalogue = read_po(stream, locale="zh_CN")
    return Texts(
        language,
        {
            m.id: m.string
            for m in catalogue
            if isinstance(m.id, str) and m.id and isinstance(m.string, str) and m.string
        },
    )


def localize(error: ZhenglianError, language: str) -> dict[str, str]:
    """`error.diagnostics()` in `language`: code, message, hint.

    Parameters that are words of ours, phrases or errors are translated with it.
    """
    package = type(error).__module__.partition(".")[0]
    texts = load_texts(package, language)
    params = {
        name: printable(_said(name, value, package, language))
        for name, value in error.params.items()
    }
    return {
        "code": error.code,
        "message": texts(error.message).format(**params),
        "hint": texts(error.hint).format(**params),
    }


def _said(name: str, value: object, package: str, language: str) -> object:
    """A parameter in another language, where it is not what somebody else said."""
    if isinstance(value, ZhenglianError):
        message = localize(value, language)["message"]
        return message.removesuffix("\N{IDEOGRAPHIC FULL STOP}").removesuffix(".")
    if name in WORDS and isinstance(value, Exception) and value.args:
        value = value.args[0]
    if isinstance(value, Phrase):
        inner = {n: printable(_said(n, v, package, language)) for n, v in value.params.items()}
        return _word(value.message, package, language).format(**inner)
    if name in WORDS and isinstance(value, str):
        return translate(value, language, package)
    return value


def translate(words: str, language: str, package: str = "schemas") -> str:
    """English words of this program in `language`, also such as another process said or kept.

    The catalogue of `package` is asked first. Words that are none of ours stay as they are.
    """
    if language != CHINESE or not words:
        return words
    if isinstance(words, Phrase):
        return str(printable(_said("reason", words, package, language)))
    text = _word(words, package, language)
    return text if text != words else _recognized(words[:_LONGEST], language, _NESTED)


def _word(message: str, package: str, language: str) -> str:
    """From the catalogue of the error's package, or else of the one that raised it."""
    if language != CHINESE:
        return message
    for one in (package, *_PACKAGES):
        if (text := load_texts(one, language)(message)) != message:
            return text
    return message


_LONGEST: Final = 600
_NESTED: Final = 4
_CODE: Final = re.compile(r"(HTTP \d{3}|ZL-[A-Z0-9-]+): (.+)", re.DOTALL)


def _recognized(words: str, language: str, depth: int) -> str:
    """Words that a template of ours was filled with, by the template that says most of them."""
    if depth == 0:
        return words
    if code := _CODE.fullmatch(words):
        return f"{code[1]}：{_recognized(code[2], language, depth)}"
    for literals, pattern, text in _templates(language):
        if all(one in words for one in literals) and (found := pattern.fullmatch(words)):
            inner = {
                name: _recognized(value, language, depth - 1)
                for name, value in found.groupdict().items()
            }
            return text.format(**inner)
    known = _word(words, "schemas", language)
    return known if known != words else _word(words.removesuffix("."), "schemas", language)


@lru_cache(maxsize=2)
def _templates(language: str) -> list[tuple[list[str], re.Pattern[str], str]]:
    """Per message id with parameters: its fixed parts, a pattern, and its translation."""
    found = []
    for package in _PACKAGES:
        for message, text in load_texts(package, language).messages.items():
            parts = list(string.Formatter().parse(message))
            names = [name for _, name, _, _ in parts if name is not None]
            literals = [literal for literal, _, _, _ in parts if literal]
            # Few fixed words would recognize anything; many gaps would cost time to fit.
            plain = all(
                not spec and (name is None or name.isidentifier()) for _, name, spec, _ in parts
            )
            if not plain or not 0 < len(names) == len(set(names)) <= _MAX_GAPS:
                continue
            if sum(map(len, literals)) < _LEAST_WORDS:
                continue
            pattern = "".join(
                re.escape(literal) + (f"(?P<{name}>.+?)" if name is not None else "")
                for literal, name, _, _ in parts
            )
            found.append((literals, re.compile(pattern, re.DOTALL), text))
    return sorted(found, key=lambda one: -sum(map(len, one[0])))


_LEAST_WORDS: Final = 7  # characters
_MAX_GAPS: Final = 4


def choose_language(environ: Mapping[str, str], explicit: str | None = None) -> str:
    """The language asked for: an explicit choice, then ZL_LANG, then the locale variables."""
    for wish in (explicit, *(environ.get(n) for n in ("ZL_LANG", "LC_ALL", "LC_MESSAGES", "LANG"))):
        if wish:
            return CHINESE if wish.lower().startswith("zh") else ENGLISH
    return ENGLISH
