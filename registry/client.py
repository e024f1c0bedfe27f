"""A client of the registry that believes nothing.

Every checkpoint must bear the quorum of the pinned genesis; every entry and proof must lead to
such a checkpoint, else RegistryMisbehaved. So the addresses may be anybody's: several can be
given, and the next is asked when one does not answer.

What a server can do to its client: not answer, answer with an older state (the time in what is
returned shows it), or deny that it has an entry. None of that is ever returned as proof.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import httpx
import rfc8785

from credentials.keys import Signer
from registry.answers import PLAIN, AnswerUnfit, read_answer
from registry.entries import Entry, decode_digest, document_digest, is_origin, parse_entry
from registry.errors import (
    ChainClosed,
    EntriesDuplicate,
    EntryUnknown,
    RegistryError,
    RegistryMisbehaved,
    RegistryUnreachable,
    SubmissionRefused,
)
from registry.genesis import Genesis
from registry.merkle import inclusion_proof, verify_inclusion
from registry.policy import CosignedCheckpoint
from registry.proofs import TlogProof
from registry.submission import CONTENT_TYPE, seal
from registry.tiles import (
    WIDTH,
    CompactProof,
    Tile,
    TileReader,
    check_bundle,
    parse_tile,
    width_at,
)
from registry.trust import LongProof, TrustBundle
from registry.trust.container import MAX_BUNDLE_BYTES
from registry.trust.load import MAX_LIST_BYTES

TIMEOUT: Final = httpx.Timeout(10.0, connect=2.0)
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024  # a bundle of 256 entries of 8 KiB takes 2 MiB
MAX_EPOCHS: Final = 64  # closed chains that are followed in one submission
_NOT_FOUND: Final = 404


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

    `time` is the quorum's (see `registry.policy`); `note` the main chain's checkpoint. For a side
    chain `entry` is the checkpoint entry and `proof` its proof.
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
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Transport

    def _send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        content_type: str | None = None,
        limit: int = MAX_ANSWER_BYTES,
    ) -> tuple[int, bytes]:
        """Ask one address after the other. Raises what kept the last one from answering."""
        trouble: RegistryError = RegistryUnreachable(reason="no address is configured")
        headers = {"Content-Type": content_type} if content_type else {}
        for url in self.urls:
            try:
                with self._http.stream(
                    method, f"{url.rstrip('/')}/{path}", content=content, headers=headers
                ) as answer:
                    body = read_answer(answer, limit)
            except AnswerUnfit as error:
                trouble = RegistryMisbehaved(reason=error.reason)
                continue
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                trouble = RegistryUnreachable(reason=type(error).__name__)
                continue
            if answer.status_code >= 500:
                reason = f"HTTP {answer.status_code}: {_said(body)[1]}"
                trouble = RegistryUnreachable(reason=reason)
                continue
            return answer.status_code, body
        raise trouble

    def _get(self, origin: str, path: str, *, limit: int = MAX_ANSWER_BYTES) -> bytes:
        status, body = self._send("GET", path, limit=limit)
        if status == _NOT_FOUND:
            raise EntryUnknown(origin=origin)
        if status != 200:
            raise RegistryMisbehaved(reason=f"HTTP {status} for {path}")
        return body

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

        Raises EntryUnknown while there is none, QuorumMissing, RegistryMisbehaved.
        """
        main = self.genesis.origin
        if origin is None or origin == main:
            with _unverified():
                note = self._get(main, f"{main}/checkpoint")
                checkpoint = self.genesis.policy.check(note, origin=main, now=self._seconds())
            return Cosigned(main, checkpoint.size, checkpoint.root, _time(checkpoint), checkpoint)
        return self._side(origin, "")

    def _side(self, origin: str, query: str) -> Cosigned:
        data = self._get(origin, f"{origin}/cosigned{query}")
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
        tiles = _Tiles(self, state)
        found: list[Entry] = []
        for index in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
            leaves = tiles.proved_leaves(index)
            bundle = Tile(Tile.ENTRIES, index, len(leaves))
            data = self._get(origin, f"{origin}/{bundle.path}")
            first = index * WIDTH
            with _unverified():
                rows = check_bundle(bundle, data, leaves)
                found += [
                    parse_entry(raw)
                    for raw in rows[max(start - first, 0) : max(min(end - first, WIDTH), 0)]
                ]
        return found

    def compact_proof(self, origin: str, index: int) -> bytes:
        """The compact anchor proof of an entry, checked against the cosigned chain.

        Raises EntryUnknown while the entry is not under a cosigned checkpoint.
        """
        state = self.cosigned(origin)
        if not 0 <= index < state.size:
            raise EntryUnknown(origin=origin)
        leaves = _Tiles(self, state).proved_leaves(index // WIDTH)
        return CompactProof.build(index, leaves).encode()

    def long_proof(self, origin: str, index: int) -> bytes:
        """The long proof of an entry (see `registry.trust.anchors`), checked.

        Raises EntryUnknown while the entry is not under a cosigned checkpoint.
        """
        state = self._side(origin, f"?covering={index}")
        if state.entry is None or state.proof is None or not 0 <= index < state.size:
            raise EntryUnknown(origin=origin)
        tiles = _Tiles(self, state)
        leaf = tiles.proved_leaves(index // WIDTH)[index % WIDTH]
        proof = LongProof.build(index, tiles.path(index), state.entry, state.proof)
        with _unverified():
            proof.verify(self.genesis, origin, leaf, now=self._seconds())
        return proof.encode()

    def trust_bundle(self) -> bytes:
        """The newest trust bundle, verified; load it with `TrustBundle.load`."""
        data = self._get(self.genesis.origin, "bundle", limit=MAX_BUNDLE_BYTES)
        with _unverified():
            TrustBundle.load(data, self.genesis, now=self._now())
        return data

    def status_list(self, digest: str) -> dict[str, Any]:
        """A status list credential by its digest. Raises EntryUnknown."""
        data = self._get("status-lists", f"status-lists/{digest}", limit=MAX_LIST_BYTES)
        with _unintelligible():
            document = json.loads(data)
            if not isinstance(document, dict) or document_digest(document) != digest:
                raise RegistryMisbehaved(reason="a status list with another digest")
            return document

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


class _Tiles:
    """Tiles of one cosigned tree; what leaves it was proved to belong to the tree's root."""

    def __init__(self, client: RegistryClient, state: Cosigned) -> None:
        self._client = client
        self._state = state
        self._held: dict[Tile, list[bytes]] = {}

    def _hashes(self, tile: Tile) -> Sequence[bytes]:
        if tile not in self._held:
            data = self._client._get(self._state.origin, f"{self._state.origin}/{tile.path}")
            with _unverified():
                self._held[tile] = parse_tile(tile, data)
        return self._held[tile]

    def path(self, index: int) -> list[bytes]:
        """The inclusion path of an entry; unproved until it is verified."""
        return inclusion_proof(index, self._state.size, TileReader(self._state.size, self._hashes))

    def proved_leaves(self, index: int) -> Sequence[bytes]:
        """The leaf hashes of a level-0 tile, proved."""
        width = width_at(0, index, self._state.size)
        leaves = self._hashes(Tile(0, index, width))
        first = index * WIDTH
        with _unverified():
            # All other hashes of the tile enter the path of its first leaf: one proof for all.
            path = self.path(first)
            verify_inclusion(first, self._state.size, leaves[0], path, self._state.root)
        return leaves


@contextmanager
def _unverified() -> Iterator[None]:
    """What does not verify is the server's fault; what is missing or unreachable is not."""
    from registry.errors import QuorumMissing

    try:
        yield
    except (RegistryUnreachable, RegistryMisbehaved, EntryUnknown, QuorumMissing):
        raise
    except RegistryError as error:
        raise RegistryMisbehaved(reason=f"{error.code}: {error}") from error


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
