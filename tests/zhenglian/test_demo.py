"""The demonstration, for real: every process, every step, every artefact it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from credentials.qr import decode_qr_text, read_one
from registry.trust import Genesis, TrustBundle
from wallet.service import Wallet

pytestmark = pytest.mark.timeout(450)

STEPS = [
    "network",
    "nodes",
    "authority",
    "issuer",
    "desks",
    "wallet",
    "false-data-refused",
    "application-confirmed",
    "issued",
    "anchored",
    "synchronised",
    "asked",
    "answered",
    "accepted",
    "replayed",
    "tampered",
    "for-another",
    "one-node-killed",
    "two-nodes-killed",
    "nodes-return",
    "revoked",
    "who-looked",
]


def zl(*words: str | Path, timeout: float = 60, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ZL_")}
    return subprocess.run(
        [sys.executable, "-m", "zhenglian", *map(str, words)],
        env={**kept, "ZL_LANG": "en", **environ},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, object]]]:
    folder = tmp_path_factory.mktemp("stage") / "demo"
    ended = zl("demo", "--out", folder, "--json", timeout=400)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    return folder, [json.loads(line) for line in ended.stdout.splitlines()]


def test_it_tells_every_step(stage: tuple[Path, list[dict[str, object]]]) -> None:
    _folder, lines = stage
    assert [line["step"] for line in lines] == STEPS
    told = {str(line["step"]): line for line in lines}
    assert told["false-data-refused"]["code"] == "ZL-APPLICATION-NOT-CONFIRMED"
    assert told["asked"]["shown"] == ["/credentialSubject/name", "/credentialSubject/ageOver18"]
    assert "/credentialSubject/citizenNumber" in list(told["asked"]["hidden"])  # type: ignore[call-overload]
    assert told["replayed"]["check"] == "nonce"
    assert told["tampered"]["check"] == "holder"
    assert told["for-another"]["check"] == "audience"
    assert told["revoked"]["code"] == "ZL-STATUS-REVOKED"


def test_it_leaves_its_artefacts(stage: tuple[Path, list[dict[str, object]]]) -> None:
    folder, _lines = stage
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    artefacts = summary["artefacts"]
    for entry in artefacts.values():
        for name in entry if isinstance(entry, list) else [entry]:
            assert (folder / name).exists(), name
    bundle = TrustBundle.load(
        (folder / artefacts["trustBundle"]).read_bytes(),
        Genesis.load(folder / artefacts["genesis"]),
    )
    assert bundle.issuer(summary["issuer"]) is not None
    assert zipfile.is_zipfile(folder / artefacts["trustBundle"])
    presented = decode_qr_text(read_one((folder / "presentation.png").read_bytes()))
    subject = presented["verifiableCredential"][0]["credentialSubject"]
    assert set(subject) == {"id", "type", "name", "ageOver18"}


def test_the_wallet_opens_on_it(stage: tuple[Path, list[dict[str, object]]]) -> None:
    folder, _lines = stage
    passphrase = (folder / "passphrase.txt").read_text(encoding="utf-8").strip()
    with Wallet.open(folder / "home" / "wallet", passphrase) as wallet:
        assert sorted(c.state.value for c in wallet.credentials()) == ["revoked", "valid"]


def test_the_chain_it_leaves_is_sound(stage: tuple[Path, list[dict[str, object]]]) -> None:
    folder, _lines = stage
    ended = zl("registry", "verify", "--json", ZL_HOME=str(folder / "home"))
    assert ended.returncode == 0, ended.stdout
    assert json.loads(ended.stdout)["sound"] is True


def test_no_personal_value_is_in_the_logs_or_on_the_chain(
    stage: tuple[Path, list[dict[str, object]]],
) -> None:
    folder, _lines = stage
    person = json.loads((folder / "application.json").read_text(encoding="utf-8"))
    secrets = [
        person["name"].encode(),
        person["citizenNumber"].encode(),
        (folder / "passphrase.txt").read_bytes().strip(),
    ]
    for part in ("logs", "home/registry", "home/nodes", "home/verifier", "home/wallet"):
        for path in (folder / part).rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert not any(secret in data for secret in secrets), path
    for path in (folder / "home/issuer").rglob("*"):
        if path.is_file():
            assert person["citizenNumber"].encode() not in path.read_bytes(), path


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine", encoding="utf-8")
    ended = zl("demo", "--out", tmp_path, "--json")
    assert ended.returncode == 2
    assert json.loads(ended.stdout)["error"]["code"] == "ZL-DEMO-FOLDER"
    assert (tmp_path / "precious.txt").read_text(encoding="utf-8") == "mine"
