"""Checking chains from their bytes: a sequencer's home, a node's copy, an archive.

Two passes. The first (`registry.engine.fsck`, `registry.nodes.check`, `registry.archive`) finds
damage: every entry, tile, root and index row. The second replays the rules as a node does, compares
every commitment of the main chain with its side chain, and checks the quorum of the published main
checkpoint. So it also finds what a dishonest operator wrote consistently. Only what the quorum has
cosigned can rule out that everything was replaced by another consistent history.

Memory is bounded: entries pass by, and what stays is the right edge of each tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from registry.archive import Archive
from registry.contracts.following import Follower, Read
from registry.engine.fsck import Report, check_store
from registry.errors import ArchiveForged, ArchiveMalformed, RegistryError
from registry.ledger.entries import Entry
from registry.ledger.genesis import Genesis
from registry.nodes.check import check_copy, open_copy
from registry.reading.holders import HomeHolder, home_holder
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.note import VerifierKey

Progress = Callable[[str, int, int], None]
"""Told of what is under way: origin, entries done, entries in all."""
REPLAY = "rules"
"""What `Progress` is told in place of an origin while the rules are replayed."""


def _silent(_what: str, _done: int, _all: int) -> None:
    """Nobody watches."""


def verify_chains(
    home: Path,
    genesis: Genesis,
    *,
    now: datetime,
    progress: Progress = _silent,
    expected: Iterable[Checkpoint] = (),
) -> list[dict[str, Any]]:
    """What is wrong with each chain under `home`: origin, size and findings, main chain first.

    `expected`: checkpoints known from elsewhere (nodes, monitors) that the chains must contain.
    """
    known = list(expected)
    with home_holder(home, genesis) as holder:
        main = _report(holder, genesis.origin, genesis.log_keys, known, progress)
        follower = Follower(genesis)
        try:
            _replay(follower, holder.entries, holder.view(genesis.origin).checkpoint, now, progress)
            published = holder.tiles(genesis.origin).read_checkpoint()
            if published is not None:
                genesis.policy.check(published, origin=genesis.origin, now=int(now.timestamp()))
        except RegistryError as error:
            main["findings"].append({"damage": error.code, "where": str(error)})
        reports = [main]
        for origin, chain in follower.governance.chains.items():
            side = follower.progress.get(origin)
            recorded = (
                [Checkpoint(origin, side.size, side.frontier.root())] if side and side.size else []
            )
            reports.append(_report(holder, origin, chain.log_keys, [*known, *recorded], progress))
    return reports


def verify_node(
    folder: Path, genesis: Genesis, *, now: datetime, progress: Progress = _silent
) -> list[dict[str, Any]]:
    """The same of the copy that a node keeps in `folder`; the node may be running."""
    with open_copy(folder, genesis) as copy:
        follower = Follower(genesis)
        trouble: RegistryError | None = None
        row = copy.chains.get(genesis.origin)
        if row is not None:
            checkpoint = Checkpoint(genesis.origin, row[1], row[2])
            try:
                _replay(follower, copy.entries, checkpoint, now, progress)
            except RegistryError as error:
                trouble = error

        def keys(origin: str) -> Sequence[VerifierKey]:
            if origin == genesis.origin:
                return genesis.log_keys
            chain = follower.governance.chains.get(origin)
            return chain.log_keys if chain is not None else ()

        reports = [_told(report) for report in check_copy(copy, keys=keys, progress=progress)]
        if trouble is not None:
            reports[0]["findings"].append({"damage": trouble.code, "where": str(trouble)})
        return reports


def verify_archive(
    path: Path, genesis: Genesis, *, now: datetime, progress: Progress = _silent
) -> list[dict[str, Any]]:
    """The same of an archive. The rules are replayed only where it holds all chains."""
    try:
        with Archive.check(path, genesis, now=int(now.timestamp()), progress=progress) as archive:
            reports: list[dict[str, Any]] = [
                {
                    "origin": origin,
                    "size": held.part.size,
                    "start": held.part.start,
                    "end": held.part.end,
                    "findings": [],
                    "rules": archive.whole,
                }
                for origin, held in archive.chains.items()
            ]
            if archive.whole and archive.main is not None:
                main = archive.main.checkpoint
                try:
                    _replay(Follower(genesis), archive.entries, main, now, progress)
                except RegistryError as error:
                    reports[0]["findings"].append({"damage": error.code, "where": str(error)})
            return reports
    except (ArchiveForged, ArchiveMalformed) as error:
        finding = {"damage": error.code, "where": str(error)}
        return [{"origin": str(path.name), "size": 0, "findings": [finding]}]


def _replay(
    follower: Follower, read: Read, checkpoint: Checkpoint, now: datetime, progress: Progress
) -> None:
    done = 0

    def counted(origin: str, start: int, end: int) -> Iterator[bytes]:
        nonlocal done
        for raw in read(origin, start, end):
            yield raw
            if origin == checkpoint.origin:
                done += 1
                if done % 1024 == 0:
                    progress(REPLAY, done, checkpoint.size)

    def keep(origin: str, index: int, leaves: Sequence[Entry]) -> None:
        """Nothing: this replay only checks."""

    follower.advance(checkpoint.size, checkpoint.root, read=counted, keep=keep, now=now)
    progress(REPLAY, checkpoint.size, checkpoint.size)


def _report(
    holder: HomeHolder,
    origin: str,
    log_keys: Iterable[VerifierKey],
    expected: Iterable[Checkpoint],
    progress: Progress,
) -> dict[str, Any]:
    try:
        store = holder.store(origin)
        try:
            report = check_store(
                store,
                holder.tiles(origin),
                log_keys=log_keys,
                expected=[known for known in expected if known.origin == origin],
                progress=lambda done, whole: progress(origin, done, whole),
            )
        finally:
            store.close()
    except RegistryError as error:
        finding = {"damage": error.code, "where": str(error)}
        return {"origin": origin, "size": 0, "findings": [finding]}
    return _told(report)


def _told(report: Report) -> dict[str, Any]:
    return {
        "origin": report.origin,
        "size": report.size,
        "root": report.root.hex(),
        "tiles": report.tiles,
        "checkpoints": report.checkpoints,
        "findings": [{"damage": str(f.damage), "where": f.where} for f in report.findings],
    }
