"""Names and values side by side, in columns that know the width of Chinese characters."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from wallet.tui.theme import Paint
from wallet.tui.wording import VEIL
from wallet.views import ClaimView

Fact = tuple[str, str | Text]


def facts(rows: Iterable[Fact], paint: Paint) -> Table:
    """A grid; long values wrap under themselves. Content is never read as markup."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for name, value in rows:
        table.add_row(
            Text(name, style=paint.quiet), value if isinstance(value, Text) else Text(value)
        )
    return table


def claims(views: Iterable[ClaimView], paint: Paint, *, reveal: bool, absent: str = VEIL) -> Table:
    """Claims with their values; sensitive ones veiled unless `reveal`."""
    return facts(
        (
            (
                view.label,
                Text(view.value, style=paint.plain)
                if view.value is not None and (reveal or not view.sensitive)
                else Text(absent, style=paint.quiet),
            )
            for view in views
        ),
        paint,
    )
