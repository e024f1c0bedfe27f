"""Targets for documents: JSON and the gate, CBOR-LD, QR text, status lists, proof values."""

from __future__ import annotations

import copy
import gzip
import io
import json
import random
import re
import warnings
from datetime import timedelta
from functools import cache
from typing import Any

import cbor2
from pyld.jsonld import JsonLdError

from benchmarks import differential
from benchmarks.sample import CREATED, issuer_key, resident_credential
from credentials.bbs.encoding import CommitmentProof, Proof, Signature
from credentials.bbs.scheme import BbsPublicKey
from credentials.canonical import Canonicalizer
from credentials.canonical.reference import canonicalize_with_pyld
from credentials.canonical.strict_json import parse_json, parse_json_object
from credentials.dids import KeyResolver
from credentials.errors import CredentialError
from credentials.multibase import base64url_encode, multibase_base64, multibase_decode
from credentials.proofs import add_proof, derive, verify_proof
from credentials.proofs.bbs_2023_values import BaseValue, DerivedValue
from credentials.qr import cborld, decode_qr_text, encode_qr_text
from credentials.qr.framing import CREDENTIAL, DEFLATED_CREDENTIAL, deflate, frame
from credentials.status import StatusList, parse_status_list
from credentials.token_status import TokenStatusList
from fuzz.target import Target, chosen, either

NOW = CREATED + timedelta(hours=1)


@cache
def signed(suite: str, kind: str) -> dict[str, Any]:
    """A resident's credential with a proof of `suite`."""
    key, did, method = issuer_key(kind)
    return add_proof(
        resident_credential(did),
        cryptosuite=suite,
        signer=key,
        verification_method=method,
        created=CREATED,
    )


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


# The gate

_ESCAPED = re.compile(r"\\(?:u|[bft])")
"""What RDFC-1.0 §5.2 escapes and pyld writes as it is: there they differ, and pyld is wrong."""


@cache
def _canonicalizer() -> Canonicalizer:
    return Canonicalizer(differential.contexts())


def _compare(document: dict[str, Any]) -> None:
    """What the gate lets through must come out of pyld with the same bytes."""
    ours = _canonicalizer().canonicalize(document).text
    if _ESCAPED.search(ours):
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = canonicalize_with_pyld(copy.deepcopy(document), differential.contexts())
    except (JsonLdError, TypeError, AttributeError, KeyError, ValueError) as error:
        raise AssertionError("pyld refuses what the gate let through") from error
    if ours != theirs:
        raise AssertionError("the walker and pyld differ")


def _read_json(data: bytes) -> None:
    document = parse_json(data)
    if document != json.loads(data):
        raise AssertionError("the strict reader and the lenient one differ")
    if isinstance(document, dict):
        _compare(document)


def _json_seeds() -> list[bytes]:
    return [_json(document) for document in differential.samples(120, 7)]


class _Dice(random.Random):
    """Throws what the fuzzer wrote, then zeros: the fuzzer steers the maker of documents."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._rest = io.BytesIO(data)
        self._count = 0

    def getrandbits(self, k: int, /) -> int:
        size = (k + 7) // 8
        return int.from_bytes(self._rest.read(size), "little") >> (8 * size - k)

    def random(self) -> float:
        # No number twice: the maker counts on it where it tells values apart.
        self._count += 1
        return self.getrandbits(8) / 256 + self._count * 1e-9


def _read_made(data: bytes) -> None:
    either(
        data,
        lambda rest: _compare(differential.sample(_Dice(rest), mutated=False)),
        lambda rest: _compare(differential.sample(_Dice(rest), mutated=True)),
    )


def _made_seeds() -> list[bytes]:
    rng = random.Random(7)
    throws = [chosen(n % 2, rng.randbytes(200)) for n in range(80)]
    return [throw for throw in throws if _taken(throw)]


def _taken(throw: bytes) -> bool:
    try:
        _read_made(throw)
    except CredentialError:
        return False
    return True


# Compact forms


def _read_cborld(data: bytes) -> None:
    document = cborld.decode(data)
    # What was read can be written, or is refused by name; and is the same again.
    if cborld.decode(cborld.encode(document)) != document:
        raise AssertionError("another document came back")


def _cborld_seeds() -> list[bytes]:
    return [
        cborld.encode(signed("eddsa-rdfc-2022", "Ed25519")),
        cborld.encode(signed("ecdsa-sd-2023", "P-256")),
    ]


def _read_qr(data: bytes) -> None:
    either(
        data,
        lambda rest: decode_qr_text(rest.decode("utf-8", "replace")),
        lambda rest: decode_qr_text(frame(rest, CREDENTIAL)),
        lambda rest: decode_qr_text(frame(rest, DEFLATED_CREDENTIAL)),
    )


def _qr_seeds() -> list[bytes]:
    document = signed("ecdsa-rdfc-2019", "P-256")
    return [
        chosen(0, encode_qr_text(document).encode()),
        chosen(1, cborld.encode(document)),
        chosen(2, deflate(cborld.encode(document))),
    ]


# Status lists


def _read_status(data: bytes) -> None:
    either(
        data,
        lambda rest: StatusList.decode(rest.decode("utf-8", "replace")),
        lambda rest: StatusList.decode(multibase_base64(rest)),
        lambda rest: TokenStatusList.unpack(1 << (rest[0] & 3) if rest else 0, rest[1:]),
        lambda rest: parse_status_list(parse_json_object(rest)),
    )


def _status_seeds() -> list[bytes]:
    bits = StatusList.empty()
    bits.set(94567)
    text = bits.encode()
    credential = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": "https://data.example/status/1",
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": "did:web:data.example",
        "credentialSubject": {
            "id": "https://data.example/status/1#list",
            "type": "BitstringStatusList",
            "statusPurpose": ["revocation", "suspension"],
            "encodedList": text,
            "ttl": 300000,
        },
    }
    return [
        chosen(0, text.encode()),
        chosen(1, multibase_decode(text)),
        chosen(1, gzip.compress(bytes(1 << 20))),
        chosen(2, b"\0" + TokenStatusList.empty(1000).pack()),
        chosen(3, _json(credential)),
    ]


# Proof values of the suites that disclose a part


@cache
def _derived(suite: str, kind: str) -> dict[str, Any]:
    return derive(signed(suite, kind), ["/credentialSubject/ageOver18"])


def _verify_with(document: dict[str, Any], value: str) -> None:
    proof = {**document["proof"], "proofValue": value}
    verify_proof({**document, "proof": proof}, resolver=KeyResolver(), now=NOW, accept_base=True)


def _read_bbs(data: bytes) -> None:
    document = _derived("bbs-2023", "Bls12381G2")
    either(
        data,
        lambda rest: DerivedValue.decode("u" + base64url_encode(rest)),
        lambda rest: BaseValue.decode("u" + base64url_encode(rest)),
        lambda rest: _verify_with(document, "u" + base64url_encode(rest)),
        Proof.decode,
        Signature.decode,
        BbsPublicKey.decode,
        CommitmentProof.decode,
        lambda rest: DerivedValue.decode(rest.decode("utf-8", "replace")),
    )


def _bbs_seeds() -> list[bytes]:
    key, _, _ = issuer_key("Bls12381G2")
    base = signed("bbs-2023", "Bls12381G2")["proof"]["proofValue"]
    derived = _derived("bbs-2023", "Bls12381G2")["proof"]["proofValue"]
    parts = cbor2.loads(multibase_decode(derived)[3:])
    return [
        chosen(0, multibase_decode(derived)),
        chosen(1, multibase_decode(base)),
        chosen(2, multibase_decode(derived)),
        chosen(2, multibase_decode(base)),
        chosen(3, parts[0]),
        chosen(4, cbor2.loads(multibase_decode(base)[3:])[0]),
        chosen(5, key.public_key.raw),
        chosen(6, parts[0][96:]),
        chosen(7, derived.encode()),
    ]


def _read_sd(data: bytes) -> None:
    document = _derived("ecdsa-sd-2023", "P-256")
    either(
        data,
        lambda rest: _verify_with(document, "u" + base64url_encode(rest)),
        lambda rest: _verify_with(signed("ecdsa-sd-2023", "P-256"), "u" + base64url_encode(rest)),
        lambda rest: _verify_with(document, rest.decode("utf-8", "replace")),
    )


def _sd_seeds() -> list[bytes]:
    base = signed("ecdsa-sd-2023", "P-256")["proof"]["proofValue"]
    derived = _derived("ecdsa-sd-2023", "P-256")["proof"]["proofValue"]
    return [
        chosen(0, multibase_decode(derived)),
        chosen(1, multibase_decode(base)),
        chosen(2, derived.encode()),
    ]


TARGETS = (
    Target("json-gate", CredentialError, _read_json, _json_seeds),
    Target("gate-made", CredentialError, _read_made, _made_seeds),
    Target("cborld", CredentialError, _read_cborld, _cborld_seeds),
    Target("qr-text", CredentialError, _read_qr, _qr_seeds),
    Target("status-list", CredentialError, _read_status, _status_seeds),
    Target("bbs-proof", CredentialError, _read_bbs, _bbs_seeds),
    Target("ecdsa-sd-proof", CredentialError, _read_sd, _sd_seeds),
)
