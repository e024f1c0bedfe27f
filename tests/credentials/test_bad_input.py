"""Bad input of every kind: refused by name, with little time and little memory.

Each case is prepared first, so that only the refusal itself is measured.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import pytest
from py_arkworks_bls12381 import G1Point, G2Point

from credentials.bbs import verify as verify_bbs
from credentials.canonical import default_canonicalizer
from credentials.canonical.strict_json import parse_json
from credentials.cose import MAX_MESSAGE, parse_sign1
from credentials.dids import DocumentResolver, KeyResolver, did_document, did_key, key_url
from credentials.errors import (
    BbsMalformed,
    CborMalformed,
    CoseMalformed,
    CredentialError,
    CryptosuiteExperimental,
    CryptosuiteKeyMismatch,
    CryptosuiteUnknown,
    DidMalformed,
    JwsMalformed,
    KeyInvalid,
    LimitExceeded,
    ProofMalformed,
    QrTextMalformed,
    SignatureInvalid,
    StatusListMalformed,
)
from credentials.jose import parse_compact
from credentials.keys import KeyType, PrivateKey, PublicKey
from credentials.limits import DEFAULT_LIMITS, MAX_JSON_BYTES, MAX_JSON_DEPTH
from credentials.multibase import multibase_base58, multibase_base64, multibase_decode
from credentials.proofs import add_proof, derive, verify_proof
from credentials.qr import cborld, decode_qr_text
from credentials.sdjwt import SdJwt
from credentials.status import StatusList
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
CPU_S = 1.0
"""A hundred times what most take: machines of tests are slow. Poison has its own, tighter bound."""
PEAK_BYTES = 64 << 20
"""Over what stood before; the largest input is 4 MiB, and decoding it costs a few times that."""

Case = tuple[type[CredentialError], Callable[[], object]]


@cache
def key(kind: KeyType) -> PrivateKey:
    return PrivateKey.from_seed(kind, b"issuer of bad input, not a real key")


def unsigned(kind: KeyType, **more: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", "ResidentIdentityCredential"],
        "issuer": did_key(key(kind).public_key),
        "credentialSubject": {"type": "Resident", "name": "张三", "ageOver18": True},
        **more,
    }


@cache
def signed(suite: str, kind: KeyType) -> dict[str, Any]:
    return add_proof(
        unsigned(kind),
        cryptosuite=suite,
        signer=key(kind),
        verification_method=key_url(key(kind).public_key),
        created=NOW,
    )


def verify(document: dict[str, Any], **proof: Any) -> None:
    changed = {**document, "proof": {**document["proof"], **proof}}
    verify_proof(changed, resolver=KeyResolver(), now=NOW)


def nested(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = {"type": ["VerifiableCredential"]}
    for _ in range(depth):
        node = {"type": ["VerifiableCredential"], "evidence": node}
    return {"@context": [CONTEXT_V2], **node}


def off_curve(prefix: bytes) -> bytes:
    """A compressed P-256 or P-384 key without a point: half of all numbers are none."""
    size = 32 if prefix == b"\x80\x24" else 48
    kind: KeyType = "P-256" if size == 32 else "P-384"
    for x in range(1, 100):
        data = b"\x02" + x.to_bytes(size, "big")
        try:
            PublicKey(kind, data)
        except KeyInvalid:
            return data
    raise AssertionError("such numbers are everywhere")


def outside_subgroup(group: Any, size: int) -> bytes:
    for x in range(256):
        data = bytes([0x80]) + bytes(size - 2) + bytes([x])
        try:
            point = group.from_compressed_bytes_unchecked(data)
        except ValueError:
            continue
        if not point.is_in_subgroup():
            return bytes(point.to_compressed_bytes())
    raise AssertionError("such points are everywhere")


def sizes() -> Iterator[tuple[str, Case]]:
    canonicalize = default_canonicalizer().canonicalize
    yield "large JSON", (LimitExceeded, partial(parse_json, b" " * (MAX_JSON_BYTES + 1)))
    wide = {"type": ["VerifiableCredential"], "name": [f"n{n}" for n in range(200_000)]}
    document = {"@context": [CONTEXT_V2], **wide}
    yield "many statements", (LimitExceeded, partial(canonicalize, document))
    yield "large COSE", (LimitExceeded, partial(parse_sign1, bytes(MAX_MESSAGE + 1)))
    yield "large CBOR-LD", (LimitExceeded, partial(cborld.decode, b"\xd9" + bytes(1 << 22)))
    yield "large QR text", (LimitExceeded, partial(decode_qr_text, "VC1-R" + "0" * (1 << 22)))
    yield "large SD-JWT", (LimitExceeded, partial(SdJwt.parse, "a" * (1 << 24)))
    yield "large status list", (LimitExceeded, partial(StatusList.decode, "u" + "A" * (1 << 24)))


def shapes() -> Iterator[tuple[str, Case]]:
    canonicalize = default_canonicalizer().canonicalize
    deep = b"[" * (MAX_JSON_DEPTH + 1) + b"]" * (MAX_JSON_DEPTH + 1)
    yield "deep JSON", (LimitExceeded, partial(parse_json, deep))
    yield "endless JSON", (LimitExceeded, partial(parse_json, b"[" * 1_000_000))
    document = nested(DEFAULT_LIMITS.depth + 1)
    yield "deep document", (LimitExceeded, partial(canonicalize, document))
    yield "endless document", (LimitExceeded, partial(canonicalize, nested(50_000)))
    leaves = [
        {"type": ["VerifiableCredential"], "name": f"n{n}"}
        for n in range(DEFAULT_LIMITS.blank_nodes + 1)
    ]
    crowd = {"@context": [CONTEXT_V2], "type": ["VerifiableCredential"], "evidence": leaves}
    yield "many blank nodes", (LimitExceeded, partial(canonicalize, crowd))
    for count in (DEFAULT_LIMITS.contexts + 1, 100_000):
        contexts = {"@context": [CONTEXT_V2] * count, "type": ["VerifiableCredential"]}
        yield f"{count} contexts", (LimitExceeded, partial(canonicalize, contexts))


SUITES: list[tuple[str, KeyType]] = [
    ("ecdsa-rdfc-2019", "P-256"),
    ("ecdsa-rdfc-2019", "P-384"),
    ("ecdsa-jcs-2019", "P-256"),
    ("eddsa-rdfc-2022", "Ed25519"),
    ("eddsa-jcs-2022", "Ed25519"),
    ("ecdsa-sd-2023", "P-256"),
    ("bbs-2023", "Bls12381G2"),
]
SELECTIVE = ("ecdsa-sd-2023", "bbs-2023")


def proof_values() -> Iterator[tuple[str, Case]]:
    for suite, kind in SUITES:
        document = signed(suite, kind)
        for what, value in {
            "no base": "x" * 86,
            "base58 that is none": "z" + "0" * 86,
            "base64 that is none": "u" + "!" * 86,
            "nothing": "z",
            "not CBOR": multibase_base64(b"\xd9\x5d\x02\xff\xff"),
            "too long": "z" + "2" * 100_000,
            "too long in base64": "u" + "A" * 8_000_000,
            "of a wrong length": multibase_base58(bytes(63)),
            "not ASCII": "z" + "字" * 86,
        }.items():
            attempt = partial(verify, document, proofValue=value)
            long = value[0] == "u" and what.startswith("too long")
            error = LimitExceeded if long and suite in SELECTIVE else ProofMalformed
            yield f"{suite} {kind}: {what}", (error, attempt)
    yield "JWS", (JwsMalformed, partial(parse_compact, "a.b.!"))
    yield "COSE", (CoseMalformed, partial(parse_sign1, b"\xd2\x84\xff"))
    yield "QR text", (QrTextMalformed, partial(decode_qr_text, "VC1-R:::"))
    yield (
        "CBOR-LD",
        (CborMalformed, partial(cborld.decode, cborld.encode(unsigned("P-256")) + b"\0")),
    )
    yield "status list", (StatusListMalformed, partial(StatusList.decode, "u!"))


def keys() -> Iterator[tuple[str, Case]]:
    # Of the wrong type: a suite, and a key that it does not know
    for suite, kind in SUITES:
        other: KeyType = "P-256" if kind in ("Ed25519", "Bls12381G2") else "Ed25519"
        method = key_url(key(other).public_key)
        attempt = partial(verify, signed(suite, kind), verificationMethod=method)
        yield f"{suite} with {other}", (CryptosuiteKeyMismatch, attempt)
    # Off its curve
    for name, prefix in (("P-256", b"\x80\x24"), ("P-384", b"\x81\x24")):
        spelt = multibase_base58(prefix + off_curve(prefix))
        yield f"{name} multikey", (KeyInvalid, partial(PublicKey.from_multikey, spelt))
        method = f"did:key:{spelt}#{spelt}"
        attempt = partial(verify, signed("ecdsa-rdfc-2019", "P-256"), verificationMethod=method)
        yield f"{name} in a proof", (DidMalformed, attempt)
    jwk = key("P-256").public_key.jwk()
    yield "P-256 JWK", (KeyInvalid, partial(PublicKey.from_jwk, {**jwk, "y": jwk["x"]}))
    document = did_document("did:web:a.example", {"k": key("P-256").public_key})
    spelt = multibase_base58(b"\x80\x24" + off_curve(b"\x80\x24"))
    for method in document["verificationMethod"]:
        method["publicKeyMultibase"] = spelt
    resolve = partial(resolve_in, document, "did:web:a.example#k")
    yield "P-256 in a DID document", (KeyInvalid, resolve)
    # Outside its subgroup
    point, public = outside_subgroup(G1Point, 48), outside_subgroup(G2Point, 96)
    yield "BBS public key", (KeyInvalid, partial(PublicKey, "Bls12381G2", public))
    bbs = key("Bls12381G2").public_key.bbs
    attempt = partial(verify_bbs, bbs, point + bytes(31) + b"\1", b"", [b"a"])
    yield "BBS signature", (BbsMalformed, attempt)
    derived = derive(signed("bbs-2023", "Bls12381G2"), ["/credentialSubject/ageOver18"])
    yield "BBS proof", (BbsMalformed, partial(verify, derived, **exchanged(derived, point)))


def resolve_in(document: dict[str, Any], url: str) -> None:
    DocumentResolver([document]).resolve(url, "assertionMethod")


def exchanged(derived: dict[str, Any], point: bytes) -> dict[str, str]:
    """The proof value with its first point exchanged."""
    raw = multibase_decode(derived["proof"]["proofValue"])
    start = raw.index(b"\x59") + 3  # the proof is the first byte string, of two bytes of length
    return {"proofValue": multibase_base64(raw[:start] + point + raw[start + 48 :])}


def suites() -> Iterator[tuple[str, Case]]:
    document = signed("ecdsa-rdfc-2019", "P-256")
    for name in ("ecdsa-rdfc-2020", "字", "x" * 100_000, "__class__"):
        yield name[:20], (CryptosuiteUnknown, partial(verify, document, cryptosuite=name))
    attempt = partial(verify, document, cryptosuite="mldsa44-rdfc-2024")
    yield "experimental", (CryptosuiteExperimental, attempt)
    yield "no text", (ProofMalformed, partial(verify, document, cryptosuite=7))


CASES = {
    f"{group.__name__}: {name}": case
    for group in (sizes, shapes, proof_values, keys, suites)
    for name, case in group()
}


@pytest.mark.parametrize("name", CASES)
def test_refused_by_name_and_cheaply(name: str) -> None:
    error, attempt = CASES[name]
    begun = time.process_time()
    with pytest.raises(error) as caught:
        attempt()
    assert time.process_time() - begun < CPU_S
    assert caught.type is error  # the cause, not a relative of it
    assert len(str(caught.value.diagnostics())) < 4096  # nor the input again
    tracemalloc.start()
    try:
        with pytest.raises(error):
            attempt()
        assert tracemalloc.get_traced_memory()[1] < PEAK_BYTES
    finally:
        tracemalloc.stop()


def test_what_the_cases_start_from_is_good() -> None:
    for suite, kind in SUITES:
        if suite not in SELECTIVE:
            verify(signed(suite, kind))
            with pytest.raises(SignatureInvalid):
                verify({**signed(suite, kind), "name": "x"})
