"""Presentations: credentials that their holder shows to one recipient, for one request.

Guarantees, against whoever intercepts, alters or replays one: the holder's key signed exactly
these credentials and this anchor proof, for this recipient (`domain`) and this request
(`challenge`), not long ago. The holder is the did:key that signed, so there is no name to forge.

Not guaranteed: that a presentation is used once. Within its short life it verifies as often as it
is shown; whoever set the challenge must accept each one once. And the credentials inside are
still unverified: they keep a type that says so.

The proof is `ecdsa-rdfc-2019` with P-256. Sources: VCDM 2.0 §4.13, VC-DI §2.1, §4.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from credentials.canonical import Canonicalizer
from credentials.dids import AUTHENTICATION, KeyResolver, key_url
from credentials.errors import (
    AudienceMismatch,
    ChallengeMismatch,
    ControllerMismatch,
    CryptosuiteKeyMismatch,
    DomainMismatch,
    EncodingInvalid,
    LimitExceeded,
    NonceMismatch,
    PresentationExpired,
    PresentationUnfit,
    ProofExpired,
    ProofMalformed,
    ProofMissing,
)
from credentials.keys import Signer
from credentials.model import check_credential, check_presentation
from credentials.multibase import multibase_base64, multibase_decode
from credentials.proofs import UnverifiedCredential, add_proof, verify_proof
from credentials.timestamps import format_timestamp
from schemas.errors import Phrase
from schemas.names import CONTEXT_V2, PRESENTATION_CONTEXT

HOLDER_SUITE: Final = "ecdsa-rdfc-2019"
HOLDER_KEY: Final = "P-256"

MAX_CREDENTIALS: Final = 10
"""Credentials in one presentation; a counter asks for one or two."""
MAX_LIFETIME: Final = timedelta(minutes=15)
"""The longest that `expires` may lie after `created`: a presentation is made for the moment."""
MAX_ANCHOR_PROOF: Final = 16 * 1024
"""Bytes of an anchor proof: a compact one has at most 261, a long one a few thousand."""
MIN_CHALLENGE: Final = 16
"""Characters of a challenge; fewer could be guessed or met twice."""

# What a presentation may hold. Anything else would be signed by the holder and look official.
_MEMBERS: Final = frozenset(
    {"@context", "type", "id", "holder", "verifiableCredential", "anchorProof", "proof"}
)


@dataclass(frozen=True)
class VerifiedPresentation:
    """What the holder signed. Made by `verify_presentation` alone.

    `anchor_proofs` has one entry a credential, None where none was sent.
    """

    holder: str
    credentials: tuple[UnverifiedCredential, ...]
    anchor_proofs: tuple[bytes | None, ...]
    created: datetime
    expires: datetime


def build_presentation(
    credentials: Sequence[Mapping[str, Any]],
    *,
    anchor_proofs: Sequence[bytes | None] = (),
    signer: Signer,
    domain: str,
    challenge: str,
    created: datetime,
    expires: datetime,
    canonicalizer: Canonicalizer | None = None,
) -> dict[str, Any]:
    """A presentation of `credentials`, signed with the holder's P-256 key.

    `domain` is the recipient's DID, `challenge` the nonce of its request. An anchor proof can
    travel with a single credential only: in RDF nothing would tie several to theirs.

    Raises PresentationUnfit, ModelViolation, and what `add_proof` raises.
    """
    if signer.public_key.type != HOLDER_KEY:
        raise PresentationUnfit(reason="the holder's key is not a P-256 key")
    if not 0 < len(credentials) <= MAX_CREDENTIALS:
        raise PresentationUnfit(
            reason=Phrase("it needs 1 to {most} credentials", most=MAX_CREDENTIALS)
        )
    if not created < expires <= created + MAX_LIFETIME:
        raise PresentationUnfit(reason="its lifetime is out of bounds")
    if len(challenge) < MIN_CHALLENGE or not domain:
        raise PresentationUnfit(reason="the challenge is too short or the recipient is missing")
    proofs = [proof for proof in anchor_proofs if proof is not None]
    if proofs and (len(credentials) != 1 or len(proofs) != 1 or not proofs[0]):
        raise PresentationUnfit(reason="an anchor proof goes with exactly one credential")
    for credential in credentials:
        check_credential(credential)
    presentation: dict[str, Any] = {
        "@context": [CONTEXT_V2, PRESENTATION_CONTEXT],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [dict(credential) for credential in credentials],
    }
    if proofs:
        presentation["anchorProof"] = multibase_base64(proofs[0])
    return add_proof(
        presentation,
        cryptosuite=HOLDER_SUITE,
        signer=signer,
        verification_method=key_url(signer.public_key),
        created=created,
        expires=expires,
        purpose=AUTHENTICATION,
        domain=domain,
        challenge=challenge,
        canonicalizer=canonicalizer,
    )


def verify_presentation(
    document: Mapping[str, Any],
    *,
    domain: str,
    challenge: str,
    now: datetime,
    max_age_s: int,
    canonicalizer: Canonicalizer | None = None,
) -> VerifiedPresentation:
    """Verify that the holder made `document` for `domain` and `challenge`, at most `max_age_s` ago.

    Raises AudienceMismatch, NonceMismatch, PresentationExpired, ModelViolation,
    ControllerMismatch, and what `verify_proof` raises.
    """
    check_presentation(document)
    if not _MEMBERS.issuperset(document):
        raise ProofMalformed(reason="the presentation has a member that it cannot have")
    proof = document.get("proof")
    if proof is None:
        raise ProofMissing
    # One holder, one proof: a set could hide a second recipient or a second holder.
    if not isinstance(proof, Mapping) or proof.get("cryptosuite") != HOLDER_SUITE:
        raise ProofMalformed(
            reason=Phrase("a presentation has one proof, by {suite}", suite=HOLDER_SUITE)
        )
    if "previousProof" in proof:
        raise ProofMalformed(reason="a presentation's proof follows no other")
    try:
        verified = verify_proof(
            document,
            resolver=KeyResolver(),
            now=now,
            purpose=AUTHENTICATION,
            domain=domain,
            challenge=challenge,
            canonicalizer=canonicalizer,
        )
    except ProofExpired as error:
        raise PresentationExpired(**error.params) from error
    except DomainMismatch as error:
        raise AudienceMismatch from error
    except ChallengeMismatch as error:
        raise NonceMismatch from error
    made = verified.proofs[0]
    if made.method.public_key.type != HOLDER_KEY:
        raise CryptosuiteKeyMismatch(cryptosuite=HOLDER_SUITE, key_type=made.method.public_key.type)
    holder = made.method.controller
    named = document.get("holder", holder)
    if (named.get("id") if isinstance(named, Mapping) else named) != holder:
        raise ControllerMismatch(role="holder")
    if made.created is None or made.expires is None:
        raise ProofMalformed(reason="it must say when it was created and when it expires")
    if not made.created < made.expires <= made.created + MAX_LIFETIME:
        raise ProofMalformed(reason="its lifetime is out of bounds")
    # The holder chose `expires`; the recipient's own bound holds as well.
    oldest = made.created + timedelta(seconds=max_age_s)
    if now > oldest:
        raise PresentationExpired(expires=format_timestamp(oldest))
    credentials = _credentials(document)
    return VerifiedPresentation(
        holder=holder,
        credentials=credentials,
        anchor_proofs=_anchor_proofs(document, len(credentials)),
        created=made.created,
        expires=made.expires,
    )


def _credentials(document: Mapping[str, Any]) -> tuple[UnverifiedCredential, ...]:
    value = document.get("verifiableCredential", [])
    listed = value if isinstance(value, list) else [value]
    if not 0 < len(listed) <= MAX_CREDENTIALS:
        raise ProofMalformed(
            reason=Phrase("the presentation needs 1 to {most} credentials", most=MAX_CREDENTIALS)
        )
    return tuple(UnverifiedCredential(credential) for credential in listed)


def _anchor_proofs(document: Mapping[str, Any], count: int) -> tuple[bytes | None, ...]:
    if "anchorProof" not in document:
        return (None,) * count
    text = document["anchorProof"]
    if count != 1 or not isinstance(text, str) or len(text) > 2 * MAX_ANCHOR_PROOF:
        raise ProofMalformed(reason="an anchor proof goes with exactly one credential")
    try:
        return (multibase_decode(text, allowed="u"),)
    except (EncodingInvalid, LimitExceeded) as error:
        raise ProofMalformed(reason="the anchor proof is not base64url") from error
