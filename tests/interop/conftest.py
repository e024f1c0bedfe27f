"""Where the npm peers are, and asking one of them: one node process, JSON in, JSON out.

`npm install --prefix tests/interop --no-package-lock` puts the peers where they are looked for;
ZL_INTEROP_NODE names another folder with a `node_modules`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from credentials.contexts import bundled_contexts

HERE = Path(__file__).parent
# The longest a start of node with a few documents may take here.
PATIENCE_S = 60

Ask = Callable[..., list[Any]]


def _place(packages: list[str]) -> Path:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    place = Path(os.environ.get("ZL_INTEROP_NODE") or HERE)
    missing = [name for name in packages if not (place / "node_modules" / name).is_dir()]
    if missing:
        pytest.skip(
            f"{', '.join(missing)} not installed: npm install --prefix tests/interop does it"
        )
    return place


@pytest.fixture(scope="session")
def ask_peer() -> Ask:
    """`ask_peer(script, packages, steps, **more)`: the values that the script answers to `steps`.

    Skips with the reason when node or a package is absent; fails when a step fails there.
    """

    def ask(script: str, packages: list[str], steps: list[dict[str, Any]], **more: Any) -> Any:
        store = bundled_contexts()
        contexts = {url: store.document(url) for url in store} | more.pop("replaced", {})
        place = _place(packages)
        request = {"modules": str(place.resolve()), "contexts": contexts, "steps": steps, **more}
        done = subprocess.run(
            ["node", str(HERE / script)],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        answers = json.loads(done.stdout)
        assert [answer["error"] for answer in answers if "error" in answer] == []
        return [answer["value"] for answer in answers]

    return ask
