"""Archives: chains in one file, to keep, to carry, and to verify with nothing but the genesis.

The file is a plain tar whose members lie under the paths that c2sp.org/tlog-tiles gives them, so
that any tool can unpack it and any web server can serve what was unpacked:

    archive.json                   {"format": "zhenglian/archive/v1", "network": …}
    genesis.json                   to compare with the pinned one, not to pin
    <origin>/checkpoint            of the main chain: the cosigned note
    <origin>/cosigned              of a side chain: a tlog-proof of its newest checkpoint entry
    <origin>/range.json            of a part: start, end, and the hashes of the subtrees around it
    <origin>/tile/entries/…        bundles, each followed by the hash tiles that it completes
    status-lists/<digest>.json     the newest status lists that entries name
    end.json                       how many members there are: a file that was cut off is noticed

The order is fixed, so an archive is written and verified as a stream, in the memory of some tiles,
and one state always gives the same tiles in the same order. Of a part of a chain there are bundles
and level-0 tiles only.

Guaranteed: what `Archive.check` passes leads to checkpoints that the quorum of the pinned genesis
has cosigned. The rules are checked by replaying it (`registry.following`), which needs all chains.
"""

from __future__ import annotations

import io
import json
import tarfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from registry.entries import Entry, parse_entry
from registry.errors import (
    ArchiveForged,
    ArchiveMalformed,
    ArchivePartial,
    BundleMalformed,
    EntryUnknown,
    RegistryError,
    StoreFailed,
)
from registry.evidence import parts, roots
from registry.genesis import Genesis
from registry.limits import (
    MAX_ENTRY_BYTES,
    MAX_GENESIS_BYTES,
    MAX_NOTE_BYTES,
    MAX_TLOG_PROOF_BYTES,
)
from registry.lines import encode_hash, parse_hash
from registry.members import decode_digest, document_digest, is_digest
from registry.merkle import Frontier, complete_subtrees, inclusion_proof, leaf_hash
from registry.policy import CosignedCheckpoint
from registry.proofs import TlogProof
from registry.tiles import (
    TILE_BYTES,
    WIDTH,
    Tile,
    TileReader,
    TileStack,
    bundle_of,
    decode_bundle,
    encode_bundle,
    width_at,
)
from registry.trust.load import MAX_LIST_BYTES

FORMAT: Final = "zhenglian/archive/v1"
_FIRST: Final = "archive.json"
_GENESIS: Final = "genesis.json"
_LAST: Final = "end.json"
_LISTS: Final = "status-lists"
_MAX_BUNDLE: Final = WIDTH * (MAX_ENTRY_BYTES + 2) + MAX_GENESIS_BYTES
_MAX_JSON: Final = 64 * 1024

Progress = Callable[[str, int, int], None]
"""Told of every bundle: origin, entries done, entries in all."""


class Holder(Protocol):
    """Whoever shows the chains; nothing is believed that does not lead to the checkpoint."""

    def entries(self, origin: str, start: int, end: int) -> Iterable[bytes]: ...

    def tile(self, origin: str, tile: Tile) -> list[bytes]: ...

    def checkpoint(self, origin: str) -> bytes | None: ...

    def commitment(self, origin: str) -> bytes | None: ...

    def document(self, digest: str) -> bytes | None: ...


@dataclass(frozen=True)
class Part:
    """Entries [start, end) of a chain of `size`, and the complete subtrees before and behind."""

    origin: str
    size: int
    root: bytes
    start: int
    end: int
    left: tuple[bytes, ...] = ()
    right: tuple[bytes, ...] = ()

    @property
    def whole(self) -> bool:
        return (self.start, self.end) == (0, self.size)


# Writing


class _Writer:
    def __init__(self, stream: BinaryIO, moment: int) -> None:
        self._tar = tarfile.TarFile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)
        self._moment = moment
        self.members = 0

    def add(self, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = len(data), self._moment, 0o644
        self._tar.addfile(info, io.BytesIO(data))
        self._tar.members = []  # type: ignore[attr-defined]  # it remembers every one for ever
        self.members += 1

    def close(self) -> None:
        self._tar.close()


@dataclass
class Exported:
    """What was written: the parts, and the cosigned checkpoint that they lead to."""

    main: CosignedCheckpoint
    parts: list[Part] = field(default_factory=list)
    documents: int = 0
    members: int = 0


def export(
    holder: Holder,
    genesis: Genesis,
    stream: BinaryIO,
    *,
    chains: Iterable[str] = (),
    start: int = 0,
    end: int | None = None,
    progress: Progress = lambda _origin, _done, _all: None,
) -> Exported:
    """Write the main chain and everything that it commits to, or only `chains` (origins).

    `start` and `end` are for a single chain, and are widened to whole bundles. Every entry is
    verified on the way: an archive is never made of what does not lead to its checkpoint.
    Raises ArchiveForged, EntryUnknown while nothing is cosigned, and what `holder` raises.
    """
    wanted = list(chains)
    note = holder.checkpoint(genesis.origin)
    if note is None:
        raise EntryUnknown(origin=genesis.origin)
    main = genesis.policy.check(note, origin=genesis.origin)
    writer = _Writer(stream, main.time_s or 0)
    done = Exported(main)
    writer.add(_FIRST, _json({"format": FORMAT, "network": genesis.network}))
    writer.add(_GENESIS, genesis.entry.raw + b"\n")
    task = _Export(holder, genesis, writer, done, progress)
    if not wanted or genesis.origin in wanted:
        task.main(note, start, end)
    if wanted:
        for origin in wanted:
            if origin != genesis.origin:
                task.side(origin, _commitment(holder, origin), start, end)
    else:
        for origin, index in sorted(task.heads.items()):
            task.side(origin, task.prove(index, note), 0, None)
    for digest in sorted({entry["digest"] for entry in task.lists.values()}):
        data = holder.document(digest)
        if data is not None and _fits(digest, data):
            writer.add(f"{_LISTS}/{digest}.json", data)
            done.documents += 1
    writer.add(_LAST, _json({"members": writer.members + 1}))
    writer.close()
    done.members = writer.members
    return done


def _commitment(holder: Holder, origin: str) -> bytes:
    proof = holder.commitment(origin)
    if proof is None:
        raise EntryUnknown(origin=origin)
    return proof


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode() + b"\n"


def _fits(digest: str, data: bytes) -> bool:
    try:
        return document_digest(json.loads(data)) == digest
    except (ValueError, RecursionError, TypeError):
        return False


class _Export:
    def __init__(
        self,
        holder: Holder,
        genesis: Genesis,
        writer: _Writer,
        done: Exported,
        progress: Progress,
    ) -> None:
        self._holder = holder
        self._genesis = genesis
        self._writer = writer
        self._done = done
        self._progress = progress
        self.heads: dict[str, int] = {}
        self._raw: dict[int, bytes] = {}
        self.lists: dict[str, Entry] = {}

    def main(self, note: bytes, start: int, end: int | None) -> None:
        origin, main = self._genesis.origin, self._done.main
        self._writer.add(f"{origin}/checkpoint", note)
        self._chain(origin, main.size, main.root, start, end)

    def side(self, origin: str, proof: bytes, start: int, end: int | None) -> None:
        size, root = side_state(self._genesis, origin, proof)
        self._writer.add(f"{origin}/cosigned", proof)
        self._chain(origin, size, root, start, end)

    def prove(self, index: int, note: bytes) -> bytes:
        origin, size = self._genesis.origin, self._done.main.size
        path = inclusion_proof(index, size, self._reader(origin, size))
        return TlogProof(index, tuple(path), note, self._raw[index]).encode()

    def _reader(self, origin: str, size: int) -> TileReader:
        held: dict[Tile, list[bytes]] = {}

        def hashes(tile: Tile) -> list[bytes]:
            if tile not in held:
                held[tile] = self._holder.tile(origin, tile)
            return held[tile]

        return TileReader(size, hashes)

    def _chain(self, origin: str, size: int, root: bytes, start: int, end: int | None) -> None:
        stop = size if end is None else min(size, (end + WIDTH - 1) // WIDTH * WIDTH)
        start = min(start // WIDTH * WIDTH, stop)
        part = Part(origin, size, root, start, stop)
        if not part.whole:
            reader = self._reader(origin, size)
            left, _ = parts(start, start, reader) if start else ((), ())
            _, right = parts(stop, size, reader)
            part = Part(origin, size, root, start, stop, left, right)
            told = {
                "start": start,
                "end": stop,
                "left": [encode_hash(h) for h in left],
                "right": [encode_hash(h) for h in right],
            }
            self._writer.add(f"{origin}/range.json", _json(told))
        check = _Tree(part)
        bundle: list[bytes] = []
        position = start
        for raw in self._holder.entries(origin, start, stop):
            bundle.append(raw)
            self._note(origin, position, raw)
            position += 1
            if len(bundle) == WIDTH or position == stop:
                self._write(origin, check, bundle)
                self._progress(origin, position - start, stop - start)
                bundle = []
        if position != stop:
            raise ArchiveForged(part=origin, reason="entries are missing")
        for tile, hashes in check.partials():
            self._writer.add(f"{origin}/{tile.path}", b"".join(hashes))
        check.finish()
        self._done.parts.append(part)

    def _write(self, origin: str, check: _Tree, bundle: list[bytes]) -> None:
        tile = bundle_of(check.position // WIDTH, len(bundle))
        self._writer.add(f"{origin}/{tile.path}", encode_bundle(bundle))
        for full, hashes in check.extend(bundle):
            self._writer.add(f"{origin}/{full.path}", b"".join(hashes))

    def _note(self, origin: str, index: int, raw: bytes) -> None:
        """Remember the newest checkpoint entry of each side chain, and status entry of a list."""
        if origin == self._genesis.origin and b'"kind":"checkpoint"' in raw:
            entry = parse_entry(raw)
            if entry.kind == "checkpoint":
                before = self.heads.get(entry["origin"])
                if before is not None:
                    self._raw.pop(before, None)
                self.heads[entry["origin"]], self._raw[index] = index, raw
        elif b'"kind":"status"' in raw:
            entry = parse_entry(raw)
            if entry.kind == "status":
                self.lists[entry["list"]] = entry


class _Tree:
    """The tree over a part: makes its tiles, and holds it to the root at the end."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._stack = TileStack() if part.whole else None
        self._frontier = Frontier(part.start, list(part.left))
        self.position = part.start
        if len(part.left) != len(complete_subtrees(0, part.start)):
            raise ArchiveForged(part=part.origin, reason="it has another number of hashes")

    def extend(self, entries: Iterable[bytes]) -> list[tuple[Tile, list[bytes]]]:
        leaves = [leaf_hash(entry) for entry in entries]
        index, self.position = self.position // WIDTH, self.position + len(leaves)
        if self._stack is not None:
            return list(self._stack.extend(leaves))
        self._frontier.extend(leaves)
        return [(Tile(0, index, len(leaves)), leaves)]

    def partials(self) -> list[tuple[Tile, list[bytes]]]:
        return list(self._stack.partials()) if self._stack is not None else []

    def finish(self) -> None:
        """Raises ArchiveForged unless the entries lead to the root."""
        part = self._part
        if self._stack is not None:
            found = self._stack.root()
        elif part.end == part.size:
            found = self._frontier.root()
        else:
            nodes = self._frontier.nodes
            try:
                found = roots(part.end, part.size, nodes, part.right)[1]
            except RegistryError as error:
                raise ArchiveForged(part=part.origin, reason=str(error)) from error
        if found != part.root:
            raise ArchiveForged(
                part=part.origin, reason="its entries do not lead to the cosigned checkpoint"
            )


def side_state(genesis: Genesis, origin: str, proof: bytes) -> tuple[int, bytes]:
    """Size and root that the cosigned main chain commits to; raises ArchiveForged."""
    try:
        found = TlogProof.parse(proof)
        entry = parse_entry(found.extra or b"")
        if entry.kind != "checkpoint" or entry["origin"] != origin:
            raise ArchiveForged(part=origin, reason="its checkpoint is of another chain")
        found.verify(entry.leaf_hash, genesis.policy, origin=genesis.origin)
    except ArchiveForged:
        raise
    except RegistryError as error:
        raise ArchiveForged(part=origin, reason=f"{error.code}: {error}") from error
    return int(entry["size"]), decode_digest(entry["root"], 32)


# Reading


class _Members:
    """The members of a tar one after the other; `next` is strict about names and sizes."""

    def __init__(self, stream: BinaryIO) -> None:
        try:
            self._tar = tarfile.TarFile.open(fileobj=stream, mode="r:")
        except tarfile.TarError as error:
            raise ArchiveMalformed(part="the file", reason="it is no tar") from error
        self.count = 0
        self._held: tarfile.TarInfo | None = None

    def peek(self) -> str:
        """The name of the next member; empty at the end."""
        if self._held is None:
            try:
                self._held = self._tar.next()
                self._tar.members = []  # type: ignore[attr-defined]  # it remembers every one for ever
            except (tarfile.TarError, OSError, ValueError) as error:
                raise ArchiveMalformed(part="the file", reason="it is cut off") from error
            if self._held is not None and not self._held.isreg():
                raise ArchiveMalformed(part=self._held.name, reason="it is no plain file")
        return self._held.name if self._held is not None else ""

    def next(self, name: str, limit: int) -> tuple[bytes, int]:
        """The content of the next member, which must have this name; and where it lies."""
        found = self.peek()
        if found != name or self._held is None:
            raise ArchiveMalformed(part=name, reason="it is missing or in the wrong place")
        info, self._held = self._held, None
        if info.size > limit:
            raise ArchiveMalformed(part=name, reason="it is too large")
        try:
            stream = self._tar.extractfile(info)
            data = stream.read(limit + 1) if stream is not None else b""
        except (tarfile.TarError, OSError) as error:
            raise ArchiveMalformed(part=name, reason="it is cut off") from error
        if len(data) != info.size:
            raise ArchiveMalformed(part=name, reason="it is cut off")
        self.count += 1
        return data, info.offset_data


@dataclass
class Held:
    """A chain in an archive, and where its bundles lie in the file."""

    part: Part
    proof: bytes = b""
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("L"))


class Archive:
    """An archive that was verified. `check` is the only way to one."""

    def __init__(self, stream: BinaryIO, genesis: Genesis) -> None:
        """For `check` only."""
        self._stream = stream
        self.genesis: Final = genesis
        self.chains: dict[str, Held] = {}
        self.main: CosignedCheckpoint | None = None
        self._documents: dict[str, tuple[int, int]] = {}

    @classmethod
    @contextmanager
    def check(
        cls,
        path: Path,
        genesis: Genesis,
        *,
        now: int | None = None,
        progress: Progress = lambda _origin, _done, _all: None,
    ) -> Iterator[Archive]:
        """Open an archive and verify all of it against the pinned genesis, but the rules.

        Raises ArchiveMalformed, ArchiveForged, StoreFailed.
        """
        try:
            stream = path.open("rb")
        except OSError as error:
            raise StoreFailed(store=path.name, reason="it cannot be opened") from error
        with stream:
            archive = cls(stream, genesis)
            archive._read(_Members(stream), now, progress)
            yield archive

    def need_all(self) -> None:
        """Raise ArchivePartial unless it has all chains, whole."""
        if not self.whole:
            parts = (origin for origin, held in self.chains.items() if not held.part.whole)
            raise ArchivePartial(origin=next(parts, self.genesis.origin))

    @property
    def whole(self) -> bool:
        """Whether it has the whole main chain and every other chain wholly.

        Which chains the main one commits to comes out when it is replayed.
        """
        held = self.chains.get(self.genesis.origin)
        return held is not None and all(one.part.whole for one in self.chains.values())

    def _read(self, members: _Members, now: int | None, progress: Progress) -> None:
        told = _parsed(members.next(_FIRST, _MAX_JSON)[0], _FIRST)
        if told.get("format") != FORMAT:
            raise ArchiveMalformed(part=_FIRST, reason="it is of another format")
        genesis, _ = members.next(_GENESIS, _MAX_JSON)
        if genesis != self.genesis.entry.raw + b"\n":
            raise ArchiveForged(part=_GENESIS, reason="it is of another network")
        while name := members.peek():
            if name == f"{self.genesis.origin}/checkpoint":
                self._main(members, now, progress)
            elif name.endswith("/cosigned"):
                self._side(members, name.removesuffix("/cosigned"), progress)
            elif name.startswith(f"{_LISTS}/"):
                self._document(members, name)
            else:
                break
        count = members.count + 1
        told = _parsed(members.next(_LAST, _MAX_JSON)[0], _LAST)
        if told.get("members") != count or members.peek():
            raise ArchiveMalformed(part=_LAST, reason="it has another number of members")

    def _main(self, members: _Members, now: int | None, progress: Progress) -> None:
        origin = self.genesis.origin
        note, _ = members.next(f"{origin}/checkpoint", MAX_NOTE_BYTES)
        try:
            self.main = self.genesis.policy.check(note, origin=origin, now=now)
        except RegistryError as error:
            raise ArchiveForged(part=origin, reason=f"{error.code}: {error}") from error
        self._chain(members, origin, self.main.size, self.main.root, b"", progress)

    def _side(self, members: _Members, origin: str, progress: Progress) -> None:
        if origin in self.chains or not origin.startswith(f"{self.genesis.network}/"):
            raise ArchiveMalformed(part=origin, reason="it is there twice, or of another network")
        proof, _ = members.next(f"{origin}/cosigned", MAX_TLOG_PROOF_BYTES)
        size, root = side_state(self.genesis, origin, proof)
        self._chain(members, origin, size, root, proof, progress)

    def _chain(
        self,
        members: _Members,
        origin: str,
        size: int,
        root: bytes,
        proof: bytes,
        progress: Progress,
    ) -> None:
        part = Part(origin, size, root, 0, size)
        name = f"{origin}/range.json"
        if members.peek() == name:
            part = _range(part, _parsed(members.next(name, _MAX_JSON)[0], name))
        held = Held(part, proof)
        check = _Tree(part)
        while check.position < part.end:
            index = check.position // WIDTH
            bundle = bundle_of(index, min(WIDTH, part.end - check.position))
            data, offset = members.next(f"{origin}/{bundle.path}", _MAX_BUNDLE)
            try:
                entries = decode_bundle(data, bundle.width)
            except BundleMalformed as error:
                raise ArchiveMalformed(part=f"{origin}/{bundle.path}", reason=str(error)) from error
            held.offsets.append(offset)
            held.lengths.append(len(data))
            self._compare(members, origin, check.extend(entries))
            progress(origin, check.position - part.start, part.end - part.start)
        self._compare(members, origin, check.partials())
        check.finish()
        self.chains[origin] = held

    @staticmethod
    def _compare(
        members: _Members, origin: str, expected: Iterable[tuple[Tile, list[bytes]]]
    ) -> None:
        for tile, hashes in expected:
            name = f"{origin}/{tile.path}"
            if members.next(name, TILE_BYTES)[0] != b"".join(hashes):
                raise ArchiveForged(part=name, reason="it is not what its entries make")

    def _document(self, members: _Members, name: str) -> None:
        digest = name.removeprefix(f"{_LISTS}/").removesuffix(".json")
        data, offset = members.next(name, MAX_LIST_BYTES)
        if not is_digest(digest) or not _fits(digest, data):
            raise ArchiveForged(part=name, reason="it has another digest")
        self._documents[digest] = (offset, len(data))

    # What was verified

    def entries(self, origin: str, start: int, end: int) -> Iterator[bytes]:
        """Entries [start, end); raises ArchivePartial where it does not hold them.

        They are read again, and compared with nothing: whoever replays them compares the root.
        """
        held = self.chains.get(origin)
        if held is None or start < held.part.start or end > held.part.end:
            raise ArchivePartial(origin=origin)
        first = held.part.start // WIDTH
        for index in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
            width = width_at(0, index, held.part.end)
            rows = decode_bundle(
                self._at(held.offsets[index - first], held.lengths[index - first]), width
            )
            low = max(start - index * WIDTH, 0)
            yield from rows[low : max(min(end - index * WIDTH, WIDTH), 0)]

    def document(self, digest: str) -> bytes | None:
        """A status list credential by its digest."""
        found = self._documents.get(digest)
        return self._at(*found) if found is not None else None

    def _at(self, offset: int, length: int) -> bytes:
        self._stream.seek(offset)
        return self._stream.read(length)


def _parsed(data: bytes, name: str) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArchiveMalformed(part=name, reason="it is not JSON") from error
    if not isinstance(told, dict):
        raise ArchiveMalformed(part=name, reason="it is not an object")
    return told


def _range(part: Part, told: Mapping[str, Any]) -> Part:
    try:
        start, end = told["start"], told["end"]
        left = tuple(parse_hash(h) for h in told["left"])
        right = tuple(parse_hash(h) for h in told["right"])
    except (KeyError, ValueError, TypeError) as error:
        raise ArchiveMalformed(part=part.origin, reason="its range is not in form") from error
    aligned = (
        type(start) is int
        and type(end) is int
        and 0 <= start <= end <= part.size
        and start % WIDTH == 0
        and (end % WIDTH == 0 or end == part.size)
    )
    if not aligned:
        raise ArchiveMalformed(part=part.origin, reason="its range is not of whole bundles")
    return Part(part.origin, part.size, part.root, start, end, left, right)
