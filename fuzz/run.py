"""`python -m fuzz.run TARGET SECONDS`: one target in one process, which a finding ends.

The corpus is kept in `build/fuzz/TARGET/corpus` and grows from run to run; an input that went
wrong is left beside it, and given as a third argument it is tried alone.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Final

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["schemas", "credentials", "registry", "zhenglian"]):
    from fuzz.targets import TARGETS

SECONDS_PER_INPUT: Final = 5
"""A hundred times what any input may take, for the instrumented code and a busy machine."""
MEGABYTES: Final = 1024
LONGEST: Final = 32 * 1024
"""Bytes of an input; the limits beyond have tests of their own."""


def main(name: str, seconds: str, single: str | None = None) -> None:
    target = TARGETS[name]
    folder = Path("build/fuzz") / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / f"seed-{hashlib.sha256(seed).hexdigest()[:16]}").write_bytes(seed)

    def attempt(data: bytes) -> None:
        try:
            target.attempt(data)
        except Exception:
            # Here too: the library's own note of it is lost where its alarm comes first.
            (folder / f"finding-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            raise

    options = [
        f"-max_total_time={int(seconds)}",
        f"-timeout={SECONDS_PER_INPUT}",
        f"-rss_limit_mb={MEGABYTES}",
        f"-max_len={LONGEST}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, single or str(corpus)], attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
