"""Access records, their commitments and receipts: who looked at what, when and why.

The desk writes a record after each accepted presentation: claim names and never values. The chain
gets only a salted commitment, so that nobody can guess a record from it; the citizen gets a
receipt, the desk's signed promise that the commitment will be on the chain in time.

Guarantees: a commitment fits one record and one salt; a verified receipt was signed by the
department that its record names, so the department can deny neither the look nor the promise.
Not guaranteed: that the department wrote a record at all. A citizen without a receipt has only the
wallet's own history.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import rfc8785

from credentials.dids import ASSERTION, Resolver, VerificationMethod, check_did, split_key_url
from credentials.errors import (
    AccessRecordMalformed,
    CommitmentMismatch,
    DidMalformed,
    EncodingInvalid,
    JwsMalformed,
    JwsTypeMismatch,
    LimitExceeded,
    ReceiptMalformed,
    ReceiptSignerMismatch,
)
from credentials.exchange.text import labels
from credentials.jose import parse_compact, sign_compact
from credentials.keys import Signer
from credentials.multibase import multibase_base64, multibase_decode
from credentials.timestamps import format_timestamp, parse_timestamp
from schemas.errors import Phrase

VERSION: Final = 1
SALT_BYTES: Final = 32
COMMITMENT_BYTES: Final = 32
RECEIPT_TYPE: Final = "zl-receipt+jwt"
PROMISE: Final = timedelta(hours=24)
"""Within this time after the look, its commitment must be on the chain."""
MAX_CLAIMS: Final = 64
MAX_POINTER: Final = 256

_LABEL: Final = b"zhenglian/access/v1\0"
_MEMBERS: Final = frozenset(
    {"v", "verifier", "claims", "purpose", "entitlement", "legalBasis", "time", "presentation"}
)
_RECEIPT_MEMBERS: Final = frozenset({"record", "salt", "chain", "promiseBy"})
_POINTER: Final = re.compile(r"(/([^~/\x00-\x1f\x7f]|~[01])*)+")
_ENTITLEMENT: Final = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_ORIGIN: Final = re.compile(r"[\x21-\x7e]{1,256}", re.ASCII)


@dataclass(frozen=True)
class AccessRecord:
    """One look at one presentation. `claims` are JSON pointers; `presentation` is its digest."""

    verifier: str
    claims: tuple[str, ...]
    purpose: Mapping[str, str]
    entitlement: str
    legal_basis: Mapping[str, str]
    time: datetime
    presentation: str

    def to_json(self) -> dict[str, Any]:
        """The record as it is signed and committed to."""
        return {
            "v": VERSION,
            "verifier": self.verifier,
            "claims": list(self.claims),
            "purpose": dict(self.purpose),
            "entitlement": self.entitlement,
            "legalBasis": dict(self.legal_basis),
            "time": format_timestamp(self.time),
            "presentation": self.presentation,
        }

    @classmethod
    def from_json(cls, record: object) -> AccessRecord:
        """Read a record; every member must be there and no other. Raises AccessRecordMalformed."""
        refusal = AccessRecordMalformed
        if not isinstance(record, Mapping) or set(record) != _MEMBERS:
            raise refusal(reason="it does not have the members of its version")
        if type(record["v"]) is not int or record["v"] != VERSION:
            raise refusal(reason="its version is unknown")
        try:
            verifier = check_did(record["verifier"])
        except DidMalformed as error:
            raise refusal(reason="it does not name a department by its DID") from error
        claims = record["claims"]
        if not isinstance(claims, list) or not 1 <= len(claims) <= MAX_CLAIMS:
            raise refusal(reason="it names no claims, or too many")
        if not all(
            isinstance(claim, str) and len(claim) <= MAX_POINTER and _POINTER.fullmatch(claim)
            for claim in claims
        ) or len(set(claims)) != len(claims):
            raise refusal(reason="its claims are not different JSON pointers")
        entitlement, presentation = record["entitlement"], record["presentation"]
        if not isinstance(entitlement, str) or not _ENTITLEMENT.fullmatch(entitlement):
            raise refusal(reason="its entitlement is of another form")
        if not isinstance(presentation, str) or not _is_digest(presentation):
            raise refusal(reason="it does not name a presentation by its digest")
        time = parse_timestamp(record["time"])
        if time is None or format_timestamp(time) != record["time"]:
            raise refusal(reason="its time is not in UTC with whole seconds")
        return cls(
            verifier,
            tuple(claims),
            labels(record["purpose"], "purpose", refusal),
            entitlement,
            labels(record["legalBasis"], "legalBasis", refusal),
            time,
            presentation,
        )


def commitment_of(record: AccessRecord, salt: bytes) -> bytes:
    """SHA-256 over a label, the salt and the record's canonical JSON (RFC 8785)."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"the salt has {SALT_BYTES} bytes")
    return sha256(_LABEL + salt + rfc8785.dumps(record.to_json())).digest()


def check_commitment(record: AccessRecord, salt: bytes, commitment: bytes) -> None:
    """Raise CommitmentMismatch unless `commitment` is that of `record` and `salt`."""
    if len(salt) != SALT_BYTES or not hmac.compare_digest(commitment_of(record, salt), commitment):
        raise CommitmentMismatch


@dataclass(frozen=True)
class VerifiedReceipt:
    """A receipt whose signature was verified. Made by `verify_receipt` alone.

    `chain` is the origin of the access side chain; `promise_by` the end of the promise.
    """

    record: AccessRecord
    salt: bytes = field(repr=False)
    chain: str
    promise_by: datetime
    commitment: bytes
    verification_method: VerificationMethod
    token: str = field(repr=False)


def sign_receipt(
    record: AccessRecord,
    *,
    salt: bytes,
    chain: str,
    promise_by: datetime,
    signer: Signer,
    kid: str,
) -> str:
    """The receipt for `record` as a signed token. `kid` names the department's key.

    Raises AccessRecordMalformed, ReceiptMalformed, ReceiptSignerMismatch if it could not be
    verified.
    """
    payload = {
        "record": record.to_json(),
        "salt": multibase_base64(salt),
        "chain": chain,
        "promiseBy": format_timestamp(promise_by),
    }
    _read(payload, kid)  # what we hand out, others must accept
    return sign_compact(payload, typ=RECEIPT_TYPE, signer=signer, kid=kid)


def verify_receipt(token: str, *, resolver: Resolver) -> VerifiedReceipt:
    """Verify a receipt. It stays evidence for ever, so no clock is asked.

    Raises ReceiptMalformed, ReceiptSignerMismatch, AccessRecordMalformed, SignatureInvalid, and
    what the resolver raises. A key that was retired since is checked at the record's time.
    """
    token = token.strip() if isinstance(token, str) else token
    try:
        jws = parse_compact(token, typ=RECEIPT_TYPE)
        kid = jws.kid
    except (JwsMalformed, JwsTypeMismatch, LimitExceeded) as error:
        raise ReceiptMalformed(reason="it is not a signed receipt") from error
    record, salt, chain, promise_by = _read(jws.payload, kid)
    assert kid is not None  # noqa: S101 - _read refuses a missing one
    method = resolver.resolve(kid, ASSERTION)
    method.check_alive(record.time)
    jws.verify(method.public_key)
    commitment = commitment_of(record, salt)
    return VerifiedReceipt(record, salt, chain, promise_by, commitment, method, token)


def _read(payload: Mapping[str, Any], kid: str | None) -> tuple[AccessRecord, bytes, str, datetime]:
    if set(payload) != _RECEIPT_MEMBERS:
        raise ReceiptMalformed(reason="it does not have the members of a receipt")
    record = AccessRecord.from_json(payload["record"])
    encoded = payload["salt"]
    try:
        salt = multibase_decode(encoded, allowed="u") if isinstance(encoded, str) else b""
    except (EncodingInvalid, LimitExceeded) as error:
        raise ReceiptMalformed(reason="its salt is not multibase") from error
    if len(salt) != SALT_BYTES:
        raise ReceiptMalformed(
            reason=Phrase("its salt does not have {length} bytes", length=SALT_BYTES)
        )
    chain = payload["chain"]
    if not isinstance(chain, str) or not _ORIGIN.fullmatch(chain):
        raise ReceiptMalformed(reason="it does not name a chain")
    promise_by = parse_timestamp(payload["promiseBy"])
    if promise_by is None or not record.time < promise_by <= record.time + PROMISE:
        raise ReceiptMalformed(reason="its promise does not end within the time allowed")
    try:
        owner, _ = split_key_url(kid)
    except DidMalformed as error:
        raise ReceiptMalformed(reason="it does not name its key") from error
    if owner != record.verifier:
        raise ReceiptSignerMismatch
    return record, salt, chain, promise_by


def _is_digest(text: str) -> bool:
    """SHA-256 in multibase base64url, bare or as a multihash."""
    try:
        return len(multibase_decode(text, allowed="u")) in (32, 34)
    except (EncodingInvalid, LimitExceeded):
        return False
