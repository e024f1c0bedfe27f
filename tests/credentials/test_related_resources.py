"""Related resources: each digest fits a copy that is held, or the credential is refused."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from credentials.contexts import bundled_contexts
from credentials.dids import KeyResolver, did_key, key_url
from credentials.errors import ModelViolation, RelatedResourceMismatch
from credentials.keys import PrivateKey
from credentials.multibase import multibase_base58, multibase_base64
from credentials.proofs import add_proof, verify_credential
from credentials.related_resources import check_related_resources, held_by
from schemas.digests import digest_multibase
from schemas.names import CONTEXT_V2

HELD = held_by(bundled_contexts())
BYTES = bundled_contexts().record(CONTEXT_V2).data
OTHER = BYTES + b"\n"


def sri(data: bytes, algorithm: str = "sha384") -> str:
    digest = hashlib.new(algorithm, data).digest()
    return f"{algorithm}-{base64.b64encode(digest).decode()}"


def multihash(data: bytes, header: bytes, algorithm: str) -> bytes:
    return header + hashlib.new(algorithm, data).digest()


def naming(**digests: str) -> dict[str, Any]:
    return {"relatedResource": [{"id": CONTEXT_V2, **digests}]}


GOOD = [
    {"digestSRI": sri(BYTES)},
    {"digestSRI": sri(BYTES, "sha256")},
    {"digestSRI": sri(BYTES, "sha512") + "?option"},
    {"digestSRI": f"{sri(OTHER, 'sha256')} {sri(BYTES, 'sha512')}"},  # the strongest decides
    {"digestSRI": f"{sri(OTHER)} {sri(BYTES)} md5-AAAA"},  # one of several
    {"digestMultibase": digest_multibase(BYTES)},
    {"digestMultibase": multibase_base58(multihash(BYTES, b"\x20\x30", "sha384"))},
    {"digestMultibase": multibase_base64(multihash(BYTES, b"\x13\x40", "sha512"))},
    {"digestSRI": sri(BYTES), "digestMultibase": digest_multibase(BYTES)},
]
WRONG = [
    {"digestSRI": sri(OTHER)},
    {"digestMultibase": digest_multibase(OTHER)},
    {"digestSRI": f"{sri(BYTES, 'sha256')} {sri(OTHER, 'sha512')}"},
    {"digestSRI": sri(BYTES), "digestMultibase": digest_multibase(OTHER)},
    {"digestSRI": sri(OTHER), "digestMultibase": digest_multibase(BYTES)},
]
MALFORMED = [
    {"digestSRI": "sha384-"},
    {"digestSRI": "sha384-_rCVIV7fSXXT"},
    {"digestSRI": "md5-AAAA"},
    {"digestSRI": " "},
    {"digestSRI": sri(BYTES)[:-8]},
    {"digestMultibase": "x" + digest_multibase(BYTES)},
    {"digestMultibase": digest_multibase(BYTES)[:-3]},
    {"digestMultibase": multibase_base64(hashlib.sha256(BYTES).digest())},  # no multihash
    {"digestMultibase": "u"},
]


@pytest.mark.parametrize("digests", GOOD)
def test_a_digest_that_fits_passes(digests: dict[str, str]) -> None:
    check_related_resources(naming(**digests), HELD)
    check_related_resources({"relatedResource": {"id": CONTEXT_V2, **digests}}, HELD)


@pytest.mark.parametrize("digests", WRONG)
def test_a_digest_of_other_bytes_is_refused(digests: dict[str, str]) -> None:
    with pytest.raises(RelatedResourceMismatch):
        check_related_resources(naming(**digests), HELD)


@pytest.mark.parametrize("digests", MALFORMED)
def test_what_is_no_digest_is_named(digests: dict[str, str]) -> None:
    with pytest.raises(ModelViolation, match="relatedResource/0/digest"):
        check_related_resources(naming(**digests), HELD)


def test_a_resource_that_is_not_held_is_not_judged() -> None:
    unknown = {"id": "https://example.org/unknown", "digestSRI": sri(OTHER)}
    check_related_resources({"relatedResource": [unknown]}, HELD)
    check_related_resources({}, HELD)


def test_every_resource_is_looked_at() -> None:
    fine = {"id": "https://example.org/unknown", "digestSRI": sri(OTHER)}
    wrong = {"id": CONTEXT_V2, "digestSRI": sri(OTHER)}
    with pytest.raises(RelatedResourceMismatch, match="relatedResource/1"):
        check_related_resources({"relatedResource": [fine, wrong]}, HELD)


def test_several_copies_of_one_resource_and_bare_digests_are_for_conformance() -> None:
    check_related_resources(naming(digestSRI=sri(OTHER)), lambda _url: [BYTES, OTHER])
    bare = naming(digestMultibase=multibase_base64(hashlib.sha256(BYTES).digest()))
    check_related_resources(bare, HELD, bare=True)
    with pytest.raises(RelatedResourceMismatch):
        check_related_resources(bare, lambda _url: [OTHER], bare=True)


@pytest.mark.parametrize(("data", "accepted"), [(BYTES, True), (OTHER, False)])
def test_verifying_a_credential_compares_the_contexts_it_used(data: bytes, accepted: bool) -> None:
    key = PrivateKey.generate("Ed25519")
    now = datetime.now(UTC)
    signed = add_proof(
        {
            "@context": [CONTEXT_V2],
            "type": ["VerifiableCredential"],
            "issuer": did_key(key.public_key),
            "credentialSubject": {"id": "did:example:alice"},
            **naming(digestMultibase=digest_multibase(data)),
        },
        cryptosuite="eddsa-rdfc-2022",
        signer=key,
        verification_method=key_url(key.public_key),
        created=now,
    )
    if accepted:
        verify_credential(signed, resolver=KeyResolver(), now=now)
    else:
        with pytest.raises(RelatedResourceMismatch):
            verify_credential(signed, resolver=KeyResolver(), now=now)
