"""`zl registry init`, `serve` and `connect`."""

from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from credentials.keys import PrivateKey
from registry.cli.shared import (
    ADDRESS_FILE,
    home,
    load_genesis,
    print_json,
    read_bytes,
    read_json,
    say,
    unlock,
    utc_now,
)
from registry.errors import FileUnreadable, RegistryExists
from registry.keyring import has_keys, load_keys, save_keys
from registry.ledger.genesis import GENESIS_FILE, GenesisNode
from registry.limits import MAX_POLICY_BYTES
from registry.sequencing.addresses import NodeLinks, parse_address, write_addresses
from registry.sequencing.founding import FoundingKeys, found_network
from registry.sequencing.outside import OutsidePolicies
from registry.storage.places import Places
from registry.tlog.policy import Policy
from schemas.options import AsJson, PassphraseFile
from schemas.passphrase import read_passphrase
from schemas.texts import Texts

NETWORK: str = "hangzhou.zhenglian.example"
PORT: int = 7300
OPERATOR: str = "operator"


def add_network(app: typer.Typer, _: Texts) -> None:
    """Add the commands."""

    store_option = Annotated[
        str | None,
        typer.Option("--store", help=_("Where chains are kept: sqlite or postgresql://…")),
    ]
    tiles_option = Annotated[
        str | None,
        typer.Option("--tiles", help=_("Where tiles are kept: files, file:///… or s3://…")),
    ]

    @app.command(help=_("Found a network: make its keys, its genesis and its chains."))
    def init(
        node: Annotated[
            list[Path], typer.Option(help=_("What `zl registry node init --json` printed; repeat."))
        ],
        network: Annotated[str, typer.Option(help=_("Name of the network."))] = NETWORK,
        quorum: Annotated[
            int, typer.Option(help=_("How many nodes must cosign; 0: more than two thirds."))
        ] = 0,
        secret: PassphraseFile = None,
        unencrypted_keys: Annotated[
            bool, typer.Option("--unencrypted-keys", help=_("Leave the keys unencrypted."))
        ] = False,
        store: store_option = None,
        tiles: tiles_option = None,
        json_: AsJson = False,
    ) -> None:
        folder = home()
        places = Places.load(folder, network).choose(store, tiles)
        if has_keys(folder) or (folder / GENESIS_FILE).exists():
            raise RegistryExists(path=folder)
        nodes = [genesis_node(path) for path in node]
        with closing(places):
            places.check(f"{network}/main")
        words = (
            None
            if unencrypted_keys
            else read_passphrase(
                secret, prompt=_("New passphrase of the keys"), repeat=_("Repeat it")
            )
        )
        keys = FoundingKeys.generate()

        def before() -> None:
            save_keys(folder, {OPERATOR: keys.operator, **keys.logs}, words)
            places.save()

        with closing(places):
            genesis = found_network(
                folder,
                network,
                nodes,
                keys,
                quorum=quorum or 2 * len(nodes) // 3 + 1,
                now=utc_now(),
                before=before,
                places=places,
            )
        path = folder / GENESIS_FILE
        if json_:
            print_json(
                {
                    "network": network,
                    "genesis": str(path),
                    "operator": genesis.operator,
                    "main": genesis.origin,
                    "identity": genesis.identity_origin,
                    "access": genesis.access_origin,
                    "quorum": genesis.quorum,
                    "nodes": [node.name for node in genesis.nodes],
                }
            )
            return
        say(_("The network {network} stands in {home}.", network=network, home=folder))
        say(_("Hand out {path}: everyone pins it, by a way they trust.", path=path))

    @app.command(help=_("Tell the registry where nodes are; it may be running."))
    def connect(
        node: Annotated[list[str], typer.Argument(help=_("NAME=URL of a node."))],
        json_: AsJson = False,
    ) -> None:
        genesis = load_genesis(None)
        addresses = dict(parse_address(text, genesis) for text in node)
        write_addresses(home(), addresses)
        if json_:
            print_json({"nodes": addresses})
            return
        for name, url in addresses.items():
            say(_("The node {name} is asked at {url}.", name=name, url=url))

    @app.command(help=_("Serve the registry: take in submissions, collect cosignatures."))
    def serve(
        host: Annotated[str, typer.Option(help=_("Address to listen on."))] = "127.0.0.1",
        port: Annotated[int, typer.Option(help=_("Port; 0 takes a free one."))] = PORT,
        node: Annotated[
            list[str] | None, typer.Option(help=_("NAME=URL of a node; repeat."))
        ] = None,
        interval: Annotated[float, typer.Option(help=_("Seconds between checkpoints."))] = 0.2,
        secret: PassphraseFile = None,
        store: store_option = None,
        tiles: tiles_option = None,
        announced: Annotated[
            str | None,
            typer.Option("--address", help=_("URL at which others reach this process.")),
        ] = None,
        witness_policy: Annotated[
            Path | None,
            typer.Option(help=_("Policy file (tlog-policy) of further witnesses to ask.")),
        ] = None,
        mirror_policy: Annotated[
            Path | None,
            typer.Option(help=_("Policy file (tlog-policy) of mirrors to push all chains to.")),
        ] = None,
        json_: AsJson = False,
    ) -> None:
        from registry.sequencing.duty import Duty
        from registry.web.serving import log_to_stderr
        from registry.web.serving import serve as listen

        folder = home()
        genesis = load_genesis(None)
        words = unlock(_, folder, secret)
        found = load_keys(folder, words)

        def reload() -> dict[str, PrivateKey]:
            """Keys of chains that were added while this runs."""
            return {name: key for name, key in load_keys(folder, words).items() if name != OPERATOR}

        keys = FoundingKeys(found.pop(OPERATOR), found).sequencer(genesis.network, reload)
        if node:
            write_addresses(folder, dict(parse_address(text, genesis) for text in node))
        log_to_stderr()
        places = Places.load(folder, genesis.network).choose(store, tiles)
        duty = Duty(
            folder,
            genesis,
            keys,
            places,
            links=NodeLinks(folder),
            now=utc_now,
            interval=max(interval, 0.01),
            outside=outside_policies(witness_policy, mirror_policy),
        )
        address = folder / ADDRESS_FILE

        def listening(url: str) -> None:
            address.write_text(url + "\n", encoding="utf-8")
            duty.start(announced or url)
            announce(_, json_, url)

        with closing(duty):
            duty.prepare()
            places.save()
            try:
                listen(duty, host, port, listening)
            finally:
                with suppress(OSError):
                    address.unlink()


def announce(_: Texts, as_json: bool, url: str) -> None:
    """Say where a server listens, in a form that a script can wait for."""
    if as_json:
        print_json({"listening": url})
    else:
        say(_("Listening on {url}. Ctrl-C ends it.", url=url))


def outside_policies(witnesses: Path | None, mirrors: Path | None) -> OutsidePolicies | None:
    """Who is asked beside the nodes. Raises FileUnreadable, PolicyMalformed."""
    if witnesses is None and mirrors is None:
        return None
    read = [read_bytes(path, MAX_POLICY_BYTES) if path else None for path in (witnesses, mirrors)]
    first, second = (Policy.parse(data) if data is not None else None for data in read)
    return OutsidePolicies(first, second)


def genesis_node(path: Path) -> GenesisNode:
    """A node as `zl registry node init --json` describes it."""
    told: Any = read_json(path)
    try:
        further = [told.get("approver"), told.get("mlDsaKey")]
        if any(value is not None and not isinstance(value, str) for value in further):
            raise TypeError("a key is no text")
        return GenesisNode(str(told["name"]), dict(told["title"]), str(told["vkey"]), *further)
    except (KeyError, TypeError, ValueError) as error:
        raise FileUnreadable(path=path, reason="it does not describe a node") from error
