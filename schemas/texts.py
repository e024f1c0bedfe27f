"""Texts for people, in Simplified Chinese and English.

Message ids are the English sentences, with `{name}` placeholders. Every package that speaks to
people keeps its translations in `<package>/locale/zh_CN.po`; the catalogue is read when it is
first needed, so no compiled file can be older than its source. A missing translation falls back
to English, and a test refuses such a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Final

from schemas.errors import ZhenglianError

CHINESE: Final = "zh-CN"
ENGLISH: Final = "en"
LANGUAGES: Final = (CHINESE, ENGLISH)

_WORDS: Final = frozenset({"reason", "what", "role", "unit"})
"""Parameters of errors that hold a phrase from the program, never one from its input."""


@dataclass(frozen=True)
class Texts:
    """One package's texts in one language. Call it with a message id and its parameters."""

    language: str
    _messages: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __call__(self, message: str, /, **params: object) -> str:
        text = self._messages.get(message) or message
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

    Parameters that are words of ours are message ids too, and are translated where known.
    """
    texts = load_texts(type(error).__module__.partition(".")[0], language)
    params = {
        name: texts(value) if name in _WORDS and isinstance(value, str) else value
        for name, value in error.shown().items()
    }
    return {
        "code": error.code,
        "message": texts(error.message).format(**params),
        "hint": texts(error.hint).format(**params),
    }


def choose_language(environ: Mapping[str, str], explicit: str | None = None) -> str:
    """The language asked for: an explicit choice, then ZL_LANG, then the locale variables."""
    for wish in (explicit, *(environ.get(n) for n in ("ZL_LANG", "LC_ALL", "LC_MESSAGES", "LANG"))):
        if wish:
            return CHINESE if wish.lower().startswith("zh") else ENGLISH
    return ENGLISH
