"""ecdsa-sd-2023 on resident identity credentials: what a holder can show, and cannot."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.canonical import Canonicalizer, default_canonicalizer
from credentials.canonical.reference import canonicalize_with_pyld
from credentials.contexts import bundled_contexts
from credentials.errors import (
    CredentialError,
    CryptosuiteKeyMismatch,
    LimitExceeded,
    NothingDisclosed,
    PointerInvalid,
    PointerNotSelectable,
    PointerUnknown,
    ProofMalformed,
    SignatureCountMismatch,
    SignatureInvalid,
    TermUndefined,
)
from credentials.keys import PrivateKey
from credentials.multibase import multibase_base64, multibase_decode
from credentials.proofs import ecdsa_sd_2023 as sd
from credentials.proofs.selective import group, select_document
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

SIGNER = PrivateKey.from_seed("P-256", b"an issuer's key for tests")
CANONICALIZER = default_canonicalizer()
MANDATORY = ["/issuer", "/validFrom", "/credentialStatus", "/credentialSubject/type"]
OPTIONS = {
    "type": "DataIntegrityProof",
    "cryptosuite": "ecdsa-sd-2023",
    "created": "2026-11-22T08:00:00Z",
    "verificationMethod": "did:web:data.hangzhou.example#key-1",
    "proofPurpose": "assertionMethod",
}


def unsigned() -> dict[str, Any]:
    return {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", "ResidentIdentityCredential"],
        "issuer": "did:web:data.hangzhou.example",
        "validFrom": "2026-11-22T00:00:00Z",
        "validUntil": "2027-11-22T00:00:00Z",
        "credentialStatus": [
            {
                "type": "BitstringStatusListEntry",
                "statusPurpose": purpose,
                "statusListIndex": "94567",
                "statusListCredential": f"https://data.hangzhou.example/status/{number}",
            }
            for number, purpose in ((1, "revocation"), (2, "suspension"))
        ],
        "evidence": [
            {
                "type": ["AuthorityCheck"],
                "authority": f"did:web:psb{number}.example",
                "checkedAt": "2026-11-22T07:00:00Z",
            }
            for number in (1, 2)
        ],
        "credentialSubject": {
            "id": "did:key:zDnaeHolder",
            "type": "Resident",
            "name": "陈思远",
            "sex": "female",
            "birthDate": "1990-01-01",
            "ageOver18": True,
            "ageOver60": False,
        },
    }


def issued(
    document: dict[str, Any] | None = None, mandatory: list[str] | None = None
) -> dict[str, Any]:
    document = unsigned() if document is None else document
    proof = sd.create_base_proof(
        document,
        proof_options=OPTIONS,
        signer=SIGNER,
        mandatory_pointers=MANDATORY if mandatory is None else mandatory,
        canonicalizer=CANONICALIZER,
    )
    return {**document, "proof": proof}


def derived(*pointers: str) -> dict[str, Any]:
    return sd.derive_proof(issued(), selective_pointers=pointers, canonicalizer=CANONICALIZER)


def verify(document: dict[str, Any]) -> sd.DerivedValue:
    return sd.verify_derived(document, public_key=SIGNER.public_key, canonicalizer=CANONICALIZER)


NAME = "/credentialSubject/name"
ADULT = "/credentialSubject/ageOver18"


def test_holder_shows_two_claims() -> None:
    shown = derived(NAME, ADULT)
    verify(shown)
    assert shown["credentialSubject"] == {
        "id": "did:key:zDnaeHolder",
        "type": "Resident",
        "name": "陈思远",
        "ageOver18": True,
    }
    assert "validUntil" not in shown
    assert "evidence" not in shown
    assert len(shown["credentialStatus"]) == 2
    assert shown["proof"] == {**OPTIONS, "proofValue": shown["proof"]["proofValue"]}


def test_two_proofs_share_no_randomness() -> None:
    first, second = (sd.BaseValue.decode(issued()["proof"]["proofValue"]) for _ in range(2))
    assert first.hmac_key != second.hmac_key
    assert first.proof_key != second.proof_key


def test_wallet_checks_what_it_received() -> None:
    credential = issued()

    def check(document: dict[str, Any]) -> None:
        sd.verify_base(document, public_key=SIGNER.public_key, canonicalizer=CANONICALIZER)

    check(credential)
    changed = copy.deepcopy(credential)
    changed["credentialSubject"]["name"] = "李四"
    with pytest.raises(SignatureInvalid):
        check(changed)
    # An issuer could sign the base and leave one hidden statement unsigned: the holder would
    # find out at a counter.
    base = sd.BaseValue.decode(credential["proof"]["proofValue"])
    spoiled = list(base.signatures)
    spoiled[3], spoiled[4] = spoiled[4], spoiled[3]
    value = sd.BaseValue(
        base.base_signature, base.proof_key, base.hmac_key, tuple(spoiled), base.mandatory_pointers
    )
    with pytest.raises(SignatureInvalid):
        check({**credential, "proof": {**credential["proof"], "proofValue": value.encode()}})


def test_base_proof_is_not_taken_for_a_derived_one() -> None:
    with pytest.raises(ProofMalformed, match="derived"):
        verify(issued())
    with pytest.raises(ProofMalformed, match="base"):
        sd.derive_proof(derived(NAME), selective_pointers=[NAME], canonicalizer=CANONICALIZER)


# Tampering with a derived credential


def change(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def edit(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return edit


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (change("credentialSubject", "name", to="李四"), SignatureInvalid),
        (change("credentialSubject", "id", to="did:key:zDnaeThief"), SignatureInvalid),
        (change("issuer", to="did:web:other.example"), SignatureInvalid),
        (change("credentialStatus", 0, "statusListIndex", to="1"), SignatureInvalid),
        (change("credentialSubject", "ageOver60", to=True), SignatureCountMismatch),
        (change("credentialSubject", "taxDebt", to="none"), TermUndefined),
        (change("proof", "created", to="2027-01-01T00:00:00Z"), SignatureInvalid),
        (change("proof", "verificationMethod", to="did:web:x.example#k"), SignatureInvalid),
        (lambda d: d.pop("validFrom"), CredentialError),
        (lambda d: d["credentialSubject"].pop("name"), CredentialError),
        (lambda d: d["credentialStatus"].pop(), CredentialError),
        (lambda d: d["credentialStatus"][0].pop("statusPurpose"), CredentialError),
        (lambda d: d["type"].pop(), CredentialError),
        (lambda d: d.update(proof=[d["proof"], d["proof"]]), ProofMalformed),
        (lambda d: d["proof"].update(cryptosuite="ecdsa-rdfc-2019"), ProofMalformed),
    ],
)
def test_tampered_document(
    edit: Callable[[dict[str, Any]], None], error: type[CredentialError]
) -> None:
    shown = derived(NAME)
    edit(shown)
    with pytest.raises(error):
        verify(shown)


def test_statements_of_two_credentials_cannot_be_mixed() -> None:
    other = unsigned()
    other["credentialSubject"]["name"] = "李四"
    one, two = (
        derived(NAME),
        sd.derive_proof(issued(other), selective_pointers=[NAME], canonicalizer=CANONICALIZER),
    )
    mixed = {**one, "credentialSubject": two["credentialSubject"]}
    value = sd.DerivedValue.decode(one["proof"]["proofValue"])
    stolen = sd.DerivedValue.decode(two["proof"]["proofValue"])
    forged = sd.DerivedValue(
        value.base_signature, value.proof_key, stolen.signatures, value.labels, value.mandatory
    )
    mixed["proof"] = {**one["proof"], "proofValue": forged.encode()}
    with pytest.raises(SignatureInvalid):
        verify(mixed)


def test_another_key() -> None:
    stranger = PrivateKey.generate("P-256").public_key
    with pytest.raises(SignatureInvalid):
        sd.verify_derived(derived(NAME), public_key=stranger, canonicalizer=CANONICALIZER)
    for kind in ("P-384", "Ed25519"):
        key = PrivateKey.generate(kind)
        with pytest.raises(CryptosuiteKeyMismatch):
            sd.verify_derived(derived(NAME), public_key=key.public_key, canonicalizer=CANONICALIZER)
        with pytest.raises(CryptosuiteKeyMismatch):
            sd.create_base_proof(
                unsigned(),
                proof_options=OPTIONS,
                signer=key,
                mandatory_pointers=[],
                canonicalizer=CANONICALIZER,
            )


# Malformed proof values


def parts_of(document: dict[str, Any]) -> list[Any]:
    data = multibase_decode(document["proof"]["proofValue"], allowed="u")
    parts: list[Any] = cbor2.loads(data[3:])
    return parts


def with_value(document: dict[str, Any], data: bytes) -> dict[str, Any]:
    return {**document, "proof": {**document["proof"], "proofValue": multibase_base64(data)}}


DERIVED_DEFECTS: list[Callable[[list[Any]], Any]] = [
    lambda p: p[:4],
    lambda p: [*p, 0],
    lambda p: {"0": p},
    lambda p: [p[0][:63], *p[1:]],
    lambda p: [p[0], p[1][:34], *p[2:]],
    lambda p: [p[0], b"\x81\x24" + p[1][2:], *p[2:]],
    lambda p: [p[0], b"\x80\x24" + bytes(33), *p[2:]],
    lambda p: [*p[:2], "signatures", *p[3:]],
    lambda p: [*p[:2], [*p[2][:-1], p[2][-1][:-1]], *p[3:]],
    lambda p: [*p[:3], [*p[3]], p[4]],
    lambda p: [*p[:3], {}, p[4]],
    lambda p: [*p[:3], {**p[3], 99: bytes(32)}, p[4]],
    lambda p: [*p[:3], {str(k): v for k, v in p[3].items()}, p[4]],
    lambda p: [*p[:3], {k: v[:31] for k, v in p[3].items()}, p[4]],
    lambda p: [*p[:3], dict.fromkeys(p[3], p[3][0]), p[4]],
    lambda p: [*p[:3], {k - 1: v for k, v in p[3].items()}, p[4]],
    lambda p: [*p[:4], {"0": 0}],
    lambda p: [*p[:4], [*p[4], 1000]],
    lambda p: [*p[:4], [*p[4], p[4][0]]],
    lambda p: [*p[:4], [*p[4], -1]],
    lambda p: [*p[:4], [*p[4][:-1], True]],
    lambda p: [*p[:4], [*p[4][:-1], 1.0]],
    lambda p: [*p[:4], cbor2.CBORTag(64, p[4])],
    lambda p: [cbor2.CBORTag(64, p[0]), *p[1:]],
]


@pytest.mark.parametrize("defect", DERIVED_DEFECTS, ids=range(len(DERIVED_DEFECTS)))
def test_malformed_derived_value(defect: Callable[[list[Any]], Any]) -> None:
    shown = derived(NAME)
    data = sd.DERIVED_HEADER + cbor2.dumps(defect(parts_of(shown)))
    with pytest.raises((ProofMalformed, SignatureInvalid)) as caught:
        verify(with_value(shown, data))
    if isinstance(caught.value, SignatureInvalid):  # a key of the wrong curve is found out later
        assert defect is DERIVED_DEFECTS[5] or defect is DERIVED_DEFECTS[6]


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: b"\xd9\x5d\x02" + data[3:],
        lambda data: b"\xd9\x5d\x00" + data[3:],
        lambda data: data[3:],
        lambda data: data + b"\x00",
        lambda data: data[:-1],
        lambda data: data[:3],
        lambda data: data[:3] + b"\x9f" + data[4:] + b"\xff",
        lambda data: data[:3] + b"\xd9\xd9\xf7" + data[3:],
        lambda data: data[:3] + b"\x81" * 5000 + data[3:],
    ],
    ids=range(9),
)
def test_malformed_bytes(edit: Callable[[bytes], bytes]) -> None:
    shown = derived(NAME)
    data = multibase_decode(shown["proof"]["proofValue"], allowed="u")
    with pytest.raises(ProofMalformed):
        verify(with_value(shown, edit(data)))


@pytest.mark.parametrize("value", [None, 7, "", "u", "zQmX", "x", "u!!!!", "U2V0BhVhA"])
def test_value_that_is_none(value: object) -> None:
    shown = derived(NAME)
    shown["proof"]["proofValue"] = value
    with pytest.raises(ProofMalformed):
        verify(shown)


@pytest.mark.parametrize(
    "defect",
    [
        lambda p: [*p[:2], p[2][:31], *p[3:]],
        lambda p: [*p[:2], p[2].hex(), *p[3:]],
        lambda p: [*p[:4], {"pointers": p[4]}],
        lambda p: [*p[:3], p[3][:-1], p[4]],
        lambda p: [*p[:4], [*p[4], "no pointer"]],
        lambda p: [*p[:4], [*p[4], "/nobody"]],
        lambda p: [*p[:4], [7]],
        lambda p: p[:4],
    ],
    ids=range(8),
)
def test_malformed_base_value(defect: Callable[[list[Any]], Any]) -> None:
    credential = issued()
    data = sd.BASE_HEADER + cbor2.dumps(defect(parts_of(credential)))
    with pytest.raises((ProofMalformed, PointerInvalid, PointerUnknown, SignatureCountMismatch)):
        sd.derive_proof(
            with_value(credential, data), selective_pointers=[NAME], canonicalizer=CANONICALIZER
        )


# Pointers


@pytest.mark.parametrize(
    ("pointer", "error"),
    [
        ("/credentialSubject/taxDebt", PointerUnknown),
        ("/credentialStatus/2", PointerUnknown),
        ("/credentialStatus/00", PointerUnknown),
        ("/credentialStatus/-", PointerUnknown),
        ("/credentialStatus/٠", PointerUnknown),
        ("/credentialSubject/name/x", PointerUnknown),
        ("/proof/created", PointerUnknown),
        ("credentialSubject", PointerInvalid),
        ("/credentialSubject/~name", PointerInvalid),
        ("/@context", PointerNotSelectable),
        ("/@context/0", PointerNotSelectable),
        ("/" + "a/" * 100, LimitExceeded),
    ],
)
def test_pointer_is_refused(pointer: str, error: type[CredentialError]) -> None:
    with pytest.raises(error):
        derived(pointer)
    with pytest.raises(error):
        issued(mandatory=[pointer])


def test_too_many_pointers() -> None:
    with pytest.raises(LimitExceeded):
        derived(*[NAME] * 300)
    with pytest.raises(PointerInvalid):
        sd.derive_proof(issued(), selective_pointers=NAME, canonicalizer=CANONICALIZER)


def test_nothing_selected() -> None:
    with pytest.raises(NothingDisclosed):
        sd.derive_proof(issued(mandatory=[]), selective_pointers=[], canonicalizer=CANONICALIZER)
    verify(
        sd.derive_proof(
            issued(mandatory=[]), selective_pointers=[NAME], canonicalizer=CANONICALIZER
        )
    )


def test_everything_selected() -> None:
    shown = derived("")
    verify(shown)
    assert {k: v for k, v in shown.items() if k != "proof"} == unsigned()


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"@value": "x", "@language": "en"}, "/credentialSubject/name/@value"),
        ({"@list": ["x", "y"]}, "/credentialSubject/name/@list/0"),
        ({"@value": {"a": 1}, "@type": "@json"}, "/credentialSubject/name/@value/a"),
    ],
)
def test_half_of_a_whole_cannot_be_shown(value: Any, pointer: str) -> None:
    document = unsigned()
    document["credentialSubject"]["name"] = value
    with pytest.raises(PointerNotSelectable):
        sd.derive_proof(issued(document), selective_pointers=[pointer], canonicalizer=CANONICALIZER)
    verify(
        sd.derive_proof(issued(document), selective_pointers=[NAME], canonicalizer=CANONICALIZER)
    )


def test_earlier_proofs_are_not_covered() -> None:
    with pytest.raises(ProofMalformed):
        sd.create_base_proof(
            issued(),
            proof_options=OPTIONS,
            signer=SIGNER,
            mandatory_pointers=[],
            canonicalizer=CANONICALIZER,
        )


# The specification, word for word


def skolemized(document: dict[str, Any]) -> dict[str, Any]:
    """VC-DI-ECDSA §3.4.6: every node gets an identifier."""
    counter = iter(range(1000))

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        node = {key: item if key == "@context" else walk(item) for key, item in value.items()}
        return node if "id" in node else {"id": f"urn:bnid:b{next(counter)}", **node}

    found: dict[str, Any] = walk(document)
    return found


def lines_by_the_book(
    document: dict[str, Any], pointers: list[str], labels: dict[str, str]
) -> set[str]:
    """§3.4.14, selectCanonicalNQuads: select in the skolemized document, then relabel."""
    if not pointers:
        return set()
    text = canonicalize_with_pyld(select_document(document, pointers), bundled_contexts())
    for urn, label in labels.items():
        text = text.replace(f"<{urn}>", label)
    return set(text.splitlines(keepends=True))


def leaves(value: Any, pointer: str = "") -> list[str]:
    found = [pointer]
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in members:
        if key == "@context":
            continue
        here = f"{pointer}/{key}"
        found.extend(leaves(item, here) if isinstance(item, dict | list) else [here])
    return found


POINTERS = [pointer for pointer in leaves(unsigned()) if not pointer.startswith("/type/")]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(POINTERS), max_size=4))
def test_provenance_selects_what_the_specification_selects(pointers: list[str]) -> None:
    document = unsigned()
    grouped = group(document, CANONICALIZER, bytes(32))
    ours = {
        line for line, chosen in zip(grouped.lines, grouped.select(pointers), strict=True) if chosen
    }
    # Which skolem name belongs to which node follows from the order of the walk: both number the
    # nodes of a tree from its root, parents after their children in `skolemized`.
    named = skolemized(document)
    quads, _ = CANONICALIZER.quads(named)
    plain, _ = CANONICALIZER.quads(document)
    labels = {}
    for mine, theirs in zip(plain, quads, strict=True):
        for a, b in ((mine[0], theirs[0]), (mine[2], theirs[2])):
            if isinstance(a, int):
                labels[str(b)[1:-1]] = grouped.labels[a]
    assert ours == lines_by_the_book(named, pointers, labels)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(POINTERS), max_size=3),
    st.lists(st.sampled_from(POINTERS), min_size=1, max_size=4),
)
def test_whatever_is_derived_verifies(mandatory: list[str], selective: list[str]) -> None:
    credential = issued(mandatory=mandatory)
    shown = sd.derive_proof(credential, selective_pointers=selective, canonicalizer=CANONICALIZER)
    verify(json.loads(json.dumps(shown)))
    fresh = Canonicalizer(bundled_contexts())
    sd.verify_base(credential, public_key=SIGNER.public_key, canonicalizer=fresh)


def test_alike_nodes_can_be_shown_one_by_one() -> None:
    """Two statuses that differ only in what stays hidden look alike to the verifier."""
    for pointer in ("/credentialStatus/0/statusListIndex", "/credentialStatus/1/statusListIndex"):
        credential = issued(mandatory=["/issuer"])
        both = ["/credentialStatus/0/statusListIndex", "/credentialStatus/1/statusListIndex"]
        verify(sd.derive_proof(credential, selective_pointers=both, canonicalizer=CANONICALIZER))
        verify(
            sd.derive_proof(credential, selective_pointers=[pointer], canonicalizer=CANONICALIZER)
        )
