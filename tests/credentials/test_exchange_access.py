"""Access records and receipts: what a department signed it can neither change nor deny."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785

from credentials.anchor import presentation_digest
from credentials.dids import DocumentResolver, did_document
from credentials.errors import (
    AccessRecordMalformed,
    CommitmentMismatch,
    CredentialError,
    DidUnknown,
    ReceiptMalformed,
    ReceiptSignerMismatch,
    SignatureInvalid,
    VerificationMethodRetired,
)
from credentials.exchange import (
    AccessRecord,
    check_commitment,
    commitment_of,
    sign_receipt,
    verify_receipt,
)
from credentials.exchange.access import RECEIPT_TYPE
from credentials.jose import sign_compact
from credentials.keys import PrivateKey
from credentials.multibase import multibase_base64

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
DID = "did:web:housing.example"
KID = f"{DID}#key-1"
KEY = PrivateKey.from_seed("P-256", b"the key of a department")
THIEF = PrivateKey.from_seed("P-256", b"the key of someone else")
DOCUMENT = did_document(DID, {"key-1": KEY.public_key})
RESOLVER = DocumentResolver([DOCUMENT])
SALT = hashlib.sha256(b"salt").digest()
ORIGIN = "hangzhou.zhenglian.example/access"
RECORD = AccessRecord(
    verifier=DID,
    claims=("/credentialSubject/name", "/credentialSubject/ageOver18"),
    purpose={"zh-CN": "公租房申请资格审核", "en": "Public housing"},
    entitlement="housing-rental-2026",
    legal_basis={"zh-CN": "《公共租赁住房管理办法》第七条", "en": "Measures, article 7"},
    time=NOW,
    presentation=presentation_digest({"type": ["VerifiablePresentation"]}),
)


def receipt(record: AccessRecord = RECORD, key: PrivateKey = KEY, **changes: Any) -> str:
    options: dict[str, Any] = {
        "salt": SALT,
        "chain": ORIGIN,
        "promise_by": NOW + timedelta(hours=24),
        "signer": key,
        "kid": KID,
    }
    return sign_receipt(record, **{**options, **changes})


def forged(**changes: Any) -> str:
    payload: dict[str, Any] = {
        "record": RECORD.to_json(),
        "salt": multibase_base64(SALT),
        "chain": ORIGIN,
        "promiseBy": "2026-11-23T08:00:00Z",
        **changes,
    }
    payload = {name: value for name, value in payload.items() if value is not None}
    return sign_compact(payload, typ=RECEIPT_TYPE, signer=KEY, kid=KID)


def test_a_receipt_comes_back_verified() -> None:
    token = receipt()
    verified = verify_receipt(token, resolver=RESOLVER)
    assert verified.record == RECORD
    assert verified.salt == SALT
    assert verified.chain == ORIGIN
    assert verified.promise_by == NOW + timedelta(hours=24)
    assert verified.commitment == commitment_of(RECORD, SALT)
    assert verified.token == token
    check_commitment(verified.record, verified.salt, verified.commitment)


def test_the_commitment_is_as_published() -> None:
    data = b"zhenglian/access/v1\0" + SALT + rfc8785.dumps(RECORD.to_json())
    assert commitment_of(RECORD, SALT) == hashlib.sha256(data).digest()
    assert set(RECORD.to_json()) == {
        "v",
        "verifier",
        "claims",
        "purpose",
        "entitlement",
        "legalBasis",
        "time",
        "presentation",
    }


def test_fractions_of_a_second_do_not_matter() -> None:
    precise = replace(RECORD, time=NOW.replace(microsecond=987654))
    assert commitment_of(precise, SALT) == commitment_of(RECORD, SALT)
    token = receipt(precise, promise_by=precise.time + timedelta(hours=24))
    assert verify_receipt(token, resolver=RESOLVER).record == RECORD


@pytest.mark.parametrize(
    "other",
    [
        replace(RECORD, claims=RECORD.claims[:1]),
        replace(RECORD, claims=RECORD.claims[::-1]),
        replace(RECORD, entitlement="other"),
        replace(RECORD, time=NOW + timedelta(seconds=1)),
        replace(RECORD, purpose={"en": "Public housing"}),
    ],
)
def test_a_changed_record_has_another_commitment(other: AccessRecord) -> None:
    with pytest.raises(CommitmentMismatch):
        check_commitment(other, SALT, commitment_of(RECORD, SALT))


def test_another_salt_has_another_commitment() -> None:
    for salt in (bytes(32), SALT[:-1], SALT + b"x", b""):
        with pytest.raises(CommitmentMismatch):
            check_commitment(RECORD, salt, commitment_of(RECORD, SALT))
    with pytest.raises(ValueError, match="32 bytes"):
        commitment_of(RECORD, b"short")


def test_a_receipt_of_another_hand_proves_nothing() -> None:
    with pytest.raises(SignatureInvalid):
        verify_receipt(receipt(key=THIEF), resolver=RESOLVER)
    with pytest.raises(ReceiptSignerMismatch):
        receipt(key=THIEF, kid="did:web:thief.example#key-1")
    with pytest.raises(DidUnknown):
        verify_receipt(receipt(), resolver=DocumentResolver([]))


def test_a_receipt_outlives_its_key_but_not_the_other_way_round() -> None:
    for revoked, fine in (("2026-12-01T00:00:00Z", True), ("2026-11-01T00:00:00Z", False)):
        document = {
            **DOCUMENT,
            "verificationMethod": [{**DOCUMENT["verificationMethod"][0], "revoked": revoked}],
        }
        resolver = DocumentResolver([document])
        if fine:
            verify_receipt(receipt(), resolver=resolver)
            continue
        with pytest.raises(VerificationMethodRetired):
            verify_receipt(receipt(), resolver=resolver)


@pytest.mark.parametrize(
    "changes",
    [
        {"salt": None},
        {"salt": 5},
        {"salt": ["u"]},
        {"salt": "uAAEC"},
        {"salt": "nonsense"},
        {"chain": ""},
        {"chain": 5},
        {"chain": "with space"},
        {"promiseBy": "soon"},
        {"promiseBy": "2026-11-22T08:00:00Z"},  # at once
        {"promiseBy": "2026-11-23T08:00:01Z"},  # too late
        {"more": 1},
    ],
)
def test_bad_receipts_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ReceiptMalformed):
        verify_receipt(forged(**changes), resolver=RESOLVER)


@pytest.mark.parametrize(
    "text", ["", "x", "a.b.c", receipt()[:-4], sign_compact({}, typ="JWT", signer=KEY, kid=KID)]
)
def test_texts_that_are_no_receipts(text: str) -> None:
    with pytest.raises(ReceiptMalformed):
        verify_receipt(text, resolver=RESOLVER)


def test_a_receipt_must_name_its_key() -> None:
    payload = {
        "record": RECORD.to_json(),
        "salt": multibase_base64(SALT),
        "chain": ORIGIN,
        "promiseBy": "2026-11-23T08:00:00Z",
    }
    with pytest.raises(ReceiptMalformed):
        verify_receipt(sign_compact(payload, typ=RECEIPT_TYPE, signer=KEY), resolver=RESOLVER)


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": True},
        {"v": "1"},
        {"verifier": "housing"},
        {"verifier": None},
        {"claims": []},
        {"claims": ["name"]},
        {"claims": ["/a", "/a"]},
        {"claims": ["/a\n"]},
        {"claims": ["/a~2"]},
        {"claims": ["/" + "a" * 300]},
        {"claims": [f"/{n}" for n in range(65)]},
        {"claims": [5]},
        {"purpose": "housing"},
        {"purpose": {"en": "\x07"}},
        {"legalBasis": {}},
        {"entitlement": ""},
        {"time": "2026-11-22T08:00:00.5Z"},
        {"time": "2026-11-22T16:00:00+08:00"},
        {"time": 5},
        {"presentation": "uAAEC"},
        {"presentation": "nonsense"},
        {"presentation": 5},
        {"value": "someone's name"},
    ],
)
def test_bad_records_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(AccessRecordMalformed):
        AccessRecord.from_json({**RECORD.to_json(), **changes})
    with pytest.raises(CredentialError):
        verify_receipt(forged(record={**RECORD.to_json(), **changes}), resolver=RESOLVER)


def test_records_come_back() -> None:
    assert AccessRecord.from_json(RECORD.to_json()) == RECORD
    for wrong in (None, [], {}, "record"):
        with pytest.raises(AccessRecordMalformed):
            AccessRecord.from_json(wrong)
