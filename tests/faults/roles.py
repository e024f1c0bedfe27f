"""The sequencer and the nodes of one network as processes to be killed:
`python -m tests.faults.roles FOLDER`.

One process has the code loaded and forks one for each start. A line on stdin, a JSON object: `role`
(`registry`, or a node's name), `port`, `fault` or null, `urls` (of the registry, and of nodes by
name). It says, each line in one write: `start ROLE PID`, `listening ROLE`, `fault ROLE …` right
before the fault strikes, `end ROLE STATUS`. Each process does what `zl registry serve` and
`zl registry node serve` do, with keys of the simulator instead of those of a key file.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from registry.cli.shared import utc_now
from registry.ledger.genesis import GENESIS_FILE, Genesis
from registry.nodes.service import NodeService
from registry.sequencing.addresses import NodeLinks
from registry.sequencing.duty import Duty
from registry.simulation.simulator import SEQUENCER, founding_keys, node_signer
from registry.storage.places import Places
from registry.web.serving import serve
from tests.faults.points import Fault, Injector, die_with_parent

HOST = "127.0.0.1"


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def be_sequencer(folder: Path, genesis: Genesis, order: dict[str, Any]) -> None:
    home = folder / SEQUENCER
    duty = Duty(
        home,
        genesis,
        founding_keys().sequencer(genesis.network),
        Places.load(home, genesis.network),
        links=NodeLinks(home),
        now=utc_now,
        interval=0.05,
    )

    def listening(url: str) -> None:
        duty.start(url)
        say(f"listening {SEQUENCER}")

    with closing(duty):
        duty.prepare()
        serve(duty, order.get("host", HOST), order["port"], listening)


def be_node(folder: Path, genesis: Genesis, order: dict[str, Any]) -> None:
    name = order["role"]
    home = folder / "nodes" / name
    home.mkdir(parents=True, exist_ok=True)
    service = NodeService(
        name,
        genesis,
        node_signer(genesis.network, name),
        home,
        registries=[order["urls"][SEQUENCER]],
        nodes={
            other: url for other, url in order["urls"].items() if other not in {SEQUENCER, name}
        },
        lost=order.get("lost", False),
        now=utc_now,
    )
    with closing(service):
        service.start()
        serve(
            service.app(),
            order.get("host", HOST),
            order["port"],
            lambda _: say(f"listening {name}"),
        )


def live(folder: Path, order: dict[str, Any]) -> None:
    die_with_parent()
    role = order["role"]
    say(f"start {role} {os.getpid()}")
    errors = os.open(folder / f"{role}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(errors, 2)
    logging.basicConfig(level=logging.WARNING, force=True)
    injector = Injector(lambda text: say(text.replace("fault ", f"fault {role} ", 1)))
    injector.install()
    injector.arm(Fault(**order["fault"]) if order.get("fault") else None)
    genesis = Genesis.load(folder / SEQUENCER / GENESIS_FILE)
    (be_sequencer if role == SEQUENCER else be_node)(folder, genesis, order)


def main() -> None:
    folder = Path(sys.argv[1])
    running: dict[int, str] = {}
    buffer, open_ = b"", True
    while open_ or running:
        if select.select([0] if open_ else [], [], [], 0.01)[0]:
            data = os.read(0, 1 << 16)
            open_ = bool(data)
            if not open_:
                for pid in running:  # nobody is there to end them
                    os.kill(pid, signal.SIGKILL)
            buffer += data
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            order = json.loads(line)
            child = os.fork()
            if child == 0:
                try:
                    live(folder, order)
                except BaseException:
                    logging.getLogger(__name__).exception("the process ends")
                    os._exit(1)
                os._exit(0)
            running[child] = order["role"]
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            say(f"end {running.pop(pid)} {status}")


if __name__ == "__main__":
    main()
