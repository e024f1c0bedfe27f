"""The proof values of bbs-2023: what is written before and after the holder derives.

Strict: one text for each value, every part of the type and size it must have, sizes bounded.
Nothing here is verified. Source: VC-DI-BBS §3.3, as the vectors have it (see `bbs_2023`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import cbor2

from credentials.errors import EncodingInvalid, LimitExceeded, ProofMalformed
from credentials.limits import DEFAULT_LIMITS, MAX_POINTERS
from credentials.multibase import multibase_base64, multibase_decode
from credentials.proofs.selective import HMAC_KEY_LENGTH, check_pointers
from schemas.errors import Phrase

_SIGNATURE: Final = 80
_HEADER: Final = 64  # two SHA-256 digests
_PUBLIC_KEY: Final = 96
_SCALAR: Final = 32
_PSEUDONYM: Final = 48

MAX_VALUE: Final = 128 * 1024
"""Characters of a proof value: as many hidden statements as one signature can cover."""
MAX_PRESENTATION_HEADER: Final = 4096
"""Bytes that bind a derived proof to an occasion: a nonce, a digest."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One kind of proof: its headers, how many parts its values have, what the holder adds."""

    name: str
    base_header: bytes
    derived_header: bytes
    base_parts: int
    derived_parts: int
    committed: bool
    pseudonym: bool


BASELINE: Final = Feature("baseline", b"\xd9\x5d\x02", b"\xd9\x5d\x03", 5, 5, False, False)
HOLDER_BINDING: Final = Feature(
    "anonymous_holder_binding", b"\xd9\x5d\x04", b"\xd9\x5d\x05", 5, 6, True, False
)
PSEUDONYM: Final = Feature("pseudonym", b"\xd9\x5d\x08", b"\xd9\x5d\x09", 6, 7, True, True)
"""With or without holder binding: only the holder's secrets differ."""

FEATURES: Final = (BASELINE, HOLDER_BINDING, PSEUDONYM)
_OF_BASE: Final = {feature.base_header: feature for feature in FEATURES}
_OF_DERIVED: Final = {feature.derived_header: feature for feature in FEATURES}


# Proof values


@dataclass(frozen=True)
class BaseValue:
    """What a base proof value holds (VC-DI-BBS §3.3.1)."""

    signature: bytes
    header: bytes
    public_key: bytes
    hmac_key: bytes
    mandatory_pointers: tuple[str, ...]
    feature: Feature = BASELINE
    nym_entropy: bytes | None = None

    def encode(self) -> str:
        parts: list[object] = [
            self.signature,
            self.header,
            self.public_key,
            self.hmac_key,
            list(self.mandatory_pointers),
        ]
        if self.nym_entropy is not None:
            parts.append(int.from_bytes(self.nym_entropy, "big"))
        return multibase_base64(self.feature.base_header + cbor2.dumps(parts))

    @classmethod
    def decode(cls, value: object) -> BaseValue:
        """§3.3.2 parseBaseProofValue. Raises ProofMalformed, PointerInvalid, LimitExceeded."""
        feature, parts = _parts(value, _OF_BASE, "base")
        signature, header, public_key, hmac_key, pointers, *more = parts
        _check_bytes(signature, _SIGNATURE, "the base signature")
        _check_bytes(header, _HEADER, "the header")
        _check_bytes(public_key, _PUBLIC_KEY, "the public key")
        _check_bytes(hmac_key, HMAC_KEY_LENGTH, "the HMAC key")
        _check(type(pointers) is list and len(pointers) <= MAX_POINTERS, "the list of pointers")
        entropy = None
        if more:
            _check(type(more[0]) is int and 0 < more[0] < 1 << 255, "the nym entropy")
            entropy = more[0].to_bytes(_SCALAR, "big")
        return cls(
            signature,
            header,
            public_key,
            hmac_key,
            tuple(check_pointers(pointers)),
            feature,
            entropy,
        )


@dataclass(frozen=True)
class DerivedValue:
    """What a derived proof value holds (VC-DI-BBS §3.3.6).

    `labels[n]` is the number of the shuffled label of `c14nN`; `mandatory` are positions among
    the shown statements, `selective` positions among those that are not mandatory. `total` counts
    the latter in the whole credential where the holder committed to secrets.
    """

    proof: bytes
    labels: Mapping[int, int]
    mandatory: tuple[int, ...]
    selective: tuple[int, ...]
    presentation_header: bytes
    feature: Feature = BASELINE
    pseudonym: bytes | None = None
    total: int | None = None

    def encode(self) -> str:
        parts: list[object] = [
            self.proof,
            dict(self.labels),
            list(self.mandatory),
            list(self.selective),
            self.presentation_header,
        ]
        if self.pseudonym is not None:
            parts.append(self.pseudonym)
        if self.total is not None:
            parts.append(self.total)
        return multibase_base64(self.feature.derived_header + cbor2.dumps(parts))

    @classmethod
    def decode(cls, value: object) -> DerivedValue:
        """§3.3.7 parseDerivedProofValue. Raises ProofMalformed, LimitExceeded."""
        feature, parts = _parts(value, _OF_DERIVED, "derived")
        proof, labels, mandatory, selective, presentation_header, *more = parts
        _check(type(proof) is bytes, "the BBS proof")
        _check(
            type(labels) is dict
            and all(_is_count(key) and _is_count(item) for key, item in labels.items())
            # One label for two nodes would let a holder split an object in two.
            and len(set(labels.values())) == len(labels),
            "the label map",
        )
        for indexes, what in (
            (mandatory, "the list of mandatory indexes"),
            (selective, "the list of selective indexes"),
        ):
            _check(
                type(indexes) is list
                and all(_is_count(index) for index in indexes)
                and all(one < next_one for one, next_one in pairwise(indexes)),
                what,
            )
        _check(
            type(presentation_header) is bytes
            and len(presentation_header) <= MAX_PRESENTATION_HEADER,
            "the presentation header",
        )
        pseudonym = total = None
        if feature.pseudonym:
            pseudonym = more[0]
            _check_bytes(pseudonym, _PSEUDONYM, "the pseudonym")
        if feature.committed:
            total = more[-1]
            _check(_is_count(total), "the number of statements")
        return cls(
            proof,
            labels,
            tuple(mandatory),
            tuple(selective),
            presentation_header,
            feature,
            pseudonym,
            total,
        )


def is_base_value(value: object) -> bool:
    """Whether a proof value is that of a base proof, which only its holder should see."""
    # The three bytes of a header are four characters.
    return isinstance(value, str) and any(
        value.startswith(multibase_base64(feature.base_header)) for feature in FEATURES
    )


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= DEFAULT_LIMITS.statements


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ProofMalformed(reason=Phrase("{what} in its value has the wrong form", what=what))


def _check_bytes(value: object, size: int, what: str) -> None:
    _check(type(value) is bytes and len(value) == size, what)


def _parts(
    value: object, features: Mapping[bytes, Feature], kind: str
) -> tuple[Feature, list[Any]]:
    """The feature and the parts behind multibase, header and CBOR."""
    if not isinstance(value, str):
        raise ProofMalformed(reason="its value is missing")
    if len(value) > MAX_VALUE:
        raise LimitExceeded(what="proof value", limit=MAX_VALUE)
    try:
        data = multibase_decode(value, allowed="u")
    except EncodingInvalid as error:
        raise ProofMalformed(reason="its value is not base64url with the header u") from error
    feature = features.get(data[:3])
    if feature is None:
        raise ProofMalformed(reason=Phrase("its value is not that of a {kind} proof", kind=kind))
    try:
        parts = cbor2.loads(data[3:])
        # One byte string for each value: this rules out trailing bytes, indefinite lengths and
        # duplicate keys; the types of the parts rule out tags but for the bignum.
        canonical = cbor2.dumps(parts) == data[3:]
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ProofMalformed(reason="its value is not CBOR") from error
    expected = feature.base_parts if kind == "base" else feature.derived_parts
    if not canonical or type(parts) is not list or len(parts) != expected:
        raise ProofMalformed(reason="its value is not an array of its parts in plain CBOR")
    return feature, parts
