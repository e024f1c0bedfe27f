"""The short way of reading an entry and the long one: the same set, and equal entries."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.keys import PrivateKey
from registry.errors import RegistryError
from registry.ledger.entries import (
    _SPELLINGS,
    Entry,
    access_entry,
    anchor_entry,
    make_entry,
    parse_entry,
    parse_entry_slowly,
)
from registry.ledger.members import decode_digest, decode_time, encode_digest, encode_time
from registry.ledger.submission import seal

START = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = {kind: PrivateKey.generate(kind) for kind in ("P-256", "P-384", "Ed25519")}
ANCHOR = anchor_entry("did:web:issuer.example", bytes(range(32)))
ACCESS = access_entry("did:key:zDnaeUKTWUXc1HDpGfKbEK31nKLN19yX5aunFd7VK1CUMeyJu", bytes(32))
SEALS = [
    seal(
        "x.example/identity",
        [ANCHOR],
        submitter="did:web:issuer.example",
        key_url="did:web:issuer.example#key-1",
        signer=key,
        now=START,
    ).seal
    for key in KEYS.values()
]
SPELLINGS = list(_SPELLINGS.values())


def outcome(read: object, raw: bytes) -> object:
    try:
        entry = read(raw)  # type: ignore[operator]
    except RegistryError as error:
        return type(error), error.params
    assert isinstance(entry, Entry)
    return entry.kind, entry.raw, entry.body, entry.leaf_hash


def same(raw: bytes) -> None:
    assert outcome(parse_entry, raw) == outcome(parse_entry_slowly, raw)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.kind)
def test_whatever_is_spelt_so_is_an_entry_of_that_kind(spelling: object) -> None:
    pattern = spelling.match.__self__  # type: ignore[attr-defined]

    @settings(max_examples=400, deadline=None)
    @given(st.from_regex(pattern, fullmatch=True))
    def run(raw: bytes) -> None:
        found = parse_entry_slowly(raw)
        assert found.kind == spelling.kind  # type: ignore[attr-defined]
        assert parse_entry(raw).body == found.body
        same(raw)

    run()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(raw: bytes) -> None:
    same(raw)


@settings(max_examples=1500, deadline=None)
@given(
    st.sampled_from([ANCHOR.raw, ACCESS.raw, *(entry.raw for entry in SEALS)]),
    st.lists(
        st.tuples(
            st.integers(0, 700),
            st.integers(0, 3),
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from([b'"', b"\\", b'\\"', b"\\u0041", b",", b"\n", b" ", b"=", b"1"]),
                st.sampled_from([b'"sig":"', b',"v":1', b"-0", b"1.0", b"1e0", b"00", b"\x7f"]),
                st.sampled_from(["é".encode(), "\u2028".encode(), "１".encode(), b"\xff"]),
            ),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_entries_with_bytes_changed(raw: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    for position, removed, put in changes:
        at = position % (len(raw) + 1)
        raw = raw[:at] + put + raw[at + removed :]
    same(raw)


@settings(max_examples=500, deadline=None)
@given(
    time=st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)).map(
        encode_time
    ),
    count=st.integers(-1, 2**53 + 1),
    key=st.text(max_size=1030),
    sig=st.sampled_from([0, 63, 64, 65, 95, 96, 97]).map(os.urandom).map(encode_digest),
    submitter=st.sampled_from(["did:web:a.example", "did:web:", "did:web:" + "a" * 401, "x", ""]),
)
def test_seals_of_any_members(time: str, count: int, key: str, sig: str, submitter: str) -> None:
    members = {"time": time, "count": count, "key": key, "sig": sig, "submitter": submitter}
    try:
        raw = make_entry("seal", root=encode_digest(bytes(32)), **members).raw
    except RegistryError:
        return
    same(raw)


def test_every_day_of_four_years_is_read_alike() -> None:
    raw = SEALS[0].raw
    for day in range(-1, 1462):
        time = encode_time(START + timedelta(days=day, seconds=86399))
        same(raw.replace(b"2026-01-01T00:00:00Z", time.encode()))
    for wrong in ("2026-02-29", "2026-04-31", "2026-00-10", "2026-13-01", "2026-01-32"):
        changed = raw.replace(b"2026-01-01", wrong.encode())
        assert changed != raw
        same(changed)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T09:00:00+00:00",
        "2026-11-22T09:00:00.000Z",
        "2026-11-22 09:00:00Z",
        "2026-11-22T09:00:60Z",
        "2026-11-22T24:00:00Z",
        "2026-W47-7T09:00:00Z",
        "20261122T090000Z",
        "2026-11-22T09:00:00",
        "2026-11-22T09:00:00z",
        "２０２６-11-22T09:00:00Z",
        "2026-11-22T09:00:00+08:00",
        "\ud800",
        "",
    ],
)
def test_a_time_has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="canonical"):
        decode_time(text)


def test_the_usual_entries_go_the_short_way() -> None:
    for entry in (ANCHOR, ACCESS, *SEALS):
        spelling = _SPELLINGS[entry.raw[:6]]
        assert spelling.kind == entry.kind
        assert spelling.match(entry.raw) is not None
    assert {spelling.kind for spelling in SPELLINGS} == {"anchor", "access", "seal"}
    assert decode_digest(ANCHOR["anchor"], 32) == bytes(range(32))
