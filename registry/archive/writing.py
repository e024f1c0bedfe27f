"""Writing archives, as a stream."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from registry.archive.form import (
    FIRST_MEMBER,
    FORMAT,
    GENESIS_MEMBER,
    LAST_MEMBER,
    LISTS_FOLDER,
    Part,
    PartTree,
    Progress,
    fits,
    side_state,
)
from registry.errors import (
    ArchiveForged,
    EntryUnknown,
)
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.genesis import Genesis
from registry.tlog.lines import encode_hash
from registry.tlog.merkle import inclusion_proof
from registry.tlog.policy import CosignedCheckpoint
from registry.tlog.proofs import TlogProof
from registry.tlog.tiles import (
    WIDTH,
    Tile,
    TileReader,
    bundle_of,
    encode_bundle,
)
from registry.trust.evidence import parts


class Holder(Protocol):
    """Whoever shows the chains; nothing is believed that does not lead to the checkpoint."""

    def entries(self, origin: str, start: int, end: int) -> Iterable[bytes]: ...

    def tile(self, origin: str, tile: Tile) -> list[bytes]: ...

    def checkpoint(self, origin: str) -> bytes | None: ...

    def commitment(self, origin: str) -> bytes | None: ...

    def document(self, digest: str) -> bytes | None: ...


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
    writer.add(FIRST_MEMBER, _json({"format": FORMAT, "network": genesis.network}))
    writer.add(GENESIS_MEMBER, genesis.entry.raw + b"\n")
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
        if data is not None and fits(digest, data):
            writer.add(f"{LISTS_FOLDER}/{digest}.json", data)
            done.documents += 1
    writer.add(LAST_MEMBER, _json({"members": writer.members + 1}))
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
        check = PartTree(part)
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

    def _write(self, origin: str, check: PartTree, bundle: list[bytes]) -> None:
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
