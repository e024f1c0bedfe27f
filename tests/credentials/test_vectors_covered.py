"""That every published vector file is opened by a test: what nobody reads proves nothing.

The tests that read vectors are run once more in a process of their own, whose audit hook writes
down each file that it opens.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VECTORS = Path(os.environ.get("ZL_VECTORS", ROOT.parent / "shared" / "vectors")).resolve()
FOLDERS = ("w3c-vc-di-bbs", "w3c-vc-di-ecdsa", "w3c-vc-di-eddsa", "bbs-draft")

RECORDER = """
import atexit, json, os, sys

opened = set()

def note(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        opened.add(os.path.realpath(arguments[0]))

sys.addaudithook(note)

@atexit.register
def write():
    found = sorted(path for path in opened if path.startswith(os.environ["RECORDED_FOLDER"]))
    with open(os.environ["RECORDED_IN"], "w") as stream:
        json.dump(found, stream)
"""


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the published vectors are not here (ZL_VECTORS)")
def test_every_vector_file_is_read_by_a_test(tmp_path: Path) -> None:
    (tmp_path / "vector_recorder.py").write_text(RECORDER)
    readers = sorted(
        path
        for path in (ROOT / "tests" / "credentials").glob("test_*.py")
        if path != Path(__file__).resolve() and "ZL_VECTORS" in path.read_text(encoding="utf-8")
    )
    record = tmp_path / "opened.json"
    paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "RECORDED_FOLDER": str(VECTORS),
        "RECORDED_IN": str(record),
    }
    # Not a worker of the run that this test belongs to.
    environment = {
        name: value for name, value in environment.items() if not name.startswith("PYTEST_")
    }
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "vector_recorder", "-p", "no:cacheprovider"]
        + [str(path) for path in readers],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:]
    opened = set(json.loads(record.read_text()))
    files = [path for name in FOLDERS for path in (VECTORS / name).rglob("*") if path.is_file()]
    assert len(files) > 250
    assert [str(path) for path in sorted(files) if str(path.resolve()) not in opened] == []
