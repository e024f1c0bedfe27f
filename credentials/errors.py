"""Why the kernel refuses something: one class a cause, one root.

`exit_code` says what the cause means to a person: MALFORMED when the input breaks its format or
a rule of it, REJECTED when it is well formed and what it claims does not hold, UNDETERMINED when
knowledge is missing. No parameter ever carries a value from a credential: JSON pointers, term
names, counts and limits only.
"""

from __future__ import annotations

from schemas.errors import ExitCode, ZhenglianError


class CredentialError(ZhenglianError):
    """Root of every error of the kernel."""

    code = "ZL-CREDENTIAL"
    exit_code = ExitCode.MALFORMED
    message = "The credential data cannot be used."
    hint = "Ask whoever produced it for a fresh copy."


# Shared causes


class LimitExceeded(CredentialError):
    """Something is larger than its named limit (`credentials.limits`)."""

    code = "ZL-LIMIT"
    message = "The {what} exceeds the limit of {limit}."
    hint = "The data was refused before it could cost more; it is not a document of normal size."


class SignatureInvalid(CredentialError):
    """A signature does not verify under the key that is named for it."""

    code = "ZL-SIGNATURE-INVALID"
    exit_code = ExitCode.REJECTED
    message = "The signature does not match the data."
    hint = "The data was changed after it was signed, or another key signed it. Do not rely on it."


class ProofMalformed(CredentialError):
    """A proof's own structure is wrong, whatever it signs."""

    code = "ZL-PROOF-MALFORMED"
    message = "The proof is malformed: {reason}."
    hint = "Ask the issuer or holder to produce the proof again."


class CryptosuiteUnknown(CredentialError):
    """The proof names a cryptosuite that is not in the suite table."""

    code = "ZL-CRYPTOSUITE-UNKNOWN"
    message = "The cryptosuite {cryptosuite!r} is not supported."
    hint = "Ask for a credential with a supported cryptosuite."


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
    hint = "Contexts are never loaded from the network. Add it to the store by its digest, if you trust it."


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
    message = "A type at {pointer} is not defined by any context of the document."


class NullValue(DocumentRefused):
    """JSON-LD drops nulls in silence."""

    code = "ZL-NULL"
    message = "The value at {pointer} is null."


class EmptyValue(DocumentRefused):
    """An object or list that leaves no statement behind."""

    code = "ZL-VALUE-EMPTY"
    message = "The value at {pointer} leaves no signed statement behind."


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


class StatementLost(DocumentRefused):
    """The canonical form holds fewer statements than the document shows values."""

    code = "ZL-STATEMENT-LOST"
    message = "A value of the document would not be covered by its signature."


class NumberUnsafe(DocumentRefused):
    """A number whose canonical form is not the same everywhere."""

    code = "ZL-NUMBER-UNSAFE"
    message = "The number at {pointer} has no canonical form that every reader agrees on."


class GraphPoisoned(DocumentRefused):
    """Blank nodes arranged so that canonicalization would take forever (RDFC-1.0 §4.4.3)."""

    code = "ZL-GRAPH-POISONED"
    message = "The document's structure was made to exhaust the reader."
    hint = "The data is hostile. Do not accept documents from its source."


# Selective disclosure (ecdsa-sd-2023)


class PointerInvalid(CredentialError):
    """Not a JSON pointer (RFC 6901)."""

    code = "ZL-POINTER-INVALID"
    message = "{pointer!r} is not a JSON pointer."
    hint = "A pointer looks like /credentialSubject/name."


class PointerUnknown(CredentialError):
    """A JSON pointer that names nothing in the document."""

    code = "ZL-POINTER-UNKNOWN"
    message = "The pointer {pointer!r} names nothing in the document."
    hint = "Ask only for claims that the credential holds."


class NothingDisclosed(CredentialError):
    """A derivation without selective and mandatory pointers would show nothing."""

    code = "ZL-NOTHING-DISCLOSED"
    message = "Nothing was selected to be shown."
    hint = "Select at least one claim."


class SignatureCountMismatch(CredentialError):
    """An ecdsa-sd proof has more or fewer signatures than there are statements to cover."""

    code = "ZL-SIGNATURE-COUNT"
    exit_code = ExitCode.REJECTED
    message = "The proof carries {signatures} signatures for {statements} statements."
    hint = "Something was added to or removed from the credential. Do not rely on it."
