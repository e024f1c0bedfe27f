"""`zl registry chain list|add|roll`: side chains of a running network."""

from typing import Annotated, Any

import typer

from credentials.dids import key_url
from credentials.keys import KeyType, PrivateKey
from registry.cli.network import OPERATOR
from registry.cli.options import GenesisFile, RegistryUrls
from registry.cli.shared import connect, home, print_json, say, unlock, utc_now
from registry.client import RegistryClient
from registry.errors import OriginUnknown
from registry.keyring import add_key, load_keys
from registry.ledger.entries import Entry, make_entry
from registry.ledger.members import Purpose, is_slug
from registry.sequencing.chain import ML_DSA_SUFFIX, log_keys, log_signer
from registry.sequencing.founding import BATCH_INTERVAL_MS, BATCH_SIZE, MAX_ANCHOR_DELAY_S
from registry.tlog.note import NoteSigner
from registry.trust import SideChain, TrustBundle
from schemas.options import AsJson, PassphraseFile
from schemas.texts import Texts


def build_chain_app(_: Texts) -> typer.Typer:
    """`zl registry chain …`."""
    app = typer.Typer(
        help=_("Side chains: register one, or begin its next epoch."), no_args_is_help=True
    )
    interval_option = Annotated[
        int | None,
        typer.Option(
            min=10, help=_("Milliseconds after which the main chain records it once it grew.")
        ),
    ]
    size_option = Annotated[
        int | None,
        typer.Option(min=1, help=_("Waiting entries at which it is recorded at once.")),
    ]
    delay_option = Annotated[
        int | None,
        typer.Option(min=1, help=_("Seconds of waiting that are cause for alarm.")),
    ]

    def signer_of(origin: str, name: str, words: str | None) -> NoteSigner:
        """A chain's log keys, made when there are none: they must be safe before they are named."""
        held = load_keys(home(), words)
        wanted: dict[str, KeyType] = {name: "Ed25519", name + ML_DSA_SUFFIX: "ML-DSA-44"}
        for slot, key_type in wanted.items():
            if slot not in held:
                held[slot] = PrivateKey.generate(key_type)
                add_key(home(), slot, held[slot], words)
        return log_signer(origin, *(held[slot] for slot in wanted))

    def register(
        client: RegistryClient, name: str, words: str | None, json_: bool, **members: Any
    ) -> None:
        origin = f"{client.genesis.network}/{name}"
        keys = log_keys(signer_of(origin, name, words))
        entry: Entry = make_entry("chain", origin=origin, **keys, **members)
        operator = load_keys(home(), words)[OPERATOR]
        receipt = client.submit(
            client.genesis.origin, [entry], operator, key_url(operator.public_key)
        )
        if json_:
            print_json({"index": receipt.indices[0], "entry": dict(entry.body)})
        elif members["previous"] is None:
            say(
                _(
                    "{origin} is registered as entry {index} of the main chain.",
                    origin=origin,
                    index=receipt.indices[0],
                )
            )
        else:
            say(
                _(
                    "{previous} is closed by entry {index} of the main chain; {origin} follows it.",
                    previous=members["previous"],
                    index=receipt.indices[0],
                    origin=origin,
                )
            )

    @app.command("list", help=_("The side chains, by the network's newest trust bundle."))
    def list_(
        urls: RegistryUrls = None, genesis: GenesisFile = None, json_: AsJson = False
    ) -> None:
        with connect(urls, genesis) as client:
            bundle = TrustBundle.load(client.trust_bundle(), client.genesis, now=utc_now())
        if json_:
            print_json(
                {"chains": [_told(chain, bundle.size_of(o)) for o, chain in bundle.chains.items()]}
            )
            return
        for origin, chain in bundle.chains.items():
            say(
                _(
                    "{origin}: {purpose} of {scenario}, epoch {epoch}, {size} entries; "
                    "recorded every {interval} ms or {batch} entries",
                    origin=origin,
                    purpose=chain.purpose,
                    scenario=chain.scenario,
                    epoch=chain.epoch,
                    size=bundle.size_of(origin),
                    interval=chain.batch_interval_ms,
                    batch=chain.batch_size,
                )
            )
            if chain.successor is not None:
                say(_("  closed; {successor} follows it", successor=chain.successor))

    @app.command(help=_("Register a side chain, for a scenario of its own."))
    def add(
        name: Annotated[str, typer.Argument(help=_("Short name of the chain."))],
        scenario: Annotated[str, typer.Option(help=_("Scenario whose entries it takes."))],
        purpose: Annotated[str, typer.Option(help=_("anchors, status or access."))] = "anchors",
        interval: interval_option = BATCH_INTERVAL_MS,
        size: size_option = BATCH_SIZE,
        max_delay: delay_option = MAX_ANCHOR_DELAY_S,
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        if not is_slug(name) or name == "main":
            raise typer.BadParameter(name)
        if purpose not in (Purpose.ANCHORS, Purpose.STATUS, Purpose.ACCESS):
            raise typer.BadParameter(purpose)
        words = unlock(_, home(), secret)
        with connect(urls, genesis) as client:
            register(
                client,
                name,
                words,
                json_,
                purpose=purpose,
                scenario=scenario,
                batch={"interval": interval, "size": size},
                maxAnchorDelay=max_delay,
                epoch=1,
                previous=None,
            )

    @app.command(help=_("Close a side chain and begin its next epoch; nothing on it is lost."))
    def roll(
        name: Annotated[str, typer.Argument(help=_("Short name of the chain."))],
        interval: interval_option = None,
        size: size_option = None,
        max_delay: delay_option = None,
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        words = unlock(_, home(), secret)
        with connect(urls, genesis) as client:
            bundle = TrustBundle.load(client.trust_bundle(), client.genesis, now=utc_now())
            newest = bundle.origin_for(name)
            if newest is None:
                raise OriginUnknown(origin=f"{client.genesis.network}/{name}")
            chain = bundle.chains[newest]
            line = chain.line.removeprefix(client.genesis.network + "/")
            register(
                client,
                f"{line}-{chain.epoch + 1}",
                words,
                json_,
                purpose=chain.purpose,
                scenario=chain.scenario,
                batch={
                    "interval": interval or chain.batch_interval_ms,
                    "size": size or chain.batch_size,
                },
                maxAnchorDelay=max_delay or chain.max_anchor_delay_s,
                epoch=chain.epoch + 1,
                previous=newest,
            )

    return app


def _told(chain: SideChain, size: int) -> dict[str, Any]:
    return {
        "origin": chain.origin,
        "purpose": chain.purpose,
        "scenario": chain.scenario,
        "size": size,
        "epoch": chain.epoch,
        "previous": chain.previous,
        "successor": chain.successor,
        "batch": {"interval": chain.batch_interval_ms, "size": chain.batch_size},
        "maxAnchorDelay": chain.max_anchor_delay_s,
    }
