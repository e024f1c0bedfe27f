"""ecdsa-sd-2023: a credential of which its holder shows parts (VC-DI-ECDSA §3.4 to §3.6).

The issuer signs a *base proof*: a key made for this one proof signs each statement that may be
hidden, and the issuer's key signs that key, the proof options and the statements that may not.
The holder *derives*: drops statements with their signatures. The verifier checks what is left.

Guarantees: every statement of a derived document was in the issuer's, none of the mandatory ones
is missing, and statements of two credentials cannot be mixed. A base proof, which holds the key
that hides the labels, is not accepted in place of a derived one unless the caller says so.

Not guaranteed: unlinkability. The base signature and the one-time key are the same in every
derived form, so verifiers who compare notes recognise the credential (bbs-2023 is for that).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import cbor2

from credentials.canonical import Canonicalizer
from credentials.canonical.rdfc import render
from credentials.errors import (
    CryptosuiteKeyMismatch,
    EncodingInvalid,
    KeyInvalid,
    NothingDisclosed,
    ProofMalformed,
    SignatureCountMismatch,
)
from credentials.keys import KeyType, PrivateKey, PublicKey, Signer
from credentials.limits import DEFAULT_LIMITS, MAX_POINTERS
from credentials.multibase import multibase_base64, multibase_decode
from credentials.proofs.options import canonical_options
from credentials.proofs.selective import (
    HMAC_KEY_LENGTH,
    check_pointers,
    group,
    select_document,
)
from credentials.proofs.suite import ProofInput
from schemas.errors import Phrase

NAME: Final = "ecdsa-sd-2023"
BASE_HEADER: Final = b"\xd9\x5d\x00"
DERIVED_HEADER: Final = b"\xd9\x5d\x01"

_KEY_TYPE: Final[KeyType] = "P-256"  # VC-DI-ECDSA §3.5.2: SHA-256 and P-256 throughout
_SIGNATURE: Final = 64
_PROOF_KEY: Final = 35  # two bytes of multicodec, 33 of compressed point


# Proof values


@dataclass(frozen=True)
class BaseValue:
    """What a base proof value holds (VC-DI-ECDSA §3.5.2)."""

    base_signature: bytes
    proof_key: bytes
    hmac_key: bytes
    signatures: tuple[bytes, ...]
    mandatory_pointers: tuple[str, ...]

    def encode(self) -> str:
        parts = [
            self.base_signature,
            self.proof_key,
            self.hmac_key,
            list(self.signatures),
            list(self.mandatory_pointers),
        ]
        return multibase_base64(BASE_HEADER + cbor2.dumps(parts))

    @classmethod
    def decode(cls, value: object) -> BaseValue:
        """§3.5.3 parseBaseProofValue. Raises ProofMalformed, PointerInvalid, LimitExceeded."""
        parts = _parts(value, BASE_HEADER)
        base_signature, proof_key, hmac_key, signatures, pointers = parts
        _check_common(base_signature, proof_key, signatures)
        _check(type(hmac_key) is bytes and len(hmac_key) == HMAC_KEY_LENGTH, "the HMAC key")
        _check(type(pointers) is list and len(pointers) <= MAX_POINTERS, "the list of pointers")
        return cls(
            base_signature, proof_key, hmac_key, tuple(signatures), tuple(check_pointers(pointers))
        )


@dataclass(frozen=True)
class DerivedValue:
    """What a derived proof value holds (VC-DI-ECDSA §3.5.7).

    `labels[n]` is the hidden label of `c14nN` (32 bytes); `mandatory` are positions among the
    statements that are shown.
    """

    base_signature: bytes
    proof_key: bytes
    signatures: tuple[bytes, ...]
    labels: Mapping[int, bytes]
    mandatory: tuple[int, ...]

    def encode(self) -> str:
        parts = [
            self.base_signature,
            self.proof_key,
            list(self.signatures),
            dict(self.labels),
            list(self.mandatory),
        ]
        return multibase_base64(DERIVED_HEADER + cbor2.dumps(parts))

    @classmethod
    def decode(cls, value: object) -> DerivedValue:
        """§3.5.8 parseDerivedProofValue. Raises ProofMalformed."""
        parts = _parts(value, DERIVED_HEADER)
        base_signature, proof_key, signatures, labels, mandatory = parts
        _check_common(base_signature, proof_key, signatures)
        _check(
            type(labels) is dict
            and all(type(key) is int and key >= 0 for key in labels)
            and all(
                type(item) is bytes and len(item) == HMAC_KEY_LENGTH for item in labels.values()
            )
            # One hidden label for two nodes would let a holder split an object in two.
            and len(set(labels.values())) == len(labels),
            "the label map",
        )
        _check(
            type(mandatory) is list
            and all(type(index) is int and index >= 0 for index in mandatory)
            and len(set(mandatory)) == len(mandatory),
            "the list of mandatory indexes",
        )
        return cls(base_signature, proof_key, tuple(signatures), labels, tuple(mandatory))


def is_base_value(value: object) -> bool:
    """Whether a proof value is that of a base proof, which only its holder should see."""
    return isinstance(value, str) and value.startswith(multibase_base64(BASE_HEADER))


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ProofMalformed(reason=Phrase("{what} in its value has the wrong form", what=what))


def _check_common(base_signature: object, proof_key: object, signatures: object) -> None:
    _check(
        type(base_signature) is bytes and len(base_signature) == _SIGNATURE, "the base signature"
    )
    _check(type(proof_key) is bytes and len(proof_key) == _PROOF_KEY, "the public key")
    _check(
        isinstance(signatures, list)
        and len(signatures) <= DEFAULT_LIMITS.statements
        and all(type(item) is bytes and len(item) == _SIGNATURE for item in signatures),
        "the list of signatures",
    )


def _parts(value: object, header: bytes) -> list[Any]:
    """The five parts behind multibase, header and CBOR."""
    if not isinstance(value, str):
        raise ProofMalformed(reason="its value is missing")
    try:
        data = multibase_decode(value, allowed="u")
    except EncodingInvalid as error:
        raise ProofMalformed(reason="its value is not base64url with the header u") from error
    if data[:3] != header:
        kind = "base" if header == BASE_HEADER else "derived"
        raise ProofMalformed(reason=Phrase("its value is not that of a {kind} proof", kind=kind))
    try:
        parts = cbor2.loads(data[3:])
        # One byte string for each value: this rules out tags, which §3.5.2 forbids inside, as
        # well as trailing bytes, indefinite lengths and duplicate keys.
        canonical = cbor2.dumps(parts) == data[3:]
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ProofMalformed(reason="its value is not CBOR") from error
    if not canonical or type(parts) is not list or len(parts) != 5:
        raise ProofMalformed(reason="its value is not an array of five in plain CBOR")
    return parts


# Base proofs


def sign_base(
    proof_input: ProofInput,
    signer: Signer,
    mandatory_pointers: Iterable[str],
    *,
    hmac_key: bytes | None = None,
    proof_key: PrivateKey | None = None,
) -> str:
    """The value of a base proof (VC-DI-ECDSA §3.6.1 to §3.6.5).

    `hmac_key` and `proof_key` are random unless given, and are given for test vectors only.
    Raises PointerUnknown, PointerInvalid, CryptosuiteKeyMismatch, DocumentRefused.
    """
    if signer.public_key.type != _KEY_TYPE:
        raise CryptosuiteKeyMismatch(cryptosuite=NAME, key_type=signer.public_key.type)
    pointers = check_pointers(mandatory_pointers)
    hmac_key = secrets.token_bytes(HMAC_KEY_LENGTH) if hmac_key is None else hmac_key
    if len(hmac_key) != HMAC_KEY_LENGTH:
        raise KeyInvalid(reason=Phrase("an HMAC key has {length} bytes", length=HMAC_KEY_LENGTH))
    key = PrivateKey.generate(_KEY_TYPE) if proof_key is None else proof_key
    tagged = key.public_key.tagged()

    grouped = group(_document(proof_input), proof_input.canonicalizer, hmac_key)
    mandatory = grouped.select(pointers)
    signatures = tuple(
        key.sign(line.encode())
        for line, is_mandatory in zip(grouped.lines, mandatory, strict=True)
        if not is_mandatory
    )
    base = signer.sign(
        _proof_hash(proof_input)
        + tagged
        + _mandatory_hash(
            line for line, chosen in zip(grouped.lines, mandatory, strict=True) if chosen
        )
    )
    return BaseValue(base, tagged, hmac_key, signatures, tuple(pointers)).encode()


def check_base(proof_input: ProofInput, value: str, public_key: PublicKey) -> BaseValue:
    """What a wallet checks when it receives a credential: the issuer's signature, and each
    signature that it will show one day. Raises SignatureInvalid, SignatureCountMismatch …"""
    base = BaseValue.decode(value)
    grouped = group(_document(proof_input), proof_input.canonicalizer, base.hmac_key)
    mandatory = grouped.select(base.mandatory_pointers)
    _check_signatures(
        proof_input,
        public_key,
        base.base_signature,
        base.proof_key,
        [line for line, chosen in zip(grouped.lines, mandatory, strict=True) if chosen],
        [line for line, chosen in zip(grouped.lines, mandatory, strict=True) if not chosen],
        base.signatures,
    )
    return base


# Derived proofs


def derive(
    document: Mapping[str, Any],
    base: BaseValue,
    selective_pointers: Iterable[str],
    canonicalizer: Canonicalizer,
) -> tuple[dict[str, Any], DerivedValue]:
    """The revealed document, still without proof, and its proof value (§3.5.6, §3.6.6).

    `document` has no proof. Raises NothingDisclosed, PointerUnknown, PointerNotSelectable,
    SignatureCountMismatch.
    """
    selective = check_pointers(selective_pointers)
    shown_pointers = list(dict.fromkeys([*base.mandatory_pointers, *selective]))
    if not shown_pointers:
        raise NothingDisclosed
    grouped = group(dict(document), canonicalizer, base.hmac_key)
    mandatory = grouped.select(base.mandatory_pointers)
    shown = grouped.select(shown_pointers)
    if mandatory.count(False) != len(base.signatures):
        raise SignatureCountMismatch(
            signatures=len(base.signatures), statements=mandatory.count(False)
        )
    # §3.5.6 steps 5 to 8: positions and signatures move together.
    indexes: list[int] = []
    signatures: list[bytes] = []
    of_all = iter(base.signatures)
    position = 0
    for is_mandatory, is_shown in zip(mandatory, shown, strict=True):
        signature = None if is_mandatory else next(of_all)
        if is_shown:
            if signature is None:
                indexes.append(position)
            else:
                signatures.append(signature)
            position += 1
    # Steps 10 to 13: the label map from the verifier's labels to the hidden ones.
    quads = [same[0] for same, chosen in zip(grouped.members, shown, strict=True) if chosen]
    labels = canonicalizer.label(quads, grouped.blanks)
    label_map = {
        int(label.removeprefix("_:c14n")): multibase_decode(hidden[2:], allowed="u")
        for label, hidden in zip(labels, grouped.labels, strict=True)
        if label
    }
    return select_document(document, shown_pointers), DerivedValue(
        base.base_signature,
        base.proof_key,
        tuple(signatures),
        dict(sorted(label_map.items())),
        tuple(indexes),
    )


def check_derived(proof_input: ProofInput, value: str, public_key: PublicKey) -> DerivedValue:
    """Verify a derived proof (VC-DI-ECDSA §3.6.7). Raises SignatureInvalid, ProofMalformed,
    SignatureCountMismatch, DocumentRefused."""
    derived = DerivedValue.decode(value)
    lines = _relabelled(proof_input, derived)
    if any(index >= len(lines) for index in derived.mandatory):
        raise ProofMalformed(reason="a mandatory index lies outside the document")
    chosen = set(derived.mandatory)
    _check_signatures(
        proof_input,
        public_key,
        derived.base_signature,
        derived.proof_key,
        [line for index, line in enumerate(lines) if index in chosen],
        [line for index, line in enumerate(lines) if index not in chosen],
        derived.signatures,
    )
    return derived


def _relabelled(proof_input: ProofInput, derived: DerivedValue) -> list[str]:
    """§3.5.9 createVerifyData steps 3 to 6."""
    canonicalizer = proof_input.canonicalizer
    quads, blanks = canonicalizer.quads(_document(proof_input))
    unique = list({quad[:4]: quad for quad in quads}.values())
    canonical = canonicalizer.label(unique, blanks)
    labels = []
    used = 0
    for label in canonical:
        if not label:
            labels.append("")
            continue
        hidden = derived.labels.get(int(label.removeprefix("_:c14n")))
        if hidden is None:
            raise ProofMalformed(reason="its label map misses a node of the document")
        used += 1
        labels.append("_:" + multibase_base64(hidden))
    if used != len(derived.labels):
        raise ProofMalformed(reason="its label map names a node that is not in the document")
    return sorted(render(quad, labels) for quad in unique)


# Shared steps


def _document(proof_input: ProofInput) -> dict[str, Any]:
    document = dict(proof_input.document)
    if "proof" in document:
        raise ProofMalformed(reason=Phrase("{name} does not cover earlier proofs", name=NAME))
    return document


def _proof_hash(proof_input: ProofInput) -> bytes:
    """§3.6.4 step 1: over the canonical proof options."""
    return sha256(
        canonical_options(proof_input.options, proof_input.canonicalizer).encode()
    ).digest()


def _mandatory_hash(lines: Iterable[str]) -> bytes:
    """§3.4.17 hashMandatoryNQuads."""
    return sha256("".join(lines).encode()).digest()


def _check_signatures(
    proof_input: ProofInput,
    public_key: PublicKey,
    base_signature: bytes,
    proof_key: bytes,
    mandatory: Sequence[str],
    others: Sequence[str],
    signatures: Sequence[bytes],
) -> None:
    if public_key.type != _KEY_TYPE:
        raise CryptosuiteKeyMismatch(cryptosuite=NAME, key_type=public_key.type)
    if len(signatures) != len(others):  # §3.6.7 step 3
        raise SignatureCountMismatch(signatures=len(signatures), statements=len(others))
    # The issuer's signature first: only it says that the other key may be believed.
    public_key.verify(
        base_signature, _proof_hash(proof_input) + proof_key + _mandatory_hash(mandatory)
    )
    try:
        one_time = PublicKey.from_tagged(proof_key)
    except KeyInvalid as error:
        raise ProofMalformed(reason="the public key in its value is no key") from error
    if one_time.type != _KEY_TYPE:
        raise ProofMalformed(reason="the public key in its value is not P-256")
    for line, signature in zip(others, signatures, strict=True):
        one_time.verify(signature, line.encode())


# The row of the suite table


@dataclass(frozen=True)
class EcdsaSdSuite:
    """ecdsa-sd-2023 as the framework of `credentials.proofs` sees it."""

    name: str = NAME
    key_types: frozenset[KeyType] = frozenset({_KEY_TYPE})
    carries_context: bool = False

    def sign(
        self, proof_input: ProofInput, signer: Signer, mandatory_pointers: Sequence[str]
    ) -> str:
        return sign_base(proof_input, signer, mandatory_pointers)

    def verify(
        self, proof_input: ProofInput, proof_value: str, key: PublicKey, *, accept_base: bool
    ) -> None:
        if accept_base and is_base_value(proof_value):
            check_base(proof_input, proof_value, key)
        else:
            check_derived(proof_input, proof_value, key)

    def derive(
        self,
        document: Mapping[str, Any],
        selective_pointers: Iterable[str],
        canonicalizer: Canonicalizer,
    ) -> dict[str, Any]:
        return derive_proof(
            document, selective_pointers=selective_pointers, canonicalizer=canonicalizer
        )


ECDSA_SD_2023: Final = EcdsaSdSuite()


# Whole documents


def create_base_proof(
    document: Mapping[str, Any],
    *,
    proof_options: Mapping[str, Any],
    signer: Signer,
    mandatory_pointers: Iterable[str],
    canonicalizer: Canonicalizer,
    hmac_key: bytes | None = None,
    proof_key: PrivateKey | None = None,
) -> dict[str, Any]:
    """The base proof of `document` (which has none) under `proof_options`."""
    value = sign_base(
        _input(document, proof_options, canonicalizer),
        signer,
        mandatory_pointers,
        hmac_key=hmac_key,
        proof_key=proof_key,
    )
    return {**proof_options, "proofValue": value}


def derive_proof(
    document: Mapping[str, Any],
    *,
    selective_pointers: Iterable[str],
    canonicalizer: Canonicalizer,
) -> dict[str, Any]:
    """The derived form of a credential with a base proof: what the mandatory and the selective
    pointers show, with its derived proof. Trusts the signatures: the wallet checked them once,
    with `verify_base`, when it received the credential."""
    unsecured, proof = _split(document)
    base = BaseValue.decode(proof.get("proofValue"))
    revealed, derived = derive(unsecured, base, selective_pointers, canonicalizer)
    return {**revealed, "proof": {**proof, "proofValue": derived.encode()}}


def verify_derived(
    document: Mapping[str, Any], *, public_key: PublicKey, canonicalizer: Canonicalizer
) -> DerivedValue:
    """Verify a document with a derived proof. Checks signatures only: not who made them, when,
    or for which purpose (see `credentials.proofs.integrity`)."""
    unsecured, proof = _split(document)
    return check_derived(
        _input(unsecured, proof, canonicalizer), proof.get("proofValue", ""), public_key
    )


def verify_base(
    document: Mapping[str, Any], *, public_key: PublicKey, canonicalizer: Canonicalizer
) -> BaseValue:
    """Verify a document with a base proof, each of its signatures included."""
    unsecured, proof = _split(document)
    return check_base(
        _input(unsecured, proof, canonicalizer), proof.get("proofValue", ""), public_key
    )


def _split(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    proof = document.get("proof")
    if isinstance(proof, list) and len(proof) == 1:
        proof = proof[0]
    if not isinstance(proof, Mapping) or proof.get("cryptosuite") != NAME:
        raise ProofMalformed(reason=Phrase("the document has no single proof of {name}", name=NAME))
    return {name: value for name, value in document.items() if name != "proof"}, dict(proof)


def _input(
    document: Mapping[str, Any], proof: Mapping[str, Any], canonicalizer: Canonicalizer
) -> ProofInput:
    """§3.6.2 and §3.6.4: the options are read under the document's context."""
    options = {
        "@context": document.get("@context"),
        **{name: value for name, value in proof.items() if name not in ("@context", "proofValue")},
    }
    return ProofInput(document, options, canonicalizer)
