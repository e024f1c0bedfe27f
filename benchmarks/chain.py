"""The chain's figures over HTTP: durable adds, and the way to a cosigned checkpoint.

Real processes on loopback, one disk, SQLite; the load generator (`benchmarks.load`) is a process
of its own on the same cores. What a run was measured on, and how busy the machine was, is printed
beside its figures. Adds are measured at the sequencer without nodes: they acknowledge nothing, and
four of them on the same two cores would be eight machines' work. Figures of engine and storage
stand in modules of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx

from benchmarks import chain_engine, chain_faults, chain_storage
from benchmarks.chain_stage import FOLDER, ISSUER, KEY_URL, NODES, Network, describe_disk, start
from benchmarks.load import post, write_requests
from credentials.keys import PrivateKey
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.members import encode_digest
from registry.ledger.submission import CONTENT_TYPE, seal
from registry.tlog.proofs import TlogProof

CONNECTIONS = 256
SINGLE_S = float(os.environ.get("ZL_BENCH_SECONDS", "60"))
SINGLE_MOST = 9000  # a second: more requests are made than can be answered
BATCH = 256
BATCH_S = SINGLE_S
BATCH_MOST = 450  # batches a second
BATCH_CONNECTIONS = 8
COSIGNED_S = min(60.0, SINGLE_S)
PACE_S = 0.05  # between adds: by chance at any moment of a tick
POLL_S = 0.005
_MAKERS = 2  # processes that make requests, before the clock runs


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _anchors(count: int) -> list[Entry]:
    return [
        parse_entry(
            f'{{"anchor":"{encode_digest(os.urandom(32))}","issuer":"{ISSUER}",'
            '"kind":"anchor","v":1}'.encode()
        )
        for _ in range(count)
    ]


def _make(path: Path, secret: bytes, origin: str, host: str, count: int, batch: int) -> None:
    """A file of `count` signed submissions of `batch` anchors each, as they go over the wire."""
    key = PrivateKey.from_bytes("P-256", secret)
    now = datetime.now(UTC)

    def requests() -> Iterator[bytes]:
        for _ in range(count):
            submission = seal(
                origin, _anchors(batch), submitter=ISSUER, key_url=KEY_URL, signer=key, now=now
            )
            yield post(host, f"{origin}/add", submission.encode(), CONTENT_TYPE)

    write_requests(path, requests())


def _requests(network: Network, count: int, batch: int) -> list[Path]:
    paths = [FOLDER / f"requests-{batch}-{part}" for part in range(_MAKERS)]
    host = f"{network.sequencer.host}:{network.sequencer.port}"
    with ProcessPoolExecutor(_MAKERS) as makers:
        made = [
            makers.submit(
                _make,
                path,
                network.issuer.to_bytes(),
                network.origin,
                host,
                count // _MAKERS + 1,
                batch,
            )
            for path in paths
        ]
        for one in made:
            one.result()
    os.sync()  # else their pages are written back while durable writes are measured
    return paths


def _load(network: Network, batch: int, most: float, connections: int, seconds: float) -> Any:
    """Run the generator; what it found, with processor and memory of the sequencer."""
    paths = _requests(network, int(most * seconds), batch)
    sequencer = network.sequencer
    disk = describe_disk()
    before, cpu = sequencer.rss_mb(), sequencer.cpu_s()
    memory: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1.0):
            memory.append(sequencer.rss_mb())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        command = (
            *(sys.executable, "-m", "benchmarks.load", sequencer.host, str(sequencer.port)),
            *map(str, paths),
            *("--connections", str(connections), "--seconds", str(seconds)),
        )
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    finally:
        over.set()
        watcher.join()
        for path in paths:
            path.unlink(missing_ok=True)
    found = json.loads(done.stdout)
    published = network.published_s(sum(found["answers"].values()) * (batch + 1))
    found["entries_per_s"] = batch * found["answers"].get("201", 0) / found["seconds"]
    quarters = [memory[len(memory) * part // 4] for part in range(4)] if memory else []
    _say(
        f"{disk}\n"
        f"  {connections} connections, {batch} a request, {found['seconds']:.1f} s: "
        f"{found['entries_per_s']:,.0f} entries/s; answers {found['answers']}; "
        f"ms {found['ms']}\n"
        f"  sequencer: {(sequencer.cpu_s() - cpu) / found['seconds']:.2f} cores; resident "
        f"{before:.0f} MB before, {' '.join(f'{mb:.0f}' for mb in quarters)} at each quarter, "
        f"{sequencer.rss_mb():.0f} after; all is under a published checkpoint {published:.1f} s "
        f"after the last answer; "
        f"generator {found['generator_cpu_s'] / found['seconds']:.2f} cores; "
        f"load average after {os.getloadavg()[0]:.2f}"
    )
    if set(found["answers"]) != {"201"} or found["ran_dry"]:
        raise RuntimeError(f"not all was added: {found}")
    return found


@lru_cache
def _single() -> Any:
    with start("single", nodes=False) as network:
        return _load(network, 1, SINGLE_MOST, CONNECTIONS, SINGLE_S)


def http_single_per_s() -> list[float]:
    """Adds of one entry and its seal, acknowledged when durable; one run of a minute."""
    return [_single()["entries_per_s"]]


def http_single_p99_ms() -> list[float]:
    """From the same run: first byte sent to last byte received, at the client."""
    return [_single()["ms"]["p99"]]


def http_batch_per_s() -> list[float]:
    """Entries a second in submissions of 256 (seals not counted)."""
    with start("batch", nodes=False) as network:
        return [_load(network, BATCH, BATCH_MOST, BATCH_CONNECTIONS, BATCH_S)["entries_per_s"]]


class _Watch:
    """Sees from outside when the cosigned chain covers which entries; every sight is verified."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._over = threading.Event()
        self.seen: list[tuple[float, int]] = []  # moment, size of the side chain that is cosigned
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        origin, genesis, last = self._network.origin, self._network.genesis, b""
        url = f"{self._network.sequencer.url}/{origin}/cosigned"
        with httpx.Client(trust_env=False, timeout=10) as client:
            while not self._over.wait(POLL_S):
                answer = client.get(url)
                moment = time.perf_counter()
                if answer.status_code != 200 or answer.content == last:
                    continue
                last = answer.content
                proof = TlogProof.parse(last)
                entry = parse_entry(proof.extra or b"")
                proof.verify(entry.leaf_hash, genesis.policy, origin=genesis.origin)
                self.seen.append((moment, entry["size"]))

    def reaches(self, size: int, seconds: float) -> None:
        """Wait until the cosigned chain has `size` entries."""
        end = time.perf_counter() + seconds
        while not self.seen or self.seen[-1][1] < size:
            if time.perf_counter() > end:
                raise RuntimeError("the chain was not cosigned in time")
            time.sleep(POLL_S)

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


def cosigned_p99_ms() -> list[float]:
    """From the request of an add to the sight of a main checkpoint that covers it, cosigned by
    three of four nodes and verified by who waits. Halfway a node is killed, and stays dead."""
    adds: list[tuple[float, int]] = []  # moment of the request, entries that must be covered
    with start("cosigned", nodes=True) as network, network.client() as client:
        watch = _Watch(network)
        disk = describe_disk()

        def add() -> None:
            begun = time.perf_counter()
            receipt = client.submit(network.origin, _anchors(1), network.issuer, KEY_URL)
            adds.append((begun, receipt.indices[0] + 1))

        try:
            add()
            watch.reaches(adds[0][1], 30)  # the nodes have begun
            adds.clear()
            begun, killed = time.perf_counter(), 0
            while (passed := time.perf_counter() - begun) < COSIGNED_S:
                if not killed and passed > COSIGNED_S / 2:
                    killed = len(adds)
                    network.nodes.pop(NODES[0]).kill()
                add()
                time.sleep(max(0.0, begun + passed + PACE_S - time.perf_counter()))
            watch.reaches(adds[-1][1], 30)
        finally:
            watch.stop()
    moments = iter(watch.seen)
    at, size = next(moments)
    taken = []
    for requested, covered in adds:
        while size < covered:
            at, size = next(moments)
        taken.append(1000 * (at - requested))
    _say(
        f"{disk}\n  {len(adds)} adds in {COSIGNED_S:.0f} s, a node killed after {killed}: "
        f"all p50 {_at(taken, 0.5):.0f}, p99 {_at(taken, 0.99):.0f}, max {max(taken):.0f} ms; "
        f"p99 before the kill {_at(taken[:killed], 0.99):.0f}, "
        f"after it {_at(taken[killed:], 0.99):.0f} ms; load average after {os.getloadavg()[0]:.2f}"
    )
    return [_at(taken, 0.99)]


def _at(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


# The engine comes first: servers make and remove partial tiles by the thousand, and for minutes
# behind that ext4 makes files more slowly (see `chain_stage.remove_at_the_end`).
MEASUREMENTS: dict[str, Callable[[], list[float]]] = {
    **chain_engine.MEASUREMENTS,
    "cosigned_p99_ms": cosigned_p99_ms,
    "http_single_per_s": http_single_per_s,
    "http_single_p99_ms": http_single_p99_ms,
    "http_batch_per_s": http_batch_per_s,
    **chain_storage.MEASUREMENTS,
    **chain_faults.MEASUREMENTS,
}
