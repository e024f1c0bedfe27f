"""The named limits of the kernel: what an untrusted document may cost before it is refused.

Sizes are far above any credential that a public service issues and far below what would make a
desk or a node stall. A document over a limit is refused with `LimitExceeded`, before the cost
arises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_JSON_BYTES: Final = 4 * 1024 * 1024
"""One JSON text. The largest real one is a status list credential (some 100 KiB)."""

MAX_JSON_DEPTH: Final = 64
"""Nested objects and lists of a JSON text; a presentation has about eight."""

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8259 §6, RFC 7493 §2.2)."""

MAX_POINTERS: Final = 256
"""JSON pointers of one selection; a credential has about twenty claims."""


@dataclass(frozen=True)
class Limits:
    """What canonicalizing one document may cost."""

    depth: int = 32
    """Nested objects. A presentation of credentials with proofs has five."""

    statements: int = 20_000
    """RDF statements; a credential has 20 to 60, a presentation of ten some 600."""

    blank_nodes: int = 2_000
    """Nodes without an identifier."""

    contexts: int = 16
    """Entries of one `@context`."""

    canonicalization_work: int = 2_000
    """Steps of Hash N-Degree Quads (RDFC-1.0 §4.4.3 demands a bound on poisoned data).

    Only nodes that look alike take such steps: forty alike siblings some 120, a presentation of
    thirty alike credentials 1,900. All of them take about 3 ms.
    """


DEFAULT_LIMITS: Final = Limits()
