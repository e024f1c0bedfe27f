"""`zl registry node init` and `serve`."""

import re
from pathlib import Path
from typing import Annotated

import typer

from credentials.keys import PrivateKey
from registry.cli.network import NETWORK, announce
from registry.cli.shared import (
    print_json,
    say,
    unlock,
    utc_now,
)
from registry.errors import GenesisInvalid, NodeAddress
from registry.genesis import Genesis
from registry.keyring import load_keys, save_keys
from registry.note import ED25519_COSIGNATURE, NoteSigner, VerifierKey
from schemas.home import role_home
from schemas.passphrase import read_passphrase
from schemas.texts import Texts

KEY: str = "node"


def build_node_app(_: Texts) -> typer.Typer:
    """`zl registry node …`."""
    app = typer.Typer(
        help=_("A department's node: witness, validator, mirror."), no_args_is_help=True
    )
    as_json = Annotated[bool, typer.Option("--json", help=_("Print JSON for machines."))]
    passphrase = Annotated[
        Path | None,
        typer.Option("--passphrase-file", help=_("File with the passphrase on its first line.")),
    ]
    name_argument = Annotated[str, typer.Argument(help=_("Short name of the node."))]

    @app.command(help=_("Make a node's key and print what the genesis needs of it."))
    def init(
        name: name_argument,
        network: Annotated[str, typer.Option(help=_("Name of the network."))] = NETWORK,
        title_zh: Annotated[str, typer.Option(help=_("Title in Chinese."))] = "",
        title_en: Annotated[str, typer.Option(help=_("Title in English."))] = "",
        secret: passphrase = None,
        unencrypted_keys: Annotated[
            bool, typer.Option("--unencrypted-keys", help=_("Leave the key unencrypted."))
        ] = False,
        json_: as_json = False,
    ) -> None:
        folder = node_home(name)
        words = (
            None
            if unencrypted_keys
            else read_passphrase(
                secret, prompt=_("New passphrase of the keys"), repeat=_("Repeat it")
            )
        )
        key = PrivateKey.generate("Ed25519")
        signer = node_signer(network, name, key)
        save_keys(folder, {KEY: key}, words)
        title = {"zh-CN": title_zh or name, "en": title_en or name}
        vkey = signer.key.encode()
        if json_:
            print_json({"name": name, "title": title, "vkey": vkey})
            return
        say(_("The node stands in {home}. Its key for the genesis:", home=folder))
        say(vkey)

    @app.command(help=_("Serve a node: check the chains and cosign what is valid."))
    def serve(
        name: name_argument,
        registry: Annotated[str, typer.Option(help=_("Address of the registry."))],
        genesis: Annotated[Path, typer.Option(help=_("Genesis file of the network."))],
        host: Annotated[str, typer.Option(help=_("Address to listen on."))] = "127.0.0.1",
        port: Annotated[int, typer.Option(help=_("Port; 0 takes a free one."))] = 0,
        secret: passphrase = None,
        json_: as_json = False,
    ) -> None:
        from registry.node import Node
        from registry.node_api import build_node_app as build_api
        from registry.reading import HttpEntries
        from registry.serving import log_to_stderr
        from registry.serving import serve as listen

        folder = node_home(name)
        pinned = Genesis.load(genesis)
        key = load_keys(folder, unlock(_, folder, secret))[KEY]
        signer = node_signer(pinned.network, name, key)
        if signer.key.encode() not in {node.vkey for node in pinned.nodes}:
            raise GenesisInvalid(reason="it does not name this node's key")
        log_to_stderr()
        read = HttpEntries(registry)
        node = Node(name, pinned, signer, folder, read, now=utc_now)
        try:
            listen(build_api(node), host, port, lambda url: announce(_, json_, url))
        finally:
            node.close()
            read.close()

    return app


def node_home(name: str) -> Path:
    """The node's folder. Raises NodeAddress for a name that could leave it."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", name):
        raise NodeAddress(address=name)
    return role_home(f"nodes/{name}")


def node_signer(network: str, name: str, key: PrivateKey) -> NoteSigner:
    """A node's signer; its key bears a name within the network (tlog-cosignature)."""
    vkey = VerifierKey(f"{network}/nodes/{name}", ED25519_COSIGNATURE, key.public_key.raw)
    return NoteSigner(vkey, key.sign)
