"""A full disk, nobody who answers, damaged files: a named error, and nothing lost afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NAME = "欧阳雪莉"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A disk of 2 MiB at `tmp_path / "disk"`; calling it fills the disk, or frees it again."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let tests mount a small disk")
    filler = disk / "filler"

    def toggle() -> None:
        if filler.exists():
            filler.unlink()
            return
        with filler.open("wb", buffering=0) as stream:
            size = 65536
            while size:
                try:
                    stream.write(bytes(size))
                except OSError:
                    size //= 2

    yield toggle
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


# A full disk


def test_a_full_disk_at_the_counter_shows_no_claims_and_keeps_the_request(
    counter_city: Any, tmp_path: Path, small_disk: Callable[[], None]
) -> None:
    city, home = counter_city.city, tmp_path / "disk" / "desk"
    shutil.copytree(counter_city.desk / "verifier", home / "verifier")
    request = home / "request.png"
    words = ("verifier", "request", "age-check", "--out-png", request, "--json")
    assert city.zl(home, *words).code == 0
    answer = counter_city.answer(request)
    scan = ("verifier", "scan", answer, "--json")
    small_disk()
    told = city.zl(home, *scan)
    assert (told.code, told.error) == (4, "ZL-JOURNAL-FULL"), told
    assert NAME not in told.out + told.err
    told = city.zl(home, *words)
    assert (told.code, told.error) == (4, "ZL-JOURNAL-FULL"), told
    told = city.zl(home, "verifier", "sync", "--json")
    assert (told.code, told.error) == (4, "ZL-JOURNAL-FULL"), told
    small_disk()
    accepted = city.zl(home, *scan)
    assert (accepted.code, accepted.json["answer"]) == (0, "accepted")
    assert city.zl(home, "verifier", "sync", "--json").json["recordsWaiting"] == 0


def test_a_full_disk_in_the_wallet_gives_nothing_away_and_loses_nothing(
    counter_city: Any, tmp_path: Path, small_disk: Callable[[], None]
) -> None:
    city, home = counter_city.city, tmp_path / "disk" / "wallet"
    shutil.copytree(counter_city.wallet / "wallet", home / "wallet")
    request = counter_city.ask("name")
    code = tmp_path / "code.png"
    words = ("wallet", "answer", "--image", request, "--yes", "--out-png", code, "--json")
    before = city.zl(home, "wallet", "history", "--json").json
    small_disk()
    told = city.zl(home, *words)
    assert (told.code, told.error) == (4, "ZL-VAULT-FULL"), told
    assert not code.exists()
    small_disk()
    assert city.zl(home, "wallet", "history", "--json").json == before
    assert city.zl(home, *words).code == 0
    assert counter_city.zl("verifier", "scan", code, "--json").json["answer"] == "accepted"


def test_a_full_disk_under_the_answer_leaves_no_half_a_picture(
    counter_city: Any, tmp_path: Path, small_disk: Callable[[], None]
) -> None:
    target = tmp_path / "disk" / "out.png"
    small_disk()
    told = counter_city.zl(
        *("wallet", "answer", "--image", counter_city.ask("name"), "--yes", "--json"),
        *("--out-png", target),
    )
    assert (told.code, told.error) == (4, "ZL-VAULT-FULL"), told
    told = counter_city.zl("verifier", "request", "age-check", "--out-png", target, "--json")
    assert told.code == 4, told
    assert not target.exists()
    assert list(target.parent.iterdir()) == [target.parent / "filler"]


def test_an_init_on_a_full_disk_can_be_repeated(
    city: Any, tmp_path: Path, small_disk: Callable[[], None]
) -> None:
    home = tmp_path / "disk" / "home"
    registry = ("--registry", city.registry, "--genesis", city.genesis)
    names = ("--did", "did:web:new.example", "--name-zh", "新", "--name-en", "New")
    inits = {
        ("verifier", "init", *names, *registry): "ZL-DESK-FILE",
        ("wallet", "init", *registry): "ZL-VAULT-FULL",
        ("registry", "node", "init", "a"): "ZL-STORE-FULL",
    }
    small_disk()
    for words, error in inits.items():
        told = city.zl(home, *words, "--json")
        assert (told.code, told.error) == (4, error), told
    small_disk()
    for words in inits:
        told = city.zl(home, *words, "--json")
        assert told.code == 0, told


# Nobody answers


def test_a_registry_that_is_away_leaves_the_wallet_as_it_is(city: Any, tmp_path: Path) -> None:
    words = ("wallet", "init", "--registry", "http://127.0.0.1:9", "--genesis", city.genesis)
    made = city.zl(tmp_path, *words, "--json")
    assert made.code == 0
    assert made.json["problem"]["code"] == "ZL-REGISTRY-UNREACHABLE"
    told = city.zl(tmp_path, "wallet", "refresh", "--json")
    assert (told.code, told.error) == (4, "ZL-REGISTRY-UNREACHABLE")
    told = city.zl(tmp_path, "wallet", "inspect", "eyJ.x.y", "--json")
    assert told.error == "ZL-WALLET-NO-TRUST"
    assert city.zl(tmp_path, "wallet", "list", "--json").code == 0


def test_an_authority_that_is_away_keeps_the_application(city: Any, tmp_path: Path) -> None:
    from issuer.authority.errors import AuthorityUnreachable

    city.wallet(tmp_path)
    data = tmp_path / "me.json"
    data.write_text(json.dumps(city.citizen()), encoding="utf-8")
    city.authority.trouble = AuthorityUnreachable()
    try:
        waiting = city.zl(tmp_path, "wallet", "apply", "--file", data, "--json")
        assert (waiting.code, waiting.json["state"]) == (0, "waiting"), waiting
    finally:
        city.authority.trouble = None
    city.office.retry(everything=True)
    found = city.zl(tmp_path, "wallet", "applications", waiting.json["id"], "--json")
    assert found.json[0]["state"] == "offered"


# Damage


def test_damage_on_the_chain_is_found_and_named(city: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"

    def copied() -> Path:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(city.chain.folder / "registry", home / "registry")
        return home / "registry" / "chains"

    chains = copied()
    whole = city.zl(home, "registry", "verify", "--json")
    assert (whole.code, whole.json["sound"]) == (0, True), whole
    tiles = sorted(path for path in chains.rglob("tile/**/*") if path.is_file())
    assert tiles
    for victim in (tiles[0], tiles[-1], next(chains.rglob("main/tiles/checkpoint"))):
        relative = victim.relative_to(chains)
        target = copied() / relative
        data = bytearray(target.read_bytes())
        data[len(data) // 2] ^= 1
        target.write_bytes(bytes(data))
        told = city.zl(home, "registry", "verify", "--json")
        assert told.code != 0, (relative, told)
        assert told.json.get("sound") is False or told.error.startswith("ZL-"), (relative, told)


def test_a_damaged_bundle_teaches_the_wallet_nothing(counter_city: Any, tmp_path: Path) -> None:
    bundle = (counter_city.desk / "verifier" / "trust.zltrust").read_bytes()
    before = counter_city.zl("wallet", "list", "--json").json
    path = tmp_path / "b.zltrust"
    for damaged in (b"", bundle[:-1], bundle[:100], bundle[:300] + b"\1" + bundle[301:], b"PK"):
        path.write_bytes(damaged)
        for words in (
            ("wallet", "refresh", "--file", path),
            ("verifier", "sync", "--file", path),
        ):
            told = counter_city.zl(*words, "--json")
            assert (told.code, told.error) in ((3, "ZL-BUNDLE-CORRUPT"), (1, "ZL-BUNDLE-FORGED")), (
                told
            )
    assert counter_city.zl("wallet", "list", "--json").json == before
    answer = counter_city.answer(counter_city.ask("ageOver18"))
    assert counter_city.zl("verifier", "scan", answer, "--json").json["answer"] == "accepted"
