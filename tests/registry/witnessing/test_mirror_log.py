"""A node that mirrors a log of others, and a log that pushes itself to it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import httpx
from fastapi.testclient import TestClient

from registry.nodes.service import NodeService
from registry.simulation.simulator import Consortium, node_signer
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.merkle import LeafReader, consistency_proof, leaf_hash, root_of
from registry.tlog.note import ML_DSA_44, NoteSigner
from registry.witnessing.mirror_client import MirrorClient

LOG = NoteSigner.from_seed("stock.example/log", b"\x01" * 32)
MIRROR = NoteSigner.from_seed("city.example/mirrors/n", b"\x02" * 32, ML_DSA_44)


class Entries:
    def __init__(self, size: int) -> None:
        self.entries = [b"entry %d" % i for i in range(size)]
        self.leaves = [leaf_hash(entry) for entry in self.entries]

    def iterate(self, start: int, end: int):  # type: ignore[no-untyped-def]
        return iter(self.entries[start:end])

    def subtree(self, level: int, index: int) -> bytes:
        return LeafReader(self.leaves).subtree(level, index)

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        return consistency_proof(old, new, LeafReader(self.leaves))


def test_a_node_mirrors_a_stock_log(tmp_path: Path) -> None:
    log = Entries(700)
    digest = sha256(LOG.key.name.encode()).hexdigest()
    with Consortium(tmp_path / "chain") as chain:
        name = next(iter(chain.nodes))
        chain.stop_node(name)
        folder = tmp_path / "node"
        folder.mkdir()
        service = NodeService(
            name,
            chain.genesis,
            node_signer(chain.genesis.network, name),
            folder,
            registries=["http://registry.invalid"],
            nodes={},
            lost=False,
            copied=[LOG.key],
            mirror=[MIRROR],
            now=lambda: datetime(2026, 11, 22, 9, tzinfo=UTC),
        )
        with closing(service), TestClient(service.app()) as http:

            def handle(request: httpx.Request) -> httpx.Response:
                answer = http.request(
                    request.method,
                    request.url.path,
                    content=request.read(),
                    headers=dict(request.headers),
                )
                return httpx.Response(
                    answer.status_code, content=answer.content, headers=answer.headers
                )

            client = MirrorClient(
                "n", "http://n.invalid/mirror", [MIRROR.key], transport=httpx.MockTransport(handle)
            )
            for size in (300, 700):
                note = Checkpoint(LOG.key.name, size, root_of(log.leaves[:size])).sign(LOG)
                signed = open_checkpoint(note, LOG.key.name, [LOG.key])
                assert client.push(signed, log)
            base = f"/mirror/{digest}"
            copy = open_checkpoint(
                http.get(f"{base}/checkpoint").content, LOG.key.name, [LOG.key], [MIRROR.key]
            )
            assert (copy.size, set(copy.cosignatures)) == (700, {MIRROR.key})
            tile = http.get(f"{base}/tile/0/002.p/188").content
            assert tile == b"".join(log.leaves[512:])
            # It is no witness of that log, and its own chains are where they were.
            assert http.get(f"/{digest}/checkpoint").status_code == 404
            assert http.get("/status").status_code == 200
