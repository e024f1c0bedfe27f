"""The time that is left, second by second, and a message when there is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from wallet.tui.wording import seconds_left, span


class Countdown(Static):
    """Counts against the app's clock, not by its own ticks: a sleeping laptop loses no second."""

    class Ended(Message):
        """Sent once."""

    def __init__(
        self,
        expires: datetime,
        clock: Callable[[], datetime],
        text: Callable[[str], str],
        *,
        tick_s: float,
        id: str | None = None,
        soon_s: int = 30,
    ) -> None:
        super().__init__(id=id)
        self._expires = expires
        self._clock = clock
        self._text = text
        self._tick_s = tick_s
        self._soon_s = soon_s
        self._timer: Timer | None = None

    def on_mount(self) -> None:
        self._timer = self.set_interval(self._tick_s, self.tick)
        self.tick()

    def tick(self) -> None:
        left = seconds_left(self._expires, self._clock())
        self.update(self._text(span(left)))
        self.set_class(left <= self._soon_s, "-soon")
        if left == 0 and self._timer is not None:
            self._timer.stop()
            self._timer = None
            self.post_message(self.Ended())
