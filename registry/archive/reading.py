"""Reading archives: checked while they are read, as a stream."""

from __future__ import annotations

import json
import tarfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from registry.archive.form import (
    FIRST_MEMBER,
    FORMAT,
    GENESIS_MEMBER,
    LAST_MEMBER,
    LISTS_FOLDER,
    MAX_BUNDLE,
    MAX_JSON,
    Part,
    PartTree,
    Progress,
    fits,
    side_state,
)
from registry.errors import (
    ArchiveForged,
    ArchiveMalformed,
    ArchivePartial,
    BundleMalformed,
    RegistryError,
    StoreFailed,
)
from registry.ledger.genesis import Genesis
from registry.ledger.members import is_digest
from registry.limits import (
    MAX_NOTE_BYTES,
    MAX_TLOG_PROOF_BYTES,
)
from registry.tlog.lines import parse_hash
from registry.tlog.policy import CosignedCheckpoint
from registry.tlog.tiles import (
    TILE_BYTES,
    WIDTH,
    Tile,
    bundle_of,
    decode_bundle,
    width_at,
)
from registry.trust.load import MAX_LIST_BYTES
from schemas.errors import Phrase


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
        told = _parsed(members.next(FIRST_MEMBER, MAX_JSON)[0], FIRST_MEMBER)
        if told.get("format") != FORMAT:
            raise ArchiveMalformed(part=FIRST_MEMBER, reason="it is of another format")
        genesis, _ = members.next(GENESIS_MEMBER, MAX_JSON)
        if genesis != self.genesis.entry.raw + b"\n":
            raise ArchiveForged(part=GENESIS_MEMBER, reason="it is of another network")
        while name := members.peek():
            if name == f"{self.genesis.origin}/checkpoint":
                self._main(members, now, progress)
            elif name.endswith("/cosigned"):
                self._side(members, name.removesuffix("/cosigned"), progress)
            elif name.startswith(f"{LISTS_FOLDER}/"):
                self._document(members, name)
            else:
                break
        count = members.count + 1
        told = _parsed(members.next(LAST_MEMBER, MAX_JSON)[0], LAST_MEMBER)
        if told.get("members") != count or members.peek():
            raise ArchiveMalformed(part=LAST_MEMBER, reason="it has another number of members")

    def _main(self, members: _Members, now: int | None, progress: Progress) -> None:
        origin = self.genesis.origin
        note, _ = members.next(f"{origin}/checkpoint", MAX_NOTE_BYTES)
        try:
            self.main = self.genesis.policy.check(note, origin=origin, now=now)
        except RegistryError as error:
            raise ArchiveForged(
                part=origin, reason=Phrase("{code}: {error}", code=error.code, error=error)
            ) from error
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
            part = _range(part, _parsed(members.next(name, MAX_JSON)[0], name))
        held = Held(part, proof)
        check = PartTree(part)
        while check.position < part.end:
            index = check.position // WIDTH
            bundle = bundle_of(index, min(WIDTH, part.end - check.position))
            data, offset = members.next(f"{origin}/{bundle.path}", MAX_BUNDLE)
            try:
                entries = decode_bundle(data, bundle.width)
            except BundleMalformed as error:
                raise ArchiveMalformed(part=f"{origin}/{bundle.path}", reason=error) from error
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
        digest = name.removeprefix(f"{LISTS_FOLDER}/").removesuffix(".json")
        data, offset = members.next(name, MAX_LIST_BYTES)
        if not is_digest(digest) or not fits(digest, data):
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
