"""Timestamped cosignatures, c2sp.org/tlog-cosignature: Ed25519 (type 0x04), ML-DSA-44 (0x06).

A cosignature says that, as of its time, the largest tree its cosigner has seen of this log has
this root, and that the tree only ever grew. What else a cosigner checked (our nodes: that every
entry is valid) is agreed with those who trust it, key by key; one key makes one set of statements.

The message that Ed25519 signs does not name the cosigner: a key used under two names could be
counted twice. `policy` therefore refuses one public key under two names. That of ML-DSA-44 names
cosigner and log, and can speak of a subtree; it leaves out extension lines, so a checkpoint that
has any cannot be signed so here (the specification allows it, and the lines would be signed by
nobody).
"""

from __future__ import annotations

from typing import Final

from registry.limits import HASH_BYTES, MAX_TIMESTAMP, MAX_TREE_SIZE

TIMESTAMP_BYTES = 8
MAX_SUBTREE_NAME: Final = 255  # tlog-cosignature, `opaque<1..2^8-1>`
_SUBTREE_LABEL: Final = b"subtree/v1\n\0"


def cosigned_message(timestamp: int, text: str) -> bytes:
    """What an Ed25519 cosigner signs for a note text at a POSIX second.

    tlog-cosignature, "Ed25519 signed message".
    """
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def subtree_message(
    cosigner: str, timestamp: int, origin: str, start: int, end: int, digest: bytes
) -> bytes:
    """What an ML-DSA-44 cosigner signs; tlog-cosignature, "ML-DSA-44 signed message".

    A checkpoint is the subtree [0, size). ValueError for what the structure cannot carry.
    """
    name, log = cosigner.encode(), origin.encode()
    if not (0 < len(name) <= MAX_SUBTREE_NAME and 0 < len(log) <= MAX_SUBTREE_NAME):
        raise ValueError("a name does not have 1 to 255 bytes")
    if not 0 <= start <= end <= MAX_TREE_SIZE or len(digest) != HASH_BYTES:
        raise ValueError("no subtree")
    if not 0 <= timestamp <= MAX_TIMESTAMP or (start and timestamp):
        raise ValueError("the timestamp is out of range, or that of a part")
    return b"".join(
        (
            _SUBTREE_LABEL,
            len(name).to_bytes(1, "big"),
            name,
            timestamp.to_bytes(8, "big"),
            len(log).to_bytes(1, "big"),
            log,
            start.to_bytes(8, "big"),
            end.to_bytes(8, "big"),
            digest,
        )
    )


def pack(timestamp: int, signature: bytes) -> bytes:
    """`timestamped_signature`: u64 seconds, then the signature."""
    if not 0 <= timestamp <= MAX_TIMESTAMP:
        raise ValueError("timestamp out of range")
    return timestamp.to_bytes(TIMESTAMP_BYTES, "big") + signature


def unpack(blob: bytes) -> tuple[int, bytes]:
    """(seconds, signature); ValueError when it is no such structure."""
    timestamp = int.from_bytes(blob[:TIMESTAMP_BYTES], "big")
    if len(blob) <= TIMESTAMP_BYTES or timestamp > MAX_TIMESTAMP:
        raise ValueError("no timestamped signature")
    return timestamp, blob[TIMESTAMP_BYTES:]
