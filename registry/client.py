"""A client of the registry that believes nothing.

Every checkpoint must bear the quorum of the pinned genesis; every entry and proof must lead to
such a checkpoint, else RegistryMisbehaved. No proof is handed out without the checkpoint under
which it was checked. So the addresses may be anybody's, a sequencer's or a node's: several can be
given; of what they show, the newest verified state counts, and what one does not have, or has
wrong, is asked of the next.

What a server can do to its client: not answer, answer with an older state (the time in what is
returned shows it), or deny that it has an entry. None of that is ever returned as proof.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any, Final, Self, TypeVar

import httpx
import rfc8785

from credentials.keys import Signer
from registry.engine.remote import TileCache, remote_view
from registry.engine.view import LogView
from registry.errors import (
    ChainClosed,
    EntriesDuplicate,
    EntryUnknown,
    HistoryRewritten,
    QuorumMissing,
    RegistryError,
    RegistryMisbehaved,
    RegistryUnreachable,
    SubmissionRefused,
    TileMissing,
)
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import document_digest, is_origin
from registry.ledger.submission import CONTENT_TYPE, seal
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.tiles import WIDTH, Tile
from registry.trust import LongProof, TrustBundle
from registry.trust.container import MAX_BUNDLE_BYTES
from registry.trust.continuity import check_continues, close_gaps
from registry.trust.cosigned import Cosigned, Proofs
from registry.trust.load import MAX_LIST_BYTES
from registry.web.asking import MAX_ANSWER_BYTES, TIMEOUT, Addresses, Refusal, intelligible
from schemas.errors import Phrase

__all__ = ["Cosigned", "Proofs", "Receipt", "RegistryClient"]

MAX_EPOCHS: Final = 64  # closed chains that are followed in one submission
_KEPT_VIEWS: Final = 4
_PAGE_TILES: Final = 256  # tiles fetched ahead for many proofs

_T = TypeVar("_T")
_Tree = Cosigned | Checkpoint
"""A tree that was verified: origin, size and root."""


@dataclass(frozen=True)
class Receipt:
    """Where the registry says it has put the entries, durably; cosigned a little later.

    `origin` is the chain they stand on: a later epoch of the one asked for, if that is closed.
    """

    origin: str
    indices: tuple[int, ...]
    repeated: bool


def utc_now() -> datetime:
    """The clock at the edge."""
    return datetime.now(UTC)


class RegistryClient:
    """Reads and writes one network through one or more addresses. Close it after use."""

    def __init__(
        self,
        urls: str | Sequence[str],
        genesis: Genesis,
        *,
        transport: httpx.BaseTransport | None = None,
        timeout: httpx.Timeout | float = TIMEOUT,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.genesis: Final = genesis
        self._now = now
        self._addresses: Final = Addresses(
            (urls,) if isinstance(urls, str) else urls, transport=transport, timeout=timeout
        )
        self.urls: Final = self._addresses.urls
        self._send: Final = self._addresses.send
        self._tiles: Final = TileCache()
        self._views: dict[tuple[str, str, int, bytes], LogView] = {}

    def close(self) -> None:
        """End the connections."""
        self._addresses.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Writing

    def submit(
        self, origin: str, entries: Sequence[Entry], signer: Signer, key_url: str
    ) -> Receipt:
        """Seal and submit; returns when the registry has made the entries durable.

        Submitting again what an answer got lost for is safe. Where a chain is closed, the
        entries go to the one that follows it. Raises SubmissionRefused, EntriesDuplicate,
        RegistryUnreachable.
        """
        for _ in range(MAX_EPOCHS):
            found = self._submit(origin, entries, signer, key_url)
            if isinstance(found, Receipt):
                return found
            origin = found
        raise RegistryMisbehaved(reason="one closed chain after another")

    def _submit(
        self, origin: str, entries: Sequence[Entry], signer: Signer, key_url: str
    ) -> Receipt | str:
        """The receipt, or the chain that follows a closed one."""
        submission = seal(
            origin,
            entries,
            submitter=key_url.partition("#")[0],
            key_url=key_url,
            signer=signer,
            now=self._now(),
        )
        status, body = self._send(
            "POST", f"{origin}/add", content=submission.encode(), content_type=CONTENT_TYPE
        )
        if status not in (200, 201):
            refusal = Refusal.read(body)
            if refusal.code == EntriesDuplicate.code:
                raise EntriesDuplicate(positions=list(refusal.positions))
            if refusal.code == ChainClosed.code:
                return self._successor(body)
            raise SubmissionRefused(cause=refusal.code, reason=refusal.reason)
        with intelligible():
            answer = json.loads(body)
            indices = tuple(answer["indices"])
            if len(indices) != len(entries) or any(type(index) is not int for index in indices):
                raise RegistryMisbehaved(reason="another number of indices than of entries")
            return Receipt(origin, indices, bool(answer["repeated"]))

    def _successor(self, body: bytes) -> str:
        with intelligible():
            successor = json.loads(body)["error"]["successor"]
            # It chooses where we seal next, so it must stay in the network; nodes check the rest.
            if not is_origin(successor) or not successor.startswith(self.genesis.network + "/"):
                raise RegistryMisbehaved(reason="a closed chain that is followed by none")
            return str(successor)

    def put_status_list(self, document: Mapping[str, Any]) -> str:
        """Hand in a signed status list credential, for bundles; returns its digest.

        It counts once a `status` entry with this digest is on the chain.
        """
        digest = document_digest(document)
        status, body = self._send(
            "PUT",
            f"status-lists/{digest}",
            content=rfc8785.dumps(dict(document)),
            content_type="application/json",
        )
        if status != 201:
            refusal = Refusal.read(body)
            raise SubmissionRefused(cause=refusal.code, reason=refusal.reason)
        return digest

    # Reading

    def cosigned(self, origin: str | None = None) -> Cosigned:
        """The newest state of a chain (default: the main one) that a quorum has cosigned.

        All addresses are asked; the newest that verifies counts. Raises EntryUnknown while there
        is none, QuorumMissing, RegistryMisbehaved.
        """
        main = self.genesis.origin
        if origin is None or origin == main:
            return self._newest(self._main)
        return self._newest(lambda url: self._side(url, origin, ""))

    def _newest(self, read: Callable[[str], Cosigned]) -> Cosigned:
        def shown(url: str) -> tuple[str, Cosigned]:
            return url, read(url)

        self._addresses.preferred, state = max(
            self._addresses.all(shown), key=lambda one: (one[1].main.size, one[1].time, one[1].size)
        )
        return state

    def _main(self, url: str) -> Cosigned:
        main = self.genesis.origin
        note = self._fetch(url, main, f"{main}/checkpoint")
        with _unverified():
            return Cosigned.of_main(note, self.genesis, now=self._seconds())

    def _side(self, url: str, origin: str, query: str) -> Cosigned:
        data = self._fetch(url, origin, f"{origin}/cosigned{query}")
        with _unverified():
            return Cosigned.of_side(data, self.genesis, origin, now=self._seconds())

    def _fetch(
        self,
        url: str,
        origin: str,
        path: str,
        limit: int = MAX_ANSWER_BYTES,
        *,
        packed: bool = False,
    ) -> bytes:
        """What one address has under a path; raises EntryUnknown when it has nothing there."""
        body = self._addresses.fetch(url, path, limit, packed=packed)
        if body is None:
            raise EntryUnknown(origin=origin)
        return body

    def _tile(self, url: str, origin: str, tile: Tile) -> bytes:
        bundle = tile.level == Tile.ENTRIES
        return self._fetch(url, origin, f"{origin}/{tile.path}", packed=bundle)

    def _view(self, url: str, state: _Tree) -> LogView:
        """The chain at an address, under a verified state."""
        key = (url, state.origin, state.size, state.root)
        held = self._views.get(key)
        if held is None:
            fetch = partial(self._tile, url, state.origin)
            held = remote_view(state.origin, state.size, state.root, fetch, self._tiles)
            while len(self._views) >= _KEPT_VIEWS:
                del self._views[next(iter(self._views))]
            self._views[key] = held
        return held

    def _read(self, state: _Tree, read: Callable[[LogView], _T]) -> _T:
        """What `read` makes of the chain under `state`, from the first address that can."""

        def attempt(url: str) -> _T:
            try:
                with _unverified():
                    return read(self._view(url, state))
            except RegistryMisbehaved:
                # What was fetched and kept may be what is wrong.
                self._views.clear()
                self._tiles.drop(state.origin)
                raise

        return self._addresses.first(attempt)

    def _seconds(self) -> int:
        return int(self._now().timestamp())

    def lookup(self, origin: str, leaf_hash: bytes) -> int:
        """Where the registry says a leaf stands. A hint: proofs decide. Raises EntryUnknown."""
        path = f"{origin}/lookup/{leaf_hash.hex()}"
        body = self._addresses.first(lambda url: self._fetch(url, origin, path))
        with intelligible():
            index = json.loads(body)["index"]
            if type(index) is not int or index < 0:
                raise RegistryMisbehaved(reason="an index that is none")
            return index

    def entries(
        self, origin: str, start: int, end: int, *, under: Cosigned | None = None
    ) -> list[Entry]:
        """Entries [start, end), each proved to stand in the cosigned chain.

        Raises EntryUnknown when the cosigned chain does not reach so far.
        """
        state = under or self.cosigned(origin)
        if not 0 <= start <= end <= state.size:
            raise EntryUnknown(origin=origin)
        return self._read(
            state, lambda view: [parse_entry(raw) for raw in view.iterate(start, end)]
        )

    def proofs(
        self, origin: str, indices: Iterable[int], *, under: Cosigned | None = None
    ) -> Proofs:
        """The compact anchor proofs of many entries, checked against one cosigned state.

        Of a tile that many proofs are asked of, all are made at once. Raises EntryUnknown while
        one of them is not under a cosigned checkpoint.
        """
        state = under or self.cosigned(origin)
        wanted = sorted(set(indices))
        if wanted and not 0 <= wanted[0] <= wanted[-1] < state.size:
            raise EntryUnknown(origin=origin)
        found: dict[int, bytes] = {}
        pages = groupby(wanted, key=lambda index: index // (WIDTH * _PAGE_TILES))
        for page in [list(group) for _, group in pages]:
            self._prefetch(state, page)
            found |= self._read(state, partial(_compact_proofs, page))
        return Proofs(state, found)

    def _prefetch(self, state: Cosigned, indices: Sequence[int]) -> None:
        """Fetch the tiles of many proofs at once; what is wrong with one, its reader finds."""
        numbers = sorted({index // WIDTH for index in indices})
        tiles = [Tile(0, number) for number in numbers if (number + 1) * WIDTH <= state.size]
        missing = [tile for tile in tiles if self._tiles.get(state.origin, tile) is None]
        if len(missing) < 2:
            return

        def fetch(tile: Tile) -> bytes | None:
            try:
                return self._tile(self._addresses.preferred, state.origin, tile)
            except RegistryError:
                return None

        for tile, data in zip(missing, self._addresses.at_once(fetch, missing), strict=True):
            if data is not None:
                self._tiles.put(state.origin, tile, data)

    def compact_proof(self, origin: str, index: int) -> bytes:
        """The compact anchor proof of an entry, checked against the cosigned chain.

        For a presentation, whose reader holds a trust bundle; `proofs` gives the state, too.
        Raises EntryUnknown while the entry is not under a cosigned checkpoint.
        """
        return self.proofs(origin, [index]).proofs[index]

    def long_proof(self, origin: str, index: int) -> bytes:
        """The long proof of an entry (see `registry.trust.anchors`), checked.

        Raises EntryUnknown while the entry is not under a cosigned checkpoint.
        """
        state = self._addresses.first(lambda url: self._side(url, origin, f"?covering={index}"))
        entry, side = state.entry, state.proof
        if entry is None or side is None or not 0 <= index < state.size:
            raise EntryUnknown(origin=origin)

        def build(view: LogView) -> LongProof:
            [leaf] = view.leaf_hashes(index, index + 1)
            path = view.inclusion_proof(index, state.size)
            proof = LongProof.build(index, path, entry, side)
            proof.verify(self.genesis, origin, leaf, now=self._seconds())
            return proof

        return self._read(state, build).encode()

    def trust_bundle(self, held: TrustBundle | None = None) -> bytes:
        """The newest trust bundle, verified; load it with `TrustBundle.load`.

        Where an earlier one is `held`, every chain of it is shown to be the beginning of the
        same chain in the new one; raises HistoryRewritten, with the new one in `evidence`.
        """

        def read(url: str) -> tuple[TrustBundle, bytes]:
            data = self._fetch(url, self.genesis.origin, "bundle", MAX_BUNDLE_BYTES)
            with _unverified():
                return TrustBundle.load(data, self.genesis, now=self._now()), data

        if len(self.urls) > 1:
            self.cosigned()  # finds out who is ahead
        bundle, data = self._addresses.first(read)
        if held is not None:
            try:
                gaps = check_continues(held, bundle)
                # Who is behind has no tiles of the larger chain; whether to take it, others decide.
                if bundle.main_checkpoint.size >= held.main_checkpoint.size:
                    close_gaps(gaps, self.root_at)
            except HistoryRewritten as error:
                error.evidence = data
                raise
        return data

    def root_at(self, tree: Checkpoint, size: int) -> bytes:
        """The root of the first `size` entries of a verified tree, from tiles that lead to it."""
        return self._read(tree, lambda view: view.root_at(size))

    def status_list(self, digest: str) -> dict[str, Any]:
        """A status list credential by its digest. Raises EntryUnknown."""

        def read(url: str) -> dict[str, Any]:
            data = self._fetch(url, "status-lists", f"status-lists/{digest}", MAX_LIST_BYTES)
            with intelligible():
                document = json.loads(data)
                if not isinstance(document, dict) or document_digest(document) != digest:
                    raise RegistryMisbehaved(reason="a status list with another digest")
                return document

        return self._addresses.first(read)

    def status(self) -> dict[str, Any]:
        """What the registry says about itself: for people, proved by nothing."""
        return self._told("status")

    def blocks(self, limit: int = 20, before: int | None = None) -> list[dict[str, Any]]:
        """The newest side-chain batches as the registry lists them, proved by nothing."""
        query = f"blocks?limit={limit}" + (f"&before={before}" if before is not None else "")
        found = self._told(query).get("blocks")
        return found if isinstance(found, list) else []

    def _told(self, path: str) -> dict[str, Any]:
        body = self._addresses.first(lambda url: self._fetch(url, self.genesis.origin, path))
        with intelligible():
            told = json.loads(body)
            if not isinstance(told, dict):
                raise RegistryMisbehaved(reason="an answer of another form")
            return told


@contextmanager
def _unverified() -> Iterator[None]:
    """What does not verify is the server's fault; what is missing or unreachable is not."""
    try:
        yield
    except (RegistryUnreachable, RegistryMisbehaved, EntryUnknown, QuorumMissing):
        raise
    except TileMissing as error:
        raise EntryUnknown(origin=str(error.params["path"])) from error
    except RegistryError as error:
        raise RegistryMisbehaved(
            reason=Phrase("{code}: {error}", code=error.code, error=error)
        ) from error


def _compact_proofs(indices: Sequence[int], view: LogView) -> dict[int, bytes]:
    return view.compact_proofs(indices)
