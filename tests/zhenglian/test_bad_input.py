"""Bad input through the front door: a named error, its exit code, and nothing lost afterwards.

The rooms test each cause in depth with the part that meets it; here it is what a person or a
script sees of `zl`, with real servers on loopback.
"""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from credentials.qr import draw
from schemas.backoff import FAILURES_FILE
from wallet.service import Wallet

ROOT = Path(__file__).parents[2]
HAZARDS = ROOT / "tests" / "credentials" / "vectors" / "hazards"
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


# Hostile JSON-LD


def hostile(name: str, member: Any, at: tuple[str, ...] = ("credentialSubject",)) -> Any:
    """A change to a credential: `member` under `name`, at a place."""

    def change(credential: dict[str, Any]) -> None:
        target = credential
        for step in at:
            target = target[step]
        target[name] = member

    return pytest.param(change, id=f"{'.'.join((*at, name))}-{str(member)[:24]}")


@pytest.mark.parametrize(
    "change",
    [
        hostile("undefinedTerm", "looks signed"),
        hostile("ageOver65", {"@value": True, "@language": "en"}),
        hostile("name", {"@value": "x", "@language": 'en .\n<urn:a> <urn:b> "c'}),
        hostile("name", None),
        hostile("name", ["one", "two"]),
        hostile("name", {"@id": "did:web:data.example"}),
        hostile("issuer", "did:web:data hangzhou.example", at=()),
        hostile("issuer", "did:web:data>hangzhou.example", at=()),
        hostile("issuer", "relative", at=()),
        hostile("issuer", {"id": "did:web:data.hangzhou.example", "x": 1}, at=()),
        hostile("id", "../etc", at=("credentialSubject",)),
        hostile("type", "RelativeType"),
        hostile("@graph", [{}], at=()),
        hostile("@included", [{}], at=()),
        hostile("@context", ["https://attacker.example/context"], at=()),
        hostile("@context", {"@vocab": "https://attacker.example/"}),
        hostile("validUntil", "9999-99-99", at=()),
        hostile("ageOver18", 1),
        hostile("ageOver18", 1e400),
        hostile("name", "\x00\x1b[2J\u202e"),
        hostile("name", "\ud800"),
    ],
)
def test_hostile_json_ld_is_refused_and_the_request_stays_open(
    counter_city: Any, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    request = counter_city.ask("name", "ageOver18")
    path = tmp_path / "answer.json"
    words = ("wallet", "answer", "--image", request, "--yes", "--json", "--out-document", path)
    assert counter_city.zl(*words).code == 0
    good = json.loads(path.read_bytes())
    bad = copy.deepcopy(good)
    change(bad["verifiableCredential"][0])
    path.write_text(json.dumps(bad), encoding="utf-8")

    told = counter_city.zl("verifier", "verify", path, "--json")
    assert told.code in (1, 3), told
    verdict = told.json
    if "error" not in verdict:
        assert verdict["answer"] == "rejected"
        assert verdict["decidedBy"]["code"].startswith("ZL-")
    assert NAME not in told.out + told.err

    path.write_text(json.dumps(good, ensure_ascii=False), encoding="utf-8")
    assert counter_city.zl("verifier", "verify", path, "--json").json["answer"] == "accepted"


def test_every_recorded_hazard_is_refused_at_the_counter(counter_city: Any, tmp_path: Path) -> None:
    """Each document of the kernel's collection, in the place of the credential."""
    request = counter_city.ask("ageOver18")
    path = tmp_path / "answer.json"
    words = ("wallet", "answer", "--image", request, "--yes", "--json", "--out-document", path)
    assert counter_city.zl(*words).code == 0
    good = path.read_text("utf-8")
    cases = sorted(HAZARDS.glob("*.json"))
    assert len(cases) > 50
    for case in cases:
        document = json.loads(case.read_bytes())["document"]
        bad = {**json.loads(good), "verifiableCredential": [document]}
        path.write_text(json.dumps(bad), encoding="utf-8")
        told = counter_city.zl("verifier", "verify", path, "--json")
        assert told.code in (1, 3), (case.name, told)
    path.write_text(good, encoding="utf-8")
    assert counter_city.zl("verifier", "verify", path, "--json").json["answer"] == "accepted"


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        '{"proof": 1, "proof": 2}',
        "{}",
        "[]",
        "null",
        '{"verifiableCredential": NaN}',
        "{" + '"a":1,' * 60_000 + '"b":1}',
        '{"n": ' + "9" * 5_000 + "}",
        '{"proof": {"domain": "\\ud800", "challenge": "\\ud800"}}',
        "VP1-R",
        "VP1-RZZZZZZ",
        "VPD-R" + "0" * 3_000,
        "openid4vp://?request=eyJ",
        "http://attacker.example/",
        "",
        "\x1b[2J" * 10,
        "x" * 300_000,
    ],
    ids=range(18),
)
def test_what_is_no_presentation_is_malformed(counter_city: Any, tmp_path: Path, text: str) -> None:
    path = tmp_path / "text"
    path.write_text(text, encoding="utf-8")
    told = counter_city.zl("verifier", "verify", path, "--json")
    assert told.code == 3, told
    assert "Traceback" not in told.err


def test_a_domain_that_is_no_unicode_is_no_defect(counter_city: Any, tmp_path: Path) -> None:
    request = counter_city.ask("ageOver18")
    path = tmp_path / "answer.json"
    words = ("wallet", "answer", "--image", request, "--yes", "--json", "--out-document", path)
    assert counter_city.zl(*words).code == 0
    for member in ("domain", "challenge", "proofValue", "verificationMethod", "created"):
        bad = json.loads(path.read_bytes())
        bad["proof"][member] = "\ud800"
        (tmp_path / "bad.json").write_text(json.dumps(bad), encoding="utf-8")
        told = counter_city.zl("verifier", "verify", tmp_path / "bad.json", "--json")
        assert told.code in (1, 3), (member, told)


def test_no_name_in_an_answer_steers_the_clerk_s_screen(counter_city: Any, tmp_path: Path) -> None:
    """A member's name stands in the error's pointer; it could draw a green ACCEPTED otherwise."""
    evil = "\x1b[2J\x1b]0;ACCEPTED\x07\u202e"
    path = tmp_path / "answer.json"
    words = ("wallet", "answer", "--image", counter_city.ask("name"), "--yes", "--json")
    assert counter_city.zl(*words, "--out-document", path).code == 0
    for place in ((), ("verifiableCredential", 0), ("verifiableCredential", 0, "proof")):
        bad = json.loads(path.read_bytes())
        target = bad
        for step in place:
            target = target[step]
        target[evil] = "x"
        (tmp_path / "bad.json").write_text(json.dumps(bad), encoding="utf-8")
        for language in ("en", "zh-CN"):
            told = counter_city.zl("--lang", language, "verifier", "verify", tmp_path / "bad.json")
            assert told.code == 1
            assert not {"\x1b", "\x07", "\u202e"} & set(told.out + told.err)


# Codes and pictures


def picture(path: Path, image: Image.Image) -> Path:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    path.write_bytes(stream.getvalue())
    return path


def bomb() -> bytes:
    """A PNG of 60,000 by 60,000 pixels in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def test_pictures_that_say_nothing_are_named(counter_city: Any, tmp_path: Path) -> None:
    """For the desk that scans, for the wallet that is asked, and for the wallet that is offered."""
    code = Image.open(io.BytesIO(draw("openid4vp://x", "png"))).convert("L")
    two = Image.new("L", (2 * code.width, code.height), 255)
    two.paste(code, (0, 0))
    two.paste(Image.open(io.BytesIO(draw("another", "png"))).convert("L"), (code.width, 0))
    answer = counter_city.answer(counter_city.ask("ageOver18"))
    whole = Image.open(answer).convert("L")
    files = {
        "blank.png": "ZL-PICTURE-NO-CODE",
        "cut.png": "ZL-PICTURE-NO-CODE",
        "two.png": "ZL-PICTURE-SEVERAL-CODES",
        "bomb.png": "ZL-PICTURE-TOO-LARGE",
        "half.png": "ZL-PICTURE-UNREADABLE",
    }
    picture(tmp_path / "blank.png", Image.new("L", (300, 300), 255))
    picture(tmp_path / "cut.png", whole.crop((0, 0, whole.width, whole.height // 2)))
    picture(tmp_path / "two.png", two)
    (tmp_path / "bomb.png").write_bytes(bomb())
    (tmp_path / "half.png").write_bytes(answer.read_bytes()[: answer.stat().st_size // 2])
    for name, error in files.items():
        for words in (
            ("verifier", "scan", tmp_path / name),
            ("wallet", "inspect", "--image", tmp_path / name),
            ("wallet", "accept", "--image", tmp_path / name),
        ):
            told = counter_city.zl(*words, "--json")
            assert (told.code, told.error) == (3, error), (name, words, told)
    assert counter_city.zl("verifier", "scan", answer, "--json").json["answer"] == "accepted"


def test_a_truncated_code_is_malformed_wherever_it_ends(counter_city: Any, tmp_path: Path) -> None:
    answer = counter_city.answer(counter_city.ask("ageOver18")).with_suffix(".txt")
    text = answer.read_text("utf-8").strip()
    cut = tmp_path / "cut.txt"
    for length in (3, 4, 5, 6, 7, 100, len(text) // 2, len(text) - 2, len(text) - 1):
        cut.write_text(text[:length], encoding="utf-8")
        told = counter_city.zl("verifier", "verify", cut, "--json")
        assert told.code == 3, (length, told)
    assert counter_city.zl("verifier", "verify", answer, "--json").json["answer"] == "accepted"

    words = ("verifier", "request", "age-check", "--json")
    link = str(counter_city.zl(*words).json["uri"])
    for length in (5, 12, 30, len(link) // 2, len(link) - 1):
        told = counter_city.zl("wallet", "inspect", link[:length], "--json")
        assert told.code in (1, 3), (length, told)
        assert told.error.startswith("ZL-")
    assert counter_city.zl("wallet", "inspect", link, "--json").code == 0


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


# Offers


def test_an_offer_is_good_once(city: Any, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for home in (first, second):
        city.wallet(home)
    applied = city.apply(first)
    offer = tmp_path / "offer.txt"
    offer.write_text(applied["offer"], encoding="utf-8")
    accept = ("wallet", "accept", "--file", offer, "--tx-code-file", applied["tx_code"], "--json")
    assert city.zl(first, *accept).code == 0
    for home, error in ((first, "ZL-OFFER-REUSED"), (second, "ZL-OFFER-INVALID")):
        told = city.zl(home, *accept)
        assert (told.code, told.error) == (1, error)
    assert len(city.zl(first, "wallet", "list", "--json").json["credentials"]) == 1
    assert not city.zl(second, "wallet", "list", "--json").json["credentials"]


def test_an_expired_offer_is_called_expired(city: Any, tmp_path: Path) -> None:
    city.wallet(tmp_path)
    applied = city.apply(tmp_path)
    accept = (
        *("wallet", "accept", applied["offer"]),
        *("--tx-code-file", applied["tx_code"], "--json"),
    )
    later = datetime.now(UTC) + timedelta(days=2)
    told = _accept_at(city, tmp_path, accept, later)
    assert (told.code, told.error) == (1, "ZL-OFFER-EXPIRED"), told
    assert city.zl(tmp_path, *accept).code == 0  # the clock was wrong, not the offer


def _accept_at(city: Any, home: Path, accept: tuple[object, ...], moment: datetime) -> Any:
    genuine = Wallet.open
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wallet, "open", staticmethod(partial(genuine, clock=lambda: moment)))
        return city.zl(home, *accept)


@pytest.mark.parametrize(
    ("offer", "error"),
    [
        ("openid-credential-offer://?credential_offer=%7B%7D", "ZL-OFFER-MALFORMED"),
        ("openid-credential-offer://?credential_offer=" + "x" * 70_000, "ZL-WALLET-INPUT"),
        (
            "openid-credential-offer://?credential_offer_uri=http%3A%2F%2F169.254.169.254%2F",
            "ZL-OFFER-BY-REFERENCE",
        ),
        ("https://attacker.example/offer", "ZL-OFFER-MALFORMED"),
        ("openid4vp://?request=x", "ZL-WALLET-KIND"),
    ],
    ids=["empty", "long", "reference", "web", "request"],
)
def test_offers_that_are_none_reach_nobody(counter_city: Any, offer: str, error: str) -> None:
    told = counter_city.zl("wallet", "accept", offer, "--json")
    assert told.code in (1, 3), told
    assert told.error == error


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
