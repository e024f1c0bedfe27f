"""Writes to a network and watches it from a place of its own:
`python -m tests.faults.watcher FOLDER URLS`.

A word on stdin, an answer in JSON on stdout: `add` submits anchors, `look` asks everybody, `end`
compares what was acknowledged with what the sequencer has. It keeps every checkpoint that it ever
saw, and whatever contradicts another stands in `broken`.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from registry.cli.shared import utc_now
from registry.client import RegistryClient
from registry.errors import RegistryError
from registry.ledger.entries import anchor_entry
from registry.ledger.genesis import GENESIS_FILE, Genesis
from registry.ledger.submission import CONTENT_TYPE, seal
from registry.simulation.simulator import NODES, SEQUENCER, _party
from registry.tlog.checkpoint import open_checkpoint
from registry.witnessing.witness import origin_hash


class Watcher:
    def __init__(self, genesis: Genesis, urls: dict[str, str]) -> None:
        self.genesis, self.urls = genesis, urls
        self.issuer = _party("did:web:issuer.example", None)
        self.acknowledged: dict[int, bytes] = {}
        self.roots: dict[int, bytes] = {}
        self.broken: list[str] = []
        self.covered = 0
        self.client = RegistryClient(urls[SEQUENCER], genesis)
        self.http = httpx.Client(timeout=httpx.Timeout(5.0, connect=0.5), trust_env=False)

    def add(self) -> dict[str, Any]:
        """Submit once."""
        origin, issuer = self.genesis.identity_origin, self.issuer
        entries = [anchor_entry(issuer.did, os.urandom(32)) for _ in range(3)]
        submission = seal(
            origin,
            entries,
            submitter=issuer.did,
            key_url=issuer.key_url,
            signer=issuer.key,
            now=utc_now(),
        )
        answer = self.http.post(
            f"{self.urls[SEQUENCER]}/{origin}/add",
            content=submission.encode(),
            headers={"content-type": CONTENT_TYPE},
        )
        if answer.is_success:
            for index, entry in zip(answer.json()["indices"], entries, strict=True):
                if self.acknowledged.setdefault(index, entry.raw) != entry.raw:
                    self.broken.append(f"two entries at {index}")
        return {"acknowledged": len(self.acknowledged), "broken": self.broken}

    def look(self) -> dict[str, Any]:
        main = self.genesis.origin
        nodes: dict[str, int] = {}
        for name in NODES:
            size = self._see(f"{self.urls[name]}/{origin_hash(main)}/checkpoint")
            if size is not None:
                nodes[name] = size
        cosigned = self._see(f"{self.urls[SEQUENCER]}/{main}/checkpoint", policy=True) or 0
        with suppress(RegistryError):
            self.covered = self.client.cosigned(self.genesis.identity_origin).size
        return {
            "nodes": nodes,
            "cosigned": cosigned,
            "covered": sum(index < self.covered for index in self.acknowledged),
            "broken": self.broken,
        }

    def _see(self, url: str, *, policy: bool = False) -> int | None:
        try:
            answer = self.http.get(url)
        except httpx.HTTPError:
            return None
        if answer.status_code != 200:
            return 0
        keys = [key for node in self.genesis.nodes for key in node.keys]
        found = open_checkpoint(answer.content, self.genesis.origin, self.genesis.log_keys, keys)
        if policy:
            try:
                self.genesis.policy.check(answer.content, origin=self.genesis.origin)
            except RegistryError as error:
                self.broken.append(str(error))
        if self.roots.setdefault(found.size, found.root) != found.root:
            self.broken.append(f"two roots for the size {found.size}")
        return found.size

    def end(self) -> dict[str, Any]:
        """Everything acknowledged, read back under a cosigned checkpoint."""
        origin = self.genesis.identity_origin
        with RegistryClient(self.urls[SEQUENCER], self.genesis) as client:
            size = client.cosigned(origin).size
            rows = list(client.entries(origin, 0, size))
        raws = [getattr(row, "raw", row) for row in rows]
        lost = sum(
            index >= len(raws) or raws[index] != raw for index, raw in self.acknowledged.items()
        )
        return {"lost": lost, "acknowledged": len(self.acknowledged), "broken": self.broken}


def main() -> None:
    folder, urls = Path(sys.argv[1]), json.loads(sys.argv[2])
    watcher = Watcher(Genesis.load(folder / SEQUENCER / GENESIS_FILE), urls)
    for line in sys.stdin:
        told = getattr(watcher, line.strip())()
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
