"""Presentations: for one recipient and one request, by one holder, for a short time."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credentials.dids import KeyResolver, did_document, did_key, key_url
from credentials.errors import (
    AudienceMismatch,
    ControllerMismatch,
    CredentialError,
    CryptosuiteKeyMismatch,
    DidMethodUnsupported,
    ModelViolation,
    NonceMismatch,
    PresentationExpired,
    PresentationUnfit,
    ProofFromFuture,
    ProofMalformed,
    ProofMissing,
    ProofPurposeMismatch,
    SignatureInvalid,
    TermUndefined,
)
from credentials.keys import PrivateKey
from credentials.multibase import multibase_base64
from credentials.presentation import (
    MAX_CREDENTIALS,
    MAX_LIFETIME,
    build_presentation,
    verify_presentation,
)
from credentials.proofs import UnverifiedCredential, add_proof, verify_credential
from schemas.names import CONTEXT_V2, PRESENTATION_CONTEXT, RESIDENT_CONTEXT

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DESK = "did:web:tax.hangzhou.example"
NONCE = "q3Jz0w4kTq6mYx1c"
HOLDER = PrivateKey.from_seed("P-256", b"the holder of this test")
THIEF = PrivateKey.from_seed("P-256", b"a thief of this test")
ISSUER = PrivateKey.from_seed("Ed25519", b"the issuer of this test")


def credential(name: str = "张三") -> dict[str, Any]:
    return add_proof(
        {
            "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
            "type": ["VerifiableCredential", "ResidentIdentityCredential"],
            "issuer": did_key(ISSUER.public_key),
            "credentialSubject": {
                "id": did_key(HOLDER.public_key),
                "type": "Resident",
                "name": name,
            },
        },
        cryptosuite="eddsa-rdfc-2022",
        signer=ISSUER,
        verification_method=key_url(ISSUER.public_key),
        created=NOW - timedelta(days=1),
    )


CREDENTIAL = credential()
ANCHOR_PROOF = bytes(range(256)) + b"tail!"


def build(credentials: list[dict[str, Any]] | None = None, **options: Any) -> dict[str, Any]:
    return build_presentation(
        [CREDENTIAL] if credentials is None else credentials,
        **{
            "anchor_proofs": [ANCHOR_PROOF],
            "signer": HOLDER,
            "domain": DESK,
            "challenge": NONCE,
            "created": NOW,
            "expires": NOW + timedelta(minutes=2),
            **options,
        },
    )


PRESENTATION = build()


def verify(document: dict[str, Any], **options: Any) -> Any:
    return verify_presentation(
        document,
        **{"domain": DESK, "challenge": NONCE, "now": NOW, "max_age_s": 300, **options},
    )


def resigned(document: dict[str, Any], **options: Any) -> dict[str, Any]:
    """`document` with a proof by the holder such as `build_presentation` would never make."""
    return add_proof(
        {name: value for name, value in document.items() if name != "proof"},
        **{
            "cryptosuite": "ecdsa-rdfc-2019",
            "signer": HOLDER,
            "verification_method": key_url(HOLDER.public_key),
            "created": NOW,
            "expires": NOW + timedelta(minutes=2),
            "purpose": "authentication",
            "domain": DESK,
            "challenge": NONCE,
            **options,
        },
    )


def test_build_and_verify() -> None:
    before = copy.deepcopy(CREDENTIAL)
    verified = verify(PRESENTATION)
    assert verified.holder == did_key(HOLDER.public_key)
    assert verified.anchor_proofs == (ANCHOR_PROOF,)
    assert verified.created == NOW
    assert verified.expires == NOW + timedelta(minutes=2)
    assert verified.credentials == (UnverifiedCredential(before),)
    assert before == CREDENTIAL
    inner = verify_credential(verified.credentials[0], resolver=KeyResolver(), now=NOW)
    assert inner.issuer == did_key(ISSUER.public_key)


def test_the_shape_that_travels() -> None:
    assert PRESENTATION["@context"] == [CONTEXT_V2, PRESENTATION_CONTEXT]
    assert PRESENTATION["type"] == ["VerifiablePresentation"]
    assert PRESENTATION["verifiableCredential"] == [CREDENTIAL]
    assert PRESENTATION["anchorProof"] == multibase_base64(ANCHOR_PROOF)
    assert PRESENTATION["proof"]["created"] == "2026-11-22T12:00:00Z"
    assert PRESENTATION["proof"]["verificationMethod"] == key_url(HOLDER.public_key)
    assert "anchorProof" not in build(anchor_proofs=[None])


def test_several_credentials_travel_without_anchor_proofs() -> None:
    verified = verify(build([CREDENTIAL, credential("李四")], anchor_proofs=[None, None]))
    assert len(verified.credentials) == 2
    assert verified.anchor_proofs == (None, None)
    with pytest.raises(PresentationUnfit):
        build([CREDENTIAL, credential("李四")], anchor_proofs=[ANCHOR_PROOF, None])


def test_another_recipient_cannot_use_it() -> None:
    for domain in ("did:web:police.hangzhou.example", DESK + ":x", ""):
        with pytest.raises(AudienceMismatch):
            verify(PRESENTATION, domain=domain)
    both = resigned(PRESENTATION)
    both["proof"]["domain"] = [DESK, "did:web:police.hangzhou.example"]
    with pytest.raises(AudienceMismatch):
        verify(both)


def test_another_request_cannot_use_it() -> None:
    with pytest.raises(NonceMismatch):
        verify(PRESENTATION, challenge="another-nonce-000")
    without = copy.deepcopy(PRESENTATION)
    del without["proof"]["challenge"]
    with pytest.raises(NonceMismatch):
        verify(without)


def test_it_expires_by_its_own_word_and_by_the_recipient_s() -> None:
    assert verify(PRESENTATION, now=NOW + timedelta(minutes=2) - SECOND)
    with pytest.raises(PresentationExpired):
        verify(PRESENTATION, now=NOW + timedelta(minutes=2))
    assert verify(PRESENTATION, now=NOW + timedelta(seconds=60), max_age_s=60)
    with pytest.raises(PresentationExpired):
        verify(PRESENTATION, now=NOW + timedelta(seconds=61), max_age_s=60)
    with pytest.raises(ProofFromFuture):
        verify(PRESENTATION, now=NOW - timedelta(minutes=6))


def test_a_presentation_without_both_times_or_for_too_long_is_refused() -> None:
    with pytest.raises(ProofMalformed):
        verify(resigned(PRESENTATION, expires=None))
    with pytest.raises(ProofMalformed):
        verify(resigned(PRESENTATION, expires=NOW + MAX_LIFETIME + SECOND))
    with pytest.raises(PresentationUnfit):
        build(expires=NOW + MAX_LIFETIME + SECOND)
    with pytest.raises(PresentationUnfit):
        build(expires=NOW)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda d: d["verifiableCredential"][0]["credentialSubject"].update(name="李四"),
        lambda d: d["verifiableCredential"][0]["proof"].update(proofValue="z" + "2" * 80),
        lambda d: d["verifiableCredential"].append(credential("王五")),
        lambda d: d.update(verifiableCredential=[credential("王五")]),
        lambda d: d.update(anchorProof=multibase_base64(b"another")),
        lambda d: d.pop("anchorProof"),
        lambda d: d.update(id="urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33"),
        lambda d: d.update(holder=did_key(HOLDER.public_key)),
        lambda d: d["proof"].update(expires="2026-11-22T12:10:00Z"),
        lambda d: d["proof"].update(created="2026-11-22T12:01:00Z"),
        lambda d: d["proof"].update(verificationMethod=key_url(THIEF.public_key)),
    ],
)
def test_whatever_is_changed_breaks_the_signature(tamper: Any) -> None:
    document = copy.deepcopy(PRESENTATION)
    tamper(document)
    with pytest.raises(SignatureInvalid):
        verify(document)


def test_the_holder_is_who_signed() -> None:
    named = resigned({**PRESENTATION, "holder": did_key(HOLDER.public_key)})
    assert verify(named).holder == did_key(HOLDER.public_key)
    for holder in (did_key(THIEF.public_key), {"id": did_key(THIEF.public_key)}):
        with pytest.raises(ControllerMismatch):
            verify(resigned({**PRESENTATION, "holder": holder}))
    # A thief can sign a stolen credential for the desk, but only under the thief's own name.
    stolen = build(signer=THIEF)
    verified = verify(stolen)
    assert verified.holder != CREDENTIAL["credentialSubject"]["id"]


def test_only_a_did_key_of_p_256_can_hold() -> None:
    with pytest.raises(PresentationUnfit):
        build(signer=ISSUER)
    big = PrivateKey.generate("P-384")
    with pytest.raises(CryptosuiteKeyMismatch):
        verify(resigned(PRESENTATION, signer=big, verification_method=key_url(big.public_key)))
    assert did_document(DESK, {"k": HOLDER.public_key})
    with pytest.raises(DidMethodUnsupported):
        verify(resigned(PRESENTATION, verification_method=f"{DESK}#k"))


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (None, ModelViolation),
        ([], ModelViolation),
        ({}, ModelViolation),
        ({**PRESENTATION, "type": ["VerifiableCredential"]}, ModelViolation),
        ({**PRESENTATION, "type": []}, ModelViolation),
        ({**PRESENTATION, "@context": PRESENTATION_CONTEXT}, ModelViolation),
        ({**PRESENTATION, "verifiableCredential": []}, ModelViolation),
        ({**PRESENTATION, "verifiableCredential": ["x"]}, ModelViolation),
        ({**PRESENTATION, "verifiableCredential": [{"a": 1}]}, ModelViolation),
        ({**PRESENTATION, "name": "Official"}, ProofMalformed),
        ({**PRESENTATION, "credentialSubject": {"a": 1}}, ProofMalformed),
        ({**PRESENTATION, "proof": None}, ProofMissing),
        ({**PRESENTATION, "proof": []}, ProofMalformed),
        ({**PRESENTATION, "proof": [PRESENTATION["proof"]]}, ProofMalformed),
        ({**PRESENTATION, "proof": "x"}, ProofMalformed),
        ({k: v for k, v in PRESENTATION.items() if k != "proof"}, ProofMissing),
        ({k: v for k, v in PRESENTATION.items() if k != "verifiableCredential"}, CredentialError),
    ],
)
def test_what_is_no_presentation(document: Any, error: type[CredentialError]) -> None:
    with pytest.raises(error):
        verify(document)


def test_other_purposes_and_suites_are_refused() -> None:
    with pytest.raises(ProofPurposeMismatch):
        verify(resigned(PRESENTATION, purpose="assertionMethod"))
    with pytest.raises(ProofMalformed):
        verify(
            resigned(
                PRESENTATION,
                cryptosuite="eddsa-rdfc-2022",
                signer=ISSUER,
                verification_method=key_url(ISSUER.public_key),
            )
        )


@pytest.mark.parametrize("anchor", ["", "zabc", "u=", "uAB", "u" + "A" * 40_000, ["uAAAA"], 5])
def test_malformed_anchor_proofs(anchor: object) -> None:
    with pytest.raises(CredentialError):
        verify(resigned({**PRESENTATION, "anchorProof": anchor}))


def test_an_anchor_proof_with_several_credentials_is_refused() -> None:
    two = [CREDENTIAL, credential("李四")]
    with pytest.raises(ProofMalformed):
        verify(resigned({**PRESENTATION, "verifiableCredential": two}))


@pytest.mark.parametrize(
    "options",
    [
        {"credentials": []},
        {"credentials": [CREDENTIAL] * (MAX_CREDENTIALS + 1), "anchor_proofs": []},
        {"anchor_proofs": [ANCHOR_PROOF, ANCHOR_PROOF]},
        {"anchor_proofs": [b""]},
        {"challenge": "short"},
        {"domain": ""},
    ],
)
def test_what_is_not_built(options: dict[str, Any]) -> None:
    with pytest.raises(PresentationUnfit):
        build(**options)


def test_undefined_members_of_an_embedded_credential_are_refused() -> None:
    document = copy.deepcopy(PRESENTATION)
    document["verifiableCredential"][0]["credentialSubject"]["title"] = "Mayor"
    with pytest.raises(TermUndefined):
        verify(document)
