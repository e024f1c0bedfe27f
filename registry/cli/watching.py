"""`zl registry monitor`, `evidence`, `verify`."""

import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.cli.copies import copy_home, genesis_of, progress_bar
from registry.cli.nodes import node_home
from registry.cli.options import GenesisFile, RegistryUrls
from registry.cli.shared import (
    addresses,
    connect,
    home,
    load_genesis,
    print_json,
    read_bytes,
    say,
    utc_now,
)
from schemas.errors import ExitCode, printable
from schemas.home import role_home
from schemas.options import AsJson
from schemas.texts import Texts, translate

MONITOR: str = "monitor"


def add_watching(app: typer.Typer, _: Texts) -> None:
    """Add the commands."""

    @app.command(help=_("Watch the chains from outside; alarms on what should not be."))
    def monitor(
        urls: Annotated[
            list[str] | None,
            typer.Option(
                "--registry",
                help=_("Address of a registry or node to watch; repeat, of several owners."),
            ),
        ] = None,
        genesis: GenesisFile = None,
        state: Annotated[
            Path | None, typer.Option(help=_("Folder of the monitor's record and evidence."))
        ] = None,
        once: Annotated[bool, typer.Option("--once", help=_("Look once, for cron."))] = False,
        interval: Annotated[
            float, typer.Option(min=0.1, help=_("Seconds between two looks."))
        ] = 30.0,
        full: Annotated[
            bool, typer.Option("--full", help=_("Check every entry by the rules, as a node does."))
        ] = False,
        stall: Annotated[
            int, typer.Option(min=1, help=_("Seconds without a quorum that are a stall."))
        ] = 300,
        lag: Annotated[
            int, typer.Option(min=1, help=_("Seconds by which a node may be behind the quorum."))
        ] = 300,
        json_: AsJson = False,
    ) -> None:
        from registry.watching.alarms import Limits
        from registry.watching.monitor import Monitor

        watch = Monitor(
            load_genesis(genesis),
            addresses(urls),
            state or role_home(MONITOR),
            now=utc_now,
            limits=Limits(stall, lag),
            full=full,
        )
        try:
            code = _look_once(_, watch, json_) if once else _keep_looking(_, watch, interval, json_)
        finally:
            watch.close()
        raise typer.Exit(int(code))

    @app.command(
        help=_("Check evidence: a file that a monitor has kept, or two contradicting bundles.")
    )
    def evidence(
        file: Annotated[Path, typer.Argument(help=_("The file; fork-….json, or a bundle."))],
        other: Annotated[
            Path | None, typer.Argument(help=_("The other bundle, where the file is one."))
        ] = None,
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        json_: AsJson = False,
    ) -> None:
        if other is not None:
            _check_bundles(_, (file, other), urls, genesis, json_)
            return
        from registry.trust.evidence import MAX_EVIDENCE_BYTES, Fork

        fork = Fork.parse(read_bytes(file, MAX_EVIDENCE_BYTES))
        older, newer = fork.verify(load_genesis(genesis))
        if json_:
            print_json(
                {
                    "proven": True,
                    "origin": older.origin,
                    "sizes": [older.size, newer.size],
                    "roots": [older.root.hex(), newer.root.hex()],
                }
            )
            return
        say(
            _(
                "Proven: {origin} has two trees. One of {older} entries was vouched for, and one "
                "of {newer} entries that does not begin with it.",
                origin=older.origin,
                older=older.size,
                newer=newer.size,
            )
        )

    @app.command(help=_("Check all chains of this home from their bytes, rules and signatures."))
    def verify(
        node: Annotated[
            str | None, typer.Option(help=_("Check the copy of this node instead."))
        ] = None,
        copy: Annotated[
            bool, typer.Option("--copy", help=_("Check the reader's copy instead."))
        ] = False,
        archive: Annotated[Path | None, typer.Option(help=_("Check this archive instead."))] = None,
        genesis: GenesisFile = None,
        json_: AsJson = False,
    ) -> None:
        from registry.watching.verification import verify_archive, verify_chains, verify_node

        with progress_bar(_, json_) as progress:
            if archive is not None:
                pinned = load_genesis(genesis)
                found = verify_archive(archive, pinned, now=utc_now(), progress=progress)
            elif node is not None or copy:
                folder = node_home(node) if node is not None else copy_home()
                pinned = genesis_of(folder, genesis)
                found = verify_node(folder, pinned, now=utc_now(), progress=progress)
            else:
                found = verify_chains(
                    home(), load_genesis(genesis), now=utc_now(), progress=progress
                )
        sound = all(not chain["findings"] for chain in found)
        if json_:
            print_json({"sound": sound, "chains": found})
        else:
            _print_findings(_, found)
        if not sound:
            raise typer.Exit(int(ExitCode.REJECTED))


def _check_bundles(
    _: Texts,
    files: tuple[Path, Path],
    urls: list[str] | None,
    genesis: Path | None,
    json_: bool,
) -> None:
    """Whether two bundles contradict each other; by the tiles, too, where an address is named."""
    from registry.errors import EvidenceInvalid, HistoryRewritten
    from registry.trust import TrustBundle
    from registry.trust.container import MAX_BUNDLE_BYTES
    from registry.trust.continuity import check_continues, close_gaps

    pinned = load_genesis(genesis)
    one, two = (
        TrustBundle.load(read_bytes(path, MAX_BUNDLE_BYTES), pinned, now=utc_now())
        for path in files
    )
    try:
        gaps = check_continues(one, two)
        if gaps and addresses(urls, needed=False):
            with connect(urls, genesis) as client:
                close_gaps(gaps, client.root_at)
    except HistoryRewritten as error:
        origin, size = str(error.params["chain"]), int(str(error.params["size"]))
    else:
        raise EvidenceInvalid(reason="the two bundles agree in what they show")
    if json_:
        print_json({"proven": True, "origin": origin, "size": size})
        return
    say(
        _(
            "Proven: a quorum cosigned two histories of {origin}. One bundle shows {size} entries "
            "with which the chain of the other does not begin.",
            origin=origin,
            size=size,
        )
    )


def _look_once(_: Texts, watch: Any, as_json: bool) -> ExitCode:
    found = watch.look()
    if as_json:
        print_json(found.to_json())
        return ExitCode(found.exit_code)
    for alarm in found.alarms:
        say(_alarm(_, alarm))
    if not found.alarms:
        for origin, told in found.chains.items():
            say(_("{origin}: {size} entries, fine", origin=origin, size=told.get("size", 0)))
    return ExitCode(found.exit_code)


def _keep_looking(_: Texts, watch: Any, interval: float, as_json: bool) -> ExitCode:
    """Until a signal ends it. Alarms are told when they begin and when they end."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_args: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    code = ExitCode.DONE
    open_: dict[Any, Any] = {}
    try:
        while not stop.is_set():
            found = watch.look()
            if found.exit_code is ExitCode.REJECTED:
                code = ExitCode.REJECTED
            now = {alarm.key: alarm for alarm in found.alarms}
            if as_json:
                print_json(found.to_json())
            else:
                for key in open_.keys() - now.keys():
                    say(_("over: {alarm}", alarm=_text(_, open_[key])))
                for key in now.keys() - open_.keys():
                    say(_alarm(_, now[key]))
            open_ = now
            stop.wait(interval)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code


def _text(_: Texts, alarm: Any) -> str:
    # What an address or a node has said is a stranger's word.
    shown = {
        name: translate(str(printable(value)), _.language, "registry")
        if isinstance(value, str)
        else value
        for name, value in alarm.params.items()
    }
    return _(alarm.said, **shown)


def _alarm(_: Texts, alarm: Any) -> str:
    text = _text(_, alarm)
    if alarm.evidence is not None and str(alarm.evidence) not in text:
        text = _("{text} (evidence: {path})", text=text, path=alarm.evidence)
    if alarm.proven:
        return _("ALARM, proven [{kind}]: {text}", kind=alarm.kind, text=text)
    return _("ALARM [{kind}]: {text}", kind=alarm.kind, text=text)


def _print_findings(_: Texts, chains: list[dict[str, Any]]) -> None:
    for chain in chains:
        if not chain["findings"]:
            if chain.get("rules") is False:
                said = _(
                    "{origin}: entries {first} to {stop} of {size}, all sound; the rules need all "
                    "chains and were not checked.",
                    origin=chain["origin"],
                    first=chain["start"],
                    stop=chain["end"],
                    size=chain["size"],
                )
            else:
                said = _(
                    "{origin}: {size} entries, all sound.",
                    origin=chain["origin"],
                    size=chain["size"],
                )
            say(said)
        for finding in chain["findings"]:
            say(
                _(
                    "{origin}: {damage} at {where}",
                    origin=chain["origin"],
                    damage=finding["damage"],
                    where=finding["where"],
                )
            )
