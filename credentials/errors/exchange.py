"""Queries, offers, requests, access records and receipts."""

from __future__ import annotations

from credentials.errors.base import CredentialError
from schemas.errors import ExitCode

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
