"""Data Integrity proofs: what verifies, and each reason for which a proof is refused."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credentials.anchor import anchor_of
from credentials.dids import (
    ChainResolver,
    DocumentResolver,
    KeyResolver,
    Resolver,
    VerificationMethod,
    did_document,
    did_key,
    key_url,
)
from credentials.errors import (
    ChallengeMismatch,
    ControllerMismatch,
    CredentialError,
    CryptosuiteKeyMismatch,
    CryptosuiteUnknown,
    DidMalformed,
    DidUnknown,
    DomainMismatch,
    ModelViolation,
    ProofExpired,
    ProofFromFuture,
    ProofMalformed,
    ProofMissing,
    ProofPurposeMismatch,
    ProofTypeUnknown,
    RelationshipMissing,
    SignatureInvalid,
    TermUndefined,
    VerificationMethodRetired,
    VerificationMethodUnknown,
)
from credentials.keys import KeyType, PrivateKey
from credentials.multibase import multibase_base58, multibase_base64, multibase_decode
from credentials.proofs import (
    CLOCK_SKEW,
    UnverifiedCredential,
    add_proof,
    derive,
    verify_credential,
    verify_proof,
)
from credentials.proofs.integrity import DATA_INTEGRITY_CONTEXT, MAX_PROOFS
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ISSUER = "did:web:data.hangzhou.example"
KEYS: dict[KeyType, PrivateKey] = {
    "P-256": PrivateKey.from_seed("P-256", b"issuer of this test"),
    "P-384": PrivateKey.from_seed("P-384", b"issuer of this test"),
    "Ed25519": PrivateKey.from_seed("Ed25519", b"issuer of this test"),
}
KEY = KEYS["P-256"]
METHOD = f"{ISSUER}#P-256"
OTHER = PrivateKey.from_seed("P-256", b"somebody else altogether")
RESOLVER = ChainResolver(
    KeyResolver(),
    DocumentResolver([did_document(ISSUER, {name: key.public_key for name, key in KEYS.items()})]),
)
SUITES: list[tuple[str, KeyType]] = [
    ("ecdsa-rdfc-2019", "P-256"),
    ("ecdsa-rdfc-2019", "P-384"),
    ("eddsa-rdfc-2022", "Ed25519"),
]
CREDENTIAL: dict[str, Any] = {
    "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
    "type": ["VerifiableCredential", "ResidentIdentityCredential"],
    "issuer": ISSUER,
    "validFrom": "2026-11-22T00:00:00Z",
    "validUntil": "2031-11-22T00:00:00Z",
    "credentialSubject": {
        "id": did_key(OTHER.public_key),
        "type": "Resident",
        "name": "张三",
        "birthDate": "1990-01-01",
        "ageOver18": True,
    },
}


def sign(document: dict[str, Any] = CREDENTIAL, **options: Any) -> dict[str, Any]:
    return add_proof(
        document,
        **{
            "cryptosuite": "ecdsa-rdfc-2019",
            "signer": KEY,
            "verification_method": METHOD,
            "created": NOW,
            **options,
        },
    )


SIGNED = sign()


def with_proof(**changes: Any) -> dict[str, Any]:
    """SIGNED with members of its proof changed, or left out where the value is None."""
    document = copy.deepcopy(SIGNED)
    proof = {**document["proof"], **changes}
    return {**document, "proof": {name: v for name, v in proof.items() if v is not None}}


def verify(document: dict[str, Any], **options: Any) -> Any:
    return verify_proof(document, **{"resolver": RESOLVER, "now": NOW, **options})


@pytest.mark.parametrize(("suite", "key_type"), SUITES)
def test_sign_and_verify(suite: str, key_type: KeyType) -> None:
    before = copy.deepcopy(CREDENTIAL)
    signed = sign(
        cryptosuite=suite, signer=KEYS[key_type], verification_method=f"{ISSUER}#{key_type}"
    )
    assert before == CREDENTIAL
    verified = verify(signed)
    assert verified.document is signed
    assert verified.verification_method == f"{ISSUER}#{key_type}"
    assert verified.method.public_key == KEYS[key_type].public_key
    assert verified.proof["cryptosuite"] == suite
    assert verified.proofs[0].created == NOW
    assert verify_credential(signed, resolver=RESOLVER, now=NOW).issuer == ISSUER


@pytest.mark.parametrize(("suite", "key_type"), SUITES)
@pytest.mark.parametrize(
    "tamper",
    [
        lambda d: d["credentialSubject"].update(name="李四"),
        lambda d: d["credentialSubject"].update(ageOver18=False),
        lambda d: d["credentialSubject"].pop("name"),
        lambda d: d["credentialSubject"].update(ageOver60=True),
        lambda d: d["credentialSubject"].pop("id"),
        lambda d: d.update(issuer="did:web:thief.example"),
        lambda d: d.update(validUntil="2099-11-22T00:00:00Z"),
        lambda d: d.pop("validUntil"),
        lambda d: d.update(id="urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33"),
        lambda d: d["type"].remove("ResidentIdentityCredential"),
        lambda d: d["proof"].update(created="2026-11-22T11:59:59Z"),
        lambda d: d["proof"].update(expires="2030-01-01T00:00:00Z"),
        lambda d: d["proof"].update(domain="did:web:desk.example"),
        lambda d: d["proof"].update(id="urn:a:b"),
        lambda d: d["proof"].update(nonce="x"),
        lambda d: d["proof"].pop("created"),
    ],
)
def test_whatever_is_changed_breaks_the_signature(
    suite: str, key_type: KeyType, tamper: Any
) -> None:
    signed = sign(
        cryptosuite=suite, signer=KEYS[key_type], verification_method=f"{ISSUER}#{key_type}"
    )
    tampered = copy.deepcopy(signed)
    tamper(tampered)
    with pytest.raises(SignatureInvalid):
        verify(tampered)


def test_an_undefined_member_is_refused_though_the_canonical_form_is_the_same() -> None:
    for inside in (False, True):
        document = copy.deepcopy(SIGNED)
        (document["credentialSubject"] if inside else document)["undefinedMember"] = "looks signed"
        with pytest.raises(TermUndefined):
            verify(document)
        with pytest.raises(TermUndefined):
            sign({**document})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"type": None}, ProofTypeUnknown),
        ({"type": "Ed25519Signature2018"}, ProofTypeUnknown),
        ({"type": ["DataIntegrityProof"]}, ProofTypeUnknown),
        ({"cryptosuite": None}, ProofMalformed),
        ({"cryptosuite": "ecdsa-none"}, CryptosuiteUnknown),
        ({"cryptosuite": "eddsa-rdfc-2022"}, CryptosuiteKeyMismatch),
        ({"cryptosuite": 5}, ProofMalformed),
        ({"verificationMethod": None}, ProofMalformed),
        ({"verificationMethod": {"id": METHOD}}, ProofMalformed),
        ({"verificationMethod": "P-256"}, DidMalformed),
        ({"verificationMethod": ISSUER}, DidMalformed),
        ({"verificationMethod": f"{ISSUER}#absent"}, VerificationMethodUnknown),
        ({"verificationMethod": "did:web:else.example#P-256"}, DidUnknown),
        ({"verificationMethod": f"{ISSUER}#Ed25519"}, CryptosuiteKeyMismatch),
        ({"verificationMethod": key_url(OTHER.public_key)}, SignatureInvalid),
        ({"verificationMethod": key_url(KEY.public_key)}, SignatureInvalid),
        ({"proofPurpose": None}, ProofMalformed),
        ({"proofPurpose": "authentication"}, ProofPurposeMismatch),
        ({"proofValue": None}, ProofMalformed),
        ({"proofValue": ""}, ProofMalformed),
        ({"proofValue": 5}, ProofMalformed),
        ({"proofValue": "z"}, ProofMalformed),
        ({"proofValue": "z0"}, ProofMalformed),
        ({"proofValue": "z" + "2" * 4000}, ProofMalformed),
        ({"proofValue": SIGNED["proof"]["proofValue"][:-2]}, ProofMalformed),
        ({"proofValue": multibase_base64(bytes(64))}, ProofMalformed),
        ({"proofValue": multibase_base58(bytes(64))}, SignatureInvalid),
        ({"proofValue": multibase_base58(b"\1" * 65)}, ProofMalformed),
        (
            {"proofValue": multibase_base64(multibase_decode(SIGNED["proof"]["proofValue"]))},
            ProofMalformed,
        ),
        ({"created": "2026-11-22"}, ProofMalformed),
        ({"created": "2026-11-22T12:00:00"}, ProofMalformed),
        ({"created": 5}, ProofMalformed),
        ({"expires": "never"}, ProofMalformed),
        ({"challenge": 5}, ProofMalformed),
        ({"id": 5}, ProofMalformed),
        ({"nonce": ""}, ProofMalformed),
        ({"revealed": "x"}, ProofMalformed),
        ({"name": "defined by the context, means nothing here"}, ProofMalformed),
        ({"@context": [CONTEXT_V2]}, ProofMalformed),
        ({"@context": "https://thief.example"}, ProofMalformed),
        ({"previousProof": "urn:absent"}, ProofMalformed),
        ({"previousProof": []}, ProofMalformed),
        ({"previousProof": 5}, ProofMalformed),
    ],
)
def test_malformed_and_foreign_proofs(
    changes: dict[str, Any], error: type[CredentialError]
) -> None:
    verify(with_proof())
    with pytest.raises(error):
        verify(with_proof(**changes))


def test_a_proof_may_repeat_the_document_s_context() -> None:
    assert verify(with_proof(**{"@context": CREDENTIAL["@context"]}))


@pytest.mark.parametrize("proof", [None, []])
def test_an_unsigned_document(proof: object) -> None:
    with pytest.raises(ProofMissing):
        verify(CREDENTIAL)
    with pytest.raises(ProofMissing):
        verify({**CREDENTIAL, "proof": proof})


@pytest.mark.parametrize("proof", ["x", 5, {}, [5], ["x"], [[SIGNED["proof"]]]])
def test_what_is_no_proof(proof: object) -> None:
    with pytest.raises((ProofMalformed, ProofTypeUnknown)):
        verify({**CREDENTIAL, "proof": proof})


def test_created_and_expires_are_judged_by_the_caller_s_clock() -> None:
    second = timedelta(seconds=1)
    assert verify(SIGNED, now=NOW - CLOCK_SKEW)
    with pytest.raises(ProofFromFuture):
        verify(SIGNED, now=NOW - CLOCK_SKEW - second)
    short = sign(expires=NOW + timedelta(minutes=1))
    assert verify(short, now=NOW + timedelta(seconds=59))
    with pytest.raises(ProofExpired):
        verify(short, now=NOW + timedelta(minutes=1))
    for instant in (NOW, NOW - second, NOW + second / 2):  # whole seconds are written
        with pytest.raises(ProofMalformed):
            sign(expires=instant)
    with pytest.raises(ValueError, match="naive"):
        verify(SIGNED, now=NOW.replace(tzinfo=None))


def test_domain_and_challenge_must_be_those_expected() -> None:
    bound = sign(domain="did:web:desk.example", challenge="nonce-1234567890")
    assert verify(bound)
    assert verify(bound, domain="did:web:desk.example", challenge="nonce-1234567890")
    for domain in ("did:web:other.example", "did:web:desk.example ", ""):
        with pytest.raises(DomainMismatch):
            verify(bound, domain=domain)
    with pytest.raises(ChallengeMismatch):
        verify(bound, challenge="nonce-0000000000")
    with pytest.raises(DomainMismatch):
        verify(SIGNED, domain="did:web:desk.example")
    with pytest.raises(ChallengeMismatch):
        verify(SIGNED, challenge="nonce-1234567890")
    two = copy.deepcopy(bound)
    two["proof"]["domain"] = ["did:web:desk.example", "did:web:other.example"]
    with pytest.raises(DomainMismatch):
        verify(two, domain="did:web:desk.example")


def test_the_key_must_be_authorized_for_the_purpose() -> None:
    strict = DocumentResolver(
        [
            did_document(
                ISSUER, {"P-256": KEY.public_key}, relationships={"authentication": ["P-256"]}
            )
        ]
    )
    with pytest.raises(RelationshipMissing):
        verify(SIGNED, resolver=strict)
    assert verify(sign(purpose="authentication"), resolver=strict, purpose="authentication")


def test_a_retired_key_verifies_nothing_even_if_the_proof_says_it_is_older() -> None:
    document = did_document(ISSUER, {"P-256": KEY.public_key})
    document["verificationMethod"][0]["revoked"] = "2026-11-22T11:00:00Z"
    resolver = DocumentResolver([document])
    backdated = sign(created=NOW - timedelta(days=30))
    with pytest.raises(VerificationMethodRetired):
        verify(backdated, resolver=resolver)


def test_a_resolver_that_answers_about_another_key_is_not_believed() -> None:
    class Careless:
        def resolve(self, url: str, relationship: str) -> VerificationMethod:
            return VerificationMethod("did:web:x.example#k", "did:web:x.example", KEY.public_key)

    careless: Resolver = Careless()
    with pytest.raises(ControllerMismatch):
        verify(SIGNED, resolver=careless)


def test_every_proof_of_a_set_must_hold() -> None:
    both = sign(
        SIGNED,
        cryptosuite="eddsa-rdfc-2022",
        signer=KEYS["Ed25519"],
        verification_method=f"{ISSUER}#Ed25519",
    )
    verified = verify(both)
    assert [each.method.public_key.type for each in verified.proofs] == ["P-256", "Ed25519"]
    assert verify_credential(both, resolver=RESOLVER, now=NOW)
    for index in (0, 1):
        broken = copy.deepcopy(both)
        broken["proof"][index]["proofValue"] = multibase_base58(bytes(64))
        with pytest.raises(SignatureInvalid):
            verify(broken)
    unknown = {**both, "proof": [*both["proof"], {"type": "OtherProof"}]}
    with pytest.raises(ProofTypeUnknown):
        verify(unknown)
    with pytest.raises(ProofMalformed):
        verify({**both, "proof": [SIGNED["proof"]] * (MAX_PROOFS + 1)})
    named = sign(sign(proof_id="urn:proof:1"), proof_id="urn:proof:1", created=NOW)
    with pytest.raises(ProofMalformed):
        verify(named)


def test_a_chained_proof_covers_the_earlier_one() -> None:
    first = sign(proof_id="urn:proof:1")
    chained = sign(first, proof_id="urn:proof:2", previous_proof="urn:proof:1")
    assert len(verify(chained).proofs) == 2
    exchanged = copy.deepcopy(chained)
    exchanged["proof"][0] = sign(proof_id="urn:proof:1")["proof"]  # another valid signature
    with pytest.raises(SignatureInvalid):
        verify(exchanged)
    with pytest.raises(ProofMalformed):
        verify({**chained, "proof": chained["proof"][1:]})
    with pytest.raises(ProofMalformed):
        sign(first, previous_proof="urn:proof:absent")
    itself = copy.deepcopy(first)
    itself["proof"]["previousProof"] = "urn:proof:1"
    with pytest.raises(ProofMalformed):
        verify(itself)


def test_a_credential_must_be_signed_by_its_issuer() -> None:
    stolen = sign(signer=OTHER, verification_method=key_url(OTHER.public_key))
    assert verify(stolen)  # the proof holds; it is only not the issuer's
    with pytest.raises(ControllerMismatch):
        verify_credential(stolen, resolver=RESOLVER, now=NOW)
    joined = sign(SIGNED, signer=OTHER, verification_method=key_url(OTHER.public_key))
    with pytest.raises(ControllerMismatch):
        verify_credential(joined, resolver=RESOLVER, now=NOW)
    with pytest.raises(ModelViolation):
        verify_credential({**SIGNED, "credentialSubject": []}, resolver=RESOLVER, now=NOW)
    described = sign({**CREDENTIAL, "issuer": {"id": ISSUER, "name": "Hangzhou"}})
    verified = verify_credential(UnverifiedCredential(described), resolver=RESOLVER, now=NOW)
    assert verified.issuer == ISSUER
    assert verified.types == ("VerifiableCredential", "ResidentIdentityCredential")


def test_a_credential_signed_for_log_in_is_no_credential() -> None:
    with pytest.raises(ProofPurposeMismatch):
        verify_credential(sign(purpose="authentication"), resolver=RESOLVER, now=NOW)


def test_unfit_keys_and_suites_do_not_sign() -> None:
    with pytest.raises(CryptosuiteUnknown):
        sign(cryptosuite="rsa-1977")
    with pytest.raises(CryptosuiteKeyMismatch):
        sign(cryptosuite="eddsa-rdfc-2022")
    with pytest.raises(CryptosuiteKeyMismatch):
        sign(signer=KEYS["Ed25519"])
    with pytest.raises(DidMalformed):
        sign(verification_method="key-1")
    with pytest.raises(ProofMalformed):
        sign(mandatory_pointers=["/issuer"])
    with pytest.raises(ProofMalformed):
        sign({"type": "VerifiableCredential"})


def test_a_document_whose_context_knows_no_proofs_gets_one_that_does() -> None:
    # VC-DI §2.4.2: a VCDM 1.1 credential
    document = {
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "type": ["VerifiableCredential"],
        "issuer": ISSUER,
        "issuanceDate": "2026-11-22T00:00:00Z",
        "credentialSubject": {"id": "did:example:a"},
    }
    signed = sign(document)
    assert signed["@context"] == [*document["@context"], DATA_INTEGRITY_CONTEXT]
    assert verify(signed)
    with pytest.raises(ModelViolation):
        verify_credential(signed, resolver=RESOLVER, now=NOW)  # the product speaks 2.0 alone


MANDATORY = ["/issuer", "/validFrom", "/validUntil", "/credentialSubject/id"]


def test_a_holder_shows_a_part_and_the_framework_verifies_it() -> None:
    issued = sign(cryptosuite="ecdsa-sd-2023", mandatory_pointers=MANDATORY)
    # What the holder receives is not what a desk accepts: it holds the key to the hidden labels.
    with pytest.raises(ProofMalformed):
        verify_credential(issued, resolver=RESOLVER, now=NOW)
    assert verify_credential(issued, resolver=RESOLVER, now=NOW, accept_base=True)

    shown = derive(issued, ["/credentialSubject/name"])
    assert shown["credentialSubject"]["name"] == "张三"
    assert "birthDate" not in shown["credentialSubject"]
    verified = verify_credential(shown, resolver=RESOLVER, now=NOW)
    assert verified.issuer == ISSUER
    assert verified.document is shown
    assert anchor_of(shown) == anchor_of(issued)
    assert verify_credential(shown, resolver=RESOLVER, now=NOW, accept_base=True)

    for name, value in (("name", "李四"), ("ageOver18", True)):
        forged = copy.deepcopy(shown)
        forged["credentialSubject"][name] = value
        with pytest.raises(CredentialError):
            verify_credential(forged, resolver=RESOLVER, now=NOW)
    with pytest.raises(ProofExpired):
        late = sign(
            cryptosuite="ecdsa-sd-2023",
            mandatory_pointers=MANDATORY,
            expires=NOW + timedelta(minutes=1),
        )
        shown = derive(late, ["/credentialSubject/name"])
        verify_credential(shown, resolver=RESOLVER, now=NOW + timedelta(minutes=1))


def test_plain_suites_derive_nothing() -> None:
    with pytest.raises(CryptosuiteUnknown):
        derive(SIGNED, ["/credentialSubject/name"])
    with pytest.raises(ProofMissing):
        derive(CREDENTIAL, ["/credentialSubject/name"])
    with pytest.raises(ProofMalformed):
        derive({**CREDENTIAL, "proof": [SIGNED["proof"]] * 2}, ["/credentialSubject/name"])
