"""Small questions: sure? which file? where to?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, DirectoryTree, Input, Static

from schemas.errors import ZhenglianError
from wallet.tui.screens.base import BACK, Dialog
from wallet.tui.widgets.notice import Notice
from wallet.words import mark as _


class Confirm(Dialog[bool]):
    """Yes or no; no is where the focus is."""

    def __init__(self, question: str, consequence: str, yes: str) -> None:
        super().__init__()
        self._question = question
        self._consequence = consequence
        self._yes = yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="dialog-title", markup=False)
            yield Static(self._consequence, markup=False)
            with Horizontal(classes="buttons"):
                yield Button(self.texts(_("No")), id="no")
                yield Button(self._yes, id="yes", variant="error")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_back(self) -> None:
        self.dismiss(False)


class SaveAs(Dialog[Path | None]):
    """Where to save; writes the file, and answers with its path."""

    def __init__(self, title: str, proposed: Path, data: bytes) -> None:
        super().__init__()
        self._title = title
        self._proposed = proposed
        self._data = data

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Input(str(self._proposed), id="path", select_on_focus=False)
            yield Notice()
            with Horizontal(classes="buttons"):
                yield Button(self.texts(_("Cancel")), id="cancel")
                yield Button(self.texts(_("Save")), id="save", variant="primary")

    def on_input_submitted(self) -> None:
        self._save()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "save":
            self._save()
        else:
            self.dismiss(None)

    def action_back(self) -> None:
        self.dismiss(None)

    def _save(self) -> None:
        from wallet.tui.saving import save

        try:
            self.dismiss(save(Path(self.query_one("#path", Input).value), self._data))
        except ZhenglianError as error:
            self.complain(error)


class VisibleFiles(DirectoryTree):
    """Without hidden files."""

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        return [path for path in paths if not path.name.startswith(".")]


class PickFile(Dialog[Path | None]):
    """Choose a file by walking through folders."""

    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        Binding("backspace", "up", _("Folder above"), id="folder-up"),
    ]

    def __init__(self, title: str, start: Path) -> None:
        super().__init__()
        self._title = title
        self._start = start.absolute()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -tall"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield VisibleFiles(self._start, id="files")
            with Horizontal(classes="buttons"):
                yield Button(self.texts(_("Folder above")), id="up")
                yield Button(self.texts(_("Cancel")), id="cancel")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#files").focus()

    def on_directory_tree_file_selected(self, event: DirectoryTree.FileSelected) -> None:
        self.dismiss(event.path)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "up":
            self.action_up()
        else:
            self.dismiss(None)

    def action_up(self) -> None:
        self._start = self._start.parent
        self.query_one("#files", VisibleFiles).path = self._start

    def action_back(self) -> None:
        self.dismiss(None)
