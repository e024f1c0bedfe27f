"""Adding over real sockets: many at once, and senders that are slow, large, silent or gone."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from registry.ledger.submission import MAX_SUBMISSION_BYTES
from registry.sequencing import add_api
from registry.sequencing.add_api import Answers
from registry.sequencing.door import Added
from registry.simulation.simulator import Consortium, Party
from registry.web import patience
from tests.listening import listening
from tests.registry.submissions import anchors, sealed
from tests.waiting import PATIENCE_S, until


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    with Consortium(tmp_path_factory.mktemp("add")) as consortium:
        yield consortium


@pytest.fixture(scope="module")
def issuer(chain: Consortium) -> Party:
    return chain.add_issuer()


@pytest.fixture(scope="module")
def port(chain: Consortium) -> Iterator[int]:
    with listening(chain.transport.apps["registry.invalid"]) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture
def url(chain: Consortium, port: int) -> str:
    return f"http://127.0.0.1:{port}/{chain.genesis.identity_origin}/add"


@pytest.fixture
def path(chain: Consortium) -> str:
    return f"/{chain.genesis.identity_origin}/add"


def body(chain: Consortium, party: Party, count: int = 1) -> bytes:
    return sealed(chain, party, anchors(party, count))


def request(path: str, data: bytes, *headers: str) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: x", *headers, f"Content-Length: {len(data)}")
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + data


def receive(connection: socket.socket) -> tuple[int, Any]:
    """One answer: its status, and its body as JSON if it is JSON."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or pytest.fail("the connection ended")
    head, _, rest = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(rest) < length:
        rest += connection.recv(65536) or pytest.fail("the connection ended")
    return int(head.split()[1]), json.loads(rest[:length]) if rest[:1] == b"{" else rest


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def sent(port: int, data: bytes) -> socket.socket:
    """A connection over which so much was sent."""
    connection = connect(port)
    connection.sendall(data)
    return connection


def post(url: str, data: bytes) -> httpx.Response:
    return httpx.post(url, content=data, timeout=PATIENCE_S, trust_env=False)


def ends(connection: socket.socket) -> bool:
    """Whether the server ends the connection without a word."""
    try:
        return connection.recv(65536) == b""
    except ConnectionError:
        return True


def size(chain: Consortium) -> int:
    return chain.sequencer.chains.log(chain.genesis.identity_origin).size


def test_hundreds_at_once_over_http(chain: Consortium, issuer: Party, url: str) -> None:
    good = [body(chain, issuer) for _ in range(250)]
    bad = [b"", b"{}\n", b"\xff\n", good[0][:-1], body(chain, issuer).replace(b'"u', b'"v', 1)] * 10
    posts = [*good, *bad, *good[:50]]
    before = size(chain)

    async def run() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(timeout=PATIENCE_S, limits=limits, trust_env=False) as client:
            return await asyncio.gather(*(client.post(url, content=one) for one in posts))

    answers = asyncio.run(run())
    places: dict[bytes, int] = {}
    for data, answer in zip(posts, answers, strict=True):
        if data not in good:
            assert answer.status_code == 400
            assert answer.json()["error"]["code"].startswith("ZL-")
            continue
        assert answer.status_code in (200, 201), answer.text
        told = answer.json()
        assert told["repeated"] == (answer.status_code == 200)
        assert places.setdefault(data, told["indices"][0]) == told["indices"][0]
    assert sum(answer.status_code == 201 for answer in answers) == 250
    assert len(set(places.values())) == 250
    assert size(chain) == before + 500


def test_answers_come_in_the_order_of_pipelined_requests(
    chain: Consortium, issuer: Party, port: int, path: str
) -> None:
    with connect(port) as connection:
        for data in (body(chain, issuer, 3), b"{}\n", body(chain, issuer)):
            connection.sendall(request(path, data))
            status, told = receive(connection)
            assert (status, len(told.get("indices", []))) in {(201, 3), (400, 0), (201, 1)}
        connection.sendall(request(path, body(chain, issuer, 3)) + request(path, b"{}\n"))
        assert receive(connection)[0] == 201


def test_a_body_may_come_in_pieces(chain: Consortium, issuer: Party, port: int, path: str) -> None:
    data = request(path, body(chain, issuer, 2))
    with connect(port) as connection:
        for start in range(0, len(data), 100):
            connection.sendall(data[start : start + 100])
            time.sleep(0.002)
        assert receive(connection)[0] == 201
        chunked = body(chain, issuer, 2)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        parts = [chunked[:300], chunked[300:]]
        connection.sendall(
            head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        )
        assert receive(connection)[0] == 201


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large_a_body_is_refused(port: int, path: str, chunked: bool) -> None:
    with connect(port) as connection:
        if chunked:
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            )
            part = b"%x\r\n" % 65536 + b"x" * 65536 + b"\r\n"
            try:
                for _ in range(MAX_SUBMISSION_BYTES // 65536 + 2):
                    connection.sendall(part)
            except ConnectionError:
                pass
        else:
            data = b"x" * (MAX_SUBMISSION_BYTES + 1)
            connection.sendall(request(path, data))
        status, told = receive(connection)
    assert status == 400
    assert told["error"]["code"] == "ZL-SUBMISSION-MALFORMED"


def test_slow_senders_do_not_stop_others(
    chain: Consortium,
    issuer: Party,
    port: int,
    path: str,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = size(chain)

    def stalled(count: int) -> list[socket.socket]:
        """Senders whose bodies lack their ends."""
        return [
            held.enter_context(sent(port, request(path, body(chain, issuer))[:-5]))
            for _ in range(count)
        ]

    with ExitStack() as held:
        monkeypatch.setattr(add_api, "BODY_S", PATIENCE_S)  # none of them ends meanwhile
        stalled(40)
        assert post(url, body(chain, issuer)).status_code == 201
        monkeypatch.setattr(add_api, "BODY_S", 0.3)
        for connection in stalled(5):
            status, told = receive(connection)
            assert status == 400
            assert "slowly" in told["error"]["message"]
    assert size(chain) == before + 2


def test_bodies_in_part_are_bounded_all_together(
    chain: Consortium,
    issuer: Party,
    port: int,
    path: str,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = request(path, b"x" * 100_000)

    def tried(length: int) -> tuple[int, str] | None:
        """The answer to so much of it; none while the rest is waited for."""
        with connect(port) as late:
            late.settimeout(1)
            late.sendall(data[:length])
            try:
                status, told = receive(late)
            except TimeoutError:
                return None
            return status, told["error"]["code"]

    with connect(port) as held:
        monkeypatch.setattr(add_api, "MAX_ARRIVING_BYTES", 100_000)
        held.sendall(data[:90_000])
        # Once the server has taken it in.
        until(lambda: tried(50_000), lambda told: told == (503, "ZL-LOG-BUSY"))
        assert post(url, body(chain, issuer)).status_code == 201
    # Who left has given back what they held, once the server has noticed that they left.
    assert until(lambda: tried(90_000) is None)
    until(lambda: tried(len(data)), lambda told: told == (400, "ZL-SUBMISSION-MALFORMED"))


def test_a_sender_that_dies_changes_nothing_for_others(
    chain: Consortium, issuer: Party, port: int, path: str, url: str
) -> None:
    before = size(chain)
    for cut in (10, 200, 400):
        with connect(port) as connection:
            connection.sendall(request(path, body(chain, issuer))[:cut])
    whole = body(chain, issuer)
    with connect(port) as connection:
        connection.sendall(request(path, whole))  # and is gone before the answer
    until(lambda: size(chain) >= before + 2)
    assert size(chain) == before + 2
    again = post(url, whole)
    assert (again.status_code, again.json()["repeated"]) == (200, True)


def test_silent_connections_are_ended(
    chain: Consortium, issuer: Party, port: int, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Time enough for a whole request, also where the machine is busy.
    monkeypatch.setattr(patience, "PATIENCE_S", 1.0)
    whole = request(path, body(chain, issuer))
    with connect(port) as silent, connect(port) as halting, connect(port) as later:
        halting.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\n")
        later.sendall(whole)
        assert receive(later)[0] == 201
        later.sendall(b"POST /x HT")
        for connection in (silent, halting, later):
            assert ends(connection)


@pytest.mark.parametrize("what", ["headers", "trailers"])
def test_endless_heads_are_ended(port: int, path: str, what: str) -> None:
    with connect(port) as connection:
        start = f"POST {path} HTTP/1.1\r\nHost: x\r\n"
        if what == "trailers":
            start += "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
        connection.sendall(start.encode())
        line = b"X-Y: " + b"z" * 8000 + b"\r\n"
        try:
            for _ in range(200):
                connection.sendall(line)
        except ConnectionError:
            return
        assert ends(connection) or ends(connection)


def test_other_paths_and_methods_go_on_to_the_router(chain: Consortium, port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
        assert client.get(f"{base}/status").status_code == 200
        assert client.get(f"{base}/{chain.genesis.identity_origin}/add").status_code in (404, 405)
        assert client.post(f"{base}/add", content=b"").status_code == 404
        assert client.post(f"{base}/nowhere.example/x/add", content=b"x\n").status_code == 404
        assert client.post(f"{base}/status", content=b"").status_code == 405


def test_a_defect_becomes_a_500_and_the_server_goes_on(
    chain: Consortium, issuer: Party, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = chain.sequencer.chains.door
    with monkeypatch.context() as patched:
        patched.setattr(door, "permit", lambda *_: 1 // 0)
        assert post(url, body(chain, issuer)).status_code == 500
    assert post(url, body(chain, issuer)).status_code == 201


def test_answers_from_many_threads_all_arrive() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        answers = Answers(loop)
        waiting = [loop.create_future() for _ in range(2000)]

        def tell(part: int) -> None:
            for index in range(part, len(waiting), 4):
                answers.put(waiting[index], Added((index,), False))

        threads = [threading.Thread(target=tell, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        told = await asyncio.wait_for(asyncio.gather(*waiting), 20)
        assert [one.indices for one in told] == [(index,) for index in range(2000)]

    asyncio.run(run())
