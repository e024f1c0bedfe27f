"""Loading a trust bundle: every step from the pinned genesis to each statement in it.

Damage that no attacker is needed for (a broken file, a missing one) raises BundleCorrupt;
contents that contradict the cosigned chain raise BundleForged. Both name the part.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import rfc8785

from registry.contracts.governance import Governance, lists_digest, newest_lists
from registry.errors import (
    BundleCorrupt,
    BundleForged,
    CheckpointMalformed,
    NoteMalformed,
    QuorumMissing,
    RegistryError,
)
from registry.ledger.entries import Entry
from registry.ledger.entries import parse_entry as parse
from registry.ledger.genesis import Genesis
from registry.ledger.kinds import GOVERNANCE_KINDS
from registry.ledger.members import decode_digest, decode_time, document_digest
from registry.ledger.records import SideChain
from registry.limits import HASH_BYTES, MAX_PROOF_HASHES
from registry.tlog.lines import encode_hash, parse_hash
from registry.tlog.merkle import root_of, verify_inclusion
from registry.tlog.policy import CosignedCheckpoint
from registry.tlog.tiles import WIDTH, split_hashes
from registry.trust.anchors import SideTree
from registry.trust.container import unpack
from schemas.errors import Phrase

FORMAT: Final = "zhenglian/trust-bundle/v1"
MANIFEST: Final = "bundle.json"
GENESIS: Final = "genesis.json"
CHECKPOINT: Final = "main/checkpoint"
ENTRIES: Final = "main/entries.jsonl"
MAX_LIST_BYTES: Final = 2 * 1024 * 1024  # a status list of 2^20 random bits


def side_files(network: str, origin: str) -> tuple[str, str, str]:
    """The files of a side chain: hashes of full tiles, leaf hashes, newest status entries."""
    folder = f"sides/{origin.removeprefix(network + '/')}"
    return f"{folder}/tiles", f"{folder}/leaves", f"{folder}/lists.jsonl"


def status_file(digest: str) -> str:
    """The file of the status list credential that has this digest."""
    return f"status/{digest}.json"


@dataclass(frozen=True)
class MainEntry:
    """An entry of the main chain and its path to the bundle's checkpoint."""

    index: int
    entry: Entry
    path: tuple[bytes, ...]

    def line(self) -> bytes:
        """Its line in the bundle."""
        body: dict[str, Any] = {
            "entry": dict(self.entry.body),
            "index": self.index,
            "path": [encode_hash(sibling) for sibling in self.path],
        }
        return rfc8785.dumps(body) + b"\n"


def list_line(index: int, entry: Entry) -> bytes:
    """The line of a status entry in the bundle."""
    return rfc8785.dumps({"entry": dict(entry.body), "index": index}) + b"\n"


@dataclass(frozen=True)
class StatusListSnapshot:
    """A status list credential whose digest is on the chain, the newest one of its list.

    `credential` is not yet verified as a credential: its own proof is its reader's to check.
    `anchored_at` is when its issuer sealed it; that it is still the newest holds for the
    bundle's `time`.
    """

    url: str
    issuer: str
    credential: Mapping[str, Any]
    digest: str
    anchored_at: datetime


@dataclass(frozen=True)
class BundleParts:
    """What a bundle holds, all of it verified.

    `rules`: the leaf hashes of all governance entries by their index on the main chain; `sides`:
    the side chains by origin; `status_lists`: the newest ones by URL.
    """

    checkpoint: CosignedCheckpoint
    time: datetime
    governance: Governance
    rules: Mapping[int, bytes]
    sides: Mapping[str, SideTree]
    status_lists: Mapping[str, StatusListSnapshot]


class _Files:
    """The bundle's files, each of which must be taken once."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def take(self, name: str) -> bytes:
        if name not in self._files:
            raise BundleCorrupt(part=name, reason="the file is missing")
        return self._files.pop(name)

    def take_if_there(self, name: str) -> bytes | None:
        return self._files.pop(name, None)

    def check_empty(self) -> None:
        for name in self._files:
            raise BundleCorrupt(part=name, reason="no such file belongs here")


@contextmanager
def _malformed(part: str) -> Iterator[None]:
    """Turn errors of parsing into BundleCorrupt."""
    try:
        yield
    except (BundleCorrupt, BundleForged):
        raise
    except (RegistryError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BundleCorrupt(part=part, reason="its content is malformed") from error


def _lines(data: bytes, members: set[str]) -> Iterator[dict[str, Any]]:
    if data and not data.endswith(b"\n"):
        raise ValueError("the last line is cut off")
    for line in data.splitlines():
        body = json.loads(line)
        if not isinstance(body, dict) or set(body) != members or rfc8785.dumps(body) != line:
            raise ValueError("a line has another form")
        if type(body["index"]) is not int or body["index"] < 0:
            raise ValueError("an index is not a number")
        yield body


def load_bundle(data: bytes, genesis: Genesis, *, now: datetime | None) -> BundleParts:
    """The verified parts of the bundle in `data`; see `TrustBundle.load`."""
    files = _Files(unpack(data))
    manifest = rfc8785.dumps({"format": FORMAT, "network": genesis.network}) + b"\n"
    if files.take(MANIFEST) != manifest:
        raise BundleCorrupt(part=MANIFEST, reason="another format or network")
    if files.take(GENESIS) != genesis.entry.raw + b"\n":
        raise BundleForged(part=GENESIS, reason="it is not the pinned one")
    checkpoint = _checkpoint(files.take(CHECKPOINT), genesis, now)
    entries = _main_entries(files.take(ENTRIES), checkpoint)
    heads = _check_complete(entries, checkpoint.size)
    rules = {index: entry for index, entry in entries.items() if entry.kind in GOVERNANCE_KINDS}
    try:
        governance = Governance.replay(genesis, rules.items())
    except RegistryError as error:
        raise BundleForged(part=ENTRIES, reason=error) from error
    sides: dict[str, SideTree] = {}
    lists_by_chain: list[tuple[SideChain, dict[str, tuple[int, Entry]]]] = []
    for origin, head in sorted(heads.items()):
        if origin not in governance.chains:
            raise BundleForged(part=ENTRIES, reason="a checkpoint of no registered chain")
        tiles, leaves, lists = side_files(genesis.network, origin)
        side = _side(entries[head], files.take(tiles), files.take(leaves), (tiles, leaves))
        sides[origin] = side
        newest = _lists(entries[head], files.take(lists), lists)
        lists_by_chain.append((governance.chains[origin], newest))
    status = _status_lists(lists_by_chain, files)
    files.check_empty()
    if checkpoint.time is None:  # a genesis always demands a quorum
        raise BundleForged(part=CHECKPOINT, reason="nobody cosigned it")
    recorded = {index: entry.leaf_hash for index, entry in rules.items()}
    return BundleParts(checkpoint, checkpoint.time, governance, recorded, sides, status)


def _checkpoint(note: bytes, genesis: Genesis, now: datetime | None) -> CosignedCheckpoint:
    moment = None if now is None else int(now.timestamp())
    try:
        return genesis.policy.check(note, origin=genesis.origin, now=moment)
    except QuorumMissing:
        raise
    except (NoteMalformed, CheckpointMalformed) as error:
        raise BundleCorrupt(part=CHECKPOINT, reason=error) from error
    except RegistryError as error:
        raise BundleForged(part=CHECKPOINT, reason=error) from error


def _main_entries(data: bytes, checkpoint: CosignedCheckpoint) -> dict[int, Entry]:
    found: dict[int, Entry] = {}
    last = -1
    with _malformed(ENTRIES):
        for body in _lines(data, {"entry", "index", "path"}):
            index, entry = body["index"], parse(rfc8785.dumps(body["entry"]))
            if index <= last or len(body["path"]) > MAX_PROOF_HASHES:
                raise ValueError("entries out of order, or a path too long")
            path = [parse_hash(sibling) for sibling in body["path"]]
            try:
                verify_inclusion(index, checkpoint.size, entry.leaf_hash, path, checkpoint.root)
            except RegistryError as error:
                raise BundleForged(
                    part=ENTRIES, reason=Phrase("entry {index}: {error}", index=index, error=error)
                ) from error
            found[index] = entry
            last = index
    return found


def _check_complete(entries: Mapping[int, Entry], size: int) -> dict[str, int]:
    """Where the latest checkpoint of each side chain stands, once nothing is left out."""
    checkpoints = [index for index, entry in entries.items() if entry.kind == "checkpoint"]
    newest = checkpoints[-1] if checkpoints else None
    tail = range(newest if newest is not None else 0, size)
    # The number first: a huge size must not cost a walk over it.
    if sum(index in tail for index in entries) != len(tail):
        raise BundleForged(part=ENTRIES, reason="entries of its end are left out")
    if newest is None:
        return {}
    before = [i for i, e in entries.items() if i < newest and e.kind in GOVERNANCE_KINDS]
    rules = entries[newest]["rules"]
    if rules != {"count": len(before), "last": before[-1] if before else None}:
        raise BundleForged(part=ENTRIES, reason="governance entries are left out")
    latest: dict[str, int] = {}
    for index in checkpoints:
        if index < newest:
            latest[entries[index]["origin"]] = index
    if entries[newest]["heads"] != latest:
        raise BundleForged(part=ENTRIES, reason="checkpoints of side chains are left out")
    return {**latest, entries[newest]["origin"]: newest}


def _side(entry: Entry, tiles: bytes, leaves: bytes, names: tuple[str, str]) -> SideTree:
    size = entry["size"]
    full, partial = divmod(size, WIDTH)
    if len(tiles) != full * HASH_BYTES:
        raise BundleCorrupt(part=names[0], reason="its length does not fit the chain's size")
    if len(leaves) != (min(full, 1) * WIDTH + partial) * HASH_BYTES:
        raise BundleCorrupt(part=names[1], reason="its length does not fit the chain's size")
    hashes, edge = split_hashes(tiles), split_hashes(leaves)
    held: dict[int, tuple[bytes, ...]] = {}
    if full:
        held[full - 1] = tuple(edge[:WIDTH])
        if root_of(edge[:WIDTH]) != hashes[-1]:
            raise BundleForged(part=names[1], reason="it does not lead to the last full tile")
    if partial:
        held[full] = tuple(edge[-partial:])
    # RFC 6962 §2.1: tiles are complete subtrees, and the rest folds into them from the right.
    right = root_of(edge[-partial:]) if partial else None
    root = root_of([*hashes, right] if right is not None else hashes)
    if root != decode_digest(entry["root"], HASH_BYTES):
        raise BundleForged(part=names[0], reason="it does not lead to the cosigned root")
    return SideTree(entry["origin"], size, root, tuple(hashes), held)


def _lists(entry: Entry, data: bytes, name: str) -> dict[str, tuple[int, Entry]]:
    newest: dict[str, tuple[int, Entry]] = {}
    with _malformed(name):
        for body in _lines(data, {"entry", "index"}):
            status = parse(rfc8785.dumps(body["entry"]))
            if status.kind != "status" or status["list"] in newest:
                raise ValueError("not one status entry a list")
            newest[status["list"]] = (body["index"], status)
    if lists_digest(newest) != entry["lists"]:
        raise BundleForged(part=name, reason="these are not the newest status lists")
    return newest


def _status_lists(
    lists: Sequence[tuple[SideChain, Mapping[str, tuple[int, Entry]]]], files: _Files
) -> dict[str, StatusListSnapshot]:
    """Of each list the newest credential, by its last epoch: never an older one in its place."""
    found: dict[str, StatusListSnapshot] = {}
    documents = {
        digest: files.take_if_there(status_file(digest))
        for digest in {entry["digest"] for _, held in lists for _, entry in held.values()}
    }
    for url, entry in newest_lists(lists).items():
        name = status_file(entry["digest"])
        data = documents[entry["digest"]]
        if data is None:
            continue
        if len(data) > MAX_LIST_BYTES:
            raise BundleCorrupt(part=name, reason="it is too large")
        with _malformed(name):
            document = json.loads(data)
            if not isinstance(document, dict) or rfc8785.dumps(document) != data:
                raise ValueError("not canonical")
            digest = document_digest(document)
        if digest != entry["digest"]:
            raise BundleForged(part=name, reason="it does not have its digest")
        found[url] = StatusListSnapshot(
            url, entry["issuer"], document, digest, decode_time(entry["time"])
        )
    return found
