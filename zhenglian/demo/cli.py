"""`zl demo`: run the journey, leave its artefacts, say how to open the wallet on them."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.texts import Texts
from zhenglian.demo.story import tell


def build_app(_: Texts) -> typer.Typer:
    """One command, in the language of `_`."""
    app = typer.Typer()

    @app.command(
        help=_(
            "Run the whole journey of one credential: authority, registry with four nodes, issuer,"
            " wallet and desk, as separate processes on this machine."
        )
    )
    def demo(
        out: Annotated[
            Path, typer.Option(help=_("Folder for what the demonstration leaves; made anew."))
        ] = Path("demo"),
        json_: Annotated[bool, typer.Option("--json", help=_("One JSON line a step."))] = False,
    ) -> None:
        tell(out, _, as_json=json_)

    return app
