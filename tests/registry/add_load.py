"""Load on a registry, as a process: submits anchors until its standard input ends.

Usage: add_load.py HOME THREADS BATCH URL…; HOME is a registry's folder with unsealed keys, whose
operator accredits the issuer first. Prints `ready`, then for every answer one line, in one write:
`ack <monotonic seconds> <repeated 0|1> <thread> <step> <first index> <count>`. What failed is
submitted again until it is answered, so an entry may be there before its acknowledgement is.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from credentials.dids import did_document, key_url
from credentials.keys import PrivateKey
from registry.client import RegistryClient
from registry.errors import RegistryError, RegistryUnreachable
from registry.keyring import load_keys
from registry.ledger.entries import Entry, anchor_entry, make_entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_time

ISSUER = "did:web:load.example"
KEY = PrivateKey.from_seed("P-256", b"zhenglian test load")
KEY_URL = f"{ISSUER}#key-1"


def entries_of(thread: int, step: int, count: int) -> list[Entry]:
    """The entries that `thread` submits in `step`."""
    return [
        anchor_entry(ISSUER, hashlib.sha256(f"load {thread} {step} {i}".encode()).digest())
        for i in range(count)
    ]


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def accredit(client: RegistryClient, home: Path) -> None:
    operator = load_keys(home, None)["operator"]
    now = datetime.now(UTC)
    entry = make_entry(
        "issuer",
        did=ISSUER,
        name={"zh-CN": "测试", "en": "Test"},
        document=did_document(ISSUER, {"key-1": KEY.public_key}),
        types=["ResidentIdentityCredential"],
        chains=[client.genesis.identity_origin],
        **{"from": encode_time(now - timedelta(days=1)), "to": None},
    )
    client.submit(client.genesis.origin, [entry], operator, key_url(operator.public_key))


def work(client: RegistryClient, thread: int, batch: int) -> None:
    step = 0
    while True:
        entries = entries_of(thread, step, batch)
        while True:
            try:
                receipt = client.submit(client.genesis.identity_origin, entries, KEY, KEY_URL)
                break
            except RegistryUnreachable:
                time.sleep(0.02)
            except RegistryError as error:
                say(f"refused {error.code} {error}")
                os._exit(1)
        first = receipt.indices[0]
        assert receipt.indices == tuple(range(first, first + batch))
        repeated = int(receipt.repeated)
        say(f"ack {time.monotonic():.3f} {repeated} {thread} {step} {first} {batch}")
        step += 1


def main() -> None:
    home, threads, batch, urls = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    genesis = Genesis.load(home / "genesis.json")
    with RegistryClient(urls, genesis) as client:
        accredit(client, home)
    say("ready")
    for thread in range(threads):
        # Each begins at another address: a stand-by answers with a refusal, and the next is asked.
        order = [*urls[thread % len(urls) :], *urls[: thread % len(urls)]]
        client = RegistryClient(order, genesis, timeout=3.0)
        threading.Thread(target=work, args=(client, thread, batch), daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
