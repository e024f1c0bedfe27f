"""Bad input over HTTPS: 400 or 413 with the code of the cause, soon, and never a defect.

Every kind of `tests.credentials.bad_input`, in the place of the credential of each operation, in
both modes, to a server in a process of its own; then what is no request of HTTP at all.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from credentials.proofs import CRYPTOSUITES
from tests.credentials.bad_input import (
    CASES,
    Case,
    as_json,
    hazards,
    presented,
    signed,
    under_own_name,
)
from tests.waiting import PATIENCE_S
from zhenglian.vc_api.app import MAX_BODY
from zhenglian.vc_api.contexts import known_contexts
from zhenglian.vc_api.keys import fresh_parties
from zhenglian.vc_api.server import MAX_CONNECTIONS, Server

ROOT = Path(__file__).parents[2]
SECONDS = 2.0
"""Of the server's processor for one request. Most take 5 ms; machines of tests are slow."""
PATIENCE = 15.0
"""On the clock, for a machine that has other work."""
GROWTH_KIB = 128 << 10
"""How much more memory the server may ever have taken than when it had started."""
ADDRESS = "ecdsa-rdfc-2019"
VERIFY = f"/{ADDRESS}/credentials/verify"
MEMBERS = {
    "credentials/verify": "verifiableCredential",
    "credentials/derive": "verifiableCredential",
    "credentials/issue": "credential",
    "presentations/verify": "verifiablePresentation",
}
SENT = {name: case for name, case in CASES.items() if case.sent is not None}
PROOFS = ("proof_values: ", "keys: ", "suites: ")


@dataclass(frozen=True)
class Served:
    """A server in its own process."""

    http: httpx.Client
    process: int
    url: str
    did: str
    proof_only: bool

    def worked(self) -> float:
        """Seconds of processor time that the process has used."""
        fields = Path(f"/proc/{self.process}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_kib(self) -> int:
        """The most memory that the process has ever held."""
        status = Path(f"/proc/{self.process}/status").read_text("ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        headers = {"content-type": "application/json", **headers}
        begun = self.worked()
        answer = self.http.post(path, content=body, headers=headers)
        assert self.worked() - begun < SECONDS
        return answer

    def answers(self) -> bool:
        document = signed(ADDRESS, "P-256")
        answer = self.post(VERIFY, as_json({"verifiableCredential": document}))
        return answer.status_code == 200


@pytest.fixture(scope="module", params=[False, True], ids=["product", "proof-only"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    words = ["vc-api", "serve", "--json", *(["--proof-only"] if request.param else [])]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ZL_")}
    with subprocess.Popen(
        [sys.executable, "-m", "zhenglian", *words],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        did = told["issuers"][ADDRESS]
        try:
            with httpx.Client(base_url=told["url"], verify=False, timeout=PATIENCE_S) as http:  # noqa: S501 - self-signed
                yield Served(http, process.pid, told["url"], did, bool(request.param))
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def code(answer: httpx.Response, *statuses: int) -> str:
    assert answer.status_code in (statuses or (400, 413)), answer.text[:500]
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == answer.status_code
    assert told["verified"] is False
    assert len(answer.content) < 8192  # the input does not come back
    found: str = told["code"]
    return found


def expected(name: str, case: Case, operation: str, body: bytes, *, proof_only: bool) -> set[str]:
    """The codes that are right; none where nothing is wrong."""
    if len(body) > MAX_BODY:
        return {"ZL-VCAPI-TOO-LARGE"}
    if operation == "credentials/issue":
        if case.sent is not None and b"Enveloped" in case.sent:
            return {"ZL-MODEL"}  # what is secured already has no issuer to sign for
        if proof_only and name.startswith(PROOFS):
            return set()  # in this mode a proof that stands there is not looked at
    return {case.code}


@pytest.mark.parametrize("name", SENT)
def test_every_kind_is_refused_by_name_in_every_operation(served: Served, name: str) -> None:
    case = SENT[name]
    assert case.sent is not None
    for operation, member in MEMBERS.items():
        sent, options = case.sent, b"{}"
        if operation == "presentations/verify":
            sent, options = presented(name), b'{"challenge":"c","domain":"d"}'
        if operation == "credentials/issue" and not name.startswith("texts: "):
            sent = under_own_name(sent, served.did)
        body = b'{"%s":%s,"options":%s}' % (member.encode(), sent, options)
        answer = served.post(f"/{ADDRESS}/{operation}", body)
        right = expected(name, case, operation, body, proof_only=served.proof_only)
        if right:
            assert code(answer) in right, (operation, answer.text[:500])
            large = right <= {"ZL-VCAPI-TOO-LARGE", "ZL-LIMIT"}
            assert (answer.status_code == 413) is large, (operation, answer.status_code)
        else:
            assert answer.status_code == 201


def test_the_gate_names_path_and_term(served: Served) -> None:
    """Of every recorded hazard; where the data model refuses first, it names the path, too."""
    found = hazards()
    by_gate = 0
    for name, hazard in found.items():
        answer = served.post(VERIFY, b'{"verifiableCredential":%s}' % hazard.sent)
        # A context that is well formed and unknown can be judged elsewhere.
        refused = code(answer, 400, 413, 422 if hazard.code == "ZL-CONTEXT-UNKNOWN" else 400)
        told = answer.json()
        if refused == hazard.code:
            by_gate += 1
            if hazard.pointer is not None:
                assert told["pointer"] == hazard.pointer, name
            if refused in ("ZL-TERM-UNDEFINED", "ZL-TYPE-UNDEFINED"):
                assert json.dumps(told["term"], ensure_ascii=False).encode() in hazard.sent, name
        else:
            # Contexts of its own are read in one mode, and found to be wrong there.
            own = served.proof_only and b'"@context"' in hazard.sent
            assert refused in ("ZL-MODEL", "ZL-JSON-NUMBER") or own, (name, refused)
            assert refused != "ZL-MODEL" or told["pointer"].startswith("/"), name
    assert by_gate > len(found) / 2


# What is no request


def connect(served: Served) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    parts = urlsplit(served.url)
    plain = socket.create_connection((parts.hostname, parts.port or 0), timeout=PATIENCE)
    return context.wrap_socket(plain)


def raw(served: Served, *parts: bytes, chunks: Callable[[], bytes] | None = None) -> bytes:
    """The answer to bytes; with `chunks`, after as much of them as the server takes."""
    begun = time.monotonic()
    with connect(served) as stream:
        try:
            for part in parts:
                stream.sendall(part)
            while chunks is not None and time.monotonic() - begun < PATIENCE:
                stream.sendall(chunks())
        except OSError:
            assert chunks is not None
        data = b""
        with suppress(OSError):  # the server closes with our bytes unread
            while part := stream.recv(65536):
                data += part
                if b"\r\n\r\n" in data and b"transfer" not in data and _whole(data):
                    break
    assert time.monotonic() - begun < PATIENCE
    return data


def _whole(data: bytes) -> bool:
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.lower().splitlines():
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


def head(*lines: str, method: str = "POST", path: str = VERIFY) -> bytes:
    told = [f"{method} {path} HTTP/1.1", "host: a", "content-type: application/json", *lines]
    return ("\r\n".join(told) + "\r\n\r\n").encode("latin-1")


def status(data: bytes) -> int:
    return int(data.split(b" ", 2)[1]) if data else 0


def test_a_body_without_length_over_the_limit(served: Served) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 65536

    assert code(served.post(VERIFY, chunks()), 413) == "ZL-VCAPI-TOO-LARGE"


@pytest.mark.parametrize("length", ["1048577", "99999999999", "9" * 40])
def test_a_length_over_the_limit_is_refused_unread(served: Served, length: str) -> None:
    data = raw(served, head(f"content-length: {length}"))
    assert status(data) in (400, 413)
    if status(data) == 413:
        assert b"ZL-VCAPI-TOO-LARGE" in data


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01 nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n" * 2000 + b"x\r\n\r\n",
        head("content-length: -1"),
        head("content-length: abc"),
        head("content-length: 1", "content-length: 2"),
        head("transfer-encoding: chunked") + b"zzz\r\n",
        head("x: " + "y" * 200_000),
        head(*(f"x{n}: y" for n in range(20_000))),
        head("x\x00y: 1"),
        head(path="/" + "a" * 100_000),
    ],
    ids=range(11),
)
def test_what_is_no_http_is_answered_400(served: Served, sent: bytes) -> None:
    assert status(raw(served, sent)) in (400, 404, 431)
    assert served.answers()


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"", {}, "ZL-JSON-MALFORMED"),
        (b"\xef\xbb\xbf{}", {}, "ZL-JSON"),
        ("{}".encode("utf-16"), {}, "ZL-JSON"),
        (b"null", {}, "ZL-JSON-MALFORMED"),
        (b"{}", {"content-type": "text/html"}, "ZL-VCAPI-REQUEST"),
        (b"{}", {"content-type": "multipart/form-data; boundary=x"}, "ZL-VCAPI-REQUEST"),
        (b"{}", {"content-type": "application/json\x0b"}, "ZL-VCAPI-REQUEST"),
        (gzip.compress(b"{}"), {"content-encoding": "gzip"}, "ZL-VCAPI-REQUEST"),
        (gzip.compress(bytes(64 << 20)), {"content-encoding": "gzip"}, "ZL-VCAPI-REQUEST"),
        (gzip.compress(b"{}"), {}, "ZL-JSON"),
        (b"{}", {"content-encoding": "br"}, "ZL-VCAPI-REQUEST"),
        (b'{"verifiableCredential":{},"verifiableCredential":{}}', {}, "ZL-JSON-DUPLICATE-KEY"),
    ],
    ids=range(12),
)
def test_bodies_that_are_no_request(
    served: Served, body: bytes, headers: dict[str, str], expected: str
) -> None:
    with suppress(httpx.LocalProtocolError):  # the client refuses what no client should send
        assert code(served.post(VERIFY, body, **headers), 400).startswith(expected)


def test_addresses_and_methods_that_are_none(served: Served) -> None:
    for path in (
        "/x",
        "/../../etc/passwd",
        "/%00",
        "/%ff%fe",
        "//",
        f"/{ADDRESS}/credentials/verify/x",
        f"/{'x' * 2000}/credentials/verify",
        f"/{ADDRESS}/credentials/__class__",
    ):
        found = code(served.post(path, b"{}"), 404, 405)
        assert found == ("ZL-VCAPI-METHOD" if path == "//" else "ZL-VCAPI-ADDRESS"), path
    for method in ("PUT", "DELETE", "TRACE", "PATCH"):
        answer = served.http.request(method, VERIFY)
        assert code(answer, 405) == "ZL-VCAPI-METHOD"
    # No method of any register: what the server reads is no HTTP to it.
    assert served.http.request("BREW", VERIFY).status_code == 400
    for did in ("x", "did:key:z" + "1" * 5000, "did:jwk:e30", "did:web:a.example", "%ff", "did:"):
        answer = served.http.get(f"/1.0/identifiers/{did}")
        assert 400 <= answer.status_code < 500 or answer.status_code == 501, did


def test_a_client_that_leaves_takes_nobody_along(served: Served) -> None:
    for _ in range(20):
        with connect(served) as stream:
            stream.sendall(head("content-length: 1000") + b'{"a"')
    assert served.answers()


def test_its_memory_stays_bounded(served: Served) -> None:
    """The heaviest bodies that are taken, again and again."""
    begun = served.peak_kib()
    names = ["sizes: many statements", "shapes: many blank nodes", "shapes: 20000 contexts"]
    for name in names * 3:
        body = b'{"verifiableCredential":%s}' % (CASES[name].sent or b"")
        assert code(served.post(VERIFY, body), 413) == "ZL-LIMIT"
    assert served.peak_kib() - begun < 32 << 10
    # Of the whole module: a Python with the server's libraries takes some 90 MiB.
    assert served.peak_kib() < GROWTH_KIB + (96 << 10)
    assert served.answers()


# Clients that make it wait


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server in this process that waits as little as a test does."""
    monkeypatch.setattr("registry.web.patience.PATIENCE_S", 1.0)
    monkeypatch.setattr("zhenglian.vc_api.app.BODY_SECONDS", 1.0)
    server = Server(fresh_parties(CRYPTOSUITES), known_contexts([]))
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,))
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        with httpx.Client(base_url=server.url, verify=False, timeout=PATIENCE_S) as http:  # noqa: S501 - self-signed
            yield Served(http, os.getpid(), server.url, "", proof_only=False)
    finally:
        server.stop()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_a_body_that_never_ends_is_not_read_on(impatient: Served) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    before = impatient.peak_kib()
    begun = time.monotonic()
    raw(impatient, head("transfer-encoding: chunked"), chunks=lambda: chunk)
    assert time.monotonic() - begun < PATIENCE / 2  # the server ended it, not this test
    assert impatient.peak_kib() - before < 16 << 10
    assert impatient.answers()


def test_a_head_that_never_ends_is_not_kept(impatient: Served) -> None:
    line = b"x: " + b"y" * 60_000 + b"\r\n"
    before = impatient.peak_kib()
    begun = time.monotonic()
    raw(impatient, b"GET / HTTP/1.1\r\nhost: a\r\n", chunks=lambda: line)
    assert time.monotonic() - begun < PATIENCE / 2
    assert impatient.peak_kib() - before < 16 << 10
    assert impatient.answers()


def test_a_body_that_does_not_arrive_is_given_up(impatient: Served) -> None:
    data = raw(impatient, head("content-length: 1000") + b'{"a"')
    assert status(data) == 400
    assert b"ZL-VCAPI-REQUEST" in data
    assert impatient.answers()


def test_idle_connections_do_not_take_the_place_of_others(impatient: Served) -> None:
    streams = [connect(impatient) for _ in range(MAX_CONNECTIONS)]
    try:
        for stream in streams[::2]:
            stream.sendall(b"POST ")  # half of them begin and do not go on
        end = time.monotonic() + PATIENCE
        with httpx.Client(base_url=impatient.url, verify=False, timeout=PATIENCE) as http:  # noqa: S501 - self-signed
            status_code = 503
            while status_code == 503 and time.monotonic() < end:
                with suppress(httpx.TransportError):  # ended unheard, as one too many may be
                    status_code = http.get("/").status_code
                time.sleep(0.1)
        assert status_code == 200
    finally:
        for stream in streams:
            stream.close()
