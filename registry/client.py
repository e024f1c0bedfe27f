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
from concurrent.futures import ThreadPoolExecutor
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
    QuorumMissing,
    RegistryError,
    RegistryMisbehaved,
    RegistryUnreachable,
    SubmissionRefused,
    TileMissing,
)
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import decode_digest, document_digest, is_origin
from registry.ledger.submission import CONTENT_TYPE, seal
from registry.tlog.policy import CosignedCheckpoint
from registry.tlog.proofs import TlogProof
from registry.tlog.tiles import WIDTH, Tile
from registry.trust import LongProof, TrustBundle
from registry.trust.container import MAX_BUNDLE_BYTES
from registry.trust.load import MAX_LIST_BYTES
from registry.web.answers import PLAIN, AnswerUnfit, read_answer
from schemas.errors import Phrase

TIMEOUT: Final = httpx.Timeout(10.0, connect=2.0)
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024  # a bundle of 256 entries of 8 KiB takes 2 MiB
MAX_EPOCHS: Final = 64  # closed chains that are followed in one submission
_NOT_FOUND: Final = 404
_KEPT_VIEWS: Final = 4
_PAGE_TILES: Final = 256  # tiles fetched ahead for many proofs
_AT_ONCE: Final = 4  # requests

_T = TypeVar("_T")
_Answer = tuple[int, bytes]  # status, body


@dataclass(frozen=True)
class Receipt:
    """Where the registry says it has put the entries, durably; cosigned a little later.

    `origin` is the chain they stand on: a later epoch of the one asked for, if that is closed.
    """

    origin: str
    indices: tuple[int, ...]
    repeated: bool


@dataclass(frozen=True)
class Cosigned:
    """A chain as a quorum of nodes has cosigned it: directly, or by its entry on the main chain.

    `time` is the quorum's (see `registry.tlog.policy`); `note` the main chain's checkpoint. For a
    side chain `entry` is the checkpoint entry and `proof` its proof.
    """

    origin: str
    size: int
    root: bytes
    time: datetime
    main: CosignedCheckpoint
    entry: Entry | None = None
    proof: TlogProof | None = None

    @property
    def note(self) -> str:
        """The cosigned note, as evidence."""
        return self.main.data.decode()


@dataclass(frozen=True)
class Proofs:
    """Compact proofs by index, and the cosigned state under which each of them was checked."""

    under: Cosigned
    proofs: Mapping[int, bytes]


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
        self.urls: Final = (urls,) if isinstance(urls, str) else tuple(urls)
        self.genesis: Final = genesis
        self._now = now
        self._best = self.urls[0] if self.urls else ""  # showed the newest state
        self._tiles: Final = TileCache()
        self._views: dict[tuple[str, str, int, bytes], LogView] = {}
        self._pool: Final = ThreadPoolExecutor(
            len(self.urls) + _AT_ONCE, thread_name_prefix="registry client"
        )
        # No proxies or netrc from the environment: who is asked is what was configured.
        self._http = httpx.Client(
            transport=transport,
            timeout=timeout,
            headers=PLAIN,
            trust_env=False,
            follow_redirects=False,
        )

    def close(self) -> None:
        """End the connections."""
        self._pool.shutdown(wait=True)
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Transport

    def _ask(
        self,
        url: str,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        content_type: str | None = None,
        limit: int = MAX_ANSWER_BYTES,
    ) -> tuple[int, bytes]:
        """Status and body of one address; raises RegistryUnreachable, RegistryMisbehaved."""
        headers = {"Content-Type": content_type} if content_type else {}
        try:
            with self._http.stream(
                method, f"{url.rstrip('/')}/{path}", content=content, headers=headers
            ) as answer:
                body = read_answer(answer, limit)
        except AnswerUnfit as error:
            raise RegistryMisbehaved(reason=error.reason) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnreachable(reason=type(error).__name__) from error
        if answer.status_code >= 500:
            raise RegistryUnreachable(
                reason=Phrase(
                    "HTTP {status}: {said}",
                    status=answer.status_code,
                    said=_said(body)[1],
                )
            )
        return answer.status_code, body

    def _send(self, method: str, path: str, *, content: bytes, content_type: str) -> _Answer:
        """Hand something in: to one address after the other, until one takes such things.

        Nodes take none, and a sequencer that stands by says so.
        """
        trouble: RegistryError = RegistryUnreachable(reason="no address is configured")
        for url in self.urls:
            try:
                status, body = self._ask(
                    url, method, path, content=content, content_type=content_type
                )
            except (RegistryUnreachable, RegistryMisbehaved) as error:
                trouble = error
                continue
            if status in (404, 405) and not _is_refusal(body):
                trouble = RegistryUnreachable(reason="only nodes answer, which take in nothing")
                continue
            return status, body
        raise trouble

    def _fetch(self, url: str, origin: str, path: str, limit: int = MAX_ANSWER_BYTES) -> bytes:
        """What one address has under a path; raises EntryUnknown for 404."""
        status, body = self._ask(url, "GET", path, limit=limit)
        if status == _NOT_FOUND:
            raise EntryUnknown(origin=origin)
        if status != 200:
            raise RegistryMisbehaved(
                reason=Phrase("HTTP {status} for {path}", status=status, path=path)
            )
        return body

    def _first(self, read: Callable[[str], _T]) -> _T:
        """What the first address gives that can give it, verified by `read`.

        The one that showed the newest state is asked first. Raises the gravest of what kept them.
        """
        return self._collect(read, 1)[0]

    def _all(self, read: Callable[[str], _T]) -> list[_T]:
        """What every address gives that can give it; the same errors when none can."""
        return self._collect(read, len(self.urls))

    def _collect(self, read: Callable[[str], _T], count: int) -> list[_T]:
        troubles: list[RegistryError] = []
        found: list[_T] = []

        def attempt(url: str) -> _T | RegistryError:
            try:
                return read(url)
            except RegistryError as error:
                return error

        urls = sorted(self.urls, key=lambda url: url != self._best)
        several = count > 1 and len(urls) > 1
        for got in self._pool.map(attempt, urls) if several else map(attempt, urls):
            if isinstance(got, RegistryError):
                troubles.append(got)
                continue
            found.append(got)
            if len(found) >= count:
                break
        if not found:
            unreachable = RegistryUnreachable(reason="no address is configured")
            raise min(troubles, key=_gravity, default=unreachable)
        return found

    def _get(self, origin: str, path: str, *, limit: int = MAX_ANSWER_BYTES) -> bytes:
        return self._first(lambda url: self._fetch(url, origin, path, limit))

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
            code, reason, positions = _refusal(body)
            if code == EntriesDuplicate.code:
                raise EntriesDuplicate(positions=positions)
            if code == ChainClosed.code:
                return self._successor(body)
            raise SubmissionRefused(cause=code, reason=reason)
        with _unintelligible():
            answer = json.loads(body)
            indices = tuple(answer["indices"])
            if len(indices) != len(entries) or any(type(index) is not int for index in indices):
                raise RegistryMisbehaved(reason="another number of indices than of entries")
            return Receipt(origin, indices, bool(answer["repeated"]))

    def _successor(self, body: bytes) -> str:
        with _unintelligible():
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
            code, reason, _ = _refusal(body)
            raise SubmissionRefused(cause=code, reason=reason)
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

        self._best, state = max(
            self._all(shown), key=lambda one: (one[1].main.size, one[1].time, one[1].size)
        )
        return state

    def _main(self, url: str) -> Cosigned:
        main = self.genesis.origin
        with _unverified():
            note = self._fetch(url, main, f"{main}/checkpoint")
            checkpoint = self.genesis.policy.check(note, origin=main, now=self._seconds())
        return Cosigned(main, checkpoint.size, checkpoint.root, _time(checkpoint), checkpoint)

    def _side(self, url: str, origin: str, query: str) -> Cosigned:
        data = self._fetch(url, origin, f"{origin}/cosigned{query}")
        with _unverified():
            proof = TlogProof.parse(data)
            entry = parse_entry(proof.extra or b"")
            if entry.kind != "checkpoint" or entry["origin"] != origin:
                raise RegistryMisbehaved(reason="a proof for another chain")
            found = proof.verify(
                entry.leaf_hash,
                self.genesis.policy,
                origin=self.genesis.origin,
                now=self._seconds(),
            )
        main = found.checkpoint
        root = decode_digest(entry["root"], 32)
        return Cosigned(origin, entry["size"], root, _time(main), main, entry, proof)

    def _view(self, url: str, state: Cosigned) -> LogView:
        """The chain at an address, under a verified state."""
        key = (url, state.origin, state.size, state.root)
        held = self._views.get(key)
        if held is None:

            def fetch(path: str) -> bytes:
                return self._fetch(url, state.origin, path)

            held = remote_view(state.origin, state.size, state.root, fetch, self._tiles)
            while len(self._views) >= _KEPT_VIEWS:
                del self._views[next(iter(self._views))]
            self._views[key] = held
        return held

    def _read(self, state: Cosigned, read: Callable[[LogView], _T]) -> _T:
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

        return self._first(attempt)

    def _seconds(self) -> int:
        return int(self._now().timestamp())

    def lookup(self, origin: str, leaf_hash: bytes) -> int:
        """Where the registry says a leaf stands. A hint: proofs decide. Raises EntryUnknown."""
        body = self._get(origin, f"{origin}/lookup/{leaf_hash.hex()}")
        with _unintelligible():
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
                return self._fetch(self._best, state.origin, f"{state.origin}/{tile.path}")
            except RegistryError:
                return None

        for tile, data in zip(missing, self._pool.map(fetch, missing), strict=True):
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
        state = self._first(lambda url: self._side(url, origin, f"?covering={index}"))
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

    def trust_bundle(self) -> bytes:
        """The newest trust bundle, verified; load it with `TrustBundle.load`."""

        def read(url: str) -> tuple[TrustBundle, bytes]:
            data = self._fetch(url, self.genesis.origin, "bundle", MAX_BUNDLE_BYTES)
            with _unverified():
                return TrustBundle.load(data, self.genesis, now=self._now()), data

        if len(self.urls) > 1:
            self.cosigned()  # finds out who is ahead
        return self._first(read)[1]

    def status_list(self, digest: str) -> dict[str, Any]:
        """A status list credential by its digest. Raises EntryUnknown."""

        def read(url: str) -> dict[str, Any]:
            data = self._fetch(url, "status-lists", f"status-lists/{digest}", MAX_LIST_BYTES)
            with _unintelligible():
                document = json.loads(data)
                if not isinstance(document, dict) or document_digest(document) != digest:
                    raise RegistryMisbehaved(reason="a status list with another digest")
                return document

        return self._first(read)

    def status(self) -> dict[str, Any]:
        """What the registry says about itself: for people, proved by nothing."""
        return self._told("status")

    def blocks(self, limit: int = 20, before: int | None = None) -> list[dict[str, Any]]:
        """The newest side-chain batches as the registry lists them, proved by nothing."""
        query = f"blocks?limit={limit}" + (f"&before={before}" if before is not None else "")
        found = self._told(query).get("blocks")
        return found if isinstance(found, list) else []

    def _told(self, path: str) -> dict[str, Any]:
        body = self._get(self.genesis.origin, path)
        with _unintelligible():
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


@contextmanager
def _unintelligible() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RegistryMisbehaved(reason="an answer that is not in form") from error


def _time(checkpoint: CosignedCheckpoint) -> datetime:
    if checkpoint.time is None:  # a genesis always demands a quorum
        raise RegistryMisbehaved(reason="a checkpoint that nobody cosigned")
    return checkpoint.time


def _compact_proofs(indices: Sequence[int], view: LogView) -> dict[int, bytes]:
    return view.compact_proofs(indices)


def _gravity(error: RegistryError) -> int:
    """Misbehaviour first: it must not hide behind an address that is only silent."""
    order = (RegistryMisbehaved, QuorumMissing, EntryUnknown, RegistryUnreachable)
    return next((rank for rank, kind in enumerate(order) if isinstance(error, kind)), -1)


def _is_refusal(body: bytes) -> bool:
    try:
        return "error" in json.loads(body)
    except (ValueError, TypeError, RecursionError):
        return False


def _said(body: bytes) -> tuple[str, str]:
    code, reason, _ = _refusal(body)
    return code, reason


def _refusal(body: bytes) -> tuple[str, str, list[int]]:
    """Code, sentence and positions of an error answer, shortened: they are a stranger's words."""
    try:
        error = json.loads(body)["error"]
        code, reason = str(error["code"])[:64], str(error["message"])[:500]
        positions = [int(position) for position in error.get("positions", [])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "ZL-REGISTRY", "no reason was given", []
    return code, reason, positions
