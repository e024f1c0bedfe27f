"""`zl registry status`, `blocks`, `show`, `bundle`: reading the chain."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.cli.options import GenesisFile, RegistryUrls
from registry.cli.shared import (
    addresses,
    connect,
    home,
    load_genesis,
    print_json,
    say,
    utc_now,
)
from registry.errors import StoreFailed
from registry.ledger.members import encode_time
from registry.sequencing.addresses import parse_address, read_addresses
from registry.trust import TrustBundle
from schemas.durable import replace_file
from schemas.options import AsJson
from schemas.texts import Texts, translate


def add_reading(app: typer.Typer, _: Texts) -> None:
    """Add the commands."""

    @app.command(help=_("How the network is: chains, nodes, alarms."))
    def status(
        urls: RegistryUrls = None,
        node: Annotated[
            list[str] | None,
            typer.Option(help=_("NAME=URL of a node; asked also when the registry is down.")),
        ] = None,
        genesis: GenesisFile = None,
        json_: AsJson = False,
    ) -> None:
        from registry.watching.standing import standing

        pinned = load_genesis(genesis)
        nodes = dict(parse_address(text, pinned) for text in node or [])
        if not urls and genesis is None:
            nodes = {**read_addresses(home()), **nodes}  # this home's own network
        told = standing(pinned, addresses(urls, needed=not nodes), nodes)
        if json_:
            print_json(told)
        else:
            _print_status(_, told)

    @app.command(help=_("The newest batches of the side chains, as the main chain records them."))
    def blocks(
        limit: Annotated[int, typer.Option(min=1, max=1000, help=_("How many."))] = 20,
        before: Annotated[int | None, typer.Option(help=_("Only below this entry."))] = None,
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        json_: AsJson = False,
    ) -> None:
        with connect(urls, genesis) as client:
            found = client.blocks(limit, before)
        if json_:
            print_json({"blocks": found})
            return
        for block in found:
            say(
                _(
                    "block {index}  {origin}  entries {start} to {last}  root {root}",
                    index=block["index"],
                    origin=block["origin"],
                    start=block["start"],
                    last=block["end"] - 1,
                    root=block["root"],
                )
            )

    @app.command(help=_("Show an entry, proved to stand in the cosigned chain."))
    def show(
        index: Annotated[int, typer.Argument(min=0, help=_("Index of the entry."))],
        chain: Annotated[str, typer.Option(help=_("main, identity, access …"))] = "main",
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        json_: AsJson = False,
    ) -> None:
        import json

        with connect(urls, genesis) as client:
            origin = f"{client.genesis.network}/{chain}"
            state = client.cosigned(origin)
            [entry] = client.entries(origin, index, index + 1, under=state)
        if json_:
            print_json(
                {
                    "origin": origin,
                    "index": index,
                    "entry": dict(entry.body),
                    "leafHash": entry.leaf_hash.hex(),
                    "size": state.size,
                    "time": state.time.isoformat(),
                }
            )
            return
        say(
            _(
                "Entry {index} of {origin}, cosigned as of {time}:",
                index=index,
                origin=origin,
                time=encode_time(state.time),
            )
        )
        say(json.dumps(dict(entry.body), ensure_ascii=False, indent=2))

    @app.command(help=_("Fetch a trust bundle, verify it, and write it to a file."))
    def bundle(
        out: Annotated[Path, typer.Option(help=_("File to write (*.zltrust)."))],
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        json_: AsJson = False,
    ) -> None:
        with connect(urls, genesis) as client:
            data = client.trust_bundle()
            loaded = TrustBundle.load(data, client.genesis, now=utc_now())
        _write(out, data)
        if json_:
            print_json(
                {
                    "file": str(out),
                    "bytes": len(data),
                    "time": loaded.time.isoformat(),
                    "size": loaded.main_checkpoint.size,
                }
            )
            return
        say(_("{path} is as of {time}.", path=out, time=loaded.time.isoformat()))


def _print_status(_: Texts, told: dict[str, Any]) -> None:
    main = told["main"]
    say(
        _(
            "{network}: main chain {size} entries, {cosigned} of them cosigned ({time})",
            network=told["network"],
            size=main["size"],
            cosigned=main["cosignedSize"],
            time=main["cosignedAt"] or "-",
        )
    )
    if not told["sequencer"]["answers"]:
        say(_("The sequencer does not answer. This is what the nodes say:"))
    if isinstance(told.get("standby"), dict):
        holder = told["standby"].get("holder") or "-"
        say(_("This process stands by; entries are taken in by {address}.", address=holder))
    for chain in told["chains"]:
        say(_("  {origin}: {size} entries", origin=chain["origin"], size=chain["size"]))
    for node in told["nodes"]:
        if node["error"]:
            error = translate(str(node["error"]), _.language, "registry")
            say(_("  node {name}: {error}", name=node["name"], error=error))
        elif node.get("lag"):
            say(
                _(
                    "  node {name}: cosigned {size} at {time}, {lag} entries behind",
                    name=node["name"],
                    size=node["size"],
                    time=node["cosignedAt"] or "-",
                    lag=node["lag"],
                )
            )
        else:
            say(
                _(
                    "  node {name}: cosigned {size} at {time}",
                    name=node["name"],
                    size=node["size"],
                    time=node["cosignedAt"] or "-",
                )
            )
    for alarm in told["alarms"]:
        say(_("ALARM: {alarm}", alarm=translate(str(alarm), _.language, "registry")))


def _write(path: Path, data: bytes) -> None:
    try:
        replace_file(path, data, mode=0o644)
    except OSError as error:
        raise StoreFailed(store=path.name, reason=os.strerror(error.errno or 0)) from error
