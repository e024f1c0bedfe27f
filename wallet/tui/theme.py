"""Two themes of one family, and the same colours for drawings that the style sheet cannot reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="zhenglian-dark",
    primary="#5fb3a8",
    secondary="#8fb8de",
    accent="#e3b062",
    success="#7cc795",
    warning="#e9bd6c",
    error="#ef8079",
    foreground="#dfe5e8",
    background="#11171b",
    surface="#182025",
    panel="#202a30",
    dark=True,
    variables={
        "quiet": "#8c9aa3",
        "footer-key-foreground": "#e3b062",
        "input-selection-background": "#5fb3a8 35%",
    },
)
LIGHT: Final = Theme(
    name="zhenglian-light",
    primary="#17736b",
    secondary="#2f5f8f",
    accent="#8f5510",
    success="#1f7343",
    warning="#855900",
    error="#ab2a22",
    foreground="#1a2327",
    background="#f6f7f4",
    surface="#ffffff",
    panel="#e8ebe6",
    dark=False,
    variables={
        "quiet": "#5b6870",
        "footer-key-foreground": "#8f5510",
        "input-selection-background": "#17736b 25%",
    },
)


@dataclass(frozen=True)
class Paint:
    """The colours of a theme as rich styles."""

    plain: str
    quiet: str
    good: str
    caution: str
    bad: str
    key: str

    @classmethod
    def of(cls, theme: Theme) -> Paint:
        return cls(
            plain=theme.foreground or "default",
            quiet=theme.variables.get("quiet", "default"),
            good=theme.success or "green",
            caution=theme.warning or "yellow",
            bad=theme.error or "red",
            key=theme.accent or "cyan",
        )
