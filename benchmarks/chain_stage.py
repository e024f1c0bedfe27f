"""A network of real processes for the chain's figures: sequencer, nodes, and an accredited issuer.

Everything is started by the commands that an operator types, on loopback, with its files in one
folder under `build/`, whose disk the figures are of.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from credentials.dids import did_document, key_url
from credentials.keys import PrivateKey
from registry.client import RegistryClient
from registry.keyring import load_keys
from registry.ledger.entries import make_entry
from registry.ledger.genesis import Genesis
from registry.storage import size_of_note

FOLDER = Path("build/bench-chain").resolve()
NETWORK = "bench.zhenglian.example"
NODES = ("first", "second", "third", "fourth")
ISSUER = "did:web:issuer.bench.example"
KEY_URL = f"{ISSUER}#key-1"
_PUBLISHED_S = 300.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Process:
    """A server that prints where it listens."""

    def __init__(self, words: tuple[str, ...], home: Path, log: Path) -> None:
        environment = {**os.environ, "ZL_HOME": str(home), "ZL_LANG": "en"}
        with log.open("ab") as errors:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "zhenglian", *words, "--json"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{words[:3]} did not start: see {log}")
        self.url: str = json.loads(line)["listening"]
        self.host, _, port = self.url.removeprefix("http://").rpartition(":")
        self.port = int(port)
        self._proc = Path(f"/proc/{self._child.pid}")

    def rss_mb(self) -> float:
        """Resident memory."""
        status = (self._proc / "status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def cpu_s(self) -> float:
        """Processor seconds so far, of all threads."""
        fields = (self._proc / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_S

    def kill(self) -> None:
        """SIGKILL: no warning, nothing tidied."""
        self._child.kill()
        self._child.wait()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._child.terminate()
        try:
            self._child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()


def _run(home: Path, *words: str | Path) -> Any:
    environment = {**os.environ, "ZL_HOME": str(home), "ZL_LANG": "en"}
    done = subprocess.run(
        [sys.executable, "-m", "zhenglian", *map(str, words), "--json"],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout)


@dataclass
class Network:
    """A running network; close it."""

    home: Path
    genesis: Genesis
    sequencer: Process
    issuer: PrivateKey
    nodes: dict[str, Process] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The chain that takes anchors."""
        return self.genesis.identity_origin

    def client(self) -> RegistryClient:
        """A client of the sequencer."""
        return RegistryClient(self.sequencer.url, self.genesis)

    def published_s(self, size: int) -> float:
        """The seconds until the chain's checkpoint, signed by its log, is of `size` or more."""
        begun = time.monotonic()
        url = f"{self.sequencer.url}/{self.origin}/checkpoint"
        while True:
            note = httpx.get(url, trust_env=False).content
            if size_of_note(note) >= size:
                return time.monotonic() - begun
            if time.monotonic() - begun > _PUBLISHED_S:
                raise RuntimeError(f"not published: {size} entries")
            time.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.nodes.values(), self.sequencer):
            process.stop()


def remove_at_the_end(folder: Path) -> None:
    """Remove a folder when everything is measured.

    Where many files were just removed, ext4 (`recently_deleted`) takes several times as long to
    make others, for minutes.
    """
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def put_aside(folder: Path) -> None:
    """Move a folder of an earlier run away, to be removed at the end."""
    if folder.exists():
        aside = folder.with_name(f"old-{os.getpid()}-{folder.name}")
        folder.rename(aside)
        remove_at_the_end(aside)


def start(name: str, *, nodes: bool) -> Network:
    """Found a network in a fresh folder and start it, with its four nodes or without."""
    home = FOLDER / name
    put_aside(home)
    home.mkdir(parents=True)
    files: list[str | Path] = []
    for node in NODES:
        made = _run(
            home, "registry", "node", "init", node, "--network", NETWORK, "--unencrypted-keys"
        )
        path = home / f"{node}.json"
        path.write_text(json.dumps(made), encoding="utf-8")
        files += ["--node", path]
    founded = _run(home, "registry", "init", "--network", NETWORK, "--unencrypted-keys", *files)
    genesis_file = Path(founded["genesis"])
    genesis = Genesis.load(genesis_file)
    sequencer = Process(("registry", "serve", "--port", "0"), home, home / "sequencer.log")
    issuer = PrivateKey.generate("P-256")
    network = Network(home, genesis, sequencer, issuer)
    try:
        if nodes:
            for node in NODES:
                words: tuple[str, ...] = ("registry", "node", "serve", node, "--port", "0")
                words += ("--registry", sequencer.url, "--genesis", str(genesis_file))
                network.nodes[node] = Process(words, home, home / f"{node}.log")
            _run(
                home,
                "registry",
                "connect",
                *(f"{node}={process.url}" for node, process in network.nodes.items()),
            )
        _accredit(network)
    except BaseException:
        network.__exit__()
        raise
    return network


def _accredit(network: Network) -> None:
    operator = load_keys(network.home / "registry", None)["operator"]
    document = did_document(ISSUER, {"key-1": network.issuer.public_key})
    entry = make_entry(
        "issuer",
        did=ISSUER,
        name={"zh-CN": "测量", "en": "Bench"},
        document=document,
        types=["ResidentIdentityCredential"],
        chains=[network.origin],
        **{"from": "2026-01-01T00:00:00Z", "to": None},
    )
    with network.client() as client:
        client.submit(network.genesis.origin, [entry], operator, key_url(operator.public_key))


def describe_disk(folder: Path = FOLDER, writes: int = 200) -> str:
    """The file system under the figures, and what a durable write of one page costs there."""
    folder.mkdir(parents=True, exist_ok=True)
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    device, _, system = max(
        (mount[:3] for mount in mounts if folder.is_relative_to(mount[1])),
        key=lambda mount: len(mount[1]),
    )
    times = []
    path = folder / "fsync"
    with path.open("wb", buffering=0) as file:
        for _ in range(writes):
            file.write(os.urandom(4096))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(1000 * (time.perf_counter() - begun))
    path.unlink()
    times.sort()
    return (
        f"{device} {system}, fdatasync of 4 KiB: median {statistics.median(times):.2f} ms, "
        f"p99 {times[int(0.99 * len(times))]:.2f} ms; "
        f"{os.cpu_count()} cores, load average before {os.getloadavg()[0]:.2f}"
    )
