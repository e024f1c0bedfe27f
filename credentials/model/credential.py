"""Credentials of both versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from credentials.errors import ModelViolation
from credentials.model.members import (
    as_object,
    check_context,
    check_display,
    check_party,
    check_proof_types,
    check_type,
    entries,
    instant,
    optional_id,
    required_id,
    type_names,
    typed,
    typed_and_named,
)
from credentials.model.period import check_order
from credentials.model.versions import CURRENT_MODEL, Model

_Checks = tuple[tuple[str, Callable[[Mapping[str, Any], str], None]], ...]

_TYPED: Final[_Checks] = (
    ("credentialStatus", typed),  # §4.10
    ("credentialSchema", typed_and_named),  # §4.11
    ("refreshService", typed),  # §5.4
    ("termsOfUse", typed),  # §5.5
    ("evidence", typed),  # §5.6
)
_TYPED_1_1: Final[_Checks] = (
    ("credentialStatus", typed_and_named),  # VCDM 1.1 §4.9
    ("credentialSchema", typed_and_named),  # VCDM 1.1 §5.4
    ("refreshService", typed_and_named),  # VCDM 1.1 §5.5
    ("termsOfUse", typed),  # VCDM 1.1 §5.6
    ("evidence", typed),  # VCDM 1.1 §5.7
)


def check_credential(document: object, *, models: frozenset[Model] = CURRENT_MODEL) -> None:
    """Raise ModelViolation unless `document` is a credential (VCDM §4) of one of `models`."""
    credential = as_object(document, "")
    model = check_context(credential, models)
    check_type(credential, "", "VerifiableCredential")
    optional_id(credential, "")
    check_party(credential, "issuer", required=True)
    _subjects(credential)
    if model == "2.0":
        check_display(credential, "")
        check_order(credential, "validUntil")
        _each(credential, _TYPED)
        if "relatedResource" in credential:
            _related_resources(credential["relatedResource"])
    else:
        # VCDM 1.1 §4.6: issuanceDate is required.
        if instant(credential, "issuanceDate") is None:
            raise ModelViolation(pointer="/issuanceDate", reason="it is missing")
        check_order(credential, "expirationDate")
        _each(credential, _TYPED_1_1)
    if "proof" in credential:
        check_proof_types(credential)


def issuer_id(credential: Mapping[str, Any]) -> str:
    """The issuer's identifier, from either form that §4.7 allows. Raises ModelViolation."""
    check_party(credential, "issuer", required=True)
    issuer = credential["issuer"]
    return str(issuer if isinstance(issuer, str) else issuer["id"])


def credential_types(credential: Mapping[str, Any]) -> tuple[str, ...]:
    """`type` as a tuple. Raises ModelViolation."""
    return type_names(credential, "")


def _each(credential: Mapping[str, Any], checks: _Checks) -> None:
    for name, check in checks:
        if name in credential:
            for pointer, entry in entries(credential[name], f"/{name}"):
                check(entry, pointer)


def _subjects(credential: Mapping[str, Any]) -> None:
    # §4.8: one or more objects. That a subject has claims beside its id is demanded in words;
    # the official suite sends subjects of an id alone and wants them accepted.
    if "credentialSubject" not in credential:
        raise ModelViolation(pointer="/credentialSubject", reason="it is missing")
    for pointer, subject in entries(credential["credentialSubject"], "/credentialSubject"):
        optional_id(subject, pointer)


def _related_resources(value: object) -> None:
    # §5.3: each resource once, each with a digest
    seen: set[str] = set()
    for pointer, entry in entries(value, "/relatedResource"):
        required_id(entry, pointer)
        if entry["id"] in seen:
            raise ModelViolation(pointer=f"{pointer}/id", reason="the resource is listed twice")
        seen.add(entry["id"])
        digests = [entry[name] for name in ("digestSRI", "digestMultibase") if name in entry]
        if not digests or not all(isinstance(digest, str) and digest for digest in digests):
            raise ModelViolation(pointer=pointer, reason="it has no digest")
        if not isinstance(entry.get("mediaType", "text/plain"), str):
            raise ModelViolation(pointer=f"{pointer}/mediaType", reason="it is missing or not text")
