"""CBOR, CBOR-LD, QR text and pictures of codes."""

from __future__ import annotations

from credentials.errors.base import CredentialError

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
