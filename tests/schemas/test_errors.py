"""Sentences of errors: what a stranger named cannot steer the screen that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import LONGEST_PARAMETER, MalformedInput, ZhenglianError
from schemas.texts import localize


class Refused(ZhenglianError):
    """A cause with parameters."""

    code = "ZL-TEST"
    message = "Refused at {pointer}: {count}."
    hint = "Look at {pointer}."


@pytest.mark.parametrize(
    "evil",
    [
        "\x1b[2J\x1b[H ACCEPTED",
        "\x1b]0;title\x07",
        "\x9b31m",
        "a\nb\rc\x08",
        "\u202egnp.exe",
        "\u2066x\u2069",
        "\u200b",
        "\ud800",
        "\x7f",
    ],
)
def test_no_control_character_reaches_a_sentence(evil: str) -> None:
    error = Refused(pointer=f"/credentialSubject/{evil}", count=3)
    for told in (
        str(error),
        *error.diagnostics().values(),
        *localize(error, "zh-CN").values(),
        *localize(error, "en").values(),
        str(MalformedInput(reason=error)),
        str(MalformedInput(reason=Path("/tmp") / evil)),
        str(MalformedInput(reason=ValueError(evil))),
    ):
        assert told.isprintable()
        told.encode()


def test_ordinary_words_stay_as_they_are() -> None:
    assert str(Refused(pointer="/credentialSubject/姓名 ~1", count=3)) == (
        "Refused at /credentialSubject/姓名 ~1: 3."
    )


def test_a_name_without_end_is_cut() -> None:
    assert len(str(Refused(pointer="x" * 1_000_000, count=1))) < LONGEST_PARAMETER + 50
