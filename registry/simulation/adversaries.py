"""Dishonest parties for the simulator: what a node, a client or a fault suite must withstand.

For tests only. They have every key of the party they play and none of its scruples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from credentials.dids import key_url
from registry.contracts.governance import lists_digest
from registry.ledger.entries import Entry, make_entry, parse_entry
from registry.ledger.members import encode_digest
from registry.ledger.submission import seal
from registry.simulation.simulator import SEQUENCER, Consortium, Party, Wire, node_url
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.lines import encode_hash
from registry.tlog.merkle import LeafReader, consistency_proof, leaf_hash, root_of
from registry.tlog.note import Note, NoteSigner, VerifierKey
from registry.tlog.tiles import HEIGHT, Tile, encode_bundle
from registry.witnessing.witness import CheckpointRequest, origin_hash


class DishonestSequencer:
    """A sequencer with opinions of its own about what stands on the chains.

    It starts from what the honest one has. Change `rows` at will, `serve` them in its place, and
    `ask` nodes to cosign them.
    """

    def __init__(self, chain: Consortium) -> None:
        self.chain: Final = chain
        self.genesis: Final = chain.genesis
        self.main: Final = chain.genesis.origin
        self.rows: dict[str, list[bytes]] = {
            origin: list(view.iterate(0, view.size))
            for origin, view in chain.sequencer.reader.views.items()
        }
        self.published: dict[str, bytes] = {}
        self._http = httpx.Client(transport=Wire(chain.transport, SEQUENCER))

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    # What it records

    def signer(self, origin: str) -> NoteSigner:
        """The log key of a chain."""
        return self.chain.keys.sequencer(self.genesis.network).signer(origin)

    def seal(self, entries: Sequence[Entry], **changes: Any) -> list[bytes]:
        """The leaves of a submission to the main chain by the operator."""
        operator = self.chain.keys.operator
        values: dict[str, Any] = {
            "origin": self.main,
            "submitter": self.genesis.operator,
            "key_url": key_url(operator.public_key),
            "signer": operator,
            "now": self.chain.now,
            **changes,
        }
        return [leaf.raw for leaf in seal(values.pop("origin"), entries, **values).leaves]

    def seal_as(self, party: Party, origin: str, entries: Sequence[Entry]) -> list[bytes]:
        """The leaves of a submission by an issuer or verifier."""
        return self.seal(
            entries,
            origin=origin,
            submitter=party.did,
            key_url=party.key_url,
            signer=party.key,
        )

    def record(self, origin: str, leaves: Sequence[bytes], **changes: Any) -> None:
        """Append to a side chain, and its checkpoint to the main chain; `changes` of that."""
        rows = self.rows[origin]
        start = len(rows)
        rows += leaves
        heads, lists = {}, {}
        for index, raw in enumerate(self.rows[self.main]):
            if b'"kind":"checkpoint"' in raw:
                heads[parse_entry(raw)["origin"]] = index
        for index, raw in enumerate(rows):
            if b'"kind":"status"' in raw:
                entry = parse_entry(raw)
                lists[entry["list"]] = (index, entry)
        members = {
            "origin": origin,
            "size": len(rows),
            "root": encode_digest(root_of([leaf_hash(raw) for raw in rows])),
            "start": start,
            "end": len(rows),
            "subtree": encode_digest(root_of([leaf_hash(raw) for raw in rows[start:]])),
            "rules": self.chain.sequencer.chains.governance.head,
            "heads": heads,
            "lists": lists_digest(lists),
            **changes,
        }
        self.rows[self.main] += self.seal([make_entry("checkpoint", **members)])

    def rewrite(self, origin: str, index: int, raw: bytes) -> None:
        """Put another entry in the place of one that was published."""
        self.rows[origin][index] = raw

    # What it shows

    def note(self, origin: str | None = None, size: int | None = None) -> bytes:
        """Its signed checkpoint of a chain."""
        origin = origin or self.main
        leaves = [leaf_hash(raw) for raw in self.rows[origin][:size]]
        return Checkpoint(origin, len(leaves), root_of(leaves)).sign(self.signer(origin))

    def request(self, old: int, size: int | None = None, note: bytes | None = None) -> bytes:
        """`add-checkpoint` for its main chain, with its own checkpoint or with `note`."""
        leaves = [leaf_hash(raw) for raw in self.rows[self.main][:size]]
        proof = consistency_proof(old, len(leaves), LeafReader(leaves)) if old else []
        lines = [f"old {old}", *map(encode_hash, proof), "", ""]
        return "\n".join(lines).encode() + (note or self.note(size=size))

    def ask(self, name: str, size: int | None = None) -> httpx.Response:
        """Ask a node to cosign its main chain, from where the node stands."""
        answer = self._post(name, self.request(0, size))
        if answer.status_code == 409:
            old = int(answer.content)
            whole = len(self.rows[self.main][:size])
            answer = self._post(name, self.request(min(old, whole), size))
        return answer

    def _post(self, name: str, body: bytes) -> httpx.Response:
        return self._http.post(f"{node_url(name)}/add-checkpoint", content=body)

    def collect(self, *names: str) -> tuple[list[str], list[str]]:
        """Ask nodes; who cosigned and who did not. With a quorum, it publishes."""
        note = Note.parse(self.note())
        signed: list[str] = []
        for name in names:
            answer = self.ask(name)
            if answer.status_code == 200:
                signed.append(name)
                line = Note.parse(note.text.encode() + b"\n" + answer.content)
                note = note.with_signatures(line.signatures)
        if len(signed) >= self.genesis.quorum:
            self.published[self.main] = note.encode()
        return signed, [name for name in names if name not in signed]

    def serve(self) -> None:
        """Stand in the place of the honest sequencer, towards nodes and clients."""
        app = FastAPI()

        @app.get("/status")
        def status() -> Response:
            return JSONResponse({"nodes": []})

        @app.get("/{origin:path}/checkpoint")
        def checkpoint(origin: str) -> Response:
            if origin == self.main:
                data = self.published.get(origin)
            else:
                data = self.note(origin) if origin in self.rows else None
            return Response(data or b"", 200 if data else 404)

        @app.get("/{origin:path}/tile/{rest:path}")
        def tile(origin: str, rest: str) -> Response:
            wanted = Tile.parse(f"tile/{rest}")
            rows = self.rows[origin]
            if wanted.level == Tile.ENTRIES:
                return Response(encode_bundle(rows[wanted.start : wanted.start + wanted.width]))
            reader = LeafReader([leaf_hash(raw) for raw in rows])
            level = HEIGHT * wanted.level
            hashes = [reader.subtree(level, wanted.index * 256 + n) for n in range(wanted.width)]
            return Response(b"".join(hashes))

        self.chain.transport.apps[f"{SEQUENCER}.invalid"] = app


class DishonestNode:
    """A node that cosigns whatever it is shown, two trees of one size if need be."""

    def __init__(self, chain: Consortium, name: str) -> None:
        """Takes the place of the node `name`, with its key."""
        self.chain: Final = chain
        self.name: Final = name
        self._signer = chain.signer_of_node(name)
        self._latest: bytes = b""
        self._origin_hash = origin_hash(chain.genesis.origin)
        app = FastAPI()

        @app.post("/add-checkpoint")
        async def add_checkpoint(request: Request) -> Response:
            asked = CheckpointRequest.parse(await request.body())
            return Response(self.cosign(asked.note))

        @app.get("/{digest}/checkpoint")
        def checkpoint(digest: str) -> Response:
            known = digest == self._origin_hash and self._latest
            return Response(self._latest, 200 if known else 404)

        chain.transport.apps[f"{name}.invalid"] = app

    def cosign(self, note: bytes) -> bytes:
        """Its signature lines over a checkpoint; it only looks who signed it."""
        key = VerifierKey.parse(self.chain.genesis.log_key)
        signed = open_checkpoint(note, self.chain.genesis.origin, [key])
        moment = int(self.chain.now.timestamp())
        lines = [one.sign(signed.checkpoint.text, moment) for one in self._signer.all]
        self._latest = Note.parse(note).with_signatures(lines).encode()
        return "".join(line.line() for line in lines).encode()
