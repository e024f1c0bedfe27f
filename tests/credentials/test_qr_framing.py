"""QR text: the open form where it fits, the deflated one where it must, and nothing else."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import base45
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.errors import (
    CborLdMalformed,
    CborLdTableUnknown,
    CredentialError,
    LimitExceeded,
    QrTextMalformed,
    QrTextTruncated,
    QrTextUnknown,
)
from credentials.multibase import multibase_base64
from credentials.qr import QrCode, capacity, decode_qr_text, encode, encode_qr_text, frame, unframe
from credentials.qr.framing import MAX_TEXT, deflate, inflate
from schemas.names import CONTEXT_V2, PRESENTATION_CONTEXT

HOST = "identity.data-resources.hangzhou.zhenglian.example"


def presentation(anchor: int = 40, repeats: int = 1) -> dict[str, Any]:
    noise = b"".join(sha256(bytes([n])).digest() for n in range(anchor // 32 + 1))[:anchor]
    return {
        "@context": [CONTEXT_V2, PRESENTATION_CONTEXT],
        "type": ["VerifiablePresentation"],
        "anchorProof": multibase_base64(noise),
        "holder": f"did:web:{HOST}",
        "termsOfUse": [{"id": f"https://{HOST}/terms/{n}"} for n in range(repeats)],
    }


CREDENTIAL = {
    "@context": [CONTEXT_V2],
    "type": ["VerifiableCredential"],
    "issuer": "did:web:example.com",
    "credentialSubject": {"name": "甲"},
}


def test_a_short_presentation_takes_the_open_form() -> None:
    text = encode_qr_text(presentation())
    assert text == "VP1-R" + base45.b45encode(encode(presentation())).decode()
    assert decode_qr_text(text) == presentation()


def test_a_credential_has_its_own_prefix() -> None:
    text = encode_qr_text(CREDENTIAL)
    assert text.startswith("VC1-R")
    assert decode_qr_text(text) == CREDENTIAL


def test_what_one_code_could_not_hold_is_deflated() -> None:
    document = presentation(repeats=40)
    assert len(frame(encode(document), "VP1-")) > capacity(alphanumeric=True)
    text = encode_qr_text(document)
    assert text.startswith("VPD-R")
    assert QrCode.of(text).version <= 25
    assert decode_qr_text(text) == document


def test_both_forms_are_read_whatever_the_length() -> None:
    data = encode(presentation())
    assert decode_qr_text(frame(data, "VP1-")) == decode_qr_text(frame(deflate(data), "VPD-"))


def test_the_text_is_of_the_alphanumeric_mode() -> None:
    assert set(encode_qr_text(presentation())) <= set(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", QrTextUnknown),
        ("V", QrTextTruncated),
        ("VP1-", QrTextTruncated),
        ("VPD-", QrTextTruncated),
        ("VP1-R", QrTextTruncated),
        ("VP2-RABC", QrTextUnknown),
        ("vp1-R6BF", QrTextUnknown),
        ("https://example.com", QrTextUnknown),
        ("openid4vp://?request=x", QrTextUnknown),
        (" VP1-R", QrTextUnknown),
        ("VP1-UAAAA", QrTextMalformed),  # another multibase
        ("VP1-Rabc", QrTextMalformed),
        ("VP1-RAB\n", QrTextMalformed),
        ("VP1-R６BF", QrTextMalformed),  # a wide digit
        ("VP1-R:::", QrTextMalformed),  # above 65535
        ("VP1-R::", QrTextTruncated),  # above 255, so the beginning of three
        ("VP1-RA", QrTextTruncated),
        ("VP1-RAAAA", QrTextTruncated),
        ("VP1-R" + "0" * MAX_TEXT, LimitExceeded),
        (frame(b"\xa0", "VP1-"), CborLdMalformed),
        (frame(bytes.fromhex("d9cb1d8201a0"), "VP1-"), CborLdTableUnknown),
        (frame(b"\xff\xff", "VPD-"), QrTextMalformed),
        (frame(deflate(b"\xa0") + b"x", "VPD-"), QrTextMalformed),
        (frame(deflate(bytes(1 << 20)), "VPD-"), LimitExceeded),  # a bomb
        (frame(encode(CREDENTIAL), "VP1-"), QrTextMalformed),  # announces another kind
        (frame(encode(presentation()), "VC1-"), QrTextMalformed),
    ],
)
def test_bad_text_is_refused_by_name(text: str, error: type[CredentialError]) -> None:
    with pytest.raises(error):
        decode_qr_text(text)


def test_every_truncation_is_refused() -> None:
    for whole in (encode_qr_text(presentation()), encode_qr_text(presentation(repeats=40))):
        for length in range(len(whole)):
            with pytest.raises(CredentialError):
                decode_qr_text(whole[:length])


def test_a_cut_text_is_said_to_be_incomplete() -> None:
    text = encode_qr_text(presentation())
    # A cut inside three characters may also leave a wrong last byte, and another error.
    for length in range(len("VP1-R") + 21, len(text), 3):
        with pytest.raises(QrTextTruncated):
            decode_qr_text(text[:length])


def test_something_that_is_neither_has_no_qr_text() -> None:
    with pytest.raises(QrTextUnknown):
        encode_qr_text({"@context": [CONTEXT_V2], "type": ["VerifiableThing"]})


def test_a_bomb_costs_no_more_than_its_limit() -> None:
    with pytest.raises(LimitExceeded):
        inflate(deflate(bytes(10_000_000)), 1000)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["", "VP1-R", "VC1-R", "VPD-R"]))
def test_any_text_decodes_or_raises_a_kernel_error(tail: str, head: str) -> None:
    try:
        document = decode_qr_text(head + tail)
    except CredentialError:
        return
    json.dumps(document)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_frames_carry_any_bytes(data: bytes) -> None:
    if data:
        assert unframe(frame(data, "VP1-")) == ("VP1-", data)
        assert unframe(frame(deflate(data), "VPD-")) == ("VPD-", data)
