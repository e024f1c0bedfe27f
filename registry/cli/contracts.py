"""`zl registry contract list|show|check|approve|propose`: the rules, and how they change."""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from credentials.dids import key_url
from registry.cli.network import OPERATOR
from registry.cli.nodes import APPROVER, node_home
from registry.cli.options import GenesisFile, RegistryUrls
from registry.cli.shared import (
    ADDRESS_FILE,
    connect,
    home,
    load_genesis,
    print_json,
    read_json,
    say,
    unlock,
    utc_now,
)
from registry.client import Cosigned, RegistryClient
from registry.contracts import Contract, PolicyText, approve
from registry.contracts.following import Read
from registry.contracts.rehearsal import Rehearsal, rehearse
from registry.errors import ApproverAbsent, ContractMalformed, ContractUnknown, FileUnreadable
from registry.keyring import load_keys
from registry.ledger.entries import Entry, make_entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import is_slug
from registry.limits import MAX_POLICY_TEXT
from registry.trust import TrustBundle
from schemas.errors import ExitCode
from schemas.options import AsJson, PassphraseFile
from schemas.texts import Texts, translate

_PAGE: int = 2048


def build_contract_app(_: Texts) -> typer.Typer:
    """`zl registry contract …`."""
    app = typer.Typer(
        help=_("Contracts: who may do what, as Cedar policies on the main chain."),
        no_args_is_help=True,
    )
    policy_file = Annotated[Path, typer.Argument(help=_("File with Cedar policies (*.cedar)."))]
    name_option = Annotated[
        str, typer.Option(help=_("Name of the contract; else that of the file."))
    ]
    activates_option = Annotated[
        int,
        typer.Option(min=1, help=_("Size of the main chain from which it shall be in force.")),
    ]

    @app.command("list", help=_("The contracts of the network, by its newest trust bundle."))
    def list_(
        urls: RegistryUrls = None, genesis: GenesisFile = None, json_: AsJson = False
    ) -> None:
        with connect(urls, genesis) as client:
            bundle = _bundle(client)
        rows = list(_rows(bundle))
        if json_:
            print_json(
                {
                    "size": bundle.main_checkpoint.size,
                    "contracts": [_told(contract, state) for contract, state in rows],
                }
            )
            return
        states = {
            "in force": _("in force"),
            "replaced": _("replaced"),
            "waiting": _("waiting"),
            "overtaken": _("overtaken"),
        }
        for contract, state in rows:
            say(
                _(
                    "{name} {version}: {state}, entry {index}, from size {activates} on, "
                    "policies: {policies}",
                    name=contract.name,
                    version=contract.version,
                    state=states[state],
                    index=contract.index,
                    activates=contract.activates,
                    policies=len(contract.policy.rules),
                )
            )

    @app.command(help=_("Print the policies of a contract."))
    def show(
        name: Annotated[str, typer.Argument(help=_("Name of the contract."))],
        version: Annotated[int, typer.Option(help=_("Version; 0: the one in force."))] = 0,
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        json_: AsJson = False,
    ) -> None:
        with connect(urls, genesis) as client:
            bundle = _bundle(client)
        for contract, state in _rows(bundle):
            fits = contract.version == version if version else state == "in force"
            if contract.name == name and fits:
                if json_:
                    print_json({**_told(contract, state), "policy": contract.policy.text})
                else:
                    say(contract.policy.text.rstrip())
                return
        raise ContractUnknown(name=name)

    @app.command(
        help=_(
            "Rehearse policies against the whole history: which accepted entries they would "
            "have refused, and what they would newly allow. Exit code 1 when anything differs."
        )
    )
    def check(
        file: policy_file,
        name: name_option = "",
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        json_: AsJson = False,
    ) -> None:
        called, policy = _policy(file, name)
        with ExitStack() as stack:
            pinned, size, read = _history(stack, urls, genesis)
            console = Console(stderr=True)
            quiet = json_ or not console.is_terminal
            with Progress(console=console, transient=True, disable=quiet) as bar:
                task = bar.add_task(_("Rehearsing"), total=size)
                report = rehearse(
                    pinned,
                    policy,
                    called,
                    size=size,
                    read=read,
                    progress=lambda done: bar.update(task, completed=done),
                )
        if json_:
            print_json(report.to_json())
        else:
            _print_rehearsal(_, report)
        if report.differs:
            raise typer.Exit(ExitCode.REJECTED)

    @app.command(help=_("Approve a draft by a node's approval key; prints the approval."))
    def approve_(
        node: Annotated[str, typer.Argument(help=_("Short name of the node."))],
        draft: Annotated[Path, typer.Argument(help=_("What `propose --draft` wrote."))],
        genesis: GenesisFile = None,
        secret: PassphraseFile = None,
    ) -> None:
        pinned = load_genesis(genesis)
        entry = _draft(draft)
        folder = node_home(node)
        key = load_keys(folder, unlock(_, folder, secret)).get(APPROVER)
        if key is None:
            raise ApproverAbsent(node=node)
        print_json(approve(pinned, node, entry.body, key))

    app.registered_commands[-1].name = "approve"

    @app.command(help=_("Record policies as the next version of a contract."))
    def propose(
        file: policy_file,
        activates: activates_option,
        name: name_option = "",
        approval: Annotated[
            list[Path] | None, typer.Option(help=_("What a node's `approve` printed; repeat."))
        ] = None,
        draft: Annotated[
            Path | None,
            typer.Option(help=_("Write the entry for the nodes to approve, and record nothing.")),
        ] = None,
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        called, policy = _policy(file, name)
        approvals = sorted((read_json(path) for path in approval or ()), key=_node_of)
        with connect(urls, genesis) as client:
            newest = _bundle(client).contracts.newest(called)
            entry = make_entry(
                "contract",
                name=called,
                version=newest.version + 1 if newest else 1,
                policy=policy.text,
                activates=activates,
                replaces=newest.index if newest else None,
                approvals=approvals,
            )
            if draft is not None:
                draft.write_bytes(entry.raw + b"\n")
                if json_:
                    print_json({"draft": str(draft), "entry": dict(entry.body)})
                else:
                    say(_("{path} is for the nodes to approve.", path=draft))
                return
            operator = load_keys(home(), unlock(_, home(), secret))[OPERATOR]
            receipt = client.submit(
                client.genesis.origin, [entry], operator, key_url(operator.public_key)
            )
        if json_:
            print_json({"index": receipt.indices[0], "entry": dict(entry.body)})
        else:
            say(
                _(
                    "{name} {version} stands as entry {index} of the main chain, "
                    "in force from size {activates} on.",
                    name=called,
                    version=entry["version"],
                    index=receipt.indices[0],
                    activates=activates,
                )
            )

    return app


def _policy(path: Path, name: str) -> tuple[str, PolicyText]:
    called = name or path.name.removesuffix(".cedar")
    if not is_slug(called):
        raise ContractMalformed(name=called, reason="its name is not of small letters and digits")
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_POLICY_TEXT + 1).decode()
    except OSError as error:
        raise FileUnreadable(path=path, reason=os.strerror(error.errno or 0)) from error
    except ValueError as error:
        raise FileUnreadable(path=path, reason="it is not readable text") from error
    return called, PolicyText.parse(text, called)


def _draft(path: Path) -> Entry:
    told = read_json(path)
    if not isinstance(told, dict) or told.get("kind") != "contract":
        raise FileUnreadable(path=path, reason="it is no draft of a contract")
    return make_entry("contract", **{m: v for m, v in told.items() if m not in ("kind", "v")})


def _node_of(approval: Any) -> str:
    return str(approval.get("node")) if isinstance(approval, dict) else ""


def _bundle(client: RegistryClient) -> TrustBundle:
    return TrustBundle.load(client.trust_bundle(), client.genesis, now=utc_now())


def _rows(bundle: TrustBundle) -> Iterator[tuple[Contract, str]]:
    size = bundle.main_checkpoint.size
    in_force = bundle.contracts.in_force(size)
    for name in bundle.contracts:
        versions = bundle.contracts.versions(name)
        for contract in versions:
            if in_force.get(name) is contract:
                yield contract, "in force"
            elif contract.activates > size:
                later = [one for one in versions if one.version > contract.version]
                overtaken = any(one.activates <= contract.activates for one in later)
                yield contract, "overtaken" if overtaken else "waiting"
            else:
                yield contract, "replaced"


def _told(contract: Contract, state: str) -> dict[str, Any]:
    return {
        "name": contract.name,
        "version": contract.version,
        "state": state,
        "index": contract.index,
        "activates": contract.activates,
        "policies": [rule.id for rule in contract.policy.rules],
        "actions": sorted(contract.policy.actions),
        "approvals": list(contract.approvals),
    }


def _history(
    stack: ExitStack, urls: list[str] | None, genesis: Path | None
) -> tuple[Genesis, int, Read]:
    """The chains of an address, each entry proved; else those of this home."""
    import os

    from registry.cli.shared import URL_VARIABLE

    if urls or os.environ.get(URL_VARIABLE) or (home() / ADDRESS_FILE).exists():
        client = stack.enter_context(connect(urls, genesis))
        states: dict[str, Cosigned] = {}

        def fetch(origin: str, start: int, end: int) -> Iterable[bytes]:
            state = states.setdefault(origin, client.cosigned(origin))
            for page in range(start, end, _PAGE):
                for entry in client.entries(origin, page, min(page + _PAGE, end), under=state):
                    yield entry.raw

        main = states[client.genesis.origin] = client.cosigned()
        return client.genesis, main.size, fetch
    pinned = load_genesis(genesis)
    return (pinned, *stack.enter_context(_stores(pinned)))


@contextmanager
def _stores(genesis: Genesis) -> Iterator[tuple[int, Read]]:
    from registry.storage.places import Places

    places = Places.load(home(), genesis.network)
    stores: dict[str, Any] = {}

    def store(origin: str) -> Any:
        if origin not in stores:
            stores[origin] = places.read(origin)
        return stores[origin]

    def read(origin: str, start: int, end: int) -> Iterable[bytes]:
        for _, batch in store(origin).entries(start, end):
            yield from batch

    try:
        yield store(genesis.origin).head().size, read
    finally:
        for opened in stores.values():
            opened.close()
        places.close()


def _print_rehearsal(_: Texts, report: Rehearsal) -> None:
    say(
        _(
            "{judged} entries and {probed} questions were judged by the contract {name}.",
            judged=report.judged,
            probed=report.probed,
            name=report.name,
        )
    )
    if not report.differs:
        say(_("Nothing would be decided otherwise."))
        return
    for one in report.refused:
        say(
            _(
                "It would have refused entry {index} of {origin}, by {submitter}: {reason}",
                index=one.index,
                origin=one.origin,
                submitter=one.submitter,
                reason=translate(one.reason, _.language, "registry"),
            )
        )
    if report.refused_count > len(report.refused):
        say(_("… and {count} more entries.", count=report.refused_count - len(report.refused)))
    for probe in report.probes:
        facts = ", ".join(f"{name}={value}" for name, value in probe.request.context.items())
        told = {
            "action": probe.request.action,
            "principal": f"{probe.request.principal.type} {probe.request.principal.id}",
            "resource": probe.request.resource.id,
            "facts": facts,
        }
        if probe.allowed:
            say(
                _(
                    "It would newly allow {action} to {principal} on {resource} ({facts})",
                    **told,
                )
            )
        else:
            say(
                _(
                    "It would no longer allow {action} to {principal} on {resource} ({facts})",
                    **told,
                )
            )
