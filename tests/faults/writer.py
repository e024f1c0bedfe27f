"""A log and those who write to it, to be killed: `python -m tests.faults.writer`.

One process has the code loaded and forks a writer for each life. A line on stdin, a JSON object,
starts a life: `place` (a folder, or the URL of a database), `life`, `fault` or null, and `goal`:
after so many acknowledgements, with the newest head published, the life ends by itself (0:
never). It says, each in one write: `start PID`; `ack INDEX COUNT FIRST-ENTRY` when acknowledged;
`sign SIZE ROOT` before a checkpoint leaves it; `fault …` right before it strikes; `done` at a
reached goal. Then its parent says `end STATUS`.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

from registry.engine.log import TILES, Log
from registry.errors import LeaseHeld, RegistryError, StoreFailed
from registry.storage import leafindex
from registry.storage.places import Opened
from registry.storage.tilefiles import TileFiles
from registry.tlog.note import NoteSigner
from tests.faults.points import AFTER, BEFORE, ERROR, Fault, Injector, die_with_parent

ORIGIN = "faults.example/log"
SIGNER = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
WRITERS = 3


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def open_log(place: str, folder: Path) -> Log:
    """A log in `folder`, or in a database with its tiles there."""
    if not place.startswith("postgresql:"):
        return Log.open(Path(place), signer=SIGNER)
    from registry.storage.database import Database
    from registry.storage.postgres import PostgresStore

    database = Database(place)
    while True:
        try:
            lease = database.take(ORIGIN)
            break
        except (LeaseHeld, StoreFailed):
            time.sleep(0.05)  # the dead one still has it, or the database is not back
    store = PostgresStore(database, ORIGIN, lease=lease)
    return Log.over(Opened(store, TileFiles(folder / TILES, shared=True), lease), signer=SIGNER)


def strike_databases(injector: Injector) -> None:
    """The same steps where the record is in PostgreSQL: a commit is the end of a transaction."""
    import psycopg

    from registry.storage.postgres import PostgresStore

    local = threading.local()
    names = {"append": "append: commit", "publish": "publish: commit"}
    for name, step in (*names.items(), ("set_integrated", "integrate: commit")):
        whole = getattr(PostgresStore, name)

        def within(self: Any, *rest: Any, _whole: Any = whole, _step: str = step) -> Any:
            local.step = _step
            try:
                return _whole(self, *rest)
            finally:
                local.step = None

        setattr(PostgresStore, name, within)
    execute = psycopg.Connection.execute

    def executed(self: Any, query: Any, *rest: Any, **options: Any) -> Any:
        step = getattr(local, "step", None) if query == "COMMIT" else None
        if step is None:
            return execute(self, query, *rest, **options)
        injector.reach(step, BEFORE, RuntimeError)
        done = execute(self, query, *rest, **options)
        injector.reach(step, AFTER, RuntimeError)
        return done

    psycopg.Connection.execute = executed  # type: ignore[method-assign]


def live(order: dict[str, Any], injector: Injector) -> None:
    """One life. Where the disk or the database may fail, what was refused is asked again, and a
    log that stopped is opened again, as `registry.sequencing.duty` does."""
    die_with_parent()
    say(f"start {os.getpid()}")
    fault = order["fault"]
    rng = random.Random(order["seed"])
    injector.arm(Fault(**fault) if fault else None)
    refuses = bool(fault) and fault["kind"] == ERROR
    patient = refuses or order["place"].startswith("postgresql:")
    goal, life = order["goal"], order["life"]
    while True:
        try:
            log = open_log(order["place"], Path(order["folder"]))
        except RegistryError:
            if not patient:
                raise
            time.sleep(0.05)
            continue
        if _write(log, life, goal, rng, patient=patient):
            log.close()
            say("done")
            return
        log.close()
        life = f"{life}+"


def _write(log: Log, life: str, goal: int, rng: random.Random, *, patient: bool) -> bool:
    """Write and publish; True when the goal is reached, False when the log has stopped."""
    acknowledged = [0] * WRITERS
    enough = threading.Event()

    def add(worker: int, chance: random.Random) -> None:
        step = 0
        while not enough.is_set():
            count = chance.choice([1, 1, 3, 40, 256])
            first = f"{life}-{worker}-{step}-0"
            batch = [f"{life}-{worker}-{step}-{i}".encode() for i in range(count)]
            while not enough.is_set():
                try:
                    index = log.add(batch).indices[0]
                except RegistryError as error:
                    if not patient:
                        say(f"trouble {type(error).__name__}: {error}")
                        return
                    time.sleep(0.02)
                    continue
                say(f"ack {index} {count} {first}")
                acknowledged[worker] += 1
                break
            step += 1

    workers = [
        threading.Thread(target=add, args=(worker, random.Random(rng.random())), daemon=True)
        for worker in range(WRITERS)
    ]
    for worker in workers:
        worker.start()
    while not (patient and log.stopped):
        last = bool(goal) and sum(acknowledged) >= goal
        if last:
            enough.set()
            for worker in workers:
                worker.join()
        try:
            checkpoint = log.integrate()
            say(f"sign {checkpoint.size} {checkpoint.root.hex()}")
            log.publish(checkpoint.sign(SIGNER))
        except RegistryError:
            if not patient:
                raise
            time.sleep(0.02)
            continue
        if last and checkpoint.size == log.size:
            return True
    enough.set()
    for worker in workers:
        worker.join()
    return False


def main() -> None:
    injector = Injector(say)
    injector.install()
    # Small logs shall do what large ones do: write runs of leaves, and merge them.
    leafindex._RUN_LEAVES, leafindex._FAN = 300, 4
    if len(sys.argv) > 1:
        from registry.storage import database

        # A dead writer's lease runs out soon, for hundreds of them are to die.
        database.LEASE_S, database._RENEW_S = 0.8, 0.1  # type: ignore[misc]
        strike_databases(injector)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                live(json.loads(line), injector)
            except BaseException as error:  # noqa: BLE001 - whoever reads this fails over it
                say(f"trouble {type(error).__name__}: {error}")
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say(f"end {status}")


if __name__ == "__main__":
    main()
