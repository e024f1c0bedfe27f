"""bbs-2023: malformed and oversized values are refused by name, and soon."""

from __future__ import annotations

import time
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.errors import (
    BbsIndexesInvalid,
    CredentialError,
    LimitExceeded,
    ProofMalformed,
)
from credentials.multibase import multibase_base58, multibase_base64, multibase_decode
from credentials.proofs.bbs_2023_values import (
    FEATURES,
    MAX_PRESENTATION_HEADER,
    MAX_VALUE,
    BaseValue,
    DerivedValue,
)
from tests.credentials.bbs_credentials import (
    DOCUMENT,
    SHOWN,
    SIGNED,
    VALUE,
    issue,
    verify,
    with_value,
)


def _base_parts() -> list[Any]:
    data = multibase_decode(SIGNED["proof"]["proofValue"], "u")
    parts: list[Any] = cbor2.loads(data[3:])
    return parts


def _derived_parts() -> list[Any]:
    data = multibase_decode(SHOWN["proof"]["proofValue"], "u")
    parts: list[Any] = cbor2.loads(data[3:])
    return parts


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, bytes(79)),
        (0, "text"),
        (1, bytes(63)),
        (2, bytes(95)),
        (3, bytes(31)),
        (3, cbor2.CBORTag(64, bytes(32))),
        (4, ["no pointer"]),
        (4, "/issuer"),
        (4, [1]),
        (4, {}),
    ],
)
def test_malformed_base_values(position: int, value: object) -> None:
    parts = _base_parts()
    parts[position] = value
    text = multibase_base64(b"\xd9\x5d\x02" + cbor2.dumps(parts))
    with pytest.raises(CredentialError):
        BaseValue.decode(text)
    with pytest.raises(CredentialError):
        verify(with_value(SIGNED, text), accept_base=True)


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, "text"),
        (0, None),
        (1, []),
        (1, {"c14n0": "b0"}),
        (1, {0: -1}),
        (1, {-1: 0}),
        (1, {0: 0, 1: 0}),
        (1, {0: True}),
        (1, {0: 2**70}),
        (2, [1, 0]),
        (2, [0, 0]),
        (2, [-1]),
        (2, [0.0]),
        (2, None),
        (3, [1, 0]),
        (3, [2**70]),
        (3, ["0"]),
        (4, "text"),
        (4, bytes(MAX_PRESENTATION_HEADER + 1)),
        (4, cbor2.CBORTag(64, b"")),
    ],
)
def test_malformed_derived_values(position: int, value: object) -> None:
    parts = _derived_parts()
    parts[position] = value
    text = multibase_base64(b"\xd9\x5d\x03" + cbor2.dumps(parts))
    with pytest.raises(ProofMalformed):
        DerivedValue.decode(text)
    with pytest.raises(ProofMalformed):
        verify(with_value(SHOWN, text))


def test_other_headers_shapes_and_spellings() -> None:
    parts = cbor2.dumps(_derived_parts())
    for wrong in ("d95d00", "d95d01", "d95d02", "d95d05", "d95d06", "d95d07", "d95d09", "d95d0a"):
        with pytest.raises(ProofMalformed):
            DerivedValue.decode(multibase_base64(bytes.fromhex(wrong) + parts))
    header = b"\xd9\x5d\x03"
    for body in (
        b"",
        parts + b"\0",
        b"\x9f" + parts[1:] + b"\xff",
        cbor2.dumps(_derived_parts()[:4]),
        cbor2.dumps([*_derived_parts(), 1]),
        cbor2.dumps({}),
        cbor2.dumps(cbor2.CBORTag(4, _derived_parts())),
        b"\x9f" * 2000,
        b"\x85" * 2000,
    ):
        with pytest.raises(ProofMalformed):
            DerivedValue.decode(multibase_base64(header + body))
    for text in ("", "u", SHOWN["proof"]["proofValue"] + "=", multibase_base58(header + parts), 7):
        with pytest.raises(ProofMalformed):
            DerivedValue.decode(text)
    with pytest.raises(LimitExceeded):
        DerivedValue.decode("u" + "A" * MAX_VALUE)


def test_a_large_value_is_refused_quickly() -> None:
    parts = _derived_parts()
    parts[0] = VALUE.proof[:144] + VALUE.proof[144:176] * 2900
    text = multibase_base64(b"\xd9\x5d\x03" + cbor2.dumps(parts))
    begun = time.process_time()
    with pytest.raises((LimitExceeded, BbsIndexesInvalid)):
        verify(with_value(SHOWN, text))
    assert time.process_time() - begun < 0.5


def test_too_many_statements() -> None:
    contact = {f"ageOver{n}": True for n in (14, 16, 18)}
    subjects = [{**contact, "type": "Resident", "name": f"name {n}"} for n in range(300)]
    with pytest.raises(LimitExceeded):
        issue({**DOCUMENT, "credentialSubject": subjects})


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([f.derived_header for f in FEATURES]))
def test_any_bytes_behind_a_header(body: bytes, header: bytes) -> None:
    with pytest.raises(CredentialError):
        verify(with_value(SHOWN, multibase_base64(header + body)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_changed_byte(data: st.DataObject) -> None:
    original = multibase_decode(SHOWN["proof"]["proofValue"], "u")
    changed = bytearray(original)
    position = data.draw(st.integers(0, len(changed) - 1))
    changed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CredentialError):
        verify(with_value(SHOWN, multibase_base64(bytes(changed))))
