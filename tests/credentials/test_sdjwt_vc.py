"""SD-JWT VC: its type, its registered claims, and whose key signed it."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.certificates import TrustedRoots, x5c
from credentials.dids import (
    ASSERTION,
    AUTHENTICATION,
    DocumentResolver,
    KeyResolver,
    did_document,
    did_key,
    key_url,
)
from credentials.errors import (
    CertificateChainRefused,
    ControllerMismatch,
    CredentialError,
    IssuerKeyUnknown,
    IssuerMetadataMalformed,
    JwsTypeMismatch,
    RelationshipMissing,
    SdJwtDisclosureRefused,
    SdJwtIssueRefused,
    SdJwtVcMalformed,
    SignatureInvalid,
    VerificationMethodRetired,
)
from credentials.issuer_keys import (
    AnyOf,
    CertifiedKeys,
    DidKeys,
    GivenKey,
    MetadataKeys,
    metadata_url,
)
from credentials.jose import sign_compact
from credentials.keys import PrivateKey
from credentials.sdjwt import HeldSdJwt, KeyBinding, KeyBindingCheck
from credentials.sdjwt.disclosure import HASHES, digest, make_disclosure
from credentials.sdjwt.issuing import issue
from credentials.sdjwt.vc import SD_JWT_VC, issue_vc, verify_vc

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
VCT = "https://credentials.example/resident"
ISSUER = PrivateKey.from_seed("P-256", b"the issuer of the tests")
HOLDER = PrivateKey.from_seed("P-256", b"the holder of the tests")
DID = did_key(ISSUER.public_key)
KID = key_url(ISSUER.public_key)
GIVEN = GivenKey(ISSUER.public_key)
BY_DID = DidKeys(KeyResolver())


def made(claims: dict[str, Any] | None = None, **more: Any) -> str:
    more = {"signer": ISSUER, "vct": VCT, "disclosable": ["/name"], **more}
    return issue_vc({"name": "甲", "age": 30} if claims is None else claims, **more)


def proved(token: str, **more: Any) -> Any:
    more = {"issuer": GIVEN, "now": NOW, "key_binding": None, **more}
    return verify_vc(token, **more)


def by_hand(payload: dict[str, Any], *disclosures: str, typ: str = SD_JWT_VC) -> str:
    return "~".join((sign_compact(payload, typ=typ, signer=ISSUER), *disclosures, ""))


def test_a_round_by_did_with_key_binding() -> None:
    token = made(issuer=DID, kid=KID, holder=HOLDER.public_key)
    shown = HeldSdJwt.parse(token).present(
        ["/name"], key_binding=KeyBinding(HOLDER, "https://desk.example", "n", NOW)
    )
    check = KeyBindingCheck("https://desk.example", "n")
    verified = proved(shown, issuer=BY_DID, key_binding=check, vct={VCT})
    assert verified.issuer == DID
    assert verified.vct == VCT
    assert verified.claims["name"] == "甲"
    assert verified.key_binding.holder == HOLDER.public_key
    assert verified.status is None
    fragment = made(issuer=DID, kid="#" + KID.partition("#")[2])
    assert proved(fragment, issuer=BY_DID).issuer == DID
    assert proved(made(kid=KID), issuer=BY_DID).issuer == DID


OTHER = PrivateKey.from_seed("P-256", b"another key of the tests")


@pytest.mark.parametrize(
    ("more", "source", "error"),
    [
        ({"issuer": did_key(OTHER.public_key), "kid": KID}, BY_DID, ControllerMismatch),
        ({"issuer": DID, "kid": key_url(OTHER.public_key)}, BY_DID, ControllerMismatch),
        ({"kid": key_url(OTHER.public_key)}, BY_DID, SignatureInvalid),
        ({"issuer": DID}, BY_DID, IssuerKeyUnknown),
        ({"issuer": "https://a.example", "kid": KID}, BY_DID, IssuerKeyUnknown),
        ({"kid": "#k"}, BY_DID, IssuerKeyUnknown),
        ({"kid": "key-1"}, BY_DID, IssuerKeyUnknown),
        ({"issuer": DID}, GivenKey(ISSUER.public_key, "did:web:other"), ControllerMismatch),
        ({}, GivenKey(OTHER.public_key), SignatureInvalid),
        ({}, AnyOf(), IssuerKeyUnknown),
        ({}, AnyOf(BY_DID), IssuerKeyUnknown),
    ],
)
def test_a_key_that_is_not_the_issuers_is_refused(
    more: dict[str, Any], source: Any, error: type
) -> None:
    with pytest.raises(error):
        proved(made(**more), issuer=source)


def test_a_did_document_decides_what_a_key_is_for_and_how_long() -> None:
    did = "did:web:issuer.example"
    document = did_document(did, {"k": ISSUER.public_key, "a": OTHER.public_key}, **{})
    document[ASSERTION] = [f"{did}#k"]
    document[AUTHENTICATION] = [f"{did}#a"]
    source = DidKeys(DocumentResolver([document]))
    assert proved(made(issuer=did, kid=f"{did}#k"), issuer=source).issuer == did
    with pytest.raises(RelationshipMissing):
        proved(made(issuer=did, kid=f"{did}#a", signer=OTHER), issuer=source)
    document["verificationMethod"][0]["revoked"] = "2026-11-01T00:00:00Z"
    source = AnyOf(CertifiedKeys(_roots()[0]), DidKeys(DocumentResolver([document])))
    with pytest.raises(VerificationMethodRetired):
        proved(made(issuer=did, kid=f"{did}#k"), issuer=source)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"vct": 1},
        {"vct": ""},
        {"vct": VCT, "status": "x"},
        {"vct": VCT, "iss": 1},
        {"vct": VCT, "aka_vcts": []},
        {"vct": VCT, "aka_vcts": [VCT]},
        {"vct": VCT, "aka_vcts": [1]},
        {"vct": VCT, "aka_vcts": None},
    ],
)
def test_registered_claims_of_another_shape_are_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(SdJwtVcMalformed):
        proved(by_hand(payload))


@pytest.mark.parametrize("name", ["iss", "nbf", "exp", "cnf", "vct", "status", "aka_vcts"])
def test_registered_claims_never_come_in_disclosures(name: str) -> None:
    values: dict[str, Any] = {"nbf": 1, "exp": 2**33, "cnf": {}, "status": {}, "aka_vcts": ["x"]}
    hidden = make_disclosure("s", name, values.get(name, VCT))
    payload = {"vct": VCT, "_sd": [digest(hidden, HASHES["sha-256"])]}
    if name == "vct":
        del payload["vct"]
    with pytest.raises(SdJwtDisclosureRefused):
        proved(by_hand(payload, hidden))
    with pytest.raises(SdJwtIssueRefused):
        made({"status": {"a": 1}}, disclosable=[f"/{name}"])
    inner = make_disclosure("s", "jwk", {})
    nested = {"vct": VCT, "cnf": {"_sd": [digest(inner, HASHES["sha-256"])]}}
    with pytest.raises(SdJwtDisclosureRefused):
        proved(by_hand(nested, inner))
    withheld = {"vct": VCT, "status": {"status_list": {"_sd": [digest(inner, HASHES["sha-256"])]}}}
    with pytest.raises(SdJwtDisclosureRefused):
        proved(by_hand(withheld))


def test_the_kind_of_token_and_of_credential() -> None:
    legacy = issue({"vct": VCT}, disclosable=[], signer=ISSUER, typ="vc+sd-jwt")
    with pytest.raises(JwsTypeMismatch):
        proved(legacy)
    assert proved(legacy, accept_legacy_type=True).vct == VCT
    assert proved(made(), accept_legacy_type=True).vct == VCT
    with pytest.raises(JwsTypeMismatch):
        proved(by_hand({"vct": VCT}, typ="JWT"), accept_legacy_type=True)
    with pytest.raises(SdJwtVcMalformed):
        proved(made(), vct=["https://credentials.example/other"])
    more = made({"aka_vcts": ["urn:x"], "status": {"status_list": {}}}, disclosable=[])
    assert proved(more, vct=["urn:x"]).types == {VCT, "urn:x"}
    assert proved(more).status == {"status_list": {}}
    with pytest.raises(SdJwtIssueRefused):
        made({"vct": VCT})
    with pytest.raises(SdJwtIssueRefused):
        made({"iss": DID}, issuer=DID)


# Issuer metadata

HTTPS = "https://issuer.example/tenant"


def _metadata(*names: str | None) -> dict[str, Any]:
    named = [{} if name is None else {"kid": name} for name in names]
    return {"issuer": HTTPS, "jwks": {"keys": [{**ISSUER.public_key.jwk(), **n} for n in named]}}


def test_keys_by_metadata_that_the_caller_vouches_for() -> None:
    one = MetadataKeys([_metadata("k")])
    assert proved(made(issuer=HTTPS, kid="k"), issuer=one).issuer == HTTPS
    assert proved(made(issuer=HTTPS), issuer=one).issuer == HTTPS
    assert proved(made(issuer=HTTPS), issuer=MetadataKeys([_metadata(None)])).issuer == HTTPS
    foreign = _metadata("k")
    foreign["jwks"]["keys"] += [{"kid": "r", "kty": "RSA", "n": "AQAB", "e": "AQAB"}]
    assert proved(made(issuer=HTTPS, kid="k"), issuer=MetadataKeys([foreign])).issuer == HTTPS
    with pytest.raises(IssuerKeyUnknown):
        proved(made(issuer=HTTPS, kid="r"), issuer=MetadataKeys([foreign]))
    two = MetadataKeys([_metadata("k", "l")])
    assert proved(made(issuer=HTTPS, kid="l"), issuer=two).vct == VCT
    for token, source in (
        (made(issuer=HTTPS), two),
        (made(issuer=HTTPS, kid="m"), two),
        (made(issuer=HTTPS + "/", kid="k"), two),
        (made(kid="k"), two),
    ):
        with pytest.raises(IssuerKeyUnknown):
            proved(token, issuer=source)
    with pytest.raises(SignatureInvalid):
        proved(made(issuer=HTTPS, signer=OTHER), issuer=one)
    assert metadata_url(HTTPS) == "https://issuer.example/.well-known/jwt-vc-issuer/tenant"
    assert metadata_url("https://a.example/") == "https://a.example/.well-known/jwt-vc-issuer"
    for bad in ("http://a.example", "did:web:a", "https://a.example?x", "https://u@a.example"):
        with pytest.raises(IssuerKeyUnknown):
            metadata_url(bad)


@pytest.mark.parametrize(
    "documents",
    [
        [None],
        [{}],
        [{"issuer": HTTPS}],
        [{"issuer": HTTPS, "jwks_uri": "https://issuer.example/keys"}],
        [{"issuer": HTTPS, "jwks": {"keys": []}}],
        [{"issuer": HTTPS, "jwks": {"keys": [{"kid": 1}]}}],
        [_metadata("k", "k")],
        [_metadata(None, None)],
        [_metadata("k"), _metadata("k")],
    ],
)
def test_metadata_that_cannot_be_used(documents: list[Any]) -> None:
    with pytest.raises(IssuerMetadataMalformed):
        MetadataKeys(documents)


# Certificates

ROOT_KEY, MIDDLE_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
START = NOW.replace(tzinfo=None) - timedelta(days=2)


def _certificate(
    name: str, key: Any, by: str, signer: Any, *, ca: bool, days: int = 30, **more: Any
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    signing = not ca and more.get("may_sign", True)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(by))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(signing, False, False, False, not signing, ca, ca, False, False),
            critical=True,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    if not ca:
        names = [
            x509.UniformResourceIdentifier("did:web:issuer.example"),
            x509.DNSName("issuer.example"),
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


ROOT = _certificate("root", ROOT_KEY.public_key(), "root", ROOT_KEY, ca=True)
MIDDLE = _certificate("middle", MIDDLE_KEY.public_key(), "root", ROOT_KEY, ca=True)


def _ec_public(key: PrivateKey) -> Any:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.public_key.raw)


def _leaf(**more: Any) -> x509.Certificate:
    more = {"ca": False, **more}
    return _certificate("issuer", _ec_public(ISSUER), "middle", MIDDLE_KEY, **more)


FUZZED = _leaf()


def _roots() -> tuple[TrustedRoots, CertifiedKeys]:
    roots = TrustedRoots([ROOT])
    return roots, CertifiedKeys(roots)


def test_a_certificate_chain_leads_to_the_key() -> None:
    _, source = _roots()
    header = x5c([_leaf(), MIDDLE])
    assert proved(made(extra_header=header), issuer=source).issuer == "CN=issuer"
    for issuer in ("did:web:issuer.example", "https://issuer.example/a"):
        assert proved(made(issuer=issuer, extra_header=header), issuer=source).issuer == issuer
    # HAIP leaves the root out; one that is there does no harm.
    whole = x5c([_leaf(), MIDDLE, ROOT])
    assert proved(made(extra_header=whole), issuer=source).issuer == "CN=issuer"
    for stranger in (
        "did:web:other.example",
        "http://issuer.example",
        "https://issuer.example:8443",
    ):
        with pytest.raises(ControllerMismatch):
            proved(made(issuer=stranger, extra_header=header), issuer=source)
    with pytest.raises(SignatureInvalid):
        proved(made(signer=OTHER, extra_header=header), issuer=source)
    with pytest.raises(IssuerKeyUnknown):
        proved(made(), issuer=source)


@pytest.mark.parametrize(
    "header",
    [
        lambda: x5c([_leaf()]),
        lambda: x5c([MIDDLE]),
        lambda: x5c([ROOT]),
        lambda: x5c([_leaf(days=1), MIDDLE]),
        lambda: x5c([_leaf(may_sign=False), MIDDLE]),
        lambda: x5c([_certificate("x", _ec_public(ISSUER), "x", MIDDLE_KEY, ca=False)]),
        lambda: {"x5c": []},
        lambda: {"x5c": "x"},
        lambda: {"x5c": [1]},
        lambda: {"x5c": ["!"]},
        lambda: {"x5c": [binascii.b2a_base64(b"0" * 50, newline=False).decode()]},
        lambda: {"x5c": ["AAAA"] * 9},
    ],
)
def test_a_chain_that_leads_nowhere_is_refused(header: Callable[[], dict[str, Any]]) -> None:
    with pytest.raises(CertificateChainRefused):
        proved(made(extra_header=header()), issuer=_roots()[1])


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 2000), new=st.integers(0, 255), which=st.integers(0, 1))
def test_fuzz_certificates(at: int, new: int, which: int) -> None:
    chain = x5c([FUZZED, MIDDLE])["x5c"]
    der = bytearray(binascii.a2b_base64(chain[which]))
    der[at % len(der)] = new
    chain[which] = binascii.b2a_base64(bytes(der), newline=False).decode()
    try:
        proved(made(extra_header={"x5c": chain}), issuer=_roots()[1])
    except CredentialError:
        return
    # What still passes differs in nothing that is signed; a signature itself has two spellings.
    for text, certificate in zip(chain, [FUZZED, MIDDLE], strict=True):
        read = x509.load_der_x509_certificate(binascii.a2b_base64(text))
        assert read.tbs_certificate_bytes == certificate.tbs_certificate_bytes


def test_no_text_raises_anything_else() -> None:
    for text in ("", "~", "a.b.c~", "é~", "a.b.c~d~e.f.g"):
        with pytest.raises(CredentialError):
            proved(text)
