"""Related resources: digests by which an issuer ties a credential to what stands elsewhere.

Guarantee: of every related resource that the reader holds (the contexts above all), a copy that
it holds is the one that the issuer meant. Against: a context or schema that means something else
to the reader than it did to the issuer.

Not guaranteed: anything of resources that the reader does not hold. Nothing is fetched.

Source: VC Data Model 2.0 §5.3; W3C Subresource Integrity §3.5; Controlled Identifiers 1.0 §2.5.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from credentials.contexts import ContextStore
from credentials.errors import (
    EncodingInvalid,
    LimitExceeded,
    ModelViolation,
    RelatedResourceMismatch,
)
from credentials.multibase import multibase_decode

Resources = Callable[[str], Iterable[bytes]]
"""The copies of a resource that the reader holds; none for a resource that it does not know."""

_SRI: Final = ("sha512", "sha384", "sha256")
"""Strongest first (Subresource Integrity §3.4.4)."""

# Multihash codes as unsigned varints, and the length that must follow.
_MULTIHASH: Final[Mapping[bytes, str]] = {
    b"\x12\x20": "sha256",
    b"\x20\x30": "sha384",
    b"\x13\x40": "sha512",
}


def held_by(contexts: ContextStore) -> Resources:
    """The contexts of a store as resources."""
    return lambda url: [contexts.record(url).data] if url in contexts else []


def check_related_resources(
    credential: Mapping[str, Any], resources: Resources, *, bare: bool = False
) -> None:
    """Raise RelatedResourceMismatch unless each digest fits a copy that the reader holds.

    The credential has passed `check_credential`. Both digests are checked where both are given.
    `bare` also takes a SHA-256 without multihash header for a `digestMultibase`: the official
    test suite writes them so, against VC-DI §2.6.

    Raises ModelViolation for a digest that is not one.
    """
    value = credential.get("relatedResource", [])
    listed = value if isinstance(value, list) else [value]
    for index, entry in enumerate(listed):
        copies = list(resources(entry["id"]))
        if not copies:
            continue
        place = "/relatedResource" + (f"/{index}" if isinstance(value, list) else "")
        for name, read in (("digestSRI", _read_sri), ("digestMultibase", _read_multibase)):
            if name not in entry:
                continue
            wanted = read(entry[name], bare)
            if not wanted:
                raise ModelViolation(pointer=f"{place}/{name}", reason="it is not a digest")
            if not any(
                hashlib.new(algorithm, copy).digest() == digest
                for algorithm, digest in wanted
                for copy in copies
            ):
                raise RelatedResourceMismatch(pointer=place)


def _read_sri(text: str, _bare: bool) -> list[tuple[str, bytes]]:
    """The digests of the strongest algorithm named (Subresource Integrity §3.3.2)."""
    found: dict[str, list[tuple[str, bytes]]] = {}
    for token in text.split():
        algorithm, separator, rest = token.partition("-")
        if not separator or algorithm not in _SRI:
            continue
        try:
            digest = base64.b64decode(rest.partition("?")[0], validate=True)
        except binascii.Error:
            continue
        if len(digest) == hashlib.new(algorithm).digest_size:
            found.setdefault(algorithm, []).append((algorithm, digest))
    return next((found[name] for name in _SRI if name in found), [])


def _read_multibase(text: str, bare: bool) -> list[tuple[str, bytes]]:
    try:
        data = multibase_decode(text, allowed="uz")
    except (EncodingInvalid, LimitExceeded):
        return []
    algorithm = _MULTIHASH.get(data[:2])
    if algorithm is not None and len(data) == 2 + data[1]:
        return [(algorithm, data[2:])]
    return [("sha256", data)] if bare and len(data) == 32 else []
