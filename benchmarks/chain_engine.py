"""The chain's engine by itself: building, checking and proving, in one process on one core.

Each heavy figure is taken in a process of its own that may use one core only, so that neither a
second core nor what another figure left in memory helps it. Rates of work that waits for nothing
are by processor time, as the kernel's are. `python -m benchmarks.chain_engine STEP [COUNT [RUN]]`
runs one step alone (see `_STEPS`); the steps after `build` use the log that it left.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.chain_stage import FOLDER, describe_disk, put_aside
from credentials.keys import PrivateKey
from registry.engine.fsck import check_log
from registry.engine.log import Log
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.members import encode_digest
from registry.ledger.submission import seal
from registry.tlog.merkle import leaf_hash, root_of, verify_inclusion
from registry.tlog.note import NoteSigner
from registry.tlog.tiles import CompactProof
from registry.trust.anchors import SideTree
from registry.trust.container import pack

ENTRIES = 3_000_000
"""Six months of Hangzhou's chain, seals included."""
BATCH = 256
"""Anchors under one seal."""
ORIGIN = "bench.zhenglian.example/identity"
ISSUER = "did:web:issuer.bench.example"
KEY_URL = f"{ISSUER}#key-1"
SIGNER = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
RUNS = 5
_PROOFS = 20_000
_BULK = 512 * 1024
_TICK = 64 * 1024
"""Entries from one published checkpoint to the next: a second or so at this speed."""
_QUEUED = 16 * 1024
"""Entries that wait for the commit before: as much as one commit takes."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _folder() -> Path:
    return FOLDER / "engine"


def _home(count: int, run: int) -> Path:
    """The log of one run; never one that was there before (see `put_aside`)."""
    return _folder() / f"log-{count}-{run}"


# --- the entries ---


def _anchor(number: int) -> bytes:
    digest = encode_digest(hashlib.sha256(b"anchor %d" % number).digest())
    return f'{{"anchor":"{digest}","issuer":"{ISSUER}","kind":"anchor","v":1}}'.encode()


def prepare(count: int) -> Path:
    """A file of `count` entries as lines, made once: anchors, with a seal behind every 256.

    The same bytes each time, with real signatures: by a key from a seed, and RFC 6979.
    """
    path = _folder() / f"entries-{count}.jsonl"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    secret = hashlib.sha256(b"benchmark issuer, not a real key").digest()
    key = PrivateKey.from_bytes("P-256", secret, deterministic=True)
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    unfinished = path.with_suffix(".new")
    with unfinished.open("wb") as file:
        done = number = 0
        while done < count:
            size = min(BATCH, count - done - 1)
            batch = [parse_entry(_anchor(number + i)) for i in range(size)]
            submission = seal(
                ORIGIN,
                batch,
                submitter=ISSUER,
                key_url=KEY_URL,
                signer=key,
                now=begun + timedelta(seconds=5.3 * done),
            )
            file.write(submission.encode())
            number += size
            done += size + 1
    unfinished.rename(path)
    return path


def _submissions(path: Path) -> Iterator[list[bytes]]:
    """The entries of each submission and its seal, from the file."""
    with path.open("rb") as file:
        rest = b""
        lines: list[bytes] = []
        while block := file.read(1 << 20):
            *whole, rest = (rest + block).split(b"\n")
            lines += whole
            even = len(lines) - len(lines) % (BATCH + 1)
            for start in range(0, even, BATCH + 1):
                yield lines[start : start + BATCH + 1]
            del lines[:even]
        if lines:
            yield lines


# --- steps, each in a process of its own ---


def _one_core() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _peak_mb() -> float:
    """Of this program alone: `ru_maxrss` would begin with the size of the process it came from."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _build(count: int, run: int = 0) -> dict[str, float]:
    """Sequence every entry through the log, as a server does, and publish.

    Measured: from lines in a file to the durable record, the index that keeps every entry unique,
    tiles and bundles on disk, and signed checkpoints. Each submission has its own acknowledgement,
    which is awaited. Not part of it: that the submitter may write and that its signature is good;
    that is the door's work (`validate` measures it).
    """
    path, home = prepare(count), _home(count, run)
    begun, cpu = time.perf_counter(), time.process_time()
    Log.create(home, ORIGIN)
    with Log.open(home, signer=SIGNER) as log:
        waiting = []
        queued = total = since = 0
        for batch in _submissions(path):
            waiting.append(log.submit(batch[:-1], batch[-1]))
            queued += len(batch)
            if queued >= _QUEUED:
                for future in waiting:
                    assert not future.result().repeated
                total, since = total + queued, since + queued
                waiting, queued = [], 0
                if since >= _TICK:
                    log.tick()
                    since = 0
        for future in waiting:
            future.result()
        log.tick()
        assert log.view.size == count, log.view.size
        root = log.view.checkpoint.root.hex()
    found = {"seconds": time.perf_counter() - begun, "cpu_s": time.process_time() - cpu}
    _say(f"  root {root}")
    return found | {"peak_mb": _peak_mb()}


def _fsck(count: int, run: int = 0) -> dict[str, float]:
    """What `registry.engine.fsck` promises: every entry hashed against every commit, tile and
    bundle, every published checkpoint with its signature, every row of the index, SQLite's
    structure."""
    home = _home(count, run)
    begun, cpu = time.perf_counter(), time.process_time()
    report = check_log(home, origin=ORIGIN, log_key=SIGNER.key)
    assert report.sound and report.size == count, report.findings[:3]
    return {
        "seconds": time.perf_counter() - begun,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": _peak_mb(),
    }


def _prove(count: int, run: int = 0) -> dict[str, float]:
    """Random inclusion proofs up to the root, from tiles on disk: each tile is checked against the
    one above it before a hash of it is used. A thousand tiles fit the view's memory, of 11,719."""
    view = Log.open_view(_home(count, run), origin=ORIGIN)
    random, size = Random(run), view.size
    wanted = [random.randrange(size) for _ in range(_PROOFS)]
    for index in wanted[: _PROOFS // 10]:
        view.inclusion_proof(index, size)
    wanted = wanted[_PROOFS // 10 :]
    begun, cpu = time.perf_counter(), time.process_time()
    proofs = [view.inclusion_proof(index, size) for index in wanted]
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    leaves = [leaf_hash(view.entry(index)) for index in wanted[:200]]
    for index, leaf, proof in zip(wanted, leaves, proofs, strict=False):
        verify_inclusion(index, size, leaf, proof, view.checkpoint.root)
    return {"per_s": len(wanted) / seconds, "per_cpu_s": len(wanted) / cpu, "peak_mb": _peak_mb()}


def _prove_in_bulk(count: int, run: int = 0) -> dict[str, float]:
    """The encoded compact proofs of everything that was just added, as an issuer takes them."""
    view = Log.open_view(_home(count, run), origin=ORIGIN)
    first = random_tile(view.size, run) * 256
    begun, cpu = time.perf_counter(), time.process_time()
    made = 0
    largest = 0
    for start in range(first, first + _BULK, 4096):
        proofs = view.compact_proofs(range(start, start + 4096))
        made += len(proofs)
        largest = max(largest, *map(len, proofs.values()))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    hashes = view.level_hashes(1, start // 256, start // 256 + 16)
    for index, proof in proofs.items():
        leaf = leaf_hash(view.entry(index)) if index % 64 == 0 else None
        if leaf is not None:
            tile = index // 256 - start // 256
            CompactProof.decode(proof).check_tile_hash(leaf, hashes[tile])
    return {"per_s": made / seconds, "per_cpu_s": made / cpu, "bytes": float(largest)}


def random_tile(size: int, run: int) -> int:
    """Where a run of `_BULK` entries begins."""
    return Random(run).randrange(0, (size - _BULK) // 256)


def verifier_bytes(size: int) -> int:
    """What a desk keeps of a side chain of `size` entries, to check compact proofs of all of them:
    the hash of every full tile, and the leaf hashes of the last full and of the partial tile."""
    full, partial = divmod(size, 256)
    return 32 * (full + (min(full, 1) * 256 + partial))


def _verifier(count: int, run: int = 0) -> dict[str, float]:
    """A desk's hashes of a real log: their bytes beside the formula, and that they suffice."""
    view = Log.open_view(_home(count, run), origin=ORIGIN)
    full, partial = divmod(view.size, 256)
    hashes = view.level_hashes(1, 0, full)
    edge = view.leaf_hashes((full - 1) * 256, view.size)
    carried = len(b"".join(hashes)) + len(b"".join(edge))
    assert carried == verifier_bytes(view.size), (carried, verifier_bytes(view.size))
    begun = time.process_time()
    # As `registry.trust.load` does it: the full tiles, and the rest as one more at their end.
    right = [root_of(edge[-partial:])] if partial else []
    assert root_of([*hashes, *right]) == view.checkpoint.root
    checked = time.process_time() - begun
    tree = SideTree(
        ORIGIN,
        view.size,
        view.checkpoint.root,
        tuple(hashes),
        {full - 1: tuple(edge[:256]), full: tuple(edge[256:])},
    )
    random = Random(run)
    for _ in range(500):
        index = random.randrange(view.size)
        assert tree.check(leaf_hash(view.entry(index)), view.compact_proof(index).encode()) == index
    return {
        "bytes": float(carried),
        "packed_bytes": float(len(pack({"tiles": b"".join(hashes), "leaves": b"".join(edge)}))),
        "root_s": checked,
        "bytes_at_1e9": float(verifier_bytes(10**9)),
    }


def _validate(count: int, _run: int = 0) -> dict[str, float]:
    """What a node does with an entry before it vouches for it: parsed, put under its seal, the
    seal's signature verified, permitted by the contracts in force (Cedar), hashed into the tree."""
    # Here, since a web server comes with it: the peaks of the other steps are without one.
    from registry.contracts.following import Follower, submissions
    from registry.sequencing.chain import chain_folder
    from registry.simulation.simulator import Consortium

    with tempfile.TemporaryDirectory() as folder, Consortium(Path(folder)) as network:
        issuer = network.add_issuer()
        origin = network.genesis.identity_origin
        genesis = network.genesis
        place = chain_folder(network.folder / "registry", genesis, genesis.origin)
        main = Log.open_view(place, origin=genesis.origin)
        follower = Follower(genesis)

        def keep(_origin: str, _index: int, _leaves: Sequence[Entry]) -> None:
            """Nothing: storing is not measured."""

        def read(name: str, start: int, end: int) -> Iterable[bytes]:
            return [entry.raw for entry in network.client.entries(name, start, end)]

        head = main.checkpoint
        follower.advance(head.size, head.root, read=read, keep=keep, now=network.now)
        side, at = follower.of(origin), head.size
        rows = []
        for start in range(0, count, BATCH):
            anchors = [_anchor(start + i) for i in range(BATCH)]
            batch = [
                parse_entry(row.replace(ISSUER.encode(), issuer.did.encode())) for row in anchors
            ]
            sealed = seal(
                origin,
                batch,
                submitter=issuer.did,
                key_url=issuer.key_url,
                signer=issuer.key,
                now=network.now,
            )
            rows += [entry.raw for entry in sealed.leaves]
        begun, cpu = time.perf_counter(), time.process_time()
        for index, submission in submissions(origin, side.size, rows):
            follower._admit(side, index, submission, network.now, keep, at)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
        assert side.size == len(rows)
        main.close()
    return {"per_s": len(rows) / seconds, "per_cpu_s": len(rows) / cpu}


_STEPS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "build": _build,
    "fsck": _fsck,
    "prove": _prove,
    "bulk": _prove_in_bulk,
    "verifier": _verifier,
    "validate": _validate,
}


def _run(step: str, count: int = ENTRIES, run: int = 0) -> dict[str, Any]:
    """A step in a process of its own, on one core."""
    load = os.getloadavg()[0]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.chain_engine", step, str(count), str(run)],
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    figures = ", ".join(f"{name} {value:,.1f}" for name, value in found.items())
    _say(f"{step} of {count:,}: {figures}; load average before {load:.2f}")
    return found


def _clear() -> None:
    """Remove the logs, not the entries that they are made of."""
    for home in _folder().glob("log-*"):
        shutil.rmtree(home, ignore_errors=True)


@lru_cache
def _built() -> list[dict[str, Any]]:
    for home in list(_folder().glob("log-*")):  # of a run that was broken off
        put_aside(home)
    atexit.register(_clear)
    _say(describe_disk())
    prepare(ENTRIES)
    found = [_run("build", run=run) for run in range(RUNS)]
    _run("validate", 64 * 1024)
    return found


@lru_cache
def _checked() -> list[dict[str, Any]]:
    _built()
    return [_run("fsck", run=run) for run in range(RUNS)]


@lru_cache
def _bulk() -> list[dict[str, Any]]:
    _built()
    return [_run("bulk", run=run) for run in range(RUNS)]


def replay_3m_s() -> list[float]:
    """Three million entries from a file to a published log; see `_build` for what that takes."""
    return [found["seconds"] for found in _built()]


def fsck_3m_s() -> list[float]:
    """The same log checked from its bytes; see `_fsck`."""
    return [found["seconds"] for found in _checked()]


def replay_peak_mb() -> list[float]:
    """The larger peak of the two, of the whole process."""
    return [
        max(built["peak_mb"], checked["peak_mb"])
        for built, checked in zip(_built(), _checked(), strict=True)
    ]


def proofs_per_s() -> list[float]:
    """See `_prove`."""
    _built()
    return [_run("prove", run=run)["per_cpu_s"] for run in range(RUNS)]


def bulk_proofs_per_s() -> list[float]:
    """See `_prove_in_bulk`."""
    return [found["per_cpu_s"] for found in _bulk()]


def compact_proof_bytes() -> list[float]:
    """The largest of the same run."""
    return [found["bytes"] for found in _bulk()]


MEASUREMENTS: dict[str, Callable[[], list[float]]] = {
    "replay_3m_s": replay_3m_s,
    "fsck_3m_s": fsck_3m_s,
    "replay_peak_mb": replay_peak_mb,
    "proofs_per_s": proofs_per_s,
    "bulk_proofs_per_s": bulk_proofs_per_s,
    "compact_proof_bytes": compact_proof_bytes,
}


def main(arguments: list[str]) -> int:
    """Run one step here."""
    step = arguments[0]
    count = int(arguments[1]) if len(arguments) > 1 else ENTRIES
    run = int(arguments[2]) if len(arguments) > 2 else 0
    _one_core()
    print(json.dumps(_STEPS[step](count, run)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
