"""`zl issuer`: what operators type and scripts read; serving in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from credentials.jose import sign_compact
from credentials.keys import PrivateKey
from credentials.qr import read_image
from issuer.authority.home import open_authority
from issuer.authority.server import AuthorityServer
from issuer.keyring import Keyring
from registry.ledger.genesis import Genesis
from schemas.backoff import FAILURES_FILE
from tests.waiting import PATIENCE_S
from zhenglian.cli import run

ROOT = Path(__file__).parents[2]
Command = Callable[..., tuple[int, Any]]


@pytest.fixture
def zl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """Runs `zl` in this process: exit code and, with `--json`, what it told."""
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery\n")
    monkeypatch.setenv("ZL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZL_PASSPHRASE_FILE", str(secret))
    monkeypatch.setenv("ZL_LANG", "en")

    def command(*words: object) -> tuple[int, Any]:
        capfd.readouterr()
        code = run([str(word) for word in words], os.environ)
        out = capfd.readouterr().out
        return code, json.loads(out.splitlines()[-1]) if "--json" in words and out else out

    return command


@pytest.fixture
def init(zl: Command, tmp_path: Path, genesis: Genesis) -> Command:
    """Sets up authority and issuer; keyword arguments replace options of `issuer init`."""

    def make(**changed: str) -> tuple[int, Any]:
        home = tmp_path / "home"
        (tmp_path / "genesis.json").write_bytes(genesis.entry.raw)
        if not (home / "authority").exists():
            assert zl("issuer", "authority", "init", "--json")[0] == 0
        options = {
            "did": "did:web:data.hangzhou.example",
            "name-zh": "杭州市数据资源管理局",
            "name-en": "Hangzhou Data Resources Administration",
            "public-url": "http://127.0.0.1:8080",
            "registry": "http://127.0.0.1:9",
            "genesis": str(tmp_path / "genesis.json"),
            "authority-url": "https://127.0.0.1:9",
            "authority-facts": str(home / "authority" / "authority.json"),
            "authority-certificate": str(home / "authority" / "certificate.pem"),
        } | {name.replace("_", "-"): value for name, value in changed.items()}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return zl("issuer", "init", *words, "--json")

    return make


@pytest.fixture
def authority_url(zl: Command, tmp_path: Path) -> Iterator[str]:
    """A running authority in the home that `init` uses."""
    home = tmp_path / "home" / "authority"
    assert zl("issuer", "authority", "init", "--json")[0] == 0
    with open_authority(home, "correct horse battery") as opened:
        server = AuthorityServer(opened, port=0)
        listening: list[str] = []
        told = threading.Event()

        def announce(url: str) -> None:
            listening.append(url)
            told.set()

        thread = threading.Thread(target=server.run, args=(announce,))
        thread.start()
        assert told.wait(PATIENCE_S)
        yield listening[0]
        server.stop()
        thread.join(10)


@contextlib.contextmanager
def serving(*words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    with subprocess.Popen(
        [sys.executable, "-m", "zhenglian", "issuer", "serve", "--json", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield process, json.loads(line) if line else {}
        finally:
            if process.poll() is None:
                process.kill()


def test_init_writes_what_others_need_and_keeps_what_is_secret(
    init: Command, tmp_path: Path
) -> None:
    code, told = init()
    assert code == 0
    home = tmp_path / "home" / "issuer"
    assert told["home"] == str(home)
    accreditation = json.loads(Path(told["accreditation"]).read_text())
    assert accreditation["did"] == accreditation["document"]["id"]
    assert accreditation["types"] == ["ResidentIdentityCredential"]
    assert accreditation["chains"] == ["hangzhou.zhenglian.example/identity"]
    services = {s["type"]: s["serviceEndpoint"] for s in accreditation["document"]["service"]}
    assert services == {
        "OpenID4VCI": "http://127.0.0.1:8080",
        "BitstringStatusList": "http://127.0.0.1:8080/status",
    }
    client = json.loads(Path(told["authorityClient"]).read_text())
    assert set(client) == {"did", "publicKeyMultibase"}
    assert home.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in home.iterdir())
    keys = Keyring.open(home, "correct horse battery")
    assert client["publicKeyMultibase"] == keys.status.public_key.multikey()


def test_init_never_overwrites_and_refuses_what_it_cannot_use(
    init: Command, tmp_path: Path
) -> None:
    for changed, code in (
        ({"did": "did:key:z6Mk"}, 3),
        ({"did": "data.hangzhou.example"}, 3),
        ({"public_url": "http://issuer.example"}, 3),
        ({"public_url": "ftp://127.0.0.1"}, 3),
        ({"public_url": "https://user:secret@issuer.example"}, 3),
        ({"public_url": "https://issuer.example/" + "x" * 200}, 3),
        ({"registry": "http://registry.example"}, 3),
        ({"name_en": " "}, 3),
        ({"validity_days": "0"}, 3),
        ({"genesis": str(tmp_path / "nowhere")}, 3),
        ({"authority_facts": str(tmp_path / "genesis.json")}, 3),
    ):
        got, told = init(**changed)
        assert got == code, (changed, told)
        assert not (tmp_path / "home" / "issuer").exists()
    assert init()[0] == 0
    before = (tmp_path / "home" / "issuer" / "keys.json").read_bytes()
    code, told = init()
    assert (code, told["error"]["code"]) == (2, "ZL-ISSUER-EXISTS")
    assert (tmp_path / "home" / "issuer" / "keys.json").read_bytes() == before


def test_an_operator_enrols_lists_revokes_and_is_journalled(
    zl: Command, init: Command, tmp_path: Path, authority_url: str
) -> None:
    code, told = init(authority_url=authority_url)
    assert code == 0
    assert zl("issuer", "authority", "authorise", "--issuer-key", told["authorityClient"])[0] == 0
    _, people = zl("issuer", "authority", "sample", "2", "--json")
    residents = people["residents"] if isinstance(people, dict) else people
    person = {
        name: residents[0][name]
        for name in ("name", "citizenNumber", "sex", "birthDate", "ethnicity", "division")
    }
    form = tmp_path / "form.json"
    form.write_text(json.dumps(person))
    picture = tmp_path / "offer.png"
    words = ("--application", form, "--png", picture, "--operator", "Clerk Li", "--json")
    code, offer = zl("issuer", "issue", *words)
    assert code == 0
    assert offer["offer"].startswith("openid-credential-offer://")
    assert read_image(picture.read_bytes()) == [offer["offer"]]
    assert picture.stat().st_mode & 0o077 == 0
    form.write_text(json.dumps({**person, "name": residents[1]["name"] + "某"}))
    code, told = zl("issuer", "issue", "--application", form, "--json")
    assert (code, told["error"]["code"]) == (1, "ZL-APPLICATION-REFUSED")
    code, rows = zl("issuer", "list", "--applications", "--json")
    assert {row["state"] for row in rows} == {"offered", "refused"}
    assert person["name"] not in json.dumps(rows, ensure_ascii=False)
    code, again = zl("issuer", "offer", offer["application"], "--json")
    assert code == 0
    assert again["offer"] != offer["offer"]
    code, shown = zl("issuer", "show", offer["application"], "--json")
    assert (code, shown["content"]) == (0, person)
    assert zl("issuer", "list", "--json") == (0, [])
    for action, reason in (
        ("revoke", "fraud"),
        ("suspend", "key-lost"),
        ("reinstate", "key-found"),
    ):
        code, told = zl("issuer", action, "nobody", "--reason", reason, "--json")
        assert (code, told["error"]["code"]) == (2, "ZL-ISSUER-RECORD-UNKNOWN")
    code, told = zl("issuer", "revoke", "nobody", "--reason", "because", "--json")
    assert (code, told["error"]["code"]) == (2, "ZL-ISSUER-REASON")
    code, sent = zl("issuer", "publish", "--json")
    assert (code, sent["pending"], sent["trouble"]) == (0, 2, "ZL-REGISTRY-UNREACHABLE")
    assert zl("issuer", "anchor", "--json")[1]["pending"] == 2
    code, journal = zl("issuer", "journal", "--json")
    assert [entry["action"] for entry in journal] == ["enrol", "offer", "enrol", "offer", "show"]
    assert journal[0]["actor"] == "Clerk Li"
    for command in ("list", "journal", "retry"):
        assert zl("issuer", command)[0] == 0


def test_an_unreachable_authority_is_told_and_the_application_kept(
    zl: Command, init: Command, tmp_path: Path, citizen: dict[str, str]
) -> None:
    init()
    form = tmp_path / "form.json"
    form.write_text(json.dumps(citizen))
    code, told = zl("issuer", "issue", "--application", form, "--json")
    assert (code, told["error"]["code"]) == (4, "ZL-AUTHORITY-UNREACHABLE")
    _, rows = zl("issuer", "list", "--applications", "--json")
    assert [row["state"] for row in rows] == ["waiting"]
    code, chore = zl("issuer", "retry", "--json")
    assert (code, chore["waiting"]) == (0, 1)
    assert "ZL-AUTHORITY-UNREACHABLE" in chore["trouble"]


def test_without_a_file_the_operator_is_asked_for_each_field(
    zl: Command, init: Command, citizen: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    init()
    asked = []

    def answer(question: str) -> str:
        asked.append(question)
        return f" {citizen[question.partition('(')[2].rstrip(')')]} "

    monkeypatch.setattr("typer.prompt", answer)
    code, told = zl("issuer", "issue", "--json")
    assert (code, told["error"]["code"]) == (4, "ZL-AUTHORITY-UNREACHABLE")
    assert len(asked) == 6


def test_input_out_of_form_names_the_field(
    zl: Command, init: Command, tmp_path: Path, citizen: dict[str, str]
) -> None:
    init()
    form = tmp_path / "form.json"
    for content in ("", "[]", "{", "{}", json.dumps({**citizen, "sex": "female"}), "x" * 70_000):
        form.write_text(content)
        code, told = zl("issuer", "issue", "--application", form, "--json")
        assert (code, told["error"]["code"]) == (3, "ZL-APPLICATION-MALFORMED"), content[:20]
        assert citizen["citizenNumber"] not in json.dumps(told)


def test_without_an_issuer_or_with_a_wrong_passphrase(
    zl: Command, init: Command, tmp_path: Path
) -> None:
    for words in (("list",), ("journal",), ("publish",), ("serve",)):
        code, told = zl("issuer", *words, "--json")
        assert (code, told["error"]["code"]) == (2, "ZL-ISSUER-NOT-INITIALISED")
    init()
    wrong = tmp_path / "wrong"
    wrong.write_text("a donkey\n")
    code, told = zl("issuer", "publish", "--passphrase-file", wrong, "--json")
    assert code != 0
    assert "PASSPHRASE" in told["error"]["code"]
    assert (tmp_path / "home" / "issuer" / FAILURES_FILE).exists()


def test_serving_beyond_this_machine_needs_tls(zl: Command, init: Command) -> None:
    init()
    code, told = zl("issuer", "serve", "--host", "192.0.2.1", "--port", "0", "--json")
    assert (code, told["error"]["code"]) == (2, "ZL-ISSUER-INSECURE-ADDRESS")


def test_one_server_and_commands_beside_it(
    zl: Command, init: Command, citizen: dict[str, str]
) -> None:
    init()
    with serving("--port", "0") as (first, told):
        answer = httpx.get(told["listening"] + "/health", trust_env=False, timeout=PATIENCE_S)
        assert answer.status_code == 200
        with serving("--port", "0") as (second, nothing):
            assert second.wait(PATIENCE_S) == 4
            assert nothing["error"]["code"] == "ZL-ISSUER-STORE-LOCKED"
        # Commands work beside the server, and the server sees what they did.
        assert zl("issuer", "publish", "--json")[0] == 0
        assert (
            httpx.get(
                told["listening"] + "/status/1", trust_env=False, timeout=PATIENCE_S
            ).status_code
            == 200
        )
        key = PrivateKey.generate("P-256")
        application = sign_compact(
            {
                "aud": "http://127.0.0.1:8080",
                "iat": int(time.time()),
                "jti": "a" * 32,
                "application": citizen,
            },
            typ="zl-application+jwt",
            signer=key,
            extra_header={"jwk": key.public_key.jwk()},
        )
        answer = httpx.post(
            told["listening"] + "/applications",
            content=application,
            trust_env=False,
            timeout=PATIENCE_S,
        )
        assert answer.status_code == 202
        _, rows = zl("issuer", "list", "--applications", "--json")
        assert [row["state"] for row in rows] == ["waiting"]
        first.send_signal(signal.SIGTERM)
        out, err = first.communicate(timeout=PATIENCE_S)
        assert first.returncode == 0, err
    lines = [json.loads(line) for line in err.splitlines()]
    assert any(line["event"] == "request" for line in lines)
    assert citizen["name"] not in err
    assert citizen["citizenNumber"] not in err + out


def test_a_server_over_tls(zl: Command, init: Command, tmp_path: Path) -> None:
    init()
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl is not installed")
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    with serving("--port", "0", "--tls-certificate", certificate, "--tls-key", key) as (
        process,
        told,
    ):
        assert told["listening"].startswith("https://127.0.0.1:")

        trusted = ssl.create_default_context(cafile=certificate)
        answer = httpx.get(
            told["listening"] + "/health", verify=trusted, trust_env=False, timeout=PATIENCE_S
        )
        assert answer.status_code == 200
        process.terminate()
        assert process.wait(20) == 0
