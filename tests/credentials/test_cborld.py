"""CBOR-LD: the same document comes back, or nothing does; hostile bytes cost little."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.resources import files
from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from credentials.contexts import bundled_contexts
from credentials.dids import did_key
from credentials.errors import (
    CborLdLossy,
    CborLdMalformed,
    CborLdTableUnknown,
    CborMalformed,
    CborTruncated,
    ContextInvalid,
    ContextUnknown,
    CredentialError,
    LimitExceeded,
)
from credentials.keys import PrivateKey
from credentials.multibase import base64url_encode, multibase_base64
from credentials.presentation import build_presentation
from credentials.proofs import add_proof, derive
from credentials.qr import CborLd, TypeTable, cbor, decode, encode, private_table
from credentials.qr.cbor import MAX_BYTES, MAX_DEPTH
from schemas.names import CONTEXT_V2, PRESENTATION_CONTEXT, RESIDENT_CONTEXT, RESIDENT_SCHEMA
from schemas.scenario import load_scenario

PREFIX = bytes.fromhex("d9cb1d821a052043bb")  # tag 51997, two items, entry 86000571
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
# Typical names of a deployment; each stands twice or thrice in a presentation.
ISSUER = "did:web:127.0.0.1%3A44443"
STATUS = "https://127.0.0.1:44443/status"
DESK = "did:web:127.0.0.1%3A44444"
COMPACT_ANCHOR_PROOF = 261  # bytes, the longest


def noise(length: int, label: str = "") -> bytes:
    """Bytes that do not compress and are the same at every run."""
    blocks = (sha256(f"{label}{n}".encode()).digest() for n in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def credential(**subject: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", "ResidentIdentityCredential"],
        "issuer": ISSUER,
        "validFrom": "2026-11-22T00:00:00Z",
        "validUntil": "2031-11-22T00:00:00Z",
        "credentialStatus": [
            {
                "type": "BitstringStatusListEntry",
                "statusPurpose": purpose,
                "statusListIndex": str(94567 + number),
                "statusListCredential": f"{STATUS}/{number}",
            }
            for number, purpose in enumerate(("revocation", "suspension"), 1)
        ],
        "credentialSchema": {
            "id": RESIDENT_SCHEMA,
            "type": "JsonSchema",
            "digestMultibase": load_scenario("resident-identity").schema_digest,
        },
        "evidence": [
            {
                "type": ["AuthorityCheck"],
                "authority": "did:web:authority.example",
                "checkedAt": "2026-11-21T23:59:00Z",
                "replyDigest": multibase_base64(b"\x12\x20" + noise(32)),
            }
        ],
        "credentialSubject": {
            "id": "did:key:zDnaeucDGfhXHoJVqot3p21RuupNJ2fZrs8Lb1GV83VnSo2jR",
            "type": "Resident",
            "name": "欧阳雪丽",
            "sex": "female",
            "ethnicity": "汉",
            "birthDate": "1949-10-01",
            "citizenNumber": "11010519491001002X",
            "division": "330106",
            "ageOver14": True,
            "ageOver18": True,
            "ageOver65": True,
            **subject,
        },
    }


def presentation(issuer: str = ISSUER, status: str = STATUS, desk: str = DESK) -> dict[str, Any]:
    """Name and over-18 only, with real proofs and the longest compact anchor proof."""
    holder, key = (PrivateKey.from_seed("P-256", noise(32, name)) for name in ("holder", "issuer"))
    document = credential(id=did_key(holder.public_key))
    document["issuer"] = issuer
    for number, entry in enumerate(document["credentialStatus"], 1):
        entry["statusListCredential"] = f"{status}/{number}"
    signed = add_proof(
        document,
        cryptosuite="ecdsa-sd-2023",
        signer=key,
        verification_method=f"{issuer}#key-1",
        created=NOW,
        mandatory_pointers=load_scenario("resident-identity").mandatory_pointers,
    )
    return build_presentation(
        [derive(signed, ["/credentialSubject/name", "/credentialSubject/ageOver18"])],
        anchor_proofs=[noise(COMPACT_ANCHOR_PROOF)],
        signer=holder,
        domain=desk,
        challenge=base64url_encode(noise(16)),
        created=NOW,
        expires=NOW + timedelta(minutes=2),
    )


def payload_of(item: Any) -> bytes:
    return PREFIX + cbor2.dumps(item)


PRESENTATION = presentation()

# There and back


@pytest.mark.parametrize("document", [credential(), PRESENTATION], ids=["credential", "vp"])
def test_the_same_document_comes_back(document: dict[str, Any]) -> None:
    data = encode(document)
    assert data.startswith(PREFIX)
    assert decode(data) == document
    assert len(data) < len(json.dumps(document, ensure_ascii=False).encode()) / 2


def test_the_default_presentation_fits_one_code() -> None:
    # One version 25-L code in alphanumeric mode: (1853 - 5) * 2 / 3 bytes.
    assert len(encode(PRESENTATION)) <= 1232


def test_member_order_does_not_matter() -> None:
    shuffled = dict(reversed(credential().items()))
    assert encode(shuffled) == encode(credential())


def test_a_codec_used_again_gives_the_same_bytes() -> None:
    codec = CborLd(bundled_contexts())
    first = codec.encode(PRESENTATION)
    codec.encode(credential())
    assert codec.encode(PRESENTATION) == first
    assert codec.decode(first) == PRESENTATION


def test_what_compresses() -> None:
    decoded = cbor2.loads(encode(credential())).value[1]
    assert decoded[1] == (1, 2) or list(decoded[1]) == [1, 2]  # contexts
    flat = repr(decoded)
    for word in ("revocation", "female", RESIDENT_SCHEMA, "2026-11-22", "1949-10-01", "Resident"):
        assert word not in flat, word


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("birthDate", "1949-10-01"),
        ("birthDate", "0001-01-01"),
        ("birthDate", "9999-12-31"),
        ("birthDate", "1990-02-30"),  # no such day: stays text
        ("birthDate", "1990-1-1"),
        ("birthDate", "1990-01-01Z"),
        ("birthDate", ""),
        ("name", "revocation"),  # a word of the table, as a name
        ("name", "@type"),
        ("name", "𠮷野家"),  # beyond the BMP
        ("name", ""),
        ("name", "a\x00b"),
        ("name", 12),
        ("name", -1),
        ("name", 1.5),
        ("name", 2**53 - 1),
        ("name", ["甲", "乙"]),
        ("name", []),
        ("name", [["甲"], None]),
        ("name", {"@value": "甲", "@language": "zh"}),
        ("ageOver18", False),
        ("unknown", {"deeper": [1, {"x": None}]}),
        ("id", "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"),
        ("id", "did:key:zABC#zDEF"),
        ("id", "did:key:zABC#zDEF#zGHI"),
        ("id", "did:key:z0OIl"),  # not base58
        ("id", "did:key:z" + "1" * 300),
        ("id", "did:key:abc"),
        ("id", "did:key:"),
        ("id", "did:v1:nym:zABC"),
        ("id", "did:web:example.com%3A8443"),
        ("id", "urn:uuid:188e8450-269e-11eb-b545-d3692cf35398"),
        ("id", "urn:uuid:188E8450-269e-11eb-b545-d3692cf35398"),
        ("id", "urn:uuid:nonsense"),
        ("id", "https://example.com/a?b#c"),
        ("id", "https://example.com:8443/a"),
        ("id", "http://example.com"),
        ("id", "https://"),
        ("id", "data:text/plain;base64,AAEC"),
        ("id", "data:text/plain;base64,AAE"),
        ("id", "data:text/plain;base64,AAF="),
        ("id", "data:,hello"),
        ("id", "name"),  # a term, where an identifier stands
        ("id", "relative"),
        ("id", RESIDENT_SCHEMA),
    ],
)
def test_values_come_back_exactly(member: str, value: Any) -> None:
    document = credential(**{member: value})
    assert decode(encode(document)) == document


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-22T08:00:00Z",
        "2026-11-22T08:00:00.123Z",
        "2026-11-22T08:00:00.000Z",
        "2026-11-22T08:00:00.1Z",
        "2026-11-22T08:00:00+08:00",
        "2026-11-22T08:00:00",
        "1969-12-31T23:59:59.999Z",
        "0001-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22",
        "soon",
    ],
)
def test_times_come_back_exactly(moment: str) -> None:
    document = credential() | {"validFrom": moment}
    assert decode(encode(document)) == document


@pytest.mark.parametrize(
    "value",
    [
        "uAAEC",
        "uAAE",
        "uAAF",
        "u",
        "u+/==",
        "zABC",
        "z0",
        "z",
        "z" + "2" * 500,
        "MAAEC",
        "MAAE",
        "x",
    ],
)
def test_multibase_comes_back_exactly(value: str) -> None:
    document = credential()
    document["credentialSchema"]["digestMultibase"] = value
    assert decode(encode(document)) == document


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": 5}, "type"),
        ({"type": [None]}, "type"),
        ({"validFrom": 5}, "number for a time"),
        ({"validFrom": ["2026-11-22T08:00:00Z", ["x"]]}, "nested times"),
        ({"name": 2**53}, "number too large"),
        ({"name": 2**80}, "number far too large"),
        ({"name": float("nan")}, "not a number"),
        ({"name": "\ud800"}, "half a character"),
        ({"name": b"bytes"}, "not JSON"),
        ({"issuer": {"id": 5}}, "number for an identifier"),
        ({"@context": None}, "context of null"),
        ({"@context": [{"name": "https://schema.org/name"}]}, "context written out"),
    ],
)
def test_what_would_change_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(CborLdLossy):
        encode(credential() | change)


def test_an_unknown_context_is_named() -> None:
    document = credential() | {"@context": [CONTEXT_V2, "https://stranger.example/v1"]}
    with pytest.raises(CborLdLossy, match=r"https://stranger\.example/v1"):
        encode(document)
    with pytest.raises(ContextUnknown):
        decode(payload_of({1: [1, "https://stranger.example/v1"]}))


def test_nesting_is_limited() -> None:
    deep: Any = "x"
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(LimitExceeded):
        encode(credential(name=deep))


# Hostile bytes


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", CborTruncated),
        (PREFIX[:3], CborTruncated),
        (PREFIX, CborTruncated),
        (b"\xa0", CborLdMalformed),
        (bytes.fromhex("d90501a0"), CborLdMalformed),  # the legacy tag
        (bytes.fromhex("d9cb1d8201a0"), CborLdTableUnknown),
        (bytes.fromhex("d9cb1d821927 12a0"), CborLdTableUnknown),
        (bytes.fromhex("d9cb1d821b00000000052043bba0"), CborLdTableUnknown),  # not shortest
        (bytes.fromhex("d9cb1d9f1a052043bba0ff"), CborLdMalformed),  # indefinite pair
        (PREFIX + b"\x80", CborLdMalformed),
        (PREFIX + b"\xa0\x00", CborMalformed),  # something follows
        (PREFIX + b"\xbf\xff", CborMalformed),  # indefinite map
        (PREFIX + b"\xa1\x61a\x9f\xff", CborMalformed),
        (PREFIX + b"\xa1\x61a\x7f\x61a\xff", CborMalformed),
        (PREFIX + b"\xa1\x61a\xc1\x00", CborMalformed),  # a tag inside
        (PREFIX + b"\xa1\x61a\xd8\x23\x61(", CborMalformed),
        (PREFIX + b"\xa2\x61a\x00\x61a\x00", CborMalformed),  # a key twice
        (PREFIX + b"\xa1\x61a\x18\x05", CborMalformed),  # longer than need be
        (PREFIX + b"\xa1\x61a\x19\x00\xff", CborMalformed),
        (PREFIX + b"\xa1\x61a\x1b\x00\x00\x00\x00\xff\xff\xff\xff", CborMalformed),
        (PREFIX + b"\xa1\x78\x01a\x00", CborMalformed),
        (PREFIX + b"\xa1\x61a\x1c", CborMalformed),  # reserved
        (PREFIX + b"\xa1\x61a\xf7", CborMalformed),  # undefined
        (PREFIX + b"\xa1\x61a\xe0", CborMalformed),
        (PREFIX + b"\xa1\x61a\xf8\xff", CborMalformed),
        (PREFIX + b"\xa1\x61a\xf9\x7c\x00", CborMalformed),  # infinite
        (PREFIX + b"\xa1\x61a\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00", CborMalformed),
        (PREFIX + b"\xa1\x61\xff\x00", CborMalformed),  # not UTF-8
        (PREFIX + b"\xa1\x20\x00", CborMalformed),  # a negative key
        (PREFIX + b"\xa1\x40\x00", CborMalformed),
        (PREFIX + b"\xa1\xf5\x00", CborMalformed),
        (PREFIX + b"\xa1\x61a\x9b\xff\xff\xff\xff\xff\xff\xff\xff", CborTruncated),
        (PREFIX + b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", CborTruncated),
        (PREFIX + b"\xa1\x61a\x5b\xff\xff\xff\xff\xff\xff\xff\xff", CborTruncated),
        (PREFIX + b"\xa1\x61a" + b"\x81" * 40 + b"\x00", LimitExceeded),
        (PREFIX + bytes(MAX_BYTES), LimitExceeded),
    ],
)
def test_hostile_bytes_are_refused_by_name(data: bytes, error: type[CredentialError]) -> None:
    with pytest.raises(error):
        decode(data)


@pytest.mark.parametrize(
    "item",
    [
        {0: 1, 1: [1]},  # two contexts
        {"@context": CONTEXT_V2},  # written out
        {0: 99},  # no such context
        {0: b"x"},
        {1: 1},
        {0: [1]},
        {0: True},
        {0: None},
        {1: None},
        {9999: 1},
        {99: 1},
        {1: [1], 156: 5},  # a number of no term, for a type
        {1: [1], 157: 1},  # a list announced, none there
        {1: [1], 140: [2, "x"], 141: []},  # one member twice
        {1: [1], 156: [1, "x"], "type": "y"},  # written out beside its number
        {1: [1], 140: b"\x00\x00"},  # not shortest
        {1: [1], 140: b"\x63"},  # not in the table
        {1: [1], 140: [True, "x"]},
        {1: [1], 140: [7, "x"]},
        {1: [1], 140: [1025]},
        {1: [1], 140: [1025, b"x", b"y", b"z"]},
        {1: [1], 140: [1025, bytes(300)]},
        {1: [1], 140: [3, b"short"]},
        {1: [1], 140: []},
        {1: [1], 140: -1},
        {"a": b"bytes"},
        {"a": 2**60},
        {"a": -(2**60)},
    ],
)
def test_strict_cbor_that_is_not_cborld_is_refused(item: dict[Any, Any]) -> None:
    with pytest.raises(CborLdMalformed):
        decode(payload_of(item))


def test_every_truncation_is_refused() -> None:
    data = encode(PRESENTATION)
    for length in range(len(data)):
        with pytest.raises(CredentialError):
            decode(data[:length])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
@example(b"")
def test_any_bytes_decode_or_raise_a_kernel_error(tail: bytes) -> None:
    for data in (tail, PREFIX + tail):
        try:
            document = decode(data)
        except CredentialError:
            continue
        json.dumps(document, allow_nan=False)


_DATA = encode(PRESENTATION)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(_DATA) - 1), st.integers(0, 255)), min_size=1, max_size=6)
)
def test_altered_bytes_decode_or_raise_a_kernel_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(_DATA)
    for position, value in changes:
        data[position] = value
    try:
        document = decode(bytes(data))
    except CredentialError:
        return
    json.dumps(document, allow_nan=False)


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["revocation", "name", RESIDENT_SCHEMA, "2026-11-22T08:00:00Z", "uAAEC"]),
)
_NAMES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["id", "type", "name", "issuer", "validFrom", "proof", "credentialSubject", "@type", "@id"]
    ),
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(_NAMES, inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_NAMES, _JSON, max_size=6))
def test_any_json_comes_back_or_is_refused(members: dict[str, Any]) -> None:
    document = {"@context": [CONTEXT_V2, PRESENTATION_CONTEXT], **members}
    before = copy.deepcopy(document)
    try:
        data = encode(document)
    except CredentialError:
        return
    assert document == before
    assert json.dumps(decode(data), sort_keys=True) == json.dumps(document, sort_keys=True)


def test_a_context_that_breaks_a_protected_term_is_refused() -> None:
    store = bundled_contexts().extended(
        {"https://evil.example/v1": {"@context": {"name": "https://evil.example/other"}}}
    )
    document = credential() | {"@context": [CONTEXT_V2, "https://evil.example/v1"]}
    with pytest.raises(CborLdLossy, match="protected"):
        encode(document, store)
    with pytest.raises(ContextInvalid):
        decode(payload_of({1: [1, "https://evil.example/v1"]}), store)


def test_a_context_may_import_propagate_and_take_terms_away() -> None:
    base = {"@context": {"ex": "https://ex.example/", "a": {"@id": "ex:a", "@type": "@id"}}}
    more = {
        "@context": {
            "@import": "https://base.example/v1",
            "b": {"@id": "ex:b", "@context": {"a": None, "c": "ex:c"}},
            "T": {"@id": "ex:T", "@context": {"d": {"@id": "ex:d", "@type": "@id"}}},
            "type": "@type",
        }
    }
    store = bundled_contexts().extended(
        {"https://base.example/v1": base, "https://more.example/v1": more}
    )
    document = {
        "@context": "https://more.example/v1",
        "type": "T",
        "a": "https://ex.example/x",
        "d": "https://ex.example/y",
        "b": {"a": "https://ex.example/z", "c": "x", "d": "https://ex.example/gone"},
    }
    assert decode(encode(document, store), store) == document


@pytest.mark.parametrize("context", [[1], "text", {"a": 5}, {"a": ["x"]}, {"a": "b:c", "b": "a:d"}])
def test_contexts_that_are_none_are_refused(context: Any) -> None:
    store = bundled_contexts().extended({"https://bad.example/v1": {"@context": context}})
    with pytest.raises((ContextInvalid, CborLdLossy)):
        encode({"@context": "https://bad.example/v1", "a": "x"}, store)


# The published type table


def test_the_published_table_is_the_one_in_use() -> None:
    source = json.loads(files("credentials.qr").joinpath("type_table.json").read_text("utf-8"))
    table = TypeTable.of(source)
    assert table.entry == 86000571 == private_table().entry
    assert table.numbers == private_table().numbers


def test_numbers_once_published_never_change() -> None:
    # Add lines when the table grows; change none.
    numbers = private_table().numbers
    assert numbers["context"][CONTEXT_V2] == 1
    assert numbers["context"][RESIDENT_CONTEXT] == 2
    assert numbers["context"][PRESENTATION_CONTEXT] == 3
    assert numbers["url"][RESIDENT_SCHEMA] == 1
    words = ["revocation", "suspension", "refresh", "message", "male", "female"]
    assert [numbers["none"][word] for word in words] == [1, 2, 3, 4, 5, 6]
    suites = numbers["https://w3id.org/security#cryptosuiteString"]
    assert suites["ecdsa-rdfc-2019"] == 1
    assert suites["ecdsa-sd-2023"] == 2
    assert suites["bbs-2023"] == 7


def test_every_context_of_the_table_is_on_record() -> None:
    assert set(private_table().numbers["context"]) <= set(bundled_contexts())


def test_one_number_for_two_values_is_refused() -> None:
    with pytest.raises(ValueError, match="two values"):
        TypeTable.of(
            {"registryEntryId": 1, "typeTables": [{"type": "url", "table": {"a": 1, "b": 1}}]}
        )


def test_integers_beside_a_typed_table_travel_as_bytes() -> None:
    for number in (0, 5, -5, 126, 127, 200, -129, 40000, 2**31, -(2**40)):
        document = {
            "@context": [CONTEXT_V2],
            "type": ["VerifiablePresentation"],
            "proof": {"type": "DataIntegrityProof", "cryptosuite": number},
        }
        assert decode(encode(document)) == document


def test_the_reader_and_cbor2_agree() -> None:
    item = {1: [1, -1, 300, 70000, 2**40, "é", b"\x01", None, True, False, 1.5], "k": {2: [[]]}}
    assert cbor.read(cbor2.dumps(item)) == item
    assert cbor.read(cbor.write(item)) == item
    assert list(cbor2.loads(cbor.write({"bb": 1, "a": 2, 300: 3, 2: 4}))) == [2, 300, "a", "bb"]


def _hostile_types(objects: int) -> dict[str, Any]:
    """Objects of ever other combinations of types that have contexts of their own."""
    names = [
        "VerifiableCredential",
        "VerifiablePresentation",
        "EnvelopedVerifiableCredential",
        "JsonSchema",
        "BitstringStatusListCredential",
        "BitstringStatusList",
        "BitstringStatusListEntry",
        "DataIntegrityProof",
    ]
    return {
        "@context": [CONTEXT_V2],
        "x": [
            {"type": [name for bit, name in enumerate(names) if number >> bit & 1], "n": number}
            for number in range(1, objects)
        ],
    }


def test_combinations_of_types_are_limited() -> None:
    assert decode(encode(_hostile_types(120))) == _hostile_types(120)
    with pytest.raises(LimitExceeded):
        encode(_hostile_types(256))


def test_hostile_combinations_do_not_slow_others_down_for_good() -> None:
    codec = CborLd(bundled_contexts())
    expected = codec.encode(PRESENTATION)
    for start in range(12):
        document = _hostile_types(100)
        document["x"] = document["x"][start:]
        document["@context"] = [CONTEXT_V2, PRESENTATION_CONTEXT][: 1 + start % 2]
        assert codec.decode(codec.encode(document)) == document
    assert codec.encode(PRESENTATION) == expected
