"""The first line: whose program this is, the three places, and how fresh its knowledge is."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static


class Place(Static):
    """A place to go to, by mouse; the number is its key."""

    class Chosen(Message):
        def __init__(self, place: str) -> None:
            super().__init__()
            self.place = place

    def __init__(self, place: str, number: int, title: str, *, current: bool) -> None:
        super().__init__(
            Content.assemble((f"{number} ", "$accent"), title),
            classes="-current" if current else "",
        )
        self.place = place

    def on_click(self) -> None:
        self.post_message(self.Chosen(self.place))


class TopBar(Horizontal):
    """`places` are (name, title); none while the wallet is closed."""

    def __init__(
        self, brand: str, places: Sequence[tuple[str, str]], current: str | None, knowledge: str
    ) -> None:
        super().__init__()
        self._brand = brand
        self._places = places
        self._current = current
        self._knowledge = knowledge

    def compose(self) -> ComposeResult:
        yield Static(Content.styled(self._brand, "bold"), id="brand")
        for number, (name, title) in enumerate(self._places, 1):
            yield Place(name, number, title, current=name == self._current)
        yield Static(Content(self._knowledge), id="knowledge")

    def know(self, knowledge: str) -> None:
        """Say another freshness."""
        self._knowledge = knowledge
        self.query_one("#knowledge", Static).update(Content(knowledge))
