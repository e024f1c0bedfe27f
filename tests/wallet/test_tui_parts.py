"""The parts of the terminal app that need no terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from schemas.texts import LANGUAGES, load_texts
from wallet.errors import NoTrustBundle
from wallet.tui.app import WalletApp
from wallet.tui.errors import FileThere, SaveFailed
from wallet.tui.saving import save, suggestion
from wallet.tui.screens.setup import strength
from wallet.tui.theme import DARK, LIGHT, Paint
from wallet.tui.widgets.facts import claims
from wallet.tui.widgets.paths import PathSuggester
from wallet.tui.wording import HINTS, VEIL, explain, seconds_left, span
from wallet.views import ClaimView

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "text"),
    [(0, "0:00"), (0.2, "0:01"), (59, "0:59"), (60, "1:00"), (3725, "1:02:05"), (-5, "0:00")],
)
def test_the_time_left_is_never_negative_and_counts_the_last_second(left: float, text: str) -> None:
    assert span(seconds_left(NOW + timedelta(seconds=left), NOW)) == text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("passphrase", "style"),
    [
        ("", "quiet"),
        ("tiny one", "bad"),
        ("aaaaaaaaaaaaaaaa", "bad"),
        ("abcdefghij", "caution"),
        ("abcdefghijklmnop", "good"),
        ("words that do not belong together", "good"),
    ],
)
def test_the_strength_of_a_passphrase(passphrase: str, style: str, language: str) -> None:
    paint = Paint.of(DARK)
    text = strength(passphrase, load_texts("wallet", language), paint)
    styles = {str(span.style) for span in text.spans} | {str(text.style)}
    assert getattr(paint, style) in styles
    assert passphrase == "" or passphrase not in text.plain


def test_sensitive_values_are_veiled_alike() -> None:
    views = [
        ClaimView("/a", "姓名", "王小明", sensitive=True),
        ClaimView("/b", "Name", "A", sensitive=True),
        ClaimView("/c", "性别", "男"),
    ]

    def drawn(*, reveal: bool) -> list[str]:
        console = Console(width=60)
        with console.capture() as capture:
            console.print(claims(views, Paint.of(LIGHT), reveal=reveal))
        return capture.get().splitlines()

    veiled, open_ = drawn(reveal=False), drawn(reveal=True)
    assert [VEIL in line for line in veiled] == [True, True, False]
    assert "王小明" in open_[0]
    columns = {cell_len(line[: line.index(VEIL)]) for line in veiled[:2]}
    assert len(columns) == 1, "columns stand below each other, whatever the script"


def test_saving_never_replaces(tmp_path: Path) -> None:
    first = suggestion(tmp_path, "zl-history", "json", NOW)
    save(first, b"1")
    assert first.stat().st_mode & 0o777 == 0o600
    second = suggestion(tmp_path, "zl-history", "json", NOW)
    assert second != first
    with pytest.raises(FileThere):
        save(first, b"2")
    assert first.read_bytes() == b"1"
    with pytest.raises(SaveFailed):
        save(tmp_path / "absent" / "x", b"")


async def test_paths_are_completed_from_the_disk(tmp_path: Path) -> None:
    (tmp_path / "offer.txt").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / ".hidden").touch()
    suggest = PathSuggester().get_suggestion
    assert await suggest(f"{tmp_path}/of") == f"{tmp_path}/offer.txt"
    assert await suggest(f"{tmp_path}/fo") == f"{tmp_path}/folder/"
    assert await suggest(f"{tmp_path}/") == f"{tmp_path}/folder/"
    assert await suggest(f"{tmp_path}/.h") == f"{tmp_path}/.hidden"
    assert await suggest(f"{tmp_path}/absent/x") is None
    assert await suggest("") is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_hints_name_keys_instead_of_commands(language: str) -> None:
    told = explain(NoTrustBundle(), language)
    assert "zl wallet" not in told["hint"]
    assert "Ctrl+R" in told["hint"]
    if language == "zh-CN":
        words = load_texts("wallet", language)
        assert all(words(hint) != hint for hint in HINTS.values())


@pytest.mark.parametrize(
    ("value", "dark"), [("", True), ("15;0", True), ("0;15", False), ("0;default;7", False)]
)
def test_the_theme_follows_the_terminal(
    value: str, dark: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORFGBG", value)
    app = WalletApp(tmp_path, language="en")
    assert app.theme == (DARK.name if dark else LIGHT.name)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_texts_can_be_read_on_their_ground(theme: object) -> None:
    """WCAG 2.1 §1.4.3: a contrast of 4.5 to 1 for text."""
    from textual.color import Color

    paint = Paint.of(theme)  # type: ignore[arg-type]
    for name in ("plain", "quiet", "good", "caution", "bad", "key"):
        for ground in ("background", "surface"):
            fore, back = Color.parse(getattr(paint, name)), Color.parse(getattr(theme, ground))
            assert _contrast(fore, back) >= 4.5, (name, ground)


def _contrast(one: object, other: object) -> float:
    def luminance(color: object) -> float:
        parts = [getattr(color, name) / 255 for name in "rgb"]
        red, green, blue = (
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
