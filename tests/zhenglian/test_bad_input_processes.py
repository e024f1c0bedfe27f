"""Wrong passphrases and second processes through the front door: named, and nobody is held up."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from schemas.backoff import FAILURES_FILE
from wallet.service import Wallet

ROOT = Path(__file__).parents[2]


@contextmanager
def server(city: Any, home: Path, *words: object) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A `zl … serve` in its own process, and what it announced."""
    with subprocess.Popen(
        [sys.executable, "-m", "zhenglian", *(str(word) for word in words), "--json"],
        cwd=ROOT,
        env=city.environ(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield process, json.loads(line)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)


# Passphrases


def test_a_wrong_passphrase_is_named_by_every_role(
    city: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It decides nothing, repeats nothing, slows the next try, and the right one opens again."""
    slept: list[float] = []
    monkeypatch.setattr("registry.keyring.load_keys.__kwdefaults__", {"sleep": slept.append})
    now = datetime.now(UTC)  # and no later, however long a try may take
    monkeypatch.setattr(Wallet, "open", staticmethod(partial(Wallet.open, clock=lambda: now)))
    (tmp_path / "wrong").write_text("not the one at all\n", encoding="utf-8")
    city.wallet(tmp_path)
    nodes = []
    for name in ("a", "b", "c", "d"):
        made = city.zl(tmp_path, "registry", "node", "init", name, "--unencrypted-keys", "--json")
        nodes.append(tmp_path / f"{name}.json")
        nodes[-1].write_text(made.out, encoding="utf-8")
    options = [word for node in nodes for word in ("--node", node)]
    assert city.zl(tmp_path, "registry", "init", *options, "--json").code == 0
    expected = {
        ("wallet", "list"): (2, "ZL-VAULT-PASSPHRASE"),
        ("registry", "serve", "--port", "0"): (2, "ZL-PASSPHRASE-WRONG"),
    }
    for words, error in expected.items():
        told = city.zl(tmp_path, *words, "--json", "--passphrase-file", tmp_path / "wrong")
        assert (told.code, told.error) == error
        assert "not the one" not in told.out + told.err
    told = city.zl(
        tmp_path, *("registry", "serve", "--json", "--passphrase-file"), tmp_path / "wrong"
    )
    assert told.error == "ZL-PASSPHRASE-WRONG"
    count = tmp_path / "registry" / FAILURES_FILE
    assert json.loads(count.read_bytes())["failures"] == 2
    # The wallet, with somebody waiting before it, refuses instead of waiting.
    wrong = ("wallet", "list", "--json", "--passphrase-file", tmp_path / "wrong")
    assert city.zl(tmp_path, *wrong).error == "ZL-VAULT-BACKOFF"


# A second process


def test_a_second_process_on_a_wallet_waits_for_nobody(counter_city: Any) -> None:
    home = counter_city.wallet
    words = (home / "wallet", (counter_city.city.folder / "passphrase").read_text().strip())
    with Wallet.open(*words):
        told = counter_city.city.process(home, "wallet", "list", "--json")
        assert (told.code, told.error) == (4, "ZL-VAULT-LOCKED")
    assert counter_city.zl("wallet", "list", "--json").json["credentials"]


def test_a_second_process_on_a_registry_or_a_node(city: Any, tmp_path: Path) -> None:
    nodes = []
    for name in ("a", "b", "c", "d"):
        made = city.zl(tmp_path, "registry", "node", "init", name, "--unencrypted-keys", "--json")
        nodes.append(tmp_path / f"{name}.json")
        nodes[-1].write_text(made.out, encoding="utf-8")
    options = [word for node in nodes for word in ("--node", node)]
    made = city.zl(tmp_path, "registry", "init", "--unencrypted-keys", *options, "--json")
    genesis = made.json["genesis"]
    serve = ("registry", "serve", "--port", "0")
    with server(city, tmp_path, *serve) as (first, told):
        second = city.process(tmp_path, *serve, "--json")
        assert (second.code, second.error) == (4, "ZL-STORE-LOCKED")
        node = ("registry", "node", "serve", "a", "--registry", told["listening"])
        node = (*node, "--genesis", genesis)
        with server(city, tmp_path, *node):
            second = city.process(tmp_path, *node, "--json")
            assert (second.code, second.error) == (4, "ZL-STORE-LOCKED")
        # The one that was there first goes on, and the address it left is still its own.
        status = city.zl(tmp_path, "registry", "status", "--json")
        assert status.code == 0, status
        # An unreachable quorum: nothing is cosigned, and the status says so.
        assert status.json["main"]["cosignedSize"] in (None, 0)
        assert first.poll() is None
    sound = city.zl(tmp_path, "registry", "verify", "--json")
    assert sound.code == 0, sound
    # With no server, the same command says who does not answer.
    with socket.socket() as reserved:  # so that nobody else takes the port
        reserved.bind(("127.0.0.1", 0))
        address = ("--registry", f"http://127.0.0.1:{reserved.getsockname()[1]}")
        away = city.zl(tmp_path, "registry", "status", *address, "--json")
    assert (away.code, away.error) == (4, "ZL-REGISTRY-UNREACHABLE")


def test_two_desks_of_one_counter_accept_an_answer_once(counter_city: Any) -> None:
    answer = counter_city.answer(counter_city.ask("ageOver18"))
    outcomes: list[Any] = []

    def scan() -> None:
        run = counter_city.city.process
        outcomes.append(run(counter_city.desk, "verifier", "scan", answer, "--json"))

    threads = [threading.Thread(target=scan) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.code for outcome in outcomes) == [0, 1], outcomes
    rejected = next(outcome for outcome in outcomes if outcome.code == 1)
    assert "ZL-REQUEST-ANSWERED" in rejected.out
