"""A load generator for one HTTP/1.1 endpoint, in a process of its own.

`python -m benchmarks.load HOST PORT FILE… --connections N --seconds S` sends the ready-made
requests of the files over N keep-alive connections, each connection its next request when the
answer to the one before is there, and prints what came back as JSON: how many answers of each
status, and percentiles of the time from the write of a request to the last byte of its answer.

It measures at the client, queueing in the server and the kernel included. Requests are made
before (`write_requests`), so that this process spends its core on nothing but the wire.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import mmap
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import uvloop

_LENGTH = struct.Struct(">I")
_LENGTH_FIELD = b"content-length: "


def write_requests(path: Path, requests: Iterable[bytes]) -> int:
    """Put whole HTTP requests into a file, each behind its length; returns how many."""
    count = 0
    with path.open("wb") as file:
        for request in requests:
            file.write(_LENGTH.pack(len(request)) + request)
            count += 1
    return count


def post(host: str, path: str, body: bytes, content_type: str) -> bytes:
    """One POST request as it goes over the wire."""
    head = (
        f"POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _requests(paths: list[Path]) -> Iterator[bytes]:
    for path in paths:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            position, end = 0, len(data)
            while position < end:
                (length,) = _LENGTH.unpack_from(data, position)
                position += _LENGTH.size
                yield data[position : position + length]
                position += length


class _Run:
    """What all connections share."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self.requests = requests
        self.done = done
        self.open = 0
        self.ending = False
        self.dry = False
        self.statuses: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.refusals: Counter[str] = Counter()


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._begun = 0.0
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self._run.open += 1
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        run = self._run
        request = None if run.ending else next(run.requests, None)
        if request is None:
            run.dry |= not run.ending
            self._transport.close()
            return
        self._begun = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        split = data.find(b"\r\n\r\n")
        field = data.find(_LENGTH_FIELD, 0, split) if split >= 0 else -1
        if split < 0 or field < 0:
            self._held = data
            return
        start = field + len(_LENGTH_FIELD)
        length = int(data[start : data.index(b"\r\n", start)])
        if len(data) < split + 4 + length:
            self._held = data
            return
        self._held = b""
        run = self._run
        run.seconds.append(time.perf_counter() - self._begun)
        status = data[9:12].decode()
        run.statuses[status] += 1
        if status[0] != "2":
            run.refusals[data[split + 4 :][:200].decode(errors="replace")] += 1
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        run = self._run
        if error is not None or not (run.ending or run.dry):
            run.statuses["broken"] += 1
        run.open -= 1
        if run.open == 0 and not run.done.done():
            run.done.set_result(None)


async def _load(
    host: str, port: int, paths: list[Path], connections: int, seconds: float
) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    run = _Run(_requests(paths), loop.create_future())

    def end() -> None:
        run.ending = True

    begun = time.perf_counter()
    loop.call_later(seconds, end)
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(run), host, port)
    await run.done
    taken = time.perf_counter() - begun
    times = sorted(run.seconds)

    def at(share: float) -> float:
        return round(1000 * times[min(int(share * len(times)), len(times) - 1)], 3)

    return {
        "seconds": taken,
        "answers": dict(run.statuses),
        "refusals": dict(run.refusals.most_common(5)),
        "ran_dry": run.dry,
        "ms": {
            name: at(share)
            for name, share in (
                ("p50", 0.5),
                ("p90", 0.9),
                ("p99", 0.99),
                ("p999", 0.999),
                ("max", 1),
            )
        },
        "generator_cpu_s": time.process_time(),
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.load")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("requests", type=Path, nargs="+")
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args(arguments)
    found = uvloop.run(
        _load(given.host, given.port, given.requests, given.connections, given.seconds)
    )
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
