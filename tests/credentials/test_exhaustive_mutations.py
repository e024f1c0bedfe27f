"""Every value of a signed document exchanged for every kind of junk, one at a time.

For what is JSON and not statements: documents of the JSON suites, did:webvh logs (as they stand,
and hashed and signed again, so that the deeper checks are reached), their witness proofs, did:jwk.
Nothing but a CredentialError may come out, and nothing may verify that was changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from credentials.canonical import canonical_json
from credentials.did_jwk import jwk_document, read_did_jwk
from credentials.did_webvh import parse_webvh, verify_log
from credentials.did_webvh.parameters import key_hash, multihash
from credentials.dids import KeyResolver, did_key, key_url
from credentials.errors import CredentialError
from credentials.keys import KeyType, PrivateKey
from credentials.model import ALL_MODELS, check_credential, check_presentation
from credentials.multibase import base64url_encode, multibase_base58
from credentials.proofs import ALL_CRYPTOSUITES, add_proof, verify_credential
from credentials.proofs.jcs import hash_json
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

NOW = datetime(2026, 11, 22, tzinfo=UTC)
JUNK: list[Any] = [
    None, True, 0, -1, 1.5, 2**70, "", "x", "\ud800", "\0", [], [None], [[]], ["x", "x"], {},
    {"": ""}, {"id": 1}, {"@value": "x"}, {"a": {"b": ["c"]}}, "did:key:z#z", "did:webvh:x:y.z",
    "z" + "2" * 86, "u", "2026-11-22T00:00:00Z", "1-" + "Q" * 46, 10**400, "９",
]  # fmt: skip
GONE = object()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items: Any = value.items() if isinstance(value, dict) else ()
    for name, inner in enumerate(value) if isinstance(value, list) else items:
        yield from places(inner, (*path, name))


def mutants(document: Any) -> Iterator[Any]:
    for path in list(places(document)):
        for junk in [*JUNK, GONE]:
            mutant = deepcopy(document)
            parent = mutant
            for step in path[:-1]:
                parent = parent[step]
            if junk is GONE:
                del parent[path[-1]]
            elif parent[path[-1]] == junk and type(parent[path[-1]]) is type(junk):
                continue
            else:
                parent[path[-1]] = deepcopy(junk)
            yield mutant


SUITES: list[tuple[str, KeyType]] = [
    ("ecdsa-jcs-2019", "P-256"),
    ("eddsa-jcs-2022", "Ed25519"),
    ("mldsa44-jcs-2024", "ML-DSA-44"),
]


@pytest.mark.parametrize(("suite", "kind"), SUITES)
def test_documents_of_the_json_suites(suite: str, kind: KeyType) -> None:
    key = PrivateKey.from_seed(kind, b"the issuer of mutations")
    signed = add_proof(
        {
            "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
            "type": ["VerifiableCredential", "ResidentIdentityCredential"],
            "issuer": did_key(key.public_key),
            "credentialSubject": {"type": "Resident", "name": "张三", "ageOver18": True},
        },
        cryptosuite=suite,
        signer=key,
        verification_method=key_url(key.public_key),
        created=NOW,
        suites=ALL_CRYPTOSUITES,
    )
    options: dict[str, Any] = {"resolver": KeyResolver(), "now": NOW, "suites": ALL_CRYPTOSUITES}
    assert verify_credential(signed, **options)
    for mutant in mutants(signed):
        with pytest.raises(CredentialError):
            verify_credential(mutant, **options)
            raise AssertionError(mutant)


def test_the_data_model_meets_any_shape() -> None:
    credential = {
        "@context": [CONTEXT_V2],
        "id": "urn:a:b",
        "type": ["VerifiableCredential"],
        "issuer": {"id": "did:example:i", "name": {"@value": "x", "@language": "en"}},
        "validFrom": "2026-11-22T00:00:00Z",
        "validUntil": "2026-11-23T00:00:00Z",
        "credentialSubject": [{"id": "did:example:s"}],
        "credentialStatus": {"type": "X"},
        "credentialSchema": [{"type": "X", "id": "urn:a:c"}],
        "relatedResource": [{"id": "urn:a:d", "digestSRI": "x", "mediaType": "a/b"}],
        "proof": [{"type": "X"}],
    }
    old = {
        **credential,
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "issuanceDate": "2026-11-22T00:00:00Z",
        "credentialStatus": {"type": "X", "id": "urn:a:e"},
    }
    presentation = {
        "@context": [CONTEXT_V2],
        "type": "VerifiablePresentation",
        "holder": {"id": "did:example:h"},
        "verifiableCredential": [
            {"@context": CONTEXT_V2, "type": "EnvelopedVerifiableCredential", "id": "data:a/b,c"},
            credential,
        ],
    }
    for document in (credential, old):
        check_credential(document, models=ALL_MODELS)
        for mutant in mutants(document):
            try:
                check_credential(mutant, models=ALL_MODELS)
            except CredentialError:
                continue
    check_presentation(presentation, enveloped=True)
    for mutant in mutants(presentation):
        try:
            check_presentation(mutant, enveloped=True)
        except CredentialError:
            continue


# did:webvh

OWNER, NEXT, WITNESS = (PrivateKey.from_seed("Ed25519", bytes([n]) * 16) for n in range(3))


def prove(key: PrivateKey, covered: Any) -> dict[str, Any]:
    proof = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "verificationMethod": key_url(key.public_key),
        "created": "2026-01-01T00:00:00Z",
        "proofPurpose": "assertionMethod",
    }
    signed = hash_json(proof, covered, "Ed25519")
    return {**proof, "proofValue": multibase_base58(key.sign(signed))}


def seal(entry: dict[str, Any], before: str, number: int, key: PrivateKey) -> dict[str, Any]:
    entry = {**entry, "versionId": before}
    entry["versionId"] = f"{number}-{multihash(canonical_json(entry))}"
    return {**entry, "proof": [prove(key, entry)]}


def build(change: Any = None) -> tuple[str, list[dict[str, Any]]]:
    """A log of two entries; `change` replaces what the second sets."""
    did = "did:webvh:{SCID}:example.com"
    draft = {
        "versionId": "{SCID}",
        "versionTime": "2026-01-01T00:00:00Z",
        "parameters": {
            "method": "did:webvh:1.0",
            "scid": "{SCID}",
            "updateKeys": [OWNER.public_key.multikey()],
            "nextKeyHashes": [key_hash(NEXT.public_key.multikey())],
            "witness": {"threshold": 1, "witnesses": [{"id": did_key(WITNESS.public_key)}]},
            "watchers": ["https://watcher.example"],
            "portable": True,
            "ttl": 60,
        },
        "state": {"@context": ["https://www.w3.org/ns/did/v1"], "id": did},
    }
    scid = multihash(canonical_json(draft))
    start = json.loads(canonical_json(draft).decode().replace("{SCID}", scid))
    first = seal(start, scid, 1, OWNER)
    second = change or {
        "versionTime": "2026-01-02T00:00:00Z",
        "parameters": {
            "updateKeys": [NEXT.public_key.multikey()],
            "nextKeyHashes": [],
            "witness": {},
            "deactivated": False,
            "method": "did:webvh:1.0",
        },
        "state": {
            "id": first["state"]["id"].replace("example.com", "new.example"),
            "alsoKnownAs": [first["state"]["id"]],
        },
    }
    return first["state"]["id"], [first, seal(second, first["versionId"], 2, NEXT)]


def lines(entries: Any) -> bytes:
    return b"\n".join(json.dumps(entry).encode() for entry in entries)


def confirmation(entries: list[dict[str, Any]]) -> list[Any]:
    covered = {"versionId": entries[-1]["versionId"]}
    return [{**covered, "proof": [prove(WITNESS, covered)]}]


def test_logs_as_they_stand() -> None:
    did, entries = build()
    proofs = json.dumps(confirmation(entries)).encode()
    assert verify_log(did, lines(entries), now=NOW, witness_proofs=proofs)
    for index in range(2):
        for mutant in mutants(entries[index]):
            log = lines([mutant if place == index else entries[place] for place in range(2)])
            with pytest.raises(CredentialError):
                verify_log(did, log, now=NOW, witness_proofs=proofs)


def test_logs_hashed_and_signed_again() -> None:
    """The owner may write what the rules allow; nothing else may come out than a refusal."""
    _, entries = build()
    second = {name: entries[1][name] for name in ("versionTime", "parameters", "state")}
    accepted = 0
    for mutant in mutants(second):
        try:
            did, log = build(mutant)
            verify_log(
                did,
                lines(log),
                now=NOW,
                witness_proofs=json.dumps(confirmation(log)).encode(),
            )
            accepted += 1
        except CredentialError:
            continue
    assert 0 < accepted < 60


def test_witness_proofs() -> None:
    did, entries = build()
    for mutant in mutants(confirmation(entries)):
        with pytest.raises(CredentialError):
            verify_log(did, lines(entries), now=NOW, witness_proofs=json.dumps(mutant).encode())


# Names


def test_names_that_are_keys() -> None:
    jwk = OWNER.public_key.jwk()
    for mutant in mutants(jwk):
        name = "did:jwk:" + base64url_encode(json.dumps(mutant).encode())
        with pytest.raises(CredentialError):
            read_did_jwk(name)
    for junk in JUNK:
        for read in (read_did_jwk, jwk_document, parse_webvh):
            with pytest.raises(CredentialError):
                read(junk)
