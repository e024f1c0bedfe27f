"""BBS over BLS12-381 with SHA-256: its constants, hashing to scalars, generators and the domain.

Guarantees: the values are those of the draft for `BBS_BLS12381G1_XMD:SHA-256_SSWU_RO_`; generators
are points to which nobody knows a relation, because they are hashed and never chosen. They are
computed once and kept.

Sources: draft-irtf-cfrg-bbs-signatures §4.1, §4.2, §7.2.2; RFC 9380 §5.3.1 (expand_message_xmd).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final

from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from credentials.errors import LimitExceeded

CIPHERSUITE_ID: Final = b"BBS_BLS12381G1_XMD:SHA-256_SSWU_RO_"
API_ID: Final = CIPHERSUITE_ID + b"H2G_HM2S_"
"""The interface of the signature draft (§3.5): generators hashed, messages hashed to scalars."""

POINT: Final = 48
"""Bytes of a compressed point of G1."""
PUBLIC_KEY: Final = 96
"""Bytes of a compressed point of G2."""
SCALAR: Final = 32
"""Bytes of a scalar, big-endian."""
EXPAND: Final = 48
"""`expand_len`: bytes that are reduced to a scalar, so many that the remainder is uniform."""

MAX_MESSAGES: Final = 1024
"""Messages under one signature. A credential has 20 to 60 statements; each costs a point
multiplication, and its generator has to be hashed once."""
MAX_MESSAGE: Final = 1024 * 1024
"""Bytes of one message, header or presentation header."""

P1: Final = G1Point.from_compressed_bytes(
    bytes.fromhex(
        "a8ce256102840821a3e94ea9025e4662b205762f9776b3a766c872b948f1fd22"
        "5e7c59698588e70d11406d161b4e28c9"
    )
)
"""The fixed point of the ciphersuite (§7.2.2)."""
BP2: Final = G2Point()
"""The base point of G2, in which public keys lie."""
MINUS_BP2: Final = -BP2
IDENTITY: Final = G1Point.identity()
ZERO: Final = Scalar(0)
ONE: Final = Scalar(1)

_BLOCK: Final = 64
"""Generators that are computed, and kept, at a time."""
_BLOCKS: Final = 2 * (MAX_MESSAGES // _BLOCK + 1) * 3  # three interfaces, plain and blind
_SETS: Final = 256
_SHA256_BLOCK: Final = 64
_SHA256_DIGEST: Final = 32


# Hashing


@lru_cache(maxsize=64)
def _prepared(dst: bytes, length: int) -> tuple[bytes, bytes]:
    """What RFC 9380 §5.3.1 appends to the message, and to every later block."""
    if len(dst) > 255:
        raise LimitExceeded(what="domain separation tag", limit=255)
    tagged = dst + bytes([len(dst)])
    return length.to_bytes(2, "big") + b"\0" + tagged, tagged


def expand_message(message: bytes, dst: bytes, length: int) -> bytes:
    """expand_message_xmd with SHA-256 (RFC 9380 §5.3.1)."""
    if length > 65535:
        raise LimitExceeded(what="expanded message", limit=65535)
    suffix, tagged = _prepared(dst, length)
    hasher = _Z_PAD.copy()
    hasher.update(message)
    hasher.update(suffix)
    first = hasher.digest()
    block = sha256(first + b"\x01" + tagged).digest()
    blocks = [block]
    mask = int.from_bytes(first, "big")
    for index in range(2, -(-length // _SHA256_DIGEST) + 1):
        mixed = (mask ^ int.from_bytes(block, "big")).to_bytes(_SHA256_DIGEST, "big")
        block = sha256(mixed + bytes([index]) + tagged).digest()
        blocks.append(block)
    return b"".join(blocks)[:length]


_Z_PAD: Final = sha256(bytes(_SHA256_BLOCK))


def hash_to_scalar(data: bytes, dst: bytes) -> Scalar:
    """§4.2.2: a scalar that depends on every bit of `data`."""
    return Scalar.from_be_bytes_mod_order(expand_message(data, dst, EXPAND))


def messages_to_scalars(messages: Sequence[bytes], api_id: bytes = API_ID) -> list[Scalar]:
    """§4.1.2 messages_to_scalars. Raises LimitExceeded."""
    if len(messages) > MAX_MESSAGES:
        raise LimitExceeded(what="number of signed messages", limit=MAX_MESSAGES)
    dst = api_id + b"MAP_MSG_TO_SCALAR_AS_HASH_"
    for message in messages:
        check_size(message)
    return [hash_to_scalar(message, dst) for message in messages]


def check_size(data: bytes) -> None:
    """Raise LimitExceeded for more than a message may have."""
    if len(data) > MAX_MESSAGE:
        raise LimitExceeded(what="size of a signed message", limit=MAX_MESSAGE)


# Generators


@lru_cache(maxsize=_BLOCKS)
def _block(number: int, api_id: bytes) -> tuple[tuple[G1Point, ...], tuple[bytes, ...], bytes]:
    """Generators 64 × number … of §4.1.1, their octets, and the state from which to go on."""
    seed_dst = api_id + b"SIG_GENERATOR_SEED_"
    if number:
        state = _block(number - 1, api_id)[2]
    else:
        state = expand_message(api_id + b"MESSAGE_GENERATOR_SEED", seed_dst, EXPAND)
    points = []
    for index in range(number * _BLOCK + 1, (number + 1) * _BLOCK + 1):
        state = expand_message(state + index.to_bytes(8, "big"), seed_dst, EXPAND)
        points.append(G1Point.hash_to_curve(state, api_id + b"SIG_GENERATOR_DST_"))
    return tuple(points), tuple(point.to_compressed_bytes() for point in points), state


def _create(count: int, api_id: bytes) -> tuple[list[G1Point], list[bytes]]:
    points: list[G1Point] = []
    octets: list[bytes] = []
    for number in range(-(-count // _BLOCK)):
        block = _block(number, api_id)
        points += block[0]
        octets += block[1]
    return points[:count], octets[:count]


@dataclass(frozen=True, slots=True)
class Generators:
    """The points of one kind of signature: `q1` for the domain, `h` for the messages.

    With a commitment, `h` goes on with the blind generators (the first of them for the blinding
    factor). `octets` is the part of the domain's input that depends on them alone.
    """

    q1: G1Point
    h: tuple[G1Point, ...]
    octets: bytes
    api_id: bytes

    @property
    def challenge_dst(self) -> bytes:
        return self.api_id + b"H2S_"


@lru_cache(maxsize=_SETS)
def generators(messages: int, blind: int = 0, api_id: bytes = API_ID) -> Generators:
    """create_generators (§4.1.1) for `messages` messages and `blind` blind generators.

    Raises LimitExceeded.
    """
    if messages > MAX_MESSAGES or blind > MAX_MESSAGES:
        raise LimitExceeded(what="number of signed messages", limit=MAX_MESSAGES)
    points, octets = _create(messages + 1, api_id)
    more_points, more_octets = blind_generators(blind, api_id)
    every = points + more_points
    length = (len(every) - 1).to_bytes(8, "big")
    return Generators(
        every[0], tuple(every[1:]), length + b"".join(octets + more_octets) + api_id, api_id
    )


def blind_generators(count: int, api_id: bytes) -> tuple[list[G1Point], list[bytes]]:
    """create_generators of the blind draft, and their octets."""
    return _create(count, b"BLIND_" + api_id)


def domain(public_key: bytes, points: Generators, header: bytes) -> Scalar:
    """§4.2.3 calculate_domain: binds key, number of messages and header."""
    check_size(header)
    return hash_to_scalar(
        public_key + points.octets + len(header).to_bytes(8, "big") + header, points.challenge_dst
    )
