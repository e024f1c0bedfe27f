"""`zl schemas`: lists, exact bytes, and checks that never repeat what they read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from schemas.cli import MAX_INPUT, build_app
from schemas.digests import digest_multibase
from schemas.errors import MalformedInput
from schemas.texts import load_texts
from schemas.violations import SchemaViolation, UnknownScenario

VALID = "11010519491231002X"
WRONG = "110105194912310021"


def run(arguments: Sequence[str], text: str = "", language: str = "en") -> Any:
    return CliRunner().invoke(build_app(load_texts("schemas", language)), arguments, input=text)


def test_kinds_are_listed_with_their_digests() -> None:
    [kind] = json.loads(run(["list", "--json"]).stdout)
    folder = files("schemas") / "resident_identity"
    assert kind["id"] == "resident-identity"
    assert kind["schemaDigest"] == digest_multibase((folder / "schema.json").read_bytes())
    assert kind["contextDigest"] == digest_multibase((folder / "context.jsonld").read_bytes())
    assert "居民身份凭证" in run(["list"], language="zh-CN").stdout


@pytest.mark.parametrize(
    ("option", "name"), [("--schema", "schema.json"), ("--context", "context.jsonld")]
)
def test_files_are_printed_byte_by_byte(option: str, name: str) -> None:
    shown = run(["show", "resident-identity", option]).stdout_bytes
    kept = (files("schemas") / "resident_identity" / name).read_bytes()
    assert hashlib.sha256(shown).digest() == hashlib.sha256(kept).digest()


def test_claims_are_shown_in_both_languages() -> None:
    assert "Citizen number" in run(["show", "resident-identity"]).stdout
    assert "公民身份号码" in run(["show", "resident-identity"], language="zh-CN").stdout
    assert isinstance(run(["show", "passport"]).exception, UnknownScenario)


def test_numbers_are_read_from_input_and_never_repeated() -> None:
    done = run(["numbers", "citizen"], f"{VALID}\n\n{WRONG}\n")
    assert done.exit_code == 3
    assert "Line 2" in done.stdout
    assert WRONG not in done.output
    assert VALID not in done.output
    told = run(["numbers", "citizen", "--json"], f"{VALID}\n{WRONG}\n")
    assert [w["code"] for w in json.loads(told.stdout)["wrong"]] == ["ZL-ID-CITIZEN-CHECK"]
    assert run(["numbers", "citizen"], VALID).exit_code == 0
    assert run(["numbers", "company"], "91330100799655058B").exit_code == 0
    assert run(["numbers", "passport"], "").exit_code == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", '{"type": "x"}', "[" * 100_000, '{"a": "' + "x" * MAX_INPUT]
)
def test_what_is_no_credential_is_malformed(text: str, tmp_path: Path) -> None:
    path = tmp_path / "credential.json"
    path.write_text(text)
    for done in (run(["check", str(path)]), run(["check", "-"], text)):
        assert type(done.exception) is MalformedInput
        assert done.exception.__cause__ is None


def test_a_broken_credential_is_named_by_place(tmp_path: Path) -> None:
    path = tmp_path / "credential.json"
    path.write_text('{"type": ["VerifiableCredential", "ResidentIdentityCredential"]}')
    assert isinstance(run(["check", str(path)]).exception, SchemaViolation)
    path.write_text('{"type": ["Passport", 5]}')
    assert isinstance(run(["check", str(path)]).exception, UnknownScenario)
    assert isinstance(run(["check", str(tmp_path / "absent")]).exception, MalformedInput)
