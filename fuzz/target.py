"""What a target is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schemas.errors import ZhenglianError


@dataclass(frozen=True)
class Target:
    """`read` takes any bytes; only errors of `root` may come out. `seeds` are good inputs."""

    name: str
    root: type[ZhenglianError]
    read: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]

    def attempt(self, data: bytes) -> bool:
        """Whether `data` was taken. Anything but a refusal goes through to the caller."""
        try:
            self.read(data)
        except self.root as refusal:
            str(refusal), refusal.diagnostics()  # a template may lack a parameter
            return False
        return True


def either(data: bytes, *readers: Callable[[bytes], object]) -> None:
    """Read `data` with the reader that its first byte chooses."""
    if data:
        readers[data[0] % len(readers)](data[1:])


def chosen(index: int, data: bytes) -> bytes:
    """A seed for the reader number `index` of `either`."""
    return bytes([index]) + data
