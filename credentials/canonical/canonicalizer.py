"""Canonicalization of JSON-LD documents (interim: pyld behind the undefined-term check)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pyld import jsonld

from credentials.canonical.reference import pyld_options
from credentials.contexts import ContextStore, bundled_contexts
from credentials.errors import ContextInvalid, CredentialError, TermUndefined
from credentials.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True)
class Statement:
    """One RDF statement and the JSON pointer that produced it."""

    nquad: str
    pointer: str


@dataclass(frozen=True)
class Canonical:
    """`nquads`: sorted lines, each ending in a newline. `labels`: input label -> `c14nN`."""

    nquads: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(self.nquads)


class Canonicalizer:
    """Canonicalizes documents whose contexts are in `contexts`."""

    def __init__(self, contexts: ContextStore, limits: Limits = DEFAULT_LIMITS) -> None:
        self.contexts = contexts
        self.limits = limits

    def canonicalize(self, document: Mapping[str, Any]) -> Canonical:
        def refuse(_property: str | None) -> None:
            raise TermUndefined(pointer="?")

        options = pyld_options(self.contexts)
        try:
            jsonld.expand(
                dict(document),
                {k: v for k, v in options.items() if k != "format"},
                on_property_dropped=refuse,
            )
            text = jsonld.normalize(dict(document), options)
        except CredentialError:
            raise
        except Exception as error:  # pyld raises bare TypeErrors too
            raise ContextInvalid(reason="the document is not JSON-LD") from error
        return Canonical(tuple(text.splitlines(keepends=True)))


@lru_cache(maxsize=1)
def default_canonicalizer() -> Canonicalizer:
    """The canonicalizer of the bundled contexts."""
    return Canonicalizer(bundled_contexts())
