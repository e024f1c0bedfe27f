"""One place for what the wallet has to say: an error, a success, or the step it is at."""

from __future__ import annotations

from typing import Final

from textual.content import Content
from textual.reactive import reactive
from textual.timer import Timer
from textual.widgets import Static

FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Notice(Static):
    """Empty until told something; an error stays until the next step begins."""

    kind: reactive[str] = reactive("")
    message = ""
    """The sentence shown, for tests and for screens that ask."""

    def __init__(self) -> None:
        super().__init__(id="notice")
        self._frame = 0
        self._timer: Timer | None = None

    def on_mount(self) -> None:
        self._timer = self.set_interval(0.1, self._turn, pause=True)

    def watch_kind(self, old: str, new: str) -> None:
        if old:
            self.remove_class(f"-{old}")
        if new:
            self.add_class(f"-{new}")
        if self._timer is not None:
            if new == "busy":
                self._timer.resume()
            else:
                self._timer.pause()

    def error(self, told: dict[str, str]) -> None:
        """What happened, what to do, and the code to quote."""
        self.message = told["message"]
        self.kind = "error"
        self.update(
            Content.assemble(
                ("✗ ", "bold $error"),
                (told["message"], "bold"),
                ("\n  " + told["hint"] if told["hint"] else "", ""),
                ("  " + told["code"], "$quiet"),
            )
        )

    def good(self, message: str) -> None:
        self.message = message
        self.kind = "good"
        self.update(Content.assemble(("✓ ", "bold $success"), message))

    def caution(self, message: str) -> None:
        self.message = message
        self.kind = "caution"
        self.update(Content.assemble(("! ", "bold $warning"), message))

    def busy(self, message: str) -> None:
        self.message = message
        self.kind = "busy"
        self._draw()

    def clear(self) -> None:
        self.message = ""
        self.kind = ""
        self.update("")

    def _turn(self) -> None:
        self._frame = (self._frame + 1) % len(FRAMES)
        self._draw()

    def _draw(self) -> None:
        if self.kind == "busy":
            self.update(Content.assemble((FRAMES[self._frame] + " ", "$primary"), self.message))
