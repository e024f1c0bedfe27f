"""The wallet's HTTP: where a hostile issuer, offer or network might want to send it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator

import httpx
import pytest

from wallet.errors import IssuerAddressUnsafe, IssuerProtocol, IssuerUnreachable
from wallet.transport import LARGEST_ANSWER, SafeHttp, check_address

BASE = "https://issuer.example/city"


def speaking(answer: Callable[[httpx.Request], httpx.Response]) -> SafeHttp:
    return SafeHttp(BASE, transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    "address",
    [
        "http://issuer.example",
        "http://169.254.169.254/latest",
        "http://127.0.0.1.attacker.example",
        "https://user@issuer.example",
        "https://user:secret@issuer.example",
        "https://issuer.example?x=1",
        "https://issuer.example#x",
        "file:///etc/passwd",
        "ftp://issuer.example",
        "//issuer.example",
        "https://",
        "https://issuer.example:99999",
        "https://[::1",
        "https://issuer.example/\n",
        "https://发证.example",
        "",
    ],
)
def test_unsafe_addresses_are_never_contacted(address: str) -> None:
    with pytest.raises(IssuerAddressUnsafe):
        check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://attacker.example/token",
        "https://issuer.example/token",
        "https://issuer.example/city.attacker.example/token",
        "https://issuer.example/cityhall/token",
        "https://issuer.example/city/../admin",
        "https://issuer.example/city/token?next=https://attacker.example",
        "https://issuer.example/city/token#x",
        "https://issuer.example/city/\\attacker.example",
        "http://issuer.example/city/token",
        None,
        7,
    ],
)
def test_endpoints_elsewhere_are_refused(address: object) -> None:
    with SafeHttp(BASE) as http, pytest.raises(IssuerProtocol):
        http.own(address, "token endpoint")


def test_redirects_are_not_followed() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(307, headers={"location": "http://169.254.169.254/"})

    with speaking(answer) as http:
        for send in (lambda: http.get(f"{BASE}/x"), lambda: http.post(f"{BASE}/x", token="t")):
            with pytest.raises(IssuerProtocol):
                send()
    assert asked == [f"{BASE}/x"] * 2


def test_answers_are_bounded_and_not_unpacked() -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)

    def packed(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "identity"
        stream = httpx.ByteStream(bomb)
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=stream)

    for answer in (packed, lambda _: httpx.Response(200, content=bytes(LARGEST_ANSWER + 1))):
        with speaking(answer) as http, pytest.raises(IssuerProtocol):
            http.get(f"{BASE}/x")


def test_a_drop_at_a_time_is_too_slow() -> None:
    now = 0.0

    def drops() -> object:
        nonlocal now
        while True:
            now += 5
            yield b" "

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=drops()))  # type: ignore[arg-type]
    with (
        SafeHttp(BASE, transport=transport, monotonic=lambda: now) as http,
        pytest.raises(IssuerUnreachable),
    ):
        http.get(f"{BASE}/x")


@pytest.mark.parametrize(
    "address",
    [
        "http://issuer.example",
        "http://127.0.0.1.evil.example",
        "ftp://issuer.example",
        "https://user@issuer.example",
        "https://issuer.example?x=1",
        "https://issuer.example#x",
        "https://issuer.example:99999",
        "https://issüer.example",
        "https://",
        "issuer.example",
        "",
    ],
)
def test_unsafe_addresses(address: str) -> None:
    with pytest.raises(IssuerAddressUnsafe):
        check_address(address)


@pytest.mark.parametrize(
    "address",
    ["https://issuer.example", "http://127.0.0.1:8001/a", "http://[::1]:8", "http://localhost:1"],
)
def test_safe_addresses(address: str) -> None:
    assert check_address(address + "/") == address


def test_well_known_stands_between_host_and_path() -> None:
    with SafeHttp("https://issuer.example/city/a") as http:
        assert (
            http.well_known("openid-credential-issuer")
            == "https://issuer.example/.well-known/openid-credential-issuer/city/a"
        )


def test_an_answer_that_drips() -> None:
    """Each read is in time; the whole is not."""
    times = iter(range(0, 1000, 10))

    class Dripping(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Drops())

    class Drops(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b" " * 65536

    with (
        SafeHttp(
            "https://issuer.example", transport=Dripping(), monotonic=lambda: float(next(times))
        ) as http,
        pytest.raises(IssuerUnreachable),
    ):
        http.get("https://issuer.example/x")
