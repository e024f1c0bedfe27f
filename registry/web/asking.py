"""Asking a server that has several addresses, each of which may be hostile, wrong or away.

Guaranteed: an answer is bounded and plain (`registry.web.answers`), a redirection is not followed,
and nobody is asked but the addresses that were given: no proxy of the environment is. Whoever asks
says by `read` what an answer must be; an address whose answer does not pass is left for the next.

Not guaranteed: that an answer is true. What is returned here is what was said, no more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx

from registry.errors import (
    EntryUnknown,
    QuorumMissing,
    RegistryError,
    RegistryMisbehaved,
    RegistryUnreachable,
)
from registry.web.answers import EITHER, PLAIN, AnswerUnfit, read_answer
from schemas.errors import Phrase

TIMEOUT: Final = httpx.Timeout(10.0, connect=2.0)
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024  # a bundle of 256 entries of 8 KiB takes 2 MiB
_AT_ONCE: Final = 4  # requests
_NOT_FOUND: Final = 404
_MAX_CODE: Final = 64  # characters of a stranger's that are passed on; ours take less
_MAX_REASON: Final = 500
_GRAVITY: Final = (RegistryMisbehaved, QuorumMissing, EntryUnknown, RegistryUnreachable)
"""Misbehaviour first: it must not hide behind an address that is only silent."""

Answer = tuple[int, bytes]
"""Status and body."""

_T = TypeVar("_T")
_S = TypeVar("_S")


class Addresses:
    """The addresses of one server, for any number of threads. Close it after use."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        transport: httpx.BaseTransport | None = None,
        timeout: httpx.Timeout | float = TIMEOUT,
    ) -> None:
        self.urls: Final = tuple(urls)
        self.preferred = self.urls[0] if self.urls else ""
        """Asked first; to be set by whoever finds out which of them is ahead."""
        self._pool: Final = ThreadPoolExecutor(
            len(self.urls) + _AT_ONCE, thread_name_prefix="registry client"
        )
        # No proxies or netrc from the environment: who is asked is what was configured.
        self._http = httpx.Client(
            transport=transport,
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
        )

    def close(self) -> None:
        """End the connections."""
        self._pool.shutdown(wait=True)
        self._http.close()

    # One address

    def fetch(
        self, url: str, path: str, limit: int = MAX_ANSWER_BYTES, *, packed: bool = False
    ) -> bytes | None:
        """What one address has under a path, at most `limit` bytes; None: it has nothing there.

        `packed`: it may come as gzip. Raises RegistryUnreachable, RegistryMisbehaved.
        """
        status, body = self._ask(url, "GET", path, limit=limit, packed=packed)
        if status == _NOT_FOUND:
            return None
        if status != 200:
            raise RegistryMisbehaved(
                reason=Phrase("HTTP {status} for {path}", status=status, path=path)
            )
        return body

    def _ask(
        self,
        url: str,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        content_type: str | None = None,
        limit: int = MAX_ANSWER_BYTES,
        packed: bool = False,
    ) -> Answer:
        headers = dict(EITHER if packed else PLAIN)
        if content_type:
            headers["Content-Type"] = content_type
        try:
            with self._http.stream(
                method, f"{url.rstrip('/')}/{path}", content=content, headers=headers
            ) as answer:
                body = read_answer(answer, limit, packed=packed)
        except AnswerUnfit as error:
            raise RegistryMisbehaved(reason=error.reason) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnreachable(reason=type(error).__name__) from error
        if answer.status_code >= 500:
            raise RegistryUnreachable(
                reason=Phrase(
                    "HTTP {status}: {said}",
                    status=answer.status_code,
                    said=Refusal.read(body).reason,
                )
            )
        return answer.status_code, body

    # One after the other

    def send(self, method: str, path: str, *, content: bytes, content_type: str) -> Answer:
        """Hand something in: to one address after the other, until one takes such things.

        Nodes take none, and a sequencer that stands by says so. The answer may be a refusal.
        Raises RegistryUnreachable, RegistryMisbehaved.
        """
        trouble: RegistryError = RegistryUnreachable(reason="no address is configured")
        for url in self.urls:
            try:
                status, body = self._ask(
                    url, method, path, content=content, content_type=content_type
                )
            except (RegistryUnreachable, RegistryMisbehaved) as error:
                trouble = error
                continue
            if status in (404, 405) and not _is_refusal(body):
                trouble = RegistryUnreachable(reason="only nodes answer, which take in nothing")
                continue
            return status, body
        raise trouble

    def first(self, read: Callable[[str], _T]) -> _T:
        """What the first address gives that can give it, verified by `read`.

        The preferred one is asked first. Raises the gravest of what kept them from it;
        RegistryUnreachable when there is no address.
        """
        return self._collect(read, 1)[0]

    # Several at once

    def all(self, read: Callable[[str], _T]) -> list[_T]:
        """What every address gives that can give it; the same errors when none can."""
        return self._collect(read, len(self.urls))

    def at_once(self, fetch: Callable[[_S], _T], wanted: Iterable[_S]) -> Iterator[_T]:
        """`fetch` of each that is wanted, in order, several at a time.

        `fetch` must not ask several addresses in its turn: it has one of their threads.
        """
        return self._pool.map(fetch, wanted)

    def _collect(self, read: Callable[[str], _T], count: int) -> list[_T]:
        troubles: list[RegistryError] = []
        found: list[_T] = []

        def attempt(url: str) -> _T | RegistryError:
            try:
                return read(url)
            except RegistryError as error:
                return error

        urls = sorted(self.urls, key=lambda url: url != self.preferred)
        several = count > 1 and len(urls) > 1
        for got in self._pool.map(attempt, urls) if several else map(attempt, urls):
            if isinstance(got, RegistryError):
                troubles.append(got)
                continue
            found.append(got)
            if len(found) >= count:
                break
        if not found:
            unreachable = RegistryUnreachable(reason="no address is configured")
            raise min(troubles, key=_gravity, default=unreachable)
        return found


_UNFIT: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What taking a stranger's JSON apart may raise; `Infinity` is a number to Python's parser."""


@dataclass(frozen=True)
class Refusal:
    """What an answer of refusal says, shortened: they are a stranger's words."""

    code: str
    reason: str
    positions: tuple[int, ...] = ()

    @classmethod
    def read(cls, body: bytes) -> Refusal:
        """The refusal in a body, whatever it is: one that gives no reason when it has no form."""
        try:
            error = json.loads(body)["error"]
            return cls(
                str(error["code"])[:_MAX_CODE],
                str(error["message"])[:_MAX_REASON],
                tuple(int(position) for position in error.get("positions", [])),
            )
        except _UNFIT:
            return cls("ZL-REGISTRY", "no reason was given")


@contextmanager
def intelligible() -> Iterator[None]:
    """While an answer is taken apart: RegistryMisbehaved for one that is not in form."""
    try:
        yield
    except _UNFIT as error:
        raise RegistryMisbehaved(reason="an answer that is not in form") from error


def _gravity(error: RegistryError) -> int:
    return next((rank for rank, kind in enumerate(_GRAVITY) if isinstance(error, kind)), -1)


def _is_refusal(body: bytes) -> bool:
    try:
        return "error" in json.loads(body)
    except (ValueError, TypeError, RecursionError):
        return False
