"""`zl registry export`, `import`, `serve-copy`, `restore`: archives and copies."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from registry.cli.network import OPERATOR, announce
from registry.cli.nodes import UNSERVED, node_home
from registry.cli.options import GenesisFile, RegistryUrls
from registry.cli.shared import (
    URL_VARIABLE,
    addresses,
    home,
    load_genesis,
    print_json,
    say,
    unlock,
    utc_now,
)
from registry.errors import (
    RegistryAbsent,
    RegistryExists,
    StoreFailed,
)
from registry.keyring import load_keys
from registry.ledger.genesis import GENESIS_FILE, Genesis
from registry.nodes.store import MIRROR_FILE
from registry.sequencing.addresses import parse_address, read_addresses
from schemas.home import role_home
from schemas.options import AsJson, PassphraseFile
from schemas.texts import Texts

COPY: str = "copy"
COPY_PORT: int = 7310


def copy_home() -> Path:
    """The folder of a reader's copy."""
    return role_home(COPY)


def add_copies(app: typer.Typer, _: Texts) -> None:
    """Add the commands."""

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
        urls: RegistryUrls = None,
        genesis: GenesisFile = None,
        json_: AsJson = False,
    ) -> None:
        from registry.archive import export as write

        if (start or end is not None) and len(chain or []) != 1:
            raise typer.BadParameter(_("--from and --to need one --chain."))
        folder = node_home(node) if node is not None else None
        pinned = genesis_of(folder, genesis) if folder else load_genesis(genesis)
        with (
            progress_bar(_, json_) as progress,
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
        genesis: GenesisFile = None,
        json_: AsJson = False,
    ) -> None:
        from registry.archive import Archive
        from registry.nodes.mirror import Mirror
        from registry.nodes.node import ASKING
        from registry.sequencing.restoring import ArchiveHolder, fill

        folder = node_home(node) if node is not None else copy_home()
        pinned = genesis_of(folder, genesis)
        if node is not None and (folder / MIRROR_FILE).exists():
            raise RegistryExists(path=folder)
        with (
            progress_bar(_, json_) as progress,
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
        json_: AsJson = False,
    ) -> None:
        from registry.nodes.copy_api import build_copy_app
        from registry.nodes.mirror import Mirror
        from registry.web.serving import log_to_stderr
        from registry.web.serving import serve as listen

        folder = copy_home()
        if not (folder / MIRROR_FILE).exists():
            raise RegistryAbsent(path=folder)
        log_to_stderr()
        mirror = Mirror(folder, genesis_of(folder, None), now=utc_now)
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
        secret: PassphraseFile = None,
        json_: AsJson = False,
    ) -> None:
        from registry.reading.sources import HttpSource
        from registry.sequencing.founding import FoundingKeys
        from registry.sequencing.restoring import ask_nodes
        from registry.sequencing.restoring import restore as bring_back

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
            with progress_bar(_, json_) as progress, _source(source, pinned, progress) as holder:
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


def genesis_of(folder: Path, genesis: Path | None) -> Genesis:
    """The one named, else that of the folder, else that of the home."""
    if genesis is None and (folder / GENESIS_FILE).exists():
        return Genesis.load(folder / GENESIS_FILE)
    return load_genesis(genesis)


@contextmanager
def progress_bar(_: Texts, as_json: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr for each thing that is under way."""
    from registry.watching.verification import REPLAY

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
    from registry.nodes.mirror import Mirror
    from registry.reading.holders import AddressHolder, ReaderHolder, home_holder
    from registry.reading.sources import HttpSource

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
    from registry.reading.holders import AddressHolder
    from registry.reading.sources import HttpSource
    from registry.sequencing.restoring import ArchiveHolder

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
    from registry.watching.state import WatchState

    watched = WatchState(state, genesis)
    try:
        return watched.sizes()
    finally:
        watched.close()
