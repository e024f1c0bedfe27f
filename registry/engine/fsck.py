"""Check a whole log from its bytes: every entry, root, tile, bundle, checkpoint and index row.

Guarantees that a log without findings is exactly what its checkpoints say: each stored entry was
hashed again, each commit's root was rebuilt, and each file was compared with what the entries
make of it. It trusts nothing derived. What it cannot see is a log that was replaced as a whole by
a consistent other one: give it a cosigned checkpoint (`expected`) to rule that out.

Reads only; run it on a log that nobody writes, or accept that what a writer has not yet
integrated is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import starmap
from pathlib import Path
from typing import Final

from registry.engine.log import TILES
from registry.errors import (
    BundleMalformed,
    CheckpointMalformed,
    EntryCorrupt,
    NoteForged,
    NoteMalformed,
    NoteUnsigned,
    RegistryError,
    StoreCorrupt,
    TileCorrupt,
    TileMissing,
    TilePathMalformed,
)
from registry.storage import Block, Store, Tiles
from registry.storage.sqlite import SqliteStore
from registry.storage.thinning import KEPT_NOTES
from registry.storage.tilefiles import TileFiles
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.merkle import Frontier, leaf_hashes
from registry.tlog.note import Note, VerifierKey
from registry.tlog.tiles import (
    WIDTH,
    Tile,
    TileStack,
    bundle_of,
    check_bundle,
    decode_bundle,
    encode_bundle,
    parse_tile,
    split_hashes,
    width_at,
)

# More of one damage tells nothing new, and a hopeless log should not fill the memory.
MAX_FINDINGS: Final = 100
_BLOCKS: Final = 512


class Damage(StrEnum):
    """What is wrong; `Finding.where` says with which."""

    DATABASE = "database"  # SQLite's own structure
    HEAD = "head"  # the recorded head or a commit does not hash to its root
    ENTRY = "entry"  # a stored entry was changed or is missing
    INDEX = "index"  # the index of leaves does not fit the entries
    TILE = "tile"  # a tile or bundle file differs from what the entries make
    CHECKPOINT = "checkpoint"  # a published checkpoint does not fit the tree
    DOCUMENT = "document"  # a status list has another digest than its name


@dataclass(frozen=True)
class Finding:
    damage: Damage
    where: str


@dataclass
class Report:
    """What was checked, and everything that is wrong with it (at most `MAX_FINDINGS`)."""

    origin: str
    size: int = 0
    root: bytes = b""
    tiles: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.findings

    def add(self, damage: Damage, where: str) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(damage, where))


def check_log(
    folder: Path,
    *,
    origin: str | None = None,
    log_key: VerifierKey | None = None,
    expected: Iterable[Checkpoint] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check the log in `folder` from its bytes.

    `log_key` verifies the published checkpoints; `expected` are checkpoints known from elsewhere
    (nodes, trust bundles) that this log must contain. `progress` is called with (done, all)
    entries. Raises only when the log cannot be opened at all.
    """
    store = SqliteStore(folder, origin=origin, read_only=True)
    try:
        keys = () if log_key is None else (log_key,)
        files = TileFiles(folder / TILES)
        return check_store(store, files, log_keys=keys, expected=expected, progress=progress)
    finally:
        store.close()


def check_store(
    store: Store,
    files: Tiles,
    *,
    log_keys: Iterable[VerifierKey] = (),
    expected: Iterable[Checkpoint] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """The same of a log wherever its record and its tiles lie. Of tiles that are no files, those
    of earlier sizes are not looked for: nothing can list them."""
    return _Check(store, files, tuple(log_keys), progress).run(expected)


@dataclass
class _Bundle:
    """The entries of the bundle that is being filled, and their leaf hashes."""

    entries: list[bytes]
    leaves: list[bytes]


class _Check:
    def __init__(
        self,
        store: Store,
        files: Tiles,
        log_keys: tuple[VerifierKey, ...],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.store = store
        self.files = files
        self.log_keys = log_keys
        self.progress = progress or (lambda _done, _all: None)
        self.report = Report(store.origin)
        self.fingerprint = 0
        self._indexed = 0  # up to where the index is stored; the newest leaves are in memory alone
        self._last_tile: tuple[Tile, list[bytes]] = (Tile(0, -1), [])

    def run(self, expected: Iterable[Checkpoint]) -> Report:
        damage = self.store.damage()
        if damage is not None:
            self.report.add(Damage.DATABASE, damage)
        try:
            self._check(list(expected))
        except EntryCorrupt as error:
            self.report.add(Damage.ENTRY, str(error.params["index"]))
        except StoreCorrupt as error:
            self.report.add(Damage.DATABASE, str(error.params["reason"]))
        return self.report

    def _check(self, expected: list[Checkpoint]) -> None:
        # Fixed at the start, so that a writer at work is no damage.
        integrated = self.store.integrated()
        self._indexed = min(integrated, self.store.indexed())
        head = self._head()
        self.report.size = integrated
        published = self._published(integrated)
        self._tree(integrated, {(c.size, c.root) for c in (*expected, *published)})
        for checkpoint in expected:
            if checkpoint.origin != self.store.origin or checkpoint.size > integrated:
                self.report.add(Damage.CHECKPOINT, f"expected {checkpoint.size}")
        if head is not None and head.size < integrated:
            self.report.add(Damage.HEAD, "behind its own tiles")
        if head is not None and head.size == integrated and head.root() != self.report.root:
            self.report.add(Damage.HEAD, "head")
        self._index()

    def _head(self) -> Frontier | None:
        try:
            return self.store.head()
        except StoreCorrupt:
            self.report.add(Damage.HEAD, "head")
            return None

    def _published(self, integrated: int) -> list[Checkpoint]:
        """Check forms and signatures of the published checkpoints; their roots come later."""
        found = []
        last = None
        newest_without = 0
        for size, root, data in self.store.checkpoints():
            self.report.checkpoints += 1
            last = data
            try:
                stored = checkpoint = Checkpoint(self.store.origin, size, root)
                if data:
                    checkpoint = Checkpoint.parse(Note.parse(data).text)
                    if self.log_keys:
                        open_checkpoint(data, self.store.origin, self.log_keys)
                else:
                    # Dropped as it may be; its root is still compared with the tree.
                    newest_without = self.report.checkpoints
            except (NoteMalformed, CheckpointMalformed, NoteForged, NoteUnsigned):
                self.report.add(Damage.CHECKPOINT, str(size))
                continue
            if checkpoint != stored or size > integrated:
                self.report.add(Damage.CHECKPOINT, str(size))
                continue
            found.append(checkpoint)
        if newest_without and self.report.checkpoints - newest_without < KEPT_NOTES:
            self.report.add(Damage.CHECKPOINT, "a note that is always kept is missing")
        if self.files.read_checkpoint() != last:
            self.report.add(Damage.CHECKPOINT, "the file of the newest one")
        return found

    # --- entries, roots, tiles ---

    def _tree(self, size: int, roots: set[tuple[int, bytes]]) -> None:
        """Hash every entry; compare every commit's root, every tile and the known roots."""
        stack, frontier = TileStack(), Frontier()
        bundle = _Bundle([], [])
        # The form of an empty checkpoint was checked when it was parsed.
        stops = sorted(stop for stop in roots if 0 < stop[0] <= size)
        position = 0
        while position < size:
            blocks = self.store.blocks(position, _BLOCKS)
            if not blocks:
                raise StoreCorrupt(store=self.store.name, reason="a commit is missing")
            for block in blocks:
                if block.start >= size:
                    break
                if block.start != position:
                    raise StoreCorrupt(store=self.store.name, reason="a commit is missing")
                entries = [
                    e for _, part in self.store.entries(block.start, block.end) for e in part
                ]
                leaves = leaf_hashes(entries)
                grown = frontier.copy()
                full = grown.extend(leaves)
                if grown.root() != block.root:
                    leaves = self._blame(block, leaves, frontier)
                    grown = frontier.copy()
                    full = grown.extend(leaves)
                while stops and stops[0][0] <= block.end:
                    stop, root = stops.pop(0)
                    part_way = frontier.copy()
                    part_way.extend(leaves[: stop - block.start])
                    if part_way.root() != root:
                        self.report.add(Damage.CHECKPOINT, str(stop))
                frontier = grown
                self._files_of(entries, leaves, full, bundle, stack)
                self._remember(leaves, block.start)
                position = block.end
                self.progress(position, size)
        if position > size:
            self.report.add(Damage.HEAD, "its tiles end inside a commit")
        if bundle.entries:
            self._compare_bundle(stack.size // WIDTH, bundle)
        for tile, hashes in stack.partials():
            self._compare(tile, b"".join(hashes))
        self._narrower(size)
        self.report.root = stack.root()

    def _narrower(self, size: int) -> None:
        """Compare the partial tiles of earlier sizes: each is the beginning of a wider one."""
        if not isinstance(self.files, TileFiles):
            return
        for path in sorted((self.files.folder / "tile").rglob("*.p/*")):
            if path.name.startswith("."):
                continue  # a writer's file that has no name yet
            try:
                tile = Tile.parse(path.relative_to(self.files.folder).as_posix())
            except TilePathMalformed:
                self.report.add(Damage.TILE, f"{path.name} (no such file belongs here)")
                continue
            newest = width_at(max(tile.level, 0), tile.index, size)
            if tile.width >= newest:
                continue  # compared already, or of a writer at work
            wider = Tile(tile.level, tile.index, newest)
            if any(f.where.partition(" ")[0] == wider.path for f in self.report.findings):
                continue  # nothing to compare with
            try:
                wide = self.files.read(wider)
                if tile.level == Tile.ENTRIES:
                    expected = encode_bundle(decode_bundle(wide, newest)[: tile.width])
                else:
                    expected = b"".join(split_hashes(wide)[: tile.width])
            except RegistryError:
                continue
            data = self._read(tile)
            if data is not None and data != expected:
                self.report.add(Damage.TILE, tile.path)

    def _files_of(
        self,
        entries: list[bytes],
        leaves: list[bytes],
        full: list[bytes],
        bundle: _Bundle,
        stack: TileStack,
    ) -> None:
        """Compare the tiles and bundles that become full with these entries."""
        for tile, hashes in stack.extend(leaves, full):
            self._compare(tile, b"".join(hashes))
        index = (stack.size - len(leaves)) // WIDTH
        at = 0
        while at < len(entries):
            end = at + WIDTH - len(bundle.entries)
            bundle.entries += entries[at:end]
            bundle.leaves += leaves[at:end]
            if len(bundle.entries) == WIDTH:
                self._compare_bundle(index, bundle)
                index += 1
                bundle.entries.clear()
                bundle.leaves.clear()
            at = end

    def _read(self, tile: Tile) -> bytes | None:
        try:
            return self.files.read(tile)
        except TileMissing:
            self.report.add(Damage.TILE, f"{tile.path} (missing)")
        except RegistryError as error:
            self.report.add(Damage.TILE, f"{tile.path} ({error})")
        return None

    def _compare(self, tile: Tile, expected: bytes) -> None:
        self.report.tiles += 1
        data = self._read(tile)
        if data is not None and data != expected:
            self.report.add(Damage.TILE, tile.path)

    def _compare_bundle(self, index: int, bundle: _Bundle) -> None:
        tile = bundle_of(index, len(bundle.entries))
        self.report.tiles += 1
        data = self._read(tile)
        if data is None or data == encode_bundle(bundle.entries):
            return
        try:
            # Where a stored entry was blamed, the file may well be the one that is right.
            check_bundle(tile, data, bundle.leaves)
        except (BundleMalformed, TileCorrupt):
            self.report.add(Damage.TILE, tile.path)

    def _blame(self, block: Block, leaves: list[bytes], frontier: Frontier) -> list[bytes]:
        """Name the entries of a commit that does not hash to its root.

        The level-0 tiles know the leaf hashes from when the entries were whole. If these lead to
        the root, the entries that differ are the changed ones, and checking goes on with the
        right hashes; else the commit is blamed as a whole.
        """
        right = list(leaves)
        for index in range(block.start, block.end):
            tile, position = divmod(index, WIDTH)
            width = min(WIDTH, self.report.size - tile * WIDTH)
            hashes = self._leaf_tile(Tile(0, tile, width))
            if position < len(hashes):
                right[index - block.start] = hashes[position]
        grown = frontier.copy()
        grown.extend(right)
        if grown.root() != block.root:
            self.report.add(Damage.HEAD, f"commit at {block.start}")
            return leaves
        for index, (found, leaf) in enumerate(zip(leaves, right, strict=True), block.start):
            if found != leaf:
                self.report.add(Damage.ENTRY, str(index))
        return right

    def _leaf_tile(self, tile: Tile) -> list[bytes]:
        if self._last_tile[0] != tile:
            try:
                self._last_tile = (tile, parse_tile(tile, self.files.read(tile)))
            except RegistryError:
                self._last_tile = (tile, [])  # its absence is a finding of `_compare`
        return self._last_tile[1]

    # --- index ---

    def _remember(self, leaves: list[bytes], start: int) -> None:
        stored = leaves[: max(0, self._indexed - start)]
        self.fingerprint += sum(map(mark, stored, range(start, start + len(stored))))

    def _index(self) -> None:
        """Compare index and entries as sets, in constant memory, by a sum over their members.

        Damage changes the sum but for a chance of 2^-128; against a deliberate forger of the
        index it proves little, and it need not: no proof is made from the index.
        """
        count, total = 0, 0
        for rows in self.store.index():
            known = [row for row in rows if row[1] < self._indexed]
            count += len(known)
            total += sum(starmap(mark, known))
        if count != self._indexed or (total ^ self.fingerprint) & (2**128 - 1):
            self.report.add(Damage.INDEX, "leaves")


def mark(leaf: bytes, position: int) -> int:
    """A member's part of the sum by which an index and the entries are compared."""
    return int.from_bytes(leaf[:16], "big") * (2 * position + 1)
