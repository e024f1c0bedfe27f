"""What issuer, holder and verifier hand each other: offers, requests, access records, receipts.

Public surface: what is listed here. Nothing is fetched; an offer or request that only tells where
to fetch it from is refused.
"""

from credentials.exchange.access import (
    AccessRecord,
    VerifiedReceipt,
    check_commitment,
    commitment_of,
    sign_receipt,
    verify_receipt,
)
from credentials.exchange.offer import CredentialOffer, TransactionCode, parse_offer
from credentials.exchange.request import (
    PresentationRequest,
    UnverifiedRequest,
    VerifiedRequest,
    parse_request,
    qr_request_text,
    read_request,
)

__all__ = [
    "AccessRecord",
    "CredentialOffer",
    "PresentationRequest",
    "TransactionCode",
    "UnverifiedRequest",
    "VerifiedReceipt",
    "VerifiedRequest",
    "check_commitment",
    "commitment_of",
    "parse_offer",
    "parse_request",
    "qr_request_text",
    "read_request",
    "sign_receipt",
    "verify_receipt",
]
