"""All keys of the screen beneath, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from wallet.tui.screens.base import Dialog
from wallet.words import mark as _


class HelpScreen(Dialog[None]):
    """Read from the bindings in force, so it cannot be out of date."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q", "back", _("Close"), id="close-help"),
    ]

    def __init__(self, bindings: Iterable[ActiveBinding]) -> None:
        """`bindings` of the screen beneath, untranslated: the language may change meanwhile."""
        super().__init__()
        self._found = [found for found in bindings if found.binding.id]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -tall"):
            yield Static(self.texts(_("Keys of this screen")), classes="dialog-title")
            with VerticalScroll():
                yield Static(id="keys")
            yield Static(
                self.texts(_("Tab moves between fields, Enter chooses, Esc goes back.")),
                classes="quiet",
            )

    def fill(self) -> None:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        words = self.texts
        for found in self._found:
            binding = found.binding
            table.add_row(
                Text(self.app.get_key_display(binding), style=self.paint.key),
                Text(words(binding.description)),
                Text(words(found.tooltip), style=self.paint.quiet),
            )
        self.query_one("#keys", Static).update(table)
