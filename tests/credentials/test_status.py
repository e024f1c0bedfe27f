"""Bitstring status lists: bit order, limits, and nothing unknown read as 'not revoked'."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from credentials.errors import (
    CredentialError,
    LimitExceeded,
    StatusEntryMalformed,
    StatusIndexOutOfRange,
    StatusListFull,
    StatusListMalformed,
    StatusListMismatch,
    StatusListTooShort,
    StatusPurposeMismatch,
    StatusTypeUnsupported,
)
from credentials.model import check_credential
from credentials.multibase import base64url_decode, multibase_base64
from credentials.status import (
    MAX_ENTRIES,
    MIN_ENTRIES,
    StatusEntry,
    StatusList,
    parse_status_list,
    random_index,
    status_entries,
    status_list_credential,
)
from schemas.errors import ExitCode

URL = "https://data.example/status/1"
ISSUER = "did:web:data.example"
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
# The empty list of the Recommendation's example 2.
PUBLISHED_EMPTY = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"


def entry(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "94567",
        "statusListCredential": URL,
    }
    return {**base, **changes}


def published(*revoked: int, purpose: str | list[str] = "revocation") -> dict[str, Any]:
    bits = StatusList.empty()
    bits.set_many(revoked)
    return status_list_credential(bits, url=URL, issuer=ISSUER, purpose=purpose, valid_from=NOW)


def test_index_zero_is_the_leftmost_bit() -> None:
    bits = StatusList.empty()
    bits.set_many((0, 9, MIN_ENTRIES - 1))
    raw = gzip.decompress(base64url_decode(bits.encode()[1:]))
    assert len(raw) == 16 * 1024
    assert (raw[0], raw[1], raw[-1]) == (0b1000_0000, 0b0100_0000, 0b0000_0001)
    assert bits.count() == 3


def test_the_published_example_is_an_empty_list() -> None:
    assert StatusList.decode(PUBLISHED_EMPTY) == StatusList.empty()


def test_bits_come_back() -> None:
    rng = random.Random(1)
    chosen = {rng.randrange(MIN_ENTRIES) for _ in range(10_000)}
    bits = StatusList.empty()
    bits.set_many(chosen)
    again = StatusList.decode(bits.encode())
    assert {index for index in range(len(again)) if again.get(index)} == chosen
    again.set_many(chosen, False)
    assert again == StatusList.empty()


def test_the_same_bits_give_the_same_text() -> None:
    assert StatusList.empty().encode() == StatusList.empty().encode()


def test_a_change_is_all_or_nothing() -> None:
    bits = StatusList.empty()
    with pytest.raises(StatusIndexOutOfRange):
        bits.set_many((1, 2, MIN_ENTRIES))
    assert bits.count() == 0
    for index in (-1, MIN_ENTRIES):
        with pytest.raises(StatusIndexOutOfRange):
            bits.get(index)


def packed(data: bytes) -> str:
    return multibase_base64(gzip.compress(data, mtime=0))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", StatusListMalformed),
        ("zABC", StatusListMalformed),
        (PUBLISHED_EMPTY[1:], StatusListMalformed),  # without multibase header
        (PUBLISHED_EMPTY + "=", StatusListMalformed),
        (PUBLISHED_EMPTY[:-8], StatusListMalformed),  # cut
        ("uAAEC", StatusListMalformed),
        (packed(bytes(16 * 1024 - 1)), StatusListTooShort),
        (packed(b""), StatusListTooShort),
        (packed(bytes(MAX_ENTRIES // 8 + 1)), LimitExceeded),
        (packed(bytes(200_000_000)), LimitExceeded),  # a bomb of 200 MB
        (
            multibase_base64(
                gzip.compress(bytes(16 * 1024), mtime=0) + gzip.compress(b"more", mtime=0)
            ),
            StatusListMalformed,
        ),
    ],
    ids=lambda value: value if isinstance(value, type) else str(value)[:20],
)
def test_bad_lists_are_refused_by_name(text: str, error: type[CredentialError]) -> None:
    with pytest.raises(error):
        StatusList.decode(text)


# Entries


def test_entries_are_read_alone_and_in_lists() -> None:
    wanted = StatusEntry("revocation", 94567, URL)
    assert status_entries({"credentialStatus": entry()}) == (wanted,)
    both = [entry(), entry(statusPurpose="suspension", id="urn:x", statusSize=1)]
    assert [e.purpose for e in status_entries({"credentialStatus": both})] == [
        "revocation",
        "suspension",
    ]
    assert status_entries({}) == ()
    assert StatusEntry.parse(wanted.document()) == wanted


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (None, StatusEntryMalformed),
        ([], StatusEntryMalformed),
        ([entry()] * 9, StatusEntryMalformed),
        ([entry(), entry()], StatusEntryMalformed),
        ("revoked", StatusEntryMalformed),
        (entry(type="SomethingElse"), StatusTypeUnsupported),
        (entry(type=None), StatusTypeUnsupported),
        ([entry(), {"type": "TokenStatus"}], StatusTypeUnsupported),
        (entry(statusSize=2, statusMessage=[]), StatusTypeUnsupported),
        (entry(statusSize="1"), StatusTypeUnsupported),
        (entry(statusSize=True), StatusTypeUnsupported),
        (entry(statusPurpose=""), StatusEntryMalformed),
        (entry(statusPurpose=["revocation"]), StatusEntryMalformed),
        (entry(statusListIndex=94567), StatusEntryMalformed),
        (entry(statusListIndex="-1"), StatusEntryMalformed),
        (entry(statusListIndex="007"), StatusEntryMalformed),
        (entry(statusListIndex="1e3"), StatusEntryMalformed),
        (entry(statusListIndex="９"), StatusEntryMalformed),
        (entry(statusListIndex="9" * 5000), StatusEntryMalformed),
        (entry(statusListCredential=None), StatusEntryMalformed),
        (entry(statusListCredential="status/1"), StatusEntryMalformed),
        (entry(statusListCredential="file:///etc/passwd"), StatusEntryMalformed),
        (entry(statusListCredential="https://a b"), StatusEntryMalformed),
        (entry(statusListCredential="https://" + "a" * 600), StatusEntryMalformed),
    ],
)
def test_bad_entries_are_refused_by_name(status: Any, error: type[CredentialError]) -> None:
    with pytest.raises(error):
        status_entries({"credentialStatus": status})


# Entry against list


def test_only_a_set_bit_is_revoked() -> None:
    content = parse_status_list(published(94567))
    assert content.is_set(StatusEntry("revocation", 94567, URL))
    assert not content.is_set(StatusEntry("revocation", 94568, URL))


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (StatusEntry("suspension", 94567, URL), StatusPurposeMismatch),
        (StatusEntry("revocation", 94567, URL + "0"), StatusListMismatch),
        (StatusEntry("revocation", MIN_ENTRIES, URL), StatusIndexOutOfRange),
    ],
)
def test_what_cannot_be_known_is_undetermined(
    asked: StatusEntry, error: type[CredentialError]
) -> None:
    with pytest.raises(error):
        parse_status_list(published(94567)).is_set(asked)
    assert error.exit_code is ExitCode.UNDETERMINED


def test_a_list_may_state_several_purposes() -> None:
    content = parse_status_list(published(3, purpose=["revocation", "suspension"]))
    assert content.is_set(StatusEntry("suspension", 3, URL))


def test_the_list_is_a_credential_that_the_model_accepts() -> None:
    document = published()
    check_credential(document)
    assert document["validFrom"] == "2026-11-22T08:00:00Z"
    assert "validUntil" not in document
    until = status_list_credential(
        StatusList.empty(),
        url=URL,
        issuer=ISSUER,
        purpose="suspension",
        valid_from=NOW,
        valid_until=NOW.replace(hour=9),
    )
    assert until["validUntil"] == "2026-11-22T09:00:00Z"
    assert parse_status_list(until).purposes == {"suspension"}


@pytest.mark.parametrize(
    "change",
    [
        {"type": ["VerifiableCredential"]},
        {"type": "BitstringStatusListCredential"},
        {"id": 5},
        {"credentialSubject": None},
        {"credentialSubject": {"type": "Other"}},
        {"statusPurpose": None},
        {"statusPurpose": []},
        {"statusPurpose": [5]},
        {"statusSize": 2},
        {"encodedList": None},
        {"encodedList": 5},
    ],
)
def test_bad_list_credentials_are_refused(change: dict[str, Any]) -> None:
    document = published()
    for member, value in change.items():
        target = document if member in document else document["credentialSubject"]
        target[member] = value
    with pytest.raises(StatusListMalformed):
        parse_status_list(document)


# Giving out indices


def test_indices_are_random_and_free() -> None:
    rng = random.Random(7)
    taken: set[int] = set()
    for _ in range(1000):
        taken.add(random_index(MIN_ENTRIES, taken.__contains__, rng))
    assert len(taken) == 1000
    assert max(taken) - min(taken) > MIN_ENTRIES // 2


def test_the_last_free_index_is_found_and_then_the_list_is_full() -> None:
    rng = random.Random(7)
    taken = set(range(1000)) - {123}
    assert random_index(1000, taken.__contains__, rng) == 123
    with pytest.raises(StatusListFull):
        random_index(1000, set(range(1000)).__contains__, rng)
