"""Options that several commands of the registry share; see `schemas.options`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_ = str

RegistryUrls = Annotated[
    list[str] | None,
    typer.Option(
        "--registry",
        help=_("Address of the registry; else $ZL_REGISTRY, else the one served from here."),
    ),
]
GenesisFile = Annotated[
    Path | None, typer.Option("--genesis", help=_("Genesis file; else that of the home."))
]
