"""The keyring: sealed, private, and slower to open after every wrong passphrase."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from credentials.errors import KeyfileMalformed, WrongPassphrase
from credentials.keyfile import COST_FLOOR, seal
from issuer.errors import KeyringCorrupt, NotInitialised
from issuer.keyring import KEYRING_FILE, Keyring
from schemas.backoff import FAILURES_FILE

DID = "did:web:data.hangzhou.example"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Keyring.generate(DID, os.urandom).save(tmp_path, "correct horse", cost=COST_FLOOR)
    return tmp_path


def test_what_is_sealed_opens_again(home: Path) -> None:
    keys = Keyring.generate(DID, os.urandom)
    keys.save(home, "correct horse", cost=COST_FLOOR)
    opened = Keyring.open(home, "correct horse")
    assert opened.public_keys() == keys.public_keys()
    assert opened.data_key == keys.data_key
    assert (home / KEYRING_FILE).stat().st_mode & 0o077 == 0


def test_nothing_secret_shows(home: Path) -> None:
    keys = Keyring.open(home, "correct horse")
    assert str(keys.data_key) not in repr(keys)
    assert keys.data_key.hex() not in repr(keys)
    sealed = (home / KEYRING_FILE).read_bytes()
    assert keys.credential.to_bytes() not in sealed
    assert keys.data_key not in sealed


def test_wrong_passphrases_cost_more_each_time_and_processes_share_the_count(
    home: Path, clock: Any
) -> None:
    slept: list[float] = []
    for _ in range(9):
        with pytest.raises(WrongPassphrase):
            Keyring.open(home, "wrong", clock=clock, sleep=slept.append)
    assert slept == [1, 2, 4, 8, 16, 32, 60, 60]
    # The right one waits its turn, too, then clears the count.
    Keyring.open(home, "correct horse", clock=clock, sleep=slept.append)
    assert slept[-1] == 60
    assert not (home / FAILURES_FILE).exists()
    slept.clear()
    Keyring.open(home, "correct horse", clock=clock, sleep=slept.append)
    assert slept == []


def test_waiting_counts_as_waited(home: Path, clock: Any) -> None:
    slept: list[float] = []
    for _ in range(3):
        with pytest.raises(WrongPassphrase):
            Keyring.open(home, "wrong", clock=clock, sleep=slept.append)
    clock.advance(seconds=3)
    Keyring.open(home, "correct horse", clock=clock, sleep=slept.append)
    assert slept == [1, 2, 1]


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"failures": -1}', b'{"failures": 1, "last": 3}']
)
def test_a_damaged_count_means_the_longest_delay(home: Path, clock: Any, content: bytes) -> None:
    (home / FAILURES_FILE).write_bytes(content)
    slept: list[float] = []
    Keyring.open(home, "correct horse", clock=clock, sleep=slept.append)
    assert slept == [60]


def test_a_missing_foreign_or_damaged_keyring_is_named(home: Path) -> None:
    path = home / KEYRING_FILE
    with pytest.raises(NotInitialised):
        Keyring.open(home / "nowhere", "correct horse")
    path.write_bytes(seal(b"a wallet's secret", "correct horse", cost=COST_FLOOR, label="wallet"))
    with pytest.raises(KeyfileMalformed):
        Keyring.open(home, "correct horse")
    label = "zhenglian issuer keyring"
    for content in (b"[]", json.dumps({"did": DID, "credential": "AA=="}).encode()):
        path.write_bytes(seal(content, "correct horse", cost=COST_FLOOR, label=label))
        with pytest.raises(KeyringCorrupt):
            Keyring.open(home, "correct horse")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(KeyfileMalformed):
        Keyring.open(home, "correct horse")
