"""The proofs in a log and of its witnesses: eddsa-jcs-2022 by a did:key, and nothing else.

What they cover is JSON without contexts, so the gate of `credentials.proofs` has no say here; the
members of an entry are checked one by one instead.

Source: did:webvh 1.0, "Authorized Keys" and "The Witness Proofs File"; VC-DI-EDDSA §3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from credentials.did_webvh.parameters import BadParameter
from credentials.dids import ASSERTION
from credentials.errors import CredentialError
from credentials.keys import PublicKey
from credentials.proofs.eddsa_jcs_2022 import EDDSA_JCS_2022
from credentials.proofs.jcs import hash_json
from credentials.timestamps import parse_timestamp

_KEY: Final = "did:key:"


def check_proof(proof: object, covered: Mapping[str, Any], now: datetime | None) -> str:
    """The did:key whose proof over `covered` this is. Raises BadParameter.

    The key is the one in the name, and the fragment must repeat it: else a proof could name one
    key and be checked by another. With `now`, an expired proof is refused.
    """
    if not isinstance(proof, Mapping):
        raise BadParameter("a proof is not an object")
    if (
        proof.get("type") != "DataIntegrityProof"
        or proof.get("cryptosuite") != EDDSA_JCS_2022.name
        or proof.get("proofPurpose") != ASSERTION
    ):
        raise BadParameter("a proof is of another kind than the method permits")
    method, value = proof.get("verificationMethod"), proof.get("proofValue")
    if not isinstance(method, str) or not isinstance(value, str):
        raise BadParameter("a proof lacks its key or its value")
    did, _, fragment = method.partition("#")
    multikey = did.removeprefix(_KEY)
    if not did.startswith(_KEY) or fragment != multikey:
        raise BadParameter("a proof does not name a did:key by itself")
    if now is not None and "expires" in proof:
        expires = parse_timestamp(proof["expires"])
        if expires is None or now >= expires:
            raise BadParameter("a proof has expired")
    options = {name: entry for name, entry in proof.items() if name != "proofValue"}
    try:
        key = PublicKey.from_multikey(multikey)
        if key.type not in EDDSA_JCS_2022.key_types:
            raise BadParameter("a key is not an Ed25519 multikey")
        key.verify(EDDSA_JCS_2022.signature(value, key.type), hash_json(options, covered, key.type))
    except CredentialError as error:
        raise BadParameter("its signature does not hold") from error
    return did
