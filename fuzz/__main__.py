"""`python -m fuzz [SECONDS [TARGET …]]`: each target for that long; fails on a finding."""

from __future__ import annotations

import subprocess
import sys

from fuzz.targets import TARGETS


def main(arguments: list[str]) -> int:
    seconds = int(arguments[0]) if arguments else 60
    names = arguments[1:] or list(TARGETS)
    failed = []
    for name in names:
        print(f"== {name}, {seconds} s", flush=True)
        command = [sys.executable, "-m", "fuzz.run", name, str(seconds)]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    print(f"found something: {', '.join(failed)}" if failed else "nothing found")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
