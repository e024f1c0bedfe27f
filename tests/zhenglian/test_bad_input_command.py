"""Bad input by the command: the code of the cause, its exit code, soon, and never a traceback.

Every kind of `tests.credentials.bad_input` as a file, through the front door. Most in this process,
for an interpreter's start costs more than a refusal; one of each group in a process of its own,
whose memory is measured.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from credentials.errors import LimitExceeded
from credentials.keys import PrivateKey
from credentials.limits import MAX_JSON_BYTES
from schemas.errors import ExitCode, ZhenglianError
from tests.credentials.bad_input import (
    CASES,
    SELECTIVE,
    SUITES,
    Case,
    as_json,
    hazards,
    presented,
    sd_jwt_vc,
    secured_sd_jwt,
    signed,
    under_own_name,
    unsigned,
)
from zhenglian.cli import run

ROOT = Path(__file__).parents[2]
SECONDS = 2.0
"""Of the processor, for one command."""
PEAK_KIB = 256 << 10
"""A Python with the kernel's libraries takes some 80 MiB."""
NAME = "张三"
SHOW = ("--show", "/credentialSubject/name")
FILES = {name: case for name, case in CASES.items() if case.sent or case.file}


class Told:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def error(self) -> str:
        return str(json.loads(self.out)["error"]["code"])


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    home = tmp_path_factory.mktemp("home")
    (home / "passphrase").write_text("correct horse battery staple\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZL_")}
    return {
        **kept,
        "ZL_HOME": str(home),
        "ZL_LANG": "en",
        "ZL_PASSPHRASE_FILE": str(home / "passphrase"),
    }


@pytest.fixture(autouse=True)
def _environment(environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def zl(*words: object) -> Told:
    out, err = io.StringIO(), io.StringIO()
    begun = time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(word) for word in words], os.environ)
    assert time.process_time() - begun < SECONDS
    return Told(code, out.getvalue(), err.getvalue())


def files(folder: Path, case: Case) -> list[tuple[object, ...]]:
    """The ways to give the case to a command that reads credentials."""
    more: tuple[object, ...] = ()
    if case.status_list is not None:
        (folder / "list").write_bytes(case.status_list)
        more = ("--status-list", folder / "list")
    found: list[tuple[object, ...]] = []
    for number, data in enumerate((case.sent, case.file)):
        if data is not None:
            path = folder / f"credential-{number}"
            path.write_bytes(data)
            found.append((path, *more))
    return found


def exit_code(code: str) -> int:
    """What the class with this code says."""
    found = [ZhenglianError]
    for kind in found:
        if kind.code == code:
            return int(kind.exit_code)
        found += kind.__subclasses__()
    raise AssertionError(code)


def check(told: Told, *codes: str) -> None:
    assert told.error in codes, told.out[:500]
    assert told.code == exit_code(told.error) != ExitCode.ENVIRONMENT
    assert told.err == ""
    assert len(told.out) < 4096
    assert NAME not in told.out


def codes(name: str, path: object) -> set[str]:
    """The codes that are right for a file of this case."""
    large = Path(str(path)).stat().st_size > MAX_JSON_BYTES
    return {LimitExceeded.code if large else FILES[name].code}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_is_refused_by_name(name: str, tmp_path: Path) -> None:
    for words in files(tmp_path, FILES[name]):
        check(zl("vc", "verify", *words, "--json"), *codes(name, words[0]))


@pytest.mark.parametrize("name", [name for name, case in FILES.items() if case.sent])
def test_deriving_verifies_first(name: str, tmp_path: Path) -> None:
    case, path = FILES[name], tmp_path / "credential"
    path.write_bytes(case.sent or b"")
    told = zl("vc", "derive", path, *SHOW, "--json")
    # What is in an envelope is shown whole or not at all.
    enveloped = b"Enveloped" in (case.sent or b"")[:MAX_JSON_BYTES]
    check(told, *codes(name, path), *(["ZL-MODEL", "ZL-PROOF-MISSING"] if enveloped else []))


def test_the_gate_names_the_path(tmp_path: Path) -> None:
    """Of every recorded hazard; where the data model refuses first, it names the path, too."""
    found = hazards()
    by_gate = 0
    for name, hazard in found.items():
        path = tmp_path / "credential"
        path.write_bytes(hazard.sent)
        told = zl("vc", "verify", path, "--json")
        check(told, hazard.code, "ZL-MODEL", "ZL-JSON-NUMBER")
        message = json.loads(told.out)["error"]["message"]
        if told.error == hazard.code:
            by_gate += 1
            assert hazard.pointer is None or hazard.pointer in message, name
        else:
            assert told.error == "ZL-JSON-NUMBER" or " at /" in message, name
    assert by_gate > len(found) / 2


ISSUED = [
    *(name for name in FILES if name.startswith(("sizes: many", "shapes: ", "texts: "))),
    *(name for name in FILES if name.endswith((": nothing", ": not CBOR", "2020"))),
]


@pytest.fixture(scope="module")
def own(environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A file of keys and the issuer of its first one."""
    folder = tmp_path_factory.mktemp("keys")
    plain = unsigned("P-256")
    del plain["issuer"]
    (folder / "plain").write_bytes(as_json(plain))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        told = zl("vc", "issue", folder / "plain", "--keys", folder / "keys", "--json")
    assert told.code == 0, told.out
    return folder / "keys", json.loads(told.out)["issuer"]


@pytest.mark.parametrize("name", [name for name in ISSUED if FILES[name].sent])
def test_nothing_is_signed_that_is_refused(
    name: str, tmp_path: Path, own: tuple[Path, str]
) -> None:
    case, path = FILES[name], tmp_path / "credential"
    assert case.sent is not None
    keys, did = own
    path.write_bytes(case.sent if name.startswith("texts: ") else under_own_name(case.sent, did))
    told = zl("vc", "issue", path, "--keys", keys, "--out", tmp_path / "out", "--json")
    check(told, *(["ZL-MODEL"] if "disclosures" in name else [case.code]))
    assert not (tmp_path / "out").exists()


def test_what_the_files_start_from_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "credential"
    good = [as_json(signed(suite, kind)) for suite, kind in SUITES if suite not in SELECTIVE]
    good += [sd_jwt_vc().encode(), secured_sd_jwt(()).encode()]
    for data in good:
        path.write_bytes(data)
        told = zl("vc", "verify", path, "--json")
        assert (told.code, json.loads(told.out)["answer"]) == (0, "accepted"), told.out
    for suite in SELECTIVE:
        kind = dict(SUITES)[suite]
        path.write_bytes(as_json(signed(suite, kind)))
        told = zl("vc", "derive", path, *SHOW, "--out", tmp_path / "part", "--json")
        assert told.code == 0, told.out
        assert zl("vc", "verify", tmp_path / "part", "--json").code == 0
        assert zl("vc", "verify", path, "--json").error == "ZL-PROOF-MALFORMED"
        assert zl("vc", "verify", path, "--base", "--json").code == 0


def test_people_are_told_too(tmp_path: Path) -> None:
    """In both languages, on the error stream."""
    case = CASES["suites: ecdsa-rdfc-2020"]
    [words] = files(tmp_path, case)
    for language, sentence in (("en", "is not supported"), ("zh-CN", "不支持")):
        told = zl("--lang", language, "vc", "verify", *words)
        assert told.code == ExitCode.MALFORMED
        assert told.out == ""
        assert case.code in told.err
        assert sentence in told.err


# The desk: whatever stands in the place of the credential, it is never a defect


def test_every_kind_is_refused_at_the_counter(counter_city: Any, tmp_path: Path) -> None:
    path = tmp_path / "presentation"
    for name, case in FILES.items():
        if case.sent is None:
            continue
        path.write_bytes(presented(name))
        begun = time.process_time()
        told = counter_city.zl("verifier", "verify", path, "--json")
        assert time.process_time() - begun < SECONDS, name
        assert told.code in (ExitCode.REJECTED, ExitCode.MALFORMED), (name, told)
        decided = told.json.get("error") or told.json["decidedBy"]
        assert decided["code"].startswith("ZL-"), (name, told)
        assert "Traceback" not in told.err
        assert NAME not in told.out + told.err


# The commands that the suite of VC-JOSE-COSE runs


@pytest.mark.parametrize(
    ("name", "feature"),
    [
        ("sizes: large JWS", "credential_jose"),
        ("sizes: large SD-JWT", "credential_sdjwt"),
        ("proof_values: JWS", "credential_jose"),
        ("proof_values: JWS", "presentation_jose"),
    ],
)
def test_tokens_that_are_none(name: str, feature: str, tmp_path: Path) -> None:
    case = CASES[name]
    key = PrivateKey.from_seed("P-256", b"somebody's, not a real key").public_key
    (tmp_path / "token").write_bytes(case.file or b"")
    (tmp_path / "key").write_bytes(as_json({"publicKeyJwk": key.jwk()}))
    told = zl(
        *("vc-api", "jose-cose", "verify", "--input", tmp_path / "token", "--key"),
        *(tmp_path / "key", "--feature", feature, "--output", tmp_path / "out"),
    )
    if "error" in told.err.lower():
        assert "ZL-VCAPI-FILE" in told.err  # longer than any file of the suite
        assert told.code == ExitCode.MALFORMED
    else:
        assert json.loads(told.out)["code"] == case.code
        assert told.code == ExitCode.REJECTED


# In a process of its own


ALONE = [
    "sizes: large JSON",
    "sizes: many statements",
    "sizes: large COSE",
    "sizes: large status list",
    "bombs: status list",
    "bombs: token status list",
    "bombs: QR text",
    "shapes: endless JSON",
    "shapes: endless document",
    "shapes: many blank nodes",
    "texts: endless number",
    "proof_values: bbs-2023 Bls12381G2: too long in base64",
    "keys: P-256 in a proof",
    "keys: BBS proof",
    "suites: ecdsa-rdfc-2020",
]

# Reads its own account when it ends: what the parent is told of a child counts the fork, too.
MEASURED = """
import atexit, pathlib, sys, time
from zhenglian.cli import main

@atexit.register
def account():
    status = pathlib.Path("/proc/self/status").read_text("ascii").splitlines()
    peak = next(line.split()[1] for line in status if "VmHWM" in line)
    target.write_text(f"{peak} {time.process_time()}", "ascii")

target = pathlib.Path(sys.argv.pop(1))
main()
"""


@pytest.mark.parametrize("name", ALONE)
def test_alone_it_takes_little_time_and_memory(
    name: str, tmp_path: Path, environ: Mapping[str, str]
) -> None:
    words = [
        str(word) for word in (tmp_path / "peak", "vc", "verify", *files(tmp_path, CASES[name])[-1])
    ]
    told = subprocess.run(
        [sys.executable, "-c", MEASURED, *words, "--json"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    check(Told(told.returncode, told.stdout, told.stderr), CASES[name].code)
    peak, seconds = (tmp_path / "peak").read_text("ascii").split()
    assert int(peak) < PEAK_KIB
    assert float(seconds) < SECONDS
