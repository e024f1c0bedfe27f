"""From a JSON-LD document to the canonical statements that a signature covers."""

from __future__ import annotations

from credentials.canonical.canonicalizer import (
    Canonical,
    Canonicalizer,
    Statement,
    default_canonicalizer,
)
from credentials.canonical.jcs import canonical_json
from credentials.canonical.strict_json import parse_json, parse_json_object

__all__ = [
    "Canonical",
    "Canonicalizer",
    "Statement",
    "canonical_json",
    "default_canonicalizer",
    "parse_json",
    "parse_json_object",
]
