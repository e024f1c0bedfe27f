"""Sealed secrets: what opens, what does not, and what is refused before it costs anything."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest

from credentials.errors import KeyfileMalformed, PassphraseUnusable, WrongPassphrase
from credentials.keyfile import COST_FLOOR, MAX_SECRET, RECOMMENDED, Cost, seal, unseal
from credentials.keys import PrivateKey
from credentials.multibase import base64url_decode, base64url_encode

PASSPHRASE = "西湖 断桥 残雪 1277"
SECRET = PrivateKey.from_seed("P-256", b"a key worth sealing").to_bytes()
SEALED = seal(SECRET, PASSPHRASE, cost=COST_FLOOR, label="issuer key")


def test_the_recommended_cost_opens() -> None:
    sealed = seal(SECRET, PASSPHRASE)
    assert json.loads(sealed)["argon2id"]["m"] == RECOMMENDED.memory
    assert unseal(sealed, PASSPHRASE) == SECRET


def test_the_secret_is_not_in_the_file() -> None:
    assert SECRET not in SEALED
    assert base64url_encode(SECRET).encode() not in SEALED
    assert seal(SECRET, PASSPHRASE, cost=COST_FLOOR) != seal(SECRET, PASSPHRASE, cost=COST_FLOOR)


@pytest.mark.parametrize("passphrase", ["x", PASSPHRASE + " ", PASSPHRASE.replace("雪", "雨")])
def test_another_passphrase_does_not_open(passphrase: str) -> None:
    with pytest.raises(WrongPassphrase) as caught:
        unseal(SEALED, passphrase)
    assert passphrase not in str(caught.value.params)


def test_a_passphrase_is_the_same_however_its_accents_are_typed() -> None:
    sealed = seal(SECRET, "caf\u00e9", cost=COST_FLOOR)
    assert unseal(sealed, "cafe\u0301") == SECRET


@pytest.mark.parametrize("passphrase", ["", "長" * 400])
def test_unusable_passphrases(passphrase: str) -> None:
    with pytest.raises(PassphraseUnusable):
        seal(SECRET, passphrase, cost=COST_FLOOR)
    with pytest.raises(PassphraseUnusable):
        unseal(SEALED, passphrase)


def test_a_label_cannot_be_exchanged() -> None:
    assert unseal(SEALED, PASSPHRASE, label="issuer key") == SECRET
    with pytest.raises(KeyfileMalformed):
        unseal(SEALED, PASSPHRASE, label="log key")
    relabelled = SEALED.replace(b"issuer key", b"log key")
    with pytest.raises(WrongPassphrase):
        unseal(relabelled, PASSPHRASE, label="log key")


@pytest.mark.parametrize(
    ("group", "member"), [("argon2id", "salt"), ("a256gcm", "nonce"), ("a256gcm", "text")]
)
def test_every_bit_counts(group: str, member: str) -> None:
    opened = json.loads(SEALED)
    value = bytearray(base64url_decode(opened[group][member]))
    for position in (0, len(value) - 1):
        value[position] ^= 1
        opened[group][member] = base64url_encode(bytes(value))
        with pytest.raises(WrongPassphrase):
            unseal(json.dumps(opened).encode(), PASSPHRASE)
        value[position] ^= 1


def test_the_cost_is_authenticated() -> None:
    opened = json.loads(SEALED)
    opened["argon2id"]["t"] += 1
    with pytest.raises(WrongPassphrase):
        unseal(json.dumps(opened).encode(), PASSPHRASE)


@pytest.mark.parametrize(
    "cost",
    [
        {"m": 2**32 - 1},
        {"m": 512 * 1024 + 1},
        {"t": 10**6},
        {"p": 255},
        {"m": 8},
        {"t": 0},
        {"p": 0},
        {"m": -1},
        {"m": True},
        {"m": 65536.0},
        {"t": "3"},
        {"t": None},
    ],
)
def test_absurd_costs_are_refused_at_once(cost: dict[str, Any]) -> None:
    opened = json.loads(SEALED)
    opened["argon2id"].update(cost)
    start = time.process_time()
    with pytest.raises(KeyfileMalformed):
        unseal(json.dumps(opened).encode(), PASSPHRASE)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    "change",
    [
        {"format": "zhenglian-sealed-v2"},
        {"format": None},
        {"label": 5},
        {"more": 1},
        {"argon2id": None},
        {"argon2id": {}},
        {"a256gcm": []},
        {"a256gcm": {"nonce": "AAAA", "text": "AAAA"}},
        {"a256gcm": {"nonce": "A" * 16, "text": "AAAA"}},
        {"a256gcm": {"nonce": "A" * 16, "text": 5}},
        {"a256gcm": {"nonce": "A" * 16, "text": "===="}},
    ],
)
def test_malformed_containers(change: dict[str, Any]) -> None:
    opened = copy.deepcopy(json.loads(SEALED))
    with pytest.raises(KeyfileMalformed):
        unseal(json.dumps({**opened, **change}).encode(), PASSPHRASE)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff\xfe", SEALED[:-20], SEALED * 2, b" " * 70000]
)
def test_what_is_no_container(data: bytes) -> None:
    with pytest.raises(KeyfileMalformed):
        unseal(data, PASSPHRASE)


def test_what_is_not_sealed() -> None:
    with pytest.raises(KeyfileMalformed):
        seal(bytes(MAX_SECRET + 1), PASSPHRASE)
    with pytest.raises(KeyfileMalformed):
        seal(SECRET, PASSPHRASE, cost=Cost(1024, 1, 1))
