"""Data Integrity: adding proofs to documents and verifying them (VC-DI §4).

Guarantees, against whoever writes or alters a document: a `VerifiedDocument` carries at least
one proof, and *every* proof on it is of a kind that is understood, was made by a key that its
controller authorized for the purpose, covers every statement of the document, is not from the
future, not expired, and bound to the domain and challenge that the caller expects.

Not guaranteed: that the signer is who the document says it is from. For credentials and
presentations use `verify_credential` and `verify_presentation`, which add that.

Nothing here reads a clock, a network or a disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from credentials.canonical import Canonicalizer, default_canonicalizer
from credentials.dids import ASSERTION, Resolver, VerificationMethod, split_key_url
from credentials.errors import (
    ChallengeMismatch,
    ControllerMismatch,
    CryptosuiteExperimental,
    CryptosuiteKeyMismatch,
    CryptosuiteLegacy,
    CryptosuiteUnknown,
    DomainMismatch,
    ProofExpired,
    ProofFromFuture,
    ProofMalformed,
    ProofMissing,
    ProofPurposeMismatch,
    ProofTypeUnknown,
    SuiteOptionsRefused,
)
from credentials.keys import Signer
from credentials.proofs.suite import (
    Cryptosuite,
    ProofForm,
    ProofInput,
    SuiteOptions,
    configured,
)
from credentials.proofs.table import (
    CRYPTOSUITES,
    DATA_INTEGRITY,
    EXPERIMENTAL,
    LEGACY,
    PROOF_FORMS,
)
from credentials.timestamps import format_timestamp, parse_timestamp
from schemas.errors import Phrase

DATA_INTEGRITY_CONTEXT: Final = DATA_INTEGRITY.context

MAX_PROOFS: Final = 8
"""Proofs on one document; each costs a canonicalization. A real one has one or two."""

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far two honest clocks may differ: `created` may lie this much ahead of `now`."""

# VC-DI §2.1. Another member would be signed and have no meaning here; refuse it.
_MEMBERS: Final = frozenset(
    {
        "@context",
        "challenge",
        "created",
        "cryptosuite",
        "domain",
        "expires",
        "id",
        "nonce",
        "previousProof",
        "proofPurpose",
        "proofValue",
        "type",
        "verificationMethod",
    }
)
_TEXTS: Final = ("proofPurpose", "verificationMethod", "proofValue")
_OPTIONAL_TEXTS: Final = ("id", "challenge", "nonce")


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """A proof that holds, and the key that made it."""

    proof: Mapping[str, Any]
    method: VerificationMethod
    created: datetime | None
    expires: datetime | None


@dataclass(frozen=True)
class VerifiedDocument:
    """A document all of whose proofs hold. Made by `verify_proof` alone."""

    document: Mapping[str, Any]
    proofs: tuple[VerifiedProof, ...]

    @property
    def proof(self) -> Mapping[str, Any]:
        """The first proof."""
        return self.proofs[0].proof

    @property
    def method(self) -> VerificationMethod:
        """The key that made the first proof."""
        return self.proofs[0].method

    @property
    def verification_method(self) -> str:
        """The name of that key."""
        return self.proofs[0].method.id


def add_proof(
    document: Mapping[str, Any],
    *,
    cryptosuite: str,
    signer: Signer,
    verification_method: str,
    created: datetime,
    purpose: str = ASSERTION,
    domain: str | None = None,
    challenge: str | None = None,
    expires: datetime | None = None,
    mandatory_pointers: Sequence[str] = (),
    proof_id: str | None = None,
    previous_proof: str | Sequence[str] | None = None,
    canonicalizer: Canonicalizer | None = None,
    suites: Mapping[str, Cryptosuite] = CRYPTOSUITES,
    suite_options: SuiteOptions | None = None,
) -> dict[str, Any]:
    """A copy of `document` with one more proof (VC-DI §4.2, §4.3).

    A document that has proofs gets a proof set; with `previous_proof`, the new proof also covers
    the proofs of those ids. `mandatory_pointers` are for selective-disclosure suites: what every
    derived form shows. `suites` are those that may be used, `suite_options` what the chosen one
    is asked beyond that.

    Raises CryptosuiteUnknown, CryptosuiteExperimental, CryptosuiteLegacy, SuiteOptionsRefused,
    CryptosuiteKeyMismatch, ProofMalformed, DidMalformed, and what canonicalization refuses
    (DocumentRefused and others).
    """
    suite = configured(_suite(cryptosuite, suites), suite_options)
    if signer.public_key.type not in suite.key_types:
        raise CryptosuiteKeyMismatch(cryptosuite=cryptosuite, key_type=signer.public_key.type)
    split_key_url(verification_method)
    form = PROOF_FORMS.get(cryptosuite, DATA_INTEGRITY)
    proof: dict[str, Any] = {"type": form.type}
    if form.suite is None:
        proof["cryptosuite"] = cryptosuite
    if proof_id is not None:
        proof["id"] = proof_id
    proof["created"] = format_timestamp(created)
    if expires is not None:
        proof["expires"] = format_timestamp(expires)
        if expires <= created or proof["expires"] == proof["created"]:
            raise ProofMalformed(reason="it would expire before it is made")
    proof["verificationMethod"] = verification_method
    proof["proofPurpose"] = purpose
    if domain is not None:
        proof["domain"] = domain
    if challenge is not None:
        proof["challenge"] = challenge
    if previous_proof is not None:
        proof["previousProof"] = (
            previous_proof if isinstance(previous_proof, str) else list(previous_proof)
        )
    secured = _with_context(document, form)
    if suite.carries_context:
        proof["@context"] = secured["@context"]
    existing = _proofs(document) if "proof" in document else []
    proof_input = _proof_input(
        secured, proof, existing, suite, canonicalizer or default_canonicalizer()
    )
    proof["proofValue"] = suite.sign(proof_input, signer, mandatory_pointers)
    secured["proof"] = [*existing, proof] if existing else proof
    return secured


def verify_proof(
    document: Mapping[str, Any],
    *,
    resolver: Resolver,
    now: datetime,
    purpose: str = ASSERTION,
    domain: str | None = None,
    challenge: str | None = None,
    accept_base: bool = False,
    canonicalizer: Canonicalizer | None = None,
    suites: Mapping[str, Cryptosuite] = CRYPTOSUITES,
    suite_options: SuiteOptions | None = None,
) -> VerifiedDocument:
    """Verify every proof of `document` (VC-DI §4.4, §4.5).

    `now` judges `created`, `expires` and the life of the key. `accept_base` admits the base form
    of a selective-disclosure proof, which only its holder should ever see. `suites` are those
    that count. `suite_options` are demands on the proofs of their suite, of which there must be
    one.

    Raises a subclass of CredentialError named by its cause.
    """
    if now.tzinfo is None:
        raise ValueError("a naive datetime names no instant")
    proofs = _proofs(document)
    reader = canonicalizer or default_canonicalizer()
    if suite_options is not None and all(
        proof.get("cryptosuite") != suite_options.cryptosuite for proof in proofs
    ):
        raise SuiteOptionsRefused(cryptosuite=suite_options.cryptosuite)
    verified = []
    for proof in proofs:
        name = _suite_name(proof)
        times = _check_shape(proof, document.get("@context"))
        suite = _suite(name, suites)
        if suite_options is not None and suite_options.cryptosuite == name:
            suite = configured(suite, suite_options)
        _check_options(proof, times, purpose=purpose, domain=domain, challenge=challenge, now=now)
        method = resolver.resolve(proof["verificationMethod"], purpose)
        # The resolver answers for its documents; an answer about another key is no answer.
        if method.id != proof["verificationMethod"]:
            raise ControllerMismatch(role="verification method")
        method.check_alive(now)
        if method.public_key.type not in suite.key_types:
            raise CryptosuiteKeyMismatch(cryptosuite=suite.name, key_type=method.public_key.type)
        suite.verify(
            _proof_input(document, proof, proofs, suite, reader),
            proof["proofValue"],
            method.public_key,
            accept_base=accept_base,
        )
        verified.append(VerifiedProof(proof, method, *times))
    return VerifiedDocument(document, tuple(verified))


def _suite(name: str, suites: Mapping[str, Cryptosuite]) -> Cryptosuite:
    suite = suites.get(name)
    if suite is None:
        if name in EXPERIMENTAL:
            raise CryptosuiteExperimental(cryptosuite=name)
        if name in LEGACY:
            raise CryptosuiteLegacy(cryptosuite=name)
        raise CryptosuiteUnknown(cryptosuite=name[:64])
    return suite


def _suite_name(proof: Mapping[str, Any]) -> str:
    """VC-DI §2.1: `cryptosuite` names the suite, unless the type of the proof does."""
    kind, name = proof.get("type"), proof.get("cryptosuite")
    form = PROOF_FORMS.get(kind) if isinstance(kind, str) else None
    if form is None:
        raise ProofTypeUnknown
    if form.suite is not None:
        if name is not None:
            raise ProofMalformed(reason="a proof of its type has no cryptosuite")
        return form.suite
    if not isinstance(name, str) or not name:
        raise ProofMalformed(reason="cryptosuite is missing or not a text")
    if name in PROOF_FORMS:  # a type of proofs is no cryptosuite
        raise CryptosuiteUnknown(cryptosuite=name[:64])
    return name


def _proofs(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The proofs of a document as a list. Their ids are distinct."""
    if not isinstance(document, Mapping):
        raise ProofMalformed(reason="the document is not an object")
    proof = document.get("proof")
    if proof is None or proof == []:
        raise ProofMissing
    proofs = proof if isinstance(proof, list) else [proof]
    if len(proofs) > MAX_PROOFS:
        raise ProofMalformed(
            reason=Phrase("the document has more than {most} proofs", most=MAX_PROOFS)
        )
    if not all(isinstance(each, Mapping) for each in proofs):
        raise ProofMalformed(reason="it is not an object")
    if len(proofs) > 1:
        ids = [each["id"] for each in proofs if isinstance(each.get("id"), str)]
        if len(ids) != len(set(ids)):
            raise ProofMalformed(reason="two proofs have the same id")
    return proofs


def _check_shape(
    proof: Mapping[str, Any], context: object
) -> tuple[datetime | None, datetime | None]:
    """VC-DI §2.1: members that every type has. Answers `created` and `expires`."""
    if not _MEMBERS.issuperset(proof):
        raise ProofMalformed(reason="it has a member that is not understood")
    for name in _TEXTS:
        if not isinstance(proof.get(name), str) or not proof[name]:
            raise ProofMalformed(reason=Phrase("{name} is missing or not a text", name=name))
    for name in _OPTIONAL_TEXTS:
        if name in proof and (not isinstance(proof[name], str) or not proof[name]):
            raise ProofMalformed(reason=Phrase("{name} is not a text", name=name))
    if "@context" in proof and proof["@context"] != context:
        # VC-DI-ECDSA §3.2.5 signs the options under the document's context. §3.3.2 would let the
        # document of a JSON suite have further contexts behind those that were signed; whoever
        # added them could give the claims another meaning.
        raise ProofMalformed(reason="its @context is not that of the document")
    return _time(proof, "created"), _time(proof, "expires")


def _time(proof: Mapping[str, Any], name: str) -> datetime | None:
    if name not in proof:
        return None
    instant = parse_timestamp(proof[name])
    if instant is None:
        raise ProofMalformed(reason=Phrase("{name} is not a time with a time zone", name=name))
    return instant


def _check_options(
    proof: Mapping[str, Any],
    times: tuple[datetime | None, datetime | None],
    *,
    purpose: str,
    domain: str | None,
    challenge: str | None,
    now: datetime,
) -> None:
    """VC-DI §4.4 steps 4 to 7, and the times of §2.1."""
    if proof["proofPurpose"] != purpose:
        raise ProofPurposeMismatch(expected=purpose)
    # Step 6 compares as sets: a proof for two recipients is not a proof for one of them.
    if domain is not None and proof.get("domain") not in (domain, [domain]):
        raise DomainMismatch
    if challenge is not None and proof.get("challenge") != challenge:
        raise ChallengeMismatch
    created, expires = times
    if created is not None and created > now + CLOCK_SKEW:
        raise ProofFromFuture
    if expires is not None and now >= expires:
        raise ProofExpired(expires=format_timestamp(expires))


def _with_context(document: Mapping[str, Any], form: ProofForm) -> dict[str, Any]:
    """A shallow copy whose context defines the proof (VC-DI §2.4.2, context injection)."""
    secured = dict(document)
    context = document.get("@context")
    listed = context if isinstance(context, list) else [context]
    if not any(url in listed for url in (form.context, *form.defined_by)):
        if context is None:
            raise ProofMalformed(reason="the document has no @context")
        secured["@context"] = [*listed, form.context]
    return secured


def _proof_input(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    proofs: Sequence[Mapping[str, Any]],
    suite: Cryptosuite,
    canonicalizer: Canonicalizer,
) -> ProofInput:
    """What `proof` covers. The copies are shallow: nothing here changes what it is given."""
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    if "previousProof" in proof:
        unsecured["proof"] = _previous(proof, proofs)
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    if not suite.carries_context:
        options = {**options, "@context": document.get("@context")}
    return ProofInput(unsecured, options, canonicalizer)


def _previous(
    proof: Mapping[str, Any], proofs: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The proofs that `previousProof` names, each of which must be there (VC-DI §4.5 step 3)."""
    names = proof["previousProof"]
    wanted = [names] if isinstance(names, str) else names
    if (
        not isinstance(wanted, list)
        or not wanted
        or not all(isinstance(name, str) for name in wanted)
        or len(set(wanted)) != len(wanted)
    ):
        raise ProofMalformed(reason="previousProof is neither an id nor a list of distinct ids")
    found = [each for each in proofs if each is not proof and each.get("id") in wanted]
    if len(found) != len(wanted):
        raise ProofMalformed(reason="previousProof names a proof that is not there")
    return found
