"""Bad input through the front door: a named error, its exit code, and nothing lost afterwards.

The rooms test each cause in depth with the part that meets it; here it is what a person or a
script sees of `zl`, with real servers on loopback.
"""

from __future__ import annotations

import copy
import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from credentials.qr import draw

ROOT = Path(__file__).parents[2]
HAZARDS = ROOT / "tests" / "credentials" / "vectors" / "hazards"
NAME = "欧阳雪莉"


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
