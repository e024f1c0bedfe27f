"""One server at several addresses: whom is asked, whose answer counts, which trouble is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from registry.errors import (
    EntryUnknown,
    QuorumMissing,
    RegistryError,
    RegistryMisbehaved,
    RegistryUnreachable,
)
from registry.web.asking import Addresses, Refusal, intelligible

A, B, C = "http://a.example", "http://b.example/", "http://c.example"
UNKNOWN = EntryUnknown(origin="hangzhou.example/main")


@contextmanager
def asked(
    *urls: str, answer: Callable[[httpx.Request], httpx.Response] | None = None
) -> Iterator[Addresses]:
    transport = httpx.MockTransport(answer or (lambda _: httpx.Response(200)))
    addresses = Addresses(urls, transport=transport)
    try:
        yield addresses
    finally:
        addresses.close()


def refusing(**errors: RegistryError) -> Callable[[str], str]:
    """Reads the name of a host; raises for those that are named."""

    def read(url: str) -> str:
        name = url.removeprefix("http://")[0]
        if name in errors:
            raise errors[name]
        return name

    return read


def test_the_preferred_address_is_asked_first_and_the_next_when_it_fails() -> None:
    with asked(A, B, C) as addresses:
        assert addresses.first(refusing()) == "a"
        addresses.preferred = C
        assert addresses.first(refusing()) == "c"
        assert addresses.first(refusing(c=UNKNOWN)) == "a"
        assert addresses.all(refusing(a=UNKNOWN)) == ["c", "b"]


def test_misbehaviour_does_not_hide_behind_silence() -> None:
    silent = RegistryUnreachable(reason="ConnectError")
    short = QuorumMissing(reason="", needed=1, found=0)
    liar = RegistryMisbehaved(reason="a proof for another chain")
    with asked(A, B, C) as addresses:
        for read in (addresses.first, addresses.all):
            for troubles, told in (
                ((silent, UNKNOWN, silent), UNKNOWN),
                ((UNKNOWN, silent, short), short),
                ((silent, short, liar), liar),
            ):
                with pytest.raises(RegistryError) as caught:
                    read(refusing(**dict(zip("abc", troubles, strict=True))))
                assert caught.value is told


def test_no_address_is_told_apart_from_one_that_is_silent() -> None:
    with asked() as addresses:
        for call in (
            lambda: addresses.first(refusing()),
            lambda: addresses.all(refusing()),
            lambda: addresses.send("PUT", "x", content=b"", content_type="text/plain"),
        ):
            with pytest.raises(RegistryUnreachable) as caught:
                call()
            assert caught.value.params["reason"] == "no address is configured"


def test_what_is_handed_in_goes_to_the_first_that_takes_such_things() -> None:
    refusal = {"error": {"code": "ZL-ORIGIN-UNKNOWN", "message": "There is no such chain."}}

    def answer(request: httpx.Request) -> httpx.Response:
        match request.url.host:
            case "a.example":
                return httpx.Response(503, json={"error": {"code": "Z", "message": "standing by"}})
            case "b.example":
                return httpx.Response(405, text="Method Not Allowed")
        assert request.headers["Content-Type"] == "text/plain"
        return httpx.Response(404, json=refusal)

    with asked(A, B, C, answer=answer) as addresses:
        status, body = addresses.send("POST", "x/add", content=b"x", content_type="text/plain")
        assert (status, json.loads(body)) == (404, refusal)
    with asked(A, B, answer=answer) as addresses, pytest.raises(RegistryUnreachable) as caught:
        addresses.send("POST", "x/add", content=b"x", content_type="text/plain")
    assert caught.value.params["reason"] == "only nodes answer, which take in nothing"
    with asked(A, answer=answer) as addresses, pytest.raises(RegistryUnreachable) as caught:
        addresses.send("POST", "x/add", content=b"x", content_type="text/plain")
    assert caught.value.params["reason"] == "HTTP 503: standing by"


def test_what_an_address_has_under_a_path() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        status = int(request.url.path.rpartition("/")[2])
        return httpx.Response(status, content=b"1234", headers={"Location": C})

    with asked(B, answer=answer) as addresses:
        assert addresses.fetch(B, "x/200") == b"1234"
        assert addresses.fetch(B, "x/404") is None
        for path in ("x/302", "x/403"):
            with pytest.raises(RegistryMisbehaved):
                addresses.fetch(B, path)
        with pytest.raises(RegistryUnreachable):
            addresses.fetch(B, "x/500")
        with pytest.raises(RegistryMisbehaved):
            addresses.fetch(B, "x/200", limit=3)
        assert list(addresses.at_once(lambda path: addresses.fetch(B, path), ["200", "404"])) == [
            b"1234",
            None,
        ]


def test_a_refusal_is_a_strangers_words() -> None:
    def refusal(**members: object) -> Refusal:
        return Refusal.read(json.dumps({"error": members}).encode())

    assert refusal(code="A", message="b", positions=[1, 2]) == Refusal("A", "b", (1, 2))
    long = refusal(code="A" * 1000, message="b" * 1000)
    assert (len(long.code), len(long.reason), long.positions) == (64, 500, ())
    nothing = Refusal("ZL-REGISTRY", "no reason was given")
    assert refusal(code="A") == refusal(code="A", message="b", positions=["x"]) == nothing
    for body in (b"", b"[]", b"5", b'{"error": "no"}', b"\xff", b"[" * 100_000):
        assert Refusal.read(body) == nothing


def test_an_answer_that_is_not_in_form_is_misbehaviour() -> None:
    for body in (b"", b"{}", b"[]", b"5", b"[" * 100_000):
        with pytest.raises(RegistryMisbehaved), intelligible():
            json.loads(body)["index"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"code":"a","message":"b","positions":[Infinity]}}',
        b'{"error":{"code":"a","message":"b","positions":[NaN]}}',
        b'{"error":{"code":"a","message":"b","positions":{"a":1}}}',
        b'{"error":["code","message"]}',
        b'{"error":"code"}',
        b"[1]",
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_refusal_in_no_form_is_one_without_a_reason(body: bytes) -> None:
    assert Refusal.read(body) == Refusal("ZL-REGISTRY", "no reason was given")


@pytest.mark.parametrize("raised", [OverflowError, IndexError, AttributeError, RecursionError])
def test_whatever_taking_an_answer_apart_raises_has_a_name(raised: type[Exception]) -> None:
    with pytest.raises(RegistryMisbehaved), intelligible():
        raise raised
