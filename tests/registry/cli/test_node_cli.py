"""`zl registry node` by real processes: a killed sequencer, a lost disk, a log of others."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.client import RegistryClient
from registry.errors import EntryUnknown
from registry.ledger.genesis import Genesis
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.merkle import leaf_hash
from registry.tlog.note import (
    ED25519,
    ED25519_COSIGNATURE,
    ML_DSA_44,
    Note,
    NoteSigner,
    VerifierKey,
)
from tests.waiting import PATIENCE_S, until
from zhenglian.cli import run

NODES = ("civil-affairs", "public-security", "tax", "transport")


@dataclass
class Network:
    """One ZL_HOME, its processes, and where they listen."""

    home: Path
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    genesis: str = ""

    def zl(self, *arguments: str | Path, expect: int = 0) -> str:
        return "".join(self._run(arguments, expect))

    def json(self, *arguments: str | Path, expect: int = 0) -> Any:
        return json.loads(self._run((*arguments, "--json"), expect)[0])

    @staticmethod
    def _run(arguments: tuple[str | Path, ...], expect: int) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(["registry", *map(str, arguments)], os.environ)
        assert code == expect, out.getvalue() + err.getvalue()
        return out.getvalue(), err.getvalue()

    def start(self, name: str, *arguments: str | Path) -> str:
        self.launch(name, *arguments)
        return self.listening(name)

    def launch(self, name: str, *arguments: str | Path) -> None:
        self.running[name] = subprocess.Popen(
            [sys.executable, "-m", "zhenglian", "registry", *map(str, arguments), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def listening(self, name: str) -> str:
        stdout = self.running[name].stdout
        assert stdout is not None
        said = json.loads(stdout.readline())
        assert "listening" in said, said
        self.urls[name] = str(said["listening"])
        return self.urls[name]

    def node(self, name: str, *more: str) -> None:
        self.launch(
            name,
            *("node", "serve", name, "--registry", self.urls["registry"]),
            *("--genesis", self.genesis, *more),
        )

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        process = self.running.pop(name)
        process.send_signal(number)
        process.wait(PATIENCE_S)
        assert process.stdout is not None
        process.stdout.close()

    def until(self, done: Callable[[Any], bool], *more: str) -> Any:
        return until(lambda: self.json("status", *more), done)


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    monkeypatch.setenv("ZL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZL_LANG", "en")
    for name in ("ZL_PASSPHRASE_FILE", "ZL_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    found = Network(tmp_path / "home")
    files: list[str | Path] = []
    for name in NODES:
        told = found.told[name] = found.json("node", "init", name, "--unencrypted-keys")
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(told), encoding="utf-8")
        files += ["--node", path]
    found.genesis = found.json("init", *files, "--unencrypted-keys")["genesis"]
    found.start("registry", "serve", "--port", "0")
    yield found
    for name in list(found.running):
        found.stop(name, signal.SIGKILL)


def shown(url: str, genesis: Genesis) -> int | None:
    """The cosigned size that one address shows; it has none while it only begins to mirror."""
    with RegistryClient(url, genesis) as client:
        try:
            return client.cosigned().size
        except EntryUnknown:
            return None


@pytest.mark.slow
def test_nodes_carry_on_without_the_sequencer_and_come_back_without_their_disk(
    network: Network,
) -> None:
    log = NoteSigner.from_seed("log.example/other", bytes(32), ED25519)
    network.node("civil-affairs", "--witness-log", log.key.encode())
    for name in NODES[1:]:
        network.node(name)
    network.zl("connect", *(f"{name}={network.listening(name)}" for name in NODES))
    status = network.until(lambda s: s["main"]["current"] and not s["alarms"])
    assert status["sequencer"]["answers"]
    assert status["verified"]["size"] == status["main"]["size"]

    # A stock log is cosigned by another key, of both types.
    tree = Checkpoint("log.example/other", 1, leaf_hash(b"hello"))
    answer = httpx.post(
        network.urls["civil-affairs"] + "/add-checkpoint", content=b"old 0\n\n" + tree.sign(log)
    )
    assert answer.status_code == 200
    keys = [VerifierKey.parse(text) for text in network.told["civil-affairs"]["witness"]]
    assert {key.type for key in keys} == {ED25519_COSIGNATURE, ML_DSA_44}
    verified = Note.parse(tree.text.encode() + b"\n" + answer.content).verify(keys)
    assert {one.key for one in verified.signatures} == set(keys)
    assert (
        httpx.post(
            network.urls["tax"] + "/add-checkpoint", content=b"old 0\n\n" + tree.sign(log)
        ).status_code
        == 404
    )
    assert network.json("node", "refusals", "tax")["refusals"] == []
    assert "has refused nothing" in network.zl("node", "refusals", "tax")

    # The sequencer dies; its nodes answer in its place, and say so.
    size = status["main"]["size"]
    genesis = Genesis.load(Path(network.genesis))
    until(lambda: [shown(network.urls[name], genesis) for name in NODES] == [size] * len(NODES))
    network.stop("registry", signal.SIGKILL)
    status = network.json("status")
    assert not status["sequencer"]["answers"]
    assert status["alarms"][0].startswith("the sequencer does not answer")
    assert status["main"]["size"] == status["main"]["cosignedSize"] == size
    assert [node["error"] for node in status["nodes"]] == [None] * 4
    assert "The sequencer does not answer." in network.zl("status")
    assert network.zl(
        "show", "0", "--registry", network.urls["tax"], "--genesis", network.genesis
    ).startswith("Entry 0")

    # One node loses its disk, except for its key. Its copy comes from the others.
    network.stop("tax", signal.SIGKILL)
    status = network.json("status")
    assert [node["name"] for node in status["nodes"] if node["error"]] == ["tax"]
    folder = network.home / "nodes" / "tax"
    for path in folder.iterdir():
        if not path.name.startswith("keys."):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    told = network.json(
        *("node", "rebuild", "tax", "--genesis", network.genesis),
        *("--from", network.urls["transport"]),
        *(f"--peer={name}={network.urls[name]}" for name in NODES if name != "tax"),
    )
    assert told["mirrored"][genesis.origin] == size
    assert told["asking"] == 0
    network.start("registry", "serve", "--port", "0")
    network.launch(
        *("tax", "node", "serve", "tax", "--registry", network.urls["registry"]),
        *("--genesis", network.genesis),
    )
    network.zl("connect", f"tax={network.listening('tax')}")
    # Before it was asked, nothing is known of it, and no error either.
    network.until(
        lambda s: s["main"]["current"] and s["nodes"][2]["size"] and not s["nodes"][2]["error"]
    )

    # Rebuilding beside a running node is refused; over an old copy it keeps what was cosigned.
    network.zl(
        *("node", "rebuild", "tax", "--genesis", network.genesis),
        *("--from", network.urls["transport"]),
        expect=4,
    )
    network.stop("tax")
    text = network.zl(
        *("node", "rebuild", "tax", "--genesis", network.genesis),
        *("--from", network.urls["transport"]),
    )
    assert "has all that the quorum has cosigned" in text
    [aside] = folder.glob("replaced-*")
    assert (aside / "node.sqlite").exists()


@pytest.mark.slow
def test_nobody_answers(network: Network) -> None:
    network.stop("registry")
    out = network.zl("status", "--registry", network.urls["registry"], expect=4)
    assert "ZL-REGISTRY-UNREACHABLE" in out
