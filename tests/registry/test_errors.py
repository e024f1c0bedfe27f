"""Errors of the log's own modules: reasons, too, are said in both languages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from registry.errors import ProofMalformed, StoreFull
from schemas.errors import ExitCode
from schemas.texts import CHINESE, ENGLISH, load_texts, localize

ROOT = Path(__file__).resolve().parents[2] / "registry"
MODULES = (
    *("merkle.py", "tiles.py", "note.py", "checkpoint.py", "policy.py", "proofs.py"),
    *("log.py", "view.py", "storage/sqlite.py", "storage/lock.py", "storage/tilefiles.py"),
    *("storage/objects.py", "storage/database.py", "storage/postgres.py", "storage/places.py"),
)


def reasons(source: str) -> set[str]:
    """Literal `reason=` arguments, and what the policy parser fails with."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        values = [k.value for k in node.keywords if k.arg == "reason"]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "fail":
            values += node.args
        found |= {v.value for v in values if isinstance(v, ast.Constant)}
    return {str(text) for text in found}


@pytest.mark.parametrize("module", MODULES)
def test_every_reason_has_a_chinese_translation(module: str) -> None:
    chinese = load_texts("registry", CHINESE)
    texts = reasons((ROOT / module).read_text())
    assert [text for text in sorted(texts) if chinese(text) == text] == []


def test_an_error_is_wholly_in_one_language() -> None:
    error = ProofMalformed(reason="the proof is too short")
    assert localize(error, ENGLISH)["message"] == str(error)
    assert localize(error, CHINESE)["message"] == "证明格式有误：证明过短。"


def test_a_full_disk_is_a_fault_of_the_environment() -> None:
    error = StoreFull(store="main")
    assert error.exit_code is ExitCode.ENVIRONMENT
    assert error.code == "ZL-STORE-FULL"
    assert "main" in localize(error, CHINESE)["message"]
