"""Copies of the chains from an archive or a node, and a sequencer's home after the loss of its
disk.

`copy` fills a checked copy (`registry.nodes.mirror`): every entry is replayed under the rules, so
what is in the copy is what a node would have cosigned. `restore` makes the stores of a sequencer
out of such a copy, never below what any node has cosigned.

**Never two trees.** A log that starts again below a checkpoint that it has signed would sign
another tree for sizes that exist. So every node of the genesis is asked for the largest tree that
it has cosigned, and all must answer, but those that the operator names as lost for good; the
source must hold all of that, and nothing is served before. What remains: a side chain's log may
have signed a tree that the main chain did not commit to yet, and nobody asked here knows of it.
Whoever kept such a checkpoint holds it against the restored log; a monitor's record can be given
and is then asked, too. Entries that were acknowledged and not yet cosigned are lost with the disk:
their submitters still have them, and submit them again. The record does not know the checkpoints
before the last one: until the unfinished tile of a chain is full, a folder or bucket of its tiles
that is served as it is lacks the narrower ones of earlier sizes; our servers cut them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from registry.archive import Archive, Holder
from registry.engine.log import Log
from registry.engine.view import LogView
from registry.errors import (
    ChainInvalid,
    KeyMissing,
    RegistryError,
    RegistryExists,
    RegistryUnreachable,
    RestoreRefused,
)
from registry.ledger.genesis import GENESIS_FILE, Genesis
from registry.nodes.mirror import Mirror
from registry.reading.sources import HttpSource
from registry.sequencing.chain import SequencerKeys
from registry.storage import Commit
from registry.storage.places import SQLITE, Places
from registry.tlog.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from registry.tlog.merkle import Frontier, leaf_hash
from registry.tlog.tiles import encode_bundle
from schemas.errors import Phrase

STAGING: Final = ".restoring"
_COMMIT: Final = 4096  # entries of one commit of a restored log

Progress = Callable[[str, int, int], None]


def fill(
    mirror: Mirror,
    holder: Holder,
    *,
    floor: SignedCheckpoint | None = None,
) -> int:
    """Replay everything that `holder` shows into `mirror`; returns the main chain's size.

    Up to its cosigned checkpoint, or to `floor` where that is larger. Raises ChainInvalid,
    QuorumMissing, RestoreRefused when it does not reach so far, and what `holder` raises.
    """
    genesis = mirror.genesis
    note = holder.checkpoint(genesis.origin)
    if note is None:
        raise RestoreRefused(reason="the source has no cosigned checkpoint")
    cosigned = genesis.policy.check(note, origin=genesis.origin)
    target: Checkpoint = cosigned.checkpoint
    if floor is not None and floor.size > target.size:
        target = floor.checkpoint
    if floor is not None and floor.size == cosigned.size and floor.root != cosigned.root:
        raise RestoreRefused(reason="the source and a node hold two trees of one size")
    if mirror.size < target.size:
        try:
            mirror.advance(target.size, target.root, read=holder.entries)
        except RegistryUnreachable as error:
            raise RestoreRefused(
                reason=Phrase(
                    "the source does not show the {size} entries that nodes cosigned",
                    size=target.size,
                )
            ) from error
        mirror.commit()
    if mirror.root_at(target.size) != target.root or mirror.root_at(cosigned.size) != cosigned.root:
        raise ChainInvalid(origin=genesis.origin, index=target.size, reason="another tree")
    if floor is not None and floor.size < target.size and mirror.root_at(floor.size) != floor.root:
        raise RestoreRefused(reason="the source's tree does not continue what a node cosigned")
    mirror.store.publish(genesis.origin, cosigned.size, cosigned.time_s or 0, note)
    for digest in sorted(_named(mirror)):
        data = holder.document(digest)
        if data is not None:
            mirror.store.keep_document(digest, data)
    return target.size


def _named(mirror: Mirror) -> set[str]:
    catalogue = mirror.catalogue
    return {
        entry["digest"]
        for origin, size in mirror.sizes().items()
        for _, entry in catalogue.lists(origin, size).values()
    }


class ArchiveHolder:
    """A verified archive of whole chains, as whoever shows them."""

    def __init__(self, archive: Archive) -> None:
        """Raises ArchivePartial unless it holds all chains."""
        archive.need_all()
        self._archive = archive

    def entries(self, origin: str, start: int, end: int) -> Iterable[bytes]:
        held = self._archive.chains.get(origin)
        if held is None or end > held.part.end:
            raise RegistryUnreachable(
                reason=Phrase("the archive does not hold so much of {origin}", origin=origin)
            )
        return self._archive.entries(origin, start, end)

    def tile(self, origin: str, tile: object) -> list[bytes]:
        raise RegistryUnreachable(reason="an archive is read entry by entry")

    def checkpoint(self, origin: str) -> bytes | None:
        main = self._archive.main
        return main.data if main is not None and origin == main.origin else None

    def commitment(self, origin: str) -> bytes | None:
        held = self._archive.chains.get(origin)
        return held.proof or None if held is not None else None

    def document(self, digest: str) -> bytes | None:
        return self._archive.document(digest)


@dataclass(frozen=True)
class Heard:
    """What the nodes said: the largest tree that any of them has cosigned, and who was heard."""

    floor: SignedCheckpoint | None
    names: tuple[str, ...]


def ask_nodes(
    genesis: Genesis, sources: Mapping[str, HttpSource], *, without: Iterable[str] = ()
) -> Heard:
    """Ask every node what it has cosigned. Raises RestoreRefused when one does not say.

    `without`: nodes that are lost for good. As many must be left as make a quorum, so one of them
    belongs to every quorum that ever was.
    """
    lost = set(without)
    floor: SignedCheckpoint | None = None
    heard = []
    for node in genesis.nodes:
        if node.name in lost:
            continue
        source = sources.get(node.name)
        if source is None:
            raise RestoreRefused(
                reason=Phrase("no address of the node {name} is known", name=node.name)
            )
        try:
            note = source.monitored(genesis.origin)
            found = None
            if note is not None:
                found = open_checkpoint(note, genesis.origin, genesis.log_keys, node.keys)
        except RegistryError as error:
            raise RestoreRefused(
                reason=Phrase(
                    "the node {name} does not say what it has cosigned ({code})",
                    name=node.name,
                    code=error.code,
                )
            ) from error
        heard.append(node.name)
        if found is None:
            continue
        if not found.cosignatures:
            raise RestoreRefused(
                reason=Phrase("the node {name} shows nothing that it has cosigned", name=node.name)
            )
        if floor is not None and floor.size == found.size and floor.root != found.root:
            raise RestoreRefused(reason="two nodes have cosigned two trees of one size")
        if floor is None or found.size > floor.size:
            floor = found
    if len(heard) < genesis.quorum:
        raise RestoreRefused(reason="fewer nodes are left than make a quorum")
    return Heard(floor, tuple(heard))


def restore(
    home: Path,
    genesis: Genesis,
    keys: SequencerKeys,
    holder: Holder,
    *,
    floor: SignedCheckpoint | None,
    known: Mapping[str, int] | None = None,
    places: Places | None = None,
    now: Callable[[], datetime],
    progress: Progress = lambda _origin, _done, _all: None,
) -> dict[str, int]:
    """Make the stores of the sequencer in `home` out of what `holder` shows; sizes by origin.

    `known`: sizes of side chains that somebody (a monitor) has seen signed; the restored ones must
    reach them. Nothing counts before the genesis file is written, at the very end. Raises
    RegistryExists, RestoreRefused, KeyMissing, and what `fill` raises.
    """
    if (home / GENESIS_FILE).exists():
        raise RegistryExists(path=home)
    places = places or Places.load(home, genesis.network)
    staging = home / STAGING
    again = staging.exists()  # an attempt that did not end: what it wrote never counted
    staging.mkdir(parents=True, exist_ok=True)
    mirror = Mirror(staging, genesis, now=now)
    try:
        fill(mirror, holder, floor=floor)
        sizes = mirror.sizes()
        chains = mirror.follower.governance.chains
        for origin, size in (known or {}).items():
            if origin in chains and size > sizes.get(origin, 0):
                raise RestoreRefused(
                    reason=Phrase(
                        "{origin} was seen with {size} entries, and here are {found}; "
                        "register its next epoch instead",
                        origin=origin,
                        size=size,
                        found=sizes.get(origin, 0),
                    )
                )
        signers = {genesis.origin: genesis.log_keys}
        signers |= {origin: chain.log_keys for origin, chain in chains.items()}
        for origin, log_keys in signers.items():
            if keys.find(origin) is None:
                raise KeyMissing(origin=origin)
            if keys.signer(origin).key not in log_keys:
                raise RestoreRefused(
                    reason=Phrase(
                        "the key of {origin} is another than the chain names", origin=origin
                    )
                )
        for origin in signers:
            view = mirror.reader.views.get(origin)
            if again and places.of(origin).store == SQLITE:
                shutil.rmtree(places.folder(origin), ignore_errors=True)
            _write(places, origin, view, mirror, keys, progress)
        tiles = places.tiles(genesis.origin)
        for digest in sorted(_named(mirror)):
            data = mirror.store.document(digest)
            if data is not None:
                tiles.put_document(f"{digest}.json", data)
    finally:
        mirror.close()
    shutil.rmtree(staging)
    genesis.save(home / GENESIS_FILE)  # last: its presence says that the rest is there
    return {origin: sizes.get(origin, 0) for origin in signers}


def _write(
    places: Places,
    origin: str,
    view: LogView | None,
    mirror: Mirror,
    keys: SequencerKeys,
    progress: Progress,
) -> None:
    """One chain: its commits, its tiles, and the checkpoint that was published."""
    places.create(origin)
    opened = places.open(origin)
    size = view.size if view is not None else 0
    frontier = Frontier()
    try:
        for start in range(0, size, _COMMIT):
            assert view is not None  # noqa: S101 - its size is not 0
            rows = view.entries(start, min(start + _COMMIT, size))
            leaves = [leaf_hash(row) for row in rows]
            after = frontier.copy()
            after.extend(leaves)
            moment = int(mirror.genesis.created.timestamp())  # nobody vouches for these times
            opened.store.append(Commit(frontier, after, encode_bundle(rows), leaves, moment))
            frontier = after
            progress(origin, frontier.size, size)
    except BaseException:
        opened.store.close()
        opened.lease.release()
        raise
    with Log.over(opened, signer=keys.signer(origin)) as log:
        if view is not None and log.view.root_at(size) != view.root_at(size):
            raise ChainInvalid(origin=origin, index=size, reason="it was not copied as it is")
        note = mirror.store.published(origin) if origin == mirror.genesis.origin else None
        if note is not None:
            log.publish(note)
        elif size and origin != mirror.genesis.origin:
            log.tick()
