"""Every kind of server that the project starts, against senders who mean to stop it.

Real sockets, the servers as their commands make them; what differs is only that their patience is
that of a test.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from credentials.proofs import CRYPTOSUITES
from issuer import server as issuer_server
from issuer.authority import server as authority_server
from issuer.authority.home import create, open_authority
from issuer.authority.register import LEAST_SIZE
from issuer.authority.server import AuthorityServer
from registry.web import patience, serving
from registry.web.patience import MAX_HEADERS, MAX_PIPELINED, SPARE_CONNECTIONS
from registry.web.serving import Server, configure, listen
from tests.waiting import until
from zhenglian.vc_api import server as vc_api_server
from zhenglian.vc_api.contexts import known_contexts
from zhenglian.vc_api.keys import fresh_parties

SOON_S = 30.0
"""On the clock, for a machine that has other work: many times the patience of these servers."""
PATIENCE_S = 0.3
GROWTH_KIB = 32 << 10
FEW = 24
"""Connections that each of these servers may have."""

KINDS = ("registry", "node", "issuer", "issuer-tls", "authority", "vc-api")

# One for all: each would hold the certificates of the system's authorities.
_CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_CLIENT.check_hostname, _CLIENT.verify_mode = False, ssl.CERT_NONE


@dataclass(frozen=True)
class Target:
    """A server: where it is, what it always answers, and what takes a body."""

    url: str
    page: str
    form: str

    def connect(self) -> socket.socket:
        """A connection that the server took, be this machine as busy as it may."""
        end = time.monotonic() + SOON_S
        while True:
            try:
                return self.connect_once()
            except OSError:  # while this side was held up, the server's patience ended
                assert time.monotonic() < end

    def connect_once(self) -> socket.socket:
        plain = self.plain()
        if not self.url.startswith("https"):
            return plain
        try:
            return _CLIENT.wrap_socket(plain)
        except OSError:
            plain.close()
            raise

    def tells(self, sent: bytes) -> bytes:
        """The answer to bytes. None comes when this side was held up for too long: so again."""

        def once() -> bytes:
            with self.connect() as connection, suppress(OSError):
                connection.sendall(sent)
                return told(connection)
            return b""

        return until(once, seconds=SOON_S)

    def plain(self) -> socket.socket:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        return socket.create_connection((parts.hostname, parts.port or 0), timeout=SOON_S)

    def answers(self) -> bool:
        """Within the time that idle connections may hold their places."""
        end = time.monotonic() + SOON_S
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                answer = httpx.get(
                    self.url + self.page, verify=_CLIENT, timeout=SOON_S, trust_env=False
                )
                if answer.status_code == 200:
                    return True
                assert answer.status_code == 503  # too many connections
            time.sleep(0.05)
        return False


@contextmanager
def running(
    run: Callable[[Callable[[str], None]], None], stop: Callable[[], None]
) -> Iterator[str]:
    """Runs a server in a thread; `run` is given whom to tell the address."""
    told: list[str] = []
    ready = threading.Event()

    def announce(url: str) -> None:
        told.append(url)
        ready.set()

    thread = threading.Thread(target=run, args=(announce,))
    thread.start()
    assert ready.wait(SOON_S)
    try:
        yield told[0]
    finally:
        stop()
        thread.join(SOON_S)
        assert not thread.is_alive()


def pem(folder: Path) -> tuple[Path, Path]:
    """A certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    certificate = folder / "certificate.pem"
    certificate.write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    secret = folder / "key.pem"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret


def start(kind: str, city: Any, folder: Path, stack: ExitStack) -> Target:
    """A server of a kind."""
    if kind in ("registry", "node"):
        apps = city.chain.transport.apps
        name = (
            "registry.invalid"
            if kind == "registry"
            else next(n for n in apps if n != "registry.invalid")
        )
        server = Server(configure(apps[name], connections=FEW), listen("127.0.0.1", 0))
        url = stack.enter_context(
            running(lambda tell: server.attend(lambda: tell(server.url)), server.stop)
        )
        form = f"/{city.chain.genesis.identity_origin}/add"
        return Target(url, "/status", form if kind == "registry" else "/add-checkpoint")
    if kind.startswith("issuer"):
        made: list[Server] = []

        def keep(*given: Any) -> Server:
            made.append(Server(*given))
            return made[0]

        patched = stack.enter_context(pytest.MonkeyPatch.context())
        patched.setattr(issuer_server, "Server", keep)
        certificate, key = pem(folder) if kind == "issuer-tls" else (None, None)
        address = issuer_server.Address("127.0.0.1", 0, certificate, key)
        url = stack.enter_context(
            running(
                lambda tell: issuer_server.serve(city.office, address, announce=tell),
                lambda: made[0].stop(),  # noqa: PLW0108 - made when it runs
            )
        )
        return Target(url, "/health", "/applications")
    if kind == "authority":
        create(folder, "correct horse", seed="servers", residents=LEAST_SIZE)
        opened = stack.enter_context(open_authority(folder, "correct horse"))
        authority = AuthorityServer(opened)
        url = stack.enter_context(running(authority.run, authority.stop))
        return Target(url, "/health", "/verify")
    api = vc_api_server.Server(fresh_parties(CRYPTOSUITES), known_contexts([]))
    url = stack.enter_context(running(lambda tell: api.run(lambda: tell(api.url)), api.stop))
    return Target(url, "/", "/ecdsa-rdfc-2019/credentials/verify")


@pytest.fixture(scope="module", params=KINDS)
def target(
    request: pytest.FixtureRequest, city: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    with pytest.MonkeyPatch.context() as patched, ExitStack() as stack:
        patched.setattr(patience, "PATIENCE_S", PATIENCE_S)
        patched.setattr(serving, "HANDSHAKE_S", PATIENCE_S)
        patched.setattr(issuer_server, "MAX_CONNECTIONS", FEW)
        patched.setattr(authority_server, "CONNECTIONS_LIMIT", FEW)
        patched.setattr(vc_api_server, "MAX_CONNECTIONS", FEW)
        yield start(request.param, city, tmp_path_factory.mktemp("server"), stack)


def peak_kib() -> int:
    """The most memory that this process, servers and all, has ever held."""
    status = Path(f"/proc/{os.getpid()}/status").read_text("ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)


@pytest.fixture
def bounded(target: Target) -> Iterator[Target]:
    """Memory stays bounded, and the server answers afterwards."""
    assert target.answers()
    before = peak_kib()
    yield target
    assert peak_kib() - before < GROWTH_KIB
    assert target.answers()


def told(connection: socket.socket) -> bytes:
    """Everything until the other side ends the connection, which it must."""
    end = time.monotonic() + SOON_S
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
            assert time.monotonic() < end
    except TimeoutError:
        pytest.fail("the connection was not ended")
    except OSError:  # ended while bytes of ours were unread
        pass
    assert 500 not in statuses(data)
    return data


def statuses(data: bytes) -> set[int]:
    return {int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]}


def flood(connection: socket.socket, first: bytes, more: bytes) -> bytes:
    """Send without end; the answer. The server must end it."""
    end = time.monotonic() + SOON_S
    try:
        connection.sendall(first)
        while time.monotonic() < end:
            connection.sendall(more)
        pytest.fail("the server went on reading")
    except OSError:
        return told(connection)


def begun(target: Target, *lines: str) -> bytes:
    told = (f"POST {target.form} HTTP/1.1", "Host: a", "Content-Type: application/json", *lines)
    return "\r\n".join(told).encode() + b"\r\n"


@pytest.mark.parametrize(
    "more",
    [
        b"x: " + b"y" * 60_000 + b"\r\n",  # lines
        b"y" * 60_000,  # one line
        b"a: b\r\n" * 10_000,  # many short ones
        b"\r\n" * 30_000,  # nothing: the head is over, and garbage follows
    ],
    ids=["lines", "line", "short", "empty"],
)
def test_endless_heads(bounded: Target, more: bytes) -> None:
    with bounded.connect() as connection:
        data = flood(
            connection, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: " * (more[:1] == b"y"), more
        )
    assert not statuses(data) & {500, 503}


def test_endless_address(bounded: Target) -> None:
    with bounded.connect() as connection:
        flood(connection, b"GET /", b"a" * 60_000)


def test_ten_thousand_headers(bounded: Target) -> None:
    with bounded.connect() as connection:
        sent = b"".join(b"x%d: y\r\n" % n for n in range(10_000))
        with suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + sent + b"\r\n")
        assert statuses(told(connection)) <= {431}


def test_a_header_too_many_and_one_less(bounded: Target) -> None:
    for count, expected in ((MAX_HEADERS - 1, 200), (MAX_HEADERS, 431)):
        sent = b"".join(b"x%d: y\r\n" % n for n in range(count))
        first = f"GET {bounded.page} HTTP/1.1\r\nHost: a\r\n".encode()
        assert statuses(bounded.tells(first + sent + b"\r\n")) == {expected}


@pytest.mark.parametrize("sent", [b"", b"POST ", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_silence(bounded: Target, sent: bytes) -> None:
    with bounded.connect() as connection:
        connection.sendall(sent)
        assert told(connection) == b""


def test_a_slow_head(bounded: Target) -> None:
    with bounded.connect() as connection:
        assert flood_slowly(connection, b"GET / HTTP/1.1\r\n", b"x") == b""


@pytest.mark.parametrize("way", ["length", "chunks"])
def test_a_slow_body(bounded: Target, way: str) -> None:
    line = "Content-Length: 20000" if way == "length" else "Transfer-Encoding: chunked"
    part = b"x" if way == "length" else b"1\r\nx\r\n"
    with bounded.connect() as connection:
        data = flood_slowly(connection, begun(bounded, line) + b"\r\n", part)
    assert statuses(data) <= {400, 404, 405, 408, 415}


def flood_slowly(connection: socket.socket, first: bytes, more: bytes) -> bytes:
    """Send a little all the time; the answer."""
    end = time.monotonic() + SOON_S
    connection.sendall(first)
    connection.setblocking(False)
    data = b""
    while time.monotonic() < end:
        try:
            connection.send(more)
        except OSError:
            break
        with suppress(ssl.SSLWantReadError, BlockingIOError):
            part = connection.recv(65536)
            data += part
            if not part:
                break
        time.sleep(0.05)
    else:
        pytest.fail("the server went on reading")
    return data


def test_a_body_that_is_not_sent(bounded: Target) -> None:
    with bounded.connect() as connection:
        connection.sendall(begun(bounded, "Content-Length: 20000") + b"\r\n{")
        assert statuses(told(connection)) <= {400, 404, 405, 408, 415}


def test_an_endless_body(bounded: Target) -> None:
    with bounded.connect() as connection:
        first = begun(bounded, "Transfer-Encoding: chunked") + b"\r\n"
        data = flood(connection, first, b"10000\r\n" + b" " * 0x10000 + b"\r\n")
    assert not statuses(data) & {500, 503}


def test_endless_framing(bounded: Target) -> None:
    with bounded.connect() as connection:
        first = begun(bounded, "Transfer-Encoding: chunked") + b"\r\n"
        data = flood(connection, first, b"1;" + b"a" * 60_000 + b"\r\nx\r\n")
    assert not statuses(data) & {500, 503}


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01 nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x00" * 1000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["tls", "word", "zeros", "http2"],
)
def test_pipelined_garbage(bounded: Target, garbage: bytes) -> None:
    """What was asked properly is answered first, and never with what garbage deserves."""
    page = f"GET {bounded.page} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    assert bounded.tells(page + garbage).startswith(b"HTTP/1.1 200 ")
    assert statuses(bounded.tells(garbage)) == {400}


def test_a_pipeline_without_end(bounded: Target) -> None:
    page = f"GET {bounded.page} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    with bounded.connect() as connection:
        with suppress(OSError):  # the server ends it when it has answered what it may
            connection.sendall(page * 1000)
        data = told(connection)
    assert statuses(data) <= {200, 503}
    assert data.count(b"HTTP/1.1 200 ") <= MAX_PIPELINED + 1


@pytest.mark.parametrize("half", [True, False], ids=["begun", "silent"])
def test_too_many_connections(bounded: Target, half: bool) -> None:
    streams = []
    try:
        for _ in range(FEW + SPARE_CONNECTIONS + 40):
            with suppress(OSError):  # ended unheard
                streams.append(bounded.connect_once())
                if half:
                    streams[-1].sendall(b"POST ")
        assert bounded.answers()
    finally:
        for stream in streams:
            stream.close()


def test_no_handshake(bounded: Target) -> None:
    if not bounded.url.startswith("https"):
        pytest.skip("no TLS here")
    streams = [bounded.plain() for _ in range(100)]
    try:
        for stream in streams[::2]:
            stream.sendall(b"\x16\x03\x01\x02\x00\x01")  # a ClientHello that does not go on
        assert bounded.answers()
        for stream in streams:
            assert statuses(told(stream)) == set()
    finally:
        for stream in streams:
            stream.close()


def test_one_who_does_not_take_the_answer(bounded: Target) -> None:
    """Asks all the time and reads nothing: the connection ends, and what waits is bounded."""
    page = f"GET {bounded.page} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    with bounded.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end = time.monotonic() + SOON_S
        with pytest.raises(OSError):
            while time.monotonic() < end:
                connection.sendall(page)
