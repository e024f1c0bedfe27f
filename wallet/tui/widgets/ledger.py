"""A table of what happened: rows to walk through, columns as wide as their widest cell."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import DataTable

Row = tuple[str, Sequence[Text]]
"""Key and cells."""


class Ledger(DataTable[Text]):
    """`fill` replaces everything and keeps the cursor where it was."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, cursor_type="row", zebra_stripes=True)

    def fill(self, titles: Sequence[str], rows: Sequence[Row], *, widest: int = 40) -> None:
        cursor = self.cursor_row
        self.clear(columns=True)
        for position, title in enumerate(titles):
            # Measured here: the table's own measure comes later than its first drawing.
            cells = [Text(title), *(row[position] for _key, row in rows)]
            self.add_column(title, width=min(widest, max(cell.cell_len for cell in cells)))
        for key, row in rows:
            for cell in row:
                cell.truncate(widest, overflow="ellipsis")
            self.add_row(*row, key=key)
        if rows:
            self.move_cursor(row=min(cursor, len(rows) - 1))

    @property
    def chosen(self) -> str | None:
        """The key of the row under the cursor."""
        if not self.row_count:
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value
