"""`zl registry monitor`, `evidence`, `verify`, `export`, `import`, `serve-copy`, `restore`."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from registry.addresses import parse_address, read_addresses
from registry.cli.network import OPERATOR, announce
from registry.cli.nodes import UNSERVED, node_home
from registry.cli.shared import (
    ADDRESS_FILE,
    URL_VARIABLE,
    home,
    load_genesis,
    print_json,
    read_bytes,
    say,
    unlock,
    utc_now,
)
from registry.errors import (
    RegistryAbsent,
    RegistryExists,
    RegistryNotNamed,
    StoreFailed,
)
from registry.genesis import GENESIS_FILE, Genesis
from registry.keyring import load_keys
from registry.node_store import MIRROR_FILE
from schemas.errors import ExitCode
from schemas.home import role_home
from schemas.texts import Texts

COPY: str = "copy"
MONITOR: str = "monitor"
COPY_PORT: int = 7310


def copy_home() -> Path:
    """The folder of a reader's copy."""
    return role_home(COPY)


def add_watching(app: typer.Typer, _: Texts) -> None:
    """Add the commands."""
    as_json = Annotated[bool, typer.Option("--json", help=_("Print JSON for machines."))]
    url = Annotated[
        list[str] | None,
        typer.Option(
            "--registry",
            help=_("Address of the registry; else $ZL_REGISTRY, else the one served from here."),
        ),
    ]
    genesis_file = Annotated[
        Path | None, typer.Option("--genesis", help=_("Genesis file; else that of the home."))
    ]
    passphrase = Annotated[
        Path | None,
        typer.Option("--passphrase-file", help=_("File with the passphrase on its first line.")),
    ]

    @app.command(help=_("Watch the chains from outside; alarms on what should not be."))
    def monitor(
        urls: Annotated[
            list[str] | None,
            typer.Option(
                "--registry",
                help=_("Address of a registry or node to watch; repeat, of several owners."),
            ),
        ] = None,
        genesis: genesis_file = None,
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
        json_: as_json = False,
    ) -> None:
        from registry.alarms import Limits
        from registry.monitor import Monitor

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

    @app.command(help=_("Check a file of evidence that a monitor has kept."))
    def evidence(
        file: Annotated[Path, typer.Argument(help=_("The file; fork-….json."))],
        genesis: genesis_file = None,
        json_: as_json = False,
    ) -> None:
        from registry.evidence import MAX_EVIDENCE_BYTES, Fork

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
        genesis: genesis_file = None,
        json_: as_json = False,
    ) -> None:
        from registry.verification import verify_archive, verify_chains, verify_node

        with _bar(_, json_) as progress:
            if archive is not None:
                pinned = load_genesis(genesis)
                found = verify_archive(archive, pinned, now=utc_now(), progress=progress)
            elif node is not None or copy:
                folder = node_home(node) if node is not None else copy_home()
                pinned = _genesis_of(folder, genesis)
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

    @app.command(help=_("Write chains into one file that verifies with the genesis alone."))
    def export(
        out: Annotated[Path, typer.Argument(help=_("File to write (*.tar)."))],
        chain: Annotated[
            list[str] | None,
            typer.Option(help=_("Only this chain (main, identity, access …); repeat.")),
        ] = None,
        start: Annotated[
            int, typer.Option("--from", min=0, help=_("First entry, of a single chain."))
        ] = 0,
        end: Annotated[
            int | None, typer.Option("--to", min=0, help=_("End of the entries, not included."))
        ] = None,
        node: Annotated[
            str | None, typer.Option(help=_("From the copy of this node, which must not run."))
        ] = None,
        urls: url = None,
        genesis: genesis_file = None,
        json_: as_json = False,
    ) -> None:
        from registry.archive import export as write

        if (start or end is not None) and len(chain or []) != 1:
            raise typer.BadParameter(_("--from and --to need one --chain."))
        folder = node_home(node) if node is not None else None
        pinned = _genesis_of(folder, genesis) if folder else load_genesis(genesis)
        with (
            _bar(_, json_) as progress,
            _holder(pinned, folder, urls) as holder,
            _new_file(out) as stream,
        ):
            done = write(
                holder,
                pinned,
                stream,
                chains=[f"{pinned.network}/{name}" for name in chain or []],
                start=start,
                end=end,
                progress=progress,
            )
        told = {part.origin: [part.start, part.end] for part in done.parts}
        if json_:
            size = out.stat().st_size
            print_json({"file": str(out), "bytes": size, "size": done.main.size, "chains": told})
            return
        for origin, (first, stop) in told.items():
            say(_("{origin}: entries {first} to {stop}", origin=origin, first=first, stop=stop))
        say(_("{path} verifies with the genesis alone.", path=out))

    @app.command("import", help=_("Check an archive and make a reader's copy, or a node's, of it."))
    def import_(
        file: Annotated[Path, typer.Argument(help=_("The archive; it must hold all chains."))],
        node: Annotated[
            str | None, typer.Option(help=_("Into this node, which has no copy yet."))
        ] = None,
        genesis: genesis_file = None,
        json_: as_json = False,
    ) -> None:
        from registry.archive import Archive
        from registry.mirror import Mirror
        from registry.node import ASKING
        from registry.restoring import ArchiveHolder, fill

        folder = node_home(node) if node is not None else copy_home()
        pinned = _genesis_of(folder, genesis)
        if node is not None and (folder / MIRROR_FILE).exists():
            raise RegistryExists(path=folder)
        with (
            _bar(_, json_) as progress,
            Archive.check(
                file, pinned, now=int(utc_now().timestamp()), progress=progress
            ) as archive,
        ):
            holder = ArchiveHolder(archive)  # refuses what is not whole, before anything is made
            _make_folder(folder)
            mirror = Mirror(folder, pinned, now=utc_now)
            try:
                if node is not None and not (folder / UNSERVED).exists():
                    # It may have cosigned more than the archive knows of.
                    mirror.store.set_meta(ASKING, "1")
                fill(mirror, holder)
                sizes = mirror.sizes()
            finally:
                mirror.close()
        if not (folder / GENESIS_FILE).exists():
            pinned.save(folder / GENESIS_FILE)
        if json_:
            print_json({"home": str(folder), "chains": sizes})
            return
        for origin, size in sizes.items():
            say(_("{origin}: {size} entries", origin=origin, size=size))
        say(_("Every entry was checked by the rules. The copy stands in {home}.", home=folder))

    @app.command("serve-copy", help=_("Serve the reader's copy: all that is read, and the page."))
    def serve_copy(
        host: Annotated[str, typer.Option(help=_("Address to listen on."))] = "127.0.0.1",
        port: Annotated[int, typer.Option(help=_("Port; 0 takes a free one."))] = COPY_PORT,
        json_: as_json = False,
    ) -> None:
        from registry.copy_api import build_copy_app
        from registry.mirror import Mirror
        from registry.serving import log_to_stderr
        from registry.serving import serve as listen

        folder = copy_home()
        if not (folder / MIRROR_FILE).exists():
            raise RegistryAbsent(path=folder)
        log_to_stderr()
        mirror = Mirror(folder, _genesis_of(folder, None), now=utc_now)
        try:
            listen(
                build_copy_app(mirror, folder), host, port, lambda where: announce(_, json_, where)
            )
        finally:
            mirror.close()

    @app.command(help=_("Make a sequencer's chains anew after the loss of its disk."))
    def restore(
        source: Annotated[
            str, typer.Argument(help=_("Address of a node, or an archive of all chains."))
        ],
        genesis: Annotated[Path, typer.Option(help=_("Genesis file of the network."))],
        node: Annotated[
            list[str] | None, typer.Option(help=_("NAME=URL of a node; repeat."))
        ] = None,
        without: Annotated[
            list[str] | None,
            typer.Option(help=_("Name of a node that is lost for good; repeat.")),
        ] = None,
        state: Annotated[
            Path | None,
            typer.Option("--monitor", help=_("Folder of a monitor, whose record counts too.")),
        ] = None,
        secret: passphrase = None,
        json_: as_json = False,
    ) -> None:
        from registry.founding import FoundingKeys
        from registry.reading import HttpSource
        from registry.restoring import ask_nodes
        from registry.restoring import restore as bring_back

        folder = home()
        pinned = Genesis.load(genesis)
        if (folder / GENESIS_FILE).exists():
            raise RegistryExists(path=folder)
        found = load_keys(folder, unlock(_, folder, secret))
        keys = FoundingKeys(found.pop(OPERATOR), found).sequencer(pinned.network)
        where = {
            **read_addresses(folder),
            **dict(parse_address(text, pinned) for text in node or []),
        }
        sources = {name: HttpSource(address) for name, address in where.items()}
        try:
            heard = ask_nodes(pinned, sources, without=without or [])
            with _bar(_, json_) as progress, _source(source, pinned, progress) as holder:
                sizes = bring_back(
                    folder,
                    pinned,
                    keys,
                    holder,
                    floor=heard.floor,
                    known=_known_sizes(state, pinned),
                    now=utc_now,
                    progress=progress,
                )
        finally:
            for one in sources.values():
                one.close()
        if json_:
            print_json({"home": str(folder), "chains": sizes, "heard": list(heard.names)})
            return
        for origin, size in sizes.items():
            say(_("{origin}: {size} entries", origin=origin, size=size))
        say(
            _(
                "The sequencer can be served again. {count} nodes have cosigned nothing beyond it.",
                count=len(heard.names),
            )
        )


def addresses(urls: list[str] | None) -> list[str]:
    """The addresses given, else the environment's, else the one on file."""
    found = urls or os.environ.get(URL_VARIABLE, "").split()
    if not found:
        try:
            found = [(home() / ADDRESS_FILE).read_text(encoding="utf-8").strip()]
        except OSError as error:
            raise RegistryNotNamed from error
    return found


# Monitoring


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
        name: "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
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


# Files and folders


def _genesis_of(folder: Path, genesis: Path | None) -> Genesis:
    """The one named, else that of the folder, else that of the home."""
    if genesis is None and (folder / GENESIS_FILE).exists():
        return Genesis.load(folder / GENESIS_FILE)
    return load_genesis(genesis)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreFailed(store=folder.name, reason=os.strerror(error.errno or 0)) from error


@contextmanager
def _new_file(path: Path) -> Iterator[Any]:
    """A file that is there whole or not at all."""
    unfinished = path.with_name(f".{path.name}.new")
    try:
        with unfinished.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise StoreFailed(store=path.name, reason=os.strerror(error.errno or 0)) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


@contextmanager
def _holder(genesis: Genesis, folder: Path | None, urls: list[str] | None) -> Iterator[Any]:
    """Who shows the chains to an export: a node's copy, an address, or this home's stores."""
    from registry.holders import AddressHolder, ReaderHolder, home_holder
    from registry.mirror import Mirror
    from registry.reading import HttpSource

    if folder is not None:
        mirror = Mirror(folder, genesis, now=utc_now)
        try:
            yield ReaderHolder(mirror.reader)
        finally:
            mirror.close()
    elif urls or os.environ.get(URL_VARIABLE):
        source = HttpSource(addresses(urls)[0])
        try:
            yield AddressHolder(source)
        finally:
            source.close()
    else:
        with home_holder(home(), genesis) as holder:
            yield holder


@contextmanager
def _source(source: str, genesis: Genesis, progress: Any) -> Iterator[Any]:
    """Who shows the chains to a restoration: an address or an archive."""
    from registry.archive import Archive
    from registry.holders import AddressHolder
    from registry.reading import HttpSource
    from registry.restoring import ArchiveHolder

    if source.startswith(("http://", "https://")):
        node = HttpSource(source)
        try:
            yield AddressHolder(node)
        finally:
            node.close()
        return
    moment = int(utc_now().timestamp())
    with Archive.check(Path(source), genesis, now=moment, progress=progress) as archive:
        yield ArchiveHolder(archive)


def _known_sizes(state: Path | None, genesis: Genesis) -> dict[str, int]:
    if state is None:
        return {}
    from registry.monitor_state import WatchState

    watched = WatchState(state, genesis)
    try:
        return watched.sizes()
    finally:
        watched.close()


@contextmanager
def _bar(_: Texts, as_json: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr for each thing that is under way."""
    from registry.verification import REPLAY

    console = Console(stderr=True)
    hidden = as_json or not console.is_terminal
    with Progress(console=console, transient=True, disable=hidden) as bar:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, whole: int) -> None:
            if what not in tasks:
                label = _("the rules") if what == REPLAY else what
                tasks[what] = bar.add_task(label, total=whole)
            bar.update(tasks[what], completed=done, total=whole)

        yield progress


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
