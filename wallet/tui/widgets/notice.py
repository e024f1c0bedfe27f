"""One place for what the wallet has to say: an error, a success, or the step it is at."""

from __future__ import annotations

from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.reactive import reactive
from textual.timer import Timer
from textual.widgets import Static

FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
GOOD_S: Final = 8.0
"""A success needs no answer, and may stand in the way of a code."""


class Notice(Horizontal):
    """Empty until told something; an error stays until the next step begins."""

    kind: reactive[str] = reactive("")
    message = ""
    """The sentence shown."""

    def __init__(self) -> None:
        super().__init__(id="notice")
        self._frame = 0
        self._said = 0
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="mark")
        yield Static(id="said")

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
        self._say(
            "error",
            "✗",
            told["message"],
            Content.assemble(
                (told["message"], "bold"),
                "\n" + told["hint"] if told["hint"] else "",
                ("  " + told["code"], "$quiet"),
            ),
        )

    def good(self, message: str) -> None:
        self._say("good", "✓", message)
        said = self._said
        self.set_timer(GOOD_S, lambda: self.clear() if self._said == said else None)

    def caution(self, message: str) -> None:
        self._say("caution", "!", message)

    def busy(self, message: str) -> None:
        self._say("busy", FRAMES[self._frame], message)

    def clear(self) -> None:
        self._say("", "", "")

    def _say(self, kind: str, mark: str, message: str, content: Content | None = None) -> None:
        self._said += 1
        self.message = message
        self.kind = kind
        self.query_one("#mark", Static).update(mark)
        self.query_one("#said", Static).update(content or Content(message))

    def _turn(self) -> None:
        self._frame = (self._frame + 1) % len(FRAMES)
        if self.kind == "busy":
            self.query_one("#mark", Static).update(FRAMES[self._frame])
