"""States in words: more than one bit an entry of a status list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.errors import (
    CredentialError,
    StatusEntryMalformed,
    StatusIndexOutOfRange,
    StatusListMismatch,
    StatusPurposeMismatch,
    StatusTypeUnsupported,
)
from credentials.status import (
    MIN_ENTRIES,
    StatusList,
    parse_status_list,
    status_entries,
    status_list_credential,
)
from credentials.status_messages import (
    MESSAGE,
    MessageEntry,
    is_message,
    message_of,
    read_value,
    write_value,
)

URL = "https://registry.example/status/7"
WORDS = ("received", "in work", "granted", "withdrawn")
ENTRY = MessageEntry(
    5, URL, WORDS, 2, id="urn:uuid:1f0b", references=("https://registry.example/states",)
)


def document(**change: Any) -> dict[str, Any]:
    return ENTRY.document() | change


def published(bits: StatusList, purpose: str = MESSAGE) -> Any:
    return parse_status_list(
        status_list_credential(
            bits,
            url=URL,
            issuer="https://registry.example",
            purpose=purpose,
            valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        )
    )


def test_an_entry_comes_back() -> None:
    assert MessageEntry.parse(ENTRY.document()) == ENTRY
    plain = MessageEntry(0, URL, ("no", "yes"), 1)
    assert MessageEntry.parse(plain.document()) == plain
    two = MessageEntry(0, URL, ("no", "yes"), 1, references=("https://a.example", "urn:x:b"))
    assert MessageEntry.parse(two.document()) == two
    assert is_message(ENTRY.document())
    assert not is_message({"statusPurpose": "revocation"})
    assert not is_message("message")


def test_values_may_stand_in_any_order_and_case() -> None:
    mixed = list(reversed(document()["statusMessage"]))
    assert MessageEntry.parse(document(statusMessage=mixed)) == ENTRY
    many = MessageEntry(1, URL, tuple(f"state {n}" for n in range(16)), 4)
    upper = [
        m | {"status": m["status"].replace("f", "F")} for m in many.document()["statusMessage"]
    ]
    assert MessageEntry.parse(many.document() | {"statusMessage": upper}) == many


def messages(*values: str) -> list[dict[str, str]]:
    return [{"status": value, "message": "x"} for value in values]


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (None, StatusEntryMalformed),
        (document(type="Other"), StatusTypeUnsupported),
        (document(statusPurpose="revocation"), StatusPurposeMismatch),
        (document(statusSize=0), StatusTypeUnsupported),
        (document(statusSize=9), StatusTypeUnsupported),
        (document(statusSize=True), StatusTypeUnsupported),
        (document(statusSize="2"), StatusTypeUnsupported),
        (document(statusSize=1), StatusEntryMalformed),  # four messages for two values
        (document(statusMessage=None), StatusEntryMalformed),
        (document(statusMessage=messages("0x0", "0x1")), StatusEntryMalformed),
        (document(statusMessage=messages("0x0", "0x1", "0x2", "0x2")), StatusEntryMalformed),
        (document(statusMessage=messages("0x0", "0x1", "0x2", "0x4")), StatusEntryMalformed),
        (document(statusMessage=messages("0", "1", "2", "3")), StatusEntryMalformed),
        (document(statusMessage=["a", "b", "c", "d"]), StatusEntryMalformed),
        (document(statusMessage=[{"status": "0x0", "message": ""}] * 4), StatusEntryMalformed),
        (document(statusListIndex=5), StatusEntryMalformed),
        (document(statusListIndex="05"), StatusEntryMalformed),
        (document(statusListCredential="list"), StatusEntryMalformed),
        (document(id=URL), StatusEntryMalformed),
        (document(id="relative"), StatusEntryMalformed),
        (document(statusReference="relative"), StatusEntryMalformed),
        (document(statusReference=["https://a.example", 7]), StatusEntryMalformed),
    ],
)
def test_bad_entries_are_refused_by_name(entry: Any, error: type[CredentialError]) -> None:
    with pytest.raises(error):
        MessageEntry.parse(entry)


def test_whoever_decides_still_refuses_more_than_one_bit() -> None:
    with pytest.raises(StatusTypeUnsupported):
        status_entries({"credentialStatus": [ENTRY.document()]})


@given(
    size=st.integers(1, 8),
    index=st.integers(0, MIN_ENTRIES // 8 - 1),
    data=st.data(),
)
def test_a_value_comes_back_and_touches_no_other(size: int, index: int, data: Any) -> None:
    bits = StatusList.empty()
    value = data.draw(st.integers(0, (1 << size) - 1))
    write_value(bits, index, size, (1 << size) - 1)
    write_value(bits, index, size, value)
    assert read_value(bits, index, size) == value
    assert bits.count() == value.bit_count()
    assert index == 0 or read_value(bits, index - 1, size) == 0


def test_a_value_stands_with_its_highest_bit_first() -> None:
    bits = StatusList.empty()
    write_value(bits, 1, 2, 2)
    assert [bits.get(place) for place in range(4)] == [False, False, True, False]


def test_the_list_says_which_message_holds() -> None:
    bits = StatusList.empty()
    assert message_of(published(bits), ENTRY) == "received"
    write_value(bits, ENTRY.index, ENTRY.size, 2)
    assert message_of(published(bits), ENTRY) == "granted"
    with pytest.raises(StatusPurposeMismatch):
        message_of(published(bits, "revocation"), ENTRY)
    with pytest.raises(StatusListMismatch):
        message_of(published(bits), MessageEntry(5, URL + "0", WORDS, 2))
    with pytest.raises(StatusIndexOutOfRange):
        message_of(published(bits), MessageEntry(MIN_ENTRIES // 2, URL, WORDS, 2))


def test_writing_is_all_or_nothing() -> None:
    bits = StatusList.empty(MIN_ENTRIES + 8)  # no multiple of three
    last = (MIN_ENTRIES + 8) // 3
    with pytest.raises(StatusIndexOutOfRange):
        write_value(bits, last, 3, 7)
    assert bits.count() == 0
    for value in (-1, 4):
        with pytest.raises(ValueError, match="fit"):
            write_value(bits, 0, 2, value)
