"""Digital Bazaar's JavaScript packages, warm in one node process, beside our own code.

`npm install --prefix tests/interop --no-package-lock` puts the packages, in the exact versions of
its `package.json`, where they are looked for; ZL_INTEROP_NODE names another folder with a
`node_modules`. The peer gets the same credential, the same key, and every context in memory.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from benchmarks import Unmeasurable
from benchmarks.sample import CREATED
from benchmarks.timing import RUN_S, RUNS, seconds_per_call
from credentials.contexts import bundled_contexts
from credentials.keys import PrivateKey
from credentials.timestamps import format_timestamp

_SCRIPT: Final = Path(__file__).with_name("digital_bazaar.mjs")
_MODULES: Final = Path("tests/interop")
_PACKAGES: Final = (
    "jsonld-signatures",
    "@digitalbazaar/data-integrity",
    "@digitalbazaar/ed25519-multikey",
    "@digitalbazaar/eddsa-rdfc-2022-cryptosuite",
    "@digitalbazaar/bbs-2023-cryptosuite",
)
WARM_S: Final = 2.0
"""How long the peer works before it is timed: its compiler needs that, ours has none."""
_PATIENCE_S: Final = 180.0


class DigitalBazaar:
    """The peer's process: `with DigitalBazaar(document, key) as peer`. Raises Unmeasurable."""

    def __init__(self, document: Mapping[str, Any], key: PrivateKey | None = None) -> None:
        """`document` and `key` (an Ed25519 key) are what it issues with."""
        node = shutil.which("node")
        if node is None:
            raise Unmeasurable("node is not installed")
        place = Path(os.environ.get("ZL_INTEROP_NODE") or _MODULES).resolve()
        missing = [name for name in _PACKAGES if not (place / "node_modules" / name).is_dir()]
        if missing:
            raise Unmeasurable(f"{', '.join(missing)} not installed (npm, tests/interop)")
        self._process = subprocess.Popen(
            [node, str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        # An answer that never comes must not hang the measurement.
        self._watchdog = threading.Timer(_PATIENCE_S, self._process.kill)
        self._watchdog.daemon = True
        self._watchdog.start()
        store = bundled_contexts()
        self._send(
            {
                "modules": str(place),
                "contexts": {url: store.document(url) for url in store},
                "document": document,
                "key": {"secret": key.to_bytes().hex()} if key is not None else None,
                "created": format_timestamp(CREATED),
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self._process.kill()
        self._process.communicate()

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def ask(self, **step: Any) -> Any:
        """What the peer answers to one step; RuntimeError if it fails there."""
        self._send(step)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            raise RuntimeError(f"Digital Bazaar: {answer['error']}")
        return answer["value"]

    def times_slower(self, ours: Callable[[], object], **step: Any) -> list[float]:
        """The peer's time for `step` over that of `ours`, run by run, the two in turn."""
        self.ask(**step, seconds=WARM_S)
        seconds_per_call(ours, 0.02)
        return [self.ask(**step, seconds=RUN_S) / seconds_per_call(ours) for _ in range(RUNS)]
