"""A seal binds entries, their order, their number, their chain and their submitter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from credentials.dids import DocumentResolver, KeyResolver, did_document, did_key, key_url
from credentials.keys import PrivateKey
from registry.errors import EntryMalformed, SealInvalid, SubmissionMalformed
from registry.ledger.entries import Entry, anchor_entry, make_entry
from registry.ledger.submission import MAX_SUBMISSION_BYTES, Submission, _unsigned, check_seal, seal
from registry.limits import MAX_BATCH_ENTRIES

ORIGIN = "test.example/identity"
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
DID = "did:web:issuer.example"
KEY = PrivateKey.from_seed("P-256", b"an issuer of the tests")
DOCUMENT = did_document(DID, {"key-1": KEY.public_key})
_FIXED = {"kind", "v"}


def entries(count: int = 3) -> list[Entry]:
    return [anchor_entry(DID, number.to_bytes(32, "big")) for number in range(count)]


def sealed(count: int = 3, key: PrivateKey = KEY, origin: str = ORIGIN) -> Submission:
    return seal(origin, entries(count), submitter=DID, key_url=f"{DID}#key-1", signer=key, now=NOW)


def reseal(submission: Submission, **changes: Any) -> Submission:
    body = {**submission.seal.body, **changes}
    members = {name: value for name, value in body.items() if name not in ("kind", "v")}
    return Submission(submission.origin, submission.entries, make_entry("seal", **members))


@pytest.mark.parametrize("key_type", ["P-256", "P-384", "Ed25519"])
def test_a_seal_verifies_and_travels(key_type: Any) -> None:
    key = PrivateKey.from_seed(key_type, b"a key of any type will do")
    submission = sealed(key=key)
    again = Submission.parse(ORIGIN, submission.encode())
    assert again == submission
    assert again.submitter == DID
    assert again.time == NOW
    check_seal(again, DocumentResolver([did_document(DID, {"key-1": key.public_key})]))


def test_a_did_key_seals_for_itself() -> None:
    did, url = did_key(KEY.public_key), key_url(KEY.public_key)
    submission = seal(ORIGIN, entries(), submitter=did, key_url=url, signer=KEY, now=NOW)
    check_seal(submission, KeyResolver())


def test_a_seal_is_of_one_chain() -> None:
    moved = Submission("test.example/access", sealed().entries, sealed().seal)
    with pytest.raises(SealInvalid):
        check_seal(moved, DocumentResolver([DOCUMENT]))


def test_a_seal_of_another_key_or_submitter_is_invalid() -> None:
    resolver = DocumentResolver([DOCUMENT])
    with pytest.raises(SealInvalid):
        check_seal(sealed(key=PrivateKey.generate("P-256")), resolver)
    with pytest.raises(SealInvalid):
        check_seal(reseal(sealed(), submitter="did:web:other.example"), resolver)
    with pytest.raises(SealInvalid):
        check_seal(reseal(sealed(), time="2026-11-22T09:00:01Z"), resolver)
    with pytest.raises(SealInvalid):
        check_seal(reseal(sealed(), key=f"{DID}#key-2"), resolver)
    with pytest.raises(SealInvalid):
        check_seal(sealed(), DocumentResolver([]))


def test_a_key_that_is_not_for_assertions_cannot_seal() -> None:
    document = {**DOCUMENT, "assertionMethod": []}
    with pytest.raises(SealInvalid):
        check_seal(sealed(), DocumentResolver([document]))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines[:-1],  # no seal
        lambda lines: lines[1:],  # one entry less
        lambda lines: [lines[1], lines[0], *lines[2:]],  # another order
        lambda lines: [*lines, lines[-1]],  # two seals
        lambda lines: [lines[-1]],
        lambda lines: [lines[0], *lines],  # one entry twice
        lambda lines: [],
    ],
)
def test_another_run_of_leaves_is_refused(spoil: Any) -> None:
    lines = sealed().encode().splitlines(keepends=True)
    with pytest.raises(SubmissionMalformed):
        Submission.parse(ORIGIN, b"".join(spoil(lines)))


def test_the_form_on_the_wire_is_strict() -> None:
    body = sealed().encode()
    with pytest.raises(SubmissionMalformed):
        Submission.parse(ORIGIN, body[:-1])
    with pytest.raises(EntryMalformed):
        Submission.parse(ORIGIN, b"\n" + body)
    with pytest.raises(EntryMalformed):
        Submission.parse(ORIGIN, body.replace(b"\n", b"\r\n"))
    with pytest.raises(SubmissionMalformed):
        Submission.parse(ORIGIN, b"x" * (MAX_SUBMISSION_BYTES + 1))
    with pytest.raises(SubmissionMalformed):
        Submission.parse(ORIGIN, b"x" * 9000 + b"\n")
    with pytest.raises(SubmissionMalformed):
        Submission.parse(ORIGIN, b"{}\n" * (MAX_BATCH_ENTRIES + 1))


def test_a_batch_has_limits() -> None:
    assert len(sealed(MAX_BATCH_ENTRIES - 1).leaves) == MAX_BATCH_ENTRIES
    for count in (0, MAX_BATCH_ENTRIES):
        with pytest.raises(SubmissionMalformed):
            sealed(count)


@given(st.text(min_size=1, max_size=200))
@example('","sig":"')
@example('\\","sig":"x","')
@example(',"sig":"uAAAA"')
def test_what_a_seal_signs_is_the_rest_of_it(key: str) -> None:
    members = {name: value for name, value in sealed().seal.body.items() if name not in _FIXED}
    try:
        found = make_entry("seal", **{**members, "key": key})
    except EntryMalformed:
        return
    unsigned = {name: value for name, value in found.body.items() if name != "sig"}
    assert _unsigned(found) == rfc8785.dumps(unsigned)
