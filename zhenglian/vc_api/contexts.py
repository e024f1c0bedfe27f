"""The contexts that the server knows: the bundled ones, and those its operator names.

Beside them, further copies of related resources: a digest that an issuer states over one of them
is accepted, and nothing is ever processed from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from credentials.contexts import ContextStore, bundled_contexts
from credentials.errors import CredentialError
from credentials.model import is_url
from zhenglian.vc_api.errors import ContextFileUnusable

# It defines every word there is, so nothing of a document would ever be undefined: for the
# suites' sample documents only.
_CONFORMANCE: Final = {
    "https://www.w3.org/ns/credentials/examples/v2": "bundled/credentials-examples-v2.jsonld"
}
MAX_CONTEXT: Final = 1024 * 1024
"""Bytes of one context file."""


def known_contexts(named: Sequence[str], *, conformance: bool = False) -> ContextStore:
    """The store with the contexts `URL=FILE` of `named`. Raises ContextFileUnusable."""
    more: dict[str, bytes] = {}
    if conformance:
        package = files(__package__)
        more = {url: package.joinpath(file).read_bytes() for url, file in _CONFORMANCE.items()}
    more |= read_named(named)
    try:
        store = bundled_contexts().extended(more)
        for url in more:
            store.document(url)
    except CredentialError as error:
        raise ContextFileUnusable(reason=error) from error
    return store


def read_named(named: Sequence[str]) -> dict[str, bytes]:
    """The bytes of each `URL=FILE`. Raises ContextFileUnusable."""
    found: dict[str, bytes] = {}
    for entry in named:
        url, separator, name = entry.partition("=")
        if not separator or not is_url(url) or not name:
            raise ContextFileUnusable(reason="it is not of the form URL=FILE")
        try:
            with Path(name).open("rb") as stream:
                data = stream.read(MAX_CONTEXT + 1)
        except OSError as error:
            raise ContextFileUnusable(reason=error.strerror or "unreadable") from error
        if len(data) > MAX_CONTEXT:
            raise ContextFileUnusable(reason="the file is too long")
        found[url] = data
    return found
