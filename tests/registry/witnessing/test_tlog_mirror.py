"""Mirroring: uploads package by package, every answer of tlog-mirror, and reading the copy."""

from __future__ import annotations

import gzip
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import CosignatureMissing, RegistryUnreachable, TileMissing
from registry.tlog.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from registry.tlog.lines import encode_hash
from registry.tlog.merkle import (
    LeafReader,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_inclusion,
)
from registry.tlog.mirror_format import (
    INFO_TYPE,
    MirrorInfo,
    UploadHeader,
    UploadParser,
    encode_package,
    runs,
)
from registry.tlog.note import (
    ED25519_COSIGNATURE,
    ML_DSA_44,
    Note,
    NoteSigner,
    check_subtree,
)
from registry.tlog.subtrees import subtree_consistency_proof
from registry.tlog.tiles import Tile, TileReader, decode_bundle, parse_tile, tiles_of
from registry.witnessing.mirror import MAX_EXCESS, MAX_UPLOADS, Mirror
from registry.witnessing.mirror_api import add_mirror_routes
from registry.witnessing.mirror_client import MirrorClient
from registry.witnessing.mirror_store import MAX_PENDING, MirrorStore
from registry.witnessing.witness import Answer

ORIGIN = "log.example/stock"
DIGEST = sha256(ORIGIN.encode()).hexdigest()
LOG = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
ELSE = NoteSigner.from_seed("log.example/else", b"\x09" * 32)
M1 = NoteSigner.from_seed("mirror.example/m", b"\x02" * 32, ML_DSA_44)
M2 = NoteSigner.from_seed("mirror.example/m", b"\x03" * 32, ED25519_COSIGNATURE)
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


class SmallLog:
    """A log in memory. Its entries repeat: a mirror must not mind."""

    def __init__(self, size: int, salt: bytes = b"") -> None:
        self.entries = [salt + b"entry %d" % (i % 1000) * (i % 5) for i in range(size)]
        self.leaves = [leaf_hash(entry) for entry in self.entries]
        self.reader = LeafReader(self.leaves)

    def signed(self, size: int) -> SignedCheckpoint:
        note = Checkpoint(ORIGIN, size, root_of(self.leaves[:size])).sign(LOG)
        return open_checkpoint(note, ORIGIN, [LOG.key])

    def iterate(self, start: int, end: int) -> Iterator[bytes]:
        return iter(self.entries[start:end])

    def subtree(self, level: int, index: int) -> bytes:
        return self.reader.subtree(level, index)

    def consistency_proof(self, old: int, new: int) -> Sequence[bytes]:
        return consistency_proof(old, new, self.reader)

    def announce(self, old: int, size: int) -> bytes:
        proof = self.consistency_proof(old, size)
        lines = [f"old {old}", *(encode_hash(h) for h in proof), "", ""]
        return "\n".join(lines).encode() + self.signed(size).data

    def packages(self, start: int, end: int) -> list[bytes]:
        return [
            encode_package(
                self.entries[run.start : run.end],
                subtree_consistency_proof(run.base, run.end, end, self.reader),
            )
            for run in runs(start, end)
        ]

    def body(self, start: int, end: int, *, most: int = 1 << 20) -> bytes:
        header = UploadHeader(ORIGIN, start, end).encode()
        return header + b"".join(self.packages(start, end)[:most])


LOG_DATA = SmallLog(1400)


class World:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "mirror.sqlite"
        self.open()

    def open(self) -> None:
        self.store = MirrorStore(self.path)
        self.mirror = Mirror(self.store, [M1, M2], {ORIGIN: [LOG.key]}, now=lambda: NOW)

    def reopen(self) -> None:
        self.store.close()
        self.open()

    def announce(self, old: int, size: int, log: SmallLog = LOG_DATA) -> Answer:
        return self.mirror.add_checkpoint(log.announce(old, size))

    def send(self, body: bytes, *, step: int = 1 << 30, packed: bool = False) -> Answer:
        upload = self.mirror.upload(packed=packed)
        try:
            for at in range(0, max(len(body), 1), step):
                answer = upload.feed(body[at : at + step])
                if answer is not None:
                    return answer
            return upload.finish()
        finally:
            upload.close()

    def check_copy(self, log: SmallLog, size: int) -> None:
        """Read everything back as a stock reader does."""
        opened = open_checkpoint(
            self.mirror.checkpoint(DIGEST).body, ORIGIN, [LOG.key], [M1.key, M2.key]
        )
        assert (opened.size, opened.root) == (size, root_of(log.leaves[:size]))
        assert set(opened.cosignatures) == {M1.key, M2.key}
        for tile in tiles_of(size):
            parse_tile(tile, self.mirror.tile(DIGEST, tile))
            if tile.level == 0:
                bundle = Tile(Tile.ENTRIES, tile.index, tile.width)
                found = decode_bundle(self.mirror.tile(DIGEST, bundle), tile.width)
                assert found == log.entries[tile.start : tile.start + tile.width]

        def hashes(tile: Tile) -> list[bytes]:
            return parse_tile(tile, self.mirror.tile(DIGEST, tile))

        reader = TileReader(size, hashes)
        for index in {0, size // 2, size - 1}:
            path = inclusion_proof(index, size, reader)
            verify_inclusion(index, size, log.leaves[index], path, opened.root)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def info(answer: Answer) -> MirrorInfo:
    assert answer.content_type == INFO_TYPE
    return MirrorInfo.parse(answer.body)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700, 1400])
def test_a_whole_log_at_once(world: World, size: int) -> None:
    answer = world.announce(0, size)
    assert (answer.status, answer.body) == (200, b"")
    answer = world.send(LOG_DATA.body(0, size))
    assert answer.status == 200
    assert answer.body.decode().count("\u2014 mirror.example/m ") == 2
    world.check_copy(LOG_DATA, size)


def test_it_grows_over_every_edge(world: World) -> None:
    old = 0
    for size in [1, 2, 255, 256, 256, 300, 511, 513, 1024, 1400]:
        assert world.announce(old, size).status == 200
        assert world.send(LOG_DATA.body(old, size)).status == 200
        world.check_copy(LOG_DATA, size)
        world.reopen()
        old = size


def test_bytes_may_arrive_one_by_one_and_packed(world: World) -> None:
    world.announce(0, 300)
    assert world.send(LOG_DATA.body(0, 300), step=1).status == 200
    world.announce(300, 700)
    body = gzip.compress(LOG_DATA.body(300, 700))
    assert world.send(body, step=7, packed=True).status == 200
    world.check_copy(LOG_DATA, 700)


def test_a_prefix_is_kept_and_told(world: World) -> None:
    world.announce(0, 1400)
    answer = world.send(LOG_DATA.body(0, 1400, most=2))
    assert (answer.status, info(answer)) == (202, MirrorInfo(1400, 512))
    assert world.mirror.checkpoint(DIGEST).status == 404  # nothing is claimed yet
    # An interrupted package is thrown away, whole ones before it are kept.
    body = LOG_DATA.body(512, 1400, most=2)
    answer = world.send(body[:-5])
    assert (answer.status, info(answer)) == (202, MirrorInfo(1400, 768))
    world.reopen()
    assert world.send(LOG_DATA.body(768, 1400)).status == 200
    world.check_copy(LOG_DATA, 1400)


def test_what_is_there_already_may_come_again(world: World) -> None:
    world.announce(0, 700)
    world.send(LOG_DATA.body(0, 700, most=1))
    assert world.send(LOG_DATA.body(100, 700)).status == 200
    assert world.send(LOG_DATA.body(700, 700)).status == 200
    assert world.send(LOG_DATA.body(0, 700)).status == 200
    world.check_copy(LOG_DATA, 700)


def test_404_for_an_unknown_log(world: World) -> None:
    header = UploadHeader("log.example/else", 0, 5).encode()
    assert world.send(header).status == 404
    for origin in (b"", b"\xff", ORIGIN.encode() + b"\xff", ORIGIN.encode() + b"\n"):
        header = len(origin).to_bytes(2, "big") + origin + bytes(18)
        assert world.send(header).status == 404


def test_422_before_any_checkpoint(world: World) -> None:
    assert world.send(LOG_DATA.body(0, 5)).status == 422


def test_409_tells_where_it_stands(world: World) -> None:
    world.announce(0, 700)
    answer = world.send(LOG_DATA.body(0, 600))  # no checkpoint of this size
    assert (answer.status, info(answer)) == (409, MirrorInfo(700, 0))
    answer = world.send(LOG_DATA.body(256, 700))  # a gap
    assert (answer.status, info(answer)) == (409, MirrorInfo(700, 0))
    world.send(LOG_DATA.body(0, 700))
    world.announce(700, 1400)
    world.send(LOG_DATA.body(700, 1400))
    answer = world.send(LOG_DATA.body(700, 700))  # below the mirror checkpoint
    assert (answer.status, info(answer)) == (409, MirrorInfo(1400, 1400))


def test_409_for_much_that_is_there_already(tmp_path: Path) -> None:
    log = SmallLog(MAX_EXCESS + 600)
    world = World(tmp_path)
    size = len(log.entries)
    world.announce(0, size, log)
    assert world.send(log.body(0, size)).status == 200
    answer = world.send(UploadHeader(ORIGIN, 0, size).encode())
    assert (answer.status, info(answer)) == (409, MirrorInfo(size, size))
    world.store.close()


def test_an_older_pending_checkpoint_will_do(world: World) -> None:
    world.announce(0, 300)
    world.announce(300, 700)
    assert world.send(LOG_DATA.body(0, 300)).status == 200
    world.check_copy(LOG_DATA, 300)
    assert world.send(LOG_DATA.body(300, 700)).status == 200
    for size in range(701, 701 + MAX_PENDING + 1):
        assert world.announce(size - 1, size).status == 200
    # The last several: the mirror checkpoint itself is always known.
    assert world.send(LOG_DATA.body(700, 700)).status == 200
    assert world.send(LOG_DATA.body(700, 701)).status == 409
    assert world.send(LOG_DATA.body(700, 702)).status == 200


def test_422_for_entries_of_another_history(world: World) -> None:
    other = SmallLog(1400, b"other ")
    world.announce(0, 700)
    answer = world.send(other.body(0, 700))
    assert answer.status == 422
    # What was proved before stays; what was not is nowhere.
    mixed = (
        UploadHeader(ORIGIN, 0, 700).encode()
        + LOG_DATA.packages(0, 700)[0]
        + other.packages(0, 700)[1]
    )
    assert world.send(mixed).status == 422
    assert world.store.next(ORIGIN) == 256
    with pytest.raises(TileMissing):
        world.mirror.tile(DIGEST, Tile(0, 1, 1))
    assert world.announce(700, 1400, other).status == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        UploadHeader(ORIGIN, 0, 700).encode()[:-1],
        UploadHeader(ORIGIN, 0, 700).encode(),
        UploadHeader(ORIGIN, 0, 700).encode() + b"\x00\x05abc",
        UploadHeader(ORIGIN, 5, 4).encode(),
        UploadHeader(ORIGIN, 0, 700).encode() + b"\x00\x00" * 256 + b"\x40",
    ],
)
def test_400_for_what_is_no_upload(world: World, body: bytes) -> None:
    world.announce(0, 700)
    assert world.send(body).status == 400


def test_400_for_what_is_not_gzip(world: World) -> None:
    world.announce(0, 700)
    assert world.send(LOG_DATA.body(0, 700), packed=True).status == 400


def test_a_bomb_costs_no_memory(world: World) -> None:
    world.announce(0, 700)
    bomb = UploadHeader(ORIGIN, 0, 700).encode() + bytes(64 << 20)
    # Zeroes are empty entries: the proof of the first package fails at once.
    assert world.send(gzip.compress(bomb, 1), packed=True).status == 422


def test_a_header_names_more_than_there_can_be(world: World) -> None:
    most = (2**63 - 1, 2**63, 2**64 - 1)
    for end in most:
        assert world.send(UploadHeader(ORIGIN, 0, end).encode()).status == 422
    world.announce(0, 5)
    for end in most:
        for start in (0, end):
            answer = world.send(UploadHeader(ORIGIN, start, end).encode())
            assert (answer.status, info(answer)) == (409, MirrorInfo(5, 0))


def test_only_so_many_at_once(world: World) -> None:
    world.announce(0, 5)
    held = [world.mirror.upload() for _ in range(MAX_UPLOADS)]
    assert world.send(LOG_DATA.body(0, 5)).status == 503
    for upload in held:
        upload.close()
        upload.close()
    assert world.send(LOG_DATA.body(0, 5)).status == 200


def test_uploads_at_once_meet(world: World) -> None:
    world.announce(0, 1400)
    answers: list[int] = []
    body = LOG_DATA.body(0, 1400)

    def run(step: int) -> None:
        answers.append(world.send(body, step=step).status)

    threads = [threading.Thread(target=run, args=(step,)) for step in (999, 5000, 17, 1 << 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 4
    world.check_copy(LOG_DATA, 1400)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1200), st.integers(0, 1200), st.integers(1, 999))
def test_the_parser_gives_back_what_was_written(a: int, b: int, step: int) -> None:
    start, end = min(a, b), max(a, b)
    body = LOG_DATA.body(start, end)
    parser = UploadParser()
    header = None
    wanted = list(runs(start, end))
    entries: list[bytes] = []
    for at in range(0, len(body), step):
        parser.feed(body[at : at + step])
        header = header or parser.header()
        while header and wanted and (found := parser.package(wanted[0].end - wanted[0].start)):
            run = wanted.pop(0)
            entries += found[0]
            assert found[1] == subtree_consistency_proof(run.base, run.end, end, LOG_DATA.reader)
    assert header == UploadHeader(ORIGIN, start, end)
    assert entries == LOG_DATA.entries[start:end]
    assert not wanted


def test_the_canonical_sequence() -> None:
    assert [(r.base, r.start, r.end) for r in runs(300, 1000)] == [
        (256, 300, 512),
        (512, 512, 768),
        (768, 768, 1000),
    ]
    assert [(r.base, r.start, r.end) for r in runs(257, 258)] == [(256, 257, 258)]
    assert list(runs(5, 5)) == []
    for bad in (b"", b"1\n2\n", b"1\n2\n\nx", b"1\n02\n\n", b"1\n2\n*\n", b"\xff\n1\n\n"):
        with pytest.raises(ValueError, match=r"."):
            MirrorInfo.parse(bad)


def test_a_clock_that_goes_back_does_not_take_the_time_back(world: World) -> None:
    def stamps(size: int) -> set[int]:
        opened = open_checkpoint(
            world.mirror.checkpoint(DIGEST).body, ORIGIN, [LOG.key], [M1.key, M2.key]
        )
        assert opened.size == size
        return set(opened.cosignatures.values())

    world.announce(0, 300)
    world.send(LOG_DATA.body(0, 300))
    earlier = datetime(2000, 1, 1, tzinfo=UTC)
    world.mirror = Mirror(world.store, [M1, M2], {ORIGIN: [LOG.key]}, now=lambda: earlier)
    world.announce(300, 700)
    assert world.send(LOG_DATA.body(300, 700)).status == 200
    assert stamps(700) == {int(NOW.timestamp())}
    later = datetime(2027, 1, 1, tzinfo=UTC)
    world.mirror = Mirror(world.store, [M1, M2], {ORIGIN: [LOG.key]}, now=lambda: later)
    assert world.send(LOG_DATA.body(700, 700)).status == 200  # a fresh time for the same tree
    assert stamps(700) == {int(later.timestamp())}


def test_extension_lines_are_cosigned_by_ed25519_alone(world: World) -> None:
    # tlog-checkpoint allows them, ML-DSA-44 does not sign them.
    checkpoint = Checkpoint(ORIGIN, 300, root_of(LOG_DATA.leaves[:300]), ("more",))
    body = b"old 0\n\n" + checkpoint.sign(LOG)
    only = Mirror(world.store, [M1], {ORIGIN: [LOG.key]})
    assert only.add_checkpoint(body).status == 422
    assert world.mirror.add_checkpoint(body).status == 200
    answer = world.send(LOG_DATA.body(0, 300))
    assert answer.status == 200
    note = Note.parse(checkpoint.text.encode() + b"\n" + answer.body)
    assert [s.key for s in note.verify([M1.key, M2.key]).signatures] == [M2.key]
    assert open_checkpoint(world.mirror.checkpoint(DIGEST).body, ORIGIN, [LOG.key], [M2.key])


def test_parts_are_signed_of_what_the_mirror_has_signed(world: World) -> None:
    # tlog-mirror, "sign-subtree": what a witness beside it has signed must not do.
    world.announce(0, 300)
    world.send(LOG_DATA.body(0, 300))

    def asking(note: bytes) -> bytes:
        proof = subtree_consistency_proof(256, 300, 300, LOG_DATA.reader)
        digest = root_of(LOG_DATA.leaves[256:300])
        lines = ["subtree 256 300", *(encode_hash(h) for h in (digest, *proof)), "", ""]
        return "\n".join(lines).encode() + note

    answer = world.mirror.sign_subtree(asking(world.mirror.checkpoint(DIGEST).body))
    assert answer.status == 200
    [line] = Note.parse(b"x\n\n" + answer.body).signatures
    digest = root_of(LOG_DATA.leaves[256:300])
    assert check_subtree(M1.key, line, ORIGIN, 256, 300, digest)
    assert int.from_bytes(line.blob[:8], "big") == 0  # no time
    text = LOG_DATA.signed(300).checkpoint.text
    witness = NoteSigner.from_seed("witness.example/w", b"\x08" * 32, ML_DSA_44)
    for signer in (witness, LOG):
        lines = (signer.sign(text, None if signer is LOG else 9),)
        assert world.mirror.sign_subtree(asking(Note(text, lines).encode())).status == 403


# --- over HTTP --------------------------------------------------------------------------------


@pytest.fixture
def http(world: World) -> Iterator[TestClient]:
    app = FastAPI()
    add_mirror_routes(app, world.mirror)
    with TestClient(app) as client:
        yield client


def client_of(http: TestClient) -> MirrorClient:
    def handle(request: httpx.Request) -> httpx.Response:
        answer = http.request(
            request.method, request.url.path, content=request.read(), headers=dict(request.headers)
        )
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    return MirrorClient(
        "m", "http://mirror.invalid/mirror/", [M1.key], transport=httpx.MockTransport(handle)
    )


def test_a_log_pushes_itself(world: World, http: TestClient) -> None:
    log = SmallLog(256 * 33 + 5)
    client = client_of(http)
    for size in (1, 300, len(log.entries), len(log.entries)):
        found = client.push(log.signed(size), log)
        assert found is not None
        (line,) = found
        assert (line.name, line.key_id) == (M1.key.name, M1.key.id)
        world.check_copy(log, size)
    other_log = open_checkpoint(
        Checkpoint("log.example/else", 5, root_of(log.leaves[:5])).sign(ELSE),
        "log.example/else",
        [ELSE.key],
    )
    assert client_of(http).push(other_log, log) is None
    # Another process of the log knows nothing of the mirror, and finds out.
    other = client_of(http)
    assert other.push(log.signed(len(log.entries)), log)
    with pytest.raises(CosignatureMissing, match="larger tree"):
        client_of(http).push(log.signed(300), log)
    with pytest.raises(CosignatureMissing, match="422"):
        fork = SmallLog(9000, b"fork ")
        client_of(http).push(fork.signed(9000), fork)


def test_a_mirror_that_once_named_a_size_that_is_not_is_asked_again(
    world: World, http: TestClient
) -> None:
    lies = True

    def handle(request: httpx.Request) -> httpx.Response:
        if lies:
            return httpx.Response(409, content=b"1000000\n")
        answer = http.request(
            request.method, request.url.path, content=request.read(), headers=dict(request.headers)
        )
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    client = MirrorClient(
        "m", "http://mirror.invalid/mirror/", [M1.key], transport=httpx.MockTransport(handle)
    )
    with pytest.raises(CosignatureMissing, match="larger tree"):
        client.push(LOG_DATA.signed(300), LOG_DATA)
    lies = False
    assert client.push(LOG_DATA.signed(300), LOG_DATA)
    world.check_copy(LOG_DATA, 300)


def test_a_mirror_that_lies_is_not_believed() -> None:
    def push(handle: httpx.MockTransport) -> None:
        client = MirrorClient("m", "http://m.invalid", [M1.key], transport=handle)
        client.push(LOG_DATA.signed(5), LOG_DATA)

    def answering(status: int, body: bytes, kind: str = "text/plain") -> httpx.MockTransport:
        def handle(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("checkpoint"):
                return httpx.Response(200)
            return httpx.Response(status, content=body, headers={"Content-Type": kind})

        return httpx.MockTransport(handle)

    text = LOG_DATA.signed(5).checkpoint.text
    stale = M1.sign(text.replace("\n5\n", "\n4\n"), 9).line().encode()
    timeless = M1.sign(text).line().encode()
    for body in (b"", b"x", stale, timeless, M2.sign(text, 9).line().encode()):
        with pytest.raises(CosignatureMissing):
            push(answering(200, body))
    for body in (b"5\n0\n\n", b"5\n0\nAA==\n", b"9\n0\n\n", b"nonsense"):
        with pytest.raises(CosignatureMissing):
            push(answering(409, body, INFO_TYPE))
    with pytest.raises(CosignatureMissing, match="500"):
        push(answering(500, b"ill"))
    with pytest.raises(RegistryUnreachable):
        push(answering(200, b"x" * (1 << 21)))


def test_a_mirror_may_answer_before_it_has_heard_all() -> None:
    # tlog-mirror, "Processing": the client SHOULD be prepared for it.
    log = SmallLog(8192)
    log.entries = [bytes([i % 256, i // 256]) + os.urandom(2000) for i in range(8192)]
    log.leaves[:] = [leaf_hash(entry) for entry in log.entries]
    listening = socket.create_server(("127.0.0.1", 0))
    signed = log.signed(8192)

    def serve() -> None:
        said = [
            (b"200 OK", b"text/plain", b""),
            (b"409 Conflict", INFO_TYPE.encode(), b"8192\n8192\nAAEC\n"),
            (b"200 OK", b"text/plain", M1.sign(signed.checkpoint.text, 9).line().encode()),
        ]
        for status, kind, body in said:
            peer, _ = listening.accept()
            with peer:
                heard = b""
                while b"\r\n\r\n" not in heard:
                    heard += peer.recv(4096)
                head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
                head += b"Connection: close\r\n\r\n"
                peer.sendall(head % (status, kind, len(body)) + body)

    thread = threading.Thread(target=serve)
    thread.start()
    client = MirrorClient("m", f"http://127.0.0.1:{listening.getsockname()[1]}", [M1.key])
    try:
        [line] = client.push(signed, log) or []
        assert (line.name, line.key_id) == (M1.key.name, M1.key.id)
        assert client._ticket == bytes([0, 1, 2])
    finally:
        client.close()
        thread.join(10)
        listening.close()


def test_headers_and_readers(world: World, http: TestClient) -> None:
    http.post("/mirror/add-checkpoint", content=LOG_DATA.announce(0, 300))
    octets = {"Content-Type": "application/octet-stream"}
    body = LOG_DATA.body(0, 300)
    assert http.post("/mirror/add-entries", content=body).status_code == 400
    brotli = {**octets, "Content-Encoding": "br"}
    answer = http.post("/mirror/add-entries", content=body, headers=brotli)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip")
    answer = http.post("/mirror/add-entries", content=LOG_DATA.body(256, 300), headers=octets)
    assert (answer.status_code, answer.headers["content-type"]) == (409, INFO_TYPE)
    answer = http.post("/mirror/add-entries", content=body, headers=octets)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (200, "gzip")
    base = f"/mirror/{DIGEST}"
    assert http.get(f"{base}/checkpoint").headers["content-type"] == "text/plain; charset=utf-8"
    answer = http.get(f"{base}/tile/0/000")
    assert (answer.status_code, len(answer.content)) == (200, 8192)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "immutable" in answer.headers["cache-control"]
    assert http.get(f"{base}/tile/entries/001.p/44").status_code == 200
    assert http.post("/mirror/sign-subtree", content=b"x").status_code == 400
    for path in (
        f"{base}/tile/0/001",
        f"{base}/tile/0/001.p/45",
        f"{base}/tile/0/002.p/1",
        f"{base}/tile/1/000.p/2",
        f"{base}/tile/0/1",
        f"{base}/tile/0/000.p/256",
        f"/mirror/{'0' * 64}/checkpoint",
        f"/mirror/{'0' * 64}/tile/0/000",
    ):
        assert http.get(path).status_code == 404
