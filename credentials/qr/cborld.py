"""CBOR-LD 1.0: a JSON-LD document as few bytes, and back to the same document.

Guarantees: `encode` gives bytes that decode to exactly the document it was given, or raises
`CborLdLossy`; `decode` accepts no two readings of one byte string, costs at most what the limits
of `credentials.qr.cbor` allow, loads nothing (contexts come from the store only), and raises
nothing but the kernel's errors whatever the bytes are.

Not guaranteed: that the document is true, or valid, or signed. A term that no context defines
travels as text; the canonicalization gate refuses it later.

Form: tag 51997 over [registry entry number, map] (W3C CBOR-LD 1.0, draft of 2026). Only the type
table in `type_table.json` is read and written. The member order of objects is not kept: members
come back sorted, `@context` first; JSON and JSON-LD give order no meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from credentials.contexts import ContextStore, bundled_contexts
from credentials.errors import (
    CborLdLossy,
    CborLdMalformed,
    CborLdTableUnknown,
    CborTruncated,
    CredentialError,
    LimitExceeded,
)
from credentials.qr import cbor
from credentials.qr.cbor import MAX_BYTES, MAX_DEPTH, Cbor
from credentials.qr.table import CONTEXT, TypeTable, private_table
from credentials.qr.terms import (
    KEYWORDS,
    MAX_PLACES,
    ActiveContext,
    Entry,
    TermCompiler,
    TermNumbers,
    context_urls,
    utf16_order,
)
from credentials.qr.values import decode_value, encode_value, table_type

TAG: Final = bytes.fromhex("d9cb1d")  # 51997
_PAIR: Final = b"\x82"
_CONTEXT: Final = KEYWORDS["@context"]


class CborLd:
    """A codec for one set of contexts and one type table. Compiles each context once."""

    def __init__(self, contexts: ContextStore, table: TypeTable | None = None) -> None:
        self._compiler = TermCompiler(contexts.document)
        self._table = table or private_table()
        self._prefix = TAG + _PAIR + cbor.write(self._table.entry)

    def encode(self, document: Mapping[str, Any]) -> bytes:
        """The compact form of `document`; raises `CborLdLossy` when there is none."""
        try:
            item = _Compression(self._compiler, self._table).convert(document)
            data = self._prefix + cbor.write(item)
            same = self.decode(data) == document
        except (CborLdLossy, LimitExceeded):
            raise
        except (CredentialError, UnicodeEncodeError) as error:
            raise CborLdLossy(reason=error) from error
        if not same:
            raise CborLdLossy(reason="some value would come back changed")
        return data

    def decode(self, data: bytes) -> dict[str, Any]:
        """The document whose compact form `data` is."""
        if len(data) > MAX_BYTES:
            raise LimitExceeded(what="compact document", limit=f"{MAX_BYTES} bytes")
        if not data.startswith(self._prefix):
            self._refuse_prefix(data)
        item = cbor.read(data, len(self._prefix))
        if not isinstance(item, dict):
            raise CborLdMalformed(reason="it is not an object")
        return _Decompression(self._compiler, self._table).convert(item)

    def _refuse_prefix(self, data: bytes) -> None:
        head = TAG + _PAIR
        if len(data) < len(self._prefix) and self._prefix.startswith(data):
            raise CborTruncated
        if not data.startswith(head):
            raise CborLdMalformed(reason="it does not begin as CBOR-LD 1.0 does")
        raise CborLdTableUnknown(entry=_entry_number(data[len(head) :]))


def _entry_number(data: bytes) -> str:
    """The registry entry number that a foreign compact document names, for people."""
    sizes = {0x18: 1, 0x19: 2, 0x1A: 4, 0x1B: 8}
    if data and data[0] < 0x18:
        return str(data[0])
    size = sizes.get(data[0]) if data else None
    return str(int.from_bytes(data[1 : 1 + size], "big")) if size else "?"


class _Conversion:
    """What compression and decompression of one document share."""

    def __init__(self, compiler: TermCompiler, table: TypeTable) -> None:
        self.initial = compiler.initial
        self.table = table
        self.numbers = TermNumbers()
        self._places: dict[int, ActiveContext] = {}  # kept, so that no id is given twice

    def _embedded(self, active: ActiveContext, urls: tuple[str, ...]) -> ActiveContext:
        return self._entered(*active.embedded(urls))

    def _typed(self, active: ActiveContext, types: Iterable[str]) -> ActiveContext:
        return self._entered(*active.typed(types))

    def _below(self, active: ActiveContext, term: str) -> ActiveContext:
        return self._entered(*active.below(term))

    def _entered(self, active: ActiveContext, entries: tuple[Entry, ...]) -> ActiveContext:
        self.numbers.load(entries)
        self._places[id(active)] = active
        if len(self._places) > MAX_PLACES:
            raise LimitExceeded(what="number of kinds of objects", limit=MAX_PLACES)
        return active


class _Compression(_Conversion):
    """One document on its way to CBOR-LD."""

    def convert(self, document: Mapping[str, Any]) -> Cbor:
        return self._object(document, self.initial, 0)

    def _object(self, source: Mapping[str, Any], active: ActiveContext, depth: int) -> Cbor:
        if depth >= MAX_DEPTH:
            raise LimitExceeded(what="nesting of the document", limit=MAX_DEPTH)
        output: dict[int | str, Cbor] = {}
        contexts = source.get("@context")
        if contexts is not None:
            urls = context_urls(contexts)
            active = self._embedded(active, urls)
            known = self.table.numbers[CONTEXT]
            short: list[Cbor] = [known.get(url, url) for url in urls]
            plural = isinstance(contexts, list)
            output[_CONTEXT + plural] = short if plural else short[0]
        active = self._typed(active, _types(source, active))
        entries = []
        # Numbers are taken before the values are met, as the decoder does.
        for term in sorted(source, key=utf16_order):
            if term == "@context":
                continue
            number = self.numbers.number.get(term)
            entries.append((term, term if number is None else number))
        for term, key in entries:
            below = self._below(active, term)
            kind = table_type(term, active.terms.get(term))
            value = source[term]
            if isinstance(value, list) and isinstance(key, int):
                output[key + 1] = [self._value(v, kind, below, depth) for v in value]
            else:
                output[key] = self._value(value, kind, below, depth)
        return output

    def _value(self, value: Any, kind: str, active: ActiveContext, depth: int) -> Cbor:
        if value is None:
            return None
        if isinstance(value, Mapping):
            return self._object(value, active, depth + 1)
        if isinstance(value, list):
            if depth >= MAX_DEPTH:
                raise LimitExceeded(what="nesting of the document", limit=MAX_DEPTH)
            return [self._value(element, kind, active, depth + 1) for element in value]
        if not isinstance(value, str | int | float):
            raise CborLdLossy(reason="it holds something that JSON does not have")
        return encode_value(value, kind, self.numbers, self.table)


class _Decompression(_Conversion):
    """One compact document on its way back."""

    def convert(self, item: dict[int | str, Cbor]) -> dict[str, Any]:
        return self._object(item, self.initial)

    def _object(self, source: dict[int | str, Cbor], active: ActiveContext) -> dict[str, Any]:
        output: dict[str, Any] = {}
        contexts = self._contexts(source)
        if contexts is not None:
            output["@context"] = contexts
            active = self._embedded(active, context_urls(contexts))
        active = self._typed(active, self._object_types(source, active))
        for term, plural, value in self._entries(source):
            below = self._below(active, term)
            kind = table_type(term, active.terms.get(term))
            if plural:
                if not isinstance(value, list):
                    raise CborLdMalformed(reason="a list is announced and something else stands")
                output[term] = [self._value(element, kind, below) for element in value]
            else:
                output[term] = self._value(value, kind, below)
        return output

    def _contexts(self, source: dict[int | str, Cbor]) -> Any:
        if "@context" in source or (_CONTEXT in source and _CONTEXT + 1 in source):
            raise CborLdMalformed(reason="an object has two contexts, or one written out")
        if _CONTEXT in source:
            return self._context(source[_CONTEXT])
        several = source.get(_CONTEXT + 1)
        if several is None and _CONTEXT + 1 not in source:
            return None
        if not isinstance(several, list):
            raise CborLdMalformed(reason="a list of contexts is announced and none stands")
        return [self._context(item) for item in several]

    def _context(self, item: Cbor) -> str:
        if type(item) is int:
            url = self.table.values[CONTEXT].get(item)
            if url is None:
                raise CborLdMalformed(reason="it uses a context that the type table does not have")
            return url
        if isinstance(item, str):
            return item
        raise CborLdMalformed(reason="a context is not named by its URL")

    def _object_types(self, source: dict[int | str, Cbor], active: ActiveContext) -> list[str]:
        types: list[str] = []
        for alias in active.type_terms:
            number = self.numbers.number.get(alias)
            if number is None:
                continue
            found: list[Cbor] = []
            if number in source:
                found.append(source[number])
            several = source.get(number + 1)
            if isinstance(several, list):
                found.extend(several)
            for item in found:
                value = decode_value(item, table_type("@type", None), self.numbers, self.table)
                if not isinstance(value, str):
                    raise CborLdMalformed(reason="a type is not a text")
                types.append(value)
        return types

    def _entries(self, source: dict[int | str, Cbor]) -> list[tuple[str, bool, Cbor]]:
        entries: list[tuple[str, bool, Cbor]] = []
        seen = set()
        for key, value in source.items():
            if isinstance(key, str):
                if key in self.numbers.number:
                    raise CborLdMalformed(reason="a term that has a number is written out")
                term, plural = key, False
            elif key in (_CONTEXT, _CONTEXT + 1):
                continue
            else:
                plural = bool(key & 1)
                known = self.numbers.term.get(key - plural)
                if known is None:
                    raise CborLdMalformed(reason="it uses the number of no term")
                term = known
            if term in seen:
                raise CborLdMalformed(reason="an object has the same member twice")
            seen.add(term)
            entries.append((term, plural, value))
        return sorted(entries, key=lambda entry: utf16_order(entry[0]))

    def _value(self, item: Cbor, kind: str, active: ActiveContext) -> Any:
        if item is None:
            return None
        if isinstance(item, dict):
            return self._object(item, active)
        value = decode_value(item, kind, self.numbers, self.table)
        if isinstance(value, list):
            return [self._value(element, kind, active) for element in value]
        return value


def _types(source: Mapping[str, Any], active: ActiveContext) -> list[str]:
    types: list[str] = []
    for alias in active.type_terms:
        value = source.get(alias)
        if value is None:
            continue
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, str):
                raise CborLdLossy(reason="a type is not a text")
            types.append(name)
    return types


@lru_cache(maxsize=8)
def codec(contexts: ContextStore | None = None) -> CborLd:
    """The shared codec for `contexts` (default: the bundled ones), compiled as it is used."""
    return CborLd(contexts or bundled_contexts())


def encode(document: Mapping[str, Any], contexts: ContextStore | None = None) -> bytes:
    """The compact form of `document` under `contexts`. Raises `CborLdLossy`, `ContextUnknown`."""
    return codec(contexts).encode(document)


def decode(data: bytes, contexts: ContextStore | None = None) -> dict[str, Any]:
    """The document whose compact form `data` is. Raises kernel errors only."""
    return codec(contexts).decode(data)
