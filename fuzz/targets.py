"""All targets by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from fuzz import chain, documents, service, tokens
from fuzz.target import Target

TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        target.name: target
        for target in (*documents.TARGETS, *tokens.TARGETS, *chain.TARGETS, *service.TARGETS)
    }
)
