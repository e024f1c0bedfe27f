"""`zl registry`: the chain as commands. Parses, calls, prints."""

import typer

from registry.cli.chains import build_chain_app
from registry.cli.contracts import build_contract_app
from registry.cli.copies import add_copies
from registry.cli.governing import add_governing
from registry.cli.network import add_network
from registry.cli.nodes import build_node_app
from registry.cli.reading import add_reading
from registry.cli.watching import add_watching
from schemas.texts import Texts


def build_app(_: Texts) -> typer.Typer:
    """The commands of the registry, in the language of `_`."""
    app = typer.Typer(help=_("The chain: serve it, read it, verify it."), no_args_is_help=True)
    add_network(app, _)
    add_governing(app, _)
    add_reading(app, _)
    add_watching(app, _)
    add_copies(app, _)
    app.add_typer(build_node_app(_), name="node")
    app.add_typer(build_contract_app(_), name="contract")
    app.add_typer(build_chain_app(_), name="chain")
    return app
