"""The private type table: numbers for words that our credentials use all the time.

`type_table.json` has the form of an entry of the CBOR-LD Registry, so that anyone can decode our
codes with their own CBOR-LD software. Its number, 86000571, lies where numbers are given first
come, first served (65,536 and above). It has not been registered.

The table only ever grows. A number that was published keeps its value: old codes and printed
presentations depend on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

CONTEXT: Final = "context"
URL: Final = "url"
NONE: Final = "none"


@dataclass(frozen=True, eq=False)
class TypeTable:
    """One registry entry: for each type, values by number and numbers by value."""

    entry: int
    numbers: Mapping[str, Mapping[str, int]]
    values: Mapping[str, Mapping[int, str]]

    @classmethod
    def of(cls, source: Mapping[str, Any]) -> TypeTable:
        """The table that `source`, a registry entry as JSON, describes."""
        numbers: dict[str, dict[str, int]] = {CONTEXT: {}, URL: {}, NONE: {}}
        for table in source["typeTables"]:
            numbers.setdefault(table["type"], {}).update(table["table"])
        values = {
            kind: {number: value for value, number in table.items()}
            for kind, table in numbers.items()
        }
        if any(len(values[kind]) != len(numbers[kind]) for kind in numbers):
            raise ValueError("a type table gives one number to two values")
        return cls(source["registryEntryId"], numbers, values)


@lru_cache(maxsize=1)
def private_table() -> TypeTable:
    """The type table that this software writes and reads."""
    text = files("credentials.qr").joinpath("type_table.json").read_text("utf-8")
    return TypeTable.of(json.loads(text))
