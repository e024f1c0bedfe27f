"""A network of five processes, who writes to it and who watches it, while they are killed.

What is held against it: every acknowledged entry stands at its index with its bytes, at the
sequencer and in every node's copy; of all checkpoints that anybody ever showed (published by the
sequencer, cosigned by a node) there is one root a size, each of the tree in the end; with everybody
back, an entry is acknowledged and cosigned by a quorum, and no person had a hand in it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

import httpx

from registry.cli.shared import utc_now
from registry.client import RegistryClient
from registry.engine.fsck import check_log
from registry.errors import RegistryError
from registry.ledger.entries import anchor_entry
from registry.ledger.genesis import Genesis
from registry.ledger.submission import CONTENT_TYPE, seal
from registry.nodes.store import MIRROR_FILE, NodeStore
from registry.sequencing.addresses import write_addresses
from registry.simulation.simulator import NODES, SEQUENCER, Consortium, Party
from registry.storage.sqlite import SqliteStore
from registry.tlog.checkpoint import open_checkpoint
from registry.tlog.merkle import Frontier, leaf_hash
from registry.tlog.note import VerifierKey
from registry.witnessing.witness import origin_hash
from tests.faults.kills import MOMENT, ROOT, Broken, Tally, memory
from tests.faults.points import NODE_KILLS, SEQUENCER_KILLS, Fault
from tests.ports import held_port, number_of

START_S: Final = 30.0
STRIKE_S: Final = 5.0  # for a fault to strike; then the process is killed where it is
RECOVER_S: Final = 45.0


class Processes:
    """The roles of one network, started and killed by name."""

    def __init__(
        self, folder: Path, hosts: dict[str, str] | None = None, wrap: Sequence[str] = ()
    ) -> None:
        """Founds the network in `folder`, with an issuer; nothing runs yet."""
        self.folder = folder
        started = utc_now() - timedelta(hours=1)
        with Consortium(folder, start=started) as chain:
            self.issuer: Final[Party] = chain.add_issuer()
            self.genesis: Final[Genesis] = chain.genesis
        self.roles: Final = (SEQUENCER, *NODES)
        self._ports: Final = {role: held_port() for role in self.roles}
        self.urls: Final = {
            role: f"http://127.0.0.1:{number_of(port)}" for role, port in self._ports.items()
        }
        write_addresses(folder / SEQUENCER, {name: self.urls[name] for name in NODES})
        self._process = subprocess.Popen(
            [*wrap, sys.executable, "-m", "tests.faults.roles", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=ROOT,
        )
        self._changed = threading.Condition()
        self._pids: dict[str, int] = {}
        self._listening: set[str] = set()
        self.fired: dict[str, str] = {}
        self.statuses: dict[str, int] = {}
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            word, role, *rest = line.decode().rstrip("\n").split(" ", 2)
            with self._changed:
                if word == "start":
                    self._pids[role] = int(rest[0])
                elif word == "listening":
                    self._listening.add(role)
                elif word == "fault":
                    self.fired[role] = rest[0]
                elif word == "end":
                    self._pids.pop(role, None)
                    self._listening.discard(role)
                    self.statuses[role] = int(rest[0])
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _wait(self, what: Callable[[], bool], seconds: float) -> bool:
        with self._changed:
            return (
                self._changed.wait_for(lambda: what() or self._ended, seconds) and not self._ended
            )

    def start(self, role: str, fault: Fault | None = None, **more: Any) -> None:
        """Fork it; does not wait until it listens."""
        assert self._process.stdin
        with self._changed:
            self.fired.pop(role, None)
            self.statuses.pop(role, None)
        port = int(self.urls[role].rpartition(":")[2])
        told = fault.told() if fault else None
        order = {"role": role, "port": port, "fault": told, "urls": self.urls, **more}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        if not self._wait(lambda: role in self._pids or role in self.statuses, START_S):
            raise Broken(f"{role} did not start")

    def listens(self, role: str, seconds: float = START_S) -> bool:
        """Wait until it listens, or has ended."""
        self._wait(lambda: role in self._listening or role in self.statuses, seconds)
        return role in self._listening

    def ends(self, role: str, seconds: float) -> int | None:
        """Its status, if it ends in time."""
        self._wait(lambda: role in self.statuses, seconds)
        return self.statuses.get(role)

    def kill(self, role: str, number: int = signal.SIGKILL) -> None:
        with self._changed:
            pid = self._pids.get(role)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def up(self) -> None:
        """Start everybody that is not there, and wait until they listen."""
        for role in self.roles:
            if role not in self._pids:
                self.start(role)
        for role in self.roles:
            if not self.listens(role):
                raise Broken(f"{role} does not come back: {self.told(role)}")

    def told(self, role: str) -> str:
        """The end of what a process has logged."""
        path = self.folder / f"{role}.log"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def down(self) -> None:
        """End everybody in an orderly way."""
        for role in self.roles:
            self.kill(role, signal.SIGTERM)
        for role in self.roles:
            if role in self._pids and self.ends(role, 20.0) is None:
                self.kill(role)
                self.ends(role, 5.0)

    def close(self) -> None:
        self.down()
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=10)
        self._process.stdout.close()
        for port in self._ports.values():
            port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Observer:
    """Writes and watches, from the outside, and remembers everything."""

    def __init__(self, processes: Processes, *, writers: int = 2, seed: int = 1) -> None:
        self._p = processes
        self.genesis = processes.genesis
        self.origin = self.genesis.identity_origin
        self._lock = threading.Lock()
        self.acknowledged: dict[int, bytes] = {}
        self.roots: dict[str, dict[int, bytes]] = {self.genesis.origin: {}, self.origin: {}}
        self.answers = 0
        self.cosigned_size = 0
        self.broken: list[str] = []
        self._stop = threading.Event()
        self._side_key = self._read_side_key()
        self._threads = [
            threading.Thread(target=self._write, args=(random.Random(seed * 100 + n),), daemon=True)
            for n in range(writers)
        ]
        self._threads.append(threading.Thread(target=self._watch, daemon=True))
        for thread in self._threads:
            thread.start()

    def _read_side_key(self) -> VerifierKey:
        from registry.simulation.simulator import founding_keys

        return founding_keys().sequencer(self.genesis.network).signer(self.origin).key

    def _http(self) -> httpx.Client:
        return httpx.Client(timeout=httpx.Timeout(5.0, connect=1.0), trust_env=False)

    def _write(self, rng: random.Random) -> None:
        with self._http() as http:
            while not self._stop.is_set():
                with suppress(httpx.HTTPError):
                    self.submit(http, rng)

    def submit(self, http: httpx.Client, rng: random.Random, tries: int = 200) -> tuple[int, ...]:
        """Submit new anchors until they are acknowledged; asks again with the same ones."""
        issuer = self._p.issuer
        entries = [
            anchor_entry(issuer.did, rng.randbytes(32)) for _ in range(rng.choice([1, 2, 40]))
        ]
        for _ in range(tries):
            if self._stop.is_set():
                break
            submission = seal(
                self.origin,
                entries,
                submitter=issuer.did,
                key_url=issuer.key_url,
                signer=issuer.key,
                now=utc_now(),
            )
            try:
                answer = http.post(
                    f"{self._p.urls[SEQUENCER]}/{self.origin}/add",
                    content=submission.encode(),
                    headers={"content-type": CONTENT_TYPE},
                )
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if answer.status_code not in {200, 201}:
                if answer.status_code < 500:
                    self._blame(f"a submission was refused: {answer.text[:200]}")
                    break
                time.sleep(0.05)
                continue
            indices = tuple(answer.json()["indices"])
            with self._lock:
                self.answers += 1
                for index, entry in zip(indices, entries, strict=True):
                    if self.acknowledged.setdefault(index, entry.raw) != entry.raw:
                        self._blame(f"two entries were acknowledged at {index}")
            return indices
        return ()

    def _blame(self, text: str) -> None:
        self.broken.append(text)

    def _watch(self) -> None:
        main, side = self.genesis.origin, self.origin
        with self._http() as http:
            while not self._stop.wait(0.05):
                self._look(http, f"{self._p.urls[SEQUENCER]}/{main}/checkpoint", main)
                self._look(http, f"{self._p.urls[SEQUENCER]}/{side}/checkpoint", side)
                for name in NODES:
                    self._look(http, f"{self._p.urls[name]}/{origin_hash(main)}/checkpoint", main)
                    self._look(http, f"{self._p.urls[name]}/{main}/checkpoint", main)

    def _look(self, http: httpx.Client, url: str, origin: str) -> None:
        try:
            answer = http.get(url)
        except httpx.HTTPError:
            return
        if answer.status_code != 200:
            return
        main = origin == self.genesis.origin
        try:
            found = open_checkpoint(
                answer.content,
                origin,
                self.genesis.log_keys if main else [self._side_key],
                [key for node in self.genesis.nodes for key in node.keys],
            )
        except RegistryError as error:
            self._blame(f"{url}: {error}")
            return
        self.saw(origin, found.size, found.root)
        if main and url.endswith(f"/{origin}/checkpoint"):
            with suppress(RegistryError):
                self.genesis.policy.check(answer.content, origin=origin)
                self.cosigned_size = max(self.cosigned_size, found.size)

    def saw(self, origin: str, size: int, root: bytes) -> None:
        with self._lock:
            if self.roots[origin].setdefault(size, root) != root:
                self._blame(f"two roots for the size {size} of {origin}")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def check(self) -> None:
        if self.broken:
            raise Broken("; ".join(self.broken[:5]))

    # In the end

    def goes_on(self, seconds: float = RECOVER_S, *, cosigned: bool = True) -> float:
        """An entry is acknowledged, and cosigned by a quorum; how long it took."""
        begun = time.monotonic()
        with self._http() as http:
            self._stop.clear()
            indices = self.submit(http, random.Random(os.urandom(8)), tries=int(seconds / 0.05))
        self.check()
        if not indices:
            raise Broken(f"no entry is acknowledged: {self._p.told(SEQUENCER)}")
        while cosigned:
            try:
                with RegistryClient(self._p.urls[SEQUENCER], self.genesis) as client:
                    if client.cosigned(self.origin).size > indices[-1]:
                        break
            except RegistryError:
                pass
            if time.monotonic() - begun > seconds:
                raise Broken(f"no quorum comes back: {self._p.told(SEQUENCER)}")
            time.sleep(0.1)
        return time.monotonic() - begun

    def examine(self) -> Tally:
        """Compare everything that was ever said with what is on the disks; nothing runs."""
        self.check()
        tally = Tally(logs=1 + len(NODES), acknowledged=len(self.acknowledged))
        chains = self._p.folder / SEQUENCER / "chains"
        rows: dict[str, list[bytes]] = {}
        for origin in self.roots:
            place = chains / origin.rpartition("/")[2]
            report = check_log(place)
            if report.findings:
                raise Broken(f"fsck of {origin} finds {report.findings[:3]}")
            store = SqliteStore(place, read_only=True)
            try:
                size = store.head().size
                rows[origin] = [row for _, batch in store.entries(0, size) for row in batch]
            finally:
                store.close()
            tally.checkpoints += self._compare(origin, rows[origin])
        tally.lost = sum(
            index >= len(rows[self.origin]) or rows[self.origin][index] != raw
            for index, raw in self.acknowledged.items()
        )
        for name in NODES:
            folder = self._p.folder / "nodes" / name
            node = NodeStore(folder / MIRROR_FILE, self.genesis.origin)
            try:
                for origin, whole in rows.items():
                    mirror = node.mirrors[origin].view
                    if mirror.entries(0, mirror.size) != whole[: mirror.size]:
                        raise Broken(f"the copy of {name} differs from {origin}")
                cosigned = node.cosigned(self.genesis.origin)
                self.saw(self.genesis.origin, cosigned.size, cosigned.root)
            finally:
                node.close()
        self._compare(self.genesis.origin, rows[self.genesis.origin])
        self.check()
        return tally

    def _compare(self, origin: str, rows: list[bytes]) -> int:
        frontier, seen = Frontier(), self.roots[origin]
        for size in range(len(rows) + 1):
            if size in seen and frontier.root() != seen[size]:
                raise Broken(f"a checkpoint of {size} entries of {origin} is of another tree")
            if size < len(rows):
                frontier.extend([leaf_hash(rows[size])])
        if max(seen, default=0) > len(rows):
            raise Broken(f"a checkpoint of {origin} is larger than the chain")
        return len(seen)


@contextmanager
def running(**options: Any) -> Iterator[tuple[Processes, Observer]]:
    """A network that runs, with writers and a watcher."""
    with (
        tempfile.TemporaryDirectory(prefix="zl-network-", dir=memory()) as folder,
        Processes(Path(folder)) as processes,
    ):
        processes.up()
        observer = Observer(processes, **options)
        try:
            yield processes, observer
        finally:
            observer.stop()


def _one(processes: Processes, role: str, fault: Fault | None, rng: random.Random) -> str:
    """Let a role, which does not run, live until its fault strikes; of what it died."""
    processes.start(role, fault)
    processes.listens(role)
    status = processes.ends(role, STRIKE_S if fault else rng.uniform(0.0, 0.6))
    if status is None:
        processes.kill(role)
        status = processes.ends(role, START_S)
    if status != signal.SIGKILL:
        raise Broken(f"{role} ended by itself ({status}): {processes.told(role)}")
    return processes.fired.get(role, MOMENT)


def _faults(table: Sequence[Fault], rng: random.Random) -> Iterator[Fault]:
    while True:
        for row in rng.sample(table, len(table)):
            yield replace(row, nth=rng.choice([1, 1, 2, 3, 5]), seed=rng.getrandbits(32))


def run(kills: int, *, seed: int = 1, say: Callable[[str], None] = lambda _: None) -> Tally:
    """Kill the sequencer and the nodes so often altogether, at the same time; raises Broken."""
    begun, lock, counted = time.monotonic(), threading.Lock(), Counter[str]()
    trouble: list[BaseException] = []
    with running(seed=seed) as (processes, observer):

        def note(role: str, how: str) -> None:
            with lock:
                counted[f"{'sequencer' if role == SEQUENCER else 'node'}: {how}"] += 1
                if counted.total() % 20 == 0:
                    say(f"{counted.total()} of {kills} kills, {observer.answers} answers")

        def go_on(share: float) -> bool:
            return not (trouble or observer.broken) and counted.total() < kills * share

        def die(role: str) -> None:
            processes.kill(role)
            if processes.ends(role, START_S) != signal.SIGKILL:
                raise Broken(f"{role} ended by itself: {processes.told(role)}")
            note(role, MOMENT)

        def come_back(role: str) -> None:
            processes.start(role)
            if not processes.listens(role):
                raise Broken(f"{role} does not start: {processes.told(role)}")

        def kill_sequencer(rng: random.Random, share: float, faults: Iterator[Fault]) -> None:
            while go_on(share):
                die(SEQUENCER)
                for _ in range(4):  # it comes back only to die again
                    note(SEQUENCER, _one(processes, SEQUENCER, next(faults), rng))
                come_back(SEQUENCER)
                time.sleep(rng.uniform(0.1, 0.6))

        def kill_nodes(rng: random.Random, share: float, faults: Iterator[Fault]) -> None:
            while go_on(share):
                name = rng.choice(list(NODES))
                die(name)
                for _ in range(4):
                    note(name, _one(processes, name, next(faults), rng))
                come_back(name)

        def within(call: Callable[..., None], *rest: Any) -> None:
            try:
                call(random.Random(rng.getrandbits(64)), *rest)
            except BaseException as error:  # noqa: BLE001 - raised again below
                trouble.append(error)

        rng = random.Random(seed)
        of_sequencer, of_nodes = _faults(SEQUENCER_KILLS, rng), _faults(NODE_KILLS, rng)
        # The nodes stay while the sequencer dies, then the other way round, then both die.
        within(kill_sequencer, 0.4, of_sequencer)
        within(kill_nodes, 0.8, of_nodes)
        threads = [
            threading.Thread(target=within, args=(kill_sequencer, 1.0, of_sequencer)),
            threading.Thread(target=within, args=(kill_nodes, 1.0, of_nodes)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if trouble:
            raise trouble[0]
        observer.check()
        processes.up()
        observer.goes_on()
        observer.stop()
        processes.down()
        tally = observer.examine()
    tally.kills = counted
    tally.seconds = time.monotonic() - begun
    return tally


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    found = run(number, seed=int(sys.argv[2]) if len(sys.argv) > 2 else 1, say=print)
    print("\n".join(found.lines()))
