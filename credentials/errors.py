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
    message = "A type at {pointer} is not defined by any context of the document."


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


class PointerNotSelectable(CredentialError):
    """A JSON pointer into something that is signed as a whole, or that no statement is made of."""

    code = "ZL-POINTER-NOT-SELECTABLE"
    message = "What {pointer!r} names cannot be shown by itself."
    hint = "Point at the whole value: the list, the text with its language, the JSON value."


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


# Keys and their encodings


class EncodingInvalid(CredentialError):
    """Text that is not strict base64url, base58btc or multibase, or not the only spelling."""

    code = "ZL-ENCODING"
    message = "The {encoding} text is not well formed."
    hint = "Check that the text was copied completely."


class KeyInvalid(CredentialError):
    """Bytes, a multikey or a JWK that is no usable public or private key."""

    code = "ZL-KEY-INVALID"
    message = "The key cannot be used: {reason}."
    hint = "Ask the key's owner for it again, as a P-256, P-384 or Ed25519 multikey or JWK."


class KeyfileMalformed(CredentialError):
    """A sealed key file that is damaged, or whose cost parameters are out of bounds."""

    code = "ZL-KEYFILE-MALFORMED"
    message = "The sealed key file is malformed: {reason}."
    hint = "Restore the file from a backup. It may have been altered."


class WrongPassphrase(CredentialError):
    """The passphrase does not open the file, or the file was altered: the cipher cannot tell."""

    code = "ZL-PASSPHRASE-WRONG"
    exit_code = ExitCode.REJECTED
    message = "The passphrase does not open this file."
    hint = (
        "Check the keyboard layout and upper and lower case. "
        "If it is surely right, the file was altered."
    )


class PassphraseUnusable(CredentialError):
    """An empty or far too long passphrase."""

    code = "ZL-PASSPHRASE-UNUSABLE"
    exit_code = ExitCode.USAGE
    message = "The passphrase is empty or longer than {limit} bytes."
    hint = "Choose a passphrase of several words."


# Identifiers and who controls them


class DidMalformed(CredentialError):
    """Not a DID or DID URL, or a did:key or did:web that breaks its method's rules."""

    code = "ZL-DID-MALFORMED"
    message = "The identifier is not a well-formed DID: {reason}."
    hint = "Check that it was copied completely."


class DidMethodUnsupported(CredentialError):
    """A DID method that no resolver here understands."""

    code = "ZL-DID-METHOD"
    exit_code = ExitCode.UNDETERMINED
    message = "Identifiers of the kind did:{method} are not supported."
    hint = "Only did:key and did:web are understood."


class DidUnknown(CredentialError):
    """A DID for which no document is at hand. Documents are never fetched."""

    code = "ZL-DID-UNKNOWN"
    exit_code = ExitCode.UNDETERMINED
    message = "Nothing is known about {did}."
    hint = (
        "Bring the trust bundle up to date; "
        "if the identifier stays unknown, its owner is not accredited."
    )


class DidDocumentMalformed(CredentialError):
    """A DID document that breaks DID Core, Controlled Identifiers or our limits."""

    code = "ZL-DID-DOCUMENT"
    message = "The DID document is malformed: {reason}."
    hint = "Its owner must publish a corrected one."


class VerificationMethodUnknown(CredentialError):
    """The DID is known and has no such key."""

    code = "ZL-KEY-UNKNOWN"
    exit_code = ExitCode.REJECTED
    message = "{did} has no key of the name that was used."
    hint = "The key may be newer than the trust bundle. Bring it up to date and try again."


class RelationshipMissing(CredentialError):
    """The key exists and its owner did not authorize it for this use."""

    code = "ZL-KEY-NOT-AUTHORIZED"
    exit_code = ExitCode.REJECTED
    message = "The key may not be used for {relationship}."
    hint = "Its owner did not authorize the key for this use. Do not rely on the data."


class VerificationMethodRetired(CredentialError):
    """The key had expired or was revoked when the proof was made, or is by now."""

    code = "ZL-KEY-RETIRED"
    exit_code = ExitCode.REJECTED
    message = "The key was no longer valid."
    hint = "Ask for the data signed with the owner's current key."


class ControllerMismatch(CredentialError):
    """Who signed is not who the document says it is from."""

    code = "ZL-CONTROLLER-MISMATCH"
    exit_code = ExitCode.REJECTED
    message = "The key that signed does not belong to the {role} that the document names."
    hint = "Someone signed in another's name. Do not rely on the data."


# Signed tokens (JWS)


class JwsMalformed(CredentialError):
    """Not a compact JWS that this kernel reads."""

    code = "ZL-JWS-MALFORMED"
    message = "The signed token is malformed: {reason}."
    hint = "Check that the token was copied completely."


class JwsAlgorithmRefused(CredentialError):
    """`none`, an unknown algorithm, or one that does not belong to the key."""

    code = "ZL-JWS-ALGORITHM"
    exit_code = ExitCode.REJECTED
    message = "The token's algorithm is not allowed, or does not fit the key."
    hint = "Do not rely on the token."


class JwsTypeMismatch(CredentialError):
    """A token made for one use was presented for another (RFC 8725 §3.11)."""

    code = "ZL-JWS-TYPE"
    exit_code = ExitCode.REJECTED
    message = "The token is not of the expected kind {expected}."
    hint = "A token made for another use cannot stand in for this one."


# Data Integrity proofs


class ProofMissing(CredentialError):
    """A document without a proof where one is required."""

    code = "ZL-PROOF-MISSING"
    exit_code = ExitCode.REJECTED
    message = "The document is not signed."
    hint = "Ask for a signed one. Nothing in an unsigned document can be relied on."


class ProofTypeUnknown(CredentialError):
    """A proof of a kind that is not understood; it is never skipped."""

    code = "ZL-PROOF-TYPE"
    message = "The document carries a proof of an unknown kind."
    hint = "Ask for a document with a Data Integrity proof."


class ProofPurposeMismatch(CredentialError):
    """A proof made for one purpose was presented for another."""

    code = "ZL-PROOF-PURPOSE"
    exit_code = ExitCode.REJECTED
    message = "The proof was not made for the purpose {expected}."
    hint = "A proof made for another purpose cannot stand in for this one."


class ProofExpired(CredentialError):
    """`expires` of the proof has passed."""

    code = "ZL-PROOF-EXPIRED"
    exit_code = ExitCode.REJECTED
    message = "The proof expired on {expires}."
    hint = "Ask for a fresh one."


class ProofFromFuture(CredentialError):
    """`created` of the proof lies further ahead than clocks may differ."""

    code = "ZL-PROOF-FUTURE"
    exit_code = ExitCode.REJECTED
    message = "The proof says that it was made in the future."
    hint = "Check the clock of this computer, then that of the signer."


class DomainMismatch(CredentialError):
    """The proof was made for another domain, or for none."""

    code = "ZL-PROOF-DOMAIN"
    exit_code = ExitCode.REJECTED
    message = "The proof was not made for this recipient."
    hint = "It may have been meant for someone else. Ask for one made for you."


class ChallengeMismatch(CredentialError):
    """The proof answers another challenge, or none."""

    code = "ZL-PROOF-CHALLENGE"
    exit_code = ExitCode.REJECTED
    message = "The proof does not answer the challenge that was set."
    hint = "It may be a copy of an earlier answer. Ask for a fresh one."


class CryptosuiteKeyMismatch(CredentialError):
    """The cryptosuite cannot be used with a key of this type."""

    code = "ZL-CRYPTOSUITE-KEY"
    exit_code = ExitCode.REJECTED
    message = "The cryptosuite {cryptosuite} does not work with a key of type {key_type}."
    hint = "Sign with a key of the type that the cryptosuite asks for."


# The data model


class ModelViolation(CredentialError):
    """A credential or presentation breaks a rule of the VC Data Model 2.0."""

    code = "ZL-MODEL"
    message = "The document breaks the data model at {pointer}: {reason}."
    hint = "Its issuer must correct it and sign it again."


class CredentialNotYetValid(CredentialError):
    """`validFrom` lies ahead."""

    code = "ZL-CREDENTIAL-NOT-YET-VALID"
    exit_code = ExitCode.REJECTED
    message = "The credential becomes valid on {valid_from}."
    hint = "Present it again from that day on."


class CredentialExpired(CredentialError):
    """`validUntil` has passed."""

    code = "ZL-CREDENTIAL-EXPIRED"
    exit_code = ExitCode.REJECTED
    message = "The credential was valid until {valid_until}."
    hint = "Its holder must apply for a new one."


# Presentations


class AudienceMismatch(DomainMismatch):
    """The presentation was made for another department."""

    code = "ZL-PRESENTATION-AUDIENCE"
    message = "The presentation was made for someone else."
    hint = "It cannot be used here. Show this desk's own request to the citizen's wallet."


class NonceMismatch(ChallengeMismatch):
    """The presentation answers another request."""

    code = "ZL-PRESENTATION-NONCE"
    message = "The presentation answers another request than this one."
    hint = "It may be a copy of an earlier presentation. Make a new request."


class PresentationExpired(ProofExpired):
    """The presentation is older than it may be."""

    code = "ZL-PRESENTATION-EXPIRED"
    message = "The presentation is too old; it was good until {expires}."
    hint = "Ask the citizen to present again."


class PresentationUnfit(CredentialError):
    """What was asked to be put into one presentation does not fit together."""

    code = "ZL-PRESENTATION-UNFIT"
    exit_code = ExitCode.USAGE
    message = "The presentation cannot be made: {reason}."
    hint = "Present the credentials one by one."


class HolderMismatch(CredentialError):
    """The credential's subject is not who signed the presentation."""

    code = "ZL-PRESENTATION-HOLDER"
    exit_code = ExitCode.REJECTED
    message = "The credential was not issued to whoever presents it."
    hint = "Someone presents another's credential. Do not rely on it."


# CBOR and CBOR-LD


class CborMalformed(CredentialError):
    """Bytes that are not one strict CBOR item (RFC 8949), or hold a kind of item not allowed."""

    code = "ZL-CBOR-MALFORMED"
    message = "The binary data is malformed: {reason}."
    hint = "Check that it is complete and not altered."


class CborTruncated(CborMalformed):
    """The bytes end in the middle of an item."""

    code = "ZL-CBOR-TRUNCATED"
    message = "The binary data ends too early."
    hint = "Part of it is missing. Scan or copy it again, whole."


class CborLdMalformed(CredentialError):
    """Strict CBOR that is not CBOR-LD 1.0 under the contexts and type table it names."""

    code = "ZL-CBORLD-MALFORMED"
    message = "The compact document is malformed: {reason}."
    hint = "Ask for the document again; if that fails, ask for it as JSON."


class CborLdTableUnknown(CredentialError):
    """The registry entry that the bytes name is not the type table on record."""

    code = "ZL-CBORLD-TABLE"
    message = "The compact document was written with type table {entry}, which is not on record."
    hint = "It comes from other software, or from a newer version. Ask for it as JSON."


class CborLdLossy(CredentialError):
    """Compacting would change the document, so it was not done."""

    code = "ZL-CBORLD-LOSSY"
    message = "The document has no compact form that gives back the same document: {reason}."
    hint = "Send it as JSON."


# QR text and codes


class QrTextMalformed(CredentialError):
    """QR text whose framing is wrong."""

    code = "ZL-QR-TEXT"
    message = "The QR text is malformed: {reason}."
    hint = "Scan the code again. If you copied the text, copy all of it."


class QrTextTruncated(QrTextMalformed):
    """QR text that ends too early."""

    code = "ZL-QR-TRUNCATED"
    message = "The QR text is incomplete: its end is missing."


class QrTextUnknown(QrTextMalformed):
    """QR text of a kind that is not a credential or presentation."""

    code = "ZL-QR-UNKNOWN"
    message = "The code holds neither a credential nor a presentation."
    hint = "Scan the code that the wallet shows for this request."


class QrTooLarge(CredentialError):
    """The text does not fit one code of the largest version allowed."""

    code = "ZL-QR-TOO-LARGE"
    message = "The text takes {size} {unit}; one QR code here holds {limit}."
    hint = "Show fewer claims, or send it as a file or over the network."


class NotAPicture(CredentialError):
    """Bytes that no picture format explains, or a damaged picture."""

    code = "ZL-PICTURE-UNREADABLE"
    message = "The file is not a picture that can be read."
    hint = "Use a PNG or JPEG picture of the code."


class PictureTooLarge(CredentialError):
    """A picture of more pixels or bytes than is ever needed for a code."""

    code = "ZL-PICTURE-TOO-LARGE"
    message = "The picture exceeds the limit of {limit} {unit}."
    hint = "Crop the picture to the code."


class NoCodeInPicture(CredentialError):
    """A picture without a readable QR code."""

    code = "ZL-PICTURE-NO-CODE"
    message = "No QR code was found in the picture."
    hint = "Take the picture again: the whole code with its white border, sharp and evenly lit."


class SeveralCodes(CredentialError):
    """More than one code, where one answer is expected: guessing could pick a planted one."""

    code = "ZL-PICTURE-SEVERAL-CODES"
    message = "The picture holds {count} QR codes; exactly one is expected."
    hint = "Crop the picture to the one code that you mean."


# Bitstring status lists


class StatusEntryMalformed(CredentialError):
    """A credentialStatus entry that breaks Bitstring Status List 1.0 §2.1."""

    code = "ZL-STATUS-ENTRY"
    message = "The status entry is malformed: {reason}."
    hint = "Its issuer must correct and issue the credential again."


class StatusTypeUnsupported(CredentialError):
    """A kind of status that this software cannot look up; ignoring it could hide a revocation."""

    code = "ZL-STATUS-TYPE"
    exit_code = ExitCode.UNDETERMINED
    message = "The credential states its status in a way that is not supported."
    hint = "Whether it is revoked cannot be known here. Ask its issuer."


class StatusListMalformed(CredentialError):
    """A status list credential that breaks Bitstring Status List 1.0 §2.2."""

    code = "ZL-STATUS-LIST"
    message = "The status list is malformed: {reason}."
    hint = "Fetch the list again; if that fails, tell its issuer."


class StatusListTooShort(StatusListMalformed):
    """STATUS_LIST_LENGTH_ERROR: too few entries to hide one among them."""

    code = "ZL-STATUS-LIST-LENGTH"
    message = "The status list has {entries} entries; at least {minimum} are required."


class StatusIndexOutOfRange(CredentialError):
    """RANGE_ERROR: an index that the list does not have."""

    code = "ZL-STATUS-RANGE"
    exit_code = ExitCode.UNDETERMINED
    message = "The status list does not reach the credential's index."
    hint = "The list may be outdated or another one. Fetch it again."


class StatusPurposeMismatch(CredentialError):
    """STATUS_VERIFICATION_ERROR: the list speaks about something else than the entry."""

    code = "ZL-STATUS-PURPOSE"
    exit_code = ExitCode.UNDETERMINED
    message = "The status list does not state the purpose {purpose!r}."
    hint = "The list is not the one that the credential means. Tell the issuer."


class StatusListMismatch(CredentialError):
    """A list whose address is not the one that the entry names."""

    code = "ZL-STATUS-OTHER-LIST"
    exit_code = ExitCode.UNDETERMINED
    message = "The status list is not the one that the credential names."
    hint = "Fetch the list that the credential names."


class StatusListFull(CredentialError):
    """No free index is left for another credential."""

    code = "ZL-STATUS-LIST-FULL"
    exit_code = ExitCode.ENVIRONMENT
    message = "The status list has no free index left."
    hint = "Open a new status list."


# Queries


class QueryMalformed(CredentialError):
    """Not a DCQL query (OpenID4VP 1.0 §6)."""

    code = "ZL-QUERY-MALFORMED"
    message = "The query for credentials is malformed: {reason}."
    hint = "The requesting department must correct its request."


class QueryUnsupported(CredentialError):
    """A valid DCQL query that asks for something this software does not do."""

    code = "ZL-QUERY-UNSUPPORTED"
    message = "The query asks for something not supported: {reason}."
    hint = "Ask the department for a request in format ldp_vc."


# Offers and requests


class OfferMalformed(CredentialError):
    """Not a credential offer (OpenID4VCI 1.0 §4.1)."""

    code = "ZL-OFFER-MALFORMED"
    message = "The credential offer is malformed: {reason}."
    hint = "Ask the issuer for a new offer."


class OfferByReference(OfferMalformed):
    """An offer that would have to be fetched from an address chosen by a stranger."""

    code = "ZL-OFFER-BY-REFERENCE"
    message = "The credential offer is only an address to fetch it from."
    hint = "Such offers are not followed. Ask the issuer for an offer that contains everything."


class OfferUnsupported(CredentialError):
    """A valid offer that can only be taken in a way this software does not support."""

    code = "ZL-OFFER-UNSUPPORTED"
    message = "The credential offer cannot be taken here: {reason}."
    hint = "Ask the issuer for an offer with a pre-authorized code."


class RequestMalformed(CredentialError):
    """Not a presentation request that this software understands (OpenID4VP 1.0 §5)."""

    code = "ZL-REQUEST-MALFORMED"
    message = "The request is malformed: {reason}."
    hint = "Ask the department to show its request again."


class RequestByReference(RequestMalformed):
    """A request that would have to be fetched from an address chosen by a stranger."""

    code = "ZL-REQUEST-BY-REFERENCE"
    message = "The request is only an address to fetch it from."
    hint = "Such requests are not followed. Ask the department to show the whole request."


class RequestSignerMismatch(CredentialError):
    """The signing key is not a key of the department that the request names."""

    code = "ZL-REQUEST-SIGNER"
    exit_code = ExitCode.REJECTED
    message = "The request is not signed by the department that it names."
    hint = "Do not answer it. Someone may be posing as that department."


class RequestExpired(CredentialError):
    """Past its `exp`."""

    code = "ZL-REQUEST-EXPIRED"
    exit_code = ExitCode.REJECTED
    message = "The request expired at {expired}."
    hint = "Ask the department to show a new one."


class RequestNotYetValid(CredentialError):
    """`iat` lies in the future."""

    code = "ZL-REQUEST-FUTURE"
    exit_code = ExitCode.REJECTED
    message = "The request is dated in the future ({issued})."
    hint = "Check the clock of this device; then ask for a new request."


class RequestTooLarge(CredentialError):
    """A request that does not fit its QR code."""

    code = "ZL-REQUEST-TOO-LARGE"
    message = "The request takes {size} characters; one QR code here holds {limit}."
    hint = "Ask for fewer claims, or shorten the purpose."


# Access records and receipts


class AccessRecordMalformed(CredentialError):
    """An access record of another shape than its version has."""

    code = "ZL-ACCESS-RECORD"
    message = "The access record is malformed: {reason}."
    hint = "Ask the department for the record again."


class CommitmentMismatch(CredentialError):
    """Record and salt do not give the commitment that is on the chain."""

    code = "ZL-ACCESS-COMMITMENT"
    exit_code = ExitCode.REJECTED
    message = "The access record is not the one that was committed to."
    hint = "Keep both as evidence and report it to the department's supervisor."


class ReceiptMalformed(CredentialError):
    """Not a receipt for an access record."""

    code = "ZL-RECEIPT-MALFORMED"
    message = "The receipt is malformed: {reason}."
    hint = "Ask the department for the receipt again."


class ReceiptSignerMismatch(CredentialError):
    """A receipt signed with another key than the department's that the record names."""

    code = "ZL-RECEIPT-SIGNER"
    exit_code = ExitCode.REJECTED
    message = "The receipt is not signed by the department that its record names."
    hint = "It proves nothing. Ask the department for a proper receipt."
