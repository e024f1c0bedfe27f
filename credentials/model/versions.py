"""Which version of the data model a document follows: its first context says so (VCDM §4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from schemas.names import CONTEXT_V2

Model = Literal["2.0", "1.1"]

CONTEXT_V1: Final = "https://www.w3.org/2018/credentials/v1"

CURRENT_MODEL: Final[frozenset[Model]] = frozenset({"2.0"})
"""What the product issues and accepts."""
ALL_MODELS: Final[frozenset[Model]] = frozenset({"2.0", "1.1"})
"""What the official suites send."""

FIRST_CONTEXT: Final[Mapping[str, Model]] = {CONTEXT_V2: "2.0", CONTEXT_V1: "1.1"}


def model_of(document: Mapping[str, Any]) -> Model | None:
    """The version by the document's first context; None if that is neither's."""
    context = document.get("@context")
    if not isinstance(context, list) or not context or not isinstance(context[0], str):
        return None
    return FIRST_CONTEXT.get(context[0])
