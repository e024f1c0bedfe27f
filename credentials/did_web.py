"""did:web: where a name's document is published, and reading what came from there.

Nothing is fetched here. A caller who allows it brings the bytes from `document_url`, over TLS with
the host's certificate checked; that is all the trust that did:web has, and it lasts no longer than
the fetch: a host can publish another document tomorrow, and nobody sees the difference. In the
product the chain vouches for documents instead (`dids.DocumentResolver`).

Guarantees, against whoever writes a name: the address is https on a named host, never a numeric
one, and its path stays below the one that the name spells. Against whoever answers: a document of
another name is refused.

Source: did:web Method Specification, "Read (Resolve)".
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from credentials.canonical.strict_json import parse_json_object
from credentials.dids import DidDocument, DocumentResolver, check_did
from credentials.errors import DidDocumentMalformed, DidMalformed, DidMethodUnsupported

_PREFIX: Final = "did:web:"
# What a URL parser takes for a part of an IPv4 address: WHATWG URL, "ends in a number".
_NUMERIC: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)
# What a URL parser takes for a step, or would split a path at.
_STEPS: Final = frozenset({b".", b".."})
_SPLITTING: Final = frozenset(b"/\\?#")


def document_url(did: object) -> str:
    """Where the document of `did` is published. Raises DidMalformed, DidMethodUnsupported."""
    text = check_did(did)
    if not text.startswith(_PREFIX):
        raise DidMethodUnsupported(method=text.split(":")[1])
    host, *path = text.removeprefix(_PREFIX).split(":")
    name, _, port = host.partition("%3A")
    labels = name.split(".")
    if len(labels) < 2 or _NUMERIC.fullmatch(labels[-1]):
        raise DidMalformed(reason="the host of a did:web name is not valid")
    for segment in path:
        decoded = unquote_to_bytes(segment)
        if decoded in _STEPS or any(byte in _SPLITTING or byte <= 0x20 for byte in decoded):
            raise DidMalformed(reason="the path of a did:web name is not valid")
    place = "/".join(path) or ".well-known"
    return f"https://{name}{':' if port else ''}{port}/{place}/did.json"


def web_resolver(did: object, data: bytes) -> DocumentResolver:
    """A resolver for `did` alone, from the bytes that were published at `document_url(did)`.

    Raises DidMalformed, DidMethodUnsupported, JsonMalformed, LimitExceeded, DidDocumentMalformed.
    """
    document_url(did)
    document = DidDocument.parse(parse_json_object(data))
    if document.id != did:
        raise DidDocumentMalformed(reason="it is the document of another name")
    return DocumentResolver([document])
