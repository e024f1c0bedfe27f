"""The authority's home and its commands: made once, sealed, served by a real process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from credentials.errors import WrongPassphrase
from credentials.keyfile import COST_FLOOR
from credentials.keys import PrivateKey, PublicKey
from issuer.authority import home as authority_home
from issuer.authority.client import AuthorityClient
from issuer.authority.errors import (
    AuthorityAddressUnavailable,
    AuthorityExists,
    AuthorityKeysCorrupt,
    AuthorityMissing,
    AuthorityStoreFailed,
    IssuerKeyFileMalformed,
)
from issuer.authority.ledger import Ledger
from issuer.authority.server import AuthorityServer
from tests.waiting import PATIENCE_S

PASSPHRASE = "correct horse battery staple"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "authority"
    authority_home.create(folder, PASSPHRASE, residents=10_000, cost=COST_FLOOR)
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    folder = tmp_path / "authority"
    folder.mkdir(mode=0o700)
    for item in made.iterdir():
        (folder / item.name).touch(mode=0o600)
        (folder / item.name).write_bytes(item.read_bytes())
    return folder


def test_files_are_private_and_secrets_sealed(home: Path) -> None:
    for path in home.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name
    assert b"ENCRYPTED PRIVATE KEY" in (home / authority_home.CERTIFICATE_KEY_FILE).read_bytes()
    assert json.loads((home / authority_home.KEYS_FILE).read_bytes())["label"] == "authority"
    told = json.loads((home / authority_home.PUBLIC_FILE).read_bytes())
    assert told["synthetic"] is True


def test_an_authority_is_not_made_twice(home: Path) -> None:
    before = (home / authority_home.KEYS_FILE).read_bytes()
    with pytest.raises(AuthorityExists):
        authority_home.create(home, PASSPHRASE)
    assert (home / authority_home.KEYS_FILE).read_bytes() == before


def test_a_missing_home_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthorityMissing):
        authority_home.open_authority(tmp_path, PASSPHRASE)


def test_a_wrong_passphrase_is_named_and_slows_down(home: Path) -> None:
    waits: list[float] = []
    for _ in range(3):
        with pytest.raises(WrongPassphrase):
            authority_home.open_authority(home, "guess", clock=lambda: NOW, sleep=waits.append)
    assert waits == [1.0, 2.0]
    authority_home.open_authority(home, PASSPHRASE, clock=lambda: NOW, sleep=waits.append).close()
    assert len(waits) == 3


def test_keys_of_another_authority_are_refused(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    authority_home.create(other, PASSPHRASE, residents=10_000, cost=COST_FLOOR)
    (home / "keys.json").write_bytes((other / "keys.json").read_bytes())
    with pytest.raises(AuthorityKeysCorrupt):
        authority_home.open_authority(home, PASSPHRASE)


def test_damaged_public_facts_are_named(home: Path) -> None:
    (home / "authority.json").write_text("{}")
    with pytest.raises(AuthorityStoreFailed):
        authority_home.public_facts(home)


def test_a_ledger_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("no database " * 100)
    with pytest.raises(AuthorityStoreFailed):
        Ledger(tmp_path / "ledger.sqlite")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"did": "x", "publicKeyMultibase": "z6Mk"}',
        '{"did": "did:web:a.example", "publicKeyMultibase": "z6Mk"}',
        '{"did": "did:web:a.example", "publicKeyMultibase": 5}',
    ],
)
def test_a_bad_issuer_key_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "issuer.json"
    path.write_text(content)
    with pytest.raises(IssuerKeyFileMalformed):
        authority_home.read_issuer_key(path)
    with pytest.raises(IssuerKeyFileMalformed):
        authority_home.read_issuer_key(tmp_path / "absent.json")


def test_an_occupied_address_is_named(home: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        authority_home.open_authority(home, PASSPHRASE) as opened,
        pytest.raises(AuthorityAddressUnavailable),
    ):
        AuthorityServer(opened, port=taken.getsockname()[1])


def test_open_secrets_stay_out_of_representations(home: Path) -> None:
    with authority_home.open_authority(home, PASSPHRASE) as opened:
        assert opened.certificate_passphrase not in repr(opened)
        assert "PrivateKey" not in repr(replace(opened.authority))


# --- the commands, as processes -----------------------------------------------------------------

ISSUER = "did:web:data.hangzhou.example"
ISSUER_KEY = PrivateKey.from_seed("Ed25519", b"the issuer's test key")
# The commands are mounted under `zl issuer`; here they run alone, with nothing else imported.
COMMAND = (
    "import sys, typer\n"
    "from schemas.errors import ZhenglianError\n"
    "from schemas.texts import load_texts\n"
    "from issuer.authority.cli import build_app\n"
    "try:\n"
    "    build_app(load_texts('issuer', sys.argv.pop(1)))(standalone_mode=False)\n"
    "except ZhenglianError as error:\n"
    "    print(error.code, file=sys.stderr)\n"
    "    sys.exit(error.exit_code)\n"
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    return {
        **os.environ,
        "ZL_HOME": str(tmp_path),
        "ZL_PASSPHRASE_FILE": str(secret),
        "PYTHONIOENCODING": "utf-8",
    }


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "en", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )


def read(environment: dict[str, str], *arguments: str) -> Any:
    done = run(environment, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def serving(environment: dict[str, str], home: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    server = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "en", "serve", "--port", "0", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        yield json.loads(line)["listening"], server
    finally:
        if server.poll() is None:
            server.kill()
        server.communicate(timeout=PATIENCE_S)


def test_init_makes_an_authority_and_says_what_to_pin(
    environment: dict[str, str], tmp_path: Path
) -> None:
    key_file = tmp_path / "issuer.json"
    key_file.write_text(
        json.dumps({"did": ISSUER, "publicKeyMultibase": ISSUER_KEY.public_key.multikey()})
    )
    told = read(environment, "init", "--issuer-key", str(key_file), "--seed", "x")
    assert told["synthetic"] is True
    assert told["issuers"] == [ISSUER]
    assert told["residents"] >= 10_000
    assert Path(told["certificate"]).is_file()
    shown = read(environment, "show")
    assert shown["issuers"] == [
        {"did": ISSUER, "publicKeyMultibase": ISSUER_KEY.public_key.multikey()}
    ]
    assert {k: shown[k] for k in ("did", "key", "certificateSha256", "seed")} == {
        **{k: told[k] for k in ("did", "key", "certificateSha256")},
        "seed": "x",
    }
    again = run(environment, "init")
    assert again.returncode == 2
    assert "ZL-AUTHORITY-EXISTS" in again.stderr


def test_a_bad_issuer_key_leaves_no_authority(environment: dict[str, str], tmp_path: Path) -> None:
    done = run(environment, "init", "--issuer-key", str(tmp_path / "absent.json"))
    assert done.returncode == 3
    assert not (tmp_path / "authority").exists()


@pytest.mark.parametrize("command", [["show"], ["sample"], ["serve"]])
def test_commands_without_a_home_say_so(environment: dict[str, str], command: list[str]) -> None:
    done = run(environment, *command)
    assert done.returncode == 2
    assert "ZL-AUTHORITY-MISSING" in done.stderr


def test_a_wrong_passphrase_does_not_serve(
    environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("guess\n")
    done = run(environment, "serve", "--port", "0", "--passphrase-file", str(wrong))
    assert done.returncode == WrongPassphrase.exit_code
    assert done.stdout == ""
    assert "guess" not in done.stderr


def test_samples_are_people_the_register_confirms(environment: dict[str, str], home: Path) -> None:
    told = read(environment, "sample", "3")
    assert told["synthetic"] is True
    assert len(told["residents"]) == 3
    adults = read(environment, "sample", "20", "--adults")["residents"]
    limit = datetime.now(UTC).year - 18
    assert all(int(person["birthDate"][:4]) <= limit for person in adults)
    with authority_home.open_authority(home, PASSPHRASE) as opened:
        assert all(opened.authority.register.matches(p) for p in told["residents"] + adults)


def test_a_served_authority_answers_an_issuer_that_comes_later(
    environment: dict[str, str],
    serving: tuple[str, subprocess.Popen[str]],
    home: Path,
    tmp_path: Path,
) -> None:
    url, server = serving
    facts = authority_home.public_facts(home)
    person = read(environment, "sample", "1")["residents"][0]
    key_file = tmp_path / "issuer.json"
    key_file.write_text(
        json.dumps({"did": ISSUER, "publicKeyMultibase": ISSUER_KEY.public_key.multikey()})
    )
    assert read(environment, "authorise", "--issuer-key", str(key_file))["issuer"] == ISSUER
    with AuthorityClient(
        url,
        home / authority_home.CERTIFICATE_FILE,
        issuer=ISSUER,
        signer=ISSUER_KEY,
        key_url=f"{ISSUER}#status",
        authority=facts.did,
        authority_key=PublicKey.from_multikey(facts.key),
    ) as client:
        assert client.check(person).passed
        assert not client.check({**person, "name": "无此人"}).passed
    assert read(environment, "show")["questions"] == [
        {"issuer": ISSUER, "outcome": "fail", "count": 1},
        {"issuer": ISSUER, "outcome": "pass", "count": 1},
    ]
    server.send_signal(signal.SIGTERM)
    output, errors = server.communicate(timeout=PATIENCE_S)
    for secret in (*person.values(), "无此人"):
        if len(secret) > 4:
            assert secret not in output + errors


def test_an_interrupted_server_ends_itself(serving: tuple[str, subprocess.Popen[str]]) -> None:
    _, server = serving
    server.send_signal(signal.SIGINT)
    server.communicate(timeout=PATIENCE_S)
    assert server.returncode is not None
