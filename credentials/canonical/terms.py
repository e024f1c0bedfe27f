"""Contexts, compiled: what each member name of a document means at each place in it.

pyld processes the contexts (JSON-LD 1.1 API §4.1), once per tuple of context names; this module
turns its active contexts into `Term`s that the walker can follow without thinking. Everything a
signed document may not do with a name is refused here, when the name is first met.

Guarantee: a member that gets a Term is covered by the signature under exactly that name. So a
holder cannot respell `validUntil` as its full IRI, `id` as `@id`, or hide a value behind
`@index`, and leave the signature standing while programs that read the JSON no longer see it.

Known hole: JSON-LD merges objects that carry the same `id`. Where a document describes one id in
two places, claims can be moved from one place to the other without breaking the signature. The
JSON Schema of a credential type must not leave room for that; Zhenglian's do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import RLock
from typing import Any, Final

from pyld import jsonld
from pyld.context_resolver import ContextResolver

from credentials.canonical import text
from credentials.contexts import ContextStore
from credentials.errors import (
    BlankNodeNamed,
    ContextInvalid,
    ContextMisplaced,
    ContextUnknown,
    CredentialError,
    EmptyValue,
    IriRelative,
    KeywordMisused,
    LimitExceeded,
    TermUndefined,
    TypeUndefined,
    ValueIllTyped,
    ValueRepeated,
)
from credentials.limits import Limits

_CACHED: Final = 512
"""Entries of a cache that documents can fill (contexts, types). Full caches start over, so a
hostile stream of documents costs time, not memory."""

_RESET: Final = ("@base", "@import", "@propagate")
"""What a context written into a document may not say."""

# Kinds of value that a term takes.
LITERAL: Final = 0
IDENTIFIER: Final = 1
VOCABULARY: Final = 2
JSON: Final = 3


class Term:
    """One member name in one active context."""

    __slots__ = (
        "child",
        "close",
        "direction",
        "is_graph",
        "is_keyword",
        "is_language_map",
        "is_list",
        "kind",
        "lone",
        "plain",
        "plain_iri",
        "predicate",
        "string_close",
        "token",
        "values",
    )

    def __init__(self, key: str) -> None:
        self.token = text.pointer_token(key)
        self.is_keyword = False
        self.predicate = ""
        self.kind = LITERAL
        # What ends a literal: for scalars of any type (None: by the type), and for strings.
        self.close: str | None = None
        self.string_close = '"'
        self.is_graph = False
        self.is_list = False
        self.is_language_map = False
        self.direction: str | None = None
        self.plain = False  # strings and booleans need nothing but quotes
        self.plain_iri = False  # strings need nothing but brackets
        # Active contexts: of the term's values, of objects under it, of `{"id": …}` under it.
        self.values: Active
        self.child: Active
        self.lone: Active


class Active:
    """An active context, compiled as far as documents have needed it."""

    def __init__(self, compiler: Compiler, raw: Mapping[str, Any]) -> None:
        if raw.get("@base") is not None:
            raise ContextInvalid(reason="it sets a base for relative identifiers")
        self._compiler = compiler
        self.raw = raw
        self._mappings: Mapping[str, Any] = raw["mappings"]
        self._vocabulary: str | None = raw.get("@vocab")
        self.terms: dict[str, Term] = {}
        self._types: dict[Any, tuple[Active, tuple[str, ...]]] = {}
        self._locals: dict[tuple[str, ...], Active] = {}
        self._prefixes = frozenset(
            name for name, entry in self._mappings.items() if entry and entry["_prefix"]
        )
        self.has_prefixes = bool(self._prefixes)
        self._taken: frozenset[str] | None = None
        self.id_key = "id" if self._keyword("id") == "@id" else "@id"
        self.type_key = "type" if self._keyword("type") == "@type" else "@type"

    def _keyword(self, key: str) -> str | None:
        entry = self._mappings.get(key)
        iri = entry["@id"] if entry else None
        return iri if iri is not None and iri.startswith("@") else None

    def _is_taken(self, iri: str) -> bool:
        """Whether a term stands for `iri`: then only that term may be written."""
        if self._taken is None:
            self._taken = frozenset(
                entry["@id"] for entry in self._mappings.values() if entry and entry["@id"]
            )
        return iri in self._taken

    # Members

    def term(self, key: str, pointer: str) -> Term:
        """The compiled term of a member. Raises TermUndefined, KeywordMisused, IriMalformed …"""
        found = self.terms.get(key)
        if found is None:
            found = self._compile(key, pointer + text.pointer_token(key))
            if len(self.terms) > _CACHED * 8:  # only @vocab can bring in new names for ever
                self.terms.clear()
            self.terms[key] = found
        return found

    def _compile(self, key: str, pointer: str) -> Term:
        term = Term(key)
        entry = self._mappings.get(key)
        if key.startswith("@"):
            if key == "@context" or key in (self.id_key, self.type_key):
                term.is_keyword = True
                return term
            if jsonld._is_keyword(key):
                raise KeywordMisused(pointer=pointer)
            raise TermUndefined(pointer=pointer, term=key)
        if entry is None:
            # An identifier as a member name would be a second name for a term (or for nothing).
            if self._vocabulary is None or key in self._mappings or ":" in key:
                raise TermUndefined(pointer=pointer, term=key)
            entry = {"@id": self._vocabulary + key, "reverse": False}
        iri = entry["@id"]
        if iri is None or iri.startswith("_:"):
            raise TermUndefined(pointer=pointer, term=key)  # both are dropped in silence
        if iri.startswith("@"):
            if key in (self.id_key, self.type_key):
                term.is_keyword = True
                return term
            raise KeywordMisused(pointer=pointer)
        if entry["reverse"]:
            raise KeywordMisused(pointer=pointer)
        term.predicate = text.iri(iri, pointer)
        container = entry.get("@container") or ()
        if not {"@set", "@graph", "@list", "@language"}.issuperset(container):
            # @index keys are unsigned; @id and @type maps show their keys where no reader looks.
            raise KeywordMisused(pointer=pointer)
        term.is_graph = "@graph" in container
        term.is_list = "@list" in container
        term.is_language_map = "@language" in container
        if term.is_language_map:
            term.direction = self._scoped(key, "@direction")
        self._compile_values(term, key, entry, pointer)
        return term

    def _compile_values(self, term: Term, key: str, entry: Mapping[str, Any], pointer: str) -> None:
        compiler = self._compiler
        scope = entry.get("@context")
        values = self if scope is None else compiler.scoped(self, scope)
        term.values = values
        inner = values._mappings.get(key)
        if inner is not None and (inner["@id"] or "@").startswith("@"):
            raise KeywordMisused(pointer=pointer)  # its own scoped context makes it a keyword
        inner_scope = inner.get("@context") if inner else None
        term.lone = values if inner_scope is None else compiler.scoped(values, inner_scope)
        previous = values.raw.get("previousContext")
        if previous is None:
            term.child = term.lone
        else:
            reverted = compiler.active(previous)
            term.child = reverted if inner_scope is None else compiler.scoped(reverted, inner_scope)
        # Type coercion is looked up in the values' context, but @json in the term's own.
        coerced = inner.get("@type") if inner else None
        if (entry.get("@type") == "@json") != (coerced == "@json"):
            raise ContextInvalid(reason="a scoped context redefines its own term")
        if coerced == "@json":
            term.kind = JSON
        elif coerced == "@id":
            term.kind = IDENTIFIER
        elif coerced == "@vocab":
            term.kind = VOCABULARY
        elif coerced is not None and coerced != "@none":
            if coerced == text.LANG_STRING:
                raise ContextInvalid(reason="a term is coerced to rdf:langString")
            text.iri(coerced, pointer)
            term.close = term.string_close = text.literal_close(coerced)
        else:
            language = values._scoped(key, "@language")
            direction = values._scoped(key, "@direction")
            tag = None if language is None else text.language_tag(language, pointer)
            term.string_close = text.string_close(tag, direction)
        term.plain = (
            term.kind == LITERAL
            and not (term.is_graph or term.is_list)
            and term.close != text.DOUBLE_CLOSE
        )
        term.plain_iri = (
            term.kind == IDENTIFIER
            and not (term.is_graph or term.is_list)
            and not values.has_prefixes
        )

    def _scoped(self, key: str, what: str) -> str | None:
        """The term's own language or direction, else the context's (JSON-LD 1.1 API §5.3.2)."""
        entry = self._mappings.get(key)
        found: str | None = entry[what] if entry and what in entry else self.raw.get(what)
        return found

    # Types

    def typed(self, value: object, pointer: str) -> tuple[Active, tuple[str, ...]]:
        """The context inside a node of these types, and the types as IRIs."""
        key = tuple(value) if value.__class__ is list else value
        try:
            found = self._types.get(key)
        except TypeError:  # something unhashable, so no string
            raise ValueIllTyped(pointer=pointer) from None
        if found is None:
            found = self._compile_types(key, pointer)
            if len(self._types) >= _CACHED:
                self._types.clear()
            self._types[key] = found
        return found

    def _compile_types(self, key: object, pointer: str) -> tuple[Active, tuple[str, ...]]:
        names = key if isinstance(key, tuple) else (key,)
        if not names:
            raise EmptyValue(pointer=pointer)
        if not all(isinstance(name, str) for name in names):
            raise ValueIllTyped(pointer=pointer)
        if any(name.startswith("_:") for name in names):
            raise BlankNodeNamed(pointer=pointer)
        iris = tuple(self.type_iri(name, pointer) for name in names)
        if len(set(iris)) != len(iris):
            raise ValueRepeated(pointer=pointer)
        inside = self
        for name in sorted(names):
            entry = self._mappings.get(name)
            scope = entry.get("@context") if entry else None
            if scope is not None and scope is not False:
                inside = self._compiler.type_scoped(inside, scope)
        return inside, iris

    def type_iri(self, name: str, pointer: str) -> str:
        """`<iri>` of a type: a term, or an absolute IRI that no term stands for."""
        try:
            return self._vocabulary_iri(name, pointer)
        except IriRelative:
            raise TypeUndefined(pointer=pointer, term=name) from None

    def _vocabulary_iri(self, name: str, pointer: str) -> str:
        entry = self._mappings.get(name)
        if entry is not None:
            return text.iri(entry["@id"], pointer)
        if name in self._mappings or name.startswith("@"):
            raise IriRelative(pointer=pointer)
        if ":" in name:
            iri = self.identifier(name, pointer)
            if self._is_taken(name):
                raise KeywordMisused(pointer=pointer)
            return iri
        if self._vocabulary is None:
            raise IriRelative(pointer=pointer)
        return text.iri(self._vocabulary + name, pointer)

    # Identifiers

    def identifier(self, value: object, pointer: str) -> str:
        """`<iri>` of a member `id`. Compact IRIs (`prefix:rest`) count as relative: readers of
        the JSON would compare them with the full form and find them different."""
        found = text.iri(value, pointer)
        if self._prefixes:
            prefix, _, rest = value.partition(":")  # type: ignore[attr-defined]
            if prefix in self._prefixes and not rest.startswith("//"):
                raise IriRelative(pointer=pointer)
        return found

    def vocabulary(self, value: object, pointer: str) -> str:
        """`<iri>` of a string under a term of type @vocab."""
        if not isinstance(value, str):
            raise ValueIllTyped(pointer=pointer)
        return self._vocabulary_iri(value, pointer)

    def names_none(self, key: str) -> bool:
        """Whether `key` is an alias of @none (in a language map)."""
        return self._keyword(key) == "@none"

    # Contexts in the document

    def local(self, value: object, pointer: str) -> Active:
        """This context after a `@context` member. Raises ContextMisplaced, ContextUnknown …"""
        if value.__class__ is str:
            value = [value]
        if value.__class__ is not list or not value:
            return self._local_inline([value], pointer)
        try:
            key = tuple(value)
            found = self._locals.get(key)
        except TypeError:
            return self._local_inline(value, pointer)
        if found is None:
            self._compiler.check_names(key, pointer)
            found = self._compiler.process(self, list(key))
            if len(self._locals) >= _CACHED:
                self._locals.clear()
            self._locals[key] = found
        return found

    def _local_inline(self, value: list[Any], pointer: str) -> Active:
        """Contexts written into the document are compiled afresh each time and not kept."""
        if not self._compiler.inline_contexts:
            raise ContextMisplaced(pointer=pointer)
        names = []
        for item in value:
            if isinstance(item, dict):
                if any(word in item for word in _RESET):
                    raise ContextMisplaced(pointer=pointer)
            else:
                names.append(item)
        self._compiler.check_names(names, pointer)
        return self._compiler.process(self, value)


class Compiler:
    """Processes contexts for one store. Its caches are its own: pyld's are shared by the process
    and keyed by URL alone, so that one store could be served another's contexts."""

    def __init__(self, contexts: ContextStore, limits: Limits, inline_contexts: bool) -> None:
        self._contexts = contexts
        self._limits = limits
        self.inline_contexts = inline_contexts
        self._processor = jsonld.JsonLdProcessor()
        # Threads share a compiler: what they add to an Active is the same whoever adds it, but
        # pyld's caches break when two of them write.
        self._lock = RLock()
        self._actives: dict[int, Active] = {}
        self.initial = self._root()

    def _root(self) -> Active:
        """The context before any other, with empty caches behind it."""
        self._options = {
            "base": "",
            "processingMode": "json-ld-1.1",
            "documentLoader": self._load,
            "contextResolver": ContextResolver({}, self._load),
        }
        return Active(self, self._processor._get_initial_context(self._options))

    def _load(self, url: str, _options: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": self._contexts.document(url),
        }

    def check_names(self, names: Any, pointer: str) -> None:
        """Every name is one of the store's."""
        if len(names) > self._limits.contexts:
            raise LimitExceeded(what="number of contexts", limit=self._limits.contexts)
        for name in names:
            if not isinstance(name, str):
                raise ContextMisplaced(pointer=pointer)
            if name not in self._contexts:
                raise ContextUnknown(url=name[:200])

    def active(self, raw: Mapping[str, Any]) -> Active:
        """The compiled form of an active context of pyld."""
        found = self._actives.get(id(raw))
        if found is None or found.raw is not raw:
            if len(self._actives) >= _CACHED:
                # All hang on the root; walks under way keep theirs until they are done.
                self._actives.clear()
                self.initial = self._root()
            found = self._actives[id(raw)] = Active(self, raw)
        return found

    def process(self, active: Active, local: Any, **how: bool) -> Active:
        """`active` after `local`. Raises ContextInvalid, ContextUnknown."""
        try:
            with self._lock:
                raw = self._processor._process_context(
                    active.raw, local, dict(self._options), **how
                )
                return self.active(raw)
        except (jsonld.JsonLdError, TypeError, AttributeError, KeyError, ValueError) as error:
            for cause in _chain(error):
                if isinstance(cause, CredentialError):
                    raise cause from None
            reason = getattr(error, "code", None) or "it is not a JSON-LD 1.1 context"
            raise ContextInvalid(reason=reason) from None
        except RecursionError:
            raise ContextInvalid(reason="it is nested too deeply") from None

    def scoped(self, active: Active, local: Any) -> Active:
        """Under a term with a scoped context (JSON-LD 1.1 API §5.1.2 step 8)."""
        return self.process(active, local, propagate=True, override_protected=True)

    def type_scoped(self, active: Active, local: Any) -> Active:
        """Inside a node whose type has a scoped context (§5.1.2 step 11)."""
        return self.process(active, local, propagate=False)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
