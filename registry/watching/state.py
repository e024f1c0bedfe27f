"""What a monitor remembers between two looks: one small file, replaced whole and durably.

By address and path: the largest tree that it showed, with the statement that said so. By chain:
the largest tree that anybody showed, what waits for the main chain and since when. Evidence lies
beside it in files of its own, never overwritten.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from registry.errors import ChainInvalid, StoreFailed, WatchDamaged, WatchForeign
from registry.ledger.genesis import Genesis
from registry.ledger.members import decode_time, encode_time
from registry.storage.lock import FolderLock
from registry.tlog.lines import encode_hash, parse_hash
from registry.trust.evidence import Fork, Statement
from schemas.durable import replace_file

FILE: Final = "monitor.json"
FORMAT: Final = "zhenglian/monitor/v1"
MAX_WAITING: Final = 64
_MAX_FILE: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class Seen:
    """A tree, and the statement that showed it."""

    origin: str
    size: int
    root: bytes
    said: Statement

    def to_json(self) -> dict[str, Any]:
        return {
            "origin": self.origin,
            "size": self.size,
            "root": encode_hash(self.root),
            "said": self.said.to_json(),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Seen:
        return cls(
            str(told["origin"]),
            int(told["size"]),
            parse_hash(told["root"]),
            Statement.from_json(told["said"]),
        )


class WatchState:
    """The record in one folder; one monitor at a time."""

    def __init__(self, folder: Path, genesis: Genesis) -> None:
        """Open or create. Raises StoreLocked, WatchForeign, WatchDamaged, StoreFailed."""
        self._folder = folder
        self._genesis = genesis
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreFailed(store=folder.name, reason=os.strerror(error.errno or 0)) from error
        self._lock = FolderLock(folder)
        try:
            self._load()
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Let go of the folder."""
        self._lock.release()

    def _load(self) -> None:
        self._seen: dict[str, Seen] = {}
        self._newest: dict[str, Seen] = {}
        self._keys: dict[str, str] = {}
        self._waiting: dict[str, list[tuple[int, datetime]]] = {}
        self._batches: dict[str, int] = {}
        self._refusals: dict[str, str] = {}
        self._nodes: dict[str, tuple[int, int]] = {}
        self._vouched: tuple[int, int] = (0, 0)
        self._cosigned: Statement | None = None
        try:
            data = (self._folder / FILE).read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise WatchDamaged(path=self._folder, reason=reason) from error
        try:
            told = json.loads(data)
            if told["format"] != FORMAT or len(data) > _MAX_FILE:
                raise ValueError("another format")
            genesis = told["genesis"]
            self._seen = {key: Seen.from_json(seen) for key, seen in told["seen"].items()}
            self._newest = {key: Seen.from_json(seen) for key, seen in told["newest"].items()}
            self._keys = {str(k): str(v) for k, v in told["keys"].items()}
            self._waiting = {
                origin: [(int(size), decode_time(since)) for size, since in rows]
                for origin, rows in told["waiting"].items()
            }
            self._batches = {str(k): int(v) for k, v in told["batches"].items()}
            self._refusals = {str(k): str(v) for k, v in told["refusals"].items()}
            self._nodes = {str(k): (int(v[0]), int(v[1])) for k, v in told["nodes"].items()}
            self._vouched = (int(told["vouched"][0]), int(told["vouched"][1]))
            if told["cosigned"] is not None:
                self._cosigned = Statement.from_json(told["cosigned"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise WatchDamaged(path=self._folder, reason="it is not in form") from error
        if genesis != sha256(self._genesis.entry.raw).hexdigest():
            raise WatchForeign(path=self._folder)

    def save(self) -> None:
        """Durable when it returns; raises StoreFailed."""
        told = {
            "format": FORMAT,
            "genesis": sha256(self._genesis.entry.raw).hexdigest(),
            "network": self._genesis.network,
            "seen": {key: seen.to_json() for key, seen in self._seen.items()},
            "newest": {key: seen.to_json() for key, seen in self._newest.items()},
            "keys": self._keys,
            "waiting": {
                origin: [(size, encode_time(since)) for size, since in rows]
                for origin, rows in self._waiting.items()
            },
            "batches": self._batches,
            "refusals": self._refusals,
            "nodes": self._nodes,
            "vouched": self._vouched,
            "cosigned": self._cosigned.to_json() if self._cosigned else None,
        }
        self._write(self._folder / FILE, json.dumps(told, ensure_ascii=False, indent=1).encode())

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        try:
            replace_file(path, data, mode=0o644)
        except OSError as error:
            raise StoreFailed(store=path.name, reason=os.strerror(error.errno or 0)) from error

    # Trees

    def of(self, source: str, origin: str) -> Seen | None:
        """The largest tree of a chain that `source` (an address and path) has shown."""
        return self._seen.get(f"{source} {origin}")

    def newest(self, origin: str) -> Seen | None:
        """The largest tree of a chain that anybody has shown."""
        return self._newest.get(origin)

    def sizes(self) -> dict[str, int]:
        """The size of the largest tree of each chain that anybody has shown."""
        return {origin: seen.size for origin, seen in self._newest.items()}

    def record(self, source: str, seen: Seen) -> None:
        """A tree that agrees with all before."""
        self._seen[f"{source} {seen.origin}"] = seen
        newest = self._newest.get(seen.origin)
        if newest is None or seen.size >= newest.size:
            self._newest[seen.origin] = seen

    def vouch(self, size: int, moment: int, statement: Statement) -> None:
        """A quorum held a main tree of `size` for the latest at `moment` (POSIX seconds)."""
        before = self._vouched
        self._vouched = (max(size, before[0]), max(moment, before[1]))
        if self._cosigned is None or size >= before[0]:
            self._cosigned = statement

    @property
    def vouched(self) -> tuple[int, int]:
        """The size and the time of the newest quorum."""
        return self._vouched

    @property
    def cosigned(self) -> Statement | None:
        """The newest cosigned main checkpoint."""
        return self._cosigned

    def cosign(self, node: str, size: int, moment: int) -> None:
        """A node cosigned a tree of `size` at `moment`."""
        before = self._nodes.get(node, (0, 0))
        self._nodes[node] = (max(size, before[0]), max(moment, before[1]))

    def node(self, name: str) -> tuple[int, int] | None:
        """The largest size and the newest time that a node has cosigned."""
        return self._nodes.get(name)

    def key_proof(self, origin: str) -> bytes:
        """The proof that the main chain registers a side chain with its key."""
        return self._keys.get(origin, "").encode()

    def keep_key_proof(self, origin: str, proof: bytes) -> None:
        self._keys[origin] = proof.decode()

    def batch(self, address: str, origin: str) -> int:
        """Up to where the newest batch of a chain was rebuilt from this address."""
        return self._batches.get(f"{address} {origin}", 0)

    def check_batch(self, address: str, origin: str, end: int) -> None:
        self._batches[f"{address} {origin}"] = end

    # Waiting for the main chain

    def anchored(self, origin: str, size: int) -> None:
        """The main chain covers the first `size` entries."""
        rows = [row for row in self._waiting.get(origin, []) if row[0] > size]
        self._waiting[origin] = rows

    def is_waiting(self, origin: str) -> bool:
        """Whether anything is known to wait."""
        return bool(self._waiting.get(origin))

    def wait(self, origin: str, size: int, since: datetime) -> None:
        """The chain had `size` entries at `since`, of which the main chain lacks some."""
        rows = self._waiting.setdefault(origin, [])
        if all(known != size for known, _ in rows) and len(rows) < MAX_WAITING:
            rows.append((size, since))

    def oldest_waiting(self, origin: str) -> datetime | None:
        """Since when the oldest of what waits has been waiting."""
        return min((since for _, since in self._waiting.get(origin, [])), default=None)

    # Refusals and evidence

    def is_new_refusal(self, address: str, time: str) -> bool:
        """Whether a refusal is later than those that were reported."""
        return time > self._refusals.get(address, "")

    def refusals_seen(self, address: str, time: str) -> None:
        if time:
            self._refusals[address] = time

    def keep_fork(self, fork: Fork, one: int, other: int) -> Path:
        """Keep the evidence of a fork; the same fork is kept once."""
        short = fork.origin.rpartition("/")[2]
        return self._keep(f"fork-{short}-{one}-{other}", fork.encode(self._genesis))

    def keep_invalid(self, note: bytes, error: ChainInvalid) -> Path:
        """Keep the leaves that a quorum has cosigned and that may not stand there."""
        told = {
            "format": "zhenglian/invalid/v1",
            "origin": str(error.params["origin"]),
            "index": int(str(error.params["index"])),
            "reason": str(error.params["reason"]),
            "checkpoint": note.decode(),
            "leaves": [base64.b64encode(leaf).decode() for leaf in error.evidence],
        }
        short = str(told["origin"]).rpartition("/")[2]
        return self._keep(
            f"invalid-{short}-{told['index']}",
            json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n",
        )

    def _keep(self, name: str, data: bytes) -> Path:
        path = self._folder / f"{name}.json"
        if not path.exists():
            self._write(path, data)
        return path

    def evidence(self) -> Iterator[Path]:
        """The evidence on file."""
        for pattern in ("fork-*.json", "invalid-*.json"):
            yield from sorted(self._folder.glob(pattern))


def since_seal(sealed: datetime | None, now: datetime, tolerance: timedelta) -> datetime:
    """Since when an entry waits that was not seen before: its submitter's clock may be early."""
    return now if sealed is None else min(now, sealed + tolerance)
