"""The names themselves, and the addresses that they stand for.

Guarantees, against whoever writes a name: `log_url` is an https address on a named host, never on
a numeric one, and its path stays below the path that the name spells. Whether to fetch from it is
the caller's decision.

Source: did:webvh 1.0, "Method-Specific Identifier" and "The DID to HTTPS Transformation". Names
in other scripts are processed by IDNA 2003 as Python has it, where the specification asks for
IDNA 2008: the few names on which both differ lead to another address, not to another log, for the
SCID is checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from credentials.dids import check_did
from credentials.errors import DidMalformed, DidMethodUnsupported

SCID: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{46}", re.ASCII)
"""base58btc of a SHA-256 multihash."""

_PREFIX: Final = "did:webvh:"
_PORT: Final = re.compile(r"(?P<name>.*?)%3[Aa](?P<port>[0-9]{1,5})")
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)", re.ASCII)
# What a URL parser takes for a part of an IPv4 address: WHATWG URL, "ends in a number".
_NUMERIC: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)
_PATH_SAFE: Final = "!$&'()*+,;=:@~-._"


@dataclass(frozen=True)
class WebvhName:
    """A did:webvh name, taken apart. `host` is in ASCII, `path` decoded."""

    did: str
    scid: str
    host: str
    port: int | None
    path: tuple[str, ...]


def parse_webvh(did: object) -> WebvhName:
    """Take a did:webvh name apart. Raises DidMalformed, DidMethodUnsupported."""
    text = check_did(did)
    if not text.startswith(_PREFIX):
        raise DidMethodUnsupported(method=text.split(":")[1])
    scid, *rest = text.removeprefix(_PREFIX).split(":")
    if not SCID.fullmatch(scid):
        raise DidMalformed(reason="what follows did:webvh is not a hash of a log")
    if not rest:
        raise DidMalformed(reason="a did:webvh name ends in a host")
    with_port = _PORT.fullmatch(rest[0])
    port = int(with_port["port"]) if with_port else None
    if port is not None and not 0 < port < 65536:
        raise DidMalformed(reason="the port of a did:webvh name is not valid")
    host = _host(with_port["name"] if with_port else rest[0])
    return WebvhName(text, scid, host, port, tuple(_segment(part) for part in rest[1:]))


def log_url(did: object) -> str:
    """Where the log is published. Raises DidMalformed, DidMethodUnsupported."""
    return _url(parse_webvh(did), "did.jsonl")


def witness_url(did: object) -> str:
    """Where the witnesses' proofs are published. Raises DidMalformed, DidMethodUnsupported."""
    return _url(parse_webvh(did), "did-witness.json")


def _url(name: WebvhName, file: str) -> str:
    host = name.host if name.port is None else f"{name.host}:{name.port}"
    path = "/".join(quote(part, safe=_PATH_SAFE) for part in name.path) or ".well-known"
    return f"https://{host}/{path}/{file}"


def _decode(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode("utf-8")  # once, and never again
    except UnicodeDecodeError:
        raise DidMalformed(reason="it holds an escape that is not UTF-8") from None


def _host(text: str) -> str:
    try:
        host = _decode(text).encode("idna").decode("ascii")
    except UnicodeError:
        raise DidMalformed(reason="the host of a did:webvh name is not valid") from None
    labels = host.split(".")
    if (
        len(labels) < 2
        or len(host) > 253
        or not all(_LABEL.fullmatch(label) for label in labels)
        or _NUMERIC.fullmatch(labels[-1])
    ):
        raise DidMalformed(reason="the host of a did:webvh name is not valid")
    return host


def _segment(text: str) -> str:
    part = _decode(text)
    if (
        not part
        or part in (".", "..")
        or any(character in part for character in "/\\\0")
        or part != part.strip()
    ):
        raise DidMalformed(reason="the path of a did:webvh name is not valid")
    return part
