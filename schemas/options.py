"""Options that commands of several roles share.

Their help is a message id: the front door says it in the language that was asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_ = str

AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON for machines."))]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help=_("File with the passphrase on its first line.")),
]
