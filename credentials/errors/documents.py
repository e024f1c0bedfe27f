"""JSON text, contexts, and what the strict gate before canonicalization refuses."""

from __future__ import annotations

from credentials.errors.base import CredentialError
from schemas.errors import ExitCode

# JSON text


class JsonMalformed(CredentialError):
    """The bytes are not one strict JSON text (RFC 8259, I-JSON)."""

    code = "ZL-JSON-MALFORMED"
    message = "The text is not valid JSON: {reason}."
    hint = "Check that the file or text is complete and not altered."


class JsonDuplicateKey(JsonMalformed):
    """One object names a member twice; readers would disagree on which one counts."""

    code = "ZL-JSON-DUPLICATE-KEY"
    message = "An object in the JSON text has the same member twice."


class JsonEncoding(JsonMalformed):
    """Invalid UTF-8 or a lone surrogate."""

    code = "ZL-JSON-ENCODING"
    message = "The JSON text is not valid UTF-8, or holds half a character."


class JsonNumber(JsonMalformed):
    """NaN, infinity, or a number that another reader would round."""

    code = "ZL-JSON-NUMBER"
    message = "A number in the JSON text is not one that every reader understands the same way."
    hint = "Numbers outside ±(2^53 - 1), NaN and infinity must be written as text."


# Contexts


class ContextUnknown(CredentialError):
    """A document names a context that is not in the store. Contexts are never fetched."""

    code = "ZL-CONTEXT-UNKNOWN"
    message = "The JSON-LD context {url!r} is not one of the contexts on record."
    hint = "Contexts are never loaded from the network. If you trust it, add it to the store."


class ContextInvalid(CredentialError):
    """A context is not a usable JSON-LD context, or breaks a protected term."""

    code = "ZL-CONTEXT-INVALID"
    message = "A JSON-LD context is invalid: {reason}."
    hint = "The document or a context in the store breaks a rule of JSON-LD 1.1."


class ContextDigestMismatch(CredentialError):
    """A context's bytes are not those whose digest is on record."""

    code = "ZL-CONTEXT-DIGEST"
    exit_code = ExitCode.ENVIRONMENT
    message = "The context {url!r} does not have the digest on record."
    hint = "The installation is damaged or was altered. Reinstall it."


# The strict gate of canonicalization


class DocumentRefused(CredentialError):
    """Base of the gate's refusals: the document could mean something else than it shows."""

    code = "ZL-DOCUMENT"
    message = "The document is refused at {pointer}."
    hint = "Its issuer must correct and sign it again."


class TermUndefined(DocumentRefused):
    """A member that no context defines would be unsigned and look signed."""

    code = "ZL-TERM-UNDEFINED"
    message = "The member {pointer} is not defined by any context of the document."


class TypeUndefined(DocumentRefused):
    """A type that no context defines."""

    code = "ZL-TYPE-UNDEFINED"
    message = "The type {term!r} at {pointer} is not defined by any context of the document."


class NullValue(DocumentRefused):
    """JSON-LD drops nulls in silence."""

    code = "ZL-NULL"
    message = "The value at {pointer} is null."


class EmptyValue(DocumentRefused):
    """An object or list that leaves no statement behind."""

    code = "ZL-VALUE-EMPTY"
    message = "The value at {pointer} leaves no signed statement behind."


class ValueRepeated(DocumentRefused):
    """One value twice in a list; the signature covers it once, whatever the list shows."""

    code = "ZL-VALUE-REPEATED"
    message = "The list at {pointer} holds a value twice."


class ValueIllTyped(DocumentRefused):
    """A value has a JSON type or shape that its term cannot take."""

    code = "ZL-VALUE-TYPE"
    message = "The value at {pointer} has a shape that its term does not allow."


class IriRelative(DocumentRefused):
    """A relative identifier: what it names depends on where it is read."""

    code = "ZL-IRI-RELATIVE"
    message = (
        "The identifier at {pointer} is relative; only absolute ones mean the same to everyone."
    )


class IriMalformed(DocumentRefused):
    """A character in an identifier that RFC 3987 forbids; RDF tools drop such statements."""

    code = "ZL-IRI-MALFORMED"
    message = "The identifier at {pointer} holds characters that identifiers cannot hold."


class BlankNodeNamed(DocumentRefused):
    """A blank node label (`_:…`) as an identifier: it is not signed, so anyone can change it."""

    code = "ZL-BLANK-NODE-NAMED"
    message = "The identifier at {pointer} is a blank node label, which no signature covers."


class LanguageTagInvalid(DocumentRefused):
    """Not a BCP 47 tag; free text there can hide a claim."""

    code = "ZL-LANGUAGE-TAG"
    message = "The language at {pointer} is not a language tag."


class DirectionInvalid(DocumentRefused):
    """A base direction that is not ltr or rtl."""

    code = "ZL-DIRECTION"
    message = "The text direction at {pointer} is neither ltr nor rtl."


class KeywordMisused(DocumentRefused):
    """A JSON-LD keyword or alias where it lets shown and signed content differ."""

    code = "ZL-KEYWORD"
    message = "The member {pointer} uses a JSON-LD keyword in a way that signed documents may not."


class ContextMisplaced(DocumentRefused):
    """A context where none is allowed, or one written into the document when only names are."""

    code = "ZL-CONTEXT-MISPLACED"
    message = "The context at {pointer} is not allowed there."


class NumberUnsafe(DocumentRefused):
    """A number whose canonical form is not the same everywhere."""

    code = "ZL-NUMBER-UNSAFE"
    message = "The number at {pointer} has no canonical form that every reader agrees on."


class GraphPoisoned(DocumentRefused):
    """Blank nodes arranged so that canonicalization would take forever (RDFC-1.0 §4.4.3)."""

    code = "ZL-GRAPH-POISONED"
    message = "The document's structure was made to exhaust the reader."
    hint = "The data is hostile. Do not accept documents from its source."
