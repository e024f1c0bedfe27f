"""VC-JOSE-COSE: the official suite's cases, every form in a round, and contradictions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.cose import sign1
from credentials.dids import AUTHENTICATION, KeyResolver, did_key, key_url
from credentials.errors import (
    AudienceMismatch,
    ControllerMismatch,
    CoseAlgorithmRefused,
    CoseMalformed,
    CredentialError,
    EnvelopeMalformed,
    IssuerKeyUnknown,
    JwsAlgorithmRefused,
    JwsTypeMismatch,
    LimitExceeded,
    ModelViolation,
    NonceMismatch,
    SecuredDocumentRefused,
    SignatureInvalid,
    TokenExpired,
)
from credentials.issuer_keys import DidKeys
from credentials.jose import sign_compact
from credentials.keys import KeyType, PrivateKey, PublicKey
from credentials.multibase import base64url_decode
from credentials.sdjwt import HeldSdJwt, KeyBinding, KeyBindingCheck
from credentials.securing import (
    Envelope,
    Form,
    TokenClaims,
    decode_cose,
    encode_cose,
    open_signed,
    refuse_unknown_members,
    secure,
    verify_secured_credential,
    verify_secured_presentation,
)
from schemas.names import CONTEXT_V2

SUITE = json.loads((Path(__file__).parent / "vectors" / "vc-jose-cose.json").read_bytes())
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
FORMS: list[Form] = ["jwt", "sd-jwt", "cose"]
TYPES: list[KeyType] = ["P-256", "P-384", "P-521", "Ed25519"]
ISSUER = PrivateKey.from_seed("P-256", b"the issuer of the tests")
HOLDER = PrivateKey.from_seed("P-256", b"the holder of the tests")
DID, KID = did_key(ISSUER.public_key), key_url(ISSUER.public_key)
SOURCE = DidKeys(KeyResolver())
HOLDERS = DidKeys(KeyResolver(), AUTHENTICATION)
CREDENTIAL: dict[str, Any] = {
    "@context": [CONTEXT_V2],
    "type": ["VerifiableCredential"],
    "issuer": DID,
    "validFrom": "2026-11-22T00:00:00Z",
    "credentialSubject": {"id": did_key(HOLDER.public_key), "name": "欧阳"},
}
PRESENTATION: dict[str, Any] = {
    "@context": [CONTEXT_V2],
    "type": ["VerifiablePresentation"],
    "holder": did_key(HOLDER.public_key),
}


def secured(
    document: dict[str, Any] = CREDENTIAL,
    *,
    form: Form = "jwt",
    signer: PrivateKey = ISSUER,
    kid: str | None = KID,
    **more: Any,
) -> Envelope:
    return secure(document, form=form, signer=signer, kid=kid, **more)


def proved(envelope: Envelope, **more: Any) -> Any:
    return verify_secured_credential(envelope, **{"issuer": SOURCE, "now": NOW, **more})


def presented(envelope: Envelope, **more: Any) -> Any:
    more = {"holder": HOLDERS, "audience": None, "nonce": None, "now": NOW, **more}
    return verify_secured_presentation(envelope, **more)


# The official suite


def _secret(method: dict[str, Any]) -> PrivateKey:
    jwk = method["secretKeyJwk"]
    return PrivateKey.from_bytes(jwk["crv"], base64url_decode(jwk["d"]))


def _pointer(path: str) -> str:
    return "/" + re.sub(r"\[(\d+)\]", r"/\1", path).replace(".", "/")


def _run(case: dict[str, Any]) -> None:
    """One case as an implementation under the suite would do it: the proof under the named key."""
    kind, form = case["feature"].split("_")
    form = {"jose": "jwt", "sdjwt": "sd-jwt", "cose": "cose"}[form]
    media_type = f"{'vp' if kind == 'presentation' else 'vc'}+{form}"
    method = SUITE["keys"][case["key"]]
    given = SUITE["inputs"][case["input"]]
    if case["do"] == "issue":
        refuse_unknown_members(given)
        paths = [_pointer(path) for path in case["paths"]]
        signer = _secret(method)
        envelope = secure(given, form=form, signer=signer, kid=method["id"], disclosable=paths)
        assert open_signed(envelope, key=signer.public_key).document == given
        assert Envelope.parse(envelope.document()) == envelope
        return
    text = given if isinstance(given, str) else json.dumps(given)
    content = decode_cose(text) if form == "cose" else text
    open_signed(Envelope(media_type, content), key=PublicKey.from_jwk(method["publicKeyJwk"]))


@pytest.mark.parametrize("case", SUITE["cases"], ids=[case["name"] for case in SUITE["cases"]])
def test_cases_of_the_official_suite(case: dict[str, Any]) -> None:
    if case["success"]:
        _run(case)
    else:
        with pytest.raises(CredentialError):
            _run(case)


# Every form


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key_type", TYPES)
def test_a_round_in_every_form(form: Form, key_type: KeyType) -> None:
    key = PrivateKey.generate(key_type)
    did = did_key(key.public_key)
    document = {**CREDENTIAL, "issuer": {"id": did, "name": "Office"}}
    claims = TokenClaims(issued_at=NOW, expires=NOW + timedelta(hours=1))
    envelope = secured(document, form=form, signer=key, kid=key_url(key.public_key), claims=claims)
    envelope = Envelope.parse(json.loads(json.dumps(envelope.document())))
    verified = proved(envelope)
    assert verified.signer == did
    assert document.items() <= dict(verified.document).items()
    with pytest.raises(TokenExpired):
        proved(envelope, now=NOW + timedelta(hours=1))
    assert open_signed(envelope, key=key.public_key).claims["exp"]
    with pytest.raises(CredentialError):
        open_signed(envelope, key=PrivateKey.generate(key_type).public_key)


@pytest.mark.parametrize("form", FORMS)
def test_a_presentation_of_envelopes_is_for_one_verifier(form: Form) -> None:
    inside = [secured(form=each) for each in FORMS]
    document = {**PRESENTATION, "verifiableCredential": [one.document() for one in inside]}
    envelope = secured(
        document,
        form=form,
        signer=HOLDER,
        kid=key_url(HOLDER.public_key),
        claims=TokenClaims(audience="https://desk.example", nonce="n"),
    )
    verified = presented(envelope, audience="https://desk.example", nonce="n")
    assert verified.signer == PRESENTATION["holder"]
    assert verified.credentials == tuple(inside)
    for one in verified.credentials:
        assert proved(one).document["credentialSubject"]["name"] == "欧阳"
    with pytest.raises(AudienceMismatch):
        presented(envelope, audience="https://other.example")
    with pytest.raises(NonceMismatch):
        presented(envelope, nonce="m")
    with pytest.raises(SecuredDocumentRefused):
        proved(envelope)
    with pytest.raises(SecuredDocumentRefused):
        presented(inside[0])


def test_a_selectively_disclosed_credential_with_key_binding() -> None:
    envelope = secured(
        form="sd-jwt", disclosable=["/credentialSubject/name"], holder=HOLDER.public_key
    )
    assert isinstance(envelope.content, str)
    binding = KeyBinding(HOLDER, "https://desk.example", "n", NOW)
    check = KeyBindingCheck("https://desk.example", "n")
    shown = HeldSdJwt.parse(envelope.content).present([], key_binding=binding)
    verified = proved(Envelope("vc+sd-jwt", shown), key_binding=check)
    assert "name" not in verified.document["credentialSubject"]
    assert verified.key_binding.holder == HOLDER.public_key
    with pytest.raises(SecuredDocumentRefused):
        proved(secured(), key_binding=check)
    for path in ("/issuer", "/type/0", "/@context", "/credentialSubject/none"):
        with pytest.raises(CredentialError):
            secured(form="sd-jwt", disclosable=[path])
    hidden_issuer = {**CREDENTIAL}
    from credentials.sdjwt import issue

    sneaky = issue(hidden_issuer, disclosable=["/issuer"], signer=ISSUER, typ="vc+sd-jwt", kid=KID)
    with pytest.raises(SecuredDocumentRefused):
        proved(Envelope("vc+sd-jwt", sneaky))


def test_a_status_entry_that_can_be_withheld_is_refused() -> None:
    payload = {**CREDENTIAL, "credentialStatus": [{"...": "an unknown digest"}]}
    token = sign_compact(payload, typ="vc+sd-jwt", signer=ISSUER, kid=KID) + "~"
    with pytest.raises(SecuredDocumentRefused):
        proved(Envelope("vc+sd-jwt", token))


@pytest.mark.parametrize("form", FORMS)
def test_whose_key_it_is(form: Form) -> None:
    other = {**CREDENTIAL, "issuer": did_key(HOLDER.public_key)}
    with pytest.raises(ControllerMismatch):
        proved(secured(other, form=form))
    with pytest.raises(SignatureInvalid):
        proved(secured(other, form=form, kid=key_url(HOLDER.public_key)))
    with pytest.raises(IssuerKeyUnknown):
        proved(secured(form=form, kid=None))


def by_hand(payload: dict[str, Any], typ: str = "vc+jwt", **header: Any) -> Envelope:
    return Envelope(
        "vc+jwt", sign_compact(payload, typ=typ, signer=ISSUER, kid=KID, extra_header=header)
    )


@pytest.mark.parametrize(
    ("envelope", "error"),
    [
        (lambda: by_hand(CREDENTIAL, "vp+jwt"), JwsTypeMismatch),
        (lambda: by_hand(CREDENTIAL, "JWT"), JwsTypeMismatch),
        (lambda: by_hand(CREDENTIAL, cty="vp"), SecuredDocumentRefused),
        (lambda: by_hand(CREDENTIAL, cty=1), SecuredDocumentRefused),
        (lambda: by_hand(CREDENTIAL, iss="did:web:other"), SecuredDocumentRefused),
        (lambda: by_hand({**CREDENTIAL, "iss": "did:web:other"}), SecuredDocumentRefused),
        (lambda: by_hand({**CREDENTIAL, "iss": 1}), SecuredDocumentRefused),
        (lambda: by_hand({**CREDENTIAL, "vc": {}}), SecuredDocumentRefused),
        (lambda: by_hand({**CREDENTIAL, "vp": {}}), SecuredDocumentRefused),
        (lambda: by_hand({**CREDENTIAL, "type": ["X"]}), ModelViolation),
        (lambda: by_hand({**CREDENTIAL, "exp": "soon"}), CredentialError),
        (lambda: Envelope("vc+jwt", b"x"), EnvelopeMalformed),
        (lambda: Envelope("vc+cose", "x"), EnvelopeMalformed),
        (
            lambda: Envelope("vc+cose", sign1(b"[]", typ="application/vc+cose", signer=ISSUER)),
            CoseMalformed,
        ),
        (
            lambda: Envelope(
                "vc+cose",
                sign1(
                    b"{}",
                    typ="application/vc+cose",
                    signer=ISSUER,
                    header={15: [], 4: KID.encode()},
                ),
            ),
            CoseMalformed,
        ),
        (
            lambda: Envelope(
                "vc+cose",
                sign1(
                    json.dumps(CREDENTIAL).encode(),
                    typ="application/vc+cose",
                    signer=ISSUER,
                    header={15: {1: "did:web:other"}, 4: KID.encode()},
                ),
            ),
            SecuredDocumentRefused,
        ),
        (
            lambda: Envelope(
                "vc+cose",
                sign1(
                    json.dumps(CREDENTIAL).encode(),
                    typ="application/vc+cose",
                    signer=ISSUER,
                    header={15: {10: b"\xff"}, 4: KID.encode()},
                ),
            ),
            CoseMalformed,
        ),
    ],
)
def test_a_token_that_contradicts_its_document_is_refused(
    envelope: Callable[[], Envelope], error: type
) -> None:
    with pytest.raises(error):
        proved(envelope())


def test_iss_may_say_the_same_again() -> None:
    assert proved(by_hand({**CREDENTIAL, "iss": DID}, cty="application/VC", iss=DID)).signer == DID


@pytest.mark.parametrize(
    "entry",
    [
        CREDENTIAL,
        {},
        "data:application/vc+jwt,a.b.c",
        {"@context": CONTEXT_V2, "type": "EnvelopedVerifiableCredential", "id": "bad"},
        {"@context": CONTEXT_V2, "type": "EnvelopedVerifiableCredential"},
        {"@context": CONTEXT_V2, "type": "X", "id": "data:application/vc+jwt,a.b.c"},
        {"type": "EnvelopedVerifiableCredential", "id": "data:application/vc+jwt,a.b.c"},
    ],
)
def test_nothing_unsecured_stands_in_a_presentation(entry: Any) -> None:
    document = {**PRESENTATION, "verifiableCredential": [entry]}
    with pytest.raises(EnvelopeMalformed):
        secured(document, signer=HOLDER, kid=None)
    token = sign_compact(document, typ="vp+jwt", signer=HOLDER, kid=key_url(HOLDER.public_key))
    with pytest.raises(EnvelopeMalformed):
        presented(Envelope("vp+jwt", token))


def test_what_cannot_be_secured() -> None:
    inner = secured(PRESENTATION, signer=HOLDER, kid=None).document()
    inner["type"] = ["EnvelopedVerifiablePresentation", "EnvelopedVerifiableCredential"]
    one = secured().document()
    for document, error in (
        ({**PRESENTATION, "verifiableCredential": [inner]}, SecuredDocumentRefused),
        ({**PRESENTATION, "verifiableCredential": [one] * 65}, ModelViolation),
        ({**CREDENTIAL, "iss": "x"}, SecuredDocumentRefused),
        ({**CREDENTIAL, "vc": 1}, SecuredDocumentRefused),
        ({}, ModelViolation),
    ):
        with pytest.raises(error):
            secured(document)
    with pytest.raises(SecuredDocumentRefused):
        secured({**CREDENTIAL, "iat": 1}, claims=TokenClaims(issued_at=NOW))
    with pytest.raises(SecuredDocumentRefused):
        secured(disclosable=["/name"])
    with pytest.raises(SecuredDocumentRefused):
        refuse_unknown_members({**CREDENTIAL, "more": 1})
    for form in FORMS:
        with pytest.raises(CredentialError):
            secured({**CREDENTIAL, "name": "\ud800"}, form=form)
    with pytest.raises(JwsAlgorithmRefused):
        secured(signer=PrivateKey.generate("Bls12381G2"))
    with pytest.raises(CoseAlgorithmRefused):
        secured(form="cose", signer=PrivateKey.generate("Bls12381G2"))


def _with(**changes: Any) -> dict[str, Any]:
    return {**secured(form="cose").document(), **changes}


@pytest.mark.parametrize(
    "document",
    [
        None,
        _with(id=None),
        _with(id="data:text/plain,x"),
        _with(id="data:application/dc+sd-jwt,x"),
        _with(id="data:application/vc+cose,0oRD"),
        _with(id="data:application/vc+cose;base64,0oRD!"),
        _with(id="data:application/vc+cose;base64,0oR="),
        _with(id="data:application/vc+jwt;base64,YWJj"),
        _with(id="data:application/vc+jwt,a.b/c"),
        _with(id="data:application/vc+jwt;charset=utf-8,a.b.c"),
        _with(id="data:application/vp+jwt,a.b.c"),
        _with(type="EnvelopedVerifiablePresentation"),
        _with(**{"@context": "https://other.example"}),
        _with(**{"@context": []}),
    ],
)
def test_what_is_no_envelope(document: Any) -> None:
    with pytest.raises(EnvelopeMalformed):
        Envelope.parse(document)


def test_base64_has_one_meaning_and_envelopes_a_limit() -> None:
    content = secured(form="cose").content
    assert isinstance(content, bytes)
    assert decode_cose(encode_cose(content)) == decode_cose(encode_cose(content).rstrip("="))
    for bad in ("A", "AB", "AAB", "AA AA", "AA==AA", "_-_-"):
        with pytest.raises(EnvelopeMalformed):
            decode_cose(bad)
    with pytest.raises(LimitExceeded):
        Envelope.parse(_with(id="data:application/vc+jwt," + "a" * 6_000_000))


def _never_more_than(work: Callable[[], object]) -> None:
    try:
        work()
    except CredentialError:
        return


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from([*CREDENTIAL, "iss", "exp", "vc", "type", "holder", "id"]),
    value=_JSON,
    form=st.sampled_from(FORMS),
    kind=st.sampled_from(["vc", "vp"]),
)
def test_fuzz_documents(name: str, value: Any, form: Form, kind: str) -> None:
    document = {**CREDENTIAL, name: value}
    _never_more_than(lambda: secured(document, form=form))
    _never_more_than(lambda: Envelope.parse(document))
    text = json.dumps(document)
    cose = sign1(text.encode(), typ=f"application/{kind}+cose", signer=ISSUER)
    jwt = sign_compact(document, typ=f"{kind}+jwt", signer=ISSUER, kid=KID)
    sd_jwt = sign_compact(document, typ=f"{kind}+sd-jwt", signer=ISSUER, kid=KID) + "~"
    for suffix, content in (("cose", cose), ("jwt", jwt), ("sd-jwt", sd_jwt)):
        envelope = Envelope(f"{kind}+{suffix}", content)
        _never_more_than(lambda e=envelope: proved(e))
        _never_more_than(lambda e=envelope: presented(e))
        _never_more_than(lambda e=envelope: open_signed(e, key=ISSUER.public_key))


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=60), claims=_JSON)
def test_fuzz_tokens(content: bytes, claims: Any) -> None:
    for kind in ("vc+cose", "vc+jwt", "vp+sd-jwt"):
        text = content if kind == "vc+cose" else content.decode("latin-1")
        _never_more_than(lambda k=kind, t=text: open_signed(Envelope(k, t), key=ISSUER.public_key))
    header = cbor2.dumps({1: -7, 15: claims, 16: "application/vc+cose"})
    message = b"\xd2" + cbor2.dumps([header, {}, b"{}", bytes(64)])
    _never_more_than(lambda: open_signed(Envelope("vc+cose", message), key=ISSUER.public_key))
