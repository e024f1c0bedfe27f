"""`zl verifier`: what clerks type and scripts read, against a registry on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from credentials.qr import draw
from schemas.backoff import FAILURES_FILE, BackOff

ROOT = Path(__file__).parents[2]

FORBIDDEN = """
import sys
# Everything that verification needs is imported, read and checked without these.
import socket, ssl
def forbidden(*_, **__):
    raise AssertionError("the network was touched")
for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname", "socketpair"):
    setattr(socket, name, forbidden)
def refuse(event, _):
    if event.startswith("socket."):
        raise AssertionError(event)
sys.addaudithook(refuse)
import os
from zhenglian.cli import run
sys.exit(run(sys.argv[1:], os.environ))
"""


@pytest.fixture
def fresh(tmp_path: Path, counter_city: Any) -> Path:
    """A copy of the desk, which a test may damage."""
    home = tmp_path / "desk"
    shutil.copytree(counter_city.desk, home)
    return home


def test_a_desk_is_set_up_once_and_says_what_to_hand_on(tmp_path: Path, city: Any) -> None:
    words = (
        *("verifier", "init", "--did", "did:web:new.example", "--registry", city.registry),
        *("--name-zh", "新窗口", "--name-en", "New", "--genesis", city.genesis),
    )
    told = city.zl(tmp_path, *words)
    assert told.code == 0
    assert "zl verifier sync" in told.out
    home = tmp_path / "verifier"
    document = json.loads((home / "accreditation.json").read_bytes())
    assert document["did"] == "did:web:new.example"
    sealed = (home / "desk.key").read_bytes()
    assert json.loads(sealed)  # a sealed container, not a raw key
    assert (home / "desk.key").stat().st_mode & 0o777 == 0o600

    again = city.zl(tmp_path, *words, "--json")
    assert (again.code, again.error) == (2, "ZL-DESK-EXISTS")
    assert (home / "desk.key").read_bytes() == sealed


def test_a_genesis_that_is_none_makes_no_desk(tmp_path: Path, city: Any) -> None:
    (tmp_path / "genesis.json").write_text('{"kind": "genesis"}', encoding="utf-8")
    for genesis in (tmp_path / "genesis.json", tmp_path / "missing.json"):
        refused = city.zl(
            *(tmp_path, "verifier", "init", "--did", "did:web:new.example", "--json"),
            *("--registry", city.registry, "--name-zh", "新", "--name-en", "New"),
            *("--genesis", genesis),
        )
        assert refused.code == 3, refused
        assert refused.error.startswith("ZL-"), refused
        assert city.zl(tmp_path, "verifier", "journal", "--json").error == "ZL-DESK-MISSING"


def test_the_journey_at_the_counter(counter_city: Any, city: Any) -> None:
    counter = counter_city
    synced = counter.zl("verifier", "sync", "--json").json
    assert synced["mainSize"] > 0
    (entitlement,) = counter.zl("verifier", "entitlements", "--json").json
    assert entitlement["id"] == "age-check"
    assert "Check of age" in counter.zl("verifier", "entitlements").out

    request = counter.ask("name", "ageOver18")
    answer = counter.answer(request)
    receipt = counter.wallet / "receipt.txt"
    verdict = counter.zl("verifier", "scan", answer, "--receipt", receipt, "--json")
    assert verdict.code == 0, verdict
    assert verdict.json["answer"] == "accepted"
    assert "欧阳雪莉" in verdict.out

    again = counter.zl("verifier", "scan", answer, "--json")
    assert again.code == 1
    assert again.json["decidedBy"]["code"] == "ZL-REQUEST-ANSWERED"
    assert "欧阳雪莉" not in again.out

    assert counter.zl("verifier", "sync", "--json").json["recordsSubmitted"] >= 1
    journal = counter.zl("verifier", "journal", "--json")
    assert journal.json["looks"][0]["answer"] == "rejected"
    assert journal.json["accessRecords"][0]["chainIndex"] is not None
    assert "欧阳雪莉" not in journal.out + counter.zl("verifier", "journal").out
    city.settle()
    assert counter.zl("wallet", "receipt", "import", receipt, "--json").code == 0
    assert counter.zl("wallet", "audit", "--json").json[0]["state"] == "recorded"


def test_text_and_standard_input_are_as_good_as_a_picture(counter_city: Any) -> None:
    text = counter_city.answer(counter_city.ask("ageOver18")).with_suffix(".txt")
    piped = counter_city.zl("verifier", "verify", "-", "--json", stdin=text.read_bytes())
    assert piped.json["answer"] == "accepted"
    assert counter_city.zl("verifier", "verify", text, "--json").code == 1  # a replay


def test_a_verdict_for_people_is_in_their_language(counter_city: Any) -> None:
    answer = counter_city.answer(counter_city.ask("name", "ageOver18"))
    told = counter_city.zl("--lang", "zh-CN", "verifier", "scan", answer)
    assert told.code == 0
    assert "欧阳雪莉" in told.out
    assert "姓名" in told.out


def test_with_networking_forbidden_it_accepts(counter_city: Any) -> None:
    answer = counter_city.answer(counter_city.ask("name", "ageOver18"))
    done = counter_city.city.process(
        *(counter_city.desk, "verifier", "scan", answer, "--json"), program=("-c", FORBIDDEN)
    )
    assert done.code == 0, done.err
    assert done.json["answer"] == "accepted"
    # The same wrapper does stop what needs the network.
    sync = counter_city.city.process(
        *(counter_city.desk, "verifier", "sync", "--json"), program=("-c", FORBIDDEN)
    )
    assert sync.code == 4, sync


def test_in_an_empty_network_namespace_it_accepts(counter_city: Any) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("unshare needs root")
    probe = subprocess.run([unshare, "-n", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("this machine makes no network namespaces")
    answer = counter_city.answer(counter_city.ask("name", "ageOver18"))
    done = subprocess.run(
        [unshare, "-n", sys.executable, "-m", "zhenglian", "verifier", "scan", answer, "--json"],
        cwd=ROOT,
        env=counter_city.city.environ(counter_city.desk),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answer"] == "accepted"


def test_a_desk_that_never_synchronised_decides_nothing(fresh: Path, counter_city: Any) -> None:
    (fresh / "verifier" / "trust.zltrust").unlink()
    answer = counter_city.answer(counter_city.ask("ageOver18"))
    told = counter_city.city.zl(fresh, "verifier", "scan", answer, "--json")
    assert (told.code, told.error) == (5, "ZL-DESK-UNSYNCED")


def test_a_damaged_bundle_decides_nothing_and_the_next_sync_repairs_it(
    fresh: Path, counter_city: Any
) -> None:
    city = counter_city.city
    answer = counter_city.answer(counter_city.ask("ageOver18"))
    bundle = fresh / "verifier" / "trust.zltrust"
    whole = bundle.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:200] + b"\0" + whole[201:]):
        bundle.write_bytes(damaged)
        told = city.zl(fresh, "verifier", "scan", answer, "--json")
        assert (told.code, told.error) == (4, "ZL-DESK-BUNDLE"), told
    assert city.zl(fresh, "verifier", "sync", "--json").code == 0
    # The copy's journal knows no request newer than itself; what counts is that it decides again.
    assert city.zl(fresh, "verifier", "scan", answer, "--json").json["answer"] == "rejected"


def test_a_bundle_from_a_file(fresh: Path, counter_city: Any, tmp_path: Path) -> None:
    city = counter_city.city
    bundle = tmp_path / "b.zltrust"
    bundle.write_bytes((fresh / "verifier" / "trust.zltrust").read_bytes())
    assert city.zl(fresh, "verifier", "sync", "--file", bundle, "--json").code == 0
    missing = city.zl(fresh, "verifier", "sync", "--file", tmp_path / "none", "--json")
    assert (missing.code, missing.error) == (4, "ZL-DESK-FILE")
    bundle.write_bytes(b"PK\x03\x04 nothing")
    corrupt = city.zl(fresh, "verifier", "sync", "--file", bundle, "--json")
    assert (corrupt.code, corrupt.error) == (3, "ZL-BUNDLE-CORRUPT")
    assert city.zl(fresh, "verifier", "entitlements", "--json").code == 0


def test_a_registry_that_is_away_changes_nothing(fresh: Path, counter_city: Any) -> None:
    settings = fresh / "verifier" / "desk.json"
    told = json.loads(settings.read_bytes())
    told["registry"] = ["http://127.0.0.1:9"]
    settings.write_text(json.dumps(told), encoding="utf-8")
    before = (fresh / "verifier" / "trust.zltrust").read_bytes()
    away = counter_city.city.zl(fresh, "verifier", "sync", "--json")
    assert (away.code, away.error) == (4, "ZL-REGISTRY-UNREACHABLE")
    assert (fresh / "verifier" / "trust.zltrust").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("request", "no-such"), 2, "ZL-ENTITLEMENT-UNKNOWN"),
        (("request", "age-check", "--claim", "citizenNumber"), 2, "ZL-REQUEST-EXCESS"),
        (("scan", "/nonexistent.png"), 4, "ZL-DESK-FILE"),
        (("verify", "/nonexistent.txt"), 4, "ZL-DESK-FILE"),
    ],
)
def test_misuse_is_named(counter_city: Any, words: tuple[str, ...], code: int, error: str) -> None:
    told = counter_city.zl("verifier", *words, "--json")
    assert (told.code, told.error) == (code, error)
    assert error in counter_city.zl("verifier", *words).err


def test_a_wrong_passphrase_is_no_verdict_and_slows_the_next(
    tmp_path: Path, city: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = city.zl(
        *(tmp_path, "verifier", "init", "--did", "did:web:new.example", "--json"),
        *("--registry", city.registry, "--name-zh", "新", "--name-en", "New"),
        *("--genesis", city.genesis),
    )
    assert made.code == 0
    (tmp_path / "wrong").write_text("guess\n", encoding="utf-8")
    slept: list[float] = []
    # Slow machines must not take the waits away: no time passes but what is slept.
    now = datetime.now(UTC)
    monkeypatch.setattr(
        "verifier.settings.BackOff", lambda path, *_: BackOff(path, lambda: now, slept.append)
    )
    count = tmp_path / "verifier" / FAILURES_FILE
    words = ("verifier", "journal", "--json")
    for _ in range(3):
        told = city.zl(tmp_path, *words, "--passphrase-file", tmp_path / "wrong")
        assert (told.code, told.error) == (2, "ZL-DESK-PASSPHRASE")
        assert "guess" not in told.out + told.err
    assert json.loads(count.read_bytes())["failures"] == 3
    assert slept == [1, 2]
    assert city.zl(tmp_path, *words).code == 0
    assert not count.exists()


def test_a_request_code_shown_to_the_desk_is_no_presentation(
    counter_city: Any, tmp_path: Path
) -> None:
    told = counter_city.zl("verifier", "scan", counter_city.ask("ageOver18"), "--json")
    assert told.code == 3, told
    picture = tmp_path / "web.png"
    picture.write_bytes(draw("https://example.com/", "png"))
    assert counter_city.zl("verifier", "scan", picture, "--json").code == 3


def test_a_receipt_that_cannot_be_written_uses_up_no_answer(
    counter_city: Any, tmp_path: Path
) -> None:
    answer = counter_city.answer(counter_city.ask("ageOver18"))
    for receipt in (tmp_path / "missing" / "receipt.txt", tmp_path):
        for words in (("scan", answer), ("verify", answer.with_suffix(".txt"))):
            told = counter_city.zl("verifier", *words, "--receipt", receipt, "--json")
            assert (told.code, told.error) == (4, "ZL-DESK-FILE"), told
    receipt = tmp_path / "receipt.txt"
    told = counter_city.zl("verifier", "scan", answer, "--receipt", receipt, "--json")
    assert told.json["answer"] == "accepted"
    assert receipt.read_text("utf-8").strip() == told.json["receipt"]
    assert list(tmp_path.iterdir()) == [receipt]


def test_a_request_that_cannot_be_written_is_named(counter_city: Any, tmp_path: Path) -> None:
    for option in ("--out-png", "--out-text"):
        words = ("request", "age-check", option, tmp_path / "missing" / "x", "--json")
        told = counter_city.zl("verifier", *words)
        assert (told.code, told.error) == (4, "ZL-DESK-FILE")


def test_bytes_that_are_no_text_are_malformed(counter_city: Any, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe{\x00")
    for words in (("verify", tmp_path / "bytes"), ("verify", "-")):
        told = counter_city.zl("verifier", *words, "--json", stdin=b"\xff\xfe{\x00")
        assert told.code == 3, told
        assert told.json["decidedBy"]["check"] == "form"
