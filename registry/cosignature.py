"""Timestamped Ed25519 cosignatures, c2sp.org/tlog-cosignature (signature type 0x04).

A cosignature says that, as of its time, the largest tree its cosigner has seen of this log has
this root, and that the tree only ever grew. What else a cosigner checked (our nodes: that every
entry is valid) is agreed with those who trust it, key by key; one key makes one set of statements.

The signed message does not name the cosigner: a key used under two names could be counted twice.
`policy` therefore refuses one public key under two names.
"""

from __future__ import annotations

from registry.limits import MAX_TIMESTAMP

TIMESTAMP_BYTES = 8


def cosigned_message(timestamp: int, text: str) -> bytes:
    """What an Ed25519 cosigner signs for a note text at a POSIX second.

    tlog-cosignature, "Ed25519 signed message".
    """
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def pack(timestamp: int, signature: bytes) -> bytes:
    """`timestamped_signature`: u64 seconds, then the signature."""
    if not 0 <= timestamp <= MAX_TIMESTAMP:
        raise ValueError("timestamp out of range")
    return timestamp.to_bytes(TIMESTAMP_BYTES, "big") + signature


def unpack(blob: bytes) -> tuple[int, bytes] | None:
    """(seconds, signature), or None when it is no such structure."""
    if len(blob) <= TIMESTAMP_BYTES:
        return None
    timestamp = int.from_bytes(blob[:TIMESTAMP_BYTES], "big")
    if timestamp > MAX_TIMESTAMP:
        return None
    return timestamp, blob[TIMESTAMP_BYTES:]
