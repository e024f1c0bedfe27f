"""Sequencer processes of one network on shared stores, the load on them, and what must hold.

For tests that kill and pause them: entries go on being acknowledged, every acknowledged entry
stands where its answer said, and of no size two roots were ever published.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from registry.keyring import load_keys
from registry.ledger.entries import Entry, anchor_entry
from registry.ledger.genesis import Genesis
from registry.sequencing.chain import log_signer
from registry.storage.places import Places
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.merkle import Frontier, leaf_hash
from tests.ports import held_port, number_of
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
LOAD = Path(__file__).with_name("add_load.py")
NODES = ("a", "b", "c", "d")


@dataclass
class Ack:
    at: float
    thread: int
    step: int
    first: int
    count: int


@dataclass
class Cluster:
    """Some sequencers of one network, their homes, and the load on them."""

    folder: Path
    ports: dict[str, str] = field(default_factory=dict)  # address by name
    held: dict[str, socket.socket] = field(
        default_factory=dict
    )  # a process comes back where it was
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    acks: list[Ack] = field(default_factory=list)
    notes: set[bytes] = field(default_factory=set)
    _lines: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    _collector: threading.Thread | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    def environ(self, name: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ZL_")}
        return {**kept, "ZL_HOME": str(self.folder / name), "ZL_LANG": "en"}

    def home(self, name: str) -> Path:
        return self.folder / name / "registry"

    def zl(self, name: str, *words: object, expect: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "zhenglian", "registry", *map(str, words)],
            cwd=ROOT,
            env=self.environ(name),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def found(self, store: str, tiles: str, names: tuple[str, ...]) -> Genesis:
        """A network founded by the first; the others get its keys, genesis and places."""
        genesis = self.found_in_place(names[0], "--store", store, "--tiles", tiles)
        for other in names[1:]:
            self.home(other).mkdir(parents=True)
            for file in ("genesis.json", "keys.plain.json", "storage.json"):
                shutil.copy(self.home(names[0]) / file, self.home(other) / file)
        return genesis

    def found_in_place(self, first: str, *places: str) -> Genesis:
        """A network where `places` say, or the first's `storage.json`."""
        files = []
        for node in NODES:
            files.append(self.folder / f"{node}.json")
            told = self.zl(first, "node", "init", node, "--unencrypted-keys", "--json")
            files[-1].write_text(told, encoding="utf-8")
        nodes = [word for path in files for word in ("--node", path)]
        self.zl(first, "init", *nodes, "--unencrypted-keys", *places)
        return Genesis.load(self.home(first) / "genesis.json")

    def start(self, name: str) -> str:
        if name not in self.held:
            self.held[name] = held_port()
        port = str(number_of(self.held[name]))
        process = subprocess.Popen(
            [sys.executable, "-m", "zhenglian", "registry", "serve", "--port", port, "--json"],
            cwd=ROOT,
            env=self.environ(name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=(self.folder / f"{name}.log").open("a"),
            text=True,
        )
        self.running[name] = process
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (self.folder / f"{name}.log").read_text()
        self.ports[name] = json.loads(line)["listening"]
        return self.ports[name]

    def signal(self, name: str, number: signal.Signals) -> None:
        self.running[name].send_signal(number)
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self.running.pop(name).wait(PATIENCE_S)

    def status(self, name: str) -> Any:
        try:
            return httpx.get(f"{self.ports[name]}/status", timeout=2, trust_env=False).json()
        except (httpx.HTTPError, ValueError):
            return {}

    def on_duty(self) -> list[str]:
        found = [(name, self.status(name)) for name in self.ports if name in self.running]
        return [name for name, status in found if status and "standby" not in status]

    def wait_for_duty(self) -> list[str]:
        """All processes, the one on duty first."""
        [first] = until(self.on_duty)
        return [first, *(name for name in self.ports if name != first)]

    def until_on_duty(self, name: str) -> None:
        """Wait until this process says that it is on duty, and no other does.

        An acknowledgement tells nothing of it: it may have been on its way before a takeover. And
        a process that is busy may leave a question unanswered.
        """
        until(self.on_duty, lambda found: found == [name])

    def until_standing_by(self, name: str) -> None:
        until(lambda: "standby" in self.status(name))

    def load(self, first: str, threads: int, batch: int) -> None:
        """Start the load, and a watch on everything that is published."""
        command = [*(sys.executable, LOAD, self.home(first), threads, batch), *self.ports.values()]
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "load.log").open("w"),
            text=True,
        )
        self.running["load"] = process
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", (self.folder / "load.log").read_text()
        self._collector = threading.Thread(
            target=self._collect, args=(process.stdout,), daemon=True
        )
        self._collector.start()
        genesis = Genesis.load(self.home(first) / "genesis.json")
        threading.Thread(target=self._watch, args=(genesis,), daemon=True).start()

    def _collect(self, lines: Any) -> None:
        for line in lines:
            self._lines.put(line)

    def _watch(self, genesis: Genesis) -> None:
        with httpx.Client(timeout=1, trust_env=False) as http:
            while not self._stop.wait(0.05):
                for address in list(self.ports.values()):
                    try:
                        answer = http.get(f"{address}/{genesis.identity_origin}/checkpoint")
                    except httpx.HTTPError:
                        continue
                    if answer.status_code == 200:
                        self.notes.add(answer.content)

    def until_acked(self, since: float, limit_s: float = PATIENCE_S, count: int = 1) -> float:
        """Seconds from `since` until `count` submissions were newly answered after it."""
        end = time.monotonic() + limit_s
        seen = 0
        while time.monotonic() < end:
            try:
                line = self._lines.get(timeout=0.1)
            except queue.Empty:
                continue
            assert line.startswith("ack "), line
            at, repeated, thread, step, first, number = line.split()[1:]
            ack = Ack(float(at), int(thread), int(step), int(first), int(number))
            self.acks.append(ack)
            seen += ack.at > since and repeated == "0"
            if seen >= count:
                return ack.at - since
        raise AssertionError(f"nothing was acknowledged for {limit_s} s")

    def end_load(self) -> None:
        process = self.running.pop("load")
        assert process.stdin is not None
        process.stdin.close()
        process.wait(PATIENCE_S)
        self._stop.set()
        assert self._collector is not None
        self._collector.join(PATIENCE_S)  # with the last line that the load has said
        assert not self._collector.is_alive()
        while not self._lines.empty():
            line = self._lines.get()
            at, _, thread, step, first, number = line.split()[1:]
            self.acks.append(Ack(float(at), int(thread), int(step), int(first), int(number)))

    @staticmethod
    def entries(thread: int, step: int, count: int) -> list[Entry]:
        """What `add_load.py` submits."""
        return entries_of(thread, step, count)

    def check(self, genesis: Genesis, name: str) -> int:
        """Every acknowledged entry is where its answer said, every checkpoint is of this tree."""
        origin = genesis.identity_origin
        places = Places.load(self.home(name), genesis.network)
        try:
            store = places.read(origin)
            size = store.head().size
            leaves = [leaf_hash(e) for _, batch in store.entries(0, size) for e in batch]
        finally:
            places.close()
        assert len(leaves) == size
        for ack in self.acks:
            expected = entries_of(ack.thread, ack.step, ack.count)
            assert leaves[ack.first : ack.first + ack.count] == [e.leaf_hash for e in expected]
        key = log_signer(origin, load_keys(self.home(name), None)["identity"]).key
        published = [open_checkpoint(note, origin, [key]).checkpoint for note in self.notes]
        check_roots(published, leaves)
        return len(published)

    def stop(self) -> None:
        self._stop.set()
        for process in self.running.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(PATIENCE_S)
        for port in self.held.values():
            port.close()


def entries_of(thread: int, step: int, count: int) -> list[Entry]:
    """What `add_load.py` submits."""
    return [
        anchor_entry(
            "did:web:load.example", hashlib.sha256(f"load {thread} {step} {i}".encode()).digest()
        )
        for i in range(count)
    ]


def check_roots(published: list[Checkpoint], leaves: list[bytes]) -> None:
    """All checkpoints are of the tree over `leaves`."""
    frontier = Frontier()
    for checkpoint in sorted(published, key=lambda c: c.size):
        frontier.extend(leaves[frontier.size : checkpoint.size])
        assert frontier.root() == checkpoint.root, checkpoint.size
