"""SD-JWT: what is hidden stays hidden, what is shown was signed, and nothing slips in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jwcrypto import jwk, jws

from credentials.errors import (
    AudienceMismatch,
    CredentialError,
    JwsAlgorithmRefused,
    JwsMalformed,
    JwsTypeMismatch,
    KeyBindingMismatch,
    KeyBindingMissing,
    KeyBindingStale,
    KeyBindingUnexpected,
    LimitExceeded,
    NonceMismatch,
    PointerInvalid,
    PointerUnknown,
    SdJwtDisclosureRefused,
    SdJwtHashUnsupported,
    SdJwtIssueRefused,
    SdJwtMalformed,
    SignatureInvalid,
    TokenClaimMissing,
    TokenExpired,
    TokenFromFuture,
    TokenNotYetValid,
)
from credentials.jose import parse_compact, sign_compact
from credentials.keys import KeyType, PrivateKey
from credentials.multibase import base64url_decode, base64url_encode
from credentials.sdjwt import (
    HeldSdJwt,
    KeyBinding,
    KeyBindingCheck,
    SdJwt,
    issue,
    present,
    verify,
    verify_issued,
)
from credentials.sdjwt.disclosure import HASHES, digest, make_disclosure
from credentials.sdjwt.unpacking import MAX_DEPTH, MAX_DISCLOSURES, unpack

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
TYP = "example+sd-jwt"
ISSUER = PrivateKey.from_seed("P-256", b"the issuer of the tests")
HOLDER = PrivateKey.from_seed("P-256", b"the holder of the tests")
CHECK = KeyBindingCheck("https://desk.example", "n-1")
BINDING = KeyBinding(HOLDER, "https://desk.example", "n-1", NOW)
CLAIMS: dict[str, Any] = {
    "iss": "https://issuer.example",
    "exp": AT + 3600,
    "name": "欧阳𠮷",
    "address": {"region": "浙江", "city": "杭州", "lines": ["一", "二"]},
    "nationalities": ["CN", "DE", None, {"code": 7}],
    "a/b~c": 1,
}


def made(paths: list[Any], claims: Mapping[str, Any] = CLAIMS, **more: Any) -> str:
    more = {"holder": HOLDER.public_key, **more}
    return issue(claims, disclosable=paths, signer=ISSUER, typ=TYP, **more)


def proved(token: str | SdJwt, **more: Any) -> Any:
    more = {"key": ISSUER.public_key, "typ": TYP, "now": NOW, "key_binding": None, **more}
    return verify(token, **more)


def signed(payload: Mapping[str, Any], *disclosures: str) -> str:
    """A token with a payload as no honest issuer writes it."""
    return "~".join((sign_compact(payload, typ=TYP, signer=ISSUER), *disclosures, ""))


def sha(text: str) -> str:
    return digest(text, HASHES["sha-256"])


def without_cnf(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name != "cnf"}


@pytest.mark.parametrize("hash_name", HASHES)
@pytest.mark.parametrize("key_type", ["P-256", "P-384", "Ed25519"])
def test_a_round_with_every_hash_and_key(hash_name: str, key_type: KeyType) -> None:
    issuer, holder = (PrivateKey.generate(key_type) for _ in range(2))
    token = issue(
        CLAIMS,
        disclosable=["/name", "/address", "/address/city", ["nationalities", None]],
        signer=issuer,
        typ=TYP,
        holder=holder.public_key,
        hash_name=hash_name,
    )
    binding = KeyBinding(holder, CHECK.audience, CHECK.nonce, NOW)
    shown = present(token, ["/address/city", "/nationalities/1"], key_binding=binding)
    verified = proved(shown, key=issuer.public_key, key_binding=CHECK)
    assert verified.claims["address"] == CLAIMS["address"]
    assert verified.claims["nationalities"] == ["DE"]
    assert "name" not in verified.claims
    assert verified.key_binding.holder == holder.public_key
    assert set(verified.disclosed) == {("address",), ("address", "city"), ("nationalities", 0)}


def test_only_what_is_named_is_shown() -> None:
    token = made(["/address", "/address/region", "/address/lines/0", "/name", "/a~1b~0c"])
    held = HeldSdJwt.parse(token)
    assert without_cnf(held.claims) == CLAIMS
    assert len(held.disclosable) == 5
    assert CLAIMS["name"] not in json.dumps(parse_compact(SdJwt.parse(token).jwt).payload)
    assert proved(held.present([])).disclosed == ()
    one = proved(held.present(["/address/lines/0"])).claims["address"]
    assert one == {"city": "杭州", "lines": ["一", "二"]}
    whole = proved(held.present([("address",)])).claims["address"]
    assert whole == CLAIMS["address"]
    assert proved(held.present(["/a~1b~0c"])).claims["a/b~c"] == 1
    assert proved(held.present(["/iss"])).disclosed == ()


def test_decoys_hide_how_many_claims_there_are() -> None:
    token = made(["/name", "/address/city"], decoys={"": 3, "/address": 2, "/nationalities": 4})
    payload = parse_compact(SdJwt.parse(token).jwt).payload
    assert len(payload["_sd"]) == 4
    assert payload["_sd"] == sorted(payload["_sd"])
    assert len(payload["address"]["_sd"]) == 3
    assert sum(isinstance(e, dict) and "..." in e for e in payload["nationalities"]) == 4
    assert without_cnf(proved(token).claims) == CLAIMS


def test_salts_come_from_the_given_randomness_and_never_repeat() -> None:
    paths = ["/name", ["nationalities", None]]

    def counted(size: int) -> bytes:
        return bytes(n % 256 for n in range(size))

    once, again = (SdJwt.parse(made(paths, rng=counted)).disclosures for _ in range(2))
    assert once == again
    salts = [json.loads(base64url_decode(text))[0] for text in SdJwt.parse(made(paths)).disclosures]
    assert len(set(salts)) == 5
    assert all(len(base64url_decode(salt)) == 16 for salt in salts)


@pytest.mark.parametrize(
    ("paths", "claims", "error"),
    [
        (["/missing"], CLAIMS, PointerUnknown),
        (["/address/missing"], CLAIMS, PointerUnknown),
        (["/nationalities/4"], CLAIMS, PointerUnknown),
        (["/nationalities/01"], CLAIMS, PointerUnknown),
        (["/name/x"], CLAIMS, PointerUnknown),
        (["name"], CLAIMS, PointerInvalid),
        (["/~2"], CLAIMS, PointerInvalid),
        ([[]], CLAIMS, PointerInvalid),
        ([[True]], CLAIMS, PointerInvalid),
        (["/x"] * 300, CLAIMS, LimitExceeded),
        (["/" + "a/" * 40], CLAIMS, LimitExceeded),
        ([], {"_sd": []}, SdJwtIssueRefused),
        ([], {"a": [{"...": "x"}]}, SdJwtIssueRefused),
        (["/a"], {"a": {"b": {"_sd_alg": 1}}}, SdJwtIssueRefused),
        (["/a"], {"a": float("nan")}, SdJwtIssueRefused),
        (["/a"], {"a": {1}}, SdJwtIssueRefused),
        (["/a"], {"a": 2**53}, SdJwtIssueRefused),
        ([], {"a": [{"b": -(2**53)}]}, SdJwtIssueRefused),
        ([], {"a": {1: 2}}, SdJwtIssueRefused),
        (["/a"], {"a": "\ud800"}, SdJwtIssueRefused),
        ([], {"a": "\ud800"}, JwsMalformed),
        ([], {"a": {1}}, JwsMalformed),
        (["/cnf"], {"cnf": {}}, SdJwtIssueRefused),
        (["/a/0", ["a", 0]], {"a": [1]}, SdJwtIssueRefused),
    ],
)
def test_what_cannot_be_issued(paths: list[Any], claims: dict[str, Any], error: type) -> None:
    with pytest.raises(error):
        made(paths, claims)


def test_unsupported_hash_and_too_many_decoys() -> None:
    with pytest.raises(SdJwtHashUnsupported):
        made([], hash_name="md5")
    with pytest.raises(LimitExceeded):
        made([], decoys={"": 1000})


def test_the_holder_cannot_ask_for_what_is_not_there() -> None:
    held = HeldSdJwt.parse(made(["/name"]))
    wrong = ("9", "x", "01", "１", "²", "-1", "1" * 5000)
    for path in (
        *("/nothing", "/address/none", "/name/x"),
        *(f"/nationalities/{step}" for step in wrong),
    ):
        with pytest.raises(PointerUnknown):
            made([path])
        with pytest.raises(PointerUnknown):
            held.present([path])
    with pytest.raises(KeyBindingMismatch):
        held.present([], key_binding=KeyBinding(ISSUER, "a", "n", NOW))
    with pytest.raises(KeyBindingMissing):
        HeldSdJwt.parse(made([], holder=None)).present([], key_binding=BINDING)
    with pytest.raises(KeyBindingUnexpected):
        HeldSdJwt.parse(held.present([], key_binding=BINDING))
    with pytest.raises(KeyBindingUnexpected):
        verify_issued(
            held.present([], key_binding=BINDING), key=ISSUER.public_key, typ=TYP, now=NOW
        )


@pytest.mark.parametrize("key_type", ["P-256", "P-384", "P-521", "Ed25519"])
def test_jwcrypto_reads_and_writes_the_same_signature(key_type: KeyType) -> None:
    key = PrivateKey.generate(key_type)
    private = {**key.public_key.jwk(), "d": base64url_encode(key.to_bytes())}
    oracle = jwk.JWK(**private)
    ours = issue({"a": 1}, disclosable=["/a"], signer=key, typ=TYP)
    token = jws.JWS()
    token.deserialize(SdJwt.parse(ours).jwt, oracle)
    assert "_sd" in json.loads(token.payload)
    token = jws.JWS(json.dumps({"_sd": [sha(NAME)]}))
    token.add_signature(
        oracle,
        protected={"alg": json.loads(base64url_decode(ours.split(".")[0]))["alg"], "typ": TYP},
    )
    theirs = token.serialize(compact=True) + "~" + NAME + "~"
    assert proved(theirs, key=key.public_key).claims == {"name": "Eve"}


# RFC 9901 §7.1: every way to smuggle

NAME = make_disclosure("s1", "name", "Eve")
OTHER_NAME = make_disclosure("s2", "name", "Mallory")
ELEMENT = make_disclosure("s3", None, "CN")
DEEP = make_disclosure("s4", "deep", {"_sd": [sha(NAME)]})


@pytest.mark.parametrize(
    ("payload", "disclosures", "error"),
    [
        ({}, [NAME], SdJwtDisclosureRefused),
        ({"_sd": [sha(NAME)]}, [NAME, NAME], SdJwtDisclosureRefused),
        ({"_sd": [sha(NAME), sha(NAME)]}, [NAME], SdJwtDisclosureRefused),
        ({"_sd": [sha(NAME)], "a": {"_sd": [sha(NAME)]}}, [], SdJwtDisclosureRefused),
        ({"_sd": [sha(NAME)], "a": [{"...": sha(NAME)}]}, [], SdJwtDisclosureRefused),
        ({"_sd": [sha(DEEP), sha(NAME)]}, [DEEP, NAME], SdJwtDisclosureRefused),
        ({"_sd": [sha(DEEP)]}, [NAME], SdJwtDisclosureRefused),
        ({"_sd": [sha(NAME)], "name": "Bob"}, [NAME], SdJwtDisclosureRefused),
        ({"_sd": [sha(NAME), sha(OTHER_NAME)]}, [NAME, OTHER_NAME], SdJwtDisclosureRefused),
        ({"_sd": [sha(ELEMENT)]}, [ELEMENT], SdJwtDisclosureRefused),
        ({"a": [{"...": sha(NAME)}]}, [NAME], SdJwtDisclosureRefused),
        ({"a": [{"...": sha(ELEMENT), "b": 1}]}, [], SdJwtMalformed),
        ({"a": {"...": sha(ELEMENT)}}, [], SdJwtMalformed),
        ({"...": sha(ELEMENT)}, [], SdJwtMalformed),
        ({"a": [{"...": 1}]}, [], SdJwtMalformed),
        ({"_sd": "x"}, [], SdJwtMalformed),
        ({"_sd": {}}, [], SdJwtMalformed),
        ({"_sd": None}, [], SdJwtMalformed),
        ({"_sd": [1]}, [], SdJwtMalformed),
        ({"a": {"_sd_alg": "sha-256"}}, [], SdJwtMalformed),
        ({"_sd_alg": "sha-1"}, [], SdJwtHashUnsupported),
        ({"_sd_alg": ["sha-256"]}, [], SdJwtHashUnsupported),
        *(
            ({"_sd": [sha(bad)]}, [bad], SdJwtDisclosureRefused)
            for bad in (make_disclosure("s", name, 1) for name in ("_sd", "...", "_sd_alg"))
        ),
        *(
            ({"_sd": [sha(bad)]}, [bad], SdJwtMalformed)
            for bad in ("ew", "e30", "WzFd", "W10", NAME + "=", "WyJhIiwiYiIsMSwyXQ")
        ),
        (
            {"_sd": [sha(make_disclosure("s", "a", {"...": "x"}))]},
            [make_disclosure("s", "a", {"...": "x"})],
            SdJwtMalformed,
        ),
    ],
)
def test_nothing_is_smuggled_in(payload: Any, disclosures: list[str], error: type) -> None:
    with pytest.raises(error):
        proved(signed(payload, *disclosures))


def test_a_disclosure_that_is_not_ascii_is_refused() -> None:
    with pytest.raises(SdJwtMalformed):
        proved(signed({}, "é"))


def test_a_digest_in_another_hash_does_not_match() -> None:
    with pytest.raises(SdJwtDisclosureRefused):
        proved(signed({"_sd_alg": "sha-512", "_sd": [sha(NAME)]}, NAME))


def test_disclosures_that_nest_without_end_are_refused() -> None:
    inner = make_disclosure("s", "a", 1)
    chain: list[str] = []
    for _ in range(MAX_DEPTH + 2):
        chain.append(inner)
        inner = make_disclosure("s", "a", {"_sd": [sha(inner)]})
    with pytest.raises(LimitExceeded):
        proved(signed({"_sd": [sha(inner)]}, *chain, inner))
    with pytest.raises(LimitExceeded):
        SdJwt.parse("~" * (MAX_DISCLOSURES + 2))
    with pytest.raises(LimitExceeded):
        unpack({}, ["x"] * (MAX_DISCLOSURES + 1))
    with pytest.raises(LimitExceeded):
        unpack({"_sd": [str(n) for n in range(5000)]}, [])


# Time, kind, key


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"exp": AT}, TokenExpired),
        ({"exp": AT + 0.5}, None),
        ({"nbf": AT + 1}, TokenNotYetValid),
        ({"nbf": AT}, None),
        ({"iat": AT + 1}, TokenFromFuture),
        ({"iat": AT}, None),
        ({"exp": "2030-01-01"}, JwsMalformed),
        ({"exp": True}, JwsMalformed),
        ({"exp": None}, JwsMalformed),
        ({"nbf": -1}, JwsMalformed),
        ({"iat": 1e300}, JwsMalformed),
    ],
)
@pytest.mark.parametrize("hidden", [False, True])
def test_every_time_claim_is_checked(
    claims: dict[str, Any], error: type | None, hidden: bool
) -> None:
    token = made([f"/{name}" for name in claims] if hidden else [], claims)
    if error is None:
        proved(token)
    else:
        with pytest.raises(error):
            proved(token)


def test_clock_difference_is_allowed_only_when_asked_for() -> None:
    token = made([], {"nbf": AT + 30, "iat": AT + 30, "exp": AT + 60})
    proved(token, skew_s=30)
    with pytest.raises(TokenExpired):
        proved(token, skew_s=30, now=NOW + timedelta(seconds=90))
    with pytest.raises(ValueError, match="naive"):
        proved(token, now=NOW.replace(tzinfo=None))


def test_kind_key_and_required_claims() -> None:
    token = made(["/exp"])
    with pytest.raises(JwsTypeMismatch):
        proved(token, typ="dc+sd-jwt")
    with pytest.raises(SignatureInvalid):
        proved(token, key=HOLDER.public_key)
    with pytest.raises(JwsAlgorithmRefused):
        proved(token, key=PrivateKey.generate("Ed25519").public_key)
    assert proved(token, required=["exp", "iss"]).claims["exp"]
    with pytest.raises(TokenClaimMissing):
        proved(present(token, []), required=["exp"])
    assert proved(token, key=lambda jws: ISSUER.public_key, typ=None).issuer_key


# Key binding


def _bound(**changes: Any) -> str:
    """A presentation whose KB-JWT says something else than it should."""
    part = present(made(["/name"]), ["/name"])
    payload = {"iat": AT, "aud": CHECK.audience, "nonce": CHECK.nonce, "sd_hash": sha(part)}
    signer = changes.pop("signer", HOLDER)
    typ = changes.pop("typ", "kb+jwt")
    payload = {k: v for k, v in {**payload, **changes}.items() if v is not None}
    return part + sign_compact(payload, typ=typ, signer=signer)


def test_a_key_binding_made_by_hand_passes() -> None:
    assert proved(_bound(), key_binding=CHECK).key_binding.issued_at == AT


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"signer": ISSUER}, SignatureInvalid),
        ({"typ": "JWT"}, JwsTypeMismatch),
        ({"iat": None}, JwsMalformed),
        ({"iat": "now"}, JwsMalformed),
        ({"iat": AT - 301}, KeyBindingStale),
        ({"iat": AT + 61}, KeyBindingStale),
        ({"aud": "https://other.example"}, AudienceMismatch),
        ({"aud": ["https://desk.example"]}, AudienceMismatch),
        ({"aud": None}, AudienceMismatch),
        ({"nonce": "n-2"}, NonceMismatch),
        ({"nonce": None}, NonceMismatch),
        ({"sd_hash": sha("x")}, KeyBindingMismatch),
        ({"sd_hash": None}, KeyBindingMismatch),
        ({"exp": AT - 61}, TokenExpired),
        ({"nbf": AT + 61}, TokenNotYetValid),
    ],
)
def test_a_key_binding_with_one_fault_is_refused(changes: dict[str, Any], error: type) -> None:
    with pytest.raises(error):
        proved(_bound(**changes), key_binding=CHECK)


def test_a_key_binding_holds_for_its_disclosures_only() -> None:
    held = HeldSdJwt.parse(made(["/name", "/address"]))
    shown = SdJwt.parse(held.present(["/name"], key_binding=BINDING))
    assert proved(shown, key_binding=CHECK).claims["name"]
    with pytest.raises(KeyBindingMismatch):
        proved(SdJwt(shown.jwt, (), shown.key_binding), key_binding=CHECK)
    more = SdJwt.parse(held.present(["/name", "/address"])).disclosures
    with pytest.raises(KeyBindingMismatch):
        proved(SdJwt(shown.jwt, more, shown.key_binding), key_binding=CHECK)
    with pytest.raises(KeyBindingMissing):
        proved(SdJwt(shown.jwt, shown.disclosures), key_binding=CHECK)
    with pytest.raises(KeyBindingMissing):
        proved(made([], holder=None) + str(shown.key_binding), key_binding=CHECK)


@pytest.mark.parametrize("cnf", [1, {}, {"jwk": 1}, {"jwk": {"kty": "oct", "k": "x"}}])
def test_a_confirmation_that_is_no_key_is_refused(cnf: Any) -> None:
    token = signed({"cnf": cnf}) + _bound().rpartition("~")[2]
    with pytest.raises(SdJwtMalformed):
        proved(token, key_binding=CHECK)


@pytest.mark.parametrize("text", ["", "a.b.c", "~", "~~", "a~~b", "a~b~~c", "~x", 7, None])
def test_what_is_no_sd_jwt(text: Any) -> None:
    with pytest.raises((SdJwtMalformed, JwsMalformed)):
        proved(text)


_J = {"protected": "a", "payload": "b", "signature": "c"}


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {**_J, "header": 1},
        {**_J, "header": {"disclosures": [1]}},
        {**_J, "header": {"disclosures": ["x~y"]}},
        {**_J, "header": {"disclosures": "x"}},
        {**_J, "header": {"kb_jwt": ""}},
        {**_J, "header": {"alg": "ES256"}},
        {**_J, "more": 1},
        {**_J, "payload": 1},
        {"payload": "b", "signatures": []},
        {"payload": "b", "signatures": [1]},
        {"payload": "b", "signatures": [_J] * 20},
        {"payload": "b", "signatures": [_J, {**_J, "header": {"disclosures": []}}]},
        {"payload": "b", "x": 1, "signatures": [_J]},
    ],
)
def test_json_that_is_no_sd_jwt(document: Any) -> None:
    with pytest.raises(SdJwtMalformed):
        SdJwt.from_json(document)
    with pytest.raises(SdJwtMalformed):
        SdJwt("a.b", ()).flattened()


# Whatever the claims and the choice, the round gives them back

_SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8)
_NAMES = st.text(min_size=1, max_size=6).filter(lambda n: n not in ("_sd", "...", "_sd_alg", "cnf"))
_VALUES: Any = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)
_TIMES = ("exp", "nbf", "iat")


def _paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here] if here else []
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)  # type: ignore[assignment]
    else:
        return found
    return found + [path for key, below in inner for path in _paths(below, (*here, key))]


@settings(max_examples=120, deadline=None)
@given(claims=st.dictionaries(_NAMES, _VALUES, max_size=5), data=st.data())
def test_any_choice_gives_the_claims_back(claims: dict[str, Any], data: Any) -> None:
    claims = {name: value for name, value in claims.items() if name not in _TIMES}
    every = _paths(claims)
    chosen = data.draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    token = made(chosen, claims, decoys={"": 1})
    assert without_cnf(proved(token).claims) == claims
    held = HeldSdJwt.parse(token)
    assert without_cnf(proved(held.present(held.disclosable)).claims) == claims
    assert proved(held.present([])).disclosed == ()
    for path in chosen[:3]:
        assert path in proved(held.present([path])).disclosed or any(
            isinstance(step, int) for step in path
        )


def _never_more_than(work: Callable[[], object]) -> None:
    try:
        work()
    except CredentialError:
        return


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=80) | st.text("abcdef._~-W10eyJ", max_size=120))
def test_fuzz_any_text(text: str) -> None:
    _never_more_than(lambda: proved(text))
    _never_more_than(lambda: HeldSdJwt.parse(text))


_TOKEN = made(["/name", "/address", ["nationalities", None]])


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 3000), new=st.characters(), cut=st.booleans())
def test_fuzz_a_damaged_token(at: int, new: str, cut: bool) -> None:
    at %= len(_TOKEN)
    damaged = _TOKEN[:at] + ("" if cut else new) + _TOKEN[at + 1 :]
    if damaged == _TOKEN:
        return
    _never_more_than(lambda: HeldSdJwt.parse(damaged))
    # Cutting the last tilde off joins two parts; nothing damaged may pass whole.
    with pytest.raises(CredentialError):
        proved(damaged, key_binding=CHECK)


@settings(max_examples=200, deadline=None)
@given(
    payload=st.dictionaries(
        st.sampled_from(["_sd", "_sd_alg", "...", "a", "cnf", "exp", "vct"]), _VALUES, max_size=5
    ),
    disclosures=st.lists(st.builds(make_disclosure, st.text(max_size=3), _NAMES, _VALUES)),
    document=_VALUES,
)
def test_fuzz_signed_nonsense(payload: Any, disclosures: list[str], document: Any) -> None:
    _never_more_than(lambda: unpack(payload, disclosures))
    _never_more_than(lambda: proved(signed(payload, *disclosures), key_binding=CHECK))
    _never_more_than(lambda: SdJwt.from_json(document))
    _never_more_than(lambda: SdJwt.from_json({**_J, "header": document}))
