"""One pass over a document: the strict gate, and the statements that it makes.

Guarantee: every value that the document shows becomes at least one statement, or the document is
refused with the JSON pointer of the culprit. The statements are those of the JSON-LD 1.1
algorithms (Expansion §5.1, Node Map Generation §7.2, Deserialize to RDF §8.1) with base null and
rdfDirection i18n-datatype; tests hold them against pyld.

Each quad carries the pointer of the value that made it: a node's `type` statements that of its
`type` member, an @list or a JSON value as a whole that of its property. Blank nodes are numbered
from 0 as they are met.
"""

from __future__ import annotations

from typing import Any

from credentials.canonical import text
from credentials.canonical.rdfc import Quad
from credentials.canonical.rdfc import Term as Node
from credentials.canonical.terms import IDENTIFIER, JSON, LITERAL, VOCABULARY, Active, Term
from credentials.errors import (
    BlankNodeNamed,
    DirectionInvalid,
    EmptyValue,
    KeywordMisused,
    LimitExceeded,
    NullValue,
    ValueIllTyped,
    ValueRepeated,
)
from credentials.limits import Limits

_needs_care = text.NEEDS_CARE.search
_is_iri = text.is_iri
_RDF_TYPE = text.RDF_TYPE


class Walk:
    """The statements of one document. Use once: `Walk(limits).document(document, initial)`."""

    __slots__ = ("_depth", "_limits", "_max_depth", "_max_quads", "blanks", "quads")

    def __init__(self, limits: Limits) -> None:
        self.quads: list[Quad] = []
        self.blanks = 0
        self._limits = limits
        self._max_quads = limits.statements
        self._max_depth = limits.depth

    def document(self, document: dict[str, Any], initial: Active) -> None:
        """Walk a whole document. Raises DocumentRefused, LimitExceeded and context errors."""
        self._node(document, initial, None, "", 0)
        if not self.quads:
            raise EmptyValue(pointer="")
        self._check_limits()

    def _check_limits(self) -> None:
        if len(self.quads) > self._max_quads:
            raise LimitExceeded(what="number of statements", limit=self._max_quads)
        if self.blanks > self._limits.blank_nodes:
            raise LimitExceeded(what="number of blank nodes", limit=self._limits.blank_nodes)

    def _node(
        self, node: dict[str, Any], active: Active, graph: int | None, pointer: str, depth: int
    ) -> Node:
        """A node object; `active` is the context under the property that holds it."""
        if depth > self._max_depth:
            raise LimitExceeded(what="nesting of the document", limit=self._max_depth)
        quads = self.quads
        if len(quads) > self._max_quads:
            self._check_limits()
        if "@context" in node:
            active = active.local(node["@context"], pointer + "/@context")

        types: tuple[str, ...] = ()
        where = ""
        type_key = active.type_key
        declared = node.get(type_key)
        if declared is not None:
            where = f"{pointer}/{type_key}"
            # Types are looked up before their own scoped contexts apply (§5.1.2 step 11).
            active, types = active.typed(declared, where)
            if active.type_key != type_key:
                raise KeywordMisused(pointer=where)
        elif "@type" in node:
            raise KeywordMisused(pointer=f"{pointer}/@type")  # the context has another name for it

        subject: Node
        identifier = node.get(active.id_key)
        if identifier is None:
            subject = self.blanks
            self.blanks += 1
        elif identifier.__class__ is str and not active.has_prefixes and _is_iri(identifier):
            subject = f"<{identifier}>"
        else:
            subject = self._identifier(identifier, active, f"{pointer}/{active.id_key}")
        for iri in types:
            quads.append((subject, _RDF_TYPE, iri, graph, where))

        terms = active.terms
        for key, value in node.items():
            term = terms.get(key)
            if term is None:
                if key.__class__ is not str:
                    raise ValueIllTyped(pointer=pointer)
                term = active.term(key, pointer)
            kind = value.__class__
            # The three shapes of nearly every claim, without a call each.
            if kind is str:
                if term.plain:
                    if _needs_care(value) is not None:
                        value = text.escape(value)  # noqa: PLW2901
                    literal = f'"{value}{term.string_close}'
                    quads.append((subject, term.predicate, literal, graph, pointer + term.token))
                    continue
                if term.plain_iri and _is_iri(value) is not None:
                    iri = f"<{value}>"
                    quads.append((subject, term.predicate, iri, graph, pointer + term.token))
                    continue
            elif kind is bool and term.plain:
                literal = f'"{"true" if value else "false"}{term.close or text.BOOLEAN_CLOSE}'
                quads.append((subject, term.predicate, literal, graph, pointer + term.token))
                continue
            if term.is_keyword:
                if value is None:
                    raise NullValue(pointer=pointer + term.token)
                if key not in ("@context", type_key, active.id_key):
                    raise KeywordMisused(pointer=pointer + term.token)
            else:
                self._property(subject, term, value, active, graph, pointer + term.token, depth)
        return subject

    def _identifier(self, value: object, active: Active, pointer: str) -> str:
        if _names_blank(value):
            raise BlankNodeNamed(pointer=pointer)
        return active.identifier(value, pointer)

    def _property(
        self,
        subject: Node,
        term: Term,
        value: Any,
        active: Active,
        graph: int | None,
        pointer: str,
        depth: int,
    ) -> None:
        """All values of one property."""
        quads = self.quads
        if term.kind == JSON:
            literal = text.json_literal(value, pointer)
            quads.append((subject, term.predicate, literal, graph, pointer))
        elif term.is_list:
            self._list(subject, term, value, graph, pointer, depth)
        elif value.__class__ is list:
            if not value:
                raise EmptyValue(pointer=pointer)
            if len(value) > self._max_quads:
                raise LimitExceeded(what="number of statements", limit=self._max_quads)
            if len(value) == 1:
                self._statement(subject, term, value[0], graph, f"{pointer}/0", depth)
                return
            seen: set[Node] = set()
            for index, item in enumerate(value):
                made = self._statement(subject, term, item, graph, f"{pointer}/{index}", depth)
                if made in seen:
                    raise ValueRepeated(pointer=pointer)
                seen.add(made)
        elif term.is_language_map and value.__class__ is dict:
            self._language_map(subject, term, value, active, graph, pointer)
        else:
            self._statement(subject, term, value, graph, pointer, depth)

    def _statement(
        self, subject: Node, term: Term, value: Any, graph: int | None, pointer: str, depth: int
    ) -> Node:
        """One value of a property."""
        quads = self.quads
        if term.is_graph:
            return self._graph(subject, term, value, graph, pointer, depth)
        if value.__class__ is dict:
            if "@value" in value:
                made: Node = self._value_object(value, term, pointer)
            elif "@list" in value:
                self._list(subject, term, value, graph, pointer, depth)
                return -len(quads)  # no two lists are the same
            else:
                # Before the node's own statements, so that they read from the root down.
                place = len(quads)
                made = self._object(value, term, graph, pointer, depth)
                quads.insert(place, (subject, term.predicate, made, graph, pointer))
                return made
        else:
            made = self._scalar(value, term, pointer)
        quads.append((subject, term.predicate, made, graph, pointer))
        return made

    def _object(
        self, value: dict[str, Any], term: Term, graph: int | None, pointer: str, depth: int
    ) -> Node:
        """A node object under a property, or a mere reference to one."""
        if len(value) == 1:
            key = term.lone.id_key
            if key in value:
                return self._identifier(value[key], term.lone, f"{pointer}/{key}")
        return self._node(value, term.child, graph, pointer, depth + 1)

    def _scalar(self, value: Any, term: Term, pointer: str) -> Node:
        kind = term.kind
        if value is None:
            raise NullValue(pointer=pointer)
        if kind == IDENTIFIER:
            return self._identifier(value, term.values, pointer)
        if value.__class__ is str:
            if kind == LITERAL:
                return text.literal(value, term.string_close, pointer)
            if _names_blank(value):
                raise BlankNodeNamed(pointer=pointer)
            return term.values.vocabulary(value, pointer)
        if kind == VOCABULARY:
            raise ValueIllTyped(pointer=pointer)
        return text.literal(value, term.close, pointer)

    def _graph(
        self, subject: Node, term: Term, value: Any, graph: int | None, pointer: str, depth: int
    ) -> int:
        """A value of a @graph container: its statements stand in a graph of their own."""
        if value is None:
            raise NullValue(pointer=pointer)
        if value.__class__ is not dict or "@value" in value or "@list" in value:
            raise ValueIllTyped(pointer=pointer)  # a scalar alone in a graph states nothing
        name = self.blanks
        self.blanks += 1
        quads = self.quads
        quads.append((subject, term.predicate, name, graph, pointer))
        before = len(quads)
        self._node(value, term.child, name, pointer, depth + 1)
        if len(quads) == before:
            raise EmptyValue(pointer=pointer)
        return name

    def _value_object(self, value: dict[str, Any], term: Term, pointer: str) -> str:
        """`{"@value": …}` with a type, or a language and a direction."""
        active = term.lone
        type_key = active.type_key
        if type_key not in value:
            type_key = "@type"
        for key in value:
            if key not in ("@value", type_key, "@language", "@direction"):
                raise KeywordMisused(pointer=f"{pointer}{text.pointer_token(str(key))}")
        content = value["@value"]
        if type_key in value:
            if len(value) > 2:
                raise KeywordMisused(pointer=pointer)
            return self._typed_value(content, value[type_key], active, pointer, type_key)
        if content is None:
            raise NullValue(pointer=f"{pointer}/@value")
        if len(value) == 1:
            return text.literal(content, None, f"{pointer}/@value")
        if content.__class__ is not str:
            raise ValueIllTyped(pointer=f"{pointer}/@value")
        language = direction = None
        if "@language" in value:
            language = text.language_tag(value["@language"], f"{pointer}/@language")
        if "@direction" in value:
            direction = value["@direction"]
            if direction not in ("ltr", "rtl"):
                raise DirectionInvalid(pointer=f"{pointer}/@direction")
        close = text.string_close(language, direction)
        return text.literal(content, close, f"{pointer}/@value")

    def _typed_value(
        self, content: Any, datatype: Any, active: Active, pointer: str, type_key: str
    ) -> str:
        where = f"{pointer}/{type_key}"
        if datatype.__class__ is not str:
            raise ValueIllTyped(pointer=where)
        if datatype == "@json":
            return text.json_literal(content, pointer)
        if content is None:
            raise NullValue(pointer=f"{pointer}/@value")
        iri = active.type_iri(datatype, where)[1:-1]
        if iri == text.LANG_STRING:
            raise ValueIllTyped(pointer=where)
        return text.literal(content, text.literal_close(iri), f"{pointer}/@value")

    def _language_map(
        self,
        subject: Node,
        term: Term,
        value: dict[str, Any],
        active: Active,
        graph: int | None,
        pointer: str,
    ) -> None:
        if not value:
            raise EmptyValue(pointer=pointer)
        seen: set[str] = set()
        for key, items in value.items():
            where = pointer + text.pointer_token(key)
            if key == "@none":
                tag = None
            elif active.names_none(key) or term.values.names_none(key):
                raise KeywordMisused(pointer=where)
            else:
                tag = text.language_tag(key, where)
            close = text.string_close(tag, term.direction)
            several = items.__class__ is list
            if several and not items:
                raise EmptyValue(pointer=where)
            for index, item in enumerate(items if several else (items,)):
                here = f"{where}/{index}" if several else where
                if item is None:
                    raise NullValue(pointer=here)
                if item.__class__ is not str:
                    raise ValueIllTyped(pointer=here)
                made = text.literal(item, close, here)
                if made in seen:
                    raise ValueRepeated(pointer=where)
                seen.add(made)
                self.quads.append((subject, term.predicate, made, graph, here))

    def _list(
        self, subject: Node, term: Term, value: Any, graph: int | None, pointer: str, depth: int
    ) -> None:
        """An @list. All its quads carry the pointer of the property: half a list is another."""
        quads = self.quads
        start = len(quads)
        head = self._list_nodes(term, value, graph, pointer, depth)
        quads[start:] = [(s, p, o, g, pointer) for s, p, o, g, _ in quads[start:]]
        quads.append((subject, term.predicate, head, graph, pointer))

    def _list_nodes(
        self, term: Term, value: Any, graph: int | None, pointer: str, depth: int
    ) -> Node:
        if depth > self._max_depth:
            raise LimitExceeded(what="nesting of the document", limit=self._max_depth)
        if value.__class__ is dict and "@list" in value:
            if len(value) > 1:
                raise KeywordMisused(pointer=pointer)
            value = value["@list"]
        if value is None:
            raise NullValue(pointer=pointer)
        items = value if value.__class__ is list else [value]
        quads = self.quads
        rest: Node = text.RDF_NIL
        for index in range(len(items) - 1, -1, -1):
            made = self._list_item(items[index], term, graph, f"{pointer}/{index}", depth)
            cell = self.blanks
            self.blanks += 1
            quads.append((cell, text.RDF_FIRST, made, graph, pointer))
            quads.append((cell, text.RDF_REST, rest, graph, pointer))
            rest = cell
        return rest

    def _list_item(
        self, item: Any, term: Term, graph: int | None, pointer: str, depth: int
    ) -> Node:
        if term.is_graph:
            raise KeywordMisused(pointer=pointer)
        if item.__class__ is list:
            return self._list_nodes(term, item, graph, pointer, depth + 1)
        if item.__class__ is dict:
            if "@value" in item:
                return self._value_object(item, term, pointer)
            if "@list" in item:
                return self._list_nodes(term, item, graph, pointer, depth + 1)
            return self._object(item, term, graph, pointer, depth)
        return self._scalar(item, term, pointer)


def _names_blank(value: object) -> bool:
    """Whether an identifier is a blank node label. Such a name is not signed: anyone could change
    it, or give one to a node that had none."""
    return isinstance(value, str) and value.startswith("_:")
