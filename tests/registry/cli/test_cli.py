"""`zl registry` with real processes on loopback: found, serve, govern, kill, resume, verify."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from credentials.dids import did_document
from credentials.keys import PrivateKey
from registry.client import RegistryClient
from registry.keyring import load_keys, save_keys
from registry.ledger.entries import anchor_entry
from registry.ledger.genesis import Genesis
from registry.trust import TrustBundle
from tests.ports import held_port, number_of
from tests.waiting import PATIENCE_S, until
from zhenglian.cli import run

PROGRAM = [sys.executable, "-m", "zhenglian"]
NODES = ("civil-affairs", "public-security", "tax", "transport")


@dataclass
class Machine:
    """One ZL_HOME and the processes that run on it."""

    home: Path
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    held: list[socket.socket] = field(default_factory=list)

    def zl(self, *arguments: str | Path, expect: int = 0) -> str:
        """A short command, through the front door but without a process of its own."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(["registry", *map(str, arguments)], os.environ)
        assert code == expect, out.getvalue() + err.getvalue()
        return out.getvalue()

    def json(self, *arguments: str | Path, expect: int = 0) -> Any:
        return json.loads(self.zl(*arguments, "--json", expect=expect))

    def start(self, name: str, *arguments: str | Path) -> str:
        """Start a server and wait until it says where it listens."""
        self.launch(name, *arguments)
        return self.address(name)

    def launch(self, name: str, *arguments: str | Path) -> None:
        process = subprocess.Popen(
            [*PROGRAM, "registry", *map(str, arguments), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.running[name] = process

    def address(self, name: str) -> str:
        stdout = self.running[name].stdout
        assert stdout is not None
        return str(json.loads(stdout.readline())["listening"])

    def stop(self, name: str, number: int = signal.SIGTERM) -> int:
        process = self.running.pop(name)
        process.send_signal(number)
        code = process.wait(PATIENCE_S)
        assert process.stdout is not None
        process.stdout.close()
        return code

    def stop_all(self) -> None:
        for name in list(self.running):
            self.stop(name, signal.SIGKILL)
        for port in self.held:
            port.close()

    def port(self) -> str:
        """A port that is this machine's to its end."""
        self.held.append(held_port())
        return str(number_of(self.held[-1]))

    def until(self, done: Any) -> Any:
        """Ask the running registry for its status until `done` is content with it."""
        return until(lambda: self.json("status"), done)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setenv("ZL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZL_LANG", "en")
    for name in ("ZL_PASSPHRASE_FILE", "ZL_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    found = Machine(tmp_path / "home")
    yield found
    found.stop_all()


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def accreditation(did: str, key: PrivateKey, **more: Any) -> dict[str, Any]:
    return {
        "did": did,
        "name": {"zh-CN": "测试", "en": "Test"},
        "document": did_document(did, {"key-1": key.public_key}),
        **more,
    }


@pytest.mark.slow
def test_a_network_from_its_founding_to_its_audit(machine: Machine, tmp_path: Path) -> None:
    files = []
    for name in NODES:
        told = machine.json("node", "init", name, "--title-en", name, "--unencrypted-keys")
        files += ["--node", write(tmp_path / f"{name}.json", told)]
    founded = machine.json("init", *files, "--unencrypted-keys")
    assert founded["quorum"] == 3
    genesis = Genesis.load(Path(founded["genesis"]))
    port = machine.port()  # the server comes back to where it was
    url = machine.start("registry", "serve", "--port", port)

    def start_nodes(*names: str) -> None:
        for name in names:
            machine.launch(
                name, "node", "serve", name, "--registry", url, "--genesis", founded["genesis"]
            )
        machine.zl("connect", *(f"{name}={machine.address(name)}" for name in names))

    start_nodes(*NODES)
    machine.until(lambda s: s["main"]["current"] and not s["alarms"])

    # Governance, by the files that issuer and verifier print.
    issuer, desk = PrivateKey.generate("Ed25519"), PrivateKey.generate("P-256")
    did = "did:web:issuer.example"
    file = write(
        tmp_path / "issuer.json",
        accreditation(
            did, issuer, types=["ResidentIdentityCredential"], chains=[genesis.identity_origin]
        ),
    )
    first = machine.json("accredit-issuer", file, "--from", "2026-01-01T00:00:00Z")
    assert not first["repeated"]
    assert machine.json("accredit-issuer", file, "--from", "2026-01-01T00:00:00Z") == {
        **first,
        "repeated": True,
    }
    file = write(tmp_path / "desk.json", accreditation("did:web:desk.example", desk))
    machine.zl("accredit-verifier", file)
    texts = ("--purpose-zh", "甲", "--purpose-en", "a", "--basis-zh", "乙", "--basis-en", "b")
    entitlement = ("entitle", "age", "--verifier", "did:web:desk.example", *texts)
    machine.zl(*entitlement, "--claim", "name", "--claim", "/credentialSubject/ageOver18")
    machine.zl(*entitlement, "--claim", "shoeSize", expect=3)

    # An anchor is acknowledged, cosigned, provable; and the bundle says so.
    with RegistryClient(url, genesis) as client:
        entry = anchor_entry(did, os.urandom(32))
        before = machine.json("status")["main"]["size"]
        receipt = client.submit(genesis.identity_origin, [entry], issuer, f"{did}#key-1")
        assert receipt.indices == (0,)
        machine.until(lambda s: s["main"]["current"] and s["main"]["size"] > before)
        shown = machine.json("show", "0", "--chain", "identity")
        assert shown["entry"] == dict(entry.body)
        out = tmp_path / "b.zltrust"
        machine.zl("bundle", "--out", out)
        bundle = TrustBundle.load(out, genesis)
        proof = client.compact_proof(genesis.identity_origin, 0)
        assert bundle.anchor(genesis.identity_origin, entry.leaf_hash, proof).index == 0
        assert machine.json("blocks", "--limit", "1")["blocks"][0]["end"] == 2
        machine.zl("show", "99", "--chain", "identity", expect=5)

        # Two nodes die: entries are taken in, no new checkpoint. They come back: it goes on.
        assert machine.stop("tax", signal.SIGKILL) == -signal.SIGKILL
        assert machine.stop("transport") == 0
        held = client.cosigned().size
        later = anchor_entry(did, os.urandom(32))
        client.submit(genesis.identity_origin, [later], issuer, f"{did}#key-1")
        # An alarm alone tells nothing: it may be older than the entry.
        machine.until(lambda s: s["alarms"] and not s["main"]["current"])
        assert client.cosigned().size == held
        # The sequencer dies too, without warning, and nothing acknowledged is lost.
        machine.stop("registry", signal.SIGKILL)
        assert not machine.json("status")["sequencer"]["answers"]  # the nodes say so
        machine.start("registry", "serve", "--port", port)
        start_nodes("tax", "transport")
        machine.until(lambda s: s["main"]["current"] and not s["alarms"])
        assert client.cosigned().size > held
        assert client.entries(genesis.identity_origin, 2, 3) == [later]

    # A second server on the same stores is refused by name.
    machine.zl("serve", "--port", "0", expect=4)
    for name in list(machine.running):
        assert machine.stop(name, signal.SIGINT) == 0
    assert "all sound" in machine.zl("verify")

    # An edited entry is found by the audit, and the server does not serve it.
    log = machine.home / "registry" / "chains" / "identity" / "log.sqlite"
    with sqlite3.connect(log) as database:
        [(data,)] = database.execute("SELECT entries FROM commits ORDER BY start LIMIT 1")
        changed = data.replace(b'"anchor":"u', b'"anchor":"v', 1)
        database.execute("UPDATE commits SET entries = ? WHERE start = 0", (changed,))
    database.close()
    assert not machine.json("verify", expect=1)["sound"]


def test_a_second_init_changes_nothing(machine: Machine, tmp_path: Path) -> None:
    told = machine.json("node", "init", "tax", "--unencrypted-keys")
    node = write(tmp_path / "node.json", told)
    machine.zl("init", "--node", node, "--unencrypted-keys")
    before = (machine.home / "registry" / "genesis.json").read_bytes()
    machine.zl("init", "--node", node, "--unencrypted-keys", expect=2)
    machine.zl("node", "init", "tax", "--unencrypted-keys", expect=2)
    assert (machine.home / "registry" / "genesis.json").read_bytes() == before
    mode = (machine.home / "registry" / "keys.plain.json").stat().st_mode & 0o777
    assert mode == 0o600


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("status",), 2),  # no address is known here
        (("status", "--registry", "http://127.0.0.1:9"), 2),  # and no genesis
        (("serve", "--port", "0"), 2),
        (("verify",), 2),
        (("init", "--node", "absent.json", "--unencrypted-keys"), 3),
        (("node", "init", "../tax", "--unencrypted-keys"), 2),
        (("node", "serve", "tax", "--registry", "http://127.0.0.1:9", "--genesis", "absent"), 3),
        (("accredit-issuer", "absent.json"), 3),
        (("show", "-1"), 2),
        (("frobnicate",), 2),
    ],
)
def test_errors_have_their_exit_codes(
    machine: Machine, arguments: tuple[str, ...], code: int
) -> None:
    machine.zl(*arguments, expect=code)


def test_a_failed_founding_can_be_repeated(machine: Machine, tmp_path: Path) -> None:
    told = machine.json("node", "init", "tax", "--unencrypted-keys")
    node = write(tmp_path / "node.json", told)
    machine.zl("init", "--node", node, "--quorum", "2", "--unencrypted-keys", expect=3)
    machine.zl("init", "--node", node, "--unencrypted-keys")


def test_keys_are_sealed_unless_told_otherwise(machine: Machine, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a passphrase of the tests\n", encoding="utf-8")
    machine.zl("node", "init", "tax", "--passphrase-file", secret)
    stored = (machine.home / "nodes" / "tax" / "keys.sealed.json").read_bytes()
    assert b"argon2id" in stored
    assert b'"secret"' not in stored
    machine.zl("node", "init", "transport", expect=2)  # neither file nor terminal


def test_a_keyring_keeps_its_keys(tmp_path: Path) -> None:
    from credentials.errors import WrongPassphrase
    from registry.errors import KeyringMalformed, RegistryAbsent, RegistryExists

    keys = {"a": PrivateKey.generate("Ed25519"), "b": PrivateKey.generate("P-256")}
    save_keys(tmp_path / "sealed", keys, "words")
    found = load_keys(tmp_path / "sealed", "words")
    assert {n: k.public_key for n, k in found.items()} == {n: k.public_key for n, k in keys.items()}
    for wrong in ("other", None):
        with pytest.raises(WrongPassphrase):
            load_keys(tmp_path / "sealed", wrong)
    with pytest.raises(RegistryExists):
        save_keys(tmp_path / "sealed", keys, None)
    with pytest.raises(RegistryAbsent):
        load_keys(tmp_path / "nothing", None)
    path = save_keys(tmp_path / "plain", keys, None)
    path.write_bytes(b'{"a": {"type": "RSA", "secret": "x"}}')
    with pytest.raises(KeyringMalformed):
        load_keys(tmp_path / "plain", None)
