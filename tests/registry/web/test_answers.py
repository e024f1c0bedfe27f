"""Answers of hostile servers: bounded, however they are packed, and their servers named."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from registry.client import RegistryClient
from registry.errors import RegistryMisbehaved, RegistryUnreachable
from registry.limits import MAX_ENTRY_BYTES, MAX_GENESIS_BYTES
from registry.reading.sources import HttpSource
from registry.simulation.simulator import Consortium
from registry.tlog.tiles import Tile, encode_bundle
from registry.web.answers import AnswerUnfit, read_answer
from registry.web.tile_api import accepts_gzip
from registry.witnessing.cosigning import MAX_NODE_ANSWER, HttpNode

BOMB = gzip.compress(bytes(50_000_000), 9)


def endless() -> Iterator[bytes]:
    for _ in range(10_000):
        yield bytes(1024 * 1024)
    pytest.fail("read to its end")


def answering(**how: object) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(200, **how))  # type: ignore[arg-type]


@pytest.fixture(params=["endless", "packed"])
def hostile(request: pytest.FixtureRequest) -> httpx.MockTransport:
    if request.param == "endless":
        return answering(content=endless())
    return answering(headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(BOMB))


def test_a_plain_answer_is_read_whole() -> None:
    assert read_answer(httpx.Response(200, content=b"x" * 10), 10) == b"x" * 10
    with pytest.raises(AnswerUnfit):
        read_answer(httpx.Response(200, content=b"x" * 11), 10)


def test_a_node_cannot_fill_the_sequencer_s_memory(hostile: httpx.MockTransport) -> None:
    node = HttpNode("http://node.example", transport=hostile)
    with pytest.raises(RegistryUnreachable):
        node.add_checkpoint(b"old 0\n\n")
    node.close()


def test_an_honest_node_is_heard() -> None:
    line = b"x" * MAX_NODE_ANSWER
    node = HttpNode("http://node.example", transport=answering(content=line))
    assert node.add_checkpoint(b"old 0\n\n") == (200, line)
    node.close()


def test_a_registry_cannot_fill_its_clients_memory(
    hostile: httpx.MockTransport, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Consortium(tmp_path_factory.mktemp("chain")) as chain:
        genesis = chain.genesis
    now = datetime(2026, 11, 22, 9, tzinfo=UTC)
    with (
        RegistryClient("http://r.example", genesis, transport=hostile, now=lambda: now) as client,
        pytest.raises(RegistryMisbehaved),
    ):
        client.status()


def test_a_sequencer_cannot_fill_a_node_s_memory(hostile: httpx.MockTransport) -> None:
    read = HttpSource("http://r.example", transport=hostile)
    with pytest.raises(RegistryUnreachable):
        list(read("hangzhou.example/main", 0, 3))
    read.close()


def test_the_largest_first_bundle_is_read() -> None:
    entries = [b"g" * MAX_GENESIS_BYTES, *[b"e" * MAX_ENTRY_BYTES] * 255]
    read = HttpSource("http://r.example", transport=answering(content=encode_bundle(entries)))
    assert list(read("hangzhou.example/main", 0, 256)) == entries
    read.close()


def test_clients_ask_for_plain_answers() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        return httpx.Response(404)

    node = HttpNode("http://node.example", transport=httpx.MockTransport(answer))
    node.add_checkpoint(b"old 0\n\n")
    node.close()
    assert asked == ["identity"]


def test_a_dripping_answer_ends_at_its_deadline() -> None:
    ticks = iter(range(100))
    dripping = httpx.Response(200, content=(b"x" for _ in range(1000)))
    with pytest.raises(AnswerUnfit, match="too long"):
        read_answer(dripping, 10_000, seconds=5, clock=lambda: float(next(ticks)))


# --- entry bundles, which a log may pack without being asked (tlog-tiles, "Log entries") ---------

ENTRIES = [b"entry %d" % i * (i % 3) for i in range(256)]
PACKED = gzip.compress(encode_bundle(ENTRIES))


def packing(data: bytes, encoding: str = "gzip") -> httpx.MockTransport:
    headers = {"Content-Encoding": encoding}
    return httpx.MockTransport(
        lambda _: httpx.Response(200, headers=headers, stream=httpx.ByteStream(data))
    )


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
@pytest.mark.parametrize("data", [PACKED, PACKED + gzip.compress(b"")], ids=["one", "two"])
def test_a_bundle_may_come_packed(data: bytes, encoding: str) -> None:
    read = HttpSource("http://r.example", transport=packing(data, encoding))
    assert list(read("hangzhou.example/main", 0, 256)) == ENTRIES
    with pytest.raises(RegistryUnreachable):
        read.tile("hangzhou.example/main", Tile(0, 0))  # a tile may not
    read.close()


def test_a_packed_bundle_is_bounded_too() -> None:
    limit = len(encode_bundle(ENTRIES))
    for data, packed in [
        (BOMB, "too large"),
        (PACKED[:-1], "cut off"),
        (PACKED[:5], "cut off"),
        (encode_bundle(ENTRIES), "not gzip"),
        (PACKED + b"trailing", "not gzip"),
        (gzip.compress(b"") * 1000 + BOMB, "too large"),
    ]:
        answer = httpx.Response(
            200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(data)
        )
        with pytest.raises(AnswerUnfit, match=packed):
            read_answer(answer, limit, packed=True)
    for encoding in ("br", "gzip, gzip", "deflate"):
        read = HttpSource("http://r.example", transport=packing(PACKED, encoding))
        with pytest.raises(RegistryUnreachable):
            list(read("hangzhou.example/main", 0, 256))
        read.close()


def test_a_packed_answer_that_drips_ends_at_its_deadline() -> None:
    class Dripping(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield gzip.compress(b"")

    ticks = iter(range(1000))
    answer = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Dripping())
    with pytest.raises(AnswerUnfit, match="too long"):
        read_answer(answer, 10, packed=True, seconds=5, clock=lambda: float(next(ticks)))


def test_readers_of_bundles_say_that_they_take_both() -> None:
    # tlog-tiles: clients SHOULD name gzip and identity; a server of ours then sends it plain.
    asked: dict[str, list[str]] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        asked[request.url.path] = request.headers.get_list("accept-encoding")
        return httpx.Response(404)

    read = HttpSource("http://r.example", transport=httpx.MockTransport(answer))
    with pytest.raises(RegistryUnreachable):
        list(read("h.example/main", 0, 256))
    assert read.checkpoint("h.example/main") is None
    read.close()
    assert asked == {
        "/h.example/main/tile/entries/000": ["identity, gzip;q=0.5"],
        "/h.example/main/checkpoint": ["identity"],
    }
    assert not accepts_gzip(["identity, gzip;q=0.5"])
