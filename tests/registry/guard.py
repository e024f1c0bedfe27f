"""Ends every process that mentions a temporary folder, and the folder, once standard input ends.

Usage: guard.py FOLDER. Started beside servers that outlive the tests which started them: when a
test run is killed, its end of the pipe closes, and nothing stays behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path


def mentioning(folder: str) -> list[int]:
    """Processes with the folder in their command line, but this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if folder.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def main() -> None:
    folder = sys.argv[1]
    sys.stdin.read()
    for _ in range(20):
        pids = mentioning(folder)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not pids:
            break
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
