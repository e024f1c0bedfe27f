"""base58btc, base64url and multibase: one spelling for each byte string."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.errors import EncodingInvalid, LimitExceeded
from credentials.multibase import (
    MAX_BASE58_TEXT,
    base58btc_decode,
    base58btc_encode,
    base64url_decode,
    base64url_encode,
    multibase_base58,
    multibase_base64,
    multibase_decode,
)


@given(st.binary(max_size=80))
def test_base58_and_base64url_return_what_went_in(data: bytes) -> None:
    assert base58btc_decode(base58btc_encode(data)) == data
    assert base64url_decode(base64url_encode(data)) == data
    assert multibase_decode(multibase_base58(data)) == data
    assert multibase_decode(multibase_base64(data)) == data


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (b"The quick brown fox jumps over the lazy dog.",
         "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z"),
        (bytes.fromhex("0000287fb4cd"), "11233QC4"),
        (b"", ""),
        (b"\0", "1"),
    ],
)  # fmt: skip
def test_base58_examples_of_its_draft(data: bytes, text: str) -> None:
    assert base58btc_encode(data) == text
    assert base58btc_decode(text) == data


@pytest.mark.parametrize(
    "text",
    ["AA==", "A", "AB", "AAB", "+w", "/w", "AA A", "AA\n", "ＡＡ", "AAAA="],
)
def test_base64url_has_one_spelling(text: str) -> None:
    with pytest.raises(EncodingInvalid):
        base64url_decode(text)


@given(st.text(alphabet="ABCDwxyz0189-_", max_size=12))
def test_base64url_accepts_only_what_it_would_write(text: str) -> None:
    try:
        data = base64url_decode(text)
    except EncodingInvalid:
        return
    assert base64url_encode(data) == text


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "z z", "é"])
def test_base58_refuses_foreign_characters(text: str) -> None:
    with pytest.raises(EncodingInvalid):
        base58btc_decode(text)


def test_base58_is_bounded() -> None:
    with pytest.raises(LimitExceeded):
        base58btc_decode("2" * (MAX_BASE58_TEXT + 1))


@pytest.mark.parametrize("text", ["", "x00", "mAAAA", "Zabc"])
def test_multibase_refuses_other_headers(text: str) -> None:
    with pytest.raises(EncodingInvalid):
        multibase_decode(text)


def test_multibase_refuses_a_header_the_caller_does_not_expect() -> None:
    with pytest.raises(EncodingInvalid):
        multibase_decode("uAAAA", allowed="z")
