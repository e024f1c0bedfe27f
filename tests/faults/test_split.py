"""A parted network: real network namespaces and cables where that is allowed, else the simulator.

With the sequencer and three nodes on one side the chain goes on; with two it acknowledges, and no
cosigned checkpoint moves; when the cable is whole again, everybody catches up without a person. At
no time are there two trees.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from registry.cli.shared import utc_now
from registry.errors import RegistryError
from registry.sequencing.addresses import write_addresses
from registry.simulation.simulator import CLIENT, NODES, SEQUENCER, Consortium
from tests.faults.kills import ROOT, memory

NAMES = tuple(NODES)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Cables:
    """A bridge on each side of a breakable cable, and a namespace with an address for each role."""

    def __init__(self) -> None:
        self.stem = f"zl{os.getpid() % 100000}"
        self.spaces: dict[str, str] = {}
        self.hosts: dict[str, str] = {}
        self._hub = f"{self.stem}h"
        self._far = f"{self.stem}f"

    def lay(self) -> None:
        for hub in (self._hub, self._far):
            _ip("netns", "add", hub)
            _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
            _ip("-n", hub, "link", "set", "bridge", "up")
        _ip(
            "-n",
            self._hub,
            "link",
            "add",
            "cable",
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            self._far,
        )
        for hub in (self._hub, self._far):
            _ip("-n", hub, "link", "set", "cable", "master", "bridge", "up")
        for number, role in enumerate((SEQUENCER, *NAMES, CLIENT), 1):
            space = self.spaces[role] = f"{self.stem}{number}"
            host = self.hosts[role] = f"10.213.77.{number}"
            _ip("netns", "add", space)
            _ip("-n", space, "link", "set", "lo", "up")
            _ip(
                "-n",
                self._hub,
                "link",
                "add",
                f"to{number}",
                "type",
                "veth",
                "peer",
                "name",
                "wire",
                "netns",
                space,
            )
            _ip("-n", self._hub, "link", "set", f"to{number}", "master", "bridge", "up")
            _ip("-n", space, "addr", "add", f"{host}/24", "dev", "wire")
            _ip("-n", space, "link", "set", "wire", "up")

    def move(self, roles: tuple[str, ...]) -> None:
        """Plug those roles into the far bridge, everybody else into the near one."""
        for number, role in enumerate((SEQUENCER, *NAMES, CLIENT), 1):
            port = f"to{number}"
            for hub, other, far in ((self._hub, self._far, True), (self._far, self._hub, False)):
                if (role in roles) == far:
                    with suppress(subprocess.CalledProcessError):  # it is there already
                        _ip("-n", hub, "link", "set", port, "netns", other)
                        _ip("-n", other, "link", "set", port, "master", "bridge", "up")

    def cut(self) -> None:
        _ip("-n", self._hub, "link", "set", "cable", "down")

    def mend(self) -> None:
        _ip("-n", self._hub, "link", "set", "cable", "up")

    def remove(self) -> None:
        for space in (*self.spaces.values(), self._hub, self._far):
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


@contextmanager
def cables() -> Iterator[Cables]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2; the simulator's split is tested")
    made = Cables()
    try:
        try:
            made.lay()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
        yield made
    finally:
        made.remove()


@pytest.fixture
def ends() -> Iterator[list[subprocess.Popen[bytes]]]:
    held: list[subprocess.Popen[bytes]] = []
    yield held
    for process in held:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@pytest.mark.skipif(not os.environ.get("ZL_FAULTS"), reason="`make test-faults` runs it")
def test_a_parted_network_of_namespaces(ends: list[subprocess.Popen[bytes]]) -> None:
    with (
        cables() as net,
        tempfile.TemporaryDirectory(prefix="zl-split-", dir=memory()) as folder,
    ):
        port = 8477
        urls = {role: f"http://{net.hosts[role]}:{port}" for role in (SEQUENCER, *NAMES)}
        with Consortium(Path(folder), start=utc_now() - timedelta(hours=1)) as chain:
            chain.add_issuer()
        write_addresses(Path(folder) / SEQUENCER, {name: urls[name] for name in NAMES})

        def begin(role: str, *words: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                ["ip", "netns", "exec", net.spaces[role], sys.executable, "-m", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                cwd=ROOT,
            )
            ends.append(process)
            return process

        for role in (SEQUENCER, *NAMES):
            process = begin(role, "tests.faults.roles", folder)
            order = {"role": role, "host": net.hosts[role], "port": port, "urls": urls}
            assert process.stdin
            process.stdin.write(json.dumps(order).encode() + b"\n")
        for process in ends:
            assert process.stdout
            assert process.stdout.readline().startswith(b"start ")
            assert process.stdout.readline().startswith(b"listening ")
        watcher = begin(CLIENT, "tests.faults.watcher", folder, json.dumps(urls))
        assert watcher.stdin and watcher.stdout

        def ask(word: str) -> dict[str, Any]:
            assert watcher.stdin and watcher.stdout
            watcher.stdin.write(f"{word}\n".encode())
            told: dict[str, Any] = json.loads(watcher.stdout.readline())
            assert told.get("broken") == [], told
            return told

        def until(done: Callable[[dict[str, Any]], bool], seconds: float = 40.0) -> dict[str, Any]:
            end = time.monotonic() + seconds
            while True:
                told = ask("look")
                if done(told):
                    return told
                assert time.monotonic() < end, told
                time.sleep(0.2)

        def cosigned_anew() -> dict[str, Any]:
            count = ask("add")["acknowledged"]
            return until(lambda told: told["covered"] >= count)

        before = cosigned_anew()
        # Three and one: it goes on, and the one stands still.
        net.move((NAMES[3],))
        net.cut()
        told = cosigned_anew()
        assert told["cosigned"] > before["cosigned"]
        assert NAMES[3] not in told["nodes"]
        net.mend()
        until(lambda now: now["nodes"].get(NAMES[3], 0) >= told["cosigned"])
        # Two and two: entries are acknowledged, and nothing gets its quorum.
        net.move(NAMES[2:])
        net.cut()
        before = ask("look")
        for number in range(1, 6):
            assert ask("add")["acknowledged"] == before["covered"] + 3 * number
            time.sleep(0.2)
        parted = ask("look")
        assert parted["cosigned"] == before["cosigned"]
        assert parted["covered"] == before["covered"]
        assert sorted(parted["nodes"]) == sorted(NAMES[:2])
        net.mend()
        healed = until(lambda now: now["covered"] == before["covered"] + 15)
        until(lambda now: all(now["nodes"].get(n, 0) >= healed["cosigned"] for n in NAMES))
        assert ask("end")["lost"] == 0


def _sides(chain: Consortium) -> dict[str, int]:
    return {name: node._cosigned().size for name, node in chain.nodes.items()}


def test_a_parted_network_in_the_simulator(tmp_path: Path) -> None:
    with Consortium(tmp_path / "town") as chain:
        chain.add_issuer()
        near, far = (SEQUENCER, CLIENT, *NAMES[:3]), NAMES[3:]
        chain.part(near, far)
        chain.add_verifier()
        parted = _sides(chain)
        assert parted[NAMES[3]] < parted[NAMES[0]] == chain.sequencer.chains.main.size
        chain.heal()
        assert chain.settle()
        assert len(set(_sides(chain).values())) == 1
        chain.part((SEQUENCER, CLIENT, *NAMES[:2]), NAMES[2:])
        before = chain.sequencer.reader.cosigned()
        chain.add_verifier("did:web:other.example")  # acknowledged
        assert not chain.settle()
        after = chain.sequencer.reader.cosigned()
        assert before is not None and after is not None
        assert after.size == before.size
        with suppress(RegistryError):
            assert chain.client.cosigned().main.size == before.size
        assert chain.sequencer.status()["alarms"]
        chain.heal()
        assert chain.settle()
        assert set(_sides(chain).values()) == {chain.sequencer.chains.main.size}
