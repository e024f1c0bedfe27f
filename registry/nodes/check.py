"""Check a node's copy from its bytes, as `registry.engine.fsck` does with a sequencer's logs.

Every stored entry is hashed again, every tile is compared with what the entries make of it, every
chain's root and right edge with its record, every note with its signatures and with the tree at
its size, every status list with its digest, and the index of leaves with the entries. It reads one
snapshot of the file, so the node may be running.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from registry.engine.fsck import Damage, Report, mark
from registry.errors import (
    BundleMalformed,
    EntryCorrupt,
    RegistryError,
    StoreCorrupt,
    StoreFailed,
    StoreMissing,
)
from registry.ledger.genesis import Genesis
from registry.ledger.members import document_digest
from registry.limits import HASH_BYTES
from registry.nodes.store import MIRROR_FILE
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.merkle import Frontier, leaf_hash
from registry.tlog.note import Note
from registry.tlog.tiles import WIDTH, Tile, TileStack, bundle_of, decode_bundle, split_hashes
from schemas.errors import Phrase

Progress = Callable[[str, int, int], None]
_FLOOR = "floor"


class NodeCopy:
    """One snapshot of a node's file, for reading only."""

    def __init__(self, db: sqlite3.Connection, genesis: Genesis) -> None:
        """Use `open_copy`."""
        self._db = db
        self.genesis = genesis
        self.chains: dict[str, tuple[int, int, bytes, bytes]] = {
            origin: (chain, size, bytes(root), bytes(frontier))
            for chain, origin, size, root, frontier in db.execute(
                "SELECT id, origin, size, root, frontier FROM chains"
            )
        }

    def row(self, chain: int, tile: Tile) -> tuple[int, bytes] | None:
        """Width and bytes of a stored tile."""
        found = self._db.execute(
            "SELECT width, data FROM tiles WHERE chain = ? AND level = ? AND idx = ?",
            (chain, tile.level, tile.index),
        ).fetchone()
        return (int(found[0]), bytes(found[1])) if found else None

    def entries(self, origin: str, start: int, end: int) -> Iterator[bytes]:
        """Entries [start, end) as they are stored; raises EntryCorrupt."""
        if origin not in self.chains:
            raise StoreCorrupt(store=MIRROR_FILE, reason="a chain is missing")
        chain, size, _, _ = self.chains[origin]
        for index in range(start // WIDTH, (min(end, size) + WIDTH - 1) // WIDTH):
            rows = self.bundle(chain, size, index)
            first = index * WIDTH
            yield from rows[max(start - first, 0) : max(min(end - first, WIDTH), 0)]

    def bundle(self, chain: int, size: int, index: int) -> list[bytes]:
        """The entries of one bundle; raises EntryCorrupt."""
        width = min(WIDTH, size - index * WIDTH)
        found = self.row(chain, bundle_of(index, width))
        if found is None or found[0] != width:
            raise EntryCorrupt(index=index * WIDTH)
        try:
            return decode_bundle(found[1], width)
        except BundleMalformed as error:
            raise EntryCorrupt(index=index * WIDTH) from error

    def notes(self) -> Iterator[tuple[str, str, bytes]]:
        """Every note on record: what it is, origin, bytes."""
        for origin, note in self._db.execute("SELECT origin, note FROM published"):
            yield "published", origin, bytes(note)
        for origin, note in self._db.execute("SELECT origin, note FROM cosigned"):
            yield "cosigned", origin, bytes(note)
        for (text,) in self._db.execute("SELECT value FROM meta WHERE name = ?", (_FLOOR,)):
            yield "floor", self.genesis.origin, base64.b64decode(text)

    def documents(self) -> Iterator[tuple[str, bytes]]:
        yield from self._db.execute("SELECT digest, data FROM documents")

    def leaves(self, chain: int) -> Iterator[tuple[bytes, int]]:
        yield from self._db.execute("SELECT leaf, position FROM leaves WHERE chain = ?", (chain,))

    def tile_count(self, chain: int) -> int:
        (count,) = self._db.execute(
            "SELECT count(*) FROM tiles WHERE chain = ?", (chain,)
        ).fetchone()
        return int(count)

    def damage(self) -> str | None:
        """What SQLite itself finds wrong, or None."""
        rows = self._db.execute("PRAGMA quick_check(1)").fetchall()
        return None if rows == [("ok",)] else str(rows[0][0])


@contextmanager
def open_copy(folder: Path, genesis: Genesis) -> Iterator[NodeCopy]:
    """A snapshot of the node's file in `folder`. Raises StoreMissing, StoreCorrupt, StoreFailed."""
    path = folder / MIRROR_FILE
    if not path.is_file():
        raise StoreMissing(store=folder.name)
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=5, isolation_level=None)) as db:
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute("BEGIN")  # one snapshot, however long it takes
            yield NodeCopy(db, genesis)
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        if isinstance(error, sqlite3.OperationalError):
            raise StoreFailed(
                store=folder.name, reason=Phrase("SQLite says {name}", name=name)
            ) from error
        raise StoreCorrupt(
            store=folder.name, reason=Phrase("SQLite says {name}", name=name)
        ) from error


def check_copy(
    copy: NodeCopy,
    *,
    keys: Callable[[str], Iterable[Any]],
    progress: Progress = lambda _origin, _done, _all: None,
) -> list[Report]:
    """What is wrong with each chain; the main one first. `keys(origin)` verify its log's notes."""
    genesis = copy.genesis
    reports = {origin: Report(origin, size=row[1]) for origin, row in copy.chains.items()}
    main = reports.setdefault(genesis.origin, Report(genesis.origin))
    damage = copy.damage()
    if damage is not None:
        main.add(Damage.DATABASE, damage)
    stops: dict[str, list[tuple[int, bytes, str]]] = {}
    for what, origin, note in copy.notes():
        report = reports.setdefault(origin, Report(origin))
        report.checkpoints += 1
        try:
            cosigners = [key for node in genesis.nodes for key in node.keys]
            log_keys = list(keys(origin))
            if log_keys:
                checkpoint = open_checkpoint(note, origin, log_keys, cosigners).checkpoint
            else:
                checkpoint = Checkpoint.parse(Note.parse(note).text)
            if what == "published" and origin == genesis.origin:
                genesis.policy.check(note, origin=origin)
        except RegistryError as error:
            report.add(Damage.CHECKPOINT, f"{what} ({error.code})")
            continue
        if checkpoint.size > report.size:
            if what != "floor":  # the floor may lie ahead: that is what it is for
                report.add(Damage.CHECKPOINT, f"{what} {checkpoint.size}")
            continue
        stops.setdefault(origin, []).append((checkpoint.size, checkpoint.root, what))
    for origin, report in reports.items():
        if origin in copy.chains:
            try:
                _check_chain(copy, report, sorted(stops.get(origin, [])), progress)
            except EntryCorrupt as error:
                report.add(Damage.ENTRY, str(error.params["index"]))
    for digest, data in copy.documents():
        try:
            good = document_digest(json.loads(data)) == digest
        except (ValueError, RecursionError, TypeError):
            good = False
        if not good:
            main.add(Damage.DOCUMENT, digest)
    return [main, *(one for origin, one in sorted(reports.items()) if one is not main)]


def _check_chain(
    copy: NodeCopy, report: Report, stops: list[tuple[int, bytes, str]], progress: Progress
) -> None:
    chain, size, root, frontier = copy.chains[report.origin]
    stack, marks, expected = TileStack(), 0, 0
    for index in range((size + WIDTH - 1) // WIDTH):
        first = index * WIDTH
        entries = copy.bundle(chain, size, index)
        leaves = [leaf_hash(entry) for entry in entries]
        right = _blame(copy, report, chain, Tile(0, index, len(leaves)), leaves)
        marks += sum([mark(leaf, position) for position, leaf in enumerate(right, first)])
        while stops and stops[0][0] <= first + len(leaves):
            stop, known, what = stops.pop(0)
            part = stack.copy()
            for _ in part.extend(right[: stop - first]):
                pass
            if part.root() != known:
                report.add(Damage.CHECKPOINT, f"{what} {stop}")
        for tile, hashes in stack.extend(right):
            expected += 1
            _compare(copy, report, chain, tile, hashes)
        expected += 1  # the bundle itself
        progress(report.origin, first + len(leaves), size)
    for tile, hashes in stack.partials():
        expected += 1
        _compare(copy, report, chain, tile, hashes)
    report.tiles, report.root = expected, stack.root()
    if stack.root() != root:
        report.add(Damage.HEAD, "root")
    try:
        edge = Frontier.from_bytes(frontier)
    except StoreCorrupt:
        report.add(Damage.HEAD, "frontier")
    else:
        if (edge.size, edge.root()) != (size, stack.root()):
            report.add(Damage.HEAD, "frontier")
    if copy.tile_count(chain) != expected:
        report.add(Damage.TILE, "another number of tiles than the entries make")
    count, total = 0, 0
    for leaf, position in copy.leaves(chain):
        count, total = count + 1, total + mark(leaf, position)
    if count != size or (total ^ marks) & (2**128 - 1):
        report.add(Damage.INDEX, "leaves")


def _blame(
    copy: NodeCopy, report: Report, chain: int, tile: Tile, leaves: list[bytes]
) -> list[bytes]:
    """Where an entry does not fit its leaf hash, name it and go on with the hash of the tile.

    The root decides at the end whether the tile was right.
    """
    held = copy.row(chain, tile)
    if held is None or held[0] != len(leaves) or len(held[1]) != len(leaves) * HASH_BYTES:
        return leaves  # that tile is a finding of its own
    known = split_hashes(held[1])
    wrong = [at for at, (a, b) in enumerate(zip(leaves, known, strict=True)) if a != b]
    if len(wrong) == len(leaves) > 1:
        return leaves  # then it is the tile that was replaced
    for at in wrong:
        report.add(Damage.ENTRY, str(tile.index * WIDTH + at))
    return known


def _compare(copy: NodeCopy, report: Report, chain: int, tile: Tile, hashes: list[bytes]) -> None:
    held = copy.row(chain, tile)
    if held is None:
        report.add(Damage.TILE, f"{tile.path} (missing)")
    elif held != (len(hashes), b"".join(hashes)):
        report.add(Damage.TILE, tile.path)
