"""The witnesses of a log: did enough of them confirm each entry that needs it?

A witness signs the id of a version and thereby all versions before it. Only the ids that stand in
this log count; a proof that does not hold counts for nothing and harms nothing.

Source: did:webvh 1.0, "DID Witnesses".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from credentials.canonical.strict_json import parse_json
from credentials.did_webvh.parameters import BadParameter, WitnessRule
from credentials.did_webvh.proofs import check_proof
from credentials.errors import (
    JsonMalformed,
    LimitExceeded,
    WebvhWitnessesMissing,
    WebvhWitnessesUnknown,
)

MAX_PROOFS: Final = 1_024
"""Proofs in one file; published ones keep the last of each witness."""


def check_witnesses(
    ids: Sequence[str], rules: Sequence[WitnessRule], witness_proofs: bytes | None
) -> None:
    """`ids` and `rules` are those of the entries: a rule is what the entry leaves in force.

    Raises WebvhWitnessesUnknown, WebvhWitnessesMissing, JsonMalformed, LimitExceeded.
    """
    # A list that replaces another counts from the next entry on; a first list at once.
    needed = [
        before if before.threshold else own
        for before, own in zip((WitnessRule(), *rules), rules, strict=False)
    ]
    if not any(rule.threshold for rule in needed):
        return
    if witness_proofs is None:
        raise WebvhWitnessesUnknown
    confirmed = _confirmed(ids, {did for rule in needed for did in rule.witnesses}, witness_proofs)
    for index, rule in enumerate(needed):
        count = sum(confirmed.get(did, -1) >= index for did in rule.witnesses)
        if count < rule.threshold:
            raise WebvhWitnessesMissing(entry=index + 1, count=count, threshold=rule.threshold)


def _confirmed(ids: Sequence[str], witnesses: set[str], witness_proofs: bytes) -> dict[str, int]:
    """For each witness the index of the last entry that it confirmed."""
    listed = parse_json(witness_proofs)
    if not isinstance(listed, list):
        raise JsonMalformed(reason="it is not a list")
    places = {version: index for index, version in enumerate(ids)}
    found: dict[str, int] = {}
    seen = 0
    for entry in listed:
        version = entry.get("versionId") if isinstance(entry, dict) else None
        proofs = entry.get("proof", []) if isinstance(entry, dict) else None
        if not isinstance(version, str) or not isinstance(proofs, list):
            raise JsonMalformed(reason="it does not list versions with their proofs")
        seen += len(proofs)
        if seen > MAX_PROOFS:
            raise LimitExceeded(what="number of witness proofs", limit=MAX_PROOFS)
        place = places.get(version)
        if place is None:  # of an entry that is not published yet, or of another log
            continue
        for proof in proofs:
            try:
                did = check_proof(proof, {"versionId": version}, None)
            except BadParameter:
                continue
            if did in witnesses:
                found[did] = max(place, found.get(did, -1))
    return found
