"""`zl registry node init`, `serve`, `rebuild` and `refusals`."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from credentials.dids import did_key
from credentials.keys import KeyType, PrivateKey
from registry.cli.network import NETWORK, announce
from registry.cli.shared import (
    print_json,
    say,
    unlock,
    utc_now,
)
from registry.errors import GenesisInvalid, NodeAddress, WitnessKeyAbsent
from registry.keyring import load_keys, save_keys
from registry.ledger.genesis import Genesis
from registry.sequencing.addresses import parse_address
from registry.tlog.note import ED25519_COSIGNATURE, ML_DSA_44, NoteSigner, VerifierKey
from schemas.home import role_home
from schemas.options import AsJson, PassphraseFile
from schemas.passphrase import read_passphrase
from schemas.texts import Texts, translate

KEY: str = "node"
APPROVER: str = "approver"
"""By which the node approves changes of the rules; it signs nothing else."""
ML_DSA_KEY: str = "node-ml-dsa-44"
WITNESS_KEYS: dict[str, tuple[int, KeyType]] = {
    "witness": (ED25519_COSIGNATURE, "Ed25519"),
    "witness-ml-dsa-44": (ML_DSA_44, "ML-DSA-44"),
}
"""By which a node cosigns logs of others: it says less of them than of its own network."""
MIRROR_KEYS: dict[str, tuple[int, KeyType]] = {
    "mirror": (ED25519_COSIGNATURE, "Ed25519"),
    "mirror-ml-dsa-44": (ML_DSA_44, "ML-DSA-44"),
}
"""By which it states that it keeps a whole copy of such a log: a cosigner of its own."""
UNSERVED: str = "unserved"
"""A file that is there from `init` to the first `serve`: what is missing after that was lost."""


def build_node_app(_: Texts) -> typer.Typer:
    """`zl registry node …`."""
    app = typer.Typer(
        help=_("A department's node: witness, validator, mirror."), no_args_is_help=True
    )
    name_argument = Annotated[str, typer.Argument(help=_("Short name of the node."))]

    @app.command(help=_("Make a node's key and print what the genesis needs of it."))
    def init(
        name: name_argument,
        network: Annotated[str, typer.Option(help=_("Name of the network."))] = NETWORK,
        title_zh: Annotated[str, typer.Option(help=_("Title in Chinese."))] = "",
        title_en: Annotated[str, typer.Option(help=_("Title in English."))] = "",
        secret: PassphraseFile = None,
        unencrypted_keys: Annotated[
            bool, typer.Option("--unencrypted-keys", help=_("Leave the key unencrypted."))
        ] = False,
        json_: AsJson = False,
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
        ml_dsa = PrivateKey.generate("ML-DSA-44")
        signer = node_signer(network, name, key, ml_dsa)
        keys = {
            kind: PrivateKey.generate(of)
            for kind, (_type, of) in (WITNESS_KEYS | MIRROR_KEYS).items()
        }
        approver = PrivateKey.generate("Ed25519")
        own = {KEY: key, ML_DSA_KEY: ml_dsa, APPROVER: approver}
        save_keys(folder, {**own, **keys}, words)
        (folder / UNSERVED).touch()
        title = {"zh-CN": title_zh or name, "en": title_en or name}
        vkey = signer.key.encode()
        if json_:
            witness = [one.key.encode() for one in witness_signers(network, name, keys)]
            print_json(
                {
                    "name": name,
                    "title": title,
                    "vkey": vkey,
                    "approver": did_key(approver.public_key),
                    "mlDsaKey": signer.beside[0].key.encode(),
                    "witness": witness,
                    "mirror": [one.key.encode() for one in mirror_signers(network, name, keys)],
                }
            )
            return
        say(_("The node stands in {home}. Its key for the genesis:", home=folder))
        say(vkey)

    registry_option = Annotated[
        list[str], typer.Option(help=_("Address of the registry; repeat for its stand-bys."))
    ]
    genesis_option = Annotated[Path, typer.Option(help=_("Genesis file of the network."))]
    peer_option = Annotated[
        list[str] | None,
        typer.Option("--peer", help=_("NAME=URL of another node; else as the registry says.")),
    ]

    @app.command(help=_("Serve a node: check the chains and cosign what is valid."))
    def serve(
        name: name_argument,
        registry: registry_option,
        genesis: genesis_option,
        host: Annotated[str, typer.Option(help=_("Address to listen on."))] = "127.0.0.1",
        port: Annotated[int, typer.Option(help=_("Port; 0 takes a free one."))] = 0,
        peer: peer_option = None,
        witness_log: Annotated[
            list[str] | None,
            typer.Option("--witness-log", help=_("Key (vkey) of another log to cosign; repeat.")),
        ] = None,
        mirror_log: Annotated[
            list[str] | None,
            typer.Option("--mirror-log", help=_("Key (vkey) of another log to copy; repeat.")),
        ] = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        from registry.nodes.service import NodeService
        from registry.web.serving import log_to_stderr
        from registry.web.serving import serve as listen

        folder = node_home(name)
        pinned = Genesis.load(genesis)
        keys = load_keys(folder, unlock(_, folder, secret))
        logs = [VerifierKey.parse(text) for text in witness_log or []]
        copied = [VerifierKey.parse(text) for text in mirror_log or []]
        log_to_stderr()
        service = NodeService(
            name,
            pinned,
            known_signer(pinned, name, keys),
            folder,
            registries=registry,
            nodes=dict(parse_address(text, pinned) for text in peer or []),
            lost=not (folder / UNSERVED).exists(),
            logs=logs,
            witness=witness_signers(pinned.network, name, keys) if logs else (),
            copied=copied,
            mirror=mirror_signers(pinned.network, name, keys) if copied else (),
            now=utc_now,
        )
        try:
            (folder / UNSERVED).unlink(missing_ok=True)  # its store is durable by now
            service.start()
            listen(service.app(), host, port, lambda url: announce(_, json_, url))
        finally:
            service.close()

    @app.command(
        help=_("Build a node's copy of all chains anew from others, checked entry by entry.")
    )
    def rebuild(
        name: name_argument,
        source: Annotated[
            list[str],
            typer.Option("--from", help=_("Address of a registry or node; repeat.")),
        ],
        genesis: genesis_option,
        peer: peer_option = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        from registry.nodes.service import rebuild as build

        folder = node_home(name)
        pinned = Genesis.load(genesis)
        keys = load_keys(folder, unlock(_, folder, secret))
        told = build(
            name,
            pinned,
            known_signer(pinned, name, keys),
            folder,
            sources=source,
            nodes=dict(parse_address(text, pinned) for text in peer or []),
            lost=not (folder / UNSERVED).exists(),
            now=utc_now,
            progress=None if json_ else lambda size: say(_("{size} entries …", size=size)),
        )
        (folder / UNSERVED).unlink(missing_ok=True)
        if json_:
            print_json(told)
            return
        for origin, size in told["mirrored"].items():
            say(_("{origin}: {size} entries", origin=origin, size=size))
        say(_("The copy has all that the quorum has cosigned as of {time}.", time=told["time"]))
        if told["asking"]:
            say(
                _(
                    "The node will cosign nothing before it has heard {count} other nodes.",
                    count=told["asking"],
                )
            )

    @app.command(help=_("What a node refused to cosign, why, and the evidence."))
    def refusals(
        name: name_argument,
        limit: Annotated[int, typer.Option(min=1, max=1000, help=_("How many."))] = 20,
        json_: AsJson = False,
    ) -> None:
        from registry.nodes.api import told_refusal
        from registry.nodes.refusals import read_refusals
        from registry.nodes.store import MIRROR_FILE

        found = read_refusals(node_home(name) / MIRROR_FILE, limit)
        if json_:
            print_json({"node": name, "refusals": [told_refusal(one) for one in found]})
            return
        if not found:
            say(_("The node {name} has refused nothing.", name=name))
        for one in found:
            reason = translate(one.reason, _.language, "registry")
            say(_("{time}  {reason}", time=one.time, reason=reason))
            if one.origin is not None:
                say(
                    _(
                        "  entry {index} of {origin}; {count} entries are kept as evidence",
                        index=one.index,
                        origin=one.origin,
                        count=len(one.leaves),
                    )
                )

    return app


def node_home(name: str) -> Path:
    """The node's folder. Raises NodeAddress for a name that could leave it."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", name):
        raise NodeAddress(address=name)
    return role_home(f"nodes/{name}")


def node_signer(
    network: str, name: str, key: PrivateKey, ml_dsa: PrivateKey | None = None
) -> NoteSigner:
    """A node's signer; its keys bear a name within the network (tlog-cosignature)."""
    own = f"{network}/nodes/{name}"
    beside = () if ml_dsa is None else (NoteSigner.of(own, ML_DSA_44, ml_dsa),)
    return replace(NoteSigner.of(own, ED25519_COSIGNATURE, key), beside=beside)


def known_signer(genesis: Genesis, name: str, keys: Mapping[str, PrivateKey]) -> NoteSigner:
    """The signer of a node that the genesis names, with both keys if it names both.

    Raises GenesisInvalid.
    """
    signer = node_signer(genesis.network, name, keys[KEY], keys.get(ML_DSA_KEY))
    for node in genesis.nodes:
        if node.vkey == signer.key.encode():
            if node.ml_dsa_key is None:
                return replace(signer, beside=())
            if [one.key.encode() for one in signer.beside] == [node.ml_dsa_key]:
                return signer
    raise GenesisInvalid(reason="it does not name this node's keys")


def witness_signers(
    network: str, name: str, keys: Mapping[str, PrivateKey]
) -> tuple[NoteSigner, ...]:
    """What cosigns logs of others. Raises WitnessKeyAbsent for a node that has no such keys."""
    if not keys.keys() >= WITNESS_KEYS.keys():
        raise WitnessKeyAbsent(node=name)
    return tuple(
        NoteSigner.of(f"{network}/witnesses/{name}", of_type, keys[kind])
        for kind, (of_type, _kind) in WITNESS_KEYS.items()
    )


def mirror_signers(
    network: str, name: str, keys: Mapping[str, PrivateKey]
) -> tuple[NoteSigner, ...]:
    """What cosigns copies of others' logs. Raises WitnessKeyAbsent."""
    if not keys.keys() >= MIRROR_KEYS.keys():
        raise WitnessKeyAbsent(node=name)
    return tuple(
        NoteSigner.of(f"{network}/mirrors/{name}", of_type, keys[kind])
        for kind, (of_type, _kind) in MIRROR_KEYS.items()
    )
