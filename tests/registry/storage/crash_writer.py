"""A log writer to be killed: one process loads the code, and forks a writer for each life.

Usage: crash_writer.py FOLDER; each line on stdin starts a life. A life prints, each in one write:
`start <pid>`, `ack <first index> <count> <first entry>` after an acknowledgement, `sign <size>
<root>` before a checkpoint leaves it. After the life is over, its parent prints `end`.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from pathlib import Path

from registry.engine.log import Log
from registry.tlog.note import NoteSigner

ORIGIN = "crash.example/log"
SIGNER = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def add(log: Log, life: int, worker: int) -> None:
    step = 0
    while True:
        count = random.choice([1, 1, 3, 40, 256])
        first = f"{life}-{worker}-{step}-0"
        batch = [f"{life}-{worker}-{step}-{i}".encode() for i in range(count)]
        say(f"ack {log.add(batch).indices[0]} {count} {first}")
        step += 1


def live(folder: Path, life: int) -> None:
    say(f"start {os.getpid()}")
    log = Log.open(folder, signer=SIGNER)
    for worker in range(3):
        threading.Thread(target=add, args=(log, life, worker), daemon=True).start()
    while True:
        checkpoint = log.integrate()
        say(f"sign {checkpoint.size} {checkpoint.root.hex()}")
        log.publish(checkpoint.sign(SIGNER))


def main() -> None:
    folder = Path(sys.argv[1])
    for life, _ in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            live(folder, life)
        os.waitpid(child, 0)
        say("end")


if __name__ == "__main__":
    main()
