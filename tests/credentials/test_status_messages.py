"""Status entries of several bits: read whole or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.errors import (
    CredentialError,
    StatusEntryMalformed,
    StatusIndexOutOfRange,
    StatusListMalformed,
    StatusListMismatch,
    StatusListTooShort,
    StatusPurposeMismatch,
    StatusTypeUnsupported,
)
from credentials.status import (
    MIN_ENTRIES,
    StatusEntry,
    StatusList,
    parse_status_list,
    status_list_credential,
)
from credentials.status_messages import (
    SizedStatusEntry,
    SizedStatusList,
    get_value,
    set_value,
)

URL = "https://data.example/status/8"
MESSAGES = ("pending_review", "accepted", "rejected", "undefined")
ENTRY = SizedStatusEntry(
    StatusEntry("message", 492847, URL), 2, MESSAGES, ("https://data.example/dictionary/",)
)


def listed(size: int = 2, value: int = 2, **subject: Any) -> dict[str, Any]:
    bits = StatusList.empty(4 * MIN_ENTRIES * size)
    set_value(bits, ENTRY.entry.index, size, value)
    credential = status_list_credential(
        bits,
        url=URL,
        issuer="did:web:data.example",
        purpose="message",
        valid_from=datetime(2026, 11, 22, tzinfo=UTC),
        ttl_ms=60_000,
    )
    credential["credentialSubject"] |= subject
    return credential


def test_a_value_has_its_message() -> None:
    document = ENTRY.document()
    assert document["statusSize"] == 2
    assert document["statusMessage"][2] == {"status": "0x2", "message": "rejected"}
    assert SizedStatusEntry.parse(document) == ENTRY
    found = SizedStatusList.parse(listed(statusSize=2))
    assert found.content.ttl_ms == 60_000
    answer = found.value(ENTRY)
    assert (answer.status, answer.message, answer.valid) == (2, "rejected", False)
    assert SizedStatusList.parse(listed(value=0)).value(ENTRY).valid
    # The first bit is the highest: the product's reader sees the same bits.
    bits = found.content.bits
    assert (bits.get(2 * 492847), bits.get(2 * 492847 + 1)) == (True, False)


def test_entries_of_one_bit_are_the_products_own() -> None:
    plain = SizedStatusEntry(StatusEntry("message", 492847, URL))
    assert plain.document() == plain.entry.document()
    assert SizedStatusList.parse(listed(1, 1)).value(plain).message is None
    named = SizedStatusEntry(plain.entry, 1, ("unset", "set"), ("https://a.example", "urn:b"))
    assert SizedStatusEntry.parse(named.document()) == named
    assert SizedStatusList.parse(listed(1, 1)).value(named).message == "set"


def test_the_product_still_reads_one_bit_only() -> None:
    with pytest.raises(StatusTypeUnsupported):
        StatusEntry.parse(ENTRY.document())
    with pytest.raises(StatusListMalformed):
        parse_status_list(listed(statusSize=2))
    assert parse_status_list(listed()).ttl_ms == 60_000
    for bad in (0, -1, "1", True, None):
        with pytest.raises(StatusListMalformed):
            parse_status_list(listed(ttl=bad))


@pytest.mark.parametrize(
    "change",
    [
        {"statusSize": 0},
        {"statusSize": 9},
        {"statusSize": "2"},
        {"statusSize": True},
        {"statusSize": 3},
        {"statusMessage": None},
        {"statusMessage": []},
        {"statusMessage": [1, 2, 3, 4]},
        {"statusMessage": [{"status": "0x0", "message": "a"}] * 4},
        {"statusMessage": [{"status": hex(n), "message": 1} for n in range(4)]},
        {"statusMessage": [{"status": str(n), "message": "a"} for n in range(4)]},
        {"statusMessage": [{"status": hex(n + 1), "message": "a"} for n in range(4)]},
        {"statusReference": []},
        {"statusReference": ["x"]},
        {"statusReference": 1},
        {"statusListIndex": True},
        {"statusListCredential": "x"},
    ],
)
def test_entries_with_one_fault_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(StatusEntryMalformed):
        SizedStatusEntry.parse({**ENTRY.document(), **change})


def test_entries_and_lists_that_do_not_belong_together() -> None:
    missing = {k: v for k, v in ENTRY.document().items() if k != "statusMessage"}
    with pytest.raises(StatusEntryMalformed):
        SizedStatusEntry.parse(missing)
    with pytest.raises(StatusEntryMalformed):
        SizedStatusEntry.parse([])
    with pytest.raises(StatusEntryMalformed):
        SizedStatusEntry(ENTRY.entry, 2).document()
    found = SizedStatusList.parse(listed())
    elsewhere = StatusEntry("message", 1, URL + "0")
    other = StatusEntry("revocation", 1, URL)
    for entry, error in ((elsewhere, StatusListMismatch), (other, StatusPurposeMismatch)):
        with pytest.raises(error):
            found.value(SizedStatusEntry(entry, 2, MESSAGES))
    with pytest.raises(StatusListMalformed):
        SizedStatusList.parse(listed(statusSize=1)).value(ENTRY)
    for size in (0, "1", 99, None):
        with pytest.raises(StatusListMalformed):
            SizedStatusList.parse(listed(statusSize=size))
    with pytest.raises(StatusListMalformed):
        SizedStatusList.parse({**listed(), "credentialSubject": []})


def test_a_list_must_have_entries_enough_and_reach_the_index() -> None:
    small = StatusList.empty(MIN_ENTRIES)
    with pytest.raises(StatusListTooShort):
        get_value(small, 0, 2)
    large = StatusList.empty(2 * MIN_ENTRIES)
    with pytest.raises(StatusIndexOutOfRange):
        get_value(large, MIN_ENTRIES, 2)
    with pytest.raises(StatusListMalformed):
        set_value(large, 0, 2, 4)
    with pytest.raises(StatusListMalformed):
        get_value(large, 0, 0)


_LARGE = StatusList.empty(8 * MIN_ENTRIES)


@settings(max_examples=100, deadline=None)
@given(size=st.integers(1, 8), index=st.integers(0, MIN_ENTRIES - 1), data=st.data())
def test_values_do_not_touch_their_neighbours(size: int, index: int, data: Any) -> None:
    value = data.draw(st.integers(0, (1 << size) - 1))
    near = [place for place in (index - 1, index + 1) if 0 <= place < MIN_ENTRIES]
    before = [get_value(_LARGE, place, size) for place in near]
    set_value(_LARGE, index, size, value)
    assert get_value(_LARGE, index, size) == value
    assert [get_value(_LARGE, place, size) for place in near] == before


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(["statusSize", "statusMessage", "statusReference", "statusListIndex"]),
    value=st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=7), inner),
        max_leaves=6,
    ),
)
def test_fuzz_entries(name: str, value: Any) -> None:
    for work in (
        lambda: SizedStatusEntry.parse({**ENTRY.document(), name: value}),
        lambda: SizedStatusList.parse({"type": ["x"], "credentialSubject": value}),
    ):
        try:
            work()
        except CredentialError:
            continue
