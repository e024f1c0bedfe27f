"""The lexical rules of canonical N-Quads: identifiers, language tags, literals.

Guarantee: a string that passes here stands for itself in N-Quads. Nothing that is let through
can end its literal or identifier early, start another statement, or be read differently by two
readers.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import rfc8785

from credentials.errors import (
    IriMalformed,
    IriRelative,
    JsonEncoding,
    LanguageTagInvalid,
    LimitExceeded,
    NumberUnsafe,
    ValueIllTyped,
)
from credentials.limits import MAX_JSON_DEPTH, MAX_SAFE_INTEGER

XSD: Final = "http://www.w3.org/2001/XMLSchema#"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDF_TYPE: Final = f"<{RDF}type>"
RDF_FIRST: Final = f"<{RDF}first>"
RDF_REST: Final = f"<{RDF}rest>"
RDF_NIL: Final = f"<{RDF}nil>"
XSD_STRING: Final = XSD + "string"
XSD_DOUBLE: Final = XSD + "double"
LANG_STRING: Final = RDF + "langString"
I18N: Final = "https://www.w3.org/ns/i18n#"

BOOLEAN_CLOSE: Final = f'"^^<{XSD}boolean>'
INTEGER_CLOSE: Final = f'"^^<{XSD}integer>'
DOUBLE_CLOSE: Final = f'"^^<{XSD}double>'
JSON_CLOSE: Final = f'"^^<{RDF}JSON>'

# IRIREF of N-Quads forbids controls, space and <>"{}|^`\ . Beyond it: other white space,
# invisible and bidirectional controls, noncharacters and surrogates (RFC 3987 §2.2 and §4.1),
# which would let two identifiers look alike.
_FORBIDDEN: Final = (
    '\x00-\x20<>"{}|^`\\\\\x7f-\xa0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000'
    "\ufdd0-\ufdef\ufeff\ufff0-\uffff\ud800-\udfff"
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:", re.ASCII)
_NOT_IN_IRI: Final = re.compile(f"[{_FORBIDDEN}]")
is_iri: Final = re.compile(f"[A-Za-z][A-Za-z0-9+.\\-]*:[^{_FORBIDDEN}]+").fullmatch
"""Whether a text is an absolute IRI (a match or None)."""
# BCP 47 (RFC 5646 §2.1), without the grandfathered tags.
_LANGUAGE: Final = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*(?:-[a-wy-z0-9](?:-[a-z0-9]{2,8})+)*"
    r"(?:-x(?:-[a-z0-9]{1,8})+)?|x(?:-[a-z0-9]{1,8})+",
    re.ASCII,
)
_LONGEST_LANGUAGE: Final = 64

# RDFC-1.0 appendix A: ", \, C0 controls, DEL and what XML 1.1 does not call a character.
NEEDS_CARE: Final = re.compile('["\\\\\x00-\x1f\x7f\ufffe\uffff\ud800-\udfff]')
_ECHAR: Final = {
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
}


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return _ECHAR.get(character) or f"\\u{ord(character):04X}"


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def escape(text: str) -> str:
    """`text` as it stands between the quotes of a literal. Raises JsonEncoding on a surrogate."""
    if _SURROGATE.search(text):
        raise JsonEncoding()
    return NEEDS_CARE.sub(_escaped, text)


def iri(value: object, pointer: str) -> str:
    """`<value>`, if it is an absolute IRI. Raises IriRelative, IriMalformed, ValueIllTyped."""
    if not isinstance(value, str):
        raise ValueIllTyped(pointer=pointer)
    if is_iri(value):
        return f"<{value}>"
    if _SCHEME.match(value) or _NOT_IN_IRI.search(value):
        raise IriMalformed(pointer=pointer)
    raise IriRelative(pointer=pointer)


def language_tag(value: object, pointer: str) -> str:
    """`value` in lower case, if it is a language tag. Raises LanguageTagInvalid."""
    if isinstance(value, str) and len(value) <= _LONGEST_LANGUAGE:
        tag = value.lower()
        if value.isascii() and _LANGUAGE.fullmatch(tag):
            return tag
    raise LanguageTagInvalid(pointer=pointer)


def literal_close(datatype: str) -> str:
    """What follows the text of a literal of `datatype` (an IRI that was checked)."""
    return '"' if datatype == XSD_STRING else f'"^^<{datatype}>'


def string_close(tag: str | None, direction: str | None) -> str:
    """What ends a string with a checked language tag and base direction.

    A direction goes into an i18n datatype (JSON-LD 1.1 API §8.2.2): unsigned, anyone could turn
    the text around.
    """
    if direction is not None:
        return f'"^^<{I18N}{tag or ""}_{direction}>'
    return '"' if tag is None else f'"@{tag}'


def literal(value: object, close: str | None, pointer: str) -> str:
    """A literal for a JSON scalar. `close` ends it; None: as the scalar's own type says.

    JSON-LD 1.1 API §8.2.2 (Object to RDF Conversion), minus every lossy case: raises
    NumberUnsafe where two numbers would share one canonical form, ValueIllTyped for no scalar.
    """
    if isinstance(value, str):
        if close == DOUBLE_CLOSE:
            _check_double_text(value, pointer)
        return f'"{escape(value) if NEEDS_CARE.search(value) else value}{close or _QUOTE}'
    if isinstance(value, bool):
        return f'"{"true" if value else "false"}{close or BOOLEAN_CLOSE}'
    if not isinstance(value, int | float):
        raise ValueIllTyped(pointer=pointer)
    whole = isinstance(value, int) or value.is_integer()
    if whole and abs(value) > MAX_SAFE_INTEGER:
        raise NumberUnsafe(pointer=pointer)
    if close == DOUBLE_CLOSE or not whole:
        return f'"{_double(float(value), pointer)}{close or DOUBLE_CLOSE}'
    return f'"{int(value)}{close or INTEGER_CLOSE}'


_QUOTE: Final = '"'


def _canonical_double(number: float) -> str:
    mantissa, _, exponent = f"{number:.15E}".partition("E")
    whole, _, fraction = mantissa.partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}E{int(exponent)}"


def _double(number: float, pointer: str) -> str:
    """Canonical xsd:double. JSON-LD writes 16 digits and a double may need 17: refuse those, for
    they would share their canonical form with a neighbour."""
    if not math.isfinite(number):
        raise NumberUnsafe(pointer=pointer)
    text = _canonical_double(number)
    if float(text) != number:
        raise NumberUnsafe(pointer=pointer)
    return text


def _check_double_text(text: str, pointer: str) -> None:
    """JSON-LD rewrites text that is coerced to xsd:double; only the rewritten form may come in."""
    try:
        number = float(text)
    except ValueError:
        return
    if not math.isfinite(number) or _canonical_double(number) != text:
        raise NumberUnsafe(pointer=pointer)


def json_literal(value: Any, pointer: str) -> str:
    """A literal of type rdf:JSON: the RFC 8785 form of `value`."""
    _check_json(value, pointer, MAX_JSON_DEPTH)
    try:
        text = rfc8785.dumps(value).decode("utf-8")
    except UnicodeEncodeError:
        raise JsonEncoding() from None
    except rfc8785.CanonicalizationError:
        raise ValueIllTyped(pointer=pointer) from None
    return f'"{escape(text)}{JSON_CLOSE}'


def _check_json(value: Any, pointer: str, depth: int) -> None:
    if depth == 0:
        raise LimitExceeded(what="nesting of a JSON value", limit=MAX_JSON_DEPTH)
    if isinstance(value, dict):
        for item in value.values():
            _check_json(item, pointer, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, pointer, depth - 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise NumberUnsafe(pointer=pointer)
    elif isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
        raise NumberUnsafe(pointer=pointer)


def pointer_token(key: str) -> str:
    """`/key` as a step of a JSON pointer (RFC 6901 §3)."""
    return "/" + key.replace("~", "~0").replace("/", "~1")
