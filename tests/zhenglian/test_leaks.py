"""What a disk, a log or a screen may tell of a person: nothing, but where the person asked.

After a whole journey (application, issuance, two presentations, a refused one, a revocation) every
file of every role and every captured log line is searched for the citizen's values and for the
secrets of the journey.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def spellings(value: str) -> set[bytes]:
    """A value as text, as escaped JSON, and in UTF-16."""
    return {
        value.encode(),
        json.dumps(value)[1:-1].encode(),
        value.encode("utf-16-le"),
    }


def files(*folders: Path) -> Iterator[tuple[Path, bytes]]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes()


def test_no_value_and_no_secret_is_left_anywhere(
    city: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    wallet, desk = tmp_path / "wallet", tmp_path / "desk"
    city.desk(desk, "did:web:leaks.hangzhou.example")
    city.wallet(wallet)
    # The texts that the person wrote lie outside the homes, as they would.
    held = city.credential(wallet)
    citizen = json.loads((wallet / "me.json").read_bytes())
    tx_code = (wallet / "tx-code").read_text("utf-8").strip()
    (wallet / "me.json").unlink()
    (wallet / "tx-code").unlink()
    assert city.zl(desk, "verifier", "sync", "--json").code == 0

    told = []
    for number in range(2):
        request, answer = desk / f"{number}.png", tmp_path / f"{number}.txt"
        entitlement = "did:web:leaks.hangzhou.example-age-check"
        words = ("verifier", "request", entitlement, "--out-png", request, "--json")
        told.append(city.zl(desk, *words))
        words = ("wallet", "answer", "--image", request, "--yes", "--json")
        told.append(city.zl(wallet, *words, "--out-text", answer))
        if number == 0:
            accepted = city.zl(desk, "verifier", "verify", answer, "--json")
            assert accepted.json["answer"] == "accepted"
            assert citizen["name"] in accepted.out  # the one place where it belongs
        rejected = city.zl(desk, "verifier", "verify", answer, "--json") if number == 0 else None
        if rejected is not None:
            assert rejected.code == 1
            told.append(rejected)
        answer.unlink()
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({**citizen, "citizenNumber": citizen["citizenNumber"][:-1] + "Y"}))
    told.append(city.zl(wallet, "wallet", "apply", "--file", bad, "--json"))
    assert told[-1].code == 3
    bad.unlink()
    told += [
        city.zl(desk, "verifier", "sync", "--json"),
        city.zl(desk, "verifier", "journal", "--json"),
        city.zl(wallet, "wallet", "history", "--json"),
        city.zl(wallet, "wallet", "show", held[:6], "--json"),
    ]
    city.settle()

    passphrase = (city.folder / "passphrase").read_text("utf-8").strip()
    secret = {citizen["name"], citizen["citizenNumber"], passphrase, tx_code}
    homes = [wallet, desk, city.folder / "issuer", city.folder / "chain"]
    found = [
        (path.relative_to(path.parents[2]), len(value))
        for path, data in files(*homes)
        for value in secret
        for spelling in spellings(value)
        if len(value) > 6 and spelling in data
    ]
    # Short values (a name, a code of some digits) are looked for in text only: ciphertext and
    # hashes hold any three bytes by chance.
    found += [
        (path.relative_to(path.parents[2]), len(value))
        for path, data in files(*homes)
        for value in secret
        if len(value.encode()) >= 9 and value.encode() in data
    ]
    assert found == []
    spoken = capfd.readouterr()
    logs = caplog.text + spoken.out + spoken.err
    for value in secret - {tx_code}:
        assert value not in logs
    screens = "".join(outcome.out + outcome.err for outcome in told)
    for value in (citizen["citizenNumber"], passphrase):
        assert value not in screens
    assert citizen["name"] not in "".join(outcome.out + outcome.err for outcome in told[:-1])
    for path, _ in files(wallet / "wallet", desk / "verifier", city.folder / "issuer"):
        assert path.stat().st_mode & 0o077 == 0 or path.suffix == ".json", path
