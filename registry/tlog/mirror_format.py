"""What passes between a log and its mirrors, c2sp.org/tlog-mirror: bytes, both ways.

An upload is a header and *packages*: the entries of a run that does not cross a multiple of 256,
with the proof that they belong to a checkpoint. A package can be checked and stored alone, so
neither side holds more than one. Nothing here is authenticated; `registry.witnessing.mirror` does
that.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from registry.limits import HASH_BYTES, MAX_PROOF_HASHES
from registry.tlog.lines import parse_decimal, strict_base64
from registry.tlog.tiles import WIDTH, encode_bundle

INFO_TYPE: Final = "text/x.tlog.mirror-info"
UPLOAD_TYPE: Final = "application/octet-stream"
MAX_PACKAGES: Final = 32
"""In one request, of a client of ours: hosting platforms limit bodies (tlog-mirror)."""
MAX_PACKAGE_BYTES: Final = WIDTH * (2 + 0xFFFF) + 1 + MAX_PROOF_HASHES * HASH_BYTES
_NUMBER: Final = 8


@dataclass(frozen=True)
class UploadHeader:
    """Which entries of which log are uploaded, up to which checkpoint.

    An `origin` whose bytes are no UTF-8 has surrogates for them: it is that of no log.
    """

    origin: str
    start: int
    end: int
    ticket: bytes = b""

    def encode(self) -> bytes:
        """tlog-mirror, "Request Body"."""
        origin = self.origin.encode()
        return b"".join(
            (
                len(origin).to_bytes(2, "big"),
                origin,
                self.start.to_bytes(_NUMBER, "big"),
                self.end.to_bytes(_NUMBER, "big"),
                len(self.ticket).to_bytes(2, "big"),
                self.ticket,
            )
        )


@dataclass(frozen=True)
class Run:
    """The place of a package: entries [start, end) of the bundle that begins at `base`."""

    base: int
    start: int
    end: int


def runs(start: int, end: int) -> Iterator[Run]:
    """The canonical sequence of packages of an upload of [start, end)."""
    base = start - start % WIDTH
    while start < end:
        stop = min(end, base + WIDTH)
        yield Run(base, start, stop)
        base = start = base + WIDTH


def encode_package(entries: Iterable[bytes], proof: Sequence[bytes]) -> bytes:
    """Entries behind their lengths, then the subtree consistency proof."""
    return encode_bundle(entries) + len(proof).to_bytes(1, "big") + b"".join(proof)


class UploadParser:
    """Reads an upload as it arrives; holds one package at most. ValueError for what is none."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._entries: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """More bytes of the body."""
        self._buffer += data

    def _has(self, count: int) -> bool:
        return len(self._buffer) - self._at >= count

    def _take(self, count: int) -> bytes:
        self._at += count
        return bytes(self._buffer[self._at - count : self._at])

    def _number(self, count: int) -> int:
        return int.from_bytes(self._buffer[self._at : self._at + count], "big")

    def header(self) -> UploadHeader | None:
        """The header, once it is there."""
        if not self._has(2):
            return None
        size = self._number(2)
        fixed = 2 + size + 2 * _NUMBER
        if not self._has(fixed + 2):
            return None
        ticket = int.from_bytes(self._buffer[fixed : fixed + 2], "big")
        if not self._has(fixed + 2 + ticket):
            return None
        self._take(2)
        origin = self._take(size).decode(errors="surrogateescape")
        start = int.from_bytes(self._take(_NUMBER), "big")
        end = int.from_bytes(self._take(_NUMBER), "big")
        self._take(2)
        header = UploadHeader(origin, start, end, self._take(ticket))
        if start > end:
            raise ValueError("it ends before it starts")
        self._drop()
        return header

    def package(self, count: int) -> tuple[list[bytes], list[bytes]] | None:
        """The next package, of `count` entries: they and the proof, once they are there."""
        while len(self._entries) < count:
            if not self._has(2):
                return None
            size = self._number(2)
            if not self._has(2 + size):
                return None
            self._take(2)
            self._entries.append(self._take(size))
        if not self._has(1):
            return None
        hashes = self._number(1)
        if hashes > MAX_PROOF_HASHES:
            raise ValueError("a proof has too many hashes")
        if not self._has(1 + hashes * HASH_BYTES):
            return None
        self._take(1)
        proof = [self._take(HASH_BYTES) for _ in range(hashes)]
        entries, self._entries = self._entries, []
        self._drop()
        return entries, proof

    def _drop(self) -> None:
        del self._buffer[: self._at]
        self._at = 0


@dataclass(frozen=True)
class MirrorInfo:
    """Where a mirror stands: answers 202 and 409."""

    size: int
    next: int
    ticket: bytes = b""

    def encode(self) -> bytes:
        return f"{self.size}\n{self.next}\n{base64.b64encode(self.ticket).decode()}\n".encode()

    @classmethod
    def parse(cls, data: bytes) -> MirrorInfo:
        """ValueError when it is none."""
        lines = data.decode("ascii").split("\n")
        if len(lines) != 4 or lines.pop():
            raise ValueError("not three lines")
        return cls(parse_decimal(lines[0]), parse_decimal(lines[1]), strict_base64(lines[2]))
