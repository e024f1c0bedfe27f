"""bbs-2023: what a holder can show, what nobody can change, and what malformed values cost."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials import bbs
from credentials.anchor import anchor_of, issuer_signature
from credentials.bbs import Opening
from credentials.canonical import default_canonicalizer
from credentials.dids import KeyResolver, did_document, did_key, key_url
from credentials.errors import (
    AnchorHidden,
    BbsCommitmentInvalid,
    BbsFeatureMismatch,
    BbsIndexesInvalid,
    BbsMalformed,
    ChallengeMismatch,
    CredentialError,
    CryptosuiteKeyMismatch,
    CryptosuiteUnknown,
    JwsAlgorithmRefused,
    KeyInvalid,
    LimitExceeded,
    NothingDisclosed,
    PointerUnknown,
    PresentationUnfit,
    ProofMalformed,
    SignatureInvalid,
)
from credentials.jose import sign_compact
from credentials.keyfile import seal, unseal
from credentials.keys import SIGNATURE_LENGTH, PrivateKey, PublicKey
from credentials.multibase import multibase_base58, multibase_base64, multibase_decode
from credentials.presentation import build_presentation
from credentials.proofs import CRYPTOSUITES, add_proof, derive, verify_credential, verify_proof
from credentials.proofs import bbs_2023 as suite
from credentials.proofs.bbs_2023_values import (
    FEATURES,
    MAX_PRESENTATION_HEADER,
    MAX_VALUE,
    BaseValue,
    DerivedValue,
)
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

KEY = PrivateKey.from_seed("Bls12381G2", b"issuer of tests, not a real key")
DID, METHOD = did_key(KEY.public_key), key_url(KEY.public_key)
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
CANONICALIZER = default_canonicalizer()
MANDATORY = ("/issuer", "/validFrom")
NAME, ADULT = "/credentialSubject/name", "/credentialSubject/ageOver18"
DESK, CLINIC = "https://desk.example", "https://clinic.example"

DOCUMENT: dict[str, Any] = {
    "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
    "type": ["VerifiableCredential", "ResidentIdentityCredential"],
    "issuer": DID,
    "validFrom": "2026-11-22T00:00:00Z",
    "validUntil": "2027-11-22T00:00:00Z",
    "credentialSubject": {
        "type": "Resident",
        "name": "陈思远",
        "sex": "female",
        "ageOver18": True,
        "ageOver65": False,
    },
}


def issue(document: dict[str, Any] | None = None) -> dict[str, Any]:
    return add_proof(
        DOCUMENT if document is None else document,
        cryptosuite="bbs-2023",
        signer=KEY,
        verification_method=METHOD,
        created=NOW,
        mandatory_pointers=MANDATORY,
    )


OPTIONS = {
    "type": "DataIntegrityProof",
    "cryptosuite": "bbs-2023",
    "created": "2026-11-22T08:00:00Z",
    "verificationMethod": METHOD,
    "proofPurpose": "assertionMethod",
}
SECRET = b"a secret of the holder, 32 bytes"


def issue_bound(nym: bytes | None) -> tuple[dict[str, Any], Opening]:
    """A credential bound to a holder's secret, and with `nym` one for pseudonyms."""
    commitment, holder = bbs.commit([SECRET], prover_nym=nym)
    proof = suite.create_base_proof(
        DOCUMENT,
        proof_options=OPTIONS,
        signer=KEY,
        mandatory_pointers=MANDATORY,
        canonicalizer=CANONICALIZER,
        commitment=commitment,
        pseudonyms=nym is not None,
    )
    return {**DOCUMENT, "proof": proof}, holder


SIGNED = issue()
BOUND, HOLDER = issue_bound(None)
NAMED, NAMED_HOLDER = issue_bound(bytes(31) + b"\x05")
SHOWN = derive(SIGNED, [NAME])
VALUE = DerivedValue.decode(SHOWN["proof"]["proofValue"])


def verify(document: dict[str, Any], *, accept_base: bool = False) -> None:
    verify_proof(document, resolver=KeyResolver(), now=NOW, accept_base=accept_base)


def with_value(document: dict[str, Any], value: str) -> dict[str, Any]:
    return {**document, "proof": {**document["proof"], "proofValue": value}}


# What a holder can show


def test_the_suite_is_in_the_table() -> None:
    assert CRYPTOSUITES["bbs-2023"].key_types == frozenset({"Bls12381G2"})


@pytest.mark.parametrize("pointers", [[], [NAME], [NAME, ADULT], ["/credentialSubject"], [""]])
def test_derived_documents_verify(pointers: list[str]) -> None:
    shown = derive(SIGNED, pointers)
    verify(shown)
    if pointers:  # a credential without a subject is none
        assert verify_credential(shown, resolver=KeyResolver(), now=NOW).issuer == DID
    assert ("陈思远" in str(shown)) == (pointers != [])
    assert shown["issuer"] == DID


def test_nothing_to_show() -> None:
    bare = add_proof(
        DOCUMENT,
        cryptosuite="bbs-2023",
        signer=KEY,
        verification_method=METHOD,
        created=NOW,
    )
    with pytest.raises(NothingDisclosed):
        derive(bare, [])
    verify(derive(bare, [NAME]))
    with pytest.raises(PointerUnknown):
        derive(SIGNED, ["/credentialSubject/weight"])


def test_two_derived_proofs_share_only_what_is_shown() -> None:
    other = DerivedValue.decode(derive(SIGNED, [NAME])["proof"]["proofValue"])
    assert other.proof != VALUE.proof
    assert replace(other, proof=b"") == replace(VALUE, proof=b"")
    base = BaseValue.decode(SIGNED["proof"]["proofValue"])
    # Neither the signature nor what would reveal the hidden labels goes along.
    data = multibase_decode(SHOWN["proof"]["proofValue"], "u")
    for secret in (base.signature[:48], base.signature[48:], base.hmac_key):
        assert secret not in data


def test_the_holder_checks_what_was_issued() -> None:
    verify(SIGNED, accept_base=True)
    with pytest.raises(ProofMalformed):
        verify(SIGNED)  # a desk takes no base proof
    with pytest.raises(ProofMalformed):
        derive(SHOWN, [NAME])


def test_an_occasion_binds_a_presentation() -> None:
    shown = suite.derive_proof(
        SIGNED,
        selective_pointers=[NAME],
        canonicalizer=CANONICALIZER,
        presentation_header=b"a nonce of the desk",
    )

    def check(expected: bytes | None) -> None:
        suite.verify_derived(
            shown,
            public_key=KEY.public_key,
            canonicalizer=CANONICALIZER,
            presentation_header=expected,
        )

    check(b"a nonce of the desk")
    check(None)
    for other in (b"", b"another nonce"):
        with pytest.raises(ChallengeMismatch):
            check(other)
    value = DerivedValue.decode(shown["proof"]["proofValue"])
    shown["proof"]["proofValue"] = replace(value, presentation_header=b"another nonce").encode()
    with pytest.raises(SignatureInvalid):
        check(b"another nonce")
    with pytest.raises(LimitExceeded):
        suite.derive_proof(
            SIGNED,
            selective_pointers=[NAME],
            canonicalizer=CANONICALIZER,
            presentation_header=bytes(MAX_PRESENTATION_HEADER + 1),
        )


# What nobody can change


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *steps, last = path.split("/")
        for step in steps:
            document = document[step]
        document[last] = value

    return change


def _drop(path: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *steps, last = path.split("/")
        for step in steps:
            document = document[step]
        del document[last]

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("credentialSubject/name", "李思远"),
        _set("credentialSubject/ageOver65", True),
        _set("credentialSubject/ageOver18", True),
        _set("credentialSubject/id", "did:key:zDnaeTHxNEBZoKaEo6PdA83fq98ebiFvo3X273Ydu4YmV96rg"),
        _set("validFrom", "2020-01-01T00:00:00Z"),
        _set("validUntil", "2027-11-22T00:00:00Z"),
        _set("proof/created", "2026-11-22T07:00:00Z"),
        _set("proof/expires", "2036-11-22T07:00:00Z"),
        _drop("credentialSubject/name"),
        _drop("validFrom"),
        _drop("proof/created"),
    ],
)
def test_no_statement_can_be_changed_added_or_dropped(
    change: Callable[[dict[str, Any]], None],
) -> None:
    document = copy.deepcopy(SHOWN)
    change(document)
    with pytest.raises(CredentialError) as caught:
        verify(document)
    assert isinstance(caught.value, SignatureInvalid | BbsIndexesInvalid | ProofMalformed)


@pytest.mark.parametrize(
    "change",
    [
        _set("credentialSubject/name", "李思远"),
        _set("credentialSubject/ageOver60", True),
        _drop("credentialSubject/sex"),
        _set("proof/created", "2026-11-22T07:00:00Z"),
    ],
)
def test_the_holder_notices_a_changed_credential(
    change: Callable[[dict[str, Any]], None],
) -> None:
    document = copy.deepcopy(SIGNED)
    change(document)
    with pytest.raises((SignatureInvalid, BbsIndexesInvalid)):
        verify(document, accept_base=True)


def test_another_issuers_key() -> None:
    other = PrivateKey.from_seed("Bls12381G2", b"another issuer of tests, no real key")
    document = copy.deepcopy(SHOWN)
    document["proof"]["verificationMethod"] = key_url(other.public_key)
    with pytest.raises(SignatureInvalid):
        verify(document)
    with pytest.raises(SignatureInvalid):
        suite.verify_base(SIGNED, public_key=other.public_key, canonicalizer=CANONICALIZER)


def test_parts_of_the_value_cannot_be_moved() -> None:
    changes: list[dict[str, Any]] = [
        {"labels": {0: VALUE.labels[1], 1: VALUE.labels[0]}},
        {"mandatory": ()},
        {"mandatory": (*VALUE.mandatory[:-1], VALUE.mandatory[-1] + 1)},
        {"mandatory": (*VALUE.mandatory, 500)},
        {"selective": VALUE.selective[:-1]},
        {"selective": (*VALUE.selective, 9)},
        {"selective": tuple(index + 1 for index in VALUE.selective)},
        {"labels": {0: 0}},
        {"labels": {0: 0, 1: 1, 2: 2}},
        {"proof": VALUE.proof[:-32]},
        {"proof": b""},
    ]
    for change in changes:
        document = with_value(SHOWN, replace(VALUE, **change).encode())
        with pytest.raises((SignatureInvalid, BbsIndexesInvalid, BbsMalformed, ProofMalformed)):
            verify(document)


def test_other_suites_take_no_bbs_key_and_bbs_no_other() -> None:
    other = PrivateKey.from_seed("P-256", b"a key of another type, for tests")
    with pytest.raises(CryptosuiteKeyMismatch):
        add_proof(
            DOCUMENT,
            cryptosuite="bbs-2023",
            signer=other,
            verification_method=key_url(other.public_key),
            created=NOW,
        )
    for name in sorted(set(CRYPTOSUITES) - {"bbs-2023"}):
        with pytest.raises(CryptosuiteKeyMismatch):
            add_proof(
                DOCUMENT,
                cryptosuite=name,
                signer=KEY,
                verification_method=METHOD,
                created=NOW,
            )
    renamed = copy.deepcopy(SHOWN)
    renamed["proof"]["cryptosuite"] = "ecdsa-sd-2023"
    with pytest.raises(CryptosuiteKeyMismatch):
        verify(renamed)
    with pytest.raises(CryptosuiteKeyMismatch):
        suite.verify_derived(SHOWN, public_key=other.public_key, canonicalizer=CANONICALIZER)
    with pytest.raises(PresentationUnfit):
        build_presentation(
            [SHOWN],
            signer=KEY,
            domain=DESK,
            challenge="a challenge of the desk",
            created=NOW,
            expires=NOW,
        )


# Holder binding and pseudonyms


def check_shown(document: dict[str, Any], nym_domain: str | None = None) -> DerivedValue:
    return suite.verify_derived(
        document,
        public_key=KEY.public_key,
        canonicalizer=CANONICALIZER,
        nym_domain=nym_domain,
    )


def show(document: dict[str, Any], **more: Any) -> dict[str, Any]:
    return suite.derive_proof(
        document, selective_pointers=[NAME], canonicalizer=CANONICALIZER, **more
    )


def test_a_bound_credential() -> None:
    suite.verify_base(BOUND, public_key=KEY.public_key, canonicalizer=CANONICALIZER, holder=HOLDER)
    shown = show(BOUND, holder=HOLDER)
    check_shown(shown)
    verify(shown)  # a verifier needs nothing more


def test_a_thief_cannot_show_a_bound_credential() -> None:
    for thief in (Opening((b"a guess",), HOLDER.blind), Opening((SECRET,), bytes(31) + b"\1")):
        with pytest.raises(SignatureInvalid):
            check_shown(show(BOUND, holder=thief))
        with pytest.raises(SignatureInvalid):
            suite.verify_base(
                BOUND, public_key=KEY.public_key, canonicalizer=CANONICALIZER, holder=thief
            )
    with pytest.raises(BbsFeatureMismatch):
        show(BOUND)
    with pytest.raises(BbsFeatureMismatch):
        derive(BOUND, [NAME])
    with pytest.raises(BbsFeatureMismatch):
        verify(BOUND, accept_base=True)


def test_a_pseudonym_is_one_per_context() -> None:
    suite.verify_base(
        NAMED, public_key=KEY.public_key, canonicalizer=CANONICALIZER, holder=NAMED_HOLDER
    )
    found = [
        check_shown(show(NAMED, holder=NAMED_HOLDER, nym_domain=domain), domain).pseudonym
        for domain in (DESK, DESK, CLINIC)
    ]
    assert found[0] == found[1] != found[2]
    shown = show(NAMED, holder=NAMED_HOLDER, nym_domain=DESK)
    with pytest.raises(SignatureInvalid):
        check_shown(shown, CLINIC)
    with pytest.raises(BbsFeatureMismatch):
        check_shown(shown)
    # The framework knows no context, so it cannot say that such a proof holds.
    with pytest.raises(BbsFeatureMismatch):
        verify(shown)
    value = DerivedValue.decode(shown["proof"]["proofValue"])
    stolen = with_value(shown, replace(value, pseudonym=found[2]).encode())
    with pytest.raises(SignatureInvalid):
        check_shown(stolen, DESK)


def test_secrets_of_the_wrong_kind() -> None:
    for document, more in (
        (SIGNED, {"holder": HOLDER}),
        (SIGNED, {"nym_domain": DESK}),
        (BOUND, {"holder": NAMED_HOLDER}),
        (BOUND, {"holder": HOLDER, "nym_domain": DESK}),
        (NAMED, {"holder": HOLDER, "nym_domain": DESK}),
        (NAMED, {"holder": NAMED_HOLDER}),
    ):
        with pytest.raises(BbsFeatureMismatch):
            show(document, **more)
    with pytest.raises(BbsFeatureMismatch):
        check_shown(SHOWN, DESK)


def test_the_issuer_wants_the_commitment_proven() -> None:
    def sign(**more: Any) -> None:
        suite.create_base_proof(
            DOCUMENT,
            proof_options=OPTIONS,
            signer=KEY,
            mandatory_pointers=MANDATORY,
            canonicalizer=CANONICALIZER,
            **more,
        )

    commitment, _ = bbs.commit([SECRET])
    with pytest.raises(BbsCommitmentInvalid):
        sign(commitment=commitment, pseudonyms=True)
    with pytest.raises(BbsMalformed):
        sign(commitment=b"")
    for wrong in ({"pseudonyms": True}, {"commitment": commitment, "nym_entropy": bytes(32)}):
        with pytest.raises(BbsFeatureMismatch):
            sign(**wrong)
    with pytest.raises(KeyInvalid):
        sign(hmac_key=bytes(31))


def test_number_of_statements_cannot_be_claimed_otherwise() -> None:
    shown = show(BOUND, holder=HOLDER)
    value = DerivedValue.decode(shown["proof"]["proofValue"])
    assert value.total is not None
    for total in (0, value.total - 1, value.total + 1, 1000):
        with pytest.raises((SignatureInvalid, BbsIndexesInvalid)):
            check_shown(with_value(shown, replace(value, total=total).encode()))


# Anchors


def test_issued_credentials_have_an_anchor_and_derived_ones_none() -> None:
    for issued in (SIGNED, BOUND, NAMED):
        signature = BaseValue.decode(issued["proof"]["proofValue"]).signature
        assert issuer_signature(issued) == signature
        assert len(anchor_of(issued)) == 32
    for derived in (
        SHOWN,
        show(BOUND, holder=HOLDER),
        show(NAMED, holder=NAMED_HOLDER, nym_domain=DESK),
    ):
        with pytest.raises(AnchorHidden):
            anchor_of(derived)
    for bad in ("", "u", "z6Mk", "u2V0A", None, SIGNED["proof"]["proofValue"][:-8]):
        with pytest.raises(ProofMalformed):
            anchor_of({"proof": {"cryptosuite": "bbs-2023", "proofValue": bad}})


# Malformed values


def _base_parts() -> list[Any]:
    data = multibase_decode(SIGNED["proof"]["proofValue"], "u")
    parts: list[Any] = cbor2.loads(data[3:])
    return parts


def _derived_parts() -> list[Any]:
    data = multibase_decode(SHOWN["proof"]["proofValue"], "u")
    parts: list[Any] = cbor2.loads(data[3:])
    return parts


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, bytes(79)),
        (0, "text"),
        (1, bytes(63)),
        (2, bytes(95)),
        (3, bytes(31)),
        (3, cbor2.CBORTag(64, bytes(32))),
        (4, ["no pointer"]),
        (4, "/issuer"),
        (4, [1]),
        (4, {}),
    ],
)
def test_malformed_base_values(position: int, value: object) -> None:
    parts = _base_parts()
    parts[position] = value
    text = multibase_base64(b"\xd9\x5d\x02" + cbor2.dumps(parts))
    with pytest.raises(CredentialError):
        BaseValue.decode(text)
    with pytest.raises(CredentialError):
        verify(with_value(SIGNED, text), accept_base=True)


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, "text"),
        (0, None),
        (1, []),
        (1, {"c14n0": "b0"}),
        (1, {0: -1}),
        (1, {-1: 0}),
        (1, {0: 0, 1: 0}),
        (1, {0: True}),
        (1, {0: 2**70}),
        (2, [1, 0]),
        (2, [0, 0]),
        (2, [-1]),
        (2, [0.0]),
        (2, None),
        (3, [1, 0]),
        (3, [2**70]),
        (3, ["0"]),
        (4, "text"),
        (4, bytes(MAX_PRESENTATION_HEADER + 1)),
        (4, cbor2.CBORTag(64, b"")),
    ],
)
def test_malformed_derived_values(position: int, value: object) -> None:
    parts = _derived_parts()
    parts[position] = value
    text = multibase_base64(b"\xd9\x5d\x03" + cbor2.dumps(parts))
    with pytest.raises(ProofMalformed):
        DerivedValue.decode(text)
    with pytest.raises(ProofMalformed):
        verify(with_value(SHOWN, text))


def test_other_headers_shapes_and_spellings() -> None:
    parts = cbor2.dumps(_derived_parts())
    for wrong in ("d95d00", "d95d01", "d95d02", "d95d05", "d95d06", "d95d07", "d95d09", "d95d0a"):
        with pytest.raises(ProofMalformed):
            DerivedValue.decode(multibase_base64(bytes.fromhex(wrong) + parts))
    header = b"\xd9\x5d\x03"
    for body in (
        b"",
        parts + b"\0",
        b"\x9f" + parts[1:] + b"\xff",
        cbor2.dumps(_derived_parts()[:4]),
        cbor2.dumps([*_derived_parts(), 1]),
        cbor2.dumps({}),
        cbor2.dumps(cbor2.CBORTag(4, _derived_parts())),
        b"\x9f" * 2000,
        b"\x85" * 2000,
    ):
        with pytest.raises(ProofMalformed):
            DerivedValue.decode(multibase_base64(header + body))
    for text in ("", "u", SHOWN["proof"]["proofValue"] + "=", multibase_base58(header + parts), 7):
        with pytest.raises(ProofMalformed):
            DerivedValue.decode(text)
    with pytest.raises(LimitExceeded):
        DerivedValue.decode("u" + "A" * MAX_VALUE)


def test_a_large_value_is_refused_quickly() -> None:
    parts = _derived_parts()
    parts[0] = VALUE.proof[:144] + VALUE.proof[144:176] * 2900
    text = multibase_base64(b"\xd9\x5d\x03" + cbor2.dumps(parts))
    begun = time.process_time()
    with pytest.raises((LimitExceeded, BbsIndexesInvalid)):
        verify(with_value(SHOWN, text))
    assert time.process_time() - begun < 0.5


def test_too_many_statements() -> None:
    contact = {f"ageOver{n}": True for n in (14, 16, 18)}
    subjects = [{**contact, "type": "Resident", "name": f"name {n}"} for n in range(300)]
    with pytest.raises(LimitExceeded):
        issue({**DOCUMENT, "credentialSubject": subjects})


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([f.derived_header for f in FEATURES]))
def test_any_bytes_behind_a_header(body: bytes, header: bytes) -> None:
    with pytest.raises(CredentialError):
        verify(with_value(SHOWN, multibase_base64(header + body)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_changed_byte(data: st.DataObject) -> None:
    original = multibase_decode(SHOWN["proof"]["proofValue"], "u")
    changed = bytearray(original)
    position = data.draw(st.integers(0, len(changed) - 1))
    changed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CredentialError):
        verify(with_value(SHOWN, multibase_base64(bytes(changed))))


# Keys


def test_keys_have_one_spelling_and_stay_themselves() -> None:
    assert DID.startswith("did:key:zUC7")
    public = PublicKey.from_multikey(KEY.public_key.multikey())
    assert public == KEY.public_key
    assert public.tagged()[:2] == b"\xeb\x01"
    assert SIGNATURE_LENGTH["Bls12381G2"] == 80
    again = PrivateKey.from_bytes("Bls12381G2", KEY.to_bytes())
    assert again.public_key == KEY.public_key
    secret = multibase_base58(b"\x8a\x26" + KEY.to_bytes())
    assert PrivateKey.from_multikey(secret).public_key == KEY.public_key
    assert PrivateKey.generate("Bls12381G2").public_key != KEY.public_key
    assert KEY.to_bytes().hex() not in repr(KEY)
    assert unseal(seal(KEY.to_bytes(), "a passphrase"), "a passphrase") == KEY.to_bytes()
    fragment = METHOD.rpartition("#")[2]
    document = did_document(DID, {fragment: KEY.public_key})
    assert KEY.public_key.multikey() in str(document)
    resolved = KeyResolver().resolve(METHOD, "assertionMethod")
    assert resolved.public_key == KEY.public_key


def test_a_bbs_key_signs_and_verifies_no_bytes() -> None:
    with pytest.raises(KeyInvalid):
        KEY.sign(b"bytes")
    for signature in (b"", bytes(80), KEY.sign_statements(b"", [b"bytes"])):
        with pytest.raises(SignatureInvalid):
            KEY.public_key.verify(signature, b"bytes")
    with pytest.raises(JwsAlgorithmRefused):
        sign_compact({}, typ="test+jwt", signer=KEY, kid=METHOD)
    with pytest.raises(KeyInvalid):
        KEY.public_key.jwk()
    with pytest.raises(KeyInvalid):
        KEY.public_key.thumbprint()


def test_other_keys_are_no_bbs_keys() -> None:
    other = PrivateKey.from_seed("P-256", b"a key of another type, for tests")
    with pytest.raises(KeyInvalid):
        other.sign_statements(b"", [])
    with pytest.raises(KeyInvalid):
        _ = other.public_key.bbs
    with pytest.raises(BbsMalformed):
        KEY.sign_statements(b"", [], nym_entropy=bytes(31) + b"\1")


@pytest.mark.parametrize(
    "raw", [bytes(96), b"\xff" * 96, b"\xc0" + bytes(95), KEY.public_key.raw[:-1], b""]
)
def test_points_that_are_no_keys(raw: bytes) -> None:
    with pytest.raises(KeyInvalid):
        PublicKey("Bls12381G2", raw)
    with pytest.raises(KeyInvalid):
        PublicKey.from_tagged(b"\xeb\x01" + raw)


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32, bytes(31), b""])
def test_secrets_that_are_no_keys(secret: bytes) -> None:
    with pytest.raises(KeyInvalid):
        PrivateKey.from_bytes("Bls12381G2", secret)


def test_a_suite_without_disclosure_derives_nothing() -> None:
    document = copy.deepcopy(SIGNED)
    document["proof"]["cryptosuite"] = "eddsa-rdfc-2022"
    with pytest.raises(CryptosuiteUnknown):
        derive(document, [NAME])
    document["proof"]["cryptosuite"] = "bbs-2024"
    with pytest.raises(CryptosuiteUnknown):
        derive(document, [NAME])
