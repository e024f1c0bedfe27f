"""`zl registry contract` and `zl registry chain` against a running network of real processes."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from credentials.dids import did_document
from credentials.keys import PrivateKey
from registry.client import RegistryClient
from registry.contracts import LIBRARY, library_text
from registry.errors import EntryUnknown
from registry.ledger.entries import anchor_entry
from registry.ledger.genesis import Genesis
from registry.trust import TrustBundle
from tests.waiting import PATIENCE_S, until
from zhenglian.cli import run

PROGRAM = [sys.executable, "-m", "zhenglian"]
NODES = ("civil-affairs", "public-security", "tax", "transport")


@dataclass
class Town:
    """One ZL_HOME with a registry and its nodes running."""

    folder: Path
    genesis: Genesis
    url: str
    nodes: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def until(self, done: Callable[[Any], bool]) -> None:
        until(lambda: told("status"), done)

    def settled(self) -> None:
        self.until(lambda status: bool(status["main"]["current"]))


def zl(*arguments: str | Path, expect: int = 0) -> str:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["registry", *map(str, arguments)], os.environ)
    assert code == expect, out.getvalue() + err.getvalue()
    return out.getvalue()


def told(*arguments: str | Path, expect: int = 0) -> Any:
    return json.loads(zl(*arguments, "--json", expect=expect))


def serve(*arguments: str | Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [*PROGRAM, "registry", *map(str, arguments), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    return process, str(json.loads(process.stdout.readline())["listening"])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    patch = pytest.MonkeyPatch()
    patch.setenv("ZL_HOME", str(folder / "home"))
    patch.setenv("ZL_LANG", "en")
    for name in ("ZL_PASSPHRASE_FILE", "ZL_REGISTRY"):
        patch.delenv(name, raising=False)
    patch.setattr("sys.stdin", io.StringIO())
    files: list[str | Path] = []
    for name in NODES:
        path = folder / f"{name}.json"
        path.write_text(zl("node", "init", name, "--unencrypted-keys", "--json"))
        files += ["--node", path]
    founded = told("init", *files, "--unencrypted-keys")
    process, url = serve("serve", "--port", "0")
    found = Town(folder, Genesis.load(Path(founded["genesis"])), url, running=[process])
    try:
        for name in NODES:
            node, address = serve(
                "node", "serve", name, "--registry", url, "--genesis", founded["genesis"]
            )
            found.running.append(node)
            found.nodes[name] = address
            zl("connect", f"{name}={address}")
        found.settled()
        yield found
    finally:
        for running in found.running:
            running.send_signal(signal.SIGTERM)
        for running in found.running:
            running.wait(PATIENCE_S)
            if running.stdout is not None:
                running.stdout.close()
        patch.undo()


def test_the_library_is_listed_and_shown(town: Town) -> None:
    listed = told("contract", "list")["contracts"]
    # Other tests of this network propose more.
    assert {(one["name"], one["state"]) for one in listed} >= {
        (name, "in force") for name in LIBRARY
    }
    assert "anchoring 1: in force, entry" in zl("contract", "list")
    assert zl("contract", "show", "anchoring").strip() == library_text("anchoring").strip()
    assert told("contract", "show", "status")["actions"] == ["publishStatus"]
    zl("contract", "show", "nothing", expect=2)
    zl("contract", "show", "anchoring", "--version", "7", expect=2)


def test_a_policy_is_rehearsed_before_it_is_proposed(town: Town) -> None:
    file = town.folder / "resources.cedar"
    file.write_text(library_text("resources"))
    report = told("contract", "check", file)
    assert not report["differs"]
    file.write_text("// nobody records resources any more\n")
    report = told("contract", "check", file, expect=1)
    assert {one["action"] for one in report["forbidden"]} == {"registerResource"}
    # A node has the same history, once it has heard of it: the quorum does without one.
    node = ("--registry", town.nodes["tax"])
    size = told("contract", "list")["size"]
    until(lambda: shown(town.nodes["tax"], town.genesis) == size)
    assert told("contract", "check", file, *node, expect=1) == report
    text = zl("contract", "check", file, expect=1)
    assert "It would no longer allow registerResource to Operator" in text
    file.write_text("permit(")
    zl("contract", "check", file, expect=3)
    # From this home, when nothing is served: the same report.
    address = town.folder / "home" / "registry" / "address"
    held = address.read_text()
    file.write_text("// nobody records resources any more\n")
    address.unlink()
    try:
        assert told("contract", "check", file, expect=1) == report
    finally:
        address.write_text(held)


def test_a_contract_is_proposed_and_counts_later(town: Town) -> None:
    file = town.folder / "night.cedar"
    file.write_text(
        '@id("no-strangers") forbid(principal is Stranger, action == Action::"anchor", resource);'
    )
    size = told("contract", "list")["size"]
    done = told("contract", "propose", file, "--activates", str(size + 40))
    assert done["entry"]["version"] == 1
    town.settled()
    [one] = [c for c in told("contract", "list")["contracts"] if c["name"] == "night"]
    assert (one["state"], one["index"]) == ("waiting", done["index"])
    zl("contract", "propose", file, "--activates", "3", expect=1)


def test_the_rule_of_rules_is_changed_by_approval_of_the_nodes(town: Town) -> None:
    file, draft = town.folder / "contracts.cedar", town.folder / "draft.json"
    file.write_text(library_text("contracts") + "\n// as it was\n")
    activates = ("--activates", str(told("contract", "list")["size"] + 20))
    zl("contract", "propose", file, *activates, expect=1)
    told("contract", "propose", file, *activates, "--draft", draft)
    approvals: list[str | Path] = []
    for name in NODES[:3]:
        path = town.folder / f"{name}.approval.json"
        path.write_text(zl("contract", "approve", name, draft))
        approvals += ["--approval", path]
    zl("contract", "propose", file, *activates, *approvals[:4], expect=1)
    done = told("contract", "propose", file, *activates, *approvals)
    assert [one["node"] for one in done["entry"]["approvals"]] == sorted(NODES[:3])
    town.settled()


def test_chains_are_added_and_rolled_over_while_the_network_runs(town: Town) -> None:
    network = town.genesis.network
    pace = ("--interval", "1000", "--size", "512", "--max-delay", "30")
    added = told("chain", "add", "transport", "--scenario", "bus-pass", *pace)
    assert added["entry"]["batch"] == {"interval": 1000, "size": 512}
    key, did = PrivateKey.generate("P-256"), "did:web:issuer.example"
    file = town.folder / "issuer.json"
    file.write_text(
        json.dumps(
            {
                "did": did,
                "name": {"zh-CN": "测试", "en": "Test"},
                "document": did_document(did, {"key-1": key.public_key}),
                "types": ["BusPass"],
                "chains": [f"{network}/transport"],
                "statusLists": ["https://issuer.example/status/"],
            }
        )
    )
    assert told("accredit-issuer", file)["entry"]["statusLists"]
    old, new = anchor_entry(did, os.urandom(32)), anchor_entry(did, os.urandom(32))
    with RegistryClient(town.url, town.genesis) as client:
        first = client.submit(f"{network}/transport", [old], key, f"{did}#key-1")
        town.until(lambda status: size_of(status, "transport") == 2)
        town.settled()  # the next epoch is made from what a quorum has vouched for
        rolled = told("chain", "roll", "transport")
        assert rolled["entry"]["origin"] == f"{network}/transport-2"
        assert rolled["entry"]["batch"] == {"interval": 1000, "size": 512}
        # The issuer's configuration names the old chain, and need not change.
        receipt = client.submit(f"{network}/transport", [new], key, f"{did}#key-1")
        assert (receipt.origin, receipt.indices) == (f"{network}/transport-2", (0,))
        again = client.submit(f"{network}/transport", [old], key, f"{did}#key-1")
        assert (again.origin, again.indices) == (first.origin, first.indices)
        town.until(lambda status: covers(client, f"{network}/transport-2"))
        bundle = TrustBundle.load(client.trust_bundle(), town.genesis)
        assert bundle.origin_for("transport") == f"{network}/transport-2"
        for entry, origin in ((old, first.origin), (new, receipt.origin)):
            proof = client.compact_proof(origin, client.lookup(origin, entry.leaf_hash))
            found = bundle.anchor(f"{network}/transport", entry.leaf_hash, proof)
            assert (found.origin, found.index) == (origin, 0)
    listed = {one["origin"]: one for one in told("chain", "list")["chains"]}
    assert listed[f"{network}/transport"]["successor"] == f"{network}/transport-2"
    assert "closed; " in zl("chain", "list")
    zl("chain", "roll", "nothing", expect=2)
    zl("chain", "add", "Main", "--scenario", "x", expect=2)


def size_of(status: Any, name: str) -> int:
    return next(c["size"] for c in status["chains"] if c["origin"].endswith("/" + name))


def shown(url: str, genesis: Genesis) -> int | None:
    """The cosigned size that one address shows; it has none while it only begins to mirror."""
    with RegistryClient(url, genesis) as client:
        try:
            return client.cosigned().size
        except EntryUnknown:
            return None


def covers(client: RegistryClient, origin: str) -> bool:
    bundle = TrustBundle.load(client.trust_bundle(), client.genesis)
    return bundle.size_of(origin) > 0
