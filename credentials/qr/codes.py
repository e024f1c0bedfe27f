"""One QR code from one text: for the terminal, as SVG and as PNG.

Guarantees: black on white in explicit colours, never inverted and never left to a theme (many
readers find no inverted code); a white border of four modules, at least two on request; error
correction level L, for a screen neither bends nor stains; alphanumeric mode when the text allows
it. A text that does not fit version 25 is refused (`QrTooLarge`): above it the modules are too
small for the cameras and terminals of ordinary people.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, overload

import qrcode
from PIL import Image
from qrcode.base import rs_blocks
from qrcode.constants import ERROR_CORRECT_L
from qrcode.exceptions import DataOverflowError
from qrcode.util import MODE_8BIT_BYTE, MODE_ALPHA_NUM, QRData
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from credentials.errors import QrTooLarge

MAX_VERSION: Final = 25
"""117 modules a side; at 4 pixels a module it still fits small screens."""
QUIET_ZONE: Final = 4
"""White modules around the code (ISO/IEC 18004 §6.3.8)."""
MIN_QUIET_ZONE: Final = 2
"""What readers still accept; saves room in a terminal."""
MIN_SCALE: Final = 4
"""Pixels a module in a PNG. Cameras begin to fail below."""

_ALPHANUMERIC: Final = re.compile(r"[0-9A-Z $%*+\-./:]+", re.ASCII)
# 256-colour numbers of pure black and white: explicit, and known to every terminal in use.
_BLACK, _WHITE = 16, 231
_UPPER_HALF: Final = "▀"
_RESET: Final = "\x1b[0m"

Format = Literal["svg", "png", "terminal"]


@dataclass(frozen=True)
class QrCode:
    """The modules of one code; True is black."""

    version: int
    modules: tuple[tuple[bool, ...], ...]

    @classmethod
    def of(cls, text: str, *, max_version: int = MAX_VERSION) -> QrCode:
        """The smallest code that holds `text`. Raises `QrTooLarge`."""
        alphanumeric = _ALPHANUMERIC.fullmatch(text) is not None
        data = text.encode()
        mode = MODE_ALPHA_NUM if alphanumeric else MODE_8BIT_BYTE
        limit = capacity(max_version, alphanumeric=alphanumeric)
        if len(data) > limit:
            unit = "characters" if alphanumeric else "bytes"
            raise QrTooLarge(size=len(data), unit=unit, limit=limit)
        code = qrcode.QRCode(error_correction=ERROR_CORRECT_L, border=0)
        code.add_data(QRData(data, mode=mode), optimize=0)
        try:
            code.make(fit=True)
        except (DataOverflowError, ValueError) as error:  # capacity() is exact, so not reached
            raise QrTooLarge(size=len(data), unit="bytes", limit=limit) from error
        rows = tuple(tuple(bool(module) for module in row) for row in code.modules)
        return cls(int(code.version), rows)

    @cached_property
    def side(self) -> int:
        """Modules along one side, without border."""
        return len(self.modules)

    def bordered(self, quiet_zone: int = QUIET_ZONE) -> list[list[bool]]:
        """The modules with white around them."""
        if quiet_zone < MIN_QUIET_ZONE:
            raise ValueError(f"a border below {MIN_QUIET_ZONE} modules makes codes unreadable")
        width = self.side + 2 * quiet_zone
        blank = [[False] * width for _ in range(quiet_zone)]
        edge = [False] * quiet_zone
        body = [[*edge, *row, *edge] for row in self.modules]
        return [*blank, *body, *(list(row) for row in blank)]

    def terminal_size(self, quiet_zone: int = QUIET_ZONE) -> tuple[int, int]:
        """Columns and lines that the terminal drawing takes."""
        width = self.side + 2 * quiet_zone
        return width, (width + 1) // 2

    def terminal(self, quiet_zone: int = QUIET_ZONE) -> str:
        """Lines of half blocks with ANSI colours: each character shows two modules."""
        lines = []
        for cells in self._cells(quiet_zone):
            parts: list[str] = []
            before = None
            for cell in cells:
                if cell != before:
                    upper, lower = (_BLACK if black else _WHITE for black in cell)
                    parts.append(f"\x1b[38;5;{upper};48;5;{lower}m")
                    before = cell
                parts.append(_UPPER_HALF)
            lines.append("".join(parts) + _RESET)
        return "\n".join(lines)

    def text(self, quiet_zone: int = QUIET_ZONE) -> Text:
        """The terminal drawing for rich and Textual, in explicit colours."""
        styles = {
            (upper, lower): Style(
                color="#000000" if upper else "#ffffff", bgcolor="#000000" if lower else "#ffffff"
            )
            for upper in (False, True)
            for lower in (False, True)
        }
        drawing = Text(no_wrap=True, end="")
        for position, cells in enumerate(self._cells(quiet_zone)):
            if position:
                drawing.append("\n")
            for segment in Segment.simplify([Segment(_UPPER_HALF, styles[cell]) for cell in cells]):
                drawing.append(segment.text, segment.style)
        return drawing

    def _cells(self, quiet_zone: int) -> list[list[tuple[bool, bool]]]:
        rows = self.bordered(quiet_zone)
        if len(rows) % 2:
            rows.append([False] * len(rows[0]))
        return [
            list(zip(upper, lower, strict=True))
            for upper, lower in zip(rows[::2], rows[1::2], strict=True)
        ]

    def svg(self, quiet_zone: int = QUIET_ZONE) -> str:
        """A scalable drawing: a white ground and one black path."""
        width = self.side + 2 * quiet_zone
        path: list[str] = []
        for y, row in enumerate(self.bordered(quiet_zone)):
            x = 0
            while x < width:
                if not row[x]:
                    x += 1
                    continue
                start = x
                while x < width and row[x]:
                    x += 1
                path.append(f"M{start} {y}h{x - start}v1h-{x - start}z")
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" '
            f'viewBox="0 0 {width} {width}" shape-rendering="crispEdges">'
            f'<path fill="#ffffff" d="M0 0h{width}v{width}H0z"/>'
            f'<path fill="#000000" d="{"".join(path)}"/></svg>\n'
        )

    def png(self, quiet_zone: int = QUIET_ZONE, scale: int = MIN_SCALE) -> bytes:
        """A PNG with `scale` pixels a module."""
        if scale < MIN_SCALE:
            raise ValueError(f"below {MIN_SCALE} pixels a module cameras begin to fail")
        rows = self.bordered(quiet_zone)
        width = len(rows)
        small = Image.frombytes(
            "L", (width, width), bytes(0 if black else 255 for row in rows for black in row)
        )
        large = small.resize((width * scale, width * scale), Image.Resampling.NEAREST).convert("1")
        target = io.BytesIO()
        large.save(target, "PNG", optimize=True)
        return target.getvalue()


def capacity(version: int = MAX_VERSION, *, alphanumeric: bool) -> int:
    """Characters (alphanumeric mode) or bytes that one code of `version` holds at level L."""
    bits: int = 8 * sum(block.data_count for block in rs_blocks(version, ERROR_CORRECT_L))
    # Mode indicator and character count (ISO/IEC 18004 table 3).
    band = 0 if version < 10 else 1 if version < 27 else 2
    if alphanumeric:
        bits -= 4 + (9, 11, 13)[band]
        return 2 * (bits // 11) + (1 if bits % 11 >= 6 else 0)
    return (bits - 4 - (8, 16, 16)[band]) // 8


@overload
def draw(text: str, form: Literal["svg", "terminal"]) -> str: ...
@overload
def draw(text: str, form: Literal["png"]) -> bytes: ...
def draw(text: str, form: Format) -> str | bytes:
    """`text` as one QR code: SVG text, terminal lines, or the bytes of a PNG."""
    code = QrCode.of(text)
    if form == "svg":
        return code.svg()
    if form == "png":
        return code.png()
    return code.terminal()
