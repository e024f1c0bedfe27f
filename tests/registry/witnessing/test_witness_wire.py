"""Witness and mirror on the wire: requests written by hand, answers read byte by byte.

The server is the one that nodes run. What a crash between a durable record and its answer leaves
behind is tried with a process that dies there.
"""

from __future__ import annotations

import gzip
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI

from registry.tlog.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from registry.tlog.lines import encode_hash
from registry.tlog.merkle import LeafReader, consistency_proof, leaf_hash, root_of
from registry.tlog.mirror_format import UploadHeader, encode_package, runs
from registry.tlog.note import (
    ED25519_COSIGNATURE,
    ML_DSA_44,
    Note,
    NoteSignature,
    NoteSigner,
)
from registry.tlog.subtrees import subtree_consistency_proof
from registry.web.serving import Server, configure, listen
from registry.witnessing.cosigning import HttpNode, NodeState, exchange
from registry.witnessing.mirror import Mirror
from registry.witnessing.mirror_api import add_mirror_routes
from registry.witnessing.mirror_store import MirrorStore
from registry.witnessing.witness import Witness
from registry.witnessing.witness_api import add_witness_routes
from registry.witnessing.witness_store import WitnessStore

ORIGIN = "log.example/stock"
DIGEST = sha256(ORIGIN.encode()).hexdigest()
LOG = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
W = NoteSigner.from_seed("witness.example/w", b"\x02" * 32, ED25519_COSIGNATURE)
M = NoteSigner.from_seed("mirror.example/m", b"\x03" * 32, ML_DSA_44)
ENTRIES = [b"entry %d" % i * (i % 3) for i in range(300)]  # a third of them is empty
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
READER = LeafReader(LEAVES)


@dataclass
class Heard:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        [value] = [value for key, value in self.headers if key == name]
        return value


class Line:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._stream = self._socket.makefile("rb")

    def say(self, data: bytes) -> None:
        self._socket.sendall(data)

    def hear(self, *, body: bool = True) -> Heard:
        status = int(self._stream.readline().split(b" ")[1])
        headers = []
        while (row := self._stream.readline()) not in {b"\r\n", b""}:
            name, _, value = row.decode().partition(":")
            headers.append((name.lower(), value.strip()))
        length = int(dict(headers).get("content-length", "0"))
        return Heard(status, headers, self._stream.read(length) if body else b"")

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


@dataclass
class World:
    port: int
    witness: Witness

    def ask(self, data: bytes, *, body: bool = True) -> Heard:
        line = Line(self.port)
        try:
            line.say(data)
            return line.hear(body=body)
        finally:
            line.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store, copies = WitnessStore(tmp_path / "w.sqlite"), MirrorStore(tmp_path / "m.sqlite")
    witness = Witness(store, [W], {ORIGIN: [LOG.key]})
    app = FastAPI()
    add_witness_routes(app, witness)
    add_mirror_routes(app, Mirror(copies, [M], {ORIGIN: [LOG.key]}))
    server = Server(configure(app), listen("127.0.0.1", 0))
    up = threading.Event()
    thread = threading.Thread(target=server.attend, args=(up.set,))
    thread.start()
    assert up.wait(10)
    yield World(int(server.url.rsplit(":", 1)[1]), witness)
    server.stop()
    thread.join(20)
    store.close()
    copies.close()


def announcement(old: int, size: int) -> bytes:
    proof = consistency_proof(old, size, READER)
    lines = [f"old {old}", *(encode_hash(h) for h in proof), "", ""]
    return "\n".join(lines).encode() + Checkpoint(ORIGIN, size, root_of(LEAVES[:size])).sign(LOG)


def post(path: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    told = [f"Content-Length: {len(body) if length is None else length}", *headers]
    head = [f"POST {path} HTTP/1.1", "Host: h", *told, "", ""]
    return "\r\n".join(head).encode() + body


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: h", *headers, "", ""]).encode()


def chunked(path: str, body: bytes, *headers: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: h", "Transfer-Encoding: chunked", *headers, "", ""]
    pieces = [body[i : i + 7] for i in range(0, len(body), 7)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return "\r\n".join(head).encode() + framed + b"0\r\n\r\n"


def upload(start: int, end: int) -> bytes:
    packages = [
        encode_package(
            ENTRIES[run.start : run.end],
            subtree_consistency_proof(run.base, run.end, end, READER),
        )
        for run in runs(start, end)
    ]
    return UploadHeader(ORIGIN, start, end).encode() + b"".join(packages)


OCTETS = "Content-Type: application/octet-stream"


def test_one_connection_serves_many_requests(world: World) -> None:
    line = Line(world.port)
    line.say(post("/add-checkpoint", announcement(0, 5)))
    assert line.hear().status == 200
    line.say(chunked("/add-checkpoint", announcement(5, 9)))  # in pieces of seven bytes
    assert line.hear().status == 200
    both = post("/add-checkpoint", announcement(9, 20)) + post("/add-checkpoint", b"old 9\n")
    line.say(both)
    assert [line.hear().status, line.hear().status] == [200, 400]
    line.say(post("/add-checkpoint", announcement(5, 30)))
    stale = line.hear()
    assert (stale.status, stale.body) == (409, b"20\n")
    assert stale.header("content-type") == "text/x.tlog.size"
    line.close()


def test_a_checkpoint_with_many_signatures_of_others(world: World) -> None:
    # signed-note: at least 16, of up to nearly 5 kB.
    body = announcement(0, 5)
    for i in range(15):
        body += NoteSignature(f"pq{i}.example", i, bytes(4900)).line().encode()
    assert world.ask(post("/add-checkpoint", body)).status == 200
    shown = world.ask(get(f"/{DIGEST}/checkpoint")).body
    assert [line.name for line in Note.parse(shown).signatures] == [ORIGIN, W.key.name]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/add-checkpoint"), 405),
        (get("/add-checkpoint", "Content-Length: 0", method="PUT"), 405),
        (get("/sign-subtree"), 405),
        (get("/mirror/add-entries"), 405),
        (get(f"/{DIGEST}/checkpoint", "Content-Length: 0", method="POST"), 405),
        (get(f"/{DIGEST.upper()}/checkpoint"), 404),
        (get(f"/{ORIGIN.replace('/', '%2F')}/checkpoint"), 404),
        # Two lengths, or a length and chunks, are how requests are smuggled (RFC 9112 §6.3).
        (post("/add-checkpoint", announcement(0, 5), "Content-Length: 5"), 400),
        (post("/add-checkpoint", announcement(0, 5), "Transfer-Encoding: chunked"), 400),
        (post("/add-checkpoint", announcement(0, 5).replace(b"\n", b"\r\n")), 400),
        (post("/add-checkpoint", b""), 400),
        (post("/mirror/add-entries", b"", OCTETS), 400),
    ],
)
def test_what_is_no_request(world: World, request_: bytes, status: int) -> None:
    assert world.ask(request_).status == status


def test_monitors_ask_for_the_head_alone(world: World) -> None:
    world.ask(post("/add-checkpoint", announcement(0, 5)))
    whole = world.ask(get(f"/{DIGEST}/checkpoint"))
    head = world.ask(get(f"/{DIGEST}/checkpoint", method="HEAD"), body=False)
    assert (head.status, head.header("content-length")) == (200, str(len(whole.body)))
    assert head.header("content-type") == "text/plain; charset=utf-8"


def test_who_goes_away_leaves_no_complaint(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    for path in ("/add-checkpoint", "/sign-subtree", "/mirror/add-checkpoint"):
        line = Line(world.port)
        line.say(post(path, b"old 0\n", length=1000))
        line.close()
    line = Line(world.port)
    line.say(post("/mirror/add-entries", b"\x00", OCTETS, length=1000))
    line.close()
    assert world.ask(post("/add-checkpoint", announcement(0, 5))).status == 200
    assert not caplog.records


def test_of_many_connections_one_wins(world: World) -> None:
    world.ask(post("/add-checkpoint", announcement(0, 5)))
    lines = [Line(world.port) for _ in range(12)]
    for i, line in enumerate(lines):
        line.say(post("/add-checkpoint", announcement(5, 10 + i)))
    heard = [line.hear() for line in lines]
    won = [i for i, answer in enumerate(heard) if answer.status == 200]
    assert len(won) == 1
    size = b"%d\n" % (10 + won[0])
    assert {(a.status, a.body) for a in heard if a.status != 200} == {(409, size)}
    for line in lines:
        line.close()


def test_an_upload_is_refused_before_it_has_come(world: World) -> None:
    # tlog-mirror, "Processing": without waiting for the whole body.
    line = Line(world.port)
    header = UploadHeader("log.example/else", 0, 5).encode()
    line.say(post("/mirror/add-entries", header, OCTETS, length=1 << 30))
    answer = line.hear()
    assert (answer.status, answer.header("accept-encoding")) == (404, "gzip")
    line.close()


def test_an_upload_in_every_wrapping(world: World) -> None:
    world.ask(post("/mirror/add-checkpoint", announcement(0, 300)))
    body = upload(0, 300)
    members = gzip.compress(body[:1000]) + gzip.compress(b"") + gzip.compress(body[1000:])
    packed = gzip.compress(body)
    path = "/mirror/add-entries"
    for request_, status in [
        (post(path, packed, OCTETS, "Content-Encoding: gzip", "Content-Encoding: gzip"), 415),
        (post(path, packed, OCTETS, "Content-Encoding: gzip, br"), 415),
        (post(path, packed, OCTETS, "Content-Encoding: br"), 415),
        (post(path, packed, OCTETS), 400),
        (post(path, body, OCTETS, "Content-Encoding: gzip"), 400),
        (post(path, packed[:-100], OCTETS, "Content-Encoding: gzip"), 202),
        (post(path, packed, OCTETS, "Content-Encoding: gzip"), 200),
        (post(path, members, OCTETS, "Content-Encoding: GZIP"), 200),
        (post(path, packed, OCTETS, "Content-Encoding: x-gzip"), 200),
        (post(path, body, OCTETS, "Content-Encoding: identity"), 200),
        (chunked(path, packed, OCTETS, "Content-Encoding: gzip"), 200),
        (chunked(path, body, OCTETS + "; x=y"), 200),
    ]:
        answer = world.ask(request_)
        assert answer.status == status, answer.body
        assert answer.header("accept-encoding") == "gzip"


def test_a_member_of_gzip_may_end_with_a_piece_of_the_body(world: World) -> None:
    world.ask(post("/mirror/add-checkpoint", announcement(0, 300)))
    body = upload(0, 300)
    pieces = [gzip.compress(body[i : i + 999]) for i in range(0, len(body), 999)]
    head = post("/mirror/add-entries", b"", OCTETS, "Content-Encoding: gzip", length=0)
    head = head.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    assert world.ask(head + framed + b"0\r\n\r\n").status == 200


def test_readers_of_a_mirror(world: World) -> None:
    world.ask(post("/mirror/add-checkpoint", announcement(0, 300)))
    assert world.ask(post("/mirror/add-entries", upload(0, 300), OCTETS)).status == 200
    base = f"/mirror/{DIGEST}/tile"
    for width in range(1, 256):  # each was the size of a tree, or may have been
        assert world.ask(get(f"{base}/0/000.p/{width}")).body == b"".join(LEAVES[:width])
    head = world.ask(get(f"{base}/0/000", method="HEAD"), body=False)
    assert (head.status, head.header("content-length")) == (200, "8192")
    assert head.header("cache-control") == "public, max-age=31536000, immutable"
    for path in (
        "/0/000%0A",
        "/0/000%0D",
        "/0/000/",
        "/0/000%20",
        "/00/000",
        "/+0/000",
        "/0/0000",
        "/0/x000/000",
        "/0/000.p/01",
        "/0/000.p/%2B1",
        "/0/000.p/0",
        "/0/000.p/256",
        "/0/000.p/%D9%A1",
        "/64/000",
        "/entries/000.p/",
        "/Entries/000",
        "/0/001",
        "/1/001.p/1",
    ):
        assert world.ask(get(base + path)).status == 404, path
    bundle = get(f"{base}/entries/000", "Accept-Encoding: br", "Accept-Encoding: gzip;q=0.1")
    answer = world.ask(bundle)
    assert answer.header("content-encoding") == "gzip"
    assert answer.header("vary") == "Accept-Encoding"
    plain = world.ask(get(f"{base}/entries/000", "Accept-Encoding: gzip;q=0"))
    assert plain.body == gzip.decompress(answer.body)
    assert "content-encoding" not in dict(plain.headers)


# --- a crash between the record and the answer ------------------------------------------------

DYING = """
import os, sys
from pathlib import Path
from registry.tlog.note import ED25519_COSIGNATURE, NoteSigner, VerifierKey
from registry.witnessing.witness import Witness
from registry.witnessing.witness_store import WitnessStore

class Dying(WitnessStore):
    def cosign(self, *args):
        super().cosign(*args)
        os.kill(os.getpid(), 9)

signer = NoteSigner.from_seed("witness.example/w", bytes([2]) * 32, ED25519_COSIGNATURE)
key = VerifierKey.parse(sys.argv[2])
witness = Witness(Dying(Path(sys.argv[1])), [signer], {key.name: [key]})
witness.add_checkpoint(sys.stdin.buffer.read())
"""


def signed(size: int) -> SignedCheckpoint:
    note = Checkpoint(ORIGIN, size, root_of(LEAVES[:size])).sign(LOG)
    return open_checkpoint(note, ORIGIN, [LOG.key])


def test_a_witness_that_dies_before_it_answers(tmp_path: Path) -> None:
    path = tmp_path / "w.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(path), LOG.key.encode()],
        input=announcement(0, 9),
        check=False,
        timeout=60,
    )
    assert done.returncode == -9
    store = WitnessStore(path)
    witness = Witness(store, [W], {ORIGIN: [LOG.key]})
    app = FastAPI()
    add_witness_routes(app, witness)
    server = Server(configure(app), listen("127.0.0.1", 0))
    up = threading.Event()
    thread = threading.Thread(target=server.attend, args=(up.set,))
    thread.start()
    assert up.wait(10)
    node = HttpNode(server.url)
    try:
        # It holds what it was about to cosign, and nothing that does not continue it.
        fork = Checkpoint(ORIGIN, 9, bytes(32)).sign(LOG)
        assert node.add_checkpoint(b"old 0\n\n" + fork) == (409, b"9\n")
        assert node.add_checkpoint(b"old 9\n\n" + fork)[0] == 422
        # The log, which heard nothing, asks again as before, and for a larger tree.
        for size in (9, 12):
            [line] = exchange(
                NodeState("w", (W.key,)),
                node,
                signed(size),
                lambda a, b: consistency_proof(a, b, READER),
            )
            assert (line.name, line.key_id) == (W.key.name, W.key.id)
    finally:
        node.close()
        server.stop()
        thread.join(20)
        store.close()
