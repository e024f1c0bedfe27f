"""The terms of JSON-LD contexts and the numbers that CBOR-LD gives them.

CBOR-LD 1.0 replaces each term by a number that both sides derive from the contexts of the
document: keywords have fixed even numbers below 100, terms get 100, 102, … in the order in which
their contexts are met (terms of one context in sorted order); an odd number marks an array. This
module holds the two halves: what a term means at some place of a document (`ActiveContext`,
compiled once and shared) and the numbers of one document (`TermNumbers`).

One rule goes beyond the draft: a property-scoped `null` context, as `verifiableCredential` has in
the credentials v2 context, starts over from no terms (JSON-LD 1.1 §4.1.8). The draft is silent,
and @digitalbazaar/cborld 8.1 fails on it; presentations could not be written at all otherwise.

Contexts written into a document are refused: the numbers would depend on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from credentials.errors import CborLdMalformed, ContextInvalid, LimitExceeded
from credentials.limits import DEFAULT_LIMITS
from schemas.errors import Phrase

FIRST_TERM: Final = 100
_KEYWORDS_IN_ORDER: Final = (
    "@context @type @id @value @direction @graph @included @index @json @language @list @nest "
    "@reverse @base @container @default @embed @explicit @none @omitDefault @prefix @preserve "
    "@protected @requireAll @set @version @vocab @propagate"
)
KEYWORDS: Final[Mapping[str, int]] = {
    keyword: 2 * position for position, keyword in enumerate(_KEYWORDS_IN_ORDER.split())
}
MAX_COMPILED: Final = 1024
"""Compiled places kept by one instance, some 20 a kind of credential. When hostile combinations of
types have filled them, all are dropped and compiled again as they are needed."""
MAX_PLACES: Final = 256
"""Different kinds of places in one document; compiling one takes a tenth of a millisecond."""
MAX_CURIE_STEPS: Final = 8

_ABSENT: Final = object()


def utf16_order(text: str) -> bytes:
    """Sort key of the order in which JavaScript, and so every CBOR-LD peer, sorts strings."""
    return text.encode("utf-16-be", "surrogatepass")


@dataclass(frozen=True)
class Definition:
    """A term as one context defines it: `id` and `type` are expanded IRIs or keywords."""

    id: str | None
    type: str | None
    scoped: object  # the term's own @context, or _ABSENT
    body: Mapping[str, Any]  # as written but for expansion, to compare protected definitions
    protected: bool
    propagate: bool = True

    @property
    def names_url(self) -> bool:
        """Whether values are IRIs, by keyword alias or by type coercion."""
        return self.id in ("@id", "@type") or self.type in ("@id", "@vocab")


@dataclass(frozen=True, eq=False)
class Entry:
    """One context, read: its terms, and the batches in which they are numbered."""

    context: Mapping[str, Any]
    terms: Mapping[str, Mapping[str, Any]]
    batches: tuple[tuple[str, ...], ...]
    protected: bool


class TermNumbers:
    """Numbers of one document's terms; grows as its contexts are met."""

    __slots__ = ("_loaded", "_next", "number", "term")

    def __init__(self) -> None:
        self.number: dict[str, int] = dict(KEYWORDS)
        self.term: dict[int, str] = {number: keyword for keyword, number in KEYWORDS.items()}
        self._next = FIRST_TERM
        self._loaded: set[int] = set()

    def load(self, entries: Iterable[Entry]) -> None:
        """Number the terms of `entries` that have none yet."""
        for entry in entries:
            if id(entry) in self._loaded:
                continue
            self._loaded.add(id(entry))
            for batch in entry.batches:
                for term in batch:
                    if term not in self.number:
                        self.number[term] = self._next
                        self.term[self._next] = term
                        self._next += 2


@dataclass(frozen=True, eq=False)
class ActiveContext:
    """The terms in force at one kind of place, and the ways from there (cached)."""

    terms: Mapping[str, Definition]
    previous: ActiveContext | None
    compiler: TermCompiler
    type_terms: tuple[str, ...]
    retained: bool  # whether some terms end with the object they apply to
    _ways: dict[object, tuple[ActiveContext, tuple[Entry, ...]]] = field(
        default_factory=dict, repr=False
    )

    def embedded(self, contexts: tuple[str, ...]) -> tuple[ActiveContext, tuple[Entry, ...]]:
        """After the `@context` of an object (URLs only)."""
        if not contexts:
            return self, ()
        return self._way(contexts, lambda: self.compiler.apply(self, self.terms, contexts))

    def typed(self, types: Iterable[str]) -> tuple[ActiveContext, tuple[Entry, ...]]:
        """After the types of an object, whose scoped contexts apply in sorted order."""
        ordered = tuple(sorted(set(types), key=utf16_order))
        if all(self._scope(name) is _ABSENT for name in ordered):
            return self, ()
        return self._way(("@type", *ordered), lambda: self.compiler.apply_types(self, ordered))

    def below(self, term: str) -> tuple[ActiveContext, tuple[Entry, ...]]:
        """For the values of `term`: type-scoped terms end, its own context begins."""
        scoped = self._scope(term)
        if scoped is _ABSENT and not self.retained:
            return self, ()
        key = ("@property", term if scoped is not _ABSENT else None)
        return self._way(key, lambda: self.compiler.apply_property(self, scoped))

    def _scope(self, term: str) -> object:
        definition = self.terms.get(term)
        return _ABSENT if definition is None else definition.scoped

    def _way(
        self, key: object, make: Callable[[], tuple[ActiveContext, tuple[Entry, ...]]]
    ) -> tuple[ActiveContext, tuple[Entry, ...]]:
        way = self._ways.get(key)
        if way is None:
            way = make()
            self._ways[key] = way
            self.compiler.count()
        return way


class TermCompiler:
    """Reads contexts through `document` (URL to context document) and compiles what they mean."""

    def __init__(self, document: Callable[[str], Mapping[str, Any]]) -> None:
        self._document = document
        self._by_url: dict[str, Entry] = {}
        self._inline: dict[int, tuple[object, Entry]] = {}
        self._compiled = 0
        self.initial = self._start()

    def _start(self) -> ActiveContext:
        return ActiveContext({}, None, self, ("@type",), retained=False)

    def count(self) -> None:
        """Note one more compiled place; start over when there are too many."""
        self._compiled += 1
        if self._compiled >= MAX_COMPILED:
            self._compiled = 0
            self.initial = self._start()

    # Reading contexts (CBOR-LD 1.0, Load Context and Add Context)

    def entry(self, context: object) -> Entry:
        """The entry of a context URL, or of an object that stands inside a known context."""
        if isinstance(context, str):
            known = self._by_url.get(context)
            if known is None:
                document = self._document(context)
                known = self._read(document.get("@context"), context)
                self._by_url[context] = known
            return known
        cached = self._inline.get(id(context))
        if cached is None:
            # The context object is kept beside its entry: its id stays taken.
            cached = (context, self._read(context, "a scoped context"))
            self._inline[id(context)] = cached
        return cached[1]

    def _read(self, context: object, where: str) -> Entry:
        if not isinstance(context, Mapping):
            raise ContextInvalid(reason=Phrase("{where} is not one object", where=where))
        batches: tuple[tuple[str, ...], ...] = ()
        imported = context.get("@import")
        if imported is not None:
            base = self.entry(imported)
            context = {**base.context, **context}
            batches = base.batches
        terms: dict[str, Mapping[str, Any]] = {}
        for term in sorted(context, key=utf16_order):
            definition = context[term]
            if term in KEYWORDS or term == "@import" or definition is None:
                continue
            if isinstance(definition, str):
                definition = {"@id": definition}
            if not isinstance(definition, Mapping):
                raise ContextInvalid(
                    reason=Phrase("a term in {where} is neither text nor object", where=where)
                )
            terms[term] = definition
        protected = bool(context.get("@protected"))
        return Entry(context, terms, (*batches, tuple(terms)), protected)

    # Applying contexts (Update Term Map, Revert Term Map)

    def apply(
        self,
        active: ActiveContext,
        terms: Mapping[str, Definition],
        contexts: Iterable[object],
        *,
        property_scope: bool = False,
        type_scope: bool = False,
    ) -> tuple[ActiveContext, tuple[Entry, ...]]:
        entries = []
        for context in contexts:
            if context is None and property_scope:
                terms = {}
                continue
            entry = self.entry(context)
            entries.append(entry)
            terms = self._updated(terms, entry, property_scope, type_scope)
        return self._active(terms, active), tuple(entries)

    def apply_types(
        self, active: ActiveContext, types: tuple[str, ...]
    ) -> tuple[ActiveContext, tuple[Entry, ...]]:
        terms = active.terms
        entries: list[Entry] = []
        for name in types:
            definition = terms.get(name)
            if definition is None or definition.scoped is _ABSENT:
                continue
            applied, loaded = self.apply(
                active, terms, _as_list(definition.scoped), type_scope=True
            )
            terms = applied.terms
            entries.extend(loaded)
        return self._active(terms, active), tuple(entries)

    def apply_property(
        self, active: ActiveContext, scoped: object
    ) -> tuple[ActiveContext, tuple[Entry, ...]]:
        terms: dict[str, Definition] = {}
        for term, definition in active.terms.items():
            if definition.propagate:
                terms[term] = definition
                continue
            # A term of a type-scoped context ends here; what it hid comes back.
            earlier = active.previous
            while earlier is not None:
                hidden = earlier.terms.get(term)
                if hidden is None:
                    break
                if hidden.propagate:
                    terms[term] = hidden
                    break
                earlier = earlier.previous
        contexts = () if scoped is _ABSENT else _as_list(scoped)
        return self.apply(active, terms, contexts, property_scope=True)

    def _active(self, terms: Mapping[str, Definition], previous: ActiveContext) -> ActiveContext:
        aliases = tuple(term for term, definition in terms.items() if definition.id == "@type")
        retained = any(not definition.propagate for definition in terms.values())
        return ActiveContext(terms, previous, self, ("@type", *aliases), retained)

    def _updated(
        self,
        active: Mapping[str, Definition],
        entry: Entry,
        property_scope: bool,
        type_scope: bool,
    ) -> dict[str, Definition]:
        propagate = bool(entry.context.get("@propagate", not type_scope))
        terms = {
            term: self._definition(term, body, entry, active, propagate)
            for term, body in entry.terms.items()
        }
        for term, before in active.items():
            now = terms.get(term)
            if now is None:
                # A context that sets a term to null takes it away.
                if entry.context.get(term, _ABSENT) is not None:
                    terms[term] = before
            elif before.protected:
                same = now.body == before.body
                if not same and not property_scope:
                    raise ContextInvalid(
                        reason=Phrase("it redefines the protected term {term!r}", term=term)
                    )
                if same:
                    terms[term] = replace(now, protected=True)
        return terms

    def _definition(
        self,
        term: str,
        body: Mapping[str, Any],
        entry: Entry,
        active: Mapping[str, Definition],
        propagate: bool,
    ) -> Definition:
        identifier = _expanded(body.get("@id", term), entry, active)
        coerced = _expanded(body.get("@type"), entry, active)
        if "@id" not in body and identifier is not None and ":" not in identifier:
            identifier = None  # defined through @vocab; no codec depends on it
        resolved = {**body, "@id": identifier, "@type": coerced}
        scoped = body.get("@context", _ABSENT)
        return Definition(identifier, coerced, scoped, resolved, entry.protected, propagate)


def _expanded(value: object, entry: Entry, active: Mapping[str, Definition]) -> str | None:
    """`value` with its compact IRI prefix expanded, as far as the contexts at hand define it."""
    if not isinstance(value, str):
        return None
    for _ in range(MAX_CURIE_STEPS):
        prefix, colon, suffix = value.partition(":")
        if not colon or suffix.startswith("//"):
            return value
        definition = entry.context.get(prefix)
        if definition is None and prefix in active:
            definition = active[prefix].id
        base = definition.get("@id") if isinstance(definition, Mapping) else definition
        if not isinstance(base, str):
            return value
        value = base + suffix
    raise ContextInvalid(reason="a compact IRI does not come to an end")


def _as_list(contexts: object) -> tuple[object, ...]:
    return tuple(contexts) if isinstance(contexts, list) else (contexts,)


def context_urls(value: object) -> tuple[str, ...]:
    """The URLs of an `@context` value; anything else is refused."""
    urls = value if isinstance(value, list) else [value]
    if len(urls) > DEFAULT_LIMITS.contexts:
        raise LimitExceeded(what="list of contexts", limit=DEFAULT_LIMITS.contexts)
    if not all(isinstance(url, str) for url in urls):
        raise CborLdMalformed(reason="a context is not named by its URL")
    return tuple(urls)
