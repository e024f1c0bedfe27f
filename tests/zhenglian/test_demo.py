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
from tests.waiting import until
from wallet.service import Wallet

pytestmark = pytest.mark.timeout(900)

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
    ended = zl("demo", "--out", folder, "--json", timeout=800)
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


def _servers_of(folder: Path) -> list[int]:
    """Processes that still have the folder of a demonstration as their home."""
    wanted = f"ZL_HOME={folder}/home".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:  # it ended, or is somebody else's
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
def test_its_servers_end_even_when_it_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = subprocess.Popen(
        [sys.executable, "-m", "zhenglian", "demo", "--out", folder, "--json"],
        env={k: v for k, v in os.environ.items() if not k.startswith("ZL_")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    assert any('"step": "nodes"' in line for line in demo.stdout)
    assert len(_servers_of(folder)) >= 5
    demo.kill()
    demo.wait()
    until(lambda: _servers_of(folder), lambda left: not left)
