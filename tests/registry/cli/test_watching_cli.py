"""`zl registry monitor`, `evidence`, `verify`, `export`, `import`, `restore` as processes.

The networks behind the addresses are consortia of real code behind real sockets.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from registry.cli.network import OPERATOR
from registry.keyring import save_keys
from registry.ledger.entries import anchor_entry
from registry.sequencing.chain import Chains
from registry.simulation import simulator
from registry.simulation.simulator import Consortium
from tests.listening import listening
from tests.waiting import PATIENCE_S

PROGRAM = [sys.executable, "-m", "zhenglian"]


class Town:
    def __init__(self, folder: Path, stack: ExitStack, *, age: timedelta) -> None:
        self.folder = folder
        start = datetime.now(UTC).replace(microsecond=0) - age
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(simulator, "START", start)  # accreditations begin with the network
        self.chain = stack.enter_context(Consortium(folder / "town", start=start))
        self.stack = stack
        self.genesis = folder / "genesis.json"
        self.genesis.write_bytes(self.chain.genesis.entry.raw + b"\n")
        self.issuer = self.chain.add_issuer()
        self.url = self.serve("registry")

    def serve(self, name: str) -> str:
        return self.stack.enter_context(listening(self.chain.transport.apps[f"{name}.invalid"]))

    def anchor(self, number: int) -> None:
        row = anchor_entry(self.issuer.did, sha256(f"cli {number}".encode()).digest())
        origin = self.chain.genesis.identity_origin
        self.chain.client.submit(origin, [row], self.issuer.key, self.issuer.key_url)

    def now(self) -> None:
        """Set the clock of the town to that of this machine, and settle."""
        self.chain.now = datetime.now(UTC).replace(microsecond=0)
        self.chain.settle()

    def zl(self, *words: object, expect: int = 0, language: str = "en") -> str:
        done = subprocess.run(
            [*PROGRAM, "registry", *(str(word) for word in words)],
            env=self.environ(language),
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def environ(self, language: str = "en") -> dict[str, str]:
        return {
            **{k: v for k, v in os.environ.items() if k not in ("ZL_REGISTRY", "LANG")},
            "ZL_HOME": str(self.folder / "home"),
            "ZL_LANG": language,
            "NO_COLOR": "1",
        }

    def monitor(self, *words: object, expect: int, language: str = "en") -> str:
        return self.zl(
            *("monitor", "--once", "--genesis", self.genesis, "--registry", self.url, *words),
            expect=expect,
            language=language,
        )


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.fixture
def town(tmp_path: Path, stack: ExitStack) -> Town:
    return Town(tmp_path, stack, age=timedelta(minutes=10))


def test_fine_then_a_stall(town: Town) -> None:
    said = town.monitor(expect=5)
    assert "ALARM [stall]" in said and "no quorum has vouched" in said
    town.now()
    assert "fine" in town.monitor(expect=0)
    told = json.loads(town.monitor("--json", expect=0))
    assert told["alarms"] == [] and told["exit"] == 0


def test_a_stall_in_chinese(town: Town) -> None:
    said = town.monitor(expect=5, language="zh-CN")
    assert "告警" in said and "no quorum" not in said


def test_missing_anchors(town: Town, stack: ExitStack) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_checkpoint_sides", "checkpoint_sides"):
            if hasattr(Chains, name):
                patch.setattr(Chains, name, lambda *_args, **_named: None)
        town.anchor(1)
        town.chain.sequencer.chains.logs[town.chain.genesis.identity_origin].tick()
        town.now()
        told = json.loads(town.monitor("--json", expect=1))
    assert [alarm["alarm"] for alarm in told["alarms"]] == ["missing-anchor"]
    assert told["alarms"][0]["proven"] is True
    town.now()
    town.monitor(expect=0)


def test_a_fork_is_proved_with_a_file_that_others_can_check(town: Town, tmp_path: Path) -> None:
    start = town.chain.genesis.created
    twin = town.stack.enter_context(Consortium(tmp_path / "twin", start=start))
    assert twin.genesis == town.chain.genesis
    twin.add_issuer("did:web:false.example")
    twin.now = datetime.now(UTC).replace(microsecond=0)
    twin.settle()
    town.now()
    other = town.stack.enter_context(listening(twin.transport.apps["registry.invalid"]))
    said = town.monitor("--registry", other, expect=1)
    assert "ALARM, proven [fork]" in said
    [path] = (town.folder / "home" / "monitor").glob("fork-*.json")
    assert str(path) in said.replace("\n", "")
    assert "Proven" in town.zl("evidence", path, "--genesis", town.genesis)
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "newer": told["older"], "left": [], "right": []}))
    assert "ZL-EVIDENCE" in town.zl("evidence", path, "--genesis", town.genesis, expect=1)


def test_two_bundles_that_contradict_each_other_are_evidence(town: Town, tmp_path: Path) -> None:
    start = town.chain.genesis.created
    twin = town.stack.enter_context(Consortium(tmp_path / "twin", start=start))
    files = [tmp_path / name for name in ("held.zltrust", "other.zltrust", "later.zltrust")]
    check = partial(town.zl, "evidence", "--genesis", town.genesis)
    files[0].write_bytes(town.chain.client.trust_bundle())
    twin.add_issuer("did:web:false.example")
    files[1].write_bytes(twin.client.trust_bundle())
    assert "Proven: a quorum cosigned two histories" in check(*files[:2])
    told = json.loads(check(*files[1::-1], "--json"))
    assert told["proven"] is True and told["origin"] == town.chain.genesis.origin
    town.anchor(1)
    town.now()
    files[2].write_bytes(town.chain.client.trust_bundle())
    assert "agree in what they show" in check(files[0], files[2], expect=1)
    assert "agree in what they show" in check(files[0], files[2], "--registry", town.url, expect=1)
    assert "信任包" in check(files[0], files[2], expect=1, language="zh-CN")
    check(files[0], tmp_path / "nothing", expect=3)
    files[1].write_bytes(b"no bundle")
    check(*files[:2], expect=3)


def test_unreachable_and_environment(town: Town, tmp_path: Path) -> None:
    town.now()
    silent = town.monitor("--registry", "http://127.0.0.1:9", expect=5)
    assert "does not answer" in silent
    (tmp_path / "file").write_text("")
    town.monitor("--state", tmp_path / "file", expect=4)
    town.zl("monitor", "--once", "--genesis", town.genesis, expect=2)  # no address is known


def test_watching_goes_on_until_a_signal(town: Town) -> None:
    town.now()
    with subprocess.Popen(
        [
            *PROGRAM,
            *("registry", "monitor", "--genesis", str(town.genesis), "--registry", town.url),
            *("--interval", "0.2", "--json", "--full"),
        ],
        env=town.environ(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert all(line["alarms"] == [] for line in lines)
    main = town.chain.genesis.origin
    assert lines[0]["chains"][main]["replayed"] == lines[0]["chains"][main]["size"]


def test_export_verify_import_and_serve(town: Town, tmp_path: Path) -> None:
    for number in range(3):
        town.anchor(number)
    town.now()
    archive = tmp_path / "town.tar"
    told = json.loads(
        town.zl("export", archive, "--registry", town.url, "--genesis", town.genesis, "--json")
    )
    assert told["bytes"] == archive.stat().st_size
    pinned = ("--genesis", town.genesis)
    assert "all sound" in town.zl("verify", "--archive", archive, *pinned)
    part = tmp_path / "part.tar"
    town.zl("export", part, "--chain", "identity", "--registry", town.url, *pinned)
    assert "were not checked" in town.zl("verify", "--archive", part, *pinned)
    assert "ZL-ARCHIVE-PARTIAL" in town.zl("import", part, *pinned, expect=2)
    damaged = tmp_path / "damaged.tar"
    data = archive.read_bytes()
    damaged.write_bytes(data.replace(b'"kind":"anchor"', b'"kind":"ancho2"', 1))
    assert "ZL-ARCHIVE-FORGED" in town.zl("verify", "--archive", damaged, *pinned, expect=1)
    town.zl("import", damaged, *pinned, expect=1)
    assert not (town.folder / "home" / "copy").exists()
    assert "was checked by the rules" in town.zl("import", archive, *pinned)
    assert "all sound" in town.zl("verify", "--copy")
    with subprocess.Popen(
        [*PROGRAM, "registry", "serve-copy", "--port", "0", "--json"],
        env=town.environ(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["listening"]
        shown = town.zl("show", "0", "--registry", url, *pinned)
        assert town.chain.genesis.network in shown
        assert httpx.get(f"{url}/explorer/").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def test_usage(town: Town, tmp_path: Path) -> None:
    pinned = ("--genesis", town.genesis, "--registry", town.url)
    town.zl("export", tmp_path / "x.tar", "--from", "5", *pinned, expect=2)
    town.zl("export", tmp_path / "no" / "x.tar", *pinned, expect=4)
    (tmp_path / "x.tar").write_bytes(b"no tar")
    town.zl("verify", "--archive", tmp_path / "x.tar", "--genesis", town.genesis, expect=1)
    town.zl("serve-copy", expect=2)


def test_restore_of_a_sequencer(town: Town, tmp_path: Path) -> None:
    town.anchor(1)
    town.now()
    home = town.folder / "home" / "registry"
    keys = {OPERATOR: town.chain.keys.operator, **town.chain.keys.logs}
    save_keys(home, keys, None)
    nodes = []
    for name in town.chain.nodes:
        nodes += ["--node", f"{name}={town.serve(name)}"]
    source = nodes[1].partition("=")[2]
    words = ("restore", source, "--genesis", town.genesis)
    assert "ZL-RESTORE-REFUSED" in town.zl(*words, *nodes[:6], expect=1)
    lost = nodes[7].partition("=")[0]
    told = json.loads(town.zl(*words, *nodes[:6], "--without", lost, "--json"))
    assert told["chains"] == {o: v.size for o, v in town.chain.sequencer.reader.views.items()}
    assert "all sound" in town.zl("verify")
    assert "ZL-REGISTRY-EXISTS" in town.zl(*words, *nodes, expect=2)
