"""A QR code in half blocks, black on white whatever the theme, where the terminal has room."""

from __future__ import annotations

from textual.widgets import Static

from credentials.qr.codes import MIN_QUIET_ZONE, QUIET_ZONE, QrCode


class QrView(Static):
    """Draws one code. `fits` says whether a size is enough; it never draws a cut code."""

    def __init__(self, code: QrCode, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.code = code
        self.quiet_zone: int | None = None

    def border_for(self, columns: int, lines: int) -> int | None:
        """The widest quiet zone that still fits, None if not even the narrowest does."""
        for quiet_zone in (QUIET_ZONE, MIN_QUIET_ZONE):
            width, height = self.code.terminal_size(quiet_zone)
            if width <= columns and height <= lines:
                return quiet_zone
        return None

    def show(self, quiet_zone: int) -> None:
        if quiet_zone == self.quiet_zone:
            return
        self.quiet_zone = quiet_zone
        width, height = self.code.terminal_size(quiet_zone)
        self.styles.width, self.styles.height = width, height
        self.styles.min_width, self.styles.min_height = width, height
        self.update(self.code.text(quiet_zone))

    def wipe(self) -> None:
        """Forget the drawing."""
        self.quiet_zone = None
        self.update("")
