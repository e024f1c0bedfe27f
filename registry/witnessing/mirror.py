"""Mirroring any configured log, c2sp.org/tlog-mirror: a full copy, and a statement that it is.

Guarantees: every entry that is stored was proved, package by package, to belong to a checkpoint
that its log signed and that continues all before it (`registry.witnessing.witness` sees to that).
The mirror cosigns a checkpoint only when every entry up to it is durable and can be read here. So a
log can neither lose what this mirror has cosigned, nor make it keep two histories.

It does not look into entries, and it follows what is pushed to it: a log that stops pushing is a
log whose mirror checkpoint grows old. The mirror's key makes that statement alone; a witness or a
node beside it has other keys (tlog-cosignature, "Additional statements").
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from registry.errors import (
    ConsistencyInvalid,
    RegistryError,
    StoreCorrupt,
    TileMissing,
)
from registry.limits import HASH_BYTES, MAX_TREE_SIZE
from registry.tlog import cosignature
from registry.tlog.checkpoint import SignedCheckpoint
from registry.tlog.merkle import leaf_hash, root_of
from registry.tlog.mirror_format import (
    INFO_TYPE,
    MAX_PACKAGE_BYTES,
    MirrorInfo,
    Run,
    UploadHeader,
    UploadParser,
    runs,
)
from registry.tlog.note import COSIGNER_TYPES, Note, NoteSignature, NoteSigner, VerifierKey
from registry.tlog.subtrees import verify_subtree_consistency
from registry.tlog.tiles import (
    HEIGHT,
    WIDTH,
    Tile,
    TileStack,
    decode_bundle,
    encode_bundle,
    split_hashes,
)
from registry.witnessing.mirror_store import Mirrored, MirrorStore
from registry.witnessing.witness import Answer, Cosigned, Refused, Witness, origin_hash, utc_now

log = logging.getLogger(__name__)

MAX_UPLOADS: Final = 16  # at once; each holds a package of up to 17 MB at worst
MAX_EXCESS: Final = 32 * WIDTH
"""Entries that a client may send although they are here: one request's worth."""
_GZIP: Final = 31  # zlib's window bits: a header of gzip is expected
_UNPACK_BYTES: Final = 1 << 20  # at a time, so that packed bodies cost no more than plain ones


class Mirror:
    """One mirror: its keys, the logs it copies, and where it keeps them. Thread-safe."""

    def __init__(
        self,
        store: MirrorStore,
        signers: Sequence[NoteSigner],
        logs: Mapping[str, Sequence[VerifierKey]],
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`signers` are keys that state nothing else. ValueError for keys that cannot serve."""
        if not signers or any(signer.key.type not in COSIGNER_TYPES for signer in signers):
            raise ValueError("a mirror signs by keys for cosignatures")
        self._store = store
        self._signers: Final = tuple(signers)
        # A witness without keys: it moves the pending checkpoint and signs nothing.
        self._pending = Witness(store, (), logs, now=now)
        # And one that never moves: it signs parts of what the mirror has signed.
        self._parts = Witness(store, signers, logs, now=now)
        self._origins: Final = {origin_hash(origin): origin for origin in logs}
        self._locks: Final = {origin: threading.Lock() for origin in logs}
        self._uploads = threading.BoundedSemaphore(MAX_UPLOADS)
        self._now = now

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The keys under which its cosignatures verify."""
        return tuple(signer.key for signer in self._signers)

    @property
    def origins(self) -> tuple[str, ...]:
        """The logs it copies."""
        return tuple(self._locks)

    def add_checkpoint(self, body: bytes) -> Answer:
        """tlog-mirror, "add-checkpoint": as a witness answers, without a cosignature."""
        return self._pending.add_checkpoint(body, self._check)

    def _check(self, signed: SignedCheckpoint) -> None:
        # What could never be cosigned is not worth an upload.
        if not any(signer.can_cosign(signed.checkpoint.text) for signer in self._signers):
            raise Refused(Answer.text(422, "no key of this mirror can cosign such a checkpoint"))

    def sign_subtree(self, body: bytes) -> Answer:
        """tlog-mirror, "sign-subtree": for a checkpoint that the mirror itself has signed."""
        return self._parts.sign_subtree(body)

    def upload(self, *, packed: bool = False) -> Upload:
        """A new `add-entries` request; `packed`: its body is gzip. Close it."""
        return Upload(self, self._uploads, packed=packed)

    # What an upload does

    def begin(self, header: UploadHeader) -> Cosigned:
        """The checkpoint that an upload leads to; raises Refused (tlog-mirror, "Processing")."""
        origin = header.origin
        if origin not in self._locks:
            raise Refused(Answer.text(404, "a log that this mirror does not copy"))
        if not self._store.cosigned(origin).note:
            raise Refused(Answer.text(422, "no checkpoint of the log is pending"))
        target = self._target(origin, header.end)
        following = self._store.next(origin)
        if target is None or header.end < self._store.mirrored(origin).size:
            raise Refused(self.info(409, origin))
        excess = min(header.end, following) - header.start
        if header.start > following or excess > MAX_EXCESS:
            raise Refused(self.info(409, origin, header.end))
        return target

    def _target(self, origin: str, size: int) -> Cosigned | None:
        found = self._store.pending_at(origin, size) if size <= MAX_TREE_SIZE else None
        mirrored = self._store.mirrored(origin)
        if found is None and mirrored.note and mirrored.size == size:
            return Cosigned(mirrored.size, mirrored.root, mirrored.note)
        return found

    def info(self, status: int, origin: str, size: int | None = None) -> Answer:
        """Where the mirror stands; `size`: the checkpoint that the client goes on with."""
        if size is None:
            size = self._store.cosigned(origin).size
        told = MirrorInfo(size, self._store.next(origin))
        return Answer(status, told.encode(), INFO_TYPE)

    def take(
        self, origin: str, run: Run, entries: list[bytes], proof: list[bytes], target: Cosigned
    ) -> None:
        """Check one package against the checkpoint `target`, and store it durably.

        Raises ConsistencyInvalid when it does not belong there.
        """
        index = run.base // WIDTH
        before: list[bytes] = []
        if run.start > run.base:
            held = self._store.widest(origin, Tile(Tile.ENTRIES, index)) or b""
            before = decode_bundle(held)[: run.start - run.base]
            if len(before) != run.start - run.base:
                raise StoreCorrupt(store=origin, reason="a bundle lacks entries")
        whole = [*before, *entries]
        leaves = [leaf_hash(entry) for entry in whole]
        verify_subtree_consistency(
            run.base, run.end, target.size, root_of(leaves), target.root, proof
        )
        self._store.save(origin, index, encode_bundle(whole), b"".join(leaves))

    def commit(self, origin: str, target: Cosigned) -> Answer:
        """Make `target` the mirror checkpoint and cosign it: every entry up to it is stored."""
        with self._locks[origin]:
            mirrored = self._store.mirrored(origin)
            if target.size < mirrored.size:
                return self.info(409, origin)
            stack = self._edge(origin, mirrored.size)
            tiles = {(t.level, t.index): (t, h) for t, h in self._grow(origin, stack, target.size)}
            if stack.root() != target.root:
                raise StoreCorrupt(store=origin, reason="its entries do not hash to its head")
            note = Note.parse(target.note)
            # A clock that went back must not make a later statement look older. 0 would be no time.
            moment = max(int(self._now().timestamp()), self._latest(mirrored.note), 1)
            able = [signer for signer in self._signers if signer.can_cosign(note.text)]
            lines = [signer.sign(note.text, moment) for signer in able]
            others = tuple(line for line in note.signatures if not self._own(line))
            signed = Note(note.text, others).with_signatures(lines)
            new = Mirrored(target.size, target.root, signed.encode())
            if not self._store.advance(origin, new, tiles.values()):
                return self.info(409, origin)
        return Answer(200, "".join(line.line() for line in lines).encode())

    def _own(self, line: NoteSignature) -> bool:
        return any((line.name, line.key_id) == (key.name, key.id) for key in self.keys)

    def _latest(self, note: bytes) -> int:
        """When the mirror checkpoint was cosigned last; 0 before the first."""
        lines = Note.parse(note).signatures if note else ()
        return max((cosignature.unpack(s.blob)[0] for s in lines if self._own(s)), default=0)

    def _edge(self, origin: str, size: int) -> TileStack:
        """The right edge of the tree at the mirror checkpoint, from its tiles."""
        levels: list[list[bytes]] = []
        while count := size >> (HEIGHT * len(levels)):
            level, width = len(levels), count % WIDTH
            hashes: list[bytes] = []
            if width:
                hashes = self._hashes(origin, Tile(level, count // WIDTH))[:width]
            levels.append(hashes)
        return TileStack(size, levels)

    def _hashes(self, origin: str, tile: Tile) -> list[bytes]:
        return split_hashes(self._store.widest(origin, tile) or b"")

    def _grow(self, origin: str, stack: TileStack, size: int) -> Iterator[tuple[Tile, bytes]]:
        """Tiles above level 0 up to `size`; those of level 0 came with the packages."""
        while stack.size < size:
            index, offset = divmod(stack.size, WIDTH)
            stop = min(size - index * WIDTH, WIDTH)
            leaves = self._hashes(origin, Tile(0, index))[offset:stop]
            if len(leaves) != stop - offset:
                raise StoreCorrupt(store=origin, reason="a tile lacks hashes")
            for tile, hashes in stack.extend(leaves):
                if tile.level:
                    yield tile, b"".join(hashes)
        for tile, hashes in stack.partials():
            if tile.level:
                yield tile, b"".join(hashes)

    # Reading (tlog-tiles)

    def checkpoint(self, digest: str) -> Answer:
        """`GET <monitoring prefix>/<hex sha256(origin)>/checkpoint`."""
        mirrored = self._store.mirrored(self._origin(digest))
        if not mirrored.note:
            return Answer.text(404, "nothing was mirrored yet")
        return Answer(200, mirrored.note)

    def tile(self, digest: str, tile: Tile) -> bytes:
        """A tile or bundle; raises TileMissing, also for what is not stored that wide."""
        origin = self._origin(digest)
        data = self._store.widest(origin, tile)
        if data is None:
            raise TileMissing(path=tile.path)
        if tile.level == Tile.ENTRIES:
            entries = decode_bundle(data)
            if len(entries) < tile.width:
                raise TileMissing(path=tile.path)
            return data if len(entries) == tile.width else encode_bundle(entries[: tile.width])
        if len(data) < tile.width * HASH_BYTES:
            raise TileMissing(path=tile.path)
        return data[: tile.width * HASH_BYTES]

    def _origin(self, digest: str) -> str:
        origin = self._origins.get(digest)
        if origin is None:
            raise Refused(Answer.text(404, "a log that this mirror does not copy"))
        return origin


class Upload:
    """One `add-entries` request while it arrives. Not thread-safe; `close` it in any case."""

    def __init__(self, mirror: Mirror, places: threading.BoundedSemaphore, *, packed: bool) -> None:
        self._mirror = mirror
        self._places = places
        self._admitted = places.acquire(blocking=False)
        self._unpacker = zlib.decompressobj(_GZIP) if packed else None
        self._parser = UploadParser()
        self._held = 0
        self._header: UploadHeader | None = None
        self._target: Cosigned | None = None
        self._runs: list[Run] = []
        self._saved = 0

    def close(self) -> None:
        """Give the place back."""
        if self._admitted:
            self._admitted = False
            self._places.release()

    def feed(self, data: bytes) -> Answer | None:
        """More of the body; an answer when there is no need for more."""
        if not self._admitted:
            return Answer.text(503, "too many uploads at once")
        try:
            if self._unpacker is None:
                return self._plain(data)
            while data:
                if self._unpacker.eof:  # RFC 1952 §2.2: one member may follow another
                    self._unpacker = zlib.decompressobj(_GZIP)
                plain = self._unpacker.decompress(data, _UNPACK_BYTES)
                data = self._unpacker.unconsumed_tail or self._unpacker.unused_data
                answer = self._plain(plain)
                if answer is not None:
                    return answer
        except Refused as refused:
            return refused.answer
        except zlib.error:
            return self._incomplete("the body is not gzip")
        except ValueError as error:
            return self._incomplete(str(error))
        except RegistryError as error:
            return self._failed(error)
        return None

    def finish(self) -> Answer:
        """The body ended."""
        if not self._admitted:
            return Answer.text(503, "too many uploads at once")
        try:
            return self._incomplete("the body ends too early")
        except RegistryError as error:
            return self._failed(error)

    def _plain(self, data: bytes) -> Answer | None:
        self._parser.feed(data)
        self._held += len(data)
        if self._header is None:
            self._header = self._parser.header()
            if self._header is None:
                return None
            self._target = self._mirror.begin(self._header)
            self._runs = list(_window(self._header.start, self._header.end))
            self._held = 0
        assert self._target is not None  # noqa: S101 - set with the header
        while self._runs:
            run = self._runs[0]
            package = self._parser.package(run.end - run.start)
            if package is None:
                if self._held > MAX_PACKAGE_BYTES + 2 * _UNPACK_BYTES:
                    raise ValueError("a package is too large")
                return None
            self._held = 0
            self._mirror.take(self._header.origin, run, *package, self._target)
            self._saved = run.end
            self._runs.pop(0)
            if not self._runs:
                self._runs = list(_window(run.end, self._header.end))
        return self._mirror.commit(self._header.origin, self._target)

    def _incomplete(self, reason: str) -> Answer:
        if self._header is not None and self._saved:
            return self._mirror.info(202, self._header.origin, self._header.end)
        return Answer.text(400, reason)

    def _failed(self, error: RegistryError) -> Answer:
        reason = f"{error.code}: {error}"
        if isinstance(error, ConsistencyInvalid):
            origin = self._header.origin if self._header else "?"
            log.warning("%s: a package was refused: %s", origin, reason)
            return Answer.text(422, reason)
        return Answer.text(503, reason)


def _window(start: int, end: int) -> Iterator[Run]:
    """The next runs of an upload: a header may name 2^63 entries, and costs nothing by that."""
    return runs(start, min(end, start - start % WIDTH + 64 * WIDTH))
