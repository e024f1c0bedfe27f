"""bbs-2023: a credential of which its holder shows parts that cannot be linked (VC-DI-BBS §3).

The issuer signs all statements with one BBS signature (the *base proof*). The holder *derives*: a
proof of knowing that signature, over the shown statements only, different each time.

Guarantees: every statement of a derived document was in the issuer's and none of the mandatory
ones is missing; two derived proofs share nothing that the signature could be recognised by. With
*holder binding*, deriving needs a secret that never left the holder, so that a stolen credential
cannot be shown. With a *pseudonym*, a verifier also learns a name for the holder, which is proven
to be the same for the same context and cannot be linked to the one for any other context.

Not guaranteed, and it bites: what is shown links. The proof options (`created` among them), the
mandatory statements, the number of statements and the labels of the shown nodes are the same in
every derived form; an issuer that makes them unique to a person (a status index, a subject
identifier, a time in seconds) undoes the unlinkability. A derived proof can be shown again by
whoever saw it, unless it is bound to an occasion by `presentation_header`, which the verifier must
name (`BbsChecking`). BBS arithmetic here is not constant-time (`credentials.bbs`). The
features beyond the baseline rest on drafts that still move.

Where the text of VC-DI-BBS (April 2025) and its vectors disagree, this follows the vectors:
  - §3.3.1, §3.3.6: pseudonyms without holder binding would have the headers d9 5d 06 and 07; the
    vectors have 08 and 09 for both kinds, so the two look alike and 06 and 07 are refused;
  - §3.3.1: `signer_nym_entropy` is a number, and so, against the rule of no tags, a CBOR bignum;
  - §3.3.6: the pseudonym stands before `lengthBBSMessages`, and `nym_domain` is not in the proof:
    the verifier has to know the context it asked for;
  - the vectors' random numbers are `seeded_random_scalars` with the interface's own identifier
    as tag, where the BBS draft appends MOCK_RANDOM_SCALARS_DST_.
For the differences in the BBS drafts see `credentials.bbs.blind`.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeVar

from credentials import bbs
from credentials.bbs import Opening, RandomScalars
from credentials.bbs.scheme import fresh_scalars
from credentials.canonical import Canonicalizer
from credentials.canonical.rdfc import render
from credentials.errors import (
    BbsFeatureMismatch,
    ChallengeMismatch,
    CryptosuiteKeyMismatch,
    KeyInvalid,
    LimitExceeded,
    NothingDisclosed,
    ProofMalformed,
    SignatureInvalid,
    SuiteOptionsRefused,
)
from credentials.keys import KeyType, PublicKey, Signer, StatementSigner
from credentials.proofs.bbs_2023_options import NAME, BbsChecking, BbsIssuing, BbsShowing
from credentials.proofs.bbs_2023_values import (
    BASELINE,
    HOLDER_BINDING,
    MAX_PRESENTATION_HEADER,
    PSEUDONYM,
    BaseValue,
    DerivedValue,
    is_base_value,
)
from credentials.proofs.options import canonical_options
from credentials.proofs.selective import (
    HMAC_KEY_LENGTH,
    Grouped,
    check_pointers,
    group,
    select_document,
    shuffled_labels,
)
from credentials.proofs.suite import ProofInput, SuiteOptions
from schemas.errors import Phrase

_KEY_TYPE: Final[KeyType] = "Bls12381G2"
_Options = TypeVar("_Options", BbsIssuing, BbsShowing, BbsChecking)


# Base proofs


def sign_base(
    proof_input: ProofInput,
    signer: Signer,
    mandatory_pointers: Iterable[str],
    *,
    commitment: bytes | None = None,
    pseudonyms: bool = False,
    hmac_key: bytes | None = None,
    nym_entropy: bytes | None = None,
) -> str:
    """The value of a base proof (VC-DI-BBS §3.4.1 to §3.4.5).

    `commitment` is what a holder made with `credentials.bbs.commit`; `pseudonyms` says that it
    commits to a nym secret too. `nym_entropy` (32 bytes) is given to issue again for the same
    pseudonyms, else it is random; `hmac_key` is given for test vectors only.

    Raises PointerUnknown, PointerInvalid, CryptosuiteKeyMismatch, BbsCommitmentInvalid,
    BbsFeatureMismatch, LimitExceeded, DocumentRefused.
    """
    signing = _statement_signer(signer)
    pointers = check_pointers(mandatory_pointers)
    hmac_key = secrets.token_bytes(HMAC_KEY_LENGTH) if hmac_key is None else hmac_key
    if len(hmac_key) != HMAC_KEY_LENGTH:
        raise KeyInvalid(reason=Phrase("an HMAC key has {length} bytes", length=HMAC_KEY_LENGTH))
    if (pseudonyms and commitment is None) or (nym_entropy is not None and not pseudonyms):
        raise BbsFeatureMismatch
    if pseudonyms and nym_entropy is None:
        nym_entropy = fresh_scalars(1)[0].to_be_bytes()
    grouped = _group(_document(proof_input), proof_input.canonicalizer, hmac_key)
    mandatory, others = _split_lines(grouped.lines, grouped.select(pointers))
    header = _proof_hash(proof_input) + _mandatory_hash(mandatory)
    signature = signing.sign_statements(
        header, _messages(others), commitment=commitment, nym_entropy=nym_entropy
    )
    feature = PSEUDONYM if pseudonyms else BASELINE if commitment is None else HOLDER_BINDING
    return BaseValue(
        signature,
        header,
        signer.public_key.raw,
        hmac_key,
        tuple(pointers),
        feature,
        nym_entropy,
    ).encode()


def _statement_signer(signer: Signer) -> StatementSigner:
    if signer.public_key.type != _KEY_TYPE or not isinstance(signer, StatementSigner):
        raise CryptosuiteKeyMismatch(cryptosuite=NAME, key_type=signer.public_key.type)
    return signer


def check_base(
    proof_input: ProofInput, value: str, public_key: PublicKey, holder: Opening | None = None
) -> BaseValue:
    """What a wallet checks when it receives a credential: that the issuer signed every statement
    of it, and the holder's commitment where `holder` made one (with its own part of the nym
    secret). Raises SignatureInvalid, BbsFeatureMismatch, ProofMalformed …"""
    _check_key(public_key)
    base = BaseValue.decode(value)
    # The value repeats key and header; a derivation relies on them.
    if base.public_key != public_key.raw:
        raise SignatureInvalid
    grouped = _group(_document(proof_input), proof_input.canonicalizer, base.hmac_key)
    mandatory, others = _split_lines(grouped.lines, grouped.select(base.mandatory_pointers))
    header = _proof_hash(proof_input) + _mandatory_hash(mandatory)
    if header != base.header:
        raise SignatureInvalid
    opening = _opening(base, holder)
    if opening is None:
        bbs.verify(public_key.bbs, base.signature, header, _messages(others))
    else:
        bbs.verify_blind(public_key.bbs, base.signature, header, _messages(others), opening)
    return base


def _opening(base: BaseValue, holder: Opening | None) -> Opening | None:
    """The holder's secrets as the signature has them, if they are of the kind it asks for."""
    if base.feature.committed != (holder is not None):
        raise BbsFeatureMismatch
    if holder is None:
        return None
    if base.feature.pseudonym != (holder.nym is not None):
        raise BbsFeatureMismatch
    return holder if base.nym_entropy is None else holder.with_entropy(base.nym_entropy)


# Derived proofs


def derive(
    document: Mapping[str, Any],
    base: BaseValue,
    selective_pointers: Iterable[str],
    canonicalizer: Canonicalizer,
    *,
    presentation_header: bytes = b"",
    holder: Opening | None = None,
    nym_domain: str | None = None,
    random_scalars: RandomScalars = fresh_scalars,
) -> tuple[dict[str, Any], DerivedValue]:
    """The revealed document, still without proof, and its proof value (§3.3.3, §3.4.6).

    `document` has no proof. `presentation_header` binds the proof to an occasion; `holder` is
    what the holder committed to, and `nym_domain` the context of the pseudonym (a verifier's
    identifier, say). Raises NothingDisclosed, PointerUnknown, PointerNotSelectable,
    BbsFeatureMismatch, LimitExceeded.
    """
    if len(presentation_header) > MAX_PRESENTATION_HEADER:
        raise LimitExceeded(what="presentation header", limit=MAX_PRESENTATION_HEADER)
    selective = check_pointers(selective_pointers)
    shown_pointers = list(dict.fromkeys([*base.mandatory_pointers, *selective]))
    if not shown_pointers:
        raise NothingDisclosed
    opening = _opening(base, holder)
    if base.feature.pseudonym != (nym_domain is not None):
        raise BbsFeatureMismatch
    grouped = _group(dict(document), canonicalizer, base.hmac_key)
    mandatory = grouped.select(base.mandatory_pointers)
    shown = grouped.select(shown_pointers)
    # §3.3.3 steps 7 and 8: positions among what is shown, and among what is not mandatory.
    mandatory_indexes: list[int] = []
    selective_indexes: list[int] = []
    position = place = 0
    for is_mandatory, is_shown in zip(mandatory, shown, strict=True):
        if is_shown:
            if is_mandatory:
                mandatory_indexes.append(position)
            else:
                selective_indexes.append(place)
            position += 1
        place += not is_mandatory
    messages = _messages(_split_lines(grouped.lines, mandatory)[1])
    public = PublicKey(_KEY_TYPE, base.public_key).bbs
    pseudonym = total = None
    if opening is None:
        proof = bbs.prove(
            public,
            base.signature,
            base.header,
            presentation_header,
            messages,
            selective_indexes,
            random_scalars=random_scalars,
        )
    else:
        total = len(messages)
        proof, pseudonym = bbs.prove_blind(
            public,
            base.signature,
            base.header,
            presentation_header,
            messages,
            selective_indexes,
            opening,
            context=None if nym_domain is None else nym_domain.encode(),
            random_scalars=random_scalars,
        )
    # Steps 13 and 14: the label map from the verifier's labels to the shuffled ones.
    quads = [same[0] for same, chosen in zip(grouped.members, shown, strict=True) if chosen]
    labels = canonicalizer.label(quads, grouped.blanks)
    label_map = {
        int(label.removeprefix("_:c14n")): int(hidden.removeprefix("_:b"))
        for label, hidden in zip(labels, grouped.labels, strict=True)
        if label
    }
    return select_document(document, shown_pointers), DerivedValue(
        proof,
        dict(sorted(label_map.items())),
        tuple(mandatory_indexes),
        tuple(selective_indexes),
        presentation_header,
        base.feature,
        pseudonym,
        total,
    )


def check_derived(
    proof_input: ProofInput, value: str, public_key: PublicKey, *, nym_domain: str | None = None
) -> DerivedValue:
    """Verify a derived proof (VC-DI-BBS §3.4.7). The presentation header is the caller's to
    compare. A proof with a pseudonym needs the `nym_domain` that was asked for.

    Raises SignatureInvalid, BbsIndexesInvalid, BbsMalformed, BbsFeatureMismatch, ProofMalformed,
    LimitExceeded, DocumentRefused.
    """
    _check_key(public_key)
    derived = DerivedValue.decode(value)
    if derived.feature.pseudonym != (nym_domain is not None):
        raise BbsFeatureMismatch
    lines = _relabelled(proof_input, derived)
    if any(index >= len(lines) for index in derived.mandatory):
        raise ProofMalformed(reason="a mandatory index lies outside the document")
    chosen = set(derived.mandatory)
    mandatory, others = _split_lines(lines, [index in chosen for index in range(len(lines))])
    header = _proof_hash(proof_input) + _mandatory_hash(mandatory)
    if derived.total is None:
        bbs.verify_proof(
            public_key.bbs,
            derived.proof,
            header,
            derived.presentation_header,
            _messages(others),
            derived.selective,
        )
    else:
        bbs.verify_blind_proof(
            public_key.bbs,
            derived.proof,
            header,
            derived.presentation_header,
            _messages(others),
            derived.selective,
            derived.total,
            context=None if nym_domain is None else nym_domain.encode(),
            pseudonym=derived.pseudonym,
        )
    return derived


def _relabelled(proof_input: ProofInput, derived: DerivedValue) -> list[str]:
    """§3.3.8 createVerifyData steps 3 and 4."""
    canonicalizer = proof_input.canonicalizer
    quads, blanks = canonicalizer.quads(_document(proof_input))
    unique = list({quad[:4]: quad for quad in quads}.values())
    labels = []
    used = 0
    for label in canonicalizer.label(unique, blanks):
        if not label:
            labels.append("")
            continue
        hidden = derived.labels.get(int(label.removeprefix("_:c14n")))
        if hidden is None:
            raise ProofMalformed(reason="its label map misses a node of the document")
        used += 1
        labels.append(f"_:b{hidden}")
    if used != len(derived.labels):
        raise ProofMalformed(reason="its label map names a node that is not in the document")
    return sorted(render(quad, labels) for quad in unique)


# Shared steps


def _check_key(public_key: PublicKey) -> None:
    if public_key.type != _KEY_TYPE:
        raise CryptosuiteKeyMismatch(cryptosuite=NAME, key_type=public_key.type)


def _group(document: dict[str, Any], canonicalizer: Canonicalizer, hmac_key: bytes) -> Grouped:
    return group(document, canonicalizer, hmac_key, shuffled_labels)


def _split_lines(lines: Sequence[str], marks: Sequence[bool]) -> tuple[list[str], list[str]]:
    """The mandatory lines, and the others, each in canonical order."""
    mandatory: list[str] = []
    others: list[str] = []
    for line, is_mandatory in zip(lines, marks, strict=True):
        (mandatory if is_mandatory else others).append(line)
    return mandatory, others


def _messages(lines: Iterable[str]) -> list[bytes]:
    return [line.encode() for line in lines]


def _document(proof_input: ProofInput) -> dict[str, Any]:
    document = dict(proof_input.document)
    if "proof" in document:
        raise ProofMalformed(reason=Phrase("{name} does not cover earlier proofs", name=NAME))
    return document


def _proof_hash(proof_input: ProofInput) -> bytes:
    """§3.4.3 step 1: over the canonical proof options."""
    return sha256(
        canonical_options(proof_input.options, proof_input.canonicalizer).encode()
    ).digest()


def _mandatory_hash(lines: Iterable[str]) -> bytes:
    """VC-DI-ECDSA §3.4.17 hashMandatoryNQuads."""
    return sha256("".join(lines).encode()).digest()


# The row of the suite table


@dataclass(frozen=True)
class BbsSuite:
    """bbs-2023 as the framework of `credentials.proofs` sees it.

    Without options: the baseline, and derived proofs without pseudonyms, for any occasion.
    """

    options: BbsIssuing | BbsShowing | BbsChecking | None = None
    name: str = NAME
    key_types: frozenset[KeyType] = frozenset({_KEY_TYPE})
    carries_context: bool = False

    def with_options(self, options: SuiteOptions) -> BbsSuite:
        if not isinstance(options, BbsIssuing | BbsShowing | BbsChecking):
            raise SuiteOptionsRefused(cryptosuite=NAME)
        return BbsSuite(options)

    def _for(self, step: type[_Options]) -> _Options:
        """The options of this step. Those of another cannot be met in it."""
        if self.options is None:
            return step()
        if not isinstance(self.options, step):
            raise SuiteOptionsRefused(cryptosuite=NAME)
        return self.options

    def sign(
        self, proof_input: ProofInput, signer: Signer, mandatory_pointers: Sequence[str]
    ) -> str:
        asked = self._for(BbsIssuing)
        return sign_base(
            proof_input,
            signer,
            mandatory_pointers,
            commitment=asked.commitment,
            pseudonyms=asked.pseudonyms,
            hmac_key=asked.hmac_key,
            nym_entropy=asked.nym_entropy,
        )

    def verify(
        self, proof_input: ProofInput, proof_value: str, key: PublicKey, *, accept_base: bool
    ) -> None:
        asked = self._for(BbsChecking)
        if accept_base and is_base_value(proof_value):
            if asked.presentation_header is not None or asked.nym_domain is not None:
                raise SuiteOptionsRefused(cryptosuite=NAME)  # nothing was shown to anybody yet
            check_base(proof_input, proof_value, key, asked.holder)
            return
        if asked.holder is not None:
            raise SuiteOptionsRefused(cryptosuite=NAME)  # whose a derived proof is, nobody can say
        derived = check_derived(proof_input, proof_value, key, nym_domain=asked.nym_domain)
        _check_occasion(derived, asked.presentation_header)

    def derive(
        self,
        document: Mapping[str, Any],
        selective_pointers: Iterable[str],
        canonicalizer: Canonicalizer,
    ) -> dict[str, Any]:
        asked = self._for(BbsShowing)
        return derive_proof(
            document,
            selective_pointers=selective_pointers,
            canonicalizer=canonicalizer,
            presentation_header=asked.presentation_header,
            holder=asked.holder,
            nym_domain=asked.nym_domain,
            random_scalars=asked.random_scalars,
        )


def pseudonym_of(proof: Mapping[str, Any]) -> bytes | None:
    """The holder's name in the context that the verifier asked for, or None if there is none.

    `proof` must be one that was verified with that context (`VerifiedProof.proof`): nothing is
    verified here. Raises ProofMalformed for what is no derived proof.
    """
    return DerivedValue.decode(proof.get("proofValue")).pseudonym


BBS_2023: Final = BbsSuite()


# Whole documents


def create_base_proof(
    document: Mapping[str, Any],
    *,
    proof_options: Mapping[str, Any],
    signer: Signer,
    mandatory_pointers: Iterable[str],
    canonicalizer: Canonicalizer,
    commitment: bytes | None = None,
    pseudonyms: bool = False,
    hmac_key: bytes | None = None,
    nym_entropy: bytes | None = None,
) -> dict[str, Any]:
    """The base proof of `document` (which has none) under `proof_options`. See `sign_base`."""
    value = sign_base(
        _input(document, proof_options, canonicalizer),
        signer,
        mandatory_pointers,
        commitment=commitment,
        pseudonyms=pseudonyms,
        hmac_key=hmac_key,
        nym_entropy=nym_entropy,
    )
    return {**proof_options, "proofValue": value}


def derive_proof(
    document: Mapping[str, Any],
    *,
    selective_pointers: Iterable[str],
    canonicalizer: Canonicalizer,
    presentation_header: bytes = b"",
    holder: Opening | None = None,
    nym_domain: str | None = None,
    random_scalars: RandomScalars = fresh_scalars,
) -> dict[str, Any]:
    """The derived form of a credential with a base proof. See `derive`. Trusts the signature:
    the wallet checked it once, with `verify_base`, when it received the credential."""
    unsecured, proof = _split(document)
    revealed, derived = derive(
        unsecured,
        BaseValue.decode(proof.get("proofValue")),
        selective_pointers,
        canonicalizer,
        presentation_header=presentation_header,
        holder=holder,
        nym_domain=nym_domain,
        random_scalars=random_scalars,
    )
    return {**revealed, "proof": {**proof, "proofValue": derived.encode()}}


def verify_derived(
    document: Mapping[str, Any],
    *,
    public_key: PublicKey,
    canonicalizer: Canonicalizer,
    presentation_header: bytes | None = None,
    nym_domain: str | None = None,
) -> DerivedValue:
    """Verify a document with a derived proof, and that it was made for `presentation_header` if
    one is expected. Checks the proof only: not who made it, when, or for which purpose (see
    `credentials.proofs.integrity`). Raises ChallengeMismatch, and what `check_derived` does.
    """
    unsecured, proof = _split(document)
    derived = check_derived(
        _input(unsecured, proof, canonicalizer),
        proof.get("proofValue", ""),
        public_key,
        nym_domain=nym_domain,
    )
    _check_occasion(derived, presentation_header)
    return derived


def _check_occasion(derived: DerivedValue, presentation_header: bytes | None) -> None:
    if presentation_header is not None and not hmac.compare_digest(
        presentation_header, derived.presentation_header
    ):
        raise ChallengeMismatch


def verify_base(
    document: Mapping[str, Any],
    *,
    public_key: PublicKey,
    canonicalizer: Canonicalizer,
    holder: Opening | None = None,
) -> BaseValue:
    """Verify a document with a base proof, as its holder. See `check_base`."""
    unsecured, proof = _split(document)
    return check_base(
        _input(unsecured, proof, canonicalizer), proof.get("proofValue", ""), public_key, holder
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
    """§3.4.4: the options are read under the document's context."""
    options = {
        "@context": document.get("@context"),
        **{name: value for name, value in proof.items() if name not in ("@context", "proofValue")},
    }
    return ProofInput(document, options, canonicalizer)
