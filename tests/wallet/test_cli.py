"""`zl wallet` as scripts and people use it: the whole journey, its outputs and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from credentials.keyfile import COST_FLOOR
from credentials.qr import draw, read_one
from tests.wallet.conftest import ISSUER, PASSPHRASE, REGISTRY, Town
from verifier.pipeline import Answer
from wallet.service import Wallet
from zhenglian.cli import run

OTHER = "staple lamp mountain"


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Zl = Callable[..., Outcome]


@pytest.fixture
def zl(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Zl:
    """`zl wallet …` in this process, on the town's wires and clock."""
    for name in ("create", "open"):
        genuine = getattr(Wallet, name)
        cost = {"cost": COST_FLOOR} if name == "create" else {}
        wired = partial(genuine, clock=town.clock, transport=town.wires, **cost)
        monkeypatch.setattr(Wallet, name, staticmethod(wired))
    home = tmp_path / "cli"
    (tmp_path / "secret").write_text(PASSPHRASE + "\n", encoding="utf-8")
    (tmp_path / "genesis.json").write_bytes(town.genesis.entry.raw + b"\n")
    monkeypatch.setenv("ZL_HOME", str(home))
    monkeypatch.setenv("ZL_PASSPHRASE_FILE", str(tmp_path / "secret"))

    def call(*arguments: str | Path, lang: str = "en") -> Outcome:
        capsys.readouterr()
        code = run(["--lang", lang, "wallet", *map(str, arguments)], os.environ)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def made(zl: Zl, tmp_path: Path) -> Zl:
    """The same, with a wallet."""
    assert zl("init", "--registry", REGISTRY, "--genesis", tmp_path / "genesis.json").code == 0
    return zl


@pytest.fixture
def held(made: Zl, town: Town, tmp_path: Path) -> str:
    """The identifier of a credential in the wallet."""
    (tmp_path / "me.json").write_text(json.dumps(town.citizen), encoding="utf-8")
    applied = made("apply", "--file", tmp_path / "me.json", "--json").json
    (tmp_path / "code").write_text(town.tx_code(), encoding="utf-8")
    accepted = made(
        "accept", "--application", applied["id"], "--tx-code-file", tmp_path / "code", "--json"
    )
    assert accepted.code == 0, accepted
    town.anchor()
    assert made("refresh", "--json").json["anchored"] == 1
    return str(accepted.json["id"])


def test_the_whole_journey_by_commands(made: Zl, held: str, town: Town, tmp_path: Path) -> None:
    listed = made("list", "--json").json
    assert [credential["id"] for credential in listed["credentials"]] == [held]
    assert listed["credentials"][0]["state"] == "valid"
    (tmp_path / "request.png").write_bytes(draw(town.request("name", "ageOver18"), "png"))
    seen = made("inspect", "--image", tmp_path / "request.png", "--json").json
    assert seen["verifierName"] == "Hangzhou Transport Bureau"
    assert [claim["label"] for claim in seen["shown"]] == ["Name", "Has turned 18"]
    assert len(seen["hidden"]) == 10
    answered = made(
        "answer",
        "--image",
        tmp_path / "request.png",
        "--out-png",
        tmp_path / "answer.png",
        "--out-text",
        tmp_path / "answer.txt",
        "--out-document",
        tmp_path / "answer.json",
        "--yes",
        "--json",
    )
    assert answered.code == 0
    text = read_one((tmp_path / "answer.png").read_bytes())
    assert text == (tmp_path / "answer.txt").read_text(encoding="utf-8").strip()
    assert (tmp_path / "answer.png").stat().st_mode & 0o777 == 0o600
    verdict = town.desk.verify(text)
    assert verdict.answer is Answer.ACCEPTED
    (tmp_path / "receipt.txt").write_text(verdict.receipt or "", encoding="utf-8")
    assert made("receipt", "import", tmp_path / "receipt.txt", "--json").json["state"] == "pending"
    with town.client() as client:
        town.desk.sync(client)
    town.step()
    audit = made("audit", "--json").json
    assert [entry["state"] for entry in audit] == ["recorded"]
    evidence = made("audit", "--evidence", str(audit[0]["historyId"])).json
    assert evidence["format"] == "zhenglian-access-evidence/1"
    history = made("history", "--export", tmp_path / "history.json", "--json")
    assert [entry["kind"] for entry in history.json] == [
        "receipt",
        "presentation",
        "issuance",
        "application",
    ]
    for value in ("王小明", town.citizen["citizenNumber"]):
        assert value not in history.out
        assert value not in (tmp_path / "history.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_people_can_read_it(lang: str, made: Zl, held: str, town: Town, tmp_path: Path) -> None:
    text = town.request("name", "ageOver18")
    (tmp_path / "request.txt").write_text(text, encoding="utf-8")
    chinese = lang == "zh-CN"
    outputs = {
        "list": made("list", lang=lang),
        "show": made("show", held[:6], lang=lang),
        "issuers": made("issuers", lang=lang),
        "inspect": made("inspect", "--file", tmp_path / "request.txt", lang=lang),
        "answer": made("answer", "--file", tmp_path / "request.txt", "--yes", lang=lang),
        "history": made("history", lang=lang),
        "audit": made("audit", lang=lang),
        "refresh": made("refresh", lang=lang),
        "applications": made("applications", lang=lang),
    }
    assert {name: outcome.code for name, outcome in outputs.items() if outcome.code} == {}
    expected = {
        "list": ("居民身份凭证", "Resident identity"),
        "show": ("姓名", "Name"),
        "issuers": ("杭州市数据资源管理局", "Hangzhou Data Resources"),
        "inspect": ("不会出示", "Will NOT be shown"),
        "answer": ("仅供杭州市交通运输局", "For Hangzhou Transport Bureau only"),
        "history": ("向部门出示", "Shown to a department"),
        "audit": ("没有回执", "no receipt"),
        "refresh": ("1 份凭证中有 1 份", "1 of 1 credentials"),
        "applications": ("已收到凭证", "credential received"),
    }
    for name, (zh, en) in expected.items():
        assert (zh if chinese else en) in outputs[name].out, name
    for name in ("list", "show", "inspect"):
        assert "王小明" not in outputs[name].out, name
    assert "▀" in outputs["answer"].out or "█" in outputs["answer"].out


def test_values_are_shown_on_request_only(made: Zl, held: str, town: Town) -> None:
    assert "王小明" not in made("show", held, "--json").out
    assert "王小明" in made("show", held, "--reveal").out
    text = town.request("name")
    assert "王小明" not in made("inspect", text, "--json").out
    assert "王小明" in made("inspect", text, "--reveal").out


def test_nothing_is_shown_without_consent(made: Zl, held: str, town: Town) -> None:
    refused = made("answer", town.request("name"), "--json")
    assert refused.code == 2
    assert refused.json["error"]["code"] == "ZL-CONSENT-NEEDED"
    assert len(made("history", "--json").json) == 2


def test_declining(made: Zl, held: str, town: Town) -> None:
    assert made("decline", town.request("name"), "--json").json["kind"] == "refusal"


def test_data_from_standard_input(
    made: Zl, town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from io import StringIO

    monkeypatch.setattr(sys, "stdin", StringIO(json.dumps(town.citizen)))
    offer = tmp_path / "offer.txt"
    applied = made("apply", "--issuer", ISSUER, "--out-offer", offer, "--json")
    assert applied.json["state"] == "offered"
    (tmp_path / "code").write_text(town.tx_code(), encoding="utf-8")
    accepted = made("accept", "--file", offer, "--tx-code-file", tmp_path / "code")
    assert accepted.code == 0
    assert "Resident identity credential" in accepted.out


def test_no_option_takes_a_secret_or_a_personal_value(zl: Zl) -> None:
    """They would stand in the list of processes."""
    for command in ("apply", "accept", "init", "passwd"):
        text = zl(command, "--help").out
        for name in ("--passphrase ", "--name", "--citizen", "--tx-code ", "--code"):
            assert name not in text, command


@pytest.mark.parametrize(
    ("arguments", "code", "name"),
    [
        (["show", "zzzz"], 2, "ZL-WALLET-NO-CREDENTIAL"),
        (["accept", "nonsense"], 3, "ZL-OFFER-MALFORMED"),
        (["accept"], 2, "ZL-WALLET-SOURCE"),
        (["inspect", "nonsense"], 3, "ZL-REQUEST-MALFORMED"),
        (["inspect", "--file", "/nowhere"], 3, "ZL-WALLET-INPUT"),
        (["receipt", "import", "/nowhere"], 3, "ZL-WALLET-INPUT"),
        (["audit", "--evidence", "1"], 2, "ZL-WALLET-NO-ENTRY"),
        (["history", "--delete", "7", "--yes"], 2, "ZL-WALLET-NO-ENTRY"),
        (["applications", "x"], 2, "ZL-WALLET-NO-APPLICATION"),
    ],
)
def test_errors_have_names_and_exit_codes(
    arguments: list[str], code: int, name: str, made: Zl
) -> None:
    outcome = made(*arguments, "--json")
    assert outcome.code == code
    assert outcome.json["error"]["code"] == name
    assert outcome.json["error"]["hint"]


def test_a_picture_without_a_code(made: Zl, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (200, 200), "white").save(tmp_path / "blank.png")
    outcome = made("inspect", "--image", tmp_path / "blank.png", "--json")
    assert (outcome.code, outcome.json["error"]["code"]) == (3, "ZL-PICTURE-NO-CODE")


def test_an_unreachable_registry(zl: Zl, town: Town, tmp_path: Path) -> None:
    town.wires.cut.add("registry.example")
    first = zl("init", "--registry", REGISTRY, "--genesis", tmp_path / "genesis.json", "--json")
    assert first.code == 0
    assert first.json["problem"]["code"] == "ZL-REGISTRY-UNREACHABLE"
    assert first.json["trustAsOf"] is None
    assert zl("refresh").code == 4
    assert zl("issuers").code == 5
    town.wires.cut.clear()
    assert zl("refresh").code == 0


def test_wrong_passphrase_and_back_off(made: Zl, town: Town, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text(OTHER, encoding="utf-8")
    wrong = made("list", "--passphrase-file", tmp_path / "wrong", "--json")
    assert (wrong.code, wrong.json["error"]["code"]) == (2, "ZL-VAULT-PASSPHRASE")
    early = made("list", "--json")
    assert (early.code, early.json["error"]["code"]) == (4, "ZL-VAULT-BACKOFF")
    town.clock.advance(seconds=2)
    assert made("list").code == 0


def test_no_wallet_yet(zl: Zl) -> None:
    outcome = zl("list", "--json")
    assert (outcome.code, outcome.json["error"]["code"]) == (2, "ZL-VAULT-NONE")


def test_a_second_process_gets_exit_code_4(made: Zl, tmp_path: Path) -> None:
    held = Wallet.open(tmp_path / "cli" / "wallet", PASSPHRASE)
    try:
        other = subprocess.run(
            [
                sys.executable,
                "-c",
                "from zhenglian.cli import main; main()",
                "wallet",
                "list",
                "--json",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=dict(os.environ),
        )
    finally:
        held.close()
    assert other.returncode == 4
    assert json.loads(other.stdout)["error"]["code"] == "ZL-VAULT-LOCKED"


def test_backup_restore_and_passphrase(
    made: Zl, held: str, town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").write_text(OTHER, encoding="utf-8")
    assert made("backup", tmp_path / "b").code == 0
    assert made("passwd", "--new-passphrase-file", tmp_path / "new").code == 0
    assert made("list").code == 2
    town.clock.advance(seconds=2)
    assert made("list", "--passphrase-file", tmp_path / "new").code == 0
    assert made("restore", tmp_path / "b", "--json").json["error"]["code"] == "ZL-VAULT-EXISTS"
    monkeypatch.setenv("ZL_HOME", str(tmp_path / "elsewhere"))
    assert made("restore", tmp_path / "b").code == 0
    assert made("list", "--json").json["credentials"][0]["id"] == held


def test_removing(made: Zl, held: str) -> None:
    assert made("remove", held).code == 2, "nobody there to ask"
    assert made("remove", held, "--yes").code == 0
    assert made("list", "--json").json["credentials"] == []
